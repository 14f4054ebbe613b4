/* SPDX-License-Identifier: MIT */
/* Channels to scan hosts. What comes over them is hostile input: a record that makes no sense ends the channel. */
#include "base/mem.h"
#include "base/obj.h"
#include "scan/scan_client_internal.h"
#include "sys/clock.h"
#include "sys/fdpass.h"
#include <unistd.h>

enum {
    /* Records per turn, so that a chatty host does not hold up the loop's sessions. */
    RECORDS_PER_TURN = 64,
    /* A host answers for its workers, at their deadlines at the latest: it has one thread, which waits for nobody. */
    SILENT_MAX = 3,
};

/* ---- channels that are missing ---- */

/* Doubled with each time: where the descriptors ran out they may be short for long. */
static void want_ask(void *arg)
{
    struct client_want *w = arg;
    struct scan_client *c = w->client;
    OBJ_CHECK(c, SCAN_CLIENT_MAGIC);
    uint64_t pause = SCAN_CLIENT_ASK_FIRST_MS;
    if (w->asked++ == 0)
        log_text(c->log, LOG_CHANNEL, "reason",
                 "pool %s: a thread has no channel to its scan host, and asks for another one until it comes",
                 c->fw->pools[w->pool].name);
    for (unsigned i = 0; i < w->asked && pause < SCAN_CLIENT_ASK_MAX_MS; i++)
        pause *= 2;
    deadline_set_ms(&w->ask, pause);
    if (c->missing)
        c->missing(c->missing_arg, w->pool);
}

/* Not at once: the supervisor gives one of its own accord when it starts a host. */
static void want_begin(struct scan_client *c, int pool)
{
    if (!deadline_is_set(&c->wants[pool].ask))
        deadline_set_ms(&c->wants[pool].ask, SCAN_CLIENT_ASK_FIRST_MS);
}

static void want_end(struct scan_client *c, int pool)
{
    c->wants[pool].asked = 0;
    deadline_clear(&c->wants[pool].ask);
}

void client_wants_init(struct scan_client *c)
{
    for (int i = 0; i < LIMIT_POOLS; i++) {
        c->wants[i] = (struct client_want){.client = c, .pool = i};
        deadline_init(&c->wants[i].ask, c->loop, want_ask, &c->wants[i]);
    }
}

void client_wants_clear(struct scan_client *c)
{
    for (int i = 0; i < LIMIT_POOLS; i++)
        deadline_clear(&c->wants[i].ask);
}

void scan_client_lost(struct scan_client *c, int pool_index, unsigned generation)
{
    OBJ_CHECK(c, SCAN_CLIENT_MAGIC);
    if (pool_index < 0 || (size_t)pool_index >= c->fw->pool_count)
        return;
    log_text(c->log, LOG_SHORTAGE, "reason",
             "pool %s: a thread had no descriptor or no memory left for its channel to generation %u of the scan host",
             c->fw->pools[pool_index].name, generation);
    want_begin(c, pool_index);
}

/* ---- channels ---- */

static void channel_drop(struct client_channel *ch)
{
    loop_watch_stop(&ch->watch);
    if (ch->fd >= 0)
        close(ch->fd);
    ch->fd = -1;
}

static void channel_reap(void *arg)
{
    struct client_channel *ch = arg;
    list_remove(&ch->node);
    mem_free(ch);
}

void client_channel_discard(struct client_channel *ch)
{
    channel_drop(ch);
    ch->retired = true;
    loop_defer(ch->client->loop, &ch->reaper);
}

static void channel_close(struct client_channel *ch, enum verdict_reason reason, const char *detail)
{
    struct scan_client *c = ch->client;
    bool served = !ch->retired;
    struct list calls;
    list_init(&calls);
    list_move_all(&calls, &ch->calls);
    client_channel_discard(ch);
    if (served) {
        c->channels[ch->pool] = NULL;
        list_append(&c->retired, &ch->node);
        client_engines_lost(c, ch, detail);
        want_begin(c, ch->pool);
    }
    client_calls_repeat(&calls, reason, detail);
    if (served)
        pool_calls_moved(&c->pool_calls, c, ch->pool, detail);
}

static void channel_broken(struct client_channel *ch, const char *detail)
{
    struct scan_client *c = ch->client;
    bool retired = ch->retired;
    channel_close(ch, VERDICT_REASON_PROTOCOL, detail);
    if (!retired && c->broken) /* the host of a retired channel is about to end anyway */
        c->broken(c->broken_arg, ch->pool, ch->generation);
}

void client_channel_silent(struct client_channel *ch, uint64_t begun_us)
{
    if (ch->fd < 0 || ch->heard_us == 0 || ch->heard_us >= begun_us || ++ch->silent < SILENT_MAX)
        return;
    log_text(ch->client->log, LOG_ENGINE_DOWN, "reason",
             "pool %s: its scan host says nothing any more (%u messages in a row got no answer): it is replaced",
             ch->client->fw->pools[ch->pool].name, ch->silent);
    channel_broken(ch, "the scan host says nothing any more");
}

