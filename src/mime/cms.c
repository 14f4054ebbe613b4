/* SPDX-License-Identifier: MIT */
/* A walk along the outline of a ContentInfo: SEQUENCE { type OBJECT IDENTIFIER, [0] content }. */
#include "mime/cms.h"

enum { SEQUENCE = 0x30, OCTETS = 0x04, OCTETS_IN_PIECES = 0x24, OBJECT = 0x06, EXPLICIT_0 = 0xa0, NESTING = 32 };

/* One value: its tag, and its content as far as it is there. */
struct value {
    unsigned tag;
    struct span content;
    bool endless; /* of indefinite length: content reaches to the end of what surrounds it */
    size_t end;   /* behind it; of an endless one where its content begins */
};

/* The value at AT in S. False: there is none, or its surroundings end here. */
static bool value_at(struct span s, size_t at, struct value *v)
{
    if (at + 2 > s.len)
        return false;
    const unsigned char *u = (const unsigned char *)s.ptr;
    size_t length = u[at + 1], head = 2;
    v->tag = u[at];
    v->endless = length == 0x80;
    if (v->tag == 0 || (v->tag & 0x1f) == 0x1f)
        return false;
    if (length > 0x80) {
        size_t n = length - 0x80;
        if (n > sizeof(size_t) || at + head + n > s.len)
            return false;
        length = 0;
        for (size_t i = 0; i < n; i++)
            length = length << 8 | u[at + head + i];
        head += n;
    }
    v->content = span_sub(s, at + head, v->endless ? s.len : length);
    v->end = v->endless ? at + head : at + head + v->content.len;
    return true;
}

/* Behind the value V of S; an endless one is walked through. S.len: it does not end. */
static size_t value_end(struct span s, const struct value *v, unsigned nesting)
{
    size_t at = v->end;
    struct value inner;
    if (!v->endless)
        return at;
    while (nesting > 0 && value_at(s, at, &inner))
        at = value_end(s, &inner, nesting - 1);
    bool ended = at + 2 <= s.len && s.ptr[at] == 0 && s.ptr[at + 1] == 0;
    return ended ? at + 2 : s.len;
}

struct content_info {
    enum mime_cms kind;
    struct span inside; /* of the [0] of the content that is to be read; empty: there is none */
};

/* Object identifiers below pkcs-7 (1.2.840.113549.1.7) and, of content types, id-smime ct (1.2.840.113549.1.9.16.1). */
static const char PKCS7[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x07", SMIME_CT[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01";
enum { NOT_LISTED = 0, DATA = 1, SIGNED_DATA = 2, HIDDEN = 3 };

static unsigned content_type(struct span oid)
{
    const struct span pkcs7 = span_of(PKCS7, sizeof(PKCS7) - 1), smime = span_of(SMIME_CT, sizeof(SMIME_CT) - 1);
    if (span_starts(oid, pkcs7) && oid.len == pkcs7.len + 1) {
        unsigned char last = (unsigned char)oid.ptr[oid.len - 1];
        return last == DATA || last == SIGNED_DATA ? last : HIDDEN; /* enveloped, encrypted, digested … */
    }
    if (span_starts(oid, smime) && oid.len == smime.len + 1) {
        unsigned char last = (unsigned char)oid.ptr[oid.len - 1];
        return last == 2 || last == 9 || last == 23 ? HIDDEN : NOT_LISTED; /* authenticated, compressed, enveloped */
    }
    return NOT_LISTED;
}

/* SEQUENCE { type, [0] content } in S at AT. *after: behind it. */
static bool typed_content(struct span s, size_t at, unsigned *type, struct span *inside)
{
    struct value v, oid, content;
    if (!value_at(s, at, &v) || v.tag != SEQUENCE || !value_at(v.content, 0, &oid) || oid.tag != OBJECT || oid.endless)
        return false;
    *type = content_type(oid.content);
    *inside = (struct span){0};
    if (value_at(v.content, oid.end, &content) && content.tag == EXPLICIT_0)
        *inside = content.content;
    return true;
}

/* SignedData: version, digest algorithms (a SET), then the content; signatures follow. */
static struct content_info signed_data(struct span inside)
{
    struct content_info info = {.kind = MIME_CMS_CLEAR};
    struct value all, v;
    unsigned type;
    struct span content;
    if (!value_at(inside, 0, &all) || all.tag != SEQUENCE)
        return (struct content_info){.kind = MIME_CMS_CLOSED};
    size_t at = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (!value_at(all.content, at, &v))
            return (struct content_info){.kind = MIME_CMS_CLOSED};
        at = value_end(all.content, &v, NESTING);
    }
    if (!typed_content(all.content, at, &type, &content))
        return (struct content_info){.kind = MIME_CMS_CLOSED};
    if (content.len > 0 && (type == HIDDEN || type == SIGNED_DATA))
        info.kind = MIME_CMS_CLOSED;
    info.inside = content;
    return info;
}

