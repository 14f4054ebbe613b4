/* SPDX-License-Identifier: MIT */
/* Questions to scan hosts: which engines are asked in which order, what becomes of their answers. */
#include "scan_bench.h"

START_TEST(a_job_names_engine_size_digest_and_deadline_and_carries_the_message)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    uint64_t before = clock_monotonic_us();
    struct scan_run *r = start(&b);
    uint64_t after = clock_monotonic_us();
    wait_records(&b, 1);
    const struct scan_job *job = &b.broker[0].got[0].job;
    ck_assert_int_eq(b.broker[0].got[0].type, SCAN_JOB);
    ck_assert(b.broker[0].with_fd[0]);
    ck_assert_str_eq(job->engine, "one");
    ck_assert_uint_eq(job->size, 7);
    ck_assert_uint_eq(job->digest[0], 0xd1);
    ck_assert_uint_eq(job->digest[31], 0xd1);
    ck_assert_uint_ge(job->deadline_us, before + 10000000);
    ck_assert_uint_le(job->deadline_us, after + 10000000);
    ck_assert_ptr_null(scan_run_verdict(r));
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

START_TEST(an_answer_becomes_the_verdict_under_our_own_name_of_the_engine)
{
    static const struct {
        enum verdict_class class;
        enum verdict_reason reason;
        const char *name;
    } rows[] = {{VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
                {VERDICT_INFECTED, VERDICT_REASON_NONE, "Test.Virus"},
                {VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, ""},
                {VERDICT_ERROR, VERDICT_REASON_CRASH, ""}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct bench b;
        bench_open(&b, 1);
        bench_start(&b, false);
        broker_open(&b, 0);
        struct scan_run *r = start(&b);
        wait_records(&b, 1);
        broker_answer(&b, 0, b.broker[0].got[0].job.id, rows[i].class, rows[i].reason, rows[i].name);
        wait_wakes(&b, 1);
        assert_verdict(r, rows[i].class, rows[i].reason, "one");
        ck_assert_str_eq(scan_run_verdict(r)->name, rows[i].name);
        ck_assert_uint_eq(scan_run_verdict(r)->database_version, 42);
        scan_run_free(r);
        bench_close(&b);
    }
}
END_TEST

START_TEST(engines_scan_in_order_and_the_strictest_decides)
{
    static const struct {
        enum verdict_class first, second, result;
        const char *decided;
        unsigned jobs;
        int first_action, first_on_error;
        bool all;
        const char *words;
    } rows[] = {
        {VERDICT_CLEAN, VERDICT_CLEAN, VERDICT_CLEAN, "one", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE, false,
         "one=clean; two=clean"},
        {VERDICT_INFECTED, VERDICT_INFECTED, VERDICT_INFECTED, "two", 2, ON_INFECTED_PASS, ON_ERROR_ERROR_CODE, false,
         "one=infected; two=infected"},
        {VERDICT_INFECTED, VERDICT_ERROR, VERDICT_ERROR, "two", 2, ON_INFECTED_PASS, ON_ERROR_ERROR_CODE, false,
         "one=infected; two=error:crash"},
        {VERDICT_UNSCANNABLE, VERDICT_ERROR, VERDICT_ERROR, "two", 2, ON_INFECTED_PASS, ON_ERROR_ERROR_CODE, false,
         "one=unscannable:limit; two=error:crash"},
        {VERDICT_UNSCANNABLE, VERDICT_CLEAN, VERDICT_UNSCANNABLE, "one", 2, ON_INFECTED_PASS, ON_ERROR_ERROR_CODE,
         false, "one=unscannable:limit; two=clean"},
        {VERDICT_CLEAN, VERDICT_INFECTED, VERDICT_INFECTED, "two", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE, false,
         "one=clean; two=infected"},
        {VERDICT_INFECTED, VERDICT_CLEAN, VERDICT_INFECTED, "one", 1, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE, false,
         "one=infected"},
        {VERDICT_ERROR, VERDICT_CLEAN, VERDICT_ERROR, "one", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE, false,
         "one=error:crash; two=clean"},
        {VERDICT_CLEAN, VERDICT_ERROR, VERDICT_ERROR, "two", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE, false,
         "one=clean; two=error:crash"},
        {VERDICT_ERROR, VERDICT_UNSCANNABLE, VERDICT_UNSCANNABLE, "two", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE,
         false, "one=error:crash; two=unscannable:limit"},
        {VERDICT_UNSCANNABLE, VERDICT_ERROR, VERDICT_UNSCANNABLE, "one", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE,
         false, "one=unscannable:limit; two=error:crash"},
        {VERDICT_UNSCANNABLE, VERDICT_INFECTED, VERDICT_INFECTED, "two", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE,
         false, "one=unscannable:limit; two=infected"},
        {VERDICT_INFECTED, VERDICT_INFECTED, VERDICT_INFECTED, "one", 2, ON_INFECTED_REJECT, ON_ERROR_ERROR_CODE, true,
         "one=infected; two=infected"},
        {VERDICT_ERROR, VERDICT_CLEAN, VERDICT_CLEAN, "two", 2, ON_INFECTED_REJECT, ON_ERROR_NEXT, false,
         "one=error:crash; two=clean"},
        {VERDICT_ERROR, VERDICT_ERROR, VERDICT_ERROR, "two", 2, ON_INFECTED_REJECT, ON_ERROR_NEXT, false,
         "one=error:crash; two=error:crash"},
        {VERDICT_ERROR, VERDICT_CLEAN, VERDICT_ERROR, "one", 2, ON_INFECTED_REJECT, ON_ERROR_PASS, false,
         "one=error:crash; two=clean"},
    };
    static const enum verdict_reason reason_of[] = {[VERDICT_CLEAN] = VERDICT_REASON_NONE,
                                                    [VERDICT_INFECTED] = VERDICT_REASON_NONE,
                                                    [VERDICT_UNSCANNABLE] = VERDICT_REASON_LIMIT,
                                                    [VERDICT_ERROR] = VERDICT_REASON_CRASH};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct bench b;
        bench_open(&b, 2);
        b.conf[0].action = rows[i].first_action;
        b.conf[0].on_error = rows[i].first_on_error;
        b.fw.all = rows[i].all;
        bench_start(&b, false);
        broker_open(&b, 0);
        broker_open(&b, 1);
        struct scan_run *r = start(&b);
        wait_records(&b, 1);
        ck_assert_uint_eq(b.broker[1].count, 0);
        broker_answer(&b, 0, b.broker[0].got[0].job.id, rows[i].first, reason_of[rows[i].first], "");
        if (rows[i].jobs == 2) {
            wait_records(&b, 2);
            ck_assert_str_eq(b.broker[1].got[0].job.engine, "two");
            ck_assert_uint_ne(b.broker[1].got[0].job.id, b.broker[0].got[0].job.id);
            broker_answer(&b, 1, b.broker[1].got[0].job.id, rows[i].second, reason_of[rows[i].second], "");
        }
        wait_wakes(&b, 1);
        assert_verdict(r, rows[i].result, reason_of[rows[i].result], rows[i].decided);
        ck_assert_str_eq(scan_run_words(r), rows[i].words);
        ck_assert_uint_eq(b.broker[0].count + b.broker[1].count, rows[i].jobs);
        ck_assert_uint_eq(scan_run_verdict(r)->queue_us, 10 * rows[i].jobs);
        ck_assert_uint_eq(scan_run_verdict(r)->scan_us, 100 * rows[i].jobs);
        scan_run_free(r);
        bench_close(&b);
    }
}
END_TEST

