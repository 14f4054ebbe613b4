/* SPDX-License-Identifier: MIT */
/* The edge process: N threads with one event loop and one struct proxy each. The first loop also listens to the
 * supervisor and hands the channels of the scan hosts on to the loops they are for. */
#include "base/mem.h"
#include "daemon/console_server.h"
#include "daemon/resolver.h"
#include "daemon/role.h"
#include "io/deadline.h"
#include "io/mailbox.h"
#include "proxy/proxy.h"
#include "spool/quarantine_conf.h"
#include "spool/spool_conf.h"
#include "sys/clock.h"
#include "sys/fdpass.h"
#include "sys/rng.h"
#include <pthread.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    EDGE_IO_THREADS = 4,
    EDGE_LOOPS_MAX = 64,
    EDGE_RESOLVE_RETRY_MS = 10000,
    EDGE_TARGETS_MAX = BACKEND_TARGETS_MAX
};

struct edge;

struct edge_loop {
    struct edge *edge;
    unsigned index;
    pthread_t thread;
    struct loop *loop;
    struct mailbox *mailbox;
    struct proxy *proxy;
    struct deadline drain_limit;
    bool settled;
};

struct edge {
    const struct conf *conf;
    const struct log *log;
    struct framework framework;
    struct proxy_shared shared;
    struct backend_target targets[EDGE_TARGETS_MAX];
    struct edge_loop loops[EDGE_LOOPS_MAX];
    struct resolver *resolver; /* NULL: every name was resolved at start */
    unsigned loop_count, settled, paused, empty;
    uint64_t drain_timeout_ms;
    bool ready_sent, draining;
    struct loop_watch control;
    struct console_view view; /* with the next two: the console, where one is configured */
    struct console *console;
    struct console_server *console_server;
};

/* A message from one loop to another. */
struct edge_mail {
    struct mail mail;
    struct edge_loop *to;
    enum {
        EDGE_CHANNEL,
        EDGE_DRAIN,
        EDGE_STOP,
        EDGE_SETTLED,
        EDGE_PAUSED,
        EDGE_EMPTY,
        EDGE_BROKEN,
        EDGE_LOST,
        EDGE_MISSING,
        EDGE_RESOLVED
    } what;
    int number, fd;      /* of a pool or a target; a descriptor */
    unsigned generation; /* of the pool's host */
    unsigned loop;       /* that misses a channel */
    struct addr addr;
};

static void edge_deliver(struct mail *m);

/* The program cannot go on without its own messages, so a failed allocation ends it: the supervisor starts it again. */
static void edge_post_mail(struct edge_mail mail)
{
    struct edge_mail *m = MEM_NEW(struct edge_mail);
    if (!m)
        abort();
    *m = mail;
    m->mail.deliver = edge_deliver;
    mailbox_post(m->to->mailbox, &m->mail);
}

static void edge_post(struct edge_loop *to, int what, int number, int fd)
{
    edge_post_mail((struct edge_mail){.to = to, .what = what, .number = number, .fd = fd});
}

static void edge_on_settled(void *arg)
{
    struct edge_loop *l = arg;
    if (l->settled || !scan_client_settled(proxy_scan_client(l->proxy)))
        return;
    l->settled = true;
    edge_post(&l->edge->loops[0], EDGE_SETTLED, 0, -1);
}

static void edge_on_broken(void *arg, int pool, unsigned generation)
{
    struct edge_loop *l = arg;
    edge_post_mail((struct edge_mail){
        .to = &l->edge->loops[0], .what = EDGE_BROKEN, .number = pool, .fd = -1, .generation = generation});
}

static void edge_on_missing(void *arg, int pool)
{
    struct edge_loop *l = arg;
    edge_post_mail(
        (struct edge_mail){.to = &l->edge->loops[0], .what = EDGE_MISSING, .number = pool, .fd = -1, .loop = l->index});
}

