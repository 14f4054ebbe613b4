/* SPDX-License-Identifier: MIT */
/* The way of a message from quarantine to the backend, as a small machine of its own: there is no client, so nothing of
 * a session is needed but its envelope. */
#include "proxy/quarantine_release.h"
#include "base/mem.h"
#include "base/obj.h"
#include "smtp/path.h"
#include <errno.h>
#include <unistd.h>

enum { RELEASE_MAGIC = 0x52454c53, TEXT_ROOM = 320 };

enum release_stage {
    RELEASE_OPENING, /* a job: the entry becomes RELEASING, its octets are checked */
    RELEASE_LEASE,
    RELEASE_ENVELOPE,
    RELEASE_DATA,
    RELEASE_BODY,   /* with a job for each slice */
    RELEASE_WAIT,   /* the final dot has gone */
    RELEASE_NOTING, /* a job: the entry becomes RELEASED or HELD */
    RELEASE_OVER,
};

struct quarantine_release {
    unsigned magic;
    struct proxy *proxy;
    struct iopool_job job;
    bool job_under_way, cut;
    enum release_stage stage;
    char id[2 * QUARANTINE_ID_SIZE]; /* as asked for, cut where it is too long to be one */
    bool again;
    uint64_t now_ms;
    struct quarantine_entry entry;
    bool have_entry;
    int fd;
    struct transaction *t;
    struct backend *backend;
    size_t sent, replied; /* commands of the envelope */
    struct loop_deferred run;
    char *slice;
    size_t slice_len, slice_done;
    uint64_t offset; /* of the slice */
    int read_error;
    enum quarantine_release_outcome outcome;
    enum err err;
    struct errtext why; /* of a job */
    char text[TEXT_ROOM];
    void (*done)(void *arg);
    void *arg;
};

static struct quarantine_release *release_of(struct iopool_job *job)
{
    struct quarantine_release *r = container_of(job, struct quarantine_release, job);
    OBJ_CHECK(r, RELEASE_MAGIC);
    return r;
}

static void release_wake(void *arg)
{
    struct quarantine_release *r = arg;
    OBJ_CHECK(r, RELEASE_MAGIC);
    if (r->stage != RELEASE_OVER)
        loop_defer(r->proxy->loop, &r->run);
}

static void release_submit(struct quarantine_release *r, void (*run)(struct iopool_job *),
                           void (*done)(struct iopool_job *))
{
    r->job = (struct iopool_job){.run = run, .done = done, .reply_to = r->proxy->mailbox};
    r->job_under_way = true;
    iopool_submit(r->proxy->shared->iopool, &r->job);
}

/* --- the end --- */

static void release_over(struct quarantine_release *r)
{
    r->stage = RELEASE_OVER;
    r->done(r->arg);
}

static void note_run(struct iopool_job *job)
{
    struct quarantine_release *r = release_of(job);
    enum quarantine_status status = r->outcome == RELEASE_DELIVERED ? QUARANTINE_RELEASED
                                    : r->outcome == RELEASE_UNKNOWN ? QUARANTINE_RELEASING
                                                                    : r->entry.was; /* what it was before */
    r->err = quarantine_release_end(r->proxy->shared->quarantine, r->entry.id, status, r->text, r->now_ms, &r->why);
}

static void note_done(struct iopool_job *job)
{
    struct quarantine_release *r = release_of(job);
    r->job_under_way = false;
    if (r->err != ERR_OK) {
        struct log_record line;
        log_begin(&line, r->proxy->shared->log, LOG_QUARANTINE_FAILED);
        log_cstr(&line, "quarantine", r->entry.id);
        log_fmt(&line, "detail", "what became of its release is not noted with it: %s", r->why.text);
        log_end(&line);
    }
    release_over(r);
}

/* Nothing more is said to the backend. IN_BODY: the connection stands inside the message. */
static void release_end(struct quarantine_release *r, enum quarantine_release_outcome outcome, struct span text,
                        bool in_body)
{
    const struct log *log = r->proxy->shared->log;
    if (r->backend)
        backend_return(r->backend, outcome != RELEASE_DELIVERED && r->sent > 0, in_body);
    r->backend = NULL;
    r->outcome = outcome;
    r->now_ms = log->wallclock_ms(log->arg);
    snprintf(r->text, sizeof(r->text), "%.*s", (int)(text.len < TEXT_ROOM ? text.len : TEXT_ROOM - 1),
             text.ptr ? text.ptr : "");
    r->stage = RELEASE_NOTING;
    release_submit(r, note_run, note_done);
}

