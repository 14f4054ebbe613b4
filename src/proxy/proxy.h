/* SPDX-License-Identifier: MIT */
/* src/proxy: where the parts meet. proxy.h (this) what the edge process needs; session.h one client's session and its
 * steps (step.def, session.c, step_*.c); transaction.h one message: envelope, bytes, verdict, decision; backend.h
 * connections to the MTA behind us (backend_internal.h is private to backend.c and backend_pool.c); admission.h limits
 * on sessions; trace.c the header lines that postern may put in front; proxy_conf.h options.
 *
 * One struct proxy per event loop; nothing is shared between loops but struct proxy_shared.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include "base/log.h"
#include "io/iopool.h"
#include "proxy/admission.h"
#include "proxy/backend.h"
#include "proxy/proxy_conf.h"
#include "scan/scan_client.h"
#include "spool/message.h"

/* Immutable or safe for all threads; outlives every proxy. */
struct proxy_shared {
    const struct framework *framework;
    struct scan_runtime *scans; /* of that framework */
    const struct proxy_conf *conf;
    const struct log *log;
    const char *hostname;
    struct spool *spool;
    struct iopool *iopool;
    struct admission *admission;
    const struct backend_target *targets;
    size_t target_count;
    unsigned loops;
    uint32_t boot_id; /* random, makes session ids unique over restarts */
};

struct proxy;
/* NULL: no memory. INDEX: number of the loop. */
struct proxy *proxy_new(const struct proxy_shared *shared, struct loop *l, struct mailbox *mailbox, unsigned index);
/* Accepts from FD (borrowed) with CONF; NAME as in the configuration. */
enum err proxy_listen(struct proxy *p, int fd, const struct listen_conf *conf, const char *name) must_use;
struct scan_client *proxy_scan_client(struct proxy *p);
/* Target number INDEX, whose name had not been resolved, has this address now. */
void proxy_target_resolved(struct proxy *p, size_t index, const struct addr *a);
/* No new sessions; idle ones get 421 4.3.2, open transactions finish. EMPTY is called from the loop when no session is
 * left. */
void proxy_drain(struct proxy *p, void (*empty)(void *arg), void *arg);
/* The drain has taken too long: 421 to all that are left, whatever they do; EMPTY follows. Nothing that was not
 * answered yet is lost: no 250 was given. */
void proxy_cut(struct proxy *p);
/* Cuts what is left. */
void proxy_free(struct proxy *p);

#endif
