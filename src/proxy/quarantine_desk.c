/* SPDX-License-Identifier: MIT */
/* Errands and sweeps. An errand lives from its question to its answer; while one is on its way the proxy does not end,
 * so that no job comes home to a loop that is gone. */
#include "proxy/quarantine_desk.h"
#include "base/mem.h"
#include "proxy/quarantine_release.h"

enum { ASKED_BY_MAX = 64, ID_ROOM = 2 * QUARANTINE_ID_SIZE };

struct quarantine_desk {
    struct proxy *proxy;
    struct list errands;
    bool draining, sweeping;
    struct deadline sweep_timer;
    struct iopool_job sweep;
    bool sweep_again;
};

struct errand {
    struct list node;
    struct quarantine_desk *desk;
    struct iopool_job job;
    struct quarantine_question question;
    char id[ID_ROOM], asked_by[ASKED_BY_MAX];
    struct quarantine_release *release;
    struct loop_deferred over; /* of a release: it is freed outside its own call */
    enum err err;
    struct errtext why;
    struct quarantine_page page;
    struct quarantine_entry entry;
    void (*answer)(void *arg, const struct quarantine_answer *a);
    void *arg;
};

static const struct proxy_shared *desk_shared(const struct quarantine_desk *d)
{
    return d->proxy->shared;
}

static void desk_settle(struct quarantine_desk *d)
{
    if (d->draining)
        loop_defer(d->proxy->loop, &d->proxy->reaper);
}

/* --- sweeps --- */

static void sweep_run(struct iopool_job *job)
{
    struct quarantine_desk *d = container_of(job, struct quarantine_desk, sweep);
    const struct proxy_shared *shared = desk_shared(d);
    d->sweep_again = quarantine_sweep(shared->quarantine, shared->log->wallclock_ms(shared->log->arg));
}

static void sweep_done(struct iopool_job *job)
{
    struct quarantine_desk *d = container_of(job, struct quarantine_desk, sweep);
    d->sweeping = false;
    if (!d->draining) /* a part at a time, so that messages get their turn in the pool */
        deadline_set_ms(&d->sweep_timer, d->sweep_again ? 0 : (uint64_t)desk_shared(d)->quarantine_conf->sweep_ms);
    desk_settle(d);
}

static void desk_sweep(void *arg)
{
    struct quarantine_desk *d = arg;
    if (d->draining || d->sweeping)
        return;
    d->sweeping = true;
    d->sweep = (struct iopool_job){.run = sweep_run, .done = sweep_done, .reply_to = d->proxy->mailbox};
    iopool_submit(desk_shared(d)->iopool, &d->sweep);
}

/* --- errands --- */

/* What changed quarantine, and what failed. */
static void errand_log(const struct errand *e, enum log_event event, const char *what, const char *detail)
{
    struct log_record r;
    log_begin(&r, desk_shared(e->desk)->log, event);
    log_cstr(&r, "quarantine", e->id);
    log_cstr(&r, "action", what);
    log_cstr(&r, "asked_by", e->asked_by[0] ? e->asked_by : NULL);
    log_cstr(&r, "detail", detail);
    log_end(&r);
}

static void errand_end(struct errand *e, struct quarantine_answer *a)
{
    struct quarantine_desk *d = e->desk;
    e->answer(e->arg, a);
    quarantine_release_free(e->release);
    quarantine_page_release(&e->page);
    if (e->question.errand == QUARANTINE_SHOW && e->err == ERR_OK)
        quarantine_entry_release(&e->entry);
    list_remove(&e->node);
    loop_defer_cancel(&e->over);
    mem_free(e);
    desk_settle(d);
}

static void errand_run(struct iopool_job *job)
{
    struct errand *e = container_of(job, struct errand, job);
    struct quarantine *q = desk_shared(e->desk)->quarantine;
    switch (e->question.errand) {
    case QUARANTINE_LIST:
        e->err = quarantine_list(q, span_cstr(e->id), e->question.limit, &e->page, &e->why);
        break;
    case QUARANTINE_SHOW:
        e->err = quarantine_show(q, span_cstr(e->id), &e->entry, &e->why);
        break;
    case QUARANTINE_DELETE:
        e->err = quarantine_delete(q, span_cstr(e->id), &e->why);
        break;
    case QUARANTINE_RELEASE: /* not by a job */
        break;
    }
}

static void errand_done(struct iopool_job *job)
{
    struct errand *e = container_of(job, struct errand, job);
    struct quarantine_answer a = {.err = e->err,
                                  .text = e->why.text,
                                  .page = &e->page,
                                  .entry = &e->entry,
                                  .usage = quarantine_usage(desk_shared(e->desk)->quarantine)};
    if (e->question.errand == QUARANTINE_DELETE && e->err != ERR_SYNTAX && e->err != ERR_NOTFOUND)
        errand_log(e, e->err == ERR_OK ? LOG_QUARANTINE : LOG_QUARANTINE_FAILED, "delete",
                   e->err == ERR_OK ? NULL : e->why.text);
    errand_end(e, &a);
}

