/* SPDX-License-Identifier: MIT */
/* Messages that ended workers by their own fault, by digest. A small table: the oldest entry gives way. */
#ifndef SCAN_HOST_POISON_H
#define SCAN_HOST_POISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    POISON_AT = 3,       /* so many workers: chance and a broken worker are ruled out, and the pool is not burned */
    POISON_ENTRIES = 256 /* each costs its sender a crash, and lives until the host's generation ends */
};

struct poison {
    struct poison_entry {
        uint8_t digest[32];
        unsigned deaths; /* 0: free */
        uint64_t last;   /* order of the last death */
    } entries[POISON_ENTRIES];
    uint64_t clock;
};

/* One more worker died of DIGEST; returns how many did now. */
unsigned poison_note(struct poison *p, const uint8_t digest[32]);
bool poison_has(const struct poison *p, const uint8_t digest[32]);

#endif
