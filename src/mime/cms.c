/* SPDX-License-Identifier: MIT */
/* BER, as far as the way to the content goes: definite and indefinite lengths, octet strings in pieces within pieces.
 * What is cut or too long is taken as far as it goes. */
#include "mime/cms.h"

enum { END = 0x00, OCTETS = 0x04, OBJECT = 0x06, PIECES = 0x24, SEQUENCE = 0x30, EXPLICIT_0 = 0xa0, PIECES_DEPTH = 8 };

struct element {
    unsigned tag;
    struct span content; /* of an indefinite length: all that follows */
    bool indefinite;
};

/* The next element of REST, which is moved behind it, or behind its head where its length is indefinite. */
static bool take(struct span *rest, struct element *e)
{
    const unsigned char *u = (const unsigned char *)rest->ptr;
    if (rest->len < 2 || (u[0] & 0x1f) == 0x1f)
        return false;
    size_t octets = u[1] & 0x80 ? u[1] & 0x7fu : 0, length = u[1] & 0x80 ? 0 : u[1];
    if (octets > sizeof(size_t) || 2 + octets > rest->len)
        return false;
    for (size_t i = 0; i < octets; i++)
        length = length << 8 | u[2 + i];
    e->tag = u[0];
    e->indefinite = u[1] == 0x80;
    e->content = span_sub(*rest, 2 + octets, e->indefinite ? rest->len : length);
    *rest = e->indefinite ? e->content : span_sub(*rest, 2 + octets + e->content.len, rest->len);
    return true;
}

/* Moves AT behind its next element. */
static bool pass_over(struct span *at)
{
    struct element e;
    unsigned open = 0;
    do {
        if (!take(at, &e))
            return false;
        if (e.indefinite)
            open++;
        else if (e.tag == END && open > 0)
            open--;
    } while (open > 0);
    return true;
}

/* Moves AT into its next element, which must have TAG. */
static bool enter(struct span *at, unsigned tag)
{
    struct element e;
    if (!take(at, &e) || e.tag != tag)
        return false;
    *at = e.content;
    return true;
}

enum mime_cms mime_cms_of(struct span octets)
{
    static const struct span pkcs = {"\x2a\x86\x48\x86\xf7\x0d\x01", 7}; /* 1.2.840.113549.1 */
    static const struct span signed_data = {"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", 9};
    struct element type;
    if (!enter(&octets, SEQUENCE) || !take(&octets, &type) || type.tag != OBJECT)
        return MIME_CMS_NONE;
    if (span_eq(type.content, signed_data))
        return MIME_CMS_SIGNED;
    /* …7 is PKCS #7, …9.16.1 are the contents that S/MIME added. */
    bool closed = span_starts(type.content, pkcs) && type.content.len > 8 &&
                  (type.content.ptr[7] == 7 || type.content.ptr[7] == 9);
    return closed ? MIME_CMS_CLOSED : MIME_CMS_NONE;
}

/* The octet string at AT, or its pieces, which may be in pieces again. An end that belongs to nothing is passed over.
 */
static enum err append_octets(struct span at, struct buf *out)
{
    struct span outer[PIECES_DEPTH];
    unsigned depth = 0;
    bool pieces = false;
    struct element e;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        if (!take(&at, &e)) {
            if (depth == 0)
                break;
            at = outer[--depth];
        } else if (e.tag == OCTETS) {
            err = e.content.len > 0 ? buf_append(out, e.content) : ERR_OK;
            if (!pieces)
                break;
        } else if (e.tag == PIECES) {
            pieces = true;
            if (!e.indefinite && depth < PIECES_DEPTH) {
                outer[depth++] = at;
                at = e.content;
            }
        } else if (e.tag != END && depth == 0) {
            break;
        }
    }
    return err;
}

enum err mime_cms_unwrap(struct span octets, struct buf *out)
{
    struct span at = octets;
    /* { type, [0] { version, { algorithms }, { type, [0] content }, … } } */
    bool there = enter(&at, SEQUENCE) && pass_over(&at) && enter(&at, EXPLICIT_0) && enter(&at, SEQUENCE) &&
                 pass_over(&at) && pass_over(&at) && enter(&at, SEQUENCE) && pass_over(&at) && enter(&at, EXPLICIT_0);
    return there ? append_octets(at, out) : ERR_OK;
}
