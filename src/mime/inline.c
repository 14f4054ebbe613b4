/* SPDX-License-Identifier: MIT */
/* Files inside texts: uuencode, yEnc, attachments of calendars. */
#include "mime/decode.h"
#include "mime/field.h"
#include "mime/lines.h"

/* Where LINE has its first character that is no blank. */
static size_t indent_of(struct span line)
{
    size_t n = 0;
    while (n < line.len && char_is_blank(line.ptr[n]))
        n++;
    return n;
}

/* The next line at or after FROM, the begin of a line, that begins with WORD in any case, be it behind blanks, in texts
 * with any line ends; *indent: so many blanks. */
static size_t find_line(struct span text, size_t from, struct span word, size_t *indent)
{
    while (from < text.len) {
        struct mime_line line = mime_line_at(text, MIME_ENDS_ANY, from);
        *indent = indent_of(line.text);
        if (span_starts_nocase(span_sub(line.text, *indent, word.len), word))
            return from;
        from = line.next;
    }
    return text.len;
}

static bool begins_calendar(struct span line)
{
    return span_starts_nocase(line, SPAN("begin:v"));
}

unsigned mime_inline_look(struct span text)
{
    const char *at = text.ptr, *end = at + text.len, *lf = at;
    unsigned found = 0;
    while (at < end) {
        while (at < end && char_is_blank(*at))
            at++;
        struct span rest = span_of(at, (size_t)(end - at));
        char c = (char)(rest.len > 0 ? char_lower(*at) : ' ');
        if (c == 'b' && span_starts_nocase(rest, SPAN("begin")))
            found |= MIME_INLINE_UUENCODE | (begins_calendar(rest) ? MIME_INLINE_CALENDAR : 0);
        else if (c == '=' && span_starts_nocase(rest, SPAN("=ybegin")))
            found |= MIME_INLINE_YENC;
        else if (c == ':' && mime_binhex_begins(rest))
            found |= MIME_INLINE_BINHEX;
        else if (c == 'a' && span_starts_nocase(rest, SPAN("attach")))
            found |= MIME_INLINE_CALENDAR;
        /* Any line end. Where one kind is rare, it is not looked for from each line again. */
        if (lf <= at) {
            lf = memchr(at, '\n', rest.len);
            lf = lf ? lf + 1 : end;
        }
        const char *cr = memchr(at, '\r', (size_t)(lf - at));
        at = !cr ? lf : cr + 2 == lf ? lf : cr + 1;
    }
    return found;
}

/* How many characters of data a line of uuencode must have, by its first one, of which decoders take the lowest six
 * bits. */
static size_t uuencoded_length(struct span line)
{
    return (((size_t)(unsigned char)line.ptr[0] - 32) % 64 * 4 + 2) / 3;
}

/* A line, not empty, that cannot be data, though it may begin with a length. */
static bool is_words(struct span line)
{
    size_t length = uuencoded_length(line);
    for (size_t i = 1; i <= length && i < line.len; i++)
        if (line.ptr[i] < ' ' || line.ptr[i] > '`')
            return true;
    return false;
}

/* A line of uuencoded data: there is as much as is said of its length. What stands behind it, be it filled up or a
 * checksum, decoders pass over. */
static bool is_uuencoded(struct span line)
{
    if (line.len < 5 || line.ptr[0] <= ' ' || (unsigned char)line.ptr[0] >= 0x7f)
        return false;
    size_t length = uuencoded_length(line);
    return length > 0 && line.len > length && !is_words(line);
}

/* Xxencode: the same with letters, digits, '+' and '-', in this order. */
static int xx_value(char c)
{
    return c == '+'               ? 0
           : c == '-'             ? 1
           : char_is_digit(c)     ? c - '0' + 2
           : c >= 'A' && c <= 'Z' ? c - 'A' + 12
           : c >= 'a' && c <= 'z' ? c - 'a' + 38
                                  : -1;
}

