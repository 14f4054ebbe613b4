/* SPDX-License-Identifier: MIT */
/* Generations of a pool's scan host. Every change of phase is in this file; what starts one is a trigger, a report of a
 * host, its end, or a limit of time. */
#include "daemon/scan_pool_internal.h"
#include "sys/clock.h"
#include "sys/fdpass.h"
#include <errno.h>

enum {
    LOAD_LIMIT_MS = 15 * 60 * 1000, /* no database takes so long: its file system hangs */
    DRAIN_MARGIN_MS = 10 * 1000,    /* beyond the longest timeout of an engine, at which the last scan has ended */
};

static const char *const trigger_words[] = {
    [TRIGGER_NONE] = "",
    [TRIGGER_CHANGE] = "the database changed",
    [TRIGGER_RETRY] = "another try",
    [TRIGGER_SIGNAL] = "signal HUP",
    [TRIGGER_COMMAND] = "command",
};

static struct scan_host *other_host(struct scan_pool *p)
{
    return p->serving == &p->hosts[0] ? &p->hosts[1] : &p->hosts[0];
}

/* ---- channels ---- */

/* A host that waits for its start gets its ends then; meanwhile messages wait in the sockets. */
static bool is_reachable(const struct scan_host *h)
{
    return child_is_running(&h->child) || h->phase == HOST_WAITING;
}

/* A channel between H and one loop of the edge. */
static enum err connect_loop(struct scan_pool *p, struct scan_host *h, size_t loop)
{
    int pair[2];
    if (fdpass_pair(pair) != ERR_OK)
        return ERR_IO;
    child_send_channel(&h->child, p->index, loop, h->generation, pair[0]);
    child_send_channel(p->shared->edge, p->index, loop, h->generation, pair[1]);
    return ERR_OK;
}

/* The channels between the host that serves and the edge, if both run: whichever was started last calls this. */
void scan_pool_connect(struct scan_pool *p)
{
    struct scan_host *h = p->serving;
    if (!child_is_running(p->shared->edge) || !is_reachable(h))
        return;
    h->connected = true;
    for (size_t i = 0; i < p->shared->loops; i++) {
        if (connect_loop(p, h, i) != ERR_OK) {
            /* An edge without this channel could not scan for good: a new start of the host is a new try. */
            log_text(p->shared->log, LOG_SHORTAGE, "reason", "channel to %s: %s; the process is replaced", h->name,
                     strerror(errno));
            h->connected = false;
            child_kill(&h->child);
            return;
        }
    }
}

/* A host that is not connected gives every loop its channel when it is started. */
void scan_pool_connect_loop(struct scan_pool *p, size_t loop)
{
    struct scan_host *h = p->serving;
    if (loop >= p->shared->loops || !child_is_running(p->shared->edge) || !h->connected || !is_reachable(h))
        return;
    if (connect_loop(p, h, loop) == ERR_OK)
        log_text(p->shared->log, LOG_CHANNEL, "reason",
                 "%s: a thread of the edge (number %zu) had lost its channel to generation %u, and gets another one",
                 h->name, loop, h->generation);
    else /* it asks again */
        log_text(p->shared->log, LOG_SHORTAGE, "reason", "channel to %s: %s", h->name, strerror(errno));
}

/* ---- start ---- */

static enum err host_spawn(void *arg, int control, pid_t *pid, int *pidfd, struct errtext *why)
{
    struct scan_host *h = arg;
    if (!h->connected) /* otherwise the edge knows its number already */
        h->generation = ++h->pool->generations;
    return scan_pool_host_spawn(h, control, pid, pidfd, why);
}

static void host_started(void *arg)
{
    struct scan_host *h = arg;
    h->loaded = false;
    h->reported = 0;
    if (h->phase == HOST_SERVING && !h->connected)
        scan_pool_connect(h->pool);
}

void scan_pool_start(struct scan_pool *p)
{
    p->serving->phase = HOST_SERVING;
    child_start(&p->serving->child);
}

/* ---- reload ---- */

