/* SPDX-License-Identifier: MIT */
/* Probes of engines: two messages of ours (canary_text.h) over one loop's channels, one clean, and after that the test
 * string, which may be unknown to a database, but not where it was found before. health.h says when one is due;
 * the loop on which it becomes due sends it, so that each loop has a set of these. A probe passes by cache, breaker and
 * counters of messages. Besides, the first loop tries engines that nobody has asked for `probe_idle`, and an
 * administrator may ask for one. A good one, and news of a daemon, are followed by a trial (trial.h). Thread: the
 * loop's.
 */
#ifndef SCAN_PROBE_H
#define SCAN_PROBE_H

#include "base/log.h"
#include "scan/verdict.h"
#include <stdbool.h>
#include <stddef.h>

struct scan_client;
struct probes;
/* For the engines of C's runtime. IDLE: this loop is the one that tries idle engines. NULL: no memory. */
struct probes *probes_new(struct scan_client *c, const struct log *log, bool idle);
/* Gives up what is on its way; callbacks of probes_force do not come any more. */
void probes_free(struct probes *p);

/* What became of a message that health_admit let through to engine number ENGINE (V is NULL: nothing, it was given up):
 * told to the engine's health, logged where that changes, and a probe is sent when that makes one due. */
void probes_report(struct probes *p, size_t engine, unsigned ticket, const struct verdict *v);
/* The engine's host has just said that it is READY, or has news of it. */
void probes_engine_ready(struct probes *p, size_t engine);

struct probe_result {
    bool good;
    const char *text;              /* one line; lent for the call */
    struct verdict clean, pattern; /* what the engine said; SKIPPED: it was not asked */
    uint64_t took_us;
};
/* Probes the engine now, due or not. DONE is called from the loop, once, never from inside this call. False: a probe is
 * on its way already. */
bool probes_force(struct probes *p, size_t engine, void (*done)(void *arg, const struct probe_result *result),
                  void *arg);

#endif
