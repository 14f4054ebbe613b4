/* SPDX-License-Identifier: MIT */
/* Whether a new generation may take over. What hosts do with it is tests/e2e/test_reload.py. */
#include "daemon/scan_pool_internal.h"
#include <check.h>

static struct engine_conf with_database = {.database = "/somewhere", .max_signature_loss = 50};
static struct engine_conf careless = {.database = "/somewhere", .max_signature_loss = 100};
static struct engine_conf without = {.max_signature_loss = 50};
static struct engine_conf indifferent = {
    .database = "/somewhere", .max_signature_loss = 50, .test_string = TEST_STRING_IGNORED};
static struct engine_conf strict = {
    .database = "/somewhere", .max_signature_loss = 100, .test_string = TEST_STRING_REQUIRED};

static struct scan_status ready(const char *name, uint64_t signatures)
{
    struct scan_status s = {.state = SCAN_ENGINE_READY, .signatures = signatures};
    snprintf(s.engine, sizeof(s.engine), "%s", name);
    return s;
}

static struct scan_status failed(const char *name)
{
    struct scan_status s = {.state = SCAN_ENGINE_FAILED, .detail = "no luck"};
    snprintf(s.engine, sizeof(s.engine), "%s", name);
    return s;
}

static const struct framework *engines(void)
{
    static const struct engine_conf *const confs[] = {&with_database, &careless, &without, &indifferent, &strict};
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    static struct framework fw;
    fw.engine_count = ARRAY_SIZE(names);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        fw.engines[i] = (struct framework_engine){.name = names[i], .type = "clamav", .built = true, .conf = confs[i]};
    return &fw;
}

static bool accepts(const struct scan_status *now, size_t now_count, const struct scan_status *next, size_t next_count,
                    struct errtext *why)
{
    *why = (struct errtext){""};
    return scan_pool_accepts(engines(), now, now_count, next, next_count, why);
}

