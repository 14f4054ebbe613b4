/* SPDX-License-Identifier: MIT */
/* The files of quarantine: order of what reaches the disk, faults and crashes at every call, names, damage. Retention:
 * test_quarantine_retention.c. */
#include "support/quarantine_rig.h"

START_TEST(an_entry_is_the_octets_and_their_metadata_for_nobody_else)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE], path[256], octets[128];
    struct stat st;
    struct quarantine_entry e;
    setup(&b);
    keep_at(&b, NOW, TEXT, id);
    ck_assert_uint_eq(files_in(b.dir), 2);
    path_of(&b, id, ".eml", path);
    int fd = open(path, O_RDONLY);
    ck_assert_int_eq(read(fd, octets, sizeof(octets)), (ssize_t)TEXT.len);
    ck_assert_mem_eq(octets, TEXT.ptr, TEXT.len);
    ck_assert_int_eq(fstat(fd, &st), 0);
    close(fd);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    path_of(&b, id, ".json", path);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(stat(b.dir, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0700);
    ck_assert_int_eq(show(&b, id, &e), ERR_OK);
    ck_assert(!e.damaged);
    ck_assert_int_eq(e.meta.status, QUARANTINE_HELD);
    ck_assert_uint_eq(e.meta.size, TEXT.len);
    quarantine_entry_release(&e);
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 1);
    ck_assert_uint_eq(quarantine_usage(b.q).octets, 8192);
    teardown(&b);
}
END_TEST

START_TEST(everything_is_on_disk_before_anybody_hears_of_it)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE], expected[2048], path[256];
    struct stat st;
    setup(&b);
    keep_at(&b, NOW, TEXT, id);
    path_of(&b, id, ".json", path);
    ck_assert_int_eq(stat(path, &st), 0);
    snprintf(expected, sizeof(expected),
             "fsync quarantine\n" /* the new directory of the hour */
             "fsync %zu %s.eml.new\nlink %s.eml\nunlink %s.eml.new\nfsync %.10s\n"
             "fsync %lld %s.json.new\nlink %s.json\nunlink %s.json.new\nfsync %.10s\nwake \n",
             TEXT.len, id, id, id, id, (long long)st.st_size, id, id, id, id);
    ck_assert_str_eq(trace, expected);
    teardown(&b);
}
END_TEST

START_TEST(whichever_call_fails_nothing_is_kept_and_nothing_is_left)
{
    static const int errors[] = {EIO, ENOSPC};
    struct bench b;
    long rounds = 0;
    setup(&b);
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        for (long n = 0;; n++) {
            char why[ERRTEXT_SIZE];
            struct quarantine_meta m = meta_at(NOW);
            forget_calls();
            fail_at = n;
            fail_errno = errors[i];
            enum quarantine_keeping_state state = keep_as(&b, &m, TEXT, why);
            bool came_to_it = calls > n;
            forget_calls();
            if (!came_to_it) {
                ck_assert_int_eq(state, QUARANTINE_KEPT);
                break;
            }
            rounds++;
            ck_assert_msg(state == QUARANTINE_FAILED, "call %ld failed and the message was kept", n);
            ck_assert_msg(strstr(why, strerror(errors[i])) != NULL, "call %ld: %s", n, why);
            ck_assert_msg(files_in(b.dir) == 2 * i, "call %ld failed and left something", n);
            ck_assert_uint_eq(quarantine_usage(b.q).octets, 8192 * i);
        }
    }
    ck_assert_int_eq(rounds, 2 * 9);
    teardown(&b);
}
END_TEST

/* In a process of its own: opens the quarantine of B, keeps TEXT as M, and ends before call N. Exit status 1: it was
 * kept, and there was no such call. */
