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

enum mime_cms mime_cms_of(struct span octets)
{
    return content_info(octets).kind;
}

/* The octets of the string at *at, however many pieces it has. */
static enum err append_string(struct span s, size_t *at, unsigned nesting, struct buf *out)
{
    struct value v, piece;
    enum err e = ERR_OK;
    if (!value_at(s, *at, &v) || (v.tag != OCTETS && v.tag != OCTETS_IN_PIECES) || nesting == 0) {
        *at = s.len;
        return ERR_OK;
    }
    *at = v.end;
    if (v.tag == OCTETS)
        return v.endless ? ERR_OK : buf_append(out, v.content);
    struct span around = v.endless ? s : v.content;
    size_t inner = v.endless ? v.end : 0;
    while (e == ERR_OK && value_at(around, inner, &piece))
        e = append_string(around, &inner, nesting - 1, out);
    if (v.endless)
        *at = inner + 2 < s.len ? inner + 2 : s.len;
    return e;
}

enum err mime_cms_content(struct span octets, struct buf *out)
{
    struct content_info info = content_info(octets);
    size_t at = 0;
    enum err e = ERR_OK;
    while (e == ERR_OK && info.kind == MIME_CMS_CLEAR && at < info.inside.len)
        e = append_string(info.inside, &at, NESTING, out);
    return e;
}
