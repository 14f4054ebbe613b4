/* SPDX-License-Identifier: MIT */
/* An ICAP server (RFC 3507) as an engine. Of each server OPTIONS is asked when a worker first has to do with it, when
 * what it said is too old (Options-TTL), and when an answer bears another ISTag: it says whether the service works in
 * the configured mode, whether it answers 204 and wants a preview, and how many connections it allows.
 *
 * The connection is kept between messages. A server that allows fewer connections than the pool has workers
 * (Max-Connections) is left after each message, and workers wait for a place (connection_limit.h) before they connect.
 */
#include "scan/engine/icap.h"
#include "base/mem.h"
#include "sys/clock.h"

#include <poll.h>

enum { ICAP_PORT = 1344, PLACE_PAUSE_MS = 10, TRY_MS = 500 };

static void icap_close(void *state)
{
    struct icap *i = state;
    if (!i)
        return;
    link_free(i->link);
    connection_limit_free(i->limit);
    mem_free(i);
}

static enum err icap_open(const struct engine_conf *conf, void **state, struct engine_info *info, struct errtext *why)
{
    size_t count;
    memset(info, 0, sizeof(*info));
    struct icap *i = MEM_NEW(struct icap);
    if (!i) {
        errtext_set(why, "icap: no memory");
        return ERR_NOMEM;
    }
    i->conf = conf;
    enum err e = daemon_servers(conf, ICAP_PORT, i->names, &count, why);
    if (e == ERR_OK && (!(i->link = link_new(i->names, count, (uint64_t)conf->daemon_connect_ms)) ||
                        !(i->limit = connection_limit_new()))) {
        errtext_set(why, "icap: no memory");
        e = ERR_NOMEM;
    }
    if (e != ERR_OK) {
        icap_close(i);
        return e;
    }
    snprintf(info->version, sizeof(info->version), "ICAP server %.80s, not asked yet",
             count > 0 ? conf->daemon.items[0] : "nowhere");
    i->info = *info;
    *state = i;
    return ERR_OK;
}

static enum err icap_worker_start(void *state, const char *temp, struct errtext *why)
{
    struct icap *i = state;
    (void)temp, (void)why;
    link_resolve(i->link);
    return ERR_OK;
}

static size_t icap_ports(const void *state, uint16_t *out, size_t max)
{
    const struct icap *i = state;
    return link_ports(i->link, out, max);
}

static enum err icap_try(const void *state, struct errtext *why)
{
    const struct icap *i = state;
    return link_try(i->link, TRY_MS, why);
}

/* ---- what is known of a server ---- */

static void note_istag(struct icap *i, struct icap_server *s, const char *istag)
{
    char version[sizeof(i->info.version)];
    if (istag[0])
        snprintf(s->istag, sizeof(s->istag), "%s", istag);
    snprintf(version, sizeof(version), "%.60s, ISTag %.40s", s->service.name[0] ? s->service.name : "ICAP server",
             s->istag[0] ? s->istag : "none");
    if (strcmp(version, i->info.version) == 0)
        return;
    memcpy(i->info.version, version, sizeof(version));
    i->info.database_version = s->istag[0] ? icap_istag_number(s->istag) : 0;
    i->news = true;
}

static enum err learn(struct icap *i, struct link_connection *l)
{
    struct icap_server *s = &i->servers[l->server];
    struct icap_head h;
    struct errtext why;
    s->until_us = 0;
    enum err e = icap_ask_options(i, l, &h);
    if (e != ERR_OK)
        return e;
    if (!icap_service_is_usable(&h, i->conf->icap_mode == ICAP_MODE_REQMOD, &why)) {
        link_explain(l, "%s", why.text);
        link_disown_input(l); /* it is as good as not there: the next one */
        return ERR_CLOSED;
    }
    i->asked[l->server] = true;
    s->service = h.service;
    s->until_us = clock_monotonic_us() + h.service.ttl_s * 1000000;
    s->istag[0] = '\0';
    note_istag(i, s, h.istag);
    connection_limit_set(i->limit, l->server, h.service.max_connections);
    return h.close ? link_again(l) : ERR_OK;
}

static bool is_stale(const struct icap *i, size_t server)
{
    return !i->asked[server] && clock_monotonic_us() >= i->servers[server].until_us;
}

