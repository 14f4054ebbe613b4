/* SPDX-License-Identifier: MIT */
/* Context variables: dictionaries first, then the functions of the predefined ones. */
#include "proxy/context.h"
#include "smtp/header.h"
#include "smtp/path.h"

enum { HEADERS_MAX = 65536 /* of a message are looked at; real ones are below 10 KiB */ };

static bool put(char out[CONTEXT_VALUE], struct span value)
{
    if (value.len >= CONTEXT_VALUE)
        return false;
    if (value.len > 0)
        memcpy(out, value.ptr, value.len);
    out[value.len] = '\0';
    return true;
}

static bool put_number(char out[CONTEXT_VALUE], unsigned n)
{
    return snprintf(out, CONTEXT_VALUE, "%u", n) > 0;
}

static bool context_ehlo(const struct session *s, char out[CONTEXT_VALUE])
{
    struct span name = smtp_server_hello_name(&s->smtp);
    return name.len > 0 && put(out, name);
}

static bool context_connection_messages(const struct session *s, char out[CONTEXT_VALUE])
{
    return put_number(out, s->messages);
}

static bool context_connection_recipients(const struct session *s, char out[CONTEXT_VALUE])
{
    return put_number(out, s->recipients);
}

static bool context_bad_commands(const struct session *s, char out[CONTEXT_VALUE])
{
    return put_number(out, smtp_server_bad_commands(&s->smtp));
}

static bool context_unrecognized_commands(const struct session *s, char out[CONTEXT_VALUE])
{
    return put_number(out, smtp_server_unrecognized_commands(&s->smtp));
}

static bool context_message_recipients(const struct session *s, char out[CONTEXT_VALUE])
{
    return s->transaction && put_number(out, s->transaction->accepted);
}

/* ---- addresses ---- */

enum part { WHOLE, LOCALPART, DOMAIN };

static bool put_path(const char *path, enum part part, char out[CONTEXT_VALUE])
{
    struct cursor c = cursor_of(span_cstr(path));
    struct smtp_path parsed;
    if (!smtp_path_parse(&c, true, &parsed))
        return false;
    struct span local = parsed.mailbox;
    if (parsed.domain.len > 0)
        local.len -= parsed.domain.len + 1;
    return put(out, part == WHOLE ? parsed.mailbox : part == DOMAIN ? parsed.domain : local);
}

static bool put_from(const struct session *s, enum part part, char out[CONTEXT_VALUE])
{
    const struct transaction *t = s->transaction;
    return t && t->reverse_path && put_path(t->reverse_path, part, out);
}

/* The recipient that was accepted last. */
static bool put_to(const struct session *s, enum part part, char out[CONTEXT_VALUE])
{
    const struct transaction *t = s->transaction;
    for (size_t i = t ? t->recipient_count : 0; i > 0; i--)
        if (t->recipients[i - 1].accepted)
            return put_path(t->recipients[i - 1].path, part, out);
    return false;
}

static bool context_from(const struct session *s, char out[CONTEXT_VALUE])
{
    return put_from(s, WHOLE, out);
}

static bool context_from_localpart(const struct session *s, char out[CONTEXT_VALUE])
{
    return put_from(s, LOCALPART, out);
}

static bool context_from_domain(const struct session *s, char out[CONTEXT_VALUE])
{
    return put_from(s, DOMAIN, out);
}

static bool context_to(const struct session *s, char out[CONTEXT_VALUE])
{
    return put_to(s, WHOLE, out);
}

static bool context_to_localpart(const struct session *s, char out[CONTEXT_VALUE])
{
    return put_to(s, LOCALPART, out);
}

static bool context_to_domain(const struct session *s, char out[CONTEXT_VALUE])
{
    return put_to(s, DOMAIN, out);
}

static bool context_8bitmime(const struct session *s, char out[CONTEXT_VALUE])
{
    return s->transaction && s->transaction->body == SMTP_BODY_8BITMIME && put(out, SPAN("yes"));
}

/* ---- headers ---- */

/* How many fields NAME stand in the first octets of the sealed message. False: there is none, or it cannot be read. */
static bool count_headers(const struct session *s, const char *name, unsigned *count)
{
    char headers[HEADERS_MAX];
    const struct transaction *t = s->transaction;
    if (!t || !t->message || !t->times.received)
        return false;
    ssize_t n = message_head(t->message, headers, sizeof(headers));
    if (n < 0)
        return false;
    *count = smtp_header_count(span_of(headers, (size_t)n), (uint64_t)n == t->size, span_cstr(name));
    return true;
}

static bool context_received_count(const struct session *s, char out[CONTEXT_VALUE])
{
    unsigned count;
    return count_headers(s, "Received", &count) && put_number(out, count);
}

static bool context_date_missing(const struct session *s, char out[CONTEXT_VALUE])
{
    unsigned count;
    return count_headers(s, "Date", &count) && count == 0 && put(out, SPAN("yes"));
}

/* ---- what taking the message apart found ---- */

static bool context_mime_parts(const struct session *s, char out[CONTEXT_VALUE])
{
    return s->transaction && s->transaction->inspected && put_number(out, s->transaction->inspection.parts);
}

static bool context_mime_defects(const struct session *s, char out[CONTEXT_VALUE])
{
    if (!s->transaction || !s->transaction->inspected || s->transaction->inspection.defects == 0)
        return false;
    inspection_defects_text(s->transaction->inspection.defects, out, CONTEXT_VALUE);
    return true;
}

/* ---- the contexts ---- */

static const struct {
    const char *name;
    bool (*compute)(const struct session *s, char out[CONTEXT_VALUE]);
} predefined[] = {
#define CONTEXT(name, function) {name, function},
#include "proxy/context.def"
#undef CONTEXT
};

static const char *find_set(const struct session *s, const char *name)
{
    const char *value = s->transaction ? dict_get(&s->transaction->context, name) : NULL;
    if (!value)
        value = dict_get(&s->context, name);
    const struct conf_dict *listener = &s->listener->conf->context;
    for (size_t i = 0; i < listener->count && !value; i++)
        if (strcmp(listener->items[i].key, name) == 0)
            value = listener->items[i].value;
    return value;
}

bool context_is_set(const struct session *s, const char *name)
{
    return find_set(s, name) != NULL;
}

const char *context_get(const struct session *s, const char *name, char out[CONTEXT_VALUE])
{
    const char *value = find_set(s, name);
    for (size_t i = 0; i < ARRAY_SIZE(predefined) && !value; i++)
        if (strcmp(predefined[i].name, name) == 0)
            return predefined[i].compute(s, out) ? out : NULL;
    return value;
}

enum err context_set_message(struct session *s, const char *name, const char *value)
{
    return s->transaction ? dict_set(&s->transaction->context, name, value) : ERR_STATE;
}

enum err context_set_connection(struct session *s, const char *name, const char *value)
{
    return dict_set(&s->context, name, value);
}

bool context_words(const struct session *s, char *out, size_t size)
{
    const struct dict *d = &s->transaction->context;
    size_t len = 0;
    for (size_t i = 0; i < d->count && len < size; i++) {
        int n = snprintf(out + len, size - len, "%s%s=%s", i ? "; " : "", d->items[i].key, d->items[i].value);
        len += n > 0 ? (size_t)n : 0;
    }
    return d->count > 0;
}
