/* SPDX-License-Identifier: MIT */
/* Servers and their connections: which is asked, when one is tried again, when it is the next one's turn. */
#include "scan/engine/link.h"
#include "base/mem.h"
#include "sys/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

enum { BUSY_PAUSE_MS = 20 /* between tries where a unix socket's queue is full: the kernel tells no better moment */ };

struct link_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

struct link_server {
    struct server_name name;
    char text[SERVER_HOST + 16]; /* for people */
    struct link_address addresses[LINK_ADDRESSES];
    size_t address_count;
    char lookup_failed[128];
    uint64_t down_until_us;
    struct link_connection connection;
};

struct link {
    struct link_server servers[LINK_SERVERS];
    size_t count;
    uint64_t connect_ms;
};

struct link *link_new(const struct server_name *servers, size_t count, uint64_t connect_ms)
{
    struct link *l = MEM_NEW(struct link);
    if (!l)
        return NULL;
    l->connect_ms = connect_ms;
    for (; l->count < count && l->count < LINK_SERVERS; l->count++) {
        struct link_server *s = &l->servers[l->count];
        const struct server_name *n = &servers[l->count];
        s->name = *n;
        bool bracket = strchr(n->host, ':') != NULL;
        if (n->host[0] == '\0')
            snprintf(s->text, sizeof(s->text), "%s", n->path);
        else
            snprintf(s->text, sizeof(s->text), bracket ? "[%s]:%u" : "%s:%u", n->host, n->port);
        snprintf(s->lookup_failed, sizeof(s->lookup_failed), "not looked up");
        s->connection = (struct link_connection){.server = l->count, .local = n->host[0] == '\0', .fd = -1};
        buf_init(&s->connection.in, LINK_REPLY);
    }
    return l;
}

static void connection_close(struct link_connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_clear(&c->in);
    c->taken = 0;
}

void link_free(struct link *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->count; i++) {
        connection_close(&l->servers[i].connection);
        buf_release(&l->servers[i].connection.in);
    }
    mem_free(l);
}

static void add_address(struct link_server *s, const void *address, socklen_t len)
{
    if (s->address_count == LINK_ADDRESSES || len > sizeof(struct sockaddr_storage))
        return;
    struct link_address *a = &s->addresses[s->address_count++];
    memset(a, 0, sizeof(*a));
    memcpy(&a->storage, address, len);
    a->len = len;
}

/* MORE_FLAGS of getaddrinfo(3). */
static void resolve_name(struct link_server *s, int more_flags)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | more_flags}, *found = NULL;
    char port[8];
    snprintf(port, sizeof(port), "%u", s->name.port);
    int error = getaddrinfo(s->name.host, port, &hints, &found);
    if (error != 0) {
        snprintf(s->lookup_failed, sizeof(s->lookup_failed), "the name cannot be resolved: %s", gai_strerror(error));
        return;
    }
    for (const struct addrinfo *a = found; a; a = a->ai_next)
        add_address(s, a->ai_addr, a->ai_addrlen);
    freeaddrinfo(found);
}

static void resolve(struct link_server *s, int more_flags)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    s->address_count = 0;
    if (s->name.host[0]) {
        resolve_name(s, more_flags);
        return;
    }
    memcpy(a.sun_path, s->name.path, sizeof(a.sun_path));
    add_address(s, &a, sizeof(a));
}

void link_resolve(struct link *l)
{
    for (size_t i = 0; i < l->count; i++)
        resolve(&l->servers[i], 0);
}

size_t link_ports(const struct link *l, uint16_t *out, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < l->count && count < max; i++)
        if (l->servers[i].name.host[0])
            out[count++] = (uint16_t)l->servers[i].name.port;
    return count;
}

/* ERR_OK, ERR_AGAIN at UNTIL_US, or ERR_IO with errno. */
static enum err connect_within(int fd, const struct link_address *a, uint64_t until_us)
{
    for (;;) {
        if (connect(fd, (const struct sockaddr *)&a->storage, a->len) == 0)
            return ERR_OK;
        if (errno == EINPROGRESS || errno == EINTR)
            break;
        if (errno != EAGAIN) /* of a unix socket: its queue is full */
            return ERR_IO;
        if (clock_monotonic_us() >= until_us)
            return ERR_AGAIN;
        poll(NULL, 0, BUSY_PAUSE_MS);
    }
    short seen;
    if (link_wait(fd, POLLOUT, until_us, &seen) != ERR_OK)
        return ERR_AGAIN;
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0)
        return ERR_OK;
    errno = error ? error : EIO;
    return ERR_IO;
}

