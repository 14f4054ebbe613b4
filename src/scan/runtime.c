/* SPDX-License-Identifier: MIT */
/* Counters of engines. Relaxed order: they are statistics, nothing is decided by them. */
#include "scan/runtime.h"
#include "base/mem.h"
#include "sys/clock.h"
#include "sys/rng.h"

/* The longest pause between two probes, unless `probe_interval` is longer: after an outage mail waits no longer than
 * this once the engine is back. */
enum { PROBE_PAUSE_MAX_MS = 60 * 1000 };

static struct health_conf health_conf_of(const struct framework_engine *engine)
{
    const struct engine_conf *conf = engine->conf;
    bool required = conf->test_string == TEST_STRING_REQUIRED;
    int64_t most = conf->probe_interval_ms > PROBE_PAUSE_MAX_MS ? conf->probe_interval_ms : PROBE_PAUSE_MAX_MS;
    return (struct health_conf){.failures = (unsigned)conf->breaker_failures,
                                .interval_us = (uint64_t)conf->probe_interval_ms * 1000,
                                .interval_max_us = (uint64_t)most * 1000,
                                .pattern_ignored = conf->test_string == TEST_STRING_IGNORED,
                                .pattern_required = required,
                                /* signatures that a scan host loads are tried by its canary */
                                .untried = required && engine->built && !framework_has_database(engine)};
}

/* False: no memory. */
static bool runtime_add_cache(struct engine_runtime *e)
{
    const struct engine_conf *conf = e->engine->conf;
    if (conf->cache_size <= 0 || !e->engine->built)
        return true;
    uint64_t key[VERDICT_CACHE_KEYS];
    const struct verdict_cache_conf wanted = {.capacity = (size_t)conf->cache_size,
                                              .clean = conf->cache_clean,
                                              .generations = framework_has_database(e->engine)};
    rng_bytes(key, sizeof(key));
    e->cache = verdict_cache_new(&wanted, key);
    return e->cache != NULL;
}

struct scan_runtime *scan_runtime_new(const struct framework *fw)
{
    struct scan_runtime *r = MEM_NEW(struct scan_runtime);
    bool complete = r != NULL;
    if (!r)
        return NULL;
    r->framework = fw;
    for (size_t i = 0; i < fw->engine_count; i++) {
        struct engine_runtime *e = &r->engines[i];
        const struct health_conf conf = health_conf_of(&fw->engines[i]);
        e->engine = &fw->engines[i];
        health_init(&e->health, &conf, clock_monotonic_us());
        complete = complete && runtime_add_cache(e);
    }
    if (!complete) {
        scan_runtime_free(r);
        return NULL;
    }
    return r;
}

void scan_runtime_free(struct scan_runtime *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->framework->engine_count; i++) {
        verdict_cache_free(r->engines[i].cache);
        health_release(&r->engines[i].health);
    }
    mem_free(r);
}

static void add(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void engine_runtime_count(struct engine_runtime *e, const struct verdict *v, bool asked)
{
    add(&e->classes[v->class], 1);
    if (v->reason != VERDICT_REASON_NONE)
        add(&e->reasons[v->reason], 1);
    if (v->class == VERDICT_ERROR || v->class == VERDICT_SKIPPED)
        return;
    uint64_t parts = v->parts > 0 ? v->parts : 1;
    add(&e->checked, 1);
    add(&e->detected, v->class == VERDICT_INFECTED ? 1 : 0);
    add(&e->cured, v->cured ? 1 : 0);
    if (!asked && !v->cached)
        return;
    add(&e->parts, parts);
    if (v->cached) {
        add(&e->cached, 1);
        return;
    }
    add(&e->scanned, 1);
    add(&e->scanned_parts, parts);
    add(&e->scan_us, v->scan_us);
    add(&e->queue_us, v->queue_us);
}

void scan_runtime_conclude(struct scan_runtime *r, const struct verdict *v)
{
    struct engine_runtime *e = scan_runtime_find(r, v->engine);
    if (e && framework_action(r->framework, v) == SCAN_ACTION_PASS)
        add(&e->passed[v->class], 1);
}

void scan_runtime_count_inspection(struct scan_runtime *r, const struct scan_inspection *i)
{
    add(i ? &r->inspections : &r->inspections_failed, 1);
    if (!i)
        return;
    add(&r->inspection_us, i->scan_us);
    for (int d = 0; d < MIME_DEFECT_COUNT; d++)
        add(&r->defects[d], mime_defects_have(i->defects, (enum mime_defect)d) ? 1 : 0);
}

struct engine_runtime *scan_runtime_find(struct scan_runtime *r, const char *name)
{
    for (size_t i = 0; i < r->framework->engine_count; i++)
        if (strcmp(r->framework->engines[i].name, name) == 0)
            return &r->engines[i];
    return NULL;
}

static const struct {
    const char *word, *text;
} doubts[] = {
    [ENGINE_DOUBT_PATTERN] = {"test-string",
                              "it does not find the standard anti-virus test string, as whole official databases do: "
                              "it lacks signatures, or looks at nothing; test_string = required would not let it scan, "
                              "test_string = ignored accepts it"},
    [ENGINE_DOUBT_LIMITS] = {"limits", "it calls clean what exceeds its limits, so such mail is delivered unscanned: "
                                       "write AlertExceedsMax yes into clamd.conf (on_limit = pass accepts it)"},
    [ENGINE_DOUBT_ENCRYPTED] = {"encrypted",
                                "it calls encrypted archives clean, so such mail is delivered unscanned: "
                                "write AlertEncrypted yes into clamd.conf (on_encrypted = pass accepts it)"},
};

const char *engine_doubt_word(enum engine_doubt d)
{
    return doubts[d].word;
}

const char *engine_doubt_text(enum engine_doubt d)
{
    return doubts[d].text;
}
