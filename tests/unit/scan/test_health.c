/* SPDX-License-Identifier: MIT */
/* The breaker, played as scripts on a clock of their own. */
#include "scan/health.h"
#include <check.h>

#define SECOND UINT64_C(1000000)

static const struct health_conf three = {.failures = 3, .interval_us = 5 * SECOND, .interval_max_us = 60 * SECOND};

static struct verdict word(enum verdict_class class, enum verdict_reason reason)
{
    struct verdict v;
    verdict_set(&v, class, reason, class == VERDICT_ERROR ? "as the test says" : NULL);
    v.scan_us = 100;
    v.generation = 1;
    return v;
}

/* One message through the breaker at NOW; '+' goes well, '-' fails, '0' says nothing. Returns 'x' where it was not let
 * through, '!' where it changed the state, else '.'. */
static char message(struct health *h, char how, uint64_t now)
{
    unsigned ticket;
    struct verdict why,
        v = how == '+' ? word(VERDICT_CLEAN, VERDICT_REASON_NONE) : word(VERDICT_ERROR, VERDICT_REASON_DOWN);
    struct health_change change;
    if (!health_admit(h, now, &ticket, &why)) {
        ck_assert_int_eq(why.class, VERDICT_ERROR);
        ck_assert_int_eq(why.reason, VERDICT_REASON_DOWN);
        return 'x';
    }
    return health_report(h, ticket, how == '0' ? NULL : &v, now, &change) ? '!' : '.';
}

static bool probe(struct health *h, enum health_sign sign, uint64_t now)
{
    struct health_change change;
    ck_assert(health_probe_begin(h, false, now));
    ck_assert(!health_probe_begin(h, true, now)); /* one at a time */
    ck_assert_uint_eq(health_probe_wait(h, now), HEALTH_NEVER);
    return health_probe_end(h, sign, "what it said", now, &change);
}

static struct health_view look(struct health *h, uint64_t now)
{
    struct health_view v;
    health_look(h, now, &v);
    return v;
}

static void fail_until_open(struct health *h, uint64_t now)
{
    for (unsigned i = 0; i < three.failures; i++)
        message(h, '-', now);
    ck_assert(probe(h, HEALTH_BAD, now));
    ck_assert_int_eq(look(h, now).state, HEALTH_OPEN);
}

START_TEST(signs_are_read_from_what_the_engine_was_asked_in_a_worker)
{
    static const struct {
        enum verdict_class class;
        enum verdict_reason reason;
        uint64_t scan_us;
        unsigned generation;
        enum health_sign sign;
    } rows[] = {
        {VERDICT_CLEAN, VERDICT_REASON_NONE, 100, 1, HEALTH_GOOD},
        {VERDICT_INFECTED, VERDICT_REASON_NONE, 100, 1, HEALTH_GOOD},
        {VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, 100, 1, HEALTH_GOOD},
        {VERDICT_SKIPPED, VERDICT_REASON_SCAN_OFF, 100, 1, HEALTH_NOTHING},
        {VERDICT_ERROR, VERDICT_REASON_DOWN, 100, 1, HEALTH_BAD},
        {VERDICT_ERROR, VERDICT_REASON_TIMEOUT, 100, 1, HEALTH_BAD},
        {VERDICT_ERROR, VERDICT_REASON_CRASH, 100, 1, HEALTH_BAD},
        {VERDICT_ERROR, VERDICT_REASON_PROTOCOL, 100, 1, HEALTH_BAD},
        {VERDICT_ERROR, VERDICT_REASON_ENGINE, 100, 1, HEALTH_BAD},
        /* the message's own fault, or the machine's */
        {VERDICT_ERROR, VERDICT_REASON_MEMORY, 100, 1, HEALTH_NOTHING},
        {VERDICT_ERROR, VERDICT_REASON_POISON, 0, 1, HEALTH_NOTHING},
        {VERDICT_ERROR, VERDICT_REASON_OVERLOAD, 0, 1, HEALTH_NOTHING},
        {VERDICT_ERROR, VERDICT_REASON_SANDBOX, 0, 1, HEALTH_NOTHING},
        /* no worker had it: the host is gone, or the queue was long */
        {VERDICT_ERROR, VERDICT_REASON_DOWN, 0, 0, HEALTH_NOTHING},
        {VERDICT_ERROR, VERDICT_REASON_PROTOCOL, 0, 0, HEALTH_NOTHING},
        {VERDICT_ERROR, VERDICT_REASON_TIMEOUT, 0, 1, HEALTH_NOTHING},
        /* but a host that does not even say that time is up */
        {VERDICT_ERROR, VERDICT_REASON_TIMEOUT, 0, 0, HEALTH_BAD},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct verdict v = word(rows[i].class, rows[i].reason);
        v.scan_us = rows[i].scan_us;
        v.generation = rows[i].generation;
        ck_assert_msg(health_sign_of(&v) == rows[i].sign, "row %zu", i);
    }
}
END_TEST

