/* SPDX-License-Identifier: MIT */
/* A pass goes from header block to header block: after each it knows what kind of body follows and looks for the next
 * line that is a delimiter of any multipart that is open. Nothing is looked at twice, and nothing recurses. */
#include "mime/structure.h"
#include "base/mem.h"
#include "mime/pass.h"

/* The path of child NUMBER below what is in the path up to PREFIX. */
static size_t set_path(struct mime_pass *p, size_t prefix, unsigned number)
{
    int n = snprintf(p->path + prefix, sizeof(p->path) - prefix, "%s%u", prefix > 0 ? "." : "", number);
    if (n < 0 || (size_t)n >= sizeof(p->path) - prefix) { /* too deep to be written down */
        snprintf(p->path + sizeof(p->path) - 5, 5, "....");
        p->path[sizeof(p->path) - 2] = '\0';
        return sizeof(p->path) - 2;
    }
    return prefix + (size_t)n;
}

static struct span chosen(const struct mime_pass *p, const struct mime_field *f)
{
    if (f->count > 1)
        p->s->asked |= 1u << MIME_READING_LAST_HEADER | 1u << MIME_READING_MIDDLE_HEADER;
    return mime_field_chosen(f, p->s->reading);
}

static enum err give(struct mime_pass *p, enum mime_body_kind kind, const struct mime_header *h,
                     const struct mime_type *type, size_t begin, size_t end)
{
    struct mime_body body = {.kind = kind,
                             .header = h,
                             .type = *type,
                             .encoding = chosen(p, &h->encoding),
                             .path = p->path,
                             .depth = p->count - mime_reads(p, MIME_READING_ANY_DELIMITER),
                             .octets = span_sub(p->message, begin, end > begin ? end - begin : 0)};
    return p->sink(p->arg, &body);
}

/* Whether the entity with this header is taken for a multipart; F gets its boundary. */
static enum err open_multipart(struct mime_pass *p, struct mime_frame *f, struct span value, bool *multipart)
{
    *multipart = false;
    if (mime_reads(p, MIME_READING_ANY_DELIMITER)) /* there boundaries do not count, nor does who promised them */
        return ERR_OK;
    if (!f->type.multipart && span_find_span(value, SPAN("=")) == value.len)
        return ERR_OK;
    enum err e = mime_boundary_find(p, f, value);
    if (e != ERR_OK)
        return e;
    /* One reader may take the type from one field and the boundary from another. */
    if (f->forms_count == 0 && f->header.type.count > 1) {
        struct span opposite = mime_reads(p, MIME_READING_LAST_HEADER) ? f->header.type.first : f->header.type.last;
        mime_doubt(p, MIME_READING_OTHER_TYPE);
        e = mime_reads(p, MIME_READING_OTHER_TYPE) ? mime_boundary_find(p, f, opposite) : ERR_OK;
        if (e != ERR_OK)
            return e;
    }
    bool boundary = f->forms_count > 0;
    if (f->type.multipart && !boundary) {
        mime_note(p, MIME_DEFECT_BOUNDARY_MISSING);
        mime_doubt(p, MIME_READING_ANY_DELIMITER);
        p->s->unseen = p->s->loose = true;
    }
    if (boundary && (f->type.doubtful || !f->type.multipart))
        mime_doubt(p, MIME_READING_OTHER_TYPE);
    *multipart = boundary && f->type.multipart !=
                                 ((f->type.doubtful || !f->type.multipart) && mime_reads(p, MIME_READING_OTHER_TYPE));
    return ERR_OK;
}

static bool encoded(const struct mime_pass *p, const struct mime_header *h)
{
    struct mime_encodings e;
    mime_encodings_parse(chosen(p, &h->encoding), &e);
    return e.first != MIME_IDENTITY;
}

/* An encoded message is opened as it stands only if it looks like one: its header may lie. */
static bool opens_as_message(struct mime_pass *p, struct mime_frame *f, size_t body)
{
    if (!f->type.message)
        return false;
    f->whole = !f->type.encapsulates; /* read_body passes over empty lines in front of its headers */
    if (!encoded(p, &f->header))
        return true;
    f->whole = true;
    mime_note(p, MIME_DEFECT_ENCODED_CONTAINER);
    return mime_header_begins(p, body);
}

static void drop_frame(struct mime_pass *p)
{
    struct mime_frame *f = &p->frames[--p->count];
    mem_free(f->own);
    mem_free(f->words);
}

