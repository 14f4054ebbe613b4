/* SPDX-License-Identifier: MIT */
/* One function for each kind of step. */
#include "player/play.h"
#include "base/num.h"
#include "player/counters.h"
#include "player/envelope.h"
#include "player/memory.h"
#include "player/promises.h"
#include <errno.h>
#include <poll.h>

/* ---- Clients ---- */

/* What the client sends inside DATA is its message. */
static void note_body(struct client *c, struct span bytes)
{
    if (!c->in_body)
        return;
    if (buf_append(&c->body, bytes) != ERR_OK)
        abort();
    struct span body = buf_span(&c->body), end = SPAN("\r\n.\r\n");
    size_t at = span_find_span(body, end);
    size_t len = span_starts(body, SPAN(".\r\n")) ? 3 : at == body.len ? 0 : at + end.len;
    if (len == 0)
        return;
    c->in_body = false;
    c->messages++;
    c->body.end = c->body.start + len;
}

static void client_send(struct world *w, const struct step *step)
{
    struct client *c = &w->clients[step->party];
    if (step->body_at) {
        c->in_body = c->rude = true;
        buf_clear(&c->body);
    }
    note_body(c, span_sub(step->text, step->body_at, step->text.len));
    if (buf_append(&c->sent, step->text) != ERR_OK)
        abort();
    world_send(w, &c->wire, step->text);
}

/* The next reply of the server; false: none yet. */
static bool client_reply(struct client *c, struct span *reply)
{
    *reply = reply_first(buf_span(&c->wire.received));
    if (reply->len == 0)
        return false;
    if (buf_append(&c->replies, *reply) != ERR_OK)
        abort();
    buf_consume(&c->wire.received, reply->len); /* the bytes stay where they are until more come */
    return true;
}

static bool expect_reply(struct world *w, const struct step *step)
{
    struct client *c = &w->clients[step->party];
    struct span reply;
    if (!client_reply(c, &reply)) {
        world_fail(w, "expected reply %.*s of client %u, %s", SPAN_ARG(step->text), step->party,
                   c->wire.stream && wire_ended(&c->wire) ? "but the connection was closed" : "but none came");
        return false;
    }
    if (span_starts(reply, SPAN("354")) && c->rude) {
        c->rude = false;
    } else if (span_starts(reply, SPAN("354"))) {
        c->in_body = true;
        buf_clear(&c->body);
    }
    struct span words = span_sub(step->text, 4, step->text.len), text = span_sub(reply, 4, reply.len - 6);
    bool open_end = words.len == 0 || span_find(words, '*') == words.len; /* without `*` the beginning is meant */
    if (span_starts(reply, span_sub(step->text, 0, 3)) &&
        (open_end ? span_starts(text, words) : scenario_match(words, text)))
        return true;
    world_fail(w, "expected reply %.*s, found %.*s", SPAN_ARG(step->text), SPAN_ARG(span_sub(reply, 0, reply.len - 2)));
    return false;
}

static bool expect_nothing(struct world *w, const struct step *step)
{
    struct span in = buf_span(&w->clients[step->party].wire.received);
    if (in.len == 0)
        return true;
    world_fail(w, "expected no reply yet, found %.*s", SPAN_ARG(in));
    return false;
}

static bool expect_client_closed(struct world *w, const struct step *step)
{
    if (!expect_nothing(w, step))
        return false;
    if (w->clients[step->party].wire.stream && wire_ended(&w->clients[step->party].wire))
        return true;
    world_fail(w, "expected that the server closes");
    return false;
}

/* ---- Backends ---- */

static struct link *link_of(struct world *w, unsigned number)
{
    if (number == 0)
        number = w->newest;
    for (size_t i = 0; i < w->link_count && number > 0; i++)
        if (w->links[i].number == number)
            return &w->links[i];
    world_fail(w, "there is no connection %u to the backend", number);
    return NULL;
}

static bool backend_connect(struct world *w, const struct step *step)
{
    for (size_t i = 0; i < w->link_count; i++) {
        struct link *l = &w->links[i];
        if (!l->pending || l->refused || l->automatic || l->wire.transport.closed || l->server != step->server)
            continue;
        w->newest = l->number;
        link_accept(l);
        world_settle(w);
        if (step->act == BACKEND_CONNECT_SILENT)
            return true;
        l->greeted = true;
        link_answer(w, l, SPAN("220 backend.test ESMTP\r\n"));
        world_settle(w);
        return true;
    }
    world_fail(w, "expected a connection to server %u", step->server + 1);
    return false;
}

