/* SPDX-License-Identifier: MIT */
/* One connection to a backend: opening, deadlines, commands and replies of its lessee, and its way back to the pool. */
#include "base/mem.h"
#include "proxy/backend_internal.h"

static void backend_on_stream(void *arg);
static void backend_on_deadline(void *arg);

static void backend_kick(void *arg)
{
    struct backend *b = arg;
    OBJ_CHECK(b, BACKEND_MAGIC);
    if (b->wake)
        b->wake(b->arg);
}

static void backend_disconnect(struct backend *b)
{
    deadline_clear(&b->deadline);
    if (b->open) {
        stream_close(&b->stream);
        smtp_client_release(&b->client);
        b->open = false;
    }
    if (b->counted) {
        b->counted = false;
        b->server->connections--;
        backend_slot_freed(b->pool);
    }
}

void backend_bury(struct backend *b)
{
    struct backend_pool *p = b->pool;
    backend_disconnect(b);
    loop_defer_cancel(&b->kick);
    list_remove(&b->queue_node);
    list_remove(&b->node);
    b->state = CONNECTION_DEAD;
    b->wake = NULL;
    list_append(&p->dead, &b->node);
    loop_defer(p->loop, &p->reaper);
}

/* The reply that a client gets when the connection cannot be used. */
static void backend_say_failure(struct backend *b, enum smtp_say say)
{
    b->failure_reply = smtp_say(say);
}

static void backend_log_down(struct backend *b)
{
    struct log_record r;
    log_begin(&r, b->pool->log, LOG_BACKEND_DOWN);
    log_cstr(&r, "backend", b->server ? b->server->target->name : "-");
    log_cstr(&r, "detail", b->failure.text);
    log_end(&r);
}

/* The connection is of no use any more. While opening, the next server is tried; a lessee is told. */
static void backend_fail(struct backend *b)
{
    enum connection_state before = b->state;
    if (before == CONNECTION_IDLE || before == CONNECTION_QUITTING) {
        backend_bury(b); /* a backend may end an idle connection at any time: nothing to report */
        return;
    }
    backend_log_down(b);
    backend_disconnect(b);
    if (before == CONNECTION_OPENING && b->server) {
        b->server->down = true;
        b->server->rests_until_us = loop_now_us(b->pool->loop) + BACKEND_REST_MS * UINT64_C(1000);
    }
    if (before == CONNECTION_RESETTING || b->probe) {
        backend_bury(b);
        return;
    }
    if (before == CONNECTION_OPENING) {
        backend_open_next(b);
        return;
    }
    b->state = CONNECTION_FAILED;
    loop_defer(b->pool->loop, &b->kick);
}

void backend_start_connect(struct backend *b, struct backend_server *server)
{
    const struct server_conf *conf = server->target->conf;
    b->server = server;
    b->state = CONNECTION_OPENING;
    b->reused = b->connected = false;
    server->connections++;
    b->counted = true;
    smtp_client_init(&b->client, span_cstr(server->target->helo));
    bool known = server->addr.len > 0;
    enum err e = known ? stream_connect(&b->stream, b->pool->loop, &server->addr, NULL, LIMIT_STREAM_IN,
                                        LIMIT_STREAM_OUT, backend_on_stream, b)
                       : ERR_NOTFOUND;
    if (e != ERR_OK) {
        smtp_client_release(&b->client);
        errtext_set(&b->failure, "connect: %s", known ? err_name(e) : "its host name is not resolved yet");
        backend_say_failure(b, SMTP_SAY_BACKEND_DOWN);
        backend_fail(b);
        return;
    }
    b->open = true;
    deadline_set_ms(&b->deadline, (uint64_t)conf->connect_timeout_ms);
}

static void backend_quit(struct backend *b)
{
    b->state = CONNECTION_QUITTING;
    b->wake = NULL;
    loop_defer_cancel(&b->kick);
    if (smtp_client_command(&b->client, SMTP_CLIENT_QUIT, SPAN("")) != ERR_OK) {
        backend_bury(b);
        return;
    }
    backend_flush(b);
    if (b->state == CONNECTION_QUITTING)
        deadline_set_ms(&b->deadline, 2000); /* a courtesy: whether the 221 comes does not matter */
}

