/* SPDX-License-Identifier: MIT */
/* Jobs out, answers in. What comes from a scan host is hostile input: a job is found through a bounded table by slot
 * and serial number, and a record that makes no sense ends the channel.
 *
 * Callers are told from the loop's calls only, so nothing here is freed under our feet.
 */
#include "scan/scan_client.h"
#include "base/mem.h"
#include "base/obj.h"
#include "scan/probe.h"
#include "sys/clock.h"
#include "sys/fdpass.h"
#include <errno.h>
#include <unistd.h>

enum {
    CLIENT_MAGIC = 0x5ca9c11e,
    /* Jobs on their way from one loop: more than a pool's Backlog holds for it in practice; one pointer each. */
    SLOT_BITS = 12,
    SLOT_COUNT = 1 << SLOT_BITS,
    /* The broker kills the worker at the deadline and says so; ours is only for a broker that does not. */
    GRACE_MS = 1000,
    /* Records per turn, so that a chatty host does not hold up the loop's sessions. */
    RECORDS_PER_TURN = 64,
    /* After the end of a host: the supervisor's word of the one that takes over is on its way already, or there is
       none. */
    GAP_MS = 2000,
};

/* The time between the end of a pool's host and the next channel, while its limit is set. */
struct client_gap {
    struct scan_client *client;
    struct list calls;
    struct deadline limit;
};

/* The way to one generation of a pool's host. A newer one retires it: it takes no new jobs, and goes when it has no job
 * left. */
struct client_channel {
    struct scan_client *client;
    int pool;
    unsigned generation;
    int fd; /* -1: none */
    struct loop_watch watch;
    struct list calls; /* scan_call.node */
    bool retired;
    bool followed;    /* by a host that ran beside this one's: what this one leaves may go there */
    struct list node; /* in client->retired */
    struct loop_deferred reaper;
};

struct client_engine {
    int pool;      /* index, or -1 when it is not built */
    bool reported; /* READY or FAILED, at least once */
    bool known;    /* the status below came over the present channel */
    bool logged_down;
    struct scan_status status;
};

struct scan_client {
    unsigned magic;
    struct loop *loop;
    struct scan_runtime *runtime;
    const struct framework *fw; /* of the runtime */
    const struct log *log;
    bool log_status;
    struct probes *probes;
    struct client_channel *channels[LIMIT_ENGINES]; /* by pool; NULL: none */
    struct client_gap gaps[LIMIT_ENGINES];          /* by pool */
    struct list retired;
    struct client_engine engines[LIMIT_ENGINES];
    struct scan_call *slots[SLOT_COUNT];
    uint64_t serial; /* of the last job */
    uint64_t late_answers;
    size_t calls; /* on their way */
    struct pool_calls pool_calls;
    void (*changed)(void *arg);
    void *changed_arg;
    struct loop_deferred change;
    void (*broken)(void *arg, int pool_index, unsigned generation);
    void *broken_arg;
};

/* Sends the call's job; otherwise WHY is its ERROR verdict. */
static bool call_ask(struct scan_call *call, struct verdict *why);

/* ---- engine states ---- */

