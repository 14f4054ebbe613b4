/* SPDX-License-Identifier: MIT */
/* Who is started when, how edge and scan hosts are connected, and how the whole comes to its end:
 *
 *   RUNNING  -> DRAINING  SIGTERM or SIGINT: the edge finishes its transactions
 *   RUNNING  -> CLOSING   the very first edge refused its configuration
 *   DRAINING -> CLOSING   the edge has ended: the scan hosts finish
 *   CLOSING  -> exit      they have ended too
 *
 * A second signal ends it at once from everywhere.
 */
#include "daemon/supervisor.h"
#include "base/mem.h"
#include "daemon/config.h"
#include "daemon/environment.h"
#include "daemon/log_sink.h"
#include "daemon/notify.h"
#include "daemon/privileges.h"
#include "daemon/scan_pool.h"
#include "daemon/startup.h"
#include "sys/memfd.h"
#include "sys/spawn.h"
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

/* What the edge may need beyond drain_timeout to say good-bye, and the scan hosts to end their workers. */
enum { DRAIN_MARGIN_MS = 2000, CLOSE_TIMEOUT_MS = 5000 };
enum phase { PHASE_RUNNING, PHASE_DRAINING, PHASE_CLOSING };

struct supervisor {
    struct startup startup;
    struct log_sink sink;
    const struct log *log;
    struct loop *loop;
    struct framework framework;
    struct environment environment;
    struct scanner_files scanners;
    struct tempdir temp;
    struct child edge;
    struct scan_pool_shared shared;
    struct scan_pool pools[LIMIT_POOLS]; /* one for each of the framework's */
    size_t pool_count, loops;
    struct loop_signal sigterm, sigint, sighup;
    struct deadline patience; /* of the phases after RUNNING */
    enum phase phase;
    int status;
};

/* ---- the edge ---- */

static enum err edge_spawn(void *arg, int control, pid_t *pid, int *pidfd, struct errtext *why)
{
    static const char *const argv[] = {"postern", "--role", "edge", NULL};
    struct supervisor *s = arg;
    int fds[ROLE_FD_LISTENERS - ROLE_FD_CONFIG + STARTUP_LISTENERS_MAX + STARTUP_CONTROLS_MAX];
    size_t count = 0;
    /* Opened anew for each child, because a shared descriptor would share its position. */
    int config = fd_reopen_readonly(s->startup.config_fd);
    if (config < 0) {
        errtext_set(why, "effective configuration: %s", strerror(errno));
        return ERR_IO;
    }
    fds[count++] = config;
    fds[count++] = control;
    for (unsigned i = 0; i < s->startup.listener_count; i++)
        fds[count++] = s->startup.listeners[i];
    for (unsigned i = 0; i < s->startup.control_count; i++)
        fds[count++] = s->startup.controls[i].fd;
    const struct spawn spawn = {.program_fd = s->startup.edge_program,
                                .argv = argv,
                                .envp = (const char *const *)s->environment.items,
                                .fds = fds,
                                .fd_count = count,
                                .user = s->startup.root ? &s->startup.user : NULL};
    enum err e = spawn_child(&spawn, pid, pidfd, why);
    close(config);
    return e;
}

static void edge_started(void *arg)
{
    struct supervisor *s = arg;
    for (size_t i = 0; i < s->pool_count; i++)
        scan_pool_connect(&s->pools[i]);
}

static void log_ready(struct supervisor *s)
{
    char listeners[LIMIT_LOG_FIELD] = "";
    size_t len = 0;
    for (const struct conf_scope *scope = NULL; (scope = role_listener_next(s->startup.conf, scope));) {
        int n = snprintf(listeners + len, sizeof(listeners) - len, "%s%s", len ? " " : "", scope->name);
        if (n < 0 || (size_t)n >= sizeof(listeners) - len)
            break;
        len += (size_t)n;
    }
    struct log_record r;
    log_begin(&r, s->log, LOG_READY);
    log_cstr(&r, "role", "supervisor");
    log_cstr(&r, "listeners", listeners);
    log_end(&r);
}

static void edge_message(void *arg, struct span bytes)
{
    struct supervisor *s = arg;
    if (bytes.len == 3 && bytes.ptr[0] == ROLE_READY && s->phase == PHASE_RUNNING) {
        log_ready(s);
        notify_send("READY=1");
    }
    if (bytes.len == ROLE_HEAD && bytes.ptr[0] == ROLE_RELOAD && (unsigned char)bytes.ptr[1] < s->pool_count)
        scan_pool_reload(&s->pools[(unsigned char)bytes.ptr[1]], TRIGGER_COMMAND);
    if (bytes.len == ROLE_HEAD && bytes.ptr[0] == ROLE_MISSING && (unsigned char)bytes.ptr[1] < s->pool_count)
        scan_pool_connect_loop(&s->pools[(unsigned char)bytes.ptr[1]], (unsigned char)bytes.ptr[2]);
    if (bytes.len == ROLE_HEAD_GENERATION && bytes.ptr[0] == ROLE_BROKEN && (unsigned char)bytes.ptr[1] < s->pool_count)
        scan_pool_broken(&s->pools[(unsigned char)bytes.ptr[1]], role_get_generation((const unsigned char *)bytes.ptr));
}

