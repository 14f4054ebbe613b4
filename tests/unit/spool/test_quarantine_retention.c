/* SPDX-License-Identifier: MIT */
/* What leaves quarantine by age and for room, also where the disk is full, the clock wrong, or something cannot be
 * deleted (C35). */
#include "support/quarantine_rig.h"

START_TEST(what_is_too_old_goes_oldest_first_with_a_line_in_the_log)
{
    enum { MANY = 300 };
    struct bench b;
    char old[QUARANTINE_ID_SIZE], young[QUARANTINE_ID_SIZE];
    struct quarantine_entry e;
    setup(&b);
    b.limits.max_size = 1 << 30;
    open_again(&b);
    for (unsigned i = 0; i < MANY; i++)
        keep_at(&b, NOW - 30 * DAY - (MANY - i) * 60000, TEXT, old);
    keep_at(&b, NOW - 30 * DAY + 60000, TEXT, young);
    ck_assert(quarantine_sweep(b.q, NOW));
    ck_assert_int_eq(show(&b, old, &e), ERR_OK); /* a part at a time */
    quarantine_entry_release(&e);
    while (quarantine_sweep(b.q, NOW))
        ;
    ck_assert_int_eq(show(&b, old, &e), ERR_NOTFOUND);
    ck_assert_int_eq(show(&b, young, &e), ERR_OK);
    quarantine_entry_release(&e);
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 1);
    ck_assert_uint_eq(quarantine_usage(b.q).octets, 8192);
    ck_assert_ptr_nonnull(strstr(b.lines, "quarantine_max_age"));
    ck_assert(!quarantine_sweep(b.q, NOW));
    struct stat st;
    ck_assert_int_eq(stat(b.dir, &st), 0);
    ck_assert_uint_le(st.st_nlink, 3); /* directories of empty hours are gone */
    teardown(&b);
}
END_TEST

START_TEST(the_oldest_make_room_but_nothing_young_does)
{
    struct bench b;
    char first[QUARANTINE_ID_SIZE], second[QUARANTINE_ID_SIZE], third[QUARANTINE_ID_SIZE], why[ERRTEXT_SIZE];
    struct quarantine_entry e;
    setup(&b);
    b.limits.max_size = 2 * 8192;
    open_again(&b);
    keep_at(&b, NOW - 2 * DAY, TEXT, first);
    keep_at(&b, NOW - DAY / 2, TEXT, second);
    keep_at(&b, NOW, TEXT, third);
    ck_assert_int_eq(show(&b, first, &e), ERR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(b.lines, first));
    ck_assert_ptr_nonnull(strstr(b.lines, "to make room"));
    struct quarantine_meta m = meta_at(NOW);
    ck_assert_int_eq(keep_as(&b, &m, TEXT, why), QUARANTINE_FAILED);
    ck_assert_ptr_nonnull(strstr(why, "full"));
    ck_assert_ptr_nonnull(strstr(why, "quarantine_min_age"));
    ck_assert_int_eq(show(&b, second, &e), ERR_OK);
    quarantine_entry_release(&e);
    ck_assert_uint_eq(files_in(b.dir), 4);
    ck_assert_uint_eq(quarantine_usage(b.q).octets, 2 * 8192);
    teardown(&b);
}
END_TEST

START_TEST(a_smaller_limit_is_reached_by_the_sweep)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE];
    setup(&b);
    for (unsigned i = 0; i < 10; i++)
        keep_at(&b, NOW - 2 * DAY + i * 1000, TEXT, id);
    b.limits.max_size = 3 * 8192;
    open_again(&b);
    ck_assert(!quarantine_sweep(b.q, NOW));
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 3);
    ck_assert_ptr_nonnull(strstr(b.lines, "quarantine_max_size"));
    teardown(&b);
}
END_TEST

