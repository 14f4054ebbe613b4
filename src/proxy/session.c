/* SPDX-License-Identifier: MIT */
/* A session's life: birth, run list, silence, closing. What happens inside a step is in step_*.c. */
#include "proxy/session.h"
#include "base/mem.h"
#include "base/obj.h"

enum { SESSION_MAGIC = 0x73657373, CLOSE_TIMEOUT_MS = 10000, LINGER_TIMEOUT_MS = 2000 };

enum silence { SILENCE_CLIENT, SILENCE_DATA, SILENCE_NOBODY, SILENCE_CLOSE };

static const struct {
    enum step_result (*run)(struct session *s);
    const char *word;
    enum silence silence;
} session_steps[] = {
#define STEP(symbol, function, word, silence, vanished) {function, word, SILENCE_##silence},
#include "proxy/step.def"
#undef STEP
};

const char *session_step_word(enum session_step step)
{
    return session_steps[step].word;
}

void session_wake(void *arg)
{
    struct session *s = arg;
    OBJ_CHECK(s, SESSION_MAGIC);
    if (!s->ended)
        loop_defer(s->proxy->loop, &s->run);
}

enum err session_try_reply(struct session *s, const struct smtp_reply *reply)
{
    enum err e = smtp_server_reply(&s->smtp, reply);
    if (e == ERR_FULL) {
        session_flush(s);
        e = smtp_server_reply(&s->smtp, reply);
    }
    return e;
}

void session_end_unanswered(struct session *s, enum err e)
{
    session_end(s, e == ERR_FULL ? "the client does not read its replies" : "out of memory for a reply");
}

void session_reply(struct session *s, const struct smtp_reply *reply)
{
    enum err e = session_try_reply(s, reply);
    if (e != ERR_OK)
        session_end_unanswered(s, e);
}

bool session_may_reply(struct session *s)
{
    if (buf_len(smtp_server_out(&s->smtp)) > LIMIT_STREAM_OUT / 2)
        session_flush(s);
    return buf_len(smtp_server_out(&s->smtp)) <= LIMIT_STREAM_OUT / 2;
}

void session_flush(struct session *s)
{
    struct buf *out = smtp_server_out(&s->smtp);
    if (s->ended || s->client.error)
        return;
    size_t moved;
    if (buf_len(out) > 0 && buf_pour(&s->client.out, out, &moved) == ERR_OK)
        s->said += moved;
    if (buf_len(&s->client.out) > 0)
        stream_flush(&s->client);
}

static bool session_quit_pending(const struct session *s)
{
    struct span in = buf_span(&s->client.in);
    return span_ends_nocase(in, SPAN("QUIT\r\n")) && (in.len == 6 || in.ptr[in.len - 7] == '\n');
}

bool session_client_vanished(struct session *s)
{
    if (s->client.error)
        return true;
    if (s->client.eof || (buf_room(&s->client.in) == 0 && stream_peer_gone(&s->client)))
        return !session_quit_pending(s);
    return false;
}

void session_close(struct session *s, const char *reason)
{
    if (s->step == STEP_CLOSE || s->ended)
        return;
    s->close_reason = reason;
    s->closed_in = s->step;
    s->step = STEP_CLOSE;
    deadline_clear(&s->silence);
    session_end_transaction(s);
}

/* STEP_CLOSE: the last replies go out. Where the client may still be sending, the connection is only half closed for a
 * moment: closing a socket with unread input makes the kernel send a reset that can destroy the reply on its way. */
enum step_result step_close(struct session *s)
{
    session_flush(s);
    buf_clear(&s->client.in);
    bool said = buf_len(&s->client.out) == 0 && buf_len(smtp_server_out(&s->smtp)) == 0;
    if (s->client.error || (said && (!s->linger || s->client.eof))) {
        session_end(s, s->close_reason);
    } else if (said && !s->half_closed) {
        s->half_closed = true;
        stream_shutdown(&s->client);
        deadline_set_ms(&s->silence, LINGER_TIMEOUT_MS);
    }
    return STEP_WAIT;
}

void session_end(struct session *s, const char *reason)
{
    if (s->ended)
        return;
    if (s->step != STEP_CLOSE) {
        s->close_reason = reason;
        s->closed_in = s->step;
        s->step = STEP_CLOSE;
    }
    session_end_transaction(s);
    s->ended = true;
    session_log_close(s);
    admission_leave(s->proxy->shared->admission, &s->peer);
    deadline_clear(&s->silence);
    deadline_clear(&s->hold);
    loop_defer_cancel(&s->run);
    stream_close(&s->client);
    list_remove(&s->node);
    list_append(&s->proxy->dead, &s->node);
    loop_defer(s->proxy->loop, &s->proxy->reaper);
}