static void keep_and_die(const struct bench *outer, struct quarantine_meta *m, long n)
{
    char why[ERRTEXT_SIZE];
    struct bench b = {.limits = outer->limits, .loop = loop_new()};
    b.log = (struct log){.write = keep_line, .wallclock_ms = clock_of_log, .arg = &b};
    snprintf(b.dir, sizeof(b.dir), "%s", outer->dir);
    b.box = mailbox_new(b.loop);
    b.pool = iopool_new(1);
    open_again(&b);
    forget_calls();
    die_at = n;
    _exit(keep_as(&b, m, TEXT, why) == QUARANTINE_KEPT ? 1 : 2);
}

/* B43 */
START_TEST(an_end_of_the_process_at_any_call_leaves_a_whole_entry_or_none)
{
    struct bench b;
    unsigned whole = 0, none = 0;
    int status = 0;
    setup(&b);
    iopool_free(b.pool); /* children have pools of their own, and come from a process without threads */
    b.pool = NULL;
    for (long n = 0; status == 0; n++) {
        struct quarantine_meta m = meta_at(NOW);
        struct quarantine_entry e;
        quarantine_close(b.q);
        b.q = NULL;
        pid_t child = fork();
        if (child == 0)
            keep_and_die(&b, &m, n);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        open_again(&b);
        enum err there = show(&b, m.id, &e);
        ck_assert(there == ERR_OK || there == ERR_NOTFOUND);
        if (there == ERR_OK) {
            ck_assert_msg(!e.damaged, "after call %ld: %s", n, e.why.text);
            quarantine_entry_release(&e);
        }
        ck_assert_msg(status == 0 || there == ERR_OK, "it was reported as kept, and is not there");
        whole += there == ERR_OK;
        none += there != ERR_OK;
        ck_assert_uint_eq(files_in(b.dir), 2 * whole); /* the rest was deleted at the start */
        ck_assert_uint_eq(quarantine_usage(b.q).entries, whole);
        ck_assert_uint_eq(quarantine_usage(b.q).octets, 8192 * whole);
    }
    ck_assert_uint_ge(none, 6);
    ck_assert_uint_ge(whole, 2); /* the last, and one whose name was there before the directory was told */
    ck_assert_ptr_nonnull(strstr(b.lines, "were not yet kept"));
    teardown(&b);
}
END_TEST

START_TEST(octets_that_do_not_fit_their_digest_are_not_kept)
{
    struct bench b;
    struct quarantine_meta m = meta_at(NOW);
    setup(&b);
    int fd = message_of(TEXT);
    m.size = TEXT.len;
    m.digest = digest_of(SPAN("something else"));
    struct quarantine_keeping *k = quarantine_keep(b.q, b.pool, b.box, fd, &m, NOW, woken, &b);
    close(fd);
    loop_run(b.loop);
    ck_assert_int_eq(quarantine_keeping_state(k), QUARANTINE_FAILED);
    ck_assert_ptr_nonnull(strstr(quarantine_keeping_why(k), "digest"));
    quarantine_keeping_free(k);
    ck_assert_uint_eq(files_in(b.dir), 0);
    teardown(&b);
}
END_TEST

/* B43 */
START_TEST(a_name_that_is_taken_is_never_written_over)
{
    struct bench b;
    char why[ERRTEXT_SIZE];
    struct quarantine_meta m = meta_at(NOW);
    struct quarantine_entry e;
    setup(&b);
    ck_assert_int_eq(keep_as(&b, &m, TEXT, why), QUARANTINE_KEPT);
    ck_assert_int_eq(keep_as(&b, &m, SPAN("Other: octets\r\n"), why), QUARANTINE_FAILED);
    ck_assert_ptr_nonnull(strstr(why, strerror(EEXIST)));
    ck_assert_int_eq(show(&b, m.id, &e), ERR_OK);
    ck_assert(!e.damaged);
    ck_assert_uint_eq(e.meta.size, TEXT.len);
    quarantine_entry_release(&e);
    ck_assert_uint_eq(files_in(b.dir), 2);
    teardown(&b);
}
END_TEST

