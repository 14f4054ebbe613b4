/* SPDX-License-Identifier: MIT */
/* TNEF's attributes, one after the other. A checksum that is wrong is noted, not obeyed: readers ignore it, too. */
#include "mime/tnef.h"
#include <stdint.h>

enum { SIGNATURE = 0x223e9f78, HEAD = 6, ATTRIBUTE_HEAD = 9, CHECKSUM = 2 };
/* Attributes that carry content: MS-OXTNEF 2.1.3.2. */
enum {
    ATTACH_TITLE = 0x00018010,
    ATTACH_DATA = 0x0006800f,
    ATTACH_BEGINS = 0x00069002, /* attAttachRendData */
    ATTACH_PROPERTIES = 0x00069005,
    MESSAGE_BODY = 0x0002800c,
    MESSAGE_PROPERTIES = 0x00069003,
};

static uint32_t le32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

bool mime_tnef_open(struct mime_tnef *t, struct span octets)
{
    *t = (struct mime_tnef){0};
    if (octets.len < HEAD || le32(octets.ptr) != SIGNATURE)
        return false;
    t->rest = span_sub(octets, HEAD, octets.len);
    return true;
}

static bool checks(struct span data, const char *checksum)
{
    unsigned sum = 0;
    for (size_t i = 0; i < data.len; i++)
        sum += (unsigned char)data.ptr[i];
    return (sum & 0xffff) == ((unsigned char)checksum[0] | (unsigned)(unsigned char)checksum[1] << 8);
}

bool mime_tnef_next(struct mime_tnef *t, struct mime_tnef_file *file)
{
    while (t->rest.len > ATTRIBUTE_HEAD) {
        uint32_t id = le32(t->rest.ptr + 1), length = le32(t->rest.ptr + 5);
        struct span data = span_sub(t->rest, ATTRIBUTE_HEAD, length);
        struct span after = span_sub(t->rest, ATTRIBUTE_HEAD + data.len, t->rest.len);
        if (data.len < length || after.len < CHECKSUM || !checks(data, after.ptr))
            t->broken = true;
        t->rest = span_sub(after, CHECKSUM, after.len);
        if (id == ATTACH_BEGINS)
            t->title = (struct span){0};
        if (id == ATTACH_TITLE)
            t->title = span_sub(data, 0, span_find(data, '\0'));
        if (id != ATTACH_DATA && id != ATTACH_PROPERTIES && id != MESSAGE_BODY && id != MESSAGE_PROPERTIES)
            continue;
        /* Properties are given raw: embedded objects, HTML and RTF texts stand in them as they are. */
        bool named = id == ATTACH_DATA || id == ATTACH_PROPERTIES;
        *file = (struct mime_tnef_file){.name = named ? t->title : (struct span){0}, .data = data};
        return true;
    }
    t->broken = t->broken || t->rest.len > 0;
    return false;
}
