/* SPDX-License-Identifier: MIT */
/* F-Secure's fsavd (F-Secure Linux 5 to 11) as an engine: fields between tabs, a line each way. The session begins with
 * the daemon's DBVERSION, the version of the protocol that we speak, and what shall be looked for; then SCAN with the
 * path of a file in file_base, one at a time, and the connection is kept. */
#include "base/mem.h"
#include "scan/engine/daemon_engine.h"
#include "scan/engine/engine.h"
#include "scan/engine/fsecure_reply.h"
#include "scan/engine/message_file.h"

#include <unistd.h>

enum {
    LINE_MAX_OCTETS = 8192,
    REPLY_MAX = 1 << 20, /* of an answer; a line for each member of an archive */
    ASIDES_MAX = 16,     /* lines that answer nothing, in a row */
};

struct fsecure_server {
    uint64_t database; /* version of */
    char version[80];
};

struct fsecure {
    struct daemon_engine base;
    struct fsecure_server servers[LINK_SERVERS];
    const struct engine_conf *conf; /* of the framework, which outlives the engine */
    struct message_file file;
    struct verdict *out; /* of the request */
};

/* fsavd's socket bears the id of the user who started it: UID stands for ours. */
static void name_own_socket(struct server_name *name)
{
    char *end = strrchr(name->path, '-');
    if (name->host[0] == '\0' && end && strcmp(end, "-UID") == 0)
        snprintf(end, sizeof(name->path) - (size_t)(end - name->path), "-%u", (unsigned)geteuid());
}

static enum err fsecure_open(const struct engine_conf *conf, void **state, struct engine_info *info,
                             struct errtext *why)
{
    struct server_name names[LINK_SERVERS];
    size_t count;
    memset(info, 0, sizeof(*info));
    enum err e = daemon_servers(conf, 0, names, &count, why);
    if (e != ERR_OK)
        return e;
    for (size_t i = 0; i < count; i++)
        name_own_socket(&names[i]);
    struct fsecure *f = MEM_NEW(struct fsecure);
    if (f)
        f->base.link = link_new(names, count, (uint64_t)conf->daemon_connect_ms);
    if (!f || !f->base.link) {
        mem_free(f);
        errtext_set(why, "fsecure: no memory");
        return ERR_NOMEM;
    }
    f->conf = conf;
    message_file_init(&f->file, NULL, "file_base is not given");
    snprintf(info->version, sizeof(info->version), "fsavd at %.80s, not asked yet",
             count == 0         ? "nowhere"
             : names[0].host[0] ? names[0].host
                                : names[0].path);
    f->base.info = *info;
    *state = f;
    return ERR_OK;
}

static void fsecure_take_directory(void *state, const char *path, const char *why)
{
    struct fsecure *f = state;
    message_file_init(&f->file, path, why);
}

static const char *fsecure_file_base(const struct engine_conf *conf)
{
    return conf->file_base;
}

/* The next line, whatever it is; what it tells of the database is kept. */
static enum err read_line(struct fsecure *f, struct link_connection *l, struct span *line)
{
    struct fsecure_server *s = &f->servers[l->server];
    enum err e = link_read_line(l, LINE_MAX_OCTETS, line);
    if (e == ERR_OK)
        fsecure_line_version(*line, s->version, sizeof(s->version), &s->database);
    return e;
}

/* The answer to one request of the greeting. */
static enum err exchange_line(struct fsecure *f, struct link_connection *l, const char *request, bool *accepted)
{
    struct span line;
    unsigned asides = 0;
    enum err e = link_send(l, span_cstr(request));
    if (e != ERR_OK && e != ERR_STATE) /* its DBVERSION may be there before we have said anything */
        return e;
    do
        e = read_line(f, l, &line);
    while (e == ERR_OK && fsecure_line_is_aside(line) && ++asides <= ASIDES_MAX);
    if (e != ERR_OK)
        return e;
    *accepted = fsecure_line_is_ok(line);
    if (!*accepted) {
        char shown[100];
        verdict_copy_text(shown, sizeof(shown), line);
        link_explain(l, "its answer to %.*s: %s", (int)strcspn(request, "\n"), request, shown);
    }
    return ERR_OK;
}

static void note_version(struct fsecure *f, const struct fsecure_server *s)
{
    char version[sizeof(f->base.info.version)];
    snprintf(version, sizeof(version), "fsavd, DBVERSION %s", s->version[0] ? s->version : "not told");
    if (strcmp(f->base.info.version, version) == 0)
        return;
    memcpy(f->base.info.version, version, sizeof(version));
    f->base.info.database_version = s->database;
    f->base.info.database_time = daemon_day(s->database / 100); /* 2009-03-17_05 */
    f->base.news = true;
}

