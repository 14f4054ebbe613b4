/* SPDX-License-Identifier: MIT */
/* How many connections all workers of a host have to each server of one engine, where a server says how many it allows
 * (ICAP's Max-Connections). The count lies in memory that the workers share, so it is made before they are forked.
 *
 * A place is a lease with an end: a worker that is killed gives its own back by and by. The memory holds numbers only,
 * so a worker that was taken over can keep others waiting by it, and nothing else.
 */
#ifndef SCAN_ENGINE_CONNECTION_LIMIT_H
#define SCAN_ENGINE_CONNECTION_LIMIT_H

#include "base/limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CONNECTION_LIMIT_SERVERS = 8,
    CONNECTION_LIMIT_PLACES = LIMIT_POOL_WORKERS,
    CONNECTION_LIMIT_LEASE_US = 3600 * 1000000LL, /* the longest; what claims more is garbage, and free */
};

struct connection_limit;
struct connection_lease {
    size_t server, place;
    uint64_t until_us;
};

/* NULL: no memory. */
struct connection_limit *connection_limit_new(void);
void connection_limit_free(struct connection_limit *l);

/* SERVER allows MAX; 0, or more than there can be workers: any number. */
void connection_limit_set(struct connection_limit *l, size_t server, uint64_t max);
/* As it was set last by any worker; 0: any number. */
size_t connection_limit_get(const struct connection_limit *l, size_t server);
/* A place at SERVER, which is known to have a limit, until UNTIL_US. False: all are taken now. */
bool connection_limit_take(struct connection_limit *l, size_t server, uint64_t now_us, uint64_t until_us,
                           struct connection_lease *out);
void connection_limit_give_back(struct connection_limit *l, const struct connection_lease *lease);

#endif
