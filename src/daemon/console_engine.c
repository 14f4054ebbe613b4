/* SPDX-License-Identifier: MIT */
/* `engine`: which there are and how they are, loading their signatures anew, switching them off and on. */
#include "daemon/console_commands.h"

const char *console_engine_state(const struct framework_engine *engine, const struct scan_status *s)
{
    static const char *const words[] = {
        [SCAN_ENGINE_LOADING] = "loading", [SCAN_ENGINE_READY] = "ready", [SCAN_ENGINE_FAILED] = "failed"};
    return engine->built ? words[s->state] : "not built";
}

static void engine_list(struct console_call *c)
{
    const struct scan_runtime *r = scan_client_runtime(c->view->scans);
    const struct framework *fw = c->view->framework;
    console_json_open(c, NULL, '{');
    console_json_open(c, "engines", '[');
    console_text(c, "%-16s %-10s %-8s %-10s %10s %12s %10s  %s\n", "ENGINE", "TYPE", "POOL", "STATE", "GENERATION",
                 "DEFINITIONS", "SIGNATURES", "DETAIL");
    for (size_t i = 0; i < fw->engine_count; i++) {
        const struct framework_engine *e = &fw->engines[i];
        unsigned generation;
        const struct scan_status *s = scan_client_status(c->view->scans, i, &generation);
        bool disabled = atomic_load(&r->engines[i].disabled);
        const char *state = console_engine_state(e, s);
        console_text(c, "%-16s %-10s %-8s %-10s %10u %12llu %10llu  %s\n", e->name, e->type, e->pool,
                     disabled ? "disabled" : state, generation, (unsigned long long)s->database_version,
                     (unsigned long long)s->signatures, s->detail);
        console_json_open(c, NULL, '{');
        console_json_str(c, "name", e->name);
        console_json_str(c, "type", e->type);
        console_json_str(c, "pool", e->pool);
        console_json_bool(c, "enabled", !disabled);
        console_json_str(c, "state", state);
        console_json_u64(c, "generation", generation);
        console_json_u64(c, "definitions_version", s->database_version);
        console_json_u64(c, "definitions", s->signatures);
        console_json_str(c, "detail", s->detail);
        console_json_close(c);
    }
    console_call_finish(c);
}

static struct engine_runtime *find_engine(struct console_call *c, const char *name)
{
    struct engine_runtime *e = scan_runtime_find(scan_client_runtime(c->view->scans), name);
    if (!e)
        console_fail(c, "no engine \"%.60s\" is enabled in the configuration; `engine list` lists them", name);
    return e;
}

static size_t count_enabled(const struct scan_runtime *r)
{
    size_t count = 0;
    for (size_t i = 0; i < r->framework->engine_count; i++)
        count += !atomic_load(&r->engines[i].disabled);
    return count;
}

static void engine_switch(struct console_call *c, bool enable)
{
    struct engine_runtime *e = find_engine(c, c->argv[0]);
    if (e) {
        atomic_store(&e->disabled, !enable);
        size_t left = count_enabled(scan_client_runtime(c->view->scans));
        const char *word = enable ? "enabled" : "disabled";
        if (left == 0)
            console_text(c, "%s is %s. No engine is left: every message gets the error code until one is enabled\n",
                         e->engine->name, word);
        else
            console_text(c, "%s is %s, until postern is restarted; %zu of %zu engines are enabled\n", e->engine->name,
                         word, left, c->view->framework->engine_count);
        console_json_open(c, NULL, '{');
        console_json_str(c, "name", e->engine->name);
        console_json_bool(c, "enabled", enable);
        console_json_u64(c, "engines_enabled", left);
    }
    console_call_finish(c);
}

static void engine_enable(struct console_call *c)
{
    engine_switch(c, true);
}

static void engine_disable(struct console_call *c)
{
    engine_switch(c, false);
}

static bool pool_has_database(const struct framework *fw, int pool)
{
    for (size_t i = 0; i < fw->engine_count; i++)
        if (framework_has_database(&fw->engines[i]) && framework_pool_index(fw, fw->engines[i].pool) == pool)
            return true;
    return false;
}

/* The pool that NAME is, or that the engine NAME runs in; -1: the answer says that there is none. */
static int find_pool(struct console_call *c, const char *name)
{
    const struct framework *fw = c->view->framework;
    int pool = framework_pool_index(fw, name);
    for (size_t i = 0; pool < 0 && i < fw->engine_count; i++)
        if (fw->engines[i].built && strcmp(fw->engines[i].name, name) == 0)
            pool = framework_pool_index(fw, fw->engines[i].pool);
    if (pool < 0)
        console_fail(c,
                     "there is no engine or pool \"%.60s\"; `engine list` lists the engines, `threads stats` the pools",
                     name);
    return pool;
}

/* False: the answer says why not. */
static bool reload_pool(struct console_call *c, int pool)
{
    const struct framework *fw = c->view->framework;
    if (c->view->reload(c->view->edge, pool) != ERR_OK) {
        console_fail(c, "pool %s: the supervisor could not be told", fw->pools[pool].name);
        return false;
    }
    console_text(c, "pool %s: loads its signatures anew; `engine list` shows the new generation once it scans\n",
                 fw->pools[pool].name);
    console_json_str(c, NULL, fw->pools[pool].name);
    return true;
}

static void engine_reload(struct console_call *c)
{
    const struct framework *fw = c->view->framework;
    int wanted = c->argc > 0 ? find_pool(c, c->argv[0]) : -1;
    size_t count = 0;
    console_json_open(c, NULL, '{');
    console_json_open(c, "pools", '[');
    for (size_t i = 0; i < fw->pool_count && (c->argc == 0 || wanted >= 0); i++) {
        if ((wanted >= 0 && (size_t)wanted != i) || !pool_has_database(fw, (int)i))
            continue;
        count++;
        if (!reload_pool(c, (int)i))
            break;
    }
    if (count == 0)
        console_fail(c, "nothing to load: %s",
                     wanted < 0 ? "no engine has a signature database of its own"
                                : "no engine of that pool has a signature database of its own");
    console_call_finish(c);
}

static const struct console_command rows[] = {
    {.syntax = "engine list", .help = "the engines, their state and their definitions", .run = engine_list},
    {.syntax = "engine reload [NAME]",
     .help = "load the signatures anew: of all pools, or of one pool or engine",
     .changes = true,
     .run = engine_reload},
    {.syntax = "engine disable NAME",
     .help = "ask this engine no more, until it is enabled or postern is restarted",
     .changes = true,
     .run = engine_disable},
    {.syntax = "engine enable NAME", .help = "ask it again", .changes = true, .run = engine_enable},
};
const struct console_table console_engine_table = CONSOLE_TABLE(rows);