static enum err fsecure_greet(struct link_connection *l, void *arg)
{
    struct fsecure *f = arg;
    char maxarch[48], timeout[48], riskware[48];
    int64_t seconds = f->conf->timeout_ms / 1000;
    snprintf(maxarch, sizeof(maxarch), "CONFIGURE\tMAXARCH\t%lld\n", (long long)f->conf->max_recursion);
    snprintf(timeout, sizeof(timeout), "CONFIGURE\tTIMEOUT\t%lld\n", (long long)(seconds > 0 ? seconds : 1));
    snprintf(riskware, sizeof(riskware), "CONFIGURE\tRISKWARE\t%d\n", f->conf->riskware);
    const struct {
        const char *request;
        bool optional; /* older daemons do not know it */
    } requests[] = {
        {"PROTOCOL\t5\n", true}, {"CONFIGURE\tARCHIVE\t1\n", false}, {timeout, false},
        {maxarch, false},        {"CONFIGURE\tMIME\t1\n", false},    {riskware, !f->conf->riskware},
    };
    memset(&f->servers[l->server], 0, sizeof(f->servers[l->server]));
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        bool accepted;
        enum err e = exchange_line(f, l, requests[i].request, &accepted);
        if (e != ERR_OK)
            return e;
        if (!accepted && !requests[i].optional)
            return ERR_SYNTAX;
    }
    note_version(f, &f->servers[l->server]);
    return ERR_OK;
}

static enum err fsecure_ask(struct link_connection *l, void *arg)
{
    struct fsecure *f = arg;
    char command[MESSAGE_FILE_PATH + 16];
    struct span line;
    size_t total = 0;
    struct fsecure_reply r;
    struct fsecure_wishes wishes = {.riskware_is_infected = f->conf->riskware,
                                    .suspicious_is_infected =
                                        f->conf->paranoid || f->conf->suspicious == SUSPICIOUS_INFECTED};
    fsecure_reply_begin(&r, span_cstr(f->file.path), wishes);
    int n = snprintf(command, sizeof(command), "SCAN\t%s\n", f->file.path);
    enum err e = link_send(l, span_of(command, (size_t)n));
    if (e != ERR_OK && e != ERR_STATE)
        return e;
    do {
        e = read_line(f, l, &line);
        total += e == ERR_OK ? line.len + 1 : 0;
        if (total > REPLY_MAX) {
            link_explain(l, "an answer of more than %d octets", REPLY_MAX);
            return ERR_FULL;
        }
    } while (e == ERR_OK && fsecure_reply_line(&r, line) == FSECURE_MORE);
    if (e != ERR_OK)
        fsecure_reply_cut(&r, link_partial(l));
    if (e != ERR_OK && !r.infected[0]) /* a virus that was told of counts, though the rest of the answer is lost */
        return e;
    fsecure_reply_verdict(&r, f->out);
    if (f->out->class == VERDICT_CLEAN && link_has_input(l)) {
        link_explain(l, "it said more than its answer");
        return ERR_SYNTAX;
    }
    if (e != ERR_OK || !r.ended || r.nonsense || f->out->class == VERDICT_ERROR)
        link_spoil(l);
    f->out->database_version = f->servers[l->server].database;
    note_version(f, &f->servers[l->server]);
    return ERR_OK;
}

static void fsecure_scan(void *state, int fd, uint64_t size, uint64_t time_ms, struct verdict *out)
{
    static const struct link_exchange exchange = {.greet = fsecure_greet, .ask = fsecure_ask};
    struct fsecure *f = state;
    struct errtext why;
    if (daemon_message_is_too_large(size, (uint64_t)f->conf->max_filesize, out))
        return;
    enum err e = message_file_put(&f->file, fd, size, &why);
    if (e != ERR_OK) {
        verdict_set(out, VERDICT_ERROR, e == ERR_DENIED ? VERDICT_REASON_DOWN : VERDICT_REASON_ENGINE, why.text);
        return;
    }
    struct verdict answer = {.class = VERDICT_ERROR};
    f->out = &answer;
    if (link_run(f->base.link, &exchange, f, daemon_time(time_ms), out))
        *out = answer;
    message_file_remove(&f->file);
    f->out = NULL;
}

static void fsecure_close(void *state)
{
    struct fsecure *f = state;
    message_file_remove(&f->file);
    link_free(f->base.link);
    mem_free(f);
}

const struct engine_type engine_fsecure = {
    .name = "fsecure",
    .cage = ENGINE_CAGE_NET,
    .open = fsecure_open,
    .worker_start = daemon_worker_start,
    .scan = fsecure_scan,
    .close = fsecure_close,
    .ports = daemon_ports,
    .news = daemon_news,
    .file_base = fsecure_file_base,
    .take_directory = fsecure_take_directory,
};
