/* SPDX-License-Identifier: MIT */
/* Memory runs out: what is being made is refused as a whole, a stream ends with ENOMEM unless its owner forgives it,
 * and nothing leaks (the leak checker watches). calloc and realloc of our code are wrapped at link time. (C24) */
#include "support/failing_memory.h"

#include "io/deadline.h"
#include "io/iopool.h"
#include "io/listener.h"
#include "io/stream.h"
#include <check.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static void never(void *arg)
{
    (void)arg;
    ck_abort_msg("called without a reason");
}

static void never_accepted(void *arg, int fd, const struct addr *peer)
{
    (void)arg;
    ck_abort_msg("accepted %d (%p)", fd, (const void *)peer);
}

static void never_short(void *arg, int error)
{
    (void)arg;
    ck_abort_msg("shortage %d", error);
}

START_TEST(nothing_is_made_by_half)
{
    allocations_left = 0;
    ck_assert_ptr_null(loop_new());
    struct loop *l = loop_new();
    allocations_left = 0;
    ck_assert_ptr_null(mailbox_new(l));
    allocations_left = 0;
    ck_assert_ptr_null(iopool_new(2));
    allocations_left = 0;
    ck_assert_ptr_null(listener_new(l, 0, never_accepted, never_short, NULL));
    ck_assert_int_eq(allocations_left, -1); /* each of them did allocate */
    loop_free(l);
}
END_TEST

struct bench {
    struct loop *loop;
    struct stream s;
    struct deadline guard;
    int peer;
};

static void woken(void *arg)
{
    struct bench *b = arg;
    loop_stop(b->loop);
}

/* A stream and its peer, which has written something that there was no memory for. */
static void bench_starve(struct bench *b)
{
    int fds[2];
    b->loop = loop_new();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    b->peer = fds[1];
    deadline_init(&b->guard, b->loop, never, NULL);
    deadline_set_ms(&b->guard, 20000);
    stream_init(&b->s, b->loop, fds[0], 1000, 1000, woken, b);
    ck_assert_int_eq(buf_append(&b->s.out, SPAN("220 ")), ERR_OK);
    ck_assert_int_eq(write(b->peer, "EHLO x\r\n", 8), 8);
    allocations_left = 0;
    loop_run(b->loop);
    ck_assert_int_eq(b->s.error, ENOMEM);
    ck_assert(b->s.input_lost);
}

static void bench_release(struct bench *b)
{
    stream_close(&b->s);
    deadline_clear(&b->guard);
    close(b->peer);
    loop_free(b->loop);
}

START_TEST(a_stream_without_memory_for_input_ends_alone)
{
    struct bench b = {0};
    bench_starve(&b);
    bench_release(&b);
}
END_TEST

START_TEST(a_stream_that_is_forgiven_writes_all_it_had_to_say_and_reads_on)
{
    struct bench b = {0};
    char got[16];
    bench_starve(&b);
    stream_flush(&b.s);
    ck_assert_int_eq(read(b.peer, got, sizeof(got)), -1);
    stream_forgive(&b.s);
    ck_assert_int_eq(b.s.error, 0);
    ck_assert_int_eq(buf_append(&b.s.out, SPAN("421 ")), ERR_OK);
    stream_flush(&b.s);
    ck_assert_int_eq(read(b.peer, got, sizeof(got)), 8);
    ck_assert_int_eq(memcmp(got, "220 421 ", 8), 0);
    ck_assert_int_eq(write(b.peer, "QUIT\r\n", 6), 6);
    while (buf_len(&b.s.in) == 0)
        loop_run(b.loop);
    ck_assert(span_eq(buf_span(&b.s.in), SPAN("QUIT\r\n")));
    bench_release(&b);
}
END_TEST

START_TEST(a_connection_that_breaks_is_not_forgiven)
{
    struct bench b = {0};
    bench_starve(&b);
    stream_forgive(&b.s);
    close(b.peer);
    ck_assert_int_eq(buf_append(&b.s.out, SPAN("421 ")), ERR_OK);
    stream_flush(&b.s);
    int error = b.s.error;
    ck_assert_int_ne(error, 0);
    stream_forgive(&b.s);
    ck_assert_int_eq(b.s.error, error);
    bench_release(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(nothing_is_made_by_half)                                                                                         \
    X(a_stream_without_memory_for_input_ends_alone)                                                                    \
    X(a_stream_that_is_forgiven_writes_all_it_had_to_say_and_reads_on)                                                 \
    X(a_connection_that_breaks_is_not_forgiven)
#include "support/check_main.h"
