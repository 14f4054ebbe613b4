/* SPDX-License-Identifier: MIT */
/* The server engine: what becomes of input, in which order replies leave, and how they move the state. It does not know
 * what the verbs mean; that is server_command.c. */
#include "smtp/server_internal.h"

/* Room for our own replies that is left in `out` before a command is read: the longest is HELP's. */
enum { OUT_RESERVE = 2048 };

void smtp_server_init(struct smtp_server *s, const struct smtp_server_options *options)
{
    *s = (struct smtp_server){.options = *options, .state = STATE_NEW, .ended = SMTP_SERVER_NEED_INPUT};
    buf_init(&s->out, LIMIT_STREAM_OUT);
    buf_init(&s->path, LIMIT_PATH);
}

void smtp_server_release(struct smtp_server *s)
{
    buf_release(&s->out);
    buf_release(&s->path);
}

enum err smtp_server_greet(struct smtp_server *s)
{
    if (s->state != STATE_NEW || s->ended != SMTP_SERVER_NEED_INPUT)
        return ERR_STATE;
    struct span banner = s->options.banner.len > 0 ? s->options.banner : SPAN("ESMTP postern");
    struct buf text;
    buf_init(&text, 512);
    enum err e = buf_printf(&text, "%.*s %.*s", SPAN_ARG(s->options.hostname), SPAN_ARG(banner));
    struct smtp_reply greeting = {.code = 220, .text = buf_span(&text)};
    if (e == ERR_OK)
        e = smtp_reply_write(&s->out, &greeting, false, false);
    if (e == ERR_OK)
        s->state = STATE_START;
    buf_release(&text);
    return e;
}

/* ---- Debts ---- */

static bool server_ended(const struct smtp_server *s)
{
    return s->ended != SMTP_SERVER_NEED_INPUT;
}

static struct smtp_server_owed *owed_at(struct smtp_server *s, unsigned i)
{
    return &s->owed[(s->owed_first + i) % LIMIT_PIPELINE];
}

static void owed_push(struct smtp_server *s, struct smtp_server_owed owed)
{
    if (s->owed_count == LIMIT_PIPELINE) /* smtp_server_next() does not read a command then */
        abort();
    *owed_at(s, s->owed_count++) = owed;
}

static void owed_pop(struct smtp_server *s)
{
    s->owed_first = (s->owed_first + 1) % LIMIT_PIPELINE;
    s->owed_count--;
}

/* Writes the replies of our own that nothing of the owner's stands in front of. */
static void owed_settle(struct smtp_server *s)
{
    while (s->owed_count > 0 && owed_at(s, 0)->debt == SMTP_DEBT_SAY) {
        const struct smtp_server_owed *owed = owed_at(s, 0);
        struct smtp_reply reply = smtp_say((enum smtp_say)owed->say);
        enum err e = smtp_reply_write(&s->out, &reply, s->enhanced && !owed->plain, false);
        if (e == ERR_FULL)
            return;
        if (e != ERR_OK) {
            server_close(s, SMTP_SAY_NO_MEMORY, "no memory for a reply");
            return;
        }
        owed_pop(s);
    }
}

void server_owe(struct smtp_server *s, enum smtp_server_debt debt)
{
    owed_push(s, (struct smtp_server_owed){.debt = (unsigned char)debt});
}

void server_say(struct smtp_server *s, enum smtp_say say)
{
    owed_push(s, (struct smtp_server_owed){.debt = SMTP_DEBT_SAY, .say = (unsigned char)say, .plain = s->plain});
    if (smtp_say(say).code >= 400) {
        s->refused = true;
        s->refusal = say;
    }
    if (smtp_say(say).code >= 500) {
        s->errors++;
        if (say == SMTP_SAY_UNKNOWN_COMMAND)
            s->unrecognized++;
        else
            s->bad++;
    }
    owed_settle(s);
}

static void server_end(struct smtp_server *s, const char *reason)
{
    s->ended = SMTP_SERVER_CLOSE;
    s->reason = reason;
    s->owed_count = 0;
    s->rcpt_owed = 0;
}

