/* SPDX-License-Identifier: MIT */
/* Leases beyond the maximum wait for a connection. */
#include "backend_bench.h"

static bool third_is_ready(struct bench *b)
{
    return state(b, 2) == BACKEND_READY;
}

static bool fourth_is_ready(struct bench *b)
{
    return state(b, 3) == BACKEND_READY;
}

/* One connection at a time. */
static void start_narrow(struct bench *b)
{
    bench_start(b);
    b->conf.max_outbound_connections = 1;
}

/* The server does not want the first connection. */
static void refuse_first(struct bench *b)
{
    b->server[0].rules[0] = (struct rule){.connection = 1, .verb = "connect", .reply = "421 not now\r\n"};
}

START_TEST(leases_beyond_max_outbound_connections_wait_and_are_served_in_their_order)
{
    struct bench b;
    start_narrow(&b);
    lease_ready(&b, 0);
    for (unsigned i = 1; i < 5; i++) {
        lease(&b, i);
        ck_assert_int_eq(state(&b, i), BACKEND_QUEUED);
    }
    give_back(&b, 0, true, false);
    pump(&b, second_is_settled);
    ck_assert_int_eq(state(&b, 2), BACKEND_QUEUED);
    give_back(&b, 1, false, false);
    pump(&b, third_is_ready);
    ck_assert_int_eq(state(&b, 3), BACKEND_QUEUED);
    give_back(&b, 2, false, true);
    pump(&b, fourth_is_ready);
    ck_assert_int_eq(state(&b, 4), BACKEND_QUEUED);
    ck_assert_uint_eq(b.lessee[1].order, 2);
    ck_assert_uint_eq(b.lessee[2].order, 3);
    ck_assert_uint_eq(b.lessee[3].order, 4);
    bench_release(&b);
}
END_TEST

START_TEST(a_new_lease_does_not_overtake_one_that_waits)
{
    struct bench b;
    start_narrow(&b);
    lease_ready(&b, 0);
    lease(&b, 1);
    give_back(&b, 0, false, true); /* the slot is free, but not yet given on */
    lease(&b, 2);
    pump(&b, second_is_settled);
    ck_assert_int_eq(state(&b, 1), BACKEND_READY);
    ck_assert_int_eq(state(&b, 2), BACKEND_QUEUED);
    bench_release(&b);
}
END_TEST

START_TEST(a_lease_that_waits_goes_on_when_the_connection_before_it_fails_to_open)
{
    struct bench b;
    start_narrow(&b);
    refuse_first(&b);
    lease(&b, 0);
    lease(&b, 1);
    ck_assert_int_eq(state(&b, 1), BACKEND_QUEUED);
    pump(&b, second_is_settled);
    ck_assert_int_eq(state(&b, 0), BACKEND_FAILED);
    ck_assert_int_eq(state(&b, 1), BACKEND_READY);
    bench_release(&b);
}
END_TEST

START_TEST(a_lease_that_waits_goes_on_when_the_probe_before_it_fails)
{
    struct bench b;
    start_narrow(&b);
    refuse_first(&b);
    backend_pool_probe(b.pool);
    lease(&b, 0);
    ck_assert_int_eq(state(&b, 0), BACKEND_QUEUED);
    pump(&b, first_is_settled);
    ck_assert_int_eq(state(&b, 0), BACKEND_READY);
    bench_release(&b);
}
END_TEST

START_TEST(a_lease_that_waits_too_long_fails_as_busy)
{
    struct bench b;
    start_narrow(&b);
    lease_ready(&b, 0);
    b.conf.connect_timeout_ms = 10;
    lease(&b, 1);
    pump(&b, second_is_settled);
    ck_assert_int_eq(failure_code(&b, 1), 451);
    struct smtp_reply busy = smtp_say(SMTP_SAY_BACKEND_BUSY);
    ck_assert(span_eq(backend_failure(b.lessee[1].lease).reply.text, busy.text));
    bench_release(&b);
}
END_TEST

START_TEST(a_waiting_lease_that_is_given_back_leaves_the_queue)
{
    struct bench b;
    start_narrow(&b);
    lease_ready(&b, 0);
    lease(&b, 1);
    lease(&b, 2);
    give_back(&b, 1, false, false);
    give_back(&b, 0, false, false);
    pump(&b, third_is_ready);
    bench_release(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(leases_beyond_max_outbound_connections_wait_and_are_served_in_their_order)                                       \
    X(a_new_lease_does_not_overtake_one_that_waits)                                                                    \
    X(a_lease_that_waits_goes_on_when_the_connection_before_it_fails_to_open)                                          \
    X(a_lease_that_waits_goes_on_when_the_probe_before_it_fails)                                                       \
    X(a_lease_that_waits_too_long_fails_as_busy)                                                                       \
    X(a_waiting_lease_that_is_given_back_leaves_the_queue)
#include "support/check_main.h"
