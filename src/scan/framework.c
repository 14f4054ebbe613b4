/* SPDX-License-Identifier: MIT */
/* The table of engines and pools, out of the loaded configuration. */
#include "scan/framework.h"
#include "base/num.h"
#include "scan/stanza.h"

enum { POOL_CPU_WORKERS = 4, POOL_OTHER_WORKERS = 50 };

/* The defaults of ThreadPool's rows, for a pool that no stanza describes: numbers, sizes, times, and words, of which
 * the default is the first. */
static struct pool_conf pool_defaults(void)
{
    struct pool_conf conf;
    memset(&conf, 0, sizeof(conf));
    for (size_t i = 0; i < pool_class.row_count; i++) {
        const struct directive *row = &pool_class.rows[i];
        uint64_t value;
        enum err e = row->type == DIRECTIVE_DURATION
                         ? num_parse_duration_ms(span_cstr(row->default_text), INT64_MAX, &value)
                         : num_parse_size(span_cstr(row->default_text), INT64_MAX, &value);
        if (e == ERR_OK) {
            int64_t number = (int64_t)value;
            memcpy((char *)&conf + row->offset, &number, sizeof(number));
        }
    }
    return conf;
}

int framework_pool_index(const struct framework *fw, const char *name)
{
    for (size_t i = 0; i < fw->pool_count; i++)
        if (span_eq_nocase(span_cstr(fw->pools[i].name), span_cstr(name)))
            return (int)i;
    return -1;
}

bool stanza_quarantines(const struct engine_conf *conf)
{
    bool found = conf->action == ON_INFECTED_QUARANTINE;
    for (int r = 0; r < VERDICT_REASON_COUNT; r++)
        found = found || (verdict_reason_class((enum verdict_reason)r) == VERDICT_UNSCANNABLE &&
                          framework_on_unscannable(conf, (enum verdict_reason)r) == ON_UNSCANNABLE_QUARANTINE);
    return found;
}

bool framework_quarantines(const struct framework *fw)
{
    bool found = false;
    for (size_t i = 0; i < fw->engine_count && !fw->scan_off; i++)
        found = found || stanza_quarantines(fw->engines[i].conf);
    return found;
}

bool framework_is_plugin(const struct framework_engine *engine)
{
    return strcmp(engine->type, plugin_class.name) == 0;
}

bool framework_pool_is_plugins(const struct framework *fw, const char *pool)
{
    for (size_t i = 0; i < fw->engine_count; i++)
        if (framework_is_plugin(&fw->engines[i]) && strcmp(fw->engines[i].pool, pool) == 0)
            return true;
    return false;
}

const char *framework_stem(const struct framework_engine *engine)
{
    return framework_is_plugin(engine) ? engine->name : engine->type;
}

void framework_script_name(const char *stem, char out[FRAMEWORK_SCRIPT_NAME])
{
    if (strcmp(stem, "fsecure") == 0) /* the one exception */
        stem = "f_secure";
    snprintf(out, FRAMEWORK_SCRIPT_NAME, "%.*s_avscan", LIMIT_ENGINE_NAME, stem);
    for (char *c = out; *c; c++)
        if (!char_is_alnum(*c))
            *c = '_';
}

bool framework_inspects(const struct framework_engine *engine)
{
    return engine->built && (engine->conf->mime_decompose || engine->conf->paranoid);
}

bool framework_has_database(const struct framework_engine *engine)
{
    if (framework_is_plugin(engine))
        return true;
    return engine->built && engine->conf->database && engine->conf->daemon.count == 0;
}

bool framework_is_command(const struct framework_engine *engine)
{
    return strcmp(engine->type, command_class.name) == 0;
}

static bool has_scanners(const struct framework_engine *engine)
{
    bool csapi = strcmp(engine->type, csapi_class.name) == 0 && engine->conf->daemon.count == 0;
    return engine->built && (csapi || framework_is_command(engine));
}

int64_t framework_max_concurrency(const struct framework_engine *engine)
{
    int64_t given = engine->conf->max_concurrency;
    return given != 0 || !has_scanners(engine) ? given : framework_is_command(engine) ? COMMAND_RUNNERS : 1;
}

unsigned framework_scanners(const struct framework *fw, const char *pool)
{
    unsigned count = 0;
    for (size_t i = 0; i < fw->engine_count; i++)
        if (has_scanners(&fw->engines[i]) && strcmp(fw->engines[i].pool, pool) == 0)
            count += (unsigned)framework_max_concurrency(&fw->engines[i]);
    return count;
}

