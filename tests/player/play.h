/* SPDX-License-Identifier: MIT */
/* The steps of a scenario, one after the other, in a world. Sending waits until everything has settled; expecting looks
 * at what has come. So the order between parties that do not wait for each other does not matter. */
#ifndef PLAYER_PLAY_H
#define PLAYER_PLAY_H

#include "player/world.h"

/* What must be the same however the bytes were cut. */
struct outcome {
    struct buf replies;    /* of all clients, one after the other */
    struct buf deliveries; /* envelopes and messages that the backends took */
    size_t octets;         /* that the script sent */
    size_t answered;       /* octets that backends said by themselves */
    bool starved;          /* an allocation failed */
    struct errtext failure;
};

/* Plays SETUP's scenario; false: OUT->failure says why not. Where an allocation fails, the script is left at the first
 * reply that differs, what is said from there on is read to the end of every session, and only the promises are
 * asserted: nothing is told to be taken that neither a backend nor quarantine took, nothing is delivered more often
 * than it was sent, no backend gets what it must not get, nobody is told 5xx that is neither among USUAL, which are the
 * replies of the run where nothing fails, nor a backend's (promises.h), nothing is left behind. Release OUT in every
 * case. */
bool play(const struct setup *setup, const struct manner *how, struct span usual, struct outcome *out) must_use;
void outcome_release(struct outcome *out);

#endif
