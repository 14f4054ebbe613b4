/* SPDX-License-Identifier: MIT */
/* A scan client of up to four engines in two pools, over real SEQPACKET pairs: the other end is a broker that follows a
 * script. */
#ifndef SCAN_SCAN_BENCH_H
#define SCAN_SCAN_BENCH_H

#include "io/deadline.h"
#include "io/loop.h"
#include "scan/scan_run.h"
#include "sys/clock.h"
#include "sys/fdpass.h"
#include "sys/memfd.h"
#include <check.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POOLS = 2, RECORDS_KEPT = 32, GUARD_MS = 20000 };

/* What the broker end of one pool has received. */
struct broker {
    int fd;
    struct loop_watch watch;
    struct scan_record got[RECORDS_KEPT];
    bool with_fd[RECORDS_KEPT];
    int parts[RECORDS_KEPT]; /* the second descriptor; -1: none */
    size_t count;
};

struct bench {
    struct loop *loop;
    struct framework fw;
    struct engine_conf conf[4];
    struct scan_runtime *runtime;
    struct scan_client *client;
    struct broker broker[POOLS];
    struct deadline guard;
    bool (*until)(struct bench *b);
    int message;
    unsigned wakes, changes, wanted, generation;
    struct log log;
    char lines[16][LIMIT_LOG_LINE];
    size_t line_count;
};

static inline void bench_look(struct bench *b)
{
    if (b->until && b->until(b))
        loop_stop(b->loop);
}

static inline void bench_woken(void *arg)
{
    struct bench *b = arg;
    b->wakes++;
    bench_look(b);
}

static inline void bench_changed(void *arg)
{
    struct bench *b = arg;
    b->changes++;
    bench_look(b);
}

static inline void guard_expired(void *arg)
{
    (void)arg;
    ck_abort_msg("the awaited event did not come");
}

static inline void pump(struct bench *b, bool (*until)(struct bench *b))
{
    if (until(b))
        return;
    b->until = until;
    deadline_set_ms(&b->guard, GUARD_MS);
    loop_run(b->loop);
    deadline_clear(&b->guard);
    b->until = NULL;
}

struct broker_arg {
    struct bench *bench;
    int pool;
};
static struct broker_arg broker_args[POOLS];

static inline void broker_ready(void *arg, int events)
{
    struct broker_arg *a = arg;
    struct broker *br = &a->bench->broker[a->pool];
    (void)events;
    for (;;) {
        unsigned char bytes[SCAN_RECORD_SIZE];
        size_t len;
        int fds[FDPASS_MAX];
        enum err e = fdpass_recv_many(br->fd, bytes, sizeof(bytes), &len, fds);
        int fd = fds[0];
        if (e == ERR_AGAIN)
            break;
        if (e == ERR_CLOSED) {
            loop_watch_set(&br->watch, 0);
            break;
        }
        ck_assert_int_eq(e, ERR_OK);
        ck_assert_uint_lt(br->count, RECORDS_KEPT);
        ck_assert_int_eq(scan_record_decode(span_of(bytes, len), &br->got[br->count]), ERR_OK);
        if (fd >= 0) {
            char first = 0;
            ck_assert_int_eq(pread(fd, &first, 1, 0), 1);
            ck_assert_int_eq(first, 'M');
            close(fd);
        }
        br->parts[br->count] = fds[1];
        br->with_fd[br->count++] = fd >= 0;
    }
    bench_look(a->bench);
}

static inline void log_line(void *arg, enum log_level level, struct span line)
{
    struct bench *b = arg;
    (void)level;
    ck_assert_uint_lt(b->line_count, ARRAY_SIZE(b->lines));
    snprintf(b->lines[b->line_count++], LIMIT_LOG_LINE, "%.*s", SPAN_ARG(line));
}

static inline uint64_t log_clock(void *arg)
{
    (void)arg;
    return 0;
}

static const char *const engine_names[] = {"one", "two", "three", "four"};

/* Engines "one" (pool CPU), "two" (pool IO), "three" (CPU), … */
static inline void bench_open(struct bench *b, size_t engines)
{
    memset(b, 0, sizeof(*b));
    b->loop = loop_new();
    ck_assert_ptr_nonnull(b->loop);
    deadline_init(&b->guard, b->loop, guard_expired, b);
    b->fw.engine_count = engines;
    for (size_t i = 0; i < engines; i++) {
        b->conf[i] = (struct engine_conf){.enabled = true, .error_code = 451, .timeout_ms = 10000};
        b->fw.engines[i] = (struct framework_engine){
            .name = engine_names[i], .type = "fake", .pool = i % 2 ? "IO" : "CPU", .built = true, .conf = &b->conf[i]};
    }
    b->fw.pool_count = POOLS;
    b->fw.pools[0] = (struct framework_pool){.name = "CPU", .conf.backlog = 100};
    b->fw.pools[1] = (struct framework_pool){.name = "IO", .conf.backlog = 100};
    b->log = (struct log){.write = log_line, .wallclock_ms = log_clock, .arg = b, .min_level = LOG_LEVEL_DEBUG};
    b->message = memfd_new("message");
    ck_assert_int_ge(b->message, 0);
    ck_assert_int_eq(write(b->message, "Message", 7), 7);
    for (int i = 0; i < POOLS; i++)
        b->broker[i].fd = -1;
}

