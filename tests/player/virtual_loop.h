/* SPDX-License-Identifier: MIT */
/* src/io's loop, deadlines, mailboxes, I/O pool and listener once more, for one thread, without descriptors and with a
 * clock that only the player moves. This program defines those functions itself, so the linker never takes
 * postern_io's. */
#ifndef PLAYER_VIRTUAL_LOOP_H
#define PLAYER_VIRTUAL_LOOP_H

#include "io/addr.h"
#include "io/loop.h"
#include <stdbool.h>

struct loop {
    struct list deferred, timers;
    uint64_t now_us;
    struct listener *listener; /* the only one */
};

void virtual_loop_init(struct loop *l);
/* Runs what is deferred until nothing is. False: it never ends. */
bool virtual_loop_run(struct loop *l) must_use;
bool virtual_loop_idle(const struct loop *l);
/* Fires the earliest timer that is due at or before UNTIL, and sets the clock to it; false: there is none, and the
 * clock stands at UNTIL. */
bool virtual_loop_fire(struct loop *l, uint64_t until_us);
/* A client on the listening socket: FD goes to the callback as it is. False: the listener is paused or gone. */
bool virtual_listener_connect(struct loop *l, int fd, const struct addr *peer);

#endif
