/* SPDX-License-Identifier: MIT */
/* Host names of backends. getaddrinfo blocks, so it never runs on a loop: once at start, and for names that could not
 * be resolved then, again and again on a thread of its own until they are. (src/dns will do this without a thread.) */
#ifndef DAEMON_RESOLVER_H
#define DAEMON_RESOLVER_H

#include "io/addr.h"
#include <stdint.h>

/* The address of NAME, "host:port", port 25 when there is none; of several the first IPv4 one. ERR_NOTFOUND with WHY.
 * Blocks. */
enum err resolver_lookup(const char *name, struct addr *out, struct errtext *why) must_use;

struct resolver;
/* A thread that looks NAMES up every RETRY_MS until each is known; RESOLVED is called on it with the index and the
 * address. NAMES are copied; ARG is used until resolver_stop. NULL: no memory or thread. */
struct resolver *resolver_start(const char *const *names, const size_t *indices, size_t count, uint64_t retry_ms,
                                void (*resolved)(void *arg, size_t index, const struct addr *a), void *arg);
/* RESOLVED is not called any more. A lookup that is under way is not waited for. */
void resolver_stop(struct resolver *r);

#endif
