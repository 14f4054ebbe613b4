/* SPDX-License-Identifier: MIT */
/* What the wrappers around the C library count: what could not be made, read or written, and files that vanished (C15).
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/compiler.h"
#include "scan/engine/shortage.h"

/* ---- failures ---- */

static bool read_broken(void)
{
    char octet;
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC); /* nothing is mapped at its beginning: EIO */
    bool failed = fd >= 0 && read(fd, &octet, 1) < 0;
    close(fd);
    return failed;
}

static bool read_broken_at(void)
{
    char octet;
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    bool failed = fd >= 0 && pread64(fd, &octet, 1, 0) < 0;
    close(fd);
    return failed;
}

static bool read_broken_stream(void)
{
    char octet;
    FILE *f = fopen64("/proc/self/mem", "r");
    bool failed = f && fread(&octet, 1, 1, f) == 0 && ferror(f);
    if (f)
        fclose(f);
    return failed;
}

static bool write_full(void)
{
    int fd = open64("/dev/full", O_WRONLY | O_CLOEXEC);
    bool failed = fd >= 0 && write(fd, "x", 1) < 0;
    close(fd);
    return failed;
}

static bool write_full_parts(void)
{
    char octet = 'x';
    const struct iovec part = {.iov_base = &octet, .iov_len = 1};
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    bool failed = fd >= 0 && writev(fd, &part, 1) < 0;
    close(fd);
    return failed;
}

static bool write_full_at(void)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    bool failed = fd >= 0 && pwrite64(fd, "x", 1, 0) < 0;
    close(fd);
    return failed;
}

static bool write_full_stream(void)
{
    FILE *f = fopen("/dev/full", "r+");
    return f && fputs("x", f) >= 0 && fclose(f) != 0;
}

