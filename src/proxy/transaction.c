/* SPDX-License-Identifier: MIT */
/* A transaction's envelope and replies. */
#include "proxy/transaction.h"
#include "base/mem.h"

struct transaction *transaction_new(const char *session_id, unsigned number, uint64_t now_us)
{
    struct transaction *t = MEM_NEW(struct transaction);
    if (!t)
        return NULL;
    snprintf(t->id, sizeof(t->id), "%s.%u", session_id, number);
    t->times.mail = now_us;
    return t;
}

void transaction_free(struct transaction *t)
{
    if (!t)
        return;
    if (t->run)
        scan_run_free(t->run);
    if (t->message)
        message_free(t->message);
    quarantine_keeping_free(t->keeping);
    for (size_t i = 0; i < t->recipient_count; i++)
        mem_free(t->recipients[i].path);
    mem_free(t->recipients);
    mem_free(t->reverse_path);
    mem_free(t->engine_words);
    dict_release(&t->context);
    mem_free(t);
}

enum err transaction_set_mail(struct transaction *t, struct span path, uint64_t size, enum smtp_body body)
{
    t->reverse_path = mem_strdup(path);
    t->declared_size = size;
    t->body = body;
    return t->reverse_path ? ERR_OK : ERR_NOMEM;
}

enum err transaction_add_recipient(struct transaction *t, struct span path)
{
    if (t->recipient_count == t->recipient_room) {
        size_t room = t->recipient_room ? 2 * t->recipient_room : 4;
        struct recipient *more = mem_resize(t->recipients, room, sizeof(*more));
        if (!more)
            return ERR_NOMEM;
        t->recipients = more;
        t->recipient_room = room;
    }
    char *copy = mem_strdup(path);
    if (!copy)
        return ERR_NOMEM;
    t->recipients[t->recipient_count++] = (struct recipient){.path = copy};
    return ERR_OK;
}

enum err transaction_send_mail(const struct transaction *t, struct backend *b)
{
    static const char *const body_words[] = {
        [SMTP_BODY_NONE] = "", [SMTP_BODY_7BIT] = " BODY=7BIT", [SMTP_BODY_8BITMIME] = " BODY=8BITMIME"};
    const struct smtp_offer *offer = backend_offer(b);
    char argument[LIMIT_PATH + 128], size[40] = "";
    if (t->declared_size && offer->set & SMTP_EXT_BIT(SIZE))
        snprintf(size, sizeof(size), " SIZE=%llu", (unsigned long long)t->declared_size);
    const char *body = offer->set & SMTP_EXT_BIT(8BITMIME) ? body_words[t->body] : "";
    int n = snprintf(argument, sizeof(argument), "FROM:%s%s%s", t->reverse_path, size, body);
    if (n < 0 || (size_t)n >= sizeof(argument))
        return ERR_FULL;
    return smtp_client_command(backend_client(b), SMTP_CLIENT_MAIL, span_of(argument, (size_t)n));
}

enum err transaction_send_rcpt(const struct transaction *t, size_t i, struct backend *b)
{
    char argument[LIMIT_PATH + 8];
    int n = snprintf(argument, sizeof(argument), "TO:%s", t->recipients[i].path);
    if (n < 0 || (size_t)n >= sizeof(argument))
        return ERR_FULL;
    return smtp_client_command(backend_client(b), SMTP_CLIENT_RCPT, span_of(argument, (size_t)n));
}

enum err transaction_send_body(struct backend *b, struct span bytes, size_t *done)
{
    enum { PIECE = 32768 }; /* with all its dots doubled it still fits beside what may wait */
    enum err e = ERR_OK;
    size_t start = *done;
    while (e == ERR_OK && *done - start < bytes.len && backend_backlog(b) <= LIMIT_STREAM_OUT / 2) {
        struct span piece = span_sub(bytes, *done - start, PIECE);
        e = smtp_client_body(backend_client(b), piece);
        if (e == ERR_OK)
            *done += piece.len;
        backend_flush(b);
        if (backend_state(b) != BACKEND_READY)
            return ERR_OK; /* its failure says why */
    }
    return e;
}

struct smtp_reply transaction_refusal(const struct scan_decision *d)
{
    const unsigned char *e = d->enhanced;
    return (struct smtp_reply){.code = d->code, .enhanced = {e[0], e[1], e[2]}, .text = span_cstr(d->text)};
}

void transaction_set_reply(struct transaction *t, const struct smtp_reply *reply)
{
    struct span text = span_sub(reply->text, 0, sizeof(t->reply_text) - 1);
    t->reply_code = reply->code;
    memcpy(t->reply_enhanced, reply->enhanced, sizeof(t->reply_enhanced));
    if (text.len)
        memcpy(t->reply_text, text.ptr, text.len);
    t->reply_text[text.len] = '\0';
}

struct smtp_reply transaction_reply(const struct transaction *t)
{
    struct smtp_reply reply = {.code = t->reply_code, .text = span_cstr(t->reply_text)};
    memcpy(reply.enhanced, t->reply_enhanced, sizeof(reply.enhanced));
    return reply;
}
