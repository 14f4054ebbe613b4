/* SPDX-License-Identifier: MIT */
/* The broker: opens the engines of its pool, serves the channels of the edge's loops and the supervisor's control
 * socket, and ends in good order. It never looks into a message. */
#include "scan/host/broker.h"
#include "scan/host/inspect.h"
#include "scan/host/loader.h"
#include "scan/host/look.h"

#include "base/mem.h"
#include "base/obj.h"
#include "sys/clock.h"
#include "sys/fdpass.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    CHANNEL_MAGIC = 0x43484e31,
    RECORDS_PER_TURN = 32,  /* from one channel before the others have theirs */
    LAST_ANSWERS_MS = 2000, /* at the end: how long an edge may take to fetch what is ready */
    SPARE_DESCRIPTORS = 64,
    CONTROL_HEAD = 3, /* type, and two octets that say nothing here (daemon/role.h) */
};

/* Channels. */

static void send_record(struct channel *c, const struct scan_record *r, enum err *e)
{
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(r, bytes);
    *e = fdpass_send(c->fd, span_of(bytes, len), -1);
}

static void channel_watch_update(struct channel *c)
{
    bool waiting = c->status_due || c->query_due || !list_empty(&c->outbox);
    loop_watch_set(&c->watch, waiting ? LOOP_WRITE : LOOP_READ);
}

static struct scan_status status_of(const struct host_engine *e)
{
    struct scan_status s = {.state = e->status,
                            .database_version = e->info.database_version,
                            .database_time = e->info.database_time,
                            .signatures = e->info.signatures,
                            .test_string = e->test_string};
    verdict_copy_text(s.engine, sizeof(s.engine), span_cstr(e->conf->name));
    verdict_copy_text(s.detail, sizeof(s.detail), span_cstr(e->detail));
    return s;
}

static enum err send_status(struct channel *c)
{
    const struct broker *b = c->broker;
    for (size_t i = 0; i < b->engine_count; i++) {
        const struct host_engine *e = &b->engines[i];
        struct scan_record r = {.type = SCAN_STATUS, .status = status_of(e)};
        enum err sent;
        if (b->refusal != VERDICT_REASON_NONE) {
            r.status.state = SCAN_ENGINE_FAILED;
            verdict_copy_text(r.status.detail, sizeof(r.status.detail), span_cstr(b->refusal_text));
        }
        send_record(c, &r, &sent);
        if (sent != ERR_OK)
            return sent;
    }
    return ERR_OK;
}

static enum err send_figures(struct channel *c)
{
    struct scan_record r = {.type = SCAN_POOL, .pool.id = c->query};
    enum err e;
    figures_report(c->broker, &r.pool);
    send_record(c, &r, &e);
    return e;
}

static enum err send_answer(struct channel *c, const struct job *j)
{
    struct scan_record r = {.type = SCAN_ANSWER, .answer = {.id = j->record.id, .verdict = j->verdict}};
    enum err e;
    if (j->inspected)
        r = (struct scan_record){.type = SCAN_INSPECTION,
                                 .inspected = {.id = j->record.id, .inspection = j->inspection}};
    send_record(c, &r, &e);
    return e;
}

/* Sends what waits. An edge that is gone shows at the next read. */
static void channel_flush(struct channel *c)
{
    if (c->status_due && send_status(c) != ERR_AGAIN)
        c->status_due = false;
    if (c->query_due && send_figures(c) != ERR_AGAIN)
        c->query_due = false;
    while (!c->status_due && !c->query_due && !list_empty(&c->outbox)) {
        struct job *j = container_of(c->outbox.next, struct job, node);
        if (send_answer(c, j) == ERR_AGAIN)
            break;
        job_reap(j);
    }
    channel_watch_update(c);
}

void channel_send_answer(struct channel *c, struct job *j)
{
    if (!list_empty(&c->outbox) || send_answer(c, j) == ERR_AGAIN) {
        list_append(&c->outbox, &j->node);
        channel_watch_update(c);
    } else {
        job_reap(j);
    }
}

static void channel_free(void *arg)
{
    struct channel *c = arg;
    OBJ_CHECK(c, CHANNEL_MAGIC);
    OBJ_FINI(c);
    mem_free(c);
}