/* Opens a frame for the entity with header H and body at BODY. *opened: there is one. */
static enum err open_frame(struct mime_pass *p, const struct mime_header *h, const struct mime_type *type, size_t body,
                           size_t path_length, bool *opened)
{
    *opened = false;
    unsigned levels = p->count - mime_reads(p, MIME_READING_ANY_DELIMITER);
    if (levels >= p->s->max_depth || levels == LIMIT_MIME_DEPTH) {
        p->s->too_deep = p->s->too_deep || type->multipart || type->message;
        return ERR_OK;
    }
    struct mime_frame *f = &p->frames[p->count++];
    memset(f, 0, offsetof(struct mime_frame, path_length));
    f->header = *h;
    f->type = *type;
    f->body = body;
    f->path_length = path_length;
    f->prefix = path_length;
    enum err e = open_multipart(p, f, chosen(p, &h->type), opened);
    if (e == ERR_OK && *opened && encoded(p, h)) {
        f->whole = true;
        mime_note(p, MIME_DEFECT_ENCODED_CONTAINER);
    } else if (e == ERR_OK && !*opened) {
        f->forms_count = 0;
        *opened = opens_as_message(p, f, body);
    }
    if (!*opened)
        drop_frame(p);
    else if (levels + 1 > p->s->depth)
        p->s->depth = levels + 1;
    return e;
}

/* Closes the frames above LEFT; END is where the content ends. */
static enum err close_frames(struct mime_pass *p, unsigned left, size_t end)
{
    enum err e = ERR_OK;
    while (p->count > left && e == ERR_OK) {
        struct mime_frame *f = &p->frames[p->count - 1];
        bool multipart = f->forms_count > 0;
        if (multipart && !f->closed)
            mime_note(p, MIME_DEFECT_CLOSE_MISSING);
        if (multipart && f->children == 0 && f->body < end) {
            mime_doubt(p, MIME_READING_ANY_DELIMITER);
            p->s->unseen = p->s->unseen || !f->nearly;
        }
        if (f->prefix < f->path_length)
            set_path(p, f->prefix, 1);
        else
            p->path[f->path_length] = '\0';
        if (f->whole || (multipart && f->children == 0))
            e = give(p, MIME_BODY_CONTAINER, &f->header, &f->type, f->body, end);
        drop_frame(p);
    }
    return e;
}

/* What follows a delimiter: the place where the next entity begins, or SIZE_MAX at the end. */
static enum err after_hit(struct mime_pass *p, struct mime_hit hit, size_t *entity)
{
    static const struct mime_header no_header;
    struct mime_type text;
    mime_type_parse((struct span){0}, &text);
    *entity = SIZE_MAX;
    while (hit.found) {
        enum err e = close_frames(p, hit.frame + 1, hit.end);
        if (e != ERR_OK)
            return e;
        struct mime_frame *f = &p->frames[hit.frame];
        if (!hit.close) {
            f->children++;
            *entity = hit.next;
            return ERR_OK;
        }
        f->closed = true;
        size_t begin = hit.next;
        hit = mime_delimiter_find(p, begin);
        p->path[f->path_length] = '\0';
        e = give(p, MIME_BODY_ASIDE, &no_header, &text, begin, hit.end);
        if (e != ERR_OK)
            return e;
    }
    return close_frames(p, 0, p->message.len);
}

/* The type of an entity in this reading. To some it is what encoded words say, or what a digest's children are by
 * default also where no type can be read. */
static void type_of(struct mime_pass *p, const struct mime_header *h, struct mime_type *type)
{
    const struct span value = chosen(p, &h->type), message = SPAN("message/rfc822");
    const struct mime_frame *parent = p->count > 0 ? &p->frames[p->count - 1] : NULL;
    bool digest = parent && parent->type.digest;
    struct mime_type other;
    mime_type_parse(value, type);
    if (!type->given && digest)
        mime_type_parse(message, type);
    bool differs = type->doubtful && mime_type_in_words(value, &other);
    if (!differs && digest && type->doubtful && !type->multipart && !type->message) {
        mime_type_parse(message, &other);
        differs = true;
    }
    if (!differs)
        return;
    p->s->defects |= other.defects;
    mime_doubt(p, MIME_READING_OTHER_TYPE);
    if (mime_reads(p, MIME_READING_OTHER_TYPE) || mime_reads(p, MIME_READING_ANY_DELIMITER))
        *type = other;
}

/* Of the last part of a multipart that is not closed some readers take the last line end for the delimiter's. */
static enum err give_leaf(struct mime_pass *p, const struct mime_header *h, const struct mime_type *type, size_t begin,
                          struct mime_hit hit)
{
    enum err e = give(p, MIME_BODY_LEAF, h, type, begin, hit.end);
    size_t end = mime_line_before(p->message, p->ends, hit.end, begin);
    bool open = p->count > 0 && p->frames[p->count - 1].forms_count > 0 && !hit.found;
    return e == ERR_OK && open && end < hit.end ? give(p, MIME_BODY_LEAF, h, type, begin, end) : e;
}

/* Some reader might, of an entity that is a leaf in this reading. */
static bool may_be_multipart(struct span value, const struct mime_type *type)
{
    for (size_t i = 0; i < value.len; i++)
        if (span_starts_nocase(span_sub(value, i, value.len), SPAN("boundary")))
            return true;
    return type->multipart || type->doubtful;
}

