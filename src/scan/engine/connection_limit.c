/* SPDX-License-Identifier: MIT */
/* A table of leases, taken by exchange: a lease that has ended is as free as none. */
#include "scan/engine/connection_limit.h"

#include <stdatomic.h>
#include <sys/mman.h>

struct connection_limit {
    _Atomic uint32_t max[CONNECTION_LIMIT_SERVERS];
    _Atomic uint64_t until_us[CONNECTION_LIMIT_SERVERS][CONNECTION_LIMIT_PLACES]; /* 0: free */
};

struct connection_limit *connection_limit_new(void)
{
    struct connection_limit *l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (l == MAP_FAILED)
        return NULL;
    return l; /* all zero: no limits, all free */
}

void connection_limit_free(struct connection_limit *l)
{
    if (l)
        munmap(l, sizeof(*l));
}

void connection_limit_set(struct connection_limit *l, size_t server, uint64_t max)
{
    atomic_store(&l->max[server], max < CONNECTION_LIMIT_PLACES ? (uint32_t)max : 0);
}

size_t connection_limit_get(const struct connection_limit *l, size_t server)
{
    uint32_t max = atomic_load(&l->max[server]);
    return max < CONNECTION_LIMIT_PLACES ? max : 0;
}

bool connection_limit_take(struct connection_limit *l, size_t server, uint64_t now_us, uint64_t until_us,
                           struct connection_lease *out)
{
    size_t places = connection_limit_get(l, server);
    for (size_t i = 0; i < places; i++) {
        uint64_t seen = atomic_load(&l->until_us[server][i]);
        bool taken = seen > now_us && seen - now_us <= CONNECTION_LIMIT_LEASE_US;
        if (!taken && atomic_compare_exchange_strong(&l->until_us[server][i], &seen, until_us)) {
            *out = (struct connection_lease){.server = server, .place = i, .until_us = until_us};
            return true;
        }
    }
    return false;
}

void connection_limit_give_back(struct connection_limit *l, const struct connection_lease *lease)
{
    uint64_t mine = lease->until_us; /* not one that somebody took after ours had ended */
    atomic_compare_exchange_strong(&l->until_us[lease->server][lease->place], &mine, 0);
}
