/* SPDX-License-Identifier: MIT */
/* Streams. One rule keeps this small: whatever happens, stream_rearm() works out from the state what the descriptor is
 * to be watched for, and stream_note() owes the owner one wake, given by the kick at the end of the turn. Buffers are
 * given back as soon as they are empty, so that an idle session costs its structs only. */
#include "io/stream.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* One read: what a buffer takes at most. It goes by the stack, so that a command of a few octets costs an allocation of
 * its own size and a body needs no second read. */
enum { STREAM_CHUNK = 65536 };

static ssize_t socket_read(void *ctx, void *buf, size_t len)
{
    const struct stream *s = ctx;
    return recv(s->fd, buf, len, MSG_DONTWAIT);
}

static ssize_t socket_write(void *ctx, const void *buf, size_t len)
{
    const struct stream *s = ctx;
    return send(s->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL | (s->more ? MSG_MORE : 0));
}

static void socket_shutdown(void *ctx)
{
    const struct stream *s = ctx;
    shutdown(s->fd, SHUT_WR); /* fails only when the connection is gone, which the next read tells */
}

static bool socket_peer_gone(void *ctx)
{
    const struct stream *s = ctx;
    struct pollfd p = {.fd = s->fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}

static void socket_close(void *ctx)
{
    struct stream *s = ctx;
    close(s->fd);
    s->fd = -1;
}

static const struct stream_transport socket_transport = {
    .read = socket_read,
    .write = socket_write,
    .shutdown = socket_shutdown,
    .peer_gone = socket_peer_gone,
    .close = socket_close,
};

/* What a TCP connection of ours always has; other sockets refuse it, which does not matter. */
static void socket_options(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static bool stream_wants_read(const struct stream *s)
{
    return s->open && !s->connecting && !s->eof && !s->error && !s->paused && buf_room(&s->in) > 0;
}

static void stream_rearm(struct stream *s)
{
    int events = 0;
    if (s->connecting)
        events = LOOP_WRITE;
    else if (s->open && !s->error)
        events = (stream_wants_read(s) ? LOOP_READ : 0) | (buf_len(&s->out) ? LOOP_WRITE : 0);
    s->events = events;
    if (s->fd >= 0)
        loop_watch_set(&s->watch, events);
}

/* The owner is to look at the stream. */
static void stream_note(struct stream *s)
{
    s->changed = true;
    loop_defer(s->loop, &s->kick);
}

static void stream_fail(struct stream *s, int error)
{
    if (!s->error || s->input_lost)
        s->error = error;
    s->connecting = s->input_lost = false;
    buf_release(&s->out); /* nobody will take it */
    stream_note(s);
}

static void stream_lose_input(struct stream *s)
{
    s->error = ENOMEM;
    s->input_lost = true;
    stream_note(s);
}

/* Reads until `in` is full or the transport has no more for now. */
static void stream_fill(struct stream *s)
{
    char chunk[STREAM_CHUNK] not_cleared;
    while (stream_wants_read(s)) {
        size_t room = buf_room(&s->in) < sizeof(chunk) ? buf_room(&s->in) : sizeof(chunk);
        ssize_t got = s->transport->read(s->ctx, chunk, room);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (got < 0) {
            stream_fail(s, errno);
            break;
        }
        stream_note(s);
        if (got == 0) {
            s->eof = true;
            break;
        }
        if (buf_append(&s->in, span_of(chunk, (size_t)got)) != ERR_OK) {
            stream_lose_input(s);
            break;
        }
        s->bytes_in += (size_t)got;
        if ((size_t)got < room)
            break;
    }
    buf_trim(&s->in);
}

/* The peer may have said why before it closed: take it in before the write error ends reading. */
static void stream_write_failed(struct stream *s, int error)
{
    if (error == EPIPE || error == ECONNRESET)
        stream_fill(s);
    stream_fail(s, error);
}

/* One write of all that waits. */
static void stream_drain(struct stream *s)
{
    size_t before = buf_len(&s->out);
    if (!s->open || s->connecting || s->error)
        return;
    if (before > 0) {
        struct span bytes = buf_span(&s->out);
        ssize_t sent;
        do
            sent = s->transport->write(s->ctx, bytes.ptr, bytes.len);
        while (sent < 0 && errno == EINTR);
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            stream_write_failed(s, errno);
            return;
        }
        if (sent > 0) {
            buf_consume(&s->out, (size_t)sent);
            s->bytes_out += (size_t)sent;
        }
    }
    size_t left = buf_len(&s->out), half = s->out.max / 2;
    s->high = s->high || before > half;
    if ((left == 0 && before > 0) || (s->high && left <= half)) {
        s->high = false;
        stream_note(s);
    }
    if (left > 0)
        return;
    buf_trim(&s->out);
    if (s->closing && !s->shut) {
        s->shut = true;
        s->transport->shutdown(s->ctx);
    }
}

static void stream_connected(struct stream *s)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error) {
        stream_fail(s, error);
        return;
    }
    s->connecting = false;
    stream_note(s);
}

