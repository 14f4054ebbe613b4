/* SPDX-License-Identifier: MIT */
/* STEP_RECEIVE, STEP_SCAN, STEP_DECIDE: the message comes in and is sealed, the engines look at it, the configuration
 * decides. The backend waits meanwhile, but not longer than backend_hold. */
#include "base/mem.h"
#include "proxy/context.h"
#include <errno.h>

/* The backend while it has nothing to do: it may be given back after a while, or leave by itself. Either way the
 * envelope is replayed later, which is safe: nothing was delivered yet. */
static void session_watch_backend(struct session *s)
{
    enum smtp_client_verb verb;
    struct smtp_reply reply;
    if (!s->backend)
        return;
    if (s->hold_expired) {
        session_release_hold(s, "upload and scan outlast backend_hold");
        return;
    }
    if (backend_reply(s->backend, &verb, &reply) || backend_state(s->backend) == BACKEND_FAILED)
        session_release_hold(s, "the backend left while the message was received or scanned");
}

/* The message ends here: the backend forgets the envelope, the client gets REPLY. */
static void session_refuse_message(struct session *s, enum smtp_say say)
{
    struct smtp_reply reply = smtp_say(say);
    transaction_set_reply(s->transaction, &reply);
    session_give_back(s, true, false);
    s->step = STEP_ANSWER;
}

static enum smtp_say session_spool_reply(const struct transaction *t)
{
    int error = message_errno(t->message);
    return error == ENOSPC || error == EDQUOT || error == EFBIG ? SMTP_SAY_NO_SPACE : SMTP_SAY_INTERNAL_ERROR;
}

static void session_spool_broke(struct session *s)
{
    if (!s->transaction->spool_failed)
        session_log_text(s, LOG_SPOOL, message_why(s->transaction->message));
    s->transaction->spool_failed = true;
}

/* The end of data has come: refuse what must not be delivered, seal the rest. */
static enum step_result session_seal(struct session *s)
{
    struct transaction *t = s->transaction;
    if (t->spool_failed) {
        session_refuse_message(s, session_spool_reply(t));
        return STEP_GO;
    }
    if (t->too_large || t->faults) {
        session_log_text(s, LOG_PROTOCOL,
                         t->too_large                     ? "message too large"
                         : t->faults & SMTP_FAULT_NUL     ? "NUL in the message"
                         : t->faults & SMTP_FAULT_BARE_LF ? "bare LF in the message"
                                                          : "bare CR in the message");
        session_refuse_message(s, t->too_large ? SMTP_SAY_TOO_LARGE : SMTP_SAY_BAD_LINE_ENDS);
        return STEP_GO;
    }
    s->sealing = true;
    switch (message_seal(t->message)) {
    case MESSAGE_WAIT:
        return STEP_WAIT;
    case MESSAGE_FAILED:
        session_spool_broke(s);
        return session_seal(s);
    case MESSAGE_OK:
        break;
    }
    s->sealing = false;
    t->size = message_size(t->message);
    s->step = STEP_SCAN;
    return STEP_GO;
}

_Static_assert(LIMIT_STREAM_IN <= SPOOL_SLICE, "a body span must fit one slice of the spool");

static enum step_result session_on_body(struct session *s, struct span body)
{
    struct transaction *t = s->transaction;
    if (t->spool_failed)
        return STEP_GO; /* read and dropped until the end of data */
    switch (message_append(t->message, body)) {
    case MESSAGE_FAILED:
        session_spool_broke(s);
        return STEP_GO;
    case MESSAGE_WAIT: /* taken, but no more before the wake */
        return STEP_WAIT;
    case MESSAGE_OK:
        break;
    }
    return STEP_GO;
}

enum step_result step_receive(struct session *s)
{
    struct transaction *t = s->transaction;
    struct smtp_server_event ev;
    session_watch_backend(s);
    if (!t->spool_failed) {
        enum message_state state = message_poll(t->message);
        if (state == MESSAGE_FAILED)
            session_spool_broke(s);
        else if (state == MESSAGE_WAIT)
            return STEP_WAIT; /* the disk is slow: the client's bytes wait in its buffer, then in its socket */
    }
    if (s->sealing || t->times.received)
        return session_seal(s);
    smtp_server_next(&s->smtp, &s->client.in, &ev);
    if (ev.kind == SMTP_SERVER_BODY)
        return session_on_body(s, ev.body);
    if (ev.kind == SMTP_SERVER_BODY_END) {
        t->times.received = loop_now_us(s->proxy->loop);
        t->size = ev.body_end.size;
        t->faults = ev.body_end.faults;
        t->too_large = ev.body_end.too_large;
        return session_seal(s);
    }
    if (ev.kind == SMTP_SERVER_NEED_INPUT && !s->client.eof && !s->client.error)
        return STEP_WAIT;
    session_lose_client(s, "the client left inside a message");
    return STEP_WAIT;
}

static bool variable_is_set(void *arg, const char *name)
{
    return context_is_set(arg, name);
}

static enum err set_variable(void *arg, const char *name, const char *value)
{
    return context_set_message(arg, name, value);
}

struct scan_subject session_subject(struct session *s)
{
    const struct transaction *t = s->transaction;
    struct scan_subject subject = {.fd = -1, .is_set = variable_is_set, .set = set_variable, .arg = s};
    if (t->times.received) {
        subject.fd = message_fd(t->message);
        subject.size = t->size;
        subject.digest = message_digest(t->message)->bytes;
    }
    return subject;
}

enum step_result step_scan(struct session *s)
{
    struct transaction *t = s->transaction;
    session_watch_backend(s);
    if (session_client_vanished(s)) {
        session_lose_client(s, "the client left before the verdict");
        return STEP_WAIT;
    }
    if (!t->run) {
        const struct scan_subject subject = session_subject(s);
        t->run = scan_run_start(s->proxy->scans, &subject, session_wake, s);
        if (!t->run)
            verdict_set(&t->verdict, VERDICT_ERROR, VERDICT_REASON_MEMORY, "no memory for a scan");
    }
    if (t->run) {
        const struct verdict *v = scan_run_verdict(t->run);
        if (!v)
            return STEP_WAIT;
        t->verdict = *v;
        if (s->proxy->shared->framework->engine_count > 1) /* no memory for it costs a field in the log */
            t->engine_words = mem_strdup(span_cstr(scan_run_words(t->run)));
        const struct scan_inspection *i = scan_run_inspection(t->run);
        t->inspected = i != NULL;
        if (i)
            t->inspection = *i;
        scan_run_free(t->run);
        t->run = NULL;
    }
    t->times.scanned = loop_now_us(s->proxy->loop);
    s->step = STEP_DECIDE;
    return STEP_GO;
}

enum step_result step_decide(struct session *s)
{
    struct transaction *t = s->transaction;
    framework_decide(s->proxy->shared->framework, &t->verdict, t->id, &t->decision);
    t->decided = true;
    if (t->decision.deliver) {
        transaction_set_overlay(t, s->proxy->shared->hostname);
        if (!t->replay)
            t->stage = DELIVER_DATA;
        s->step = STEP_DELIVER;
        return STEP_GO;
    }
    if (t->decision.quarantine) {
        session_give_back(s, true, false);
        s->step = STEP_QUARANTINE;
        return STEP_GO;
    }
    struct smtp_reply reply = transaction_refusal(&t->decision);
    transaction_set_reply(t, &reply);
    session_give_back(s, true, false);
    s->step = STEP_ANSWER;
    return STEP_GO;
}