/* The body at BODY of an entity: a frame with what is inside, or a leaf. *entity: where the next entity begins. */
static enum err read_body(struct mime_pass *p, const struct mime_header *h, size_t body, size_t path_length,
                          size_t *entity)
{
    struct mime_type type;
    bool opened;
    type_of(p, h, &type);
    enum err e = open_frame(p, h, &type, body, path_length, &opened);
    if (e != ERR_OK)
        return e;
    struct mime_frame *f = opened ? &p->frames[p->count - 1] : NULL;
    if (f && f->forms_count == 0) { /* a message: its headers follow */
        f->children = 1;
        *entity = body + (f->type.encapsulates ? mime_blank_lines(span_sub(p->message, body, p->message.len)) : 0);
        return ERR_OK;
    }
    if (!f && p->count == 0 && may_be_multipart(chosen(p, &h->type), &type))
        mime_delimiter_suspect(p, body);
    struct mime_hit hit = mime_delimiter_find(p, body);
    if (!f)
        e = give_leaf(p, h, &type, body, hit);
    else if (hit.found)
        e = give(p, MIME_BODY_ASIDE, h, &type, body, hit.end);
    return e == ERR_OK ? after_hit(p, hit, entity) : e;
}

/* The number of the entity that begins now, in the path. A message's body that is a multipart counts its children below
 * the message itself. */
static size_t number_entity(struct mime_pass *p, size_t root)
{
    const struct mime_frame *f = p->count > 0 ? &p->frames[p->count - 1] : NULL;
    if (!f)
        return set_path(p, root, 1);
    return set_path(p, f->prefix, f->children);
}

/* A frame around everything, for the reading in which any line may be a delimiter: of no boundary in particular. */
static void open_all(struct mime_pass *p, size_t root)
{
    p->frames[p->count++] = (struct mime_frame){.forms_count = 1, .children = 1, .path_length = root, .prefix = root};
}

static enum err read_entities(struct mime_pass *p, size_t root)
{
    /* A byte order mark in front is not seen by most readers; one that sees it has no headers, and the raw message to
     * show. */
    size_t entity = span_starts(p->message, SPAN("\xef\xbb\xbf")) ? 3 : 0;
    enum err e = ERR_OK;
    bool headless = p->s->headless;
    if (mime_reads(p, MIME_READING_ANY_DELIMITER))
        open_all(p, root);
    while (entity != SIZE_MAX && e == ERR_OK && !p->s->too_long) {
        struct mime_header h;
        struct mime_hit hit;
        size_t path_length = number_entity(p, root), body;
        bool top = p->count == 0 || p->frames[p->count - 1].forms_count == 0;
        if (headless) {
            headless = false;
            h = (struct mime_header){0};
            hit = (struct mime_hit){0};
            mime_field_keep(&h.type, p->s->content_type);
            body = entity;
        } else {
            body = mime_header_read(p, entity, &h, &hit);
            /* Parts that declare themselves, in a multipart that shows none to most readers. */
            if (p->s->unseen && entity > 0 && mime_reads(p, MIME_READING_ANY_DELIMITER) &&
                h.type.count + h.encoding.count > 0)
                mime_note(p, MIME_DEFECT_BOUNDARY_UNSEEN);
        }
        if (hit.found) { /* headers, then a delimiter: nothing in between */
            e = after_hit(p, hit, &entity);
            continue;
        }
        unsigned before = p->count;
        e = read_body(p, &h, body, path_length, &entity);
        /* The only body of a message is "1", but children of its multipart are "1", "2" …, not "1.1", "1.2". */
        if (e == ERR_OK && top && p->count == before + 1 && p->frames[before].forms_count > 0)
            p->frames[before].prefix = before > 0 ? p->frames[before - 1].prefix : root;
    }
    return e;
}

enum err mime_structure_read(struct mime_structure *s, struct span message, mime_body_sink *sink, void *arg)
{
    struct mime_pass *p = mem_resize(NULL, 1, sizeof(*p));
    if (!p)
        return ERR_NOMEM;
    memset(p, 0, offsetof(struct mime_pass, parameters));
    p->s = s;
    p->message = message;
    p->sink = sink;
    p->arg = arg;
    p->ends = mime_reads(p, MIME_READING_ANY_LINE_END)      ? MIME_ENDS_ANY
              : mime_reads(p, MIME_READING_STRICT_LINE_END) ? MIME_ENDS_CRLF
                                                            : MIME_ENDS_LF;
    enum err e = ERR_OK;
    size_t root = strlen(s->prefix);
    root = root < sizeof(p->path) - 8 ? root : sizeof(p->path) - 8;
    memcpy(p->path, s->prefix, root);
    if (mime_spend(p, message.len))
        e = read_entities(p, root);
    while (p->count > 0) /* left open by an error or a limit */
        drop_frame(p);
    mem_free(p);
    return e;
}