static void backend_become_idle(struct backend *b)
{
    if (!list_empty(&b->pool->queue)) {
        backend_quit(b); /* its slot goes to the lease that waits longest */
        return;
    }
    b->state = CONNECTION_IDLE;
    list_remove(&b->node); /* to the front: the most recently used is the least likely to be closed by its server */
    list_prepend(&b->pool->all, &b->node);
    deadline_set_ms(&b->deadline, (uint64_t)b->server->target->conf->idle_timeout_ms);
}

static bool backend_is_over(const struct backend *b)
{
    return b->stream.error != 0 || b->stream.eof;
}

/* Grows with every step forward: octets that the server took, whole replies that it gave. Octets of a reply that never
 * ends are no step. */
static uint64_t backend_moved(const struct backend *b)
{
    return b->stream.bytes_out + b->replies;
}

/* Milliseconds that what is awaited now may take; 0: nothing is awaited. */
static int64_t backend_patience(const struct backend *b)
{
    const struct server_conf *conf = b->server->target->conf;
    if (b->state == CONNECTION_OPENING)
        return b->connected ? conf->greeting_timeout_ms : conf->connect_timeout_ms;
    if (buf_len(&b->stream.out) > 0)
        return conf->data_block_timeout_ms;
    if (smtp_client_unanswered(&b->client) == 0)
        return 0;
    if (smtp_client_awaited(&b->client) == SMTP_CLIENT_DATA)
        return conf->data_init_timeout_ms;
    if (smtp_client_awaited(&b->client) == SMTP_CLIENT_DOT)
        return conf->data_done_timeout_ms;
    return conf->command_timeout_ms;
}

static void backend_set_deadline(struct backend *b)
{
    int64_t ms = backend_patience(b);
    b->moved = backend_moved(b);
    if (ms)
        deadline_set_ms(&b->deadline, (uint64_t)ms);
    else
        deadline_clear(&b->deadline);
}

/* Sets the deadline anew where something has moved since it was set, so it measures a standstill, not the whole. */
static void backend_arm(struct backend *b)
{
    if (!deadline_is_set(&b->deadline) || backend_moved(b) != b->moved)
        backend_set_deadline(b);
}

static const char *backend_stage(const struct backend *b)
{
    if (b->state == CONNECTION_OPENING && !b->connected)
        return "connect";
    if (smtp_client_unanswered(&b->client) == 0)
        return "idle";
    return smtp_client_verb_name(smtp_client_awaited(&b->client));
}

/* Sets the failure for a connection that broke off. */
static void backend_broke_off(struct backend *b)
{
    const char *stage = backend_stage(b);
    bool connecting = b->state == CONNECTION_OPENING;
    if (b->stream.error)
        errtext_set(&b->failure, "%s: %s", stage, strerror(b->stream.error));
    else
        errtext_set(&b->failure, "%s: connection closed by the backend", stage);
    backend_say_failure(b, connecting ? SMTP_SAY_BACKEND_DOWN : SMTP_SAY_BACKEND_LOST);
}

/* A refused greeting or EHLO: a 5xx of every server goes on to the client in its words (RFC 5321 3.1). */
static void backend_refused(struct backend *b, const struct smtp_client_event *ev)
{
    errtext_set(&b->failure, "%s refused: %d %.*s", smtp_client_verb_name(ev->verb), ev->reply.code,
                (int)(ev->reply.text.len < 300 ? ev->reply.text.len : 300), ev->reply.text.ptr);
    bool temporary_before = smtp_reply_class(&b->failure_reply) == 4; /* another server may take the mail later */
    if (smtp_reply_class(&ev->reply) == 5 && !temporary_before) {
        snprintf(b->failure_text, sizeof(b->failure_text), "%.*s",
                 (int)(ev->reply.text.len < 300 ? ev->reply.text.len : 300), ev->reply.text.ptr);
        b->failure_reply = (struct smtp_reply){.code = 554, .enhanced = {5, 3, 2}, .text = span_cstr(b->failure_text)};
    } else {
        backend_say_failure(b, SMTP_SAY_BACKEND_DOWN);
    }
}

