/* SPDX-License-Identifier: MIT */
/* Whether an engine is worth asking: a circuit breaker, one per engine, shared by all loops. It only decides; probe.h
 * asks the engine, and time is an argument everywhere (monotonic microseconds, of any loop).
 *
 *   CLOSED     messages are scanned. After `failures` failures in a row a probe is due at once: it is our own harmless
 *              message, so a sender who knows how to make the engine fail cannot have it taken from others. Good: the
 *              count begins anew. Bad: OPEN.
 *   OPEN       messages get ERROR down at once, so that on_error follows without their waiting for the timeout. A probe
 *              is due after `interval`, after a bad one twice as long, at most `interval_max`. Good: HALF_OPEN.
 *   HALF_OPEN  HEALTH_TRIALS messages at a time are scanned. The first that goes well, or one more good probe where
 * none comes: CLOSED. The first that fails: OPEN, and the next probe is due twice as late.
 *
 * What counts as a failure: the engine was asked in a worker and was down, silent, crashed, talked nonsense or reported
 * trouble; or no scan host took a message before its deadline. What does not: a full queue, a scan host that ended (the
 * next one is on its way), a message's own fault (poison, memory). Any thread; each call takes a mutex for a moment.
 */
#ifndef SCAN_HEALTH_H
#define SCAN_HEALTH_H

#include "scan/verdict.h"
#include <pthread.h>
#include <stdbool.h>

enum { HEALTH_TRIALS = 4 };

enum health_state { HEALTH_CLOSED, HEALTH_OPEN, HEALTH_HALF_OPEN };
const char *health_state_word(enum health_state s); /* "closed", "open", "half-open" */

/* What a word of the engine tells about it. */
enum health_sign { HEALTH_GOOD, HEALTH_BAD, HEALTH_NOTHING };
enum health_sign health_sign_of(const struct verdict *v);

struct health_conf {
    unsigned failures; /* 0: it never opens */
    uint64_t interval_us, interval_max_us;
};

#define HEALTH_NEVER UINT64_MAX

struct health {
    pthread_mutex_t lock;
    struct health_conf conf;
    enum health_state state;
    unsigned round; /* rises with each change of state: what was asked in an earlier one says nothing about this one */
    unsigned failures, trials;
    uint64_t since_us, heard_us; /* the state; the last good sign */
    uint64_t pause_us, due_us;   /* HEALTH_NEVER: no probe is due */
    bool probing;
    uint64_t opened, probes, probes_bad; /* counters */
    char why[LIMIT_VERDICT_TEXT + 1];    /* the last bad sign */
    struct {
        bool known;
        unsigned generation;
        uint64_t database_version;
    } pattern; /* the test string was found by this database */
};

/* A change of state, to be logged by whose call brought it about. */
struct health_change {
    enum health_state from, to;
    unsigned failures;
    uint64_t probe_in_us; /* HEALTH_NEVER: none is due */
    char why[LIMIT_VERDICT_TEXT + 1];
};

void health_init(struct health *h, const struct health_conf *conf, uint64_t now_us);
void health_release(struct health *h);

/* The engine may be asked; the result goes to health_report with *TICKET, once. False: WHY is the ERROR verdict. */
bool health_admit(struct health *h, uint64_t now_us, unsigned *ticket, struct verdict *why);
/* What became of it; V is NULL where nothing was said (a client went away). True: CHANGE tells of a new state. */
bool health_report(struct health *h, unsigned ticket, const struct verdict *v, uint64_t now_us,
                   struct health_change *change);

/* How long until a probe is due; 0: now. HEALTH_NEVER: none, or one is on its way. */
uint64_t health_probe_wait(struct health *h, uint64_t now_us);
/* The caller shall probe now, and call health_probe_end. False: none is due (unless FORCED), or one is on its way. */
bool health_probe_begin(struct health *h, bool forced, uint64_t now_us);
/* The probe was SIGN; WHY says what came, where it was not good (may be NULL). True: as health_report. */
bool health_probe_end(struct health *h, enum health_sign sign, const char *why, uint64_t now_us,
                      struct health_change *change);
/* Whether the test string was FOUND is in order: once a database has found it, it shall not pass it any more. */
bool health_pattern(struct health *h, bool found, unsigned generation, uint64_t database_version);
/* The engine may be back: an OPEN one's probe is due now. */
void health_hint(struct health *h, uint64_t now_us);

struct health_view {
    enum health_state state;
    unsigned failures;           /* in a row */
    uint64_t state_us, quiet_us; /* for how long; since the last good sign */
    uint64_t probe_in_us;        /* HEALTH_NEVER: none is due */
    bool probing;
    uint64_t opened, probes, probes_bad;
    char why[LIMIT_VERDICT_TEXT + 1]; /* the last bad sign; empty: there was none */
};
void health_look(struct health *h, uint64_t now_us, struct health_view *out);

#endif