START_TEST(a_false_alarm_by_digest_is_clean_but_trouble_is_not)
{
    static const char *const by_name[] = {"False.*"};
    static const char *const by_digest[] = {"sha256:abababababababababababababababababababababababababababababababab"};
    static const struct {
        const char *const *ignored;
        enum verdict_class class, result;
        enum verdict_reason reason;
        const char *name;
        bool digest_fits;
    } rows[] = {
        /* the engine passes over such a name itself, or what it says stands */
        {by_name, VERDICT_INFECTED, VERDICT_INFECTED, VERDICT_REASON_NONE, "False.Alarm", false},
        {by_digest, VERDICT_INFECTED, VERDICT_CLEAN, VERDICT_REASON_NONE, "True.Alarm", true},
        {by_digest, VERDICT_INFECTED, VERDICT_INFECTED, VERDICT_REASON_NONE, "True.Alarm", false},
        {by_digest, VERDICT_UNSCANNABLE, VERDICT_CLEAN, VERDICT_REASON_LIMIT, "", true},
        {by_digest, VERDICT_ERROR, VERDICT_ERROR, VERDICT_REASON_CRASH, "", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct bench b;
        uint8_t digest[32];
        memset(digest, rows[i].digest_fits ? 0xab : 0xcd, sizeof(digest));
        bench_open(&b, 1);
        b.conf[0].ignore_signatures = (struct conf_list){rows[i].ignored, 1};
        bench_start(&b, false);
        broker_open(&b, 0);
        struct scan_run *r = scan_run_start(
            b.client, &(struct scan_subject){.fd = b.message, .size = 7, .digest = digest}, bench_woken, &b);
        wait_records(&b, 1);
        broker_answer(&b, 0, b.broker[0].got[0].job.id, rows[i].class, rows[i].reason, rows[i].name);
        wait_wakes(&b, 1);
        assert_verdict(r, rows[i].result, rows[i].result == VERDICT_CLEAN ? VERDICT_REASON_NONE : rows[i].reason,
                       "one");
        ck_assert_uint_eq(scan_run_verdict(r)->database_version, 42);
        ck_assert_int_eq(strstr(scan_run_verdict(r)->detail, "ignore_signatures") != NULL,
                         rows[i].result == VERDICT_CLEAN);
        scan_run_free(r);
        bench_close(&b);
    }
}
END_TEST

START_TEST(scan_off_skips_and_no_engine_is_trouble)
{
    struct bench b;
    bench_open(&b, 0);
    bench_start(&b, false);
    ck_assert(scan_client_settled(b.client));
    struct scan_run *r = start(&b);
    wait_wakes(&b, 1);
    assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_NO_ENGINE, "");
    scan_run_free(r);
    bench_close(&b);

    bench_open(&b, 1);
    b.fw.scan_off = true;
    bench_start(&b, false);
    broker_open(&b, 0);
    r = start(&b);
    wait_wakes(&b, 1);
    assert_verdict(r, VERDICT_SKIPPED, VERDICT_REASON_SCAN_OFF, "");
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

START_TEST(an_engine_that_is_not_built_is_down_and_counts_as_settled)
{
    struct bench b;
    bench_open(&b, 1);
    b.fw.engines[0].built = false;
    bench_start(&b, false);
    ck_assert(scan_client_settled(b.client));
    struct scan_run *r = start(&b);
    wait_wakes(&b, 1);
    assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_DOWN, "one");
    ck_assert_ptr_nonnull(strstr(scan_run_verdict(r)->detail, "this version"));
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

START_TEST(a_loading_engine_gets_its_jobs_and_a_failed_one_does_not)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    broker_status(&b, 0, "one", SCAN_ENGINE_LOADING, "");
    struct scan_run *r = start(&b);
    wait_records(&b, 1);
    ck_assert(!scan_client_settled(b.client));
    broker_status(&b, 0, "one", SCAN_ENGINE_FAILED, "no signatures in /nowhere");
    wait_changes(&b, 1);
    ck_assert(scan_client_settled(b.client));
    ck_assert_ptr_null(scan_run_verdict(r)); /* the broker answers its jobs itself */
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_ERROR, VERDICT_REASON_DOWN, "");
    wait_wakes(&b, 1);
    struct scan_run *second = start(&b);
    wait_wakes(&b, 2);
    assert_verdict(second, VERDICT_ERROR, VERDICT_REASON_DOWN, "one");
    ck_assert_str_eq(scan_run_verdict(second)->detail, "no signatures in /nowhere");
    ck_assert_uint_eq(b.broker[0].count, 1);
    scan_run_free(r);
    scan_run_free(second);
    bench_close(&b);
}
END_TEST

