/* SPDX-License-Identifier: MIT */
/* Jobs out, answers in. What comes from a scan host is hostile input: a job is found through a bounded table by slot
 * and serial number, the name of the engine that decided is our own, and a record that makes no sense ends the channel.
 *
 * A run walks along the engines: run_advance() sends the next job or notes at once why it cannot, until a job is on its
 * way or the verdict is known. Callers are told from the loop's deferred calls only, so nothing here is freed under our
 * feet.
 */
#include "scan/scan_client.h"
#include "base/mem.h"
#include "base/obj.h"
#include "io/deadline.h"
#include "scan/ignore.h"
#include "sys/clock.h"
#include "sys/fdpass.h"
#include <errno.h>
#include <unistd.h>

enum {
    CLIENT_MAGIC = 0x5ca9c11e,
    RUN_MAGIC = 0x5ca9a094,
    /* Jobs on their way from one loop: more than a pool's Backlog holds for it in practice; one pointer each. */
    SLOT_BITS = 12,
    SLOT_COUNT = 1 << SLOT_BITS,
    /* The broker kills the worker at the deadline and says so; ours is only for a broker that does not. */
    GRACE_MS = 1000,
    /* Records per turn, so that a chatty host does not hold up the loop's sessions. */
    RECORDS_PER_TURN = 64,
};

/* The way to one generation of a pool's host. A newer one retires it: it takes no new jobs, and goes when it has no job
 * left. */
struct client_channel {
    struct scan_client *client;
    int pool;
    unsigned generation;
    int fd; /* -1: none */
    struct loop_watch watch;
    struct list jobs; /* scan_run.node */
    bool retired;
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
    const struct framework *fw;
    const struct log *log;
    bool log_status;
    struct client_channel *channels[LIMIT_ENGINES]; /* by pool; NULL: none */
    struct list retired;
    struct client_engine engines[LIMIT_ENGINES];
    struct scan_run *slots[SLOT_COUNT];
    uint64_t serial; /* of the last job */
    uint64_t late_answers;
    size_t runs;
    void (*changed)(void *arg);
    void *changed_arg;
    struct loop_deferred change;
    void (*broken)(void *arg, int pool_index, unsigned generation);
    void *broken_arg;
};

/* All engines with names and reasons of common length; far below a log line. */
enum { SCAN_RUN_WORDS = 1024 };

struct scan_run {
    unsigned magic;
    struct scan_client *client;
    int fd;
    uint64_t size;
    uint8_t digest[32];
    void (*wake)(void *arg);
    void *arg;
    size_t engine; /* index of the engine that is asked, or is asked next */
    uint64_t job;  /* its id; 0: no job is on its way */
    struct client_channel *channel;
    struct list node; /* in channel->jobs */
    struct deadline deadline;
    struct loop_deferred done;
    bool begun; /* VERDICT holds an engine's word */
    bool finished;
    struct verdict verdict;
    char words[SCAN_RUN_WORDS]; /* of each engine, in their order */
    size_t words_len;
};

static void run_result(struct scan_run *r, const struct verdict *v);
static void run_advance(struct scan_run *r);

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
        loop_defer(c->loop, &c->change);
        return true;
    }
    return false;
}

/* ---- channels ---- */

static void run_error(struct scan_run *r, enum verdict_reason reason, const char *detail)
{
    struct verdict v;
    verdict_set(&v, VERDICT_ERROR, reason, detail);
    run_result(r, &v);
}

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
static void run_unlink(struct scan_run *r)
{
    if (r->job == 0)
        return;
    struct client_channel *ch = r->channel;
    r->client->slots[r->job & (SLOT_COUNT - 1)] = NULL;
    r->job = 0;
    r->channel = NULL;
    list_remove(&r->node);
    deadline_clear(&r->deadline);
    if (ch->retired && list_empty(&ch->jobs))
        channel_discard(ch);
}

/* Ends the jobs of a channel that is gone; their runs go on with the next engine. */
static void jobs_fail(struct list *jobs, enum verdict_reason reason, const char *detail)
{
    struct list *node;
    while ((node = list_take(jobs)) != NULL)
        run_error(container_of(node, struct scan_run, node), reason, detail);
}

/* Gives the jobs of a retired channel that is gone to the generation that replaced it: a reload, or an older host that
 * dies after it, is no reason to turn a message away. */
