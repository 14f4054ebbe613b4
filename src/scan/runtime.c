/* SPDX-License-Identifier: MIT */
/* Counters of engines. Relaxed order: they are statistics, nothing is decided by them. */
#include "scan/runtime.h"
#include "base/mem.h"

struct scan_runtime *scan_runtime_new(const struct framework *fw)
{
    struct scan_runtime *r = MEM_NEW(struct scan_runtime);
    if (!r)
        return NULL;
    r->framework = fw;
    for (size_t i = 0; i < fw->engine_count; i++)
        r->engines[i].engine = &fw->engines[i];
    return r;
}

void scan_runtime_free(struct scan_runtime *r)
{
    mem_free(r);
}

static void add(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void engine_runtime_count(struct engine_runtime *e, const struct verdict *v)
{
    add(&e->classes[v->class], 1);
    if (v->reason != VERDICT_REASON_NONE)
        add(&e->reasons[v->reason], 1);
    if (v->class == VERDICT_ERROR || v->class == VERDICT_SKIPPED)
        return;
    add(&e->checked, 1);
    add(&e->parts, 1);
    add(&e->detected, v->class == VERDICT_INFECTED ? 1 : 0);
    add(&e->scan_us, v->scan_us);
    add(&e->queue_us, v->queue_us);
}

struct engine_runtime *scan_runtime_find(struct scan_runtime *r, const char *name)
{
    for (size_t i = 0; i < r->framework->engine_count; i++)
        if (strcmp(r->framework->engines[i].name, name) == 0)
            return &r->engines[i];
    return NULL;
}