/* --- release --- */

static void errand_answer_release(void *arg)
{
    struct errand *e = arg;
    enum quarantine_release_outcome outcome = quarantine_release_outcome(e->release);
    struct quarantine_answer a = {.err = outcome == RELEASE_DELIVERED   ? ERR_OK
                                         : outcome == RELEASE_NOT_BEGUN ? quarantine_release_err(e->release)
                                                                        : ERR_CLOSED,
                                  .text = quarantine_release_text(e->release),
                                  .unknown = outcome == RELEASE_UNKNOWN};
    if (outcome == RELEASE_DELIVERED)
        errand_log(e, LOG_QUARANTINE, "release", a.text);
    else if (outcome != RELEASE_NOT_BEGUN)
        errand_log(e, LOG_QUARANTINE_FAILED, outcome == RELEASE_UNKNOWN ? "release-unknown" : "release-refused",
                   a.text);
    errand_end(e, &a);
}

static void errand_released(void *arg)
{
    struct errand *e = arg;
    loop_defer(e->desk->proxy->loop, &e->over);
}

static bool is_being_released(const struct quarantine_desk *d, struct span id)
{
    LIST_EACH (node, &d->errands) {
        const struct errand *e = container_of(node, struct errand, node);
        if (e->release && span_eq(span_cstr(e->id), id))
            return true;
    }
    return false;
}

/* One that is asked for while the same entry is on its way to the backend. */
static void errand_refuse(void *arg)
{
    struct errand *e = arg;
    struct quarantine_answer a = {.err = ERR_STATE, .text = "it is being released just now"};
    e->err = a.err;
    errand_end(e, &a);
}

static enum err errand_begin(struct errand *e)
{
    struct quarantine_desk *d = e->desk;
    bool changes = e->question.errand == QUARANTINE_RELEASE || e->question.errand == QUARANTINE_DELETE;
    if (changes && is_being_released(d, span_cstr(e->id))) {
        loop_deferred_init(&e->over, errand_refuse, e);
        loop_defer(d->proxy->loop, &e->over);
    } else if (e->question.errand == QUARANTINE_RELEASE) {
        e->release = quarantine_release_start(d->proxy, span_cstr(e->id), e->question.again, errand_released, e);
        return e->release ? ERR_OK : ERR_NOMEM;
    } else {
        e->job = (struct iopool_job){.run = errand_run, .done = errand_done, .reply_to = d->proxy->mailbox};
        iopool_submit(desk_shared(d)->iopool, &e->job);
    }
    return ERR_OK;
}

enum err quarantine_desk_ask(struct quarantine_desk *d, const struct quarantine_question *question,
                             void (*answer)(void *arg, const struct quarantine_answer *a), void *arg)
{
    if (d->draining)
        return ERR_STATE;
    struct errand *e = MEM_NEW(struct errand);
    if (!e)
        return ERR_NOMEM;
    e->desk = d;
    e->question = *question;
    e->answer = answer;
    e->arg = arg;
    /* Longer than an id is no id, and stays none when it is cut here. */
    struct span id = span_sub(question->id, 0, ID_ROOM - 1);
    snprintf(e->id, sizeof(e->id), "%.*s", (int)id.len, id.ptr ? id.ptr : "");
    snprintf(e->asked_by, sizeof(e->asked_by), "%s", question->asked_by ? question->asked_by : "");
    loop_deferred_init(&e->over, errand_answer_release, e);
    enum err begun = errand_begin(e);
    if (begun != ERR_OK) {
        mem_free(e);
        return begun;
    }
    list_append(&d->errands, &e->node);
    return ERR_OK;
}

/* --- for the proxy --- */

struct quarantine_desk *quarantine_desk_new(struct proxy *p)
{
    struct quarantine_desk *d = MEM_NEW(struct quarantine_desk);
    if (!d)
        return NULL;
    d->proxy = p;
    list_init(&d->errands);
    deadline_init(&d->sweep_timer, p->loop, desk_sweep, d);
    deadline_set_ms(&d->sweep_timer, 0);
    return d;
}

void quarantine_desk_drain(struct quarantine_desk *d)
{
    if (!d)
        return;
    d->draining = true;
    deadline_clear(&d->sweep_timer);
}

void quarantine_desk_cut(struct quarantine_desk *d)
{
    if (!d)
        return;
    LIST_EACH (node, &d->errands) {
        struct errand *e = container_of(node, struct errand, node);
        if (e->release)
            quarantine_release_cut(e->release);
    }
}

bool quarantine_desk_is_busy(const struct quarantine_desk *d)
{
    return d && (d->sweeping || !list_empty(&d->errands));
}

void quarantine_desk_free(struct quarantine_desk *d)
{
    if (!d)
        return;
    deadline_clear(&d->sweep_timer);
    mem_free(d);
}
