/* SPDX-License-Identifier: MIT */
/* The event loop: readiness, deferred calls, deadlines, signals. Every test arms a guard deadline, so that a lost event
 * fails instead of hanging. */
#include "io/deadline.h"
#include "io/loop.h"
#include "sys/clock.h"
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { GUARD_MS = 10000 };

struct bench {
    struct loop *loop;
    struct deadline guard;
    struct loop_watch watch;
    struct loop_deferred a, b;
    struct deadline one, two;
    char trace[64];
    size_t steps;
    int pipe[2];
};

static void note(struct bench *t, char what)
{
    ck_assert_uint_lt(t->steps, sizeof(t->trace) - 1);
    t->trace[t->steps++] = what;
}

static void hung(void *arg)
{
    (void)arg;
    ck_abort_msg("the loop waited for an event that did not come");
}

static void setup(struct bench *t)
{
    *t = (struct bench){.loop = loop_new()};
    ck_assert_ptr_nonnull(t->loop);
    ck_assert_int_eq(pipe2(t->pipe, O_NONBLOCK | O_CLOEXEC), 0);
    deadline_init(&t->guard, t->loop, hung, t);
    deadline_set_ms(&t->guard, GUARD_MS);
}

static void teardown(struct bench *t)
{
    deadline_clear(&t->guard);
    loop_watch_stop(&t->watch);
    close(t->pipe[0]);
    if (t->pipe[1] >= 0)
        close(t->pipe[1]);
    loop_free(t->loop);
}

static void run_a_stops(void *arg)
{
    struct bench *t = arg;
    note(t, 'a');
    loop_stop(t->loop);
}

static void run_b(void *arg)
{
    note(arg, 'b');
}

static void read_ready(void *arg, int events)
{
    struct bench *t = arg;
    char byte;
    ck_assert_int_eq(events, LOOP_READ);
    ck_assert_int_eq(read(t->pipe[0], &byte, 1), 1);
    note(t, byte);
    loop_stop(t->loop);
}

START_TEST(a_readable_descriptor_is_reported)
{
    struct bench t;
    setup(&t);
    loop_watch_init(&t.watch, t.loop, t.pipe[0], read_ready, &t);
    loop_watch_set(&t.watch, LOOP_READ);
    ck_assert_int_eq(write(t.pipe[1], "x", 1), 1);
    loop_run(t.loop);
    ck_assert_str_eq(t.trace, "x");
    teardown(&t);
}
END_TEST

static void run_b_rearms_until_third(void *arg)
{
    struct bench *t = arg;
    note(t, 'b');
    if (t->steps < 4)
        loop_defer(t->loop, &t->b);
    else
        loop_stop(t->loop);
}

/* Two watches of two ready descriptors; the one that is called stops the other. */
struct rival {
    struct bench *bench;
    struct loop_watch watch;
    struct rival *other;
    int calls;
};

static void rival_ready(void *arg, int events)
{
    struct rival *r = arg;
    (void)events;
    r->calls++;
    loop_watch_stop(&r->other->watch);
    loop_watch_stop(&r->watch);
    loop_defer(r->bench->loop, &r->bench->a);
}

START_TEST(a_watch_stopped_by_another_callback_of_the_same_turn_is_not_called)
{
    struct bench t;
    setup(&t);
    int other[2];
    ck_assert_int_eq(pipe2(other, O_NONBLOCK | O_CLOEXEC), 0);
    struct rival one = {.bench = &t}, two = {.bench = &t, .other = &one};
    one.other = &two;
    loop_deferred_init(&t.a, run_a_stops, &t);
    loop_watch_init(&one.watch, t.loop, t.pipe[0], rival_ready, &one);
    loop_watch_init(&two.watch, t.loop, other[0], rival_ready, &two);
    loop_watch_set(&one.watch, LOOP_READ);
    loop_watch_set(&two.watch, LOOP_READ);
    ck_assert_int_eq(write(t.pipe[1], "x", 1), 1);
    ck_assert_int_eq(write(other[1], "x", 1), 1);
    loop_run(t.loop);
    ck_assert_int_eq(one.calls + two.calls, 1);
    close(other[0]);
    close(other[1]);
    teardown(&t);
}
END_TEST

