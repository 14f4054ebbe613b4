/* SPDX-License-Identifier: MIT */
/* The table of messages that end workers. */
#include "scan/host/poison.h"

#include <string.h>

unsigned poison_note(struct poison *p, const uint8_t digest[32])
{
    struct poison_entry *oldest = &p->entries[0];
    for (size_t i = 0; i < POISON_ENTRIES; i++) {
        struct poison_entry *e = &p->entries[i];
        if (e->deaths > 0 && memcmp(e->digest, digest, sizeof(e->digest)) == 0) {
            e->last = ++p->clock;
            return ++e->deaths;
        }
        if (e->last < oldest->last)
            oldest = e;
    }
    memcpy(oldest->digest, digest, sizeof(oldest->digest));
    oldest->last = ++p->clock;
    return oldest->deaths = 1;
}

bool poison_has(const struct poison *p, const uint8_t digest[32])
{
    for (size_t i = 0; i < POISON_ENTRIES; i++)
        if (p->entries[i].deaths >= POISON_AT &&
            memcmp(p->entries[i].digest, digest, sizeof(p->entries[i].digest)) == 0)
            return true;
    return false;
}
