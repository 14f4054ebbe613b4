/* SPDX-License-Identifier: MIT */
/* Jobs out, answers in. A job is found through a bounded table by slot and serial number.
 *
 * Callers are told from the loop's calls only, so nothing here is freed under our feet.
 */
#include "base/obj.h"
#include "scan/scan_client_internal.h"
#include "sys/clock.h"
#include "sys/fdpass.h"
#include <errno.h>
#include <unistd.h>

enum {
    /* The broker kills the worker at the deadline and says so; ours is only for a broker that does not. */
    GRACE_MS = 1000,
    /* After the end of a host: the supervisor's word of the one that takes over is on its way already, or there is
       none. */
    GAP_MS = 2000,
};

/* Sends the call's job; otherwise WHY is its ERROR verdict. */
static bool call_ask(struct scan_call *call, struct verdict *why);

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
        client_channel_discard(ch);
}

/* The call is on its way from here on, as one of LIST. */
static void call_link(struct scan_call *call, struct list *list)
{
    uint64_t now = clock_monotonic_us();
    call->client->calls++;
    list_append(list, &call->node);
    deadline_set_ms(&call->deadline, (call->until_us > now ? (call->until_us - now) / 1000 : 0) + GRACE_MS);
}

void client_call_end(struct scan_call *call, const struct verdict *v)
{
    call_unlink(call);
    call->answered(call, v);
}

void client_call_fail(struct scan_call *call, enum verdict_reason reason, const char *detail)
{
    struct verdict v;
    verdict_set(&v, VERDICT_ERROR, reason, detail);
    client_call_end(call, &v);
}

void client_calls_fail(struct list *calls, enum verdict_reason reason, const char *detail)
{
    struct list *node;
    while ((node = list_take(calls)) != NULL)
        client_call_fail(container_of(node, struct scan_call, node), reason, detail);
}

static const char host_gone[] = "the scan host closed the channel";

void client_calls_repeat(struct list *calls)
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

void client_call_inspected(struct scan_call *call, const struct scan_inspection *i)
{
    int parts = call->parts;
    const char *why;
    if (inspection_file_seal(parts, i->size, &why) != ERR_OK) {
        client_call_fail(call, VERDICT_REASON_PROTOCOL, why);
        return;
    }
    call->parts = -1;
    call_unlink(call);
    call->inspected(call, i, parts);
}

static bool gap_is_open(const struct scan_client *c, int pool)
{
    return deadline_is_set(&c->gaps[pool].limit);
}

void client_gap_close(struct client_gap *gap, bool others, bool takes_over)
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

void client_gap_open(struct client_gap *gap)
{
    deadline_set_ms(&gap->limit, GAP_MS);
}

static void gap_expired(void *arg)
{
    client_gap_close(arg, false, false);
}

void client_gap_init(struct client_gap *gap, struct scan_client *c)
{
    gap->client = c;
    list_init(&gap->calls);
    deadline_init(&gap->limit, c->loop, gap_expired, gap);
}

struct scan_call *client_call_find(const struct client_channel *ch, uint64_t id)
{
    struct scan_call *call = ch->client->slots[id & (SLOT_COUNT - 1)];
    if (call && call->id == id && call->channel == ch)
        return call;
    ch->client->late_answers++;
    return NULL;
}

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
    OBJ_CHECK(call->client, SCAN_CLIENT_MAGIC);
    job_cancel(call);
    client_call_fail(call, VERDICT_REASON_TIMEOUT, "no answer from the scan host before the deadline");
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
    OBJ_CHECK(call->client, SCAN_CLIENT_MAGIC);
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
    OBJ_CHECK(call->client, SCAN_CLIENT_MAGIC);
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
