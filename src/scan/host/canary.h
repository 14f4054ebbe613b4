/* SPDX-License-Identifier: MIT */
/* The canary: before a host takes messages, each engine with a signature database scans two texts of ours, as a job
 * like any other, in a worker in its cage. A clean one must be clean. The standard anti-virus test string must not be
 * trouble; whether it is found depends on the database, and is noted for who compares it with the one before: the
 * supervisor, and the edge. With test_string = required it must be found, here already. */
#ifndef SCAN_HOST_CANARY_H
#define SCAN_HOST_CANARY_H

#include "io/deadline.h"
#include "io/loop.h"
#include <stdbool.h>

struct broker;
struct canary {
    struct broker *broker;
    int fd; /* our end of a channel like the edge's */
    struct loop_watch watch;
    struct deadline limit;
    size_t engine; /* that is asked */
    bool pattern;  /* which text */
    uint64_t job;
    void (*done)(struct broker *b);
};

/* Asks every engine that is READY. One that fails becomes FAILED with the reason. Trouble of the host (a worker that
 * does not start, a crash) counts as failure only where an older generation can go on instead. DONE is called once,
 * perhaps from here. */
void canary_start(struct canary *c, struct broker *b, void (*done)(struct broker *b));
void canary_stop(struct canary *c); /* harmless when it is over */

#endif