static void edge_on_empty(void *arg)
{
    struct edge_loop *l = arg;
    edge_post(&l->edge->loops[0], EDGE_EMPTY, 0, -1);
}

static enum err edge_tell_supervisor(const struct edge *e, enum role_message what, int pool, unsigned loop,
                                     unsigned generation)
{
    unsigned char message[ROLE_HEAD_GENERATION] = {(unsigned char)what, (unsigned char)pool, (unsigned char)loop};
    role_put_generation(message, generation);
    size_t len = what == ROLE_BROKEN ? sizeof(message) : ROLE_HEAD;
    enum err result = fdpass_send(ROLE_FD_CONTROL, span_of(message, len), -1);
    if (result != ERR_OK)
        log_text(e->log, LOG_SHORTAGE, "detail", "the supervisor could not be told '%c'", what);
    return result;
}

/* On loop 0: every engine has reported on every loop. */
static void edge_count_settled(struct edge *e)
{
    if (++e->settled < e->loop_count || e->ready_sent)
        return;
    e->ready_sent = true;
    (void)!edge_tell_supervisor(e, ROLE_READY, 0, 0, 0); /* it is in the log */
}

/* On loop 0: nobody accepts any more, so the listening sockets are closed. Clients that come now are refused by the
 * kernel and go elsewhere, instead of waiting in its queue for a process that ends. */
static void edge_count_paused(struct edge *e)
{
    unsigned listeners = role_listener_count(e->conf);
    if (++e->paused < e->loop_count)
        return;
    for (unsigned i = 0; i < listeners; i++)
        close(ROLE_FD_LISTENERS + (int)i);
}

static void edge_on_drain_limit(void *arg)
{
    struct edge_loop *l = arg;
    proxy_cut(l->proxy);
}

static void edge_count_empty(struct edge *e)
{
    if (++e->empty < e->loop_count)
        return;
    for (unsigned i = 0; i < e->loop_count; i++)
        edge_post(&e->loops[i], EDGE_STOP, 0, -1);
}

static void edge_deliver(struct mail *mail)
{
    struct edge_mail *m = container_of(mail, struct edge_mail, mail);
    struct edge_loop *l = m->to;
    switch (m->what) {
    case EDGE_CHANNEL:
        scan_client_attach(proxy_scan_client(l->proxy), m->number, m->generation, m->fd);
        break;
    case EDGE_DRAIN:
        proxy_drain(l->proxy, edge_on_empty, l);
        deadline_set_ms(&l->drain_limit, l->edge->drain_timeout_ms);
        edge_post(&l->edge->loops[0], EDGE_PAUSED, 0, -1);
        break;
    case EDGE_PAUSED:
        edge_count_paused(l->edge);
        break;
    case EDGE_RESOLVED:
        proxy_target_resolved(l->proxy, (size_t)m->number, &m->addr);
        break;
    case EDGE_STOP:
        loop_stop(l->loop);
        break;
    case EDGE_SETTLED:
        edge_count_settled(l->edge);
        break;
    case EDGE_EMPTY:
        edge_count_empty(l->edge);
        break;
    case EDGE_BROKEN:
        (void)!edge_tell_supervisor(l->edge, ROLE_BROKEN, m->number, 0, m->generation);
        break;
    case EDGE_LOST:
        scan_client_lost(proxy_scan_client(l->proxy), m->number, m->generation);
        break;
    case EDGE_MISSING:
        (void)!edge_tell_supervisor(l->edge, ROLE_MISSING, m->number, m->loop, 0); /* it is asked again */
        break;
    }
    mem_free(m);
}

static void edge_drain(struct edge *e)
{
    if (e->draining)
        return;
    e->draining = true;
    for (unsigned i = 0; i < e->loop_count; i++)
        edge_post(&e->loops[i], EDGE_DRAIN, 0, -1);
}

/* Messages of the supervisor. Its end of file means that it is gone: then we go too, as after a drain, unless the
 * kernel was faster (sys/spawn.h: a child is killed when its parent dies). */
