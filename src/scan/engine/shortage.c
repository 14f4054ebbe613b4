/* SPDX-License-Identifier: MIT */
/* The wrappers. Each has the name of the C library's function for the linker only, so that no header is in the way, and
 * calls the next function of that name: the library's, or a sanitizer's. The allocator's originals have names of their
 * own, because looking a function up allocates. free and the like need no wrapper. */
#include "scan/engine/shortage.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* Directories below a worker's own; what a scan leaves is flat, or nearly. */
enum { LEFT_DEPTH = 32 };

/* One allocator and one C library per process, so one count. */
static atomic_uint_fast64_t failed_memory, failed_files, made_files, removed_files;

struct shortage shortage_seen(void)
{
    return (struct shortage){.memory = atomic_load(&failed_memory),
                             .files = atomic_load(&failed_files),
                             .made = atomic_load(&made_files),
                             .removed = atomic_load(&removed_files)};
}

/* Adds the files below DIRFD, which it closes. */
static void count_left(int dirfd, unsigned depth, uint64_t *count)
{
    DIR *dir = dirfd < 0 ? NULL : fdopendir(dirfd);
    if (!dir) {
        if (dirfd >= 0)
            close(dirfd);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (!S_ISDIR(st.st_mode))
            ++*count;
        else if (depth < LEFT_DEPTH)
            count_left(openat(dirfd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), depth + 1, count);
    }
    closedir(dir);
}

