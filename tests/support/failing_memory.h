/* SPDX-License-Identifier: MIT */
/* Memory that runs out: the linker sends calloc and realloc of our code through these (tests/CMakeLists.txt looks for
 * this header's name). Any thread. */
#ifndef SUPPORT_FAILING_MEMORY_H
#define SUPPORT_FAILING_MEMORY_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static _Atomic long allocations_left = -1; /* until one fails; negative: none does */

static inline bool allocation_fails(void)
{
    return atomic_load(&allocations_left) >= 0 && atomic_fetch_sub(&allocations_left, 1) == 0;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : __real_calloc(count, size);
}
void *__wrap_realloc(void *old, size_t size)
{
    return allocation_fails() ? NULL : __real_realloc(old, size);
}

/* The N-th allocation from now on fails, from 0. */
static inline void memory_fails_at(long n)
{
    atomic_store(&allocations_left, n);
}

/* None fails any more. Whether one has failed. */
static inline bool memory_failed(void)
{
    return atomic_exchange(&allocations_left, -1) < 0;
}

#endif