void server_close(struct smtp_server *s, enum smtp_say say, const char *reason)
{
    struct smtp_reply reply = smtp_say(say);
    /* Where there is no room or memory for it, the client sees the close alone. */
    (void)!smtp_reply_write(&s->out, &reply, s->enhanced, false);
    server_end(s, reason);
}

void smtp_server_shut(struct smtp_server *s, const struct smtp_reply *reply)
{
    if (server_ended(s))
        return;
    (void)!smtp_reply_write(&s->out, reply, s->enhanced, false);
    server_end(s, "shut by this side");
}

/* ---- Replies of the owner ---- */

void server_end_transaction(struct smtp_server *s)
{
    if (s->state & (STATE_MAIL | STATE_BODY))
        s->state = STATE_READY;
    s->recipients = s->rcpt_tried = 0;
}

static bool reply_fits(enum smtp_server_debt debt, int class)
{
    bool refusal = class == 4 || class == 5;
    switch (debt) {
    case SMTP_DEBT_HELLO:
        return refusal;
    case SMTP_DEBT_DATA:
        return refusal || class == 3;
    case SMTP_DEBT_MAIL:
    case SMTP_DEBT_RCPT:
    case SMTP_DEBT_BODY_END:
        return refusal || class == 2;
    case SMTP_DEBT_SAY:
        break;
    }
    return false;
}

static void body_begin(struct smtp_server *s)
{
    s->state = STATE_BODY;
    s->body_size = 0;
    smtp_body_decoder_init(&s->body);
}

/* Moves the state after the reply to DEBT was written. */
static void reply_done(struct smtp_server *s, enum smtp_server_debt debt, int class)
{
    switch (debt) {
    case SMTP_DEBT_MAIL:
        if (class != 2)
            server_end_transaction(s);
        break;
    case SMTP_DEBT_RCPT:
        s->rcpt_owed--;
        if (class == 2)
            s->recipients++;
        break;
    case SMTP_DEBT_DATA:
        if (class == 3)
            body_begin(s);
        else
            server_end_transaction(s);
        break;
    case SMTP_DEBT_BODY_END:
        s->junk = 0;
        if (class == 2)
            s->errors = s->rcpt_beyond = 0;
        server_end_transaction(s);
        break;
    case SMTP_DEBT_HELLO:
    case SMTP_DEBT_SAY:
        break;
    }
    if (class == 5 && debt != SMTP_DEBT_BODY_END)
        s->errors++;
}

enum err smtp_server_reply(struct smtp_server *s, const struct smtp_reply *reply)
{
    if (server_ended(s) || s->owed_count == 0)
        return ERR_STATE;
    enum smtp_server_debt debt = owed_at(s, 0)->debt;
    if (!reply_fits(debt, smtp_reply_class(reply)))
        return ERR_STATE;
    struct smtp_reply given = *reply;
    /* A recipient cannot be accepted where the sender, answered just before, was not. */
    if (debt == SMTP_DEBT_RCPT && s->state != STATE_MAIL && smtp_reply_class(reply) == 2)
        given = smtp_say(SMTP_SAY_MAIL_FIRST);
    enum err e = smtp_reply_write(&s->out, &given, s->enhanced && debt != SMTP_DEBT_HELLO, false);
    if (e == ERR_NOMEM)
        server_end(s, "no memory for a reply");
    if (e != ERR_OK)
        return e;
    owed_pop(s);
    reply_done(s, debt, smtp_reply_class(&given));
    if (given.code == 421)
        server_end(s, "421 was answered");
    else
        owed_settle(s);
    return ERR_OK;
}