static void release_end_reply(struct quarantine_release *r, const struct smtp_reply *reply, bool in_body)
{
    char text[TEXT_ROOM];
    struct span words = span_sub(reply->text, 0, TEXT_ROOM - 40);
    const uint16_t *e = reply->enhanced;
    if (e[0])
        snprintf(text, sizeof(text), "%d %u.%u.%u %.*s", reply->code, e[0], e[1], e[2], SPAN_ARG(words));
    else
        snprintf(text, sizeof(text), "%d %.*s", reply->code, SPAN_ARG(words));
    bool taken = r->stage == RELEASE_WAIT && smtp_reply_class(reply) == 2;
    release_end(r, taken ? RELEASE_DELIVERED : RELEASE_REFUSED, span_cstr(text), in_body);
}

static void release_backend_failed(struct quarantine_release *r)
{
    struct backend_failure failure = backend_failure(r->backend);
    release_end(r, r->stage == RELEASE_WAIT ? RELEASE_UNKNOWN : RELEASE_REFUSED, span_cstr(failure.detail), true);
}

static void release_trouble(struct quarantine_release *r, const char *text)
{
    release_end(r, RELEASE_REFUSED, span_cstr(text), true);
}

/* --- the way --- */

/* Each answers whether the next stage can be looked at now. */

static bool release_lease(struct quarantine_release *r)
{
    if (!r->backend) /* a fresh one: whether an idle one is dead is not to be found out by this message */
        r->backend = backend_lease(r->proxy->backends, true, release_wake, r);
    if (!r->backend) {
        release_trouble(r, "no memory for a connection to the backend");
        return false;
    }
    switch (backend_state(r->backend)) {
    case BACKEND_QUEUED:
    case BACKEND_OPENING:
        return false;
    case BACKEND_FAILED:
        release_backend_failed(r);
        return false;
    case BACKEND_READY:
        break;
    }
    r->stage = RELEASE_ENVELOPE;
    return true;
}

/* Queues what the window takes. */
static enum err release_send_envelope(struct quarantine_release *r)
{
    enum err e = ERR_OK;
    while (e == ERR_OK && backend_state(r->backend) == BACKEND_READY && r->sent < 1 + r->t->recipient_count) {
        e = r->sent == 0 ? transaction_send_mail(r->t, r->backend)
                         : transaction_send_rcpt(r->t, r->sent - 1, r->backend);
        r->sent += e == ERR_OK;
    }
    backend_flush(r->backend);
    return e == ERR_FULL ? ERR_OK : e;
}

static bool release_envelope(struct quarantine_release *r)
{
    enum smtp_client_verb verb;
    struct smtp_reply reply;
    for (;;) {
        if (backend_state(r->backend) == BACKEND_READY && release_send_envelope(r) != ERR_OK) {
            release_trouble(r, "the envelope cannot be written to the backend");
            return false;
        }
        if (!backend_reply(r->backend, &verb, &reply))
            break;
        if (smtp_reply_class(&reply) != 2) {
            release_end_reply(r, &reply, false);
            return false;
        }
        r->replied++;
    }
    if (backend_state(r->backend) == BACKEND_FAILED) {
        release_backend_failed(r);
        return false;
    }
    if (r->replied < 1 + r->t->recipient_count)
        return false;
    r->stage = RELEASE_DATA;
    return true;
}

static bool release_data(struct quarantine_release *r)
{
    enum smtp_client_verb verb;
    struct smtp_reply reply;
    if (!r->t->data_sent) {
        if (smtp_client_command(backend_client(r->backend), SMTP_CLIENT_DATA, SPAN("")) != ERR_OK) {
            release_trouble(r, "DATA cannot be written to the backend");
            return false;
        }
        r->t->data_sent = true;
        backend_flush(r->backend);
    }
    if (!backend_reply(r->backend, &verb, &reply)) {
        if (backend_state(r->backend) == BACKEND_FAILED)
            release_backend_failed(r);
        return false;
    }
    if (smtp_reply_class(&reply) != 3) {
        release_end_reply(r, &reply, false);
        return false;
    }
    r->stage = RELEASE_BODY;
    return true;
}

