/* SPDX-License-Identifier: MIT */
/* STEP_ENVELOPE: commands between messages. MAIL and RCPT go to the backend as they come, and its own replies come
 * back, in order; both protocol engines keep their own order, so the reply that arrives next belongs to the oldest
 * unanswered command. */
#include "proxy/session.h"

void session_give_back(struct session *s, bool in_transaction, bool in_body)
{
    if (!s->backend)
        return;
    backend_return(s->backend, in_transaction, in_body);
    s->backend = NULL;
}

void session_end_transaction(struct session *s)
{
    struct transaction *t = s->transaction;
    bool in_body = t && t->stage >= DELIVER_DATA && t->stage != DELIVER_DONE && s->backend;
    deadline_clear(&s->hold);
    s->hold_expired = s->sealing = false;
    session_give_back(s, s->sent > 0, in_body); /* also the one that is awaited before the greeting */
    transaction_free(t);
    s->transaction = NULL;
    s->sent = 0;
}

void session_release_hold(struct session *s, const char *why)
{
    session_log_text(s, LOG_BACKEND_HOLD, why);
    session_give_back(s, true, false);
    s->transaction->replay = true;
    s->transaction->stage = DELIVER_LEASE;
}

static void session_reply_say(struct session *s, enum smtp_say say)
{
    struct smtp_reply reply = smtp_say(say);
    session_reply(s, &reply);
}

/* A reply of the backend as our client shall see it: 421 would end the session, which is not the backend's to say, and
 * a text without end would fill the client's output. */
static struct smtp_reply session_relayed(struct smtp_reply reply)
{
    enum { RELAYED_TEXT = 1024 };
    if (reply.code == 421)
        reply.code = 451;
    reply.text = span_sub(reply.text, 0, RELAYED_TEXT);
    return reply;
}

/* The transaction can only fail now: what is owed and every further command of it gets REPLY; without a sender it ends.
 * WHAT and DETAIL for the log. */
static void session_break(struct session *s, const struct smtp_reply *reply, const char *what, const char *detail)
{
    struct span text = span_sub(reply->text, 0, sizeof(s->failure_text) - 1);
    snprintf(s->failure_text, sizeof(s->failure_text), "%.*s", SPAN_ARG(text));
    s->failure = *reply;
    s->failure.text = span_cstr(s->failure_text);
    s->transaction->broken = true;
    session_log_reject(s, what, span_cstr(detail), &s->failure);
    session_give_back(s, s->sent > 0, false);
    while (smtp_server_unanswered(&s->smtp) > 0 && !s->ended)
        session_reply(s, &s->failure);
    if (s->transaction && !s->transaction->mail_accepted)
        session_end_transaction(s);
}

static void session_break_for_memory(struct session *s)
{
    struct smtp_reply reply = smtp_say(SMTP_SAY_INTERNAL_ERROR);
    session_break(s, &reply, "memory", "no memory for the envelope");
}

/* The backend failed under an open envelope. */
static void session_backend_failed(struct session *s)
{
    if (!backend_reused(s->backend) || s->transaction->answered > 0) {
        struct backend_failure failure = backend_failure(s->backend);
        session_break(s, &failure.reply, "backend", failure.detail);
        return;
    }
    /* An idle connection that its server closed just now; nothing of this transaction was answered, so nobody can
     * tell. */
    session_give_back(s, false, false);
    s->sent = 0;
    s->backend = backend_lease(s->proxy->backends, true, session_wake, s);
    if (!s->backend)
        session_break_for_memory(s);
}

/* Gives the backend what it has not seen of the envelope. */
static void session_forward(struct session *s)
{
    struct transaction *t = s->transaction;
    if (!t || !s->backend || backend_state(s->backend) != BACKEND_READY)
        return;
    enum err e = ERR_OK;
    while (e == ERR_OK && s->sent < 1 + t->recipient_count) {
        e = s->sent == 0 ? transaction_send_mail(t, s->backend) : transaction_send_rcpt(t, s->sent - 1, s->backend);
        s->sent += e == ERR_OK;
    }
    backend_flush(s->backend); /* ERR_FULL: the rest goes as replies come */
    if (e == ERR_NOMEM || e == ERR_DENIED)
        session_break_for_memory(s);
}