START_TEST(a_message_larger_than_quarantine_drives_nothing_out)
{
    static char large[40000];
    struct bench b;
    char id[QUARANTINE_ID_SIZE], why[ERRTEXT_SIZE];
    struct quarantine_meta m = meta_at(NOW);
    setup(&b);
    b.limits.max_size = 4 * 8192;
    open_again(&b);
    keep_at(&b, NOW - 2 * DAY, TEXT, id);
    memset(large, 'x', sizeof(large));
    ck_assert_int_eq(keep_as(&b, &m, span_of(large, sizeof(large)), why), QUARANTINE_FAILED);
    ck_assert_ptr_nonnull(strstr(why, "larger than quarantine_max_size"));
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 1);
    teardown(&b);
}
END_TEST

/* Puts the quarantine on a file system of 256 KiB. False: that needs root. */
static bool on_small_disk(struct bench *b)
{
    if (geteuid() != 0) {
        fprintf(stderr, "passed over, needs root: quarantine on a small tmpfs\n");
        return false;
    }
    quarantine_close(b->q);
    b->q = NULL;
    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    ck_assert_int_eq(mount("tmpfs", b->dir, "tmpfs", 0, "size=256k,mode=0700"), 0);
    open_again(b);
    return true;
}

static void off_small_disk(struct bench *b)
{
    quarantine_close(b->q);
    b->q = NULL;
    ck_assert_int_eq(umount2(b->dir, MNT_DETACH), 0);
    open_again(b);
}

START_TEST(a_full_disk_keeps_nothing_and_is_named)
{
    static char large[300000];
    struct bench b;
    char why[ERRTEXT_SIZE], id[QUARANTINE_ID_SIZE];
    struct quarantine_meta m = meta_at(NOW);
    setup(&b);
    if (on_small_disk(&b)) {
        memset(large, 'x', sizeof(large));
        ck_assert_int_eq(keep_as(&b, &m, span_of(large, sizeof(large)), why), QUARANTINE_FAILED);
        ck_assert_ptr_nonnull(strstr(why, strerror(ENOSPC)));
        ck_assert_uint_eq(files_in(b.dir), 0);
        keep_at(&b, NOW, TEXT, id);
        off_small_disk(&b);
    }
    teardown(&b);
}
END_TEST

/* Somebody else takes what room there is. */
static void fill_disk(const struct bench *b, const char *name)
{
    static const char octets[4096];
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", b->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    while (write(fd, octets, sizeof(octets)) > 0)
        ;
    ck_assert_int_eq(errno, ENOSPC);
    close(fd);
}

static long long size_of_reserve(const struct bench *b)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof(path), "%s/.reserve", b->dir);
    return stat(path, &st) == 0 ? (long long)st.st_blocks * 512 : -1;
}

START_TEST(on_a_full_disk_a_release_is_noted_in_the_room_of_the_reserve)
{
    struct bench b;
    struct errtext why;
    struct quarantine_entry e;
    char id[QUARANTINE_ID_SIZE], path[128];
    int fd;
    setup(&b);
    if (on_small_disk(&b)) {
        keep_at(&b, NOW, TEXT, id);
        fill_disk(&b, "filler");
        for (int i = 0; i < 3; i++) { /* it lasts */
            ck_assert_msg(quarantine_release_begin(b.q, span_cstr(id), true, NOW, &e, &fd, &why) == ERR_OK, "%s",
                          why.text);
            close(fd);
            quarantine_entry_release(&e);
            assert_status(&b, id, QUARANTINE_RELEASING, "");
            ck_assert_int_eq(quarantine_release_end(b.q, id, QUARANTINE_HELD, "", NOW, &why), ERR_OK);
            ck_assert_int_eq(size_of_reserve(&b), 65536);
        }
        snprintf(path, sizeof(path), "%s/.reserve", b.dir);
        ck_assert_int_eq(unlink(path), 0);
        fill_disk(&b, "more");
        ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), false, NOW, &e, &fd, &why), ERR_IO);
        ck_assert_msg(strstr(why.text, strerror(ENOSPC)) != NULL, "%s", why.text);
        assert_status(&b, id, QUARANTINE_HELD, "");
        ck_assert_ptr_nonnull(strstr(b.lines, "no reserve of 65536 octets"));
        snprintf(path, sizeof(path), "%s/more", b.dir);
        ck_assert_int_eq(unlink(path), 0);
        quarantine_sweep(b.q, NOW); /* makes it again */
        ck_assert_int_eq(size_of_reserve(&b), 65536);
        off_small_disk(&b);
    }
    teardown(&b);
}
END_TEST