static bool is_busy(struct scan_pool *p)
{
    return other_host(p)->phase != HOST_OFF || p->serving->phase == HOST_WAITING || !p->serving->loaded;
}

/* What waited may begin now. */
static void go_on(struct scan_pool *p)
{
    enum scan_pool_trigger why = p->waiting;
    if (why == TRIGGER_NONE || is_busy(p))
        return;
    p->waiting = TRIGGER_NONE;
    scan_pool_reload(p, why);
}

static void try_again_later(struct scan_pool *p)
{
    if (!p->no_reloads)
        deadline_set_ms(&p->retry, (uint64_t)p->conf->conf.reload_retry_ms);
}

static void retry_expired(void *arg)
{
    scan_pool_reload(arg, TRIGGER_RETRY);
}

/* Longer than any scan of this pool may take. */
static uint64_t drain_limit_ms(const struct scan_pool *p)
{
    const struct framework *fw = p->shared->framework;
    int64_t longest = 0;
    bool inspects = fw->inspection_pool == (int)p->index;
    for (size_t i = 0; i < fw->engine_count; i++) {
        const struct framework_engine *e = &fw->engines[i];
        bool ours = e->built && (strcmp(e->pool, p->conf->name) == 0 || (inspects && framework_inspects(e)));
        if (ours && e->conf->timeout_ms > longest)
            longest = e->conf->timeout_ms;
    }
    return (uint64_t)longest + DRAIN_MARGIN_MS;
}

/* The host has ended, or never ran. */
static void host_off(struct scan_host *h)
{
    child_give_up(&h->child);
    h->phase = HOST_OFF;
    h->connected = h->loaded = false;
    deadline_clear(&h->pool->limit);
}

/* OLD scans what it has and goes; a host that waits for that starts then. */
static void drain(struct scan_pool *p, struct scan_host *old)
{
    if (child_is_running(&old->child)) {
        old->phase = HOST_DRAINING;
        deadline_set_ms(&p->limit, drain_limit_ms(p));
        child_send_drain(&old->child);
        return;
    }
    host_off(old);
    if (p->serving->phase == HOST_WAITING)
        scan_pool_start(p);
}

static void take_over(struct scan_pool *p, struct scan_host *next)
{
    struct scan_host *old = p->serving;
    deadline_clear(&p->limit);
    p->serving = next;
    next->phase = HOST_SERVING;
    scan_pool_connect(p);
    scan_pool_log_done(p, next, old);
    scan_pool_note_best(p, next);
    p->reload_us = 0;
    if (p->waiting == TRIGGER_CHANGE) /* the new one has looked itself, before it loaded */
        p->waiting = TRIGGER_NONE;
    drain(p, old);
    go_on(p);
}

/* NEXT, which serves nobody, cannot be used. */
static void refuse(struct scan_pool *p, struct scan_host *next, const char *reason)
{
    scan_pool_log_failed(p, next->generation, true, reason);
    p->reload_us = 0;
    try_again_later(p);
    if (!child_is_running(&next->child)) {
        host_off(next);
        go_on(p);
        return;
    }
    next->phase = HOST_REFUSED;
    deadline_clear(&p->limit);
    child_end(&next->child);
}

/* As little as possible happens in between: the edge has its channels to the next generation already, and what it sends
 * waits in them. */
static void stop_first(struct scan_pool *p, struct scan_host *next)
{
    struct scan_host *old = p->serving;
    next->phase = HOST_WAITING;
    next->generation = ++p->generations;
    p->serving = next;
    scan_pool_connect(p);
    drain(p, old);
}

void scan_pool_reload(struct scan_pool *p, enum scan_pool_trigger why)
{
    if (!p->has_database || p->no_reloads)
        return;
    if (is_busy(p)) {
        if (why > p->waiting)
            p->waiting = why;
        return;
    }
    struct scan_host *next = other_host(p);
    deadline_clear(&p->retry);
    p->reload_us = clock_monotonic_us();
    scan_pool_log_start(p, p->generations + 1, trigger_words[why]);
    if (p->conf->conf.reload_mode == POOL_RELOAD_STOP_FIRST) {
        stop_first(p, next);
        return;
    }
    next->phase = HOST_COMING;
    deadline_set_ms(&p->limit, LOAD_LIMIT_MS);
    child_start(&next->child);
}

