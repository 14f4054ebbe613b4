/* SPDX-License-Identifier: MIT */
/* Memory that is taken piece by piece and freed at once: configuration trees, snapshots. One thread at a time. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/span.h"

struct arena_block;
struct arena {
    struct arena_block *blocks;
    size_t used, max; /* bytes handed out, and the bound on them */
};

void arena_init(struct arena *a, size_t max);
void arena_release(struct arena *a);
/* Zeroed, aligned for any object; NULL past the maximum or without memory. Lives until arena_release. */
void *arena_alloc(struct arena *a, size_t size) must_use;
/* A NUL-terminated copy, or NULL. */
char *arena_strdup(struct arena *a, struct span s) must_use;

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
