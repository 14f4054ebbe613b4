/* SPDX-License-Identifier: MIT */
/* STEP_DELIVER: the envelope is replayed where the backend had been let go; DATA, the overlay, the message's own
 * octets, one last look at the client, the final dot, the backend's reply. STEP_ANSWER: the client hears it, then the
 * log. Before the dot every trouble means that nothing was delivered (451 4.4.x); after it an unknown outcome is 451
 * too, never 250 (smtp.md A54–A61). */
#include "proxy/session.h"

/* The delivery ends with REPLY to the client; the backend is given back, or closed where it stands inside a body. */
static enum step_result deliver_end(struct session *s, const struct smtp_reply *reply, bool in_body)
{
    struct transaction *t = s->transaction;
    transaction_set_reply(t, reply);
    if (t->reply_code == 421)
        t->reply_code = 451; /* ending the session is not the backend's to say */
    t->times.relayed = loop_now_us(s->proxy->loop);
    session_give_back(s, smtp_reply_class(reply) != 2, in_body);
    t->stage = DELIVER_DONE;
    s->step = STEP_ANSWER;
    return STEP_GO;
}

static enum step_result deliver_end_say(struct session *s, enum smtp_say say, bool in_body)
{
    struct smtp_reply reply = smtp_say(say);
    return deliver_end(s, &reply, in_body);
}

static void deliver_note_reply(struct transaction *t, const struct smtp_reply *reply)
{
    snprintf(t->backend_reply, sizeof(t->backend_reply), "%d %.*s", reply->code,
             (int)(reply->text.len < 240 ? reply->text.len : 240), reply->text.ptr ? reply->text.ptr : "");
}

/* The backend is gone. */
static enum step_result deliver_backend_failed(struct session *s)
{
    struct transaction *t = s->transaction;
    struct backend_failure failure = backend_failure(s->backend);
    snprintf(t->backend_reply, sizeof(t->backend_reply), "%.200s", failure.detail);
    if (t->dot_sent) {
        t->outcome_unknown = true;
        return deliver_end_say(s, SMTP_SAY_OUTCOME_UNKNOWN, true);
    }
    if (t->stage <= DELIVER_ENVELOPE && t->replayed == 0 && backend_reused(s->backend)) {
        session_give_back(s, false, true); /* an idle connection that was dead: once more on a fresh one */
        s->sent = 0;
        s->backend = backend_lease(s->proxy->backends, true, session_wake, s);
        t->stage = DELIVER_LEASE;
        if (s->backend)
            return STEP_GO;
        return deliver_end_say(s, SMTP_SAY_INTERNAL_ERROR, false);
    }
    struct smtp_reply reply = failure.reply;
    if (smtp_reply_class(&reply) != 4) /* the client was told 250 to its envelope before: it shall try again */
        reply = smtp_say(SMTP_SAY_REPLAY_REFUSED);
    return deliver_end(s, &reply, true);
}

/* A backend for an envelope whose first backend had to be let go. */
static enum step_result deliver_lease(struct session *s)
{
    struct transaction *t = s->transaction;
    if (!s->backend) {
        s->backend = backend_lease(s->proxy->backends, false, session_wake, s);
        s->sent = 0;
        t->replayed = 0;
        if (!s->backend)
            return deliver_end_say(s, SMTP_SAY_INTERNAL_ERROR, false);
    }
    switch (backend_state(s->backend)) {
    case BACKEND_QUEUED:
    case BACKEND_OPENING:
        return STEP_WAIT;
    case BACKEND_FAILED:
        return deliver_backend_failed(s);
    case BACKEND_READY:
        break;
    }
    t->stage = DELIVER_ENVELOPE;
    return STEP_GO;
}

/* Queues what the window takes: MAIL, then each recipient that had been accepted. s->sent counts all of them, skipped
 * or not. Any error but "no room now" is final. */
