/* SPDX-License-Identifier: MIT */
/* The wrappers. Each has the name of the C library's function for the linker only, so that no header is in the way, and
 * calls the next function of that name: the library's, or a sanitizer's. The allocator's originals have names of their
 * own, because looking a function up allocates. free and the like need no wrapper. */
#include "scan/engine/shortage.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

/* One allocator and one C library per process, so one count. */
static atomic_uint_fast64_t failed_memory, failed_files;

struct shortage shortage_seen(void)
{
    return (struct shortage){.memory = atomic_load(&failed_memory), .files = atomic_load(&failed_files)};
}

/* An error that says that something has run out; ENOENT and the like are everyday answers to open. */
static void note_shortage(int error)
{
    static const int errors[] = {ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, ENOBUFS, EFBIG, EROFS, EIO};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (errors[i] == error)
            atomic_fetch_add(&failed_files, 1);
}

/* Something that was to be made is not there: whatever the reason, what should go into it will not be looked at. */
static void note_not_made(int error)
{
    if (error != EEXIST)
        atomic_fetch_add(&failed_files, 1);
}

/* The function NAME behind ours, put into *NEXT, which is a pointer to a function. */
static void find_next(void *next, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(next, &found, sizeof(found)); /* C has no conversion from an object's pointer to a function's */
}

/* RETURN_TYPE of the wrapper of NAME, declared with the linker's name of the original. */
#define WRAPPER(return_type, name, ...) return_type shortage_##name(__VA_ARGS__) __asm__(#name)

WRAPPER(int, open64, const char *path, int flags, ...);
WRAPPER(int, openat64, int dirfd, const char *path, int flags, ...);
WRAPPER(FILE *, fopen64, const char *path, const char *mode);
WRAPPER(int, mkdir, const char *path, mode_t mode);
WRAPPER(ssize_t, write, int fd, const void *bytes, size_t len);
WRAPPER(size_t, fwrite, const void *items, size_t size, size_t count, FILE *f);
WRAPPER(int, fputs, const char *text, FILE *f);
WRAPPER(int, fflush, FILE *f);
WRAPPER(int, fclose, FILE *f);

static int note_open(int fd, int flags)
{
    if (fd < 0 && (flags & O_CREAT))
        note_not_made(errno);
    else if (fd < 0)
        note_shortage(errno);
    return fd;
}

static mode_t mode_of(int flags, va_list args)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

int shortage_open64(const char *path, int flags, ...)
{
    static int (*next)(const char *path, int flags, ...);
    if (!next)
        find_next(&next, "open64");
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return note_open(next(path, flags, mode), flags);
}

int shortage_openat64(int dirfd, const char *path, int flags, ...)
{
    static int (*next)(int dirfd, const char *path, int flags, ...);
    if (!next)
        find_next(&next, "openat64");
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return note_open(next(dirfd, path, flags, mode), flags);
}

FILE *shortage_fopen64(const char *path, const char *mode)
{
    static FILE *(*next)(const char *path, const char *mode);
    if (!next)
        find_next(&next, "fopen64");
    FILE *f = next(path, mode);
    note_open(f ? 0 : -1, mode[0] == 'r' ? 0 : O_CREAT);
    return f;
}

int shortage_mkdir(const char *path, mode_t mode)
{
    static int (*next)(const char *path, mode_t mode);
    if (!next)
        find_next(&next, "mkdir");
    return note_open(next(path, mode), O_CREAT);
}

ssize_t shortage_write(int fd, const void *bytes, size_t len)
{
    static ssize_t (*next)(int fd, const void *bytes, size_t len);
    if (!next)
        find_next(&next, "write");
    ssize_t n = next(fd, bytes, len);
    if (n < 0)
        note_shortage(errno);
    return n;
}

size_t shortage_fwrite(const void *items, size_t size, size_t count, FILE *f)
{
    static size_t (*next)(const void *items, size_t size, size_t count, FILE *f);
    if (!next)
        find_next(&next, "fwrite");
    size_t n = next(items, size, count, f);
    if (n < count && size > 0)
        note_shortage(errno);
    return n;
}

int shortage_fputs(const char *text, FILE *f)
{
    static int (*next)(const char *text, FILE *f);
    if (!next)
        find_next(&next, "fputs");
    int n = next(text, f);
    if (n < 0)
        note_shortage(errno);
    return n;
}

int shortage_fflush(FILE *f)
{
    static int (*next)(FILE * f);
    if (!next)
        find_next(&next, "fflush");
    int n = next(f);
    if (n != 0)
        note_shortage(errno);
    return n;
}

int shortage_fclose(FILE *f)
{
    static int (*next)(FILE * f);
    if (!next)
        find_next(&next, "fclose");
    int n = next(f);
    if (n != 0)
        note_shortage(errno);
    return n;
}

#ifndef POSTERN_SANITIZED
void *original_malloc(size_t size) __asm__("__libc_malloc");
void *original_calloc(size_t count, size_t size) __asm__("__libc_calloc");
void *original_realloc(void *old, size_t size) __asm__("__libc_realloc");
void *original_memalign(size_t align, size_t size) __asm__("__libc_memalign");

WRAPPER(void *, malloc, size_t size);
WRAPPER(void *, calloc, size_t count, size_t size);
WRAPPER(void *, realloc, void *old, size_t size);
WRAPPER(void *, memalign, size_t align, size_t size);
WRAPPER(void *, aligned_alloc, size_t align, size_t size);
WRAPPER(int, posix_memalign, void **out, size_t align, size_t size);

static void *note_memory(void *p)
{
    if (!p)
        atomic_fetch_add(&failed_memory, 1);
    return p;
}

void *shortage_malloc(size_t size)
{
    return note_memory(original_malloc(size));
}

void *shortage_calloc(size_t count, size_t size)
{
    return note_memory(original_calloc(count, size));
}

void *shortage_realloc(void *old, size_t size)
{
    void *p = original_realloc(old, size);
    return p || (old && size == 0) ? p : note_memory(p); /* realloc(old, 0) frees and answers NULL */
}

void *shortage_memalign(size_t align, size_t size)
{
    return note_memory(original_memalign(align, size));
}

void *shortage_aligned_alloc(size_t align, size_t size)
{
    return note_memory(original_memalign(align, size));
}

int shortage_posix_memalign(void **out, size_t align, size_t size)
{
    if (align % sizeof(void *) != 0 || (align & (align - 1)) != 0 || align == 0)
        return EINVAL;
    int saved = errno;
    void *p = note_memory(original_memalign(align, size));
    errno = saved;
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}
#endif
