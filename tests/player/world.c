/* SPDX-License-Identifier: MIT */
/* Birth and end of a proxy in memory, and the way in which everything settles. */
#include "player/world.h"
#include "base/mem.h"
#include "io/listener.h"
#include "player/envelope.h"
#include "player/memory.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

/* How much of a backend's input stands in the sockets between. */
enum { WINDOW = 65536, OCTETS_MAX = 2048 };
enum { LAST_HOURS = 48, FOLLOWED_STEP_S = 60, FOLLOWED_STEPS = 120 };

/* ---- Failures and log ---- */

void world_fail(struct world *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!w->broken)
        errtext_setv(&w->failure, format, args);
    w->broken = true;
    va_end(args);
}

static void log_write(void *arg, enum log_level level, struct span line)
{
    struct world *w = arg;
    (void)level;
    memory_pause();
    if (w->event_count == WORLD_EVENTS || buf_append(&w->log_lines, line) != ERR_OK)
        world_fail(w, "more log lines than the player keeps");
    else
        w->events[w->event_count++] = (struct event){.at = buf_len(&w->log_lines) - line.len, .len = line.len};
    memory_resume();
}

static uint64_t log_clock(void *arg)
{
    const struct world *w = arg;
    return UINT64_C(1790000000000) + w->loop.now_us / 1000;
}

/* ---- Connections: what the linker puts in the place of sockets ---- */

static struct world *world_of(struct loop *l)
{
    return container_of(l, struct world, loop);
}

void __wrap_stream_init(struct stream *s, struct loop *l, int fd, size_t max_in, size_t max_out,
                        void (*wake)(void *arg), void *arg);
enum err __wrap_stream_connect(struct stream *s, struct loop *l, const struct addr *a, const struct addr *source,
                               size_t max_in, size_t max_out, void (*wake)(void *arg), void *arg);

void __wrap_stream_init(struct stream *s, struct loop *l, int fd, size_t max_in, size_t max_out,
                        void (*wake)(void *arg), void *arg)
{
    struct world *w = world_of(l);
    wire_open(&w->clients[fd].wire, l, w->how, WINDOW, s, max_in, max_out, wake, arg);
}

enum err __wrap_stream_connect(struct stream *s, struct loop *l, const struct addr *a, const struct addr *source,
                               size_t max_in, size_t max_out, void (*wake)(void *arg), void *arg)
{
    struct world *w = world_of(l);
    (void)source;
    unsigned server = ntohs(((const struct sockaddr_in *)(const void *)&a->storage)->sin_port) - FIRST_PORT;
    if (w->link_count == WORLD_LINKS)
        abort(); /* the scenario is wrong, or the proxy opens connections without end */
    struct link *link = &w->links[w->link_count++];
    *link = (struct link){.pending = true, .server = server, .refused = w->down[server], .automatic = w->probing};
    buf_init(&link->envelope, 1 << 20);
    buf_init(&link->message, SIZE_MAX / 2);
    wire_open(&link->wire, l, w->how, WINDOW, s, max_in, max_out, wake, arg);
    s->connecting = true;
    if (w->down[server]) {
        s->connecting = false;
        s->error = ECONNREFUSED;
        s->changed = true;
        loop_defer(l, &s->kick);
    } else if (!w->probing) {
        link->number = ++w->numbers;
    }
    return ERR_OK;
}

void client_connect(struct world *w, unsigned number)
{
    struct client *c = &w->clients[number];
    struct addr peer = {.len = sizeof(struct sockaddr_in)};
    struct sockaddr_in *v4 = (void *)&peer.storage;
    v4->sin_family = AF_INET;
    v4->sin_addr.s_addr = htonl(0x7f000001);
    v4->sin_port = htons((uint16_t)(40000 + number));
    c->connected = virtual_listener_connect(&w->loop, (int)number, &peer);
    world_settle(w);
}

/* ---- The backend's side ---- */

void link_accept(struct link *l)
{
    if (!l->pending || l->refused)
        return;
    l->pending = false;
    struct stream *s = l->wire.stream;
    if (l->wire.transport.closed)
        return;
    s->connecting = false;
    s->changed = true;
    loop_defer(s->loop, &s->kick);
    memory_enter();
    stream_ready(s, LOOP_READ | LOOP_WRITE);
    memory_leave();
}

