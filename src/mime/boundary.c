/* SPDX-License-Identifier: MIT */
/* Boundaries in the forms that readers give them, and lines that are delimiters for some reader. */
#include "base/mem.h"
#include "mime/name.h"
#include "mime/pass.h"

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

/* Whether LINE is a delimiter of a boundary that was cut off. Nobody who cuts goes by how a line begins. */
static enum fit cut_fit(const struct mime_frame *f, struct span line)
{
    enum fit best = FIT_NO;
    for (unsigned i = 0; i < f->cuts_count; i++) {
        enum fit fit = fit_of(line, f->cuts[i]);
        best = fit > best && fit != FIT_PREFIX ? fit : best;
    }
    return best;
}

static enum fit frame_fit(const struct mime_pass *p, const struct mime_frame *f, struct span line)
{
    bool cut = f->cuts_count > 0 && mime_reads(p, MIME_READING_CUT_BOUNDARY);
    if (cut && (f->forms_count < 2 || !mime_reads(p, MIME_READING_OTHER_BOUNDARY)))
        return cut_fit(f, line);
    unsigned begin = 0, end = f->forms_count < 1 ? 0 : 1;
    enum fit best = FIT_NO;
    if (f->forms_count > 1 && mime_reads(p, MIME_READING_OTHER_BOUNDARY)) {
        begin = 1;
        end = f->forms_count;
    }
    for (unsigned i = begin; i < end; i++) {
        enum fit fit = fit_of(line, f->forms[i]);
        best = fit > best ? fit : best;
    }
    enum fit fit = cut ? cut_fit(f, line) : FIT_NO;
    return fit > best ? fit : best;
}

/* Boundaries that are no tokens and stand in no quotes are common, lines that are what is left of them are not: no more
 * than such a line makes it worth a pass to cut them off. Counted in each pass, as those that cut compare as often. */
static void look_for_cuts(struct mime_pass *p, struct span line)
{
    const mime_readings cut = 1u << MIME_READING_CUT_BOUNDARY;
    for (unsigned i = 0; i < p->count && mime_spend(p, p->frames[i].cuts_count); i++)
        if ((p->s->doubts & cut) == 0 && cut_fit(&p->frames[i], line) != FIT_NO)
            mime_doubt(p, MIME_READING_CUT_BOUNDARY);
}

/* How many open multiparts LINE goes with, as far as that matters: 0, 1, or more. */
static unsigned fitting(const struct mime_pass *p, struct span line)
{
    unsigned fit = 0;
    for (unsigned i = 0; i < p->count && fit < 2; i++)
        fit += frame_fit(p, &p->frames[i], line) != FIT_NO;
    return fit;
}