static void edge_on_control(void *arg, int events)
{
    struct edge *e = arg;
    unsigned char m[ROLE_HEAD_GENERATION];
    size_t len;
    int fd;
    (void)events;
    for (;;) {
        enum err got = fdpass_recv(ROLE_FD_CONTROL, m, sizeof(m), &len, &fd);
        if (got == ERR_AGAIN)
            return;
        if (got == ERR_CLOSED || got == ERR_IO) {
            loop_watch_stop(&e->control);
            edge_drain(e);
            return;
        }
        /* Where there was no number left for its descriptor, its loop gets the bad news instead. */
        bool lost = got == ERR_FULL, whole = lost || (got == ERR_OK && fd >= 0);
        bool channel = whole && len == sizeof(m) && m[0] == ROLE_CHANNEL;
        if (channel && m[1] < e->framework.pool_count && m[2] < e->loop_count) {
            edge_post_mail((struct edge_mail){.to = &e->loops[m[2]],
                                              .what = lost ? EDGE_LOST : EDGE_CHANNEL,
                                              .number = m[1],
                                              .fd = fd,
                                              .generation = role_get_generation(m)});
            continue;
        }
        if (got == ERR_OK && len == ROLE_HEAD && m[0] == ROLE_DRAIN)
            edge_drain(e);
        if (got == ERR_OK && fd >= 0)
            close(fd);
    }
}

/* On the resolver's thread. */
static void edge_on_resolved(void *arg, size_t index, const struct addr *a)
{
    struct edge *e = arg;
    for (unsigned i = 0; i < e->loop_count; i++)
        edge_post_mail(
            (struct edge_mail){.to = &e->loops[i], .what = EDGE_RESOLVED, .number = (int)index, .fd = -1, .addr = *a});
}

/* What could not be resolved at start is looked up again until it is; meanwhile its sessions get 451 at MAIL. */
static int edge_resolve_later(struct edge *e)
{
    const char *names[EDGE_TARGETS_MAX];
    size_t indices[EDGE_TARGETS_MAX], count = 0;
    for (size_t i = 0; i < e->shared.target_count; i++) {
        if (e->targets[i].addr.len > 0)
            continue;
        names[count] = e->targets[i].name;
        indices[count++] = i;
    }
    if (count == 0)
        return EX_OK;
    e->resolver = resolver_start(names, indices, count, EDGE_RESOLVE_RETRY_MS, edge_on_resolved, e);
    return e->resolver ? EX_OK : EX_OSERR;
}

static void edge_find_targets(struct edge *e)
{
    const struct conf_scope *backend = NULL, *server = NULL;
    while ((backend = conf_child(e->conf->global, &backend_class, backend))) {
        while ((server = conf_child(backend, &server_class, server))) {
            if (e->shared.target_count == EDGE_TARGETS_MAX)
                break;
            struct backend_target *target = &e->targets[e->shared.target_count];
            const struct server_conf *conf = server->values;
            struct errtext why;
            if (resolver_lookup(server->name, &target->addr, &why) != ERR_OK) {
                target->addr.len = 0;
                log_text(e->log, LOG_BACKEND_DOWN, "detail", "%s; it is tried again", why.text);
            }
            target->name = server->name;
            target->conf = conf;
            target->helo = conf->backend_helo ? conf->backend_helo : e->shared.hostname;
            e->shared.target_count++;
        }
    }
    e->shared.targets = e->targets;
}

static void edge_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Quarantine is opened where messages may be put into it, and where there is one from before: what lies there can be
 * looked at, released and deleted, and grows old, after the configuration has changed. */
