/* SPDX-License-Identifier: MIT */
/* A pass goes from header block to header block: after each it knows what kind of body follows and looks for the next
 * line that is a delimiter of any multipart that is open. Nothing is looked at twice, and nothing recurses. */
#include "mime/structure.h"
#include "base/mem.h"
#include "mime/lines.h"

enum { FORMS = 4, BOUNDARY_OWN = 1024 };

/* A multipart or message that is open. */
struct frame {
    struct mime_header header;
    struct mime_type type;
    struct span forms[FORMS]; /* of the boundary: [0] the ordinary reader's */
    unsigned forms_count;
    char *own;   /* where a form is that does not stand in the message */
    size_t body; /* where it begins */
    unsigned children;
    bool closed, whole; /* its closing delimiter was passed; it is given as a whole at its end */
    size_t path_length; /* of its own path */
    size_t prefix;      /* of the path, below which its children are counted */
};

struct pass {
    struct mime_structure *s;
    struct span message;
    mime_body_sink *sink;
    void *arg;
    enum mime_line_ends ends;
    unsigned count;
    struct frame frames[LIMIT_MIME_DEPTH];
    char path[MIME_PATH_SIZE];
    struct mime_parameters parameters;
};

/* A delimiter line, or the end of the message. */
struct hit {
    bool found, close;
    unsigned frame;
    size_t end;  /* of the content before it */
    size_t next; /* the line after it */
};

static bool reads(const struct pass *p, enum mime_reading r)
{
    return (p->s->reading & (1u << r)) != 0;
}

static void doubt(struct pass *p, enum mime_reading r)
{
    p->s->doubts |= 1u << r;
}

static void defect(struct pass *p, enum mime_defect d)
{
    p->s->defects |= mime_defect_bit(d);
}

static bool spend(struct pass *p, uint64_t octets)
{
    *p->s->work += octets;
    if (*p->s->work <= p->s->max_work)
        return true;
    p->s->too_long = true;
    return false;
}