static void session_relay_reply(struct session *s, enum smtp_client_verb verb, const struct smtp_reply *from_backend)
{
    struct transaction *t = s->transaction;
    struct smtp_reply reply = session_relayed(*from_backend);
    if (verb == SMTP_CLIENT_RCPT && !t->mail_accepted && smtp_reply_class(&reply) == 2)
        reply = smtp_say(SMTP_SAY_MAIL_FIRST); /* the backend says yes to it although it refused the sender */
    bool accepted = smtp_reply_class(&reply) == 2;
    struct span argument = span_cstr(t->reverse_path);
    if (verb == SMTP_CLIENT_MAIL) {
        t->mail_accepted = accepted;
    } else {
        struct recipient *r = &t->recipients[t->answered - 1];
        r->accepted = accepted;
        t->accepted += accepted;
        s->recipients += accepted;
        argument = span_cstr(r->path);
    }
    t->answered++;
    if (!accepted)
        session_log_reject(s, smtp_client_verb_name(verb), argument, &reply);
    session_reply(s, &reply);
}

/* Everything that the backend has to say now. */
static void session_pull_backend(struct session *s)
{
    enum smtp_client_verb verb;
    struct smtp_reply reply;
    if (!s->backend || !s->transaction)
        return;
    session_forward(s);
    while (s->backend && session_may_reply(s) && backend_reply(s->backend, &verb, &reply))
        if (verb == SMTP_CLIENT_MAIL || verb == SMTP_CLIENT_RCPT)
            session_relay_reply(s, verb, &reply);
    if (s->backend && backend_state(s->backend) == BACKEND_FAILED)
        session_backend_failed(s);
    else
        session_forward(s);
    if (s->transaction && smtp_server_unanswered(&s->smtp) == 0 && !s->transaction->mail_accepted)
        session_end_transaction(s);
}

static void session_on_hello(struct session *s)
{
    struct smtp_offer offer = backend_pool_offer(s->proxy->backends);
    uint64_t own = (uint64_t)s->listener->conf->max_message_size, overlay = sizeof(s->transaction->overlay);
    offer.set = smtp_ext_hop_set() | (offer.set & smtp_ext_end_to_end_set());
    /* The lines we may add in front must fit the backend's limit as well. */
    if (offer.size_limit > overlay)
        offer.size_limit -= overlay;
    if (offer.size_limit == 0 || offer.size_limit > own)
        offer.size_limit = own;
    if (smtp_server_reply_hello(&s->smtp, &offer) != ERR_OK)
        session_end(s, "out of memory for a reply");
}

static void session_on_mail(struct session *s, const struct smtp_server_event *ev)
{
    if (s->proxy->draining) { /* typed ahead: what is open may finish, nothing new begins */
        session_shut(s);
        return;
    }
    struct transaction *t = transaction_new(s->id, ++s->messages, loop_now_us(s->proxy->loop));
    s->transaction = t;
    s->sent = 0;
    if (!t || transaction_set_mail(t, ev->mail.path, ev->mail.size, ev->mail.body) != ERR_OK ||
        !(s->backend = backend_lease(s->proxy->backends, false, session_wake, s))) {
        session_log_text(s, LOG_SHORTAGE, "no memory for a transaction");
        session_reply_say(s, SMTP_SAY_INTERNAL_ERROR);
        session_end_transaction(s);
    }
}

static void session_on_rcpt(struct session *s, const struct smtp_server_event *ev)
{
    if (!s->transaction)
        session_reply_say(s, SMTP_SAY_INTERNAL_ERROR);
    else if (s->transaction->broken)
        session_reply(s, &s->failure);
    else if (transaction_add_recipient(s->transaction, ev->rcpt.path) != ERR_OK)
        session_break_for_memory(s); /* a reply to this command alone would answer one before it */
}