/* B43 */
START_TEST(only_ids_become_paths)
{
    static const char *const hostile[] = {"",
                                          ".",
                                          "..",
                                          "../secret",
                                          "/etc/passwd",
                                          "20261122023015-../../../../../../../../../../etc/p",
                                          "20261122023015-0000000000000001000000000000000\n",
                                          "20261122023015-00000000000000010000000000000000.json",
                                          "-rf",
                                          "%s%n"};
    struct bench b;
    struct errtext why;
    setup(&b);
    for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
        struct span id = span_cstr(hostile[i]);
        struct quarantine_entry e;
        struct quarantine_page page;
        int fd;
        ck_assert_int_eq(quarantine_show(b.q, id, &e, &why), ERR_SYNTAX);
        ck_assert_int_eq(quarantine_delete(b.q, id, &why), ERR_SYNTAX);
        ck_assert_int_eq(quarantine_release_begin(b.q, id, true, NOW, &e, &fd, &why), ERR_SYNTAX);
        ck_assert_int_eq(quarantine_list(b.q, id, 10, &page, &why), id.len ? ERR_SYNTAX : ERR_OK);
        quarantine_page_release(&page);
    }
    ck_assert_str_eq(trace, "");
    struct quarantine_entry e;
    struct quarantine_meta m = meta_at(NOW);
    ck_assert_int_eq(show(&b, m.id, &e), ERR_NOTFOUND);
    ck_assert_int_eq(quarantine_delete(b.q, span_cstr(m.id), &why), ERR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(why.text, m.id));
    teardown(&b);
}
END_TEST

START_TEST(pages_go_from_the_newest_to_the_oldest_and_miss_none)
{
    enum { MANY = 23, LIMIT = 5 };
    struct bench b;
    struct errtext why;
    char ids[MANY][QUARANTINE_ID_SIZE], last[QUARANTINE_ID_SIZE] = "";
    size_t seen = 0;
    setup(&b);
    for (size_t i = 0; i < MANY; i++) /* several in one second, several hours, a gap of days */
        keep_at(&b, NOW + (i / 3) * 1800 * 1000 + (i > 15 ? 3 * DAY : 0), TEXT, ids[i]);
    for (bool more = true; more;) {
        struct quarantine_page page;
        ck_assert_int_eq(quarantine_list(b.q, span_cstr(last), LIMIT, &page, &why), ERR_OK);
        ck_assert_uint_le(page.count, LIMIT);
        for (size_t i = 0; i < page.count; i++, seen++) {
            ck_assert_str_eq(page.entries[i].id, ids[MANY - 1 - seen]);
            ck_assert_str_eq(page.entries[i].meta.recipients[0], to[0]);
        }
        if (page.count)
            memcpy(last, page.entries[page.count - 1].id, sizeof(last));
        more = page.more;
        ck_assert(!more || page.count == LIMIT);
        quarantine_page_release(&page);
    }
    ck_assert_uint_eq(seen, MANY);
    teardown(&b);
}
END_TEST

static void overwrite(const struct bench *b, const char *id, const char *suffix, const char *text)
{
    char path[256];
    path_of(b, id, suffix, path);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(a_damaged_entry_is_named_as_such_never_released_and_can_be_deleted)
{
    static const char same_length[] = "From: <a@x.test>\r\n\r\n../../etc/shadow\r\n";
    static const struct {
        const char *suffix, *text, *expected;
    } rows[] = {{".json", "", "metadata is damaged"},
                {".json", "{\"id\": \"", "metadata is damaged"},
                {".eml", "shorter", "the message itself"},
                {".eml", same_length, NULL /* found when it is to be released */}};
    struct bench b;
    struct errtext why;
    setup(&b);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char id[QUARANTINE_ID_SIZE];
        struct quarantine_entry e;
        struct quarantine_page page;
        int fd;
        keep_at(&b, NOW, TEXT, id);
        overwrite(&b, id, rows[i].suffix, rows[i].text);
        ck_assert_int_eq(show(&b, id, &e), ERR_OK);
        ck_assert_int_eq(e.damaged, rows[i].expected != NULL);
        ck_assert(!e.damaged || strstr(e.why.text, rows[i].expected));
        quarantine_entry_release(&e);
        ck_assert_int_eq(quarantine_list(b.q, SPAN(""), 10, &page, &why), ERR_OK);
        ck_assert_uint_eq(page.count, 1);
        ck_assert_str_eq(page.entries[0].id, id);
        quarantine_page_release(&page);
        ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), true, NOW, &e, &fd, &why), ERR_DENIED);
        ck_assert_int_eq(quarantine_delete(b.q, span_cstr(id), &why), ERR_OK);
        ck_assert_uint_eq(files_in(b.dir), 0);
    }
    teardown(&b);
}
END_TEST