/* Opens C to one of its server's addresses. ERR_AGAIN: the deadline has passed; ERR_CLOSED: it cannot be reached. */
static enum err connection_open(const struct link *l, struct link_server *s, uint64_t deadline_us)
{
    struct link_connection *c = &s->connection;
    if (s->address_count == 0)
        link_explain(c, "%s", s->lookup_failed);
    for (size_t i = 0; i < s->address_count; i++) {
        const struct link_address *a = &s->addresses[i];
        uint64_t now = clock_monotonic_us(), until = now + l->connect_ms * 1000;
        c->fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        enum err e = c->fd < 0 ? ERR_IO : connect_within(c->fd, a, until < deadline_us ? until : deadline_us);
        if (e == ERR_OK) {
            int on = 1; /* the last, small part of a request must not wait for an acknowledgement */
            if (!c->local)
                setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
            c->opened_us = c->used_us = clock_monotonic_us();
            return ERR_OK;
        }
        if (e == ERR_AGAIN)
            link_explain(c, "no connection within %llu ms", (unsigned long long)((until - now) / 1000));
        else
            link_explain(c, "cannot connect: %s", strerror(errno));
        connection_close(c);
        if (clock_monotonic_us() >= deadline_us)
            return ERR_AGAIN;
    }
    return ERR_CLOSED;
}

/* Still good, as far as one can tell without asking: young, used lately, and silent. */
static bool connection_is_usable(struct link_connection *c)
{
    uint64_t now = clock_monotonic_us();
    if (c->fd < 0)
        return false;
    if (now - c->used_us <= LINK_IDLE_MS * 1000ULL && now - c->opened_us <= LINK_LIFETIME_MS * 1000ULL &&
        link_fill(c) == ERR_AGAIN)
        return true;
    connection_close(c);
    return false;
}

enum err link_try(const struct link *l, uint64_t within_ms, struct errtext *why)
{
    struct link quick = {.connect_ms = within_ms};
    struct errtext all = {""};
    for (size_t i = 0; i < l->count; i++) {
        struct link_server s = {.name = l->servers[i].name, .connection.fd = -1};
        resolve(&s, AI_NUMERICHOST);
        if (s.address_count == 0 || connection_open(&quick, &s, UINT64_MAX) == ERR_OK) {
            connection_close(&s.connection);
            return ERR_OK;
        }
        errtext_set(why, "%s%s%.100s: %.100s", all.text, i > 0 ? "; " : "", l->servers[i].text, s.connection.why.text);
        all = *why;
    }
    return l->count > 0 ? ERR_CLOSED : ERR_OK;
}

enum outcome { DONE, TRY_NEXT, GIVE_UP };

static enum outcome fail(struct link_server *s, enum outcome outcome, enum verdict_reason reason, struct verdict *out)
{
    char detail[LIMIT_VERDICT_TEXT + 1];
    struct link_connection *c = &s->connection;
    snprintf(detail, sizeof(detail), "%.100s: %.150s", s->text, c->why.text);
    verdict_set(out, verdict_reason_class(reason), reason, detail);
    if (reason != VERDICT_REASON_ENGINE)
        s->down_until_us = clock_monotonic_us() + LINK_DOWN_MS * 1000ULL;
    connection_close(c);
    return outcome;
}

/* An exchange that failed on a connection whose staleness is no excuse. */
static enum outcome fail_exchange(struct link_server *s, enum err e, struct verdict *out)
{
    const struct link_connection *c = &s->connection;
    if (e == ERR_AGAIN)
        return fail(s, GIVE_UP, VERDICT_REASON_TIMEOUT, out);
    if (e == ERR_CLOSED && !c->answered)
        return fail(s, TRY_NEXT, VERDICT_REASON_DOWN, out);
    if (e == ERR_IO || e == ERR_NOMEM)
        return fail(s, GIVE_UP, VERDICT_REASON_ENGINE, out);
    return fail(s, GIVE_UP, VERDICT_REASON_PROTOCOL, out);
}