static void jobs_repeat(struct list *jobs)
{
    struct list *node;
    while ((node = list_take(jobs)) != NULL) {
        struct scan_run *r = container_of(node, struct scan_run, node);
        run_unlink(r);
        run_advance(r);
    }
}

static void channel_close(struct client_channel *ch, enum verdict_reason reason, const char *detail)
{
    struct scan_client *c = ch->client;
    struct list jobs;
    list_init(&jobs);
    list_move_all(&jobs, &ch->jobs);
    bool retired = ch->retired;
    channel_discard(ch);
    if (retired) {
        jobs_repeat(&jobs);
        return;
    }
    c->channels[ch->pool] = NULL;
    list_append(&c->retired, &ch->node);
    engines_lost(c, ch, detail);
    jobs_fail(&jobs, reason, detail);
}

static void channel_broken(struct client_channel *ch)
{
    struct scan_client *c = ch->client;
    bool retired = ch->retired;
    channel_close(ch, VERDICT_REASON_PROTOCOL, "the scan host sent a record that makes no sense");
    if (!retired && c->broken) /* the host of a retired channel is about to end anyway */
        c->broken(c->broken_arg, ch->pool, ch->generation);
}

static void answer_arrived(struct client_channel *ch, const struct scan_answer *a)
{
    struct scan_client *c = ch->client;
    struct scan_run *r = c->slots[a->id & (SLOT_COUNT - 1)];
    if (!r || r->job != a->id || r->channel != ch) {
        c->late_answers++;
        return;
    }
    struct verdict v = a->verdict;
    v.generation = ch->generation;
    run_result(r, &v);
}

/* False: the record makes no sense here. */
static bool record_arrived(struct client_channel *ch, struct span bytes)
{
    struct scan_record r;
    if (scan_record_decode(bytes, &r) != ERR_OK)
        return false;
    switch (r.type) {
    case SCAN_ANSWER:
        answer_arrived(ch, &r.answer);
        return true;
    case SCAN_STATUS:
        return engine_status(ch->client, ch, &r.status);
    case SCAN_JOB:
    case SCAN_CANCEL:
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
            channel_close(ch, VERDICT_REASON_DOWN, "the scan host closed the channel");
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
    if (list_empty(&ch->jobs))
        channel_discard(ch);
}

void scan_client_attach(struct scan_client *c, int pool_index, unsigned generation, int fd)
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
    if (c->channels[pool_index])
        channel_retire(c->channels[pool_index]);
    ch->client = c;
    ch->pool = pool_index;
    ch->generation = generation;
    ch->fd = fd;
    list_init(&ch->jobs);
    list_init(&ch->node);
    loop_deferred_init(&ch->reaper, channel_reap, ch);
    loop_watch_init(&ch->watch, c->loop, fd, channel_ready, ch);
    loop_watch_set(&ch->watch, LOOP_READ);
    c->channels[pool_index] = ch;
}

/* ---- the client ---- */

struct scan_client *scan_client_new(struct loop *l, const struct framework *fw, const struct log *log, bool log_status)
{
    struct scan_client *c = MEM_NEW(struct scan_client);
    if (!c)
        return NULL;
    OBJ_INIT(c, CLIENT_MAGIC);
    c->loop = l;
    c->fw = fw;
    c->log = log;
    c->log_status = log_status;
    loop_deferred_init(&c->change, client_changed, c);
    list_init(&c->retired);
    for (size_t i = 0; i < fw->engine_count; i++)
        c->engines[i].pool = fw->engines[i].built ? framework_pool_index(fw, fw->engines[i].pool) : -1;
    return c;
}