static bool is_xxencoded(struct span line)
{
    size_t i = 0;
    line = mime_trim(line);
    while (i < line.len && xx_value(line.ptr[i]) >= 0)
        i++;
    return i == line.len;
}

static bool is_base64(struct span line)
{
    struct mime_base64 look;
    mime_base64_look(line, &look);
    return look.letters >= 4 && look.junk == 0 && look.blanks == 0;
}

/* "begin 644 name", "begin-base64 644 name", in LINE without its indentation: an octal mode and a name. *SURE: both are
 * there; readers exist that need neither, or take another number. */
static bool begins_uuencode(struct span line, struct mime_inline *found, bool *sure)
{
    struct span rest = span_sub(line, 5, line.len);
    found->base64 = span_starts_nocase(rest, SPAN("-base64"));
    if (found->base64)
        rest = span_sub(rest, 7, rest.len);
    if (rest.len > 0 && !mime_is_space(rest.ptr[0]))
        return false;
    rest = mime_trim(rest);
    size_t digits = 0, word = 0;
    while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '7')
        digits++;
    while (word < rest.len && !mime_is_space(rest.ptr[word]))
        word++;
    bool mode = digits > 0 && digits == word;
    bool number = word > 0 && word < rest.len && (char_is_digit(rest.ptr[0]) || strchr("+-", rest.ptr[0])) &&
                  char_is_digit(rest.ptr[word - 1]);
    found->name = mode || number ? mime_trim(span_sub(rest, word, rest.len)) : rest;
    bool one_word = span_find(found->name, ' ') == found->name.len;
    *sure = mode && ((digits >= 3 && digits <= 6) || one_word) && found->name.len > 0;
    return true;
}

/* The first line of data behind a file's first line, without its indentation, which a file has that is indented as a
 * whole: found->indent. */
static struct span first_of_data(struct span text, size_t at, struct mime_inline *found)
{
    struct mime_line line = mime_line_at(text, MIME_ENDS_ANY, at);
    while (mime_trim(line.text).len == 0 && line.next < text.len) /* passed over by one begin only */
        line = mime_line_at(text, MIME_ENDS_ANY, line.next);
    size_t indent = indent_of(line.text);
    struct span bare = span_sub(line.text, indent, line.text.len);
    if (found->indent == 0 && indent > 0 && (found->base64 ? is_base64(bare) : is_uuencoded(bare)))
        found->indent = indent;
    indent = indent < found->indent ? indent : found->indent;
    return span_sub(line.text, indent, line.text.len);
}

/* The next line at or after FROM that begins a file, or where ANY may do so to somebody; *line. */
static size_t find_begin(struct span text, size_t from, bool any, struct mime_inline *found, struct mime_line *line)
{
    size_t at = from;
    while ((at = find_line(text, at, SPAN("begin"), &found->indent)) < text.len) {
        bool sure;
        *line = mime_line_at(text, MIME_ENDS_ANY, at);
        if (begins_uuencode(span_sub(line->text, found->indent, line->text.len), found, &sure)) {
            struct span first = first_of_data(text, line->next, found);
            if (any || sure || (found->base64 ? is_base64(first) : is_uuencoded(first)))
                return at;
        }
        at = line->next;
    }
    return text.len;
}

/* Where the file whose first line was found, and whose data begin at found->data, ends: behind its line "end" ("===="
 * of base64), or before what some take for its end and some do not (found->cut): that in another case or indented, or
 * where another one surely begins. Not further than that is looked, so that many begins cost no more than one. */
