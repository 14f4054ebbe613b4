/* SPDX-License-Identifier: MIT */
/* Questions about a pool, for its statistics, and the order to have another number of workers, over the channels of one
 * loop's scan client. Thread: the loop's.
 */
#ifndef SCAN_POOL_CALL_H
#define SCAN_POOL_CALL_H

#include "io/deadline.h"
#include "scan/scan_ipc.h"

struct scan_client;

/* One question; part of its owner's structure. */
struct pool_call {
    struct scan_client *client;
    /* Called from the loop, once for each pool_call_send that returned true and was not cancelled; never from inside
     * it. REPORT is NULL where no answer came, and WHY says so. */
    void (*answered)(struct pool_call *call, const struct scan_pool_report *report, const char *why);
    unsigned generation; /* of the host that answered */
    /* internal */
    int pool;
    uint32_t concurrency;
    uint64_t id;      /* 0: not on its way */
    struct list node; /* in pool_calls.waiting */
    struct deadline deadline;
};
void pool_call_init(struct pool_call *call, struct scan_client *c,
                    void (*answered)(struct pool_call *call, const struct scan_pool_report *report, const char *why));
/* Asks the host of pool number POOL. CONCURRENCY (0: as it is) is the number of workers that it has from now on; hosts
 * that take its place get it too. A host that is replaced meanwhile leaves the question to its successor. False: it
 * cannot be asked now, *why says so. */
bool pool_call_send(struct pool_call *call, int pool, uint32_t concurrency, const char **why);
void pool_call_cancel(struct pool_call *call);

/* The scan client's part of it: what is on its way, and what was ordered. */
struct pool_calls {
    struct list waiting;
    uint64_t serial;
    uint32_t concurrency[LIMIT_POOLS]; /* by pool, as it was ordered; 0: it was not */
};
void pool_calls_init(struct pool_calls *p);
/* From the host of pool POOL. What nobody waits for is passed over. */
void pool_calls_arrived(struct pool_calls *p, int pool, unsigned generation, const struct scan_pool_report *report);
/* The channel to pool POOL is another one, or gone, which is WHY: tells the new host what was ordered, and asks it what
 * the old one did not answer. */
void pool_calls_moved(struct pool_calls *p, struct scan_client *c, int pool, const char *why);

#endif
