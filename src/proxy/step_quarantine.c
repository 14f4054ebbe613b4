/* SPDX-License-Identifier: MIT */
/* STEP_QUARANTINE: what must not be delivered is kept, durably, before its sender hears anything. The backend has been
 * told to forget the envelope. A client that leaves meanwhile changes nothing: the copy is complete or there is none.
 * Where something goes wrong nothing is kept, and an alarm is logged: a message that would have been accepted is 451,
 * so that its sender has it still; one that is refused anyway is refused (threats.md C35). */
#include "base/mem.h"
#include "proxy/session.h"
#include "smtp/header.h"
#include "sys/rng.h"

enum { HEADER_MAX = 300 };

/* For people who look through quarantine; nothing is decoded. */
struct shown_headers {
    char from[HEADER_MAX], to[HEADER_MAX], subject[HEADER_MAX];
};

/* VALUE on one line. */
static void show_value(struct span value, char out[HEADER_MAX])
{
    size_t len = 0;
    for (size_t i = 0; i < value.len && len < HEADER_MAX - 1; i++)
        if (value.ptr[i] != '\r' && value.ptr[i] != '\n')
            out[len++] = value.ptr[i];
    out[len] = '\0';
}

static void show_headers(struct span message, bool whole, struct shown_headers *h)
{
    struct smtp_header_iter it = smtp_header_iter_of(message, whole);
    struct smtp_header_field field;
    const struct {
        struct span name;
        char *out;
    } wanted[] = {{SPAN("From"), h->from}, {SPAN("To"), h->to}, {SPAN("Subject"), h->subject}};
    while (smtp_header_next(&it, &field) == SMTP_HEADER_FIELD)
        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
            if (!wanted[i].out[0] && span_eq_nocase(field.name, wanted[i].name))
                show_value(field.value, wanted[i].out);
}

/* What the client will be told if all goes well. */
static struct smtp_reply planned_reply(const struct transaction *t, char text[128])
{
    if (!t->decision.accept)
        return transaction_refusal(&t->decision);
    snprintf(text, 128, "Message kept in quarantine, id %s", t->quarantine_id);
    return (struct smtp_reply){.code = 250, .enhanced = {2, 0, 0}, .text = span_cstr(text)};
}

/* Nothing is kept. DETAIL for the log. */
static enum step_result quarantine_fails(struct session *s, const char *detail)
{
    struct transaction *t = s->transaction;
    char unused[128];
    struct smtp_reply reply = t->decision.accept ? smtp_say(SMTP_SAY_QUARANTINE_FAILED) : planned_reply(t, unused);
    session_log_text(s, LOG_QUARANTINE_FAILED, detail);
    transaction_set_reply(t, &reply);
    quarantine_keeping_free(t->keeping);
    t->keeping = NULL;
    s->step = STEP_ANSWER;
    return STEP_GO;
}

static void describe_verdict(const struct transaction *t, struct quarantine_meta *m)
{
    const struct verdict *v = &t->verdict;
    m->verdict = verdict_class_word(v->class);
    m->reason = v->reason == VERDICT_REASON_NONE ? "" : verdict_reason_word(v->reason);
    m->virus = v->name;
    m->engine = v->engine;
    m->detail = v->detail;
    m->database = v->database_version;
    m->mark = t->decision.status;
}

/* Hands the message over. PREFIX: its first octets. NULL: no memory or descriptors. */
static struct quarantine_keeping *quarantine_begin(struct session *s, struct span prefix)
{
    static const char *const bodies[] = {
        [SMTP_BODY_NONE] = "", [SMTP_BODY_7BIT] = "7BIT", [SMTP_BODY_8BITMIME] = "8BITMIME"};
    const struct proxy_shared *shared = s->proxy->shared;
    struct transaction *t = s->transaction;
    uint64_t now_ms = shared->log->wallclock_ms(shared->log->arg), chance[2];
    struct shown_headers headers = {0};
    char helo[HEADER_MAX], said[128], reply[700];
    const char **paths = mem_new(t->accepted ? t->accepted : 1, sizeof(*paths));
    size_t count = 0;
    if (!paths)
        return NULL;
    for (size_t i = 0; i < t->recipient_count && count < t->accepted; i++)
        if (t->recipients[i].accepted)
            paths[count++] = t->recipients[i].path;
    rng_bytes(chance, sizeof(chance));
    quarantine_make_id(now_ms, chance, t->quarantine_id);
    show_headers(prefix, prefix.len == t->size, &headers);
    show_value(smtp_server_hello_name(&s->smtp), helo);
    struct smtp_reply planned = planned_reply(t, said);
    snprintf(reply, sizeof(reply), "%d %u.%u.%u %.*s", planned.code, planned.enhanced[0], planned.enhanced[1],
             planned.enhanced[2], SPAN_ARG(planned.text));
    struct quarantine_meta m = {.status = QUARANTINE_HELD,
                                .time_ms = now_ms,
                                .size = t->size,
                                .digest = *message_digest(t->message),
                                .session = s->id,
                                .message = t->id,
                                .client = s->peer_text,
                                .helo = helo,
                                .reverse_path = t->reverse_path,
                                .body = bodies[t->body],
                                .reply = reply,
                                .header_from = headers.from,
                                .header_to = headers.to,
                                .header_subject = headers.subject,
                                .recipients = paths,
                                .recipient_count = count};
    memcpy(m.id, t->quarantine_id, sizeof(m.id));
    describe_verdict(t, &m);
    struct quarantine_keeping *keeping = quarantine_keep(shared->quarantine, shared->iopool, s->proxy->mailbox,
                                                         message_fd(t->message), &m, now_ms, session_wake, s);
    mem_free(paths);
    return keeping;
}

/* Before there is a copy on its way. */
static enum step_result quarantine_start(struct session *s)
{
    struct transaction *t = s->transaction;
    struct span prefix;
    if (!s->proxy->shared->quarantine)
        return quarantine_fails(s, "there is no quarantine");
    switch (message_read(t->message, 0, &prefix)) {
    case MESSAGE_WAIT:
        return STEP_WAIT;
    case MESSAGE_FAILED:
        return quarantine_fails(s, message_why(t->message));
    case MESSAGE_OK:
        break;
    }
    t->keeping = quarantine_begin(s, prefix);
    return t->keeping ? STEP_WAIT
                      : quarantine_fails(s, "no memory or descriptors for the copy, or its metadata is too large");
}

enum step_result step_quarantine(struct session *s)
{
    struct transaction *t = s->transaction;
    if (!t->quarantine_begun) {
        t->quarantine_begun = true;
        s->hold_expired = false;
        if (s->proxy->shared->quarantine)
            deadline_set_ms(&s->hold, (uint64_t)s->proxy->shared->quarantine_conf->timeout_ms);
    }
    if (t->keeping && quarantine_keeping_state(t->keeping) == QUARANTINE_FAILED)
        return quarantine_fails(s, quarantine_keeping_why(t->keeping));
    if (t->keeping && quarantine_keeping_state(t->keeping) == QUARANTINE_KEPT) {
        char text[128];
        struct smtp_reply reply = planned_reply(t, text);
        transaction_set_reply(t, &reply);
        t->quarantined = true;
        s->step = STEP_ANSWER;
        return STEP_GO;
    }
    if (s->hold_expired)
        return quarantine_fails(s, "the copy was not on disk within quarantine_timeout");
    return t->keeping ? STEP_WAIT : quarantine_start(s);
}
