/* SPDX-License-Identifier: MIT */
/* Trials over a loop's channel: which texts an engine is asked about, and what follows from its answers. */
#include "one_engine.h"
#include "scan/probe.h"

static const char *const servers[] = {"127.0.0.1:3310"};

static struct engine_conf with_daemon(void)
{
    /* Probes are an hour apart: none but those that are asked for. */
    return (struct engine_conf){.breaker_failures = 3, .probe_interval_ms = 3600 * 1000, .daemon = {servers, 1}};
}

static bool is_over(struct rig *r)
{
    return rig_line(r, 0, "engine-trial", "engine=one") != NULL;
}

static unsigned doubts(const struct rig *r)
{
    return atomic_load(&r->runtime->engines[0].doubts);
}

static enum health_state state_of(struct rig *r)
{
    struct health_view v;
    health_look(&r->runtime->engines[0].health, loop_now_us(r->loop), &v);
    return v.state;
}

/* From here on as if nothing had been logged. */
static void forget_lines(struct rig *r)
{
    r->line_count = 0;
}

/* The daemon says something new of itself. */
static void news(struct rig *r, uint64_t version)
{
    forget_lines(r);
    r->version = version;
    rig_status(r, SCAN_ENGINE_READY);
}

START_TEST(clamd_is_tried_when_it_is_there_and_nobody_hears_of_it_where_all_is_well)
{
    struct rig r;
    const struct engine_conf conf = with_daemon();
    rig_open_as(&r, "clamav", &conf);
    rig_wait(&r, is_over);
    ck_assert_uint_eq(r.jobs, 3);
    ck_assert_ptr_nonnull(rig_line(&r, 0, "engine-trial", "result=good"));
    ck_assert_ptr_null(rig_line(&r, 0, "engine-doubt", ""));
    ck_assert_uint_eq(doubts(&r), 0);
    ck_assert_uint_eq(atomic_load(&r.runtime->engines[0].checked), 0); /* no message was */
    rig_close(&r);
}
END_TEST

