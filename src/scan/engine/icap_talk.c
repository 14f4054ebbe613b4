/* SPDX-License-Identifier: MIT */
/* One request of ICAP over a connection, and its answer: heads, preview, chunks both ways.
 *
 * The message travels as the body of an HTTP exchange that we make up (a GET and its answer, or a PUT), or, with
 * http_headers = false, alone. A preview tells a server that does not want all of a message from one that does: whoever
 * answers to a part of it has not scanned the rest. So a preview never holds all of a message, however short that is: a
 * server that looks at its first octets only (c-icap, at types that are not to be scanned) would answer 204 to it as to
 * one that it has scanned. Where there is no preview, an answer that is there before the end was sent is one to a part,
 * too: that is what send_rest is for. */
#include "scan/engine/icap.h"
#include "sys/clock.h"

enum {
    STATUS_CONTINUE = 100,
    STATUS_ERRORS = 400,
    STATUS_OVERLOADED = 503,
    CHUNK_LINE_MAX = 1024,
    TRAILERS_MAX = 50,
    READ_STEP = 32 * 1024,
    DRAIN_MAX = 256 * 1024, /* of a body that nobody needs: a page for people */
    HOLD_MEASURED_MAX_US = 100 * 1000,
};

/* ---- requests ---- */

static bool is_reqmod(const struct icap *i)
{
    return i->conf->icap_mode == ICAP_MODE_REQMOD;
}

static int format_uri(const struct icap *i, const struct link_connection *l, const char *method, char *out, size_t size)
{
    const struct server_name *n = &i->names[l->server];
    char host[SERVER_HOST + 16] = "localhost";
    if (n->host[0])
        snprintf(host, sizeof(host), strchr(n->host, ':') ? "[%s]:%u" : "%s:%u", n->host, n->port);
    return snprintf(out, size, "%s icap://%s/%s ICAP/1.0\r\nHost: %s\r\nUser-Agent: postern\r\n", method, host,
                    i->conf->icap_service, host);
}

/* The HTTP header blocks around the message, and what Encapsulated says of them. */
static int format_enclosed(const struct icap *i, char *encapsulated, size_t encapsulated_size, char *out, size_t size)
{
    static const char get[] = "GET http://127.0.0.1/mail HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    unsigned long long octets = i->size;
    out[0] = '\0';
    if (!i->conf->icap_http_headers) {
        snprintf(encapsulated, encapsulated_size, "%s-body=0", is_reqmod(i) ? "req" : "res");
        return 0;
    }
    if (is_reqmod(i)) {
        int put = snprintf(
            out, size, "PUT http://127.0.0.1/mail HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %llu\r\n\r\n", octets);
        snprintf(encapsulated, encapsulated_size, "req-hdr=0, req-body=%d", put);
        return put;
    }
    int both = snprintf(out, size,
                        "%sHTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %llu\r\n\r\n",
                        get, octets);
    snprintf(encapsulated, encapsulated_size, "req-hdr=0, res-hdr=%zu, res-body=%d", sizeof(get) - 1, both);
    return both;
}

struct request {
    bool previewed;
    uint64_t preview; /* octets of the message that go first */
    char head[ICAP_FRONT / 2];
    size_t head_len;
};

static void request_make(const struct icap *i, const struct link_connection *l, struct request *r)
{
    const struct icap_service *s = &i->servers[l->server].service;
    char encapsulated[80], enclosed[512], preview[40] = "";
    uint64_t most = (uint64_t)i->conf->icap_preview;
    *r = (struct request){.previewed = most > 0 && s->has_preview && !s->complete_always && i->size > 0};
    if (r->previewed) {
        r->preview = s->preview < most ? s->preview : most;
        if (r->preview >= i->size)
            r->preview = i->size - 1;
        snprintf(preview, sizeof(preview), "Preview: %llu\r\n", (unsigned long long)r->preview);
    }
    int enclosed_len = format_enclosed(i, encapsulated, sizeof(encapsulated), enclosed, sizeof(enclosed));
    int n = format_uri(i, l, is_reqmod(i) ? "REQMOD" : "RESPMOD", r->head, sizeof(r->head));
    n += snprintf(r->head + n, sizeof(r->head) - (size_t)n, "%s%sEncapsulated: %s\r\n\r\n%.*s",
                  s->allow_204 ? "Allow: 204\r\n" : "", preview, encapsulated, enclosed_len, enclosed);
    r->head_len = (size_t)n;
}

