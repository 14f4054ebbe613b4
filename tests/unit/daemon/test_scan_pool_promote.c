/* SPDX-License-Identifier: MIT */
/* The host of a pool dies while its successor loads: the successor serves, and has its time limit still. Its processes
 * are children of this file that do nothing. What hosts do with all this is tests/e2e/test_reload.py. */
#include "daemon/scan_pool.h"
#include <check.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { GUARD_MS = 20000 };

struct bench {
    struct loop *loop;
    struct framework fw;
    struct engine_conf engine;
    struct startup startup;
    struct tempdir temp;
    struct child edge; /* never runs: there is nobody to connect with */
    struct log log;
    struct buf lines;
    struct scan_pool_shared shared;
    struct scan_pool pool;
    struct child_hooks hooks;
    const struct child_hooks *real;
    struct deadline guard;
    bool (*until)(struct bench *b);
};

static struct bench bench;

static enum err start_nothing(void *arg, int control, pid_t *pid, int *pidfd, struct errtext *why)
{
    (void)arg, (void)control, (void)why;
    *pid = fork();
    ck_assert_int_ge(*pid, 0);
    if (*pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    *pidfd = pidfd_open(*pid, 0);
    ck_assert_int_ge(*pidfd, 0);
    return ERR_OK;
}

static void note_line(void *arg, enum log_level level, struct span line)
{
    (void)level;
    ck_assert_int_eq(buf_append(arg, line), ERR_OK);
}

static uint64_t no_clock(void *arg)
{
    (void)arg;
    return 0;
}

static void look(struct bench *b)
{
    if (b->until && b->until(b))
        loop_stop(b->loop);
}

static void started(void *arg)
{
    bench.real->started(arg);
    look(&bench);
}

static bool ended(void *arg, const struct child_end *end)
{
    bool again = bench.real->ended(arg, end);
    look(&bench);
    return again;
}

static void nobody_gone(void *arg)
{
    (void)arg;
}

static void guard_expired(void *arg)
{
    (void)arg;
    ck_abort_msg("the awaited event did not come");
}

static void wait_for(struct bench *b, bool (*until)(struct bench *b))
{
    if (until(b))
        return;
    b->until = until;
    deadline_set_ms(&b->guard, GUARD_MS);
    loop_run(b->loop);
    deadline_clear(&b->guard);
    b->until = NULL;
}

/* What a host says when it has loaded. */
static void say_loaded(struct bench *b, struct scan_host *h)
{
    const char message[ROLE_HEAD] = {(char)ROLE_LOADED};
    b->hooks.message(h, span_of(message, sizeof(message)));
}

/* A pool whose first host serves. */
static struct bench *bench_open(void)
{
    struct bench *b = &bench;
    struct errtext why = {""};
    memset(b, 0, sizeof(*b));
    b->loop = loop_new();
    ck_assert_ptr_nonnull(b->loop);
    deadline_init(&b->guard, b->loop, guard_expired, b);
    b->engine = (struct engine_conf){.database = "/somewhere"};
    b->fw.engine_count = b->fw.pool_count = 1;
    b->fw.engines[0] =
        (struct framework_engine){.name = "a", .type = "clamav", .pool = "CPU", .built = true, .conf = &b->engine};
    b->fw.pools[0] = (struct framework_pool){.name = "CPU", .conf.concurrency = 1};
    buf_init(&b->lines, 1 << 16);
    b->log = (struct log){.write = note_line, .wallclock_ms = no_clock, .arg = &b->lines, .min_level = LOG_LEVEL_DEBUG};
    ck_assert_msg(tempdir_make(&b->temp, NULL, &why) == ERR_OK, "%s", why.text);
    b->shared = (struct scan_pool_shared){.startup = &b->startup,
                                          .framework = &b->fw,
                                          .temp = &b->temp,
                                          .edge = &b->edge,
                                          .loop = b->loop,
                                          .log = &b->log,
                                          .loops = 1,
                                          .host_gone = nobody_gone};
    ck_assert_msg(scan_pool_init(&b->pool, &b->shared, 0, &why) == ERR_OK, "%s", why.text);
    b->real = b->pool.hosts[0].child.hooks;
    b->hooks = *b->real;
    b->hooks.spawn = start_nothing;
    b->hooks.started = started;
    b->hooks.ended = ended;
    for (size_t i = 0; i < ARRAY_SIZE(b->pool.hosts); i++)
        b->pool.hosts[i].child.hooks = &b->hooks;
    scan_pool_start(&b->pool);
    say_loaded(b, &b->pool.hosts[0]);
    ck_assert(b->pool.serving == &b->pool.hosts[0] && b->pool.serving->loaded);
    return b;
}

static void bench_close(struct bench *b)
{
    scan_pool_release(&b->pool);
    tempdir_remove(&b->temp);
    buf_release(&b->lines);
    loop_free(b->loop);
}

static bool second_serves(struct bench *b)
{
    return b->pool.serving == &b->pool.hosts[1] && b->pool.hosts[0].phase == HOST_OFF;
}

/* A reload begins, and the one that serves dies before the other has loaded. */
static void promote_second(struct bench *b)
{
    scan_pool_reload(&b->pool, TRIGGER_COMMAND);
    ck_assert_int_eq(b->pool.hosts[1].phase, HOST_COMING);
    ck_assert(deadline_is_set(&b->pool.limit));
    child_kill(&b->pool.hosts[0].child);
    wait_for(b, second_serves);
    ck_assert(!b->pool.serving->loaded);
}

static bool second_was_started_again(struct bench *b)
{
    return b->pool.hosts[1].child.starts == 2 && child_is_running(&b->pool.hosts[1].child);
}

START_TEST(a_promoted_host_that_does_not_load_in_time_is_killed_and_started_again)
{
    struct bench *b = bench_open();
    promote_second(b);
    ck_assert(deadline_is_set(&b->pool.limit));
    b->pool.limit.expired(b->pool.limit.arg); /* a quarter of an hour later */
    wait_for(b, second_was_started_again);
    ck_assert(b->pool.serving == &b->pool.hosts[1]);
    struct span lines = buf_span(&b->lines);
    ck_assert_uint_lt(span_find_span(lines, SPAN("scan CPU: its signatures were not loaded in time: it is killed")),
                      lines.len);
    say_loaded(b, b->pool.serving);
    ck_assert(b->pool.serving->loaded);
    bench_close(b);
}
END_TEST

START_TEST(a_promoted_host_that_has_loaded_is_limited_no_more)
{
    struct bench *b = bench_open();
    promote_second(b);
    say_loaded(b, b->pool.serving);
    ck_assert(b->pool.serving->loaded);
    ck_assert(!deadline_is_set(&b->pool.limit));
    bench_close(b);
}
END_TEST

/* The second host has taken over in good order, and dies while the first one drains. */
static struct bench *bench_draining(void)
{
    struct bench *b = bench_open();
    struct scan_record ready = {.type = SCAN_STATUS, .status = {.engine = "a", .state = SCAN_ENGINE_READY}};
    unsigned char message[ROLE_HEAD + SCAN_RECORD_SIZE] = {ROLE_ENGINE};
    size_t len = ROLE_HEAD + scan_record_encode(&ready, message + ROLE_HEAD);
    scan_pool_reload(&b->pool, TRIGGER_COMMAND);
    b->hooks.message(&b->pool.hosts[1], span_of(message, len));
    say_loaded(b, &b->pool.hosts[1]);
    ck_assert(b->pool.serving == &b->pool.hosts[1]);
    ck_assert_int_eq(b->pool.hosts[0].phase, HOST_DRAINING);
    child_kill(&b->pool.hosts[1].child);
    wait_for(b, second_was_started_again);
    ck_assert(!b->pool.serving->loaded);
    ck_assert(deadline_is_set(&b->pool.limit));
    return b;
}

static bool first_is_gone(struct bench *b)
{
    return b->pool.hosts[0].phase == HOST_OFF;
}

START_TEST(while_one_drains_the_limit_is_that_ones)
{
    struct bench *b = bench_draining();
    b->pool.limit.expired(b->pool.limit.arg);
    wait_for(b, first_is_gone);
    ck_assert_uint_eq(b->pool.hosts[1].child.starts, 2);
    bench_close(b);

    b = bench_draining();
    say_loaded(b, b->pool.serving);
    ck_assert(deadline_is_set(&b->pool.limit));
    bench_close(b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_promoted_host_that_does_not_load_in_time_is_killed_and_started_again)                                          \
    X(a_promoted_host_that_has_loaded_is_limited_no_more)                                                              \
    X(while_one_drains_the_limit_is_that_ones)
#include "support/check_main.h"