static bool expect_line(struct world *w, const struct step *step)
{
    struct link *l = link_of(w, step->party);
    struct span line;
    if (!l)
        return false;
    if (!link_line(l, &line)) {
        world_fail(w, "the backend expected %.*s, %s", SPAN_ARG(step->text),
                   wire_ended(&l->wire) ? "but the connection was closed" : "but nothing came");
        return false;
    }
    if (!scenario_match(step->text, line)) {
        world_fail(w, "the backend expected %.*s, found %.*s", SPAN_ARG(step->text), SPAN_ARG(line));
        return false;
    }
    link_note(l, line);
    return true;
}

static bool expect_message(struct world *w, const struct step *step)
{
    struct link *l = link_of(w, step->party);
    if (!l)
        return false;
    if (!l->in_body || !link_message(w, l)) {
        world_fail(w, "the backend expected the message, found %.*s", SPAN_ARG(buf_span(&l->wire.received)));
        return false;
    }
    return !w->broken;
}

static bool expect_backend_closed(struct world *w, const struct step *step)
{
    struct link *l = link_of(w, step->party);
    if (!l)
        return false;
    struct span in = buf_span(&l->wire.received);
    bool dot = span_find_span(in, SPAN("\r\n.\r\n")) < in.len || span_starts(in, SPAN(".\r\n"));
    if (!wire_ended(&l->wire))
        world_fail(w, "expected that the connection to the backend is closed");
    else if (step->act == BACKEND_CLOSED && in.len > 0)
        world_fail(w, "expected the end of the connection to the backend, found %.*s", SPAN_ARG(in));
    else if (step->act == BACKEND_UNFINISHED && dot)
        world_fail(w, "expected a message without its final dot, found %.*s", SPAN_ARG(in));
    buf_clear(&l->wire.received);
    return !w->broken;
}

static bool backend_act(struct world *w, const struct step *step)
{
    struct link *l = link_of(w, step->party);
    if (!l)
        return false;
    switch ((int)step->act) {
    case BACKEND_SEND:
        link_send(w, l, step->text);
        break;
    case BACKEND_FINISH:
        wire_finish(&l->wire);
        break;
    case BACKEND_DROP:
        wire_close(&l->wire, 0);
        l->wire.transport.write_error = EPIPE;
        break;
    case BACKEND_RESET:
        wire_close(&l->wire, ECONNRESET);
        break;
    default: /* BACKEND_STOP */
        l->wire.stopped = true;
    }
    world_settle(w);
    return true;
}

/* ---- Log ---- */

/* The value of KEY in the JSON object LINE, without quotes, its escapes as they are. */
static bool log_value(struct span line, struct span key, struct span *value)
{
    char needle[64];
    int n = snprintf(needle, sizeof(needle), "\"%.*s\":", SPAN_ARG(key));
    struct span rest = line;
    for (;;) {
        size_t at = span_find_span(rest, span_of(needle, (size_t)n));
        if (at == rest.len)
            return false;
        bool is_key = at > 0 && (rest.ptr[at - 1] == ',' || rest.ptr[at - 1] == '{');
        rest = span_sub(rest, at + (size_t)n, rest.len);
        if (is_key)
            break;
    }
    bool quoted = rest.len > 0 && rest.ptr[0] == '"';
    size_t start = quoted ? 1 : 0, end = start;
    while (end < rest.len && (quoted ? rest.ptr[end] != '"' : rest.ptr[end] != ',' && rest.ptr[end] != '}'))
        end += quoted && rest.ptr[end] == '\\' ? 2 : 1;
    *value = span_sub(rest, start, end - start);
    return true;
}

/* `event key=value key="value with blanks"` */
static bool log_matches(struct span line, struct span wanted)
{
    struct span value, word = span_sub(wanted, 0, span_find(wanted, ' '));
    if (!log_value(line, SPAN("event"), &value) || !span_eq(value, word))
        return false;
    struct span rest = span_trim(span_sub(wanted, word.len, wanted.len));
    while (rest.len > 0) {
        struct span key = span_sub(rest, 0, span_find(rest, '='));
        rest = span_sub(rest, key.len + 1, rest.len);
        bool quoted = rest.len > 0 && rest.ptr[0] == '"';
        rest = span_sub(rest, quoted ? 1 : 0, rest.len);
        struct span pattern = span_sub(rest, 0, span_find(rest, quoted ? '"' : ' '));
        rest = span_trim(span_sub(rest, pattern.len + 1, rest.len));
        if (!log_value(line, key, &value) || !scenario_match(pattern, value))
            return false;
    }
    return true;
}