/* ---- the end ---- */

static void finish_if_all_ended(struct supervisor *s)
{
    if (s->phase != PHASE_CLOSING || child_is_running(&s->edge))
        return;
    for (size_t i = 0; i < s->pool_count; i++) {
        if (scan_pool_is_running(&s->pools[i]))
            return;
    }
    loop_stop(s->loop);
}

static void close_hosts(struct supervisor *s)
{
    s->phase = PHASE_CLOSING;
    child_give_up(&s->edge);
    for (size_t i = 0; i < s->pool_count; i++)
        scan_pool_close(&s->pools[i]);
    deadline_set_ms(&s->patience, CLOSE_TIMEOUT_MS);
    finish_if_all_ended(s);
}

static void begin_drain(struct supervisor *s, int number)
{
    log_text(s->log, LOG_STOP, "reason", "signal %s: open transactions may finish", sigabbrev_np(number));
    notify_send("STOPPING=1");
    s->phase = PHASE_DRAINING;
    for (size_t i = 0; i < s->pool_count; i++)
        scan_pool_settle(&s->pools[i]);
    /* Ours too: as long as one process holds them, the kernel takes connections that nobody will serve. */
    startup_close_listeners(&s->startup);
    child_give_up(&s->edge);
    if (!child_is_running(&s->edge)) {
        close_hosts(s);
        return;
    }
    child_send_drain(&s->edge);
    deadline_set_ms(&s->patience, (uint64_t)s->startup.options->drain_timeout_ms + DRAIN_MARGIN_MS);
}

static void patience_expired(void *arg)
{
    struct supervisor *s = arg;
    if (s->phase == PHASE_DRAINING) {
        log_text(s->log, LOG_STOP, "reason", "drain_timeout has passed: the edge is killed");
        child_kill(&s->edge);
        return;
    }
    log_text(s->log, LOG_STOP, "reason", "scan hosts did not end in time: they are killed");
    for (size_t i = 0; i < s->pool_count; i++)
        scan_pool_kill(&s->pools[i]);
}

static bool edge_ended(void *arg, const struct child_end *end)
{
    struct supervisor *s = arg;
    if (s->phase == PHASE_RUNNING && s->edge.starts == 1 && end->exit_code == EX_CONFIG) {
        s->status = EX_CONFIG;
        close_hosts(s);
        return false;
    }
    if (s->phase == PHASE_DRAINING)
        close_hosts(s);
    else
        finish_if_all_ended(s);
    return s->phase == PHASE_RUNNING;
}

static void host_gone(void *arg)
{
    finish_if_all_ended(arg);
}

static void stop_signal(void *arg, int number)
{
    struct supervisor *s = arg;
    if (s->phase == PHASE_RUNNING) {
        begin_drain(s, number);
        return;
    }
    log_text(s->log, LOG_STOP, "reason", "signal %s again: everything ends at once", sigabbrev_np(number));
    loop_stop(s->loop);
}

static void hangup_signal(void *arg, int number)
{
    struct supervisor *s = arg;
    (void)number;
    bool databases = false;
    for (size_t i = 0; i < s->pool_count; i++) {
        scan_pool_reload(&s->pools[i], TRIGGER_SIGNAL);
        databases = databases || s->pools[i].has_database;
    }
    if (!databases) /* otherwise reload-start says what the signal does */
        log_text(s->log, LOG_CONFIG_WARNING, "reason",
                 "signal HUP: a changed configuration needs a restart in this version");
}

/* ---- the beginning ---- */

static const struct child_hooks edge_hooks = {
    .spawn = edge_spawn, .started = edge_started, .message = edge_message, .ended = edge_ended};
static int prepare_children(struct supervisor *s)
{
    struct errtext why = {""};
    enum err e = child_init(&s->edge, "edge", &edge_hooks, s, s->loop, s->log, s->framework.pool_count, s->loops);
    if (!e && s->framework.pool_count > 0) {
        e = tempdir_make(&s->temp, s->startup.root ? &s->startup.scan_user : NULL, &why);
        if (e)
            log_text(s->log, LOG_SHORTAGE, "reason", "%s", why.text);
    }
    s->shared = (struct scan_pool_shared){.startup = &s->startup,
                                          .framework = &s->framework,
                                          .environment = &s->environment,
                                          .scanners = &s->scanners,
                                          .temp = &s->temp,
                                          .edge = &s->edge,
                                          .loop = s->loop,
                                          .log = s->log,
                                          .loops = s->loops,
                                          .host_gone = host_gone,
                                          .arg = s};
    for (size_t i = 0; !e && i < s->framework.pool_count; i++) {
        e = scan_pool_init(&s->pools[s->pool_count++], &s->shared, i, &why);
        if (e && e != ERR_NOMEM)
            log_text(s->log, LOG_SHORTAGE, "reason", "%s", why.text);
    }
    if (!e)
        e = environment_init(&s->environment);
    if (e == ERR_NOMEM)
        log_text(s->log, LOG_SHORTAGE, "reason", "no memory for the table of processes");
    return e ? EX_OSERR : 0;
}

