/* SPDX-License-Identifier: MIT */
/* What became of a scan. Every message ends in exactly one class; unknown means ERROR ("try again"), never CLEAN.
 *
 * src/scan is the edge's side of scanning: verdict.h (this) and verdict.def, the one table of classes and reasons;
 * scan_ipc.h the records between edge, scan host and worker and parts.h the file of decoded parts (pure, fuzzed: both
 * directions are decoded as hostile input); inspection.h what an inspection found, and what that means to an engine;
 * scan_client.h the channels of one loop to the scan hosts; pool_call.h questions about pools over them (figures:
 * pool_figure.def); scan_run.h one message's way through the engines; runtime.h what engines are and have done, for all
 * loops: verdict_cache.h what they have said before, known_parts.h the same of a message's parts, health.h which of
 * them rest, probe.h messages of our own that try them; framework.h engines, stanzas (stanza.def lists their classes)
 * and decisions. host/ and engine/ belong to the program postern-scan.
 */
#ifndef SCAN_VERDICT_H
#define SCAN_VERDICT_H

#include "base/limits.h"
#include "base/span.h"
#include <stdint.h>

/* VERDICT_CLEAN, VERDICT_INFECTED, VERDICT_UNSCANNABLE, VERDICT_ERROR, VERDICT_SKIPPED. In order of strictness where
 * several engines speak: see verdict_stricter. */
enum verdict_class {
#define VERDICT_CLASS(symbol, word, meaning) VERDICT_##symbol,
#define VERDICT_REASON(symbol, class, word, meaning)
#define VERDICT_ENGINE_REASON(symbol, class, word, option, meaning)
#include "scan/verdict.def"
#undef VERDICT_CLASS
#undef VERDICT_REASON
#undef VERDICT_ENGINE_REASON
    VERDICT_CLASS_COUNT
};

/* VERDICT_REASON_NONE, …_ENCRYPTED, …_TIMEOUT … each belongs to one class. */
enum verdict_reason {
#define VERDICT_CLASS(symbol, word, meaning)
#define VERDICT_REASON(symbol, class, word, meaning)                VERDICT_REASON_##symbol,
#define VERDICT_ENGINE_REASON(symbol, class, word, option, meaning) VERDICT_REASON_##symbol,
#include "scan/verdict.def"
#undef VERDICT_CLASS
#undef VERDICT_REASON
#undef VERDICT_ENGINE_REASON
    VERDICT_REASON_COUNT
};

const char *verdict_class_word(enum verdict_class c);
const char *verdict_reason_word(enum verdict_reason r);
const char *
verdict_reason_meaning(enum verdict_reason r); /* a sentence's part for people: "content locked by a password" */
enum verdict_class verdict_reason_class(enum verdict_reason r);
/* Its word in options (on_WORD), NULL where it has none: it does not happen inside or around one engine. */
const char *verdict_reason_option(enum verdict_reason r);

struct verdict {
    enum verdict_class class;
    enum verdict_reason reason;
    char name[LIMIT_VERDICT_NAME + 1];   /* of the virus or heuristic, printable ASCII; empty when there is none */
    char detail[LIMIT_VERDICT_TEXT + 1]; /* for the log: what went wrong; printable ASCII */
    char engine[LIMIT_ENGINE_NAME + 1];  /* instance that decided; empty: none did */
    uint64_t database_version;           /* of that engine; 0: unknown */
    unsigned generation;                 /* of the scan host that looked; the edge's own knowledge, in no record */
    uint64_t queue_us, scan_us;          /* time waiting for a worker, time in the engine */
    uint32_t parts;                      /* decoded parts that the engine looked at beside the message itself */
    char part[LIMIT_PART_PATH + 1];      /* of these, the one that the verdict is about; empty: the message itself */
    bool cured;                          /* infected, but the engine says that it repaired or deleted its copy */
    bool cached;                         /* known from an earlier scan (verdict_cache.h); likewise in no record */
};

/* Sets class and reason, the rest zero; DETAIL may be NULL. */
void verdict_set(struct verdict *v, enum verdict_class c, enum verdict_reason r, const char *detail);
/* Copies S as printable ASCII (others become '?') into a field of SIZE bytes. */
void verdict_copy_text(char *out, size_t size, struct span s);
/* True when A outranks B: infected > unscannable > error > clean > skipped. */
bool verdict_stricter(const struct verdict *a, const struct verdict *b);

#endif
