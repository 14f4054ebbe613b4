/* SPDX-License-Identifier: MIT */
/* Symantec Scan Engine as an engine: class csapi with the option `daemon`. Its native protocol: one connection for each
 * message, which goes over it whole (AVSCAN). */
#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "scan/engine/engine.h"
#include "scan/engine/link.h"
#include "scan/engine/symantec_reply.h"

enum {
    SYMANTEC_PORT = 7777,
    CHUNK = 128 * 1024,
    FRONT = 80,          /* before the first chunk: the request */
    MARGIN_MS_MAX = 500, /* before the deadline, at which the worker is killed */
};

struct symantec {
    struct link *link;
    uint64_t max_size;
    struct engine_info info;
    bool news;
    /* the request */
    int fd;
    uint64_t size;
    struct verdict *out;
    char buffer[FRONT + CHUNK];
};

static enum err symantec_open(const struct engine_conf *conf, void **state, struct engine_info *info,
                              struct errtext *why)
{
    struct server_name names[LINK_SERVERS];
    memset(info, 0, sizeof(*info));
    if (conf->daemon.count > LINK_SERVERS) {
        errtext_set(why, "daemon names %zu servers, at most %d are possible", conf->daemon.count, LINK_SERVERS);
        return ERR_RANGE;
    }
    for (size_t i = 0; i < conf->daemon.count; i++)
        if (server_name_parse(span_cstr(conf->daemon.items[i]), SYMANTEC_PORT, &names[i], why) != ERR_OK)
            return ERR_SYNTAX;
    struct symantec *s = MEM_NEW(struct symantec);
    if (s)
        s->link = link_new(names, conf->daemon.count, (uint64_t)conf->daemon_connect_ms);
    if (!s || !s->link) {
        mem_free(s);
        errtext_set(why, "Symantec Scan Engine: no memory");
        return ERR_NOMEM;
    }
    s->max_size = (uint64_t)conf->max_filesize;
    snprintf(info->version, sizeof(info->version), "Symantec Scan Engine at %.80s, not asked yet",
             conf->daemon.items[0]);
    s->info = *info;
    *state = s;
    return ERR_OK;
}

static enum err symantec_worker_start(void *state, const char *temp, struct errtext *why)
{
    struct symantec *s = state;
    (void)temp, (void)why;
    link_resolve(s->link);
    return ERR_OK;
}

static size_t symantec_ports(const void *state, uint16_t *out, size_t max)
{
    const struct symantec *s = state;
    return link_ports(s->link, out, max);
}

static enum err read_all(struct link_connection *l, struct symantec_reply *r,
                         enum symantec_step (*take)(struct symantec_reply *r, struct span line))
{
    enum symantec_step step = SYMANTEC_MORE;
    memset(r, 0, sizeof(*r));
    while (step == SYMANTEC_MORE) {
        struct span line;
        enum err e = link_read_line(l, SYMANTEC_LINE_MAX, &line);
        if (e != ERR_OK)
            return e;
        step = take(r, line);
        if (step == SYMANTEC_BAD) {
            char shown[100];
            verdict_copy_text(shown, sizeof(shown), line);
            link_explain(l, "line %u of what it says makes no sense: %s", r->lines, shown);
            return ERR_SYNTAX;
        }
    }
    return ERR_OK;
}

static enum err symantec_greet(struct link_connection *l, void *arg)
{
    struct symantec_reply greeting;
    (void)arg;
    enum err e = read_all(l, &greeting, symantec_greeting_line);
    if (e != ERR_OK || greeting.lines > 1)
        return e;
    link_explain(l, "it serves nobody now: %s", greeting.text);
    return ERR_CLOSED;
}

static enum err read_message(struct symantec *s, struct link_connection *l, uint64_t at, size_t len)
{
    for (size_t have = 0; have < len;) {
        ssize_t n = pread(s->fd, s->buffer + FRONT + have, len - have, (off_t)(at + have));
        if (n > 0) {
            have += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            link_explain(l, "the message cannot be read: %s", n == 0 ? "it is shorter than stated" : strerror(errno));
            return ERR_IO;
        }
    }
    return ERR_OK;
}

