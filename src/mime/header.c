/* SPDX-License-Identifier: MIT */
/* Header blocks: which lines are fields, which belong to the field before, which are none, and where the block ends. On
 * each of these readers differ. */
#include "mime/pass.h"

void mime_field_keep(struct mime_field *f, struct span value)
{
    value = mime_trim(value);
    if (f->count >= 2 && !span_eq_nocase(f->last, f->first) &&
        (f->middles == 0 || !span_eq_nocase(f->last, f->middle[f->middles - 1]))) {
        f->middles = f->middles < 2 ? f->middles + 1 : 2;
        f->middle[f->middles - 1] = f->last;
    }
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

/* NAME as readers leave it that take off more than blanks: form feeds, marks, no-break spaces. */
static struct span trim_odd(struct span name)
{
    while (name.len > 0 && ((unsigned char)name.ptr[0] <= ' ' || (unsigned char)name.ptr[0] >= 0x7f))
        name = span_sub(name, 1, name.len);
    while (name.len > 0 &&
           ((unsigned char)name.ptr[name.len - 1] <= ' ' || (unsigned char)name.ptr[name.len - 1] >= 0x7f))
        name.len--;
    return name;
}

/* What a line among headers is. */
enum line_kind { LINE_FIELD, LINE_FOLD, LINE_EMPTY, LINE_MAILBOX, LINE_JUNK };

/* A continuation or junk that some readers take for a structure header of its own. Lists of field names (DKIM) look
 * alike but for the value. */
static bool hides_header(struct span line)
{
    struct span text = mime_trim(line);
    size_t colon = span_find(text, ':');
    struct mime_header none = {0};
    struct mime_field *field = field_of(&none, trim_odd(span_sub(text, 0, colon)));
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

/* How far behind the begin of LINE, which is the name of a structure header and no more, its colon stands, where only a
 * fold is between: readers that unfold first see a header. 0: there is none. */
static size_t folded_colon(const struct mime_pass *p, struct span line)
{
    struct mime_header none = {0};
    if (!field_of(&none, trim_odd(line)))
        return 0;
    size_t at = (size_t)(line.ptr - p->message.ptr), next = mime_line_at(p->message, p->ends, at).next;
    struct span fold = mime_line_at(p->message, p->ends, next).text;
    size_t n = 0;
    while (n < fold.len && char_is_blank(fold.ptr[n]))
        n++;
    return n > 0 && n < fold.len && fold.ptr[n] == ':' ? next + n - at : 0;
}

static enum line_kind classify(struct mime_pass *p, struct span line, size_t *name)
{
    if (line.len == 0)
        return LINE_EMPTY;
    if (char_is_blank(line.ptr[0])) {
        bool blank = mime_trim(line).len == 0;
        if (!blank && !hides_header(line))
            return LINE_FOLD;
        mime_doubt(p, MIME_READING_BLANK_HEADER);
        if (!blank)
            mime_note(p, MIME_DEFECT_HIDDEN_HEADER);
        if (!mime_reads(p, MIME_READING_BLANK_HEADER))
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
    if (*name == 0 || n == line.len || line.ptr[n] != ':') {
        if (folded_colon(p, line) == 0 && !hides_header(line))
            return LINE_JUNK;
        mime_doubt(p, MIME_READING_BLANK_HEADER);
        mime_note(p, MIME_DEFECT_HIDDEN_HEADER);
        *name = span_find(line, ':');
        return mime_reads(p, MIME_READING_BLANK_HEADER) ? LINE_FIELD : LINE_JUNK;
    }
    mime_doubt(p, MIME_READING_STRICT_HEADER);
    return mime_reads(p, MIME_READING_STRICT_HEADER) ? LINE_JUNK : LINE_FIELD;
}

/* The state of one header block. */
struct block {
    size_t begin;
    struct mime_field *field; /* that the current lines belong to, NULL: one that does not matter */
    size_t value;             /* where its value begins */
    bool junk;                /* a line that is no header was passed */
};

static void end_field(struct mime_pass *p, struct mime_header *h, struct block *b, size_t end)
{
    if (!b->field)
        return;
    struct span value = span_sub(p->message, b->value, end - b->value);
    if (b->field == &h->type) {
        struct mime_type type;
        mime_type_parse(value, &type);
        h->defects |= type.defects;
    }
    mime_field_keep(b->field, value);
    if (b->junk)
        mime_note(p, MIME_DEFECT_HIDDEN_HEADER);
    b->field = NULL;
}

static void judge_duplicates(struct mime_pass *p, struct mime_header *h)
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
        bool same = span_eq_nocase(f->first, f->last);
        if (same && f->middles == 0) {
            h->defects |= mime_defect_bit(MIME_DEFECT_REPEATED_HEADER);
            continue;
        }
        h->defects |= mime_defect_bit(rows[i].defect);
        if (f != &h->disposition && !same)
            mime_doubt(p, MIME_READING_LAST_HEADER);
        if (f != &h->disposition && f->middles > 0)
            mime_doubt(p, MIME_READING_MIDDLE_HEADER);
    }
    p->s->defects |= h->defects;
}

/* One line of a header block; false: the block ends after it (LINE_EMPTY) or before it. */
static bool header_line(struct mime_pass *p, struct mime_header *h, struct block *b, struct span line, size_t at,
                        enum line_kind *kind)
{
    size_t name = 0;
    *kind = classify(p, line, &name);
    if (*kind == LINE_FOLD)
        return true;
    end_field(p, h, b, at);
    switch (*kind) {
    case LINE_FIELD:
        b->field = field_of(h, trim_odd(span_sub(line, 0, name)));
        b->value = at + (name < line.len ? span_find(line, ':') : folded_colon(p, line)) + 1;
        return true;
    case LINE_JUNK:
        mime_doubt(p, MIME_READING_PAST_JUNK);
        if (!mime_reads(p, MIME_READING_PAST_JUNK)) {
            mime_note(p, MIME_DEFECT_NO_BLANK_LINE);
            return false;
        }
        mime_note(p, MIME_DEFECT_HEADER_JUNK);
        b->junk = true;
        return true;
    case LINE_EMPTY:
        return false;
    case LINE_MAILBOX: /* in front of all headers most readers pass it over */
        if (at == b->begin && line.ptr[0] != '>')
            return true;
        mime_doubt(p, MIME_READING_MAILBOX_BODY);
        return !mime_reads(p, MIME_READING_MAILBOX_BODY);
    case LINE_FOLD:
        break;
    }
    return true;
}

/* Reads the header block at FROM; where the body begins. A delimiter inside the block ends it: *hit. */
size_t mime_header_read(struct mime_pass *p, size_t from, struct mime_header *h, struct mime_hit *hit)
{
    struct block b = {.begin = from};
    size_t at = from;
    *h = (struct mime_header){0};
    *hit = (struct mime_hit){0};
    while (at < p->message.len) {
        struct mime_line line = mime_line_at(p->message, p->ends, at);
        if (p->count > 0 && span_starts(line.text, SPAN("--")) && mime_delimiter_at(p, at, from, hit)) {
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

bool mime_header_begins(struct mime_pass *p, size_t at)
{
    size_t name;
    enum line_kind kind = classify(p, mime_line_at(p->message, p->ends, at).text, &name);
    return kind == LINE_FIELD || kind == LINE_EMPTY;
}
