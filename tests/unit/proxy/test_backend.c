/* SPDX-License-Identifier: MIT */
/* The pool of backend connections against scripted servers on loopback, all in one loop. */
#include "io/deadline.h"
#include "proxy/backend_internal.h"
#include "unit/proxy/scripted_server.h"
#include <check.h>

enum { SERVERS = 2, LEASES = 6, GUARD_MS = 20000 };

struct bench;
struct lessee {
    struct bench *bench;
    struct backend *lease;
    unsigned wakes, order; /* ORDER: of becoming READY */
};

struct bench {
    struct loop *loop;
    struct scripted server[SERVERS];
    struct server_conf conf;
    struct backend_target targets[SERVERS];
    struct backend_pool *pool;
    struct lessee lessee[LEASES];
    unsigned ready; /* leases that were READY so far */
    struct deadline guard;
    bool (*until)(struct bench *b);
    struct log log;
};

static void bench_look(void *arg)
{
    struct bench *b = arg;
    if (!b->until || !b->until(b))
        return;
    b->until = NULL; /* once: looking again would take what comes after it */
    loop_stop(b->loop);
}

static void lessee_woken(void *arg)
{
    struct lessee *l = arg;
    l->wakes++;
    if (l->lease && l->order == 0 && backend_state(l->lease) == BACKEND_READY)
        l->order = ++l->bench->ready;
    bench_look(l->bench);
}

static void guard_expired(void *arg)
{
    (void)arg;
    ck_abort_msg("the awaited event did not come");
}

static void pump(struct bench *b, bool (*until)(struct bench *b))
{
    b->until = until;
    deadline_set_ms(&b->guard, GUARD_MS);
    if (!until(b))
        loop_run(b->loop);
    deadline_clear(&b->guard);
    b->until = NULL;
}

static void no_log(void *arg, enum log_level level, struct span line)
{
    (void)arg;
    (void)level;
    (void)line;
}

static uint64_t no_clock(void *arg)
{
    (void)arg;
    return 0;
}

/* Servers that do not listen yet, and patience that no test runs out of unless it says so. */
static void bench_init(struct bench *b)
{
    *b = (struct bench){.loop = loop_new(), .log = {.write = no_log, .wallclock_ms = no_clock}};
    b->conf = (struct server_conf){.connect_timeout_ms = 60000,
                                   .greeting_timeout_ms = 60000,
                                   .command_timeout_ms = 60000,
                                   .data_init_timeout_ms = 60000,
                                   .data_block_timeout_ms = 60000,
                                   .data_done_timeout_ms = 60000,
                                   .idle_timeout_ms = 60000,
                                   .max_outbound_connections = 10};
    deadline_init(&b->guard, b->loop, guard_expired, b);
    for (unsigned i = 0; i < SERVERS; i++) {
        scripted_init(&b->server[i], b->loop, bench_look, b);
        b->targets[i] = (struct backend_target){
            .name = b->server[i].name, .addr = b->server[i].addr, .conf = &b->conf, .helo = "gw.example.org"};
    }
    for (unsigned i = 0; i < LEASES; i++)
        b->lessee[i].bench = b;
}

static void bench_pool(struct bench *b, size_t servers)
{
    b->pool = backend_pool_new(b->loop, b->targets, servers, 1, &b->log);
    ck_assert_ptr_nonnull(b->pool);
}

/* One server that listens, and a pool for it alone. */
static void bench_start(struct bench *b)
{
    bench_init(b);
    scripted_listen(&b->server[0]);
    bench_pool(b, 1);
}

static void lease(struct bench *b, unsigned i)
{
    b->lessee[i].order = 0;
    b->lessee[i].lease = backend_lease(b->pool, false, lessee_woken, &b->lessee[i]);
    ck_assert_ptr_nonnull(b->lessee[i].lease);
}

static void give_back(struct bench *b, unsigned i, bool in_transaction, bool in_body)
{
    if (b->lessee[i].lease)
        backend_return(b->lessee[i].lease, in_transaction, in_body);
    b->lessee[i].lease = NULL;
}

static void bench_release(struct bench *b)
{
    for (unsigned i = 0; i < LEASES; i++)
        give_back(b, i, false, true);
    backend_pool_free(b->pool);
    deadline_clear(&b->guard);
    for (unsigned i = 0; i < SERVERS; i++)
        scripted_release(&b->server[i]);
    loop_free(b->loop);
}

static enum backend_state state(const struct bench *b, unsigned i)
{
    return backend_state(b->lessee[i].lease);
}

static bool first_is_settled(struct bench *b)
{
    return state(b, 0) == BACKEND_READY || state(b, 0) == BACKEND_FAILED;
}

