/* SPDX-License-Identifier: MIT */
/* A list; there are few. */
#include "scan/engine/layers.h"

#include <string.h>

void layers_clear(struct layers *l)
{
    l->count = 0;
}

void layers_add(struct layers *l, uint64_t size, const struct sha256_digest *digest)
{
    if (l->count < LAYERS_MAX && !layers_hold(l, size, digest))
        l->items[l->count++] = (struct layer){.size = size, .digest = *digest};
}

void layers_join(struct layers *l, const struct layers *from)
{
    for (size_t i = 0; i < from->count; i++)
        layers_add(l, from->items[i].size, &from->items[i].digest);
}

bool layers_have_size(const struct layers *l, uint64_t size)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i].size == size)
            return true;
    return false;
}

bool layers_hold(const struct layers *l, uint64_t size, const struct sha256_digest *digest)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i].size == size && memcmp(&l->items[i].digest, digest, sizeof(*digest)) == 0)
            return true;
    return false;
}
