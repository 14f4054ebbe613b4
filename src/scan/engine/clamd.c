/* SPDX-License-Identifier: MIT */
/* clamd as an engine: class clamav with the option `daemon`. One session (IDSESSION) per worker and server, one request
 * in it at a time. Over a unix socket the message's descriptor is handed over (FILDES), over TCP its octets
 * (INSTREAM); where a local clamd cannot use the descriptor (a mandatory access control that forbids it, a relay behind
 * the socket), the octets go there too.
 *
 * Each session begins with VERSION, so what is told of the database is never older than LINK_LIFETIME_MS. */
#include "base/mem.h"
#include "scan/engine/clamd_reply.h"
#include "scan/engine/daemon_engine.h"
#include "scan/engine/engine.h"

enum {
    CLAMD_PORT = 3310,
    CHUNK = 128 * 1024,
    FRONT = 16, /* before the first chunk: the command, and the length */
    BACK = 4,   /* after the last: the length 0 */
    REPLY_MAX = 4096,
};

struct clamd_server {
    uint64_t serial;                  /* number of the last request in the session */
    bool no_version;                  /* it does not answer VERSION */
    bool by_stream;                   /* it cannot use descriptors */
    uint64_t database, database_time; /* version of, and when it was made */
    char version[128];
};

struct clamd {
    struct daemon_engine base;
    uint64_t max_size;
    struct clamd_server servers[LINK_SERVERS];
    const struct clamd_server *told; /* whose version was told last */
    /* the request */
    int fd;
    uint64_t size;
    struct verdict *out;
    char buffer[FRONT + CHUNK + BACK];
};

static enum err clamd_open(const struct engine_conf *conf, void **state, struct engine_info *info, struct errtext *why)
{
    struct server_name names[LINK_SERVERS];
    size_t count;
    memset(info, 0, sizeof(*info));
    enum err e = daemon_servers(conf, CLAMD_PORT, names, &count, why);
    if (e != ERR_OK)
        return e;
    struct clamd *c = MEM_NEW(struct clamd);
    if (c)
        c->base.link = link_new(names, count, (uint64_t)conf->daemon_connect_ms);
    if (!c || !c->base.link) {
        mem_free(c);
        errtext_set(why, "clamd: no memory");
        return ERR_NOMEM;
    }
    c->max_size = (uint64_t)conf->max_filesize;
    snprintf(info->version, sizeof(info->version), "clamd at %.100s, not asked yet", conf->daemon.items[0]);
    c->base.info = *info;
    *state = c;
    return ERR_OK;
}

static void note_version(struct clamd *c, const struct clamd_server *s)
{
    if (strcmp(c->base.info.version, s->version) == 0)
        return;
    snprintf(c->base.info.version, sizeof(c->base.info.version), "%s", s->version);
    c->base.info.database_version = s->database;
    c->base.info.database_time = s->database_time;
    c->base.news = true;
}

/* Opens the session. */
static enum err clamd_greet(struct link_connection *l, void *arg)
{
    struct clamd *c = arg;
    struct clamd_server *s = &c->servers[l->server];
    struct span reply;
    char end;
    s->serial = 0;
    enum err e = link_send(l, s->no_version ? SPAN("zIDSESSION\0") : SPAN("zIDSESSION\0zVERSION\0"));
    if (e != ERR_OK || s->no_version)
        return e == ERR_STATE ? ERR_SYNTAX : e;
    s->serial = 1;
    e = link_read_until(l, SPAN("\0\n"), REPLY_MAX, &reply, &end);
    if (e != ERR_OK)
        return e;
    if (clamd_reply_version(reply, s->serial, s->version, sizeof(s->version), &s->database, &s->database_time))
        return ERR_OK;
    if (span_find_span(reply, SPAN("COMMAND UNAVAILABLE")) < reply.len) {
        s->no_version = true; /* and that ended the session */
        snprintf(s->version, sizeof(s->version), "clamd (VERSION is switched off)");
        return link_again(l);
    }
    char shown[100];
    verdict_copy_text(shown, sizeof(shown), reply);
    link_explain(l, "an answer to VERSION that makes no sense: %s", shown);
    return ERR_SYNTAX;
}

static void put_length(char *out, size_t len)
{
    for (int i = 0; i < 4; i++)
        out[i] = (char)(unsigned char)(len >> (24 - 8 * i));
}

