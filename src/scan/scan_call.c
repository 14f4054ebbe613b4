/* SPDX-License-Identifier: MIT */
/* Jobs out, answers in. A job is found through a bounded table by slot and serial number. A call that no host takes
 * now, because there is none or its channel is full, waits in front of its pool, in the order of arrival, as long as
 * its deadline allows: the supervisor starts hosts again, and a reload is no reason to turn a message away.
 *
 * Callers are told from the loop's calls only, so nothing here is freed under our feet.
 */
#include "base/obj.h"
#include "scan/scan_client_internal.h"
#include "sys/clock.h"
#include "sys/fdpass.h"
#include <errno.h>
#include <unistd.h>

/* The broker kills the worker at the deadline and says so; ours is only for a broker that does not. */
enum { GRACE_MS = 1000 };

static const char too_many[] = "too many scans are waiting";

static bool call_is_open(const struct scan_call *call)
{
    return call->id != 0 || call->waiting;
}

static atomic_uint *waiting_count(const struct scan_call *call)
{
    return &call->client->runtime->waiting[call->pool];
}

/* The job is no longer on its way: its slot is free, its timer off. */
static void call_unlink(struct scan_call *call)
{
    if (!call_is_open(call))
        return;
    struct client_channel *ch = call->channel;
    if (call->id != 0)
        call->client->slots[call->id & (SLOT_COUNT - 1)] = NULL;
    if (call->waiting)
        atomic_fetch_sub(waiting_count(call), 1);
    call->client->calls--;
    call->id = 0;
    call->waiting = false;
    call->channel = NULL;
    list_remove(&call->node);
    deadline_clear(&call->deadline);
    if (ch && ch->retired && list_empty(&ch->calls))
        client_channel_discard(ch);
}

/* Neither has it a file that a host was to fill. */
static void call_close(struct scan_call *call)
{
    call_unlink(call);
    if (call->kind == SCAN_JOB_INSPECT && call->parts >= 0) {
        close(call->parts);
        call->parts = -1;
    }
}

/* The call is open from here on, as one of LIST, for GRACE_MS longer than its deadline. */
static void call_link(struct scan_call *call, struct list *list, uint64_t grace_ms)
{
    uint64_t now = clock_monotonic_us();
    call->client->calls++;
    list_append(list, &call->node);
    deadline_set_ms(&call->deadline, (call->until_us > now ? (call->until_us - now + 999) / 1000 : 0) + grace_ms);
}

void client_call_end(struct scan_call *call, const struct verdict *v)
{
    call_close(call);
    call->answered(call, v);
}

