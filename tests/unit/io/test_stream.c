/* SPDX-License-Identifier: MIT */
/* Streams: first over the in-memory twin, where every operation can be short or refused, then over real sockets. The
 * owner is an echo, so that both directions, both limits and the end of both are used. */
#include "io/deadline.h"
#include "io/listener.h"
#include "io/stream.h"
#include "support/memory_transport.h"
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GUARD_MS = 20000 };

struct bench {
    struct loop *loop;
    struct deadline guard;
    struct stream s;
    struct memory_transport peer;
    int fds[2]; /* [0] is the stream's, [1] the test's */
    unsigned wakes;
    bool inside; /* a stream_* call is running */
    bool finished;
};

static void hung(void *arg)
{
    (void)arg;
    ck_abort_msg("no wake came");
}

static void setup(struct bench *b)
{
    *b = (struct bench){.loop = loop_new(), .fds = {-1, -1}};
    deadline_init(&b->guard, b->loop, hung, b);
    deadline_set_ms(&b->guard, GUARD_MS);
}

static void teardown(struct bench *b)
{
    stream_close(&b->s);
    stream_close(&b->s); /* harmless twice */
    ck_assert_ptr_null(b->s.in.data);
    ck_assert_ptr_null(b->s.out.data);
    if (b->peer.loop)
        memory_transport_release(&b->peer);
    if (b->fds[1] >= 0)
        close(b->fds[1]);
    deadline_clear(&b->guard);
    loop_free(b->loop);
}

/* Counts and stops. */
static void woken(void *arg)
{
    struct bench *b = arg;
    ck_assert_msg(!b->inside, "woken from inside a call");
    b->wakes++;
    loop_stop(b->loop);
}

static void wait_wake(struct bench *b)
{
    unsigned before = b->wakes;
    while (b->wakes == before)
        loop_run(b->loop);
}

static void end_turn(void *arg)
{
    struct bench *b = arg;
    loop_stop(b->loop);
}

/* Lets the loop look at what is ready now. */
static void turn(struct bench *b)
{
    struct loop_deferred end;
    loop_deferred_init(&end, end_turn, b);
    for (int i = 0; i < 3; i++) {
        loop_defer(b->loop, &end);
        loop_run(b->loop);
    }
}

static void say(struct bench *b, struct span bytes)
{
    ck_assert_int_eq(buf_append(&b->s.out, bytes), ERR_OK);
    b->inside = true;
    stream_flush(&b->s);
    b->inside = false;
}

static void echo(void *arg)
{
    struct bench *b = arg;
    struct stream *s = &b->s;
    ck_assert(!b->inside);
    b->inside = true;
    ck_assert_int_eq(s->error, 0);
    struct span got = buf_span(&s->in);
    size_t n = got.len < stream_room(s) ? got.len : stream_room(s);
    ck_assert_int_eq(buf_append(&s->out, span_sub(got, 0, n)), ERR_OK);
    buf_consume(&s->in, n);
    stream_flush(s);
    stream_resume(s);
    if (s->eof && buf_len(&s->in) == 0) {
        stream_shutdown(s);
        b->finished = buf_len(&s->out) == 0;
        if (b->finished)
            loop_stop(b->loop);
    }
    b->inside = false;
}

static char byte_at(size_t i)
{
    return (char)((i * 2654435761U) >> 11);
}

START_TEST(an_echo_over_the_twin_returns_every_byte_however_awkward_the_transport)
{
    static const size_t limits[] = {1, 7, 64, 0}, sizes[] = {0, 1, 63, 64, 65, 700};
    static const size_t buffers[] = {1, 64, 100000};
    static char bytes[700];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = byte_at(i);
    for (size_t k = 0; k < ARRAY_SIZE(limits) * ARRAY_SIZE(sizes) * ARRAY_SIZE(buffers) * 2; k++) {
        struct bench b;
        setup(&b);
        size_t size = sizes[k / 2 % ARRAY_SIZE(sizes)];
        size_t buffer = buffers[k / 2 / ARRAY_SIZE(sizes) % ARRAY_SIZE(buffers)];
        memory_transport_init(&b.peer, b.loop, 10000);
        b.peer.limit = limits[k / 2 / ARRAY_SIZE(sizes) / ARRAY_SIZE(buffers)];
        b.peer.stutter = k % 2;
        memory_transport_open(&b.peer, &b.s, buffer, buffer, echo, &b);
        memory_transport_send(&b.peer, span_of(bytes, size));
        memory_transport_finish(&b.peer);
        loop_run(b.loop);
        ck_assert(b.finished);
        ck_assert(b.peer.shut);
        ck_assert_uint_eq(buf_len(&b.peer.outgoing), size);
        if (size)
            ck_assert_mem_eq(buf_span(&b.peer.outgoing).ptr, bytes, size);
        ck_assert_uint_eq(b.s.bytes_in, size);
        ck_assert_uint_eq(b.s.bytes_out, size);
        teardown(&b);
        ck_assert(b.peer.closed);
    }
}
END_TEST