static inline void bench_start(struct bench *b, bool log_status)
{
    b->runtime = scan_runtime_new(&b->fw);
    ck_assert_ptr_nonnull(b->runtime);
    b->client = scan_client_new(b->loop, b->runtime, &b->log, log_status);
    ck_assert_ptr_nonnull(b->client);
    scan_client_on_change(b->client, bench_changed, b);
}

static inline void broker_close(struct bench *b, int pool)
{
    struct broker *br = &b->broker[pool];
    for (size_t i = 0; i < br->count; i++) {
        if (br->parts[i] >= 0)
            close(br->parts[i]);
        br->parts[i] = -1;
    }
    loop_watch_stop(&br->watch);
    if (br->fd >= 0)
        close(br->fd);
    br->fd = -1;
}

static inline void broker_open(struct bench *b, int pool)
{
    int fds[2];
    ck_assert_int_eq(fdpass_pair(fds), ERR_OK);
    struct broker *br = &b->broker[pool];
    br->fd = fds[1];
    br->count = 0;
    broker_args[pool] = (struct broker_arg){b, pool};
    loop_watch_init(&br->watch, b->loop, br->fd, broker_ready, &broker_args[pool]);
    loop_watch_set(&br->watch, LOOP_READ);
    scan_client_attach(b->client, pool, ++b->generation, fds[0]);
}

static inline void bench_close(struct bench *b)
{
    scan_client_free(b->client);
    scan_runtime_free(b->runtime);
    for (int i = 0; i < POOLS; i++)
        broker_close(b, i);
    close(b->message);
    loop_free(b->loop);
}

static inline void broker_send(struct bench *b, int pool, const struct scan_record *r)
{
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(r, bytes);
    ck_assert_int_eq(fdpass_send(b->broker[pool].fd, span_of(bytes, len), -1), ERR_OK);
}

static inline void broker_answer(struct bench *b, int pool, uint64_t id, enum verdict_class c,
                                 enum verdict_reason reason, const char *name)
{
    struct scan_record r = {.type = SCAN_ANSWER};
    r.answer.id = id;
    verdict_set(&r.answer.verdict, c, reason, NULL);
    verdict_copy_text(r.answer.verdict.name, sizeof(r.answer.verdict.name), span_cstr(name));
    verdict_copy_text(r.answer.verdict.engine, sizeof(r.answer.verdict.engine), SPAN("liar"));
    r.answer.verdict.database_version = 42;
    r.answer.verdict.queue_us = 10;
    r.answer.verdict.scan_us = 100;
    broker_send(b, pool, &r);
}

static inline void broker_status(struct bench *b, int pool, const char *engine, enum scan_engine_state state,
                                 const char *detail)
{
    struct scan_record r = {.type = SCAN_STATUS};
    verdict_copy_text(r.status.engine, sizeof(r.status.engine), span_cstr(engine));
    verdict_copy_text(r.status.detail, sizeof(r.status.detail), span_cstr(detail));
    r.status.state = state;
    r.status.database_version = 27500;
    r.status.signatures = 3;
    broker_send(b, pool, &r);
}

/* On a message whose digest is full of OCTET, on the loop's client C. */
static inline struct scan_run *start_of(struct bench *b, struct scan_client *c, int octet)
{
    uint8_t digest[32];
    memset(digest, octet, sizeof(digest));
    unsigned before = b->wakes;
    struct scan_run *r =
        scan_run_start(c, &(struct scan_subject){.fd = b->message, .size = 7, .digest = digest}, bench_woken, b);
    ck_assert_ptr_nonnull(r);
    ck_assert_uint_eq(b->wakes, before); /* never from inside the call */
    return r;
}

static inline struct scan_run *start(struct bench *b)
{
    return start_of(b, b->client, 0xd1);
}

static inline bool enough_wakes(struct bench *b)
{
    return b->wakes >= b->wanted;
}

static inline bool enough_records(struct bench *b)
{
    return b->broker[0].count + b->broker[1].count >= b->wanted;
}

static inline bool enough_changes(struct bench *b)
{
    return b->changes >= b->wanted;
}

/* Until so many runs have been woken. */
static inline void wait_wakes(struct bench *b, unsigned count)
{
    b->wanted = count;
    pump(b, enough_wakes);
}

/* Until both brokers together have so many records. */
static inline void wait_records(struct bench *b, unsigned count)
{
    b->wanted = count;
    pump(b, enough_records);
}

static inline void wait_changes(struct bench *b, unsigned count)
{
    b->wanted = count;
    pump(b, enough_changes);
}

static inline bool host_is_missed(const struct bench *b)
{
    unsigned generation;
    (void)scan_client_status(b->client, 0, &generation);
    return generation == 0;
}

static inline void stop_loop(void *arg)
{
    loop_stop(arg);
}

/* Runs the loop until the client knows that the host of pool 0 has ended: its end makes no event of its own here. */
static inline void wait_missed(struct bench *b)
{
    while (!host_is_missed(b)) {
        struct loop_deferred turn;
        loop_deferred_init(&turn, stop_loop, b->loop);
        loop_defer(b->loop, &turn);
        loop_run(b->loop);
    }
}

static inline void assert_verdict(const struct scan_run *r, enum verdict_class c, enum verdict_reason reason,
                                  const char *engine)
{
    const struct verdict *v = scan_run_verdict(r);
    ck_assert_ptr_nonnull(v);
    ck_assert_str_eq(verdict_class_word(v->class), verdict_class_word(c));
    ck_assert_str_eq(verdict_reason_word(v->reason), verdict_reason_word(reason));
    ck_assert_str_eq(v->engine, engine);
}

#endif
