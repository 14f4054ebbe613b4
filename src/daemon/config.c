/* SPDX-License-Identifier: MIT */
/* The global options, and the reading of configuration files. */
#include "daemon/config.h"
#include "base/log.h"
#include "base/mem.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOSTNAME_SIZE = 256 };

/* Entries of one included directory. */
enum { DIRECTORY_ENTRIES_MAX = 4096 };

static const char *const log_format_words[] = {"text", "json", NULL};
static const char *const log_level_words[] = {"debug", "info", "notice", "warning", "error", NULL};

static const struct directive rows[] = {
    {.name = "hostname",
     .type = DIRECTIVE_STRING,
     .offset = CONF_OFFSET(daemon_conf, hostname),
     .min = 1,
     .max = 255,
     .reload = RELOAD_RESTART,
     .description = "name of this host in greeting, EHLO and header lines; without it the machine's own host name"},
    {.name = "user",
     .type = DIRECTIVE_STRING,
     .offset = CONF_OFFSET(daemon_conf, user),
     .default_text = "postern",
     .min = 1,
     .max = 63,
     .reload = RELOAD_RESTART,
     .description = "account of the process that holds the connections, when started as root"},
    {.name = "scan_user",
     .type = DIRECTIVE_STRING,
     .offset = CONF_OFFSET(daemon_conf, scan_user),
     .default_text = "postern-scan",
     .min = 1,
     .max = 63,
     .reload = RELOAD_RESTART,
     .description = "account of the scan hosts and their workers, when started as root"},
    {.name = "event_loops",
     .type = DIRECTIVE_INT,
     .offset = CONF_OFFSET(daemon_conf, event_loops),
     .default_text = "0",
     .min = 0,
     .max = ROLE_LOOPS_MAX,
     .unit = "threads",
     .reload = RELOAD_RESTART,
     .description = "event loops that serve connections; 0: one per processor"},
    {.name = "drain_timeout",
     .type = DIRECTIVE_DURATION,
     .offset = CONF_OFFSET(daemon_conf, drain_timeout_ms),
     .default_text = "120",
     .min = 0,
     .max = 86400000,
     .reload = RELOAD_RESTART,
     .description = "how long transactions that are open at SIGTERM may take to finish"},
    {.name = "log",
     .type = DIRECTIVE_STRING,
     .offset = CONF_OFFSET(daemon_conf, log),
     .default_text = "stderr",
     .min = 1,
     .max = 1024,
     .reload = RELOAD_RESTART,
     .description = "where log lines go: stderr, syslog, or the absolute path of a file"},
    {.name = "log_format",
     .type = DIRECTIVE_ENUM,
     .offset = CONF_OFFSET(daemon_conf, log_format),
     .default_text = "text",
     .words = log_format_words,
     .reload = RELOAD_RESTART,
     .description = "form of a log line: key=value text, or one JSON object"},
    {.name = "log_level",
     .type = DIRECTIVE_ENUM,
     .offset = CONF_OFFSET(daemon_conf, log_level),
     .default_text = "info",
     .words = log_level_words,
     .reload = RELOAD_RESTART,
     .description = "the least level that is logged"},
};

/* The name stands in replies, commands and header lines, so it must not carry anything but a domain or an address
 * literal. */
static bool hostname_is_valid(const char *name)
{
    for (const char *c = name; *c; c++) {
        if (!char_is_alnum(*c) && !strchr("-._[]:", *c))
            return false;
    }
    return *name != '\0';
}

static void daemon_check(const struct conf_scope *scope, struct problems *problems)
{
    const struct daemon_conf *c = scope->values;
    if (c->hostname && !hostname_is_valid(c->hostname))
        problem_error(problems, scope, "hostname", "must be a host name or an address literal");
    if (strcmp(c->log, "stderr") != 0 && strcmp(c->log, "syslog") != 0 && c->log[0] != '/')
        problem_error(problems, scope, "log", "must be stderr, syslog or an absolute path");
    if (strcmp(c->user, "root") == 0)
        problem_error(problems, scope, "user", "must not be root: postern never serves as root");
    if (strcmp(c->scan_user, "root") == 0)
        problem_error(problems, scope, "scan_user", "must not be root: postern never scans as root");
}

const struct scope_class daemon_class = {
    .name = "Global",
    .naming = SCOPE_IMPLICIT,
    .single = true,
    .rows = rows,
    .row_count = ARRAY_SIZE(rows),
    .struct_size = sizeof(struct daemon_conf),
    .check = daemon_check,
    .description = "options of the program as a whole",
};

