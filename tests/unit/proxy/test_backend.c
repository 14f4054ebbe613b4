/* SPDX-License-Identifier: MIT */
/* The pool of backend connections: leases, connections that are used again, servers that fail, probes. */
#include "backend_bench.h"

START_TEST(a_lease_becomes_ready_and_its_commands_are_answered)
{
    struct bench b;
    bench_start(&b);
    lease(&b, 0);
    ck_assert_int_eq(state(&b, 0), BACKEND_OPENING);
    ck_assert_uint_eq(b.lessee[0].wakes, 0);
    pump(&b, first_is_settled);
    ck_assert_int_eq(state(&b, 0), BACKEND_READY);
    ck_assert(!backend_reused(b.lessee[0].lease));
    ck_assert_str_eq(backend_name(b.lessee[0].lease), b.server[0].name);
    command(&b, 0, SMTP_CLIENT_MAIL, "FROM:<a@b.test>");
    ck_assert_int_eq(reply_code(&b), 250);
    ck_assert_uint_eq(scripted_saw(&b.server[0], "1 EHLO gw.example.org\n1 MAIL FROM:<a@b.test>\n"), 1);
    bench_release(&b);
}
END_TEST

static bool saw_rset(struct bench *b)
{
    return scripted_saw(&b->server[0], "RSET\n") == 1;
}

START_TEST(a_connection_returned_inside_a_transaction_is_reset_before_its_next_lease)
{
    struct bench b;
    bench_start(&b);
    lease_ready(&b, 0);
    command(&b, 0, SMTP_CLIENT_MAIL, "FROM:<first@b.test>");
    command(&b, 0, SMTP_CLIENT_RCPT, "TO:<first@c.test>"); /* nobody waits for the answers */
    give_back(&b, 0, true, false);
    pump(&b, saw_rset);
    for (int turn = 0; turn < 20 && (!b.lessee[0].lease || !backend_reused(b.lessee[0].lease)); turn++) {
        give_back(&b, 0, false, false);
        lease_ready(&b, 0);
    }
    ck_assert(backend_reused(b.lessee[0].lease));
    command(&b, 0, SMTP_CLIENT_MAIL, "FROM:<second@b.test>");
    ck_assert_int_eq(reply_code(&b), 250);
    /* then every MAIL comes on a connection without an open envelope */
    ck_assert_uint_eq(scripted_saw(&b.server[0], "1 MAIL FROM:<first@b.test>\n1 RCPT TO:<first@c.test>\n1 RSET\n"), 1);
    bench_release(&b);
}
END_TEST

static bool all_closed(struct bench *b)
{
    return b->server[0].open == 0;
}

static bool second_connection(struct bench *b)
{
    return b->server[0].count == 2;
}

START_TEST(a_connection_returned_while_its_reset_is_unanswered_serves_nobody)
{
    struct bench b;
    bench_start(&b);
    b.server[0].rules[0] = (struct rule){.verb = "RSET", .reply = SILENCE};
    lease_ready(&b, 0);
    give_back(&b, 0, true, false);
    lease_ready(&b, 0);
    ck_assert(!backend_reused(b.lessee[0].lease));
    pump(&b, second_connection);
    bench_release(&b);
}
END_TEST

START_TEST(a_server_that_refuses_reset_is_left)
{
    struct bench b;
    bench_start(&b);
    b.server[0].rules[0] = (struct rule){.verb = "RSET", .reply = "502 no\r\n"};
    lease_ready(&b, 0);
    give_back(&b, 0, true, false);
    pump(&b, all_closed);
    bench_release(&b);
}
END_TEST

START_TEST(a_connection_returned_inside_a_body_is_closed_and_nothing_more_is_sent)
{
    struct bench b;
    bench_start(&b);
    lease_ready(&b, 0);
    command(&b, 0, SMTP_CLIENT_DATA, "");
    ck_assert_int_eq(reply_code(&b), 354);
    ck_assert_int_eq(smtp_client_body(backend_client(b.lessee[0].lease), SPAN("half a mess")), ERR_OK);
    backend_flush(b.lessee[0].lease);
    give_back(&b, 0, true, true);
    pump(&b, all_closed);
    ck_assert_uint_eq(scripted_saw(&b.server[0], "RSET"), 0);
    ck_assert_uint_eq(b.server[0].messages, 0);
    bench_release(&b);
}
END_TEST