/* A piece of the message as a chunk, with what goes in front of it and behind it, in one go. */
static enum err send_piece(struct icap *i, struct link_connection *l, uint64_t at, size_t len, struct span front,
                           const char *back)
{
    char size[24] = "";
    char *data = i->buffer + ICAP_FRONT, *end = data + len, *begin = data;
    struct errtext why;
    enum err e = daemon_read_message(i->fd, at, data, len, &why);
    if (e != ERR_OK) {
        link_explain(l, "%s", why.text);
        return e;
    }
    if (len > 0) {
        int n = snprintf(size, sizeof(size), "%zx\r\n", len);
        begin -= n;
        memcpy(begin, size, (size_t)n);
    }
    if (front.len > 0) {
        begin -= front.len;
        memcpy(begin, front.ptr, front.len);
    }
    end += snprintf(end, ICAP_BACK, "%s%s", len > 0 ? "\r\n" : "", back);
    return link_send(l, span_of(begin, (size_t)(end - begin)));
}

static const char body_end[] = "0\r\n\r\n";

/* The octets FROM to TO, FRONT before the first, BACK behind the last. */
static enum err send_range(struct icap *i, struct link_connection *l, uint64_t from, uint64_t to, struct span front,
                           const char *back)
{
    enum err e = ERR_OK;
    do {
        size_t len = to - from < ICAP_CHUNK ? (size_t)(to - from) : ICAP_CHUNK;
        e = send_piece(i, l, from, len, front, from + len == to ? back : "");
        front = span_of(NULL, 0);
        from += len;
    } while (e == ERR_OK && from < to);
    return e;
}

/* So long the end of a message is held back. A server that answers to the head of a request takes about as long as it
 * took for OPTIONS, which is a head alone. */
static uint64_t hold_us(const struct icap *i, const struct link_connection *l)
{
    uint64_t twice = 2 * i->servers[l->server].options_us, wanted = (uint64_t)i->conf->icap_end_delay_ms * 1000;
    if (twice > HOLD_MEASURED_MAX_US)
        twice = HOLD_MEASURED_MAX_US;
    return twice > wanted ? twice : wanted;
}

/* The same up to the end of the message. Whoever answers without the last octet has not scanned all of it. So that
 * octet and the end go by themselves, after a pause in which such an answer shows (ERR_STATE); one that comes later
 * than that, but was on its way before they arrived, link_await knows by what the other end has not acknowledged. The
 * last octet too, because some servers count octets and do not wait for the end. */
static enum err send_rest(struct icap *i, struct link_connection *l, uint64_t from, struct span front)
{
    uint64_t last = i->size > 0 ? i->size - 1 : 0;
    enum err e = ERR_OK;
    if (front.len > 0 || from < last)
        e = send_range(i, l, from, last, front, "");
    if (e == ERR_OK)
        e = link_pause(l, hold_us(i, l));
    return e == ERR_OK ? send_range(i, l, last, i->size, span_of(NULL, 0), body_end) : e;
}

/* ---- answers ---- */

static enum err no_sense(struct link_connection *l, const char *what, struct span line)
{
    char shown[100];
    verdict_copy_text(shown, sizeof(shown), line);
    link_explain(l, "%s that makes no sense: %s", what, shown);
    return ERR_SYNTAX;
}

static enum err read_head(const struct icap *i, struct link_connection *l, struct icap_head *h)
{
    icap_head_begin(h, i->conf->suspicious == SUSPICIOUS_INFECTED);
    for (;;) {
        struct span line;
        enum err e = link_read_line(l, ICAP_LINE_MAX, &line);
        if (e != ERR_OK) {
            icap_head_cut(h);
            return e;
        }
        enum icap_step step = icap_head_line(h, line);
        if (step == ICAP_END)
            return ERR_OK;
        if (step == ICAP_BAD)
            return no_sense(l, "an ICAP answer", line);
    }
}

