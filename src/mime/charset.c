/* SPDX-License-Identifier: MIT */
/* UTF-8 out of a few charsets. Whatever is left is replaced, never dropped: a name must not become shorter than what a
 * person sees. */
#include "mime/charset.h"
#include "base/utf8.h"
#include <stdint.h>

enum { REPLACEMENT = 0xfffd, VISIBLE_NUL = 0x2400, VISIBLE_DELETE = 0x2421 };

static size_t encode(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

size_t mime_make_plain(struct span utf8, char *out, size_t size, bool *cut)
{
    size_t at = 0, n;
    *cut = false;
    while (utf8.len > 0) {
        size_t run = utf8_plain_run(span_sub(utf8, 0, size - at));
        if (run > 0) { /* as it stands */
            memcpy(out + at, utf8.ptr, run);
            at += run;
            utf8 = span_sub(utf8, run, utf8.len);
            continue;
        }
        char one[4];
        uint32_t c = utf8_next(utf8, &n);
        if (c == UTF8_BAD)
            c = REPLACEMENT;
        else if (c < 0x20)
            c += VISIBLE_NUL;
        else if (c == 0x7f)
            c = VISIBLE_DELETE;
        size_t length = encode(c, one);
        if (at + length > size) {
            *cut = true;
            break;
        }
        memcpy(out + at, one, length);
        at += length;
        utf8 = span_sub(utf8, n, utf8.len);
    }
    return at;
}

enum set { SET_UTF8, SET_LATIN1, SET_WINDOWS, SET_UTF7, SET_GB18030, SET_OTHER };

static enum set set_of(struct span charset, struct span text)
{
    static const struct {
        const char *name;
        enum set set;
    } rows[] = {{"utf-8", SET_UTF8},        {"utf8", SET_UTF8},
                {"us-ascii", SET_UTF8},     {"ascii", SET_UTF8},
                {"iso-8859-1", SET_LATIN1}, {"iso-8859-15", SET_LATIN1},
                {"latin1", SET_LATIN1},     {"windows-1252", SET_WINDOWS},
                {"cp1252", SET_WINDOWS},    {"utf-7", SET_UTF7},
                {"utf7", SET_UTF7},         {"unicode-1-1-utf-7", SET_UTF7},
                {"gb18030", SET_GB18030}};
    if (charset.len == 0)
        return utf8_is_valid(text) ? SET_UTF8 : SET_LATIN1;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (span_eq_nocase(charset, span_cstr(rows[i].name)))
            return rows[i].set;
    return SET_OTHER;
}

/* GB18030 in four octets, which are numbered through: those of the characters that turn the direction of writing, as
 * these can hide an extension. All others are replaced. */
static uint32_t gb18030_next(struct span text, size_t *length)
{
    const unsigned char *u = (const unsigned char *)text.ptr;
    if (text.len < 2)
        return REPLACEMENT;
    *length = 2;
    if (u[1] < 0x30 || u[1] > 0x39 || text.len < 4)
        return REPLACEMENT;
    *length = 4;
    const uint32_t n = ((u[0] * 10u + u[1]) * 126u + u[2]) * 10u + u[3];
    const uint32_t embedding = ((0x81 * 10u + 0x36) * 126u + 0xa6) * 10u + 0x37; /* U+202A to U+202E */
    const uint32_t isolate = ((0x81 * 10u + 0x36) * 126u + 0xac) * 10u + 0x32;   /* U+2066 to U+2069 */
    if (n >= embedding && n <= embedding + 4)
        return 0x202a + (n - embedding);
    return n >= isolate && n <= isolate + 3 ? 0x2066 + (n - isolate) : REPLACEMENT;
}

static uint32_t character(struct span text, enum set set, size_t *length)
{
    *length = 1;
    unsigned char c = (unsigned char)text.ptr[0];
    if (c < 0x80)
        return c;
    if (set == SET_GB18030)
        return gb18030_next(text, length);
    if (set == SET_LATIN1 || (set == SET_WINDOWS && c >= 0xa0))
        return c;
    if (set == SET_UTF8) {
        uint32_t u = utf8_next(text, length);
        return u == UTF8_BAD ? REPLACEMENT : u;
    }
    return REPLACEMENT;
}

/* ISO 2022 shifts between sets by escape sequences: their length at the begin of TEXT, or 0; *ascii: what follows is
 * ASCII. */
static size_t shift(struct span text, bool *ascii)
{
    if (text.len == 0 || text.ptr[0] != 0x1b)
        return 0;
    size_t n = 1;
    while (n < text.len && n < 3 &&
           (text.ptr[n] == '$' || text.ptr[n] == '(' || text.ptr[n] == ')' || text.ptr[n] == '*'))
        n++;
    *ascii = n == 2 && n < text.len && text.ptr[1] == '(' && (text.ptr[2] == 'B' || text.ptr[2] == 'J');
    return n < text.len ? n + 1 : n;
}

static size_t narrow_to_utf8(struct span text, struct span charset, enum set set, char *out, size_t size)
{
    bool shifts = span_starts_nocase(charset, SPAN("iso-2022-")), ascii = true;
    size_t at = 0, n;
    if (size == 0)
        return 0;
    while (text.len > 0) {
        if (shifts && (n = shift(text, &ascii)) > 0) {
            text = span_sub(text, n, text.len);
            continue;
        }
        size_t run = ascii ? utf8_plain_run(span_sub(text, 0, size - at - 1)) : 0;
        if (run > 0) { /* as it stands in all of them; a shift begins with another character */
            memcpy(out + at, text.ptr, run);
            at += run;
            text = span_sub(text, run, text.len);
            continue;
        }
        char one[4];
        uint32_t c = ascii ? character(text, set, &n) : REPLACEMENT;
        if (!ascii)
            n = 1;
        size_t length = encode(c == 0 ? VISIBLE_NUL : c, one);
        if (at + length + 1 > size)
            break;
        memcpy(out + at, one, length);
        at += length;
        text = span_sub(text, n, text.len);
    }
    out[at] = '\0';
    return at;
}

enum mime_wide mime_wide_of(struct span octets)
{
    static const struct {
        struct span mark;
        enum mime_wide wide;
    } marks[] = {{{"\xff\xfe\0\0", 4}, MIME_WIDE_32LE},
                 {{"\0\0\xfe\xff", 4}, MIME_WIDE_32BE},
                 {{"\xff\xfe", 2}, MIME_WIDE_16LE},
                 {{"\xfe\xff", 2}, MIME_WIDE_16BE}};
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
        if (span_starts(octets, marks[i].mark))
            return marks[i].wide;
    /* Without a mark: zeros in the same place of each unit, no others. */
    unsigned zeros[4] = {0};
    size_t sample = octets.len < 256 ? octets.len & ~(size_t)3 : 256;
    if (sample < 8)
        return MIME_WIDE_NONE;
    for (size_t i = 0; i < sample; i++)
        zeros[i % 4] += octets.ptr[i] == 0;
    unsigned all = (unsigned)sample / 4, most = all - all / 8;
    if (zeros[1] >= most && zeros[2] >= most && zeros[3] >= most && zeros[0] == 0)
        return MIME_WIDE_32LE;
    if (zeros[0] >= most && zeros[1] >= most && zeros[2] >= most && zeros[3] == 0)
        return MIME_WIDE_32BE;
    if (zeros[1] >= most && zeros[3] >= most && zeros[0] == 0 && zeros[2] == 0)
        return MIME_WIDE_16LE;
    if (zeros[0] >= most && zeros[2] >= most && zeros[1] == 0 && zeros[3] == 0)
        return MIME_WIDE_16BE;
    return MIME_WIDE_NONE;
}

enum mime_wide mime_wide_named(struct span charset)
{
    static const struct {
        const char *name;
        enum mime_wide wide;
    } rows[] = {{"utf16", MIME_WIDE_16BE},
                {"utf16be", MIME_WIDE_16BE},
                {"utf16le", MIME_WIDE_16LE},
                {"utf32", MIME_WIDE_32BE},
                {"utf32be", MIME_WIDE_32BE},
                {"utf32le", MIME_WIDE_32LE},
                {"ucs2", MIME_WIDE_16BE},
                {"ucs2be", MIME_WIDE_16BE},
                {"ucs2le", MIME_WIDE_16LE},
                {"ucs4", MIME_WIDE_32BE},
                {"ucs4be", MIME_WIDE_32BE},
                {"ucs4le", MIME_WIDE_32LE},
                {"iso10646ucs2", MIME_WIDE_16BE},
                {"iso10646ucs4", MIME_WIDE_32BE},
                {"unicode", MIME_WIDE_16LE},
                {"csunicode", MIME_WIDE_16LE},
                {"unicodelittle", MIME_WIDE_16LE},
                {"unicodelittleunmarked", MIME_WIDE_16LE},
                {"unicodebig", MIME_WIDE_16BE},
                {"unicodebigunmarked", MIME_WIDE_16BE},
                {"unicodefffe", MIME_WIDE_16BE},
                {"u16", MIME_WIDE_16BE},
                {"u32", MIME_WIDE_32BE}};
    if (charset.len == 0 || !strchr("uUiIcC", charset.ptr[0]))
        return MIME_WIDE_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (mime_charset_is(charset, rows[i].name))
            return rows[i].wide;
    return MIME_WIDE_NONE;
}

enum mime_wide mime_wide_swapped(struct span charset)
{
    enum mime_wide wide = mime_wide_named(charset);
    char last = (char)(charset.len > 0 ? char_lower(charset.ptr[charset.len - 1]) : ' ');
    bool said = last == 'e' && !span_ends_nocase(charset, SPAN("unicode")); /* utf-16be, utf-16le, unicodefffe */
    if (wide == MIME_WIDE_NONE || said)
        return MIME_WIDE_NONE;
    static const enum mime_wide others[] = {[MIME_WIDE_16LE] = MIME_WIDE_16BE,
                                            [MIME_WIDE_16BE] = MIME_WIDE_16LE,
                                            [MIME_WIDE_32LE] = MIME_WIDE_32BE,
                                            [MIME_WIDE_32BE] = MIME_WIDE_32LE};
    return others[wide];
}

static uint32_t unit(const unsigned char *u, enum mime_wide wide)
{
    switch (wide) {
    case MIME_WIDE_16LE:
        return u[0] | (uint32_t)u[1] << 8;
    case MIME_WIDE_16BE:
        return u[1] | (uint32_t)u[0] << 8;
    case MIME_WIDE_32LE:
        return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
    case MIME_WIDE_32BE:
        return u[3] | (uint32_t)u[2] << 8 | (uint32_t)u[1] << 16 | (uint32_t)u[0] << 24;
    case MIME_WIDE_NONE:
        break;
    }
    return REPLACEMENT;
}

enum err mime_wide_decode(struct span octets, enum mime_wide wide, struct buf *out)
{
    size_t width = wide == MIME_WIDE_32LE || wide == MIME_WIDE_32BE ? 4 : 2;
    const unsigned char *u = (const unsigned char *)octets.ptr;
    char slice[1024];
    size_t n = 0;
    enum err e = ERR_OK;
    for (size_t at = 0; at + width <= octets.len && e == ERR_OK; at += width) {
        uint32_t c = unit(u + at, wide);
        if (at == 0 && c == 0xfeff)
            continue;
        if (c >= 0xd800 && c < 0xdc00 && width == 2 && at + 4 <= octets.len) {
            uint32_t low = unit(u + at + 2, wide);
            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                at += 2;
            }
        }
        if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
            c = REPLACEMENT;
        n += encode(c, slice + n);
        if (n + 4 > sizeof(slice)) {
            e = buf_append(out, span_of(slice, n));
            n = 0;
        }
    }
    return e == ERR_OK ? buf_append(out, span_of(slice, n)) : e;
}

