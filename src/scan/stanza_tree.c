/* SPDX-License-Identifier: MIT */
/* Reading the loaded configuration tree: which engines it holds, in file order, and in which pools they run. */
#include "base/span.h"
#include "scan/stanza.h"

/* The first engine among SCOPE, a child of the global scope, its later siblings, and what stands in antivirus scopes.
 */
static const struct conf_scope *first_engine_from(const struct conf_scope *scope)
{
    for (; scope; scope = scope->next) {
        if (engine_kind_find(scope->class))
            return scope;
        if (scope->class != &antivirus_class)
            continue;
        for (const struct conf_scope *inner = scope->first_child; inner; inner = inner->next)
            if (engine_kind_find(inner->class))
                return inner;
    }
    return NULL;
}

const struct conf_scope *stanza_next_engine(const struct conf_scope *global, const struct conf_scope *previous)
{
    if (!previous)
        return first_engine_from(global->first_child);
    if (previous->parent == global)
        return first_engine_from(previous->next);
    for (const struct conf_scope *inner = previous->next; inner; inner = inner->next)
        if (engine_kind_find(inner->class))
            return inner;
    return first_engine_from(previous->parent->next);
}

const char *stanza_engine_name(const struct conf_scope *engine)
{
    return engine->name ? engine->name : engine->class->name;
}

/* The scope at top level that stands for all engines of CLASS, or NULL. */
static const struct conf_scope *engine_module(const struct conf_scope *global, const struct scope_class *class)
{
    static const struct scope_class *const modules[] = {&clamav_module_class, &kaspersky_module_class,
                                                        &fsecure_module_class, &csapi_module_class};
    for (size_t i = 0; i < ARRAY_SIZE(modules); i++)
        if (span_eq(span_cstr(modules[i]->name), span_cstr(class->name)))
            return conf_child(global, modules[i], NULL);
    return NULL;
}

bool stanza_engine_enabled(const struct conf_scope *global, const struct conf_scope *engine)
{
    const struct engine_stanza *values = engine->values;
    const struct conf_scope *module = engine_module(global, engine->class);
    const struct engine_module_conf *all = module ? module->values : NULL;
    return values->conf.enabled && (!all || all->enabled);
}

bool stanza_engine_built(const struct conf_scope *engine)
{
    const struct engine_stanza *values = engine->values;
    /* clamav with a daemon is the clamd engine, which is not there yet: libclamav must not silently scan in its place.
     */
    return engine_kind_find(engine->class)->built && !values->conf.daemon;
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
    const char *name = values->conf.pool ? values->conf.pool : engine_kind_find(engine->class)->pool;
    const struct conf_scope *pool = stanza_pool(global, name);
    if (pool)
        return pool->name;
    for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
        if (span_eq_nocase(span_cstr(builtin[i]), span_cstr(name)))
            return builtin[i];
    return name;
}

bool stanza_scan_off(const struct conf_scope *global)
{
    const struct conf_scope *scope = conf_child(global, &scan_class, NULL);
    const struct scan_conf *values = scope ? scope->values : NULL;
    return values && !values->scan;
}
