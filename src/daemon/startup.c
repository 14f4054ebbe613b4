/* SPDX-License-Identifier: MIT */
/* What must be there before the first process is started. All of it is done once, by the supervisor, before it has
 * children. */
#include "daemon/startup.h"
#include "daemon/console_conf.h"
#include "io/addr.h"
#include "io/listener.h"
#include "proxy/proxy_conf.h"
#include "scan/framework.h"
#include "spool/quarantine_conf.h"
#include "spool/spool_conf.h"
#include "sys/memfd.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* RFC 5321 section 4.5.4.2 names no other. */
enum { SMTP_PORT = 25 };
static const char scan_program_name[] = "postern-scan", plugin_program_name[] = "postern-plugin";

void startup_init(struct startup *s, const struct conf *conf)
{
    *s = (struct startup){.conf = conf,
                          .options = role_daemon_conf(conf),
                          .edge_program = -1,
                          .scan_program = -1,
                          .plugin_program = -1,
                          .root = geteuid() == 0,
                          .config_fd = -1};
}

int startup_open_programs(struct startup *s)
{
    static const char self[] = "/proc/self/exe";
    char path[PATH_MAX];
    s->edge_program = open(self, O_PATH | O_CLOEXEC);
    ssize_t len = readlink(self, path, sizeof(path) - sizeof(plugin_program_name));
    if (s->edge_program < 0 || len <= 0) {
        fprintf(stderr, "postern: %s: %s\n", self, strerror(errno));
        return EX_OSERR;
    }
    path[len] = '\0';
    char *name = strrchr(path, '/') + 1; /* the kernel gives an absolute path */
    memcpy(name, scan_program_name, sizeof(scan_program_name));
    s->scan_program = open(path, O_PATH | O_CLOEXEC);
    if (s->scan_program < 0) {
        fprintf(stderr, "postern: %s: %s; it must lie beside postern\n", path, strerror(errno));
        return EX_OSERR;
    }
    memcpy(name, plugin_program_name, sizeof(plugin_program_name)); /* needed by those who have a plug-in */
    s->plugin_program = open(path, O_PATH | O_CLOEXEC);
    return 0;
}

int startup_open_log(const struct startup *s)
{
    const char *path = s->options->log;
    struct stat st;
    if (path[0] != '/')
        return 0;
    mode_t old = umask(027);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    umask(old);
    if (fd < 0 || fstat(fd, &st) < 0) {
        fprintf(stderr, "postern: log file %s: %s\n", path, strerror(errno));
        return EX_OSERR;
    }
    if (!S_ISREG(st.st_mode)) {
        fprintf(stderr, "postern: log file %s: must be a regular file\n", path);
        close(fd);
        return EX_CONFIG;
    }
    bool ok = dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0;
    if (!ok)
        fprintf(stderr, "postern: log file %s: %s\n", path, strerror(errno));
    if (fd > STDERR_FILENO)
        close(fd);
    return ok ? 0 : EX_OSERR;
}

/* The account NAME of OPTION, or nobody where it does not exist. */
static int resolve_user(const struct startup *s, const char *option, const char *name, struct priv_user *out)
{
    enum err e = priv_lookup(name, out);
    if (e == ERR_NOTFOUND) {
        log_text(s->log, LOG_PRIVILEGE, "reason", "there is no account \"%s\" (option %s): nobody is used", name,
                 option);
        e = priv_lookup("nobody", out);
    }
    if (e) {
        log_text(s->log, LOG_CONFIG, "reason", "%s: account \"%s\": %s", option, name, err_name(e));
        return e == ERR_NOTFOUND ? EX_CONFIG : EX_OSERR;
    }
    if (out->uid == 0) {
        log_text(s->log, LOG_CONFIG, "reason", "%s: account \"%s\" has user id 0: postern never serves as root", option,
                 name);
        return EX_CONFIG;
    }
    return 0;
}