static enum err deliver_send_envelope(struct session *s)
{
    struct transaction *t = s->transaction;
    enum err e = ERR_OK;
    if (backend_state(s->backend) != BACKEND_READY)
        return ERR_OK; /* it failed meanwhile, which its caller finds out */
    while (e == ERR_OK && s->sent < 1 + t->recipient_count) {
        if (s->sent == 0)
            e = transaction_send_mail(t, s->backend);
        else if (t->recipients[s->sent - 1].accepted)
            e = transaction_send_rcpt(t, s->sent - 1, s->backend);
        s->sent += e == ERR_OK;
    }
    backend_flush(s->backend);
    return e == ERR_FULL ? ERR_OK : e;
}

static enum step_result deliver_envelope(struct session *s)
{
    struct transaction *t = s->transaction;
    enum smtp_client_verb verb;
    struct smtp_reply reply;
    if (deliver_send_envelope(s) != ERR_OK)
        return deliver_end_say(s, SMTP_SAY_INTERNAL_ERROR, true);
    while (backend_reply(s->backend, &verb, &reply)) {
        if (smtp_reply_class(&reply) != 2) { /* accepted before, refused now: nothing is delivered to anybody */
            deliver_note_reply(t, &reply);
            return deliver_end_say(s, SMTP_SAY_REPLAY_REFUSED, false);
        }
        t->replayed++;
        if (deliver_send_envelope(s) != ERR_OK)
            return deliver_end_say(s, SMTP_SAY_INTERNAL_ERROR, true);
    }
    if (backend_state(s->backend) == BACKEND_FAILED)
        return deliver_backend_failed(s);
    if (t->replayed < 1 + (size_t)t->accepted)
        return STEP_WAIT;
    t->stage = DELIVER_DATA;
    return STEP_GO;
}

static enum step_result deliver_data(struct session *s)
{
    struct transaction *t = s->transaction;
    enum smtp_client_verb verb;
    struct smtp_reply reply;
    if (!t->data_sent) {
        snprintf(t->backend_name, sizeof(t->backend_name), "%s", backend_name(s->backend));
        if (smtp_client_command(backend_client(s->backend), SMTP_CLIENT_DATA, SPAN("")) != ERR_OK)
            return deliver_end_say(s, SMTP_SAY_INTERNAL_ERROR, true);
        t->data_sent = true;
        backend_flush(s->backend);
    }
    if (!backend_reply(s->backend, &verb, &reply))
        return backend_state(s->backend) == BACKEND_FAILED ? deliver_backend_failed(s) : STEP_WAIT;
    if (smtp_reply_class(&reply) == 3) { /* 354; the first digit decides (RFC 5321 4.3.2) */
        backend_more(s->backend, true);
        t->stage = DELIVER_BODY;
        return STEP_GO;
    }
    deliver_note_reply(t, &reply);
    return deliver_end(s, &reply, false);
}

/* What follows from E of transaction_send_body; ALL: nothing is left to queue of it. */
static enum step_result deliver_queued(struct session *s, enum err e, bool all)
{
    if (e != ERR_OK)
        return deliver_end_say(s, SMTP_SAY_INTERNAL_ERROR, true);
    return all || backend_state(s->backend) == BACKEND_FAILED ? STEP_GO : STEP_WAIT;
}

static enum step_result deliver_body(struct session *s)
{
    struct transaction *t = s->transaction;
    enum smtp_client_verb verb;
    struct smtp_reply reply;
    if (backend_reply(s->backend, &verb, &reply) || backend_state(s->backend) == BACKEND_FAILED)
        return deliver_backend_failed(s); /* a reply inside the body is a fault, so it never comes as one */
    if (t->overlay_sent < t->overlay_len) {
        struct span rest = span_of(t->overlay + t->overlay_sent, t->overlay_len - t->overlay_sent);
        enum err e = transaction_send_body(s->backend, rest, &t->overlay_sent);
        return deliver_queued(s, e, t->overlay_sent == t->overlay_len);
    }
    struct span slice;
    switch (message_read(t->message, t->offset, &slice)) {
    case MESSAGE_WAIT:
        return STEP_WAIT;
    case MESSAGE_FAILED:
        session_log_text(s, LOG_SPOOL, message_why(t->message));
        return deliver_end_say(s, SMTP_SAY_INTERNAL_ERROR, true);
    case MESSAGE_OK:
        break;
    }
    if (slice.len == 0) {
        t->stage = DELIVER_DOT;
        return STEP_GO;
    }
    enum err e = transaction_send_body(s->backend, span_sub(slice, t->slice_done, slice.len), &t->slice_done);
    bool all = t->slice_done == slice.len;
    if (all) {
        t->offset += slice.len;
        t->slice_done = 0;
    }
    return deliver_queued(s, e, all);
}

