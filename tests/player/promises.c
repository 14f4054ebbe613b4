/* SPDX-License-Identifier: MIT */
/* Promises, from what clients were told and what backends took. */
#include "player/promises.h"
#include "player/envelope.h"

enum { CODE_LEN = 3, ENHANCED_AT = 4, ENHANCED_LEN = 5 /* of 5.x.y; longer ones are compared so far */ };

/* Whether a backend of the script says CODE in some line; a host that takes no mail says 521 (RFC 7504), which is
 * handed on as 554. */
static bool script_says(const struct scenario *scenario, struct span code)
{
    for (const struct step *step = scenario->first; step; step = step->next) {
        struct span rest = step->text, reply;
        while (step->act == BACKEND_SEND && reply_take(&rest, &reply))
            if (span_starts(reply, code) || (span_starts(reply, SPAN("521")) && span_eq(code, SPAN("554"))))
                return true;
    }
    return false;
}

/* Whether one of the replies USUAL has REPLY's code and enhanced status code. */
static bool is_usual(struct span usual, struct span reply)
{
    struct span begin = span_sub(reply, 0, ENHANCED_AT + ENHANCED_LEN), other;
    while (reply_take(&usual, &other))
        if (span_starts(other, begin))
            return true;
    return false;
}

/* Refusals that speak of the client's command alone. Where its earlier commands were refused for want of memory, those
 * that it has sent already come at a wrong place, and its message is read as commands. */
static bool is_command_fault(struct span reply)
{
    static const enum smtp_say says[] = {SMTP_SAY_UNKNOWN_COMMAND, SMTP_SAY_LINE_TOO_LONG, SMTP_SAY_HELLO_FIRST,
                                         SMTP_SAY_MAIL_FIRST,      SMTP_SAY_RCPT_FIRST,    SMTP_SAY_NO_RECIPIENTS};
    for (size_t i = 0; i < ARRAY_SIZE(says); i++) {
        struct smtp_reply own = smtp_say(says[i]);
        if (span_find_span(reply, own.text) < reply.len)
            return true;
    }
    return false;
}

/* Nobody is bounced because memory was short. Of what client C was told, whether the script has read that or not: the
 * reply behind a 354 is its message's. */
static void check_client(struct world *w, unsigned number, struct span usual)
{
    struct client *c = &w->clients[number];
    const struct span streams[] = {buf_span(&c->replies), buf_span(&c->wire.received)};
    bool granted = false;
    for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
        struct span rest = streams[i], reply;
        while (reply_take(&rest, &reply)) {
            bool excused = reply.ptr[0] != '5' || w->how->fail_at == 0 || is_usual(usual, reply) ||
                           (!granted && is_command_fault(reply)) ||
                           script_says(w->setup->scenario, span_sub(reply, 0, CODE_LEN));
            if (!excused)
                world_fail(w, "client %u was told %.*s, as neither the backend nor the run without a fault says",
                           number, SPAN_ARG(span_sub(reply, 0, reply.len - 2)));
            granted = span_starts(reply, SPAN("354"));
        }
    }
}

void promises_check(struct world *w, struct span usual)
{
    unsigned sent = 0;
    for (unsigned i = 1; i <= SCENARIO_CLIENTS; i++) {
        check_client(w, i, usual);
        sent += w->clients[i].messages;
    }
    envelope_check(w);
    if (w->accepted > sent)
        world_fail(w, "clients sent %u messages, and backends took %u", sent, w->accepted);
}

void promises_check_log(struct world *w)
{
    struct span told = smtp_say(SMTP_SAY_INTERNAL_ERROR).text, lines = buf_span(&w->log_lines);
    bool logged = span_find_span(lines, told) < lines.len || span_find_span(lines, SPAN("\"shortage\"")) < lines.len;
    for (unsigned i = 1; i <= SCENARIO_CLIENTS && !logged; i++) {
        struct span read = buf_span(&w->clients[i].replies), unread = buf_span(&w->clients[i].wire.received);
        if (span_find_span(read, told) < read.len || span_find_span(unread, told) < unread.len)
            world_fail(w, "client %u was told of an internal error, and the log has no line about it", i);
    }
}

/* The last reply in IN; empty: there is none. */
static struct span last_reply(struct span in)
{
    struct span last = {0}, reply;
    while (reply_take(&in, &reply))
        last = reply;
    return last;
}

/* Whether client C, which had not ended anything itself, was left by the proxy without one of the words that close a
 * session: 221, 421, or 554 instead of a greeting. */
static bool left_without_word(const struct client *c)
{
    if (!c->wire.stream || !c->wire.transport.closed || c->wire.gone || c->wire.stopped || c->wire.transport.fin)
        return false;
    struct span last = last_reply(buf_span(&c->wire.received));
    if (last.len == 0)
        last = last_reply(buf_span(&c->replies));
    return !(span_starts(last, SPAN("221")) || span_starts(last, SPAN("421")) || span_starts(last, SPAN("554")));
}

/* The only reasons for it are that there was no memory for the word, and that a connection was refused, which is said
 * once whatever becomes of it; and then the log says so. */
void promises_check_ends(struct world *w)
{
    struct span lines = buf_span(&w->log_lines);
    bool explained = span_find_span(lines, SPAN("memory")) < lines.len ||
                     span_find_span(lines, SPAN("\"event\":\"refuse\"")) < lines.len;
    for (unsigned i = 1; i <= SCENARIO_CLIENTS && !explained; i++)
        if (left_without_word(&w->clients[i]))
            world_fail(w, "client %u was left without a word, and the log has no reason for it", i);
}