/* The request and the message, in as few pieces as there are chunks. */
static enum err send_request(struct symantec *s, struct link_connection *l)
{
    uint64_t at = 0;
    do {
        size_t len = s->size - at < CHUNK ? (size_t)(s->size - at) : CHUNK;
        char *begin = s->buffer + FRONT, front[FRONT];
        enum err e = read_message(s, l, at, len);
        if (e != ERR_OK)
            return e;
        if (at == 0) {
            int n =
                snprintf(front, sizeof(front), "Version 2\nAVSCAN\nmessage.eml\n%llu\n", (unsigned long long)s->size);
            begin -= n;
            memcpy(begin, front, (size_t)n);
        }
        e = link_send(l, span_of(begin, (size_t)(s->buffer + FRONT + len - begin)));
        if (e != ERR_OK)
            return e;
        at += len;
    } while (at < s->size);
    return ERR_OK;
}

static void note_definitions(struct symantec *s, const struct symantec_reply *r)
{
    uint64_t definitions = symantec_reply_definitions(r);
    if (definitions == 0 || definitions == s->info.database_version)
        return;
    s->info.database_version = definitions;
    snprintf(s->info.version, sizeof(s->info.version), "Symantec Scan Engine, definitions %08llu.%03llu",
             (unsigned long long)r->date, (unsigned long long)r->revision);
    s->news = true;
}

static enum err symantec_ask(struct link_connection *l, void *arg)
{
    struct symantec *s = arg;
    struct symantec_reply reply;
    enum err sent = send_request(s, l);
    if (sent != ERR_OK && sent != ERR_STATE)
        return sent;
    enum err e = read_all(l, &reply, symantec_reply_line);
    if (e != ERR_OK)
        return e;
    symantec_reply_verdict(&reply, s->out);
    link_spoil(l); /* one message a connection */
    if (s->out->class == VERDICT_CLEAN && (sent == ERR_STATE || link_has_input(l))) {
        link_explain(l, sent == ERR_STATE ? "it said clean before it had the whole message"
                                          : "it said more than its answer");
        return ERR_SYNTAX;
    }
    note_definitions(s, &reply);
    return ERR_OK;
}

static void symantec_scan(void *state, int fd, uint64_t size, uint64_t time_ms, struct verdict *out)
{
    static const struct link_exchange exchange = {.greet = symantec_greet, .ask = symantec_ask};
    struct symantec *s = state;
    if (size > s->max_size) {
        char detail[LIMIT_VERDICT_TEXT + 1];
        snprintf(detail, sizeof(detail), "%llu octets, and max_filesize is %llu", (unsigned long long)size,
                 (unsigned long long)s->max_size);
        verdict_set(out, VERDICT_UNSCANNABLE, VERDICT_REASON_TOO_LARGE, detail);
        return;
    }
    uint64_t margin = time_ms / 10 < MARGIN_MS_MAX ? time_ms / 10 : MARGIN_MS_MAX;
    struct verdict answer = {.class = VERDICT_ERROR};
    s->fd = fd;
    s->size = size;
    s->out = &answer;
    if (link_run(s->link, &exchange, s, time_ms - margin, out))
        *out = answer;
    s->out = NULL;
    s->fd = -1;
}

static bool symantec_news(void *state, struct engine_info *info)
{
    struct symantec *s = state;
    bool news = s->news;
    *info = s->info;
    s->news = false;
    return news;
}

static void symantec_close(void *state)
{
    struct symantec *s = state;
    link_free(s->link);
    mem_free(s);
}

const struct engine_type engine_symantec = {
    .name = "csapi",
    .cage = ENGINE_CAGE_NET,
    .open = symantec_open,
    .worker_start = symantec_worker_start,
    .scan = symantec_scan,
    .close = symantec_close,
    .ports = symantec_ports,
    .news = symantec_news,
};