static bool second_is_settled(struct bench *b)
{
    return state(b, 1) == BACKEND_READY || state(b, 1) == BACKEND_FAILED;
}

static void lease_ready(struct bench *b, unsigned i)
{
    ck_assert_uint_lt(i, 2);
    lease(b, i);
    pump(b, i == 0 ? first_is_settled : second_is_settled);
    ck_assert_int_eq(state(b, i), BACKEND_READY);
}

static void command(struct bench *b, unsigned i, enum smtp_client_verb verb, const char *argument)
{
    ck_assert_int_eq(smtp_client_command(backend_client(b->lessee[i].lease), verb, span_cstr(argument)), ERR_OK);
    backend_flush(b->lessee[i].lease);
}

/* What the next reply to the first lease was, for a pump. */
static struct smtp_reply last_reply;
static bool first_is_answered(struct bench *b)
{
    enum smtp_client_verb verb;
    return backend_reply(b->lessee[0].lease, &verb, &last_reply) || state(b, 0) == BACKEND_FAILED;
}

static int reply_code(struct bench *b)
{
    last_reply.code = 0;
    pump(b, first_is_answered);
    return last_reply.code;
}

static int failure_code(const struct bench *b, unsigned i)
{
    ck_assert_int_eq(state(b, i), BACKEND_FAILED);
    return backend_failure(b->lessee[i].lease).reply.code;
}

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

static bool third_is_ready(struct bench *b)
{
    return state(b, 2) == BACKEND_READY;
}

static bool fourth_is_ready(struct bench *b)
{
    return state(b, 3) == BACKEND_READY;
}

START_TEST(leases_beyond_max_outbound_connections_wait_and_are_served_in_their_order)
{
    struct bench b;
    bench_start(&b);
    b.conf.max_outbound_connections = 1;
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
    bench_start(&b);
    b.conf.max_outbound_connections = 1;
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
    bench_start(&b);
    b.conf.max_outbound_connections = 1;
    b.server[0].rules[0] = (struct rule){.connection = 1, .verb = "connect", .reply = "421 not now\r\n"};
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
    bench_start(&b);
    b.conf.max_outbound_connections = 1;
    b.server[0].rules[0] = (struct rule){.connection = 1, .verb = "connect", .reply = "421 not now\r\n"};
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
    bench_start(&b);
    b.conf.max_outbound_connections = 1;
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
    bench_start(&b);
    b.conf.max_outbound_connections = 1;
    lease_ready(&b, 0);
    lease(&b, 1);
    lease(&b, 2);
    give_back(&b, 1, false, false);
    give_back(&b, 0, false, false);
    pump(&b, third_is_ready);
    bench_release(&b);
}
END_TEST

struct deadline_case {
    const char *stage;
    size_t offset; /* of the option in struct server_conf */
    struct rule rule;
    bool data, body, dot; /* how far the lease goes before it waits */
};
static const struct deadline_case deadline_cases[] = {
    {.stage = "greeting",
     .offset = offsetof(struct server_conf, greeting_timeout_ms),
     .rule = {.verb = "connect", .reply = SILENCE}},
    {.stage = "EHLO",
     .offset = offsetof(struct server_conf, greeting_timeout_ms),
     .rule = {.verb = "EHLO", .reply = SILENCE}},
    {.stage = "MAIL",
     .offset = offsetof(struct server_conf, command_timeout_ms),
     .rule = {.verb = "MAIL", .reply = SILENCE}},
    {.stage = "DATA",
     .offset = offsetof(struct server_conf, data_init_timeout_ms),
     .rule = {.verb = "DATA", .reply = SILENCE},
     .data = true},
    {.stage = "end of data",
     .offset = offsetof(struct server_conf, data_done_timeout_ms),
     .rule = {.verb = ".", .reply = SILENCE},
     .data = true,
     .dot = true},
};

START_TEST(every_stage_has_its_deadline)
{
    for (size_t i = 0; i < ARRAY_SIZE(deadline_cases); i++) {
        const struct deadline_case *c = &deadline_cases[i];
        struct bench b;
        bench_start(&b);
        b.server[0].rules[0] = c->rule;
        int64_t soon = 20;
        memcpy((char *)&b.conf + c->offset, &soon, sizeof(soon));
        lease(&b, 0);
        pump(&b, first_is_settled);
        if (state(&b, 0) == BACKEND_READY) {
            command(&b, 0, c->data ? SMTP_CLIENT_DATA : SMTP_CLIENT_MAIL, c->data ? "" : "FROM:<a@b.test>");
            int code = reply_code(&b);
            if (c->dot) {
                ck_assert_int_eq(code, 354);
                ck_assert_int_eq(smtp_client_body_end(backend_client(b.lessee[0].lease)), ERR_OK);
                backend_flush(b.lessee[0].lease);
                code = reply_code(&b);
            }
            ck_assert_int_eq(code, 0);
        }
        ck_assert_int_eq(failure_code(&b, 0), 451);
        char expected[64];
        snprintf(expected, sizeof(expected), "%s: timeout", c->stage);
        ck_assert_str_eq(backend_failure(b.lessee[0].lease).detail, expected);
        bench_release(&b);
    }
}
END_TEST

