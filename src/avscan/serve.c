/* SPDX-License-Identifier: MIT */
/* Load, lock in, say READY, scan. It leaves by _exit: in the cage there is nothing to tidy up. */
#include "avscan/serve.h"
#include "avscan/report.h"
#include "scan/engine/engine.h"
#include "scan/engine/scanner_line.h"
#include "scan/host/sandbox.h"
#include "scan/host/workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

struct server {
    const struct avscan_options *options;
    void *engine;
    int temp; /* descriptor of its directory */
    struct scanner_line host;
};

static _Noreturn void refuse(struct server *s, const char *why)
{
    fprintf(stderr, "postern-avscan: %s\n", why);
    scanner_line_refuse(&s->host, why);
}

/* The strict cage, with the limits that are there already: those of the profile exec. */
static enum err lock_in(struct server *s, struct errtext *why)
{
    const char *temp = getenv("TMPDIR");
    struct sandbox_level level;
    if (!temp || temp[0] != '/') {
        errtext_set(why, "TMPDIR: expected an absolute path");
        return ERR_SYNTAX;
    }
    s->temp = open(temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (s->temp < 0) {
        errtext_set(why, "TMPDIR %.300s: %s", temp, strerror(errno));
        return ERR_IO;
    }
    enum err e = engine_clamav.worker_start(s->engine, temp, why);
    const struct sandbox box = {.temp = temp,
                                .limits = {.memory = RLIM_INFINITY, .stack = RLIM_INFINITY, .temp = RLIM_INFINITY}};
    return e == ERR_OK ? sandbox_enter(&box, &level, why) : e;
}

static void scan(void *arg, const struct scanner_request *request, int fd)
{
    struct server *s = arg;
    struct verdict v;
    struct scanner_result result;
    uint64_t time_ms = avscan_time_ms(s->options, request->time_ms);
    engine_clamav.scan(s->engine, fd, request->size, time_ms, &v);
    close(fd);
    if (workspace_clean(s->temp) != ERR_OK)
        _exit(EXIT_FAILURE); /* the next process gets an empty directory or does not start */
    avscan_report(&v, request->id, time_ms < request->time_ms, &result);
    if (v.class != VERDICT_CLEAN)
        printf("%s %s%s%s%s%s\n", verdict_class_word(v.class), result.codes[0], v.name[0] ? ": " : "", v.name,
               v.detail[0] ? ": " : "", v.detail);
    scanner_line_answer(&s->host, &result);
}

_Noreturn void avscan_serve(const struct avscan_options *o)
{
    struct server s = {.options = o, .temp = -1};
    struct engine_conf conf;
    struct engine_info info;
    struct errtext why = {""};
    scanner_line_init(&s.host);
    setvbuf(stdout, NULL, _IOLBF, 0);
    avscan_engine_conf(o, &conf);
    if (engine_clamav.open(&conf, &s.engine, &info, &why) != ERR_OK)
        refuse(&s, why.text);
    if (lock_in(&s, &why) != ERR_OK)
        refuse(&s, why.text);
    struct scanner_ready ready = {.definitions = info.database_version, .signatures = info.signatures};
    snprintf(ready.text, sizeof(ready.text), "postern-avscan " POSTERN_VERSION " with %.100s", info.version);
    verdict_copy_text(ready.missing, sizeof(ready.missing), span_cstr(info.missing));
    printf("%s, definitions %llu, %llu signatures\n", ready.text, (unsigned long long)ready.definitions,
           (unsigned long long)ready.signatures);
    scanner_line_ready(&s.host, &ready);
    scanner_line_serve(scan, &s);
}
