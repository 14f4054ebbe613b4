/* SPDX-License-Identifier: MIT */
/* Envelopes as text: a line `M sender`, then a line `R recipient` for each, in their order. Those of clients come from
 * all that they sent and all that they were told, read by nothing of the proxy's: commands and replies in pairs. */
#include "player/envelope.h"

enum { ENVELOPES_MAX = 64, NOBODY = ENVELOPES_MAX };

struct span reply_first(struct span in)
{
    size_t at = 0;
    while (at < in.len) {
        struct span rest = span_sub(in, at, in.len);
        size_t end = span_find_span(rest, SPAN("\r\n"));
        if (end == rest.len)
            break;
        at += end + 2;
        if (end < 4 || rest.ptr[3] != '-')
            return span_sub(in, 0, at);
    }
    return span_sub(in, 0, 0);
}

bool reply_take(struct span *rest, struct span *reply)
{
    *reply = reply_first(*rest);
    *rest = span_sub(*rest, reply->len, rest->len);
    return reply->len > 0;
}

/* What stands between < and > in LINE, without a source route. */
static struct span path_in(struct span line)
{
    size_t start = span_find(line, '<') + 1, end = start;
    bool quoted = false;
    for (; end < line.len && (quoted || line.ptr[end] != '>'); end++) {
        if (line.ptr[end] == '"')
            quoted = !quoted;
        else if (line.ptr[end] == '\\')
            end++;
    }
    struct span path = span_sub(line, start, end - start);
    return span_starts(path, SPAN("@")) ? span_sub(path, span_find(path, ':') + 1, path.len) : path;
}

/* LINE, which was accepted, changes the envelope in TEXT. */
static void note_command(struct buf *text, struct span line)
{
    static const char *const ending[] = {"MAIL", "RSET", "EHLO", "HELO"};
    bool mail = span_starts_nocase(line, SPAN("MAIL")), rcpt = span_starts_nocase(line, SPAN("RCPT"));
    for (size_t i = 0; i < ARRAY_SIZE(ending); i++)
        if (span_starts_nocase(line, span_cstr(ending[i])))
            buf_clear(text);
    if ((mail || rcpt) && buf_printf(text, "%c %.*s\n", mail ? 'M' : 'R', SPAN_ARG(path_in(line))) != ERR_OK)
        abort();
}

void envelope_keep(struct world *w, struct span commands)
{
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    while (commands.len > 0) {
        struct span line = span_sub(commands, 0, span_find(commands, '\n'));
        note_command(&text, line);
        commands = span_sub(commands, line.len + 1, commands.len);
    }
    if (buf_append(&w->envelopes, buf_span(&text)) != ERR_OK)
        abort();
    buf_release(&text);
}

/* Takes from *REST what ends with END; false: that has not come. */
static bool take_until(struct span *rest, struct span end, struct span *taken)
{
    size_t at = span_find_span(*rest, end);
    if (at == rest->len)
        return false;
    *taken = span_sub(*rest, 0, at);
    *rest = span_sub(*rest, at + end.len, rest->len);
    return true;
}

/* Takes a message with its final dot. */
static bool take_body(struct span *rest)
{
    struct span body;
    if (!span_starts(*rest, SPAN(".\r\n")))
        return take_until(rest, SPAN("\r\n.\r\n"), &body);
    *rest = span_sub(*rest, 3, rest->len);
    return true;
}

/* Adds the envelopes of C's messages that were answered 2xx to TOLD. The first reply is the greeting; then each line
 * has one, but a 354 is followed by the message and its reply; 421 is the last one, asked for or not. */
static void collect_told(const struct client *c, struct buf *told)
{
    struct span sent = buf_span(&c->sent), line = {0}, reply;
    struct span streams[] = {buf_span(&c->replies), buf_span(&c->wire.received)};
    struct buf envelope;
    bool greeting = true, granted = false, goes_on = true;
    buf_init(&envelope, SIZE_MAX / 2);
    for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
        while (goes_on && reply_take(&streams[i], &reply)) {
            bool accepted = reply.ptr[0] == '2';
            goes_on = !span_starts(reply, SPAN("421")) &&
                      (greeting || (granted ? take_body(&sent) : take_until(&sent, SPAN("\r\n"), &line)));
            if (goes_on && granted) {
                if (accepted && buf_append(told, buf_span(&envelope)) != ERR_OK)
                    abort();
                buf_clear(&envelope);
            } else if (goes_on && !greeting && accepted) {
                note_command(&envelope, line);
            }
            granted = goes_on && !granted && span_starts(reply, SPAN("354"));
            greeting = false;
        }
    }
    buf_release(&envelope);
}

struct envelopes {
    struct span each[ENVELOPES_MAX];
    size_t count;
};

static bool split(struct span text, struct envelopes *all)
{
    all->count = 0;
    while (text.len > 0 && all->count < ENVELOPES_MAX) {
        size_t next = span_find_span(text, SPAN("\nM "));
        struct span one = span_sub(text, 0, next + 1);
        all->each[all->count++] = one;
        text = span_sub(text, one.len, text.len);
    }
    return text.len == 0;
}

/* Whether every line of TOLD is in TAKEN, in the same order, and the sender is the same. */
static bool fits(struct span told, struct span taken)
{
    struct span a, b;
    for (bool first = true; take_until(&told, SPAN("\n"), &a); first = false) {
        do {
            if (!take_until(&taken, SPAN("\n"), &b) || (first && !span_eq(a, b)))
                return false;
        } while (!span_eq(a, b));
    }
    return true;
}

/* Which delivery is whose. */
struct match {
    struct envelopes told, taken;
    size_t owner[ENVELOPES_MAX]; /* of each delivery; NOBODY */
    bool tried[ENVELOPES_MAX];
};

/* Finds a delivery for TOLD, of which another one that has it may have to go over to one that fits it too. */
static bool find_delivery(struct match *m, size_t told)
{
    for (size_t i = 0; i < m->taken.count; i++) {
        if (m->tried[i] || !fits(m->told.each[told], m->taken.each[i]))
            continue;
        m->tried[i] = true;
        if (m->owner[i] == NOBODY || find_delivery(m, m->owner[i])) {
            m->owner[i] = told;
            return true;
        }
    }
    return false;
}

void envelope_check(struct world *w)
{
    static struct match m; /* large */
    uint64_t kept = 0, missing = 0;
    struct buf told;
    buf_init(&told, SIZE_MAX / 2);
    for (unsigned i = 1; i <= SCENARIO_CLIENTS; i++)
        collect_told(&w->clients[i], &told);
    if (!split(buf_span(&told), &m.told) || !split(buf_span(&w->envelopes), &m.taken))
        world_fail(w, "more messages than the player compares");
    for (size_t i = 0; i < ENVELOPES_MAX; i++)
        m.owner[i] = NOBODY;
    if (w->setup->quarantine)
        kept = quarantine_usage(w->setup->quarantine).entries - w->kept_before.entries;
    for (size_t i = 0; i < m.told.count; i++) {
        memset(m.tried, 0, sizeof(m.tried));
        if (!find_delivery(&m, i) && ++missing > kept)
            world_fail(w, "a message was answered 2xx, but neither did a backend take it nor quarantine: %.*s",
                       SPAN_ARG(m.told.each[i]));
    }
    buf_release(&told);
}