static struct content_info content_info(struct span octets)
{
    struct content_info info = {0};
    unsigned type;
    struct span inside;
    if (octets.len < 16 || (unsigned char)octets.ptr[0] != SEQUENCE || !typed_content(octets, 0, &type, &inside) ||
        type == NOT_LISTED)
        return info;
    if (type == SIGNED_DATA)
        return signed_data(inside);
    info.kind = type == DATA ? MIME_CMS_CLEAR : MIME_CMS_CLOSED;
    info.inside = type == DATA ? inside : (struct span){0};
    return info;
}

/* A walk through a string and its pieces. */
struct string_walk {
    struct buf *out; /* NULL: only to see whether it ends */
    bool whole;      /* so far: it was understood to its end, or to that of the octets */
};

/* The octets of V, and of its pieces, which readers take whatever they are called; *at: behind it, in S. */
static enum err walk_string(struct string_walk *w, struct span s, const struct value *v, size_t *at, unsigned nesting)
{
    struct value piece;
    enum err e = ERR_OK;
    *at = v->end;
    if ((v->tag & 0x20) == 0) {
        w->whole = w->whole && !v->endless;
        return w->out && !v->endless ? buf_append(w->out, v->content) : ERR_OK;
    }
    struct span around = v->endless ? s : v->content;
    size_t inner = v->endless ? v->end : 0;
    w->whole = w->whole && nesting > 0;
    while (e == ERR_OK && w->whole && value_at(around, inner, &piece))
        e = walk_string(w, around, &piece, &inner, nesting - 1);
    bool ended = v->endless && inner + 2 <= around.len && around.ptr[inner] == 0 && around.ptr[inner + 1] == 0;
    w->whole = w->whole && (ended || inner >= around.len);
    if (v->endless)
        *at = ended ? inner + 2 : s.len;
    return e;
}

static enum err walk_content(struct string_walk *w, struct span inside)
{
    struct value v;
    size_t at = 0;
    if (inside.len == 0)
        return ERR_OK;
    w->whole = value_at(inside, 0, &v) && (v.tag == OCTETS || v.tag == OCTETS_IN_PIECES);
    return w->whole ? walk_string(w, inside, &v, &at, NESTING) : ERR_OK;
}

/* What is not understood to its end may hide anything from us that others read. */
enum mime_cms mime_cms_of(struct span octets)
{
    struct content_info info = content_info(octets);
    struct string_walk walk = {.whole = true};
    if (info.kind == MIME_CMS_CLEAR && (walk_content(&walk, info.inside) != ERR_OK || !walk.whole))
        return MIME_CMS_CLOSED;
    return info.kind;
}

enum err mime_cms_content(struct span octets, struct buf *out)
{
    struct content_info info = content_info(octets);
    struct string_walk walk = {.out = out, .whole = true};
    return info.kind == MIME_CMS_CLEAR ? walk_content(&walk, info.inside) : ERR_OK;
}
