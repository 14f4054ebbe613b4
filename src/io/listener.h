/* SPDX-License-Identifier: MIT */
/* Accepting connections from a listening descriptor that the supervisor opened. Several loops may watch the same
 * descriptor. */
#ifndef IO_LISTENER_H
#define IO_LISTENER_H

#include "io/addr.h"
#include "io/loop.h"

struct listener;
/* ACCEPTED receives a non-blocking, close-on-exec descriptor that it owns. On EMFILE or ENFILE accepting pauses for a
 * moment instead of spinning, and SHORTAGE is called with errno. */
struct listener *listener_new(struct loop *l, int fd, void (*accepted)(void *arg, int fd, const struct addr *peer),
                              void (*shortage)(void *arg, int error), void *arg);
void listener_pause(struct listener *l, bool paused); /* admission control */
void listener_free(struct listener *l);               /* the descriptor stays the caller's */

/* Opens a listening TCP or unix socket (SO_REUSEADDR, non-blocking, close-on-exec; IPV6_V6ONLY unless the address is
 * ":port"); -1 and WHY on failure. */
int listener_open(const struct addr *a, int backlog, struct errtext *why);

#endif
