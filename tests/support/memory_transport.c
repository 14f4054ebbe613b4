/* SPDX-License-Identifier: MIT */
/* The twin. Like a descriptor in an event loop it announces readiness later, never from inside an operation. */
#include "support/memory_transport.h"
#include <errno.h>

static void memory_pump(void *arg)
{
    struct memory_transport *t = arg;
    int events = 0;
    if (buf_len(&t->incoming) || t->fin || t->read_error)
        events |= LOOP_READ;
    if (buf_room(&t->outgoing) || t->write_error)
        events |= LOOP_WRITE;
    if (events && t->stream && !t->closed)
        stream_ready(t->stream, events);
}

static void memory_announce(struct memory_transport *t)
{
    loop_defer(t->loop, &t->pump);
}

/* Whether this operation only stutters, with errno set. */
static bool memory_stutters(struct memory_transport *t, unsigned *turn)
{
    if (!t->stutter)
        return false;
    switch ((*turn)++ % 3) {
    case 0:
        errno = EAGAIN;
        memory_announce(t);
        return true;
    case 1:
        errno = EINTR;
        return true;
    default:
        return false;
    }
}

static size_t memory_amount(const struct memory_transport *t, size_t asked, size_t available)
{
    size_t n = asked < available ? asked : available;
    return t->limit && n > t->limit ? t->limit : n;
}

static ssize_t memory_read(void *ctx, void *buf, size_t len)
{
    struct memory_transport *t = ctx;
    t->reads++;
    if (memory_stutters(t, &t->read_turn))
        return -1;
    size_t n = memory_amount(t, len, buf_len(&t->incoming));
    if (n > 0) {
        memcpy(buf, buf_span(&t->incoming).ptr, n);
        buf_consume(&t->incoming, n);
        memory_announce(t); /* more may be there: level-triggered */
        return (ssize_t)n;
    }
    if (t->read_error || !t->fin) {
        errno = t->read_error ? t->read_error : EAGAIN;
        return -1;
    }
    return 0;
}

static ssize_t memory_write(void *ctx, const void *buf, size_t len)
{
    struct memory_transport *t = ctx;
    t->writes++;
    if (t->write_error) {
        errno = t->write_error;
        return -1;
    }
    if (memory_stutters(t, &t->write_turn))
        return -1;
    size_t n = memory_amount(t, len, buf_room(&t->outgoing));
    if (n == 0) {
        errno = EAGAIN; /* announced by memory_transport_consume */
        return -1;
    }
    if (buf_append(&t->outgoing, span_of(buf, n)) != ERR_OK)
        abort();
    if (n < len)
        memory_announce(t);
    return (ssize_t)n;
}

static void memory_shutdown(void *ctx)
{
    struct memory_transport *t = ctx;
    t->shut = true;
}

static bool memory_peer_gone(void *ctx)
{
    const struct memory_transport *t = ctx;
    return t->fin || t->read_error || t->write_error;
}

static void memory_close(void *ctx)
{
    struct memory_transport *t = ctx;
    t->closed = true;
    loop_defer_cancel(&t->pump);
}

const struct stream_transport memory_transport_operations = {
    .read = memory_read,
    .write = memory_write,
    .shutdown = memory_shutdown,
    .peer_gone = memory_peer_gone,
    .close = memory_close,
};

void memory_transport_init(struct memory_transport *t, struct loop *l, size_t window)
{
    *t = (struct memory_transport){.loop = l};
    buf_init(&t->incoming, SIZE_MAX / 2);
    buf_init(&t->outgoing, window);
    loop_deferred_init(&t->pump, memory_pump, t);
}

void memory_transport_release(struct memory_transport *t)
{
    loop_defer_cancel(&t->pump);
    buf_release(&t->incoming);
    buf_release(&t->outgoing);
}

void memory_transport_open(struct memory_transport *t, struct stream *s, size_t max_in, size_t max_out,
                           void (*wake)(void *arg), void *arg)
{
    t->stream = s;
    stream_init_transport(s, t->loop, &memory_transport_operations, t, max_in, max_out, wake, arg);
}

void memory_transport_send(struct memory_transport *t, struct span bytes)
{
    if (buf_append(&t->incoming, bytes) != ERR_OK)
        abort();
    memory_announce(t);
}

void memory_transport_finish(struct memory_transport *t)
{
    t->fin = true;
    memory_announce(t);
}

void memory_transport_consume(struct memory_transport *t, size_t len)
{
    buf_consume(&t->outgoing, len);
    memory_announce(t);
}