/* Everything but the dot has left. The dot makes the delivery: it is not sent for a client that is gone. */
static enum step_result deliver_dot(struct session *s)
{
    struct transaction *t = s->transaction;
    enum smtp_client_verb verb;
    struct smtp_reply reply;
    if (backend_reply(s->backend, &verb, &reply) || backend_state(s->backend) == BACKEND_FAILED)
        return deliver_backend_failed(s);
    if (backend_backlog(s->backend) > 0)
        return STEP_WAIT;
    if (!s->client.eof && !s->client.error && buf_room(&s->client.in) > 0 && stream_peer_gone(&s->client))
        return STEP_WAIT; /* its end is in the socket, not yet read: there may be a QUIT in front of it */
    if (smtp_client_body_end(backend_client(s->backend)) != ERR_OK)
        return deliver_end_say(s, SMTP_SAY_INTERNAL_ERROR, true);
    t->dot_sent = true;
    t->stage = DELIVER_WAIT;
    backend_more(s->backend, false);
    backend_flush(s->backend);
    return STEP_GO;
}

static enum step_result deliver_wait(struct session *s)
{
    struct transaction *t = s->transaction;
    enum smtp_client_verb verb;
    struct smtp_reply reply;
    if (!backend_reply(s->backend, &verb, &reply))
        return backend_state(s->backend) == BACKEND_FAILED ? deliver_backend_failed(s) : STEP_WAIT;
    deliver_note_reply(t, &reply);
    return deliver_end(s, &reply, false);
}

enum step_result step_deliver(struct session *s)
{
    struct transaction *t = s->transaction;
    if (!t->dot_sent && session_client_vanished(s)) {
        session_lose_client(s, "the client left before the message was delivered");
        return STEP_WAIT;
    }
    switch (t->stage) {
    case DELIVER_LEASE:
        return deliver_lease(s);
    case DELIVER_ENVELOPE:
        return deliver_envelope(s);
    case DELIVER_DATA:
        return deliver_data(s);
    case DELIVER_BODY:
        return deliver_body(s);
    case DELIVER_DOT:
        return deliver_dot(s);
    case DELIVER_WAIT:
        return deliver_wait(s);
    case DELIVER_DONE:
        break;
    }
    return deliver_end_say(s, SMTP_SAY_INTERNAL_ERROR, true); /* not reached: DONE leaves the step */
}

static const char *answer_outcome(const struct transaction *t)
{
    if (t->outcome_unknown)
        return "unknown";
    if (t->quarantined)
        return "quarantined";
    if (t->reply_code / 100 == 2)
        return "delivered";
    return t->reply_code / 100 == 5 ? "refused" : "deferred";
}

/* The client first, then the log: between the backend's 250 and ours a crash makes a duplicate (smtp.md A56, A59). */
enum step_result step_answer(struct session *s)
{
    struct transaction *t = s->transaction;
    struct smtp_reply reply = transaction_reply(t);
    bool input_lost = s->client.input_lost; /* of what it sent behind its message */
    stream_forgive(&s->client);
    enum err e = session_try_reply(s, &reply);
    session_flush(s);
    if (s->client.error)
        session_log_text(s, LOG_PROTOCOL, "the client left before it heard the reply");
    if (t->outcome_unknown)
        session_log_text(s, LOG_OUTCOME_UNKNOWN, t->backend_reply);
    s->delivered += t->reply_code / 100 == 2 && !t->quarantined;
    session_log_message(s, answer_outcome(t));
    if (e != ERR_OK) {
        session_end_unanswered(s, e);
        return STEP_WAIT;
    }
    session_end_transaction(s);
    s->step = STEP_ENVELOPE;
    if (input_lost)
        session_shut_for_memory(s);
    return STEP_GO;
}
