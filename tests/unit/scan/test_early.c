/* SPDX-License-Identifier: MIT */
/* A message is refused before it is received where a queue that it would have to wait in is full. */
#include "one_engine.h"

static bool is_set(void *arg, const char *variable)
{
    return arg && strcmp(variable, arg) == 0;
}

/* Of a message whose context has VARIABLE set (NULL: nothing). */
static bool refused(struct rig *r, const char *variable, struct verdict *v)
{
    const struct scan_subject subject = {.fd = -1, .is_set = is_set, .arg = (void *)(uintptr_t)variable};
    return scan_run_refuses_early(r->client, &subject, v);
}

/* Fills the queue: the broker turns a message away. */
static void fill(struct rig *r)
{
    rig_say(&r->answer, VERDICT_ERROR, VERDICT_REASON_OVERLOAD, "");
    ck_assert_int_eq(rig_scan(r, 1, NULL).reason, VERDICT_REASON_OVERLOAD);
}

START_TEST(a_full_queue_refuses_until_the_pool_answers_something)
{
    static const struct engine_conf plain = {.breaker_failures = 0};
    struct rig r;
    struct verdict v;
    rig_open(&r, &plain);
    ck_assert(!refused(&r, NULL, &v));
    fill(&r);
    const struct engine_runtime *e = &r.runtime->engines[0];
    ck_assert_uint_eq(atomic_load(&e->reasons[VERDICT_REASON_OVERLOAD]), 1);
    ck_assert(refused(&r, NULL, &v));
    ck_assert_int_eq(v.class, VERDICT_ERROR);
    ck_assert_int_eq(v.reason, VERDICT_REASON_OVERLOAD);
    ck_assert_str_eq(v.engine, "one");
    ck_assert_uint_eq(atomic_load(&e->reasons[VERDICT_REASON_OVERLOAD]), 2);
    ck_assert_uint_eq(r.jobs, 1);
    /* whatever it answers, it has room for another */
    rig_say(&r.answer, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "");
    rig_scan(&r, 2, NULL);
    ck_assert(!refused(&r, NULL, &v));
    rig_close(&r);
}
END_TEST

START_TEST(the_overload_of_an_engine_is_not_that_of_the_queue)
{
    static const struct engine_conf plain = {.breaker_failures = 0};
    struct rig r;
    struct verdict v;
    rig_open(&r, &plain);
    rig_say(&r.answer, VERDICT_ERROR, VERDICT_REASON_OVERLOAD, "");
    r.in_worker = true;
    rig_scan(&r, 1, NULL);
    ck_assert(!refused(&r, NULL, &v));
    rig_close(&r);
}
END_TEST

START_TEST(who_would_not_be_scanned_or_not_be_deferred_is_not_refused)
{
    static const struct {
        struct engine_conf conf;
        const char *variable;
        bool refused;
    } rows[] = {
        {{.skip_context_variable = "skip_virus_check"}, NULL, true},
        {{.skip_context_variable = "skip_virus_check"}, "skip_virus_check", false},
        {{.skip_context_variable = "skip_virus_check"}, "other", true},
        {{.action = ON_INFECTED_REJECT}, "__bypass_one", false},
        {{.on_error = ON_ERROR_PASS}, NULL, false},
        {{.on_error = ON_ERROR_NEXT}, NULL, false},
        {{.on_error = ON_ERROR_PASS, .on_reason[VERDICT_REASON_OVERLOAD] = ON_TROUBLE_ERROR_CODE}, NULL, true},
        {{.on_reason[VERDICT_REASON_OVERLOAD] = ON_TROUBLE_PASS}, NULL, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        struct verdict v;
        rig_open(&r, &rows[i].conf);
        fill(&r);
        ck_assert_msg(refused(&r, rows[i].variable, &v) == rows[i].refused, "row %zu", i);
        if (rows[i].refused) {
            r.fw.scan_off = true;
            ck_assert(!refused(&r, rows[i].variable, &v));
            r.fw.scan_off = false;
            atomic_store(&r.runtime->engines[0].disabled, true);
            ck_assert(!refused(&r, rows[i].variable, &v));
        }
        rig_close(&r);
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_full_queue_refuses_until_the_pool_answers_something)                                                           \
    X(the_overload_of_an_engine_is_not_that_of_the_queue)                                                              \
    X(who_would_not_be_scanned_or_not_be_deferred_is_not_refused)
#include "support/check_main.h"
