/* SPDX-License-Identifier: MIT */
/* One event loop's share of the proxy: listeners, sessions and their reaper, draining. */
#include "proxy/proxy.h"
#include "base/mem.h"
#include "proxy/session.h"

static void proxy_reap(void *arg)
{
    struct proxy *p = arg;
    struct list *node;
    while ((node = list_take(&p->dead)))
        session_free(container_of(node, struct session, node));
    if (p->draining && list_empty(&p->sessions) && p->empty) {
        void (*empty)(void *) = p->empty;
        p->empty = NULL;
        empty(p->empty_arg);
    }
}

struct proxy *proxy_new(const struct proxy_shared *shared, struct loop *l, struct mailbox *mailbox, unsigned index)
{
    struct proxy *p = MEM_NEW(struct proxy);
    if (!p)
        return NULL;
    p->shared = shared;
    p->loop = l;
    p->mailbox = mailbox;
    p->index = index;
    list_init(&p->listeners);
    list_init(&p->sessions);
    list_init(&p->dead);
    loop_deferred_init(&p->reaper, proxy_reap, p);
    p->backends = backend_pool_new(l, shared->targets, shared->target_count, shared->loops, shared->log);
    p->scans = scan_client_new(l, shared->scans, shared->log, index == 0);
    if (!p->backends || !p->scans) {
        proxy_free(p);
        return NULL;
    }
    backend_pool_probe(p->backends);
    return p;
}

static void proxy_accepted(void *arg, int fd, const struct addr *peer)
{
    session_start(arg, fd, peer);
}

static void proxy_shortage(void *arg, int error)
{
    const struct proxy_listener *l = arg;
    log_text(l->proxy->shared->log, LOG_SHORTAGE, "detail", "accepting on %s pauses: %s", l->name, strerror(error));
}

enum err proxy_listen(struct proxy *p, int fd, const struct listen_conf *conf, const char *name)
{
    struct proxy_listener *l = MEM_NEW(struct proxy_listener);
    if (!l)
        return ERR_NOMEM;
    l->proxy = p;
    l->conf = conf;
    l->name = name;
    l->smtp = (struct smtp_server_options){
        .hostname = span_cstr(conf->hostname ? conf->hostname : p->shared->hostname),
        .banner = span_cstr(conf->banner),
        .max_message_size = (uint64_t)conf->max_message_size,
        .max_recipients = (unsigned)conf->max_recipients,
        .max_errors = (unsigned)conf->max_errors,
        .max_junk = (unsigned)conf->max_junk,
    };
    l->listener = listener_new(p->loop, fd, proxy_accepted, proxy_shortage, l);
    if (!l->listener) {
        mem_free(l);
        return ERR_NOMEM;
    }
    list_append(&p->listeners, &l->node);
    return ERR_OK;
}

struct scan_client *proxy_scan_client(struct proxy *p)
{
    return p->scans;
}

void proxy_drain(struct proxy *p, void (*empty)(void *arg), void *arg)
{
    p->draining = true;
    p->empty = empty;
    p->empty_arg = arg;
    LIST_EACH (node, &p->listeners)
        listener_pause(container_of(node, struct proxy_listener, node)->listener, true);
    LIST_EACH (node, &p->sessions)
        session_drain(container_of(node, struct session, node));
    loop_defer(p->loop, &p->reaper); /* there may be no session at all */
}

void proxy_target_resolved(struct proxy *p, size_t index, const struct addr *a)
{
    backend_pool_resolved(p->backends, index, a);
}

void proxy_cut(struct proxy *p)
{
    LIST_EACH_SAFE (node, &p->sessions)
        session_cut(container_of(node, struct session, node));
}

void proxy_free(struct proxy *p)
{
    if (!p)
        return;
    p->empty = NULL;
    LIST_EACH_SAFE (node, &p->sessions)
        session_end(container_of(node, struct session, node), "postern stops");
    loop_defer_cancel(&p->reaper);
    proxy_reap(p);
    struct list *node;
    while ((node = list_take(&p->listeners))) {
        struct proxy_listener *l = container_of(node, struct proxy_listener, node);
        listener_free(l->listener);
        mem_free(l);
    }
    backend_pool_free(p->backends);
    if (p->scans)
        scan_client_free(p->scans);
    mem_free(p);
}
