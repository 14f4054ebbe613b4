/* SPDX-License-Identifier: MIT */
/* Channels between a pool's host and the loops of the edge: who gets which, when the edge asks for one. Both processes
 * are forks that do nothing; their ends of control are the test's. */
#include "daemon/scan_pool_internal.h"
#include "support/log_lines.h"
#include "sys/fdpass.h"
#include <check.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum { LOOPS = 3, POOL = 1, POOLS = 2, GENERATION = 7 };

struct process {
    struct child child;
    int peer;
};

static struct {
    struct loop *loop;
    struct log log;
    struct framework fw;
    struct process edge, host;
    struct scan_pool_shared shared;
    struct scan_pool pool;
} t;

static enum err spawn(void *arg, int control, pid_t *pid, int *pidfd, struct errtext *why)
{
    struct process *p = arg;
    (void)why;
    p->peer = dup(control);
    *pid = fork();
    ck_assert_int_ge(*pid, 0);
    if (*pid == 0)
        for (;;)
            pause();
    *pidfd = pidfd_open(*pid, 0);
    ck_assert_int_ge(*pidfd, 0);
    return ERR_OK;
}

static void started(void *arg)
{
    (void)arg;
}

static bool ended(void *arg, const struct child_end *end)
{
    (void)arg, (void)end;
    return false;
}

static const struct child_hooks hooks = {.spawn = spawn, .started = started, .ended = ended};

static void begin(void)
{
    memset(&t, 0, sizeof(t));
    t.loop = loop_new();
    ck_assert_ptr_nonnull(t.loop);
    t.log = log_lines_begin();
    t.fw.pool_count = POOLS;
    t.fw.pools[POOL].name = "CPU";
    t.edge.peer = t.host.peer = -1;
    struct scan_host *h = &t.pool.hosts[0];
    ck_assert_int_eq(child_init(&t.edge.child, "edge", &hooks, &t.edge, t.loop, &t.log, POOLS, LOOPS), ERR_OK);
    ck_assert_int_eq(child_init(&h->child, "scan CPU", &hooks, &t.host, t.loop, &t.log, POOLS, LOOPS), ERR_OK);
    t.shared = (struct scan_pool_shared){
        .framework = &t.fw, .edge = &t.edge.child, .loop = t.loop, .log = &t.log, .loops = LOOPS};
    t.pool.shared = &t.shared;
    t.pool.conf = &t.fw.pools[POOL];
    t.pool.index = POOL;
    t.pool.serving = h;
    h->pool = &t.pool;
    h->generation = GENERATION;
    h->phase = HOST_SERVING;
    snprintf(h->name, sizeof(h->name), "scan CPU");
}

static void finish(void)
{
    child_release(&t.edge.child);
    child_release(&t.pool.hosts[0].child);
    if (t.edge.peer >= 0)
        close(t.edge.peer);
    if (t.host.peer >= 0)
        close(t.host.peer);
    loop_free(t.loop);
}

/* The next message to a process: a channel for LOOP; its end. */
static int channel(const struct process *p, unsigned loop)
{
    unsigned char m[ROLE_MESSAGE_MAX];
    size_t len;
    int fd;
    ck_assert_int_eq(fdpass_recv(p->peer, m, sizeof(m), &len, &fd), ERR_OK);
    ck_assert_uint_eq(len, ROLE_HEAD_GENERATION);
    ck_assert_int_eq(m[0], ROLE_CHANNEL);
    ck_assert_uint_eq(m[1], POOL);
    ck_assert_uint_eq(m[2], loop);
    ck_assert_uint_eq(role_get_generation(m), GENERATION);
    ck_assert_int_ge(fd, 0);
    return fd;
}