/* A server that gives one octet of its reply from time to time. */
struct drip {
    struct scripted_connection *to;
    struct deadline timer;
};
static void drip_on(void *arg)
{
    struct drip *d = arg;
    if (!d->to->open)
        return;
    ck_assert_int_eq(buf_append(&d->to->stream.out, SPAN("x")), ERR_OK);
    stream_flush(&d->to->stream);
    deadline_set_ms(&d->timer, 10);
}

START_TEST(octets_of_a_reply_that_never_ends_do_not_prolong_its_deadline)
{
    struct bench b;
    bench_start(&b);
    b.conf.command_timeout_ms = 200;
    b.server[0].rules[0] = (struct rule){.verb = "MAIL", .reply = "250 "};
    lease_ready(&b, 0);
    struct drip drip = {.to = &b.server[0].connections[0]};
    deadline_init(&drip.timer, b.loop, drip_on, &drip);
    deadline_set_ms(&drip.timer, 10);
    command(&b, 0, SMTP_CLIENT_MAIL, "FROM:<a@b.test>");
    ck_assert_int_eq(reply_code(&b), 0);
    ck_assert_str_eq(backend_failure(b.lessee[0].lease).detail, "MAIL: timeout");
    deadline_clear(&drip.timer);
    bench_release(&b);
}
END_TEST

/* A server that reads a little of the body from time to time, less in one timeout than the stream speaks about. */
static void sip_on(void *arg)
{
    struct drip *d = arg;
    char some[2048];
    if (!d->to->open || recv(d->to->stream.fd, some, sizeof(some), MSG_DONTWAIT) <= 0)
        return;
    deadline_set_ms(&d->timer, 20);
}

static bool first_has_no_backlog(struct bench *b)
{
    return state(b, 0) == BACKEND_FAILED || backend_backlog(b->lessee[0].lease) == 0;
}

START_TEST(a_server_that_reads_slowly_is_not_cut_as_long_as_it_reads)
{
    static char body[60000];
    int small = 4096;
    struct bench b;
    bench_start(&b);
    b.conf.data_block_timeout_ms = 150;
    b.server[0].deaf = true;
    ck_assert_int_eq(setsockopt(b.server[0].fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    lease_ready(&b, 0);
    ck_assert_int_eq(setsockopt(b.lessee[0].lease->stream.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    command(&b, 0, SMTP_CLIENT_DATA, "");
    ck_assert_int_eq(reply_code(&b), 354);
    memset(body, 'x', sizeof(body));
    struct smtp_client *client = backend_client(b.lessee[0].lease);
    while (backend_backlog(b.lessee[0].lease) < sizeof(body)) { /* until the socket takes no more */
        ck_assert_int_eq(smtp_client_body(client, span_of(body, 8192)), ERR_OK);
        backend_flush(b.lessee[0].lease);
    }
    struct drip sip = {.to = &b.server[0].connections[0]};
    deadline_init(&sip.timer, b.loop, sip_on, &sip);
    deadline_set_ms(&sip.timer, 20);
    pump(&b, first_has_no_backlog);
    ck_assert_int_eq(state(&b, 0), BACKEND_READY);
    deadline_clear(&sip.timer);
    bench_release(&b);
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
    X(leases_beyond_max_outbound_connections_wait_and_are_served_in_their_order)                                       \
    X(a_new_lease_does_not_overtake_one_that_waits)                                                                    \
    X(a_lease_that_waits_goes_on_when_the_connection_before_it_fails_to_open)                                          \
    X(a_lease_that_waits_goes_on_when_the_probe_before_it_fails)                                                       \
    X(a_lease_that_waits_too_long_fails_as_busy)                                                                       \
    X(a_waiting_lease_that_is_given_back_leaves_the_queue)                                                             \
    X(every_stage_has_its_deadline)                                                                                    \
    X(octets_of_a_reply_that_never_ends_do_not_prolong_its_deadline)                                                   \
    X(a_server_that_reads_slowly_is_not_cut_as_long_as_it_reads)                                                       \
    X(a_failure_wakes_its_lessee)                                                                                      \
    X(a_probe_learns_the_intersection_of_what_all_servers_offer)                                                       \
    X(the_next_server_is_not_blamed_for_the_end_of_the_one_before)
#include "support/check_main.h"
