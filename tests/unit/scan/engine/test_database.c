/* SPDX-License-Identifier: MIT */
/* What counts as a change of a signature database. */
#include "scan/engine/database.h"
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void begin(void)
{
    snprintf(dir, sizeof(dir), "/tmp/postern-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    write_file("one.ndb", "Test:0:*:00");
}

static void finish(void)
{
    static const char *const names[] = {"one.ndb", "two.CVD", "freshclam.dat", "new", "tmp.1/daily.cvd"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(in_dir(names[i]));
    rmdir(in_dir("tmp.1"));
    ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(signature_files_that_come_grow_are_replaced_or_go_are_a_change)
{
    begin();
    uint64_t now, before = database_fingerprint(dir);
    ck_assert_uint_eq(database_fingerprint(dir), before);
    write_file("two.CVD", "x");
    ck_assert_uint_ne(now = database_fingerprint(dir), before);
    before = now;
    write_file("two.CVD", "y");
    ck_assert_uint_ne(now = database_fingerprint(dir), before);
    before = now;
    struct stat st;
    ck_assert_int_eq(stat(in_dir("two.CVD"), &st), 0);
    write_file("new", "zz"); /* of the same size and age */
    const struct timespec times[] = {st.st_atim, st.st_mtim};
    ck_assert_int_eq(utimensat(AT_FDCWD, in_dir("new"), times, 0), 0);
    char new_path[128];
    snprintf(new_path, sizeof(new_path), "%s", in_dir("new"));
    ck_assert_int_eq(rename(new_path, in_dir("two.CVD")), 0);
    ck_assert_uint_ne(now = database_fingerprint(dir), before);
    before = now;
    ck_assert_int_eq(unlink(in_dir("two.CVD")), 0);
    ck_assert_uint_ne(database_fingerprint(dir), before);
    finish();
}
END_TEST

START_TEST(a_file_that_becomes_unreadable_is_a_change)
{
    begin();
    uint64_t before = database_fingerprint(dir);
    ck_assert_int_eq(chmod(in_dir("one.ndb"), 0), 0);
    ck_assert_uint_ne(database_fingerprint(dir), before);
    finish();
}
END_TEST

START_TEST(what_an_updater_keeps_beside_them_is_none)
{
    begin();
    uint64_t before = database_fingerprint(dir);
    write_file("freshclam.dat", "its memory");
    ck_assert_int_eq(mkdir(in_dir("tmp.1"), 0755), 0);
    write_file("tmp.1/daily.cvd", "half a file");
    ck_assert_uint_eq(database_fingerprint(dir), before);
    finish();
}
END_TEST

START_TEST(of_a_vendors_database_every_visible_file_counts)
{
    begin();
    uint64_t before = database_fingerprint_of_all(dir);
    write_file(".new", "half a file");
    ck_assert_uint_eq(database_fingerprint_of_all(dir), before);
    write_file("freshclam.dat", "who knows");
    ck_assert_uint_ne(database_fingerprint_of_all(dir), before);
    ck_assert_int_eq(unlink(in_dir(".new")), 0);
    finish();
}
END_TEST

START_TEST(a_database_may_be_one_file_or_missing)
{
    begin();
    uint64_t missing = database_fingerprint(in_dir("two.CVD"));
    ck_assert_uint_eq(database_fingerprint(in_dir("two.CVD")), missing);
    write_file("two.CVD", "x");
    uint64_t there = database_fingerprint(in_dir("two.CVD"));
    ck_assert_uint_ne(there, missing);
    write_file("two.CVD", "y");
    ck_assert_uint_ne(database_fingerprint(in_dir("two.CVD")), there);
    finish();
}
END_TEST

#define CASES(X)                                                                                                       \
    X(signature_files_that_come_grow_are_replaced_or_go_are_a_change)                                                  \
    X(a_file_that_becomes_unreadable_is_a_change)                                                                      \
    X(of_a_vendors_database_every_visible_file_counts)                                                                 \
    X(what_an_updater_keeps_beside_them_is_none)                                                                       \
    X(a_database_may_be_one_file_or_missing)
#include "support/check_main.h"