/* The lines of an EHLO reply, parted by '\n'. */
static enum err hello_text(const struct smtp_server *s, const struct smtp_offer *offer, struct buf *text)
{
    enum err e = buf_append(text, s->options.hostname);
    for (unsigned i = 0; s->extended && i < SMTP_EXT_COUNT && e == ERR_OK; i++) {
        if (!(offer->set & (smtp_ext_set)1 << i))
            continue;
        e = buf_printf(text, "\n%s", smtp_ext_keyword((enum smtp_ext)i));
        if (e == ERR_OK && i == SMTP_EXT_SIZE && offer->size_limit > 0)
            e = buf_printf(text, " %llu", (unsigned long long)offer->size_limit);
    }
    return e;
}

enum err smtp_server_reply_hello(struct smtp_server *s, const struct smtp_offer *offer)
{
    if (server_ended(s) || s->owed_count == 0 || owed_at(s, 0)->debt != SMTP_DEBT_HELLO)
        return ERR_STATE;
    struct buf text;
    buf_init(&text, 2048);
    enum err e = hello_text(s, offer, &text);
    struct smtp_reply reply = {.code = 250, .text = buf_span(&text)};
    if (e == ERR_OK)
        e = smtp_reply_write(&s->out, &reply, false, false);
    buf_release(&text);
    if (e == ERR_NOMEM)
        server_end(s, "no memory for a reply");
    if (e != ERR_OK)
        return e;
    owed_pop(s);
    s->state = STATE_READY;
    s->offered = s->extended ? offer->set : 0;
    s->enhanced = s->offered & SMTP_EXT_BIT(ENHANCEDSTATUSCODES);
    s->size_limit = s->options.max_message_size;
    if (offer->size_limit > 0 && (s->size_limit == 0 || offer->size_limit < s->size_limit))
        s->size_limit = offer->size_limit;
    return ERR_OK;
}

/* ---- Input ---- */

/* One event of the body. False: more input is needed. */
static bool server_body(struct smtp_server *s, struct buf *in, struct smtp_server_event *event)
{
    for (;;) {
        struct span span;
        size_t used;
        uint64_t max = s->options.max_message_size, before = s->body_size;
        switch (smtp_body_decode(&s->body, buf_span(in), &span, &used)) {
        case SMTP_BODY_MORE:
            return false;
        case SMTP_BODY_SPAN:
            s->body_size += span.len;
            if (max > 0 && s->body_size > max)
                span.len = before < max ? (size_t)(max - before) : 0;
            if (span.len == 0) {
                buf_consume(in, used);
                continue;
            }
            s->consume = used;
            *event = (struct smtp_server_event){.kind = SMTP_SERVER_BODY, .body = span};
            return true;
        case SMTP_BODY_END:
            buf_consume(in, used);
            s->state = STATE_MAIL;
            server_owe(s, SMTP_DEBT_BODY_END);
            *event = (struct smtp_server_event){
                .kind = SMTP_SERVER_BODY_END,
                .body_end = {s->body_size, s->body.faults, max > 0 && s->body_size > max},
            };
            return true;
        }
    }
}

/* May this line be read while replies to MAIL and RCPT are owed? */
static bool line_pipelined(struct span line)
{
    struct span argument;
    enum smtp_verb verb = smtp_command_parse(line, &argument);
    return verb != SMTP_VERB_COUNT && (smtp_command_row(verb)->flags & FLAG_PIPELINED);
}

static bool too_many_errors(const struct smtp_server *s)
{
    return s->options.max_errors > 0 && s->errors >= s->options.max_errors;
}

/* May a further line be looked at? No: not before something owed was answered, or `out` has drained. */
static bool commands_may_go_on(struct smtp_server *s)
{
    if (s->owed_count == LIMIT_PIPELINE || buf_room(&s->out) < OUT_RESERVE)
        return false;
    if (s->owed_count == 0)
        return true;
    enum smtp_server_debt oldest = owed_at(s, 0)->debt;
    return (oldest == SMTP_DEBT_MAIL || oldest == SMTP_DEBT_RCPT) && !too_many_errors(s);
}

