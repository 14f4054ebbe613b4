/* SPDX-License-Identifier: MIT */
/* Texts whose ASCII does not stand in their octets as such, in charsets that need no tables: what matters is the ASCII,
 * as that is what scripts and programs in texts are made of; all other characters may be replaced. */
#include "mime/charset.h"
#include <stdint.h>
#include <stdlib.h>

enum { ESC = 0x1b, SO = 0x0e, SI = 0x0f };

static const struct span replacement = {"\xef\xbf\xbd", 3};

bool mime_charset_is(struct span charset, const char *name)
{
    for (size_t i = 0; i < charset.len; i++) {
        if (!char_is_alnum(charset.ptr[i]))
            continue;
        if (char_lower(charset.ptr[i]) != *name)
            return false;
        name++;
    }
    return *name == '\0';
}

bool mime_charset_is_plain(struct span charset)
{
    static const char *const names[] = {"utf-8", "us-ascii", "utf8", "ascii", "latin1"};
    static const char *const families[] = {"iso-8859-", "windows-125", "cp125", "koi8-"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (span_eq_nocase(charset, span_cstr(names[i])))
            return true;
    for (size_t i = 0; i < ARRAY_SIZE(families); i++)
        if (span_starts_nocase(charset, span_cstr(families[i])))
            return true;
    return false;
}

bool mime_text_hides(struct span octets, struct span text)
{
    for (size_t i = 0; i < text.len;) {
        size_t begin = i;
        while (i < text.len && (unsigned char)text.ptr[i] < 0x80)
            i++;
        struct span run = span_sub(text, begin, i - begin);
        if (run.len == 0) {
            i++;
            continue;
        }
        size_t at = span_find_span(octets, run);
        if (at == octets.len || (begin == 0 && at > 0)) /* files are known by how they begin */
            return true;
        octets = span_sub(octets, at + run.len, octets.len);
    }
    return false;
}

/* A run of characters that are not ASCII is one replacement: *in, whether one is open. */
static enum err replace(struct buf *out, bool *in)
{
    enum err e = *in ? ERR_OK : buf_append(out, replacement);
    *in = true;
    return e;
}

/* The length of the escape sequence at the begin of TEXT by which ISO 2022 chooses a set, or 0: it is text. *ascii: the
 * set of seven bits is ASCII, or what differs from it by two signs. *other: a character of another set is part of it.
 */
static size_t choice(struct span text, bool *ascii, bool *other)
{
    const char *p = text.ptr;
    *other = false;
    if (text.len < 3 || p[0] != ESC)
        return 0;
    if (p[1] == 'N' || p[1] == 'O') {
        *other = true;
        return 3;
    }
    if (p[1] == '&')
        return 3;
    size_t n = p[1] == '$' ? 2 : 1;
    bool any = strchr("()*+,-./", p[n]) != NULL, first = !any || p[n] == '(' || p[n] == ',';
    if (!any && n == 1)
        return 0;
    n += any;
    if (n >= text.len)
        return 0;
    if (first)
        *ascii = p[1] == '(' && (p[n] == 'B' || p[n] == 'J' || p[n] == 'H' || p[n] == '@');
    return n + 1;
}

/* LINES: each begins in ASCII. */
static enum err iso2022(struct span text, bool lines, struct buf *out)
{
    bool ascii = true, shifted = false, in = false, other;
    enum err e = ERR_OK;
    for (size_t i = 0, n; i < text.len && e == ERR_OK; i += n) {
        const char c = text.ptr[i];
        if ((n = choice(span_sub(text, i, text.len), &ascii, &other)) > 0) {
            if (other)
                e = replace(out, &in);
            continue;
        }
        n = 1;
        if (c == '\n')
            shifted = false;
        if (c == '\n' && lines)
            ascii = true;
        if (c == SO || c == SI) {
            shifted = c == SO;
        } else if ((unsigned char)c < 0x20 || (ascii && !shifted)) {
            e = buf_append_char(out, c);
            in = false;
        } else {
            e = replace(out, &in);
        }
    }
    return e;
}

static enum err iso2022_decode(struct span text, struct buf *out)
{
    return iso2022(text, false, out);
}

static enum err iso2022_lines_decode(struct span text, struct buf *out)
{
    return iso2022(text, true, out);
}

/* RFC 1843. */
static enum err hz_decode(struct span text, struct buf *out)
{
    bool chinese = false, in = false;
    enum err e = ERR_OK;
    for (size_t i = 0; i < text.len && e == ERR_OK; i++) {
        const char c = text.ptr[i], next = (char)(i + 1 < text.len ? text.ptr[i + 1] : ' ');
        bool mark = c == '~' && (next == '{' || next == '}' || next == '~' || next == '\n' || next == '\r');
        if (mark && (next == '{' || next == '}')) {
            chinese = next == '{';
            i++;
        } else if (chinese && c != '\n') {
            e = replace(out, &in);
        } else if (mark && next != '~') { /* the line goes on */
            i += next == '\r' && i + 2 < text.len && text.ptr[i + 2] == '\n' ? 2 : 1;
        } else {
            e = buf_append_char(out, c);
            chinese = in = false;
            i += mark;
        }
    }
    return e;
}

static enum err utf7_decode(struct span text, struct buf *out)
{
    return mime_utf7_decode(text, '+', out);
}

static enum err utf7_imap_decode(struct span text, struct buf *out)
{
    return mime_utf7_decode(text, '&', out);
}

/* The number of at most COUNT digits to BASE at the begin of TEXT; *length: how many there are. */
static uint32_t number_of(struct span text, unsigned base, size_t count, size_t *length)
{
    uint32_t n = 0;
    for (*length = 0; *length < count && *length < text.len; ++*length) {
        char c = char_lower(text.ptr[*length]);
        unsigned digit = c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : char_is_digit(c)   ? (unsigned)(c - '0')
                                              : base;
        if (digit >= base)
            break;
        n = n * base + digit;
    }
    return n;
}

enum { REPLACED = 0x80, NOTHING = 0x81 }; /* what is no character of ASCII */

struct character {
    const char *name;
    unsigned char code;
};

static int compare_names(const void *name, const void *character)
{
    return strcmp(name, ((const struct character *)character)->name);
}

/* The character of ASCII that Unicode calls NAME, in letters of either case, or REPLACED. */
static uint32_t character_named(struct span name)
{
    static const struct character characters[] = {
#define MIME_CHARACTER(code, name) {name, code},
#include "mime/character.def"
#undef MIME_CHARACTER
    };
    static const struct span capital = {"LATIN CAPITAL LETTER ", 21}, small = {"LATIN SMALL LETTER ", 19};
    char upper[32];
    if (name.len >= sizeof(upper))
        return REPLACED;
    for (size_t i = 0; i < name.len; i++)
        upper[i] = (char)(char_is_alpha(name.ptr[i]) ? name.ptr[i] & ~0x20 : name.ptr[i]);
    upper[name.len] = '\0';
    struct span given = span_of(upper, name.len);
    const char last = (char)(name.len > 0 ? upper[name.len - 1] : ' ');
    if (char_is_alpha(last) && given.len == capital.len + 1 && span_starts(given, capital))
        return (unsigned char)last;
    if (char_is_alpha(last) && given.len == small.len + 1 && span_starts(given, small))
        return (unsigned char)char_lower(last);
    const struct character *c =
        bsearch(upper, characters, ARRAY_SIZE(characters), sizeof(characters[0]), compare_names);
    return c ? c->code : REPLACED;
}

/* The length of "\N{name}" at the begin of TEXT; what lacks its end has none before that of the text. */
static size_t name_escape(struct span text, uint32_t *c)
{
    *c = REPLACED;
    if (text.len < 3 || text.ptr[2] != '{')
        return 2;
    struct span rest = span_sub(text, 3, text.len);
    size_t end = span_find(rest, '}');
    if (end == 0 || end == rest.len)
        return 3 + end;
    *c = character_named(span_sub(rest, 0, end));
    return 3 + end + 1;
}

/* Python's escapes: the length of that at the begin of TEXT, which is a backslash, or 0: it is none. *c: what it stands
 * for, REPLACED, or NOTHING. RAW: as in the codec of that name. */
static size_t escape_of(struct span text, bool raw, uint32_t *c)
{
    static const char letters[] = "abfnrtv\\'\"", signs[] = "\a\b\f\n\r\t\v\\'\"";
    const char kind = (char)(text.len > 1 ? text.ptr[1] : '\0');
    size_t digits = kind == 'u' ? 4 : kind == 'U' ? 8 : kind == 'x' && !raw ? 2 : 0, length;
    if (digits > 0) {
        *c = number_of(span_sub(text, 2, text.len), 16, digits, &length);
        if (length < digits || *c >= 0x80)
            *c = REPLACED;
        return 2 + length;
    }
    if (raw || kind == '\0')
        return 0;
    *c = number_of(span_sub(text, 1, text.len), 8, 3, &length);
    if (*c >= 0x80)
        *c = REPLACED;
    if (length > 0)
        return 1 + length;
    if (kind == 'N')
        return name_escape(text, c);
    const char *letter = strchr(letters, kind);
    *c = letter ? (unsigned char)signs[letter - letters] : NOTHING;
    return letter || kind == '\n' ? 2 : 0;
}

static enum err unescape(struct span text, bool raw, struct buf *out)
{
    enum err e = ERR_OK;
    while (text.len > 0 && e == ERR_OK) {
        size_t n = span_find(text, '\\');
        uint32_t c = NOTHING;
        e = buf_append(out, span_sub(text, 0, n));
        text = span_sub(text, n, text.len);
        if (text.len == 0 || e != ERR_OK)
            break;
        n = escape_of(text, raw, &c);
        if (n == 0) { /* both stand for themselves: a second backslash begins nothing */
            n = text.len > 1 ? 2 : 1;
            e = buf_append(out, span_sub(text, 0, n));
        } else if (c != NOTHING) {
            e = c < 0x80 ? buf_append_char(out, (char)c) : buf_append(out, replacement);
        }
        text = span_sub(text, n, text.len);
    }
    return e;
}

static enum err escapes_decode(struct span text, struct buf *out)
{
    return unescape(text, false, out);
}

static enum err raw_escapes_decode(struct span text, struct buf *out)
{
    return unescape(text, true, out);
}

/* What is ASCII from the right as it is from the left stands twice. */
static enum err mac_decode(struct span text, struct buf *out)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < text.len && e == ERR_OK; i++) {
        const unsigned char c = (unsigned char)text.ptr[i], low = c & 0x7f;
        bool sign = low >= 0x20 && low < 0x7f && !char_is_alnum((char)low);
        e = c < 0x80 || (c >= 0xa0 && sign) ? buf_append_char(out, (char)low) : buf_append(out, replacement);
    }
    return e;
}

