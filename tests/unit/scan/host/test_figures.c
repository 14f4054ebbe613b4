/* SPDX-License-Identifier: MIT */
/* What a scan host tells about its pool, and the order to have another number of workers, under load. */
#include "support/scan_rig.h"

static uint64_t query_id = 1000;

/* The host's figures; answers of jobs that come first are kept. */
struct taken {
    struct scan_answer answers[64];
    size_t count;
};

static struct scan_pool_report ask(const struct rig *r, uint32_t concurrency, struct taken *taken)
{
    struct scan_record record = {.type = SCAN_QUERY, .query = {.id = ++query_id, .concurrency = concurrency}};
    rig_send(r->channel, &record, -1);
    for (;;) {
        ck_assert_msg(rig_record_within(r->channel, RIG_PATIENCE_MS, &record), "no report; log:\n%s", rig_log(r));
        if (record.type == SCAN_POOL)
            break;
        if (record.type == SCAN_ANSWER) {
            ck_assert(taken && taken->count < ARRAY_SIZE(taken->answers));
            taken->answers[taken->count++] = record.answer;
        }
    }
    ck_assert_uint_eq(record.pool.id, query_id);
    return record.pool;
}

static void expect_clean(struct rig *r)
{
    rig_job(r, "clean", 10000);
    struct scan_answer a = rig_answer(r);
    RIG_EXPECT(r, a, CLEAN, NONE);
}

#define FIGURE(report, name) ((report).figures[POOL_##name])

START_TEST(scans_and_their_times_are_counted_without_the_canary)
{
    struct rig r;
    rig_init(&r);
    r.fw->pools[0].conf.concurrency = 2;
    rig_start(&r);
    rig_status(&r, r.channel);
    expect_clean(&r);
    rig_job(&r, "delay 200|clean", 10000);
    rig_answer(&r);
    rig_job(&r, "infected Some.Virus", 10000);
    rig_answer(&r);
    struct scan_pool_report f = ask(&r, 0, NULL);
    ck_assert_uint_eq(FIGURE(f, CONCURRENCY), 2);
    ck_assert_uint_eq(FIGURE(f, INVOCATIONS), 3);
    ck_assert_uint_eq(FIGURE(f, FINISHED), 3);
    ck_assert_uint_eq(FIGURE(f, BUSY), 0);
    ck_assert_uint_eq(FIGURE(f, QUEUED), 0);
    ck_assert_uint_eq(FIGURE(f, QUEUE_LIMIT), 16);
    ck_assert_uint_ge(FIGURE(f, SCAN_US), 190000);
    ck_assert_uint_eq(FIGURE(f, BUSY_US), FIGURE(f, SCAN_US));
    ck_assert_uint_eq(FIGURE(f, ACTIVE_US), FIGURE(f, BUSY_US)); /* one at a time */
    ck_assert_uint_ge(FIGURE(f, UPTIME_US), FIGURE(f, ACTIVE_US));
    ck_assert_uint_eq(FIGURE(f, CAPACITY_US), 2 * FIGURE(f, UPTIME_US));
    rig_stop(&r);
}
END_TEST

START_TEST(what_waits_and_what_runs_is_seen)
{
    struct rig r;
    rig_init(&r);
    r.fw->pools[0].conf.backlog = 2;
    rig_start(&r);
    expect_clean(&r);
    uint64_t first = r.last_id + 1;
    for (int i = 0; i < 3; i++)
        rig_job(&r, "hang", 60000);
    rig_job(&r, "clean", 10000); /* one too many */
    struct taken taken = {.count = 0};
    struct scan_pool_report f = ask(&r, 0, &taken);
    ck_assert_uint_eq(taken.count, 1);
    RIG_EXPECT(&r, taken.answers[0], ERROR, OVERLOAD);
    ck_assert_uint_eq(FIGURE(f, BUSY), 1);
    ck_assert_uint_eq(FIGURE(f, QUEUED), 2);
    ck_assert_uint_eq(FIGURE(f, QUEUE_HIGHEST), 2);
    ck_assert_uint_eq(FIGURE(f, OVERLOADS), 1);
    ck_assert_uint_eq(FIGURE(f, INVOCATIONS), 2);
    ck_assert_uint_eq(FIGURE(f, FINISHED), 1);
    for (uint64_t id = first; id < first + 3; id++)
        rig_cancel(&r, id);
    expect_clean(&r);
    f = ask(&r, 0, NULL);
    ck_assert_uint_eq(FIGURE(f, QUEUED), 0);
    ck_assert_uint_eq(FIGURE(f, QUEUE_HIGHEST), 2);
    ck_assert_uint_eq(FIGURE(f, OVERLOADS), 1);
    rig_stop(&r);
}
END_TEST

