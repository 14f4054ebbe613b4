/* SPDX-License-Identifier: MIT */
/* The thread that repeats failed lookups. It shares its object with the starter; whoever leaves last frees it. */
#include "daemon/resolver.h"
#include "base/mem.h"
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#ifdef POSTERN_SANITIZED
/* The thread may be inside a lookup when the process exits; what the C library holds for it then is no leak. (The name
 * is the leak checker's: it asks for this text.) */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:res_context_send\nleak:getaddrinfo\n";
}
#endif

struct resolver {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopped, thread_done;
    uint64_t retry_ms;
    size_t count;
    char **names; /* copies, as a lookup may outlive the starter; NULL: known */
    size_t *indices;
    void (*resolved)(void *arg, size_t index, const struct addr *a);
    void *arg;
};

enum err resolver_lookup(const char *name, struct addr *out, struct errtext *why)
{
    struct span host;
    unsigned port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char host_text[256], port_text[8];
    if (addr_parse(span_cstr(name), 25, out, why) == ERR_OK)
        return ERR_OK;
    if (!addr_split(span_cstr(name), 25, &host, &port) || host.len >= sizeof(host_text)) {
        errtext_set(why, "backend \"%s\": expected host:port", name);
        return ERR_NOTFOUND;
    }
    snprintf(host_text, sizeof(host_text), "%.*s", SPAN_ARG(host));
    snprintf(port_text, sizeof(port_text), "%u", port);
    int error = getaddrinfo(host_text, port_text, &hints, &found);
    if (error != 0 || !found) {
        errtext_set(why, "backend \"%s\" cannot be resolved: %s", name, gai_strerror(error));
        return ERR_NOTFOUND;
    }
    /* One address is kept. IPv4 first: "localhost" often has both, and MTAs behind a gateway mostly listen on 127.0.0.1
     * only. */
    const struct addrinfo *best = found;
    for (const struct addrinfo *a = found; a && best->ai_family != AF_INET; a = a->ai_next)
        if (a->ai_family == AF_INET)
            best = a;
    memset(out, 0, sizeof(*out));
    memcpy(&out->storage, best->ai_addr, best->ai_addrlen);
    out->len = best->ai_addrlen;
    freeaddrinfo(found);
    return ERR_OK;
}

static void resolver_free(struct resolver *r)
{
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->wake);
    for (size_t i = 0; i < r->count; i++)
        mem_free(r->names[i]);
    mem_free(r->names);
    mem_free(r->indices);
    mem_free(r);
}

/* Looks up what is not known, unlocked; returns how many names are left. */
static size_t resolver_round(struct resolver *r)
{
    size_t left = 0;
    for (size_t i = 0; i < r->count && !r->stopped; i++) {
        struct addr a;
        struct errtext why;
        if (!r->names[i])
            continue;
        pthread_mutex_unlock(&r->lock);
        enum err e = resolver_lookup(r->names[i], &a, &why);
        pthread_mutex_lock(&r->lock);
        if (e != ERR_OK) {
            left++;
        } else if (!r->stopped) {
            mem_free(r->names[i]);
            r->names[i] = NULL;
            r->resolved(r->arg, r->indices[i], &a);
        }
    }
    return left;
}

static void *resolver_run(void *arg)
{
    struct resolver *r = arg;
    pthread_mutex_lock(&r->lock);
    while (!r->stopped) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += (time_t)(r->retry_ms / 1000);
        until.tv_nsec += (long)(r->retry_ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        while (!r->stopped && pthread_cond_timedwait(&r->wake, &r->lock, &until) != ETIMEDOUT)
            ;
        if (!r->stopped && resolver_round(r) == 0)
            break;
    }
    r->thread_done = true;
    bool last = r->stopped;
    pthread_mutex_unlock(&r->lock);
    if (last)
        resolver_free(r);
    return NULL;
}

struct resolver *resolver_start(const char *const *names, const size_t *indices, size_t count, uint64_t retry_ms,
                                void (*resolved)(void *arg, size_t index, const struct addr *a), void *arg)
{
    struct resolver *r = MEM_NEW(struct resolver);
    if (!r)
        return NULL;
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->wake, &clock);
    pthread_condattr_destroy(&clock);
    r->names = mem_new(count, sizeof(*r->names));
    r->indices = mem_new(count, sizeof(*r->indices));
    r->retry_ms = retry_ms;
    r->resolved = resolved;
    r->arg = arg;
    pthread_t thread;
    if (r->names && r->indices) {
        memcpy(r->indices, indices, count * sizeof(*indices));
        while (r->count < count && (r->names[r->count] = mem_strdup(span_cstr(names[r->count]))))
            r->count++;
        if (r->count == count && pthread_create(&thread, NULL, resolver_run, r) == 0) {
            pthread_detach(thread);
            return r;
        }
    }
    resolver_free(r);
    return NULL;
}

void resolver_stop(struct resolver *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stopped = true;
    bool last = r->thread_done;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    if (last)
        resolver_free(r);
}
