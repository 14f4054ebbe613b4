/* SPDX-License-Identifier: MIT */
/* Reading the loaded configuration tree: which engines it holds, in file order, and in which pools they run. */
#include "base/span.h"
#include "scan/stanza.h"

/* SCOPE or the first of its later siblings that is an engine's. */
static const struct conf_scope *engine_from(const struct conf_scope *scope)
{
    while (scope && !engine_kind_find(scope->class))
        scope = scope->next;
    return scope;
}

const struct conf_scope *stanza_next_engine(const struct conf_scope *global, const struct conf_scope *previous)
{
    const struct conf_scope *engine = previous ? engine_from(previous->next) : NULL;
    const struct conf_scope *antivirus = previous ? previous->parent : NULL;
    while (!engine && (antivirus = conf_child(global, &antivirus_class, antivirus)))
        engine = engine_from(antivirus->first_child);
    return engine;
}

const char *stanza_engine_name(const struct conf_scope *engine)
{
    return engine->name ? engine->name : engine->class->name;
}

const char *stanza_engine_stem(const struct conf_scope *engine)
{
    return engine->class == &plugin_class ? stanza_engine_name(engine) : engine->class->name;
}

bool stanza_engine_enabled(const struct conf_scope *engine)
{
    const struct engine_stanza *values = engine->values;
    return values->conf.enabled;
}

bool stanza_engine_built(const struct conf_scope *engine)
{
    return engine_kind_find(engine->class)->built;
}

bool stanza_engine_connects(const struct conf_scope *engine)
{
    const struct engine_stanza *values = engine->values;
    return values->conf.daemon.count > 0;
}

const struct conf_scope *stanza_pool(const struct conf_scope *global, const char *name)
{
    const struct conf_scope *pool = NULL;
    while ((pool = conf_child(global, &pool_class, pool)))
        if (pool->name && span_eq_nocase(span_cstr(pool->name), span_cstr(name)))
            return pool;
    return NULL;
}

const char *stanza_engine_pool(const struct conf_scope *global, const struct conf_scope *engine)
{
    static const char *const builtin[] = {"CPU", "IO"};
    const struct engine_stanza *values = engine->values;
    const char *usual = stanza_engine_connects(engine) ? "IO" : engine_kind_find(engine->class)->pool;
    if (engine->class == &plugin_class) /* a host of its own, so a pool of its own */
        usual = stanza_engine_name(engine);
    const char *name = values->conf.pool ? values->conf.pool : usual;
    const struct conf_scope *pool = stanza_pool(global, name);
    if (pool)
        return pool->name;
    for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
        if (span_eq_nocase(span_cstr(builtin[i]), span_cstr(name)))
            return builtin[i];
    return name;
}

const char *stanza_inspection_pool(const struct conf_scope *global)
{
    const struct conf_scope *pool = stanza_pool(global, "CPU");
    return pool ? pool->name : "CPU";
}

bool stanza_all(const struct conf_scope *global)
{
    const struct conf_scope *antivirus = NULL;
    bool all = false;
    while ((antivirus = conf_child(global, &antivirus_class, antivirus)))
        all = all || ((const struct antivirus_conf *)antivirus->values)->all;
    return all;
}

bool stanza_scan_off(const struct conf_scope *global)
{
    const struct conf_scope *scope = conf_child(global, &scan_class, NULL);
    const struct scan_conf *values = scope ? scope->values : NULL;
    return values && !values->scan;
}
