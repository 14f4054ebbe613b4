/* SPDX-License-Identifier: MIT */
/* Servers that are too slow, and those that are merely slow. */
#include "backend_bench.h"
#include <errno.h>

struct deadline_case {
    const char *stage;
    size_t offset; /* of the option in struct server_conf */
    struct rule rule;
    int64_t shared;       /* the option's value where an answered step before this one has the same deadline */
    bool data, body, dot; /* how far the lease goes before it waits */
};
static const struct deadline_case deadline_cases[] = {
    {.stage = "greeting",
     .offset = offsetof(struct server_conf, greeting_timeout_ms),
     .rule = {.verb = "connect", .reply = SILENCE}},
    {.stage = "EHLO",
     .offset = offsetof(struct server_conf, greeting_timeout_ms),
     .rule = {.verb = "EHLO", .reply = SILENCE},
     .shared = 500},
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
        int64_t soon = c->shared ? c->shared : 20;
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
    char some[1024];
    if (!d->to->open)
        return;
    ssize_t n = recv(d->to->stream.fd, some, sizeof(some), MSG_DONTWAIT);
    if (n > 0 || (n < 0 && errno == EAGAIN))
        deadline_set_ms(&d->timer, 60);
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
    b.conf.data_block_timeout_ms = 1000;
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
    deadline_set_ms(&sip.timer, 60);
    pump(&b, first_has_no_backlog);
    ck_assert_int_eq(state(&b, 0), BACKEND_READY);
    deadline_clear(&sip.timer);
    bench_release(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(every_stage_has_its_deadline)                                                                                    \
    X(octets_of_a_reply_that_never_ends_do_not_prolong_its_deadline)                                                   \
    X(a_server_that_reads_slowly_is_not_cut_as_long_as_it_reads)
#include "support/check_main.h"
