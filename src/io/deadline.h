/* SPDX-License-Identifier: MIT */
/* One-shot timers on a loop, in microseconds of the monotonic clock. */
#ifndef IO_DEADLINE_H
#define IO_DEADLINE_H

#include "io/loop.h"
#include <stdbool.h>

struct deadline {
    void (*expired)(void *arg);
    void *arg;
    struct loop *loop;
    void *opaque[8];
};
void deadline_init(struct deadline *d, struct loop *l, void (*expired)(void *arg), void *arg);
void deadline_set_ms(struct deadline *d, uint64_t ms); /* from now; replaces an earlier setting */
void deadline_clear(struct deadline *d);               /* harmless when not set */
bool deadline_is_set(const struct deadline *d);

#endif
