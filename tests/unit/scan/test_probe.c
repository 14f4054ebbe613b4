/* SPDX-License-Identifier: MIT */
/* Probes over a loop's channel: when they are sent, what passes for good, and what messages meet meanwhile. */
#include "one_engine.h"
#include "scan/probe.h"

/* The pause is the shortest that the option takes; no case depends on how long it really lasts. */
static const struct engine_conf breaking = {.breaker_failures = 3, .probe_interval_ms = 100},
                                resting_long = {.breaker_failures = 3, .probe_interval_ms = 3600 * 1000};

static bool rests(struct rig *r)
{
    return rig_line(r, 0, "engine-rests", "from=closed to=open") != NULL;
}
static bool recovered(struct rig *r)
{
    return rig_line(r, 0, "engine-recovered", "from=half-open to=closed") != NULL;
}
static bool is_done(struct rig *r)
{
    return r->done > 0;
}

static void break_it(struct rig *r)
{
    rig_say(&r->answer, VERDICT_ERROR, VERDICT_REASON_DOWN, "");
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(rig_scan(r, 1, NULL).reason, VERDICT_REASON_DOWN);
    rig_wait(r, rests);
}

static enum health_state state_of(struct rig *r)
{
    struct health_view v;
    health_look(&r->runtime->engines[0].health, loop_now_us(r->loop), &v);
    return v.state;
}

START_TEST(after_failures_in_a_row_and_a_failed_probe_nobody_waits_for_the_engine)
{
    struct rig r;
    rig_open(&r, &resting_long);
    break_it(&r);
    ck_assert_uint_eq(r.jobs, 4); /* three messages, one probe */
    struct verdict v = rig_scan(&r, 1, NULL);
    ck_assert_int_eq(v.class, VERDICT_ERROR);
    ck_assert_int_eq(v.reason, VERDICT_REASON_DOWN);
    ck_assert_ptr_nonnull(strstr(v.detail, "the engine is resting after 3 failures, next probe in "));
    ck_assert_uint_eq(r.jobs, 4);
    ck_assert_ptr_nonnull(rig_line(&r, 0, "engine-probe", "result=bad"));
    const char *line = rig_line(&r, 0, "engine-rests", "engine=one");
    ck_assert_ptr_nonnull(strstr(line, "failures=3"));
    ck_assert_ptr_nonnull(strstr(line, "reason=\"probe: down"));
    rig_close(&r);
}
END_TEST

