/* SPDX-License-Identifier: MIT */
/* One job: admission, waiting, its one end. */
#include "scan/host/broker.h"

#include "base/mem.h"
#include "base/obj.h"

#include <sys/stat.h>
#include <unistd.h>

enum { JOB_MAGIC = 0x4a4f4231 };

static void job_free(void *arg)
{
    struct job *j = arg;
    OBJ_CHECK(j, JOB_MAGIC);
    OBJ_FINI(j);
    mem_free(j);
}

void job_reap(struct job *j)
{
    list_remove(&j->node);
    loop_defer(j->channel->broker->loop, &j->reaper);
}

static void job_close(struct job *j)
{
    if (j->fd >= 0)
        close(j->fd);
    if (j->parts >= 0)
        close(j->parts);
    j->fd = j->parts = -1;
}

static void job_unqueue(struct job *j)
{
    list_remove(&j->node);
    j->channel->broker->queue_len--;
    j->engine->queued--;
}

static void job_leave(struct job *j)
{
    struct broker *b = j->channel->broker;
    if (j->state == JOB_QUEUED && !list_empty(&j->node))
        job_unqueue(j);
    if (j->state == JOB_RUNNING) {
        figures_settle(b);
        figures_count(b, POOL_FINISHED, 1);
        figures_count(b, POOL_SCAN_US, loop_now_us(b->loop) - j->started_us);
        b->running--;
        j->engine->running--;
        j->worker->job = NULL;
    }
    j->state = JOB_ENDED;
    deadline_clear(&j->deadline);
    job_close(j);
    pool_dispatch_soon(b);
}

static void job_times(const struct job *j, uint64_t *queue_us, uint64_t *scan_us)
{
    uint64_t now = loop_now_us(j->channel->broker->loop);
    bool ran = j->state == JOB_RUNNING;
    *queue_us = (ran ? j->started_us : now) - j->arrived_us;
    *scan_us = ran ? now - j->started_us : 0;
}

void job_inspected(struct job *j, const struct scan_inspection *i)
{
    OBJ_CHECK(j, JOB_MAGIC);
    if (j->state == JOB_ENDED)
        return;
    j->inspected = true;
    j->inspection = *i;
    job_times(j, &j->inspection.queue_us, &j->inspection.scan_us);
    job_leave(j);
    channel_send_answer(j->channel, j);
}

void job_end(struct job *j, const struct verdict *v)
{
    OBJ_CHECK(j, JOB_MAGIC);
    if (j->state == JOB_ENDED)
        return;
    bool ran = j->state == JOB_RUNNING;
    j->verdict = *v;
    job_times(j, &j->verdict.queue_us, &j->verdict.scan_us);
    if (!ran || j->verdict.database_version == 0) /* an engine with servers says which one's it was */
        j->verdict.database_version = j->engine ? j->engine->info.database_version : 0;
    verdict_copy_text(j->verdict.engine, sizeof(j->verdict.engine), span_cstr(j->record.engine));
    job_leave(j);
    channel_send_answer(j->channel, j);
}

void job_fail(struct job *j, enum verdict_reason reason, const char *detail)
{
    struct verdict v;
    verdict_set(&v, verdict_reason_class(reason), reason, detail);
    job_end(j, &v);
}

void job_drop(struct job *j)
{
    OBJ_CHECK(j, JOB_MAGIC);
    if (j->state != JOB_ENDED)
        job_leave(j);
    job_reap(j);
}

static void job_deadline(void *arg)
{
    struct job *j = arg;
    OBJ_CHECK(j, JOB_MAGIC);
    struct worker *w = j->worker;
    bool ran = j->state == JOB_RUNNING;
    if (!ran)
        figures_count(j->channel->broker, POOL_EXPIRED, 1);
    job_fail(j, VERDICT_REASON_TIMEOUT,
             ran ? "the scan did not end before the deadline" : "no worker was free before the deadline");
    if (ran)
        worker_kill(w, END_DEADLINE);
}

struct job *job_find(struct channel *c, uint64_t id)
{
    struct broker *b = c->broker;
    LIST_EACH (node, &b->queue) {
        struct job *j = container_of(node, struct job, node);
        if (j->channel == c && j->record.id == id)
            return j;
    }
    for (unsigned i = 0; i < b->worker_count; i++) {
        struct job *j = b->workers[i].job;
        if (j && j->channel == c && j->record.id == id)
            return j;
    }
    return NULL;
}

static struct host_engine *engine_find(struct broker *b, const struct scan_job *record)
{
    if (record->kind == SCAN_JOB_INSPECT)
        return &b->inspector;
    for (size_t i = 0; i < b->engine_count; i++)
        if (strcmp(b->engines[i].conf->name, record->engine) == 0)
            return &b->engines[i];
    return NULL;
}

