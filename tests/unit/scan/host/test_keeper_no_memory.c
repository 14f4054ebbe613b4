/* SPDX-License-Identifier: MIT */
/* Without memory for its scanners an engine has failed and says so; the others of its pool have theirs (C24). */
#include "support/failing_memory.h"

#include "scan/host/broker.h"
#include <check.h>
#include <fcntl.h>
#include <unistd.h>

static const char *const arguments[] = {"true", NULL};
static struct engine_program program = {.path = "/bin/true", .argv = arguments, .count = 0, .log = -1};

static const struct engine_program *the_program(const void *state)
{
    (void)state;
    return &program;
}

START_TEST(an_engine_without_memory_for_its_scanners_has_failed)
{
    static const struct engine_type with_program = {.name = "fake", .program = the_program};
    static struct broker b;
    const struct framework_pool pool = {.name = "CPU", .conf = {.concurrency = 1}};
    bool complete = false;
    for (long n = 0; n < 10 && !complete; n++) {
        b = (struct broker){.pool = &pool, .loop = loop_new(), .engine_count = 2};
        ck_assert_ptr_nonnull(b.loop);
        for (size_t i = 0; i < b.engine_count; i++)
            b.engines[i] = (struct host_engine){.type = &with_program, .status = SCAN_ENGINE_READY};
        memory_fails_at(n);
        keeper_start(&b.keeper, &b);
        complete = !memory_failed();
        unsigned failed = 0;
        for (size_t i = 0; i < b.engine_count; i++) {
            bool bad = b.engines[i].status == SCAN_ENGINE_FAILED;
            failed += bad;
            ck_assert((b.keeper.engines[i] == NULL) == bad);
            if (bad)
                ck_assert_str_eq(b.engines[i].detail, "no memory for its scanners");
        }
        ck_assert_msg(failed == (complete ? 0 : 1), "allocation %ld: %u engines failed", n, failed);
        keeper_stop(&b.keeper);
        loop_free(b.loop);
    }
    ck_assert(complete);
}
END_TEST

#define CASES(X) X(an_engine_without_memory_for_its_scanners_has_failed)
#include "support/check_main.h"