START_TEST(a_connection_inside_a_body_is_closed_even_when_its_lessee_says_it_is_not)
{
    struct bench b;
    bench_start(&b);
    lease_ready(&b, 0);
    command(&b, 0, SMTP_CLIENT_DATA, "");
    ck_assert_int_eq(reply_code(&b), 354);
    give_back(&b, 0, true, false);
    pump(&b, all_closed);
    ck_assert_uint_eq(b.server[0].messages, 0);
    bench_release(&b);
}
END_TEST

START_TEST(an_idle_connection_whose_server_has_left_is_not_leased)
{
    struct bench b;
    bench_start(&b);
    lease_ready(&b, 0);
    give_back(&b, 0, false, false);
    scripted_hang_up(&b.server[0].connections[0]);
    lease(&b, 0);
    ck_assert(!backend_reused(b.lessee[0].lease));
    pump(&b, first_is_settled);
    ck_assert_int_eq(state(&b, 0), BACKEND_READY);
    bench_release(&b);
}
END_TEST

START_TEST(a_reused_connection_that_dies_says_that_it_was_reused)
{
    struct bench b;
    bench_start(&b);
    b.server[0].rules[0] = (struct rule){.verb = "MAIL", .reply = CLOSE};
    lease_ready(&b, 0);
    give_back(&b, 0, false, false);
    lease_ready(&b, 0);
    ck_assert(backend_reused(b.lessee[0].lease));
    command(&b, 0, SMTP_CLIENT_MAIL, "FROM:<a@b.test>");
    ck_assert_int_eq(reply_code(&b), 0);
    ck_assert_int_eq(failure_code(&b, 0), 451);
    ck_assert(backend_reused(b.lessee[0].lease));
    bench_release(&b);
}
END_TEST

START_TEST(an_idle_connection_is_ended_with_quit_after_idle_timeout)
{
    struct bench b;
    bench_start(&b);
    b.conf.idle_timeout_ms = 10;
    lease_ready(&b, 0);
    give_back(&b, 0, false, false);
    pump(&b, all_closed);
    ck_assert_uint_eq(scripted_saw(&b.server[0], "QUIT\n"), 1);
    bench_release(&b);
}
END_TEST

START_TEST(a_server_that_refuses_connections_is_passed_over_for_the_next)
{
    struct bench b;
    bench_init(&b);
    scripted_listen(&b.server[1]);
    bench_pool(&b, 2);
    lease_ready(&b, 0);
    ck_assert_str_eq(backend_name(b.lessee[0].lease), b.server[1].name);
    bench_release(&b);
}
END_TEST

START_TEST(no_server_at_all_is_a_temporary_failure)
{
    struct bench b;
    bench_init(&b);
    bench_pool(&b, 2);
    lease(&b, 0);
    pump(&b, first_is_settled);
    ck_assert_int_eq(failure_code(&b, 0), 451);
    bench_release(&b);
}
END_TEST

START_TEST(a_refused_greeting_is_passed_on_in_the_servers_words)
{
    struct bench b;
    bench_start(&b);
    b.server[0].rules[0] = (struct rule){.verb = "connect", .reply = "521 we take no mail\r\n", .then_close = true};
    lease(&b, 0);
    pump(&b, first_is_settled);
    ck_assert_int_eq(failure_code(&b, 0), 554);
    ck_assert(span_eq(backend_failure(b.lessee[0].lease).reply.text, SPAN("we take no mail")));
    bench_release(&b);
}
END_TEST

/* One server says never, the other cannot be asked: the mail must not bounce. */
START_TEST(a_permanent_refusal_of_one_server_does_not_outlive_a_temporary_fault_of_another)
{
    for (unsigned refusing = 0; refusing < SERVERS; refusing++) {
        struct bench b;
        bench_init(&b);
        scripted_listen(&b.server[refusing]);
        b.server[refusing].rules[0] = (struct rule){.verb = "connect", .reply = "554 never\r\n", .then_close = true};
        bench_pool(&b, 2);
        lease(&b, 0);
        pump(&b, first_is_settled);
        ck_assert_int_eq(failure_code(&b, 0), 451);
        bench_release(&b);
    }
}
END_TEST