/* Coming too late, or not gone in time. */
static void limit_expired(void *arg)
{
    struct scan_pool *p = arg;
    struct scan_host *h = other_host(p);
    if (p->serving->phase == HOST_SERVING && !p->serving->loaded && h->phase != HOST_DRAINING) {
        log_text(p->shared->log, LOG_ENGINE_DOWN, "reason",
                 "%s: its signatures were not loaded in time: it is killed, and started again", p->serving->name);
        child_end(&p->serving->child);
        return;
    }
    if (h->phase == HOST_COMING) {
        refuse(p, h, "its signatures were not loaded in time");
        return;
    }
    log_text(p->shared->log, LOG_STOP, "reason", "%s: generation %u did not drain in time: it is killed", h->name,
             h->generation);
    child_end(&h->child);
}

/* ---- what hosts say ---- */

static void engine_reported(struct scan_host *h, struct span record)
{
    struct scan_record r;
    if (h->reported < LIMIT_ENGINES && scan_record_decode(record, &r) == ERR_OK && r.type == SCAN_STATUS)
        h->engines[h->reported++] = r.status;
}

/* The one that serves has loaded: at start, when it was started again, or after stop_first. */
static void serving_loaded(struct scan_pool *p, struct scan_host *h)
{
    struct errtext why = {""};
    bool failed = false;
    for (size_t i = 0; i < h->engine_count; i++)
        failed = failed || h->engines[i].state != SCAN_ENGINE_READY;
    const struct scan_host *old = p->reload_us ? other_host(p) : NULL;
    /* At the first start there is nothing to compare with. */
    bool worse = (old || p->best_count > 0) && !scan_pool_judge(p, old, h, &why);
    if (worse)
        scan_pool_log_failed(p, h->generation, false, why.text);
    else if (old)
        scan_pool_log_done(p, h, old);
    p->reload_us = 0;
    scan_pool_note_best(p, h);
    if ((failed || worse) && p->has_database)
        try_again_later(p);
    go_on(p);
}

static void host_loaded(struct scan_host *h)
{
    struct scan_pool *p = h->pool;
    struct errtext why = {""};
    h->loaded = true;
    h->engine_count = h->reported;
    if (h->phase == HOST_SERVING) {
        if (other_host(p)->phase != HOST_DRAINING)
            deadline_clear(&p->limit);
        serving_loaded(p, h);
        return;
    }
    if (h->phase != HOST_COMING)
        return;
    const struct scan_host *now = p->serving;
    if (!scan_pool_judge(p, now, h, &why)) {
        refuse(p, h, why.text);
        return;
    }
    bool failed = false;
    for (size_t i = 0; i < h->engine_count; i++)
        failed = failed || h->engines[i].state != SCAN_ENGINE_READY;
    if (failed)
        try_again_later(p);
    take_over(p, h);
}

static void host_message(void *arg, struct span bytes)
{
    struct scan_host *h = arg;
    if (bytes.len < ROLE_HEAD)
        return;
    switch (bytes.ptr[0]) {
    case ROLE_ENGINE:
        engine_reported(h, span_sub(bytes, ROLE_HEAD, bytes.len));
        break;
    case ROLE_LOADED:
        host_loaded(h);
        break;
    case ROLE_CHANGED:
        if (h == h->pool->serving)
            scan_pool_reload(h->pool, TRIGGER_CHANGE);
        break;
    default:
        break;
    }
}

/* ---- ends ---- */

/* The host that served has died: the one that loads is nearer to serving than the other, started again, would be. */
static void promote(struct scan_pool *p, struct scan_host *next)
{
    host_off(p->serving); /* and the time limit that NEXT had */
    p->serving = next;
    next->phase = HOST_SERVING;
    deadline_set_ms(&p->limit, LOAD_LIMIT_MS);
    scan_pool_connect(p); /* messages wait in the channels until it has loaded */
}