static void setup_twin(struct bench *b, size_t max, size_t window)
{
    setup(b);
    memory_transport_init(&b->peer, b->loop, window);
    memory_transport_open(&b->peer, &b->s, max, max, woken, b);
}

START_TEST(reading_stops_while_the_input_is_full_and_goes_on_after_resume)
{
    struct bench b;
    setup_twin(&b, 4, 100);
    memory_transport_send(&b.peer, SPAN("abcdefgh"));
    wait_wake(&b);
    ck_assert(span_eq(buf_span(&b.s.in), SPAN("abcd")));
    turn(&b);
    ck_assert_uint_eq(b.wakes, 1);
    buf_consume(&b.s.in, 1);
    stream_resume(&b.s);
    wait_wake(&b);
    ck_assert(span_eq(buf_span(&b.s.in), SPAN("bcde")));
    teardown(&b);
}
END_TEST

START_TEST(a_paused_stream_reads_nothing_until_it_is_resumed)
{
    struct bench b;
    setup_twin(&b, 100, 100);
    stream_pause(&b.s, true);
    memory_transport_send(&b.peer, SPAN("x"));
    turn(&b);
    ck_assert_uint_eq(b.wakes, 0);
    ck_assert_uint_eq(b.peer.reads, 0);
    stream_pause(&b.s, false);
    wait_wake(&b);
    ck_assert(span_eq(buf_span(&b.s.in), SPAN("x")));
    teardown(&b);
}
END_TEST

START_TEST(several_changes_of_one_turn_are_one_wake)
{
    struct bench b;
    setup_twin(&b, 100, 100);
    memory_transport_send(&b.peer, SPAN("x"));
    memory_transport_finish(&b.peer);
    say(&b, SPAN("one"));
    say(&b, SPAN("two"));
    wait_wake(&b);
    unsigned wakes = b.wakes;
    ck_assert_uint_le(wakes, 2); /* the output's and the input's turn may differ by one */
    turn(&b);
    ck_assert(b.s.eof);
    ck_assert_uint_le(b.wakes, 2);
    teardown(&b);
}
END_TEST

START_TEST(one_flush_is_one_write)
{
    struct bench b;
    setup_twin(&b, 1000, 1000);
    ck_assert_int_eq(buf_append(&b.s.out, SPAN("250-one\r\n")), ERR_OK);
    ck_assert_int_eq(buf_append(&b.s.out, SPAN("250 two\r\n")), ERR_OK);
    stream_flush(&b.s);
    ck_assert_uint_eq(b.peer.writes, 1);
    ck_assert(span_eq(buf_span(&b.peer.outgoing), SPAN("250-one\r\n250 two\r\n")));
    stream_flush(&b.s); /* nothing to say: no call */
    ck_assert_uint_eq(b.peer.writes, 1);
    teardown(&b);
}
END_TEST

START_TEST(the_owner_is_woken_when_output_falls_below_half_and_when_it_is_empty)
{
    struct bench b;
    setup_twin(&b, 100, 10);
    /* given 100 bytes of output, and a peer that has taken 10 */
    say(&b,
        SPAN("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"));
    ck_assert_uint_eq(stream_room(&b.s), 10);
    while (buf_len(&b.s.out) > 60) { /* when it takes more, down to 60 */
        memory_transport_consume(&b.peer, 10);
        turn(&b);
        ck_assert_uint_eq(b.wakes, buf_len(&b.s.out) <= 50);
    }
    memory_transport_consume(&b.peer, 10);
    wait_wake(&b);
    ck_assert_uint_eq(buf_len(&b.s.out), 50);
    while (buf_len(&b.s.out) > 0) {
        ck_assert_uint_eq(b.wakes, 1);
        memory_transport_consume(&b.peer, 10);
        turn(&b);
    }
    ck_assert_uint_eq(b.wakes, 2);
    teardown(&b);
}
END_TEST

