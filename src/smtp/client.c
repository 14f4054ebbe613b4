/* SPDX-License-Identifier: MIT */
/* The client engine: one queue of commands with two cursors, the one to be sent next and the one to be answered next.
 */
#include "smtp/client.h"
#include "smtp/ext.h"

static const char *const VERBS[] = {
    [SMTP_CLIENT_GREETING] = "greeting", [SMTP_CLIENT_HELLO] = "EHLO", [SMTP_CLIENT_MAIL] = "MAIL",
    [SMTP_CLIENT_RCPT] = "RCPT",         [SMTP_CLIENT_DATA] = "DATA",  [SMTP_CLIENT_DOT] = "end of data",
    [SMTP_CLIENT_RSET] = "RSET",         [SMTP_CLIENT_NOOP] = "NOOP",  [SMTP_CLIENT_QUIT] = "QUIT",
};

const char *smtp_client_verb_name(enum smtp_client_verb v)
{
    return VERBS[v];
}

static struct smtp_client_command *command_at(struct smtp_client *c, unsigned i)
{
    return &c->commands[(c->first + i) % LIMIT_PIPELINE];
}

void smtp_client_init(struct smtp_client *c, struct span hostname)
{
    *c = (struct smtp_client){.hostname = hostname, .count = 1, .sent = 1};
    c->commands[0].verb = SMTP_CLIENT_GREETING; /* awaited without being asked for */
    buf_init(&c->out, LIMIT_STREAM_OUT);
    buf_init(&c->held, LIMIT_STREAM_OUT);
    smtp_reply_parser_init(&c->parser);
    smtp_body_encoder_init(&c->body);
}

void smtp_client_release(struct smtp_client *c)
{
    buf_release(&c->out);
    buf_release(&c->held);
    smtp_reply_parser_release(&c->parser);
}

/* ---- Sending ---- */

/* May a command follow V before V is answered? RFC 2920 3.1: these only as the last of a group; GREETING and HELLO
 * never. */
static bool verb_ends_group(enum smtp_client_verb v)
{
    switch (v) {
    case SMTP_CLIENT_MAIL:
    case SMTP_CLIENT_RCPT:
    case SMTP_CLIENT_RSET:
    case SMTP_CLIENT_DOT:
        return false;
    case SMTP_CLIENT_GREETING:
    case SMTP_CLIENT_HELLO:
    case SMTP_CLIENT_DATA:
    case SMTP_CLIENT_NOOP:
    case SMTP_CLIENT_QUIT:
        break;
    }
    return true;
}

static bool may_send(struct smtp_client *c)
{
    if (c->sent == c->count || c->early || c->bad || c->in_body)
        return false;
    if (c->sent == 0)
        return true;
    return (c->offer.set & SMTP_EXT_BIT(PIPELINING)) && !verb_ends_group(command_at(c, c->sent - 1)->verb);
}

/* Moves held commands into `out`, as far as may be. What finds no room stays held. */
static void client_pump(struct smtp_client *c)
{
    while (may_send(c)) {
        struct smtp_client_command *command = command_at(c, c->sent);
        enum err e = buf_append(&c->out, span_sub(buf_span(&c->held), 0, command->len));
        if (e == ERR_NOMEM)
            c->bad = "no memory for a command";
        if (e != ERR_OK)
            return;
        buf_consume(&c->held, command->len);
        c->out_total += command->len;
        command->out_end = c->out_total;
        c->sent++;
    }
}

static enum err client_hold(struct smtp_client *c, enum smtp_client_verb verb, const char *word, struct span argument)
{
    const struct span parts[] = {span_cstr(word), argument.len > 0 ? SPAN(" ") : SPAN(""), argument, SPAN("\r\n")};
    size_t len = 0, room;
    char *to;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        len += parts[i].len;
    if (c->count == LIMIT_PIPELINE || len > buf_room(&c->held))
        return ERR_FULL;
    enum err e = buf_reserve(&c->held, len, &to, &room);
    if (e != ERR_OK)
        return e;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (parts[i].len > 0)
            memcpy(to, parts[i].ptr, parts[i].len);
        to += parts[i].len;
    }
    buf_commit(&c->held, len);
    *command_at(c, c->count++) = (struct smtp_client_command){.verb = verb, .len = len};
    client_pump(c);
    return ERR_OK;
}

