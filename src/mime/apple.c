/* SPDX-License-Identifier: MIT */
/* Numbers are big-endian: magic, version, 16 octets of filler, count of entries; each entry kind, offset, length. */
#include "mime/apple.h"

enum { HEAD = 26, ENTRY = 12, DATA_FORK = 1, RESOURCE_FORK = 2, REAL_NAME = 3 };

static size_t number(struct span s, size_t at, size_t octets)
{
    size_t value = 0;
    for (size_t i = at; i < at + octets; i++)
        value = value << 8 | (unsigned char)s.ptr[i];
    return value;
}

/* The entry at INDEX, which is below the count. */
static size_t entry_at(const struct mime_apple *a, unsigned index, struct span *content)
{
    size_t at = HEAD + (size_t)index * ENTRY;
    *content = span_sub(a->octets, number(a->octets, at + 4, 4), number(a->octets, at + 8, 4));
    return number(a->octets, at, 4);
}

bool mime_apple_open(struct mime_apple *a, struct span octets)
{
    *a = (struct mime_apple){.octets = octets};
    /* Single or double, version 1 or 2. */
    if (octets.len < HEAD || number(octets, 0, 3) != 0x000516 || (octets.ptr[3] & ~7) != 0 ||
        (number(octets, 4, 4) != 0x00010000 && number(octets, 4, 4) != 0x00020000))
        return false;
    size_t most = (octets.len - HEAD) / ENTRY;
    a->count = (unsigned)number(octets, 24, 2);
    a->count = a->count < most ? a->count : (unsigned)most;
    return true;
}

void mime_apple_names(const struct mime_apple *a, struct span *first, struct span *last)
{
    struct span content;
    *first = *last = (struct span){0};
    for (unsigned i = 0; i < a->count; i++)
        if (entry_at(a, i, &content) == REAL_NAME && content.len > 0) {
            *first = first->len > 0 ? *first : content;
            *last = content;
        }
}

bool mime_apple_next(struct mime_apple *a, struct span *fork)
{
    while (a->next < a->count) {
        size_t kind = entry_at(a, a->next++, fork);
        if ((kind == DATA_FORK || kind == RESOURCE_FORK) && fork->len > 0)
            return true;
    }
    return false;
}
