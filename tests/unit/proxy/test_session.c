/* SPDX-License-Identifier: MIT */
/* Whole sessions: clients on loopback, one proxy without engines, one scripted backend, all in one loop. */
#include "support/failing_memory.h"

#include "proxy/session.h"
#include "sys/clock.h"
#include "unit/proxy/scripted_server.h"
#include <check.h>
#include <poll.h>
#include <stdlib.h>

enum { CLIENTS = 3, GUARD_MS = 20000 };

struct bench;
struct client {
    struct bench *bench;
    struct stream stream;
    bool open;
};

struct bench {
    struct loop *loop;
    struct mailbox *mailbox;
    struct scripted backend;
    struct scripted front; /* only for its socket, which the proxy listens on */
    struct server_conf server;
    struct listen_conf listen;
    struct proxy_conf limits;
    struct framework framework;
    struct backend_target target;
    struct proxy_shared shared;
    struct proxy *proxy;
    struct client client[CLIENTS];
    char spool[64];
    struct deadline guard;
    bool (*until)(struct bench *b);
    const char *awaited;
    struct log log;
    char lines[65536];
    size_t line_octets;
};

static void bench_look(void *arg)
{
    struct bench *b = arg;
    if (!b->until || !b->until(b))
        return;
    b->until = NULL; /* once: looking again would take what comes after it */
    loop_stop(b->loop);
}

