/* SPDX-License-Identifier: MIT */
/* Temporary directories: who owns what, and removal that touches nothing else. */
#include "daemon/tempdir.h"
#include <check.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[64];

static void begin(mode_t mode)
{
    snprintf(base, sizeof(base), "/tmp/postern-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    ck_assert_int_eq(chmod(base, mode), 0);
    ck_assert_int_eq(setenv("TMPDIR", base, 1), 0);
}

static struct stat stat_of(const char *directory, const char *name)
{
    char path[TEMPDIR_PATH + 64];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    ck_assert_int_eq(lstat(path, &st), 0);
    return st;
}

static void write_file(const char *directory, const char *name)
{
    char path[TEMPDIR_PATH + 64];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

START_TEST(each_pool_gets_its_slots_for_one_user_only)
{
    struct tempdir t;
    struct errtext why;
    char pool[TEMPDIR_PATH];
    begin(0755);
    ck_assert_int_eq(tempdir_make(&t, NULL, &why), ERR_OK);
    ck_assert_ptr_eq(strstr(t.path, base), t.path);
    ck_assert_int_eq(tempdir_make_pool(&t, 1, 3, NULL, pool, &why), ERR_OK);
    ck_assert_int_eq(stat_of(pool, ".").st_mode & 07777, 0700);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(stat_of(pool, (char[]){(char)('0' + i), '\0'}).st_mode & 07777, 0700);
    tempdir_remove(&t);
    ck_assert_int_eq(rmdir(base), 0); /* nothing is left in it */
}
END_TEST

START_TEST(as_root_the_scan_user_owns_pool_and_slots_but_not_what_they_stand_in)
{
    struct tempdir t;
    struct errtext why;
    char pool[TEMPDIR_PATH];
    const struct priv_user user = {.uid = 65534, .gid = 65534, .name = "nobody"};
    if (geteuid() != 0)
        return;
    begin(0755);
    ck_assert_int_eq(tempdir_make(&t, &user, &why), ERR_OK);
    ck_assert_int_eq(stat_of(t.path, ".").st_uid, 0);
    ck_assert_int_eq(stat_of(t.path, ".").st_mode & 07777, 0711);
    ck_assert_int_eq(tempdir_make_pool(&t, 0, 1, &user, pool, &why), ERR_OK);
    ck_assert_int_eq(stat_of(pool, ".").st_uid, 65534);
    ck_assert_int_eq(stat_of(pool, "0").st_uid, 65534);
    tempdir_remove(&t);
    ck_assert_int_eq(rmdir(base), 0);
}
END_TEST

START_TEST(a_tmpdir_that_the_scan_user_cannot_reach_is_not_used)
{
    struct tempdir t;
    struct errtext why;
    const struct priv_user user = {.uid = geteuid(), .gid = getegid(), .name = "other"};
    begin(0700);
    ck_assert_int_eq(tempdir_make(&t, &user, &why), ERR_OK);
    ck_assert_ptr_null(strstr(t.path, base));
    tempdir_remove(&t);
    ck_assert_int_eq(rmdir(base), 0);
}
END_TEST

/* B42 */
START_TEST(removal_takes_all_that_is_inside_and_follows_no_link)
{
    struct tempdir t;
    struct errtext why;
    char pool[TEMPDIR_PATH], path[TEMPDIR_PATH + 64];
    begin(0755);
    write_file(base, "precious");
    ck_assert_int_eq(tempdir_make(&t, NULL, &why), ERR_OK);
    ck_assert_int_eq(tempdir_make_pool(&t, 0, 1, NULL, pool, &why), ERR_OK);
    snprintf(path, sizeof(path), "%s/0/deep", pool);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    write_file(path, "file");
    snprintf(path, sizeof(path), "%s/0/link", pool);
    ck_assert_int_eq(symlink(base, path), 0);
    tempdir_remove(&t);
    stat_of(base, "precious");
    snprintf(path, sizeof(path), "%s/precious", base);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(base), 0);
}
END_TEST

START_TEST(what_a_killed_supervisor_left_is_removed_and_what_is_in_use_is_not)
{
    struct tempdir used, next;
    struct errtext why;
    char pool[TEMPDIR_PATH], stale[128], other[128];
    begin(0755);
    snprintf(stale, sizeof(stale), "%s/postern-scan-abcdef", base);
    snprintf(other, sizeof(other), "%s/somebody-else", base);
    ck_assert_int_eq(mkdir(stale, 0700), 0);
    write_file(stale, "left");
    ck_assert_int_eq(mkdir(other, 0700), 0);
    ck_assert_int_eq(tempdir_make(&used, NULL, &why), ERR_OK);
    ck_assert_int_eq(access(stale, F_OK), -1);
    ck_assert_int_eq(tempdir_make_pool(&used, 0, 1, NULL, pool, &why), ERR_OK);
    ck_assert_int_eq(tempdir_make(&next, NULL, &why), ERR_OK);
    stat_of(pool, "0");
    tempdir_remove(&next);
    tempdir_remove(&used);
    ck_assert_int_eq(rmdir(other), 0);
    ck_assert_int_eq(rmdir(base), 0);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(each_pool_gets_its_slots_for_one_user_only)                                                                      \
    X(as_root_the_scan_user_owns_pool_and_slots_but_not_what_they_stand_in)                                            \
    X(a_tmpdir_that_the_scan_user_cannot_reach_is_not_used)                                                            \
    X(what_a_killed_supervisor_left_is_removed_and_what_is_in_use_is_not)                                              \
    X(removal_takes_all_that_is_inside_and_follows_no_link)
#include "support/check_main.h"
