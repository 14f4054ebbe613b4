/* SPDX-License-Identifier: MIT */
/* A watch over real directories: what it tells, and when not. */
#include "scan/host/watch.h"
#include "sys/clock.h"
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SETTLE_MS = 20, GROWING_SETTLE_MS = 1000, PATIENCE_MS = 30000 };

static char base[64], dir[80];
static struct loop *loop;
static struct watch watch;
static struct deadline guard, next;
static unsigned calls, writes_left;

static void in_time(void *arg)
{
    (void)arg;
    ck_abort_msg("the watch said nothing");
}

static void changed(void *arg)
{
    (void)arg;
    calls++;
    loop_stop(loop);
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void begin(void)
{
    snprintf(base, sizeof(base), "/tmp/postern-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(dir, sizeof(dir), "%s/database", base);
    ck_assert_int_eq(mkdir(dir, 0755), 0);
    loop = loop_new();
    ck_assert_ptr_nonnull(loop);
    calls = 0;
    deadline_init(&guard, loop, in_time, NULL);
    watch_init(&watch);
}

static void wait_for_call(void)
{
    unsigned before = calls;
    deadline_set_ms(&guard, PATIENCE_MS);
    loop_run(loop);
    deadline_clear(&guard);
    ck_assert_uint_eq(calls, before + 1);
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st, (void)flag, (void)at;
    return remove(path);
}

static void finish(void)
{
    watch_stop(&watch);
    loop_free(loop);
    ck_assert_int_eq(nftw(base, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

START_TEST(a_change_is_told_once_and_the_next_one_again)
{
    begin();
    watch_add(&watch, dir, false, SETTLE_MS);
    watch_start(&watch, loop, changed, NULL);
    write_file("a.ndb", "x");
    wait_for_call();
    write_file("a.ndb", "y");
    wait_for_call();
    finish();
}
END_TEST

START_TEST(what_changed_while_the_database_was_loaded_is_told)
{
    begin();
    write_file("a.ndb", "x");
    watch_add(&watch, dir, false, SETTLE_MS);
    write_file("a.ndb", "y");
    watch_start(&watch, loop, changed, NULL);
    wait_for_call();
    finish();
}
END_TEST

static void write_some_more(void *arg)
{
    static uint64_t last_us;
    uint64_t now_us = clock_monotonic_us();
    (void)arg;
    if (last_us && now_us - last_us < GROWING_SETTLE_MS * UINT64_C(1000)) /* otherwise we were the ones who paused */
        ck_assert_uint_eq(calls, 0);
    last_us = now_us;
    write_file("a.ndb", "x");
    if (--writes_left > 0)
        deadline_set_ms(&next, SETTLE_MS * 2);
}

START_TEST(a_file_that_grows_is_told_when_it_has_ceased_to)
{
    begin();
    watch_add(&watch, dir, false, GROWING_SETTLE_MS);
    watch_start(&watch, loop, changed, NULL);
    writes_left = 10;
    deadline_init(&next, loop, write_some_more, NULL);
    write_some_more(NULL);
    do
        wait_for_call();
    while (writes_left > 0);
    finish();
}
END_TEST

START_TEST(a_directory_that_appears_or_is_exchanged_is_told)
{
    begin();
    char away[96];
    snprintf(away, sizeof(away), "%s/away", base);
    write_file("a.ndb", "x");
    ck_assert_int_eq(rename(dir, away), 0);
    watch_add(&watch, dir, false, SETTLE_MS);
    watch_start(&watch, loop, changed, NULL);
    ck_assert_int_eq(rename(away, dir), 0);
    wait_for_call();
    ck_assert_int_eq(rename(dir, away), 0);
    ck_assert_int_eq(mkdir(dir, 0755), 0);
    write_file("b.ndb", "y");
    wait_for_call();
    finish();
}
END_TEST

START_TEST(a_single_file_that_is_replaced_is_told)
{
    begin();
    char file[96], beside[96];
    snprintf(file, sizeof(file), "%s/a.ndb", dir);
    snprintf(beside, sizeof(beside), "%s/beside", dir);
    write_file("a.ndb", "x");
    watch_add(&watch, file, false, SETTLE_MS);
    watch_start(&watch, loop, changed, NULL);
    write_file("beside", "y");
    ck_assert_int_eq(rename(beside, file), 0);
    wait_for_call();
    finish();
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_change_is_told_once_and_the_next_one_again)                                                                    \
    X(what_changed_while_the_database_was_loaded_is_told)                                                              \
    X(a_file_that_grows_is_told_when_it_has_ceased_to)                                                                 \
    X(a_directory_that_appears_or_is_exchanged_is_told)                                                                \
    X(a_single_file_that_is_replaced_is_told)
#include "support/check_main.h"
