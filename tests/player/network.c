/* SPDX-License-Identifier: MIT */
/* Memory transports whose own allocations never count as the program's. */
#include "player/network.h"
#include "player/memory.h"

static ssize_t wire_read(void *ctx, void *buf, size_t len)
{
    memory_pause();
    ssize_t n = memory_transport_operations.read(ctx, buf, len);
    memory_resume();
    return n;
}

static ssize_t wire_write(void *ctx, const void *buf, size_t len)
{
    memory_pause();
    ssize_t n = memory_transport_operations.write(ctx, buf, len);
    memory_resume();
    return n;
}

static void wire_shutdown(void *ctx)
{
    memory_transport_operations.shutdown(ctx);
}

static bool wire_peer_gone(void *ctx)
{
    return memory_transport_operations.peer_gone(ctx);
}

static void wire_closed(void *ctx)
{
    memory_transport_operations.close(ctx);
}

static const struct stream_transport operations = {
    .read = wire_read,
    .write = wire_write,
    .shutdown = wire_shutdown,
    .peer_gone = wire_peer_gone,
    .close = wire_closed,
};

void wire_open(struct wire *w, struct loop *l, const struct manner *how, size_t window, struct stream *s, size_t max_in,
               size_t max_out, void (*wake)(void *arg), void *arg)
{
    *w = (struct wire){.stream = s};
    memory_transport_init(&w->transport, l, window);
    w->transport.limit = how->limit;
    w->transport.stutter = how->stutter;
    w->transport.stream = s;
    buf_init(&w->received, SIZE_MAX / 2);
    stream_init_transport(s, l, &operations, &w->transport, max_in, max_out, wake, arg);
}

void wire_release(struct wire *w)
{
    if (!w->stream)
        return;
    memory_transport_release(&w->transport);
    buf_release(&w->received);
    w->stream = NULL;
}

bool wire_pump(struct wire *w)
{
    size_t len = w->stream ? buf_len(&w->transport.outgoing) : 0;
    if (len == 0 || w->stopped)
        return false;
    if (!w->gone && buf_append(&w->received, buf_span(&w->transport.outgoing)) != ERR_OK)
        abort();
    memory_transport_consume(&w->transport, len);
    return true;
}

bool wire_ended(const struct wire *w)
{
    return w->transport.shut || w->transport.closed;
}

void wire_send(struct wire *w, struct span bytes)
{
    if (w->stream && !w->transport.closed && !w->gone && bytes.len > 0)
        memory_transport_send(&w->transport, bytes);
}

void wire_finish(struct wire *w)
{
    if (w->stream && !w->transport.closed)
        memory_transport_finish(&w->transport);
}

void wire_close(struct wire *w, int error)
{
    if (error) {
        w->transport.read_error = w->transport.write_error = error;
        buf_clear(&w->transport.incoming);
    }
    wire_finish(w);
    w->gone = true;
}