int startup_resolve_users(struct startup *s)
{
    struct log_record r;
    if (!s->root) {
        log_begin(&r, s->log, LOG_PRIVILEGE);
        log_fmt(&r, "reason", "not started as root: all processes run as the user with id %ld", (long)geteuid());
        log_end(&r);
        return 0;
    }
    int status = resolve_user(s, "user", s->options->user, &s->user);
    if (!status)
        status = resolve_user(s, "scan_user", s->options->scan_user, &s->scan_user);
    if (status)
        return status;
    log_begin(&r, s->log, LOG_PRIVILEGE);
    log_cstr(&r, "user", s->user.name);
    log_cstr(&r, "scan_user", s->scan_user.name);
    if (s->user.uid == s->scan_user.uid)
        log_cstr(&r, "reason", "scan workers share their user with the process that holds the connections");
    log_end(&r);
    return 0;
}

/* A strict umask at the build is the usual cause; without this every start of a child would fail, again and again. */
static int check_program(const struct startup *s, const char *name, int fd, const struct priv_user *user)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        log_text(s->log, LOG_SHORTAGE, "reason", "program %s: %s", name, strerror(errno));
        return EX_OSERR;
    }
    mode_t needed = st.st_uid == user->uid ? S_IXUSR : st.st_gid == user->gid ? S_IXGRP : S_IXOTH;
    if (st.st_mode & needed)
        return 0;
    log_text(s->log, LOG_CONFIG, "reason", "program %s has mode %04o: user %s may not execute it", name,
             (unsigned)st.st_mode & 07777U, user->name);
    return EX_OSERR;
}

int startup_check_programs(const struct startup *s)
{
    int status = s->root ? check_program(s, "postern", s->edge_program, &s->user) : 0;
    if (s->root && !status)
        status = check_program(s, scan_program_name, s->scan_program, &s->scan_user);
    if (s->root && !status && s->plugin_program >= 0)
        status = check_program(s, plugin_program_name, s->plugin_program, &s->scan_user);
    return status;
}

static int open_listener(struct startup *s, const struct conf_scope *scope)
{
    const struct listen_conf *c = scope->values;
    struct addr address;
    struct errtext why = {""};
    enum err e = addr_parse(span_cstr(scope->name), SMTP_PORT, &address, &why);
    errno = 0;
    int fd = e ? -1 : listener_open(&address, (int)c->listen_backlog, &why);
    if (fd < 0) {
        log_text(s->log, LOG_CONFIG, "reason", "%s:%u: Listen \"%s\": %s", scope->file, scope->line, scope->name,
                 why.text);
        /* A port in use or forbidden is the machine's state, anything else what the file says. */
        return !e && (errno == EADDRINUSE || errno == EACCES || errno == EMFILE || errno == ENFILE) ? EX_OSERR
                                                                                                    : EX_CONFIG;
    }
    s->listeners[s->listener_count++] = fd;
    struct log_record r;
    log_begin(&r, s->log, LOG_LISTEN);
    log_cstr(&r, "listener", scope->name);
    log_end(&r);
    return 0;
}

int startup_open_listeners(struct startup *s)
{
    for (const struct conf_scope *scope = NULL; (scope = role_listener_next(s->conf, scope));) {
        if (s->listener_count == STARTUP_LISTENERS_MAX) {
            log_text(s->log, LOG_CONFIG, "reason", "%s:%u: more than %d Listen scopes", scope->file, scope->line,
                     STARTUP_LISTENERS_MAX);
            return EX_CONFIG;
        }
        int status = open_listener(s, scope);
        if (status)
            return status;
    }
    if (s->listener_count > 0)
        return 0;
    log_text(s->log, LOG_CONFIG, "reason", "no Listen scope is enabled: there is nothing to do");
    return EX_CONFIG;
}

/* Who the file of a console's socket is given to. ERR_NOTFOUND: WHY names the account that is not there. */
static enum err control_owner(const struct startup *s, const struct control_conf *c, struct control_owner *out,
                              struct errtext *why)
{
    struct priv_user user = s->user;
    struct group entry, *group = NULL;
    char strings[16384];
    *out = (struct control_owner){(uid_t)-1, (gid_t)-1};
    if (!s->root)
        return ERR_OK;
    if (c->file_owner && priv_lookup(c->file_owner, &user) != ERR_OK) {
        errtext_set(why, "file_owner: there is no account \"%s\"", c->file_owner);
        return ERR_NOTFOUND;
    }
    *out = (struct control_owner){user.uid, user.gid};
    if (!c->file_group)
        return ERR_OK;
    if (getgrnam_r(c->file_group, &entry, strings, sizeof(strings), &group) != 0 || !group) {
        errtext_set(why, "file_group: there is no group \"%s\"", c->file_group);
        return ERR_NOTFOUND;
    }
    out->gid = entry.gr_gid;
    return ERR_OK;
}

