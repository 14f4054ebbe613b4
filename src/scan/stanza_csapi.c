/* SPDX-License-Identifier: MIT */
/* What the rows alone cannot say about csapi: its scanner program, how many processes of it, and what has no effect. */
#include "base/span.h"
#include "scan/ignore.h"
#include "scan/stanza.h"

static void check_absolute(const struct conf_scope *scope, const char *option, const char *path,
                           struct problems *problems)
{
    if (path && path[0] != '/')
        problem_error(problems, scope, option, "expected an absolute path");
}

/* The workers of its pool. */
static int64_t workers_of(const struct conf_scope *scope)
{
    const struct conf_scope *global = scope, *pool;
    while (global->parent)
        global = global->parent;
    const char *name = stanza_engine_pool(global, scope);
    pool = stanza_pool(global, name);
    int64_t given = pool ? ((const struct pool_conf *)pool->values)->concurrency : 0;
    return given != 0 ? given : span_eq_nocase(span_cstr(name), SPAN("CPU")) ? 4 : 50;
}

static void check_processes(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    int64_t workers = workers_of(scope);
    if (conf->max_concurrency == 0)
        problem_warning(problems, scope, NULL,
                        "max_concurrency is not given: one scanner process, so its messages are scanned one at a time");
    else if (conf->max_concurrency <= workers)
        problem_warning(problems, scope, "max_concurrency",
                        "expected more scanner processes than its pool has workers (%lld), so that one is free "
                        "whenever a worker asks, also while another is started again",
                        (long long)workers);
}

static void warn_without_effect(const struct conf_scope *scope, const char *const *options, const char *why,
                                struct problems *problems)
{
    for (; *options; options++)
        if (stanza_is_given(scope, *options))
            problem_warning(problems, scope, *options, "has no effect %s", why);
}

void stanza_check_csapi(const struct conf_scope *scope, const struct engine_stanza *values, struct problems *problems)
{
    static const char *const programs[] = {"scanner_path",
                                           "scanner_log",
                                           "update_interval",
                                           "max_extract_depth",
                                           "max_extract_size",
                                           "max_cumulative_extract_size",
                                           "max_extract_time",
                                           "max_file_count",
                                           "database",
                                           "max_signature_loss",
                                           "min_signatures",
                                           "official_only",
                                           NULL};
    static const char *const daemons[] = {"daemon_connect_timeout", "max_filesize", NULL};
    const struct engine_conf *conf = &values->conf;
    bool good;
    if (values->idle.prefer_mem)
        problem_warning(problems, scope, "prefer_mem", "never had an effect");
    for (size_t i = 0; i < conf->ignore_signatures.count; i++)
        if (!ignore_is_digest(conf->ignore_signatures.items[i], &good) &&
            !ignore_is_paranoid(conf->ignore_signatures.items[i])) {
            problem_error(problems, scope, "ignore_signatures",
                          "the scanner stops at the first name, so a virus behind %s would pass: only sha256: is "
                          "possible; write the name into an *.ign2 file in its directory of definitions",
                          conf->ignore_signatures.items[i]);
            break;
        }
    if (stanza_engine_connects(scope)) {
        warn_without_effect(scope, programs, "with a daemon: its own configuration counts", problems);
        return;
    }
    warn_without_effect(scope, daemons, "without a daemon", problems);
    check_absolute(scope, "scanner_path", conf->scanner.path, problems);
    check_absolute(scope, "scanner_log", conf->scanner.log, problems);
    check_processes(scope, conf, problems);
}