static struct span trim_end(struct span s)
{
    while (s.len > 0 && char_is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* How LINE, which begins with "--", goes with BOUNDARY. */
enum fit { FIT_NO, FIT_PREFIX, FIT_DELIMITER, FIT_CLOSE };
static enum fit fit_of(struct span line, struct span boundary)
{
    struct span text = span_sub(line, 2, line.len);
    if (boundary.len == 0 || !span_starts(text, boundary))
        return FIT_NO;
    struct span rest = trim_end(span_sub(text, boundary.len, text.len));
    if (rest.len == 0)
        return FIT_DELIMITER;
    if (span_eq(rest, SPAN("--")))
        return FIT_CLOSE;
    return FIT_PREFIX;
}

static enum fit frame_fit(const struct pass *p, const struct frame *f, struct span line)
{
    unsigned begin = 0, end = f->forms_count < 1 ? 0 : 1;
    enum fit best = FIT_NO;
    if (reads(p, MIME_READING_OTHER_BOUNDARY) && f->forms_count > 1) {
        begin = 1;
        end = f->forms_count;
    }
    for (unsigned i = begin; i < end; i++) {
        enum fit fit = fit_of(line, f->forms[i]);
        best = fit > best ? fit : best;
    }
    return best;
}

/* Whether LINE is a delimiter of an open multipart, and which. */
static bool match(struct pass *p, struct span line, struct hit *hit)
{
    bool prefix = reads(p, MIME_READING_PREFIX_INNER) || reads(p, MIME_READING_PREFIX_OUTER);
    for (unsigned i = 0; i < p->count; i++) {
        unsigned at = reads(p, MIME_READING_PREFIX_OUTER) ? i : p->count - 1 - i;
        const struct frame *f = &p->frames[at];
        enum fit fit = frame_fit(p, f, line);
        if (fit == FIT_NO)
            continue;
        if (f->closed && !reads(p, MIME_READING_PAST_CLOSE)) {
            doubt(p, MIME_READING_PAST_CLOSE);
            if (fit == FIT_DELIMITER)
                defect(p, MIME_DEFECT_PART_AFTER_CLOSE);
            continue;
        }
        if (fit == FIT_PREFIX) {
            doubt(p, MIME_READING_PREFIX_INNER);
            doubt(p, MIME_READING_PREFIX_OUTER);
            defect(p, MIME_DEFECT_BOUNDARY_PREFIX);
            if (!prefix)
                continue;
        }
        hit->found = true;
        hit->close = fit == FIT_CLOSE;
        if (fit == FIT_PREFIX) {
            struct span rest = span_sub(line, 2 + f->forms[0].len, line.len);
            hit->close = span_starts(rest, SPAN("--"));
        }
        hit->frame = at;
        return true;
    }
    return false;
}

static bool delimiter_at(struct pass *p, size_t at, size_t from, struct hit *hit)
{
    struct mime_line line = mime_line_at(p->message, p->ends, at);
    /* Each open multipart is a comparison; counted, so that a hundred of them on millions of lines end somewhere. */
    spend(p, p->count);
    if (!match(p, line.text, hit))
        return false;
    hit->end = mime_line_before(p->message, p->ends, at, from);
    hit->next = line.next;
    return true;
}

/* The next delimiter at or after FROM, which is the begin of a line. */
static struct hit find_delimiter(struct pass *p, size_t from)
{
    struct hit hit = {.end = p->message.len, .next = p->message.len};
    if (p->count == 0)
        return hit;
    size_t at = from;
    while (at + 1 < p->message.len && !p->s->too_long) {
        const char *dashes = memmem(p->message.ptr + at, p->message.len - at, "--", 2);
        if (!dashes)
            break;
        at = (size_t)(dashes - p->message.ptr);
        if ((at == from || mime_line_begins(p->message, p->ends, at)) && delimiter_at(p, at, from, &hit))
            return hit;
        while (at < p->message.len && p->message.ptr[at] == '-')
            at++;
    }
    return hit;
}

static void keep_field(struct mime_field *f, struct span value)
{
    value = mime_trim(value);
    if (f->count++ == 0)
        f->first = value;
    f->last = value;
}

/* Where a field of this name is kept; NULL: it says nothing about structure. */
static struct mime_field *field_of(struct mime_header *h, struct span name)
{
    if (name.len < 12 || char_lower(name.ptr[0]) != 'c')
        return NULL;
    if (span_eq_nocase(name, SPAN("Content-Type")))
        return &h->type;
    if (span_eq_nocase(name, SPAN("Content-Transfer-Encoding")))
        return &h->encoding;
    if (span_eq_nocase(name, SPAN("Content-Disposition")))
        return &h->disposition;
    return NULL;
}

/* What a line among headers is. */
enum line_kind { LINE_FIELD, LINE_FOLD, LINE_EMPTY, LINE_MAILBOX, LINE_JUNK };

/* A continuation that some readers take for a structure header of its own. Lists of field names (DKIM) look alike but
 * for the value. */
static bool hides_header(struct span line)
{
    struct span text = mime_trim(line);
    size_t colon = span_find(text, ':');
    struct mime_header none = {0};
    struct mime_field *field = field_of(&none, mime_trim(span_sub(text, 0, colon)));
    struct span value = mime_trim(span_sub(text, colon + 1, text.len));
    if (!field || value.len == 0)
        return false;
    if (field == &none.encoding) {
        struct mime_encodings e;
        mime_encodings_parse(value, &e);
        return e.first != MIME_UNKNOWN;
    }
    struct mime_type type;
    if (field == &none.disposition)
        return span_find(value, ':') == value.len;
    mime_type_parse(value, &type);
    return !type.doubtful || type.multipart;
}

static enum line_kind classify(struct pass *p, struct span line, size_t *name)
{
    if (line.len == 0)
        return LINE_EMPTY;
    if (char_is_blank(line.ptr[0])) {
        bool blank = mime_trim(line).len == 0;
        if (!blank && !hides_header(line))
            return LINE_FOLD;
        doubt(p, MIME_READING_BLANK_HEADER);
        if (!blank)
            defect(p, MIME_DEFECT_HIDDEN_HEADER);
        if (!reads(p, MIME_READING_BLANK_HEADER))
            return LINE_FOLD;
        if (blank)
            return LINE_EMPTY;
        *name = span_find(line, ':');
        return LINE_FIELD;
    }
    size_t n = 0;
    while (n < line.len && (unsigned char)line.ptr[n] > ' ' && (unsigned char)line.ptr[n] < 0x7f && line.ptr[n] != ':')
        n++;
    *name = n;
    if (n < line.len && line.ptr[n] == ':')
        return LINE_FIELD;
    if (span_starts(line, SPAN("From ")) || span_starts(line, SPAN(">From ")))
        return LINE_MAILBOX;
    while (n < line.len && char_is_blank(line.ptr[n]))
        n++;
    if (*name == 0 || n == line.len || line.ptr[n] != ':')
        return LINE_JUNK;
    doubt(p, MIME_READING_STRICT_HEADER);
    return reads(p, MIME_READING_STRICT_HEADER) ? LINE_JUNK : LINE_FIELD;
}

/* The state of one header block. */
struct block {
    struct mime_field *field; /* that the current lines belong to, NULL: one that does not matter */
    size_t value;             /* where its value begins */
    bool junk;                /* a line that is no header was passed */
};

static void end_field(struct pass *p, struct mime_header *h, struct block *b, size_t end)
{
    if (!b->field)
        return;
    struct span value = span_sub(p->message, b->value, end - b->value);
    if (b->field == &h->type) {
        struct mime_type type;
        mime_type_parse(value, &type);
        h->defects |= type.defects;
    }
    keep_field(b->field, value);
    if (b->junk)
        defect(p, MIME_DEFECT_HIDDEN_HEADER);
    b->field = NULL;
}

static void judge_duplicates(struct pass *p, struct mime_header *h)
{
    struct {
        struct mime_field *field;
        enum mime_defect defect;
    } rows[] = {
        {&h->type, MIME_DEFECT_DUPLICATE_TYPE},
        {&h->encoding, MIME_DEFECT_DUPLICATE_ENCODING},
        {&h->disposition, MIME_DEFECT_DUPLICATE_DISPOSITION},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct mime_field *f = rows[i].field;
        if (f->count < 2)
            continue;
        if (span_eq_nocase(f->first, f->last)) {
            h->defects |= mime_defect_bit(MIME_DEFECT_REPEATED_HEADER);
            continue;
        }
        h->defects |= mime_defect_bit(rows[i].defect);
        if (f != &h->disposition)
            doubt(p, MIME_READING_LAST_HEADER);
    }
    p->s->defects |= h->defects;
}

/* One line of a header block; false: the block ends before it (LINE_JUNK) or after it (LINE_EMPTY). */
static bool header_line(struct pass *p, struct mime_header *h, struct block *b, struct span line, size_t at,
                        enum line_kind *kind)
{
    size_t name = 0;
    *kind = classify(p, line, &name);
    if (*kind == LINE_FOLD)
        return true;
    end_field(p, h, b, at);
    switch (*kind) {
    case LINE_FIELD:
        b->field = field_of(h, mime_trim(span_sub(line, 0, name)));
        b->value = at + span_find(line, ':') + 1;
        return true;
    case LINE_JUNK:
        doubt(p, MIME_READING_PAST_JUNK);
        if (!reads(p, MIME_READING_PAST_JUNK)) {
            defect(p, MIME_DEFECT_NO_BLANK_LINE);
            return false;
        }
        defect(p, MIME_DEFECT_HEADER_JUNK);
        b->junk = true;
        return true;
    case LINE_EMPTY:
        return false;
    case LINE_FOLD:
    case LINE_MAILBOX:
        break;
    }
    return true;
}

/* Reads the header block at FROM; where the body begins. A delimiter inside the block ends it: *hit. */
static size_t read_header(struct pass *p, size_t from, struct mime_header *h, struct hit *hit)
{
    struct block b = {0};
    size_t at = from;
    *h = (struct mime_header){0};
    *hit = (struct hit){0};
    while (at < p->message.len) {
        struct mime_line line = mime_line_at(p->message, p->ends, at);
        if (p->count > 0 && span_starts(line.text, SPAN("--")) && delimiter_at(p, at, from, hit)) {
            end_field(p, h, &b, hit->end);
            break;
        }
        enum line_kind kind;
        if (!header_line(p, h, &b, line.text, at, &kind)) {
            at = kind == LINE_EMPTY ? line.next : at;
            break;
        }
        at = line.next;
    }
    end_field(p, h, &b, at);
    judge_duplicates(p, h);
    if (hit->found)
        return hit->end;
    return at;
}

/* The path of child NUMBER below what is in the path up to PREFIX. */
static size_t set_path(struct pass *p, size_t prefix, unsigned number)
{
    int n = snprintf(p->path + prefix, sizeof(p->path) - prefix, "%s%u", prefix > 0 ? "." : "", number);
    if (n < 0 || (size_t)n >= sizeof(p->path) - prefix) { /* too deep to be written down */
        snprintf(p->path + sizeof(p->path) - 5, 5, "....");
        p->path[sizeof(p->path) - 2] = '\0';
        return sizeof(p->path) - 2;
    }
    return prefix + (size_t)n;
}

static struct span chosen(const struct pass *p, const struct mime_field *f)
{
    return reads(p, MIME_READING_LAST_HEADER) ? f->last : f->first;
}

static enum err give(struct pass *p, enum mime_body_kind kind, const struct mime_header *h,
                     const struct mime_type *type, size_t begin, size_t end)
{
    struct mime_body body = {.kind = kind,
                             .header = h,
                             .type = *type,
                             .encoding = chosen(p, &h->encoding),
                             .path = p->path,
                             .depth = p->count,
                             .octets = span_sub(p->message, begin, end > begin ? end - begin : 0)};
    return p->sink(p->arg, &body);
}

static void add_form(struct frame *f, struct span form)
{
    if (form.len == 0)
        return;
    for (unsigned i = 0; i < f->forms_count; i++)
        if (span_eq(f->forms[i], form))
            return;
    if (f->forms_count < FORMS)
        f->forms[f->forms_count++] = form;
}

/* A boundary that is encoded, or has escapes, does not stand in the message as it is. */
static enum err add_own_form(struct pass *p, struct frame *f, const struct mime_parameter *plain)
{
    struct span charset;
    size_t len = 0;
    f->own = mem_new(2, BOUNDARY_OWN);
    if (!f->own)
        return ERR_NOMEM;
    if (mime_parameter_extended(&p->parameters, SPAN("boundary"), f->own, BOUNDARY_OWN, &len, &charset)) {
        defect(p, MIME_DEFECT_BOUNDARY_ENCODED);
        add_form(f, trim_end(span_of(f->own, len)));
    }
    if (plain && plain->escaped) {
        len = mime_unescape(plain->value, f->own + BOUNDARY_OWN, BOUNDARY_OWN);
        struct span form = trim_end(span_of(f->own + BOUNDARY_OWN, len));
        add_form(f, form);
    }
    return ERR_OK;
}

static bool has_extended_boundary(const struct mime_parameters *p)
{
    for (unsigned i = 0; i < p->count; i++)
        if ((p->items[i].extended || p->items[i].section >= 0) && span_eq_nocase(p->items[i].name, SPAN("boundary")))
            return true;
    return false;
}

/* The forms of F's boundary out of VALUE, a Content-Type. */
static enum err find_boundary(struct pass *p, struct frame *f, struct span value)
{
    bool differ;
    mime_parameters_parse(value, &p->parameters);
    const struct mime_parameter *plain =
        mime_parameter_get(&p->parameters, SPAN("boundary"), reads(p, MIME_READING_LAST_PARAMETER), &differ);
    if (differ) {
        doubt(p, MIME_READING_LAST_PARAMETER);
        f->header.defects |= mime_defect_bit(MIME_DEFECT_DUPLICATE_PARAMETER);
        defect(p, MIME_DEFECT_DUPLICATE_PARAMETER);
    }
    if (plain && plain->escaped) { /* most readers undo escapes */
        enum err e = add_own_form(p, f, plain);
        if (e != ERR_OK)
            return e;
    }
    if (plain)
        add_form(f, trim_end(plain->value));
    if (plain && plain->odd) {
        add_form(f, plain->raw);
        if (plain->raw.len > 2)
            add_form(f, span_sub(plain->raw, 1, plain->raw.len - 2));
    }
    if (!f->own && has_extended_boundary(&p->parameters)) {
        enum err e = add_own_form(p, f, plain);
        if (e != ERR_OK)
            return e;
    }
    if (f->forms_count > 1)
        doubt(p, MIME_READING_OTHER_BOUNDARY);
    if (f->forms_count > 0 && f->forms[0].len > 256)
        defect(p, MIME_DEFECT_BOUNDARY_LONG);
    return ERR_OK;
}

/* Whether the entity with this header is taken for a multipart; F gets its boundary. */
static enum err open_multipart(struct pass *p, struct frame *f, struct span value, bool *multipart)
{
    bool other = reads(p, MIME_READING_OTHER_TYPE);
    *multipart = false;
    if (!f->type.multipart && span_find_span(value, SPAN("=")) == value.len)
        return ERR_OK;
    enum err e = find_boundary(p, f, value);
    if (e != ERR_OK)
        return e;
    /* One reader may take the type from one field and the boundary from another. */
    struct span opposite = reads(p, MIME_READING_LAST_HEADER) ? f->header.type.first : f->header.type.last;
    if (f->forms_count == 0 && f->header.type.count > 1) {
        doubt(p, MIME_READING_OTHER_TYPE);
        e = other ? find_boundary(p, f, opposite) : ERR_OK;
        if (e != ERR_OK)
            return e;
    }
    bool boundary = f->forms_count > 0;
    if (f->type.multipart && !boundary)
        defect(p, MIME_DEFECT_BOUNDARY_MISSING);
    if (boundary && (f->type.doubtful || !f->type.multipart))
        doubt(p, MIME_READING_OTHER_TYPE);
    *multipart = boundary && (f->type.multipart != ((f->type.doubtful || !f->type.multipart) && other));
    return ERR_OK;
}

static bool encoded(const struct pass *p, const struct mime_header *h)
{
    struct mime_encodings e;
    mime_encodings_parse(chosen(p, &h->encoding), &e);
    return e.first != MIME_IDENTITY;
}

/* An encoded message is opened as it stands only if it looks like one: its header may lie. */
static bool opens_as_message(struct pass *p, struct frame *f, size_t body)
{
    if (!f->type.message)
        return false;
    f->whole = !f->type.encapsulates;
    if (!encoded(p, &f->header))
        return true;
    f->whole = true;
    defect(p, MIME_DEFECT_ENCODED_CONTAINER);
    struct mime_line line = mime_line_at(p->message, p->ends, body);
    size_t name;
    return classify(p, line.text, &name) == LINE_FIELD;
}

static void drop_frame(struct pass *p)
{
    mem_free(p->frames[--p->count].own);
}

/* Opens a frame for the entity with header H and body at BODY. *opened: there is one. */
static enum err open_frame(struct pass *p, const struct mime_header *h, const struct mime_type *type, size_t body,
                           size_t path_length, bool *opened)
{
    *opened = false;
    if (p->count >= p->s->max_depth || p->count == LIMIT_MIME_DEPTH) {
        p->s->too_deep = p->s->too_deep || type->multipart || type->message;
        return ERR_OK;
    }
    struct frame *f = &p->frames[p->count++];
    memset(f, 0, offsetof(struct frame, path_length));
    f->header = *h;
    f->type = *type;
    f->body = body;
    f->path_length = path_length;
    f->prefix = path_length;
    enum err e = open_multipart(p, f, chosen(p, &h->type), opened);
    if (e == ERR_OK && *opened && encoded(p, h)) {
        f->whole = true;
        defect(p, MIME_DEFECT_ENCODED_CONTAINER);
    } else if (e == ERR_OK && !*opened) {
        f->forms_count = 0;
        *opened = opens_as_message(p, f, body);
    }
    if (!*opened)
        drop_frame(p);
    else if (p->count > p->s->depth)
        p->s->depth = p->count;
    return e;
}

/* Closes the frames above LEFT; END is where the content ends. */
static enum err close_frames(struct pass *p, unsigned left, size_t end)
{
    enum err e = ERR_OK;
    while (p->count > left && e == ERR_OK) {
        struct frame *f = &p->frames[p->count - 1];
        bool multipart = f->forms_count > 0;
        if (multipart && !f->closed)
            defect(p, MIME_DEFECT_CLOSE_MISSING);
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
static enum err after_hit(struct pass *p, struct hit hit, size_t *entity)
{
    static const struct mime_header no_header;
    struct mime_type text;
    mime_type_parse((struct span){0}, &text);
    *entity = SIZE_MAX;
    while (hit.found) {
        enum err e = close_frames(p, hit.frame + 1, hit.end);
        if (e != ERR_OK)
            return e;
        struct frame *f = &p->frames[hit.frame];
        if (!hit.close) {
            f->children++;
            *entity = hit.next;
            return ERR_OK;
        }
        f->closed = true;
        size_t begin = hit.next;
        hit = find_delimiter(p, begin);
        p->path[f->path_length] = '\0';
        e = give(p, MIME_BODY_ASIDE, &no_header, &text, begin, hit.end);
        if (e != ERR_OK)
            return e;
    }
    return close_frames(p, 0, p->message.len);
}

/* The type of an entity in this reading. */
static void type_of(const struct pass *p, const struct mime_header *h, struct mime_type *type)
{
    mime_type_parse(chosen(p, &h->type), type);
    const struct frame *parent = p->count > 0 ? &p->frames[p->count - 1] : NULL;
    if (!type->given && parent && parent->type.digest)
        mime_type_parse(SPAN("message/rfc822"), type);
}

/* The body at BODY of an entity: a frame with what is inside, or a leaf. *entity: where the next entity begins. */
static enum err read_body(struct pass *p, const struct mime_header *h, size_t body, size_t path_length, size_t *entity)
{
    struct mime_type type;
    bool opened;
    type_of(p, h, &type);
    enum err e = open_frame(p, h, &type, body, path_length, &opened);
    if (e != ERR_OK)
        return e;
    struct frame *f = opened ? &p->frames[p->count - 1] : NULL;
    if (f && f->forms_count == 0) { /* a message: its headers follow */
        f->children = 1;
        *entity = body;
        return ERR_OK;
    }
    struct hit hit = find_delimiter(p, body);
    if (!f)
        e = give(p, MIME_BODY_LEAF, h, &type, body, hit.end);
    else if (hit.found)
        e = give(p, MIME_BODY_ASIDE, h, &type, body, hit.end);
    return e == ERR_OK ? after_hit(p, hit, entity) : e;
}

/* The number of the entity that begins now, in the path. A message's body that is a multipart counts its children below
 * the message itself. */
static size_t number_entity(struct pass *p, size_t root)
{
    const struct frame *f = p->count > 0 ? &p->frames[p->count - 1] : NULL;
    if (!f)
        return set_path(p, root, 1);
    return set_path(p, f->prefix, f->children);
}

static enum err read_entities(struct pass *p, size_t root)
{
    /* A byte order mark in front is not seen by most readers; one that sees it has no headers, and the raw message to
     * show. */
    size_t entity = span_starts(p->message, SPAN("\xef\xbb\xbf")) ? 3 : 0;
    enum err e = ERR_OK;
    while (entity != SIZE_MAX && e == ERR_OK && !p->s->too_long) {
        struct mime_header h;
        struct hit hit;
        size_t path_length = number_entity(p, root), body;
        bool top = p->count == 0 || p->frames[p->count - 1].forms_count == 0;
        if (p->s->headless && p->count == 0) {
            h = (struct mime_header){0};
            hit = (struct hit){0};
            keep_field(&h.type, p->s->content_type);
            body = entity;
        } else {
            body = read_header(p, entity, &h, &hit);
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
    struct pass *p = mem_new(1, sizeof(*p));
    if (!p)
        return ERR_NOMEM;
    p->s = s;
    p->message = message;
    p->sink = sink;
    p->arg = arg;
    p->ends = reads(p, MIME_READING_ANY_LINE_END)      ? MIME_ENDS_ANY
              : reads(p, MIME_READING_STRICT_LINE_END) ? MIME_ENDS_CRLF
                                                       : MIME_ENDS_LF;
    enum err e = ERR_OK;
    size_t root = strlen(s->prefix);
    root = root < sizeof(p->path) - 8 ? root : sizeof(p->path) - 8;
    memcpy(p->path, s->prefix, root);
    if (spend(p, message.len))
        e = read_entities(p, root);
    while (p->count > 0) /* left open by an error or a limit */
        drop_frame(p);
    mem_free(p);
    return e;
}