static void slice_run(struct iopool_job *job)
{
    struct quarantine_release *r = release_of(job);
    uint64_t left = r->entry.meta.size - r->offset;
    size_t wanted = left < SPOOL_SLICE ? (size_t)left : SPOOL_SLICE;
    r->slice_len = 0;
    r->read_error = 0;
    while (r->slice_len < wanted && !r->read_error) {
        ssize_t n = pread(r->fd, r->slice + r->slice_len, wanted - r->slice_len, (off_t)(r->offset + r->slice_len));
        if (n > 0)
            r->slice_len += (size_t)n;
        else if (n == 0 || errno != EINTR)
            r->read_error = n == 0 ? EIO : errno; /* 0: it became shorter */
    }
}

static void slice_done(struct iopool_job *job)
{
    struct quarantine_release *r = release_of(job);
    r->job_under_way = false;
    r->slice_done = 0;
    release_wake(r);
}

/* Everything has been queued: the dot. */
static bool release_dot(struct quarantine_release *r)
{
    if (backend_backlog(r->backend) > 0)
        return false;
    if (smtp_client_body_end(backend_client(r->backend)) != ERR_OK) {
        release_trouble(r, "no memory");
        return false;
    }
    r->t->dot_sent = true;
    r->stage = RELEASE_WAIT;
    backend_flush(r->backend);
    return true;
}

static bool release_body(struct quarantine_release *r)
{
    struct transaction *t = r->t;
    enum smtp_client_verb verb;
    struct smtp_reply reply;
    if (backend_reply(r->backend, &verb, &reply) || backend_state(r->backend) == BACKEND_FAILED) {
        release_backend_failed(r); /* a reply inside the body is a fault, so it never comes as one */
        return false;
    }
    if (r->read_error) {
        release_trouble(r, "the message cannot be read back");
        return false;
    }
    bool overlay = t->overlay_sent < t->overlay_len;
    struct span bytes = overlay ? span_of(t->overlay + t->overlay_sent, t->overlay_len - t->overlay_sent)
                                : span_of(r->slice + r->slice_done, r->slice_len - r->slice_done);
    size_t *done = overlay ? &t->overlay_sent : &r->slice_done, before = *done;
    if (bytes.len > 0) {
        if (transaction_send_body(r->backend, bytes, done) != ERR_OK) {
            release_trouble(r, "no memory for the message");
            return false;
        }
        return *done - before == bytes.len || backend_state(r->backend) == BACKEND_FAILED;
    }
    r->offset += r->slice_len;
    r->slice_len = r->slice_done = 0;
    if (r->offset == r->entry.meta.size)
        return release_dot(r);
    release_submit(r, slice_run, slice_done);
    return false;
}

static bool release_wait(struct quarantine_release *r)
{
    enum smtp_client_verb verb;
    struct smtp_reply reply;
    if (backend_reply(r->backend, &verb, &reply))
        release_end_reply(r, &reply, false);
    else if (backend_state(r->backend) == BACKEND_FAILED)
        release_backend_failed(r);
    return false;
}

static bool release_step(struct quarantine_release *r)
{
    switch (r->stage) {
    case RELEASE_LEASE:
        return release_lease(r);
    case RELEASE_ENVELOPE:
        return release_envelope(r);
    case RELEASE_DATA:
        return release_data(r);
    case RELEASE_BODY:
        return release_body(r);
    case RELEASE_WAIT:
        return release_wait(r);
    case RELEASE_OPENING:
    case RELEASE_NOTING:
    case RELEASE_OVER:
        break;
    }
    return false;
}

static void release_run(void *arg)
{
    struct quarantine_release *r = arg;
    OBJ_CHECK(r, RELEASE_MAGIC);
    if (r->job_under_way) /* a slice is being read; a broken backend is seen when it is there */
        return;
    if (r->cut && r->stage == RELEASE_WAIT)
        release_end(r, RELEASE_UNKNOWN, SPAN("postern stopped before the backend answered"), true);
    else if (r->cut && r->stage < RELEASE_WAIT)
        release_trouble(r, "postern stops");
    while (release_step(r))
        ;
}

/* --- the beginning --- */