/* ---- Max-Connections ---- */

/* Fewer connections are allowed than workers may want. */
static bool is_scarce(const struct icap *i, size_t server)
{
    size_t max = connection_limit_get(i->limit, server);
    return max > 0 && (i->conf->workers == 0 || max < i->conf->workers);
}

/* A place at the server, waiting for one as long as one waits for a connection. */
static enum err icap_admit(struct link_connection *l, void *arg)
{
    struct icap *i = arg;
    size_t server = l->server;
    uint64_t give_up = clock_monotonic_us() + (uint64_t)i->conf->daemon_connect_ms * 1000;
    if (i->leased[server] || !is_scarce(i, server))
        return ERR_OK;
    for (;;) {
        uint64_t now = clock_monotonic_us();
        if (connection_limit_take(i->limit, server, now, i->until_us, &i->leases[server])) {
            i->leased[server] = true;
            return ERR_OK;
        }
        if (now >= give_up || now >= l->deadline_us) {
            link_explain(l, "all %zu connections that it allows are in use", connection_limit_get(i->limit, server));
            return now >= l->deadline_us ? ERR_AGAIN : ERR_CLOSED;
        }
        poll(NULL, 0, PLACE_PAUSE_MS); /* no process is woken by another's end of a lease */
    }
}

static void give_places_back(struct icap *i)
{
    for (size_t n = 0; n < LINK_SERVERS; n++)
        if (i->leased[n])
            connection_limit_give_back(i->limit, &i->leases[n]);
    memset(i->leased, 0, sizeof(i->leased));
}

/* ---- a message ---- */

static enum err icap_greet(struct link_connection *l, void *arg)
{
    struct icap *i = arg;
    return is_stale(i, l->server) ? learn(i, l) : ERR_OK;
}

static enum err icap_ask(struct link_connection *l, void *arg)
{
    struct icap *i = arg;
    struct icap_server *s = &i->servers[l->server];
    struct icap_head h = {.status = 0}; /* no signal either, should no answer come */
    enum err e = is_stale(i, l->server) ? learn(i, l) : ERR_OK;
    if (e != ERR_OK)
        return e;
    if (is_scarce(i, l->server))
        link_spoil(l);
    if (s->service.ignores_all) {
        verdict_set(i->out, VERDICT_UNSCANNABLE, VERDICT_REASON_UNSUPPORTED,
                    "ICAP: the service wants to see nothing (Transfer-Ignore: *)");
        return ERR_OK;
    }
    e = icap_ask_message(i, l, &h);
    if (e != ERR_OK)
        return e;
    if (h.istag[0] && strcmp(h.istag, s->istag) != 0) {
        s->until_us = 0; /* other signatures, or another configuration: ask before the next message */
        note_istag(i, s, h.istag);
    }
    i->out->database_version = s->istag[0] ? icap_istag_number(s->istag) : 0;
    return ERR_OK;
}

static void icap_scan(void *state, int fd, uint64_t size, uint64_t time_ms, struct verdict *out)
{
    static const struct link_exchange exchange = {.admit = icap_admit, .greet = icap_greet, .ask = icap_ask};
    struct icap *i = state;
    if (daemon_message_is_too_large(size, (uint64_t)i->conf->max_filesize, out))
        return;
    struct verdict answer = {.class = VERDICT_ERROR};
    i->fd = fd;
    i->size = size;
    i->out = &answer;
    i->until_us = clock_monotonic_us() + time_ms * 1000;
    memset(i->asked, 0, sizeof(i->asked));
    if (link_run(i->link, &exchange, i, daemon_time(time_ms), out))
        *out = answer;
    give_places_back(i);
    i->out = NULL;
    i->fd = -1;
}

static bool icap_news(void *state, struct engine_info *info)
{
    struct icap *i = state;
    bool news = i->news;
    *info = i->info;
    i->news = false;
    return news;
}

const struct engine_type engine_icap = {
    .name = "icap",
    .cage = ENGINE_CAGE_NET,
    .open = icap_open,
    .worker_start = icap_worker_start,
    .scan = icap_scan,
    .close = icap_close,
    .ports = icap_ports,
    .try_daemon = icap_try,
    .news = icap_news,
};