/* Pulls events until the connection is ready, refused, broken, or wants input. */
static void backend_opening(struct backend *b)
{
    struct smtp_client_event ev;
    for (;;) {
        smtp_client_next(&b->client, &b->stream.in, &ev);
        backend_flush(b);
        if (b->state != CONNECTION_OPENING)
            return; /* flushing found the connection broken */
        if (ev.kind == SMTP_CLIENT_NEED_INPUT) {
            backend_arm(b);
            return;
        }
        if (ev.kind == SMTP_CLIENT_READY) {
            backend_learn(b);
            deadline_clear(&b->deadline);
            if (b->probe) {
                backend_quit(b);
            } else {
                b->state = CONNECTION_READY;
                loop_defer(b->pool->loop, &b->kick);
            }
            return;
        }
        if (ev.kind == SMTP_CLIENT_BAD) {
            errtext_set(&b->failure, "protocol error: %s", ev.problem);
            backend_say_failure(b, SMTP_SAY_BACKEND_GARBLED);
        } else {
            backend_refused(b, &ev);
        }
        backend_fail(b);
        return;
    }
}

/* Given back with replies outstanding: they are read and forgotten. */
static void backend_resetting(struct backend *b)
{
    struct smtp_client_event ev;
    for (;;) {
        smtp_client_next(&b->client, &b->stream.in, &ev);
        if (ev.kind == SMTP_CLIENT_NEED_INPUT)
            break;
        b->replies++;
        if (ev.kind != SMTP_CLIENT_REPLY || ev.reply.code == 421 ||
            (ev.verb == SMTP_CLIENT_RSET && smtp_reply_class(&ev.reply) != 2)) {
            backend_bury(b);
            return;
        }
    }
    backend_flush(b);
    if (b->state != CONNECTION_RESETTING)
        return;
    if (smtp_client_unanswered(&b->client) == 0)
        backend_become_idle(b);
    else
        backend_arm(b);
}

static void backend_on_opening(struct backend *b)
{
    if (b->stream.error == 0) {
        if (!b->connected) {
            b->connected = true;
            backend_set_deadline(b);
        }
        backend_opening(b);
    }
    if (!b->open || b->state != CONNECTION_OPENING || b->stream.connecting)
        return; /* ready, failed, or with the next server already: this end of file was not its */
    if (backend_is_over(b)) {
        backend_broke_off(b);
        backend_fail(b);
    } else {
        stream_resume(&b->stream);
    }
}

static void backend_on_stream(void *arg)
{
    struct backend *b = arg;
    OBJ_CHECK(b, BACKEND_MAGIC);
    if (!b->open || b->stream.connecting)
        return;
    switch (b->state) {
    case CONNECTION_OPENING:
        backend_on_opening(b);
        return;
    case CONNECTION_READY: /* the lessee pulls; end of file is seen there, after the replies before it */
        backend_arm(b);
        loop_defer(b->pool->loop, &b->kick);
        return;
    case CONNECTION_RESETTING:
        backend_resetting(b);
        if (b->open && b->state == CONNECTION_RESETTING && backend_is_over(b))
            backend_bury(b);
        else if (b->open)
            stream_resume(&b->stream);
        return;
    case CONNECTION_IDLE: /* whatever it says now (421, end of file), it is of no use */
    case CONNECTION_QUITTING:
        if (backend_is_over(b) || buf_len(&b->stream.in) > 0)
            backend_bury(b);
        return;
    case CONNECTION_QUEUED:
    case CONNECTION_FAILED:
    case CONNECTION_DEAD:
        return;
    }
}

static void backend_on_deadline(void *arg)
{
    struct backend *b = arg;
    OBJ_CHECK(b, BACKEND_MAGIC);
    switch (b->state) {
    case CONNECTION_IDLE:
        backend_quit(b);
        return;
    case CONNECTION_QUEUED:
        list_remove(&b->queue_node);
        errtext_set(&b->failure, "all connections to the backend are in use");
        backend_say_failure(b, SMTP_SAY_BACKEND_BUSY);
        b->state = CONNECTION_FAILED;
        loop_defer(b->pool->loop, &b->kick);
        return;
    case CONNECTION_QUITTING:
    case CONNECTION_RESETTING:
        backend_bury(b);
        return;
    case CONNECTION_OPENING:
    case CONNECTION_READY:
        if (backend_moved(b) !=
            b->moved) { /* the socket took some of the body; the stream tells only when most is gone */
            backend_set_deadline(b);
            return;
        }
        errtext_set(&b->failure, "%s: timeout", backend_stage(b));
        backend_say_failure(b, b->state == CONNECTION_OPENING ? SMTP_SAY_BACKEND_DOWN : SMTP_SAY_BACKEND_LOST);
        backend_fail(b);
        return;
    case CONNECTION_FAILED:
    case CONNECTION_DEAD:
        return;
    }
}