START_TEST(what_it_calls_clean_that_it_cannot_have_looked_at_is_a_doubt)
{
    static const struct {
        enum verdict_class pattern, deep, encrypted;
        const char *words; /* NULL: none */
    } rows[] = {
        {VERDICT_CLEAN, VERDICT_UNSCANNABLE, VERDICT_UNSCANNABLE, "doubts=test-string"},
        {VERDICT_INFECTED, VERDICT_CLEAN, VERDICT_UNSCANNABLE, "doubts=limits"},
        {VERDICT_INFECTED, VERDICT_UNSCANNABLE, VERDICT_CLEAN, "doubts=encrypted"},
        {VERDICT_CLEAN, VERDICT_CLEAN, VERDICT_CLEAN, "doubts=\"test-string limits encrypted\""},
        {VERDICT_INFECTED, VERDICT_INFECTED, VERDICT_INFECTED, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        const struct engine_conf conf = with_daemon();
        rig_open_as(&r, "clamav", &conf);
        rig_wait(&r, is_over);
        forget_lines(&r);
        rig_say(&r.answer_pattern, rows[i].pattern, VERDICT_REASON_NONE, "");
        rig_say(&r.answer_deep, rows[i].deep,
                rows[i].deep == VERDICT_UNSCANNABLE ? VERDICT_REASON_LIMIT : VERDICT_REASON_NONE, "");
        rig_say(&r.answer_encrypted, rows[i].encrypted,
                rows[i].encrypted == VERDICT_UNSCANNABLE ? VERDICT_REASON_ENCRYPTED : VERDICT_REASON_NONE, "");
        /* Another program: this one has never found the test string. */
        r.runtime->engines[0].health.pattern_known = false;
        news(&r, 27501);
        rig_wait(&r, is_over);
        const char *line = rig_line(&r, 0, "engine-trial", rows[i].words ? "result=doubtful" : "result=good");
        ck_assert_msg(line && (!rows[i].words || strstr(line, rows[i].words)), "row %zu: %s", i, line ? line : "none");
        ck_assert((rig_line(&r, 0, "engine-doubt", "engine=one") != NULL) == (rows[i].words != NULL));
        ck_assert_int_eq(state_of(&r), HEALTH_CLOSED); /* a doubt changes no verdict */

        news(&r, 27502); /* said once */
        rig_wait(&r, is_over);
        ck_assert_ptr_null(rig_line(&r, 0, "engine-doubt", ""));
        rig_say(&r.answer_pattern, VERDICT_INFECTED, VERDICT_REASON_NONE, "");
        rig_say(&r.answer_deep, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, "");
        rig_say(&r.answer_encrypted, VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, "");
        news(&r, 27503); /* and mended */
        rig_wait(&r, is_over);
        ck_assert_uint_eq(doubts(&r), 0);
        rig_close(&r);
    }
}
END_TEST

START_TEST(what_the_stanza_accepts_is_not_asked_about)
{
    static const struct {
        int test_string, on_unscannable, on_limit, on_encrypted, action;
        unsigned jobs;
    } rows[] = {
        {TEST_STRING_IGNORED, 0, 0, 0, ON_INFECTED_REJECT, 2},
        {0, 0, ON_UNSCANNABLE_PASS, 0, ON_INFECTED_REJECT, 2},
        {0, 0, 0, ON_UNSCANNABLE_PASS, ON_INFECTED_REJECT, 2},
        {0, 0, 0, ON_UNSCANNABLE_REJECT, ON_INFECTED_PASS, 2},
        {0, ON_UNSCANNABLE_PASS, ON_UNSCANNABLE_GENERAL, ON_UNSCANNABLE_GENERAL, ON_INFECTED_REJECT, 1},
        {0, ON_UNSCANNABLE_PASS, ON_UNSCANNABLE_GENERAL, ON_UNSCANNABLE_REJECT, ON_INFECTED_REJECT, 2},
        {0, ON_UNSCANNABLE_ACTION, ON_UNSCANNABLE_GENERAL, ON_UNSCANNABLE_GENERAL, ON_INFECTED_PASS, 1},
        {TEST_STRING_IGNORED, 0, 0, 0, ON_INFECTED_PASS, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        struct engine_conf conf = with_daemon();
        conf.test_string = rows[i].test_string;
        conf.action = rows[i].action;
        conf.on_unscannable = rows[i].on_unscannable;
        conf.on_reason[VERDICT_REASON_LIMIT] = rows[i].on_limit;
        conf.on_reason[VERDICT_REASON_ENCRYPTED] = rows[i].on_encrypted;
        rig_open_as(&r, "clamav", &conf);
        rig_wait(&r, is_over);
        ck_assert_msg(r.jobs == rows[i].jobs, "row %zu: %u texts", i, r.jobs);
        rig_close(&r);
    }
}
END_TEST

START_TEST(a_daemon_that_has_lost_its_signatures_rests_as_soon_as_it_tells_of_others)
{
    struct rig r;
    const struct engine_conf conf = with_daemon();
    rig_open_as(&r, "clamav", &conf);
    rig_wait(&r, is_over); /* it finds the test string */
    rig_say(&r.answer_pattern, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    r.jobs = 0;
    news(&r, 0);
    rig_wait(&r, is_over);
    ck_assert_uint_eq(r.jobs, 1); /* at once: messages would pass while the other texts are asked about */
    ck_assert_ptr_nonnull(rig_line(&r, 0, "engine-trial", "result=bad"));
    ck_assert_int_eq(state_of(&r), HEALTH_OPEN);
    const char *line = rig_line(&r, 0, "engine-rests", "engine=one");
    ck_assert(line && strstr(line, "the test string is not found any more"));
    ck_assert_int_eq(rig_scan(&r, 1, NULL).reason, VERDICT_REASON_DOWN);
    rig_close(&r);
}
END_TEST

START_TEST(a_daemon_that_cannot_be_asked_is_tried_again_when_it_can)
{
    struct rig r;
    const struct engine_conf conf = with_daemon();
    rig_open_as(&r, "clamav", &conf);
    rig_wait(&r, is_over);
    rig_say(&r.answer_pattern, VERDICT_ERROR, VERDICT_REASON_DOWN, "");
    r.jobs = 0;
    news(&r, 27501);
    rig_wait(&r, is_over);
    ck_assert_ptr_nonnull(rig_line(&r, 0, "engine-trial", "result=unknown"));
    ck_assert_uint_eq(r.jobs, 1);                  /* no use in going on */
    ck_assert_int_eq(state_of(&r), HEALTH_CLOSED); /* that is for messages and probes to find */
    rig_say(&r.answer_pattern, VERDICT_INFECTED, VERDICT_REASON_NONE, "");
    news(&r, 27502);
    rig_wait(&r, is_over);
    ck_assert_ptr_nonnull(rig_line(&r, 0, "engine-trial", "result=good"));
    rig_close(&r);
}
END_TEST

static bool probe_is_good(struct rig *r)
{
    return rig_line(r, 0, "engine-probe", "result=good") && is_over(r);
}

static void ignore_probe(void *arg, const struct probe_result *result)
{
    (void)arg, (void)result;
}

START_TEST(other_engines_outside_the_process_are_asked_for_the_test_string_only)
{
    static const struct {
        const char *type;
        enum verdict_class pattern;
        const char *result, *doubts;
    } rows[] = {{"fsecure", VERDICT_INFECTED, "result=good", NULL},
                {"icap", VERDICT_CLEAN, "result=doubtful", "doubts=test-string"},
                {"command", VERDICT_CLEAN, "result=doubtful", "doubts=test-string"},
                {"icap", VERDICT_UNSCANNABLE, "result=unknown", NULL}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        struct engine_conf conf = with_daemon();
        if (strcmp(rows[i].type, "command") == 0)
            conf.daemon.count = 0;
        conf.test_string = TEST_STRING_IGNORED; /* for now */
        rig_open_as(&r, rows[i].type, &conf);
        ck_assert_int_eq(rig_scan(&r, 1, NULL).class, VERDICT_CLEAN);
        ck_assert_uint_eq(r.jobs, 1); /* the message */
        ck_assert(!is_over(&r));
        r.conf.test_string = TEST_STRING_REMEMBERED;
        rig_say(&r.answer_pattern, rows[i].pattern, VERDICT_REASON_NONE, "");
        news(&r, 27501);
        rig_wait(&r, is_over);
        ck_assert_uint_eq(r.jobs, 2);
        const char *line = rig_line(&r, 0, "engine-trial", rows[i].result);
        ck_assert_msg(line && (!rows[i].doubts || strstr(line, rows[i].doubts)), "row %zu: %s", i,
                      line ? line : "none");
        ck_assert((rig_line(&r, 0, "engine-doubt", "engine=one") != NULL) == (rows[i].doubts != NULL));
        ck_assert_int_eq(state_of(&r), HEALTH_CLOSED); /* a doubt changes no verdict */
        rig_close(&r);
    }
}
END_TEST

START_TEST(what_has_found_the_test_string_and_finds_it_no_more_rests)
{
    struct rig r;
    const struct engine_conf conf = with_daemon();
    rig_open_as(&r, "icap", &conf);
    rig_wait(&r, is_over);
    ck_assert_ptr_nonnull(rig_line(&r, 0, "engine-trial", "result=good"));
    rig_say(&r.answer_pattern, VERDICT_CLEAN, VERDICT_REASON_NONE, "");
    news(&r, 0);
    rig_wait(&r, is_over);
    ck_assert_int_eq(state_of(&r), HEALTH_OPEN);
    rig_close(&r);
}
END_TEST

/* Its daemon was not there when the program started: its first word is what begins the trial. */
START_TEST(what_could_not_be_asked_is_tried_once_more_when_it_has_scanned_a_message)
{
    struct rig r;
    struct engine_conf conf = with_daemon();
    conf.test_string = TEST_STRING_IGNORED; /* for now */
    rig_open_as(&r, "icap", &conf);
    r.conf.test_string = TEST_STRING_REMEMBERED;
    rig_say(&r.answer_pattern, VERDICT_ERROR, VERDICT_REASON_DOWN, "");
    news(&r, 27501);
    rig_wait(&r, is_over);
    ck_assert_ptr_nonnull(rig_line(&r, 0, "engine-trial", "result=unknown"));
    for (uint8_t i = 1; i <= 2; i++) {
        forget_lines(&r);
        ck_assert_int_eq(rig_scan(&r, i, NULL).class, VERDICT_CLEAN);
        if (i == 1)
            rig_wait(&r, is_over);
    }
    ck_assert_uint_eq(r.patterns, 2); /* at the start, and after the first message */
    ck_assert(!is_over(&r));
    rig_close(&r);
}
END_TEST

START_TEST(what_a_probe_has_just_found_is_not_asked_again)
{
    static const struct {
        enum verdict_class pattern;
        const char *doubts;
    } rows[] = {{VERDICT_INFECTED, ""}, {VERDICT_CLEAN, "doubts=test-string"}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        const struct engine_conf conf = with_daemon();
        rig_open_as(&r, "clamav", &conf);
        rig_wait(&r, is_over);
        forget_lines(&r);
        r.jobs = r.patterns = 0;
        r.runtime->engines[0].health.pattern_known = false; /* not to find it is a doubt, and no loss */
        rig_say(&r.answer_pattern, rows[i].pattern, VERDICT_REASON_NONE, "");
        ck_assert(probes_force(scan_client_probes(r.client), 0, ignore_probe, NULL));
        rig_wait(&r, probe_is_good);
        ck_assert_uint_eq(r.patterns, 1);
        ck_assert_uint_eq(r.jobs, 4); /* a clean text, the test string, and what else is asked of clamd */
        ck_assert_ptr_nonnull(rig_line(&r, 0, "engine-trial", rows[i].doubts));
        ck_assert_uint_eq(doubts(&r), i == 0 ? 0 : 1U << ENGINE_DOUBT_PATTERN);
        rig_close(&r);
    }
}
END_TEST

static bool has_a_text(struct rig *r)
{
    return r->jobs > 0;
}

START_TEST(a_client_that_ends_gives_its_trial_up)
{
    struct rig r;
    const struct engine_conf conf = with_daemon();
    rig_open_as(&r, "clamav", &conf);
    rig_wait(&r, is_over);
    r.silent = true;
    r.jobs = 0;
    news(&r, 27501);
    rig_wait(&r, has_a_text);
    rig_close(&r);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(clamd_is_tried_when_it_is_there_and_nobody_hears_of_it_where_all_is_well)                                        \
    X(what_it_calls_clean_that_it_cannot_have_looked_at_is_a_doubt)                                                    \
    X(what_the_stanza_accepts_is_not_asked_about)                                                                      \
    X(a_daemon_that_has_lost_its_signatures_rests_as_soon_as_it_tells_of_others)                                       \
    X(a_daemon_that_cannot_be_asked_is_tried_again_when_it_can)                                                        \
    X(other_engines_outside_the_process_are_asked_for_the_test_string_only)                                            \
    X(what_has_found_the_test_string_and_finds_it_no_more_rests)                                                       \
    X(what_could_not_be_asked_is_tried_once_more_when_it_has_scanned_a_message)                                        \
    X(what_a_probe_has_just_found_is_not_asked_again)                                                                  \
    X(a_client_that_ends_gives_its_trial_up)
#include "support/check_main.h"
