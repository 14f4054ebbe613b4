/* SPDX-License-Identifier: MIT */
/* Allocation. Every failure is reported to the caller, who ends one session with it, never the process. Tests make the
 * n-th call fail by wrapping malloc, calloc and realloc at link time; there is no hook here. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/compiler.h"
#include "base/span.h"

/* Zeroed memory for COUNT objects of SIZE bytes, or NULL (also when the product overflows). Free with mem_free. */
void *mem_new(size_t count, size_t size) must_use;
/* realloc with an overflow check; NULL leaves OLD as it was. New bytes are not zeroed. */
void *mem_resize(void *old, size_t count, size_t size) must_use;
/* A NUL-terminated copy, or NULL. */
char *mem_strdup(struct span s) must_use;
void mem_free(void *ptr);

#define MEM_NEW(type) ((type *)mem_new(1, sizeof(type)))

#endif