static int base64_value(char c, bool imap)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == (imap ? ',' : '/') ? 63 : -1;
}

/* "+", base64 of UTF-16, and what ends it; "+-" is a plus. */
enum err mime_utf7_decode(struct span text, char mark, struct buf *out)
{
    enum err e = ERR_OK;
    const bool imap = mark == '&';
    for (size_t i = 0; i < text.len && e == ERR_OK; i++) {
        if (text.ptr[i] != mark) {
            e = buf_append_char(out, text.ptr[i]);
            continue;
        }
        struct buf units;
        uint32_t bits = 0;
        unsigned count = 0;
        int value;
        buf_init(&units, text.len + 4);
        bool empty = ++i == text.len || base64_value(text.ptr[i], imap) < 0;
        for (; i < text.len && (value = base64_value(text.ptr[i], imap)) >= 0 && e == ERR_OK; i++) {
            bits = bits << 6 | (uint32_t)value;
            count += 6;
            if (count >= 8) {
                count -= 8;
                e = buf_append_char(&units, (char)(bits >> count));
            }
        }
        if (e == ERR_OK)
            e = mime_wide_decode(buf_span(&units), MIME_WIDE_16BE, out);
        buf_release(&units);
        bool minus = i < text.len && text.ptr[i] == '-';
        if (e == ERR_OK && empty && minus)
            e = buf_append_char(out, mark);
        if (!minus)
            i--; /* it ends the run, and counts itself */
    }
    return e;
}

size_t mime_to_utf8(struct span text, struct span charset, char *out, size_t size)
{
    const struct span utf8 = SPAN("utf-8");
    enum set set = set_of(charset, text);
    enum mime_wide wide = mime_wide_named(charset);
    if (set != SET_UTF7 && wide == MIME_WIDE_NONE)
        return narrow_to_utf8(text, charset, set, out, size);
    struct buf decoded;
    buf_init(&decoded, 4 * text.len + 4);
    if (wide != MIME_WIDE_NONE && mime_wide_of(text) != MIME_WIDE_NONE)
        wide = mime_wide_of(text); /* a mark is right */
    enum err e =
        wide != MIME_WIDE_NONE ? mime_wide_decode(text, wide, &decoded) : mime_utf7_decode(text, '+', &decoded);
    (void)e; /* without memory: as far as it went */
    size_t n = narrow_to_utf8(buf_span(&decoded), utf8, SET_UTF8, out, size);
    buf_release(&decoded);
    return n;
}
