/* SPDX-License-Identifier: MIT */
/* Options that are accepted, but do nothing where they are written: each is named when the file is read. That an engine
 * or a pool is switched off altogether is said elsewhere, and once. */
#include "base/span.h"
#include "scan/stanza.h"
#include "scan/verdict_cache.h"

/* What clamd's own configuration decides. */
static void warn_daemon_decides(const struct conf_scope *scope, struct problems *problems)
{
    static const struct {
        const char *option, *clamd;
    } rows[] = {{"database", "DatabaseDirectory"},     {"official_only", "OfficialDatabaseOnly"},
                {"alert_encrypted", "AlertEncrypted"}, {"max_scansize", "MaxScanSize"},
                {"max_recursion", "MaxRecursion"},     {"max_files", "MaxFiles"}};
    static const char *const loading[] = {"database_watch", "database_settle", "max_signature_loss"};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (stanza_is_given(scope, rows[i].option))
            problem_warning(problems, scope, rows[i].option, "has no effect with a daemon: %s in clamd.conf counts",
                            rows[i].clamd);
    for (size_t i = 0; i < ARRAY_SIZE(loading); i++)
        if (stanza_is_given(scope, loading[i]))
            problem_warning(problems, scope, loading[i],
                            "has no effect with a daemon, which loads its signatures by itself");
    if (stanza_is_given(scope, "min_signatures"))
        problem_warning(problems, scope, "min_signatures",
                        "has no effect with a daemon, which does not tell how many it has; test_string = required "
                        "tries it before it scans");
}

/* Clean messages are remembered under the signatures that they were clean with, so an engine has to tell them; and a
 * daemon loads others without our knowing. */
static void warn_clean_cache(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    if (!conf->cache_clean)
        return;
    if (conf->cache_size == 0)
        problem_warning(problems, scope, "cache_clean", "has no effect with cache_size = 0");
    else if (scope->class == &kaspersky_class || scope->class == &command_class)
        problem_warning(problems, scope, "cache_clean",
                        "has no effect: this engine does not tell which signatures it has, so a message that was "
                        "clean is scanned again each time");
    else if (stanza_engine_connects(scope))
        problem_warning(problems, scope, "cache_clean",
                        "for up to %u minutes after the daemon has loaded new signatures a message that was clean "
                        "before them may not be scanned again",
                        (unsigned)(VERDICT_CACHE_CLEAN_US / 60000000));
}

/* These engines have no words of their own for it. */
static void warn_pieces(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    static const char *const options[] = {"on_partial", "on_external"};
    bool silent = scope->class == &clamav_class || scope->class == &command_class || scope->class == &kaspersky_class ||
                  scope->class == &fsecure_class;
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (stanza_is_given(scope, options[i]) && !conf->mime_decompose && silent)
            problem_warning(problems, scope, options[i],
                            "has no effect without mime_decompose = true: the engine itself does not tell of such "
                            "messages, and they pass");
}

static void warn_kaspersky(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    static const char *const netscan[] = {"netscan_command", "netscan_framing", "netscan_goahead"};
    static const char *const aveserver[] = {"scan_flags", "suspicious"};
    bool other = conf->protocol != KASPERSKY_AVESERVER;
    for (size_t i = 0; i < ARRAY_SIZE(netscan); i++)
        if (stanza_is_given(scope, netscan[i]) && (other || !conf->daemon_is_remote))
            problem_warning(problems, scope, netscan[i], "has no effect %s",
                            other ? "with protocol http or rest" : "without daemon_is_remote = true");
    for (size_t i = 0; i < ARRAY_SIZE(aveserver); i++)
        if (stanza_is_given(scope, aveserver[i]) && other)
            problem_warning(problems, scope, aveserver[i], "has no effect with protocol http or rest");
}

/* A server that swallows connections uses up its whole time. */
static void warn_no_time_for_the_next(const struct conf_scope *scope, const struct engine_conf *conf,
                                      struct problems *problems)
{
    if (conf->daemon.count > 1 && conf->timeout_ms <= conf->daemon_connect_ms)
        problem_warning(problems, scope, "timeout",
                        "expected more than daemon_connect_timeout (%lldms): when the first daemon does not answer, "
                        "no time is left for the next one",
                        (long long)conf->daemon_connect_ms);
}

void stanza_check_effect(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    bool clamav = scope->class == &clamav_class, connects = stanza_engine_connects(scope);
    warn_clean_cache(scope, conf, problems);
    if (stanza_is_given(scope, "quarantine_reply") && !stanza_quarantines(conf))
        problem_warning(problems, scope, "quarantine_reply",
                        "has no effect: nothing of this engine is put into quarantine: neither action, on_unscannable "
                        "nor an on_REASON says so");
    warn_pieces(scope, conf, problems);
    if (clamav && connects)
        warn_daemon_decides(scope, problems);
    if (clamav && !connects && stanza_is_given(scope, "daemon_connect_timeout"))
        problem_warning(problems, scope, "daemon_connect_timeout", "has no effect without a daemon");
    if (scope->class == &kaspersky_class)
        warn_kaspersky(scope, conf, problems);
    warn_no_time_for_the_next(scope, conf, problems);
}

static bool loads_signatures(const struct conf_scope *engine, const struct engine_conf *conf)
{
    return engine->class == &plugin_class || (conf->database && conf->daemon.count == 0);
}

static bool same_name(const char *a, const char *b)
{
    return span_eq_nocase(span_cstr(a), span_cstr(b));
}

void stanza_check_pool_effect(const struct conf_scope *global, const struct conf_scope *pool, struct problems *problems)
{
    static const char *const reloading[] = {"reload_mode", "reload_retry"};
    const struct conf_scope *engine = NULL;
    bool any = false, named = false, used = false, loads = false;
    while ((engine = stanza_next_engine(global, engine))) {
        const struct engine_conf *conf = &((const struct engine_stanza *)engine->values)->conf;
        bool mine = same_name(stanza_engine_pool(global, engine), pool->name), enabled = stanza_engine_enabled(engine);
        bool inspects =
            (conf->mime_decompose || conf->paranoid) && same_name(stanza_inspection_pool(global), pool->name);
        any = any || enabled;
        named = named || mine || inspects; /* also by an engine that is switched off for now */
        used = used || (mine && enabled);
        loads = loads || (mine && enabled && loads_signatures(engine, conf));
    }
    if (!any || stanza_scan_off(global))
        return;
    if (!named)
        problem_warning(problems, pool, NULL, "has no effect: no engine runs in it");
    for (size_t i = 0; i < ARRAY_SIZE(reloading); i++)
        if (used && !loads && stanza_is_given(pool, reloading[i]))
            problem_warning(problems, pool, reloading[i], "has no effect: no engine in it loads signatures");
}