static int open_control(struct startup *s, const struct conf_scope *scope)
{
    const struct control_conf *c = scope->values;
    struct errtext why = {""};
    struct control_owner owner = {(uid_t)-1, (gid_t)-1};
    mode_t mode = 0;
    errno = 0;
    enum err e = control_mode(c->file_mode, &mode);
    if (!e)
        e = control_owner(s, c, &owner, &why);
    if (!e)
        e = control_socket_open(&s->controls[s->control_count], scope->name, mode, owner, &why);
    if (e) {
        bool machine = e == ERR_IO;
        log_text(s->log, LOG_CONFIG, "reason", "%s:%u: Control_Listener: Listen \"%s\": %s", scope->file, scope->line,
                 scope->name, why.text);
        return machine ? EX_OSERR : EX_CONFIG;
    }
    s->control_count++;
    struct log_record r;
    log_begin(&r, s->log, LOG_LISTEN);
    log_cstr(&r, "control", scope->name);
    log_end(&r);
    return 0;
}

int startup_open_controls(struct startup *s)
{
    for (const struct conf_scope *scope = NULL; (scope = control_next(s->conf, scope));) {
        if (s->control_count == STARTUP_CONTROLS_MAX) {
            log_text(s->log, LOG_CONFIG, "reason", "%s:%u: more than %d Listen scopes in Control_Listener", scope->file,
                     scope->line, STARTUP_CONTROLS_MAX);
            return EX_CONFIG;
        }
        int status = open_control(s, scope);
        if (status)
            return status;
    }
    return 0;
}

/* As root: makes the directory PATH of OPTION for the edge where it is missing. */
static int make_directory(const struct startup *s, const char *option, const char *path)
{
    if (!s->root)
        return 0;
    if (mkdir(path, 0700) < 0) {
        if (errno == EEXIST) /* whose it is and what it is, the edge checks when it opens it */
            return 0;
        log_text(s->log, LOG_SPOOL, "reason", "%s %s: %s", option, path, strerror(errno));
        return EX_OSERR;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = fd >= 0 && fchown(fd, s->user.uid, s->user.gid) == 0;
    if (!ok)
        log_text(s->log, LOG_SPOOL, "reason", "%s %s: %s", option, path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok ? 0 : EX_OSERR;
}

int startup_make_spool(const struct startup *s)
{
    const struct spool_conf *spool = conf_child(s->conf->global, &spool_class, NULL)->values;
    const struct quarantine_conf *quarantine = conf_child(s->conf->global, &quarantine_class, NULL)->values;
    struct framework framework;
    int status = make_directory(s, "spoolbase", spool->spoolbase);
    framework_init(&framework, s->conf->global);
    if (!status && framework_quarantines(&framework))
        status = make_directory(s, "quarantine_directory", quarantine->directory);
    return status;
}

int startup_seal_config(struct startup *s)
{
    struct buf text;
    buf_init(&text, LIMIT_CONFIG_FILE);
    enum err e = conf_dump(s->conf, &daemon_classes, &text);
    if (!e) {
        s->config_fd = memfd_new("postern-config");
        e = s->config_fd < 0 ? ERR_IO : fd_write_all(s->config_fd, buf_span(&text));
    }
    if (!e)
        e = memfd_seal(s->config_fd);
    if (e)
        log_text(s->log, LOG_SHORTAGE, "reason", "effective configuration: %s",
                 e == ERR_IO ? strerror(errno) : err_name(e));
    buf_release(&text);
    return e ? EX_OSERR : 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void startup_close_listeners(struct startup *s)
{
    while (s->listener_count > 0)
        close(s->listeners[--s->listener_count]);
}

void startup_release(struct startup *s)
{
    startup_close_listeners(s);
    while (s->control_count > 0)
        control_socket_close(&s->controls[--s->control_count], true);
    close_fd(&s->edge_program);
    close_fd(&s->scan_program);
    close_fd(&s->plugin_program);
    close_fd(&s->config_fd);
}