/* Everything of FD from its beginning; the offset stays, because other processes may share it. */
static enum err read_descriptor(int fd, struct buf *out, struct errtext *why)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        errtext_set(why, "%s", strerror(errno));
        return ERR_IO;
    }
    if (!S_ISREG(st.st_mode)) {
        errtext_set(why, "must be a regular file");
        return ERR_DENIED;
    }
    off_t offset = 0;
    for (;;) {
        char slice[16384];
        ssize_t n = pread(fd, slice, sizeof(slice), offset);
        if (n == 0)
            return ERR_OK;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            errtext_set(why, "%s", strerror(errno));
            return ERR_IO;
        }
        enum err e = buf_append(out, span_of(slice, (size_t)n));
        if (e) {
            errtext_set(why, "%s", e == ERR_FULL ? "larger than a configuration file may be" : err_name(e));
            return e;
        }
        offset += n;
    }
}

static enum err read_file(void *arg, const char *path, struct buf *out, struct errtext *why)
{
    (void)arg;
    /* O_NONBLOCK: a named pipe with no writer must not hold the program up before it is refused. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        errtext_set(why, "%s", strerror(errno));
        return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
    }
    enum err e = read_descriptor(fd, out, why);
    close(fd);
    return e;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.'; /* neither . nor .., nor what editors leave behind */
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* lexical order, whatever the locale */
}

static enum err list_directory(void *arg, const char *path, struct buf *out, struct errtext *why)
{
    (void)arg;
    struct stat st;
    if (stat(path, &st) < 0) {
        errtext_set(why, "%s", strerror(errno));
        return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
    }
    if (!S_ISDIR(st.st_mode)) {
        errtext_set(why, "no directory");
        return ERR_NOTFOUND;
    }
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_visible, by_bytes);
    if (count < 0) {
        errtext_set(why, "%s", strerror(errno));
        return ERR_IO;
    }
    enum err e = count > DIRECTORY_ENTRIES_MAX ? ERR_FULL : ERR_OK;
    for (int i = 0; i < count; i++) {
        if (!e)
            e = buf_append(out, span_of(entries[i]->d_name, strlen(entries[i]->d_name) + 1));
        free(entries[i]); /* scandir's */
    }
    free(entries);
    if (e)
        errtext_set(why, "%s", e == ERR_FULL ? "too many files" : err_name(e));
    return e;
}

/* Where a child's configuration comes from: one text without includes. */
static enum err read_given_fd(void *arg, const char *path, struct buf *out, struct errtext *why)
{
    const int *fd = arg;
    (void)path;
    return read_descriptor(*fd, out, why);
}

static enum err list_nothing(void *arg, const char *path, struct buf *out, struct errtext *why)
{
    (void)arg;
    (void)path;
    (void)out;
    errtext_set(why, "no directory");
    return ERR_NOTFOUND;
}

/* The loaded values are the arena's and ours alone until the first process is started; afterwards nobody writes to
 * them. */
static struct daemon_conf *own_values(const struct conf_scope *scope)
{
    return (struct daemon_conf *)(uintptr_t)scope->values;
}

static enum err fill_in_hostname(struct conf *conf, struct problems *problems)
{
    const struct conf_scope *scope = conf_child(conf->global, &daemon_class, NULL);
    struct daemon_conf *c = own_values(scope);
    char name[HOSTNAME_SIZE] = "";
    if (c->hostname)
        return ERR_OK;
    if (gethostname(name, sizeof(name) - 1) < 0 || !hostname_is_valid(name)) {
        problem_error(problems, scope, NULL, "hostname: the machine's host name \"%s\" cannot be used: set hostname",
                      name);
        return ERR_OK;
    }
    c->hostname = arena_strdup(&conf->arena, span_cstr(name));
    return c->hostname ? ERR_OK : ERR_NOMEM;
}

unsigned role_loop_count(const struct daemon_conf *c)
{
    if (c->event_loops > 0)
        return (unsigned)c->event_loops;
    cpu_set_t set;
    int processors =
        sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (processors < 1)
        return 1;
    return processors > ROLE_LOOPS_MAX ? ROLE_LOOPS_MAX : (unsigned)processors;
}

void config_pin(struct conf *conf)
{
    const struct conf_scope *scope = conf_child(conf->global, &daemon_class, NULL);
    struct daemon_conf *c = own_values(scope);
    bool *given = (bool *)(uintptr_t)scope->given;
    c->event_loops = role_loop_count(c);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].offset == CONF_OFFSET(daemon_conf, event_loops) ||
            rows[i].offset == CONF_OFFSET(daemon_conf, hostname))
            given[i] = true;
    }
}

static enum err load(struct conf *conf, const char *path, const struct conf_source *source, struct problems *problems)
{
    enum err e = conf_load(conf, path, source, &daemon_classes, problems);
    if (!e && problems->errors == 0)
        e = fill_in_hostname(conf, problems);
    return e;
}

enum err config_load_file(struct conf *conf, const char *path, struct problems *problems)
{
    static const struct conf_source files = {.read = read_file, .list = list_directory};
    return load(conf, path, &files, problems);
}

enum err config_load_fd(struct conf *conf, int fd, struct problems *problems)
{
    const struct conf_source source = {.read = read_given_fd, .list = list_nothing, .arg = &fd};
    return load(conf, "effective configuration", &source, problems);
}