enum err smtp_client_command(struct smtp_client *c, enum smtp_client_verb verb, struct span argument)
{
    if (!c->ready || c->bad || c->in_body || verb == SMTP_CLIENT_GREETING || verb == SMTP_CLIENT_HELLO ||
        verb == SMTP_CLIENT_DOT)
        return ERR_STATE;
    if (c->count > 0 && command_at(c, c->count - 1)->verb == SMTP_CLIENT_DATA)
        return ERR_STATE;
    if (argument.len > LIMIT_COMMAND_LINE - 16)
        return ERR_DENIED;
    for (size_t i = 0; i < argument.len; i++)
        if ((unsigned char)argument.ptr[i] < 0x20 || argument.ptr[i] == 0x7f)
            return ERR_DENIED;
    return client_hold(c, verb, VERBS[verb], argument);
}

enum err smtp_client_body(struct smtp_client *c, struct span bytes)
{
    if (!c->in_body || c->bad)
        return ERR_STATE;
    size_t before = buf_len(&c->out);
    enum err e = smtp_body_encode(&c->body, &c->out, bytes);
    if (e == ERR_OK)
        c->out_total += buf_len(&c->out) - before;
    return e;
}

enum err smtp_client_body_end(struct smtp_client *c)
{
    if (!c->in_body || c->bad)
        return ERR_STATE;
    size_t before = buf_len(&c->out);
    enum err e = smtp_body_encode_end(&c->body, &c->out);
    if (e != ERR_OK)
        return e;
    c->out_total += buf_len(&c->out) - before;
    c->in_body = false;
    /* Nothing else is queued: DATA was the last, and nothing is taken inside a body. */
    *command_at(c, c->count++) = (struct smtp_client_command){.verb = SMTP_CLIENT_DOT, .out_end = c->out_total};
    c->sent++;
    return ERR_OK;
}

/* ---- Receiving ---- */

static const char UNASKED_421[] = "421 unasked";

/* Has the owner taken all of COMMAND out of `out`? */
static bool command_left(const struct smtp_client *c, const struct smtp_client_command *command)
{
    return command->out_end <= c->out_total - buf_len(&c->out);
}

static const char *reply_problem(struct smtp_client *c, const struct smtp_reply *reply)
{
    if (reply->code == 421)
        return c->count == 0 ? UNASKED_421 : NULL;
    if (c->sent == 0 || c->early)
        return "reply that nothing asked for";
    const struct smtp_client_command *command = command_at(c, 0);
    if (!command_left(c, command))
        return "reply before its command was sent";
    int class = smtp_reply_class(reply);
    if (command->verb == SMTP_CLIENT_DATA && class == 2)
        return "DATA was answered 2xx";
    if (command->verb != SMTP_CLIENT_DATA && class == 3)
        return "3xx to a command other than DATA";
    return NULL;
}

static void command_pop(struct smtp_client *c)
{
    if (c->sent == 0) /* a 421 that overtook the command: it will not be sent */
        buf_consume(&c->held, command_at(c, 0)->len);
    else
        c->sent--;
    c->first = (c->first + 1) % LIMIT_PIPELINE;
    c->count--;
}

static bool reply_refuses_ehlo(const struct smtp_client *c, enum smtp_client_verb verb, int class)
{
    return verb == SMTP_CLIENT_HELLO && class == 5 && !c->hello_is_helo;
}

