/* SPDX-License-Identifier: MIT */
/* A set of extents with open addressing. Keys are positions in a message, so whoever fills it with colliding ones pays
 * for each with octets of that message: the hash mixes well, and probing is bounded by how full it gets (half). */
#include "base/mem.h"
#include "mime/run.h"

static size_t place_of(const struct mime_extents *set, struct mime_extent one)
{
    uint64_t h = (uint64_t)one.offset * 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 29) ^ one.length) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 32) ^ one.how) * 0x94d049bb133111ebu;
    size_t at = (size_t)(h ^ (h >> 31)) & (set->room - 1);
    while (set->items[at].how != 0 && (set->items[at].offset != one.offset || set->items[at].length != one.length ||
                                       set->items[at].how != one.how))
        at = (at + 1) & (set->room - 1);
    return at;
}

static enum err grow(struct mime_extents *set)
{
    struct mime_extents larger = {.room = set->room ? set->room * 2 : 32};
    larger.items = mem_new(larger.room, sizeof(*larger.items));
    if (!larger.items)
        return ERR_NOMEM;
    for (size_t i = 0; i < set->room; i++)
        if (set->items[i].how != 0)
            larger.items[place_of(&larger, set->items[i])] = set->items[i];
    larger.count = set->count;
    mem_free(set->items);
    *set = larger;
    return ERR_OK;
}

enum err mime_extents_add(struct mime_extents *set, struct mime_extent one, size_t max, bool *added, bool *full)
{
    *added = false;
    *full = false;
    one.how++; /* 0 is a free place */
    if (2 * set->count >= set->room) {
        enum err e = grow(set);
        if (e != ERR_OK)
            return e;
    }
    size_t at = place_of(set, one);
    if (set->items[at].how != 0)
        return ERR_OK;
    if (set->count >= max) {
        *full = true;
        return ERR_OK;
    }
    set->items[at] = one;
    set->count++;
    *added = true;
    return ERR_OK;
}

void mime_extents_release(struct mime_extents *set)
{
    mem_free(set->items);
    *set = (struct mime_extents){0};
}