void scan_client_free(struct scan_client *c)
{
    if (!c)
        return;
    OBJ_CHECK(c, CLIENT_MAGIC);
    if (c->runs > 0) /* they would point into freed memory */
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

uint64_t scan_client_late_answers(const struct scan_client *c)
{
    return c->late_answers;
}

/* ---- runs ---- */

static void run_done(void *arg)
{
    struct scan_run *r = arg;
    OBJ_CHECK(r, RUN_MAGIC);
    r->wake(r->arg); /* R may be gone now */
}

static void run_finish(struct scan_run *r)
{
    r->finished = true;
    loop_defer(r->client->loop, &r->done);
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* "clamav1=infected:Some.Virus", with what it was about where there is something. What does not fit is left out. */
static void run_add_word(struct scan_run *r, const struct verdict *v)
{
    const char *about = v->name[0] ? v->name : v->reason != VERDICT_REASON_NONE ? verdict_reason_word(v->reason) : "";
    char word[LIMIT_ENGINE_NAME + LIMIT_VERDICT_NAME + 32];
    int len = snprintf(word, sizeof(word), "%s%s=%s%s%s", r->words_len ? "; " : "", v->engine,
                       verdict_class_word(v->class), about[0] ? ":" : "", about);
    if (len <= 0 || (size_t)len >= sizeof(r->words) - r->words_len)
        return;
    memcpy(r->words + r->words_len, word, (size_t)len + 1);
    r->words_len += (size_t)len;
}

/* The whole message is a declared false alarm. Names are the engine's business: it alone can look for what is behind
 * one. */
static void run_ignore(const struct scan_run *r, struct verdict *v)
{
    const struct conf_list *ignored = &r->client->fw->engines[r->engine].conf->ignore_signatures;
    bool found = v->class == VERDICT_INFECTED || v->class == VERDICT_UNSCANNABLE;
    if (!found || !ignore_holds_digest(ignored, r->digest))
        return;
    char detail[LIMIT_VERDICT_TEXT + 1];
    snprintf(detail, sizeof(detail), "%s %.128s: the message is in ignore_signatures", verdict_class_word(v->class),
             v->name[0] ? v->name : verdict_reason_word(v->reason));
    v->class = VERDICT_CLEAN; /* the rest stays true: times, database, generation */
    v->reason = VERDICT_REASON_NONE;
    v->name[0] = '\0';
    verdict_copy_text(v->detail, sizeof(v->detail), span_cstr(detail));
}

/* Joins the word of the engine that was asked into the verdict. */
static void run_note(struct scan_run *r, const struct verdict *from)
{
    struct verdict v = *from;
    run_ignore(r, &v);
    verdict_copy_text(v.engine, sizeof(v.engine), span_cstr(r->client->fw->engines[r->engine].name));
    run_add_word(r, &v);
    uint64_t queue_us = add_saturated(r->verdict.queue_us, v.queue_us);
    uint64_t scan_us = add_saturated(r->verdict.scan_us, v.scan_us);
    if (!r->begun || framework_outranks(r->client->fw, &v, &r->verdict))
        r->verdict = v;
    r->verdict.queue_us = queue_us;
    r->verdict.scan_us = scan_us;
    r->begun = true;
    r->engine++;
}

/* The engine that was asked has spoken, or will not. */
static void run_result(struct scan_run *r, const struct verdict *v)
{
    run_unlink(r);
    run_note(r, v);
    run_advance(r);
}

static void job_cancel(struct scan_run *r)
{
    struct scan_record record = {.type = SCAN_CANCEL, .cancel = r->job};
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(&record, bytes);
    /* When it cannot be sent, the deadline ends the job at the broker. */
    if (r->channel->fd >= 0 && fdpass_send(r->channel->fd, span_of(bytes, len), -1) != ERR_OK)
        return;
}

static void run_expired(void *arg)
{
    struct scan_run *r = arg;
    OBJ_CHECK(r, RUN_MAGIC);
    job_cancel(r);
    run_error(r, VERDICT_REASON_TIMEOUT, "no answer from the scan host before the deadline");
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
static enum verdict_reason engine_obstacle(const struct scan_client *c, size_t engine, const char **detail)
{
    const struct client_engine *e = &c->engines[engine];
    if (e->pool < 0) {
        *detail = "this version of postern cannot run the engine";
        return VERDICT_REASON_DOWN;
    }
    if (!c->channels[e->pool]) {
        *detail = "the scan host is not running";
        return VERDICT_REASON_DOWN;
    }
    if (e->status.state == SCAN_ENGINE_FAILED) {
        *detail = e->status.detail;
        return VERDICT_REASON_DOWN;
    }
    return VERDICT_REASON_NONE;
}

static enum err job_send(const struct scan_run *r, const struct client_channel *ch, uint64_t id)
{
    const struct framework_engine *engine = &r->client->fw->engines[r->engine];
    struct scan_record record = {.type = SCAN_JOB};
    unsigned char bytes[SCAN_RECORD_SIZE];
    record.job.id = id;
    record.job.size = r->size;
    record.job.deadline_us = clock_monotonic_us() + (uint64_t)engine->conf->timeout_ms * 1000;
    verdict_copy_text(record.job.engine, sizeof(record.job.engine), span_cstr(engine->name));
    memcpy(record.job.digest, r->digest, sizeof(record.job.digest));
    size_t len = scan_record_encode(&record, bytes);
    return fdpass_send(ch->fd, span_of(bytes, len), r->fd);
}

/* Asks the engine that is next; otherwise WHY is its ERROR verdict. */
static bool run_ask(struct scan_run *r, struct verdict *why)
{
    struct scan_client *c = r->client;
    const char *detail = NULL;
    enum verdict_reason reason = engine_obstacle(c, r->engine, &detail);
    if (reason != VERDICT_REASON_NONE) {
        verdict_set(why, VERDICT_ERROR, reason, detail);
        return false;
    }
    struct client_channel *ch = c->channels[c->engines[r->engine].pool];
    uint64_t id = job_id(c);
    enum err e = id ? job_send(r, ch, id) : ERR_AGAIN;
    if (e == ERR_AGAIN) {
        verdict_set(why, VERDICT_ERROR, VERDICT_REASON_OVERLOAD, "too many scans are waiting");
        return false;
    }
    if (e != ERR_OK) { /* a closed channel is noticed, and dropped, where it is read */
        verdict_set(why, VERDICT_ERROR, VERDICT_REASON_DOWN,
                    e == ERR_IO ? strerror(errno) : "the scan host closed the channel");
        return false;
    }
    r->job = id;
    r->channel = ch;
    c->slots[id & (SLOT_COUNT - 1)] = r;
    list_append(&ch->jobs, &r->node);
    deadline_set_ms(&r->deadline, (uint64_t)c->fw->engines[r->engine].conf->timeout_ms + GRACE_MS);
    return true;
}

static void run_advance(struct scan_run *r)
{
    struct verdict why;
    const struct framework *fw = r->client->fw;
    while (r->engine < fw->engine_count && !(r->begun && framework_is_final(fw, &r->verdict))) {
        if (run_ask(r, &why))
            return;
        run_note(r, &why);
    }
    run_finish(r);
}

struct scan_run *scan_run_start(struct scan_client *c, int fd, uint64_t size, const uint8_t digest[32],
                                void (*wake)(void *arg), void *arg)
{
    OBJ_CHECK(c, CLIENT_MAGIC);
    struct scan_run *r = MEM_NEW(struct scan_run);
    if (!r)
        return NULL;
    OBJ_INIT(r, RUN_MAGIC);
    r->client = c;
    r->fd = fd;
    r->size = size;
    memcpy(r->digest, digest, sizeof(r->digest));
    r->wake = wake;
    r->arg = arg;
    list_init(&r->node);
    deadline_init(&r->deadline, c->loop, run_expired, r);
    loop_deferred_init(&r->done, run_done, r);
    c->runs++;
    if (c->fw->scan_off) {
        verdict_set(&r->verdict, VERDICT_SKIPPED, VERDICT_REASON_SCAN_OFF, NULL);
        run_finish(r);
    } else if (c->fw->engine_count == 0) {
        verdict_set(&r->verdict, VERDICT_ERROR, VERDICT_REASON_NO_ENGINE, NULL);
        run_finish(r);
    } else {
        run_advance(r);
    }
    return r;
}

const struct verdict *scan_run_verdict(const struct scan_run *r)
{
    OBJ_CHECK(r, RUN_MAGIC);
    return r->finished ? &r->verdict : NULL;
}

const char *scan_run_words(const struct scan_run *r)
{
    OBJ_CHECK(r, RUN_MAGIC);
    return r->words;
}

void scan_run_free(struct scan_run *r)
{
    if (!r)
        return;
    OBJ_CHECK(r, RUN_MAGIC);
    if (r->job != 0) {
        job_cancel(r);
        run_unlink(r);
    }
    loop_defer_cancel(&r->done);
    r->client->runs--;
    OBJ_FINI(r);
    mem_free(r);
}