uint64_t shortage_lost(const struct shortage *before, const char *temp)
{
    struct shortage now = shortage_seen();
    uint64_t made = now.made - before->made, removed = now.removed - before->removed, left = 0;
    if (made <= removed)
        return 0;
    count_left(open(temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0, &left);
    return made - removed > left ? made - removed - left : 0;
}

/* An error that says that something has run out or broken; ENOENT and the like are everyday answers to open. */
static void note_shortage(int error)
{
    static const int errors[] = {ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, ENOBUFS, EFBIG, EROFS, EIO, ESTALE};
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

/* The function NAME behind ours, put into *NEXT, which is a pointer to a function, unless it is there. */
static void find_next(void *next, const char *name)
{
    void *found;
    memcpy(&found, next, sizeof(found)); /* C has no conversion between an object's pointer and a function's */
    if (found)
        return;
    found = dlsym(RTLD_NEXT, name);
    memcpy(next, &found, sizeof(found));
}

/* RETURN_TYPE of the wrapper of NAME, declared with the linker's name of the original. */
#define WRAPPER(return_type, name, ...) return_type shortage_##name(__VA_ARGS__) __asm__(#name)
/* In a function: NEXT, what is called NAME behind its wrapper. */
#define FIND_NEXT(name)                                                                                                \
    static __typeof__(shortage_##name) *next;                                                                          \
    find_next(&next, #name)
/* The old names differ by a limit of 2 GiB on 32-bit machines, which nobody misses. */
#define SAME_AS(name) __attribute__((alias(name)))

WRAPPER(int, open64, const char *path, int flags, ...);
WRAPPER(int, open, const char *path, int flags, ...) SAME_AS("open64");
WRAPPER(int, openat64, int dirfd, const char *path, int flags, ...);
WRAPPER(FILE *, fopen64, const char *path, const char *mode);
WRAPPER(FILE *, fopen, const char *path, const char *mode) SAME_AS("fopen64");
WRAPPER(int, mkdir, const char *path, mode_t mode);
WRAPPER(DIR *, opendir, const char *path);
WRAPPER(int, dup, int fd);
WRAPPER(int, unlink, const char *path);
WRAPPER(int, unlinkat, int dirfd, const char *path, int flags);
WRAPPER(int, remove, const char *path);
WRAPPER(ssize_t, read, int fd, void *out, size_t len);
WRAPPER(ssize_t, pread64, int fd, void *out, size_t len, off64_t at);
WRAPPER(ssize_t, write, int fd, const void *bytes, size_t len);
WRAPPER(ssize_t, pwrite64, int fd, const void *bytes, size_t len, off64_t at);
WRAPPER(ssize_t, writev, int fd, const struct iovec *parts, int count);
WRAPPER(int, ftruncate64, int fd, off64_t len);
WRAPPER(size_t, fread, void *out, size_t size, size_t count, FILE *f);
WRAPPER(size_t, fwrite, const void *items, size_t size, size_t count, FILE *f);
WRAPPER(int, fputs, const char *text, FILE *f);
WRAPPER(int, fflush, FILE *f);
WRAPPER(int, fclose, FILE *f);

/* PATH is there before it is opened for writing, so that opening does not make it. */
static bool is_there(int dirfd, const char *path, int flags)
{
    int saved = errno;
    bool there = (flags & O_CREAT) && !(flags & O_EXCL) && faccessat(dirfd, path, F_OK, 0) == 0;
    errno = saved;
    return there;
}

static int note_open(int fd, int flags, bool was_there)
{
    if (fd >= 0 && (flags & O_CREAT) && !was_there)
        atomic_fetch_add(&made_files, 1);
    if (fd < 0 && (flags & O_CREAT))
        note_not_made(errno);
    else if (fd < 0)
        note_shortage(errno);
    return fd;
}

static int note_removed(int result)
{
    if (result == 0)
        atomic_fetch_add(&removed_files, 1);
    return result;
}

/* RESULT below zero: it failed. */
static ssize_t note_result(ssize_t result)
{
    if (result < 0)
        note_shortage(errno);
    return result;
}

static mode_t mode_of(int flags, va_list args)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

static int open_at(int dirfd, const char *path, int flags, mode_t mode)
{
    FIND_NEXT(openat64);
    bool was_there = is_there(dirfd, path, flags);
    return note_open(next(dirfd, path, flags, mode), flags, was_there);
}

int shortage_open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return open_at(AT_FDCWD, path, flags, mode);
}

int shortage_openat64(int dirfd, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return open_at(dirfd, path, flags, mode);
}

FILE *shortage_fopen64(const char *path, const char *mode)
{
    FIND_NEXT(fopen64);
    int flags = mode[0] == 'r' ? 0 : O_CREAT | (strchr(mode, 'x') ? O_EXCL : 0);
    bool was_there = is_there(AT_FDCWD, path, flags);
    FILE *f = next(path, mode);
    note_open(f ? 0 : -1, flags, was_there);
    return f;
}

int shortage_mkdir(const char *path, mode_t mode)
{
    FIND_NEXT(mkdir);
    int result = next(path, mode);
    if (result != 0)
        note_not_made(errno);
    return result;
}

DIR *shortage_opendir(const char *path)
{
    FIND_NEXT(opendir);
    DIR *dir = next(path);
    note_result(dir ? 0 : -1);
    return dir;
}

int shortage_dup(int fd)
{
    FIND_NEXT(dup);
    return (int)note_result(next(fd));
}

int shortage_unlink(const char *path)
{
    FIND_NEXT(unlink);
    return note_removed(next(path));
}

int shortage_unlinkat(int dirfd, const char *path, int flags)
{
    FIND_NEXT(unlinkat);
    int result = next(dirfd, path, flags);
    return flags & AT_REMOVEDIR ? result : note_removed(result);
}

/* As glibc's, but with our unlink. */
int shortage_remove(const char *path)
{
    return unlink(path) == 0 || (errno == EISDIR && rmdir(path) == 0) ? 0 : -1;
}

ssize_t shortage_read(int fd, void *out, size_t len)
{
    FIND_NEXT(read);
    return note_result(next(fd, out, len));
}

ssize_t shortage_pread64(int fd, void *out, size_t len, off64_t at)
{
    FIND_NEXT(pread64);
    return note_result(next(fd, out, len, at));
}

ssize_t shortage_write(int fd, const void *bytes, size_t len)
{
    FIND_NEXT(write);
    return note_result(next(fd, bytes, len));
}

ssize_t shortage_pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    FIND_NEXT(pwrite64);
    return note_result(next(fd, bytes, len, at));
}

ssize_t shortage_writev(int fd, const struct iovec *parts, int count)
{
    FIND_NEXT(writev);
    return note_result(next(fd, parts, count));
}

int shortage_ftruncate64(int fd, off64_t len)
{
    FIND_NEXT(ftruncate64);
    return (int)note_result(next(fd, len));
}

size_t shortage_fread(void *out, size_t size, size_t count, FILE *f)
{
    FIND_NEXT(fread);
    size_t n = next(out, size, count, f);
    if (n < count && ferror(f))
        note_shortage(errno);
    return n;
}

size_t shortage_fwrite(const void *items, size_t size, size_t count, FILE *f)
{
    FIND_NEXT(fwrite);
    size_t n = next(items, size, count, f);
    if (n < count && size > 0)
        note_shortage(errno);
    return n;
}

int shortage_fputs(const char *text, FILE *f)
{
    FIND_NEXT(fputs);
    return (int)note_result(next(text, f));
}

int shortage_fflush(FILE *f)
{
    FIND_NEXT(fflush);
    return (int)note_result(next(f));
}

int shortage_fclose(FILE *f)
{
    FIND_NEXT(fclose);
    return (int)note_result(next(f));
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

WRAPPER(void *, mmap64, void *address, size_t len, int protection, int flags, int fd, off64_t at);

void *shortage_mmap64(void *address, size_t len, int protection, int flags, int fd, off64_t at)
{
    FIND_NEXT(mmap64);
    void *p = next(address, len, protection, flags, fd, at);
    if (p == MAP_FAILED && errno == ENOMEM)
        atomic_fetch_add(&failed_memory, 1);
    return p;
}
#endif