static void guard_expired(void *arg)
{
    const struct bench *b = arg;
    struct span in = b->client[0].open ? buf_span(&b->client[0].stream.in) : SPAN("(closed)");
    ck_abort_msg("the awaited event did not come: %s\nclient: %.*s\nbackend: %.*s\nlog:\n%s",
                 b->awaited ? b->awaited : "-", SPAN_ARG(in), SPAN_ARG(buf_span(&b->backend.seen)), b->lines);
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

static void keep_line(void *arg, enum log_level level, struct span line)
{
    struct bench *b = arg;
    (void)level;
    int n = snprintf(b->lines + b->line_octets, sizeof(b->lines) - b->line_octets, "%.*s\n", SPAN_ARG(line));
    b->line_octets += (size_t)n < sizeof(b->lines) - b->line_octets ? (size_t)n : 0;
    bench_look(b);
}

static uint64_t no_clock(void *arg)
{
    (void)arg;
    return 0;
}

static void bench_init(struct bench *b)
{
    static const uint64_t key[2] = {1, 2};
    struct errtext why;
    *b = (struct bench){.loop = loop_new(), .log = {.write = keep_line, .wallclock_ms = no_clock, .arg = b}};
    b->server = (struct server_conf){60000, 60000, 60000, 60000, 60000, 60000, 60000, 10, NULL};
    b->listen = (struct listen_conf){.enable = true,
                                     .banner = "test",
                                     .max_message_size = 1 << 20,
                                     .max_recipients = 1000,
                                     .max_errors = 20,
                                     .max_junk = 100,
                                     .client_timeout_ms = 60000,
                                     .data_timeout_ms = 60000};
    b->limits = (struct proxy_conf){100, 100, 60000};
    b->framework.scan_off = true;
    b->mailbox = mailbox_new(b->loop);
    deadline_init(&b->guard, b->loop, guard_expired, b);
    scripted_init(&b->backend, b->loop, bench_look, b);
    scripted_init(&b->front, b->loop, NULL, NULL);
    ck_assert_int_eq(listen(b->front.fd, 50), 0);
    snprintf(b->spool, sizeof(b->spool), "/tmp/postern-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(b->spool));
    b->target = (struct backend_target){b->backend.name, b->backend.addr, &b->server, "gw.example.org"};
    b->shared = (struct proxy_shared){.framework = &b->framework,
                                      .scans = scan_runtime_new(&b->framework),
                                      .conf = &b->limits,
                                      .log = &b->log,
                                      .hostname = "gw.example.org",
                                      .spool = spool_open(b->spool, 65536, &why),
                                      .iopool = iopool_new(1),
                                      .admission = admission_new(100, 100, key),
                                      .targets = &b->target,
                                      .target_count = 1,
                                      .loops = 1};
    ck_assert_ptr_nonnull(b->shared.spool);
}

static void bench_start(struct bench *b)
{
    scripted_listen(&b->backend);
    b->proxy = proxy_new(&b->shared, b->loop, b->mailbox, 0);
    ck_assert_ptr_nonnull(b->proxy);
    ck_assert_int_eq(proxy_listen(b->proxy, b->front.fd, &b->listen, "front"), ERR_OK);
}

static void client_close(struct client *c)
{
    if (c->open)
        stream_close(&c->stream);
    c->open = false;
}

static void bench_release(struct bench *b)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        client_close(&b->client[i]);
    proxy_free(b->proxy);
    iopool_free(b->shared.iopool);
    deadline_clear(&b->guard);
    scripted_release(&b->backend);
    scripted_release(&b->front);
    mailbox_free(b->mailbox);
    loop_free(b->loop);
    admission_free(b->shared.admission);
    scan_runtime_free(b->shared.scans);
    spool_close(b->shared.spool);
    char command[96];
    snprintf(command, sizeof(command), "rm -r %s", b->spool);
    ck_assert_int_eq(system(command), 0);
}

static void client_woken(void *arg)
{
    struct client *c = arg;
    bench_look(c->bench);
}

static void client_open(struct bench *b, unsigned i)
{
    struct client *c = &b->client[i];
    c->bench = b;
    ck_assert_int_eq(stream_connect(&c->stream, b->loop, &b->front.addr, NULL, 1 << 20, 1 << 20, client_woken, c),
                     ERR_OK);
    c->open = true;
}

static void client_send(struct client *c, const char *text)
{
    ck_assert_int_eq(buf_append(&c->stream.out, span_cstr(text)), ERR_OK);
    stream_flush(&c->stream);
}

/* The first client has a whole line that begins with AWAITED; what stands before it is dropped, the line too. */
static bool first_has_line(struct bench *b)
{
    struct buf *in = &b->client[0].stream.in;
    for (;;) {
        struct span bytes = buf_span(in);
        size_t end = span_find_span(bytes, SPAN("\r\n"));
        if (end == bytes.len)
            return false;
        bool found = span_starts(bytes, span_cstr(b->awaited));
        buf_consume(in, end + 2);
        if (found)
            return true;
    }
}

static void expect(struct bench *b, const char *line)
{
    b->awaited = line;
    pump(b, first_has_line);
}

static bool first_is_over(struct bench *b)
{
    return b->client[0].stream.eof || b->client[0].stream.error;
}

static bool backend_saw(struct bench *b)
{
    return scripted_saw(&b->backend, b->awaited) > 0;
}

static void expect_at_backend(struct bench *b, const char *text)
{
    b->awaited = text;
    pump(b, backend_saw);
}

static bool log_says(struct bench *b)
{
    return strstr(b->lines, b->awaited) != NULL;
}

static void expect_log(struct bench *b, const char *text)
{
    b->awaited = text;
    pump(b, log_says);
}

#define ENVELOPE "EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n"
#define MAIL     "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"
#define BODY     "Subject: x\r\n\r\nhello\r\n.\r\n"

START_TEST(a_message_in_one_segment_is_delivered_and_every_reply_comes_in_order)
{
    struct bench b;
    bench_init(&b);
    bench_start(&b);
    client_open(&b, 0);
    client_send(&b.client[0], ENVELOPE "DATA\r\n" BODY "QUIT\r\n");
    pump(&b, first_is_over);
    struct span got = buf_span(&b.client[0].stream.in);
    static const char *const order[] = {"220 ", "250 ", "250 2", "250 2", "354 ", "250 2.0.0 queued", "221 "};
    for (size_t i = 0, at = 0; i < ARRAY_SIZE(order); i++) {
        struct span rest = span_sub(got, at, got.len);
        size_t found = span_find_span(rest, span_cstr(order[i]));
        ck_assert_msg(found < rest.len, "no \"%s\" in %.*s", order[i], SPAN_ARG(rest));
        at += found + strlen(order[i]);
    }
    ck_assert_uint_eq(b.backend.messages, 1);
    ck_assert(span_eq(buf_span(&b.backend.body), SPAN("Subject: x\r\n\r\nhello\r\n")));
    bench_release(&b);
}
END_TEST

START_TEST(a_client_that_leaves_after_rcpt_leaves_no_recipients_to_the_next)
{
    struct bench b;
    bench_init(&b);
    bench_start(&b);
    client_open(&b, 0);
    client_send(&b.client[0], "EHLO c\r\nMAIL FROM:<gone@b.test>\r\nRCPT TO:<gone@d.test>\r\n");
    expect_at_backend(&b, "RCPT TO:<gone@d.test>\n");
    client_close(&b.client[0]);
    expect_at_backend(&b, "RSET\n");
    client_open(&b, 0);
    client_send(&b.client[0], "EHLO c\r\n" MAIL BODY);
    expect(&b, "250 2.0.0 queued");
    ck_assert_uint_eq(scripted_saw(&b.backend, "RCPT TO:<gone@d.test>\n2 RSET\n"), 1);
    ck_assert_uint_eq(scripted_saw(&b.backend, "RCPT TO:<c@d.test>\n2 DATA\n"), 1);
    ck_assert_uint_eq(b.backend.messages, 1);
    bench_release(&b);
}
END_TEST

START_TEST(a_client_that_leaves_inside_a_message_delivers_nothing)
{
    struct bench b;
    bench_init(&b);
    bench_start(&b);
    client_open(&b, 0);
    client_send(&b.client[0], "EHLO c\r\n" MAIL "half a mess");
    expect(&b, "354 ");
    client_close(&b.client[0]);
    expect_log(&b, "outcome=client-gone");
    expect_at_backend(&b, "RSET\n");
    ck_assert_uint_eq(scripted_saw(&b.backend, "DATA"), 0);
    bench_release(&b);
}
END_TEST

START_TEST(a_half_closed_client_still_reads_what_it_is_owed)
{
    struct bench b;
    bench_init(&b);
    bench_start(&b);
    client_open(&b, 0);
    client_send(&b.client[0], "EHLO c\r\nNOOP\r\n");
    stream_shutdown(&b.client[0].stream);
    pump(&b, first_is_over);
    struct span got = buf_span(&b.client[0].stream.in);
    ck_assert_msg(span_ends_nocase(got, SPAN("250 2.0.0 OK\r\n")), "%.*s", SPAN_ARG(got));
    bench_release(&b);
}
END_TEST

START_TEST(any_3xx_lets_the_body_go)
{
    struct bench b;
    bench_init(&b);
    b.backend.rules[0] = (struct rule){.verb = "DATA", .reply = "352 whatever\r\n"};
    bench_start(&b);
    client_open(&b, 0);
    client_send(&b.client[0], "EHLO c\r\n" MAIL BODY);
    expect(&b, "250 2.0.0 queued");
    ck_assert_uint_eq(b.backend.messages, 1);
    bench_release(&b);
}
END_TEST

START_TEST(a_reply_of_any_length_costs_one_recipient_and_not_the_session)
{
    static char refusal[7 * 8000 + 16];
    struct bench b;
    bench_init(&b);
    size_t at = 0;
    while (at < 6 * 8000)
        at += (size_t)snprintf(refusal + at, sizeof(refusal) - at, "550-\r\n");
    snprintf(refusal + at, sizeof(refusal) - at, "550 no\r\n");
    b.backend.rules[0] = (struct rule){.verb = "RCPT TO:<c@d.test>", .reply = refusal};
    bench_start(&b);
    client_open(&b, 0);
    client_send(&b.client[0], ENVELOPE "RCPT TO:<e@d.test>\r\nDATA\r\n" BODY);
    expect(&b, "550");
    expect(&b, "250 2.0.0 queued");
    bench_release(&b);
}
END_TEST

START_TEST(a_refused_sender_refuses_what_was_typed_ahead_and_the_next_mail_passes)
{
    struct bench b;
    bench_init(&b);
    b.backend.rules[0] = (struct rule){.connection = 2, .verb = "MAIL", .reply = "550 5.1.8 not you\r\n"};
    b.backend.rules[1] = (struct rule){.connection = 2, .verb = "RCPT", .reply = "503 5.5.1 MAIL first\r\n"};
    bench_start(&b);
    client_open(&b, 0);
    client_send(&b.client[0], ENVELOPE MAIL BODY);
    expect(&b, "550 5.1.8 not you");
    expect(&b, "503 ");
    expect(&b, "250 2.0.0 queued");
    ck_assert_uint_eq(b.backend.messages, 1);
    bench_release(&b);
}
END_TEST

START_TEST(an_idle_connection_that_dies_at_mail_is_replaced_unseen)
{
    struct bench b;
    bench_init(&b);
    b.backend.rules[0] = (struct rule){.verb = "MAIL", .connection = 2, .time = 2, .reply = CLOSE};
    bench_start(&b);
    client_open(&b, 0);
    client_send(&b.client[0], "EHLO c\r\n" MAIL BODY);
    expect(&b, "250 2.0.0 queued");
    client_send(&b.client[0], MAIL BODY);
    expect(&b, "250 2.0.0 queued");
    ck_assert_uint_eq(b.backend.messages, 2);
    ck_assert_uint_eq(b.backend.count, 3); /* probe, first, its replacement */
    ck_assert_ptr_null(strstr(b.lines, " reject "));
    bench_release(&b);
}
END_TEST

START_TEST(a_backend_that_dies_after_an_answer_fails_the_rest_and_the_session_lives)
{
    struct bench b;
    bench_init(&b);
    b.backend.rules[0] = (struct rule){.verb = "RCPT", .connection = 2, .reply = CLOSE};
    bench_start(&b);
    client_open(&b, 0);
    client_send(&b.client[0], ENVELOPE "RCPT TO:<e@d.test>\r\n");
    expect(&b, "451 4.4.2");
    expect(&b, "451 4.4.2");
    client_send(&b.client[0], "RSET\r\n" MAIL BODY);
    expect(&b, "250 2.0.0 queued");
    ck_assert_uint_eq(b.backend.messages, 1);
    bench_release(&b);
}
END_TEST

/* More recipients than the window takes, so that some wait while the backend stalls. */
START_TEST(a_replay_that_stalls_ends_with_451_and_delivers_nothing)
{
    char line[64];
    struct bench b;
    bench_init(&b);
    b.limits.backend_hold_ms = 10;
    b.server.command_timeout_ms = 300;
    b.backend.rules[0] = (struct rule){.verb = "RSET", .reply = CLOSE};
    b.backend.rules[1] = (struct rule){.verb = "MAIL", .connection = 3, .reply = SILENCE};
    b.backend.rules[2] = (struct rule){.verb = "RCPT", .connection = 3, .reply = SILENCE};
    bench_start(&b);
    client_open(&b, 0);
    client_send(&b.client[0], "EHLO c\r\nMAIL FROM:<a@b.test>\r\n");
    for (int i = 0; i < 150; i++) {
        snprintf(line, sizeof(line), "RCPT TO:<u%d@d.test>\r\n", i);
        client_send(&b.client[0], line);
    }
    client_send(&b.client[0], "DATA\r\n");
    expect(&b, "354 ");
    expect_at_backend(&b, "RSET\n");
    client_send(&b.client[0], BODY);
    expect(&b, "451 4.4");
    ck_assert_uint_eq(b.backend.messages, 0);
    ck_assert_uint_eq(scripted_saw(&b.backend, "DATA"), 0);
    bench_release(&b);
}
END_TEST

START_TEST(a_held_back_message_is_replayed_with_the_accepted_recipients_only)
{
    struct bench b;
    bench_init(&b);
    b.limits.backend_hold_ms = 10;
    b.backend.rules[0] = (struct rule){.verb = "RCPT TO:<no@", .reply = "550 5.1.1 no\r\n"};
    bench_start(&b);
    client_open(&b, 0);
    client_send(&b.client[0], ENVELOPE "RCPT TO:<no@d.test>\r\nRCPT TO:<e@d.test>\r\nDATA\r\n");
    expect(&b, "354 ");
    expect_at_backend(&b, "RSET\n");
    client_send(&b.client[0], BODY);
    expect(&b, "250 2.0.0 queued");
    ck_assert_uint_eq(scripted_saw(&b.backend, "RSET\n2 MAIL FROM:<a@b.test>\n2 RCPT TO:<c@d.test>\n"
                                               "2 RCPT TO:<e@d.test>\n2 DATA\n") +
                          scripted_saw(&b.backend, "3 MAIL FROM:<a@b.test>\n3 RCPT TO:<c@d.test>\n"
                                                   "3 RCPT TO:<e@d.test>\n3 DATA\n"),
                      1);
    bench_release(&b);
}
END_TEST

struct drip {
    struct client *to;
    struct deadline timer;
};
static void drip_on(void *arg)
{
    struct drip *d = arg;
    if (!d->to->open || d->to->stream.eof || d->to->stream.error)
        return;
    client_send(d->to, "x");
    deadline_set_ms(&d->timer, 20);
}

START_TEST(octets_of_a_command_that_never_ends_do_not_prolong_client_timeout)
{
    struct bench b;
    bench_init(&b);
    b.listen.client_timeout_ms = 200;
    bench_start(&b);
    client_open(&b, 0);
    client_send(&b.client[0], ENVELOPE);
    struct drip drip = {.to = &b.client[0]};
    deadline_init(&drip.timer, b.loop, drip_on, &drip);
    deadline_set_ms(&drip.timer, 20);
    expect(&b, "421 4.4.2");
    deadline_clear(&drip.timer);
    expect_at_backend(&b, "RSET\n");
    bench_release(&b);
}
END_TEST

static bool backend_has_been_left(struct bench *b)
{
    return b->backend.count == 2 && b->backend.open == 0;
}

START_TEST(a_client_that_leaves_before_a_late_greeting_gives_the_backend_back)
{
    struct bench b;
    bench_init(&b);
    b.listen.greet_after_backend = true;
    b.backend.rules[0] = (struct rule){.connection = 2, .verb = "connect", .reply = SILENCE};
    bench_start(&b);
    client_open(&b, 0);
    expect_at_backend(&b, "1 QUIT\n");
    b.awaited = "connect session";
    pump(&b, log_says);
    client_close(&b.client[0]);
    pump(&b, backend_has_been_left);
    expect_log(&b, " close session");
    bench_release(&b);
}
END_TEST

static void emptied(void *arg)
{
    struct bench *b = arg;
    snprintf(b->lines + b->line_octets, sizeof(b->lines) - b->line_octets, "EMPTY\n");
    bench_look(b);
}

START_TEST(a_drain_lets_an_open_message_finish_and_nothing_typed_ahead_begin)
{
    struct bench b;
    bench_init(&b);
    bench_start(&b);
    client_open(&b, 0);
    client_send(&b.client[0], "EHLO c\r\n" MAIL);
    expect(&b, "354 ");
    proxy_drain(b.proxy, emptied, &b);
    client_send(&b.client[0], BODY MAIL);
    expect(&b, "250 2.0.0 queued");
    expect(&b, "421 4.3.2");
    client_close(&b.client[0]);
    expect_log(&b, "EMPTY");
    ck_assert_uint_eq(b.backend.messages, 1);
    ck_assert_uint_eq(scripted_saw(&b.backend, "MAIL"), 1);
    bench_release(&b);
}
END_TEST

START_TEST(a_stop_in_any_step_leaves_nothing_behind)
{
    static const char *const typed[] = {"", "EHLO c\r\n", ENVELOPE, ENVELOPE "DATA\r\nhalf", "EHLO c\r\n" MAIL BODY};
    static const char *const silent[] = {"connect", "MAIL", "RCPT", "DATA", "."};
    for (size_t i = 0; i < ARRAY_SIZE(typed); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(silent); k++) {
            struct bench b;
            bench_init(&b);
            b.backend.rules[0] = (struct rule){.verb = silent[k], .reply = SILENCE};
            bench_start(&b);
            client_open(&b, 0);
            client_send(&b.client[0], typed[i]);
            expect(&b, i == 0 ? "220" : "250");
            bench_release(&b);
        }
    }
}
END_TEST

