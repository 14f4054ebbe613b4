/* SPDX-License-Identifier: MIT */
/* What is particular to a vendor's plug-in: its library, a scan host that nobody shares, the cage that its stanza
 * widens, and the name by which scripts will call it. The library itself is not looked at: a check loads nothing. */
#include "base/num.h"
#include "scan/ignore.h"
#include "scan/stanza.h"

enum { PORTS_MAX = 128, READ_MAX = 32 }; /* of engine.h and sandbox.h */

static const struct conf_scope *global_of(const struct conf_scope *scope)
{
    while (scope->parent)
        scope = scope->parent;
    return scope;
}

static const char *stem_of(const struct conf_scope *engine)
{
    return engine->class == &plugin_class ? stanza_engine_name(engine) : engine->class->name;
}

/* The next engine after PREVIOUS with which SCOPE may have nothing in common. Of two plug-ins the later one hears of
 * it.
 */
static const struct conf_scope *next_rival(const struct conf_scope *scope, const struct conf_scope *previous)
{
    const struct conf_scope *global = global_of(scope), *other = NULL;
    bool behind_previous = previous == NULL, behind_scope = false;
    while ((other = stanza_next_engine(global, other))) {
        bool counts = stanza_engine_enabled(other) && stanza_engine_built(other) && other != scope &&
                      (other->class != &plugin_class || !behind_scope);
        if (behind_previous && counts)
            return other;
        behind_previous = behind_previous || other == previous;
        behind_scope = behind_scope || other == scope;
    }
    return NULL;
}

/* A vendor's code never runs beside another's, nor beside libclamav. */
static void check_alone(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    const struct conf_scope *global = global_of(scope), *other = NULL;
    const char *pool = stanza_engine_pool(global, scope), *const option = conf->pool ? "pool" : NULL;
    if (span_eq_nocase(span_cstr(pool), SPAN("CPU")) || span_eq_nocase(span_cstr(pool), SPAN("IO"))) {
        problem_error(
            problems, scope, option,
            "the pool %s is for postern's own engines: a plug-in has a scan host of its own; leave pool out, or "
            "name a ThreadPool that no other engine uses%s",
            pool, option ? "" : ", as the plug-in's own name cannot be that of its pool");
        return;
    }
    while ((other = next_rival(scope, other)))
        if (strcmp(stanza_engine_pool(global, other), pool) == 0) {
            problem_error(
                problems, scope, conf->pool ? "pool" : NULL,
                "it shares the pool %s with %s: a plug-in has a scan host of its own; leave pool out in both, "
                "or name a ThreadPool that no other engine uses",
                pool, stanza_engine_name(other));
            return;
        }
}

static void check_script_name(const struct conf_scope *scope, struct problems *problems)
{
    const struct conf_scope *other = NULL;
    char mine[FRAMEWORK_SCRIPT_NAME], its[FRAMEWORK_SCRIPT_NAME];
    framework_script_name(stem_of(scope), mine);
    while ((other = next_rival(scope, other))) {
        framework_script_name(stem_of(other), its);
        if (span_eq_nocase(span_cstr(mine), span_cstr(its))) {
            problem_error(problems, scope, NULL,
                          "scripts would call it %s, as they do %s \"%s\" at %s:%u: give it another name", mine,
                          other->class->name, stanza_engine_name(other), other->file ? other->file : "", other->line);
            return;
        }
    }
}

static void check_ports(const struct conf_scope *scope, const struct conf_list *ports, struct problems *problems)
{
    if (ports->count > PORTS_MAX)
        problem_error(problems, scope, "allow_ports", "at most %d ports are possible", PORTS_MAX);
    for (size_t i = 0; i < ports->count; i++) {
        uint64_t port;
        if (num_parse_u64(span_cstr(ports->items[i]), UINT16_MAX, &port) != ERR_OK || port == 0)
            problem_error(problems, scope, "allow_ports", "%.40s: expected a port from 1 to 65535", ports->items[i]);
    }
}

static void check_paths(const struct conf_scope *scope, const struct conf_list *paths, struct problems *problems)
{
    if (paths->count > READ_MAX)
        problem_error(problems, scope, "allow_read", "at most %d files and directories are possible", READ_MAX);
    for (size_t i = 0; i < paths->count; i++)
        if (paths->items[i][0] != '/')
            problem_error(problems, scope, "allow_read", "%.200s: expected an absolute path", paths->items[i]);
}

static void check_cage(const struct conf_scope *scope, const struct plugin_conf *conf, struct problems *problems)
{
    const struct {
        const char *option;
        bool used;
    } rows[] = {
        {"allow_ports", conf->allow_ports.count > 0},
        {"allow_unix_sockets", conf->allow_unix_sockets},
        {"allow_read", conf->allow_read.count > 0},
        {"allow_executable_memory", conf->allow_executable_memory},
    };
    bool any = false;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        any = any || rows[i].used;
        if (rows[i].used && conf->sandbox != PLUGIN_SANDBOX_VENDOR)
            problem_error(problems, scope, rows[i].option, "the cage strict cannot be widened: write sandbox = vendor");
    }
    if (!any && conf->sandbox == PLUGIN_SANDBOX_VENDOR)
        problem_warning(problems, scope, "sandbox", "no allow_… option says what for, so it is the same as strict");
    check_ports(scope, &conf->allow_ports, problems);
    check_paths(scope, &conf->allow_read, problems);
}

/* What else is in the message, postern cannot ask. */
static void check_ignored_names(const struct conf_scope *scope, const struct conf_list *ignored,
                                struct problems *problems)
{
    bool good;
    for (size_t i = 0; i < ignored->count; i++)
        if (!ignore_is_digest(ignored->items[i], &good) && !ignore_is_paranoid(ignored->items[i])) {
            problem_error(problems, scope, "ignore_signatures",
                          "a plug-in gives one name, so a virus behind %.80s would pass: only sha256: is possible",
                          ignored->items[i]);
            return;
        }
}

void stanza_check_plugin(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    if (conf->plugin.library && conf->plugin.library[0] != '/')
        problem_error(problems, scope, "library", "expected an absolute path");
    if (conf->database && conf->database[0] != '/')
        problem_error(problems, scope, "database", "expected an absolute path");
    check_alone(scope, conf, problems);
    check_script_name(scope, problems);
    check_cage(scope, &conf->plugin, problems);
    check_ignored_names(scope, &conf->ignore_signatures, problems);
}
