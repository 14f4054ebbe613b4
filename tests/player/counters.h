/* SPDX-License-Identifier: MIT */
/* What the program has counted, against the lines `counter …` of a scenario. The names are those of the console's JSON,
 * which the other player asks. */
#ifndef PLAYER_COUNTERS_H
#define PLAYER_COUNTERS_H

#include "player/world.h"

/* Counters of every engine that contradict each other are a failure, and with EXACT those that differ from the
 * scenario's lines. At the end of a run, when nothing moves any more. */
void counters_check(struct world *w, bool exact);

#endif