static bool is_same(const struct icap *i, uint64_t at, struct span part)
{
    char own[4096];
    struct errtext why;
    for (size_t done = 0; done < part.len;) {
        size_t n = part.len - done < sizeof(own) ? part.len - done : sizeof(own);
        if (daemon_read_message(i->fd, at + done, own, n, &why) != ERR_OK || memcmp(own, part.ptr + done, n) != 0)
            return false;
        done += n;
    }
    return true;
}

struct body {
    bool same;  /* so far, octet by octet the message */
    bool whole; /* its end was read */
    uint64_t octets;
};

/* Of one chunk. Stops where the body is neither the message nor short. */
static enum err read_chunk(const struct icap *i, struct link_connection *l, uint64_t size, struct body *b)
{
    struct span part;
    while (size > 0) {
        enum err e = link_read_block(l, size < READ_STEP ? (size_t)size : READ_STEP, &part);
        if (e != ERR_OK)
            return e;
        b->same = b->same && part.len <= i->size - b->octets && is_same(i, b->octets, part);
        b->octets += part.len;
        size -= part.len;
        if (!b->same && b->octets > DRAIN_MAX)
            return ERR_OK;
    }
    enum err e = link_read_line(l, CHUNK_LINE_MAX, &part);
    return e == ERR_OK && part.len > 0 ? no_sense(l, "the end of a chunk", part) : e;
}

/* What stands behind a body counts as what stands in the head. */
static enum err read_trailers(struct link_connection *l, struct icap_head *h)
{
    for (unsigned lines = 0; lines < TRAILERS_MAX; lines++) {
        struct span line;
        enum err e = link_read_line(l, ICAP_LINE_MAX, &line);
        if (e != ERR_OK || line.len == 0)
            return e;
        if (!icap_trailer(h, line))
            return no_sense(l, "a line after a body", line);
    }
    link_explain(l, "more than %d lines after a body", TRAILERS_MAX);
    return ERR_FULL;
}

static enum err read_body(const struct icap *i, struct link_connection *l, struct icap_head *h, struct body *b)
{
    *b = (struct body){.same = true};
    for (;;) {
        struct span line;
        uint64_t size;
        enum err e = link_read_line(l, CHUNK_LINE_MAX, &line);
        if (e != ERR_OK)
            return e;
        if (!icap_chunk_line(line, &size))
            return no_sense(l, "the size of a chunk", line);
        if (size == 0) {
            e = read_trailers(l, h);
            b->whole = e == ERR_OK;
            b->same = b->same && b->octets == i->size;
            return e;
        }
        e = read_chunk(i, l, size, b);
        if (e != ERR_OK)
            return e;
        if (!b->same && b->octets > DRAIN_MAX) {
            link_spoil(l);
            return ERR_OK;
        }
    }
}

/* What the head says is enclosed. WANT_BODY: as far as the body is of interest or short. */
static enum err read_enclosed(const struct icap *i, struct link_connection *l, struct icap_head *h, bool want_body,
                              struct body *b)
{
    *b = (struct body){.same = false};
    for (size_t n = 0; n < h->section_count; n++) {
        enum icap_section kind = h->sections[n].kind;
        if (kind == ICAP_NULL_BODY)
            return ERR_OK;
        if (kind > ICAP_RES_HDR) {
            if (want_body)
                return read_body(i, l, h, b);
            link_spoil(l);
            return ERR_OK;
        }
        struct span block;
        size_t len = h->sections[n + 1].offset - h->sections[n].offset; /* a body ends the list */
        enum err e = link_read_block(l, len, &block);
        if (e != ERR_OK)
            return e;
        if (!icap_http_block(h, kind, block))
            return no_sense(l, "an enclosed HTTP header", block);
    }
    return ERR_OK;
}

