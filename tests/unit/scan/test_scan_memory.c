/* SPDX-License-Identifier: MIT */
/* What a message's run makes of the cache: when the engine is asked, and when its earlier word is enough. */
#include "one_engine.h"

static const struct engine_conf cached = {.cache_size = 100}, cached_clean = {.cache_size = 100, .cache_clean = true},
                                uncached = {.cache_size = 0};

START_TEST(a_known_virus_is_refused_without_a_scan)
{
    struct rig r;
    char words[256];
    rig_open(&r, &cached);
    rig_say(&r.answer, VERDICT_INFECTED, VERDICT_REASON_NONE, "Some.Virus");
    struct verdict first = rig_scan(&r, 1, words);
    ck_assert_str_eq(words, "one=infected:Some.Virus");
    ck_assert(!first.cached);
    ck_assert_uint_eq(first.scan_us, 100);
    struct verdict second = rig_scan(&r, 1, words);
    ck_assert_uint_eq(r.jobs, 1);
    ck_assert_str_eq(words, "one=infected:Some.Virus (cached)");
    ck_assert(second.cached);
    ck_assert_int_eq(second.class, VERDICT_INFECTED);
    ck_assert_str_eq(second.engine, "one");
    ck_assert_str_eq(second.name, "Some.Virus");
    ck_assert_uint_eq(second.scan_us, 0);
    ck_assert_uint_eq(second.queue_us, 0);
    ck_assert_uint_eq(second.database_version, 27500);
    ck_assert_uint_eq(second.generation, 1);
    rig_scan(&r, 2, NULL); /* another message */
    ck_assert_uint_eq(r.jobs, 2);
    const struct engine_runtime *e = &r.runtime->engines[0];
    ck_assert_uint_eq(atomic_load(&e->checked), 3);
    ck_assert_uint_eq(atomic_load(&e->detected), 3);
    ck_assert_uint_eq(atomic_load(&e->cached), 1);
    /* What took no time does not count into the times of scans. */
    ck_assert_uint_eq(atomic_load(&e->scanned), 2);
    ck_assert_uint_eq(atomic_load(&e->scanned_parts), 2);
    ck_assert_uint_eq(atomic_load(&e->scan_us), 200);
    rig_close(&r);
}
END_TEST