/* Sooner than after the whole message: the queue of a pool that it would have to pass is full. True: it was refused. */
static bool session_refuses_early(struct session *s)
{
    struct transaction *t = s->transaction;
    const struct scan_subject subject = session_subject(s);
    struct scan_decision decision;
    if (!scan_run_refuses_early(s->proxy->scans, &subject, &t->verdict))
        return false;
    framework_decide(s->proxy->shared->framework, &t->verdict, t->id, &decision);
    struct smtp_reply reply = transaction_refusal(&decision);
    session_log_reject(s, "DATA", span_cstr(verdict_reason_word(t->verdict.reason)), &reply);
    session_reply(s, &reply);
    return true;
}

/* With scanning off no other process reads it. */
static struct message *session_new_message(struct session *s)
{
    const struct proxy_shared *p = s->proxy->shared;
    if (p->framework->scan_off)
        return message_new_unshared(p->spool, p->iopool, s->proxy->mailbox, session_wake, s);
    return message_new(p->spool, p->iopool, s->proxy->mailbox, session_wake, s);
}

static void session_on_data(struct session *s)
{
    struct transaction *t = s->transaction;
    if (t && !t->broken && session_refuses_early(s)) {
        session_end_transaction(s);
        return;
    }
    if (!t || t->broken) {
        if (t)
            session_reply(s, &s->failure);
        else
            session_reply_say(s, SMTP_SAY_INTERNAL_ERROR);
        session_end_transaction(s); /* a refused DATA ends it (smtp/server.h) */
        return;
    }
    t->message = session_new_message(s);
    struct smtp_reply reply = smtp_say(t->message ? SMTP_SAY_START_BODY : SMTP_SAY_INTERNAL_ERROR);
    if (!t->message)
        session_log_text(s, LOG_SHORTAGE, "no memory file for a message");
    session_reply(s, &reply);
    if (s->ended)
        return;
    if (!t->message) {
        session_end_transaction(s);
        return;
    }
    t->times.data = loop_now_us(s->proxy->loop);
    deadline_set_ms(&s->hold, (uint64_t)s->proxy->shared->conf->backend_hold_ms);
    s->step = STEP_RECEIVE;
}

/* Nothing more to read for now: has the client gone, or do we? */
static enum step_result session_starved(struct session *s)
{
    if (s->client.eof) /* it may have closed one direction only, and read what it is still owed */
        session_close(s, s->transaction ? "the client left inside a transaction" : "the client left without QUIT");
    else if (s->proxy->draining && !s->transaction)
        session_shut(s);
    else
        return STEP_WAIT;
    return STEP_GO;
}

enum step_result step_envelope(struct session *s)
{
    struct smtp_server_event ev;
    session_pull_backend(s);
    if (s->ended)
        return STEP_WAIT;
    if (s->client.error) {
        session_lose_client(s, "the client's connection broke");
        return STEP_WAIT;
    }
    if (buf_len(&s->client.out) > LIMIT_STREAM_OUT / 2)
        return STEP_WAIT; /* it sends and does not read: it waits until it reads */
    smtp_server_next(&s->smtp, &s->client.in, &ev);
    switch (ev.kind) {
    case SMTP_SERVER_NEED_INPUT:
        return session_starved(s);
    case SMTP_SERVER_BLOCKED:
        return STEP_WAIT;
    case SMTP_SERVER_HELLO:
        session_on_hello(s);
        break;
    case SMTP_SERVER_MAIL:
        session_on_mail(s, &ev);
        break;
    case SMTP_SERVER_RCPT:
        session_on_rcpt(s, &ev);
        break;
    case SMTP_SERVER_DATA:
        session_on_data(s);
        break;
    case SMTP_SERVER_RSET:
        session_end_transaction(s);
        break;
    case SMTP_SERVER_REFUSED: {
        struct smtp_reply reply = smtp_say(ev.refused.say);
        session_log_reject(s, "line", ev.refused.line, &reply);
        break;
    }
    case SMTP_SERVER_QUIT:
        session_close(s, "quit");
        break;
    case SMTP_SERVER_CLOSE:
        session_log_text(s, LOG_PROTOCOL, ev.reason);
        s->linger = true;
        session_close(s, ev.reason);
        break;
    case SMTP_SERVER_BODY:
    case SMTP_SERVER_BODY_END:
        session_end(s, "a body outside DATA"); /* the engine does not do this */
        break;
    }
    return s->ended ? STEP_WAIT : STEP_GO;
}