START_TEST(failures_in_a_row_make_a_probe_due_and_a_success_makes_them_forgotten)
{
    static const struct {
        unsigned failures;
        const char *messages;
        bool due;
    } rows[] = {
        {3, "--", false},    {3, "---", true},    {3, "--+--", false}, {3, "--+---", true},
        {3, "-0-0-", true},  {3, "---+", false},  {1, "-", true},      {1, "+", false},
        {0, "-----", false}, {3, "------", true}, {3, "+++++", false}, {3, "00000000", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct health h;
        const struct health_conf conf = {
            .failures = rows[i].failures, .interval_us = 5 * SECOND, .interval_max_us = 60 * SECOND};
        health_init(&h, &conf, 0);
        for (const char *m = rows[i].messages; *m; m++)
            ck_assert_int_eq(message(&h, *m, SECOND), '.'); /* all are let through */
        ck_assert_msg((health_probe_wait(&h, SECOND) == 0) == rows[i].due, "row %zu", i);
        ck_assert_int_eq(look(&h, SECOND).state, HEALTH_CLOSED);
        health_release(&h);
    }
}
END_TEST

START_TEST(messages_that_make_the_engine_fail_do_not_take_it_from_others)
{
    struct health h;
    health_init(&h, &three, 0);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 3; i++)
            ck_assert_int_eq(message(&h, '-', SECOND), '.');
        ck_assert(!probe(&h, HEALTH_GOOD, SECOND)); /* our own message goes well */
        ck_assert_uint_eq(look(&h, SECOND).failures, 0);
        ck_assert_uint_eq(health_probe_wait(&h, SECOND), HEALTH_NEVER);
    }
    ck_assert_int_eq(look(&h, SECOND).state, HEALTH_CLOSED);
    ck_assert_uint_eq(look(&h, SECOND).opened, 0);
    health_release(&h);
}
END_TEST

START_TEST(an_engine_that_fails_its_probe_too_rests_and_its_messages_are_told_at_once)
{
    struct health h;
    struct verdict why;
    struct health_change change;
    unsigned ticket;
    health_init(&h, &three, 0);
    for (unsigned i = 0; i < 3; i++)
        message(&h, '-', SECOND);
    ck_assert(health_probe_begin(&h, false, SECOND));
    ck_assert_int_eq(message(&h, '-', SECOND), '.'); /* until the probe has ended */
    ck_assert(health_probe_end(&h, HEALTH_BAD, "down: connection refused", 2 * SECOND, &change));
    ck_assert_int_eq(change.from, HEALTH_CLOSED);
    ck_assert_int_eq(change.to, HEALTH_OPEN);
    ck_assert_uint_eq(change.failures, 4);
    ck_assert_uint_eq(change.probe_in_us, 5 * SECOND);
    ck_assert_str_eq(change.why, "probe: down: connection refused");
    ck_assert(!health_admit(&h, 3 * SECOND, &ticket, &why));
    ck_assert_str_eq(why.detail, "the engine is resting after 4 failures, next probe in 4000 ms (probe: down: "
                                 "connection refused)");
    struct health_view v = look(&h, 3 * SECOND);
    ck_assert_int_eq(v.state, HEALTH_OPEN);
    ck_assert_uint_eq(v.state_us, SECOND);
    ck_assert_uint_eq(v.probe_in_us, 4 * SECOND);
    ck_assert_uint_eq(v.opened, 1);
    ck_assert_uint_eq(v.probes, 1);
    ck_assert_uint_eq(v.probes_bad, 1);
    health_release(&h);
}
END_TEST