START_TEST(silence_ends_at_the_deadline_with_a_cancel_and_the_late_answer_is_ignored)
{
    struct bench b;
    bench_open(&b, 1);
    b.conf[0].timeout_ms = 1;
    bench_start(&b, false);
    broker_open(&b, 0);
    uint64_t before = clock_monotonic_us();
    struct scan_run *r = start(&b);
    wait_wakes(&b, 1);
    assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "one");
    ck_assert_uint_ge(clock_monotonic_us() - before, 1001000); /* timeout and the broker's grace */
    wait_records(&b, 2);
    ck_assert_int_eq(b.broker[0].got[1].type, SCAN_CANCEL);
    ck_assert_uint_eq(b.broker[0].got[1].cancel, b.broker[0].got[0].job.id);
    /* the late answer does not hit the next run, which is answered in its own time */
    b.conf[0].timeout_ms = 10000;
    struct scan_run *next = start(&b);
    wait_records(&b, 3);
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    broker_answer(&b, 0, b.broker[0].got[2].job.id, VERDICT_INFECTED, VERDICT_REASON_NONE, "V");
    wait_wakes(&b, 2);
    ck_assert_uint_eq(scan_client_late_answers(b.client), 1);
    assert_verdict(r, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "one");
    assert_verdict(next, VERDICT_INFECTED, VERDICT_REASON_NONE, "one");
    scan_run_free(r);
    scan_run_free(next);
    bench_close(&b);
}
END_TEST

