/* SPDX-License-Identifier: MIT */
/* The spool directory: which ones are taken, which are refused, and what is said about it. */
#include "spool/message.h"
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

struct bench {
    char base[64];
    char path[128];
    char own[192]; /* path + our subdirectory */
};

static void setup(struct bench *b)
{
    snprintf(b->base, sizeof(b->base), "/tmp/postern-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(b->base));
    snprintf(b->path, sizeof(b->path), "%s/spool", b->base);
    snprintf(b->own, sizeof(b->own), "%s/postern-%u", b->path, (unsigned)geteuid());
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void teardown(struct bench *b)
{
    nftw(b->base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make(const char *path, mode_t mode)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static void assert_used(struct bench *b, const char *expected)
{
    struct errtext why;
    struct stat st;
    struct spool *s = spool_open(b->path, 1000, &why);
    ck_assert_msg(s != NULL, "%s", why.text);
    ck_assert_str_eq(spool_path(s), expected);
    ck_assert_int_eq(lstat(expected, &st), 0);
    ck_assert_int_eq(st.st_mode & 022, 0);
    ck_assert_uint_eq(st.st_uid, geteuid());
    spool_close(s);
}

static void assert_refused(struct bench *b, const char *because)
{
    struct errtext why = {""};
    ck_assert_ptr_null(spool_open(b->path, 1000, &why));
    ck_assert_msg(strstr(why.text, because) && strstr(why.text, b->path), "said: %s", why.text);
}

START_TEST(a_missing_directory_is_made_private)
{
    struct bench b;
    struct stat st;
    setup(&b);
    umask(0);
    assert_used(&b, b.path);
    ck_assert_int_eq(lstat(b.path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0700);
    teardown(&b);
}
END_TEST

START_TEST(a_directory_of_our_own_is_used_itself)
{
    static const mode_t modes[] = {0700, 0750, 0755, 01700};
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        struct bench b;
        setup(&b);
        make(b.path, modes[i]);
        assert_used(&b, b.path);
        teardown(&b);
    }
}
END_TEST

START_TEST(a_sticky_directory_gets_a_private_subdirectory)
{
    struct bench b;
    setup(&b);
    make(b.path, 01777);
    assert_used(&b, b.own);
    assert_used(&b, b.own); /* and it is found again */
    teardown(&b);
}
END_TEST

/* B42 */
START_TEST(a_directory_that_others_can_write_is_refused)
{
    static const mode_t modes[] = {0777, 0770, 0702};
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        struct bench b;
        setup(&b);
        make(b.path, modes[i]);
        assert_refused(&b, "can be written by others");
        teardown(&b);
    }
}
END_TEST

/* B42 */
START_TEST(a_link_a_file_and_a_fifo_are_refused)
{
    for (int kind = 0; kind < 4; kind++) {
        struct bench b;
        char target[128];
        setup(&b);
        snprintf(target, sizeof(target), "%s/target", b.base);
        make(target, 0700);
        if (kind <= 1)
            ck_assert_int_eq(symlink(target, b.path), 0);
        else if (kind == 2)
            ck_assert_int_eq(mknod(b.path, S_IFREG | 0600, 0), 0);
        else
            ck_assert_int_eq(mkfifo(b.path, 0600), 0);
        if (kind == 1) { /* a slash behind it changes nothing */
            struct errtext why = {""};
            char slash[160];
            snprintf(slash, sizeof(slash), "%s//", b.path);
            ck_assert_ptr_null(spool_open(slash, 1000, &why));
        } else {
            assert_refused(&b, "not a directory");
        }
        teardown(&b);
    }
}
END_TEST

/* B42 */
START_TEST(what_somebody_planted_below_a_sticky_directory_is_refused)
{
    for (int kind = 0; kind < 3; kind++) {
        struct bench b;
        struct errtext why = {""};
        setup(&b);
        make(b.path, 01777);
        if (kind == 0)
            ck_assert_int_eq(symlink(b.base, b.own), 0);
        else if (kind == 1)
            make(b.own, 0755); /* ours, but open to others */
        else
            ck_assert_int_eq(mkfifo(b.own, 0600), 0);
        ck_assert_ptr_null(spool_open(b.path, 1000, &why));
        ck_assert_str_ne(why.text, "");
        teardown(&b);
    }
}
END_TEST

/* B42 */
START_TEST(a_directory_of_another_user_is_refused)
{
    if (geteuid() != 0) /* only root can make one */
        return;
    struct bench b;
    struct errtext why = {""};
    setup(&b);
    make(b.path, 0700);
    ck_assert_int_eq(chown(b.path, 65534, 65534), 0);
    assert_refused(&b, "expected user 0 or root");
    /* also as our own subdirectory of a sticky one */
    ck_assert_int_eq(chown(b.path, 0, 0), 0);
    ck_assert_int_eq(chmod(b.path, 01777), 0);
    make(b.own, 0700);
    ck_assert_int_eq(chown(b.own, 65534, 65534), 0);
    ck_assert_ptr_null(spool_open(b.path, 1000, &why));
    ck_assert_ptr_nonnull(strstr(why.text, "belongs to user 65534"));
    teardown(&b);
}
END_TEST

START_TEST(a_missing_parent_is_reported)
{
    struct bench b;
    setup(&b);
    snprintf(b.path, sizeof(b.path), "%s/no/such", b.base);
    assert_refused(&b, "No such file or directory");
    teardown(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_missing_directory_is_made_private)                                                                             \
    X(a_directory_of_our_own_is_used_itself)                                                                           \
    X(a_sticky_directory_gets_a_private_subdirectory)                                                                  \
    X(a_directory_that_others_can_write_is_refused)                                                                    \
    X(a_link_a_file_and_a_fifo_are_refused)                                                                            \
    X(what_somebody_planted_below_a_sticky_directory_is_refused)                                                       \
    X(a_directory_of_another_user_is_refused)                                                                          \
    X(a_missing_parent_is_reported)
#include "support/check_main.h"
