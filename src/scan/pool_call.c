/* SPDX-License-Identifier: MIT */
/* Questions to the scan hosts about themselves. They are few, so a list will do. */
#include "scan/pool_call.h"
#include "scan/scan_client.h"

enum { POOL_CALL_MS = 5000 }; /* a host itself never works for long */

static enum err query_send(struct scan_client *c, int pool, uint64_t id, uint32_t concurrency)
{
    struct scan_record record = {.type = SCAN_QUERY, .query = {.id = id, .concurrency = concurrency}};
    return scan_client_send(c, pool, &record);
}

static bool call_ask(const struct pool_call *call, const char **why)
{
    enum err e = query_send(call->client, call->pool, call->id, call->concurrency);
    if (e == ERR_OK)
        return true;
    *why = e == ERR_AGAIN ? "too many scans are waiting" : "the scan host is not running";
    return false;
}

static void call_end(struct pool_call *call, const struct scan_pool_report *report, const char *why)
{
    pool_call_cancel(call);
    call->answered(call, report, why);
}

static void call_expired(void *arg)
{
    call_end(arg, NULL, "the scan host does not answer");
}

void pool_call_init(struct pool_call *call, struct scan_client *c,
                    void (*answered)(struct pool_call *call, const struct scan_pool_report *report, const char *why))
{
    *call = (struct pool_call){.client = c, .answered = answered};
    list_init(&call->node);
    deadline_init(&call->deadline, scan_client_loop(c), call_expired, call);
}

bool pool_call_send(struct pool_call *call, int pool, uint32_t concurrency, const char **why)
{
    struct pool_calls *p = scan_client_pool_calls(call->client);
    call->pool = pool;
    call->concurrency = concurrency;
    call->id = ++p->serial;
    if (!call_ask(call, why)) {
        call->id = 0;
        return false;
    }
    if (concurrency != 0)
        p->concurrency[pool] = concurrency;
    list_append(&p->waiting, &call->node);
    deadline_set_ms(&call->deadline, POOL_CALL_MS);
    return true;
}

void pool_call_cancel(struct pool_call *call)
{
    if (call->id == 0)
        return;
    call->id = 0;
    list_remove(&call->node);
    deadline_clear(&call->deadline);
}

void pool_calls_init(struct pool_calls *p)
{
    *p = (struct pool_calls){.serial = 0};
    list_init(&p->waiting);
}

void pool_calls_arrived(struct pool_calls *p, int pool, unsigned generation, const struct scan_pool_report *report)
{
    LIST_EACH (node, &p->waiting) {
        struct pool_call *call = container_of(node, struct pool_call, node);
        if (call->id != report->id || call->pool != pool)
            continue;
        call->generation = generation;
        call_end(call, report, NULL);
        return; /* the list may be another one now */
    }
}

void pool_calls_moved(struct pool_calls *p, struct scan_client *c, int pool, const char *why)
{
    struct list all, *node;
    if (p->concurrency[pool] != 0) /* where there is no host now, its successor will be told */
        (void)!query_send(c, pool, 0, p->concurrency[pool]);
    list_init(&all);
    list_move_all(&all, &p->waiting);
    while ((node = list_take(&all)) != NULL) {
        struct pool_call *call = container_of(node, struct pool_call, node);
        const char *ignored;
        list_append(&p->waiting, node);
        if (call->pool == pool && !call_ask(call, &ignored))
            call_end(call, NULL, why);
    }
}