/* The only session reads what its client sends now, and has no memory for it. */
static void lose_input(struct bench *b)
{
    ck_assert(!list_empty(&b->proxy->sessions) && b->proxy->sessions.next == b->proxy->sessions.prev);
    struct session *s = container_of(b->proxy->sessions.next, struct session, node);
    client_send(&b->client[0], "more\r\n");
    struct pollfd arrived = {.fd = s->client.fd, .events = POLLIN};
    ck_assert_int_eq(poll(&arrived, 1, GUARD_MS), 1);
    memory_fails_at(0);
    stream_ready(&s->client, LOOP_READ);
    ck_assert(memory_failed());
}

/* Whatever the session is doing. */
START_TEST(a_client_whose_input_found_no_memory_is_told_so_and_so_is_the_log)
{
    static const struct {
        const char *typed, *awaited, *silent, *step;
        bool in_message;
    } cases[] = {
        {"EHLO c\r\n", "250", NULL, "envelope", false},
        {ENVELOPE, "250 2.0.0 fine", NULL, "envelope", false},
        {"EHLO c\r\nMAIL FROM:<a@b.test>\r\n", "250", "MAIL", "envelope", false},
        {"EHLO c\r\n" MAIL "half a mess", "354 ", NULL, "receive", true},
        {"EHLO c\r\n" MAIL BODY, "354 ", "DATA", "deliver", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct bench b;
        char closed[64];
        bench_init(&b);
        if (cases[i].silent)
            b.backend.rules[0] = (struct rule){.verb = cases[i].silent, .reply = SILENCE};
        bench_start(&b);
        client_open(&b, 0);
        client_send(&b.client[0], cases[i].typed);
        expect(&b, cases[i].awaited);
        if (cases[i].silent)
            expect_at_backend(&b, cases[i].silent);
        lose_input(&b);
        expect(&b, "421 4.3.0 Out of resources");
        pump(&b, first_is_over);
        client_close(&b.client[0]);
        snprintf(closed, sizeof(closed), "reason=\"no memory for the client's input\" step=%s", cases[i].step);
        expect_log(&b, closed);
        ck_assert_ptr_null(strstr(b.lines, "client-gone"));
        const char *message = strstr(b.lines, "message session");
        ck_assert_int_eq(message != NULL, cases[i].in_message);
        if (message) {
            ck_assert_msg(strstr(message, "outcome=deferred"), "%s", message);
            ck_assert_msg(strstr(message, "421 4.3.0 Out of resources"), "%s", message);
        }
        ck_assert_uint_eq(b.backend.messages, 0);
        bench_release(&b);
    }
}
END_TEST

START_TEST(a_message_that_was_delivered_is_answered_though_input_behind_it_is_lost)
{
    struct bench b;
    bench_init(&b);
    b.backend.rules[0] = (struct rule){.verb = ".", .reply = SILENCE};
    bench_start(&b);
    client_open(&b, 0);
    client_send(&b.client[0], "EHLO c\r\n" MAIL BODY);
    expect(&b, "354 ");
    expect_at_backend(&b, "2 .\n");
    lose_input(&b);
    struct stream *backend = &b.backend.connections[1].stream;
    ck_assert_int_eq(buf_append(&backend->out, SPAN("250 2.0.0 queued\r\n")), ERR_OK);
    stream_flush(backend);
    expect(&b, "250 2.0.0 queued");
    expect(&b, "421 4.3.0 Out of resources");
    expect_log(&b, "reason=\"no memory for the client's input\"");
    ck_assert_ptr_nonnull(strstr(b.lines, "outcome=delivered"));
    bench_release(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_message_in_one_segment_is_delivered_and_every_reply_comes_in_order)                                            \
    X(a_client_that_leaves_after_rcpt_leaves_no_recipients_to_the_next)                                                \
    X(a_client_that_leaves_inside_a_message_delivers_nothing)                                                          \
    X(a_half_closed_client_still_reads_what_it_is_owed)                                                                \
    X(any_3xx_lets_the_body_go)                                                                                        \
    X(a_reply_of_any_length_costs_one_recipient_and_not_the_session)                                                   \
    X(a_refused_sender_refuses_what_was_typed_ahead_and_the_next_mail_passes)                                          \
    X(an_idle_connection_that_dies_at_mail_is_replaced_unseen)                                                         \
    X(a_backend_that_dies_after_an_answer_fails_the_rest_and_the_session_lives)                                        \
    X(a_replay_that_stalls_ends_with_451_and_delivers_nothing)                                                         \
    X(a_held_back_message_is_replayed_with_the_accepted_recipients_only)                                               \
    X(octets_of_a_command_that_never_ends_do_not_prolong_client_timeout)                                               \
    X(a_client_that_leaves_before_a_late_greeting_gives_the_backend_back)                                              \
    X(a_drain_lets_an_open_message_finish_and_nothing_typed_ahead_begin)                                               \
    X(a_stop_in_any_step_leaves_nothing_behind)                                                                        \
    X(a_client_whose_input_found_no_memory_is_told_so_and_so_is_the_log)                                               \
    X(a_message_that_was_delivered_is_answered_though_input_behind_it_is_lost)
#include "support/check_main.h"