static struct span event_line(const struct world *w, size_t i)
{
    return span_sub(buf_span(&w->log_lines), w->events[i].at, w->events[i].len);
}

/* Lines of one session are expected in their order. */
static bool in_order(const struct world *w, size_t found)
{
    struct span session, other;
    if (!log_value(event_line(w, found), SPAN("session"), &session))
        return true;
    for (size_t i = found + 1; i < w->event_count; i++)
        if (w->events[i].matched && log_value(event_line(w, i), SPAN("session"), &other) && span_eq(session, other))
            return false;
    return true;
}

static bool expect_log(struct world *w, const struct step *step)
{
    for (size_t i = 0; i < w->event_count; i++) {
        if (w->events[i].matched || !log_matches(event_line(w, i), step->text))
            continue;
        if (!in_order(w, i)) {
            world_fail(w, "the log has %.*s too early", SPAN_ARG(step->text));
            return false;
        }
        w->events[i].matched = true;
        return true;
    }
    world_fail(w, "the log has no %.*s", SPAN_ARG(step->text));
    return false;
}

static void forbid_log(struct world *w)
{
    for (const struct step *step = w->setup->scenario->first; step; step = step->next)
        for (size_t i = 0; i < w->event_count && step->act == LOG_HAS_NOT; i++)
            if (log_matches(event_line(w, i), step->text))
                world_fail(w, "line %u: the log has %.*s", step->line, SPAN_ARG(event_line(w, i)));
}

/* ---- The script ---- */

static bool client_step(struct world *w, const struct step *step)
{
    struct client *c = &w->clients[step->party];
    if (!c->connected && !c->wire.stream)
        client_connect(w, step->party);
    switch ((int)step->act) {
    case CLIENT_SEND:
        client_send(w, step);
        return true;
    case CLIENT_REPLY:
        return expect_reply(w, step);
    case CLIENT_NOTHING:
        return expect_nothing(w, step);
    case CLIENT_CLOSED:
        return expect_client_closed(w, step);
    case CLIENT_FINISH:
        wire_finish(&c->wire);
        break;
    case CLIENT_STOP:
    case CLIENT_READ:
        c->wire.stopped = step->act == CLIENT_STOP;
        break;
    default: /* CLIENT_CLOSE, CLIENT_RESET */
        wire_close(&c->wire, step->act == CLIENT_RESET ? ECONNRESET : 0);
    }
    world_settle(w);
    return true;
}

/* As the console's `engine disable` and `engine enable` do. */
static bool switch_engine(struct world *w, const struct step *step)
{
    char name[LIMIT_ENGINE_NAME + 1];
    snprintf(name, sizeof(name), "%.*s", SPAN_ARG(step->text));
    struct engine_runtime *e = scan_runtime_find(w->shared.scans, name);
    if (e)
        atomic_store(&e->disabled, step->act == ENGINE_DISABLE);
    else
        world_fail(w, "there is no engine %s", name);
    return e != NULL;
}

static bool do_step(struct world *w, const struct step *step)
{
    switch (step->act) {
    case CLIENT_SEND:
    case CLIENT_FINISH:
    case CLIENT_CLOSE:
    case CLIENT_RESET:
    case CLIENT_STOP:
    case CLIENT_READ:
    case CLIENT_REPLY:
    case CLIENT_NOTHING:
    case CLIENT_CLOSED:
        return client_step(w, step);
    case BACKEND_CONNECT:
    case BACKEND_CONNECT_SILENT:
        return backend_connect(w, step);
    case BACKEND_EXPECT:
        return expect_line(w, step);
    case BACKEND_MESSAGE:
        return expect_message(w, step);
    case BACKEND_UNFINISHED:
    case BACKEND_CLOSED:
        return expect_backend_closed(w, step);
    case BACKEND_SEND:
    case BACKEND_FINISH:
    case BACKEND_DROP:
    case BACKEND_RESET:
    case BACKEND_STOP:
        return backend_act(w, step);
    case BACKEND_DOWN:
    case BACKEND_UP:
        w->down[step->server] = step->act == BACKEND_DOWN;
        return true;
    case TIME_PASSES:
        world_pass_time(w, step->time);
        return true;
    case LOG_HAS:
        return w->how->fail_at != 0 || expect_log(w, step);
    case LOG_HAS_NOT:
        return true;
    case ENGINE_DISABLE:
    case ENGINE_ENABLE:
        return switch_engine(w, step);
    case DRAIN:
        world_drain(w);
        return true;
    case DRAINED:
        if (!w->drained)
            world_fail(w, "expected that the proxy has drained");
        return w->drained;
    }
    return false;
}

