/* SPDX-License-Identifier: MIT */
/* Texts to readers that leave out what they cannot decode. Most replace it, which separates what stands beside it as
 * the octets do. */
#include "base/utf8.h"
#include "mime/charset.h"

/* How many octets at the begin of S are ASCII. */
static size_t ascii_run(struct span s)
{
    const uint64_t tops = UINT64_MAX / 255 * 0x80;
    size_t n = 0;
    for (uint64_t word; n + sizeof(word) <= s.len; n += sizeof(word)) {
        memcpy(&word, s.ptr + n, sizeof(word));
        if (word & tops)
            break;
    }
    while (n < s.len && (unsigned char)s.ptr[n] < 0x80)
        n++;
    return n;
}

/* TEXT without those of its octets that are not ASCII, or of these only without those that are no UTF-8. */
static enum err leave_out(struct span text, bool utf8, struct buf *out)
{
    enum err e = ERR_OK;
    while (text.len > 0 && e == ERR_OK) {
        size_t keep = ascii_run(text), next = keep + 1, length;
        if (utf8 && keep < text.len && utf8_next(span_sub(text, keep, text.len), &length) != UTF8_BAD)
            next = keep += length;
        e = buf_append(out, span_sub(text, 0, keep));
        text = span_sub(text, next, text.len);
    }
    return e;
}

static enum err ascii_decode(struct span text, struct buf *out)
{
    return leave_out(text, false, out);
}

static enum err utf8_decode(struct span text, struct buf *out)
{
    return leave_out(text, true, out);
}

mime_text_decoder *mime_lossy_decoder_of(struct span charset, struct span octets)
{
    bool ascii = mime_charset_is(charset, "usascii") || mime_charset_is(charset, "ascii");
    if (!ascii && !mime_charset_is(charset, "utf8"))
        return NULL;
    struct span rest = span_sub(octets, ascii_run(octets), octets.len);
    if (rest.len == 0 || (!ascii && utf8_is_valid(rest)))
        return NULL;
    return ascii ? ascii_decode : utf8_decode;
}

/* Octets above 127 that are no characters, in those charsets that most texts are in. */
static const char *holes_of(struct span charset)
{
    static const struct {
        const char *name, *holes;
    } rows[] = {
        {"windows1252", "\x81\x8d\x8f\x90\x9d"},
        {"cp1252", "\x81\x8d\x8f\x90\x9d"},
        {"windows1250", "\x81\x83\x88\x90\x98"},
        {"cp1250", "\x81\x83\x88\x90\x98"},
        {"windows1251", "\x98"},
        {"cp1251", "\x98"},
        {"windows1256", ""},
        {"cp1256", ""},
        {"koi8r", ""},
        {"koi8u", ""},
        {"usascii", ""},
        {"ascii", ""},
        {"utf8", ""},
        {"latin1", ""},
        {"iso88591", ""},
        {"iso88592", ""},
        {"iso88594", ""},
        {"iso88595", ""},
        {"iso88599", ""},
        {"iso885910", ""},
        {"iso885913", ""},
        {"iso885914", ""},
        {"iso885915", ""},
        {"iso885916", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (mime_charset_is(charset, rows[i].name))
            return rows[i].holes;
    return NULL;
}

bool mime_charset_has_holes(struct span charset, struct span octets)
{
    struct span rest = span_sub(octets, ascii_run(octets), octets.len);
    if (rest.len == 0)
        return false;
    const char *holes = holes_of(charset);
    if (!holes)
        return true;
    for (size_t i = 0; *holes && i < rest.len; i++)
        if ((unsigned char)rest.ptr[i] >= 0x80 && strchr(holes, rest.ptr[i]))
            return true;
    return false;
}

enum err mime_text_leave_out(struct span text, struct buf *out, bool *any)
{
    static const struct span replacement = {"\xef\xbf\xbd", 3};
    enum err e = ERR_OK;
    *any = false;
    while (text.len > 0 && e == ERR_OK) {
        size_t at = span_find_span(text, replacement);
        if (at == text.len && !*any)
            break;
        *any = true;
        e = buf_append(out, span_sub(text, 0, at));
        text = span_sub(text, at + replacement.len, text.len);
    }
    return e;
}
