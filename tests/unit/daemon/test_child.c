/* SPDX-License-Identifier: MIT */
/* A supervised process, played by forks of the test: what its end means, and what waits for it on its control socket.
 */
#include "daemon/child.h"
#include "sys/fdpass.h"
#include <check.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { POOLS = 4, LOOPS = 64 };

static struct {
    struct loop *loop;
    struct child child;
    struct log log;
    char lines[8192];
    void (*live)(void); /* what the process does; it ends by itself when this returns */
    bool refuse;        /* the start fails */
    int peer;           /* the process's end of control, as the test sees it */
    unsigned started, ended, stop_after_ends, stop_after_starts;
    struct child_end last;
    char message[16];
} t;

static void write_line(void *arg, enum log_level level, struct span line)
{
    (void)arg;
    (void)level;
    size_t len = strlen(t.lines);
    snprintf(t.lines + len, sizeof(t.lines) - len, "%.*s\n", SPAN_ARG(line));
}

static uint64_t wallclock(void *arg)
{
    (void)arg;
    return 0;
}

static enum err spawn(void *arg, int control, pid_t *pid, int *pidfd, struct errtext *why)
{
    (void)arg;
    if (t.refuse) {
        errtext_set(why, "no luck");
        if (++t.started == t.stop_after_starts)
            loop_stop(t.loop);
        return ERR_IO;
    }
    if (t.peer >= 0)
        close(t.peer);
    t.peer = dup(control);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        t.live();
        _exit(0);
    }
    *pid = child;
    *pidfd = pidfd_open(child, 0);
    ck_assert_int_ge(*pidfd, 0);
    return ERR_OK;
}

static void started(void *arg)
{
    (void)arg;
    if (++t.started == t.stop_after_starts)
        loop_stop(t.loop);
}

static bool ended(void *arg, const struct child_end *end)
{
    (void)arg;
    t.last = *end;
    if (++t.ended == t.stop_after_ends)
        loop_stop(t.loop);
    return true;
}

static void message(void *arg, struct span bytes)
{
    (void)arg;
    snprintf(t.message, sizeof(t.message), "%.*s", SPAN_ARG(bytes));
    loop_stop(t.loop);
}

static const struct child_hooks hooks = {.spawn = spawn, .started = started, .message = message, .ended = ended};

static void begin(void (*live)(void))
{
    memset(&t, 0, sizeof(t));
    t.peer = -1;
    t.live = live;
    t.log = (struct log){.write = write_line, .wallclock_ms = wallclock, .min_level = LOG_LEVEL_INFO};
    t.loop = loop_new();
    ck_assert_ptr_nonnull(t.loop);
    ck_assert_int_eq(child_init(&t.child, "edge", &hooks, NULL, t.loop, &t.log, POOLS, LOOPS), ERR_OK);
}

static void finish(void)
{
    child_release(&t.child);
    if (t.peer >= 0)
        close(t.peer);
    loop_free(t.loop);
}

static void wait_for_a_signal(void)
{
    for (;;)
        pause();
}
static void exit_with_7(void)
{
    _exit(7);
}
static void die_by_kill(void)
{
    raise(SIGKILL);
}

START_TEST(the_pause_doubles_up_to_ten_seconds)
{
    static const unsigned expected[] = {0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++)
        ck_assert_uint_eq(child_backoff_ms(i), expected[i]);
    ck_assert_uint_eq(child_backoff_ms(4000000000U), 10000);
}
END_TEST

START_TEST(a_process_that_ends_unasked_is_named_and_started_again_at_once_then_after_a_pause)
{
    begin(exit_with_7);
    t.stop_after_starts = 3;
    child_start(&t.child);
    loop_run(t.loop);
    ck_assert_uint_eq(t.ended, 2);
    ck_assert_int_eq(t.last.exit_code, 7);
    ck_assert_uint_eq(t.child.starts, 3);
    ck_assert_ptr_nonnull(strstr(t.lines, "error child-exit process=edge pid="));
    ck_assert_ptr_nonnull(strstr(t.lines, "status=\"exit status 7\""));
    finish();
}
END_TEST

START_TEST(a_process_that_is_killed_is_told_with_the_name_of_the_signal)
{
    begin(die_by_kill);
    t.stop_after_ends = 1;
    child_start(&t.child);
    loop_run(t.loop);
    ck_assert_int_eq(t.last.signal, SIGKILL);
    ck_assert_int_eq(t.last.exit_code, -1);
    ck_assert_ptr_nonnull(strstr(t.lines, "status=\"killed by SIGKILL\""));
    ck_assert(!child_is_running(&t.child));
    finish();
}
END_TEST

START_TEST(a_process_that_cannot_be_started_is_tried_again)
{
    begin(exit_with_7);
    t.refuse = true;
    t.stop_after_starts = 2;
    child_start(&t.child);
    ck_assert(!child_is_running(&t.child));
    loop_run(t.loop);
    ck_assert_ptr_nonnull(strstr(t.lines, "edge could not be started: no luck"));
    finish();
}
END_TEST

static int gate[2];

static void end_when_the_gate_opens(void)
{
    char byte;
    (void)!read(gate[0], &byte, 1);
}

/* Runs a process until it has ended with status 0, after ASK (may be NULL) was called. */
static void end_well(void (*ask)(struct child *c))
{
    begin(end_when_the_gate_opens);
    ck_assert_int_eq(pipe(gate), 0);
    t.stop_after_ends = 1;
    child_start(&t.child);
    if (ask)
        ask(&t.child);
    ck_assert_int_eq(write(gate[1], "x", 1), 1);
    loop_run(t.loop);
    ck_assert_int_eq(t.last.exit_code, 0);
    close(gate[0]);
    close(gate[1]);
}