/* Descriptors: two per channel while they are handed over, and the children inherit the limit. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* better or as before */
    }
}

static void log_warnings(const struct supervisor *s, const struct problems *problems)
{
    for (const struct problem *p = problems->first; p; p = p->next)
        log_text(s->log, LOG_CONFIG_WARNING, "reason", "%s", p->text);
}

static int open_log(struct supervisor *s)
{
    const struct daemon_conf *c = s->startup.options;
    int status = startup_open_log(&s->startup);
    if (status)
        return status;
    const struct log_sink_options options = {.target = c->log,
                                             .fd = STDERR_FILENO,
                                             .tag = "postern",
                                             .format = (enum log_format)c->log_format,
                                             .min_level = (enum log_level)c->log_level};
    if (log_sink_open(&s->sink, &options) != ERR_OK) {
        fprintf(stderr, "postern: syslog: %s\n", strerror(errno));
        return EX_OSERR;
    }
    s->log = s->startup.log = &s->sink.log;
    /* A syslog daemon may come later, so this ends nothing; but who looks for lines in vain shall know why. */
    if (strcmp(c->log, "syslog") == 0 && access(s->sink.syslog_path, W_OK) < 0)
        fprintf(stderr, "postern: log = syslog: %s: %s; lines are lost until it is there\n", s->sink.syslog_path,
                strerror(errno));
    return 0;
}

/* Everything that can fail before the first process is started. */
static int prepare(struct supervisor *s, const struct problems *problems)
{
    int status = startup_open_programs(&s->startup);
    if (!status)
        status = open_log(s);
    if (status)
        return status;
    role_log_start(s->log, "supervisor");
    log_warnings(s, problems);
    raise_descriptor_limit();
    if ((status = startup_resolve_users(&s->startup)) || (status = startup_check_programs(&s->startup)) ||
        (status = startup_open_listeners(&s->startup)) || (status = startup_open_controls(&s->startup)) ||
        (status = startup_make_spool(&s->startup)) || (status = startup_seal_config(&s->startup)))
        return status;
    scanner_files_open(&s->scanners, &s->framework);
    s->loop = loop_new();
    if (!s->loop) {
        log_text(s->log, LOG_SHORTAGE, "reason", "event loop: %s", strerror(errno));
        return EX_OSERR;
    }
    deadline_init(&s->patience, s->loop, patience_expired, s);
    if ((status = prepare_children(s)))
        return status;
    priv_harden_self();
    if (privileges_limit() != ERR_OK) {
        log_text(s->log, LOG_PRIVILEGE, "reason", "capabilities could not be given up: %s", strerror(errno));
        return EX_OSERR;
    }
    return 0;
}

static void run(struct supervisor *s)
{
    static const int harmless[] = {SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM}; /* no meaning here, so no end of the service */
    for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
        signal(harmless[i], SIG_IGN);
    loop_signal_init(&s->sigterm, s->loop, SIGTERM, stop_signal, s);
    loop_signal_init(&s->sigint, s->loop, SIGINT, stop_signal, s);
    loop_signal_init(&s->sighup, s->loop, SIGHUP, hangup_signal, s);
    for (size_t i = 0; i < s->pool_count; i++)
        scan_pool_start(&s->pools[i]);
    child_start(&s->edge);
    loop_run(s->loop);
    deadline_clear(&s->patience);
    /* Without its watcher a signal would have its default effect, and one more of an impatient sender would kill us in
     * the middle of tidying up. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL); /* cannot fail with these arguments */
    loop_signal_stop(&s->sigterm);
    loop_signal_stop(&s->sigint);
    loop_signal_stop(&s->sighup);
}

static void release(struct supervisor *s)
{
    child_release(&s->edge);
    for (size_t i = 0; i < s->pool_count; i++)
        scan_pool_release(&s->pools[i]);
    tempdir_remove(&s->temp);
    environment_release(&s->environment);
    scanner_files_release(&s->scanners);
    startup_release(&s->startup);
    loop_free(s->loop);
    if (s->log) {
        struct log_record r;
        log_begin(&r, s->log, LOG_STOP);
        log_cstr(&r, "role", "supervisor");
        log_u64(&r, "status", (uint64_t)s->status);
        log_end(&r);
        log_sink_close(&s->sink);
    }
}

int supervisor_run(struct conf *conf, const struct problems *problems)
{
    struct supervisor *s = MEM_NEW(struct supervisor);
    if (!s) {
        fprintf(stderr, "postern: no memory\n");
        return EX_OSERR;
    }
    config_pin(conf);
    startup_init(&s->startup, conf);
    s->temp.fd = -1;
    s->loops = role_loop_count(s->startup.options);
    framework_init(&s->framework, conf->global);
    memset(&s->scanners, 0xff, sizeof(s->scanners)); /* none */
    s->status = prepare(s, problems);
    if (s->status == 0)
        run(s);
    release(s);
    int status = s->status;
    mem_free(s);
    return status;
}