START_TEST(what_an_option_lets_pass_is_counted_by_its_class)
{
    static const struct {
        enum verdict_class class;
        enum verdict_reason reason;
    } words[] = {{VERDICT_CLEAN, VERDICT_REASON_NONE},
                 {VERDICT_INFECTED, VERDICT_REASON_NONE},
                 {VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED},
                 {VERDICT_ERROR, VERDICT_REASON_ENGINE}};
    static const struct {
        struct engine_conf conf;
        bool passes[ARRAY_SIZE(words)];
    } rows[] = {
        {{.action = ON_INFECTED_REJECT}, {false, false, false, false}},
        {{.on_error = ON_ERROR_PASS}, {false, false, false, true}},
        {{.on_error = ON_ERROR_NEXT}, {false, false, false, false}},
        {{.on_reason[VERDICT_REASON_ENGINE] = ON_TROUBLE_PASS}, {false, false, false, true}},
        {{.on_reason[VERDICT_REASON_ENCRYPTED] = ON_UNSCANNABLE_PASS}, {false, false, true, false}},
        {{.action = ON_INFECTED_PASS}, {false, true, true, false}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        rig_open(&r, &rows[i].conf);
        for (size_t k = 0; k < ARRAY_SIZE(words); k++) {
            rig_say(&r.answer, words[k].class, words[k].reason, "");
            for (uint8_t n = 0; n < 2; n++)
                ck_assert_int_eq(rig_scan(&r, n, NULL).class, words[k].class);
            uint64_t passed = atomic_load(&r.runtime->engines[0].passed[words[k].class]);
            ck_assert_msg(passed == (rows[i].passes[k] ? 2 : 0), "row %zu, %s: %llu passed", i,
                          verdict_class_word(words[k].class), (unsigned long long)passed);
        }
        rig_close(&r);
    }
}
END_TEST

START_TEST(which_results_spare_the_next_scan)
{
    static const struct {
        const struct engine_conf *conf;
        enum verdict_class class;
        enum verdict_reason reason;
        unsigned jobs;
    } rows[] = {
        {&cached, VERDICT_INFECTED, VERDICT_REASON_NONE, 1},
        {&uncached, VERDICT_INFECTED, VERDICT_REASON_NONE, 2},
        {&cached, VERDICT_CLEAN, VERDICT_REASON_NONE, 2},
        {&cached_clean, VERDICT_CLEAN, VERDICT_REASON_NONE, 1},
        {&cached_clean, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, 2},
        {&cached_clean, VERDICT_ERROR, VERDICT_REASON_ENGINE, 2},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        rig_open(&r, rows[i].conf);
        rig_say(&r.answer, rows[i].class, rows[i].reason, "");
        ck_assert_int_eq(rig_scan(&r, 1, NULL).class, rows[i].class);
        ck_assert_int_eq(rig_scan(&r, 1, NULL).class, rows[i].class);
        ck_assert_msg(r.jobs == rows[i].jobs, "row %zu: %u jobs", i, r.jobs);
        rig_close(&r);
    }
}
END_TEST

START_TEST(new_signatures_are_asked_about_what_was_known_before)
{
    struct rig r;
    rig_open(&r, &cached_clean);
    ck_assert_int_eq(rig_scan(&r, 1, NULL).class, VERDICT_CLEAN);
    rig_attach(&r);
    rig_say(&r.answer, VERDICT_INFECTED, VERDICT_REASON_NONE, "New.Virus");
    struct verdict v = rig_scan(&r, 1, NULL);
    ck_assert_int_eq(v.class, VERDICT_INFECTED);
    ck_assert_uint_eq(v.generation, 2);
    rig_attach(&r);
    rig_say(&r.answer, VERDICT_CLEAN, VERDICT_REASON_NONE, ""); /* it was a false alarm */
    ck_assert_int_eq(rig_scan(&r, 1, NULL).class, VERDICT_CLEAN);
    ck_assert_uint_eq(r.jobs, 3);
    rig_close(&r);
}
END_TEST

START_TEST(a_daemons_new_database_is_asked_too)
{
    struct rig r;
    rig_open(&r, &cached_clean);
    rig_scan(&r, 1, NULL);
    rig_scan(&r, 1, NULL);
    ck_assert_uint_eq(r.jobs, 1);
    r.version = 27501;
    rig_status(&r, SCAN_ENGINE_READY);
    rig_wait(&r, rig_is_ready);
    rig_say(&r.answer, VERDICT_INFECTED, VERDICT_REASON_NONE, "New.Virus");
    ck_assert_int_eq(rig_scan(&r, 1, NULL).class, VERDICT_INFECTED);
    rig_close(&r);
}
END_TEST

static bool is_lost(struct rig *r)
{
    return rig_line(r, 0, "engine-down", "closed the channel") != NULL;
}

START_TEST(while_nobody_knows_what_the_engine_is_nothing_is_known)
{
    struct rig r;
    rig_open(&r, &cached);
    rig_say(&r.answer, VERDICT_INFECTED, VERDICT_REASON_NONE, "Some.Virus");
    rig_scan(&r, 1, NULL);
    rig_detach(&r);
    rig_wait(&r, is_lost);
    struct scan_run *run = rig_start(&r, 1);
    ck_assert_ptr_null(scan_run_verdict(run));
    rig_attach(&r); /* so it waits, and is scanned */
    rig_wait(&r, rig_is_woken);
    ck_assert(!scan_run_verdict(run)->cached);
    ck_assert_uint_eq(scan_run_verdict(run)->generation, 2);
    scan_run_free(run);
    rig_close(&r);
}
END_TEST

START_TEST(a_declared_false_alarm_is_clean_from_the_cache_too)
{
    static const char *const items[] = {"sha256:0101010101010101010101010101010101010101010101010101010101010101"};
    struct engine_conf conf = cached;
    struct rig r;
    conf.ignore_signatures = (struct conf_list){items, 1};
    rig_open(&r, &conf);
    rig_say(&r.answer, VERDICT_INFECTED, VERDICT_REASON_NONE, "False.Alarm");
    for (int i = 0; i < 2; i++) {
        struct verdict v = rig_scan(&r, 1, NULL);
        ck_assert_int_eq(v.class, VERDICT_CLEAN);
        ck_assert_str_eq(v.detail, "infected False.Alarm: the message is in ignore_signatures");
        ck_assert(v.cached == (i > 0));
    }
    ck_assert_int_eq(rig_scan(&r, 2, NULL).class, VERDICT_INFECTED);
    rig_close(&r);
}
END_TEST

START_TEST(an_engine_that_rests_still_knows_its_viruses)
{
    struct engine_conf conf = cached;
    struct rig r;
    conf.breaker_failures = 1;
    conf.probe_interval_ms = 3600 * 1000;
    rig_open(&r, &conf);
    rig_say(&r.answer, VERDICT_INFECTED, VERDICT_REASON_NONE, "Some.Virus");
    rig_scan(&r, 1, NULL);
    rig_say(&r.answer, VERDICT_ERROR, VERDICT_REASON_DOWN, "");
    rig_scan(&r, 2, NULL);
    while (!rig_line(&r, 0, "engine-rests", ""))
        rig_scan(&r, 2, NULL);
    unsigned jobs = r.jobs;
    ck_assert_int_eq(rig_scan(&r, 2, NULL).class, VERDICT_ERROR);
    ck_assert_int_eq(rig_scan(&r, 1, NULL).class, VERDICT_INFECTED);
    ck_assert_uint_eq(r.jobs, jobs);
    rig_close(&r);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_known_virus_is_refused_without_a_scan)                                                                         \
    X(what_an_option_lets_pass_is_counted_by_its_class)                                                                \
    X(which_results_spare_the_next_scan)                                                                               \
    X(new_signatures_are_asked_about_what_was_known_before)                                                            \
    X(a_daemons_new_database_is_asked_too)                                                                             \
    X(while_nobody_knows_what_the_engine_is_nothing_is_known)                                                          \
    X(a_declared_false_alarm_is_clean_from_the_cache_too)                                                              \
    X(an_engine_that_rests_still_knows_its_viruses)
#include "support/check_main.h"