static void open_run(struct iopool_job *job)
{
    struct quarantine_release *r = release_of(job);
    r->err = quarantine_release_begin(r->proxy->shared->quarantine, span_cstr(r->id), r->again, r->now_ms, &r->entry,
                                      &r->fd, &r->why);
    r->have_entry = r->err == ERR_OK;
}

static bool path_is_valid(const char *text, bool null_ok)
{
    struct cursor c = cursor_of(span_cstr(text));
    struct smtp_path path;
    return smtp_path_parse(&c, null_ok, &path) && !path.routed && cursor_at_end(&c) && !c.bad;
}

/* The envelope comes from a file: it must be one before any of it is said to a server. */
static enum err release_set_envelope(struct quarantine_release *r)
{
    const struct quarantine_meta *m = &r->entry.meta;
    enum smtp_body body = strcmp(m->body, "8BITMIME") == 0 ? SMTP_BODY_8BITMIME
                          : strcmp(m->body, "7BIT") == 0   ? SMTP_BODY_7BIT
                                                           : SMTP_BODY_NONE;
    r->t = transaction_new("release", 1, 0);
    if (!r->t)
        return ERR_NOMEM;
    if (!path_is_valid(m->reverse_path, true))
        return ERR_SYNTAX;
    transaction_set_release_overlay(r->t, m->id, m->mark, r->proxy->shared->hostname);
    enum err e = transaction_set_mail(r->t, span_cstr(m->reverse_path), m->size + r->t->overlay_len, body);
    for (size_t i = 0; i < m->recipient_count && e == ERR_OK; i++) {
        e = path_is_valid(m->recipients[i], false) ? ERR_OK : ERR_SYNTAX;
        if (e == ERR_OK)
            e = transaction_add_recipient(r->t, span_cstr(m->recipients[i]));
    }
    return e;
}

static void open_done(struct iopool_job *job)
{
    struct quarantine_release *r = release_of(job);
    r->job_under_way = false;
    if (r->err != ERR_OK) {
        r->outcome = RELEASE_NOT_BEGUN;
        snprintf(r->text, sizeof(r->text), "%.*s", TEXT_ROOM - 1, r->why.text);
        release_over(r);
        return;
    }
    r->slice = mem_new(SPOOL_SLICE, 1);
    enum err e = r->slice ? release_set_envelope(r) : ERR_NOMEM;
    if (e != ERR_OK) {
        release_trouble(r, e == ERR_SYNTAX ? "the envelope in its metadata is damaged" : "no memory for the message");
    } else if (r->cut) {
        release_trouble(r, "postern stops");
    } else {
        r->stage = RELEASE_LEASE;
        release_wake(r);
    }
}

struct quarantine_release *quarantine_release_start(struct proxy *p, struct span id, bool again,
                                                    void (*done)(void *arg), void *arg)
{
    struct quarantine_release *r = MEM_NEW(struct quarantine_release);
    if (!r)
        return NULL;
    OBJ_INIT(r, RELEASE_MAGIC);
    r->proxy = p;
    r->again = again;
    r->fd = -1;
    r->done = done;
    r->arg = arg;
    r->now_ms = p->shared->log->wallclock_ms(p->shared->log->arg);
    snprintf(r->id, sizeof(r->id), "%.*s", (int)(id.len < sizeof(r->id) ? id.len : sizeof(r->id) - 1),
             id.ptr ? id.ptr : "");
    loop_deferred_init(&r->run, release_run, r);
    release_submit(r, open_run, open_done);
    return r;
}

void quarantine_release_cut(struct quarantine_release *r)
{
    OBJ_CHECK(r, RELEASE_MAGIC);
    r->cut = true;
    release_wake(r);
}

enum quarantine_release_outcome quarantine_release_outcome(const struct quarantine_release *r)
{
    return r->outcome;
}

enum err quarantine_release_err(const struct quarantine_release *r)
{
    return r->err;
}

const char *quarantine_release_text(const struct quarantine_release *r)
{
    return r->text;
}

void quarantine_release_free(struct quarantine_release *r)
{
    if (!r)
        return;
    OBJ_CHECK(r, RELEASE_MAGIC);
    loop_defer_cancel(&r->run);
    if (r->fd >= 0)
        close(r->fd);
    if (r->have_entry)
        quarantine_entry_release(&r->entry);
    transaction_free(r->t);
    mem_free(r->slice);
    OBJ_FINI(r);
    mem_free(r);
}