START_TEST(workers_that_end_are_counted_by_what_ended_them)
{
    static const struct {
        const char *orders;
        uint64_t ms;
        enum pool_figure figure;
        uint64_t count; /* of it, afterwards */
    } rows[] = {
        {"exit 3", 10000, POOL_CRASHES, 1},      {"exit 3", 10000, POOL_VIOLATIONS, 0},
        {"hang", 2000, POOL_KILLED_DEADLINE, 1}, {"garbage", 10000, POOL_KILLED_PROTOCOL, 1},
        {"connect", 10000, POOL_VIOLATIONS, 1}, /* these two: with seccomp only */
        {"kill", 10000, POOL_CRASHES, 4},
    };
    size_t count = ARRAY_SIZE(rows) - (rig_seccomp_lifted("calls outside the sandbox") ? 2 : 0);
    struct rig r;
    rig_init(&r);
    r.fw->pools[0].conf.jobs_per_worker = 1;
    rig_start(&r);
    expect_clean(&r); /* and its worker retires */
    for (size_t i = 0; i < count; i++) {
        rig_job(&r, rows[i].orders, rows[i].ms);
        rig_answer(&r);
        expect_clean(&r); /* by its successor: so it has ended */
        struct scan_pool_report f = ask(&r, 0, NULL);
        ck_assert_msg(f.figures[rows[i].figure] == rows[i].count, "%s: %s is %llu", rows[i].orders,
                      pool_figure_word(rows[i].figure), (unsigned long long)f.figures[rows[i].figure]);
        ck_assert_uint_ge(FIGURE(f, RETIRED), i + 1);
    }
    uint64_t id = rig_job(&r, "hang", 60000);
    struct scan_pool_report f;
    do
        f = ask(&r, 0, NULL);
    while (FIGURE(f, BUSY) == 0);
    rig_cancel(&r, id);
    expect_clean(&r);
    f = ask(&r, 0, NULL);
    ck_assert_uint_eq(FIGURE(f, KILLED_CANCELLED), 1);
    rig_stop(&r);
}
END_TEST

START_TEST(more_workers_take_what_waits)
{
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    expect_clean(&r);
    uint64_t first = r.last_id + 1;
    for (int i = 0; i < 4; i++)
        rig_job(&r, "hang", 60000);
    struct scan_pool_report f = ask(&r, 4, NULL);
    ck_assert_uint_eq(FIGURE(f, CONCURRENCY), 4);
    while (FIGURE(f, BUSY) < 4)
        f = ask(&r, 0, NULL);
    ck_assert_uint_eq(FIGURE(f, QUEUED), 0);
    for (uint64_t id = first; id < first + 4; id++)
        rig_cancel(&r, id);
    expect_clean(&r);
    ck_assert_msg(strstr(rig_log(&r), "concurrency 4 instead of 1"), "%s", rig_log(&r));
    rig_stop(&r);
}
END_TEST

START_TEST(fewer_workers_end_what_they_do_and_nothing_is_lost)
{
    struct rig r;
    rig_init(&r);
    r.fw->pools[0].conf.concurrency = 4;
    rig_start(&r);
    expect_clean(&r);
    for (int i = 0; i < 10; i++)
        rig_job(&r, "delay 100|clean", 20000);
    struct taken taken = {.count = 0};
    struct scan_pool_report f = ask(&r, 1, &taken);
    ck_assert_uint_eq(FIGURE(f, CONCURRENCY), 1);
    while (taken.count < 10)
        taken.answers[taken.count++] = rig_answer(&r);
    for (size_t i = 0; i < taken.count; i++)
        RIG_EXPECT(&r, taken.answers[i], CLEAN, NONE);
    do /* the surplus ones go as soon as they are idle */
        f = ask(&r, 0, NULL);
    while (FIGURE(f, WORKERS) > 1);
    ck_assert_uint_eq(FIGURE(f, RETIRED), 3);
    ck_assert_uint_eq(FIGURE(f, CRASHES), 0);
    expect_clean(&r);
    rig_stop(&r);
}
END_TEST

START_TEST(a_query_for_no_change_changes_nothing)
{
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    expect_clean(&r);
    int before, after;
    ck_assert_uint_eq(rig_workers(&r, &before, 1), 1);
    ask(&r, 1, NULL);
    expect_clean(&r);
    ck_assert_uint_eq(rig_workers(&r, &after, 1), 1);
    ck_assert_int_eq(before, after);
    ck_assert_ptr_null(strstr(rig_log(&r), "instead of"));
    rig_stop(&r);
}
END_TEST

START_TEST(queries_that_are_not_read_hold_up_nobody_else)
{
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    expect_clean(&r);
    int deaf = rig_attach(&r);
    struct scan_record record = {.type = SCAN_QUERY, .query = {.id = 1}};
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(&record, bytes), sent = 0;
    while (sent < 100000 && fdpass_send(deaf, span_of(bytes, len), -1) == ERR_OK)
        sent++;
    ck_assert_uint_lt(sent, 100000); /* its own socket is full, and that is all */
    expect_clean(&r);
    close(deaf);
    expect_clean(&r);
    rig_stop(&r);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(scans_and_their_times_are_counted_without_the_canary)                                                            \
    X(what_waits_and_what_runs_is_seen)                                                                                \
    X(workers_that_end_are_counted_by_what_ended_them)                                                                 \
    X(more_workers_take_what_waits)                                                                                    \
    X(fewer_workers_end_what_they_do_and_nothing_is_lost)                                                              \
    X(a_query_for_no_change_changes_nothing) X(queries_that_are_not_read_hold_up_nobody_else)
#include "support/check_main.h"
