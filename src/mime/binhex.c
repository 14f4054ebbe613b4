/* SPDX-License-Identifier: MIT */
/* BinHex 4.0 (RFC 1741): six bits a character between colons, runs by 0x90, a header with name and lengths, data fork,
 * resource fork. */
#include "mime/decode.h"
#include "mime/lines.h"

static const char alphabet[] = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";

static bool is_letter(char c)
{
    return c && strchr(alphabet, c);
}

bool mime_binhex_begins(struct span s)
{
    enum {
        LEAST = 30, /* a name of one letter, with all that stands behind it: 23 octets */
        RULE = 16   /* a line that somebody drew; of a header only zeros, '!', may be so many */
    };
    size_t letters = 0, same = 0;
    char last = 0;
    for (size_t i = 1; i < s.len && letters < LEAST && same < RULE; i++) {
        char c = s.ptr[i];
        if (letters > 0 && (c == '\r' || c == '\n'))
            continue;
        if (!is_letter(c))
            return false;
        same = c == last && c != '!' ? same + 1 : 1;
        last = c;
        letters++;
    }
    return s.len > 0 && s.ptr[0] == ':' && letters == LEAST;
}

bool mime_binhex_find(struct span text, size_t from, struct mime_inline *found)
{
    for (size_t at = from; at < text.len; at = mime_line_at(text, MIME_ENDS_ANY, at).next) {
        size_t colon = at;
        while (colon < text.len && char_is_blank(text.ptr[colon]))
            colon++;
        if (!mime_binhex_begins(span_sub(text, colon, text.len)))
            continue;
        size_t end = colon + 1 + span_find(span_sub(text, colon + 1, text.len), ':');
        *found = (struct mime_inline){.begin = at, .data = colon + 1, .end = end < text.len ? end + 1 : text.len};
        return true;
    }
    return false;
}

bool mime_binhex_find_marked(struct span text, size_t from, struct mime_inline *found)
{
    size_t at = from + span_find_rare(span_sub(text, from, text.len), SPAN(MIME_BINHEX_MARK), 0);
    if (at >= text.len)
        return false;
    size_t next = mime_line_at(text, MIME_ENDS_ANY, at).next;
    size_t colon = next + span_find(span_sub(text, next, text.len), ':');
    if (colon >= text.len)
        return false;
    size_t end = colon + 1 + span_find(span_sub(text, colon + 1, text.len), ':');
    *found = (struct mime_inline){.begin = at, .data = colon + 1, .end = end < text.len ? end + 1 : text.len};
    return true;
}

/* Octets after the run-length coding. */
struct runs {
    struct buf *out;
    int last;
    bool marker;
};

static enum err put_octet(struct runs *r, unsigned char octet)
{
    enum err e = ERR_OK;
    if (r->marker) {
        r->marker = false;
        if (octet == 0) { /* the marker itself */
            r->last = 0x90;
            return buf_append_char(r->out, (char)0x90);
        }
        char run[255];
        memset(run, r->last, sizeof(run));
        return buf_append(r->out, span_of(run, octet - 1u));
    }
    if (octet == 0x90) {
        r->marker = true;
        return ERR_OK;
    }
    r->last = octet;
    e = buf_append_char(r->out, (char)octet);
    return e;
}

static unsigned be32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (unsigned)u[0] << 24 | (unsigned)u[1] << 16 | (unsigned)u[2] << 8 | u[3];
}

enum err mime_binhex_decode(struct span data, struct buf *out, struct span *name, struct span *fork)
{
    struct runs r = {.out = out};
    unsigned bits = 0, have = 0;
    enum err e = ERR_OK;
    for (size_t i = 0; i < data.len && e == ERR_OK && data.ptr[i] != ':'; i++) {
        const char *hit = data.ptr[i] ? strchr(alphabet, data.ptr[i]) : NULL;
        if (!hit)
            continue;
        bits = (bits << 6 | (unsigned)(hit - alphabet)) & 0xffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            e = put_octet(&r, (unsigned char)(bits >> have));
        }
    }
    struct span all = buf_span(out);
    size_t length = all.len > 0 ? (unsigned char)all.ptr[0] : 0;
    *name = span_sub(all, 1, length);
    /* Name, a zero, type and creator, flags, two lengths, a checksum. */
    size_t header = 1 + length + 1 + 4 + 4 + 2 + 4 + 4 + 2;
    unsigned claimed = header <= all.len ? be32(all.ptr + 1 + length + 1 + 10) : 0;
    *fork = span_sub(all, header, claimed);
    return e;
}
