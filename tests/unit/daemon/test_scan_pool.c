/* SPDX-License-Identifier: MIT */
/* Whether a new generation may take over. What hosts do with it is tests/e2e/test_reload.py. */
#include "daemon/scan_pool.h"
#include <check.h>

static struct engine_conf with_database = {.database = "/somewhere", .max_signature_loss = 50};
static struct engine_conf careless = {.database = "/somewhere", .max_signature_loss = 100};
static struct engine_conf without = {.max_signature_loss = 50};

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

static bool accepts(const struct scan_status *now, size_t now_count, const struct scan_status *next, size_t next_count,
                    struct errtext *why)
{
    static struct framework fw;
    fw.engines[0] = (struct framework_engine){.name = "a", .type = "clamav", .built = true, .conf = &with_database};
    fw.engines[1] = (struct framework_engine){.name = "b", .type = "clamav", .built = true, .conf = &careless};
    fw.engines[2] = (struct framework_engine){.name = "c", .type = "clamav", .built = true, .conf = &without};
    fw.engine_count = 3;
    *why = (struct errtext){""};
    return scan_pool_accepts(&fw, now, now_count, next, next_count, why);
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

#define CASES(X)                                                                                                       \
    X(a_database_may_lose_half_of_its_signatures_and_no_more)                                                          \
    X(an_engine_that_scans_must_go_on_scanning)                                                                        \
    X(a_generation_in_which_nothing_scans_is_no_gain)
#include "support/check_main.h"
