/* SPDX-License-Identifier: MIT */
/* A worker's line to the keeper: what it asks while descriptors are short, and what ends the line. */
#include "scan/host/broker.h"
#include "support/log_lines.h"
#include <check.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const arguments[] = {"true", NULL};
static struct engine_program program = {.path = "/bin/true", .argv = arguments, .count = 0, .log = -1};

static const struct engine_program *the_program(const void *state)
{
    (void)state;
    return &program;
}

static struct {
    struct broker b;
    struct worker w;
    struct log log;
    int end; /* the worker's */
} t;

/* One engine, whose program has no process. */
static void begin(void)
{
    static const struct engine_type type = {.name = "fake", .program = the_program};
    static const struct framework_pool pool = {.name = "CPU", .conf = {.concurrency = 1}};
    static const struct framework_engine engine = {.name = "scanner1"};
    memset(&t, 0, sizeof(t));
    t.log = log_lines_begin();
    t.b = (struct broker){.pool = &pool, .log = &t.log, .loop = loop_new(), .engine_count = 1};
    ck_assert_ptr_nonnull(t.b.loop);
    t.b.engines[0] = (struct host_engine){.type = &type, .conf = &engine, .status = SCAN_ENGINE_READY};
    t.w.broker = &t.b;
    keeper_start(&t.b.keeper, &t.b);
    ck_assert_int_eq(keeper_attach(&t.b.keeper, &t.w.line, &t.w, &t.end), ERR_OK);
    ck_assert_int_ge(t.end, 0);
}

static void finish(void)
{
    keeper_detach(&t.w.line);
    keeper_stop(&t.b.keeper);
    loop_free(t.b.loop);
    close(t.end);
}

static void stop_loop(void *arg)
{
    loop_stop(arg);
}

static void turn(void)
{
    struct loop_deferred over;
    loop_deferred_init(&over, stop_loop, t.b.loop);
    loop_defer(t.b.loop, &over);
    loop_run(t.b.loop);
}

/* Until the worker has an answer to read. */
static void wait_answer(void)
{
    char byte;
    while (recv(t.end, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) {
        turn();
        ck_assert_int_ge(t.w.line.fd, 0);
    }
}

static void ask(uint64_t id)
{
    struct buf out;
    const struct scanner_request request = {.id = id, .size = 1, .time_ms = 10000, .engine = 0};
    buf_init(&out, SCANNER_MESSAGE_MAX);
    ck_assert_int_eq(scanner_request_write(&request, true, &out), ERR_OK);
    ck_assert_int_eq(fdpass_send(t.end, buf_span(&out), t.end), ERR_OK);
    buf_release(&out);
}

/* The answer to request ID, which says TEXT. */
static void expect_down(uint64_t id, const char *text)
{
    char bytes[SCANNER_MESSAGE_MAX];
    size_t len;
    int fd;
    struct scanner_result result;
    wait_answer();
    ck_assert_int_eq(fdpass_recv(t.end, bytes, sizeof(bytes), &len, &fd), ERR_OK);
    ck_assert_int_eq(scanner_result_read(span_of(bytes, len), &result), ERR_OK);
    ck_assert_uint_eq(result.id, id);
    ck_assert_int_eq(result.status, SCANNER_ERROR);
    ck_assert_str_eq(result.codes[0], "POSTERN_RESULT_DOWN");
    ck_assert_str_eq(result.info, text);
}

/* C24 */
START_TEST(a_request_that_no_descriptor_is_left_for_is_answered_and_the_line_stays)
{
    struct rlimit old, none;
    begin();
    ask(7);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = old.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    wait_answer();
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    expect_down(7, "the scan host has no descriptor left for it");
    ck_assert_msg(strstr(log_lines, " shortage reason=\"engine scanner1: no descriptor is left for a message"), "%s",
                  log_lines);
    ck_assert(!t.w.line.lost);
    ask(8);
    expect_down(8, ""); /* by the keeper's own word: no program runs */
    finish();
}
END_TEST

START_TEST(a_line_that_ends_while_its_worker_lives_is_known_as_lost)
{
    begin();
    ck_assert(!t.w.line.lost);
    ck_assert_int_eq(fdpass_send(t.end, SPAN("garbage"), t.end), ERR_OK);
    while (t.w.line.fd >= 0)
        turn();
    ck_assert(t.w.line.lost);
    finish();
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_request_that_no_descriptor_is_left_for_is_answered_and_the_line_stays)                                         \
    X(a_line_that_ends_while_its_worker_lives_is_known_as_lost)
#include "support/check_main.h"
