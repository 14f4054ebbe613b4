/* SPDX-License-Identifier: MIT */
/* Whether a generation may take over from the one before it, and the log's lines about reloads. */
#include "base/num.h"
#include "daemon/scan_pool_internal.h"
#include "sys/clock.h"
#include <fcntl.h>
#include <unistd.h>

static const struct framework_engine *engine_conf(const struct framework *fw, const char *name)
{
    for (size_t i = 0; i < fw->engine_count; i++)
        if (strcmp(fw->engines[i].name, name) == 0)
            return &fw->engines[i];
    return NULL;
}

static const struct scan_status *find_status(const struct scan_status *all, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].engine, name) == 0)
            return &all[i];
    return NULL;
}

/* Of MANY, more than PERCENT are missing in FEW. No product that could overflow. */
static bool lost_too_many(uint64_t many, uint64_t few, int64_t percent)
{
    return percent < 100 && few < many &&
           many - few > many / 100 * (uint64_t)percent + many % 100 * (uint64_t)percent / 100;
}

static bool engine_is_worse(const struct framework *fw, const struct scan_status *was, const struct scan_status *is,
                            struct errtext *why)
{
    if (!was || was->state != SCAN_ENGINE_READY)
        return false;
    if (is->state != SCAN_ENGINE_READY) {
        errtext_set(why, "%s: %s", is->engine, is->detail);
        return true;
    }
    const struct framework_engine *conf = engine_conf(fw, is->engine);
    if (!conf || !framework_has_database(conf) ||
        !lost_too_many(was->signatures, is->signatures, conf->conf->max_signature_loss))
        return false;
    errtext_set(why, "%s: %llu signatures instead of %llu, and max_signature_loss is %lld percent", is->engine,
                (unsigned long long)is->signatures, (unsigned long long)was->signatures,
                (long long)conf->conf->max_signature_loss);
    return true;
}

bool scan_pool_accepts(const struct framework *fw, const struct scan_status *now, size_t now_count,
                       const struct scan_status *next, size_t next_count, struct errtext *why)
{
    size_t ready = 0;
    const struct scan_status *failed = NULL;
    for (size_t i = 0; i < next_count; i++) {
        if (engine_is_worse(fw, find_status(now, now_count, next[i].engine), &next[i], why))
            return false;
        if (next[i].state == SCAN_ENGINE_READY)
            ready++;
        else if (!failed)
            failed = &next[i];
    }
    if (ready > 0)
        return true;
    errtext_set(why, "%s: %s", failed ? failed->engine : "no engine", failed ? failed->detail : "none was reported");
    return false;
}

/* ---- the log ---- */

static void log_begin_pool(struct log_record *r, const struct scan_pool *p, enum log_event event, unsigned generation)
{
    log_begin(r, p->shared->log, event);
    log_cstr(r, "pool", p->conf->name);
    log_u64(r, "generation", generation);
}

void scan_pool_log_start(const struct scan_pool *p, unsigned generation, const char *reason)
{
    struct log_record r;
    log_begin_pool(&r, p, LOG_RELOAD_START, generation);
    log_cstr(&r, "reason", reason);
    log_end(&r);
}

/* Resident memory of a process, signatures included (the second number of its statm, in pages); 0 where the kernel does
 * not tell. */
static uint64_t memory_kib(const struct scan_host *h)
{
    char text[128];
    uint64_t pages = 0;
    snprintf(text, sizeof(text), "/proc/%ld/statm", (long)h->child.pid);
    int fd = child_is_running(&h->child) ? open(text, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text)) : 0;
    if (fd >= 0)
        close(fd);
    struct span all = span_of(text, len > 0 ? (size_t)len : 0);
    struct span rest = span_sub(all, span_find(all, ' ') + 1, all.len);
    if (num_parse_u64(span_sub(rest, 0, span_find(rest, ' ')), UINT32_MAX, &pages) != ERR_OK)
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

void scan_pool_log_done(const struct scan_pool *p, const struct scan_host *next, const struct scan_host *old)
{
    for (size_t i = 0; i < next->engine_count; i++) {
        const struct scan_status *is = &next->engines[i];
        const struct scan_status *was = find_status(old->engines, old->engine_count, is->engine);
        const struct framework_engine *conf = engine_conf(p->shared->framework, is->engine);
        if (!conf || !framework_has_database(conf) || is->state != SCAN_ENGINE_READY)
            continue;
        struct log_record r;
        log_begin_pool(&r, p, LOG_RELOAD_DONE, next->generation);
        log_cstr(&r, "engine", is->engine);
        log_u64(&r, "database_version", is->database_version);
        log_u64(&r, "signatures", is->signatures);
        if (was && was->state == SCAN_ENGINE_READY) {
            log_u64(&r, "old_database_version", was->database_version);
            log_u64(&r, "old_signatures", was->signatures);
        }
        log_ms(&r, "took_ms", clock_monotonic_us() - p->reload_us);
        log_u64(&r, "memory_kib", memory_kib(next));
        if (child_is_running(&old->child))
            log_u64(&r, "old_memory_kib", memory_kib(old));
        log_end(&r);
    }
}

void scan_pool_log_failed(const struct scan_pool *p, unsigned generation, bool old_serves, const char *reason)
{
    struct log_record r;
    log_begin_pool(&r, p, LOG_RELOAD_FAILED, generation);
    log_cstr(&r, "reason", reason);
    if (old_serves)
        log_u64(&r, "serving", p->serving->generation);
    log_u64(&r, "retry_seconds", (uint64_t)p->conf->conf.reload_retry_ms / 1000);
    log_end(&r);
}
