/* SPDX-License-Identifier: MIT */
/* The log lines of a session. Ids first, so that a cut line still can be found by them. */
#include "proxy/context.h"

static void session_log_begin(struct log_record *r, const struct session *s, enum log_event event)
{
    log_begin(r, s->proxy->shared->log, event);
    log_cstr(r, "session", s->id);
    if (s->transaction)
        log_cstr(r, "id", s->transaction->id);
    log_cstr(r, "client", s->peer_text);
}

void session_log_connect(const struct session *s)
{
    struct log_record r not_cleared;
    session_log_begin(&r, s, LOG_CONNECT);
    log_cstr(&r, "listener", s->listener->name);
    log_end(&r);
}

void session_log_close(const struct session *s)
{
    struct log_record r not_cleared;
    session_log_begin(&r, s, LOG_CLOSE);
    log_cstr(&r, "reason", s->close_reason);
    log_cstr(&r, "step", session_step_word(s->closed_in));
    log_str(&r, "helo", smtp_server_hello_name(&s->smtp));
    log_u64(&r, "messages", s->messages);
    log_u64(&r, "delivered", s->delivered);
    log_u64(&r, "bytes_in", s->client.bytes_in);
    log_u64(&r, "bytes_out", s->client.bytes_out);
    log_ms(&r, "duration_ms", loop_now_us(s->proxy->loop) - s->started_us);
    log_end(&r);
}

static void log_reply(struct log_record *r, const char *key, const struct smtp_reply *reply)
{
    const uint16_t *e = reply->enhanced;
    struct span text = span_sub(reply->text, 0, 300);
    if (e[0])
        log_fmt(r, key, "%d %u.%u.%u %.*s", reply->code, e[0], e[1], e[2], SPAN_ARG(text));
    else
        log_fmt(r, key, "%d %.*s", reply->code, SPAN_ARG(text));
}

void session_log_reject(const struct session *s, const char *verb, struct span argument, const struct smtp_reply *reply)
{
    struct log_record r not_cleared;
    session_log_begin(&r, s, LOG_REJECT);
    log_cstr(&r, "command", verb);
    log_str(&r, "argument", argument);
    log_reply(&r, "reply", reply);
    log_cstr(&r, "backend", s->backend ? backend_name(s->backend) : NULL);
    log_str(&r, "helo", smtp_server_hello_name(&s->smtp));
    log_end(&r);
}

void session_log_text(const struct session *s, enum log_event event, const char *detail)
{
    struct log_record r not_cleared;
    session_log_begin(&r, s, event);
    log_cstr(&r, "step", session_step_word(s->step));
    if (s->backend)
        log_cstr(&r, "backend", backend_name(s->backend));
    log_cstr(&r, "detail", detail);
    log_end(&r);
}

/* Duration from A to B where both were reached. */
static void log_span_of_time(struct log_record *r, const char *key, uint64_t a, uint64_t b)
{
    if (a && b && b >= a)
        log_ms(r, key, b - a);
}

/* What taking the message apart found. */
static void session_log_inspection(struct log_record *r, const struct transaction *t)
{
    const struct scan_inspection *i = &t->inspection;
    char defects[LIMIT_LOG_FIELD];
    if (!t->inspected)
        return;
    inspection_defects_text(i->defects, defects, sizeof(defects));
    log_u64(r, "parts", i->parts);
    log_cstr(r, "defects", defects[0] ? defects : NULL);
    log_cstr(r, "mime_limit", i->limit[0] ? i->limit : NULL);
    log_ms(r, "inspect_ms", i->scan_us);
}

static void session_log_verdict(struct log_record *r, const struct transaction *t)
{
    const struct verdict *v = &t->verdict;
    log_cstr(r, "verdict", verdict_class_word(v->class));
    if (v->reason != VERDICT_REASON_NONE)
        log_cstr(r, "reason", verdict_reason_word(v->reason));
    log_cstr(r, "virus", v->name[0] ? v->name : NULL);
    log_cstr(r, "part", v->part[0] ? v->part : NULL);
    log_cstr(r, "engine", v->engine[0] ? v->engine : NULL);
    log_cstr(r, "engines", t->engine_words);
    if (v->cached)
        log_cstr(r, "cached", "true");
    if (v->engine[0])
        log_u64(r, "database", v->database_version);
    if (v->generation > 0)
        log_u64(r, "generation", v->generation);
    log_cstr(r, "action", t->decision.deliver ? "pass" : t->decision.quarantine ? "quarantine" : "reject");
    log_cstr(r, "quarantine", t->quarantined ? t->quarantine_id : NULL);
    log_cstr(r, "detail", v->detail[0] ? v->detail : NULL);
    log_ms(r, "queue_ms", v->queue_us);
    log_ms(r, "engine_ms", v->scan_us);
    if (v->parts > 0)
        log_u64(r, "parts_checked", v->parts);
    session_log_inspection(r, t);
}

/* One line for each message, whatever became of it. OUTCOME: delivered, quarantined, refused, deferred, client-gone …
 */
void session_log_message(const struct session *s, const char *outcome)
{
    const struct transaction *t = s->transaction;
    struct log_record r not_cleared;
    uint64_t now = loop_now_us(s->proxy->loop);
    session_log_begin(&r, s, LOG_MESSAGE);
    log_cstr(&r, "outcome", outcome);
    log_str(&r, "from", span_cstr(t->reverse_path));
    const char *first = NULL;
    for (size_t i = 0; i < t->recipient_count && !first; i++)
        if (t->recipients[i].accepted)
            first = t->recipients[i].path;
    log_cstr(&r, "to", first);
    log_u64(&r, "recipients", t->accepted);
    log_u64(&r, "size", t->size);
    if (t->decided)
        session_log_verdict(&r, t);
    char context[LIMIT_LOG_FIELD];
    if (context_words(s, context, sizeof(context)))
        log_cstr(&r, "context", context);
    if (t->reply_code) {
        struct smtp_reply reply = transaction_reply(t);
        log_reply(&r, "reply", &reply);
    }
    log_cstr(&r, "backend", t->backend_name[0] ? t->backend_name : NULL);
    log_cstr(&r, "backend_reply", t->backend_reply[0] ? t->backend_reply : NULL);
    if (t->replay)
        log_cstr(&r, "replayed", "true");
    if (t->message && t->times.received && !t->spool_failed && message_poll(t->message) == MESSAGE_OK && t->decided) {
        char hex[2 * SHA256_SIZE + 1];
        sha256_hex(message_digest(t->message), hex);
        log_cstr(&r, "sha256", hex);
    }
    log_span_of_time(&r, "envelope_ms", t->times.mail, t->times.data);
    log_span_of_time(&r, "receive_ms", t->times.data, t->times.received);
    log_span_of_time(&r, "scan_ms", t->times.received, t->times.scanned);
    log_span_of_time(&r, "deliver_ms", t->times.scanned, t->times.relayed);
    log_span_of_time(&r, "total_ms", t->times.mail, now);
    log_str(&r, "helo", smtp_server_hello_name(&s->smtp));
    log_end(&r);
}
