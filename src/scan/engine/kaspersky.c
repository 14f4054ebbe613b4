/* SPDX-License-Identifier: MIT */
/* Kaspersky's daemons as an engine. By default aveserver's line protocol (Kaspersky Anti-Virus 5.x), as free clients of
 * it speak it: the daemon greets with 201 and gets one command. There is one message a connection, as "220", clean,
 * does not say of what: one that came twice, or late, would be the next message's. SCAN has it read a file in
 * file_base; with daemon_is_remote the message goes over the connection (NETSCAN, a reconstruction: see
 * kaspersky_netscan.c), and a daemon on this host that refuses that is asked to SCAN instead, where file_base is given.
 * With protocol http or rest it is Kaspersky Scan Engine (kaspersky_http.c).
 *
 * How a daemon is left (QUIT) is not said to it: connections end with their worker, which is killed. */
#include "scan/engine/kaspersky.h"
#include "base/mem.h"
#include "scan/engine/kaspersky_reply.h"

enum {
    AVESERVER_PORT = 9001,
    HTTP_PORT = 9999,
    LINE_MAX_OCTETS = 8192,
    REPLY_MAX = 1 << 20, /* of an answer; a line for each virus in an archive is no rarity */
    GREETED = 201,
    NOT_READABLE = 525,
};

static enum err kaspersky_open(const struct engine_conf *conf, void **state, struct engine_info *info,
                               struct errtext *why)
{
    size_t count;
    memset(info, 0, sizeof(*info));
    struct kaspersky *k = MEM_NEW(struct kaspersky);
    if (!k) {
        errtext_set(why, "kaspersky: no memory");
        return ERR_NOMEM;
    }
    unsigned port = conf->protocol == KASPERSKY_AVESERVER ? AVESERVER_PORT : HTTP_PORT;
    enum err e = daemon_servers(conf, port, k->names, &count, why);
    if (e == ERR_OK && !(k->base.link = link_new(k->names, count, (uint64_t)conf->daemon_connect_ms))) {
        errtext_set(why, "kaspersky: no memory");
        e = ERR_NOMEM;
    }
    if (e != ERR_OK) {
        mem_free(k);
        return e;
    }
    k->conf = conf;
    message_file_init(&k->file, NULL, "file_base is not given");
    snprintf(info->version, sizeof(info->version), "Kaspersky's daemon at %.80s, not asked yet",
             count > 0 ? conf->daemon.items[0] : "nowhere");
    k->base.info = *info;
    *state = k;
    return ERR_OK;
}

static void kaspersky_take_directory(void *state, const char *path, const char *why)
{
    struct kaspersky *k = state;
    message_file_init(&k->file, path, why);
}

/* Whether a file is of use to some server. */
static bool some_server_is_local(const struct engine_conf *conf)
{
    for (size_t i = 0; i < conf->daemon.count; i++) {
        struct server_name name;
        struct errtext why;
        if (server_name_parse(span_cstr(conf->daemon.items[i]), AVESERVER_PORT, &name, &why) == ERR_OK &&
            server_name_is_local(&name))
            return true;
    }
    return false;
}

static const char *kaspersky_file_base(const struct engine_conf *conf)
{
    bool used = !conf->daemon_is_remote || (conf->protocol == KASPERSKY_AVESERVER && some_server_is_local(conf));
    return used ? conf->file_base : NULL;
}

static void note_version(struct kaspersky *k, struct span text)
{
    char version[sizeof(k->base.info.version)], shown[100];
    verdict_copy_text(shown, sizeof(shown), span_trim(text));
    snprintf(version, sizeof(version), "aveserver: %s", shown);
    if (strcmp(k->base.info.version, version) == 0)
        return;
    memcpy(k->base.info.version, version, sizeof(version));
    k->base.news = true;
}

