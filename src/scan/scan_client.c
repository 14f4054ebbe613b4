/* SPDX-License-Identifier: MIT */
/* The client of one loop, and what scan hosts say about their engines. */
#include "base/mem.h"
#include "base/obj.h"
#include "scan/probe.h"
#include "scan/scan_client_internal.h"
#include "sys/fdpass.h"

/* ---- engine states ---- */

static void client_changed(void *arg)
{
    struct scan_client *c = arg;
    OBJ_CHECK(c, SCAN_CLIENT_MAGIC);
    if (c->changed)
        c->changed(c->changed_arg);
}

static void log_engine(struct scan_client *c, const struct framework_engine *engine, struct client_engine *state,
                       bool up, const char *detail)
{
    struct log_record r;
    bool was_down = state->logged_down;
    state->logged_down = !up;
    /* Once down is said once; and the first READY is its host's to say, which knows how long loading took. */
    if (!c->log_status || was_down != up)
        return;
    log_begin(&r, c->log, up ? LOG_ENGINE_READY : LOG_ENGINE_DOWN);
    log_cstr(&r, "engine", engine->name);
    log_cstr(&r, "type", engine->type);
    log_cstr(&r, "pool", engine->pool);
    if (up) {
        log_u64(&r, "database_version", state->status.database_version);
        log_u64(&r, "signatures", state->status.signatures);
    }
    log_cstr(&r, "detail", detail);
    log_end(&r);
}

void client_engines_lost(struct scan_client *c, const struct client_channel *ch, const char *why)
{
    for (size_t i = 0; i < c->fw->engine_count; i++) {
        struct client_engine *e = &c->engines[i];
        if (e->pool != ch->pool)
            continue;
        if (why)
            log_engine(c, &c->fw->engines[i], e, false, why);
        e->known = false;
        e->status.state = SCAN_ENGINE_LOADING;
    }
}

bool client_engine_status(struct scan_client *c, const struct client_channel *ch, const struct scan_status *s)
{
    for (size_t i = 0; i < c->fw->engine_count; i++) {
        struct client_engine *e = &c->engines[i];
        if (e->pool != ch->pool || !span_eq(span_cstr(c->fw->engines[i].name), span_cstr(s->engine)))
            continue;
        if (ch->retired) /* a newer generation speaks for the engine */
            return true;
        bool same = e->known && e->status.state == s->state && e->status.database_version == s->database_version &&
                    e->status.signatures == s->signatures && strcmp(e->status.detail, s->detail) == 0;
        e->status = *s;
        e->known = true;
        if (s->state == SCAN_ENGINE_LOADING || same)
            return true;
        e->reported = true;
        if (s->state == SCAN_ENGINE_READY) /* why it FAILED is the host's to say, and it has said so */
            log_engine(c, &c->fw->engines[i], e, true, s->detail);
        if (s->state == SCAN_ENGINE_READY)
            probes_engine_ready(c->probes, i);
        loop_defer(c->loop, &c->change);
        return true;
    }
    return false;
}

/* ---- the client ---- */

struct scan_client *scan_client_new(struct loop *l, struct scan_runtime *runtime, const struct log *log,
                                    bool log_status)
{
    const struct framework *fw = runtime->framework;
    struct scan_client *c = MEM_NEW(struct scan_client);
    if (!c)
        return NULL;
    OBJ_INIT(c, SCAN_CLIENT_MAGIC);
    c->loop = l;
    c->runtime = runtime;
    c->fw = fw;
    c->log = log;
    c->log_status = log_status;
    loop_deferred_init(&c->change, client_changed, c);
    list_init(&c->retired);
    for (size_t i = 0; i < LIMIT_POOLS; i++)
        list_init(&c->waiting[i]);
    pool_calls_init(&c->pool_calls);
    client_wants_init(c);
    for (size_t i = 0; i < fw->engine_count; i++)
        c->engines[i].pool = fw->engines[i].built ? framework_pool_index(fw, fw->engines[i].pool) : -1;
    c->probes = probes_new(c, log, log_status);
    if (!c->probes) {
        scan_client_free(c);
        return NULL;
    }
    return c;
}

void scan_client_free(struct scan_client *c)
{
    if (!c)
        return;
    OBJ_CHECK(c, SCAN_CLIENT_MAGIC);
    probes_free(c->probes);
    if (c->calls > 0 || !list_empty(&c->pool_calls.waiting)) /* they would point into freed memory */
        abort();
    for (size_t i = 0; i < LIMIT_POOLS; i++)
        if (c->channels[i])
            client_channel_retire(c->channels[i]);
    LIST_EACH_SAFE (node, &c->retired)
        client_channel_free(container_of(node, struct client_channel, node));
    client_wants_clear(c);
    loop_defer_cancel(&c->change);
    OBJ_FINI(c);
    mem_free(c);
}

bool scan_client_settled(const struct scan_client *c)
{
    for (size_t i = 0; i < c->fw->engine_count; i++)
        if (c->engines[i].pool >= 0 && !c->engines[i].reported)
            return false;
    return true;
}

void scan_client_on_change(struct scan_client *c, void (*changed)(void *arg), void *arg)
{
    c->changed = changed;
    c->changed_arg = arg;
}

void scan_client_on_broken(struct scan_client *c, void (*broken)(void *arg, int pool_index, unsigned generation),
                           void *arg)
{
    c->broken = broken;
    c->broken_arg = arg;
}

void scan_client_on_missing(struct scan_client *c, void (*missing)(void *arg, int pool_index), void *arg)
{
    c->missing = missing;
    c->missing_arg = arg;
}

struct loop *scan_client_loop(const struct scan_client *c)
{
    return c->loop;
}

struct probes *scan_client_probes(const struct scan_client *c)
{
    return c->probes;
}

struct scan_runtime *scan_client_runtime(const struct scan_client *c)
{
    return c->runtime;
}

struct pool_calls *scan_client_pool_calls(struct scan_client *c)
{
    return &c->pool_calls;
}

enum err scan_client_send(struct scan_client *c, int pool, const struct scan_record *record)
{
    const struct client_channel *ch = c->channels[pool];
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(record, bytes);
    return ch ? fdpass_send(ch->fd, span_of(bytes, len), -1) : ERR_CLOSED;
}

const struct scan_status *scan_client_status(const struct scan_client *c, size_t index, unsigned *generation)
{
    const struct client_engine *e = &c->engines[index];
    const struct client_channel *ch = e->pool >= 0 ? c->channels[e->pool] : NULL;
    *generation = ch ? ch->generation : 0;
    return &e->status;
}

uint64_t scan_client_late_answers(const struct scan_client *c)
{
    return c->late_answers;
}
