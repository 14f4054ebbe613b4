/* SPDX-License-Identifier: MIT */
/* The pool of backend connections of one loop: which server a lease gets, which leases wait, which connections are kept
 * idle. A connection belongs to exactly one of the pool's lists; its state says which. */
#include "base/mem.h"
#include "proxy/backend_internal.h"

static void backend_reap(void *arg)
{
    struct backend_pool *p = arg;
    struct list *node;
    while ((node = list_take(&p->dead))) {
        struct backend *b = container_of(node, struct backend, node);
        OBJ_FINI(b);
        mem_free(b);
    }
}

static unsigned backend_cap(const struct backend_pool *p, const struct backend_server *server)
{
    unsigned cap = (unsigned)server->target->conf->max_outbound_connections / p->loops;
    return cap ? cap : 1;
}

static bool pool_has_room(const struct backend_pool *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->servers[i].connections < backend_cap(p, &p->servers[i]))
            return true;
    return false;
}

/* Slots became free: the leases that wait longest go on. */
static void backend_serve_queue(void *arg)
{
    struct backend_pool *p = arg;
    while (!list_empty(&p->queue) && pool_has_room(p)) {
        struct backend *b = container_of(p->queue.next, struct backend, queue_node);
        list_remove(&b->queue_node);
        backend_open_next(b);
    }
}

void backend_slot_freed(struct backend_pool *p)
{
    if (!list_empty(&p->queue))
        loop_defer(p->loop, &p->serve);
}

/* B waits for a slot. It has not been at any server yet. */
static void backend_enqueue(struct backend *b)
{
    b->state = CONNECTION_QUEUED;
    list_append(&b->pool->queue, &b->queue_node);
    deadline_set_ms(&b->deadline, (uint64_t)b->pool->servers[0].target->conf->connect_timeout_ms);
}

/* The server that a lease tries next: in the order of the file, those that failed a moment ago last. NULL: none has
 * room. */
static struct backend_server *pool_choose(const struct backend_pool *p, uint64_t tried)
{
    for (int with_resting = 0; with_resting < 2; with_resting++) {
        for (size_t i = 0; i < p->count; i++) {
            struct backend_server *server = &p->servers[i];
            bool rests = server->down && loop_now_us(p->loop) < server->rests_until_us;
            if (!(tried >> i & 1) && server->connections < backend_cap(p, server) && (with_resting || !rests))
                return server;
        }
    }
    return NULL;
}

/* Takes up the next server; with none left: failed. */
void backend_open_next(struct backend *b)
{
    struct backend_pool *p = b->pool;
    struct backend_server *server = pool_choose(p, b->tried);
    if (server) {
        b->tried |= UINT64_C(1) << (server - p->servers);
        backend_start_connect(b, server);
        return;
    }
    /* A refusal for good is what every server says: one that is only busy might have taken the mail. */
    if (smtp_reply_class(&b->failure_reply) == 5 && (size_t)__builtin_popcountll(b->tried) < p->count)
        b->failure_reply = smtp_say(SMTP_SAY_BACKEND_BUSY);
    b->state = CONNECTION_FAILED;
    loop_defer(p->loop, &b->kick);
}

void backend_learn(struct backend *b)
{
    const struct smtp_offer *offer = smtp_client_offer(&b->client);
    struct backend_server *server = b->server;
    bool news = !server->known || server->down || server->offer.set != offer->set ||
                server->offer.size_limit != offer->size_limit;
    server->offer = *offer;
    server->known = true;
    server->down = false;
    if (!news)
        return;
    struct log_record r;
    log_begin(&r, b->pool->log, LOG_BACKEND_UP);
    log_cstr(&r, "backend", server->target->name);
    char words[256] = "";
    size_t used = 0;
    for (unsigned i = 0; i < SMTP_EXT_COUNT; i++)
        if (offer->set & ((smtp_ext_set)1 << i) && used < sizeof(words))
            used += (size_t)snprintf(words + used, sizeof(words) - used, "%s%s", used ? " " : "",
                                     smtp_ext_keyword((enum smtp_ext)i));
    log_cstr(&r, "keywords", words);
    log_u64(&r, "size_limit", offer->size_limit);
    log_end(&r);
}

struct backend_pool *backend_pool_new(struct loop *l, const struct backend_target *targets, size_t count,
                                      unsigned loops, const struct log *log)
{
    struct backend_pool *p = MEM_NEW(struct backend_pool);
    struct backend_server *servers = mem_new(count, sizeof(*servers));
    if (!p || !servers) {
        mem_free(p);
        mem_free(servers);
        return NULL;
    }
    p->loop = l;
    p->log = log;
    p->servers = servers;
    p->count = count;
    p->loops = loops ? loops : 1;
    for (size_t i = 0; i < count; i++) {
        servers[i].target = &targets[i];
        servers[i].addr = targets[i].addr;
    }
    list_init(&p->all);
    list_init(&p->queue);
    list_init(&p->dead);
    loop_deferred_init(&p->reaper, backend_reap, p);
    loop_deferred_init(&p->serve, backend_serve_queue, p);
    return p;
}

void backend_pool_probe(struct backend_pool *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct backend *b = backend_new(p);
        if (!b)
            return; /* the first connection will teach us as well */
        b->probe = true;
        backend_start_connect(b, &p->servers[i]);
    }
}

void backend_pool_resolved(struct backend_pool *p, size_t index, const struct addr *a)
{
    p->servers[index].addr = *a;
    p->servers[index].rests_until_us = 0;
}

void backend_pool_free(struct backend_pool *p)
{
    if (!p)
        return;
    LIST_EACH_SAFE (node, &p->all)
        backend_bury(container_of(node, struct backend, node));
    loop_defer_cancel(&p->serve);
    loop_defer_cancel(&p->reaper);
    backend_reap(p);
    mem_free(p->servers);
    mem_free(p);
}

struct smtp_offer backend_pool_offer(const struct backend_pool *p)
{
    struct smtp_offer offer = {.set = ~(smtp_ext_set)0};
    bool any = false;
    for (size_t i = 0; i < p->count; i++) {
        const struct backend_server *server = &p->servers[i];
        if (!server->known)
            continue;
        any = true;
        offer.set &= server->offer.set;
        if (server->offer.size_limit && (!offer.size_limit || server->offer.size_limit < offer.size_limit))
            offer.size_limit = server->offer.size_limit;
    }
    if (!any)
        offer.set = 0;
    return offer;
}

/* An idle connection that still looks alive, or NULL. */
static struct backend *backend_take_idle(struct backend_pool *p)
{
    LIST_EACH_SAFE (node, &p->all) {
        struct backend *b = container_of(node, struct backend, node);
        if (b->state != CONNECTION_IDLE)
            continue;
        if (!stream_peer_gone(&b->stream) && buf_len(&b->stream.in) == 0)
            return b;
        backend_bury(b);
    }
    return NULL;
}

struct backend *backend_lease(struct backend_pool *p, bool fresh, void (*wake)(void *arg), void *arg)
{
    struct backend *b = fresh ? NULL : backend_take_idle(p);
    if (b) {
        deadline_clear(&b->deadline);
        b->reused = true;
        b->state = CONNECTION_READY;
        b->wake = wake;
        b->arg = arg;
        loop_defer(p->loop, &b->kick);
        return b;
    }
    b = backend_new(p);
    if (!b)
        return NULL;
    b->wake = wake;
    b->arg = arg;
    if (!list_empty(&p->queue) || !pool_has_room(p))
        backend_enqueue(b);
    else
        backend_open_next(b);
    return b;
}