/* C16 */
START_TEST(answers_for_unknown_ids_and_other_channels_are_ignored)
{
    struct bench b;
    bench_open(&b, 2);
    bench_start(&b, false);
    broker_open(&b, 0);
    broker_open(&b, 1);
    struct scan_run *r = start(&b);
    wait_records(&b, 1);
    uint64_t id = b.broker[0].got[0].job.id;
    const uint64_t wrong[] = {0, id + 1, id + 4096, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        broker_answer(&b, 0, wrong[i], VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    broker_answer(&b, 1, id, VERDICT_CLEAN, VERDICT_REASON_NONE, ""); /* the right id from the wrong host */
    broker_status(&b, 1, "two", SCAN_ENGINE_READY, "");
    wait_changes(&b, 1); /* all of it was read */
    broker_answer(&b, 0, id, VERDICT_INFECTED, VERDICT_REASON_NONE, "V");
    wait_wakes(&b, 1);
    ck_assert_uint_eq(scan_client_late_answers(b.client), 5);
    assert_verdict(r, VERDICT_INFECTED, VERDICT_REASON_NONE, "one");
    scan_run_free(r);
    bench_close(&b);
}
END_TEST

START_TEST(jobs_are_answered_in_any_order)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    struct scan_run *first = start(&b), *second = start(&b);
    wait_records(&b, 2);
    broker_answer(&b, 0, b.broker[0].got[1].job.id, VERDICT_INFECTED, VERDICT_REASON_NONE, "V");
    wait_wakes(&b, 1);
    ck_assert_ptr_null(scan_run_verdict(first));
    assert_verdict(second, VERDICT_INFECTED, VERDICT_REASON_NONE, "one");
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    wait_wakes(&b, 2);
    assert_verdict(first, VERDICT_CLEAN, VERDICT_REASON_NONE, "one");
    scan_run_free(first);
    scan_run_free(second);
    bench_close(&b);
}
END_TEST

START_TEST(a_run_given_up_is_cancelled_and_never_wakes)
{
    struct bench b;
    bench_open(&b, 1);
    bench_start(&b, false);
    broker_open(&b, 0);
    struct scan_run *r = start(&b);
    wait_records(&b, 1);
    scan_run_free(r);
    wait_records(&b, 2);
    ck_assert_int_eq(b.broker[0].got[1].type, SCAN_CANCEL);
    ck_assert_uint_eq(b.broker[0].got[1].cancel, b.broker[0].got[0].job.id);
    ck_assert(!b.broker[0].with_fd[1]);
    broker_answer(&b, 0, b.broker[0].got[0].job.id, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    broker_status(&b, 0, "one", SCAN_ENGINE_READY, "");
    wait_changes(&b, 1);
    ck_assert_uint_eq(b.wakes, 0);
    ck_assert_uint_eq(scan_client_late_answers(b.client), 1);
    /* and one whose verdict is known, but whose wake has not come yet */
    b.fw.scan_off = true;
    scan_run_free(start(&b));
    broker_status(&b, 0, "one", SCAN_ENGINE_FAILED, "");
    wait_changes(&b, 2);
    ck_assert_uint_eq(b.wakes, 0);
    bench_close(&b);
}
END_TEST

static void free_and_count(void *arg);
struct self_freeing {
    struct bench *bench;
    struct scan_run *run;
};
static void free_and_count(void *arg)
{
    struct self_freeing *s = arg;
    scan_run_free(s->run);
    bench_woken(s->bench);
}

START_TEST(a_run_may_be_freed_by_its_wake)
{
    struct bench b;
    bench_open(&b, 0);
    bench_start(&b, false);
    uint8_t digest[32] = {0};
    struct self_freeing s = {.bench = &b};
    s.run = scan_run_start(b.client, &(struct scan_subject){.fd = b.message, .size = 7, .digest = digest},
                           free_and_count, &s);
    wait_wakes(&b, 1);
    bench_close(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_job_names_engine_size_digest_and_deadline_and_carries_the_message)                                             \
    X(an_answer_becomes_the_verdict_under_our_own_name_of_the_engine)                                                  \
    X(engines_scan_in_order_and_the_strictest_decides)                                                                 \
    X(a_false_alarm_by_digest_is_clean_but_trouble_is_not)                                                             \
    X(scan_off_skips_and_no_engine_is_trouble)                                                                         \
    X(an_engine_that_is_not_built_is_down_and_counts_as_settled)                                                       \
    X(a_loading_engine_gets_its_jobs_and_a_failed_one_does_not)                                                        \
    X(silence_ends_at_the_deadline_with_a_cancel_and_the_late_answer_is_ignored)                                       \
    X(answers_for_unknown_ids_and_other_channels_are_ignored)                                                          \
    X(jobs_are_answered_in_any_order)                                                                                  \
    X(a_run_given_up_is_cancelled_and_never_wakes)                                                                     \
    X(a_run_may_be_freed_by_its_wake)
#include "support/check_main.h"
