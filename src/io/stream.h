/* SPDX-License-Identifier: MIT */
/* A buffered, non-blocking byte stream: bytes that came wait in `in`, bytes to go wait in `out`, and the owner is
 * woken, never called into. Between the buffers and the socket stands a transport (socket now; TLS as a filter, and an
 * in-memory twin for tests, take the same five operations).
 *
 * WAKE is called from the loop (never from inside a stream_* call) after anything changed: input, output drained below
 * the low mark, end of file, error, connect finished. The owner then looks at the state. Reading stops by itself while
 * `in` is full and goes on once the owner consumed and called stream_resume. Thread: the loop's.
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include "base/buf.h"
#include "io/addr.h"
#include "io/loop.h"
#include <stdbool.h>
#include <sys/types.h>

struct stream_transport {
    /* As read(2) and write(2): > 0 bytes; 0 from read: end of file; -1 with errno (EAGAIN: wait). A read of fewer bytes
     * than asked means that the rest, if any, comes with another readiness; a filter with bytes of its own in hand
     * fills the buffer. */
    ssize_t (*read)(void *ctx, void *buf, size_t len);
    ssize_t (*write)(void *ctx, const void *buf, size_t len);
    void (*shutdown)(void *ctx);  /* no more writes */
    bool (*peer_gone)(void *ctx); /* both directions are dead, or the peer sent its FIN: asked without reading */
    void (*close)(void *ctx);
};

struct stream {
    struct buf in;  /* consume from it, then stream_resume */
    struct buf out; /* append to it, then stream_flush */
    bool connecting;
    bool more; /* set by the owner: more is appended soon, so a last segment that is not full waits for it (at most 200
                  ms) */
    bool eof;  /* the peer sends nothing more; what it sent is in `in` */
    int error; /* errno of the fault that ended the stream; 0: none */
    bool input_lost; /* with an error ENOMEM: there was no memory for what was read, and it is gone. The connection is
                        as it was, and so is `out`: stream_forgive */
    /* internal */
    struct loop *loop;
    struct loop_watch watch;
    struct loop_deferred kick;
    const struct stream_transport *transport;
    void *ctx;
    int fd; /* -1: the transport calls stream_ready itself */
    bool paused, open;
    bool retry;         /* read again from the kick: reading had stopped and goes on */
    bool changed;       /* a wake is owed */
    bool high;          /* out has been above half of its maximum since the last wake about it */
    bool closing, shut; /* stream_shutdown was called; the transport was told */
    int events;         /* what the descriptor is watched for */
    void (*wake)(void *arg);
    void *arg;
    uint64_t bytes_in, bytes_out;
};

/* Takes FD (non-blocking). MAX_IN and MAX_OUT bound the buffers. */
void stream_init(struct stream *s, struct loop *l, int fd, size_t max_in, size_t max_out, void (*wake)(void *arg),
                 void *arg);
/* As stream_init, over another transport: it says by stream_ready(s, LOOP_READ and/or LOOP_WRITE) that an operation may
 * succeed again after it said EAGAIN or gave fewer bytes than asked for. */
void stream_init_transport(struct stream *s, struct loop *l, const struct stream_transport *transport, void *ctx,
                           size_t max_in, size_t max_out, void (*wake)(void *arg), void *arg);
void stream_ready(struct stream *s, int events);
/* Starts to connect to A; s->connecting until the wake that ends it (s->error then tells). SOURCE may be NULL. ERR_IO:
 * errno. */
enum err stream_connect(struct stream *s, struct loop *l, const struct addr *a, const struct addr *source,
                        size_t max_in, size_t max_out, void (*wake)(void *arg), void *arg) must_use;
/* Writes what it can of `out` now, in one write where the socket takes it; the rest goes when the socket can. */
void stream_flush(struct stream *s);
/* Read on after the owner made room in `in`. */
void stream_resume(struct stream *s);
/* Stop and restart reading whatever the room (backpressure). */
void stream_pause(struct stream *s, bool paused);
/* The peer's FIN or RST has arrived, or the stream is in error: asked of the kernel, without consuming input. */
bool stream_peer_gone(const struct stream *s);
/* Takes back an error that is only lost input, for an owner who wants to say so: `out` goes again, and so does reading,
 * behind the octets that are missing. */
void stream_forgive(struct stream *s);
/* No output any more (FIN) once `out` is flushed. */
void stream_shutdown(struct stream *s);
/* Closes; the buffers are released. Harmless twice. No wake comes afterwards. */
void stream_close(struct stream *s);
/* Room that `out` has left. */
static inline size_t stream_room(const struct stream *s)
{
    return buf_room(&s->out);
}

#endif