START_TEST(an_end_that_was_asked_for_is_no_fault)
{
    static void (*const asks[])(struct child * c) = {child_send_drain, child_close_control};
    for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
        end_well(asks[i]);
        ck_assert_ptr_null(strstr(t.lines, "child-exit"));
        finish();
    }
}
END_TEST

START_TEST(an_end_that_nobody_asked_for_is_a_fault_even_with_status_0)
{
    end_well(NULL);
    ck_assert_ptr_nonnull(strstr(t.lines, "child-exit"));
    finish();
}
END_TEST

START_TEST(a_drain_is_one_datagram_without_descriptor)
{
    unsigned char m[8];
    size_t len;
    int fd;
    begin(wait_for_a_signal);
    child_start(&t.child);
    child_send_drain(&t.child);
    ck_assert_int_eq(fdpass_recv(t.peer, m, sizeof(m), &len, &fd), ERR_OK);
    ck_assert_uint_eq(len, 3);
    ck_assert_int_eq(m[0], ROLE_DRAIN);
    ck_assert_int_eq(fd, -1);
    ck_assert(!t.child.drain);
    finish();
}
END_TEST

START_TEST(a_message_of_the_process_reaches_its_owner)
{
    begin(wait_for_a_signal);
    child_start(&t.child);
    ck_assert_int_eq(fdpass_send(t.peer, SPAN("R00"), -1), ERR_OK);
    loop_run(t.loop);
    ck_assert_str_eq(t.message, "R00");
    finish();
}
END_TEST

enum { GENERATION = 0x01020304 };
/* Reads channels on the loop, slower than they were queued. */
static struct {
    struct loop_watch watch;
    bool seen[POOLS][LOOPS];
    unsigned count;
    bool drained;
} reader;

static void read_channels(void *arg, int events)
{
    unsigned char m[8];
    size_t len;
    int fd;
    (void)arg;
    (void)events;
    if (fdpass_recv(t.peer, m, sizeof(m), &len, &fd) != ERR_OK)
        return;
    if (m[0] == ROLE_DRAIN) {
        ck_assert_uint_eq(len, ROLE_HEAD);
        reader.drained = true;
        loop_stop(t.loop);
        return;
    }
    ck_assert_uint_eq(len, ROLE_HEAD_GENERATION);
    ck_assert_uint_eq(role_get_generation(m), GENERATION);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert(!reader.seen[m[1]][m[2]]);
    reader.seen[m[1]][m[2]] = true;
    reader.count++;
}

START_TEST(messages_that_the_socket_has_no_room_for_arrive_later_and_in_order)
{
    int size = 1; /* the kernel's minimum: room for a few datagrams */
    begin(wait_for_a_signal);
    child_start(&t.child);
    ck_assert_int_eq(setsockopt(t.child.control, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    for (size_t p = 0; p < POOLS; p++) {
        for (size_t l = 0; l < LOOPS; l++)
            child_send_channel(&t.child, p, l, GENERATION, dup(0));
    }
    child_send_drain(&t.child);
    ck_assert(t.child.drain); /* it waits */
    loop_watch_init(&reader.watch, t.loop, t.peer, read_channels, NULL);
    loop_watch_set(&reader.watch, LOOP_READ);
    loop_run(t.loop);
    ck_assert_uint_eq(reader.count, POOLS * LOOPS);
    ck_assert(reader.drained);
    loop_watch_stop(&reader.watch);
    finish();
}
END_TEST

START_TEST(channels_that_were_made_before_the_process_ran_are_handed_over_at_its_start)
{
    begin(wait_for_a_signal);
    child_send_channel(&t.child, 0, 1, GENERATION, dup(0));
    child_send_channel(&t.child, 0, 1, GENERATION + 1, dup(0)); /* takes the place of the first */
    child_start(&t.child);
    unsigned char m[8];
    size_t len;
    int fd;
    ck_assert_int_eq(fdpass_recv(t.peer, m, sizeof(m), &len, &fd), ERR_OK);
    ck_assert_uint_eq(m[2], 1);
    ck_assert_uint_eq(role_get_generation(m), GENERATION + 1);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(fdpass_recv(t.peer, m, sizeof(m), &len, &fd), ERR_AGAIN);
    finish();
}
END_TEST

START_TEST(an_end_that_we_brought_about_is_no_fault)
{
    begin(wait_for_a_signal);
    child_start(&t.child);
    t.stop_after_ends = 1;
    child_end(&t.child);
    loop_run(t.loop);
    ck_assert_int_eq(t.last.signal, SIGKILL);
    ck_assert_msg(strstr(t.lines, "child-exit") == NULL, "%s", t.lines);
    finish();
}
END_TEST

#define CASES(X)                                                                                                       \
    X(the_pause_doubles_up_to_ten_seconds)                                                                             \
    X(a_process_that_ends_unasked_is_named_and_started_again_at_once_then_after_a_pause)                               \
    X(a_process_that_is_killed_is_told_with_the_name_of_the_signal)                                                    \
    X(a_process_that_cannot_be_started_is_tried_again)                                                                 \
    X(an_end_that_was_asked_for_is_no_fault)                                                                           \
    X(an_end_that_nobody_asked_for_is_a_fault_even_with_status_0)                                                      \
    X(a_drain_is_one_datagram_without_descriptor)                                                                      \
    X(a_message_of_the_process_reaches_its_owner)                                                                      \
    X(messages_that_the_socket_has_no_room_for_arrive_later_and_in_order)                                              \
    X(channels_that_were_made_before_the_process_ran_are_handed_over_at_its_start)                                     \
    X(an_end_that_we_brought_about_is_no_fault)
#include "support/check_main.h"