/* False: the record makes no sense here. */
static bool answer_arrived(struct client_channel *ch, const struct scan_answer *a)
{
    struct scan_call *call = client_call_find(ch, a->id);
    if (!call)
        return true;
    if (call->kind == SCAN_JOB_INSPECT && a->verdict.class != VERDICT_ERROR)
        return false;
    struct verdict v = a->verdict;
    v.generation = ch->generation;
    client_call_end(call, &v);
    return true;
}

static bool inspection_arrived(struct client_channel *ch, const struct scan_inspection_answer *a)
{
    struct scan_call *call = client_call_find(ch, a->id);
    if (!call)
        return true;
    if (call->kind != SCAN_JOB_INSPECT)
        return false;
    client_call_inspected(call, &a->inspection);
    return true;
}

/* False: the record makes no sense here. */
static bool record_arrived(struct client_channel *ch, struct span bytes)
{
    struct scan_record r;
    if (scan_record_decode(bytes, &r) != ERR_OK)
        return false;
    switch (r.type) {
    case SCAN_ANSWER:
        return answer_arrived(ch, &r.answer);
    case SCAN_INSPECTION:
        return inspection_arrived(ch, &r.inspected);
    case SCAN_STATUS:
        return client_engine_status(ch->client, ch, &r.status);
    case SCAN_POOL:
        pool_calls_arrived(&ch->client->pool_calls, ch->pool, ch->generation, &r.pool);
        return true;
    case SCAN_JOB:
    case SCAN_CANCEL:
    case SCAN_QUERY:
        break;
    }
    return false;
}

void client_channel_read(struct client_channel *ch)
{
    for (int i = 0; i < RECORDS_PER_TURN && ch->fd >= 0; i++) {
        unsigned char bytes[SCAN_RECORD_SIZE];
        size_t len;
        int fd;
        enum err e = fdpass_recv(ch->fd, bytes, sizeof(bytes), &len, &fd);
        if (e == ERR_AGAIN)
            return;
        ch->heard_us = clock_monotonic_us();
        ch->silent = 0;
        if (fd >= 0) { /* a host has no descriptor to give */
            close(fd);
            e = ERR_FULL;
        }
        if (e == ERR_CLOSED || e == ERR_IO)
            channel_close(ch, VERDICT_REASON_DOWN, "the scan host closed the channel");
        else if (e != ERR_OK || !record_arrived(ch, span_of(bytes, len)))
            channel_broken(ch, "the scan host sent a record that makes no sense");
    }
}

/* Calls that wait for room take it. */
static void channel_flush(struct client_channel *ch)
{
    struct scan_client *c = ch->client;
    client_calls_flush(c, ch->pool);
    if (list_empty(&c->waiting[ch->pool]))
        loop_watch_set(&ch->watch, LOOP_READ);
    else
        client_channel_wait(ch);
}

static void channel_ready(void *arg, int events)
{
    struct client_channel *ch = arg;
    OBJ_CHECK(ch->client, SCAN_CLIENT_MAGIC);
    client_channel_read(ch);
    if ((events & LOOP_WRITE) && !ch->retired)
        channel_flush(ch);
}

void client_channel_wait(struct client_channel *ch)
{
    loop_watch_set(&ch->watch, LOOP_READ | LOOP_WRITE);
}

void client_channel_retire(struct client_channel *ch)
{
    ch->client->channels[ch->pool] = NULL;
    ch->retired = true;
    loop_watch_set(&ch->watch, LOOP_READ); /* whoever waits for room waits elsewhere now */
    list_append(&ch->client->retired, &ch->node);
    client_engines_lost(ch->client, ch, NULL);
    if (list_empty(&ch->calls))
        client_channel_discard(ch);
}

void client_channel_free(struct client_channel *ch)
{
    channel_drop(ch);
    loop_defer_cancel(&ch->reaper);
    channel_reap(ch);
}

void scan_client_attach(struct scan_client *c, int pool_index, unsigned generation, int fd)
{
    OBJ_CHECK(c, SCAN_CLIENT_MAGIC);
    struct client_channel *ch = NULL;
    bool known = pool_index >= 0 && (size_t)pool_index < c->fw->pool_count;
    if (!known || !(ch = MEM_NEW(struct client_channel))) {
        close(fd);
        if (known) /* without another one the pool would be lost for good */
            scan_client_lost(c, pool_index, generation);
        return;
    }
    want_end(c, pool_index);
    if (c->channels[pool_index])
        client_channel_retire(c->channels[pool_index]);
    ch->client = c;
    ch->pool = pool_index;
    ch->generation = generation;
    ch->fd = fd;
    list_init(&ch->calls);
    list_init(&ch->node);
    loop_deferred_init(&ch->reaper, channel_reap, ch);
    loop_watch_init(&ch->watch, c->loop, fd, channel_ready, ch);
    c->channels[pool_index] = ch;
    pool_calls_moved(&c->pool_calls, c, pool_index, "the scan host was replaced");
    channel_flush(ch);
}