START_TEST(a_reused_descriptor_number_is_watched_anew)
{
    struct bench t;
    setup(&t);
    loop_watch_init(&t.watch, t.loop, t.pipe[0], read_ready, &t);
    loop_watch_set(&t.watch, LOOP_READ);
    ck_assert_int_eq(write(t.pipe[1], "1", 1), 1);
    loop_run(t.loop);
    /* when the descriptor is closed and its number comes back for another file */
    loop_watch_stop(&t.watch);
    int before = t.pipe[0];
    close(t.pipe[0]);
    close(t.pipe[1]);
    ck_assert_int_eq(pipe2(t.pipe, O_NONBLOCK | O_CLOEXEC), 0);
    ck_assert_int_eq(t.pipe[0], before);
    loop_watch_init(&t.watch, t.loop, t.pipe[0], read_ready, &t);
    loop_watch_set(&t.watch, LOOP_READ);
    ck_assert_int_eq(write(t.pipe[1], "2", 1), 1);
    loop_run(t.loop);
    ck_assert_str_eq(t.trace, "12");
    teardown(&t);
}
END_TEST

START_TEST(a_paused_watch_goes_on_where_it_was)
{
    struct bench t;
    setup(&t);
    loop_deferred_init(&t.a, run_a_stops, &t);
    loop_watch_init(&t.watch, t.loop, t.pipe[0], read_ready, &t);
    loop_watch_set(&t.watch, LOOP_READ);
    loop_watch_set(&t.watch, 0);
    ck_assert_int_eq(write(t.pipe[1], "x", 1), 1);
    loop_defer(t.loop, &t.a);
    loop_run(t.loop);
    ck_assert_str_eq(t.trace, "a");
    loop_watch_set(&t.watch, LOOP_READ);
    loop_run(t.loop);
    ck_assert_str_eq(t.trace, "ax");
    teardown(&t);
}
END_TEST

START_TEST(deferred_calls_run_once_in_the_order_of_arming)
{
    struct bench t;
    setup(&t);
    loop_deferred_init(&t.a, run_a_stops, &t);
    loop_deferred_init(&t.b, run_b, &t);
    loop_defer(t.loop, &t.b);
    loop_defer(t.loop, &t.a);
    loop_defer(t.loop, &t.b); /* armed already */
    loop_run(t.loop);
    ck_assert_str_eq(t.trace, "ba");
    teardown(&t);
}
END_TEST

START_TEST(a_cancelled_deferred_call_does_not_run)
{
    struct bench t;
    setup(&t);
    loop_deferred_init(&t.a, run_a_stops, &t);
    loop_deferred_init(&t.b, run_b, &t);
    loop_defer(t.loop, &t.b);
    loop_defer(t.loop, &t.a);
    loop_defer_cancel(&t.b);
    loop_defer_cancel(&t.b);
    loop_run(t.loop);
    ck_assert_str_eq(t.trace, "a");
    teardown(&t);
}
END_TEST

static void count_turn(void *arg, int events)
{
    (void)events;
    note(arg, 'r'); /* the byte stays: ready again in the next turn */
}

static void run_b_rearms_until_readable_twice(void *arg)
{
    struct bench *t = arg;
    note(t, 'b');
    if (strchr(t->trace, 'r') != strrchr(t->trace, 'r'))
        loop_stop(t->loop);
    else
        loop_defer(t->loop, &t->b);
}

START_TEST(what_deferred_calls_arm_runs_in_the_same_turn_but_never_starves_descriptors)
{
    struct bench t;
    setup(&t);
    loop_deferred_init(&t.b, run_b_rearms_until_readable_twice, &t);
    loop_watch_init(&t.watch, t.loop, t.pipe[0], count_turn, &t);
    loop_watch_set(&t.watch, LOOP_READ);
    ck_assert_int_eq(write(t.pipe[1], "x", 1), 1);
    loop_defer(t.loop, &t.b);
    loop_run(t.loop);
    ck_assert_str_eq(t.trace, "rbbbbrb");
    teardown(&t);
}
END_TEST

