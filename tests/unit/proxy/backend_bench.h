/* SPDX-License-Identifier: MIT */
/* A pool of backend connections with lessees, against scripted servers on loopback, all in one loop. */
#ifndef PROXY_BACKEND_BENCH_H
#define PROXY_BACKEND_BENCH_H

#include "io/deadline.h"
#include "proxy/backend_internal.h"
#include "unit/proxy/scripted_server.h"
#include <check.h>

enum { SERVERS = 2, LEASES = 6, GUARD_MS = 20000 };

struct bench;
struct lessee {
    struct bench *bench;
    struct backend *lease;
    unsigned wakes, order; /* ORDER: of becoming READY */
};

struct bench {
    struct loop *loop;
    struct scripted server[SERVERS];
    struct server_conf conf;
    struct backend_target targets[SERVERS];
    struct backend_pool *pool;
    struct lessee lessee[LEASES];
    unsigned ready; /* leases that were READY so far */
    struct deadline guard;
    bool (*until)(struct bench *b);
    struct log log;
};

static inline void bench_look(void *arg)
{
    struct bench *b = arg;
    if (!b->until || !b->until(b))
        return;
    b->until = NULL; /* once: looking again would take what comes after it */
    loop_stop(b->loop);
}

static inline void lessee_woken(void *arg)
{
    struct lessee *l = arg;
    l->wakes++;
    if (l->lease && l->order == 0 && backend_state(l->lease) == BACKEND_READY)
        l->order = ++l->bench->ready;
    bench_look(l->bench);
}

static inline void guard_expired(void *arg)
{
    (void)arg;
    ck_abort_msg("the awaited event did not come");
}

static inline void pump(struct bench *b, bool (*until)(struct bench *b))
{
    b->until = until;
    deadline_set_ms(&b->guard, GUARD_MS);
    if (!until(b))
        loop_run(b->loop);
    deadline_clear(&b->guard);
    b->until = NULL;
}

static inline void no_log(void *arg, enum log_level level, struct span line)
{
    (void)arg;
    (void)level;
    (void)line;
}

static uint64_t no_clock(void *arg)
{
    (void)arg;
    return 0;
}

/* Servers that do not listen yet, and patience that no test runs out of unless it says so. */
static inline void bench_init(struct bench *b)
{
    *b = (struct bench){.loop = loop_new(), .log = {.write = no_log, .wallclock_ms = no_clock}};
    b->conf = (struct server_conf){.connect_timeout_ms = 60000,
                                   .greeting_timeout_ms = 60000,
                                   .command_timeout_ms = 60000,
                                   .data_init_timeout_ms = 60000,
                                   .data_block_timeout_ms = 60000,
                                   .data_done_timeout_ms = 60000,
                                   .idle_timeout_ms = 60000,
                                   .max_outbound_connections = 10};
    deadline_init(&b->guard, b->loop, guard_expired, b);
    for (unsigned i = 0; i < SERVERS; i++) {
        scripted_init(&b->server[i], b->loop, bench_look, b);
        b->targets[i] = (struct backend_target){
            .name = b->server[i].name, .addr = b->server[i].addr, .conf = &b->conf, .helo = "gw.example.org"};
    }
    for (unsigned i = 0; i < LEASES; i++)
        b->lessee[i].bench = b;
}

static inline void bench_pool(struct bench *b, size_t servers)
{
    b->pool = backend_pool_new(b->loop, b->targets, servers, 1, &b->log);
    ck_assert_ptr_nonnull(b->pool);
}

/* One server that listens, and a pool for it alone. */
static inline void bench_start(struct bench *b)
{
    bench_init(b);
    scripted_listen(&b->server[0]);
    bench_pool(b, 1);
}

static inline void lease(struct bench *b, unsigned i)
{
    b->lessee[i].order = 0;
    b->lessee[i].lease = backend_lease(b->pool, false, lessee_woken, &b->lessee[i]);
    ck_assert_ptr_nonnull(b->lessee[i].lease);
}

static inline void give_back(struct bench *b, unsigned i, bool in_transaction, bool in_body)
{
    if (b->lessee[i].lease)
        backend_return(b->lessee[i].lease, in_transaction, in_body);
    b->lessee[i].lease = NULL;
}

static inline void bench_release(struct bench *b)
{
    for (unsigned i = 0; i < LEASES; i++)
        give_back(b, i, false, true);
    backend_pool_free(b->pool);
    deadline_clear(&b->guard);
    for (unsigned i = 0; i < SERVERS; i++)
        scripted_release(&b->server[i]);
    loop_free(b->loop);
}

static inline enum backend_state state(const struct bench *b, unsigned i)
{
    return backend_state(b->lessee[i].lease);
}

static inline bool first_is_settled(struct bench *b)
{
    return state(b, 0) == BACKEND_READY || state(b, 0) == BACKEND_FAILED;
}

static inline bool second_is_settled(struct bench *b)
{
    return state(b, 1) == BACKEND_READY || state(b, 1) == BACKEND_FAILED;
}

static inline void lease_ready(struct bench *b, unsigned i)
{
    ck_assert_uint_lt(i, 2);
    lease(b, i);
    pump(b, i == 0 ? first_is_settled : second_is_settled);
    ck_assert_int_eq(state(b, i), BACKEND_READY);
}

static inline void command(struct bench *b, unsigned i, enum smtp_client_verb verb, const char *argument)
{
    ck_assert_int_eq(smtp_client_command(backend_client(b->lessee[i].lease), verb, span_cstr(argument)), ERR_OK);
    backend_flush(b->lessee[i].lease);
}

/* What the next reply to the first lease was, for a pump. */
static struct smtp_reply last_reply;
static inline bool first_is_answered(struct bench *b)
{
    enum smtp_client_verb verb;
    return backend_reply(b->lessee[0].lease, &verb, &last_reply) || state(b, 0) == BACKEND_FAILED;
}

static inline int reply_code(struct bench *b)
{
    last_reply.code = 0;
    pump(b, first_is_answered);
    return last_reply.code;
}

static inline int failure_code(const struct bench *b, unsigned i)
{
    ck_assert_int_eq(state(b, i), BACKEND_FAILED);
    return backend_failure(b->lessee[i].lease).reply.code;
}

#endif