void session_free(struct session *s)
{
    smtp_server_release(&s->smtp);
    dict_release(&s->context);
    OBJ_FINI(s);
    mem_free(s);
}

/* Measures the client's silence. Between messages only a command that got its reply ends a silence, inside a message
 * every octet does. */
static void session_arm(struct session *s)
{
    switch (session_steps[s->step].silence) {
    case SILENCE_CLIENT:
        if (smtp_server_unanswered(&s->smtp) > 0 && buf_len(&s->client.out) == 0)
            deadline_clear(&s->silence); /* it waits for us */
        else if (!deadline_is_set(&s->silence) || s->said != s->said_when_armed)
            deadline_set_ms(&s->silence, (uint64_t)s->listener->conf->client_timeout_ms);
        s->said_when_armed = s->said;
        return;
    case SILENCE_DATA:
        deadline_set_ms(&s->silence, (uint64_t)s->listener->conf->data_timeout_ms);
        return;
    case SILENCE_NOBODY:
        deadline_clear(&s->silence);
        return;
    case SILENCE_CLOSE:
        if (!deadline_is_set(&s->silence)) /* once: it shall end whatever the client does */
            deadline_set_ms(&s->silence, CLOSE_TIMEOUT_MS);
        return;
    }
}

static void session_on_run(void *arg)
{
    struct session *s = arg;
    OBJ_CHECK(s, SESSION_MAGIC);
    while (!s->ended && session_steps[s->step].run(s) == STEP_GO)
        ;
    if (s->ended)
        return;
    session_flush(s);
    buf_trim(&s->client.in);
    /* These look for it themselves: the message has its line in the log, or the outcome is awaited. */
    if (s->client.error && s->step != STEP_RECEIVE && s->step != STEP_DELIVER && s->step != STEP_SCAN &&
        s->step != STEP_QUARANTINE) {
        session_lose_client(s, "the client's connection broke");
        return;
    }
    stream_resume(&s->client);
    session_arm(s);
}

static void session_shut_saying(struct session *s, enum smtp_say say, const char *reason)
{
    struct smtp_reply reply = smtp_say(say);
    smtp_server_shut(&s->smtp, &reply);
    s->linger = true;
    session_close(s, reason);
}

void session_shut(struct session *s)
{
    session_shut_saying(s, SMTP_SAY_SHUTTING_DOWN, "shutting down");
}

/* Its input so far is of no use, and in its place there may be room for the reply. */
void session_shut_for_memory(struct session *s)
{
    stream_forgive(&s->client);
    buf_release(&s->client.in);
    session_shut_saying(s, SMTP_SAY_NO_MEMORY, "no memory for the client's input");
    session_wake(s);
}

void session_lose_client(struct session *s, const char *reason)
{
    bool in_message = s->transaction && s->transaction->times.data;
    if (!s->client.input_lost) {
        if (in_message)
            session_log_message(s, "client-gone");
        session_end(s, reason);
        return;
    }
    if (in_message) {
        struct smtp_reply reply = smtp_say(SMTP_SAY_NO_MEMORY);
        transaction_set_reply(s->transaction, &reply);
        session_log_text(s, LOG_SHORTAGE, "no memory for the client's input");
        session_log_message(s, "deferred");
    }
    session_shut_for_memory(s);
}

static void session_on_silence(void *arg)
{
    struct session *s = arg;
    OBJ_CHECK(s, SESSION_MAGIC);
    if (s->step == STEP_CLOSE) {
        session_end(s, s->close_reason);
        return;
    }
    if (s->transaction && s->step == STEP_RECEIVE)
        session_log_message(s, "client-timeout");
    session_shut_saying(s, SMTP_SAY_TIMEOUT, "timeout");
    session_wake(s);
}

static void session_on_hold(void *arg)
{
    struct session *s = arg;
    OBJ_CHECK(s, SESSION_MAGIC);
    s->hold_expired = true;
    session_wake(s);
}

void session_drain(struct session *s)
{
    if (!s->transaction)
        session_wake(s); /* the envelope step sees that the proxy drains */
}