static void client_changed(void *arg)
{
    struct scan_client *c = arg;
    OBJ_CHECK(c, CLIENT_MAGIC);
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

/* The host of this channel no longer speaks for its engines. */
static void engines_lost(struct scan_client *c, const struct client_channel *ch, const char *why)
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

/* False: no engine of that channel has this name. */
static bool engine_status(struct scan_client *c, const struct client_channel *ch, const struct scan_status *s)
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

/* Closed now, freed when nobody of this iteration looks at it any more. */
static void channel_discard(struct client_channel *ch)
{
    channel_drop(ch);
    ch->retired = true;
    loop_defer(ch->client->loop, &ch->reaper);
}

/* The job is no longer on its way: its slot is free, its timer off. */
static void call_unlink(struct scan_call *call)
{
    if (call->id == 0 && !call->waiting)
        return;
    struct client_channel *ch = call->channel;
    if (call->id != 0)
        call->client->slots[call->id & (SLOT_COUNT - 1)] = NULL;
    call->client->calls--;
    call->id = 0;
    call->waiting = false;
    call->channel = NULL;
    list_remove(&call->node);
    deadline_clear(&call->deadline);
    if (call->kind == SCAN_JOB_INSPECT && call->parts >= 0) {
        close(call->parts);
        call->parts = -1;
    }
    if (ch && ch->retired && list_empty(&ch->calls))
        channel_discard(ch);
}

/* The call is on its way from here on, as one of LIST. */
static void call_link(struct scan_call *call, struct list *list)
{
    uint64_t now = clock_monotonic_us();
    call->client->calls++;
    list_append(list, &call->node);
    deadline_set_ms(&call->deadline, (call->until_us > now ? (call->until_us - now) / 1000 : 0) + GRACE_MS);
}

static void call_end(struct scan_call *call, const struct verdict *v)
{
    call_unlink(call);
    call->answered(call, v);
}

static void call_fail(struct scan_call *call, enum verdict_reason reason, const char *detail)
{
    struct verdict v;
    verdict_set(&v, VERDICT_ERROR, reason, detail);
    call_end(call, &v);
}

/* Ends the calls of a channel that is gone; their owners go on. */
static void calls_fail(struct list *calls, enum verdict_reason reason, const char *detail)
{
    struct list *node;
    while ((node = list_take(calls)) != NULL)
        call_fail(container_of(node, struct scan_call, node), reason, detail);
}

static const char host_gone[] = "the scan host closed the channel";

/* Gives the jobs of a host that is gone to the generation that replaces it: a reload, or an older host that dies after
 * it, is no reason to turn a message away. Twice is: it may be the message that ends hosts. */
static void calls_repeat(struct list *calls)
{
    struct list *node;
    while ((node = list_take(calls)) != NULL) {
        struct scan_call *call = container_of(node, struct scan_call, node);
        struct verdict why;
        call_unlink(call);
        if (call->lost)
            verdict_set(&why, VERDICT_ERROR, VERDICT_REASON_DOWN, host_gone);
        bool again = !call->lost;
        call->lost = true;
        if (!again || !call_ask(call, &why))
            call->answered(call, &why);
    }
}

/* ---- between two hosts ---- */

static bool gap_is_open(const struct scan_client *c, int pool)
{
    return deadline_is_set(&c->gaps[pool].limit);
}

/* The waiting is over. OTHERS: what no host had yet may be asked; the rest only where a host TAKES_OVER. */
static void gap_close(struct client_gap *gap, bool others, bool takes_over)
{
    struct list calls, *node;
    deadline_clear(&gap->limit);
    list_init(&calls);
    list_move_all(&calls, &gap->calls);
    while ((node = list_take(&calls)) != NULL) {
        struct scan_call *call = container_of(node, struct scan_call, node);
        struct verdict why;
        bool again = takes_over || (others && !call->lost);
        call_unlink(call);
        if (!again)
            verdict_set(&why, VERDICT_ERROR, VERDICT_REASON_DOWN, host_gone);
        if (!again || !call_ask(call, &why))
            call->answered(call, &why);
    }
}

static void gap_expired(void *arg)
{
    gap_close(arg, false, false);
}

static void channel_close(struct client_channel *ch, enum verdict_reason reason, const char *detail)
{
    struct scan_client *c = ch->client;
    struct list calls;
    list_init(&calls);
    list_move_all(&calls, &ch->calls);
    bool retired = ch->retired;
    channel_discard(ch);
    if (retired) {
        if (ch->followed)
            calls_repeat(&calls);
        else
            calls_fail(&calls, reason, detail);
        return;
    }
    c->channels[ch->pool] = NULL;
    list_append(&c->retired, &ch->node);
    engines_lost(c, ch, detail);
    if (reason == VERDICT_REASON_DOWN) {
        deadline_set_ms(&c->gaps[ch->pool].limit, GAP_MS);
        calls_repeat(&calls); /* that is, they wait */
    } else {
        calls_fail(&calls, reason, detail);
    }
    pool_calls_moved(&c->pool_calls, c, ch->pool, detail);
}

static void channel_broken(struct client_channel *ch)
{
    struct scan_client *c = ch->client;
    bool retired = ch->retired;
    channel_close(ch, VERDICT_REASON_PROTOCOL, "the scan host sent a record that makes no sense");
    if (!retired && c->broken) /* the host of a retired channel is about to end anyway */
        c->broken(c->broken_arg, ch->pool, ch->generation);
}

/* The call that the answer with this id is for. NULL: there is none any more. */
static struct scan_call *answer_find(const struct client_channel *ch, uint64_t id)
{
    struct scan_call *call = ch->client->slots[id & (SLOT_COUNT - 1)];
    if (call && call->id == id && call->channel == ch)
        return call;
    ch->client->late_answers++;
    return NULL;
}

/* False: the record makes no sense here. */
static bool answer_arrived(struct client_channel *ch, const struct scan_answer *a)
{
    struct scan_call *call = answer_find(ch, a->id);
    if (!call)
        return true;
    if (call->kind == SCAN_JOB_INSPECT && a->verdict.class != VERDICT_ERROR)
        return false;
    struct verdict v = a->verdict;
    v.generation = ch->generation;
    call_end(call, &v);
    return true;
}

static bool inspection_arrived(struct client_channel *ch, const struct scan_inspection_answer *a)
{
    struct scan_call *call = answer_find(ch, a->id);
    const char *why;
    if (!call)
        return true;
    if (call->kind != SCAN_JOB_INSPECT)
        return false;
    int parts = call->parts;
    if (inspection_file_seal(parts, a->inspection.size, &why) != ERR_OK) {
        call_fail(call, VERDICT_REASON_PROTOCOL, why);
        return true;
    }
    call->parts = -1;
    call_unlink(call);
    call->inspected(call, &a->inspection, parts);
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
        return engine_status(ch->client, ch, &r.status);
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

static void channel_ready(void *arg, int events)
{
    struct client_channel *ch = arg;
    OBJ_CHECK(ch->client, CLIENT_MAGIC);
    (void)events;
    for (int i = 0; i < RECORDS_PER_TURN && ch->fd >= 0; i++) {
        unsigned char bytes[SCAN_RECORD_SIZE];
        size_t len;
        int fd;
        enum err e = fdpass_recv(ch->fd, bytes, sizeof(bytes), &len, &fd);
        if (e == ERR_AGAIN)
            return;
        if (fd >= 0) { /* a host has no descriptor to give */
            close(fd);
            e = ERR_FULL;
        }
        if (e == ERR_CLOSED || e == ERR_IO)
            channel_close(ch, VERDICT_REASON_DOWN, host_gone);
        else if (e != ERR_OK || !record_arrived(ch, span_of(bytes, len)))
            channel_broken(ch);
    }
}

/* What is on its way over CH may finish there. */
static void channel_retire(struct client_channel *ch)
{
    ch->client->channels[ch->pool] = NULL;
    ch->retired = true;
    list_append(&ch->client->retired, &ch->node);
    engines_lost(ch->client, ch, NULL);
    if (list_empty(&ch->calls))
        channel_discard(ch);
}

static void client_attach(struct scan_client *c, int pool_index, unsigned generation, int fd, bool takes_over)
{
    OBJ_CHECK(c, CLIENT_MAGIC);
    struct client_channel *ch = NULL;
    bool known = pool_index >= 0 && (size_t)pool_index < c->fw->pool_count;
    if (!known || !(ch = MEM_NEW(struct client_channel))) {
        close(fd);
        if (known && c->broken) /* a fresh host brings a fresh channel; without one the pool would be lost for good */
            c->broken(c->broken_arg, pool_index, generation);
        return;
    }
    if (c->channels[pool_index]) {
        c->channels[pool_index]->followed = takes_over;
        channel_retire(c->channels[pool_index]);
    }
    ch->client = c;
    ch->pool = pool_index;
    ch->generation = generation;
    ch->fd = fd;
    list_init(&ch->calls);
    list_init(&ch->node);
    loop_deferred_init(&ch->reaper, channel_reap, ch);
    loop_watch_init(&ch->watch, c->loop, fd, channel_ready, ch);
    loop_watch_set(&ch->watch, LOOP_READ);
    c->channels[pool_index] = ch;
    pool_calls_moved(&c->pool_calls, c, pool_index, "the scan host was replaced");
    gap_close(&c->gaps[pool_index], true, takes_over);
}

void scan_client_attach(struct scan_client *c, int pool_index, unsigned generation, int fd)
{
    client_attach(c, pool_index, generation, fd, false);
}

void scan_client_take_over(struct scan_client *c, int pool_index, unsigned generation, int fd)
{
    client_attach(c, pool_index, generation, fd, true);
}

/* ---- the client ---- */

struct scan_client *scan_client_new(struct loop *l, struct scan_runtime *runtime, const struct log *log,
                                    bool log_status)
{
    const struct framework *fw = runtime->framework;
    struct scan_client *c = MEM_NEW(struct scan_client);
    if (!c)
        return NULL;
    OBJ_INIT(c, CLIENT_MAGIC);
    c->loop = l;
    c->runtime = runtime;
    c->fw = fw;
    c->log = log;
    c->log_status = log_status;
    loop_deferred_init(&c->change, client_changed, c);
    list_init(&c->retired);
    for (size_t i = 0; i < LIMIT_ENGINES; i++) {
        c->gaps[i].client = c;
        list_init(&c->gaps[i].calls);
        deadline_init(&c->gaps[i].limit, l, gap_expired, &c->gaps[i]);
    }
    pool_calls_init(&c->pool_calls);
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
    OBJ_CHECK(c, CLIENT_MAGIC);
    probes_free(c->probes);
    if (c->calls > 0 || !list_empty(&c->pool_calls.waiting)) /* they would point into freed memory */
        abort();
    for (size_t i = 0; i < LIMIT_ENGINES; i++)
        if (c->channels[i])
            channel_retire(c->channels[i]);
    LIST_EACH_SAFE (node, &c->retired) {
        struct client_channel *ch = container_of(node, struct client_channel, node);
        channel_drop(ch);
        loop_defer_cancel(&ch->reaper);
        channel_reap(ch);
    }
    for (size_t i = 0; i < LIMIT_ENGINES; i++)
        deadline_clear(&c->gaps[i].limit);
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

/* ---- calls ---- */

static void job_cancel(const struct scan_call *call)
{
    struct scan_record record = {.type = SCAN_CANCEL, .cancel = call->id};
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(&record, bytes);
    /* When it cannot be sent, the deadline ends the job at the broker. */
    if (call->id != 0 && call->channel->fd >= 0 && fdpass_send(call->channel->fd, span_of(bytes, len), -1) != ERR_OK)
        return;
}

static void call_expired(void *arg)
{
    struct scan_call *call = arg;
    OBJ_CHECK(call->client, CLIENT_MAGIC);
    job_cancel(call);
    call_fail(call, VERDICT_REASON_TIMEOUT, "no answer from the scan host before the deadline");
}

/* A free slot for the next job and its id, or 0. The serial number in the upper bits makes ids unique for good. */
static uint64_t job_id(struct scan_client *c)
{
    for (unsigned tries = 0; tries < SLOT_COUNT; tries++) {
        uint64_t id = ++c->serial;
        if (!c->slots[id & (SLOT_COUNT - 1)])
            return id;
    }
    return 0;
}

/* Why the engine cannot be asked now; VERDICT_REASON_NONE: it can. */
static enum verdict_reason call_obstacle(const struct scan_client *c, const struct scan_call *call, int pool,
                                         const char **detail)
{
    const struct client_engine *e = &c->engines[call->engine];
    if (pool < 0) {
        *detail = "this version of postern cannot run the engine";
        return VERDICT_REASON_DOWN;
    }
    if (!c->channels[pool]) {
        *detail = "the scan host is not running";
        return VERDICT_REASON_DOWN;
    }
    if (call->kind == SCAN_JOB_ENGINE && e->status.state == SCAN_ENGINE_FAILED) {
        *detail = e->status.detail;
        return VERDICT_REASON_DOWN;
    }
    return VERDICT_REASON_NONE;
}

static enum err job_send(struct scan_call *call, const struct client_channel *ch, uint64_t id)
{
    const struct framework_engine *engine = &call->client->fw->engines[call->engine];
    bool inspect = call->kind == SCAN_JOB_INSPECT;
    struct scan_record record = {.type = SCAN_JOB};
    unsigned char bytes[SCAN_RECORD_SIZE];
    record.job.id = id;
    record.job.kind = call->kind;
    record.job.size = call->size;
    record.job.deadline_us = call->until_us;
    record.job.parts_size = inspect ? 0 : call->parts_size;
    verdict_copy_text(record.job.engine, sizeof(record.job.engine), span_cstr(inspect ? SCAN_INSPECTOR : engine->name));
    memcpy(record.job.digest, call->digest, sizeof(record.job.digest));
    /* A new one each time: whoever had the last one may still write to it. */
    if (inspect && (call->parts = inspection_file_new()) < 0)
        return ERR_IO;
    size_t len = scan_record_encode(&record, bytes);
    const int fds[] = {call->fd, call->parts};
    enum err e = fdpass_send_many(ch->fd, span_of(bytes, len), fds, call->parts >= 0 ? 2 : 1);
    if (inspect && e != ERR_OK) {
        int saved = errno;
        close(call->parts);
        call->parts = -1;
        errno = saved;
    }
    return e;
}

static bool call_ask(struct scan_call *call, struct verdict *why)
{
    struct scan_client *c = call->client;
    const char *detail = NULL;
    int pool = call->kind == SCAN_JOB_INSPECT ? c->fw->inspection_pool : c->engines[call->engine].pool;
    if (pool >= 0 && gap_is_open(c, pool)) {
        call->waiting = true;
        call_link(call, &c->gaps[pool].calls);
        return true;
    }
    enum verdict_reason reason = call_obstacle(c, call, pool, &detail);
    if (reason != VERDICT_REASON_NONE) {
        verdict_set(why, VERDICT_ERROR, reason, detail);
        return false;
    }
    struct client_channel *ch = c->channels[pool];
    uint64_t id = job_id(c);
    enum err e = id ? job_send(call, ch, id) : ERR_AGAIN;
    if (e == ERR_AGAIN) {
        verdict_set(why, VERDICT_ERROR, VERDICT_REASON_OVERLOAD, "too many scans are waiting");
        return false;
    }
    if (e != ERR_OK) { /* a closed channel is noticed, and dropped, where it is read */
        verdict_set(why, VERDICT_ERROR, VERDICT_REASON_DOWN,
                    e == ERR_IO ? strerror(errno) : "the scan host closed the channel");
        return false;
    }
    call->id = id;
    call->channel = ch;
    c->slots[id & (SLOT_COUNT - 1)] = call;
    call_link(call, &ch->calls);
    return true;
}

void scan_call_init(struct scan_call *call, struct scan_client *c,
                    void (*answered)(struct scan_call *call, const struct verdict *v))
{
    *call = (struct scan_call){.client = c, .answered = answered, .fd = -1, .parts = -1};
    list_init(&call->node);
    deadline_init(&call->deadline, c->loop, call_expired, call);
}

/* A new job: its time begins. */
static void call_begin(struct scan_call *call)
{
    const struct framework_engine *engine = &call->client->fw->engines[call->engine];
    call->lost = false;
    call->until_us = clock_monotonic_us() + (uint64_t)engine->conf->timeout_ms * 1000;
}

bool scan_call_send_parts(struct scan_call *call, size_t engine, int fd, uint64_t size, const uint8_t digest[32],
                          int parts, uint64_t parts_size, struct verdict *why)
{
    OBJ_CHECK(call->client, CLIENT_MAGIC);
    call->kind = SCAN_JOB_ENGINE;
    call->engine = engine;
    call->fd = fd;
    call->size = size;
    call->parts = parts;
    call->parts_size = parts_size;
    call_begin(call);
    memcpy(call->digest, digest, sizeof(call->digest));
    return call_ask(call, why);
}

bool scan_call_send(struct scan_call *call, size_t engine, int fd, uint64_t size, const uint8_t digest[32],
                    struct verdict *why)
{
    return scan_call_send_parts(call, engine, fd, size, digest, -1, 0, why);
}

bool scan_call_inspect(struct scan_call *call, size_t engine, int fd, uint64_t size, const uint8_t digest[32],
                       struct verdict *why)
{
    OBJ_CHECK(call->client, CLIENT_MAGIC);
    call->kind = SCAN_JOB_INSPECT;
    call->engine = engine;
    call->fd = fd;
    call->size = size;
    call->parts = -1;
    call_begin(call);
    memcpy(call->digest, digest, sizeof(call->digest));
    return call_ask(call, why);
}

void scan_call_cancel(struct scan_call *call)
{
    if (call->id == 0 && !call->waiting)
        return;
    job_cancel(call);
    call_unlink(call);
}