START_TEST(a_release_is_noted_before_it_begins_and_when_it_ends)
{
    struct bench b;
    struct errtext why;
    struct quarantine_entry e;
    char id[QUARANTINE_ID_SIZE], expected[512], octets[128];
    int fd;
    setup(&b);
    keep_at(&b, NOW, TEXT, id);
    forget_calls();
    ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), false, NOW + 1, &e, &fd, &why), ERR_OK);
    const char *size = strchr(trace, ' '); /* of the metadata: whatever it is */
    ck_assert_ptr_nonnull(size);
    snprintf(expected, sizeof(expected), " %s.json.new\nrename %s.json\nfsync %.10s\n", id, id, id);
    ck_assert_msg(strstr(trace, expected) != NULL, "%s", trace);
    ck_assert_int_eq(read(fd, octets, sizeof(octets)), (ssize_t)TEXT.len);
    ck_assert_mem_eq(octets, TEXT.ptr, TEXT.len);
    close(fd);
    quarantine_entry_release(&e);
    open_again(&b);
    assert_status(&b, id, QUARANTINE_RELEASING, "");
    ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), false, NOW, &e, &fd, &why), ERR_STATE);
    ck_assert_int_eq(quarantine_release_end(b.q, id, QUARANTINE_HELD, "550 5.1.1 no", NOW + 2, &why), ERR_OK);
    assert_status(&b, id, QUARANTINE_HELD, "550 5.1.1 no");
    ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), false, NOW, &e, &fd, &why), ERR_OK);
    close(fd);
    quarantine_entry_release(&e);
    ck_assert_int_eq(quarantine_release_end(b.q, id, QUARANTINE_RELEASED, "250 fine", NOW + 3, &why), ERR_OK);
    open_again(&b);
    assert_status(&b, id, QUARANTINE_RELEASED, "250 fine");
    ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), false, NOW, &e, &fd, &why), ERR_STATE);
    ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), true, NOW, &e, &fd, &why), ERR_OK);
    close(fd);
    quarantine_entry_release(&e);
    ck_assert_int_eq(quarantine_delete(b.q, span_cstr(id), &why), ERR_OK);
    ck_assert_int_eq(quarantine_release_end(b.q, id, QUARANTINE_RELEASED, "250", NOW, &why), ERR_NOTFOUND);
    ck_assert_uint_eq(files_in(b.dir), 0);
    ck_assert_uint_eq(quarantine_usage(b.q).octets, 0);
    teardown(&b);
}
END_TEST

static int gate[2], done[2]; /* the only pool thread waits for one, and writes to the other */

static void gate_run(struct iopool_job *job)
{
    (void)job;
    char octet;
    ck_assert_int_eq(read(gate[0], &octet, 1), 1);
}

static void done_run(struct iopool_job *job)
{
    (void)job;
    ck_assert_int_eq(write(done[1], "x", 1), 1);
}