static void channel_cancel(struct job *j)
{
    struct worker *w = j->state == JOB_RUNNING ? j->worker : NULL;
    job_drop(j);
    if (w)
        worker_kill(w, END_CANCELLED);
}

void channel_close(struct channel *c)
{
    struct broker *b = c->broker;
    LIST_EACH_SAFE (node, &b->queue) {
        struct job *j = container_of(node, struct job, node);
        if (j->channel == c)
            job_drop(j);
    }
    for (unsigned i = 0; i < b->worker_count; i++)
        if (b->workers[i].job && b->workers[i].job->channel == c)
            channel_cancel(b->workers[i].job);
    LIST_EACH_SAFE (node, &c->outbox)
        job_reap(container_of(node, struct job, node));
    loop_watch_stop(&c->watch);
    close(c->fd);
    list_remove(&c->node);
    loop_defer(b->loop, &c->reaper); /* after its jobs, which were armed before it */
    if (b->draining)
        pool_dispatch_soon(b);
}

/* Each waiting job holds a descriptor (two, where messages are taken apart), each worker two. A job that comes when
 * none is left loses its own on the way and is refused; so where the limit cannot be raised, fewer may wait. */
static void raise_descriptor_limit(struct broker *b)
{
    struct rlimit r;
    unsigned scanners = framework_scanners(b->options->framework, b->pool->name); /* three each, and a line a worker */
    rlim_t others = 2 * (rlim_t)b->concurrency + SPARE_DESCRIPTORS;
    if (scanners > 0)
        others += (rlim_t)b->concurrency + 3 * (rlim_t)scanners;
    bool inspects = b->options->framework->inspection_pool >= 0;
    rlim_t each = inspects ? 2 : 1, wanted = each * (rlim_t)b->pool->conf.backlog + others;
    b->queue_max = b->pool->conf.backlog;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= wanted)
        return;
    struct rlimit both = {.rlim_cur = wanted, .rlim_max = wanted > r.rlim_max ? wanted : r.rlim_max};
    struct rlimit soft = {.rlim_cur = r.rlim_max, .rlim_max = r.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &both) == 0)
        return;
    if (setrlimit(RLIMIT_NOFILE, &soft) != 0)
        soft.rlim_cur = r.rlim_cur;
    b->queue_max = soft.rlim_cur >= others + each ? (int64_t)((soft.rlim_cur - others) / each) : 1;
    log_text(b->log, LOG_SHORTAGE, "reason",
             "pool %s: Backlog and workers need %llu descriptors, the limit is %llu: only %lld scans may wait",
             b->pool->name, (unsigned long long)wanted, (unsigned long long)soft.rlim_cur, (long long)b->queue_max);
}

/* One at a time: nothing is read while an answer waits. */
static void channel_query(struct channel *c, const struct scan_query *q)
{
    struct broker *b = c->broker;
    if (q->concurrency != 0 && q->concurrency != b->concurrency) {
        log_text(b->log, LOG_POOL, "change", "pool %s: concurrency %u instead of %u, by command", b->pool->name,
                 q->concurrency, b->concurrency);
        pool_set_concurrency(b, q->concurrency);
        raise_descriptor_limit(b);
    }
    c->query = q->id;
    c->query_due = true;
    channel_flush(c);
}

/* The answer to a job that there is no memory for. False: the socket does not take it; without its channel the edge
 * asks again, elsewhere or later. */
static bool channel_refuse(struct channel *c, const struct scan_job *record)
{
    struct scan_record r = {.type = SCAN_ANSWER, .answer.id = record->id};
    enum err e;
    verdict_set(&r.answer.verdict, VERDICT_ERROR, VERDICT_REASON_DOWN, "the scan host has no memory for it");
    verdict_copy_text(r.answer.verdict.engine, sizeof(r.answer.verdict.engine), span_cstr(record->engine));
    send_record(c, &r, &e);
    return e == ERR_OK;
}

