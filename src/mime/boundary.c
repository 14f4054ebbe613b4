/* SPDX-License-Identifier: MIT */
/* Boundaries in the forms that readers give them, and lines that are delimiters for some reader. */
#include "base/mem.h"
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

static enum fit frame_fit(const struct mime_pass *p, const struct mime_frame *f, struct span line)
{
    unsigned begin = 0, end = f->forms_count < 1 ? 0 : 1;
    enum fit best = FIT_NO;
    if (mime_reads(p, MIME_READING_OTHER_BOUNDARY) && f->forms_count > 1) {
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
static bool match(struct mime_pass *p, struct span line, struct mime_hit *hit)
{
    bool prefix = mime_reads(p, MIME_READING_PREFIX_INNER) || mime_reads(p, MIME_READING_PREFIX_OUTER);
    for (unsigned i = 0; i < p->count; i++) {
        unsigned at = mime_reads(p, MIME_READING_PREFIX_OUTER) ? i : p->count - 1 - i;
        const struct mime_frame *f = &p->frames[at];
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

bool mime_delimiter_at(struct mime_pass *p, size_t at, size_t from, struct mime_hit *hit)
{
    struct mime_line line = mime_line_at(p->message, p->ends, at);
    /* Each open multipart is a comparison; counted, so that a hundred of them on millions of lines end somewhere. */
    mime_spend(p, p->count);
    if (!match(p, line.text, hit))
        return false;
    hit->end = mime_line_before(p->message, p->ends, at, from);
    hit->next = line.next;
    return true;
}

/* The line at AT is no delimiter in this reading. In another it might be: readers differ in what a boundary is. */
static void suspect(struct mime_pass *p, size_t at)
{
    if ((p->s->defects & mime_defect_bit(MIME_DEFECT_DELIMITER_UNKNOWN)) == 0 &&
        mime_headers_at(p->message, p->ends, mime_line_at(p->message, p->ends, at).next))
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

static void add_form(struct mime_frame *f, struct span form)
{
    if (form.len == 0)
        return;
    for (unsigned i = 0; i < f->forms_count; i++)
        if (span_eq(f->forms[i], form))
            return;
    if (f->forms_count < MIME_FORMS)
        f->forms[f->forms_count++] = form;
}

/* A boundary that is encoded, or has escapes, does not stand in the message as it is. */
static enum err add_own_form(struct mime_pass *p, struct mime_frame *f, const struct mime_parameter *plain)
{
    struct span charset;
    size_t len = 0;
    f->own = mem_new(2, MIME_BOUNDARY_OWN);
    if (!f->own)
        return ERR_NOMEM;
    if (mime_parameter_extended(&p->parameters, SPAN("boundary"), f->own, MIME_BOUNDARY_OWN, &len, &charset)) {
        mime_note(p, MIME_DEFECT_BOUNDARY_ENCODED);
        add_form(f, trim_end(span_of(f->own, len)));
    }
    if (plain && plain->escaped) {
        len = mime_unescape(plain->value, f->own + MIME_BOUNDARY_OWN, MIME_BOUNDARY_OWN);
        struct span form = trim_end(span_of(f->own + MIME_BOUNDARY_OWN, len));
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
enum err mime_boundary_find(struct mime_pass *p, struct mime_frame *f, struct span value)
{
    bool differ;
    mime_parameters_parse(value, &p->parameters);
    const struct mime_parameter *plain =
        mime_parameter_get(&p->parameters, SPAN("boundary"), mime_reads(p, MIME_READING_LAST_PARAMETER), &differ);
    if (differ) {
        mime_doubt(p, MIME_READING_LAST_PARAMETER);
        f->header.defects |= mime_defect_bit(MIME_DEFECT_DUPLICATE_PARAMETER);
        mime_note(p, MIME_DEFECT_DUPLICATE_PARAMETER);
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
        mime_doubt(p, MIME_READING_OTHER_BOUNDARY);
    if (f->forms_count > 0 && f->forms[0].len > 256)
        mime_note(p, MIME_DEFECT_BOUNDARY_LONG);
    return ERR_OK;
}