static void descriptors(rlim_t value)
{
    struct rlimit limit;
    ck_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = value;
    ck_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static rlim_t descriptor_limit(void)
{
    struct rlimit limit;
    ck_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    return limit.rlim_cur;
}

static bool no_descriptor_for_a_copy(void)
{
    rlim_t usual = descriptor_limit();
    descriptors(0);
    bool failed = dup(STDIN_FILENO) < 0;
    descriptors(usual);
    return failed;
}

static bool no_descriptor_for_a_directory(void)
{
    rlim_t usual = descriptor_limit();
    descriptors(0);
    DIR *dir = opendir("/");
    descriptors(usual);
    if (dir)
        closedir(dir);
    return !dir;
}

static bool nowhere_to_make_a_file(void)
{
    int fd = open("/proc/self/no/such/place", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd < 0;
}

static bool nowhere_to_make_a_directory(void)
{
    return mkdir("/proc/self/no/such/place", 0700) != 0;
}

START_TEST(what_cannot_be_made_read_or_written_is_counted)
{
    static const struct {
        const char *what;
        bool (*fails)(void);
    } rows[] = {
        {"read", read_broken},
        {"pread", read_broken_at},
        {"fread", read_broken_stream},
        {"write", write_full},
        {"writev", write_full_parts},
        {"pwrite", write_full_at},
        {"fclose", write_full_stream},
        {"dup", no_descriptor_for_a_copy},
        {"opendir", no_descriptor_for_a_directory},
        {"open", nowhere_to_make_a_file},
        {"mkdir", nowhere_to_make_a_directory},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct shortage before = shortage_seen();
        ck_assert_msg(rows[i].fails(), "%s did not fail: %s", rows[i].what, strerror(errno));
        struct shortage after = shortage_seen();
        ck_assert_msg(after.files > before.files, "%s: its failure was not counted", rows[i].what);
    }
}
END_TEST

START_TEST(what_is_only_looked_for_and_not_there_is_not_counted)
{
    struct shortage before = shortage_seen();
    int fd = open("/no/such/file", O_RDONLY | O_CLOEXEC);
    ck_assert(fd < 0 && errno == ENOENT);
    FILE *f = fopen64("/no/such/file", "r");
    DIR *dir = opendir("/no/such/directory");
    ck_assert(!f && !dir);
    ck_assert(unlink("/no/such/file") != 0 && remove("/no/such/file") != 0);
    struct shortage after = shortage_seen();
    ck_assert_uint_eq(after.files, before.files);
    ck_assert_uint_eq(after.made, before.made);
    ck_assert_uint_eq(after.removed, before.removed);
}
END_TEST

/* ---- files that vanish ---- */

struct place {
    char dir[64], below[80], file[96];
};

static void make_place(struct place *p)
{
    memset(p, 0, sizeof(*p));
    snprintf(p->dir, sizeof(p->dir), "/tmp/postern-shortage-XXXXXX");
    ck_assert(mkdtemp(p->dir) != NULL);
    snprintf(p->below, sizeof(p->below), "%s/below", p->dir);
    snprintf(p->file, sizeof(p->file), "%s/file", p->below);
    ck_assert(mkdir(p->below, 0700) == 0);
}

static void make_by_open(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    ck_assert(fd >= 0);
    close(fd);
}

static void make_by_open_twice(const char *path)
{
    for (int i = 0; i < 2; i++) { /* the second time it is there */
        int fd = open64(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        ck_assert(fd >= 0);
        close(fd);
    }
}

static void make_by_openat(const char *path)
{
    int fd = openat64(AT_FDCWD, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert(fd >= 0);
    close(fd);
}

static void make_by_fopen(const char *path)
{
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen64(path, "w");
        ck_assert(f && fclose(f) == 0);
    }
}

static void (*const makers[])(const char *path) = {make_by_open, make_by_open_twice, make_by_openat, make_by_fopen};

/* As another process would, unseen by the wrappers. */
static void steal(const char *path)
{
    ck_assert(syscall(SYS_unlinkat, AT_FDCWD, path, 0) == 0);
}

START_TEST(a_file_that_somebody_else_removed_is_lost)
{
    for (size_t i = 0; i < ARRAY_SIZE(makers); i++) {
        struct place p;
        make_place(&p);
        struct shortage before = shortage_seen();
        makers[i](p.file);
        ck_assert_uint_eq(shortage_lost(&before, p.dir), 0); /* it is there */
        steal(p.file);
        ck_assert_msg(shortage_lost(&before, p.dir) == 1, "maker %zu", i);
        ck_assert(rmdir(p.below) == 0);
        ck_assert_uint_eq(shortage_lost(&before, p.dir), 1);
        ck_assert(rmdir(p.dir) == 0);
        ck_assert_uint_eq(shortage_lost(&before, p.dir), 1); /* with all around it */
    }
}
END_TEST

static int remove_by_unlinkat(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

START_TEST(a_file_that_was_removed_by_its_maker_is_not_lost)
{
    static int (*const removers[])(const char *path) = {unlink, remove, remove_by_unlinkat};
    for (size_t i = 0; i < ARRAY_SIZE(makers) * ARRAY_SIZE(removers); i++) {
        struct place p;
        make_place(&p);
        struct shortage before = shortage_seen();
        makers[i / ARRAY_SIZE(removers)](p.file);
        ck_assert(removers[i % ARRAY_SIZE(removers)](p.file) == 0);
        ck_assert_uint_eq(shortage_lost(&before, p.dir), 0);
        ck_assert(remove(p.below) == 0 && unlinkat(AT_FDCWD, p.dir, AT_REMOVEDIR) == 0); /* directories do not count */
        ck_assert_uint_eq(shortage_lost(&before, p.dir), 0);
        struct shortage after = shortage_seen();
        ck_assert_uint_eq(after.made - before.made, 1);
        ck_assert_uint_eq(after.removed - before.removed, 1);
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(what_cannot_be_made_read_or_written_is_counted)                                                                  \
    X(what_is_only_looked_for_and_not_there_is_not_counted)                                                            \
    X(a_file_that_somebody_else_removed_is_lost)                                                                       \
    X(a_file_that_was_removed_by_its_maker_is_not_lost)
#include "support/check_main.h"
