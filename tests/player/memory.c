/* SPDX-License-Identifier: MIT */
/* Linked with --wrap, in front of the C library's allocator (C24) and of fsync: no machine crashes here, and thousands
 * of runs would wait for the disk. */
#include "player/memory.h"
#include <fcntl.h>
#include <stddef.h>

static struct {
    int inside, paused, failed;
    unsigned long count, fail_at;
    long live;
} memory;

void memory_enter(void)
{
    memory.inside++;
}

void memory_leave(void)
{
    memory.inside--;
}

void memory_pause(void)
{
    memory.paused++;
}

void memory_resume(void)
{
    memory.paused--;
}

void memory_fail_at(unsigned long n)
{
    memory.count = 0;
    memory.failed = 0;
    memory.fail_at = n;
}

int memory_has_failed(void)
{
    return memory.failed;
}

long memory_live(void)
{
    return memory.live;
}

static int fails(void)
{
    if (!memory.inside || memory.paused || ++memory.count != memory.fail_at)
        return 0;
    memory.failed = 1;
    return 1;
}

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *block);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *block);

void *__wrap_calloc(size_t count, size_t size)
{
    if (fails())
        return NULL;
    void *block = __real_calloc(count, size);
    memory.live += block != NULL;
    return block;
}

void *__wrap_realloc(void *old, size_t size)
{
    if (fails())
        return NULL;
    void *block = __real_realloc(old, size);
    memory.live += block != NULL && old == NULL;
    return block;
}

void __wrap_free(void *block)
{
    memory.live -= block != NULL;
    __real_free(block);
}

int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
    return fcntl(fd, F_GETFD) < 0 ? -1 : 0; /* EBADF, as from the real one */
}
