/* SPDX-License-Identifier: MIT */
/* What all runs of a scenario share: its configuration, and what is made of it. */
#include "player/world.h"
#include "scan/host/inspect.h"
#include "spool/spool_conf.h"

#ifdef POSTERN_TEST_ENGINE
#define ENGINE "fake"
#else
#define ENGINE "clamav" /* the name alone counts: fake_scan.c stands in for every engine */
#endif

/* Each run makes the table of hosts anew: by default it has room for thousands. */
#define FEW_CONNECTIONS "max_connections = 100\n"

struct conf_text {
    struct span lines;
    const char *spool;
    unsigned servers;
};

static enum err conf_read(void *arg, const char *path, struct buf *out, struct errtext *why)
{
    const struct conf_text *text = arg;
    (void)path;
    (void)why;
    bool limits_all = span_find_span(text->lines, SPAN("max_connections =")) < text->lines.len;
    enum err e = buf_printf(out,
                            "spoolbase = \"%s\"\nquarantine_directory = \"%s/quarantine\"\n%s%.*s"
                            "ESMTP_Listener { Listen \"127.0.0.1:2525\" { } }\n"
                            "antivirus \"antivirus1\" { " ENGINE " \"fake1\" { } }\nBackend {\n",
                            text->spool, text->spool, limits_all ? "" : FEW_CONNECTIONS, SPAN_ARG(text->lines));
    for (unsigned i = 0; i < text->servers && e == ERR_OK; i++)
        e = buf_printf(out, "  Server \"127.0.0.1:%u\" { }\n", FIRST_PORT + i);
    return e == ERR_OK ? buf_append(out, SPAN("}\n")) : e;
}

static enum err conf_list(void *arg, const char *path, struct buf *out, struct errtext *why)
{
    (void)arg;
    (void)path;
    (void)out;
    errtext_set(why, "no directory");
    return ERR_NOTFOUND;
}

static enum err load(struct setup *s, const char *spool_path, struct errtext *why)
{
    static const struct scope_class *const all[] = {
        &proxy_class,  &esmtp_listener_class, &listen_class,     &backend_class,
        &server_class, &spool_class,          &quarantine_class,
#define SCAN_STANZA(symbol)              &symbol,
#define SCAN_ENGINE(symbol, pool, built) &symbol,
#include "scan/stanza.def"
#undef SCAN_STANZA
#undef SCAN_ENGINE
    };
    const struct conf_classes classes = {.items = all, .count = ARRAY_SIZE(all)};
    struct conf_text text = {.lines = s->scenario->config, .spool = spool_path, .servers = s->scenario->servers};
    const struct conf_source source = {.read = conf_read, .list = conf_list, .arg = &text};
    struct problems problems;
    problems_init(&problems);
    enum err e = conf_load(&s->conf, s->scenario->name, &source, &classes, &problems);
    if (problems.errors > 0) {
        const struct problem *p = problems.first;
        while (p && p->severity != PROBLEM_ERROR)
            p = p->next;
        errtext_set(why, "%s", p ? p->text : "configuration");
        e = ERR_SYNTAX;
    }
    problems_release(&problems);
    return e;
}

/* One for all runs, as only what is in it counts. */
static enum err setup_quarantine(struct setup *s, struct errtext *why)
{
    s->quarantine_conf = conf_child(s->conf.global, &quarantine_class, NULL)->values;
    const struct quarantine_limits limits = {.max_size = (uint64_t)s->quarantine_conf->max_size,
                                             .max_age_ms = (uint64_t)s->quarantine_conf->max_age_ms,
                                             .min_age_ms = (uint64_t)s->quarantine_conf->min_age_ms};
    if (!framework_quarantines(&s->framework))
        return ERR_OK;
    s->quarantine = quarantine_open(s->quarantine_conf->directory, &limits, NULL, why);
    return s->quarantine ? ERR_OK : ERR_IO;
}

enum err setup_init(struct setup *s, const struct scenario *scenario, const char *spool_path, struct errtext *why)
{
    *s = (struct setup){.scenario = scenario};
    enum err e = load(s, spool_path, why);
    if (e != ERR_OK)
        return e;
    const struct conf_scope *global = s->conf.global;
    const struct conf_scope *listen = conf_child(conf_child(global, &esmtp_listener_class, NULL), &listen_class, NULL);
    const struct conf_scope *backend = conf_child(global, &backend_class, NULL), *server = NULL;
    const struct spool_conf *spool = conf_child(global, &spool_class, NULL)->values;
    framework_init(&s->framework, global);
    s->limits = conf_child(global, &proxy_class, NULL)->values;
    s->listen = listen->values;
    s->listen_name = listen->name;
    for (unsigned i = 0; i < scenario->servers; i++) {
        server = conf_child(backend, &server_class, server);
        s->targets[i] = (struct backend_target){.name = server->name, .conf = server->values, .helo = "gw.example.org"};
        e = addr_parse(span_cstr(server->name), 25, &s->targets[i].addr, why);
        if (e != ERR_OK)
            return e;
    }
    if (s->framework.inspection_pool >= 0 && (s->inspector = inspector_new()) == NULL)
        return ERR_NOMEM;
    s->spool = spool_open(spool->spoolbase, (uint64_t)spool->large_message_threshold, why);
    return s->spool ? setup_quarantine(s, why) : ERR_IO;
}

void setup_release(struct setup *s)
{
    if (s->spool)
        spool_close(s->spool);
    quarantine_close(s->quarantine);
    inspector_free(s->inspector);
    conf_release(&s->conf);
}
