/* SPDX-License-Identifier: MIT */
/* The in-memory twin of a socket: a stream's transport whose peer is the test. It can be made awkward: a few bytes per
 * operation, EAGAIN and EINTR before every one. Belongs to one loop, like the stream on top.
 */
#ifndef SUPPORT_MEMORY_TRANSPORT_H
#define SUPPORT_MEMORY_TRANSPORT_H

#include "base/buf.h"
#include "io/stream.h"

struct memory_transport {
    struct buf incoming; /* sent by the peer, not yet read by the stream */
    struct buf outgoing; /* written by the stream; the test consumes */
    size_t limit;        /* bytes per operation; 0: no limit */
    bool stutter;        /* EAGAIN, then EINTR, before each operation */
    int read_error;      /* errno of the reads after `incoming` is empty; 0: none */
    int write_error;     /* errno of every write; 0: none */
    bool fin;            /* the peer sends nothing more */
    bool shut, closed;   /* what the stream did */
    unsigned reads, writes;
    /* internal */
    struct stream *stream;
    struct loop *loop;
    struct loop_deferred pump;
    unsigned read_turn, write_turn;
};

extern const struct stream_transport memory_transport_operations;

/* WINDOW bounds what the stream can write before the test consumes `outgoing`. */
void memory_transport_init(struct memory_transport *t, struct loop *l, size_t window);
void memory_transport_release(struct memory_transport *t);
/* Makes S a stream over T. */
void memory_transport_open(struct memory_transport *t, struct stream *s, size_t max_in, size_t max_out,
                           void (*wake)(void *arg), void *arg);
/* The peer sends BYTES, closes its side, or has read: the stream is told at the end of this turn. */
void memory_transport_send(struct memory_transport *t, struct span bytes);
void memory_transport_finish(struct memory_transport *t);
void memory_transport_consume(struct memory_transport *t, size_t len);

#endif