START_TEST(what_nobody_waits_for_any_more_is_deleted_again)
{
    for (int late = 0; late < 2; late++) {
        struct bench b;
        struct iopool_job before = {.run = gate_run}, after = {.run = done_run};
        struct quarantine_meta m = meta_at(NOW);
        char octet;
        setup(&b);
        ck_assert_int_eq(pipe(gate), 0);
        ck_assert_int_eq(pipe(done), 0);
        int fd = message_of(TEXT);
        m.size = TEXT.len;
        m.digest = digest_of(TEXT);
        iopool_submit(b.pool, &before);
        struct quarantine_keeping *k = quarantine_keep(b.q, b.pool, b.box, fd, &m, NOW, woken, &b);
        iopool_submit(b.pool, &after);
        close(fd);
        ck_assert_int_eq(quarantine_keeping_state(k), QUARANTINE_BUSY);
        if (!late)
            quarantine_keeping_free(k); /* before a thread takes it up */
        ck_assert_int_eq(write(gate[1], "x", 1), 1);
        ck_assert_int_eq(read(done[0], &octet, 1), 1);
        if (late) { /* its mail is on the way */
            ck_assert_uint_eq(files_in(b.dir), 2);
            ck_assert_int_eq(quarantine_keeping_state(k), QUARANTINE_BUSY);
            quarantine_keeping_free(k);
            deadline_clear(&b.guard);
            deadline_init(&b.guard, b.loop, woken, &b);
            deadline_set_ms(&b.guard, 10);
            loop_run(b.loop); /* it arrives before the timer */
        }
        iopool_free(b.pool); /* runs what is queued */
        b.pool = iopool_new(1);
        ck_assert_uint_eq(files_in(b.dir), 0);
        ck_assert_uint_eq(quarantine_usage(b.q).octets, 0);
        for (int i = 0; i < 2; i++) {
            close(gate[i]);
            close(done[i]);
        }
        teardown(&b);
    }
}
END_TEST

/* --- the directory --- */

START_TEST(a_directory_that_is_not_ours_alone_is_refused)
{
    struct bench b;
    struct errtext why;
    char path[128], target[128];
    setup(&b);
    snprintf(path, sizeof(path), "%s/other", b.base);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(chmod(path, 0750), 0);
    ck_assert_int_eq(quarantine_examine(path, geteuid(), &why), ERR_DENIED);
    ck_assert_ptr_null(quarantine_open(path, &b.limits, &b.log, &why));
    ck_assert_ptr_nonnull(strstr(why.text, "expected user"));
    ck_assert_ptr_nonnull(strstr(why.text, "0750"));
    ck_assert_int_eq(chmod(path, 0700), 0);
    ck_assert_int_eq(quarantine_examine(path, geteuid(), &why), ERR_OK);
    ck_assert_int_eq(quarantine_examine(path, geteuid() + 1, &why), ERR_DENIED);
    snprintf(target, sizeof(target), "%s/link/", b.base);
    target[strlen(target) - 1] = '\0';
    ck_assert_int_eq(symlink(path, target), 0);
    ck_assert_ptr_null(quarantine_open(target, &b.limits, &b.log, &why));
    ck_assert_ptr_nonnull(strstr(why.text, "links are not followed"));
    ck_assert_int_eq(quarantine_examine(target, geteuid(), &why), ERR_DENIED);
    snprintf(target, sizeof(target), "%s/none/deeper", b.base);
    ck_assert_int_eq(quarantine_examine(target, geteuid(), &why), ERR_NOTFOUND);
    ck_assert_ptr_null(quarantine_open(target, &b.limits, &b.log, &why));
    snprintf(target, sizeof(target), "%s/new//", b.base);
    ck_assert_int_eq(quarantine_examine(target, geteuid(), &why), ERR_OK);
    struct quarantine *q = quarantine_open(target, &b.limits, &b.log, &why);
    ck_assert_msg(q != NULL, "%s", why.text);
    quarantine_close(q);
    teardown(&b);
}
END_TEST

