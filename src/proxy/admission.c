/* SPDX-License-Identifier: MIT */
/* Counts of sessions by source in an open-addressing table that is twice as large as the sessions it can ever hold, so
 * it never fills up. Deletion moves later entries back (no tombstones). */
#include "proxy/admission.h"
#include "base/mem.h"
#include <netinet/in.h>
#include <pthread.h>

struct admission_slot {
    uint64_t source; /* address bits, tagged with the family; 0: free */
    unsigned sessions;
};

struct admission {
    pthread_mutex_t lock;
    unsigned total, max_total, max_per_host;
    uint64_t key[2];
    size_t mask;
    struct admission_slot *slots;
};

struct admission *admission_new(unsigned max_total, unsigned max_per_host, const uint64_t key[2])
{
    size_t size = 64;
    while (size < 2 * (size_t)max_total)
        size *= 2;
    struct admission *a = MEM_NEW(struct admission);
    struct admission_slot *slots = mem_new(size, sizeof(*slots));
    if (!a || !slots) {
        mem_free(a);
        mem_free(slots);
        return NULL;
    }
    pthread_mutex_init(&a->lock, NULL);
    a->max_total = max_total;
    a->max_per_host = max_per_host;
    a->key[0] = key[0] | 1;
    a->key[1] = key[1] | 1;
    a->mask = size - 1;
    a->slots = slots;
    return a;
}

void admission_free(struct admission *a)
{
    if (!a)
        return;
    pthread_mutex_destroy(&a->lock);
    mem_free(a->slots);
    mem_free(a);
}

/* The source of an address as one number: IPv4 whole (also when mapped into IPv6), IPv6 its first 64 bits, others 1. */
static uint64_t admission_source(const struct addr *peer)
{
    const struct sockaddr_in *v4 = (const void *)&peer->storage;
    const struct sockaddr_in6 *v6 = (const void *)&peer->storage;
    uint64_t bits = 0;
    if (peer->storage.ss_family == AF_INET)
        return UINT64_C(1) << 32 | v4->sin_addr.s_addr;
    if (peer->storage.ss_family != AF_INET6)
        return 1;
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        uint32_t mapped;
        memcpy(&mapped, &v6->sin6_addr.s6_addr[12], sizeof(mapped));
        return UINT64_C(1) << 32 | mapped;
    }
    memcpy(&bits, v6->sin6_addr.s6_addr, sizeof(bits));
    return bits ? bits : 2;
}

/* Keyed multiply-and-fold: cheap, and without the key nobody can tell which sources meet in one slot. */
static size_t admission_home(const struct admission *a, uint64_t source)
{
    uint64_t x = (source ^ a->key[1]) * a->key[0];
    x ^= x >> 32;
    x *= a->key[1];
    return (size_t)(x >> 20) & a->mask;
}

static struct admission_slot *admission_find(struct admission *a, uint64_t source)
{
    size_t i = admission_home(a, source);
    while (a->slots[i].source != 0 && a->slots[i].source != source)
        i = (i + 1) & a->mask;
    return &a->slots[i];
}

enum admission_answer admission_enter(struct admission *a, const struct addr *peer)
{
    enum admission_answer answer = ADMISSION_OK;
    uint64_t source = admission_source(peer);
    pthread_mutex_lock(&a->lock);
    struct admission_slot *slot = admission_find(a, source);
    if (a->total >= a->max_total) {
        answer = ADMISSION_TOTAL;
    } else if (slot->sessions >= a->max_per_host) {
        answer = ADMISSION_HOST;
    } else {
        slot->source = source;
        slot->sessions++;
        a->total++;
    }
    pthread_mutex_unlock(&a->lock);
    return answer;
}

/* Frees slot I and moves back what could not stand in its home because of it. */
static void admission_remove(struct admission *a, size_t i)
{
    size_t j = i;
    for (;;) {
        a->slots[i] = (struct admission_slot){0};
        for (;;) {
            j = (j + 1) & a->mask;
            if (a->slots[j].source == 0)
                return;
            size_t home = admission_home(a, a->slots[j].source);
            /* May slot j move to the hole i? Only when its home does not lie behind the hole on the way to j. */
            if (((j - home) & a->mask) >= ((j - i) & a->mask))
                break;
        }
        a->slots[i] = a->slots[j];
        i = j;
    }
}

void admission_leave(struct admission *a, const struct addr *peer)
{
    pthread_mutex_lock(&a->lock);
    struct admission_slot *slot = admission_find(a, admission_source(peer));
    if (slot->sessions > 0) {
        a->total--;
        if (--slot->sessions == 0)
            admission_remove(a, (size_t)(slot - a->slots));
    }
    pthread_mutex_unlock(&a->lock);
}
