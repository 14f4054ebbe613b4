/* SPDX-License-Identifier: MIT */
/* The command line of postern. Exit statuses (sysexits.h, which service managers and scripts know):
 *
 *   0   done; after SIGTERM or SIGINT: everything has ended in order
 *   1   --check found errors
 *   64  EX_USAGE   the command line is wrong
 *   71  EX_OSERR   the machine refused something: a port in use, no memory, a program missing. Another try may do
 *   78  EX_CONFIG  the configuration is wrong. Another try will not do
 */
#include "base/log.h"
#include "daemon/check_machine.h"
#include "daemon/config.h"
#include "daemon/log_sink.h"
#include "daemon/role.h"
#include "daemon/supervisor.h"
#include "scan/inspection.h"
#include "sys/priv.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

static const char default_path[] = "/etc/postern/postern.conf";

enum { EXIT_CHECK_FAILED = 1 };

/* What one run does. */
enum action {
    ACTION_SERVE,
    ACTION_CHECK,
    ACTION_DUMP,
    ACTION_REFERENCE,
    ACTION_EXAMPLE,
    ACTION_VERSION,
    ACTION_HELP,
    ACTION_ROLE
};

static const char usage_text[] =
    "usage: postern [--config FILE]                 run in the foreground\n"
    "       postern [--config FILE] --check         say what is wrong with the configuration\n"
    "       postern [--config FILE] --dump-config   print the configuration in effect\n"
    "       postern --dump-reference | --dump-example | --version | --help\n";

static const char help_text[] =
    "\n"
    "  --config FILE      the configuration; without it /etc/postern/postern.conf\n"
    "  --check            validate the configuration: every error and warning on standard error; loads no\n"
    "                     signature database and connects nowhere\n"
    "  --dump-config      the effective configuration, defaults as comments\n"
    "  --dump-reference   all options, as Markdown\n"
    "  --dump-example     an example configuration\n"
    "\n"
    "Signals: TERM and INT let open transactions finish (drain_timeout); a second one ends everything at once.\n"
    "HUP loads the signatures again, without a pause; the configuration is not read again.\n"
    "\n"
    "Exit status:\n"
    "   0  done, or ended in order by TERM or INT\n"
    "   1  --check found errors\n"
    "  64  the command line is wrong\n"
    "  71  the operating system refused something (port in use, no memory, a program missing)\n"
    "  78  the configuration is wrong\n";

struct command {
    enum action action;
    const char *path;
    const char *role;
};

/* False: the usage was shown. */
static bool parse_command(int argc, char **argv, struct command *out)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"role", required_argument, NULL, 'r'},
                                            {"check", no_argument, NULL, ACTION_CHECK},
                                            {"dump-config", no_argument, NULL, ACTION_DUMP},
                                            {"dump-reference", no_argument, NULL, ACTION_REFERENCE},
                                            {"dump-example", no_argument, NULL, ACTION_EXAMPLE},
                                            {"version", no_argument, NULL, ACTION_VERSION},
                                            {"help", no_argument, NULL, ACTION_HELP},
                                            {NULL, 0, NULL, 0}};
    *out = (struct command){.action = ACTION_SERVE};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'c') {
            out->path = optarg;
            continue;
        }
        if (c == 'r')
            out->role = optarg;
        if (c == '?' || out->action != ACTION_SERVE) {
            if (c != '?')
                fputs("postern: only one action at a time\n", stderr);
            fputs(usage_text, stderr);
            return false;
        }
        out->action = c == 'r' ? ACTION_ROLE : (enum action)c;
    }
    if (optind < argc || (out->role && strcmp(out->role, "edge") != 0)) {
        fprintf(stderr, "postern: unknown %s \"%s\"\n", optind < argc ? "argument" : "role",
                optind < argc ? argv[optind] : out->role);
        fputs(usage_text, stderr);
        return false;
    }
    if (!out->path)
        out->path = default_path;
    return true;
}

static void print_problems(const struct problems *problems)
{
    for (const struct problem *p = problems->first; p; p = p->next)
        fprintf(stderr, "%s: %s\n", p->severity == PROBLEM_ERROR ? "error" : "warning", p->text);
}

/* A text goes to standard output as a whole or the run has failed: a disk may be full. */
static int print_buf(const struct buf *text)
{
    struct span s = buf_span(text);
    if (fwrite(s.ptr ? s.ptr : "", 1, s.len, stdout) == s.len && fflush(stdout) == 0)
        return 0;
    fprintf(stderr, "postern: standard output: %s\n", strerror(errno));
    return EX_OSERR;
}

static int print_text(enum err (*make)(const struct conf_classes *classes, struct buf *out))
{
    struct buf text;
    buf_init(&text, LIMIT_CONFIG_FILE);
    enum err e = make(&daemon_classes, &text);
    int status = e ? EX_OSERR : print_buf(&text);
    if (e)
        fprintf(stderr, "postern: %s\n", err_name(e));
    buf_release(&text);
    return status;
}

