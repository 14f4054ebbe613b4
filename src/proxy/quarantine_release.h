/* SPDX-License-Identifier: MIT */
/* Giving one message out of quarantine to the backend after all: its own envelope, its own octets, two header lines in
 * front that say where it was. It is not scanned again. All or nothing: a recipient that the backend refuses now means
 * that nothing is delivered to anybody.
 *
 * The entry is RELEASING on disk before the first word to the backend, and becomes RELEASED or HELD again with the
 * backend's last words; where the connection broke after the final dot it stays RELEASING, since the backend may have
 * the message. Private to src/proxy; thread: the loop's.
 */
#ifndef PROXY_QUARANTINE_RELEASE_H
#define PROXY_QUARANTINE_RELEASE_H

#include "proxy/session.h"

enum quarantine_release_outcome {
    RELEASE_DELIVERED, /* the backend said 2xx to the final dot */
    RELEASE_REFUSED,   /* the backend said something else, or was not there: nothing was delivered */
    RELEASE_UNKNOWN,   /* the connection broke off after the final dot */
    RELEASE_NOT_BEGUN, /* no such entry, damaged, released before: nothing was changed */
};

struct quarantine_release;
/* ID (any octets, borrowed) of the quarantine of P's process. DONE is called once, from the loop and never from inside
 * this call; with it the object ends (quarantine_release_free). NULL: no memory. */
struct quarantine_release *quarantine_release_start(struct proxy *p, struct span id, bool again,
                                                    void (*done)(void *arg), void *arg);
/* Nobody waits any longer: before the final dot it is broken off. DONE still comes, once the disk knows. */
void quarantine_release_cut(struct quarantine_release *r);
/* After DONE. */
enum quarantine_release_outcome quarantine_release_outcome(const struct quarantine_release *r);
enum err
quarantine_release_err(const struct quarantine_release *r); /* NOT_BEGUN: as quarantine_release_begin gave it */
const char *quarantine_release_text(const struct quarantine_release *r); /* the backend's words, or what was wrong */
void quarantine_release_free(struct quarantine_release *r);

#endif