START_TEST(probes_of_a_resting_engine_back_off_up_to_a_maximum)
{
    static const unsigned seconds[] = {5, 10, 20, 40, 60, 60, 60};
    struct health h;
    uint64_t now = SECOND;
    health_init(&h, &three, 0);
    fail_until_open(&h, now);
    for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
        ck_assert_uint_eq(health_probe_wait(&h, now), seconds[i] * SECOND);
        ck_assert(!health_probe_begin(&h, false, now + seconds[i] * SECOND - 1));
        now += seconds[i] * SECOND;
        ck_assert(!probe(&h, HEALTH_BAD, now));
        ck_assert_int_eq(message(&h, '+', now), 'x');
    }
    health_release(&h);
}
END_TEST

START_TEST(after_a_good_probe_a_few_messages_at_a_time_are_tried_and_the_first_good_one_closes)
{
    struct health h;
    struct verdict why, good = word(VERDICT_INFECTED, VERDICT_REASON_NONE);
    struct health_change change;
    unsigned tickets[HEALTH_TRIALS], ticket;
    health_init(&h, &three, 0);
    fail_until_open(&h, 0);
    ck_assert(probe(&h, HEALTH_GOOD, 5 * SECOND));
    ck_assert_int_eq(look(&h, 5 * SECOND).state, HEALTH_HALF_OPEN);
    for (size_t i = 0; i < HEALTH_TRIALS; i++)
        ck_assert(health_admit(&h, 5 * SECOND, &tickets[i], &why));
    ck_assert(!health_admit(&h, 5 * SECOND, &ticket, &why));
    ck_assert(!health_report(&h, tickets[0], NULL, 5 * SECOND, &change)); /* given up: another may try */
    ck_assert(health_admit(&h, 5 * SECOND, &tickets[0], &why));
    ck_assert(health_report(&h, tickets[1], &good, 6 * SECOND, &change));
    ck_assert_int_eq(change.from, HEALTH_HALF_OPEN);
    ck_assert_int_eq(change.to, HEALTH_CLOSED);
    ck_assert_uint_eq(health_probe_wait(&h, 100 * SECOND), HEALTH_NEVER);
    for (unsigned i = 0; i < 100; i++)
        ck_assert(health_admit(&h, 6 * SECOND, &ticket, &why));
    health_release(&h);
}
END_TEST

START_TEST(a_failure_while_it_is_tried_opens_again_for_twice_as_long)
{
    struct health h;
    health_init(&h, &three, 0);
    fail_until_open(&h, 0);
    ck_assert(probe(&h, HEALTH_GOOD, 5 * SECOND));
    ck_assert_int_eq(message(&h, '-', 6 * SECOND), '!');
    ck_assert_int_eq(look(&h, 6 * SECOND).state, HEALTH_OPEN);
    ck_assert_uint_eq(health_probe_wait(&h, 6 * SECOND), 10 * SECOND);
    ck_assert(probe(&h, HEALTH_GOOD, 16 * SECOND));
    ck_assert_int_eq(message(&h, '-', 16 * SECOND), '!');
    ck_assert_uint_eq(health_probe_wait(&h, 16 * SECOND), 20 * SECOND);
    ck_assert(probe(&h, HEALTH_GOOD, 36 * SECOND));
    ck_assert_int_eq(message(&h, '+', 36 * SECOND), '!'); /* closed: the next outage begins with the short pause */
    fail_until_open(&h, 40 * SECOND);
    ck_assert_uint_eq(health_probe_wait(&h, 40 * SECOND), 5 * SECOND);
    health_release(&h);
}
END_TEST

