/* SPDX-License-Identifier: MIT */
/* Line ends of three kinds of readers. */
#include "mime/lines.h"
#include "mime/field.h"

/* The first CRLF of S, or its length. */
static size_t find_crlf(struct span s)
{
    size_t at = 0;
    for (;;) {
        struct span rest = span_sub(s, at, s.len);
        size_t lf = span_find(rest, '\n');
        if (lf == rest.len)
            return s.len;
        if (lf > 0 && rest.ptr[lf - 1] == '\r')
            return at + lf - 1;
        at += lf + 1;
    }
}

/* The first CR or LF of S, or its length. In windows: where one of the two is rare, looking for it to the end from
 * every line would be quadratic. */
static size_t find_any(struct span s)
{
    enum { WINDOW = 512 };
    for (size_t at = 0; at < s.len; at += WINDOW) {
        struct span window = span_sub(s, at, WINDOW);
        size_t lf = span_find(window, '\n');
        size_t cr = span_find(span_sub(window, 0, lf), '\r');
        if (cr < window.len)
            return at + cr;
    }
    return s.len;
}

struct mime_line mime_line_at(struct span message, enum mime_line_ends ends, size_t at)
{
    struct span rest = span_sub(message, at, message.len);
    size_t length, end = 1;
    if (ends == MIME_ENDS_CRLF) {
        length = find_crlf(rest);
        end = 2;
    } else if (ends == MIME_ENDS_ANY) {
        length = find_any(rest);
        end = length + 1 < rest.len && rest.ptr[length] == '\r' && rest.ptr[length + 1] == '\n' ? 2 : 1;
    } else {
        length = span_find(rest, '\n');
        if (length > 0 && length < rest.len && rest.ptr[length - 1] == '\r') {
            length--;
            end = 2;
        }
    }
    struct span text = span_sub(rest, 0, length);
    return (struct mime_line){text, at + (length + end < rest.len ? length + end : rest.len)};
}

bool mime_line_begins(struct span message, enum mime_line_ends ends, size_t at)
{
    if (at == 0)
        return true;
    char before = message.ptr[at - 1];
    switch (ends) {
    case MIME_ENDS_LF:
        return before == '\n';
    case MIME_ENDS_ANY:
        return before == '\n' || before == '\r';
    case MIME_ENDS_CRLF:
        break;
    }
    return before == '\n' && at >= 2 && message.ptr[at - 2] == '\r';
}

size_t mime_line_before(struct span message, enum mime_line_ends ends, size_t at, size_t from)
{
    size_t end = at;
    if (end > from && message.ptr[end - 1] == '\n') {
        end--;
        if (end > from && message.ptr[end - 1] == '\r')
            end--;
    } else if (end > from && ends == MIME_ENDS_ANY && message.ptr[end - 1] == '\r') {
        end--;
    }
    return end;
}

size_t mime_dashes_find(struct span message, size_t from)
{
    /* By single dashes: encoded bodies have none, and a search for one character is many times faster than one for two.
     */
    while (from < message.len) {
        from += span_find(span_sub(message, from, message.len), '-');
        if (from + 1 < message.len && message.ptr[from + 1] == '-')
            return from;
        from++;
    }
    return message.len;
}

size_t mime_blank_lines(struct span text)
{
    size_t lines = 0;
    for (size_t i = 0; i < text.len && (char_is_blank(text.ptr[i]) || text.ptr[i] == '\r' || text.ptr[i] == '\n'); i++)
        lines = char_is_blank(text.ptr[i]) ? lines : i + 1;
    return lines;
}

/* Whether LINE is a field Content-…, be it behind marks and blanks that some readers take off. */
static bool declares_content(struct span line)
{
    while (line.len > 0 && ((unsigned char)line.ptr[0] <= ' ' || (unsigned char)line.ptr[0] >= 0x7f))
        line = span_sub(line, 1, line.len);
    return span_starts_nocase(line, SPAN("content-")) && span_find(line, ':') < line.len;
}

enum mime_behind mime_behind_dashes(struct span message, enum mime_line_ends ends, size_t at)
{
    enum mime_behind found = at < message.len ? MIME_BEHIND_OTHER : MIME_BEHIND_PART;
    for (size_t begin = at; at < message.len;) {
        struct mime_line line = mime_line_at(message, ends, at);
        bool ended = mime_trim(line.text).len == 0 || span_starts(line.text, SPAN("--"));
        if (at == begin && (ended || char_is_blank(line.text.ptr[0]) || span_find(line.text, ':') < line.text.len))
            found = MIME_BEHIND_PART;
        if (ended)
            break;
        if (declares_content(line.text))
            return MIME_BEHIND_HEADERS;
        at = line.next;
    }
    return found;
}
