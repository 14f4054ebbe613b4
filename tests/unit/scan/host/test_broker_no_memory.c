/* SPDX-License-Identifier: MIT */
/* A scan host that has no memory at one moment: that costs one message or one channel, and no more (C24). */
#include "support/failing_memory.h"

#include <pthread.h>

#include "support/scan_rig.h"

/* In the host: the N-th allocation from now on fails. The signal comes before what is sent after it. */
static void on_order(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    memory_fails_at(info->si_value.sival_int);
}

/* Workers have theirs. */
static void in_a_worker(void)
{
    (void)memory_failed();
}

static void take_orders(void)
{
    const struct sigaction order = {.sa_sigaction = on_order, .sa_flags = SA_SIGINFO | SA_RESTART};
    if (sigaction(SIGUSR1, &order, NULL) != 0 || pthread_atfork(NULL, NULL, in_a_worker) != 0)
        _exit(99);
}

static void start(struct rig *r)
{
    rig_init(r);
    r->before = take_orders;
    rig_start(r);
    rig_job(r, "clean", 10000);
    struct scan_answer a = rig_answer(r);
    RIG_EXPECT(r, a, CLEAN, NONE);
}

static void fail_at(const struct rig *r, int n)
{
    ck_assert(sigqueue(r->host, SIGUSR1, (union sigval){.sival_int = n}) == 0);
}

START_TEST(a_message_without_memory_is_refused_and_the_next_ones_are_scanned)
{
    enum { FAILURES = 4, JOBS = 6 };
    struct rig r;
    start(&r);
    for (int n = 0; n < FAILURES; n++) {
        unsigned refused = 0;
        fail_at(&r, n);
        for (int i = 0; i < JOBS; i++) {
            uint64_t id = rig_job(&r, "clean", 10000);
            struct scan_answer a = rig_answer(&r);
            ck_assert_uint_eq(a.id, id);
            if (a.verdict.class == VERDICT_CLEAN)
                continue;
            RIG_EXPECT(&r, a, ERROR, DOWN);
            ck_assert_str_eq(a.verdict.detail, "the scan host has no memory for it");
            ck_assert_str_eq(a.verdict.engine, "fake1");
            refused++;
        }
        ck_assert_uint_eq(refused, 1);
    }
    ck_assert_msg(strstr(rig_log(&r), " shortage reason=\"pool CPU: no memory for a message"), "%s", rig_log(&r));
    rig_stop(&r);
}
END_TEST

START_TEST(a_channel_without_memory_is_closed_and_the_next_one_is_served)
{
    struct rig r;
    start(&r);
    fail_at(&r, 0);
    int lost = rig_attach(&r);
    struct pollfd p = {.fd = lost, .events = POLLIN};
    ck_assert(poll(&p, 1, RIG_PATIENCE_MS) == 1 && (p.revents & POLLHUP));
    close(lost);
    int next = rig_attach(&r);
    ck_assert_int_eq(rig_status(&r, next).state, SCAN_ENGINE_READY);
    close(next);
    rig_job(&r, "clean", 10000);
    struct scan_answer a = rig_answer(&r);
    RIG_EXPECT(&r, a, CLEAN, NONE);
    ck_assert_msg(strstr(rig_log(&r), " shortage reason=\"pool CPU: no memory for a channel"), "%s", rig_log(&r));
    rig_stop(&r);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_message_without_memory_is_refused_and_the_next_ones_are_scanned)                                               \
    X(a_channel_without_memory_is_closed_and_the_next_one_is_served)
#include "support/check_main.h"