START_TEST(an_idle_stream_holds_no_buffer_memory)
{
    struct bench b;
    setup_twin(&b, 100000, 100000);
    memory_transport_send(&b.peer, SPAN("NOOP\r\n"));
    wait_wake(&b);
    ck_assert_ptr_nonnull(b.s.in.data);
    buf_consume(&b.s.in, buf_len(&b.s.in));
    say(&b, SPAN("250 2.0.0 OK\r\n"));
    stream_resume(&b.s);
    turn(&b);
    ck_assert_ptr_null(b.s.in.data);
    ck_assert_ptr_null(b.s.out.data);
    teardown(&b);
}
END_TEST

START_TEST(shutdown_waits_for_the_output)
{
    struct bench b;
    setup_twin(&b, 100, 4);
    say(&b, SPAN("221 bye\r\n"));
    stream_shutdown(&b.s);
    while (buf_len(&b.s.out) > 0) {
        ck_assert(!b.peer.shut);
        memory_transport_consume(&b.peer, buf_len(&b.peer.outgoing));
        turn(&b);
    }
    ck_assert(b.peer.shut);
    teardown(&b);
}
END_TEST

START_TEST(an_error_of_either_direction_ends_the_stream_with_its_errno)
{
    for (int write = 0; write < 2; write++) {
        struct bench b;
        setup_twin(&b, 100, 100);
        *(write ? &b.peer.write_error : &b.peer.read_error) = write ? ECONNRESET : ETIMEDOUT;
        memory_transport_send(&b.peer, SPAN("421 last words\r\n"));
        if (write)
            say(&b, SPAN("DATA\r\n"));
        while (!b.s.error)
            wait_wake(&b);
        ck_assert_int_eq(b.s.error, write ? ECONNRESET : ETIMEDOUT);
        /* and what the peer said before is there */
        ck_assert(span_eq(buf_span(&b.s.in), SPAN("421 last words\r\n")));
        ck_assert(stream_peer_gone(&b.s));
        turn(&b); /* a wake that was still owed */
        unsigned wakes = b.wakes;
        say(&b, SPAN("QUIT\r\n")); /* goes nowhere, harms nothing */
        turn(&b);
        ck_assert_uint_eq(b.wakes, wakes);
        teardown(&b);
    }
}
END_TEST

START_TEST(no_wake_comes_after_close)
{
    struct bench b;
    setup_twin(&b, 100, 100);
    memory_transport_send(&b.peer, SPAN("x"));
    say(&b, SPAN("y")); /* a wake is owed */
    stream_close(&b.s);
    turn(&b);
    ck_assert_uint_eq(b.wakes, 0);
    ck_assert(stream_peer_gone(&b.s));
    stream_flush(&b.s);
    stream_resume(&b.s);
    stream_shutdown(&b.s);
    teardown(&b);
}
END_TEST

/* --- sockets --- */

static void setup_pair(struct bench *b, size_t max, void (*wake)(void *))
{
    setup(b);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, b->fds), 0);
    stream_init(&b->s, b->loop, b->fds[0], max, max, wake, b);
}

/* A listening socket on a free loopback port. */
static int open_listener(struct addr *a)
{
    struct errtext why;
    ck_assert_int_eq(addr_parse(SPAN("127.0.0.1:1"), 0, a, &why), ERR_OK);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memcpy(&a->storage, &any, sizeof(any));
    int fd = listener_open(a, 10, &why);
    ck_assert_msg(fd >= 0, "%s", why.text);
    a->len = sizeof(a->storage);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)(void *)&a->storage, &a->len), 0);
    return fd;
}

