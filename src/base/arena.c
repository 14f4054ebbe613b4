/* SPDX-License-Identifier: MIT */
/* Arena: one allocation per piece on a chain. Configuration is small; what counts is one release. */
#include "base/arena.h"
#include "base/mem.h"
#include <stdalign.h>

struct arena_block {
    struct arena_block *next;
    alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena){.max = max};
}

void arena_release(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *block = a->blocks;
        a->blocks = block->next;
        mem_free(block);
    }
    a->used = 0;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > a->max - a->used)
        return NULL;
    struct arena_block *block = mem_new(1, sizeof(*block) + size);
    if (!block)
        return NULL;
    block->next = a->blocks;
    a->blocks = block;
    a->used += size;
    return block->bytes;
}

char *arena_strdup(struct arena *a, struct span s)
{
    char *copy = arena_alloc(a, s.len + 1);
    if (copy && s.len)
        memcpy(copy, s.ptr, s.len);
    return copy;
}
