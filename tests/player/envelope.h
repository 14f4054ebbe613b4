/* SPDX-License-Identifier: MIT */
/* Who was promised what: the envelope of each message that a client was told is taken, against those of the messages
 * that backends took. */
#ifndef PLAYER_ENVELOPE_H
#define PLAYER_ENVELOPE_H

#include "player/world.h"

/* The first reply in IN, all its lines; empty: it has not come to its end. */
struct span reply_first(struct span in);
/* The next reply in *REST, which it is taken from; false: there is none. */
bool reply_take(struct span *rest, struct span *reply);

/* A backend took a message for COMMANDS, the lines of its envelope. */
void envelope_keep(struct world *w, struct span commands);
/* Each message that was answered 2xx has a delivery of its own from the same sender to every recipient that was
 * answered 2xx, but for as many as quarantine kept. A refused recipient of a delivery is not told from an accepted
 * one here: what a backend of the script says to whom is the script's. */
void envelope_check(struct world *w);

#endif