void client_call_fail(struct scan_call *call, enum verdict_reason reason, const char *detail)
{
    struct verdict v;
    verdict_set(&v, VERDICT_ERROR, reason, detail);
    client_call_end(call, &v);
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

/* Whether the call has ended, for good or to be asked once more, by what its channel held: where this process itself
 * stood still, answers may have come long ago. CALL may be gone. */
static bool call_ends_by_reading(const struct scan_call *call)
{
    const struct scan_client *c = call->client;
    uint64_t id = call->id;
    client_channel_read(call->channel);
    const struct scan_call *there = c->slots[id & (SLOT_COUNT - 1)];
    return there != call || there->id != id;
}

static void call_expired(void *arg)
{
    struct scan_call *call = arg;
    OBJ_CHECK(call->client, SCAN_CLIENT_MAGIC);
    bool waited = call->waiting;
    struct client_channel *ch = waited ? NULL : call->channel;
    uint64_t begun_us = call->until_us - (uint64_t)call->client->fw->engines[call->engine].conf->timeout_ms * 1000;
    if (!waited && call_ends_by_reading(call))
        return;
    job_cancel(call);
    client_call_fail(call, VERDICT_REASON_TIMEOUT,
                     waited ? "no scan host took it before the deadline"
                            : "no answer from the scan host before the deadline");
    if (ch) /* it lives to the end of this turn at least */
        client_channel_silent(ch, begun_us);
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

/* Sends the job under a new *ID. */
static enum err job_offer(struct scan_call *call, const struct client_channel *ch, uint64_t *id)
{
    *id = job_id(call->client);
    return *id != 0 ? job_send(call, ch, *id) : ERR_FULL;
}

/* There may be room later, or another host: that this one is gone is noticed where its channel is read. */
static bool is_for_later(enum err offered)
{
    return offered == ERR_AGAIN || offered == ERR_CLOSED;
}

static void explain(enum err offered, struct verdict *why)
{
    if (offered == ERR_FULL)
        verdict_set(why, VERDICT_ERROR, VERDICT_REASON_OVERLOAD, too_many);
    else
        verdict_set(why, VERDICT_ERROR, VERDICT_REASON_DOWN, strerror(errno));
}

/* The host of CH has it. */
static void call_given(struct scan_call *call, struct client_channel *ch, uint64_t id)
{
    call->id = id;
    call->channel = ch;
    call->client->slots[id & (SLOT_COUNT - 1)] = call;
    call_link(call, &ch->calls, GRACE_MS);
}

/* In front of the pool there is room for as many as may wait inside. */
static bool call_wait(struct scan_call *call, struct verdict *why)
{
    struct scan_client *c = call->client;
    if (atomic_fetch_add(waiting_count(call), 1) >= (uint64_t)c->fw->pools[call->pool].conf.backlog) {
        atomic_fetch_sub(waiting_count(call), 1);
        verdict_set(why, VERDICT_ERROR, VERDICT_REASON_OVERLOAD, too_many);
        return false;
    }
    call->waiting = true;
    call_link(call, &c->waiting[call->pool], 0);
    if (c->channels[call->pool])
        client_channel_wait(c->channels[call->pool]);
    return true;
}

/* Gives the call to its pool; otherwise WHY is its ERROR verdict. */
static bool call_ask(struct scan_call *call, struct verdict *why)
{
    struct scan_client *c = call->client;
    const struct client_engine *e = &c->engines[call->engine];
    if (call->pool < 0) {
        verdict_set(why, VERDICT_ERROR, VERDICT_REASON_DOWN, "this version of postern cannot run the engine");
        return false;
    }
    if (call->kind == SCAN_JOB_ENGINE && e->status.state == SCAN_ENGINE_FAILED) {
        verdict_set(why, VERDICT_ERROR, VERDICT_REASON_DOWN, e->status.detail);
        return false;
    }
    struct client_channel *ch = list_empty(&c->waiting[call->pool]) ? c->channels[call->pool] : NULL;
    uint64_t id = 0;
    enum err offered = ch ? job_offer(call, ch, &id) : ERR_AGAIN;
    if (is_for_later(offered))
        return call_wait(call, why);
    if (offered == ERR_OK)
        call_given(call, ch, id);
    else
        explain(offered, why);
    return offered == ERR_OK;
}

void client_calls_flush(struct scan_client *c, int pool)
{
    struct list *list = &c->waiting[pool];
    struct client_channel *ch;
    while ((ch = c->channels[pool]) != NULL && !list_empty(list)) {
        struct scan_call *call = container_of(list->next, struct scan_call, node);
        struct verdict why;
        uint64_t id;
        enum err offered = job_offer(call, ch, &id);
        if (is_for_later(offered))
            return;
        call_unlink(call);
        if (offered == ERR_OK) {
            call_given(call, ch, id);
        } else {
            explain(offered, &why);
            call->answered(call, &why);
        }
    }
}

void client_calls_repeat(struct list *calls, enum verdict_reason reason, const char *detail)
{
    struct list *node;
    while ((node = list_take(calls)) != NULL) {
        struct scan_call *call = container_of(node, struct scan_call, node);
        struct verdict why;
        bool again = !call->lost;
        call_close(call);
        call->lost = true;
        if (!again)
            verdict_set(&why, VERDICT_ERROR, reason, detail);
        if (!again || !call_ask(call, &why))
            call->answered(call, &why);
    }
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
    call->pool = call->client->engines[engine].pool;
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
    call->pool = call->client->fw->inspection_pool;
    call->fd = fd;
    call->size = size;
    call->parts = -1;
    call_begin(call);
    memcpy(call->digest, digest, sizeof(call->digest));
    return call_ask(call, why);
}

void scan_call_cancel(struct scan_call *call)
{
    if (!call_is_open(call))
        return;
    job_cancel(call);
    call_close(call);
}