START_TEST(without_any_mail_a_second_good_probe_closes)
{
    struct health h;
    health_init(&h, &three, 0);
    fail_until_open(&h, 0);
    ck_assert(probe(&h, HEALTH_GOOD, 5 * SECOND));
    ck_assert_uint_eq(health_probe_wait(&h, 5 * SECOND), 5 * SECOND);
    ck_assert(probe(&h, HEALTH_GOOD, 10 * SECOND));
    ck_assert_int_eq(look(&h, 10 * SECOND).state, HEALTH_CLOSED);
    fail_until_open(&h, 20 * SECOND);
    ck_assert(probe(&h, HEALTH_GOOD, 25 * SECOND));
    ck_assert(probe(&h, HEALTH_BAD, 30 * SECOND)); /* or opens again */
    ck_assert_int_eq(look(&h, 30 * SECOND).state, HEALTH_OPEN);
    ck_assert_uint_eq(health_probe_wait(&h, 30 * SECOND), 10 * SECOND);
    health_release(&h);
}
END_TEST

START_TEST(what_was_asked_before_a_change_says_nothing_after_it)
{
    struct health h;
    struct verdict why, bad = word(VERDICT_ERROR, VERDICT_REASON_TIMEOUT), good = word(VERDICT_CLEAN, 0);
    struct health_change change;
    unsigned early[3], ticket;
    health_init(&h, &three, 0);
    for (size_t i = 0; i < 3; i++)
        ck_assert(health_admit(&h, 0, &early[i], &why));
    fail_until_open(&h, 0);
    ck_assert(!health_report(&h, early[0], &good, SECOND, &change));
    ck_assert_int_eq(look(&h, SECOND).state, HEALTH_OPEN);
    ck_assert(probe(&h, HEALTH_GOOD, 5 * SECOND));
    ck_assert(!health_report(&h, early[1], &bad, 6 * SECOND, &change));
    ck_assert_int_eq(look(&h, 6 * SECOND).state, HEALTH_HALF_OPEN);
    for (size_t i = 0; i < HEALTH_TRIALS; i++) /* nor does it take or give a place among those that try it */
        ck_assert(health_admit(&h, 6 * SECOND, &ticket, &why));
    ck_assert(!health_report(&h, early[2], &bad, 6 * SECOND, &change));
    ck_assert(!health_admit(&h, 6 * SECOND, &ticket, &why));
    health_release(&h);
}
END_TEST

START_TEST(a_probe_that_could_not_be_sent_decides_nothing_and_is_repeated)
{
    struct health h;
    health_init(&h, &three, 0);
    for (unsigned i = 0; i < 3; i++)
        message(&h, '-', 0);
    ck_assert(!probe(&h, HEALTH_NOTHING, 0));
    ck_assert_int_eq(look(&h, 0).state, HEALTH_CLOSED);
    ck_assert_uint_eq(health_probe_wait(&h, 0), 5 * SECOND);
    ck_assert(probe(&h, HEALTH_BAD, 5 * SECOND));
    ck_assert_uint_eq(health_probe_wait(&h, 5 * SECOND), 5 * SECOND);
    ck_assert(!probe(&h, HEALTH_NOTHING, 10 * SECOND));
    ck_assert_int_eq(look(&h, 10 * SECOND).state, HEALTH_OPEN);
    ck_assert_uint_eq(health_probe_wait(&h, 10 * SECOND), 5 * SECOND);
    health_release(&h);
}
END_TEST

START_TEST(a_host_that_reports_ready_brings_the_probe_forward)
{
    struct health h;
    health_init(&h, &three, 0);
    health_hint(&h, 0); /* nothing to be brought forward */
    ck_assert_uint_eq(health_probe_wait(&h, 0), HEALTH_NEVER);
    fail_until_open(&h, 0);
    health_hint(&h, SECOND);
    ck_assert_uint_eq(health_probe_wait(&h, SECOND), 0);
    ck_assert(probe(&h, HEALTH_GOOD, SECOND));
    health_release(&h);
}
END_TEST