/* True: it is started again. */
static bool host_ended(void *arg, const struct child_end *end)
{
    struct scan_host *h = arg;
    struct scan_pool *p = h->pool;
    enum scan_host_phase phase = h->phase;
    h->loaded = h->connected = false;
    if (phase == HOST_SERVING && !p->closing) {
        if (other_host(p)->phase != HOST_COMING)
            return true;
        promote(p, other_host(p));
        return false;
    }
    host_off(h);
    if (phase == HOST_COMING && !p->no_reloads) {
        scan_pool_log_failed(p, h->generation, true, end->text);
        p->reload_us = 0;
        try_again_later(p);
    }
    if (!p->closing && p->serving->phase == HOST_WAITING)
        scan_pool_start(p);
    else
        go_on(p);
    p->shared->host_gone(p->shared->arg);
    return false;
}

void scan_pool_broken(struct scan_pool *p, unsigned generation)
{
    for (size_t i = 0; i < ARRAY_SIZE(p->hosts); i++) {
        struct scan_host *h = &p->hosts[i];
        if (h->generation != generation || !child_is_running(&h->child))
            continue;
        log_text(p->shared->log, LOG_PROTOCOL, "detail",
                 "%s: it sent a record that makes no sense, or it hangs: it is killed", h->name);
        child_kill(&h->child);
    }
}

void scan_pool_settle(struct scan_pool *p)
{
    struct scan_host *other = other_host(p);
    p->no_reloads = true;
    p->waiting = TRIGGER_NONE;
    deadline_clear(&p->retry);
    if (other->phase != HOST_COMING)
        return;
    if (child_is_running(&other->child)) {
        other->phase = HOST_REFUSED;
        child_end(&other->child);
    } else {
        host_off(other);
    }
}

void scan_pool_close(struct scan_pool *p)
{
    scan_pool_settle(p);
    p->closing = true;
    for (size_t i = 0; i < ARRAY_SIZE(p->hosts); i++) {
        child_give_up(&p->hosts[i].child);
        child_close_control(&p->hosts[i].child);
    }
}

void scan_pool_kill(struct scan_pool *p)
{
    for (size_t i = 0; i < ARRAY_SIZE(p->hosts); i++)
        child_kill(&p->hosts[i].child);
}

bool scan_pool_is_running(const struct scan_pool *p)
{
    return child_is_running(&p->hosts[0].child) || child_is_running(&p->hosts[1].child);
}

/* ---- life ---- */

static const struct child_hooks host_hooks = {
    .spawn = host_spawn, .started = host_started, .message = host_message, .ended = host_ended};

enum err scan_pool_init(struct scan_pool *p, const struct scan_pool_shared *shared, size_t index, struct errtext *why)
{
    const struct framework *fw = shared->framework;
    *p = (struct scan_pool){.shared = shared, .conf = &fw->pools[index], .index = index};
    p->slot_count = (size_t)p->conf->conf.concurrency + framework_scanners(fw, p->conf->name);
    p->serving = &p->hosts[0];
    for (size_t i = 0; i < fw->engine_count; i++)
        p->has_database = p->has_database ||
                          (framework_has_database(&fw->engines[i]) && strcmp(fw->engines[i].pool, p->conf->name) == 0);
    deadline_init(&p->limit, shared->loop, limit_expired, p);
    deadline_init(&p->retry, shared->loop, retry_expired, p);
    enum err e = ERR_OK;
    for (size_t i = 0; i < ARRAY_SIZE(p->hosts) && !e; i++)
        e = scan_pool_host_prepare(p, i, &host_hooks, why);
    return e;
}

void scan_pool_release(struct scan_pool *p)
{
    if (!p->shared)
        return;
    deadline_clear(&p->limit);
    deadline_clear(&p->retry);
    for (size_t i = 0; i < ARRAY_SIZE(p->hosts); i++)
        scan_pool_host_release(&p->hosts[i]);
}
