/* SPDX-License-Identifier: MIT */
/* Symantec Scan Engine as an engine: class csapi with the option `daemon`. Its native protocol: one connection for each
 * message, which goes over it whole (AVSCAN). */
#include "base/mem.h"
#include "scan/engine/daemon_engine.h"
#include "scan/engine/engine.h"
#include "scan/engine/symantec_reply.h"

enum {
    SYMANTEC_PORT = 7777,
    CHUNK = 128 * 1024,
    FRONT = 80, /* before the first chunk: the request */
};

struct symantec {
    struct daemon_engine base;
    uint64_t max_size;
    /* the request */
    int fd;
    uint64_t size;
    struct verdict *out;
    bool refused; /* the server asked last serves nobody now; OUT is why */
    char buffer[FRONT + CHUNK];
};

static enum err symantec_open(const struct engine_conf *conf, void **state, struct engine_info *info,
                              struct errtext *why)
{
    struct server_name names[LINK_SERVERS];
    size_t count;
    memset(info, 0, sizeof(*info));
    enum err e = daemon_servers(conf, SYMANTEC_PORT, names, &count, why);
    if (e != ERR_OK)
        return e;
    struct symantec *s = MEM_NEW(struct symantec);
    if (s)
        s->base.link = link_new(names, count, (uint64_t)conf->daemon_connect_ms);
    if (!s || !s->base.link) {
        mem_free(s);
        errtext_set(why, "Symantec Scan Engine: no memory");
        return ERR_NOMEM;
    }
    s->max_size = (uint64_t)conf->max_filesize;
    snprintf(info->version, sizeof(info->version), "Symantec Scan Engine at %.80s, not asked yet",
             conf->daemon.items[0]);
    s->base.info = *info;
    *state = s;
    return ERR_OK;
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

/* The request and the message, in as few pieces as there are chunks. */
static enum err send_request(struct symantec *s, struct link_connection *l)
{
    struct errtext why;
    uint64_t at = 0;
    do {
        size_t len = s->size - at < CHUNK ? (size_t)(s->size - at) : CHUNK;
        char *begin = s->buffer + FRONT, front[FRONT];
        enum err e = daemon_read_message(s->fd, at, begin, len, &why);
        if (e != ERR_OK) {
            link_explain(l, "%s", why.text);
            return e;
        }
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
    if (definitions == 0 || definitions == s->base.info.database_version)
        return;
    s->base.info.database_version = definitions;
    s->base.info.database_time = daemon_day(r->date);
    snprintf(s->base.info.version, sizeof(s->base.info.version), "Symantec Scan Engine, definitions %08llu.%03llu",
             (unsigned long long)r->date, (unsigned long long)r->revision);
    s->base.news = true;
}

static enum err symantec_admit(struct link_connection *l, void *arg)
{
    struct symantec *s = arg;
    (void)l;
    s->refused = false;
    return ERR_OK;
}

static enum err symantec_ask(struct link_connection *l, void *arg)
{
    struct symantec *s = arg;
    struct symantec_reply reply;
    enum err sent = send_request(s, l);
    if (sent != ERR_OK && sent != ERR_STATE)
        return sent;
    enum err e = read_all(l, &reply, symantec_reply_line);
    if (e != ERR_OK && !symantec_reply_is_infected(&reply)) /* a virus counts, though the rest of the answer is lost */
        return e;
    symantec_reply_verdict(&reply, s->out);
    link_spoil(l); /* one message a connection */
    s->refused = symantec_reply_is_refusal(&reply);
    if (s->refused) { /* the next server may have a licence, or room */
        link_explain(l, "%s", reply.text);
        link_disown_input(l);
        return ERR_CLOSED;
    }
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
    static const struct link_exchange exchange = {
        .admit = symantec_admit, .greet = symantec_greet, .ask = symantec_ask};
    struct symantec *s = state;
    if (daemon_message_is_too_large(size, s->max_size, out))
        return;
    struct verdict answer = {.class = VERDICT_ERROR};
    s->fd = fd;
    s->size = size;
    s->out = &answer;
    s->refused = false;
    if (link_run(s->base.link, &exchange, s, daemon_time(time_ms), out) || s->refused)
        *out = answer;
    s->out = NULL;
    s->fd = -1;
}

static void symantec_close(void *state)
{
    struct symantec *s = state;
    link_free(s->base.link);
    mem_free(s);
}

const struct engine_type engine_symantec = {
    .name = "csapi",
    .cage = ENGINE_CAGE_NET,
    .open = symantec_open,
    .worker_start = daemon_worker_start,
    .scan = symantec_scan,
    .close = symantec_close,
    .ports = daemon_ports,
    .news = daemon_news,
};
