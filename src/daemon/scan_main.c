/* SPDX-License-Identifier: MIT */
/* The program postern-scan: one pool's scan host, started by the supervisor with the descriptors of role.h. It loads
 * its part of the configuration and hands over to scan/host. It links neither the proxy nor anything that speaks to a
 * network. The program postern-plugin is the same with another list of engines (src/plugin). */
#include "base/mem.h"
#include "base/num.h"
#include "daemon/config.h"
#include "daemon/log_sink.h"
#include "daemon/scanner_files.h"
#include "scan/host/host.h"
#include "sys/autogroup.h"
#include "sys/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef POSTERN_PLUGIN_HOST
#define PROGRAM "postern-plugin"
#else
#define PROGRAM "postern-scan"
#endif

/* This program's classes. The supervisor has checked the whole configuration; what belongs to others is passed over. */
static const struct scope_class *const classes[] = {
    &daemon_class,
#define SCAN_STANZA(symbol)              &(symbol),
#define SCAN_ENGINE(symbol, pool, built) &(symbol),
#include "scan/stanza.def"
#undef SCAN_STANZA
#undef SCAN_ENGINE
};
const struct conf_classes daemon_classes = {.items = classes, .count = ARRAY_SIZE(classes), .partial = true};

static const char usage[] = PROGRAM
    ": the scan host of one thread pool. It is started by postern, not by hand.\n"
    "usage: " PROGRAM " --pool NAME --temp DIRECTORY [--generation NUMBER] [--replaces] [--tmpfs] [--scanner "
    "E:P:L]... [--origin FILE:LINE]\n"
    "       " PROGRAM " --version\n"
    "Descriptors: 3 the effective configuration, 4 the control socket of the supervisor, others as --scanner says.\n";

struct arguments {
    const char *pool, *temp, *origin;
    uint64_t generation;
    bool tmpfs, replaces, version;
    int session; /* sys/autogroup.h */
    struct scan_host_scanner scanners[LIMIT_ENGINES];
};

static bool parse_arguments(int argc, char **argv, struct arguments *out)
{
    static const struct option options[] = {{"pool", required_argument, NULL, 'p'},
                                            {"temp", required_argument, NULL, 't'},
                                            {"tmpfs", no_argument, NULL, 'm'},
                                            {"generation", required_argument, NULL, 'g'},
                                            {"replaces", no_argument, NULL, 'r'},
                                            {"scanner", required_argument, NULL, 's'},
                                            {"origin", required_argument, NULL, 'o'},
                                            {"version", no_argument, NULL, 'v'},
                                            {0}};
    *out = (struct arguments){0};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'p':
            out->pool = optarg;
            break;
        case 't':
            out->temp = optarg;
            break;
        case 'm':
            out->tmpfs = true;
            break;
        case 'g':
            if (num_parse_u64(span_cstr(optarg), UINT32_MAX, &out->generation) != ERR_OK)
                return false;
            break;
        case 'r':
            out->replaces = true;
            break;
        case 's': {
            size_t engine;
            struct scan_host_scanner given;
            if (!scanner_files_read(optarg, &engine, &given.program, &given.log))
                return false;
            out->scanners[engine] = given;
            break;
        }
        case 'o':
            out->origin = optarg;
            break;
        case 'v':
            out->version = true;
            break;
        default:
            return false;
        }
    }
    return optind == argc && (out->version || (out->pool && out->temp));
}

static void print_problems(const struct problems *problems)
{
    for (const struct problem *p = problems->first; p; p = p->next)
        if (p->severity == PROBLEM_ERROR)
            fprintf(stderr, PROGRAM ": %s\n", p->text);
}