static void find_end(struct span text, struct mime_inline *found)
{
    const struct span word = found->base64 ? SPAN("====") : SPAN("end");
    struct mime_inline other;
    struct mime_line line;
    bool sure;
    found->end = text.len;
    found->cut = found->odd = found->words = false;
    found->xx = !found->base64;
    for (size_t at = found->data; at < text.len; at = line.next) {
        line = mime_line_at(text, MIME_ENDS_ANY, at);
        size_t indent = indent_of(line.text);
        struct span bare = span_sub(line.text, indent, line.text.len);
        struct span row = span_sub(line.text, indent < found->indent ? indent : found->indent, line.text.len);
        char c = (char)(bare.len > 0 ? char_lower(bare.ptr[0]) : ' ');
        bool ends = c == word.ptr[0] && span_eq_nocase(mime_trim(bare), word);
        bool exactly = ends && span_starts(line.text, word);
        bool begins =
            c == 'b' && span_starts_nocase(bare, SPAN("begin")) && begins_uuencode(bare, &other, &sure) && sure;
        found->odd =
            found->odd || (!found->base64 && !ends && !begins && row.len > 0 && (unsigned char)row.ptr[0] > '`');
        found->xx = found->xx && (ends || begins || is_xxencoded(row));
        found->words = found->words || (!found->base64 && !ends && !begins && row.len > 0 && is_words(row));
        if (!ends && !begins)
            continue;
        found->end = exactly ? line.next : at;
        found->cut = !exactly;
        return;
    }
}

static bool find_uuencode(struct span text, size_t from, bool any, struct mime_inline *found)
{
    struct mime_line line;
    size_t at = find_begin(text, from, any, found, &line);
    if (at == text.len)
        return false;
    found->begin = at;
    found->data = line.next;
    find_end(text, found);
    return true;
}

bool mime_uuencode_find(struct span text, size_t from, struct mime_inline *found)
{
    return find_uuencode(text, from, false, found);
}

bool mime_uuencode_find_any(struct span text, size_t from, struct mime_inline *found)
{
    return find_uuencode(text, from, true, found);
}

void mime_uuencode_all(struct span text, struct mime_inline *found)
{
    *found = (struct mime_inline){0};
    find_end(text, found);
}

size_t mime_uuencode_end(struct span text, const struct mime_inline *found)
{
    const struct span word = found->base64 ? SPAN("====") : SPAN("end");
    for (size_t at = found->data; at < text.len;) {
        struct mime_line line = mime_line_at(text, MIME_ENDS_ANY, at);
        at = line.next;
        if (span_starts(line.text, word) && span_eq(mime_trim(line.text), word))
            return at;
    }
    return text.len;
}

enum err mime_unindent(struct span data, size_t indent, struct buf *out)
{
    enum err e = ERR_OK;
    for (size_t at = 0; at < data.len && e == ERR_OK;) {
        struct mime_line line = mime_line_at(data, MIME_ENDS_ANY, at);
        size_t blanks = indent_of(line.text), less = blanks < indent ? blanks : indent;
        e = buf_append(out, span_sub(data, at + less, line.next - at - less));
        at = line.next;
    }
    return e;
}

enum err mime_unfold(struct span text, struct buf *out)
{
    enum err e = ERR_OK;
    for (size_t at = 0; at < text.len && e == ERR_OK;) {
        struct mime_line line = mime_line_at(text, MIME_ENDS_ANY, at);
        bool fold = at > 0 && line.text.len > 0 && char_is_blank(line.text.ptr[0]);
        if (at > 0 && !fold)
            e = buf_append_char(out, '\n');
        if (e == ERR_OK)
            e = buf_append(out, span_sub(line.text, fold, line.text.len));
        at = line.next;
    }
    return e;
}

static unsigned uuencode_value(char c, enum mime_uuencode_mode mode)
{
    return (unsigned)(mode == MIME_UUENCODE_XX ? xx_value(c) : (unsigned char)c - 32) & 63;
}

static enum err uuencode_line(struct span line, enum mime_uuencode_mode mode, struct buf *out)
{
    unsigned wanted = uuencode_value(line.ptr[0], mode);
    struct span data = span_sub(line, 1, line.len);
    char octets[48 * 3];
    size_t n = 0;
    for (size_t i = 0; n < wanted && n + 3 <= sizeof(octets); i += 4) {
        unsigned bits = 0;
        for (size_t k = 0; k < 4; k++) /* blanks at the end of a line get lost: they are zeros */
            bits = bits << 6 | (i + k < data.len ? uuencode_value(data.ptr[i + k], mode) : 0);
        octets[n++] = (char)(bits >> 16);
        octets[n++] = (char)(bits >> 8);
        octets[n++] = (char)bits;
    }
    return buf_append(out, span_of(octets, n < wanted ? n : wanted));
}