struct backend *backend_new(struct backend_pool *p)
{
    struct backend *b = MEM_NEW(struct backend);
    if (!b)
        return NULL;
    OBJ_INIT(b, BACKEND_MAGIC);
    b->pool = p;
    b->state = CONNECTION_QUEUED;
    list_init(&b->queue_node);
    list_append(&p->all, &b->node);
    deadline_init(&b->deadline, p->loop, backend_on_deadline, b);
    loop_deferred_init(&b->kick, backend_kick, b);
    return b;
}

enum backend_state backend_state(const struct backend *b)
{
    return (enum backend_state)b->state;
}

bool backend_reused(const struct backend *b)
{
    return b->reused;
}

const char *backend_name(const struct backend *b)
{
    return b->server ? b->server->target->name : "-";
}

const struct smtp_offer *backend_offer(const struct backend *b)
{
    return smtp_client_offer(&b->client);
}

struct smtp_client *backend_client(struct backend *b)
{
    return &b->client;
}

void backend_flush(struct backend *b)
{
    struct buf *out = smtp_client_out(&b->client);
    size_t moved;
    if (buf_len(out) == 0 || stream_room(&b->stream) == 0)
        return;
    if (buf_pour(&b->stream.out, out, &moved) != ERR_OK) {
        errtext_set(&b->failure, "out of memory");
        backend_say_failure(b, SMTP_SAY_INTERNAL_ERROR);
        backend_fail(b);
        return;
    }
    stream_flush(&b->stream);
    if (b->state == CONNECTION_READY)
        backend_arm(b);
}

void backend_more(struct backend *b, bool more)
{
    b->stream.more = more;
}

size_t backend_backlog(const struct backend *b)
{
    return b->open ? buf_len(&b->stream.out) : 0;
}

bool backend_reply(struct backend *b, enum smtp_client_verb *verb, struct smtp_reply *reply)
{
    struct smtp_client_event ev;
    if (b->state != CONNECTION_READY)
        return false;
    smtp_client_next(&b->client, &b->stream.in, &ev);
    switch (ev.kind) {
    case SMTP_CLIENT_REPLY:
        *verb = ev.verb;
        *reply = ev.reply;
        b->replies++;
        backend_arm(b);
        return true;
    case SMTP_CLIENT_BAD:
        errtext_set(&b->failure, "%s%s", ev.farewell ? "" : "protocol error: ", ev.problem);
        backend_say_failure(b, ev.farewell ? SMTP_SAY_BACKEND_LOST : SMTP_SAY_BACKEND_GARBLED);
        backend_fail(b);
        return false;
    case SMTP_CLIENT_READY:
    case SMTP_CLIENT_NEED_INPUT:
        break;
    }
    backend_flush(b); /* without PIPELINING a reply lets the next command go */
    if (b->state != CONNECTION_READY)
        return false;
    if (backend_is_over(b)) {
        backend_broke_off(b);
        backend_fail(b);
        return false;
    }
    stream_resume(&b->stream);
    return false;
}

struct backend_failure backend_failure(const struct backend *b)
{
    return (struct backend_failure){.reply = b->failure_reply, .detail = b->failure.text};
}

void backend_return(struct backend *b, bool in_transaction, bool in_body)
{
    OBJ_CHECK(b, BACKEND_MAGIC);
    if (b->state != CONNECTION_READY || in_body || backend_is_over(b)) {
        backend_bury(b);
        return;
    }
    b->wake = NULL;
    loop_defer_cancel(&b->kick);
    if (in_transaction && smtp_client_command(&b->client, SMTP_CLIENT_RSET, SPAN("")) != ERR_OK) {
        backend_bury(b);
        return;
    }
    b->state = CONNECTION_RESETTING;
    backend_flush(b);
    if (b->state == CONNECTION_RESETTING)
        backend_resetting(b);
}