START_TEST(a_clock_that_jumps_ahead_ages_nothing_until_that_has_lasted_a_day)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE];
    setup(&b);
    b.limits.max_jump_ms = QUARANTINE_MAX_JUMP_MS;
    open_again(&b);
    quarantine_sweep(b.q, NOW);
    keep_at(&b, NOW, TEXT, id);
    for (unsigned hour = 1; hour < 72; hour++) /* time that passes is no jump */
        quarantine_sweep(b.q, NOW + hour * DAY / 24);
    ck_assert_str_eq(b.lines, "");
    uint64_t wrong = NOW + 4000 * DAY;
    quarantine_sweep(b.q, wrong);
    quarantine_sweep(b.q, wrong + DAY / 2);
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 1);
    ck_assert_ptr_nonnull(strstr(b.lines, "nothing is deleted for its age"));
    ck_assert_ptr_null(strstr(strstr(b.lines, "nothing is") + 1, "nothing is")); /* once */
    open_again(&b);                                                              /* a restart does not make it right */
    quarantine_sweep(b.q, wrong + DAY - 1);
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 1);
    quarantine_sweep(b.q, NOW + 7 * DAY / 2); /* set right: as if nothing had been */
    quarantine_sweep(b.q, NOW + 50 * DAY);    /* and wrong in two steps */
    quarantine_sweep(b.q, wrong);
    quarantine_sweep(b.q, wrong + DAY - 1);
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 1);
    open_again(&b); /* nor does it begin the day anew */
    quarantine_sweep(b.q, wrong + DAY);
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 0);
    ck_assert_ptr_nonnull(strstr(b.lines, "so it is believed"));
    teardown(&b);
}
END_TEST

START_TEST(a_clock_that_jumps_ahead_makes_no_room_either)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE], why[ERRTEXT_SIZE];
    setup(&b);
    b.limits.max_jump_ms = QUARANTINE_MAX_JUMP_MS;
    b.limits.max_size = 8192;
    open_again(&b);
    quarantine_sweep(b.q, NOW - 40 * DAY); /* keep_as comes at NOW, far ahead of this */
    keep_at(&b, NOW - 40 * DAY, TEXT, id);
    struct quarantine_meta m = meta_at(NOW);
    ck_assert_int_eq(keep_as(&b, &m, TEXT, why), QUARANTINE_FAILED);
    ck_assert_ptr_nonnull(strstr(why, "quarantine_min_age"));
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 1);
    teardown(&b);
}
END_TEST