/* FDS is NULL where there was no number left for them. */
static bool channel_job(struct channel *c, const struct scan_job *record, const int fds[FDPASS_MAX])
{
    const struct broker *b = c->broker;
    if (!fds)
        log_text(b->log, LOG_SHORTAGE, "reason", "pool %s: no descriptor is left for a message: it is not scanned",
                 b->pool->name);
    if (job_new(c, record, fds))
        return true;
    log_text(b->log, LOG_SHORTAGE, "reason", "pool %s: no memory for a message: it is not scanned", b->pool->name);
    return channel_refuse(c, record);
}

static bool channel_record(struct channel *c, struct span bytes, const int fds[FDPASS_MAX])
{
    struct scan_record r;
    struct job *j;
    bool whole = scan_record_decode(bytes, &r) == ERR_OK;
    if (whole && r.type == SCAN_JOB)
        return channel_job(c, &r.job, fds);
    if (!fds) /* nothing else comes with any */
        return false;
    for (size_t i = 0; i < FDPASS_MAX; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (!whole)
        return false;
    switch (r.type) {
    case SCAN_CANCEL:
        j = job_find(c, r.cancel);
        if (j) /* otherwise its answer is on the way */
            channel_cancel(j);
        return true;
    case SCAN_QUERY:
        channel_query(c, &r.query);
        return true;
    case SCAN_JOB:
    case SCAN_ANSWER:
    case SCAN_STATUS:
    case SCAN_POOL:
    case SCAN_INSPECTION:
        break;
    }
    return false;
}

static void channel_ready(void *arg, int events)
{
    struct channel *c = arg;
    OBJ_CHECK(c, CHANNEL_MAGIC);
    if (events & LOOP_WRITE)
        channel_flush(c);
    for (int i = 0; i < RECORDS_PER_TURN && list_empty(&c->outbox) && !c->query_due; i++) {
        unsigned char bytes[SCAN_RECORD_SIZE];
        size_t len;
        int fds[FDPASS_MAX];
        enum err e = fdpass_recv_many(c->fd, bytes, sizeof(bytes), &len, fds);
        if (e == ERR_AGAIN)
            return;
        bool lost = e == ERR_FULL && len > 0;
        if ((e == ERR_OK || lost) && channel_record(c, span_of(bytes, len), lost ? NULL : fds))
            continue;
        if (e != ERR_CLOSED)
            log_text(c->broker->log, LOG_PROTOCOL, "reason",
                     "pool %s: a record from the edge is malformed, or cannot be answered: its channel is closed",
                     c->broker->pool->name);
        channel_close(c);
        return;
    }
}

void broker_open_channel(struct broker *b, int fd)
{
    struct channel *c = MEM_NEW(struct channel);
    if (!c) { /* who has the other end sees its end, and asks for another one */
        log_text(b->log, LOG_SHORTAGE, "reason", "pool %s: no memory for a channel: it is closed", b->pool->name);
        close(fd);
        return;
    }
    OBJ_INIT(c, CHANNEL_MAGIC);
    c->broker = b;
    c->fd = fd;
    list_init(&c->outbox);
    list_append(&b->channels, &c->node);
    loop_deferred_init(&c->reaper, channel_free, c);
    loop_watch_init(&c->watch, b->loop, fd, channel_ready, c);
    c->status_due = true;
    channel_flush(c);
}

void broker_status_changed(struct broker *b)
{
    LIST_EACH (node, &b->channels) {
        struct channel *c = container_of(node, struct channel, node);
        c->status_due = true;
        channel_flush(c);
    }
}

/* Control, and the end. */

static bool answers_wait(const struct broker *b)
{
    LIST_EACH (node, &b->channels)
        if (!list_empty(&container_of(node, struct channel, node)->outbox))
            return true;
    return false;
}

void broker_check_stopped(struct broker *b)
{
    if (!b->stopping || pool_is_busy(b))
        return;
    pool_retire_all(b);
    if (!pool_is_empty(b))
        return;
    if (!answers_wait(b))
        loop_stop(b->loop);
    else if (!deadline_is_set(&b->stop_limit))
        deadline_set_ms(&b->stop_limit, LAST_ANSWERS_MS);
}

static void stop_limit_reached(void *arg)
{
    struct broker *b = arg;
    loop_stop(b->loop);
}

static void broker_stop(struct broker *b)
{
    b->stopping = true;
    loop_watch_stop(&b->control);
    LIST_EACH_SAFE (node, &b->queue)
        job_fail(container_of(node, struct job, node), VERDICT_REASON_DOWN, "the scan host is ending");
    pool_dispatch_soon(b);
}

/* What is queued and what still comes over the channels is scanned; each loop of the edge closes its own when it has
 * all its answers. */
static void broker_drain(struct broker *b)
{
    b->draining = true;
    watch_stop(&b->databases);
    pool_dispatch_soon(b);
}

static void control_ready(void *arg, int events)
{
    (void)events;
    struct broker *b = arg;
    char bytes[16];
    size_t len;
    int fd;
    enum err e = fdpass_recv(b->options->control_fd, bytes, sizeof(bytes), &len, &fd);
    if (e == ERR_AGAIN)
        return;
    if (e == ERR_FULL) /* likewise, where it was a channel's */
        log_text(b->log, LOG_SHORTAGE, "reason", "pool %s: no descriptor is left for a channel: it is closed",
                 b->pool->name);
    else if (e != ERR_OK)
        broker_stop(b);
    else if (bytes[0] == 'C' && fd >= 0)
        broker_open_channel(b, fd);
    else if (fd >= 0)
        close(fd);
    else if (bytes[0] == 'D')
        broker_drain(b);
}

static void broker_turn(void *arg)
{
    struct broker *b = arg;
    pool_dispatch(b);
    if (b->draining && !b->stopping && list_empty(&b->channels))
        broker_stop(b);
    broker_check_stopped(b);
}

static void tell_supervisor(const struct broker *b, char type, const struct scan_record *status)
{
    unsigned char bytes[CONTROL_HEAD + SCAN_RECORD_SIZE] = {(unsigned char)type};
    size_t len = CONTROL_HEAD;
    if (status)
        len += scan_record_encode(status, bytes + CONTROL_HEAD);
    enum err e = fdpass_send(b->options->control_fd, span_of(bytes, len), -1);
    if (e != ERR_OK && e != ERR_CLOSED) /* closed: it is about to say that it wants us to end */
        log_text(b->log, LOG_SHORTAGE, "reason", "pool %s: the supervisor could not be told '%c': %s", b->pool->name,
                 type, err_name(e));
}

void broker_database_changed(struct broker *b)
{
    if (!b->draining && !b->stopping)
        tell_supervisor(b, 'H', NULL);
}

static void database_changed(void *arg)
{
    broker_database_changed(arg);
}

/* Start. */

static void engine_log(const struct broker *b, const struct host_engine *e)
{
    static const char *const test_string_words[] = {[SCAN_TEST_STRING_UNTRIED] = NULL,
                                                    [SCAN_TEST_STRING_FOUND] = "found",
                                                    [SCAN_TEST_STRING_UNKNOWN] = "unknown to this database"};
    bool ready = e->status == SCAN_ENGINE_READY;
    struct log_record r;
    if (!ready && b->options->replaces) /* the engine of the older generation is not down */
        return;
    log_begin(&r, b->log, ready ? LOG_ENGINE_READY : LOG_ENGINE_DOWN);
    log_cstr(&r, "engine", e->conf->name);
    log_cstr(&r, "type", e->conf->type);
    log_cstr(&r, "pool", b->pool->name);
    if (ready) {
        log_cstr(&r, "version", e->info.version);
        log_u64(&r, "signatures", e->info.signatures);
        log_u64(&r, "database_version", e->info.database_version);
        log_cstr(&r, "missing", e->info.missing[0] ? e->info.missing : NULL);
        log_u64(&r, "generation", b->options->generation);
        log_cstr(&r, "test_string", test_string_words[e->test_string]);
        log_ms(&r, "loaded_ms", e->loaded_us);
    } else {
        log_cstr(&r, "reason", e->detail);
        log_cstr(&r, "configured_at", b->options->origin);
    }
    log_end(&r);
}

void broker_engine_news(struct broker *b, struct host_engine *e, const struct scan_status *news)
{
    if (e->info.database_version == news->database_version && strcmp(e->info.version, news->detail) == 0)
        return; /* another worker said so before */
    e->info.database_version = news->database_version;
    e->info.database_time = news->database_time;
    snprintf(e->info.version, sizeof(e->info.version), "%.127s", news->detail);
    snprintf(e->detail, sizeof(e->detail), "%s", news->detail);
    engine_log(b, e);
    broker_status_changed(b);
}

static void engine_open(struct broker *b, const struct framework_engine *conf)
{
    struct host_engine *e = &b->engines[b->engine_count++];
    struct errtext why = {.text = "this version cannot run engines of that type"};
    const struct scan_host_scanner *scanners = b->options->scanners;
    e->values = *conf->conf;
    e->values.workers = (unsigned)b->pool->conf.concurrency;
    if (scanners) {
        e->values.scanner.program_fd = scanners[conf - b->options->framework->engines].program;
        e->values.scanner.log_fd = scanners[conf - b->options->framework->engines].log;
    }
    uint64_t begun = clock_monotonic_us();
    e->values.plugin.instance = conf->name;
    e->conf = conf;
    e->type = engine_type_find(conf->type, conf->conf);
    e->status = SCAN_ENGINE_FAILED;
    e->database = e->type && e->type->database ? e->type->database(conf->conf) : NULL;
    if (e->database && conf->conf->database_watch)
        watch_add(&b->databases, e->database, e->type->foreign, (uint64_t)conf->conf->database_settle_ms);
    if (e->type && e->type->open(&e->values, &e->state, &e->info, &why) == ERR_OK) {
        e->status = SCAN_ENGINE_READY;
        b->net = b->net || e->type->cage == ENGINE_CAGE_NET;
        const struct engine_needs *needs = e->type->needs ? e->type->needs(e->state) : NULL;
        b->widened = b->widened || (needs && needs->widened);
    }
    verdict_copy_text(e->detail, sizeof(e->detail),
                      span_cstr(e->status == SCAN_ENGINE_READY ? e->info.version : why.text));
    e->file_base = e->status == SCAN_ENGINE_READY && e->type->file_base ? e->type->file_base(conf->conf) : NULL;
    /* Said once at start; then each message says so, until it is mended. */
    if (e->file_base && handover_try(e->file_base, &why) != ERR_OK)
        log_text(b->log, LOG_ENGINE_DOWN, "reason", "engine %s: %s", conf->name, why.text);
    if (e->status == SCAN_ENGINE_READY && e->type->try_daemon && e->type->try_daemon(e->state, &why) != ERR_OK)
        log_text(b->log, LOG_ENGINE_DOWN, "reason", "engine %s: nobody is there to be asked: %s", conf->name, why.text);
    e->loaded_us = clock_monotonic_us() - begun;
}

static void report_engine(const struct broker *b, const struct host_engine *e)
{
    const struct scan_record r = {.type = SCAN_STATUS, .status = status_of(e)};
    tell_supervisor(b, 'E', &r);
}

/* A database that is a fraction of what it should be loads as well as a whole one. */
static void check_size(struct host_engine *e)
{
    char text[LIMIT_VERDICT_TEXT + 1];
    if (e->status != SCAN_ENGINE_READY || !e->database || e->info.signatures >= (uint64_t)e->conf->conf->min_signatures)
        return;
    snprintf(text, sizeof(text), "database %.100s: %llu signatures, expected at least %lld (min_signatures)",
             e->database, (unsigned long long)e->info.signatures, (long long)e->conf->conf->min_signatures);
    e->status = SCAN_ENGINE_FAILED;
    verdict_copy_text(e->detail, sizeof(e->detail), span_cstr(text));
}

/* At a first start there is nothing to compare with. */
static void log_doubt(const struct broker *b, const struct host_engine *e)
{
    struct log_record r;
    if (e->status != SCAN_ENGINE_READY || e->test_string != SCAN_TEST_STRING_UNKNOWN ||
        e->conf->conf->test_string == TEST_STRING_IGNORED)
        return;
    log_begin(&r, b->log, LOG_ENGINE_DOUBT);
    log_cstr(&r, "engine", e->conf->name);
    log_u64(&r, "generation", b->options->generation);
    log_u64(&r, "signatures", e->info.signatures);
    log_cstr(&r, "reason",
             "its signatures do not find the standard anti-virus test string, as whole official databases do; "
             "test_string = required would refuse them, test_string = ignored accepts them without a word");
    log_end(&r);
}

/* The engines are loaded and tried: whatever came of it, from here on the supervisor is listened to. */
static void broker_ready(struct broker *b)
{
    for (size_t i = 0; i < b->engine_count; i++) {
        check_size(&b->engines[i]);
        engine_log(b, &b->engines[i]);
        log_doubt(b, &b->engines[i]);
        report_engine(b, &b->engines[i]);
    }
    tell_supervisor(b, 'L', NULL);
    figures_start(b); /* without the canary's */
    watch_start(&b->databases, b->loop, database_changed, b);
    loop_watch_set(&b->control, LOOP_READ);
}

static void open_engines(struct broker *b)
{
    const struct framework *fw = b->options->framework;
    for (size_t i = 0; i < fw->engine_count; i++)
        if (fw->engines[i].pool && strcmp(fw->engines[i].pool, b->pool->name) == 0)
            engine_open(b, &fw->engines[i]);
}

static int broker_run(struct broker *b)
{
    struct errtext why;
    b->loop = loop_new();
    if (!b->loop || pool_init(b, &why) != ERR_OK) {
        log_text(b->log, LOG_SHORTAGE, "reason", "pool %s: no memory for the event loop or the workers", b->pool->name);
        return EXIT_FAILURE;
    }
    loop_deferred_init(&b->dispatch, broker_turn, b);
    deadline_init(&b->stop_limit, b->loop, stop_limit_reached, b);
    loop_watch_init(&b->control, b->loop, b->options->control_fd, control_ready, b);
    keeper_start(&b->keeper, b);
    pool_dispatch_soon(b);
    plugin_output_watch(&b->output, b->loop);
    canary_start(&b->canary, b, broker_ready);
    loop_run(b->loop);
    canary_stop(&b->canary);
    plugin_output_stop(&b->output);
    watch_stop(&b->databases);
    deadline_clear(&b->stop_limit);
    loop_watch_stop(&b->control);
    return EXIT_SUCCESS;
}

/* The reapers run from the loop, which has ended: what is still open is closed, then one last turn frees it. */
static void broker_release(struct broker *b)
{
    if (b->loop && b->workers) {
        LIST_EACH_SAFE (node, &b->channels)
            channel_close(container_of(node, struct channel, node));
        struct loop_deferred last;
        loop_deferred_init(&last, stop_limit_reached, b);
        loop_defer(b->loop, &last);
        loop_run(b->loop);
        loop_defer_cancel(&b->dispatch);
    }
    keeper_stop(&b->keeper);
    for (size_t i = 0; i < b->engine_count; i++)
        if (b->engines[i].state)
            b->engines[i].type->close(b->engines[i].state);
    pool_release(b);
    inspector_free(b->inspection);
    loop_free(b->loop);
    mem_free(b);
}

int scan_host_run(const struct scan_host_options *o)
{
    struct broker *b = MEM_NEW(struct broker);
    if (!b) {
        log_text(o->log, LOG_SHORTAGE, "reason", "no memory for the scan host");
        return EXIT_FAILURE;
    }
    b->options = o;
    b->pool = &o->framework->pools[o->pool_index];
    b->log = o->log;
    list_init(&b->channels);
    list_init(&b->queue);
    b->canary.fd = -1;
    watch_init(&b->databases);
    handover_token(b->token);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* Ctrl-C reaches the whole group; the supervisor decides, and says so on control */
    if (o->framework->inspection_pool == (int)o->pool_index)
        b->inspection = inspector_new();
    b->inspector = host_inspector(b->inspection != NULL);
    look_prepare();
    b->concurrency = (unsigned)b->pool->conf.concurrency;
    raise_descriptor_limit(b);
    b->foreign = framework_pool_is_plugins(o->framework, b->pool->name);
    if (b->foreign)
        loader_run_plugin(b, open_engines);
    else if (o->replaces)
        loader_run(b, open_engines);
    else
        open_engines(b);
    int status = broker_run(b);
    broker_release(b);
    return status;
}