/* LOOP's two ends are those of one channel. */
static void expect_channel(unsigned loop)
{
    unsigned char byte;
    size_t len;
    int at_edge = channel(&t.edge, loop), at_host = channel(&t.host, loop), fd;
    ck_assert_int_eq(fdpass_send(at_edge, SPAN("x"), -1), ERR_OK);
    ck_assert_int_eq(fdpass_recv(at_host, &byte, 1, &len, &fd), ERR_OK);
    close(at_edge);
    close(at_host);
}

static void expect_nothing(const struct process *p)
{
    unsigned char m[ROLE_MESSAGE_MAX];
    size_t len;
    int fd;
    ck_assert_int_eq(fdpass_recv(p->peer, m, sizeof(m), &len, &fd), ERR_AGAIN);
}

static void start_both(void)
{
    child_start(&t.edge.child);
    child_start(&t.pool.hosts[0].child);
}

static void connect_all(void)
{
    scan_pool_connect(&t.pool);
    for (unsigned i = 0; i < LOOPS; i++)
        expect_channel(i);
}

/* C24 */
START_TEST(a_loop_that_lost_its_channel_gets_another_one_to_the_host_that_serves_and_the_others_keep_theirs)
{
    begin();
    start_both();
    connect_all();
    for (unsigned i = 0; i < 2; i++) { /* as often as it asks */
        scan_pool_connect_loop(&t.pool, 1);
        expect_channel(1);
        expect_nothing(&t.edge);
        expect_nothing(&t.host);
    }
    ck_assert_msg(strstr(log_lines, " channel reason=\"scan CPU: a thread of the edge (number 1) had lost its channel"),
                  "%s", log_lines);
    finish();
}
END_TEST

START_TEST(a_loop_that_the_edge_does_not_have_gets_none)
{
    begin();
    start_both();
    connect_all();
    scan_pool_connect_loop(&t.pool, LOOPS);
    expect_nothing(&t.edge);
    expect_nothing(&t.host);
    finish();
}
END_TEST

START_TEST(a_host_that_is_not_there_gives_channels_when_it_is_started_and_not_before)
{
    begin();
    child_start(&t.edge.child);
    scan_pool_connect_loop(&t.pool, 1);
    expect_nothing(&t.edge);
    child_start(&t.pool.hosts[0].child);
    scan_pool_connect_loop(&t.pool, 1); /* it runs, and is about to be connected */
    expect_nothing(&t.edge);
    expect_nothing(&t.host);
    connect_all();
    finish();
}
END_TEST

/* stop_first: messages wait in the channels. */
START_TEST(a_loop_gets_its_end_of_a_channel_to_a_host_that_waits_for_its_start)
{
    begin();
    t.pool.serving->phase = HOST_WAITING;
    child_start(&t.edge.child);
    scan_pool_connect(&t.pool);
    for (unsigned i = 0; i < LOOPS; i++)
        close(channel(&t.edge, i)); /* all get lost */
    scan_pool_connect_loop(&t.pool, 2);
    int at_edge = channel(&t.edge, 2), at_host, fd;
    unsigned char byte;
    size_t len;
    child_start(&t.pool.hosts[0].child);
    for (unsigned i = 0; i < 2; i++)
        close(channel(&t.host, i));
    at_host = channel(&t.host, 2); /* the newer one in the place of the older */
    ck_assert_int_eq(fdpass_send(at_edge, SPAN("x"), -1), ERR_OK);
    ck_assert_int_eq(fdpass_recv(at_host, &byte, 1, &len, &fd), ERR_OK);
    expect_nothing(&t.host);
    close(at_edge);
    close(at_host);
    finish();
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_loop_that_lost_its_channel_gets_another_one_to_the_host_that_serves_and_the_others_keep_theirs)                \
    X(a_loop_that_the_edge_does_not_have_gets_none)                                                                    \
    X(a_host_that_is_not_there_gives_channels_when_it_is_started_and_not_before)                                       \
    X(a_loop_gets_its_end_of_a_channel_to_a_host_that_waits_for_its_start)
#include "support/check_main.h"