bool link_line(struct link *l, struct span *line)
{
    struct span in = buf_span(&l->wire.received);
    size_t end = span_find_span(in, SPAN("\r\n"));
    if (end == in.len)
        return false;
    *line = span_sub(in, 0, end);
    buf_consume(&l->wire.received, end + 2); /* the bytes stay where they are until more come */
    return true;
}

void link_note(struct link *l, struct span line)
{
    if (l->in_body) {
        l->lines_seen += line.len + 2;
        if (buf_append(&l->message, line) != ERR_OK || buf_append(&l->message, SPAN("\r\n")) != ERR_OK)
            abort();
        return;
    }
    if (span_starts_nocase(line, SPAN("MAIL")) || span_starts_nocase(line, SPAN("RSET")))
        buf_clear(&l->envelope);
    if (buf_printf(&l->envelope, "%.*s\n", SPAN_ARG(line)) != ERR_OK)
        abort();
}

static void unstuff(struct span wire, struct buf *out)
{
    bool line_start = true;
    for (size_t i = 0; i < wire.len; i++) {
        if (!(line_start && wire.ptr[i] == '.') && buf_append_char(out, wire.ptr[i]) != ERR_OK)
            abort();
        line_start = wire.ptr[i] == '\n';
    }
}

/* Whether the message WIRE is that of client C with at most PREFIX octets in front. */
static bool same_message(struct span wire, const struct client *c, size_t prefix)
{
    struct buf sent, got;
    buf_init(&sent, SIZE_MAX / 2);
    buf_init(&got, SIZE_MAX / 2);
    unstuff(buf_span(&c->body), &sent);
    unstuff(wire, &got);
    struct span a = buf_span(&sent), b = buf_span(&got);
    bool same = a.len > 0 && a.len <= b.len && b.len - a.len <= prefix && span_eq(span_sub(b, b.len - a.len, a.len), a);
    buf_release(&sent);
    buf_release(&got);
    return same;
}

static bool must_not_pass(const struct world *w, struct span wire)
{
    static const char *const orders[] = {"X-Fake: infected", "X-Fake: unscannable", "X-Fake: error", "X-Fake: hang"};
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
        if (span_find_span(wire, span_cstr(orders[i])) < wire.len)
            return i >= 2 || !w->setup->scenario->infected_passes;
    return false;
}

/* No backend may ever complete what no client sent, nor what must not be delivered. */
static void check_message(struct world *w, const struct link *l)
{
    struct span wire = buf_span(&l->message);
    bool known = false;
    for (unsigned i = 1; i <= SCENARIO_CLIENTS; i++)
        known = known || same_message(wire, &w->clients[i], l->automatic ? wire.len : l->lines_seen);
    if (!known)
        world_fail(w, "the backend got a message that is not what a client sent: %.300s", wire.ptr);
    if (must_not_pass(w, wire))
        world_fail(w, "the backend got a message that must not be delivered");
}

bool link_message(struct world *w, struct link *l)
{
    struct span in = buf_span(&l->wire.received);
    bool empty = span_starts(in, SPAN(".\r\n"));
    size_t at = empty ? 0 : span_find_span(in, SPAN("\r\n.\r\n"));
    if (at == in.len)
        return false;
    size_t len = empty ? 3 : at + 5;
    if (buf_append(&l->message, span_sub(in, 0, len)) != ERR_OK)
        abort();
    buf_consume(&l->wire.received, len);
    l->in_body = false;
    l->message_done = true;
    check_message(w, l);
    return true;
}

/* What the reply BYTES means for the connection. */
static void link_says(struct world *w, struct link *l, struct span bytes)
{
    if (l->message_done) {
        if (span_starts(bytes, SPAN("2"))) {
            w->accepted++;
            if (buf_append(&w->deliveries, buf_span(&l->envelope)) != ERR_OK ||
                buf_append(&w->deliveries, buf_span(&l->message)) != ERR_OK)
                abort();
            envelope_keep(w, buf_span(&l->envelope));
        }
        l->message_done = false;
        buf_clear(&l->message);
        buf_clear(&l->envelope);
    } else if (span_starts(bytes, SPAN("354"))) {
        l->in_body = true;
        l->lines_seen = 0;
    }
}