START_TEST(it_recovers_by_itself_without_any_mail)
{
    struct rig r;
    rig_open(&r, &breaking);
    break_it(&r);
    rig_say(&r.answer, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    rig_wait(&r, recovered);
    ck_assert_ptr_nonnull(rig_line(&r, 0, "engine-tried", "from=open to=half-open"));
    ck_assert_int_eq(rig_scan(&r, 1, NULL).class, VERDICT_CLEAN);
    rig_close(&r);
}
END_TEST

static bool is_tried(struct rig *r)
{
    return rig_line(r, 0, "engine-tried", "") != NULL;
}

START_TEST(the_first_message_that_goes_well_closes_it)
{
    struct rig r;
    struct engine_conf conf = resting_long;
    rig_open(&r, &conf);
    break_it(&r);
    rig_say(&r.answer, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    rig_attach(&r); /* a new host is a reason to look again at once */
    rig_wait(&r, is_tried);
    ck_assert_int_eq(rig_scan(&r, 1, NULL).class, VERDICT_CLEAN);
    ck_assert(recovered(&r));
    ck_assert_int_eq(state_of(&r), HEALTH_CLOSED);
    rig_close(&r);
}
END_TEST

START_TEST(a_message_that_is_given_up_gives_its_place_back)
{
    struct rig r;
    rig_open(&r, &resting_long);
    break_it(&r);
    rig_say(&r.answer, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    rig_attach(&r);
    rig_wait(&r, is_tried);
    r.silent = true;
    for (int i = 0; i < 3 * HEALTH_TRIALS; i++) {
        struct scan_run *run = rig_start(&r, 1);
        ck_assert_ptr_null(scan_run_verdict(run)); /* it was let through, or its ERROR would be known */
        scan_run_free(run);
    }
    r.silent = false;
    ck_assert_int_eq(rig_scan(&r, 1, NULL).class, VERDICT_CLEAN);
    rig_close(&r);
}
END_TEST

static bool probe_was_good(struct rig *r)
{
    return rig_line(r, 0, "engine-probe", "result=good reason=\"it failed several times\"") != NULL;
}

START_TEST(messages_that_make_it_fail_do_not_make_it_rest)
{
    struct rig r;
    rig_open(&r, &resting_long);
    rig_say(&r.answer, VERDICT_ERROR, VERDICT_REASON_CRASH, "");
    for (int i = 0; i < 2; i++)
        rig_scan(&r, 1, NULL);
    struct scan_run *run = rig_start(&r, 1); /* the third; the probe that follows finds it well */
    rig_wait(&r, rig_is_woken);
    ck_assert_uint_eq(r.jobs, 3);
    rig_say(&r.answer, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    scan_run_free(run);
    rig_wait(&r, probe_was_good);
    ck_assert_int_eq(state_of(&r), HEALTH_CLOSED);
    ck_assert_ptr_null(rig_line(&r, 0, "engine-rests", ""));
    rig_close(&r);
}
END_TEST

/* ---- what passes for good ---- */

struct asked {
    struct rig *rig;
    struct probe_result result;
    char text[LIMIT_VERDICT_TEXT + 1];
};

static void probe_done(void *arg, const struct probe_result *result)
{
    struct asked *a = arg;
    a->result = *result;
    snprintf(a->text, sizeof(a->text), "%s", result->text);
    a->rig->done++;
    rig_look(a->rig);
}

static struct asked probe_it(struct rig *r)
{
    struct asked a = {.rig = r};
    r->done = 0;
    ck_assert(probes_force(scan_client_probes(r->client), 0, probe_done, &a));
    ck_assert(!probes_force(scan_client_probes(r->client), 0, probe_done, &a)); /* one at a time */
    ck_assert_uint_eq(r->done, 0);
    rig_wait(r, is_done);
    return a;
}

START_TEST(a_probe_asks_for_a_clean_text_and_the_test_string)
{
    static const struct {
        enum verdict_class clean, pattern;
        enum verdict_reason clean_reason, pattern_reason;
        unsigned jobs;
        bool good;
        const char *text;
    } rows[] = {
        {VERDICT_CLEAN, VERDICT_INFECTED, VERDICT_REASON_NONE, VERDICT_REASON_NONE, 2, true,
         "scans, and finds the test string"},
        {VERDICT_CLEAN, VERDICT_CLEAN, VERDICT_REASON_NONE, VERDICT_REASON_NONE, 2, true,
         "scans; its database does not know the test string"},
        {VERDICT_CLEAN, VERDICT_UNSCANNABLE, VERDICT_REASON_NONE, VERDICT_REASON_LIMIT, 2, false,
         "the test string could not be scanned: a limit of the engine was reached before the end"},
        {VERDICT_CLEAN, VERDICT_ERROR, VERDICT_REASON_NONE, VERDICT_REASON_CRASH, 2, false,
         "crash: the worker ended by a fault"},
        {VERDICT_INFECTED, VERDICT_INFECTED, VERDICT_REASON_NONE, VERDICT_REASON_NONE, 1, false,
         "a clean message was not found clean: N"},
        {VERDICT_UNSCANNABLE, VERDICT_INFECTED, VERDICT_REASON_LIMIT, VERDICT_REASON_NONE, 1, false,
         "a clean message was not found clean: N"},
        {VERDICT_ERROR, VERDICT_INFECTED, VERDICT_REASON_TIMEOUT, VERDICT_REASON_NONE, 1, false, "timeout: N"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        rig_open(&r, &resting_long);
        rig_say(&r.answer, rows[i].clean, rows[i].clean_reason, rows[i].clean == VERDICT_CLEAN ? "" : "N");
        rig_say(&r.answer_pattern, rows[i].pattern, rows[i].pattern_reason, "");
        struct asked a = probe_it(&r);
        ck_assert_msg(a.result.good == rows[i].good, "row %zu: %s", i, a.text);
        ck_assert_str_eq(a.text, rows[i].text);
        ck_assert_uint_eq(r.jobs, rows[i].jobs);
        ck_assert_int_eq(a.result.clean.class, rows[i].clean);
        ck_assert_int_eq(a.result.pattern.class, rows[i].jobs == 2 ? rows[i].pattern : VERDICT_SKIPPED);
        ck_assert_uint_eq(atomic_load(&r.runtime->engines[0].checked), 0); /* no message was */
        rig_close(&r);
    }
}
END_TEST

START_TEST(a_database_that_has_lost_the_test_string_is_no_longer_good)
{
    struct rig r;
    rig_open(&r, &resting_long);
    ck_assert(probe_it(&r).result.good);
    rig_say(&r.answer_pattern, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    struct asked a = probe_it(&r);
    ck_assert(!a.result.good);
    ck_assert_str_eq(a.text, "the test string is not found any more");
    rig_attach(&r); /* another one may not know it */
    ck_assert(probe_it(&r).result.good);
    rig_close(&r);
}
END_TEST

START_TEST(an_engine_whose_host_does_not_come_in_time_rests)
{
    struct rig r;
    struct engine_conf conf = resting_long;
    conf.breaker_failures = 1;
    conf.timeout_ms = 1;
    rig_open(&r, &conf);
    scan_client_free(r.client);
    rig_detach(&r);
    r.client = scan_client_new(r.loop, r.runtime, &r.log, true);
    ck_assert_ptr_nonnull(r.client);
    struct asked a = probe_it(&r);
    ck_assert(!a.result.good);
    ck_assert_str_eq(a.text, "timeout: no scan host took it before the deadline");
    ck_assert_int_eq(state_of(&r), HEALTH_OPEN);
    rig_close(&r);
}
END_TEST

START_TEST(a_client_that_ends_gives_its_probe_up)
{
    struct rig r;
    struct asked a = {.rig = &r};
    rig_open(&r, &breaking);
    r.silent = true;
    ck_assert(probes_force(scan_client_probes(r.client), 0, probe_done, &a));
    scan_client_free(r.client);
    ck_assert(health_probe_begin(&r.runtime->engines[0].health, true, 0)); /* nobody waits for it any more */
    r.client = scan_client_new(r.loop, r.runtime, &r.log, true);
    ck_assert_uint_eq(r.done, 0);
    rig_close(&r);
}
END_TEST

static bool idle_was_probed_twice(struct rig *r)
{
    size_t count = 0;
    for (size_t i = 0; i < r->line_count; i++)
        count += strstr(r->lines[i], "engine-probe") && strstr(r->lines[i], "nobody has asked it");
    return count >= 2;
}

START_TEST(an_idle_engine_is_probed_where_that_is_wanted)
{
    struct rig r;
    struct engine_conf conf = breaking;
    conf.probe_idle_ms = 50;
    rig_open(&r, &conf);
    rig_wait(&r, idle_was_probed_twice);
    ck_assert_uint_ge(r.jobs, 4);
    rig_say(&r.answer, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, ""); /* its end is noticed without mail */
    rig_wait(&r, rests);
    ck_assert_int_eq(rig_scan(&r, 1, NULL).class, VERDICT_ERROR);
    rig_close(&r);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(after_failures_in_a_row_and_a_failed_probe_nobody_waits_for_the_engine)                                          \
    X(it_recovers_by_itself_without_any_mail)                                                                          \
    X(the_first_message_that_goes_well_closes_it)                                                                      \
    X(a_message_that_is_given_up_gives_its_place_back)                                                                 \
    X(messages_that_make_it_fail_do_not_make_it_rest)                                                                  \
    X(a_probe_asks_for_a_clean_text_and_the_test_string)                                                               \
    X(a_database_that_has_lost_the_test_string_is_no_longer_good)                                                      \
    X(an_engine_whose_host_does_not_come_in_time_rests)                                                                \
    X(a_client_that_ends_gives_its_probe_up)                                                                           \
    X(an_idle_engine_is_probed_where_that_is_wanted)
#include "support/check_main.h"