/* One line, and what is to be consumed of it now. */
static enum server_step server_line(struct smtp_server *s, struct span line, size_t used, struct buf *in,
                                    struct smtp_server_event *event)
{
    if (s->owed_count > 0 && !line_pipelined(line))
        return STEP_WAIT;
    s->refused = false;
    enum server_step step = server_command(s, line, event);
    if (step == STEP_ANSWERED || step == STEP_EVENT)
        smtp_line_done(&s->line);
    if (step == STEP_ANSWERED && s->refused && !server_ended(s)) {
        *event = (struct smtp_server_event){.kind = SMTP_SERVER_REFUSED, .refused = {line, s->refusal}};
        step = STEP_EVENT;
    }
    if (step == STEP_ANSWERED)
        buf_consume(in, used);
    if (step == STEP_EVENT)
        s->consume = used;
    return step;
}

/* Reads commands until one is an event. */
static void server_commands(struct smtp_server *s, struct buf *in, struct smtp_server_event *event)
{
    size_t max = in->max < LIMIT_COMMAND_LINE ? in->max : LIMIT_COMMAND_LINE;
    enum server_step step = STEP_ANSWERED;
    while (step == STEP_ANSWERED) {
        if (s->owed_count == 0 && !server_ended(s) && too_many_errors(s))
            server_close(s, SMTP_SAY_TOO_MANY_ERRORS, "too many errors");
        event->kind = server_ended(s) ? s->ended : SMTP_SERVER_BLOCKED;
        if (server_ended(s) || !commands_may_go_on(s))
            return;
        struct span line;
        size_t used;
        switch (smtp_line_next(&s->line, buf_span(in), max, &line, &used)) {
        case SMTP_LINE_MORE:
            buf_consume(in, used);
            event->kind = SMTP_SERVER_NEED_INPUT;
            return;
        case SMTP_LINE_LONG:
            buf_consume(in, used);
            s->plain = false;
            server_say(s, SMTP_SAY_LINE_TOO_LONG);
            *event = (struct smtp_server_event){.kind = SMTP_SERVER_REFUSED, .refused.say = SMTP_SAY_LINE_TOO_LONG};
            return;
        case SMTP_LINE_OK:
            step = server_line(s, line, used, in, event);
            break;
        }
    }
}

void smtp_server_next(struct smtp_server *s, struct buf *in, struct smtp_server_event *event)
{
    *event = (struct smtp_server_event){.kind = SMTP_SERVER_BLOCKED};
    if (!server_ended(s)) {
        buf_consume(in, s->consume);
        s->consume = 0;
        owed_settle(s);
    }
    if (server_ended(s))
        event->kind = s->ended;
    else if (s->state == STATE_NEW)
        event->kind = SMTP_SERVER_BLOCKED;
    else if (s->state != STATE_BODY)
        server_commands(s, in, event);
    else if (!server_body(s, in, event))
        event->kind = SMTP_SERVER_NEED_INPUT;
    if (event->kind == SMTP_SERVER_CLOSE)
        event->reason = s->reason;
}

/* ---- Questions ---- */

struct buf *smtp_server_out(struct smtp_server *s)
{
    return &s->out;
}

bool smtp_server_in_transaction(const struct smtp_server *s)
{
    return s->state & (STATE_MAIL | STATE_BODY);
}

bool smtp_server_in_body(const struct smtp_server *s)
{
    return s->state == STATE_BODY;
}

unsigned smtp_server_recipients(const struct smtp_server *s)
{
    return s->recipients;
}

unsigned smtp_server_unanswered(const struct smtp_server *s)
{
    unsigned count = 0;
    for (unsigned i = 0; i < s->owed_count; i++)
        count += s->owed[(s->owed_first + i) % LIMIT_PIPELINE].debt != SMTP_DEBT_SAY;
    return count;
}

unsigned smtp_server_bad_commands(const struct smtp_server *s)
{
    return s->bad;
}

unsigned smtp_server_unrecognized_commands(const struct smtp_server *s)
{
    return s->unrecognized;
}

struct span smtp_server_hello_name(const struct smtp_server *s)
{
    return span_of(s->hello, s->hello_len);
}