static void framework_add_pool(struct framework *fw, const struct conf_scope *global, const char *name)
{
    if (framework_pool_index(fw, name) >= 0)
        return;
    struct framework_pool *pool = &fw->pools[fw->pool_count++];
    const struct conf_scope *scope = stanza_pool(global, name);
    const struct pool_conf *values = scope ? scope->values : NULL;
    pool->name = name;
    pool->conf = values ? *values : pool_defaults();
    if (pool->conf.concurrency == 0)
        pool->conf.concurrency = span_eq_nocase(span_cstr(name), SPAN("CPU")) || framework_pool_is_plugins(fw, name)
                                     ? POOL_CPU_WORKERS
                                     : POOL_OTHER_WORKERS;
}

void framework_init(struct framework *fw, const struct conf_scope *global)
{
    const struct conf_scope *scope = NULL;
    bool inspects = false;
    memset(fw, 0, sizeof(*fw));
    fw->scan_off = stanza_scan_off(global);
    fw->all = stanza_all(global);
    while ((scope = stanza_next_engine(global, scope)) && fw->engine_count < LIMIT_ENGINES) {
        if (!stanza_engine_enabled(scope))
            continue;
        const struct engine_stanza *values = scope->values;
        struct framework_engine *engine = &fw->engines[fw->engine_count++];
        *engine = (struct framework_engine){
            .name = stanza_engine_name(scope),
            .type = scope->class->name,
            .pool = stanza_engine_pool(global, scope),
            .built = stanza_engine_built(scope),
            .conf = &values->conf,
            .scope = scope,
        };
        if (engine->built)
            framework_add_pool(fw, global, engine->pool);
        inspects = inspects || framework_inspects(engine);
    }
    if (inspects) /* maybe without any engine of its own */
        framework_add_pool(fw, global, stanza_inspection_pool(global));
    fw->inspection_pool = inspects ? framework_pool_index(fw, stanza_inspection_pool(global)) : -1;
}

/* Octets of a message that ENGINE looks at, and the option that says so; 0: no limit. */
static int64_t size_limit_of(const struct conf_scope *scope, const char **option)
{
    const struct engine_conf *conf = &((const struct engine_stanza *)scope->values)->conf;
    bool asks = conf->daemon.count > 0; /* the rest is up to its own configuration */
    int64_t file = conf->max_filesize, all = asks ? 0 : conf->max_scansize;
    bool scanner = scope->class == &csapi_class && !asks;
    if (scanner) {
        file = conf->scanner.max_extract_size ? conf->scanner.max_extract_size : SCANNER_FILE_SIZE;
        all = conf->scanner.max_cumulative_extract_size ? conf->scanner.max_cumulative_extract_size
                                                        : SCANNER_CUMULATIVE_SIZE;
    }
    bool by_file = file > 0 && (all == 0 || file <= all);
    *option = by_file ? (scanner ? "max_extract_size" : "max_filesize")
                      : (scanner ? "max_cumulative_extract_size" : "max_scansize");
    return by_file ? file : all;
}

int64_t framework_size_limit(const struct conf_scope *global, const char **engine, const char **option)
{
    int64_t smallest = 0;
    if (stanza_scan_off(global))
        return 0;
    for (const struct conf_scope *scope = NULL; (scope = stanza_next_engine(global, scope));) {
        const char *by;
        int64_t limit = size_limit_of(scope, &by);
        if (!stanza_engine_enabled(scope) || limit == 0 || (smallest > 0 && limit >= smallest))
            continue;
        smallest = limit;
        *engine = stanza_engine_name(scope);
        *option = by;
    }
    return smallest;
}

const char *framework_skips(const struct conf_scope *global, const char *variable)
{
    static const char bypass[] = "__bypass_";
    const char *rest = strncmp(variable, bypass, sizeof(bypass) - 1) == 0 ? variable + sizeof(bypass) - 1 : NULL;
    if (stanza_scan_off(global))
        return NULL;
    for (const struct conf_scope *scope = NULL; (scope = stanza_next_engine(global, scope));) {
        const struct engine_conf *conf = &((const struct engine_stanza *)scope->values)->conf;
        const char *name = stanza_engine_name(scope);
        bool skips = conf->skip_context_variable && strcmp(conf->skip_context_variable, variable) == 0;
        if (rest)
            skips = skips || strcmp(rest, name) == 0 || strcmp(rest, scope->class->name) == 0;
        if (stanza_engine_enabled(scope) && skips)
            return name;
    }
    return NULL;
}