static int run_pool(const struct arguments *a, const struct conf *conf, const struct log *log)
{
    struct framework *fw = MEM_NEW(struct framework);
    if (!fw) {
        log_text(log, LOG_SHORTAGE, "reason", PROGRAM ": no memory for the list of engines");
        return EXIT_FAILURE;
    }
    framework_init(fw, conf->global);
    int pool = framework_pool_index(fw, a->pool);
    int status = EXIT_FAILURE;
    if (pool < 0) {
        log_text(log, LOG_CONFIG, "reason", PROGRAM ": no engine uses a pool \"%s\"", a->pool);
    } else {
        struct scan_host_options o = {.framework = fw,
                                      .pool_index = (size_t)pool,
                                      .control_fd = ROLE_FD_CONTROL,
                                      .temp_base = a->temp,
                                      .temp_is_tmpfs = a->tmpfs,
                                      .replaces = a->replaces,
                                      .session = a->session,
                                      .generation = (unsigned)a->generation,
                                      .scanners = a->scanners,
                                      .origin = a->origin,
                                      .log = log};
        status = scan_host_run(&o);
        log_text(log, LOG_STOP, "reason", "the scan host of pool %s ends", a->pool);
    }
    mem_free(fw);
    return status;
}

/* Standard error; in the host of a plug-in a descriptor of its own, as the library gets another standard error. */
static int log_descriptor(void)
{
#ifdef POSTERN_PLUGIN_HOST
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, ROLE_FD_SCANNERS);
    return fd < 0 ? STDERR_FILENO : fd;
#else
    return STDERR_FILENO;
#endif
}

static int run(const struct arguments *a)
{
    struct conf conf;
    struct problems problems;
    struct log_sink sink;
    problems_init(&problems);
    enum err e = config_load_fd(&conf, ROLE_FD_CONFIG, &problems);
    close(ROLE_FD_CONFIG);
    int status = EXIT_FAILURE;
    if (e != ERR_OK || problems.errors > 0) {
        print_problems(&problems);
        fprintf(stderr, PROGRAM ": the configuration at descriptor %d cannot be used (%s, %zu errors)\n",
                ROLE_FD_CONFIG, err_name(e), problems.errors);
    } else {
        const struct daemon_conf *d = conf_child(conf.global, &daemon_class, NULL)->values;
        struct log_sink_options o = {.target = d->log,
                                     .fd = log_descriptor(),
                                     .tag = PROGRAM,
                                     .format = (enum log_format)d->log_format,
                                     .min_level = (enum log_level)d->log_level};
        if (log_sink_open(&sink, &o) == ERR_OK) {
            struct log_record r;
            log_begin(&r, &sink.log, LOG_START);
            log_cstr(&r, "version", POSTERN_VERSION);
            log_cstr(&r, "role", "scan");
            log_cstr(&r, "pool", a->pool);
            log_u64(&r, "generation", a->generation);
            log_u64(&r, "pid", (uint64_t)getpid());
            log_u64(&r, "uid", geteuid());
            log_end(&r);
            status = run_pool(a, &conf, &sink.log);
            log_sink_close(&sink);
        } else {
            fprintf(stderr, PROGRAM ": the log cannot be opened: %s\n", strerror(errno));
        }
    }
    conf_release(&conf);
    problems_release(&problems);
    return status;
}

int main(int argc, char **argv)
{
    struct arguments a;
    struct stat st;
    if (!parse_arguments(argc, argv, &a)) {
        fputs(usage, stderr);
        return 2;
    }
    if (a.version) {
        puts(PROGRAM " " POSTERN_VERSION);
        return EXIT_SUCCESS;
    }
    if (fstat(ROLE_FD_CONTROL, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        fprintf(stderr, PROGRAM ": descriptor %d is not a control socket\n%s", ROLE_FD_CONTROL, usage);
        return 2;
    }
    a.session = a.replaces ? autogroup_open() : -1;
    priv_harden_self();
    int status = run(&a);
#ifdef POSTERN_PLUGIN_HOST
    /* Destructors of a vendor's library do not run: nothing of it can hold up the end. */
    _exit(status);
#else
    return status;
#endif
}