START_TEST(a_database_may_lose_half_of_its_signatures_and_no_more)
{
    static const struct {
        const char *engine;
        uint64_t now, next;
        bool accepted;
    } rows[] = {
        {"a", 10, 10, true},
        {"a", 10, 20, true},
        {"a", 10, 5, true},
        {"a", 10, 4, false},
        {"a", 3, 2, true},
        {"a", 3, 1, false},
        {"a", 1, 1, true},
        {"a", UINT64_MAX, UINT64_MAX / 2 + 1, true},
        {"a", UINT64_MAX, UINT64_MAX / 2 - 1, false},
        {"b", 10, 1, true},
        {"c", 10, 0, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct errtext why;
        struct scan_status now = ready(rows[i].engine, rows[i].now), next = ready(rows[i].engine, rows[i].next);
        ck_assert_msg(accepts(&now, 1, &next, 1, &why) == rows[i].accepted, "row %zu: %s", i, why.text);
        ck_assert((strstr(why.text, "max_signature_loss") != NULL) == !rows[i].accepted);
    }
}
END_TEST

START_TEST(an_engine_that_scans_must_go_on_scanning)
{
    struct errtext why;
    struct scan_status now[] = {ready("a", 5), failed("b")};
    struct scan_status worse[] = {failed("a"), ready("b", 5)};
    struct scan_status better[] = {ready("a", 5), ready("b", 5)};
    ck_assert(!accepts(now, 2, worse, 2, &why));
    ck_assert_str_eq(why.text, "a: no luck");
    ck_assert(accepts(now, 2, better, 2, &why));
    ck_assert(accepts(now, 2, now, 2, &why)); /* b is as it was, and a may have news */
}
END_TEST

START_TEST(a_generation_in_which_nothing_scans_is_no_gain)
{
    struct errtext why;
    struct scan_status now[] = {failed("a"), failed("b")};
    ck_assert(!accepts(now, 2, now, 2, &why));
    ck_assert_str_eq(why.text, "a: no luck");
    ck_assert(!accepts(now, 2, NULL, 0, &why));
    struct scan_status mended[] = {ready("a", 1), failed("b")};
    ck_assert(accepts(now, 2, mended, 2, &why));
    ck_assert(accepts(NULL, 0, mended, 2, &why)); /* the one before never said anything */
}
END_TEST

/* C19 */
START_TEST(a_database_that_has_lost_the_test_string_is_not_let_in)
{
    static const struct {
        const char *engine;
        enum scan_test_string now, next;
        bool accepted;
    } rows[] = {
        {"a", SCAN_TEST_STRING_FOUND, SCAN_TEST_STRING_FOUND, true},
        {"a", SCAN_TEST_STRING_FOUND, SCAN_TEST_STRING_UNKNOWN, false},
        {"a", SCAN_TEST_STRING_UNKNOWN, SCAN_TEST_STRING_UNKNOWN, true},
        {"a", SCAN_TEST_STRING_UNKNOWN, SCAN_TEST_STRING_FOUND, true},
        {"a", SCAN_TEST_STRING_UNTRIED, SCAN_TEST_STRING_UNKNOWN, true},
        {"b", SCAN_TEST_STRING_FOUND, SCAN_TEST_STRING_UNKNOWN, false}, /* to lose signatures is another matter */
        {"c", SCAN_TEST_STRING_FOUND, SCAN_TEST_STRING_UNKNOWN, true},  /* it has no database of ours */
        {"d", SCAN_TEST_STRING_FOUND, SCAN_TEST_STRING_UNKNOWN, true},
        {"e", SCAN_TEST_STRING_FOUND, SCAN_TEST_STRING_UNKNOWN, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct errtext why;
        struct scan_status now = ready(rows[i].engine, 10), next = ready(rows[i].engine, 10);
        now.test_string = rows[i].now;
        next.test_string = rows[i].next;
        ck_assert_msg(accepts(&now, 1, &next, 1, &why) == rows[i].accepted, "row %zu: %s", i, why.text);
        ck_assert((strstr(why.text, "test_string = ignored") != NULL) == !rows[i].accepted);
    }
}
END_TEST

/* Given what served one after the other, then what comes is measured by the best of it. */
START_TEST(small_losses_do_not_add_up)
{
    static const struct {
        uint64_t served[3], next;
        bool accepted;
    } rows[] = {
        {{100, 60, 0}, 50, true}, {{100, 60, 0}, 49, false}, {{60, 100, 60}, 49, false},
        {{100, 0, 0}, 50, true},  {{40, 30, 20}, 20, true},  {{40, 30, 20}, 19, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct scan_pool_shared shared = {.framework = engines()};
        struct scan_pool p = {.shared = &shared};
        struct scan_host now = {.engine_count = 1}, next = {.engine_count = 1};
        struct errtext why = {""};
        for (size_t k = 0; k < 3 && rows[i].served[k] > 0; k++) {
            now.engines[0] = ready("a", rows[i].served[k]);
            scan_pool_note_best(&p, &now);
        }
        next.engines[0] = ready("a", rows[i].next);
        ck_assert_msg(scan_pool_judge(&p, &now, &next, &why) == rows[i].accepted, "row %zu: %s", i, why.text);
        /* nor does it help that the one that served has died, or that its engine has failed meanwhile */
        ck_assert(scan_pool_judge(&p, NULL, &next, &why) == rows[i].accepted);
        now.engines[0] = failed("a");
        ck_assert(scan_pool_judge(&p, &now, &next, &why) == rows[i].accepted);
    }
}
END_TEST

START_TEST(a_test_string_that_was_found_once_is_remembered)
{
    const struct scan_pool_shared shared = {.framework = engines()};
    struct scan_pool p = {.shared = &shared};
    struct scan_host first = {.engines = {ready("a", 10)}, .engine_count = 1}, second = first, next = first;
    struct errtext why = {""};
    first.engines[0].test_string = SCAN_TEST_STRING_FOUND;
    second.engines[0].test_string = SCAN_TEST_STRING_UNTRIED; /* its canary had trouble */
    next.engines[0].test_string = SCAN_TEST_STRING_UNKNOWN;
    ck_assert(scan_pool_judge(&p, &second, &next, &why)); /* nobody knows better */
    scan_pool_note_best(&p, &first);
    scan_pool_note_best(&p, &second);
    ck_assert(!scan_pool_judge(&p, &second, &next, &why));
    next.engines[0].test_string = SCAN_TEST_STRING_FOUND;
    ck_assert(scan_pool_judge(&p, &second, &next, &why));
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_database_may_lose_half_of_its_signatures_and_no_more)                                                          \
    X(an_engine_that_scans_must_go_on_scanning)                                                                        \
    X(a_generation_in_which_nothing_scans_is_no_gain)                                                                  \
    X(a_database_that_has_lost_the_test_string_is_not_let_in)                                                          \
    X(small_losses_do_not_add_up)                                                                                      \
    X(a_test_string_that_was_found_once_is_remembered)
#include "support/check_main.h"
