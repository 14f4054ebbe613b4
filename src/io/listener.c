/* SPDX-License-Identifier: MIT */
/* Listening sockets. One connection per readiness, so that loops which share a descriptor share the load, and a burst
 * does not keep a loop from its sessions. */
#include "io/listener.h"
#include "base/mem.h"
#include "io/deadline.h"
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Without descriptors the kernel would report the same connection again at once: wait until some may have been closed.
 */
enum { LISTENER_SHORTAGE_MS = 100 };

struct listener {
    struct loop_watch watch;
    struct deadline again;
    int fd;
    bool paused;
    void (*accepted)(void *arg, int fd, const struct addr *peer);
    void (*shortage)(void *arg, int error);
    void *arg;
};

static void listener_rearm(struct listener *l)
{
    loop_watch_set(&l->watch, l->paused || deadline_is_set(&l->again) ? 0 : LOOP_READ);
}

static void listener_again(void *arg)
{
    listener_rearm(arg);
}

/* Errors of the one connection that was about to be accepted, or another loop was faster: see accept(2). */
static bool listener_passes(int error)
{
    switch (error) {
    case EAGAIN:
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

static void listener_ready(void *arg, int events)
{
    struct listener *l = arg;
    struct addr peer = {.len = sizeof(peer.storage)};
    (void)events;
    int fd = accept4(l->fd, (struct sockaddr *)(void *)&peer.storage, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        addr_unmap(&peer);
        l->accepted(l->arg, fd, &peer);
    } else if (!listener_passes(errno)) {
        int error = errno;
        deadline_set_ms(&l->again, LISTENER_SHORTAGE_MS);
        listener_rearm(l);
        l->shortage(l->arg, error);
    }
}

struct listener *listener_new(struct loop *loop, int fd, void (*accepted)(void *arg, int fd, const struct addr *peer),
                              void (*shortage)(void *arg, int error), void *arg)
{
    struct listener *l = MEM_NEW(struct listener);
    if (!l)
        return NULL;
    l->fd = fd;
    l->accepted = accepted;
    l->shortage = shortage;
    l->arg = arg;
    loop_watch_init(&l->watch, loop, fd, listener_ready, l);
    deadline_init(&l->again, loop, listener_again, l);
    listener_rearm(l);
    return l;
}

void listener_pause(struct listener *l, bool paused)
{
    l->paused = paused;
    listener_rearm(l);
}

void listener_free(struct listener *l)
{
    if (!l)
        return;
    loop_watch_stop(&l->watch);
    deadline_clear(&l->again);
    mem_free(l);
}

static const struct sockaddr *listener_sockaddr(const struct addr *a)
{
    return (const struct sockaddr *)(const void *)&a->storage;
}

/* A socket file that a dead process left behind: nobody answers there. */
static bool listener_remove_stale(const struct addr *a)
{
    struct sockaddr_un un;
    struct stat st;
    memcpy(&un, &a->storage, sizeof(un));
    if (a->storage.ss_family != AF_UNIX || lstat(un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return false;
    bool dead = connect(probe, listener_sockaddr(a), a->len) != 0 && errno == ECONNREFUSED;
    close(probe);
    return dead && unlink(un.sun_path) == 0;
}

static int listener_socket(const struct addr *a, int backlog)
{
    int on = 1, v6only = a->every ? 0 : 1;
    int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    bool ok = true;
    if (a->storage.ss_family != AF_UNIX)
        ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0;
    if (ok && a->storage.ss_family == AF_INET6)
        ok = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) == 0;
    if (ok && bind(fd, listener_sockaddr(a), a->len) != 0) {
        ok = errno == EADDRINUSE && listener_remove_stale(a);
        ok = ok && bind(fd, listener_sockaddr(a), a->len) == 0;
    }
    if (ok && listen(fd, backlog) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* ":port" on a machine without IPv6. */
static struct addr listener_v4_any(const struct addr *a)
{
    struct sockaddr_in6 v6;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct addr any = {.len = sizeof(v4)};
    memcpy(&v6, &a->storage, sizeof(v6));
    v4.sin_port = v6.sin6_port;
    memcpy(&any.storage, &v4, sizeof(v4));
    return any;
}

int listener_open(const struct addr *a, int backlog, struct errtext *why)
{
    char text[ADDR_TEXT];
    int fd = listener_socket(a, backlog);
    if (fd < 0 && a->every && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        struct addr any = listener_v4_any(a);
        fd = listener_socket(&any, backlog);
    }
    if (fd < 0)
        errtext_set(why, "cannot listen on %s: %s", addr_format(a, text), strerror(errno));
    return fd;
}