START_TEST(what_cannot_be_deleted_does_not_keep_the_rest)
{
    enum { STUCK = 300, REST = 3 }; /* more than one part */
    struct bench b;
    char first[QUARANTINE_ID_SIZE], id[QUARANTINE_ID_SIZE];
    setup(&b);
    b.limits.max_size = 1 << 30;
    open_again(&b);
    keep_at(&b, NOW - 60 * DAY, TEXT, first);
    for (unsigned i = 1; i < STUCK; i++)
        keep_at(&b, NOW - 60 * DAY, TEXT, id);
    for (unsigned i = 0; i < REST; i++)
        keep_at(&b, NOW - 40 * DAY, TEXT, id);
    snprintf(undeletable, sizeof(undeletable), "%.14s", first); /* whatever was taken in that second */
    while (quarantine_sweep(b.q, NOW))
        ;
    ck_assert_uint_eq(quarantine_usage(b.q).entries, STUCK);
    const char *line = strstr(b.lines, "which failed");
    ck_assert_ptr_nonnull(line);
    ck_assert_ptr_nonnull(strstr(line, strerror(EPERM)));
    ck_assert_ptr_nonnull(strstr(b.lines, first));
    ck_assert_ptr_nonnull(strstr(line, "299"));
    quarantine_sweep(b.q, NOW + 60000);
    ck_assert_ptr_null(strstr(line + 1, "which failed")); /* one line for all, and for all looks */
    undeletable[0] = '\0';
    while (quarantine_sweep(b.q, NOW + 120000))
        ;
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 0);
    teardown(&b);
}
END_TEST

START_TEST(what_cannot_be_deleted_does_not_keep_the_rest_from_making_room)
{
    struct bench b;
    char first[QUARANTINE_ID_SIZE], second[QUARANTINE_ID_SIZE], third[QUARANTINE_ID_SIZE], why[ERRTEXT_SIZE];
    struct quarantine_entry e;
    setup(&b);
    b.limits.max_size = 2 * 8192;
    open_again(&b);
    keep_at(&b, NOW - 3 * DAY, TEXT, first);
    keep_at(&b, NOW - 2 * DAY, TEXT, second);
    snprintf(undeletable, sizeof(undeletable), "%s", first);
    keep_at(&b, NOW, TEXT, third);
    ck_assert_int_eq(show(&b, first, &e), ERR_OK);
    quarantine_entry_release(&e);
    ck_assert_int_eq(show(&b, second, &e), ERR_NOTFOUND);
    struct quarantine_meta m = meta_at(NOW);
    ck_assert_int_eq(keep_as(&b, &m, TEXT, why), QUARANTINE_FAILED);
    ck_assert_ptr_nonnull(strstr(why, "1 old entries cannot be deleted"));
    ck_assert_ptr_nonnull(strstr(why, strerror(EPERM)));
    teardown(&b);
}
END_TEST

START_TEST(the_rest_of_a_crash_that_cannot_be_deleted_does_not_keep_postern_from_starting)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE], path[256];
    setup(&b);
    keep_at(&b, NOW, TEXT, id);
    path_of(&b, id, ".json", path);
    ck_assert_int_eq(unlink(path), 0);
    snprintf(undeletable, sizeof(undeletable), "%s", id);
    open_again(&b);
    ck_assert_ptr_nonnull(strstr(b.lines, "that a crash left cannot be deleted"));
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 0);
    ck_assert_uint_eq(quarantine_usage(b.q).octets, 4096);
    undeletable[0] = '\0';
    open_again(&b);
    ck_assert_uint_eq(quarantine_usage(b.q).octets, 0);
    teardown(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(what_is_too_old_goes_oldest_first_with_a_line_in_the_log)                                                        \
    X(the_oldest_make_room_but_nothing_young_does)                                                                     \
    X(a_smaller_limit_is_reached_by_the_sweep)                                                                         \
    X(a_message_larger_than_quarantine_drives_nothing_out)                                                             \
    X(a_full_disk_keeps_nothing_and_is_named)                                                                          \
    X(on_a_full_disk_a_release_is_noted_in_the_room_of_the_reserve)                                                    \
    X(a_clock_that_jumps_ahead_ages_nothing_until_that_has_lasted_a_day)                                               \
    X(a_clock_that_jumps_ahead_makes_no_room_either)                                                                   \
    X(what_cannot_be_deleted_does_not_keep_the_rest)                                                                   \
    X(what_cannot_be_deleted_does_not_keep_the_rest_from_making_room)                                                  \
    X(the_rest_of_a_crash_that_cannot_be_deleted_does_not_keep_postern_from_starting)
#include "support/check_main.h"
