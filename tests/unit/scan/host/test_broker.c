/* SPDX-License-Identifier: MIT */
/* The broker's order of things: statuses, queue, deadlines, cancels, retirement, the end. */
#include "support/scan_rig.h"

#include <sys/resource.h>

#include "support/archives.h"

static void expect_clean(struct rig *r)
{
    rig_job(r, "clean", 10000);
    struct scan_answer a = rig_answer(r);
    RIG_EXPECT(r, a, CLEAN, NONE);
    ck_assert_uint_eq(a.id, r->last_id);
}

START_TEST(a_channel_begins_with_the_state_of_every_engine)
{
    struct rig r;
    rig_init(&r);
    static const struct engine_conf nowhere = {.enabled = true, .database = "/nonexistent/postern"};
    r.fw->engines[1] =
        (struct framework_engine){.name = "clamav1", .type = "clamav", .pool = "CPU", .built = true, .conf = &nowhere};
    r.fw->engines[2] =
        (struct framework_engine){.name = "other", .type = "fake", .pool = "IO", .built = true, .conf = &r.conf};
    r.fw->engine_count = 3;
    rig_start(&r);
    int second = rig_attach(&r);
    int channels[] = {r.channel, second};
    for (size_t i = 0; i < 2; i++) {
        struct scan_status s = rig_status(&r, channels[i]);
        ck_assert_str_eq(s.engine, "fake1");
        ck_assert_int_eq(s.state, SCAN_ENGINE_READY);
        ck_assert_uint_eq(s.database_version, 1);
        s = rig_status(&r, channels[i]);
        ck_assert_str_eq(s.engine, "clamav1");
        ck_assert_int_eq(s.state, SCAN_ENGINE_FAILED);
        ck_assert_str_eq(s.detail, "database /nonexistent/postern: No such file or directory");
    }
    close(second);
    expect_clean(&r); /* the engine that is there works */
    rig_stop(&r);
}
END_TEST