void session_cut(struct session *s)
{
    struct smtp_reply reply = smtp_say(SMTP_SAY_SHUTTING_DOWN);
    if (s->ended)
        return;
    if (s->transaction && s->transaction->times.data) {
        s->transaction->outcome_unknown = s->transaction->dot_sent;
        if (s->transaction->dot_sent)
            session_log_text(s, LOG_OUTCOME_UNKNOWN, "drain_timeout has passed before the backend answered");
        session_log_message(s, s->transaction->dot_sent ? "unknown" : "shutdown");
    }
    smtp_server_shut(&s->smtp, &reply);
    session_flush(s);
    session_end(s, "drain_timeout has passed");
}

/* greet_after_backend: the backend speaks first. Its refusal, or its absence, is the client's greeting (RFC 5321 3.1,
 * smtp.md A1). */
static enum step_result greet_after_backend(struct session *s)
{
    struct smtp_reply reply = smtp_say(SMTP_SAY_INTERNAL_ERROR);
    if (!s->backend)
        s->backend = backend_lease(s->proxy->backends, false, session_wake, s);
    if (s->backend) {
        switch (backend_state(s->backend)) {
        case BACKEND_QUEUED:
        case BACKEND_OPENING:
            if (s->client.eof || s->client.error)
                session_lose_client(s, "the client left before the greeting");
            return STEP_WAIT;
        case BACKEND_READY:
            session_give_back(s, false, false);
            return STEP_GO;
        case BACKEND_FAILED:
            reply = backend_failure(s->backend).reply;
            break;
        }
    }
    if (smtp_reply_class(&reply) == 4)
        reply.code = 421;
    session_log_reject(s, "greeting", SPAN(""), &reply);
    smtp_server_shut(&s->smtp, &reply);
    session_give_back(s, false, false);
    s->linger = true;
    session_close(s, "the backend is not there");
    return STEP_WAIT;
}

enum step_result step_greet(struct session *s)
{
    if (s->listener->conf->greet_after_backend && greet_after_backend(s) == STEP_WAIT)
        return s->step == STEP_CLOSE && !s->ended ? STEP_GO : STEP_WAIT;
    if (smtp_server_greet(&s->smtp) != ERR_OK) {
        session_end(s, "out of memory for the greeting");
        return STEP_WAIT;
    }
    s->step = STEP_ENVELOPE;
    return STEP_GO;
}

/* A refusal before there is a session: one line, as far as the socket takes it at once. */
static void session_refuse(const struct proxy_listener *l, int fd, const struct addr *peer, const char *limit)
{
    struct buf line;
    char text[ADDR_TEXT];
    struct log_record r;
    struct smtp_reply busy = smtp_say(SMTP_SAY_TOO_MANY_CONNECTIONS);
    struct stream once;
    buf_init(&line, 512);
    stream_init(&once, l->proxy->loop, fd, 512, 1024, NULL, NULL);
    if (smtp_reply_write(&line, &busy, true, false) == ERR_OK && buf_append(&once.out, buf_span(&line)) == ERR_OK)
        stream_flush(&once);
    stream_close(&once);
    buf_release(&line);
    log_begin(&r, l->proxy->shared->log, LOG_REFUSE);
    log_cstr(&r, "client", addr_format(peer, text));
    log_cstr(&r, "listener", l->name);
    log_cstr(&r, "limit", limit);
    log_end(&r);
}

void session_start(struct proxy_listener *l, int fd, const struct addr *peer)
{
    struct proxy *p = l->proxy;
    enum admission_answer answer = admission_enter(p->shared->admission, peer);
    if (answer != ADMISSION_OK) {
        session_refuse(l, fd, peer, answer == ADMISSION_TOTAL ? "max_connections" : "max_connections_per_host");
        return;
    }
    struct session *s = MEM_NEW(struct session);
    if (!s) {
        admission_leave(p->shared->admission, peer);
        session_refuse(l, fd, peer, "memory");
        return;
    }
    OBJ_INIT(s, SESSION_MAGIC);
    s->proxy = p;
    s->listener = l;
    s->peer = *peer;
    s->started_us = loop_now_us(p->loop);
    snprintf(s->id, sizeof(s->id), "%08x-%x-%llx", p->shared->boot_id, p->index,
             (unsigned long long)++p->session_count);
    addr_format(peer, s->peer_text);
    list_append(&p->sessions, &s->node);
    smtp_server_init(&s->smtp, &l->smtp);
    loop_deferred_init(&s->run, session_on_run, s);
    deadline_init(&s->silence, p->loop, session_on_silence, s);
    deadline_init(&s->hold, p->loop, session_on_hold, s);
    stream_init(&s->client, p->loop, fd, LIMIT_STREAM_IN, LIMIT_STREAM_OUT, session_wake, s);
    session_log_connect(s);
    session_wake(s);
}