enum err mime_uuencode_decode(struct span data, enum mime_uuencode_mode mode, struct buf *out)
{
    size_t at = 0;
    enum err e = ERR_OK;
    while (at < data.len && e == ERR_OK) {
        struct mime_line line = mime_line_at(data, MIME_ENDS_ANY, at);
        at = line.next;
        if (line.text.len == 0)
            continue;
        if (span_eq(mime_trim(line.text), SPAN("end"))) { /* indented, it is the end to some, who were served before */
            if (line.text.ptr[0] == 'e')
                break;
            continue;
        }
        bool length = line.text.ptr[0] >= ' ' && line.text.ptr[0] <= '`'; /* others are words between */
        bool counts = mode == MIME_UUENCODE_XX      ? is_xxencoded(line.text)
                      : mode == MIME_UUENCODE_CLEAN ? length && !is_words(line.text)
                                                    : length || mode == MIME_UUENCODE_EVERY;
        if (counts)
            e = uuencode_line(line.text, mode, out);
    }
    return e;
}

/* Behind WORD, in any case, in LINE; its length where it is not there. */
static size_t behind_word(struct span line, struct span word)
{
    for (size_t i = 0; i + word.len <= line.len; i++)
        if (span_starts_nocase(span_sub(line, i, word.len), word))
            return i + word.len;
    return line.len;
}

bool mime_yenc_find(struct span text, size_t from, struct mime_inline *found)
{
    const struct span word = SPAN("=ybegin "), last = SPAN("=yend");
    size_t indent, at = find_line(text, from, word, &found->indent);
    if (at == text.len)
        return false;
    /* yEnc lines end with LF or CRLF; a CR alone could only be read as junk. */
    struct mime_line line = mime_line_at(text, MIME_ENDS_ANY, at);
    found->begin = at;
    found->name = mime_trim(span_sub(line.text, behind_word(line.text, SPAN("name=")), line.text.len));
    found->data = line.next;
    line = mime_line_at(text, MIME_ENDS_ANY, line.next);
    if (span_starts_nocase(span_sub(line.text, indent_of(line.text), line.text.len), SPAN("=ypart ")))
        found->data = line.next;
    size_t next = find_line(text, found->data, word, &indent);
    size_t end = find_line(span_sub(text, 0, next), found->data, last, &indent);
    bool exactly = end < next && span_starts(span_sub(text, end, last.len), last);
    found->end = exactly ? mime_line_at(text, MIME_ENDS_ANY, end).next : end;
    /* To exact readers a begin in another case, or indented, is data, too. */
    bool false_begin = end == next && next < text.len && !span_starts(span_sub(text, next, word.len), word);
    found->cut = (end < next && !exactly) || false_begin;
    return true;
}

size_t mime_yenc_end(struct span text, const struct mime_inline *found)
{
    for (size_t at = found->data; at < text.len; at = mime_line_at(text, MIME_ENDS_ANY, at).next)
        if (span_starts(span_sub(text, at, 5), SPAN("=yend")))
            return mime_line_at(text, MIME_ENDS_ANY, at).next;
    return text.len;
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
        bool quoted = value->len > 0 && value->ptr[0] == '"';
        if (span_starts_nocase(span_sub(*value, quoted, value->len), begin))
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
    size_t indent;
    for (size_t at = from; (at = find_line(text, at, SPAN("ATTACH"), &indent)) < text.len;
         at = mime_line_at(text, MIME_ENDS_ANY, at).next) {
        struct span property = span_sub(text, at, text.len), value;
        size_t data = indent > 0 ? 0 : property_value(property), end = data; /* indented, it goes on with another */
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