START_TEST(rearming_without_any_descriptor_does_not_sleep)
{
    struct bench t;
    setup(&t);
    deadline_clear(&t.guard);
    loop_deferred_init(&t.b, run_b_rearms_until_third, &t);
    loop_defer(t.loop, &t.b);
    loop_run(t.loop); /* a sleep would last for ever: Check's own time limit ends it */
    ck_assert_str_eq(t.trace, "bbbb");
    teardown(&t);
}
END_TEST

static void one_expired(void *arg)
{
    note(arg, '1');
}

static void two_expired(void *arg)
{
    struct bench *t = arg;
    note(t, '2');
    loop_stop(t->loop);
}

START_TEST(deadlines_come_in_time_order_and_not_early)
{
    struct bench t;
    setup(&t);
    deadline_init(&t.one, t.loop, one_expired, &t);
    deadline_init(&t.two, t.loop, two_expired, &t);
    uint64_t begin = clock_monotonic_us();
    deadline_set_ms(&t.two, 20);
    deadline_set_ms(&t.one, 5);
    ck_assert(deadline_is_set(&t.one));
    loop_run(t.loop);
    ck_assert_str_eq(t.trace, "12");
    ck_assert(!deadline_is_set(&t.one));
    ck_assert_uint_ge(clock_monotonic_us() - begin, 19900);
    ck_assert_uint_ge(loop_now_us(t.loop) - begin, 19900);
    teardown(&t);
}
END_TEST

START_TEST(a_deadline_counts_from_its_setting_though_the_turn_was_long)
{
    struct bench t;
    setup(&t);
    deadline_init(&t.two, t.loop, two_expired, &t);
    /* given that this turn has been busy for 30 ms */
    uint64_t begin = clock_monotonic_us();
    while (clock_monotonic_us() - begin < 30000)
        ;
    uint64_t set = clock_monotonic_us();
    deadline_set_ms(&t.two, 20);
    loop_run(t.loop);
    ck_assert_uint_ge(clock_monotonic_us() - set, 19900);
    teardown(&t);
}
END_TEST

START_TEST(a_cleared_deadline_does_not_come_and_a_new_setting_replaces_the_old)
{
    struct bench t;
    setup(&t);
    deadline_init(&t.one, t.loop, one_expired, &t);
    deadline_init(&t.two, t.loop, two_expired, &t);
    deadline_clear(&t.one); /* harmless when not set */
    deadline_set_ms(&t.one, 1);
    deadline_set_ms(&t.two, GUARD_MS * 2);
    deadline_set_ms(&t.two, 10);
    deadline_clear(&t.one);
    loop_run(t.loop);
    ck_assert_str_eq(t.trace, "2");
    teardown(&t);
}
END_TEST

static void caught(void *arg, int number)
{
    struct bench *t = arg;
    ck_assert_int_eq(number, SIGUSR1);
    note(t, 's');
    loop_stop(t->loop);
}

START_TEST(a_signal_becomes_a_call_on_the_loop)
{
    struct bench t;
    struct loop_signal s;
    setup(&t);
    loop_signal_init(&s, t.loop, SIGUSR1, caught, &t);
    raise(SIGUSR1);
    ck_assert_str_eq(t.trace, "");
    loop_run(t.loop);
    ck_assert_str_eq(t.trace, "s");
    loop_signal_stop(&s);
    teardown(&t);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_readable_descriptor_is_reported)                                                                               \
    X(a_watch_stopped_by_another_callback_of_the_same_turn_is_not_called)                                              \
    X(a_reused_descriptor_number_is_watched_anew)                                                                      \
    X(a_paused_watch_goes_on_where_it_was)                                                                             \
    X(deferred_calls_run_once_in_the_order_of_arming)                                                                  \
    X(a_cancelled_deferred_call_does_not_run)                                                                          \
    X(what_deferred_calls_arm_runs_in_the_same_turn_but_never_starves_descriptors)                                     \
    X(rearming_without_any_descriptor_does_not_sleep)                                                                  \
    X(deadlines_come_in_time_order_and_not_early)                                                                      \
    X(a_deadline_counts_from_its_setting_though_the_turn_was_long)                                                     \
    X(a_cleared_deadline_does_not_come_and_a_new_setting_replaces_the_old)                                             \
    X(a_signal_becomes_a_call_on_the_loop)
#include "support/check_main.h"