/* UTF-8 of which a mark in front is no part: files are known by how they begin. */
static enum err unmarked_decode(struct span text, struct buf *out)
{
    return buf_append(out, span_starts(text, SPAN("\xef\xbb\xbf")) ? span_sub(text, 3, text.len) : text);
}

mime_text_decoder *mime_text_decoder_of(struct span charset, struct span octets)
{
    static const struct {
        const char *name;
        char mark; /* without which there is nothing to do; NUL: none */
        mime_text_decoder *decode;
    } rows[] = {
        {"utf7", '+', utf7_decode},
        {"u7", '+', utf7_decode},
        {"unicode11utf7", '+', utf7_decode},
        {"csunicode11utf7", '+', utf7_decode},
        {"unicode20utf7", '+', utf7_decode},
        {"xunicode20utf7", '+', utf7_decode},
        {"csutf7", '+', utf7_decode},
        {"cp65000", '+', utf7_decode},
        {"utf7imap", '&', utf7_imap_decode},
        {"csutf7imap", '&', utf7_imap_decode},
        {"ximapmodifiedutf7", '&', utf7_imap_decode},
        {"hz", '~', hz_decode},
        {"hzgb", '~', hz_decode},
        {"hzgb2312", '~', hz_decode},
        {"unicodeescape", '\\', escapes_decode},
        {"rawunicodeescape", '\\', raw_escapes_decode},
        {"macarabic", '\0', mac_decode},
        {"xmacarabic", '\0', mac_decode},
        {"macfarsi", '\0', mac_decode},
        {"xmacfarsi", '\0', mac_decode},
        {"utf8sig", '\xef', unmarked_decode},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (mime_charset_is(charset, rows[i].name))
            return rows[i].mark == '\0' || span_find(octets, rows[i].mark) < octets.len ? rows[i].decode : NULL;
    static const char shifts[] = {ESC, SO, SI};
    for (size_t i = 0; i < (charset.len > 0 ? ARRAY_SIZE(shifts) : 1); i++)
        if (span_find(octets, shifts[i]) < octets.len)
            return iso2022_decode;
    return NULL;
}

mime_text_decoder *mime_text_decoder_beside(mime_text_decoder *decode)
{
    return decode == iso2022_decode ? iso2022_lines_decode : NULL;
}
