/* SPDX-License-Identifier: MIT */
/* The breaker's transitions. Loops look at the clock once an iteration, so one loop's now may lie before what another
 * has noted: differences are never taken below zero. */
#include "scan/health.h"

const char *health_state_word(enum health_state s)
{
    static const char *const words[] = {"closed", "open", "half-open"};
    return (size_t)s < ARRAY_SIZE(words) ? words[s] : "unknown";
}

static enum health_sign sign_of_reason(enum verdict_reason reason)
{
    static const enum verdict_reason bad[] = {VERDICT_REASON_DOWN, VERDICT_REASON_TIMEOUT, VERDICT_REASON_CRASH,
                                              VERDICT_REASON_PROTOCOL, VERDICT_REASON_ENGINE};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (reason == bad[i])
            return HEALTH_BAD;
    return HEALTH_NOTHING;
}

enum health_sign health_sign_of(const struct verdict *v)
{
    if (v->class == VERDICT_SKIPPED)
        return HEALTH_NOTHING;
    if (v->class != VERDICT_ERROR)
        return HEALTH_GOOD;
    /* No worker had it: the scan host says so itself, at once. But a host that says nothing at all, or none that comes,
     * is as bad as an engine that does not, and of that no answer tells. */
    bool host_is_silent = v->reason == VERDICT_REASON_TIMEOUT && v->generation == 0;
    if (v->scan_us == 0 && !host_is_silent)
        return HEALTH_NOTHING;
    return sign_of_reason(v->reason);
}

void health_init(struct health *h, const struct health_conf *conf, uint64_t now_us)
{
    memset(h, 0, sizeof(*h));
    pthread_mutex_init(&h->lock, NULL); /* cannot fail with default attributes on Linux */
    h->conf = *conf;
    h->since_us = h->heard_us = now_us;
    h->pause_us = conf->interval_us;
    h->due_us = HEALTH_NEVER;
}

void health_release(struct health *h)
{
    pthread_mutex_destroy(&h->lock);
}

static uint64_t later(uint64_t now_us, uint64_t by_us)
{
    return by_us > HEALTH_NEVER - 1 - now_us ? HEALTH_NEVER - 1 : now_us + by_us;
}

static uint64_t until(uint64_t then_us, uint64_t now_us)
{
    if (then_us == HEALTH_NEVER)
        return HEALTH_NEVER;
    return then_us > now_us ? then_us - now_us : 0;
}

static uint64_t since(uint64_t then_us, uint64_t now_us)
{
    return now_us > then_us ? now_us - then_us : 0;
}

static void remember(struct health *h, const char *word, const char *text)
{
    char why[LIMIT_VERDICT_TEXT + 1];
    snprintf(why, sizeof(why), "%s%s%s", word, word[0] && text[0] ? ": " : "", text);
    verdict_copy_text(h->why, sizeof(h->why), span_cstr(why));
}

static void back_off(struct health *h)
{
    h->pause_us = h->pause_us > h->conf.interval_max_us / 2 ? h->conf.interval_max_us : 2 * h->pause_us;
}

/* DUE_US: the next probe. */
static void enter(struct health *h, enum health_state to, uint64_t due_us, uint64_t now_us,
                  struct health_change *change)
{
    *change = (struct health_change){
        .from = h->state, .to = to, .failures = h->failures, .probe_in_us = until(due_us, now_us)};
    memcpy(change->why, h->why, sizeof(change->why));
    h->state = to;
    h->round++;
    h->trials = 0;
    h->since_us = now_us;
    h->due_us = due_us;
    if (to == HEALTH_OPEN)
        h->opened++;
    if (to == HEALTH_CLOSED) {
        h->failures = 0;
        h->pause_us = h->conf.interval_us;
    }
}

static void count_failure(struct health *h)
{
    if (h->failures < UINT32_MAX)
        h->failures++;
}

static bool is_suspect(const struct health *h)
{
    return h->conf.failures > 0 && h->failures >= h->conf.failures;
}

bool health_admit(struct health *h, uint64_t now_us, unsigned *ticket, struct verdict *why)
{
    pthread_mutex_lock(&h->lock);
    bool may = h->state == HEALTH_CLOSED || (h->state == HEALTH_HALF_OPEN && h->trials < HEALTH_TRIALS);
    if (may) {
        h->trials++;
        *ticket = h->round;
    } else {
        char text[LIMIT_VERDICT_TEXT + 1], when[64] = "";
        uint64_t wait = until(h->due_us, now_us);
        if (h->state == HEALTH_OPEN && !h->probing && wait != HEALTH_NEVER)
            snprintf(when, sizeof(when), ", next probe in %llu ms", (unsigned long long)(wait / 1000));
        snprintf(text, sizeof(text), "the engine is resting after %u failures%s%s (%.100s)", h->failures, when,
                 h->state == HEALTH_OPEN ? "" : ", others are trying it", h->why);
        verdict_set(why, VERDICT_ERROR, VERDICT_REASON_DOWN, text);
    }
    pthread_mutex_unlock(&h->lock);
    return may;
}

static bool report_good(struct health *h, uint64_t now_us, struct health_change *change)
{
    h->heard_us = now_us;
    h->failures = 0;
    if (h->state == HEALTH_HALF_OPEN) {
        enter(h, HEALTH_CLOSED, HEALTH_NEVER, now_us, change);
        return true;
    }
    if (!h->probing) /* a suspicion is over */
        h->due_us = HEALTH_NEVER;
    return false;
}