START_TEST(probes_of_an_idle_engine_count_like_messages)
{
    struct health h;
    struct health_change change;
    health_init(&h, &three, 0);
    ck_assert(!health_probe_begin(&h, false, SECOND)); /* none is due */
    ck_assert(health_probe_begin(&h, true, SECOND));
    ck_assert(!health_probe_end(&h, HEALTH_BAD, "silent", SECOND, &change));
    ck_assert(!probe(&h, HEALTH_BAD, 6 * SECOND)); /* from now on by itself */
    ck_assert(probe(&h, HEALTH_BAD, 11 * SECOND));
    ck_assert_int_eq(look(&h, 11 * SECOND).state, HEALTH_OPEN);
    health_release(&h);
}
END_TEST

START_TEST(a_breaker_that_is_switched_off_never_opens)
{
    struct health h;
    struct health_change change;
    const struct health_conf off = {.interval_us = 5 * SECOND, .interval_max_us = 60 * SECOND};
    health_init(&h, &off, 0);
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_int_eq(message(&h, '-', SECOND), '.');
        ck_assert(health_probe_begin(&h, true, SECOND));
        ck_assert(!health_probe_end(&h, HEALTH_BAD, "down", SECOND, &change));
        ck_assert_uint_eq(health_probe_wait(&h, SECOND), HEALTH_NEVER);
    }
    ck_assert_int_eq(look(&h, SECOND).state, HEALTH_CLOSED);
    health_release(&h);
}
END_TEST