/* Whether LINE is a delimiter of an open multipart, and which. */
static bool match(struct mime_pass *p, struct span line, struct mime_hit *hit)
{
    if (p->cuts)
        look_for_cuts(p, line);
    unsigned fits = fitting(p, line);
    if (fits == 0)
        return false;
    bool outer = fits > 1 && mime_reads(p, MIME_READING_PREFIX_OUTER);
    for (unsigned i = 0; i < p->count; i++) {
        unsigned at = outer ? i : p->count - 1 - i;
        struct mime_frame *f = &p->frames[at];
        enum fit fit = frame_fit(p, f, line);
        if (fit == FIT_NO)
            continue;
        if (f->closed && !mime_reads(p, MIME_READING_PAST_CLOSE)) {
            mime_doubt(p, MIME_READING_PAST_CLOSE);
            if (fit == FIT_DELIMITER)
                mime_note(p, MIME_DEFECT_PART_AFTER_CLOSE);
            continue;
        }
        if (fit == FIT_PREFIX) {
            mime_doubt(p, MIME_READING_PREFIX_INNER);
            mime_doubt(p, MIME_READING_PREFIX_OUTER);
            mime_note(p, MIME_DEFECT_BOUNDARY_PREFIX);
            f->nearly = true;
            if (!mime_reads(p, MIME_READING_PREFIX_INNER) && !mime_reads(p, MIME_READING_PREFIX_OUTER))
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

bool mime_delimiter_at(struct mime_pass *p, size_t at, size_t from, struct mime_hit *hit)
{
    struct mime_line line = mime_line_at(p->message, p->ends, at);
    /* Each open multipart is a comparison; counted, so that a hundred of them on millions of lines end somewhere. */
    mime_spend(p, p->count);
    if (mime_reads(p, MIME_READING_ANY_DELIMITER)) {
        if (!p->s->any_line && mime_behind_dashes(p->message, p->ends, line.next) == MIME_BEHIND_OTHER)
            return false;
        *hit = (struct mime_hit){.found = true};
    } else if (!match(p, line.text, hit)) {
        return false;
    }
    hit->end = mime_line_before(p->message, p->ends, at, from);
    hit->next = line.next;
    return true;
}

/* The line at AT is no delimiter in this reading. In another it might be: readers differ in what a boundary is. */
static void suspect(struct mime_pass *p, size_t at)
{
    if ((p->s->defects & mime_defect_bit(MIME_DEFECT_DELIMITER_UNKNOWN)) == 0 &&
        mime_behind_dashes(p->message, p->ends, mime_line_at(p->message, p->ends, at).next) == MIME_BEHIND_HEADERS)
        mime_note(p, MIME_DEFECT_DELIMITER_UNKNOWN);
}

void mime_delimiter_suspect(struct mime_pass *p, size_t from)
{
    size_t at = from;
    const mime_defects known = mime_defect_bit(MIME_DEFECT_DELIMITER_UNKNOWN);
    while ((p->s->defects & known) == 0 && (at = mime_dashes_find(p->message, at)) < p->message.len) {
        if (mime_line_begins(p->message, p->ends, at))
            suspect(p, at);
        while (at < p->message.len && p->message.ptr[at] == '-')
            at++;
    }
}

/* The next delimiter at or after FROM, which is the begin of a line. */
struct mime_hit mime_delimiter_find(struct mime_pass *p, size_t from)
{
    struct mime_hit hit = {.end = p->message.len, .next = p->message.len};
    if (p->count == 0)
        return hit;
    size_t at = from;
    while (at + 1 < p->message.len && !p->s->too_long) {
        at = mime_dashes_find(p->message, at);
        if (at >= p->message.len)
            break;
        if (at == from || mime_line_begins(p->message, p->ends, at)) {
            if (mime_delimiter_at(p, at, from, &hit))
                return hit;
            suspect(p, at);
        }
        while (at < p->message.len && p->message.ptr[at] == '-')
            at++;
    }
    return hit;
}

enum { OWN_FORMS = 10 };

/* Whether it is kept: it is a new one, and not one too many. */
static bool add_form(struct mime_pass *p, struct mime_frame *f, struct span form)
{
    form = trim_end(form);
    if (form.len == 0)
        return false;
    for (unsigned i = 0; i < f->forms_count; i++)
        if (span_eq(f->forms[i], form))
            return false;
    if (f->forms_count == MIME_FORMS) {
        p->s->too_many = true;
        return false;
    }
    f->forms[f->forms_count++] = form;
    return true;
}

/* Room for a form that does not stand in the message as it is; NULL: there are too many. */
static char *own_room(struct mime_pass *p, struct mime_frame *f)
{
    if (f->own_used == (size_t)OWN_FORMS * MIME_BOUNDARY_OWN) {
        p->s->too_many = true;
        return NULL;
    }
    char *room = f->own + f->own_used;
    f->own_used += MIME_BOUNDARY_OWN;
    return room;
}

/* Adds a form that stands in the last room; one that is not kept needs none. */
static void add_own(struct mime_pass *p, struct mime_frame *f, struct span form)
{
    if (!add_form(p, f, form))
        f->own_used -= MIME_BOUNDARY_OWN;
}

/* Whether it is kept, as add_form says. */
static bool add_cut(struct mime_pass *p, struct mime_frame *f, struct span cut)
{
    cut = trim_end(cut);
    if (cut.len == 0)
        return false;
    for (unsigned i = 0; i < f->forms_count; i++)
        if (span_eq(f->forms[i], cut))
            return false;
    for (unsigned i = 0; i < f->cuts_count; i++)
        if (span_eq(f->cuts[i], cut))
            return false;
    p->cuts = true;
    if (f->cuts_count == MIME_CUTS) {
        p->s->too_many = true;
        return false;
    }
    f->cuts[f->cuts_count++] = cut;
    return true;
}

static void add_extended(struct mime_pass *p, struct mime_frame *f)
{
    struct span charset;
    size_t len = 0;
    char *room = own_room(p, f);
    if (!room)
        return;
    if (!mime_parameter_extended(&p->parameters, SPAN("boundary"), room, MIME_BOUNDARY_OWN, &len, &charset)) {
        f->own_used -= MIME_BOUNDARY_OWN;
        return;
    }
    mime_note(p, MIME_DEFECT_BOUNDARY_ENCODED);
    char text[MIME_BOUNDARY_OWN];
    size_t converted = charset.len > 0 ? mime_field_to_utf8(span_of(room, len), charset, text, sizeof(text)) : 0;
    add_own(p, f, span_of(room, len));
    if (converted > 0 && (room = own_room(p, f)) != NULL) {
        memcpy(room, text, converted);
        add_own(p, f, span_of(room, converted));
    }
    for (unsigned cut = 0; cut < 2 && (room = own_room(p, f)) != NULL; cut++) {
        len = mime_parameter_segments(&p->parameters, SPAN("boundary"), cut, room, MIME_BOUNDARY_OWN);
        if (!add_cut(p, f, span_of(room, len)))
            f->own_used -= MIME_BOUNDARY_OWN;
    }
}

/* FORM as readers leave it that take no more than a token, take off quotes and brackets, blanks that are none to
 * others, or all up to the second apostrophe, as of RFC 2231. */
static void add_cuts_of(struct mime_pass *p, struct mime_frame *f, struct span form)
{
    struct span bare = form;
    while (bare.len > 0 && bare.ptr[0] && strchr("<\"'", bare.ptr[0]))
        bare = span_sub(bare, 1, bare.len);
    while (bare.len > 0 && bare.ptr[bare.len - 1] && strchr(">\"'", bare.ptr[bare.len - 1]))
        bare.len--;
    add_cut(p, f, bare);
    add_cut(p, f, mime_token_of(bare));
    while (form.len > 0 &&
           ((unsigned char)form.ptr[form.len - 1] <= ' ' || (unsigned char)form.ptr[form.len - 1] >= 0x7f))
        form.len--;
    add_cut(p, f, form);
    size_t first = span_find(form, '\'');
    struct span rest = span_sub(form, first + 1, form.len);
    size_t second = span_find(rest, '\'');
    if (first < form.len && second < rest.len)
        add_cut(p, f, mime_token_of(span_sub(rest, second + 1, rest.len)));
}

static void add_cuts(struct mime_pass *p, struct mime_frame *f)
{
    for (unsigned i = 0; i < f->forms_count; i++)
        add_cuts_of(p, f, f->forms[i]);
}

/* Most readers undo escapes. */
static void add_unescaped(struct mime_pass *p, struct mime_frame *f, struct span value)
{
    char *room = own_room(p, f);
    if (room)
        add_own(p, f, span_of(room, mime_unescape(value, room, MIME_BOUNDARY_OWN)));
}

/* RAW as readers leave it that take off quotes and brackets again and again, and comments wherever they stand. */
static void add_bare(struct mime_pass *p, struct mime_frame *f, struct span raw)
{
    char *room = own_room(p, f);
    unsigned depth = 0;
    size_t n = 0;
    if (!room)
        return;
    raw = mime_trim(raw);
    for (size_t i = 0; i < raw.len && n < MIME_BOUNDARY_OWN; i++) {
        char c = raw.ptr[i];
        if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (depth == 0 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '\r' && c != '\n')
            room[n++] = c;
    }
    add_own(p, f, mime_trim(span_of(room, n)));
}

static void add_decoded(struct mime_pass *p, struct mime_frame *f, struct span raw)
{
    bool found;
    char *room = span_find_span(raw, SPAN("=?")) < raw.len ? own_room(p, f) : NULL;
    if (!room)
        return;
    size_t len = mime_words_decode_with(span_sub(raw, 0, MIME_BOUNDARY_OWN), mime_field_to_utf8, room,
                                        MIME_BOUNDARY_OWN, &found);
    if (!found) {
        f->own_used -= MIME_BOUNDARY_OWN;
        return;
    }
    mime_note(p, MIME_DEFECT_BOUNDARY_ENCODED);
    struct span form = span_of(room, len);
    if (form.len > 1 && form.ptr[0] == '"' && form.ptr[form.len - 1] == '"')
        form = span_sub(form, 1, form.len - 2);
    add_own(p, f, form);
}

/* "boundary" and an equals sign wherever they stand in VALUE: inside quotes that another reader does not see, after a
 * comment, without a semicolon. */
enum { HITS_MAX = 64 };
static void add_anywhere(struct mime_pass *p, struct mime_frame *f, struct span value)
{
    static const struct span word = {"boundary", 8};
    value = span_sub(value, 0, LIMIT_MIME_FIELD);
    unsigned hits = 0;
    for (size_t i = 0; i + word.len < value.len; i++) {
        if (char_lower(value.ptr[i]) != 'b' || !span_starts_nocase(span_sub(value, i, word.len), word))
            continue;
        struct span rest = mime_trim(span_sub(value, i + word.len, value.len));
        if (rest.len == 0 || rest.ptr[0] != '=')
            continue;
        if (++hits > HITS_MAX || !mime_spend(p, MIME_BOUNDARY_OWN)) {
            p->s->too_many = true;
            return;
        }
        rest = mime_trim(span_sub(rest, 1, MIME_BOUNDARY_OWN));
        struct span raw = mime_trim(span_sub(rest, 0, span_find(rest, ';')));
        size_t token = 0;
        while (token < raw.len && !mime_is_space(raw.ptr[token]) && raw.ptr[token] != '"')
            token++;
        add_form(p, f, span_sub(raw, 0, token));
        if (raw.len > 1 && raw.ptr[0] == '"') {
            struct span inner = span_sub(raw, 1, raw.len);
            add_form(p, f, span_sub(inner, 0, span_find(inner, '"')));
        }
        add_bare(p, f, raw);
        add_decoded(p, f, raw);
        i += word.len;
    }
}

/* VALUE may be one encoded word as a whole, or have the parameter inside one. */
static enum err add_from_words(struct mime_pass *p, struct mime_frame *f, struct span value)
{
    value = span_sub(value, 0, LIMIT_MIME_FIELD);
    if (f->words || span_find_span(value, SPAN("=?")) == value.len || !mime_spend(p, value.len))
        return ERR_OK;
    size_t size = 4 * value.len;
    f->words = mem_resize(NULL, 1, size); /* not cleared: it is filled */
    if (!f->words)
        return ERR_NOMEM;
    bool found;
    size_t len = mime_words_decode_with(value, mime_field_to_utf8, f->words, size, &found);
    if (found)
        add_anywhere(p, f, span_of(f->words, len));
    return ERR_OK;
}

static bool has_extended_boundary(const struct mime_parameters *p)
{
    for (unsigned i = 0; i < p->count; i++)
        if ((p->items[i].extended || p->items[i].section >= 0) && span_eq_nocase(p->items[i].name, SPAN("boundary")))
            return true;
    return false;
}

/* Whether VALUE speaks of a multipart in a form that readers take differently. Of one that most read alike nothing more
 * is to be found. */
static bool is_doubtful(const struct mime_frame *f, struct span value)
{
    struct span boundary;
    bool multipart = f->type.multipart || mime_mentions(value, SPAN("multipart")) ||
                     mime_mentions(value, SPAN("boundary")) ||
                     (f->type.doubtful && span_find_span(value, SPAN("=?")) < value.len);
    return multipart && !(mime_type_is_plain(value, &boundary) && (boundary.len > 0 || !f->type.multipart));
}

/* The forms of F's boundary out of VALUE, a Content-Type. */
enum err mime_boundary_find(struct mime_pass *p, struct mime_frame *f, struct span value)
{
    bool differ, doubtful = is_doubtful(f, value);
    mime_parameters_parse(value, &p->parameters);
    p->s->too_many = p->s->too_many || p->parameters.more;
    const struct mime_parameter *plain = mime_parameter_get(&p->parameters, SPAN("boundary"), false, &differ),
                                *last = mime_parameter_get(&p->parameters, SPAN("boundary"), true, &differ);
    if (last != plain && mime_reads(p, MIME_READING_LAST_PARAMETER))
        plain = last;
    if (differ) {
        mime_doubt(p, MIME_READING_LAST_PARAMETER);
        f->header.defects |= mime_defect_bit(MIME_DEFECT_DUPLICATE_PARAMETER);
        mime_note(p, MIME_DEFECT_DUPLICATE_PARAMETER);
    }
    bool extended = has_extended_boundary(&p->parameters);
    if (!f->own && (doubtful || extended || (plain && plain->escaped))) {
        f->own = mem_new(OWN_FORMS, MIME_BOUNDARY_OWN);
        if (!f->own)
            return ERR_NOMEM;
    }
    if (plain && plain->escaped)
        add_unescaped(p, f, plain->value);
    if (plain)
        add_form(p, f, plain->value);
    if (plain && plain->odd) {
        add_form(p, f, plain->raw);
        if (plain->raw.len > 2)
            add_form(p, f, span_sub(plain->raw, 1, plain->raw.len - 2));
    }
    if (extended)
        add_extended(p, f);
    p->s->loose = p->s->loose || doubtful || extended;
    if (doubtful) { /* as many opinions as readers: the reading that asks for no boundary is worth a pass */
        mime_doubt(p, MIME_READING_ANY_DELIMITER);
        add_anywhere(p, f, value);
        enum err e = add_from_words(p, f, value);
        if (e != ERR_OK)
            return e;
    }
    if (doubtful || extended || (plain && (plain->odd || plain->raw.len == plain->value.len)))
        add_cuts(p, f);
    if (f->forms_count > 1)
        mime_doubt(p, MIME_READING_OTHER_BOUNDARY);
    if (f->forms_count > 0 && f->forms[0].len > 256)
        mime_note(p, MIME_DEFECT_BOUNDARY_LONG);
    return ERR_OK;
}