static int edge_open_quarantine(struct edge *e)
{
    const struct quarantine_conf *c = conf_child(e->conf->global, &quarantine_class, NULL)->values;
    const struct quarantine_limits limits = {.max_size = (uint64_t)c->max_size,
                                             .max_age_ms = (uint64_t)c->max_age_ms,
                                             .min_age_ms = (uint64_t)c->min_age_ms,
                                             /* looks that are far apart are no jump */
                                             .max_jump_ms = QUARANTINE_MAX_JUMP_MS + (uint64_t)c->sweep_ms};
    struct errtext why;
    bool needed = framework_quarantines(&e->framework);
    if (!needed && access(c->directory, F_OK) != 0)
        return EX_OK;
    e->shared.quarantine_conf = c;
    e->shared.quarantine = quarantine_open(c->directory, &limits, e->log, &why);
    if (e->shared.quarantine)
        return EX_OK;
    log_text(e->log, needed ? LOG_CONFIG : LOG_QUARANTINE_FAILED, "reason", "quarantine_directory: %s", why.text);
    return needed ? EX_CONFIG : EX_OK;
}

/* Everything that the loops share. */
static int edge_prepare(struct edge *e)
{
    const struct conf_scope *global = e->conf->global;
    const struct daemon_conf *daemon = conf_child(global, &daemon_class, NULL)->values;
    const struct spool_conf *spool = conf_child(global, &spool_class, NULL)->values;
    const struct proxy_conf *limits = conf_child(global, &proxy_class, NULL)->values;
    struct errtext why;
    uint64_t key[2];
    framework_init(&e->framework, global);
    rng_bytes(key, sizeof(key));
    e->drain_timeout_ms = (uint64_t)daemon->drain_timeout_ms;
    e->loop_count = role_loop_count(daemon);
    if (e->loop_count > EDGE_LOOPS_MAX)
        e->loop_count = EDGE_LOOPS_MAX;
    e->shared = (struct proxy_shared){
        .framework = &e->framework,
        .scans = scan_runtime_new(&e->framework),
        .conf = limits,
        .log = e->log,
        .hostname = daemon->hostname,
        .spool = spool_open(spool->spoolbase, (uint64_t)spool->large_message_threshold, &why),
        .iopool = iopool_new(EDGE_IO_THREADS),
        .admission = admission_new((unsigned)limits->max_connections, (unsigned)limits->max_connections_per_host, key),
        .loops = e->loop_count,
        .boot_id = (uint32_t)rng_u64(),
    };
    if (!e->shared.spool) {
        log_text(e->log, LOG_CONFIG, "reason", "spoolbase: %s", why.text);
        return EX_CONFIG;
    }
    if (!e->shared.iopool || !e->shared.admission || !e->shared.scans) {
        log_text(e->log, LOG_SHORTAGE, "reason", "not enough memory to start");
        return EX_OSERR;
    }
    int status = edge_open_quarantine(e);
    if (status == EX_OK)
        edge_find_targets(e);
    return status;
}

static int edge_make_loop(struct edge *e, unsigned index)
{
    struct edge_loop *l = &e->loops[index];
    l->edge = e;
    l->index = index;
    l->loop = loop_new();
    l->mailbox = l->loop ? mailbox_new(l->loop) : NULL;
    l->proxy = l->mailbox ? proxy_new(&e->shared, l->loop, l->mailbox, index) : NULL;
    if (!l->proxy)
        return EX_OSERR;
    deadline_init(&l->drain_limit, l->loop, edge_on_drain_limit, l);
    scan_client_on_change(proxy_scan_client(l->proxy), edge_on_settled, l);
    scan_client_on_broken(proxy_scan_client(l->proxy), edge_on_broken, l);
    scan_client_on_missing(proxy_scan_client(l->proxy), edge_on_missing, l);
    const struct conf_scope *outer = NULL, *inner = NULL;
    int fd = ROLE_FD_LISTENERS;
    while ((outer = conf_child(e->conf->global, &esmtp_listener_class, outer))) {
        while ((inner = conf_child(outer, &listen_class, inner))) {
            const struct listen_conf *conf = inner->values;
            if (!conf->enable)
                continue;
            if (proxy_listen(l->proxy, fd++, conf, inner->name) != ERR_OK)
                return EX_OSERR;
        }
    }
    return EX_OK;
}

