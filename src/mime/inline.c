/* SPDX-License-Identifier: MIT */
/* Files inside texts: uuencode, yEnc, attachments of calendars. */
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

/* A full line of uuencoded data: what is said of its length is true. */
static bool is_uuencoded(struct span line)
{
    if (line.len < 5 || line.ptr[0] <= ' ' || line.ptr[0] > 'M')
        return false;
    size_t octets = (size_t)(unsigned char)line.ptr[0] - 32, least = (octets * 4 + 2) / 3,
           most = (octets + 2) / 3 * 4 + 2;
    for (size_t i = 1; i < line.len; i++)
        if (line.ptr[i] < ' ' || line.ptr[i] > '`')
            return false;
    return line.len - 1 >= least && line.len - 1 <= most; /* filled up or not; some add a checksum */
}

static bool is_base64(struct span line)
{
    struct mime_base64 look;
    mime_base64_look(line, &look);
    return look.letters >= 4 && look.junk == 0 && look.blanks == 0;
}

/* "begin 644 name", "begin-base64 644 name": an octal mode and a name. *SURE: both are there; readers exist that need
 * neither. */
static bool begins_uuencode(struct span line, struct mime_inline *found, bool *sure)
{
    struct span rest = span_sub(line, 5, line.len);
    found->base64 = span_starts(rest, SPAN("-base64"));
    if (found->base64)
        rest = span_sub(rest, 7, rest.len);
    if (rest.len > 0 && !mime_is_space(rest.ptr[0]))
        return false;
    rest = mime_trim(rest);
    size_t digits = 0;
    while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '7')
        digits++;
    bool mode = digits > 0 && (digits == rest.len || mime_is_space(rest.ptr[digits]));
    found->name = mode ? mime_trim(span_sub(rest, digits, rest.len)) : rest;
    *sure = mode && digits >= 3 && digits <= 6 && found->name.len > 0;
    return true;
}

/* The next line at or after FROM that begins a file; *line. */
static size_t find_begin(struct span text, size_t from, struct mime_inline *found, struct mime_line *line)
{
    size_t at = from;
    while ((at = find_line(text, at, SPAN("begin"))) < text.len) {
        bool sure;
        *line = mime_line_at(text, MIME_ENDS_ANY, at);
        if (begins_uuencode(line->text, found, &sure)) {
            struct span first = mime_line_at(text, MIME_ENDS_ANY, line->next).text;
            if (sure || (found->base64 ? is_base64(first) : is_uuencoded(first)))
                return at;
        }
        at = line->next;
    }
    return text.len;
}

/* Behind the line at or after FROM that is "end" ("====" of base64) and nothing else; false: there is none. */
static bool find_end(struct span text, size_t from, bool base64, size_t *end)
{
    const struct span word = base64 ? SPAN("====") : SPAN("end");
    size_t at = from;
    *end = text.len;
    while ((at = find_line(text, at, word)) < text.len) {
        struct mime_line line = mime_line_at(text, MIME_ENDS_ANY, at);
        at = *end = line.next;
        if (span_eq(mime_trim(line.text), word))
            return true;
    }
    *end = text.len;
    return false;
}

/* Where the file whose data begin at DATA ends: behind its "end", or where another one surely begins, whichever comes
 * first; not further than that is looked, so that many begins cost no more than one. False: it does not say. */
static bool find_end_or_begin(struct span text, size_t data, bool base64, size_t *end)
{
    const struct span word = base64 ? SPAN("====") : SPAN("end");
    struct mime_inline other;
    struct mime_line line;
    bool sure;
    for (size_t at = data; at < text.len; at = line.next) {
        line = mime_line_at(text, MIME_ENDS_ANY, at);
        *end = line.next;
        if (span_starts(line.text, word) && span_eq(mime_trim(line.text), word))
            return true;
        *end = at;
        if (span_starts(line.text, SPAN("begin")) && begins_uuencode(line.text, &other, &sure) && sure)
            return false;
    }
    *end = text.len;
    return false;
}

bool mime_uuencode_find(struct span text, size_t from, struct mime_inline *found)
{
    struct mime_line line;
    size_t at = find_begin(text, from, found, &line);
    if (at == text.len)
        return false;
    found->begin = at;
    found->data = line.next;
    found->cut = !find_end_or_begin(text, line.next, found->base64, &found->end) && found->end < text.len;
    return true;
}

size_t mime_uuencode_end(struct span text, const struct mime_inline *found)
{
    size_t end;
    find_end(text, found->data, found->base64, &end);
    return end;
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

/* Whether PARAMETERS, ";NAME=value" in a row with folds, have NAME with a value that begins with BEGIN; *value: up to
 * the next one. */
static bool has_parameter(struct span parameters, struct span name, struct span begin, struct span *value)
{
    for (size_t at = 0; (at += span_find(span_sub(parameters, at, parameters.len), ';')) < parameters.len; at++) {
        struct span one = mime_trim(span_sub(parameters, at + 1, parameters.len));
        if (!span_starts_nocase(one, name))
            continue;
        one = span_sub(one, name.len, one.len);
        *value = span_sub(one, 0, span_find(one, ';'));
        if (span_starts_nocase(*value, begin))
            return true;
    }
    return false;
}

/* Where a property's value begins, behind the first colon outside quotes. */
static size_t property_value(struct span s)
{
    enum { MOST = 4096 };
    bool quoted = false;
    s = span_sub(s, 0, MOST);
    for (size_t i = 0; i < s.len; i++) {
        quoted = quoted != (s.ptr[i] == '"');
        if (s.ptr[i] == ':' && !quoted)
            return i + 1;
        bool end = s.ptr[i] == '\n' || (s.ptr[i] == '\r' && i + 1 < s.len && s.ptr[i + 1] != '\n');
        if (end && i + 1 < s.len && !char_is_blank(s.ptr[i + 1]))
            break;
    }
    return 0;
}

bool mime_calendar_find(struct span text, size_t from, struct mime_inline *found)
{
    const struct span word = SPAN("ATTACH");
    for (size_t at = from; (at = find_line(text, at, word)) < text.len; at += word.len) {
        struct span property = span_sub(text, at, text.len), value;
        size_t data = property_value(property), end = data;
        if (data == 0 || !has_parameter(span_sub(property, 0, data - 1), SPAN("ENCODING="), SPAN("B"), &value))
            continue;
        if (!has_parameter(span_sub(property, 0, data - 1), SPAN("X-FILENAME="), SPAN(""), &found->name) &&
            !has_parameter(span_sub(property, 0, data - 1), SPAN("FILENAME="), SPAN(""), &found->name))
            found->name = (struct span){0};
        if (found->name.len > 1 && found->name.ptr[0] == '"')
            found->name = span_sub(found->name, 1, found->name.len - 2);
        do /* lines that begin with a blank belong to it */
            end = mime_line_at(property, MIME_ENDS_ANY, end).next;
        while (end < property.len && char_is_blank(property.ptr[end]));
        found->begin = at;
        found->data = at + data;
        found->end = at + end;
        return true;
    }
    return false;
}
