/* SPDX-License-Identifier: MIT */
/* The server's verbs: one handler each. The table in command.def says who is called when. */
#include "smtp/param.h"
#include "smtp/path.h"
#include "smtp/server_internal.h"

/* RCPT past max_recipients that are answered 452 without being counted as errors (postfix:
 * smtpd_recipient_overshoot_limit): a client that pipelines cannot know better at once. */
enum { RCPT_OVERSHOOT = 1000 };

struct call {
    enum smtp_verb verb;
    struct span argument;
    struct smtp_server_event *event;
};

static enum server_step answer(struct smtp_server *s, enum smtp_say say)
{
    server_say(s, say);
    return STEP_ANSWERED;
}

static enum server_step server_hello(struct smtp_server *s, const struct call *c)
{
    if (c->argument.len >= sizeof(s->hello) || !smtp_domain_valid(c->argument))
        return answer(s, SMTP_SAY_BAD_HELLO);
    if (s->state == STATE_MAIL) {
        server_end_transaction(s);
        c->event->kind = SMTP_SERVER_RSET;
        return STEP_EVENT_FIRST;
    }
    memcpy(s->hello, c->argument.ptr, c->argument.len);
    s->hello_len = c->argument.len;
    s->extended = c->verb == SMTP_VERB_EHLO;
    server_owe(s, SMTP_DEBT_HELLO);
    *c->event =
        (struct smtp_server_event){.kind = SMTP_SERVER_HELLO, .hello = {smtp_server_hello_name(s), s->extended}};
    return STEP_EVENT;
}

/* The path as it may be relayed. A source route is taken off (RFC 5321 appendix F.2). False: no memory. */
static bool path_canonical(struct smtp_server *s, const struct smtp_path *path, struct span *canonical)
{
    *canonical = path->whole;
    if (!path->routed)
        return true;
    buf_clear(&s->path);
    if (buf_printf(&s->path, "<%.*s>", SPAN_ARG(path->mailbox)) != ERR_OK)
        return false;
    *canonical = buf_span(&s->path);
    return true;
}

/* "FROM:" or "TO:" in any case, then blanks, which some clients put there. */
static bool path_keyword(struct cursor *c, struct span keyword)
{
    bool found = cursor_accept_nocase(c, keyword);
    cursor_skip_blanks(c);
    return found && cursor_peek(c) == '<';
}

static enum server_step server_mail(struct smtp_server *s, const struct call *c)
{
    struct cursor cursor = cursor_of(c->argument);
    struct smtp_path path;
    struct smtp_mail_params params;
    if (!path_keyword(&cursor, SPAN("FROM:")))
        return answer(s, SMTP_SAY_BAD_MAIL);
    if (!smtp_path_parse(&cursor, true, &path))
        return answer(s, SMTP_SAY_BAD_SENDER);
    enum smtp_say say = smtp_mail_params_parse(cursor.rest, s->offered, &params);
    if (say == SMTP_SAY_OK && s->size_limit > 0 && params.size > s->size_limit)
        say = SMTP_SAY_TOO_LARGE;
    if (say != SMTP_SAY_OK)
        return answer(s, say);
    *c->event =
        (struct smtp_server_event){.kind = SMTP_SERVER_MAIL, .mail = {.size = params.size, .body = params.body}};
    if (!path_canonical(s, &path, &c->event->mail.path)) {
        server_close(s, SMTP_SAY_NO_MEMORY, "no memory for a path");
        return STEP_ANSWERED;
    }
    s->state = STATE_MAIL;
    s->recipients = s->rcpt_tried = 0;
    server_owe(s, SMTP_DEBT_MAIL);
    return STEP_EVENT;
}

/* Is there room for one more recipient? Answers or waits where there is none. Those that were refused count in the end,
 * too: whoever keeps the envelope keeps them. */
static enum server_step rcpt_room(struct smtp_server *s)
{
    unsigned max = s->options.max_recipients;
    bool tried_too_many = max > 0 && s->rcpt_tried >= max + RCPT_OVERSHOOT;
    if (max == 0 || (s->recipients + s->rcpt_owed < max && !tried_too_many))
        return STEP_EVENT;
    if (s->rcpt_owed > 0 && !tried_too_many)
        return STEP_WAIT; /* one of these may yet be refused, which leaves room for this one */
    if (++s->rcpt_beyond > RCPT_OVERSHOOT)
        s->errors++;
    return answer(s, SMTP_SAY_TOO_MANY_RECIPIENTS);
}

static enum server_step server_rcpt(struct smtp_server *s, const struct call *c)
{
    struct cursor cursor = cursor_of(c->argument);
    struct smtp_path path;
    enum smtp_say say = SMTP_SAY_OK;
    if (!path_keyword(&cursor, SPAN("TO:")))
        say = SMTP_SAY_BAD_RCPT;
    else if (!smtp_path_parse(&cursor, false, &path))
        say = SMTP_SAY_BAD_RECIPIENT;
    else
        say = smtp_rcpt_params_parse(cursor.rest);
    enum server_step room = say == SMTP_SAY_OK ? rcpt_room(s) : answer(s, say);
    if (room != STEP_WAIT)
        s->rcpt_tried++;
    if (room != STEP_EVENT)
        return room;
    c->event->kind = SMTP_SERVER_RCPT;
    if (!path_canonical(s, &path, &c->event->rcpt.path)) {
        server_close(s, SMTP_SAY_NO_MEMORY, "no memory for a path");
        return STEP_ANSWERED;
    }
    s->rcpt_owed++;
    server_owe(s, SMTP_DEBT_RCPT);
    return STEP_EVENT;
}