/* Nothing may be left that the script does not speak of. */
static void check_unread(struct world *w)
{
    for (unsigned i = 1; i <= SCENARIO_CLIENTS; i++)
        if (w->clients[i].wire.stream && buf_len(&w->clients[i].wire.received) > 0)
            world_fail(w, "client %u got more than the script has: %.*s", i,
                       SPAN_ARG(buf_span(&w->clients[i].wire.received)));
    for (size_t i = 0; i < w->link_count; i++) {
        struct link *l = &w->links[i];
        if (l->number && l->pending && !l->wire.transport.closed)
            world_fail(w, "the script has no connection %u to the backend", l->number);
        if (l->number && buf_len(&l->wire.received) > 0 && !l->wire.gone)
            world_fail(w, "the backend got more than the script has: %.*s", SPAN_ARG(buf_span(&l->wire.received)));
    }
}

static void run_script(struct world *w)
{
    const struct step *step = w->setup->scenario->first;
    struct errtext why;
    bool strict = w->how->fail_at == 0;
    for (; step; step = step->next) {
        bool done = do_step(w, step) && !w->broken;
        if (done)
            continue;
        why = w->failure;
        if (!strict && memory_has_failed() && !strstr(why.text, "the backend got a message")) {
            w->broken = false; /* what an allocation that fails may change */
            world_follow(w);
            return;
        }
        errtext_set(&w->failure, "line %u: %.480s", step->line, why.text);
        return;
    }
    if (strict) {
        check_unread(w);
        forbid_log(w);
    }
}

/* All in one call, as every run asks twice. */
static unsigned count_descriptors(void)
{
    struct pollfd all[256];
    unsigned n = 0;
    for (int fd = 0; fd < (int)ARRAY_SIZE(all); fd++)
        all[fd] = (struct pollfd){.fd = fd};
    if (poll(all, ARRAY_SIZE(all), 0) < 0)
        abort();
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        n += !(all[i].revents & POLLNVAL);
    return n;
}

/* Replies of one client, but for ids in quarantine, which no two runs share. */
static enum err keep_replies(struct span replies, struct buf *out)
{
    struct span mark = SPAN("in quarantine, id ");
    enum err e = ERR_OK;
    while (replies.len > 0 && e == ERR_OK) {
        size_t at = span_find_span(replies, mark);
        at = at < replies.len ? at + mark.len : at;
        e = buf_append(out, span_sub(replies, 0, at));
        replies = span_sub(replies, at, replies.len);
        replies = span_sub(replies, replies.len > 0 ? span_find(replies, '\r') : 0, replies.len);
    }
    return e;
}

static void keep_outcome(const struct world *w, struct outcome *out)
{
    enum err e = ERR_OK;
    for (unsigned i = 1; i <= SCENARIO_CLIENTS && e == ERR_OK; i++)
        e = keep_replies(buf_span(&w->clients[i].replies), &out->replies);
    if (e != ERR_OK || buf_append(&out->deliveries, buf_span(&w->deliveries)) != ERR_OK)
        abort();
    out->octets = w->sent;
    out->answered = w->answered;
}

bool play(const struct setup *setup, const struct manner *how, struct span usual, struct outcome *out)
{
    static struct world w; /* large, and one run at a time */
    *out = (struct outcome){0};
    buf_init(&out->replies, SIZE_MAX / 2);
    buf_init(&out->deliveries, SIZE_MAX / 2);
    unsigned descriptors = count_descriptors();
    long blocks = memory_live();
    world_start(&w, setup, how);
    run_script(&w);
    if (!w.broken)
        promises_check(&w, usual);
    promises_check_log(&w);
    promises_check_ends(&w);
    bool played = !w.broken;
    if (!played) { /* it is to end all the same */
        out->failure = w.failure;
        w.broken = false;
        world_automatic(&w);
    }
    world_end(&w);
    if (played)
        counters_check(&w, how->fail_at == 0);
    if (played)
        out->failure = w.failure;
    played = played && !w.broken;
    out->starved = w.starved;
    keep_outcome(&w, out);
    world_release(&w);
    blocks += (out->replies.data != NULL) + (out->deliveries.data != NULL);
    if (played && memory_live() != blocks) {
        errtext_set(&out->failure, "%ld blocks of memory are left", memory_live() - blocks);
        played = false;
    }
    if (played && count_descriptors() != descriptors) {
        errtext_set(&out->failure, "descriptors are left");
        played = false;
    }
    return played;
}

void outcome_release(struct outcome *out)
{
    buf_release(&out->replies);
    buf_release(&out->deliveries);
}