static bool report_bad(struct health *h, const struct verdict *v, uint64_t now_us, struct health_change *change)
{
    count_failure(h);
    remember(h, verdict_reason_word(v->reason), v->detail);
    if (h->state == HEALTH_HALF_OPEN) {
        back_off(h);
        enter(h, HEALTH_OPEN, later(now_us, h->pause_us), now_us, change);
        return true;
    }
    if (is_suspect(h) && !h->probing && h->due_us == HEALTH_NEVER)
        h->due_us = now_us;
    return false;
}

bool health_report(struct health *h, unsigned ticket, const struct verdict *v, uint64_t now_us,
                   struct health_change *change)
{
    enum health_sign sign = v ? health_sign_of(v) : HEALTH_NOTHING;
    bool changed = false;
    pthread_mutex_lock(&h->lock);
    if (ticket == h->round) {
        h->trials--;
        if (sign == HEALTH_GOOD)
            changed = report_good(h, now_us, change);
        else if (sign == HEALTH_BAD)
            changed = report_bad(h, v, now_us, change);
    }
    pthread_mutex_unlock(&h->lock);
    return changed;
}

/* ---- probes ---- */

uint64_t health_probe_wait(struct health *h, uint64_t now_us)
{
    pthread_mutex_lock(&h->lock);
    uint64_t wait = h->probing ? HEALTH_NEVER : until(h->due_us, now_us);
    pthread_mutex_unlock(&h->lock);
    return wait;
}

bool health_probe_begin(struct health *h, bool forced, uint64_t now_us)
{
    pthread_mutex_lock(&h->lock);
    bool begins = !h->probing && (forced || until(h->due_us, now_us) == 0);
    if (begins) {
        h->probing = true;
        h->probes++;
    }
    pthread_mutex_unlock(&h->lock);
    return begins;
}

static bool probe_good(struct health *h, uint64_t now_us, struct health_change *change)
{
    h->heard_us = now_us;
    if (h->state == HEALTH_CLOSED) {
        h->failures = 0;
        h->due_us = HEALTH_NEVER;
        return false;
    }
    if (h->state == HEALTH_OPEN)
        enter(h, HEALTH_HALF_OPEN, later(now_us, h->conf.interval_us), now_us, change);
    else
        enter(h, HEALTH_CLOSED, HEALTH_NEVER, now_us, change);
    return true;
}

static bool probe_bad(struct health *h, const char *why, uint64_t now_us, struct health_change *change)
{
    h->probes_bad++;
    remember(h, "probe", why ? why : "");
    if (h->state == HEALTH_CLOSED) {
        if (!is_suspect(h)) /* nobody's message has failed, or too few */
            count_failure(h);
        if (!is_suspect(h)) {
            h->due_us = h->conf.failures > 0 ? later(now_us, h->conf.interval_us) : HEALTH_NEVER;
            return false;
        }
        enter(h, HEALTH_OPEN, later(now_us, h->pause_us), now_us, change);
        return true;
    }
    back_off(h);
    if (h->state == HEALTH_OPEN) {
        h->due_us = later(now_us, h->pause_us);
        return false;
    }
    enter(h, HEALTH_OPEN, later(now_us, h->pause_us), now_us, change);
    return true;
}

bool health_probe_end(struct health *h, enum health_sign sign, const char *why, uint64_t now_us,
                      struct health_change *change)
{
    bool changed = false;
    pthread_mutex_lock(&h->lock);
    h->probing = false;
    if (sign == HEALTH_GOOD)
        changed = probe_good(h, now_us, change);
    else if (sign == HEALTH_BAD)
        changed = probe_bad(h, why, now_us, change);
    else if (h->state != HEALTH_CLOSED || is_suspect(h)) /* it could not be asked: once more */
        h->due_us = later(now_us, h->pause_us);
    else
        h->due_us = HEALTH_NEVER;
    pthread_mutex_unlock(&h->lock);
    return changed;
}

bool health_pattern(struct health *h, bool found, unsigned generation, uint64_t database_version)
{
    pthread_mutex_lock(&h->lock);
    bool expected =
        h->pattern.known && h->pattern.generation == generation && h->pattern.database_version == database_version;
    if (found) {
        h->pattern.known = true;
        h->pattern.generation = generation;
        h->pattern.database_version = database_version;
    }
    pthread_mutex_unlock(&h->lock);
    return found || !expected;
}

void health_hint(struct health *h, uint64_t now_us)
{
    pthread_mutex_lock(&h->lock);
    if (h->state == HEALTH_OPEN)
        h->due_us = now_us;
    pthread_mutex_unlock(&h->lock);
}

void health_look(struct health *h, uint64_t now_us, struct health_view *out)
{
    pthread_mutex_lock(&h->lock);
    *out = (struct health_view){.state = h->state,
                                .failures = h->failures,
                                .state_us = since(h->since_us, now_us),
                                .quiet_us = since(h->heard_us, now_us),
                                .probe_in_us = until(h->due_us, now_us),
                                .probing = h->probing,
                                .opened = h->opened,
                                .probes = h->probes,
                                .probes_bad = h->probes_bad};
    memcpy(out->why, h->why, sizeof(out->why));
    pthread_mutex_unlock(&h->lock);
}