/* What the reply to VERB changes. True: it is the owner's to see, *event says how. */
static bool reply_effect(struct smtp_client *c, enum smtp_client_verb verb, const struct smtp_reply *reply,
                         struct smtp_client_event *event)
{
    int class = smtp_reply_class(reply);
    bool greeted = verb == SMTP_CLIENT_GREETING && class == 2;
    if (greeted || reply_refuses_ehlo(c, verb, class)) {
        c->hello_is_helo = !greeted;
        if (client_hold(c, SMTP_CLIENT_HELLO, greeted ? "EHLO" : "HELO", c->hostname) != ERR_OK)
            c->bad = "no memory for EHLO";
        return false;
    }
    *event = (struct smtp_client_event){.kind = SMTP_CLIENT_REPLY, .verb = verb, .reply = *reply};
    if (verb == SMTP_CLIENT_HELLO && class == 2) {
        if (!c->hello_is_helo)
            c->offer = smtp_offer_parse(reply->text);
        c->ready = true;
        event->kind = SMTP_CLIENT_READY;
    } else if (verb == SMTP_CLIENT_DATA && class == 3) {
        c->in_body = true;
        smtp_body_encoder_init(&c->body);
    }
    return true;
}

/* Input has begun that is no part of an awaited reply. A 421 may be on its way; anything else is an error at once. */
static bool input_is_stray(struct smtp_client *c, const struct buf *in)
{
    struct span bytes = buf_span(in);
    if (bytes.len == 0 || c->sent > 0 || smtp_reply_parser_busy(&c->parser))
        return false;
    return !span_starts(bytes, span_sub(SPAN("421"), 0, bytes.len));
}

static bool client_bad(struct smtp_client *c, const char *problem)
{
    c->bad = problem;
    return false;
}

/* One reply. True: *event is set. */
static bool client_reply(struct smtp_client *c, struct buf *in, struct smtp_client_event *event)
{
    struct smtp_reply reply;
    c->early = c->sent == 0 && (buf_len(in) > 0 || smtp_reply_parser_busy(&c->parser));
    if (input_is_stray(c, in))
        return client_bad(c, "reply that nothing asked for");
    switch (smtp_reply_parse(&c->parser, in, &reply)) {
    case SMTP_REPLY_MORE:
        return false;
    case SMTP_REPLY_BAD:
        return client_bad(c, c->parser.problem);
    case SMTP_REPLY_OK:
        break;
    }
    const char *problem = reply_problem(c, &reply);
    if (problem)
        return client_bad(c, problem);
    enum smtp_client_verb verb = command_at(c, 0)->verb;
    command_pop(c);
    c->early = c->sent == 0 && buf_len(in) > 0;
    bool shown = reply_effect(c, verb, &reply, event);
    client_pump(c);
    return shown;
}

void smtp_client_next(struct smtp_client *c, struct buf *in, struct smtp_client_event *event)
{
    *event = (struct smtp_client_event){.kind = SMTP_CLIENT_NEED_INPUT};
    if (!c->bad)
        client_pump(c);
    /* A reply that is not the owner's to see (greeting, EHLO refused) is followed by the next one. */
    while (!c->bad && buf_len(in) > 0) {
        unsigned count = c->count;
        size_t len = buf_len(in);
        if (client_reply(c, in, event))
            return;
        if (count == c->count && len == buf_len(in))
            break;
    }
    if (c->bad)
        *event =
            (struct smtp_client_event){.kind = SMTP_CLIENT_BAD, .problem = c->bad, .farewell = c->bad == UNASKED_421};
}

/* ---- Questions ---- */

struct buf *smtp_client_out(struct smtp_client *c)
{
    return &c->out;
}

bool smtp_client_ready(const struct smtp_client *c)
{
    return c->ready;
}

const struct smtp_offer *smtp_client_offer(const struct smtp_client *c)
{
    return &c->offer;
}

unsigned smtp_client_unanswered(const struct smtp_client *c)
{
    return c->count;
}

enum smtp_client_verb smtp_client_awaited(const struct smtp_client *c)
{
    return c->count > 0 ? c->commands[c->first].verb : SMTP_CLIENT_NOOP;
}