START_TEST(verdicts_arrive_as_the_engine_gave_them)
{
    static const struct {
        const char *orders;
        enum verdict_class class;
        enum verdict_reason reason;
        const char *name;
    } cases[] = {
        {"clean", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
        {"infected Test.Name", VERDICT_INFECTED, VERDICT_REASON_NONE, "Test.Name"},
        {"unscannable limit", VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, ""},
        {"unscannable encrypted", VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, ""},
        {"error engine", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    };
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        rig_job(&r, cases[i].orders, 10000);
        struct scan_answer a = rig_answer(&r);
        ck_assert_int_eq(a.verdict.class, cases[i].class);
        ck_assert_int_eq(a.verdict.reason, cases[i].reason);
        ck_assert_str_eq(a.verdict.name, cases[i].name);
        ck_assert_str_eq(a.verdict.engine, "fake1");
        ck_assert_uint_eq(a.verdict.database_version, 1);
    }
    rig_stop(&r);
}
END_TEST

START_TEST(waiting_and_scanning_are_timed_apart)
{
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    expect_clean(&r);
    rig_job(&r, "delay 1000|clean", 10000);
    rig_job(&r, "clean", 10000);
    struct scan_answer first = rig_answer(&r), second = rig_answer(&r);
    RIG_EXPECT(&r, first, CLEAN, NONE);
    RIG_EXPECT(&r, second, CLEAN, NONE);
    ck_assert_uint_ge(first.verdict.scan_us, 1000000);
    ck_assert_uint_lt(first.verdict.queue_us, first.verdict.scan_us);
    ck_assert_uint_ge(second.verdict.queue_us, 500000);
    ck_assert_uint_lt(second.verdict.scan_us, second.verdict.queue_us);
    rig_stop(&r);
}
END_TEST

START_TEST(a_full_queue_is_overload_at_once)
{
    struct rig r;
    rig_init(&r);
    r.fw->pools[0].conf.backlog = 2;
    rig_start(&r);
    expect_clean(&r);
    uint64_t running = rig_job(&r, "hang", 15000);
    uint64_t waiting = rig_job(&r, "hang", 15000); /* the first of the queue's two places */
    uint64_t second = rig_job(&r, "clean", 15000);
    uint64_t refused = rig_job(&r, "clean", 15000);
    struct scan_answer a = rig_answer(&r);
    RIG_EXPECT(&r, a, ERROR, OVERLOAD);
    ck_assert_uint_eq(a.id, refused);
    rig_cancel(&r, running);
    rig_cancel(&r, waiting);
    a = rig_answer(&r);
    RIG_EXPECT(&r, a, CLEAN, NONE);
    ck_assert_uint_eq(a.id, second);
    rig_stop(&r);
}
END_TEST

/* Not as root, who may raise any limit. */
static void live_on_ninety_descriptors(void)
{
    const struct rlimit ninety = {90, 90};
    bool changed = geteuid() != 0 || (setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    if (!changed || setrlimit(RLIMIT_NOFILE, &ninety) != 0)
        _exit(99);
}

START_TEST(a_queue_that_the_descriptors_do_not_suffice_for_is_shorter)
{
    enum { JOBS = 120 };
    struct rig r;
    unsigned overload = 0;
    rig_init(&r);
    r.fw->pools[0].conf.backlog = 1000;
    r.before = live_on_ninety_descriptors;
    ck_assert(geteuid() != 0 || chown(r.dir, 65534, 65534) == 0);
    rig_start(&r);
    rig_job(&r, "clean", 10000);
    struct scan_answer a = rig_answer(&r);
    RIG_EXPECT(&r, a, CLEAN, NONE);
    for (int i = 0; i < JOBS; i++)
        rig_job(&r, i == 0 ? "delay 2000|clean" : "clean", 15000);
    for (int i = 0; i < JOBS; i++) {
        a = rig_answer(&r); /* of each: the channel lives on */
        if (a.verdict.class == VERDICT_CLEAN)
            continue;
        RIG_EXPECT(&r, a, ERROR, OVERLOAD);
        overload++;
    }
    ck_assert_uint_ge(overload, JOBS - 26);
    rig_stop(&r);
}
END_TEST

/* Of the host's process; its hard limit stays. */
static void set_descriptors(const struct rig *r, rlim_t soft)
{
    struct rlimit limit;
    ck_assert(prlimit(r->host, RLIMIT_NOFILE, NULL, &limit) == 0);
    limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
    ck_assert(prlimit(r->host, RLIMIT_NOFILE, &limit, NULL) == 0);
}

/* C24 */
START_TEST(a_message_that_no_descriptor_is_left_for_is_refused_and_its_channel_lives_on)
{
    struct rig r;
    struct rlimit before;
    rig_init(&r);
    rig_start(&r);
    expect_clean(&r);
    ck_assert(prlimit(r.host, RLIMIT_NOFILE, NULL, &before) == 0);
    set_descriptors(&r, 0);
    for (int i = 0; i < 3; i++) {
        uint64_t id = rig_job(&r, "clean", 10000);
        struct scan_answer a = rig_answer(&r);
        RIG_EXPECT(&r, a, ERROR, DOWN);
        ck_assert_uint_eq(a.id, id);
        ck_assert_str_eq(a.verdict.detail, "the scan host has no descriptor left for it");
        ck_assert_str_eq(a.verdict.engine, "fake1");
    }
    ck_assert_msg(strstr(rig_log(&r), " shortage reason=\"pool CPU: no descriptor is left for a message"), "%s",
                  rig_log(&r));
    set_descriptors(&r, before.rlim_cur);
    expect_clean(&r);
    rig_stop(&r);
}
END_TEST

START_TEST(a_channel_that_no_descriptor_is_left_for_is_closed_and_the_host_lives_on)
{
    struct rig r;
    struct rlimit before;
    rig_init(&r);
    rig_start(&r);
    expect_clean(&r);
    ck_assert(prlimit(r.host, RLIMIT_NOFILE, NULL, &before) == 0);
    set_descriptors(&r, 0);
    int lost = rig_attach(&r);
    struct pollfd p = {.fd = lost, .events = POLLIN};
    ck_assert(poll(&p, 1, RIG_PATIENCE_MS) == 1 && (p.revents & POLLHUP));
    close(lost);
    set_descriptors(&r, before.rlim_cur);
    expect_clean(&r); /* after that the line was written */
    ck_assert_msg(strstr(rig_log(&r), " shortage reason=\"pool CPU: no descriptor is left for a channel"), "%s",
                  rig_log(&r));
    int next = rig_attach(&r);
    rig_status(&r, next);
    close(next);
    rig_stop(&r);
}
END_TEST

START_TEST(a_cancelled_job_is_never_answered)
{
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    expect_clean(&r);
    uint64_t running = rig_job(&r, "hang", 15000);
    uint64_t waiting = rig_job(&r, "infected Wrong", 15000);
    rig_cancel(&r, waiting);
    rig_cancel(&r, running);
    rig_cancel(&r, 4711); /* unknown: no harm */
    expect_clean(&r);
    rig_stop(&r);
}
END_TEST

START_TEST(a_deadline_counts_while_waiting_too)
{
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    expect_clean(&r);
    uint64_t running = rig_job(&r, "hang", 15000);
    uint64_t waiting = rig_job(&r, "clean", 1000);
    struct scan_answer a = rig_answer(&r);
    RIG_EXPECT(&r, a, ERROR, TIMEOUT);
    ck_assert_uint_eq(a.id, waiting);
    ck_assert_uint_ge(a.verdict.queue_us, 500000);
    rig_cancel(&r, running);
    rig_job(&r, "clean", 0); /* over before it was read, as after a long load of the database */
    a = rig_answer(&r);
    RIG_EXPECT(&r, a, ERROR, TIMEOUT);
    expect_clean(&r);
    rig_stop(&r);
}
END_TEST

START_TEST(a_job_that_does_not_fit_its_file_is_refused)
{
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    struct scan_record record = {.type = SCAN_JOB};
    record.job =
        (struct scan_job){.id = 1, .engine = "fake1", .size = 4, .deadline_us = clock_monotonic_us() + 10000000};
    int fd = rig_message("hello", 5), pipes[2];
    rig_send(r.channel, &record, fd); /* one octet less than there is */
    struct scan_answer a = rig_answer(&r);
    RIG_EXPECT(&r, a, ERROR, PROTOCOL);
    rig_send(r.channel, &record, -1);
    a = rig_answer(&r);
    RIG_EXPECT(&r, a, ERROR, PROTOCOL);
    ck_assert(pipe(pipes) == 0);
    rig_send(r.channel, &record, pipes[0]);
    a = rig_answer(&r);
    RIG_EXPECT(&r, a, ERROR, PROTOCOL);
    snprintf(record.job.engine, sizeof(record.job.engine), "nobody");
    rig_send(r.channel, &record, fd);
    a = rig_answer(&r);
    RIG_EXPECT(&r, a, ERROR, DOWN);
    expect_clean(&r);
    close(fd);
    rig_stop(&r);
}
END_TEST

/* C16 */
START_TEST(garbage_from_an_edge_costs_it_its_channel_only)
{
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    int bad = rig_attach(&r);
    rig_status(&r, bad);
    ck_assert(fdpass_send(bad, SPAN("\x07garbage"), -1) == ERR_OK);
    struct pollfd p = {.fd = bad, .events = POLLIN};
    ck_assert(poll(&p, 1, RIG_PATIENCE_MS) == 1 && (p.revents & POLLHUP));
    close(bad);
    expect_clean(&r);
    rig_stop(&r);
}
END_TEST

START_TEST(channels_do_not_see_each_others_jobs)
{
    struct rig r, twin;
    rig_init(&r);
    rig_start(&r);
    twin = r;
    twin.channel = rig_attach(&r);
    rig_job(&r, "delay 100|infected First", 10000);
    rig_job(&twin, "infected Second", 10000); /* with the same id */
    struct scan_answer b = rig_answer(&twin), a = rig_answer(&r);
    ck_assert_uint_eq(a.id, b.id);
    ck_assert_str_eq(a.verdict.name, "First");
    ck_assert_str_eq(b.verdict.name, "Second");
    /* an edge that goes takes its jobs along */
    rig_job(&twin, "hang", 15000);
    close(twin.channel);
    expect_clean(&r);
    rig_stop(&r);
}
END_TEST

START_TEST(a_worker_retires_after_its_jobs)
{
    struct rig r;
    rig_init(&r);
    r.fw->pools[0].conf.jobs_per_worker = 2;
    rig_start(&r);
    expect_clean(&r);
    int first, later;
    ck_assert(rig_workers(&r, &first, 1) == 1);
    expect_clean(&r);
    expect_clean(&r); /* by another one */
    ck_assert(rig_workers(&r, &later, 1) == 1);
    ck_assert_int_ne(first, later);
    ck_assert_msg(strstr(rig_log(&r), "worker-exit") == NULL, "retirement is no fault: %s", rig_log(&r));
    rig_stop(&r);
}
END_TEST

START_TEST(an_engine_keeps_to_its_max_concurrency)
{
    for (int cap = 0; cap < 2; cap++) {
        struct rig r;
        rig_init(&r);
        r.fw->pools[0].conf.concurrency = 2;
        r.conf.max_concurrency = cap;
        rig_start(&r);
        expect_clean(&r);
        uint64_t running = rig_job(&r, "hang", 60000);
        uint64_t second = rig_job(&r, "clean", cap ? 1000 : 10000);
        struct scan_answer a = rig_answer(&r);
        ck_assert_uint_eq(a.id, second);
        if (cap)
            RIG_EXPECT(&r, a, ERROR, TIMEOUT);
        else
            RIG_EXPECT(&r, a, CLEAN, NONE);
        rig_cancel(&r, running);
        expect_clean(&r);
        rig_stop(&r);
    }
}
END_TEST

START_TEST(at_the_end_running_jobs_finish_and_waiting_ones_are_down)
{
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    expect_clean(&r);
    uint64_t running = rig_job(&r, "delay 1000|infected Last", 10000);
    rig_job(&r, "clean", 10000);
    rig_job(&r, "X", 0); /* answered at once: the two before it have been read */
    struct scan_answer a = rig_answer(&r);
    RIG_EXPECT(&r, a, ERROR, TIMEOUT);
    int control = r.control;
    ck_assert(shutdown(control, SHUT_WR) == 0);
    a = rig_answer(&r);
    RIG_EXPECT(&r, a, ERROR, DOWN);
    a = rig_answer(&r);
    ck_assert_uint_eq(a.id, running);
    ck_assert_str_eq(a.verdict.name, "Last");
    rig_stop(&r);
}
END_TEST

START_TEST(workers_of_other_pools_start_on_demand)
{
    struct rig r;
    rig_init(&r);
    r.fw->pools[0].name = r.fw->engines[0].pool = "mine";
    r.fw->pools[0].conf.concurrency = 8;
    rig_start(&r);
    rig_status(&r, r.channel);
    int pids[8];
    ck_assert(rig_workers(&r, pids, 8) == 0);
    expect_clean(&r);
    expect_clean(&r);
    ck_assert(rig_workers(&r, pids, 8) == 1);
    rig_stop(&r);
}
END_TEST

START_TEST(no_worker_is_started_for_jobs_that_their_engines_cap_holds_back)
{
    static const int64_t caps[] = {0, 1, 2};
    static const size_t expected[] = {4, 1, 2};
    for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
        struct rig r;
        uint64_t jobs[4];
        int pids[8];
        rig_init(&r);
        r.fw->pools[0].name = r.fw->engines[0].pool = "mine";
        r.fw->pools[0].conf.concurrency = 8;
        r.conf.max_concurrency = caps[i];
        rig_start(&r);
        for (size_t k = 0; k < ARRAY_SIZE(jobs); k++)
            jobs[k] = rig_job(&r, "hang", 15000);
        rig_job(&r, "X", 0); /* answered at once: those before it have been read */
        struct scan_answer a = rig_answer(&r);
        RIG_EXPECT(&r, a, ERROR, TIMEOUT);
        ck_assert_uint_eq(rig_workers(&r, pids, ARRAY_SIZE(pids)), expected[i]);
        for (size_t k = 0; k < ARRAY_SIZE(jobs); k++)
            rig_cancel(&r, jobs[k]);
        expect_clean(&r); /* and those that wait get one in time */
        rig_stop(&r);
    }
}
END_TEST

START_TEST(the_sandbox_and_the_engines_are_logged)
{
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    expect_clean(&r);
    const char *log = rig_log(&r),
               *seccomp = rig_seccomp_lifted("the log of a whole sandbox") ? "seccomp=\"lifted" : "seccomp=on";
    ck_assert_msg(strstr(log, " sandbox ") && strstr(log, "profile=strict") && strstr(log, seccomp) &&
                      strstr(log, " engine-ready "),
                  "%s", log);
    rig_stop(&r);
}
END_TEST

/* libclamav itself in the sandboxed worker: its files, its memory, its names. */
START_TEST(libclamav_scans_inside_the_sandbox)
{
    struct rig r;
    rig_init(&r);
    char database[96], file[128];
    snprintf(database, sizeof(database), "%s/db", r.dir);
    snprintf(file, sizeof(file), "%s/test.ndb", database);
    ck_assert(mkdir(database, 0700) == 0);
    FILE *f = fopen(file, "w");
    ck_assert(f && fputs("Test.Payload:0:*:544553542d56495255532d5041594c4f4144\n", f) > 0 && fclose(f) == 0);
    r.conf.database = database;
    r.conf.alert_encrypted = true;
    r.fw->engines[0].name = r.fw->engines[0].type = "clamav";
    rig_start(&r);
    static const struct {
        const void *bytes;
        size_t len;
        enum verdict_class class;
    } cases[] = {
        {"Subject: x\r\n\r\nharmless\r\n", 24, VERDICT_CLEAN},
        {"Subject: x\r\n\r\nTEST-VIRUS-PAYLOAD\r\n", 34, VERDICT_INFECTED},
        {archive_zip_infected, sizeof(archive_zip_infected), VERDICT_INFECTED},
        {archive_zip_large, sizeof(archive_zip_large), VERDICT_CLEAN},
        {archive_zip_encrypted, sizeof(archive_zip_encrypted), VERDICT_UNSCANNABLE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        rig_job_bytes(&r, cases[i].bytes, cases[i].len, 10000);
        struct scan_answer a = rig_answer(&r);
        ck_assert_msg(a.verdict.class == cases[i].class, "case %zu: %s %s %s; log:\n%s", i,
                      verdict_class_word(a.verdict.class), verdict_reason_word(a.verdict.reason), a.verdict.detail,
                      rig_log(&r));
    }
    ck_assert_int_eq(rig_temp_files(&r), 0);
    rig_stop(&r);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_channel_begins_with_the_state_of_every_engine)                                                                 \
    X(verdicts_arrive_as_the_engine_gave_them)                                                                         \
    X(waiting_and_scanning_are_timed_apart)                                                                            \
    X(a_full_queue_is_overload_at_once)                                                                                \
    X(a_queue_that_the_descriptors_do_not_suffice_for_is_shorter)                                                      \
    X(a_message_that_no_descriptor_is_left_for_is_refused_and_its_channel_lives_on)                                    \
    X(a_channel_that_no_descriptor_is_left_for_is_closed_and_the_host_lives_on)                                        \
    X(a_cancelled_job_is_never_answered)                                                                               \
    X(a_deadline_counts_while_waiting_too)                                                                             \
    X(a_job_that_does_not_fit_its_file_is_refused)                                                                     \
    X(garbage_from_an_edge_costs_it_its_channel_only)                                                                  \
    X(channels_do_not_see_each_others_jobs)                                                                            \
    X(a_worker_retires_after_its_jobs)                                                                                 \
    X(an_engine_keeps_to_its_max_concurrency)                                                                          \
    X(at_the_end_running_jobs_finish_and_waiting_ones_are_down)                                                        \
    X(workers_of_other_pools_start_on_demand)                                                                          \
    X(no_worker_is_started_for_jobs_that_their_engines_cap_holds_back)                                                 \
    X(the_sandbox_and_the_engines_are_logged)                                                                          \
    X(libclamav_scans_inside_the_sandbox)
#include "support/check_main.h"