void stream_ready(struct stream *s, int events)
{
    if (!s->open)
        return;
    if (s->connecting)
        stream_connected(s);
    if (events & LOOP_WRITE)
        stream_drain(s);
    if (events & LOOP_READ)
        stream_fill(s);
    stream_rearm(s);
}

static void stream_watched(void *arg, int events)
{
    stream_ready(arg, events);
}

static void stream_kicked(void *arg)
{
    struct stream *s = arg;
    if (s->retry) {
        s->retry = false;
        stream_fill(s);
        stream_rearm(s);
        loop_defer_cancel(&s->kick); /* what it found is told right now */
    }
    if (!s->changed)
        return;
    s->changed = false;
    s->wake(s->arg); /* S may be closed now, and gone after this turn */
}

static void stream_setup(struct stream *s, struct loop *l, size_t max_in, size_t max_out, void (*wake)(void *arg),
                         void *arg)
{
    *s = (struct stream){.loop = l, .fd = -1, .open = true, .wake = wake, .arg = arg};
    buf_init(&s->in, max_in);
    buf_init(&s->out, max_out);
    loop_deferred_init(&s->kick, stream_kicked, s);
}

static void stream_setup_socket(struct stream *s, int fd)
{
    s->fd = fd;
    s->transport = &socket_transport;
    s->ctx = s;
    socket_options(fd);
    loop_watch_init(&s->watch, s->loop, fd, stream_watched, s);
    stream_rearm(s);
}

void stream_init(struct stream *s, struct loop *l, int fd, size_t max_in, size_t max_out, void (*wake)(void *arg),
                 void *arg)
{
    stream_setup(s, l, max_in, max_out, wake, arg);
    stream_setup_socket(s, fd);
}

void stream_init_transport(struct stream *s, struct loop *l, const struct stream_transport *transport, void *ctx,
                           size_t max_in, size_t max_out, void (*wake)(void *arg), void *arg)
{
    stream_setup(s, l, max_in, max_out, wake, arg);
    s->transport = transport;
    s->ctx = ctx;
    s->retry = true; /* it may have bytes already */
    loop_defer(l, &s->kick);
    stream_rearm(s);
}

enum err stream_connect(struct stream *s, struct loop *l, const struct addr *a, const struct addr *source,
                        size_t max_in, size_t max_out, void (*wake)(void *arg), void *arg)
{
    stream_setup(s, l, max_in, max_out, wake, arg);
    s->open = false;
    int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_IO;
    if (source) {
        int on = 1; /* the port is chosen at connect, so that the same one can serve several destinations */
        (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
        if (bind(fd, (const struct sockaddr *)(const void *)&source->storage, source->len) != 0)
            goto failed;
    }
    if (connect(fd, (const struct sockaddr *)(const void *)&a->storage, a->len) != 0 && errno != EINPROGRESS &&
        errno != EINTR)
        goto failed;
    s->open = s->connecting = true; /* even if it is there at once: the wake says so */
    stream_setup_socket(s, fd);
    return ERR_OK;
failed:;
    int error = errno;
    close(fd);
    errno = error;
    return ERR_IO;
}

void stream_flush(struct stream *s)
{
    if (!s->open)
        return;
    stream_drain(s);
    stream_rearm(s);
}

/* Reading goes on where it had stopped. The transport may hold bytes that no descriptor announces, so it is asked once.
 */
void stream_resume(struct stream *s)
{
    if (!s->open)
        return;
    buf_trim(&s->in);
    if (!(s->events & LOOP_READ) && stream_wants_read(s)) {
        s->retry = true;
        loop_defer(s->loop, &s->kick);
    }
    stream_rearm(s);
}

void stream_pause(struct stream *s, bool paused)
{
    s->paused = paused;
    stream_resume(s);
}

bool stream_peer_gone(const struct stream *s)
{
    if (!s->open || s->error || s->eof)
        return true;
    return !s->connecting && s->transport->peer_gone(s->ctx);
}

void stream_forgive(struct stream *s)
{
    if (!s->input_lost)
        return;
    s->input_lost = false;
    s->error = 0;
    stream_resume(s);
}

void stream_shutdown(struct stream *s)
{
    s->closing = true;
    stream_flush(s);
}

void stream_close(struct stream *s)
{
    if (!s->open)
        return;
    s->open = s->connecting = s->changed = s->retry = false;
    loop_defer_cancel(&s->kick);
    loop_watch_stop(&s->watch);
    s->transport->close(s->ctx);
    buf_release(&s->in);
    buf_release(&s->out);
}