/* A connected TCP pair. */
static void setup_tcp(struct bench *b, size_t max)
{
    struct addr a;
    setup(b);
    int listener = open_listener(&a);
    ck_assert_int_eq(stream_connect(&b->s, b->loop, &a, NULL, max, max, woken, b), ERR_OK);
    ck_assert(b->s.connecting);
    wait_wake(b);
    ck_assert(!b->s.connecting);
    ck_assert_int_eq(b->s.error, 0);
    b->fds[0] = b->s.fd;
    while ((b->fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
        ck_assert_int_eq(errno, EAGAIN);
    close(listener);
}

struct far_end {
    struct bench *bench;
    struct loop_watch watch;
    size_t sent, received, size;
};

static void far_end_ready(void *arg, int events)
{
    struct far_end *f = arg;
    char bytes[30000];
    if (events & LOOP_WRITE) {
        size_t n = f->size - f->sent < sizeof(bytes) ? f->size - f->sent : sizeof(bytes);
        for (size_t i = 0; i < n; i++)
            bytes[i] = byte_at(f->sent + i);
        ssize_t sent = write(f->bench->fds[1], bytes, n);
        f->sent += sent > 0 ? (size_t)sent : 0;
        if (f->sent == f->size) {
            shutdown(f->bench->fds[1], SHUT_WR);
            loop_watch_set(&f->watch, LOOP_READ);
        }
    }
    if (events & LOOP_READ) {
        ssize_t got = read(f->bench->fds[1], bytes, 10000);
        bool same = true; /* one assertion for many bytes: each costs a system call */
        for (ssize_t i = 0; i < got; i++)
            same = same && bytes[i] == byte_at(f->received + (size_t)i);
        ck_assert(same);
        f->received += got > 0 ? (size_t)got : 0;
        if (got == 0) /* the FIN of stream_shutdown */
            loop_stop(f->bench->loop);
    }
}

static void echo_without_stop(void *arg)
{
    struct bench *b = arg;
    if (!b->finished)
        echo(b);
}

START_TEST(an_echo_over_a_socket_returns_every_byte_and_then_its_fin)
{
    struct bench b;
    setup_pair(&b, 65536, echo_without_stop);
    struct far_end f = {.bench = &b, .size = 3000001};
    loop_watch_init(&f.watch, b.loop, b.fds[1], far_end_ready, &f);
    loop_watch_set(&f.watch, LOOP_READ | LOOP_WRITE);
    while (f.received < f.size || !b.finished)
        loop_run(b.loop);
    ck_assert_uint_eq(f.received, f.size);
    loop_watch_stop(&f.watch);
    teardown(&b);
}
END_TEST

START_TEST(a_connection_has_nodelay_and_keepalive_and_carries_bytes)
{
    struct bench b;
    char text[8] = "";
    setup_tcp(&b, 1000);
    int on = 0;
    socklen_t len = sizeof(on);
    ck_assert_int_eq(getsockopt(b.s.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    ck_assert_int_ne(on, 0);
    on = 0;
    ck_assert_int_eq(getsockopt(b.s.fd, SOL_SOCKET, SO_KEEPALIVE, &on, &len), 0);
    ck_assert_int_ne(on, 0);
    say(&b, SPAN("EHLO x"));
    ck_assert_int_eq(read(b.fds[1], text, sizeof(text)), 6);
    ck_assert_str_eq(text, "EHLO x");
    teardown(&b);
}
END_TEST

START_TEST(what_is_flushed_while_connecting_goes_when_connected)
{
    struct bench b;
    struct addr a;
    char text[8] = "";
    setup(&b);
    int listener = open_listener(&a);
    ck_assert_int_eq(stream_connect(&b.s, b.loop, &a, &a, 100, 100, woken, &b), ERR_IO); /* its own port is taken */
    ck_assert_int_eq(errno, EADDRINUSE);
    stream_close(&b.s); /* harmless */
    struct addr source;
    struct errtext why;
    ck_assert_int_eq(addr_parse(SPAN("127.0.0.1:1"), 0, &source, &why), ERR_OK);
    struct sockaddr_in from = {.sin_family = AF_INET};
    ck_assert_int_eq(inet_pton(AF_INET, "127.0.0.77", &from.sin_addr), 1);
    memcpy(&source.storage, &from, sizeof(from));
    ck_assert_int_eq(stream_connect(&b.s, b.loop, &a, &source, 100, 100, woken, &b), ERR_OK);
    ck_assert(!stream_peer_gone(&b.s));
    say(&b, SPAN("early"));
    stream_shutdown(&b.s);
    wait_wake(&b);
    struct addr peer = {.len = sizeof(peer.storage)};
    char host[ADDR_TEXT];
    b.fds[1] = accept4(listener, (struct sockaddr *)(void *)&peer.storage, &peer.len, SOCK_CLOEXEC);
    ck_assert_int_ge(b.fds[1], 0);
    ck_assert_str_eq(addr_format_host(&peer, host), "127.0.0.77");
    ck_assert_int_eq(read(b.fds[1], text, sizeof(text)), 5);
    ck_assert_str_eq(text, "early");
    ck_assert_int_eq(read(b.fds[1], text, sizeof(text)), 0);
    close(listener);
    teardown(&b);
}
END_TEST

START_TEST(a_refused_connection_says_so)
{
    struct bench b;
    struct addr a;
    setup(&b);
    close(open_listener(&a)); /* a port where nobody listens */
    enum err e = stream_connect(&b.s, b.loop, &a, NULL, 100, 100, woken, &b);
    int error = errno;
    if (e == ERR_OK) {
        wait_wake(&b);
        error = b.s.error;
        ck_assert(!b.s.connecting);
    }
    ck_assert_int_eq(error, ECONNREFUSED);
    teardown(&b);
}
END_TEST

START_TEST(a_peer_that_left_is_seen_without_reading)
{
    for (int reset = 0; reset < 2; reset++) {
        struct bench b;
        setup_tcp(&b, 1000);
        stream_pause(&b.s, true);
        ck_assert(!stream_peer_gone(&b.s));
        ck_assert_int_eq(write(b.fds[1], "unread", 6), 6);
        turn(&b);
        ck_assert(!stream_peer_gone(&b.s));
        struct linger hard = {.l_onoff = 1};
        if (reset)
            ck_assert_int_eq(setsockopt(b.fds[1], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
        close(b.fds[1]);
        b.fds[1] = -1;
        turn(&b);
        ck_assert(stream_peer_gone(&b.s));
        ck_assert_uint_eq(b.s.bytes_in, 0);
        teardown(&b);
    }
}
END_TEST

START_TEST(the_last_words_of_a_closed_backend_are_read_though_our_write_failed)
{
    struct bench b;
    setup_tcp(&b, 1000);
    stream_pause(&b.s, true);
    ck_assert_int_eq(write(b.fds[1], "421 bye\r\n", 9), 9);
    close(b.fds[1]);
    b.fds[1] = -1;
    stream_pause(&b.s, false);
    say(&b, SPAN("MAIL FROM:<>\r\n")); /* the peer answers with RST; no SIGPIPE comes of it */
    while (!b.s.eof && !b.s.error)
        wait_wake(&b);
    say(&b, SPAN("RCPT TO:<x@y.test>\r\n"));
    turn(&b);
    ck_assert(span_eq(buf_span(&b.s.in), SPAN("421 bye\r\n")));
    teardown(&b);
}
END_TEST

/* The kernel lets a held segment go after 200 ms, and a busy machine can be slower than that between two lines: one
 * attempt of many is enough, since without holding back none would succeed. */
START_TEST(more_to_come_holds_a_half_full_segment_back_until_the_rest)
{
    bool held = false;
    for (unsigned attempt = 0; attempt < 100 && !held; attempt++) {
        struct bench b;
        int arrived = -1;
        char bytes[16];
        setup_tcp(&b, 1000);
        b.s.more = true;
        say(&b, SPAN("octets\r\n"));
        ck_assert_int_eq(ioctl(b.fds[1], FIONREAD, &arrived), 0);
        held = arrived == 0;
        b.s.more = false;
        say(&b, SPAN(".\r\n"));
        ck_assert_int_eq(recv(b.fds[1], bytes, 11, MSG_WAITALL), 11);
        ck_assert(span_eq(span_of(bytes, 11), SPAN("octets\r\n.\r\n")));
        teardown(&b);
    }
    ck_assert(held);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(an_echo_over_the_twin_returns_every_byte_however_awkward_the_transport)                                          \
    X(reading_stops_while_the_input_is_full_and_goes_on_after_resume)                                                  \
    X(a_paused_stream_reads_nothing_until_it_is_resumed)                                                               \
    X(several_changes_of_one_turn_are_one_wake)                                                                        \
    X(one_flush_is_one_write)                                                                                          \
    X(the_owner_is_woken_when_output_falls_below_half_and_when_it_is_empty)                                            \
    X(an_idle_stream_holds_no_buffer_memory)                                                                           \
    X(shutdown_waits_for_the_output)                                                                                   \
    X(an_error_of_either_direction_ends_the_stream_with_its_errno)                                                     \
    X(no_wake_comes_after_close)                                                                                       \
    X(an_echo_over_a_socket_returns_every_byte_and_then_its_fin)                                                       \
    X(a_connection_has_nodelay_and_keepalive_and_carries_bytes)                                                        \
    X(what_is_flushed_while_connecting_goes_when_connected)                                                            \
    X(a_refused_connection_says_so)                                                                                    \
    X(a_peer_that_left_is_seen_without_reading)                                                                        \
    X(the_last_words_of_a_closed_backend_are_read_though_our_write_failed)                                             \
    X(more_to_come_holds_a_half_full_segment_back_until_the_rest)
#include "support/check_main.h"