void link_send(struct world *w, struct link *l, struct span bytes)
{
    link_says(w, l, bytes);
    l->answering = true;
    world_send(w, &l->wire, bytes);
    l->answering = false;
}

/* Short pieces mostly, as what matters is mostly short; of long sends longer ones, to come to an end. */
static size_t piece_length(const struct world *w, size_t at, size_t len)
{
    uint64_t draw = world_mixed(w->how->pieces ^ world_mixed(at));
    size_t most = draw >> 62 ? 12 : 600;
    return 1 + (size_t)(draw & 0xffffffff) % (len / 64 > most ? len / 64 : most);
}

/* The next piece of BYTES is sent, and everything settles but behind the last one, which is up to the caller. */
static size_t send_piece(struct world *w, struct wire *wire, struct span bytes, size_t done, size_t piece)
{
    wire_send(wire, span_sub(bytes, done, piece));
    world_settle(w);
    return done + piece;
}

/* *SENT: octets of this kind so far; CUT: where all of them together are cut, 0: nowhere. */
static void send_in_pieces(struct world *w, struct wire *wire, struct span bytes, size_t *sent, size_t cut)
{
    size_t done = 0, before = *sent;
    *sent += bytes.len;
    while (w->how->each_octet && done + 1 < bytes.len) {
        /* Of a very long send the middle goes at once: there is nothing new in it. */
        bool middle = done == OCTETS_MAX && bytes.len > 3 * OCTETS_MAX;
        done = send_piece(w, wire, bytes, done, middle ? bytes.len - 2 * OCTETS_MAX : 1);
    }
    while (w->how->pieces && done + 1 < bytes.len) {
        size_t drawn = piece_length(w, before + done, bytes.len), most = bytes.len - done - 1;
        done = send_piece(w, wire, bytes, done, drawn < most ? drawn : most);
    }
    if (cut > before && cut - before < bytes.len)
        done = send_piece(w, wire, bytes, 0, cut - before);
    wire_send(wire, span_sub(bytes, done, bytes.len));
}

void link_answer(struct world *w, struct link *l, struct span bytes)
{
    link_says(w, l, bytes);
    l->answering = true;
    send_in_pieces(w, &l->wire, bytes, &w->answered, w->how->cut_answer);
    l->answering = false;
}

static void send_now(struct world *w, struct link *l, const char *text)
{
    link_answer(w, l, span_cstr(text));
}

static void send_keywords(struct world *w, struct link *l)
{
    struct span rest = w->setup->scenario->keywords[l->server];
    struct buf text;
    buf_init(&text, 65536);
    bool ok = buf_append(&text, SPAN("250-backend.test\r\n")) == ERR_OK;
    while (rest.len > 0 && ok) {
        struct span word = span_sub(rest, 0, span_find(rest, ','));
        rest = span_sub(rest, word.len + 1, rest.len);
        ok = buf_printf(&text, "250-%.*s\r\n", SPAN_ARG(span_trim(word))) == ERR_OK;
    }
    if (!ok || buf_append(&text, SPAN("250 HELP")) != ERR_OK || buf_append(&text, span_of("\r\n", 3)) != ERR_OK)
        abort();
    send_now(w, l, buf_span(&text).ptr);
    buf_release(&text);
}

static bool line_waits(const struct link *l, struct span verb)
{
    struct span in = buf_span(&l->wire.received);
    return span_starts_nocase(in, verb) && span_find_span(in, SPAN("\r\n")) < in.len;
}

/* What a server must say: a message to nobody is none (RFC 5321 3.3). */
static const char *answer_to(const struct link *l, struct span line)
{
    struct span envelope = buf_span(&l->envelope);
    if (span_starts_nocase(line, SPAN("QUIT")))
        return "221 2.0.0 bye\r\n";
    if (!span_starts_nocase(line, SPAN("DATA")))
        return "250 2.0.0 ok\r\n";
    return span_find_span(envelope, SPAN("\nRCPT")) < envelope.len ? "354 go ahead\r\n" : "503 5.5.1 RCPT first\r\n";
}

