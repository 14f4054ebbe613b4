/* SPDX-License-Identifier: MIT */
/* Walking over header lines. */
#include "smtp/header.h"

struct smtp_header_iter smtp_header_iter_of(struct span message, bool whole)
{
    return (struct smtp_header_iter){.message = message, .whole = whole};
}

/* Index past the line that begins at AT; past the whole message if its last line has no CRLF. 0: a prefix that ends in
 * it. */
static size_t line_after(const struct smtp_header_iter *it, size_t at)
{
    struct span rest = span_sub(it->message, at, it->message.len);
    size_t n = span_find_span(rest, SPAN("\r\n"));
    if (n < rest.len)
        return at + n + 2;
    return it->whole ? it->message.len : 0;
}

/* Index past the field that begins at AT, continuation lines included. 0: the prefix ends before that is known. */
static size_t field_after(const struct smtp_header_iter *it, size_t at)
{
    size_t end = line_after(it, at);
    while (end != 0 && end < it->message.len && char_is_blank(it->message.ptr[end]))
        end = line_after(it, end);
    return end == it->message.len && !it->whole ? 0 : end;
}

static bool is_name(char c)
{
    return c > 0x20 && c < 0x7f && c != ':';
}

/* Length of the field name that begins S, 0: S does not begin with one and a colon. *colon: its index. */
static size_t name_length(struct span s, size_t *colon)
{
    size_t n = 0;
    while (n < s.len && is_name(s.ptr[n]))
        n++;
    size_t at = n;
    while (at < s.len && char_is_blank(s.ptr[at])) /* RFC 5322 4.5.8: obsolete, but seen */
        at++;
    *colon = at;
    return at < s.len && s.ptr[at] == ':' ? n : 0;
}

static struct span trim_folds(struct span s)
{
    struct span t;
    do {
        t = s;
        s = span_trim(s);
        if (s.len >= 2 && memcmp(s.ptr, "\r\n", 2) == 0)
            s = span_sub(s, 2, s.len);
        if (s.len >= 2 && memcmp(s.ptr + s.len - 2, "\r\n", 2) == 0)
            s.len -= 2;
    } while (s.len < t.len);
    return s;
}

enum smtp_header_result smtp_header_next(struct smtp_header_iter *it, struct smtp_header_field *field)
{
    struct span rest = span_sub(it->message, it->offset, it->message.len);
    *field = (struct smtp_header_field){0};
    if (rest.len == 0)
        return it->whole ? SMTP_HEADER_END : SMTP_HEADER_MORE;
    if (span_starts(rest, SPAN("\r\n"))) {
        it->offset += 2;
        return SMTP_HEADER_END;
    }
    if (rest.len == 1 && rest.ptr[0] == '\r' && !it->whole)
        return SMTP_HEADER_MORE;
    size_t line = line_after(it, it->offset), colon;
    size_t name = name_length(line ? span_sub(rest, 0, line - it->offset) : rest, &colon);
    if (name == 0) {
        bool open = line == 0 && colon == rest.len;
        return open ? SMTP_HEADER_MORE : SMTP_HEADER_NO_FIELD;
    }
    size_t end = field_after(it, it->offset);
    if (end == 0)
        return SMTP_HEADER_MORE;
    field->raw = span_sub(rest, 0, end - it->offset);
    field->name = span_sub(field->raw, 0, name);
    field->value = trim_folds(span_sub(field->raw, colon + 1, field->raw.len));
    it->offset = end;
    return SMTP_HEADER_FIELD;
}

unsigned smtp_header_count(struct span message, bool whole, struct span name)
{
    struct smtp_header_iter it = smtp_header_iter_of(message, whole);
    struct smtp_header_field field;
    unsigned count = 0;
    while (smtp_header_next(&it, &field) == SMTP_HEADER_FIELD)
        count += span_eq_nocase(field.name, name);
    return count;
}
