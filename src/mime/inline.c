/* SPDX-License-Identifier: MIT */
/* Files inside texts: uuencode, with its letters or base64's, and yEnc. */
#include "mime/decode.h"
#include "mime/field.h"
#include "mime/lines.h"

/* The next line at or after FROM that begins with WORD, in texts with any line ends. */
static size_t find_line(struct span text, size_t from, struct span word)
{
    while (from < text.len) {
        size_t at = from + span_find_span(span_sub(text, from, text.len), word);
        if (at >= text.len)
            break;
        if (mime_line_begins(text, MIME_ENDS_ANY, at))
            return at;
        from = at + 1;
    }
    return text.len;
}

/* WORD and behind it "644 name": an octal mode and a name. */
static bool begins_file(struct span line, size_t word, struct span *name)
{
    struct span rest = mime_trim(span_sub(line, word, line.len));
    if (line.len <= word || !mime_is_space(line.ptr[word]))
        return false;
    size_t digits = 0;
    while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '7')
        digits++;
    if (digits < 3 || digits > 6 || digits == rest.len || !mime_is_space(rest.ptr[digits]))
        return false;
    *name = mime_trim(span_sub(rest, digits, rest.len));
    return name->len > 0;
}

bool mime_uuencode_find(struct span text, size_t from, struct mime_inline *found)
{
    size_t at = from;
    while ((at = find_line(text, at, SPAN("begin"))) < text.len) {
        struct mime_line line = mime_line_at(text, MIME_ENDS_ANY, at);
        if (begins_file(line.text, 5, &found->name)) {
            /* First the next begin, then the end before it: many begins without an end are looked at once. */
            size_t next = find_line(text, line.next, SPAN("begin "));
            size_t end = find_line(span_sub(text, 0, next), line.next, SPAN("end"));
            found->begin = at;
            found->data = line.next;
            found->end = end < next ? mime_line_at(text, MIME_ENDS_ANY, end).next : next;
            return true;
        }
        at = line.next;
    }
    return false;
}

bool mime_base64_file_find(struct span text, size_t from, struct mime_inline *found)
{
    size_t at = from;
    while ((at = find_line(text, at, SPAN("begin-base64"))) < text.len) {
        struct mime_line line = mime_line_at(text, MIME_ENDS_ANY, at);
        if (begins_file(line.text, 12, &found->name)) {
            size_t next = find_line(text, line.next, SPAN("begin-base64"));
            found->begin = at;
            found->data = line.next;
            found->end = find_line(span_sub(text, 0, next), line.next, SPAN("===="));
            return true;
        }
        at = line.next;
    }
    return false;
}

static enum err uuencode_line(struct span line, struct buf *out)
{
    unsigned wanted = ((unsigned)(unsigned char)line.ptr[0] - 32) & 63;
    struct span data = span_sub(line, 1, line.len);
    char octets[48 * 3];
    size_t n = 0;
    for (size_t i = 0; n < wanted && n + 3 <= sizeof(octets); i += 4) {
        unsigned bits = 0;
        for (size_t k = 0; k < 4; k++) /* blanks at the end of a line get lost: they are zeros */
            bits = bits << 6 | (i + k < data.len ? ((unsigned)(unsigned char)data.ptr[i + k] - 32) & 63 : 0);
        octets[n++] = (char)(bits >> 16);
        octets[n++] = (char)(bits >> 8);
        octets[n++] = (char)bits;
    }
    return buf_append(out, span_of(octets, n < wanted ? n : wanted));
}

enum err mime_uuencode_decode(struct span data, struct buf *out)
{
    size_t at = 0;
    enum err e = ERR_OK;
    while (at < data.len && e == ERR_OK) {
        struct mime_line line = mime_line_at(data, MIME_ENDS_ANY, at);
        at = line.next;
        if (line.text.len == 0)
            continue;
        if (span_eq(mime_trim(line.text), SPAN("end")))
            break;
        if (line.text.ptr[0] >= ' ' && line.text.ptr[0] <= '`') /* a length; others are words between */
            e = uuencode_line(line.text, out);
    }
    return e;
}

bool mime_yenc_find(struct span text, size_t from, struct mime_inline *found)
{
    size_t at = find_line(text, from, SPAN("=ybegin "));
    if (at == text.len)
        return false;
    /* yEnc lines end with LF or CRLF; a CR alone could only be read as junk. */
    struct mime_line line = mime_line_at(text, MIME_ENDS_ANY, at);
    size_t name = span_find_span(line.text, SPAN("name="));
    found->begin = at;
    found->name = mime_trim(span_sub(line.text, name + 5, line.text.len));
    found->data = line.next;
    if (span_starts(span_sub(text, line.next, text.len), SPAN("=ypart ")))
        found->data = mime_line_at(text, MIME_ENDS_ANY, line.next).next;
    size_t next = find_line(text, found->data, SPAN("=ybegin "));
    size_t end = find_line(span_sub(text, 0, next), found->data, SPAN("=yend"));
    found->end = end < next ? mime_line_at(text, MIME_ENDS_ANY, end).next : next;
    return true;
}

enum err mime_yenc_decode(struct span data, struct buf *out)
{
    char slice[1024];
    size_t n = 0;
    bool begin = true;
    enum err e = ERR_OK;
    for (size_t i = 0; i < data.len && e == ERR_OK; i++) {
        char c = data.ptr[i];
        if (begin && span_starts(span_sub(data, i, 5), SPAN("=yend")))
            break;
        begin = c == '\n' || c == '\r';
        if (begin)
            continue;
        bool stuffed = c == '.' && i > 0 && (data.ptr[i - 1] == '\n') && i + 1 < data.len && data.ptr[i + 1] == '.';
        if (stuffed)
            continue;
        unsigned value = (unsigned char)c;
        if (c == '=' && i + 1 < data.len)
            value = (unsigned)(unsigned char)data.ptr[++i] - 64;
        slice[n++] = (char)(value - 42);
        if (n == sizeof(slice)) {
            e = buf_append(out, span_of(slice, n));
            n = 0;
        }
    }
    return e == ERR_OK ? buf_append(out, span_of(slice, n)) : e;
}