/* A backend that plays no role in the script. */
static bool link_answers_all(struct world *w, struct link *l)
{
    struct span line;
    if (!l->greeted) {
        l->greeted = true;
        link_accept(l);
        send_now(w, l, "220 backend.test ESMTP\r\n");
        return true;
    }
    if (l->in_body) {
        if (!link_message(w, l))
            return false;
        send_now(w, l, "250 2.0.0 taken\r\n");
        return true;
    }
    if (!link_line(l, &line))
        return false;
    link_note(l, line);
    if (span_starts_nocase(line, SPAN("EHLO")))
        send_keywords(w, l);
    else
        send_now(w, l, answer_to(l, line));
    if (span_starts_nocase(line, SPAN("QUIT")))
        wire_close(&l->wire, 0);
    return true;
}

/* What a backend answers unless the script speaks of it: EHLO after an ordinary greeting, RSET, QUIT. */
static bool link_answers_some(struct world *w, struct link *l)
{
    struct span line;
    if (l->in_body || l->message_done)
        return false;
    if (l->greeted && line_waits(l, SPAN("EHLO "))) {
        (void)link_line(l, &line);
        send_keywords(w, l);
        return true;
    }
    if (!w->setup->scenario->rset_scripted && line_waits(l, SPAN("RSET"))) {
        (void)link_line(l, &line);
        buf_clear(&l->envelope);
        send_now(w, l, "250 2.0.0 flushed\r\n");
        return true;
    }
    if (!w->setup->scenario->quit_scripted && line_waits(l, SPAN("QUIT"))) {
        (void)link_line(l, &line);
        send_now(w, l, "221 2.0.0 bye\r\n");
        wire_close(&l->wire, 0);
        return true;
    }
    return false;
}

static bool link_moves(struct world *w, struct link *l)
{
    bool moved = wire_pump(&l->wire);
    if (l->refused || l->wire.gone || l->wire.transport.closed || !l->wire.stream || l->answering)
        return moved;
    return (l->automatic ? link_answers_all(w, l) : !l->pending && link_answers_some(w, l)) || moved;
}

void world_automatic(struct world *w)
{
    for (size_t i = 0; i < w->link_count; i++) {
        struct link *l = &w->links[i];
        l->greeted = l->greeted || !l->pending;
        l->automatic = true;
        l->wire.stopped = false;
        if (l->message_done)
            send_now(w, l, "451 4.3.0 the script is over\r\n");
    }
    w->probing = true; /* later ones answer too */
    world_settle(w);
}

static bool somebody_is_served(const struct world *w)
{
    for (unsigned i = 1; i <= SCENARIO_CLIENTS; i++) {
        const struct wire *wire = &w->clients[i].wire;
        if (wire->stream && !wire->gone && !wire_ended(wire))
            return true;
    }
    return false;
}

void world_follow(struct world *w)
{
    for (unsigned i = 1; i <= SCENARIO_CLIENTS; i++)
        w->clients[i].wire.stopped = false;
    world_automatic(w);
    for (unsigned step = 0; step < FOLLOWED_STEPS && somebody_is_served(w) && !w->broken; step++)
        world_pass_time(w, UINT64_C(1000000) * FOLLOWED_STEP_S);
}

/* ---- Life ---- */

void world_settle(struct world *w)
{
    for (unsigned rounds = 0; rounds < 1000000; rounds++) {
        if (!virtual_loop_run(&w->loop)) {
            world_fail(w, "the loop never comes to rest");
            return;
        }
        bool moved = false;
        for (unsigned i = 1; i <= SCENARIO_CLIENTS; i++)
            moved = wire_pump(&w->clients[i].wire) || moved;
        for (size_t i = 0; i < w->link_count; i++)
            moved = link_moves(w, &w->links[i]) || moved;
        if (!moved && virtual_loop_idle(&w->loop))
            return;
    }
    world_fail(w, "the peers talk without end");
}

void world_pass_time(struct world *w, uint64_t us)
{
    uint64_t until = w->loop.now_us + us;
    world_settle(w);
    while (!w->broken && virtual_loop_fire(&w->loop, until))
        world_settle(w);
}

