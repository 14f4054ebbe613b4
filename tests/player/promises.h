/* SPDX-License-Identifier: MIT */
/* What must be true of a run whatever failed in it: nothing promised and lost, nothing delivered twice, nobody bounced
 * for a fault of ours, nobody told of an internal error or left without a word that the log does not know. */
#ifndef PLAYER_PROMISES_H
#define PLAYER_PROMISES_H

#include "player/world.h"

/* USUAL: all replies to clients in the run where nothing fails; nothing of it is looked at where no allocation fails,
 * as such runs are compared with it reply by reply. What is broken becomes W's failure. */
void promises_check(struct world *w, struct span usual);
/* Whoever was told of an internal error finds a line about it in the log: its own, or one that says what was short. */
void promises_check_log(struct world *w);
/* Where the proxy left a client that had heard no 221, 4xx or 5xx last, the log says why: a line speaks of memory, or a
 * close has a reason. */
void promises_check_ends(struct world *w);

#endif