/* "201 text" before anything else; a daemon that is still loading says 5xx. */
static enum err aveserver_greet(struct link_connection *l, void *arg)
{
    struct kaspersky *k = arg;
    struct span line;
    char shown[100];
    enum err e;
    do
        e = link_read_line(l, LINE_MAX_OCTETS, &line);
    while (e == ERR_OK && kaspersky_reply_code(line) == GREETED && line.len > 3 && line.ptr[3] == '-');
    if (e != ERR_OK)
        return e;
    unsigned code = kaspersky_reply_code(line);
    if (code == GREETED) {
        note_version(k, span_sub(line, 4, line.len));
        return ERR_OK;
    }
    verdict_copy_text(shown, sizeof(shown), line);
    link_explain(l, "%s: %s", code / 100 == 5 || code / 100 == 4 ? "it is not ready" : "a greeting that makes no sense",
                 shown);
    return code / 100 == 5 || code / 100 == 4 ? ERR_CLOSED : ERR_SYNTAX;
}

/* Lines from LINE on, the first of an answer, to its end. */
static enum err read_reply(struct link_connection *l, struct span line, struct kaspersky_reply *r)
{
    size_t total = line.len;
    while (kaspersky_reply_line(r, line) == KASPERSKY_MORE) {
        enum err e = link_read_line(l, LINE_MAX_OCTETS, &line);
        if (e != ERR_OK)
            return e;
        total += line.len + 1;
        if (total > REPLY_MAX) {
            link_explain(l, "an answer of more than %d octets", REPLY_MAX);
            return ERR_FULL;
        }
    }
    return ERR_OK;
}

/* "Send now": a line that is no part of an answer. */
static bool is_goahead(const struct kaspersky *k, struct span line)
{
    unsigned code = kaspersky_reply_code(line);
    return k->conf->netscan_goahead != GOAHEAD_NO && (code / 100 == 1 || (code / 100 == 3 && code != 322));
}

/* *WHOLE: the daemon had the message when it answered. */
static enum err ask_by_connection(struct kaspersky *k, struct link_connection *l, struct kaspersky_reply *r,
                                  bool *whole)
{
    struct kaspersky_server *s = &k->servers[l->server];
    struct span line = {NULL, 0};
    bool waits = s->asks || k->conf->netscan_goahead == GOAHEAD_YES;
    *whole = false;
    enum err e = kaspersky_send_command(k, l);
    if (e == ERR_OK && waits) {
        e = link_read_line(l, LINE_MAX_OCTETS, &line);
        if (e == ERR_OK && !is_goahead(k, line))
            return read_reply(l, line, r);
    }
    if (e == ERR_OK)
        e = kaspersky_send_message(k, l);
    *whole = e == ERR_OK;
    if (e != ERR_OK && e != ERR_STATE)
        return e;
    e = link_read_line(l, LINE_MAX_OCTETS, &line);
    if (e == ERR_OK && !waits && is_goahead(k, line)) {
        if (!*whole) { /* it waits for us, and we have given up: anew, and wait for its word */
            s->asks = true;
            link_explain(l, "it said \"go ahead\" while the message was sent");
            return link_again(l);
        }
        e = link_read_line(l, LINE_MAX_OCTETS, &line);
    }
    return e == ERR_OK ? read_reply(l, line, r) : e;
}

static enum err ask_by_file(struct kaspersky *k, struct link_connection *l, struct kaspersky_reply *r)
{
    char command[MESSAGE_FILE_PATH + 128];
    struct errtext why;
    struct span line;
    if (!k->file.there && message_file_put(&k->file, k->fd, k->size, &why) != ERR_OK) {
        link_explain(l, "%s", why.text);
        return ERR_IO;
    }
    kaspersky_reply_begin(r, span_cstr(message_file_tail(&k->file)), r->suspicious_is_infected);
    int n = snprintf(command, sizeof(command), "SCAN %s %s\r\n", k->conf->scan_flags, k->file.path);
    enum err e = link_send(l, span_of(command, (size_t)n));
    if (e != ERR_OK && e != ERR_STATE)
        return e;
    e = link_read_line(l, LINE_MAX_OCTETS, &line);
    return e == ERR_OK ? read_reply(l, line, r) : e;
}

