/* SPDX-License-Identifier: MIT */
/* Allocation with overflow checks. */
#include "base/mem.h"

void *mem_new(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) /* calloc checks too, but a sanitizer's ends the process */
        return NULL;
    return calloc(1, bytes ? bytes : 1);
}

void *mem_resize(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return realloc(old, bytes ? bytes : 1);
}

char *mem_strdup(struct span s)
{
    char *copy = mem_new(s.len + 1, 1);
    if (copy && s.len)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

void mem_free(void *ptr)
{
    free(ptr);
}