static enum err edge_reload(void *edge, int pool_index)
{
    return edge_tell_supervisor(edge, ROLE_RELOAD, pool_index, 0, 0);
}

/* The console lives on loop 0, where one is configured. */
static int edge_open_console(struct edge *e)
{
    const struct edge_loop *l = &e->loops[0];
    int fd = ROLE_FD_LISTENERS + (int)role_listener_count(e->conf);
    if (!control_next(e->conf, NULL))
        return EX_OK;
    e->view = (struct console_view){
        .conf = e->conf,
        .framework = &e->framework,
        .log = e->log,
        .loop = l->loop,
        .mailbox = l->mailbox,
        .iopool = e->shared.iopool,
        .scans = proxy_scan_client(l->proxy),
        .quarantine = proxy_quarantine_desk(l->proxy),
        .loop_count = e->loop_count,
        .started_ms = clock_wall_ms(),
        .reload = edge_reload,
        .edge = e,
    };
    e->console = console_new(&e->view, console_tables);
    e->console_server = e->console ? console_server_new(e->console, l->loop, e->log) : NULL;
    if (!e->console_server)
        return EX_OSERR;
    for (const struct conf_scope *scope = NULL; (scope = control_next(e->conf, scope));)
        if (console_server_listen(e->console_server, fd++, scope->values, scope->name) != ERR_OK)
            return EX_OSERR;
    return EX_OK;
}

static void *edge_thread(void *arg)
{
    struct edge_loop *l = arg;
    edge_on_settled(l); /* with no engine there is nothing to wait for */
    loop_run(l->loop);
    return NULL;
}

static void edge_release(struct edge *e)
{
    resolver_stop(e->resolver);
    console_server_free(e->console_server);
    console_stop(e->console);
    for (unsigned i = 0; i < e->loop_count; i++) {
        struct edge_loop *l = &e->loops[i];
        if (l->proxy)
            deadline_clear(&l->drain_limit);
        proxy_free(l->proxy);
    }
    if (e->shared.iopool)
        iopool_free(e->shared.iopool);
    console_free(e->console); /* the last jobs of its commands are over */
    for (unsigned i = 0; i < e->loop_count; i++) {
        struct edge_loop *l = &e->loops[i];
        if (l->mailbox)
            mailbox_free(l->mailbox);
        if (l->loop)
            loop_free(l->loop);
    }
    admission_free(e->shared.admission);
    scan_runtime_free(e->shared.scans);
    quarantine_close(e->shared.quarantine);
    if (e->shared.spool)
        spool_close(e->shared.spool);
    mem_free(e);
}

int edge_run(const struct conf *conf, const struct log *log)
{
    struct edge *e = MEM_NEW(struct edge);
    if (!e)
        return EX_OSERR;
    e->conf = conf;
    e->log = log;
    edge_raise_descriptors();
    int status = edge_prepare(e);
    for (unsigned i = 0; i < e->loop_count && status == EX_OK; i++)
        status = edge_make_loop(e, i);
    if (status == EX_OK)
        status = edge_open_console(e);
    if (status == EX_OK)
        status = edge_resolve_later(e);
    if (status == EX_OK) {
        unsigned started = 1;
        loop_watch_init(&e->control, e->loops[0].loop, ROLE_FD_CONTROL, edge_on_control, e);
        loop_watch_set(&e->control, LOOP_READ);
        for (; started < e->loop_count; started++) {
            int error = pthread_create(&e->loops[started].thread, NULL, edge_thread, &e->loops[started]);
            if (error) {
                log_text(log, LOG_SHORTAGE, "reason", "threads cannot be started: %s", strerror(error));
                _exit(EX_OSERR);
            }
        }
        edge_thread(&e->loops[0]);
        for (unsigned i = 1; i < e->loop_count; i++)
            pthread_join(e->loops[i].thread, NULL);
        loop_watch_stop(&e->control);
    }
    edge_release(e);
    return status;
}