/* A server that accepts and then says nothing must not use up the time that the next one needs: the limit for making a
 * connection covers the greeting. */
static enum err greet(const struct link *l, struct link_connection *c, const struct link_exchange *x, void *arg)
{
    uint64_t whole = c->deadline_us, limit = clock_monotonic_us() + l->connect_ms * 1000;
    if (limit < whole)
        c->deadline_us = limit;
    enum err e = x->greet(c, arg);
    c->deadline_us = whole;
    if (e != ERR_AGAIN || clock_monotonic_us() >= whole)
        return e;
    link_explain(c, "it took the connection, but said nothing useful within %llu ms",
                 (unsigned long long)l->connect_ms);
    return ERR_CLOSED;
}

static enum err admit_and_open(const struct link *l, struct link_server *s, const struct link_exchange *x, void *arg)
{
    enum err e = x->admit ? x->admit(&s->connection, arg) : ERR_OK;
    return e == ERR_OK ? connection_open(l, s, s->connection.deadline_us) : e;
}

static enum outcome begin_connection(const struct link *l, struct link_server *s, const struct link_exchange *x,
                                     void *arg, struct verdict *out)
{
    struct link_connection *c = &s->connection;
    enum err e = admit_and_open(l, s, x, arg);
    c->spoiled = c->answered = c->again = false;
    if (e == ERR_OK && x->greet)
        e = greet(l, c, x, arg);
    if (e != ERR_OK && c->again) {
        connection_close(c);
        c->again = false;
        e = admit_and_open(l, s, x, arg);
        if (e == ERR_OK)
            e = greet(l, c, x, arg);
    }
    if (e == ERR_OK)
        return DONE;
    if (e == ERR_AGAIN)
        return fail(s, GIVE_UP, VERDICT_REASON_TIMEOUT, out);
    return fail(s, TRY_NEXT, e == ERR_CLOSED ? VERDICT_REASON_DOWN : VERDICT_REASON_PROTOCOL, out);
}

static enum outcome ask_server(const struct link *l, struct link_server *s, const struct link_exchange *x, void *arg,
                               uint64_t deadline_us, struct verdict *out)
{
    struct link_connection *c = &s->connection;
    c->deadline_us = deadline_us;
    c->why.text[0] = '\0';
    c->kept = connection_is_usable(c);
    for (bool repeated = false;;) {
        if (!c->kept) {
            enum outcome begun = begin_connection(l, s, x, arg, out);
            if (begun != DONE)
                return begun;
        }
        c->answered = c->again = false;
        enum err e = x->ask(c, arg);
        if (e == ERR_OK) {
            s->down_until_us = 0;
            if (c->spoiled || link_has_input(c))
                connection_close(c);
            else {
                buf_consume(&c->in, c->taken);
                c->taken = 0;
                c->used_us = clock_monotonic_us();
            }
            return DONE;
        }
        bool stale = c->kept && e == ERR_CLOSED && !c->answered, wanted = c->again && !repeated;
        if (!stale && !wanted)
            return fail_exchange(s, e, out);
        repeated = true;
        connection_close(c);
        c->kept = false;
    }
}

bool link_run(struct link *l, const struct link_exchange *x, void *arg, uint64_t time_ms, struct verdict *out)
{
    uint64_t now = clock_monotonic_us(), deadline_us = now + time_ms * 1000;
    bool last_resort[LINK_SERVERS] = {false};
    verdict_set(out, VERDICT_ERROR, VERDICT_REASON_DOWN, "no server is configured");
    for (size_t i = 0; i < l->count; i++)
        last_resort[i] = l->servers[i].down_until_us > now;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < l->count; i++) {
            if (last_resort[i] != (round == 1))
                continue;
            enum outcome o = ask_server(l, &l->servers[i], x, arg, deadline_us, out);
            if (o != TRY_NEXT)
                return o == DONE;
        }
    }
    return false;
}
