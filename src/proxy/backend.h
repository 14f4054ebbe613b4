/* SPDX-License-Identifier: MIT */
/* Connections to the backend MTA, of one loop: opened on demand, leased to one session at a time, kept idle for a
 * moment in between, never shared between loops. What a server offers in EHLO is remembered from a probe at start and
 * from every connection. Thread: the loop's.
 *
 * A lease goes QUEUED → OPENING → READY, or to FAILED, from where it only can be given back. While READY the lessee
 * queues commands (backend_client), flushes, and pulls replies. WAKE comes from the loop, never from inside a call.
 */
#ifndef PROXY_BACKEND_H
#define PROXY_BACKEND_H

#include "base/log.h"
#include "io/addr.h"
#include "io/loop.h"
#include "proxy/proxy_conf.h"
#include "smtp/client.h"

/* One server; immutable, shared by the loops. */
struct backend_target {
    const char *name; /* as in the configuration, for logs */
    struct addr addr; /* length 0: its host name was not resolved at start, see backend_pool_resolved */
    const struct server_conf *conf;
    const char *helo; /* EHLO name */
};

enum { BACKEND_TARGETS_MAX = 64 };

struct backend_pool;
/* COUNT at most BACKEND_TARGETS_MAX. LOOPS: how many loops share each target's max_outbound_connections. */
struct backend_pool *backend_pool_new(struct loop *l, const struct backend_target *targets, size_t count,
                                      unsigned loops, const struct log *log);
/* Target number INDEX has this address now. */
void backend_pool_resolved(struct backend_pool *p, size_t index, const struct addr *a);
/* Connects to every target once to learn its keywords. */
void backend_pool_probe(struct backend_pool *p);
/* Closes idle connections and everything else; no leases are left. */
void backend_pool_free(struct backend_pool *p);
/* What every known server offers: the intersection of the end-to-end keywords and the smallest SIZE. Nothing known: the
 * empty offer. */
struct smtp_offer backend_pool_offer(const struct backend_pool *p);

enum backend_state {
    BACKEND_QUEUED,  /* waits until another lease is given back */
    BACKEND_OPENING, /* connecting, greeting, EHLO */
    BACKEND_READY,
    BACKEND_FAILED, /* backend_failure says why */
};

struct backend;
/* FRESH: do not take an idle connection. NULL: no memory. */
struct backend *backend_lease(struct backend_pool *p, bool fresh, void (*wake)(void *arg), void *arg);
enum backend_state backend_state(const struct backend *b);
bool backend_reused(const struct backend *b);
const char *backend_name(const struct backend *b);
const struct smtp_offer *backend_offer(const struct backend *b);

/* READY: queue commands and body with the smtp_client_* functions, then backend_flush. */
struct smtp_client *backend_client(struct backend *b);
void backend_flush(struct backend *b);
/* MORE: what follows comes at once, so that the end of what is flushed may wait for it and share its segment. */
void backend_more(struct backend *b, bool more);
/* Octets queued and not yet taken by the socket: stop producing above LIMIT_STREAM_OUT / 2; WAKE comes when they have
 * gone. */
size_t backend_backlog(const struct backend *b);
/* The next reply, valid until the next call; false: none yet, or the connection failed meanwhile (see backend_state).
 */
bool backend_reply(struct backend *b, enum smtp_client_verb *verb, struct smtp_reply *reply);

/* Why a lease FAILED: a reply for the client (451 4.4.x, or the server's own 5xx greeting) and a text for the log. */
struct backend_failure {
    struct smtp_reply reply;
    const char *detail;
};
struct backend_failure backend_failure(const struct backend *b);

/* Gives the lease back. IN_TRANSACTION: MAIL was sent; RSET is sent first. Connections that failed, or stand inside a
 * body (IN_BODY), are closed. */
void backend_return(struct backend *b, bool in_transaction, bool in_body);

#endif