static void log_poison_refused(const struct job *j)
{
    char hex[2 * sizeof(j->record.digest) + 1];
    for (size_t i = 0; i < sizeof(j->record.digest); i++)
        snprintf(hex + 2 * i, 3, "%02x", j->record.digest[i]);
    struct log_record r;
    log_begin(&r, j->channel->broker->log, LOG_POISON);
    log_cstr(&r, "engine", j->record.engine);
    log_cstr(&r, "sha256", hex);
    log_cstr(&r, "reason", "not scanned: it ended several workers before");
    log_end(&r);
}

static bool is_file_of(int fd, uint64_t size)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
}

/* The descriptors must be what the record says: scanning less than what will be delivered would be a hole. */
static const char *misfit(const struct job *j)
{
    bool wanted = j->record.kind == SCAN_JOB_INSPECT || j->record.parts_size > 0;
    if (j->fd < 0)
        return "no descriptor came with the job";
    if (!is_file_of(j->fd, j->record.size))
        return "the descriptor is not a file of the size that the job states";
    if (wanted != (j->parts >= 0))
        return wanted ? "no file for decoded parts came with the job" : "a file of decoded parts came unasked";
    if (wanted && !is_file_of(j->parts, j->record.parts_size))
        return "the file of decoded parts has not the size that the job states";
    return NULL;
}

/* Why the job cannot wait for a worker, or NONE. LOST: there was no number left for its descriptors. */
static enum verdict_reason refuse(struct job *j, bool lost, const char **detail)
{
    struct broker *b = j->channel->broker;
    j->engine = engine_find(b, &j->record);
    if (!j->engine) {
        *detail = "this pool has no engine of that name";
        return VERDICT_REASON_DOWN;
    }
    if (b->stopping) {
        *detail = "the scan host is ending";
        return VERDICT_REASON_DOWN;
    }
    if (j->engine->status != SCAN_ENGINE_READY) {
        *detail = j->engine->detail;
        return VERDICT_REASON_DOWN;
    }
    if (b->refusal != VERDICT_REASON_NONE) {
        *detail = b->refusal_text;
        return b->refusal;
    }
    if (lost) {
        *detail = "the scan host has no descriptor left for it";
        return VERDICT_REASON_DOWN; /* no overload, which would keep other messages out for a while */
    }
    if ((*detail = misfit(j)) != NULL)
        return VERDICT_REASON_PROTOCOL;
    if (j->record.deadline_us <= j->arrived_us) {
        *detail = "the deadline had passed when the job was read";
        return VERDICT_REASON_TIMEOUT;
    }
    if (poison_has(&b->poison, j->record.digest)) {
        log_poison_refused(j);
        *detail = "this message ended several workers and is not scanned again";
        return VERDICT_REASON_POISON;
    }
    if (b->queue_len >= b->queue_max) {
        *detail = "as many scans wait as Backlog allows";
        return VERDICT_REASON_OVERLOAD;
    }
    return VERDICT_REASON_NONE;
}

struct job *job_new(struct channel *c, const struct scan_job *record, const int fds[FDPASS_MAX])
{
    struct broker *b = c->broker;
    struct job *j = MEM_NEW(struct job);
    if (!j) {
        for (size_t i = 0; fds && i < FDPASS_MAX; i++)
            if (fds[i] >= 0)
                close(fds[i]);
        return NULL;
    }
    OBJ_INIT(j, JOB_MAGIC);
    j->channel = c;
    j->record = *record;
    j->fd = fds ? fds[0] : -1;
    j->parts = fds ? fds[1] : -1;
    j->arrived_us = loop_now_us(b->loop);
    list_init(&j->node);
    deadline_init(&j->deadline, b->loop, job_deadline, j);
    loop_deferred_init(&j->reaper, job_free, j);
    const char *detail = NULL;
    enum verdict_reason reason = refuse(j, !fds, &detail);
    if (reason == VERDICT_REASON_OVERLOAD || reason == VERDICT_REASON_POISON)
        figures_count(b, reason == VERDICT_REASON_POISON ? POOL_POISONED : POOL_OVERLOADS, 1);
    if (reason != VERDICT_REASON_NONE) {
        job_fail(j, reason, detail);
        return j;
    }
    list_append(&b->queue, &j->node);
    b->queue_len++;
    j->engine->queued++;
    deadline_set_ms(&j->deadline, (record->deadline_us - j->arrived_us + 999) / 1000);
    pool_dispatch(b); /* at once: Backlog counts those that really wait */
    if ((uint64_t)b->queue_len > b->figures.queue_highest)
        b->figures.queue_highest = (uint64_t)b->queue_len;
    return j;
}

void job_start(struct job *j, struct worker *w)
{
    struct broker *b = j->channel->broker;
    job_unqueue(j);
    j->state = JOB_RUNNING;
    j->worker = w;
    j->started_us = loop_now_us(b->loop);
    figures_settle(b);
    figures_count(b, POOL_INVOCATIONS, 1);
    figures_count(b, POOL_QUEUE_US, j->started_us - j->arrived_us);
    b->running++;
    j->engine->running++;
    w->job = j;
    job_close(j); /* the worker has its own now */
}