static enum server_step server_data(struct smtp_server *s, const struct call *c)
{
    if (s->recipients == 0)
        return answer(s, s->rcpt_tried > 0 ? SMTP_SAY_NO_RECIPIENTS : SMTP_SAY_RCPT_FIRST);
    server_owe(s, SMTP_DEBT_DATA);
    c->event->kind = SMTP_SERVER_DATA;
    return STEP_EVENT;
}

static enum server_step server_rset(struct smtp_server *s, const struct call *c)
{
    server_end_transaction(s);
    server_say(s, SMTP_SAY_RSET_OK);
    c->event->kind = SMTP_SERVER_RSET;
    return STEP_EVENT;
}

static enum server_step server_noop(struct smtp_server *s, const struct call *c)
{
    (void)c;
    return answer(s, SMTP_SAY_OK);
}

static enum server_step server_vrfy(struct smtp_server *s, const struct call *c)
{
    (void)c;
    return answer(s, SMTP_SAY_CANNOT_VERIFY);
}

static enum server_step server_help(struct smtp_server *s, const struct call *c)
{
    (void)c;
    struct buf text;
    buf_init(&text, 512);
    enum err e = buf_append(&text, SPAN("Commands:"));
    for (unsigned v = 0; v < SMTP_VERB_COUNT && e == ERR_OK; v++) {
        const struct smtp_command *row = smtp_command_row((enum smtp_verb)v);
        if (row->flags & FLAG_HELP)
            e = buf_printf(&text, " %.*s", SPAN_ARG(row->name));
    }
    struct smtp_reply reply = {.code = 214, .enhanced = {2, 0, 0}, .text = buf_span(&text)};
    if (e == ERR_OK)
        e = smtp_reply_write(&s->out, &reply, s->enhanced, false); /* nothing is owed: HELP is not taken before */
    buf_release(&text);
    if (e != ERR_OK)
        server_close(s, SMTP_SAY_NO_MEMORY, "no memory for a reply");
    return STEP_ANSWERED;
}

static enum server_step server_quit(struct smtp_server *s, const struct call *c)
{
    server_say(s, SMTP_SAY_BYE);
    if (s->ended == SMTP_SERVER_CLOSE) /* no memory to say it */
        return STEP_ANSWERED;
    s->ended = SMTP_SERVER_QUIT;
    c->event->kind = SMTP_SERVER_QUIT;
    return STEP_EVENT;
}

static enum server_step server_off(struct smtp_server *s, const struct call *c)
{
    (void)c;
    return answer(s, SMTP_SAY_NOT_SERVED);
}

static enum server_step server_foreign(struct smtp_server *s, const struct call *c)
{
    (void)c;
    server_close(s, SMTP_SAY_NOT_SMTP, "not SMTP");
    return STEP_ANSWERED;
}

static enum server_step (*const HANDLERS[])(struct smtp_server *s, const struct call *c) = {
#define SMTP_COMMAND(verb, argument, states, handler, flags) [SMTP_VERB_##verb] = server_##handler,
#include "smtp/command.def"
#undef SMTP_COMMAND
};

/* What a command out of its place is answered. */
static enum smtp_say out_of_order(const struct smtp_server *s)
{
    if (s->state == STATE_START)
        return SMTP_SAY_HELLO_FIRST;
    return s->state == STATE_READY ? SMTP_SAY_MAIL_FIRST : SMTP_SAY_MAIL_TWICE;
}

enum server_step server_command(struct smtp_server *s, struct span line, struct smtp_server_event *event)
{
    struct call c = {.event = event};
    c.verb = smtp_command_parse(line, &c.argument);
    s->plain = c.verb != SMTP_VERB_COUNT && (smtp_command_row(c.verb)->flags & FLAG_PLAIN);
    enum smtp_say say = smtp_command_check_octets(line);
    if (say != SMTP_SAY_OK)
        return answer(s, say);
    if (c.verb == SMTP_VERB_COUNT)
        return answer(s, SMTP_SAY_UNKNOWN_COMMAND);
    const struct smtp_command *row = smtp_command_row(c.verb);
    if (!(s->state & row->states))
        return answer(s, out_of_order(s));
    if (row->argument == ARGUMENT_NONE && c.argument.len > 0)
        return answer(s, SMTP_SAY_NO_ARGUMENT);
    if (row->argument == ARGUMENT_NEEDED && c.argument.len == 0)
        return answer(s, SMTP_SAY_ARGUMENT_NEEDED);
    if ((row->flags & FLAG_JUNK) && s->options.max_junk > 0 && s->junk >= s->options.max_junk) {
        server_close(s, SMTP_SAY_TOO_MUCH_JUNK, "too many commands without a message");
        return STEP_ANSWERED;
    }
    enum server_step step = HANDLERS[c.verb](s, &c);
    if ((row->flags & FLAG_JUNK) && step != STEP_EVENT_FIRST)
        s->junk++;
    return step;
}