START_TEST(a_failure_wakes_its_lessee)
{
    struct bench b;
    bench_start(&b);
    lease_ready(&b, 0);
    unsigned before = b.lessee[0].wakes;
    scripted_hang_up(&b.server[0].connections[0]);
    pump(&b, first_is_answered);
    ck_assert_uint_gt(b.lessee[0].wakes, before);
    ck_assert_int_eq(failure_code(&b, 0), 451);
    bench_release(&b);
}
END_TEST

static bool probe_is_done(struct bench *b)
{
    return b->server[0].count + b->server[1].count == 2 && b->server[0].open + b->server[1].open == 0;
}

START_TEST(a_probe_learns_the_intersection_of_what_all_servers_offer)
{
    struct bench b;
    bench_init(&b);
    scripted_listen(&b.server[0]);
    scripted_listen(&b.server[1]);
    b.server[1].rules[0] = (struct rule){.verb = "EHLO", .reply = "250-mta\r\n250 SIZE 5000\r\n"};
    bench_pool(&b, 2);
    ck_assert_uint_eq(backend_pool_offer(b.pool).set, 0);
    backend_pool_probe(b.pool);
    pump(&b, probe_is_done);
    struct smtp_offer offer = backend_pool_offer(b.pool);
    ck_assert_uint_eq(offer.set, SMTP_EXT_BIT(SIZE));
    ck_assert_uint_eq(offer.size_limit, 5000);
    ck_assert_uint_eq(scripted_saw(&b.server[0], "1 EHLO gw.example.org\n1 QUIT\n"), 1);
    bench_release(&b);
}
END_TEST

/* The refusal and the end of file are read in one turn when the reply just fills a read. */
START_TEST(the_next_server_is_not_blamed_for_the_end_of_the_one_before)
{
    static char refusal[16384 + 1];
    struct bench b;
    bench_init(&b);
    for (size_t at = 0; at < 16384; at += 64)
        memcpy(refusal + at,
               at + 64 < 16384 ? "554-no no no no no no no no no no no no no no no no no no no n\r\n"
                               : "554 no no no no no no no no no no no no no no no no no no no n\r\n",
               64);
    scripted_listen(&b.server[0]);
    scripted_listen(&b.server[1]);
    b.server[0].rules[0] = (struct rule){.verb = "connect", .reply = refusal, .then_close = true};
    bench_pool(&b, 2);
    lease_ready(&b, 0);
    ck_assert_str_eq(backend_name(b.lessee[0].lease), b.server[1].name);
    ck_assert_uint_eq(b.server[1].count, 1);
    bench_release(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_lease_becomes_ready_and_its_commands_are_answered)                                                             \
    X(a_connection_returned_inside_a_transaction_is_reset_before_its_next_lease)                                       \
    X(a_connection_returned_while_its_reset_is_unanswered_serves_nobody)                                               \
    X(a_server_that_refuses_reset_is_left)                                                                             \
    X(a_connection_returned_inside_a_body_is_closed_and_nothing_more_is_sent)                                          \
    X(a_connection_inside_a_body_is_closed_even_when_its_lessee_says_it_is_not)                                        \
    X(an_idle_connection_whose_server_has_left_is_not_leased)                                                          \
    X(a_reused_connection_that_dies_says_that_it_was_reused)                                                           \
    X(an_idle_connection_is_ended_with_quit_after_idle_timeout)                                                        \
    X(a_server_that_refuses_connections_is_passed_over_for_the_next)                                                   \
    X(no_server_at_all_is_a_temporary_failure)                                                                         \
    X(a_refused_greeting_is_passed_on_in_the_servers_words)                                                            \
    X(a_permanent_refusal_of_one_server_does_not_outlive_a_temporary_fault_of_another)                                 \
    X(a_failure_wakes_its_lessee)                                                                                      \
    X(a_probe_learns_the_intersection_of_what_all_servers_offer)                                                       \
    X(the_next_server_is_not_blamed_for_the_end_of_the_one_before)
#include "support/check_main.h"