/* Command, chunks and the end, in as few pieces as there are chunks. */
static enum err send_stream(struct clamd *c, struct link_connection *l)
{
    static const char command[] = "zINSTREAM"; /* its NUL goes too */
    struct errtext why;
    uint64_t at = 0;
    do {
        size_t len = c->size - at < CHUNK ? (size_t)(c->size - at) : CHUNK;
        char *begin = c->buffer + FRONT, *end = begin + len;
        enum err e = daemon_read_message(c->fd, at, begin, len, &why);
        if (e != ERR_OK) {
            link_explain(l, "%s", why.text);
            return e;
        }
        if (len > 0) {
            begin -= 4;
            put_length(begin, len);
        }
        if (at == 0) {
            begin -= sizeof(command);
            memcpy(begin, command, sizeof(command));
        }
        at += len;
        if (at == c->size) {
            put_length(end, 0);
            end += BACK;
        }
        e = link_send(l, span_of(begin, (size_t)(end - begin)));
        if (e != ERR_OK)
            return e;
    } while (at < c->size);
    return ERR_OK;
}

static enum err send_request(struct clamd *c, struct link_connection *l, enum clamd_way way)
{
    if (way == CLAMD_STREAM)
        return send_stream(c, l);
    return link_send_fd(l, SPAN("zFILDES\0\0"), c->fd); /* the second NUL is what carries the descriptor */
}

/* That something was found counts, though the end of the answer is lost or not the one that is due. */
static bool tells_of_a_find(const struct verdict *v)
{
    return v->class == VERDICT_INFECTED || v->class == VERDICT_UNSCANNABLE;
}

/* One scan by WAY, up to its verdict. */
static enum err ask_by(struct clamd *c, struct link_connection *l, enum clamd_way way)
{
    struct clamd_server *s = &c->servers[l->server];
    struct span reply;
    char end;
    s->serial++;
    enum err sent = send_request(c, l, way);
    if (sent != ERR_OK && sent != ERR_STATE)
        return sent;
    enum err e = link_read_until(l, SPAN("\0\n"), REPLY_MAX, &reply, &end);
    if (e != ERR_OK) {
        clamd_reply_verdict(link_partial(l), s->serial, way, c->out);
        link_spoil(l);
        return tells_of_a_find(c->out) ? ERR_OK : e;
    }
    if (l->kept && clamd_reply_is_timeout(reply)) { /* it closed the idle session just when we began */
        link_disown_input(l);
        return ERR_CLOSED;
    }
    clamd_reply_verdict(reply, s->serial, way, c->out);
    if (end == '\n' && !clamd_reply_is_timeout(reply)) {
        link_explain(l, "an answer that ends with LF");
        link_spoil(l);
        return tells_of_a_find(c->out) ? ERR_OK : ERR_SYNTAX;
    }
    bool clean = c->out->class == VERDICT_CLEAN;
    if (clean && (sent == ERR_STATE || link_has_input(l))) {
        link_explain(l,
                     sent == ERR_STATE ? "it said OK before it had the whole message" : "it said more than its answer");
        return ERR_SYNTAX;
    }
    if (sent == ERR_STATE)
        link_spoil(l);
    return ERR_OK;
}

static enum err clamd_ask(struct link_connection *l, void *arg)
{
    struct clamd *c = arg;
    struct clamd_server *s = &c->servers[l->server];
    note_version(c, s);
    enum clamd_way way = l->local && !s->by_stream ? CLAMD_DESCRIPTOR : CLAMD_STREAM;
    enum err e = ask_by(c, l, way);
    if (e == ERR_OK && way == CLAMD_DESCRIPTOR && c->out->reason == VERDICT_REASON_ENGINE) {
        s->by_stream = true;
        link_explain(l, "%s", c->out->detail);
        return link_again(l);
    }
    if (e == ERR_OK && c->out->class == VERDICT_ERROR)
        link_spoil(l);
    c->out->database_version = s->database;
    return e;
}

static void clamd_scan(void *state, int fd, uint64_t size, uint64_t time_ms, struct verdict *out)
{
    static const struct link_exchange exchange = {.greet = clamd_greet, .ask = clamd_ask};
    struct clamd *c = state;
    if (daemon_message_is_too_large(size, c->max_size, out))
        return;
    struct verdict answer = {.class = VERDICT_ERROR};
    c->fd = fd;
    c->size = size;
    c->out = &answer;
    if (link_run(c->base.link, &exchange, c, daemon_time(time_ms), out))
        *out = answer;
    c->out = NULL;
    c->fd = -1;
}

static void clamd_close(void *state)
{
    struct clamd *c = state;
    link_free(c->base.link);
    mem_free(c);
}

const struct engine_type engine_clamd = {
    .name = "clamav",
    .cage = ENGINE_CAGE_NET,
    .open = clamd_open,
    .worker_start = daemon_worker_start,
    .scan = clamd_scan,
    .close = clamd_close,
    .ports = daemon_ports,
    .news = daemon_news,
};