static bool can_read_files(const struct kaspersky *k, size_t server)
{
    return k->file.directory[0] && server_name_is_local(&k->names[server]);
}

static enum err aveserver_ask(struct link_connection *l, void *arg)
{
    struct kaspersky *k = arg;
    struct kaspersky_server *s = &k->servers[l->server];
    struct kaspersky_reply r;
    bool netscan = k->conf->daemon_is_remote && !s->by_file, whole = true;
    kaspersky_reply_begin(&r, span_of(NULL, 0), k->conf->suspicious == SUSPICIOUS_INFECTED);
    link_spoil(l); /* one message a connection */
    enum err e = netscan ? ask_by_connection(k, l, &r, &whole) : ask_by_file(k, l, &r);
    if (e != ERR_OK)
        kaspersky_reply_cut(&r, link_partial(l));
    if (e != ERR_OK && !r.found) /* a virus that was told of counts, though the rest of the answer is lost */
        return e;
    if (netscan && kaspersky_reply_is_refusal(&r) && can_read_files(k, l->server)) {
        s->by_file = true;
        link_explain(l, "%s", r.last);
        return link_again(l);
    }
    kaspersky_reply_verdict(&r, k->out);
    if (k->out->class == VERDICT_CLEAN && (!whole || link_has_input(l))) {
        link_explain(l, whole ? "it said more than its answer" : "it called the message clean before it had all of it");
        return ERR_SYNTAX;
    }
    if (!netscan && r.code == NOT_READABLE && k->out->class == VERDICT_ERROR) {
        char detail[LIMIT_VERDICT_TEXT + 1];
        snprintf(detail, sizeof(detail), "aveserver: %.120s (may its user read files in file_base?)", r.last);
        verdict_set(k->out, VERDICT_ERROR, VERDICT_REASON_ENGINE, detail);
    }
    return ERR_OK;
}

static void kaspersky_scan(void *state, int fd, uint64_t size, uint64_t time_ms, struct verdict *out)
{
    static const struct link_exchange aveserver = {.greet = aveserver_greet, .ask = aveserver_ask};
    static const struct link_exchange http = {.ask = kaspersky_http_ask};
    struct kaspersky *k = state;
    struct errtext why;
    if (daemon_message_is_too_large(size, (uint64_t)k->conf->max_filesize, out))
        return;
    if (!k->conf->daemon_is_remote) {
        enum err e = message_file_put(&k->file, fd, size, &why);
        if (e != ERR_OK) {
            verdict_set(out, VERDICT_ERROR, e == ERR_DENIED ? VERDICT_REASON_DOWN : VERDICT_REASON_ENGINE, why.text);
            return;
        }
    }
    struct verdict answer = {.class = VERDICT_ERROR};
    k->fd = fd;
    k->size = size;
    k->time_ms = daemon_time(time_ms);
    k->out = &answer;
    if (link_run(k->base.link, k->conf->protocol == KASPERSKY_AVESERVER ? &aveserver : &http, k, k->time_ms, out))
        *out = answer;
    message_file_remove(&k->file);
    k->out = NULL;
    k->fd = -1;
}

static void kaspersky_close(void *state)
{
    struct kaspersky *k = state;
    message_file_remove(&k->file);
    link_free(k->base.link);
    mem_free(k);
}

const struct engine_type engine_kaspersky = {
    .name = "kaspersky",
    .cage = ENGINE_CAGE_NET,
    .open = kaspersky_open,
    .worker_start = daemon_worker_start,
    .scan = kaspersky_scan,
    .close = kaspersky_close,
    .ports = daemon_ports,
    .news = daemon_news,
    .file_base = kaspersky_file_base,
    .take_directory = kaspersky_take_directory,
};