/* '+': found, '-': not found. What is in order stands below. */
START_TEST(a_test_string_that_was_found_must_be_found_again_whatever_the_signatures_are_called)
{
    static const struct {
        bool ignored, required;
        const char *tries, *good;
    } rows[] = {
        {false, false, "--++-+--", "yyyynynn"},
        {true, false, "--++-+--", "yyyyyyyy"},
        {false, true, "--++-+--", "nnyynynn"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct health h;
        struct health_conf conf = three;
        conf.pattern_ignored = rows[i].ignored;
        conf.pattern_required = rows[i].required;
        health_init(&h, &conf, 0);
        for (size_t k = 0; rows[i].tries[k]; k++)
            ck_assert_msg(health_pattern(&h, rows[i].tries[k] == '+') == (rows[i].good[k] == 'y'), "row %zu, try %zu",
                          i, k);
        ck_assert(look(&h, 0).pattern_known);
        health_release(&h);
    }
}
END_TEST

START_TEST(an_engine_that_is_blind_rests_at_once_until_it_sees_again)
{
    const struct health_conf off = {.interval_us = 5 * SECOND, .interval_max_us = 60 * SECOND};
    for (int breaker = 0; breaker < 2; breaker++) { /* switched on or off */
        struct health h;
        struct health_change change;
        health_init(&h, breaker ? &three : &off, 0);
        ck_assert(health_probe_begin(&h, true, SECOND));
        ck_assert(health_probe_end(&h, HEALTH_BLIND, "lost", SECOND, &change)); /* one is enough */
        ck_assert_int_eq(change.to, HEALTH_OPEN);
        ck_assert_str_eq(change.why, "probe: lost");
        ck_assert_int_eq(message(&h, '+', 2 * SECOND), 'x');
        ck_assert_uint_eq(health_probe_wait(&h, SECOND), 5 * SECOND);
        ck_assert(!probe(&h, HEALTH_BLIND, 6 * SECOND));
        ck_assert_uint_eq(health_probe_wait(&h, 6 * SECOND), 10 * SECOND);
        ck_assert(probe(&h, HEALTH_GOOD, 16 * SECOND));
        ck_assert(probe(&h, HEALTH_BLIND, 21 * SECOND)); /* while it is tried */
        ck_assert_int_eq(look(&h, 21 * SECOND).state, HEALTH_OPEN);
        ck_assert(health_probe_begin(&h, true, 22 * SECOND));
        ck_assert(health_probe_end(&h, HEALTH_GOOD, NULL, 22 * SECOND, &change));
        ck_assert_int_eq(message(&h, '+', 23 * SECOND), '!');
        ck_assert_int_eq(look(&h, 23 * SECOND).state, HEALTH_CLOSED);
        health_release(&h);
    }
}
END_TEST

START_TEST(an_engine_that_is_not_to_be_relied_on_rests)
{
    struct health h;
    struct health_change change;
    struct verdict why;
    unsigned ticket;
    health_init(&h, &three, 0);
    ck_assert(health_distrust(&h, "lost", SECOND, &change));
    ck_assert_int_eq(change.from, HEALTH_CLOSED);
    ck_assert_int_eq(change.to, HEALTH_OPEN);
    ck_assert_uint_eq(change.probe_in_us, 5 * SECOND);
    ck_assert(!health_admit(&h, 2 * SECOND, &ticket, &why));
    ck_assert_str_eq(why.detail, "the engine is resting, next probe in 4000 ms (lost)");
    ck_assert(!health_distrust(&h, "lost", SECOND, &change)); /* it rests already */
    health_release(&h);
}
END_TEST

START_TEST(an_engine_that_must_be_tried_first_is_asked_nothing_before)
{
    struct health h;
    struct verdict why;
    unsigned ticket;
    struct health_conf conf = three;
    conf.untried = conf.pattern_required = true;
    health_init(&h, &conf, SECOND);
    ck_assert(!health_admit(&h, SECOND, &ticket, &why));
    ck_assert_int_eq(why.reason, VERDICT_REASON_DOWN);
    ck_assert_str_eq(why.detail, "the engine is resting, next probe in 0 ms (it was not tried yet)");
    ck_assert_uint_eq(health_probe_wait(&h, SECOND), 0);
    ck_assert(!probe(&h, HEALTH_BLIND, SECOND));
    ck_assert_int_eq(message(&h, '+', 2 * SECOND), 'x');
    health_hint(&h, 3 * SECOND);
    ck_assert(probe(&h, HEALTH_GOOD, 3 * SECOND));
    ck_assert_int_eq(message(&h, '+', 3 * SECOND), '!');
    health_release(&h);
}
END_TEST

START_TEST(clocks_of_loops_may_lag_behind_each_other)
{
    struct health h;
    health_init(&h, &three, 10 * SECOND);
    fail_until_open(&h, 10 * SECOND);
    struct health_view v = look(&h, 9 * SECOND);
    ck_assert_uint_eq(v.state_us, 0);
    ck_assert_uint_eq(v.probe_in_us, 6 * SECOND);
    ck_assert_uint_eq(v.quiet_us, 0);
    health_release(&h);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(signs_are_read_from_what_the_engine_was_asked_in_a_worker)                                                       \
    X(failures_in_a_row_make_a_probe_due_and_a_success_makes_them_forgotten)                                           \
    X(messages_that_make_the_engine_fail_do_not_take_it_from_others)                                                   \
    X(an_engine_that_fails_its_probe_too_rests_and_its_messages_are_told_at_once)                                      \
    X(probes_of_a_resting_engine_back_off_up_to_a_maximum)                                                             \
    X(after_a_good_probe_a_few_messages_at_a_time_are_tried_and_the_first_good_one_closes)                             \
    X(a_failure_while_it_is_tried_opens_again_for_twice_as_long)                                                       \
    X(without_any_mail_a_second_good_probe_closes)                                                                     \
    X(what_was_asked_before_a_change_says_nothing_after_it)                                                            \
    X(a_probe_that_could_not_be_sent_decides_nothing_and_is_repeated)                                                  \
    X(a_host_that_reports_ready_brings_the_probe_forward)                                                              \
    X(probes_of_an_idle_engine_count_like_messages)                                                                    \
    X(a_breaker_that_is_switched_off_never_opens)                                                                      \
    X(a_test_string_that_was_found_must_be_found_again_whatever_the_signatures_are_called)                             \
    X(an_engine_that_is_blind_rests_at_once_until_it_sees_again)                                                       \
    X(an_engine_that_is_not_to_be_relied_on_rests)                                                                     \
    X(an_engine_that_must_be_tried_first_is_asked_nothing_before)                                                      \
    X(clocks_of_loops_may_lag_behind_each_other)
#include "support/check_main.h"