static enum err dump_reference(const struct conf_classes *classes, struct buf *out)
{
    enum err e = conf_dump_reference(classes, out);
    return e == ERR_OK ? inspection_reference(out) : e;
}

static int dump_config(const struct conf *conf)
{
    struct buf text;
    buf_init(&text, LIMIT_CONFIG_FILE);
    enum err e = conf_dump(conf, &daemon_classes, &text);
    int status = e ? EX_OSERR : print_buf(&text);
    if (e)
        fprintf(stderr, "postern: %s\n", err_name(e));
    buf_release(&text);
    return status;
}

static int check(const struct command *c, const struct conf *conf, struct problems *problems)
{
    if (problems->errors == 0)
        check_machine(conf, problems);
    print_problems(problems);
    printf("%s: %zu error%s, %zu warning%s\n", c->path, problems->errors, problems->errors == 1 ? "" : "s",
           problems->warnings, problems->warnings == 1 ? "" : "s");
    return problems->errors == 0 ? 0 : EXIT_CHECK_FAILED;
}

/* The actions that need a configuration. */
static int with_config(const struct command *c)
{
    struct conf conf;
    struct problems problems;
    int status;
    problems_init(&problems);
    enum err e = config_load_file(&conf, c->path, &problems);
    if (e) {
        print_problems(&problems);
        fprintf(stderr, "postern: %s: %s\n", c->path, err_name(e));
        status = c->action == ACTION_CHECK ? EXIT_CHECK_FAILED : EX_OSERR;
    } else if (c->action == ACTION_CHECK) {
        status = check(c, &conf, &problems);
    } else if (problems.errors > 0) {
        print_problems(&problems);
        status = EX_CONFIG;
    } else if (c->action == ACTION_DUMP) {
        status = dump_config(&conf);
    } else {
        status = supervisor_run(&conf, &problems);
    }
    conf_release(&conf);
    problems_release(&problems);
    return status;
}

/* The edge as the supervisor started it. Its configuration was checked before, so a finding here is a fault of ours. */
static int edge_with_config(const struct conf *conf)
{
    const struct daemon_conf *options = role_daemon_conf(conf);
    const struct log_sink_options sink_options = {.target = options->log,
                                                  .fd = STDERR_FILENO,
                                                  .tag = "postern",
                                                  .format = (enum log_format)options->log_format,
                                                  .min_level = (enum log_level)options->log_level};
    struct log_sink sink;
    if (log_sink_open(&sink, &sink_options) != ERR_OK) {
        fprintf(stderr, "postern: syslog: %s\n", strerror(errno));
        return EX_OSERR;
    }
    role_log_start(&sink.log, "edge");
    int status = edge_run(conf, &sink.log);
    log_sink_close(&sink);
    return status;
}

static int run_edge(void)
{
    struct conf conf;
    struct problems problems;
    /* Ctrl-C and hang-up of a terminal reach all its processes; whether the edge ends, the supervisor decides. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (geteuid() == 0) {
        fputs("postern: the role edge never runs as root\n", stderr);
        return EX_OSERR;
    }
    priv_harden_self();
    problems_init(&problems);
    enum err e = config_load_fd(&conf, ROLE_FD_CONFIG, &problems);
    int status = EX_CONFIG;
    if (e || problems.errors > 0) {
        print_problems(&problems);
        fprintf(stderr, "postern: effective configuration: %s\n", e ? err_name(e) : "errors");
    } else {
        status = edge_with_config(&conf);
    }
    conf_release(&conf);
    problems_release(&problems);
    return status;
}

static int run(int argc, char **argv)
{
    struct command command;
    if (!parse_command(argc, argv, &command))
        return EX_USAGE;
    switch (command.action) {
    case ACTION_REFERENCE:
        return print_text(dump_reference);
    case ACTION_EXAMPLE:
        return print_text(conf_dump_example);
    case ACTION_VERSION:
        puts("postern " POSTERN_VERSION);
        return 0;
    case ACTION_HELP:
        fputs(usage_text, stdout);
        fputs(help_text, stdout);
        return 0;
    case ACTION_ROLE:
        return run_edge();
    case ACTION_SERVE:
    case ACTION_CHECK:
    case ACTION_DUMP:
        break;
    }
    return with_config(&command);
}

/* A caller that closed 0, 1 or 2 would have the first file that we open taken for it, and log lines written into it. */
static bool keep_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* What was printed and never written is a failure too. */
int main(int argc, char **argv)
{
    if (!keep_standard_descriptors())
        return EX_OSERR;
    int status = run(argc, argv);
    if (fflush(stdout) == 0 || status != 0)
        return status;
    fprintf(stderr, "postern: standard output: %s\n", strerror(errno));
    return EX_OSERR;
}
