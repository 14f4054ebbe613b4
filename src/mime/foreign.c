/* SPDX-License-Identifier: MIT */
/* Structure in charsets that only some readers know: types, boundaries and names of charsets may be written in any.
 * What matters of them is ASCII. */
#include "mime/charset.h"
#include "mime/field.h"
#include "mime/name.h"
#include <stdio.h>

/* What all code pages of EBCDIC have in common; NUL: they differ, or it is no character of text. */
static char invariant(unsigned char c)
{
    static const struct {
        unsigned char from, to; /* in EBCDIC */
        char first;
    } rows[] = {
        {0x81, 0x89, 'a'}, {0x91, 0x99, 'j'}, {0xa2, 0xa9, 's'}, {0xc1, 0xc9, 'A'}, {0xd1, 0xd9, 'J'},
        {0xe2, 0xe9, 'S'}, {0xf0, 0xf9, '0'}, {0x40, 0x40, ' '}, {0x4b, 0x4b, '.'}, {0x4c, 0x4c, '<'},
        {0x4d, 0x4d, '('}, {0x4e, 0x4e, '+'}, {0x50, 0x50, '&'}, {0x5c, 0x5c, '*'}, {0x5d, 0x5d, ')'},
        {0x5e, 0x5e, ';'}, {0x60, 0x60, '-'}, {0x61, 0x61, '/'}, {0x6b, 0x6b, ','}, {0x6c, 0x6c, '%'},
        {0x6d, 0x6d, '_'}, {0x6e, 0x6e, '>'}, {0x6f, 0x6f, '?'}, {0x7a, 0x7a, ':'}, {0x7d, 0x7d, '\''},
        {0x7e, 0x7e, '='}, {0x7f, 0x7f, '"'}, {0xfc, 0xfc, '"'}, /* the last is that of Turkish */
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (c >= rows[i].from && c <= rows[i].to)
            return (char)(rows[i].first + (c - rows[i].from));
    return '\0';
}

static bool is_ebcdic(struct span charset)
{
    static const char *const names[] = {"037", "039", "273", "424", "500", "875", "1026", "1140", "1047"};
    char name[16];
    if (charset.len > 5 && span_starts_nocase(charset, SPAN("ebcdic")))
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        static const char *const prefixes[] = {"", "cp", "ibm", "csibm"};
        for (size_t k = 0; k < ARRAY_SIZE(prefixes); k++) {
            snprintf(name, sizeof(name), "%s%s", prefixes[k], names[i]);
            if (mime_charset_is(charset, name))
                return true;
        }
    }
    return false;
}

static size_t ebcdic_to_utf8(struct span text, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len && n + 1 < size; i++) {
        char c = invariant((unsigned char)text.ptr[i]);
        out[n++] = (char)(c ? c : '?');
    }
    if (size > 0)
        out[n] = '\0';
    return n;
}

size_t mime_field_to_utf8(struct span text, struct span charset, char *out, size_t size)
{
    if (charset.len == 0 || size == 0 || mime_charset_is_plain(charset) || mime_wide_named(charset) != MIME_WIDE_NONE)
        return mime_to_utf8(text, charset, out, size);
    if (is_ebcdic(charset))
        return ebcdic_to_utf8(text, out, size);
    mime_text_decoder *decode = mime_text_decoder_of(charset, text);
    if (!decode)
        return mime_to_utf8(text, charset, out, size);
    struct buf decoded;
    buf_init(&decoded, 4 * text.len + 4);
    enum err e = decode(text, &decoded);
    (void)e; /* without memory: as far as it went */
    struct span shown = span_sub(buf_span(&decoded), 0, size - 1);
    if (shown.len > 0)
        memcpy(out, shown.ptr, shown.len);
    out[shown.len] = '\0';
    buf_release(&decoded);
    return shown.len;
}

bool mime_type_in_words(struct span value, struct mime_type *type)
{
    char text[1024]; /* what comes behind is parameters, or nobody's type */
    bool found;
    value = span_sub(mime_trim(value), 0, LIMIT_MIME_FIELD);
    if (span_find_span(value, SPAN("=?")) >= span_find(value, ';'))
        return false;
    size_t n = mime_words_decode_with(value, mime_field_to_utf8, text, sizeof(text), &found);
    mime_type_parse(span_of(text, n), type);
    type->doubtful = false;
    type->defects |= mime_defect_bit(MIME_DEFECT_TYPE_ENCODED);
    return found && (type->multipart || type->message);
}