START_TEST(a_second_process_is_refused)
{
    struct bench b;
    struct errtext why;
    setup(&b);
    ck_assert_ptr_null(quarantine_open(b.dir, &b.limits, &b.log, &why));
    ck_assert_ptr_nonnull(strstr(why.text, "in use"));
    teardown(&b);
}
END_TEST

START_TEST(the_rest_of_crashes_is_deleted_and_what_is_not_ours_stays)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE], other[QUARANTINE_ID_SIZE], path[300];
    struct quarantine_entry e;
    setup(&b);
    keep_at(&b, NOW, TEXT, id);
    struct quarantine_meta m = meta_at(NOW);
    memcpy(other, m.id, sizeof(other));
    overwrite(&b, other, ".eml", "octets without metadata");
    overwrite(&b, other, ".json.new", "{");
    overwrite(&b, id, ".json.new", "{ a status that was not written to its end");
    overwrite(&b, "2026112202-notes", ".txt", "an administrator's");
    snprintf(path, sizeof(path), "%s/README", b.dir);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fclose(f);
    open_again(&b);
    ck_assert_uint_eq(files_in(b.dir), 2 + 2);
    ck_assert_int_eq(show(&b, id, &e), ERR_OK);
    ck_assert(!e.damaged);
    quarantine_entry_release(&e);
    ck_assert_int_eq(show(&b, other, &e), ERR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(b.lines, "3 files are deleted"));
    ck_assert_ptr_nonnull(strstr(b.lines, "are not quarantine's"));
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 1);
    teardown(&b);
}
END_TEST

/* B43 */
START_TEST(links_and_pipes_in_the_place_of_files_are_not_opened)
{
    struct bench b;
    struct errtext why;
    char id[QUARANTINE_ID_SIZE], path[256], secret[128];
    struct quarantine_entry e;
    int fd;
    setup(&b);
    snprintf(secret, sizeof(secret), "%s/secret", b.base);
    FILE *f = fopen(secret, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(TEXT.ptr, f), 0);
    fclose(f);
    keep_at(&b, NOW, TEXT, id);
    path_of(&b, id, ".eml", path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink(secret, path), 0);
    ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), true, NOW, &e, &fd, &why), ERR_DENIED);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), true, NOW, &e, &fd, &why), ERR_DENIED);
    path_of(&b, id, ".json", path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink(secret, path), 0);
    ck_assert_int_eq(show(&b, id, &e), ERR_IO);
    ck_assert_int_eq(quarantine_delete(b.q, span_cstr(id), &why), ERR_OK); /* the link, not its target */
    ck_assert_int_eq(access(secret, F_OK), 0);
    teardown(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(an_entry_is_the_octets_and_their_metadata_for_nobody_else)                                                       \
    X(everything_is_on_disk_before_anybody_hears_of_it)                                                                \
    X(whichever_call_fails_nothing_is_kept_and_nothing_is_left)                                                        \
    X(an_end_of_the_process_at_any_call_leaves_a_whole_entry_or_none)                                                  \
    X(octets_that_do_not_fit_their_digest_are_not_kept)                                                                \
    X(a_name_that_is_taken_is_never_written_over)                                                                      \
    X(only_ids_become_paths)                                                                                           \
    X(pages_go_from_the_newest_to_the_oldest_and_miss_none)                                                            \
    X(a_damaged_entry_is_named_as_such_never_released_and_can_be_deleted)                                              \
    X(a_release_is_noted_before_it_begins_and_when_it_ends)                                                            \
    X(what_nobody_waits_for_any_more_is_deleted_again)                                                                 \
    X(a_directory_that_is_not_ours_alone_is_refused)                                                                   \
    X(a_second_process_is_refused)                                                                                     \
    X(the_rest_of_crashes_is_deleted_and_what_is_not_ours_stays)                                                       \
    X(links_and_pipes_in_the_place_of_files_are_not_opened)
#include "support/check_main.h"