uint64_t world_mixed(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void world_send(struct world *w, struct wire *wire, struct span bytes)
{
    send_in_pieces(w, wire, bytes, &w->sent, w->how->cut);
    world_settle(w);
}

void world_start(struct world *w, const struct setup *setup, const struct manner *how)
{
    static const uint64_t key[2] = {0x243f6a8885a308d3, 0x13198a2e03707344};
    *w = (struct world){.setup = setup, .how = how};
    memcpy(w->down, setup->scenario->down, sizeof(w->down));
    virtual_loop_init(&w->loop);
    buf_init(&w->log_lines, SIZE_MAX / 2);
    buf_init(&w->deliveries, SIZE_MAX / 2);
    buf_init(&w->envelopes, SIZE_MAX / 2);
    w->log = (struct log){.write = log_write, .wallclock_ms = log_clock, .arg = w, .format = LOG_FORMAT_JSON};
    for (unsigned i = 1; i <= SCENARIO_CLIENTS; i++) {
        buf_init(&w->clients[i].replies, SIZE_MAX / 2);
        buf_init(&w->clients[i].sent, SIZE_MAX / 2);
        buf_init(&w->clients[i].body, SIZE_MAX / 2);
    }
    w->shared = (struct proxy_shared){
        .framework = &setup->framework,
        .scans = scan_runtime_new(&setup->framework),
        .conf = setup->limits,
        .log = &w->log,
        .hostname = "gw.example.org",
        .spool = setup->spool,
        .quarantine = setup->quarantine,
        .quarantine_conf = setup->quarantine_conf,
        .iopool = iopool_new(1),
        .admission = admission_new((unsigned)setup->limits->max_connections,
                                   (unsigned)setup->limits->max_connections_per_host, key),
        .targets = setup->targets,
        .target_count = setup->scenario->servers,
        .loops = 1,
        .boot_id = 1,
    };
    if (setup->quarantine)
        w->kept_before = quarantine_usage(setup->quarantine);
    w->mailbox = mailbox_new(&w->loop);
    w->probing = true;
    w->proxy = proxy_new(&w->shared, &w->loop, w->mailbox, 0);
    w->probing = false;
    if (!w->proxy || proxy_listen(w->proxy, -1, setup->listen, setup->listen_name) != ERR_OK)
        abort(); /* no allocation fails yet */
    world_settle(w);
    memory_fail_at(how->fail_at);
}

static void world_empty(void *arg)
{
    struct world *w = arg;
    w->drained = true;
}

void world_drain(struct world *w)
{
    w->drain_begun = true;
    memory_enter();
    proxy_drain(w->proxy, world_empty, w);
    memory_leave();
    world_settle(w);
}

void world_release(struct world *w)
{
    for (unsigned i = 1; i <= SCENARIO_CLIENTS; i++) {
        wire_release(&w->clients[i].wire);
        buf_release(&w->clients[i].replies);
        buf_release(&w->clients[i].sent);
        buf_release(&w->clients[i].body);
    }
    for (size_t i = 0; i < w->link_count; i++) {
        wire_release(&w->links[i].wire);
        buf_release(&w->links[i].envelope);
        buf_release(&w->links[i].message);
    }
    iopool_free(w->shared.iopool);
    admission_free(w->shared.admission);
    scan_runtime_free(w->shared.scans);
    mailbox_free(w->mailbox);
    buf_release(&w->log_lines);
    buf_release(&w->deliveries);
    buf_release(&w->envelopes);
}

void world_end(struct world *w)
{
    for (unsigned i = 1; i <= SCENARIO_CLIENTS; i++)
        if (w->clients[i].wire.stream)
            wire_close(&w->clients[i].wire, 0);
    world_settle(w);
    if (!w->drain_begun)
        world_drain(w);
    for (unsigned hour = 0; hour < LAST_HOURS && !w->drained && !w->broken; hour++)
        world_pass_time(w, UINT64_C(3600) * 1000000);
    if (!w->drained)
        world_fail(w, "a session is left two days after the last client went");
    w->starved = memory_has_failed();
    memory_fail_at(0);
    proxy_free(w->proxy);
    world_settle(w);
    for (unsigned i = 1; i <= SCENARIO_CLIENTS; i++)
        if (w->clients[i].wire.stream && !w->clients[i].wire.transport.closed)
            world_fail(w, "the connection of client %u is left open", i);
    for (size_t i = 0; i < w->link_count; i++)
        if (!w->links[i].wire.transport.closed)
            world_fail(w, "the connection %u to the backend is left open", w->links[i].number);
    if (!list_empty(&w->loop.timers))
        world_fail(w, "a timer is left");
}