enum err icap_ask_options(struct icap *i, struct link_connection *l, struct icap_head *h)
{
    struct body ignored;
    int n = format_uri(i, l, "OPTIONS", i->buffer, ICAP_FRONT);
    n += snprintf(i->buffer + n, ICAP_FRONT - (size_t)n, "Encapsulated: null-body=0\r\n\r\n");
    uint64_t begun = clock_monotonic_us();
    enum err e = link_send(l, span_of(i->buffer, (size_t)n));
    if (e == ERR_OK || e == ERR_STATE)
        e = read_head(i, l, h);
    i->servers[l->server].options_us = clock_monotonic_us() - begun;
    return e == ERR_OK ? read_enclosed(i, l, h, true, &ignored) : e;
}

/* The end has been sent, if *WHOLE: not so where the answer was on its way already. */
static enum err await_answer(struct link_connection *l, bool *whole)
{
    bool overtaken = false;
    enum err e = *whole ? link_await(l, &overtaken) : ERR_OK;
    *whole = *whole && !overtaken;
    return e;
}

/* Sends the message, as far as the server wants it, and reads the head of the final answer. *WHOLE: it has all of it.
 */
static enum err send_message(struct icap *i, struct link_connection *l, const struct request *r, struct icap_head *h,
                             bool *whole)
{
    struct span head = span_of(r->head, r->head_len);
    bool complete = !r->previewed;
    enum err e = complete ? send_rest(i, l, 0, head) : send_range(i, l, 0, r->preview, head, body_end);
    *whole = e == ERR_OK && complete;
    if (e != ERR_OK && e != ERR_STATE)
        return e;
    bool sent = e == ERR_OK;
    e = await_answer(l, whole);
    if (e == ERR_OK)
        e = read_head(i, l, h);
    if (e != ERR_OK || h->status != STATUS_CONTINUE)
        return e;
    if (complete || !sent || h->section_count > 0 || h->signals.strongest != ICAP_NOTHING) {
        link_explain(l, "it said \"100 Continue\" out of turn");
        return ERR_SYNTAX;
    }
    e = send_rest(i, l, r->preview, span_of(NULL, 0));
    *whole = e == ERR_OK;
    if (e == ERR_OK || e == ERR_STATE)
        e = await_answer(l, whole);
    return e == ERR_OK ? read_head(i, l, h) : e;
}

/* The request has its verdict in i->out. */
static void settle(const struct icap *i, struct link_connection *l, const struct icap_head *h, enum err e, bool whole)
{
    bool enclosed = h->section_count > 0 || h->status == 204;
    if (e != ERR_OK || !whole || !enclosed || h->close || i->out->class == VERDICT_ERROR)
        link_spoil(l);
}

enum err icap_ask_message(struct icap *i, struct link_connection *l, struct icap_head *h)
{
    const struct icap_service *s = &i->servers[l->server].service;
    struct icap_circumstances c = {.offers_204 = s->allow_204, .echo_is_clean = i->conf->icap_echo_is_clean};
    struct request r;
    struct body body = {.same = false};
    request_make(i, l, &r);
    c.may_204 = s->allow_204 || r.previewed;
    enum err e = send_message(i, l, &r, h, &c.whole);
    if (e == ERR_OK)
        e = read_enclosed(i, l, h, c.whole, &body);
    bool found = icap_signal_verdict(&h->signals, i->out) || h->status == 201;
    if (e != ERR_OK && !found)
        return e;
    if (!found && h->status == STATUS_OVERLOADED) { /* the next server may have room */
        link_explain(l, "ICAP status 503 %s", h->phrase);
        link_disown_input(l);
        return ERR_CLOSED;
    }
    if (!found && h->status == 204 && h->section_count > 0 &&
        h->sections[h->section_count - 1].kind != ICAP_NULL_BODY) {
        link_explain(l, "204 with something in the message's place");
        return ERR_SYNTAX;
    }
    c.echoed = body.whole && body.same;
    icap_verdict(h, &c, i->out);
    if (i->out->class == VERDICT_CLEAN && link_has_input(l)) {
        link_explain(l, "it said more than its answer");
        return ERR_SYNTAX;
    }
    settle(i, l, h, e, c.whole);
    return ERR_OK;
}
