/* SPDX-License-Identifier: MIT */
/* What the engines are and have done while the edge runs: switches, counters, health and known verdicts, one set per
 * engine, shared by all loops. Counters only grow; reading them while they do gives each one's value of some recent
 * moment, not of one common moment. Made once before the loops start, freed after their end.
 */
#ifndef SCAN_RUNTIME_H
#define SCAN_RUNTIME_H

#include "scan/framework.h"
#include "scan/health.h"
#include "scan/inspection.h"
#include "scan/verdict_cache.h"
#include <stdatomic.h>

/* What a trial of an engine that asks a daemon or runs a command (trial.h) has found wanting. */
enum engine_doubt { ENGINE_DOUBT_PATTERN, ENGINE_DOUBT_LIMITS, ENGINE_DOUBT_ENCRYPTED, ENGINE_DOUBT_COUNT };
const char *engine_doubt_word(enum engine_doubt d); /* "test-string", "limits", "encrypted" */
const char *engine_doubt_text(enum engine_doubt d); /* what it means, and what helps */

struct engine_runtime {
    const struct framework_engine *engine;
    atomic_bool disabled; /* by an administrator's command: not asked until it is enabled again */
    /* Messages that were judged by its stanza (clean, infected, unscannable) and MIME parts that it was given for that,
     * now or, where the cache knows them, earlier; viruses among the messages, and those of them that the engine cured
     * (its copy: the message is infected for us all the same). A message that was given to it without parts (it was not
     * taken apart, has none, or was enough by itself) counts as one part; one that paranoid = 1 refused before anybody
     * was asked, as none. */
    atomic_uint_fast64_t checked, parts, detected, cured;
    atomic_uint_fast64_t classes[VERDICT_CLASS_COUNT], reasons[VERDICT_REASON_COUNT]; /* of its words */
    atomic_uint_fast64_t cached; /* of CHECKED: known from the cache, in no time */
    /* Those of CHECKED and of PARTS that it was given now, and sums over them: times are those of scans. */
    atomic_uint_fast64_t scanned, scanned_parts, scan_us, queue_us;
    /* Messages about which its word decided, by its class, that were let through because an option says pass. */
    atomic_uint_fast64_t passed[VERDICT_CLASS_COUNT];
    struct health health;
    atomic_uint doubts;          /* bits 1 << enum engine_doubt */
    struct verdict_cache *cache; /* NULL: switched off */
};

struct scan_runtime {
    const struct framework *framework;
    /* By the pool's index: its queue is taken for full until then, on the loops' clock; 0: it is not. */
    atomic_uint_fast64_t full_until_us[LIMIT_POOLS];
    atomic_uint_fast64_t parts_memory; /* octets of all parts files that are in use now */
    atomic_uint waiting[LIMIT_POOLS];  /* by pool: scans that no host has yet (scan_client.h) */
    atomic_uint_fast64_t inspections, inspection_us, inspections_failed;
    atomic_uint_fast64_t defects[MIME_DEFECT_COUNT]; /* messages with each */
    struct engine_runtime engines[LIMIT_ENGINES];    /* in the framework's order */
};

/* FW outlives it. NULL: no memory. */
struct scan_runtime *scan_runtime_new(const struct framework *fw);
void scan_runtime_free(struct scan_runtime *r);
/* Counts the word V of the engine E, which was ASKED for it, or else it follows from the inspection alone. Any thread.
 */
void engine_runtime_count(struct engine_runtime *e, const struct verdict *v, bool asked);
/* Counts what follows from the final verdict V of a message. Any thread. */
void scan_runtime_conclude(struct scan_runtime *r, const struct verdict *v);
/* Counts an inspection. I: NULL, it failed. */
void scan_runtime_count_inspection(struct scan_runtime *r, const struct scan_inspection *i);
/* The engine named NAME, or NULL. */
struct engine_runtime *scan_runtime_find(struct scan_runtime *r, const char *name);

#endif
