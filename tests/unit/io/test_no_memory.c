/* SPDX-License-Identifier: MIT */
/* Memory runs out: what is being made is refused as a whole, a stream ends with ENOMEM, and nothing leaks (the leak
 * checker watches). calloc and realloc of our code are wrapped at link time. (C24) */
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
};

static void woken(void *arg)
{
    struct bench *b = arg;
    loop_stop(b->loop);
}

START_TEST(a_stream_without_memory_for_input_ends_alone)
{
    struct bench b = {.loop = loop_new()};
    struct deadline guard;
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    deadline_init(&guard, b.loop, never, NULL);
    deadline_set_ms(&guard, 20000);
    stream_init(&b.s, b.loop, fds[0], 1000, 1000, woken, &b);
    ck_assert_int_eq(write(fds[1], "EHLO x\r\n", 8), 8);
    allocations_left = 0;
    loop_run(b.loop);
    ck_assert_int_eq(b.s.error, ENOMEM);
    stream_close(&b.s);
    deadline_clear(&guard);
    close(fds[1]);
    loop_free(b.loop);
}
END_TEST

#define CASES(X) X(nothing_is_made_by_half) X(a_stream_without_memory_for_input_ends_alone)
#include "support/check_main.h"
