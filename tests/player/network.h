/* SPDX-License-Identifier: MIT */
/* The other ends: what a client or a backend of the scenario holds of a connection to the proxy. stream_init and
 * stream_connect of the proxy are redirected here at link time; src/io/stream.c itself is the real one. */
#ifndef PLAYER_NETWORK_H
#define PLAYER_NETWORK_H

#include "support/memory_transport.h"

/* How bytes travel. */
struct manner {
    bool each_octet;       /* one by one, everything settles in between */
    size_t cut;            /* after so many octets of the whole scenario everything settles; 0: nowhere */
    size_t cut_answer;     /* the same of what backends answer by themselves */
    uint64_t pieces;       /* everything settles between pieces of random length drawn from this; 0: no pieces */
    size_t limit;          /* octets per read or write; 0: no limit */
    bool stutter;          /* EAGAIN and EINTR before each read and write */
    unsigned long fail_at; /* the n-th allocation fails; 0: none */
};

struct wire {
    struct memory_transport transport;
    struct stream *stream; /* the proxy's; NULL: not connected */
    struct buf received;   /* from the proxy, not yet looked at */
    bool stopped;          /* does not read */
    bool gone;             /* closed by this side: what comes is dropped */
};

void wire_open(struct wire *w, struct loop *l, const struct manner *how, size_t window, struct stream *s, size_t max_in,
               size_t max_out, void (*wake)(void *arg), void *arg);
void wire_release(struct wire *w);
/* Takes what the proxy wrote; true when there was something. */
bool wire_pump(struct wire *w);
/* The proxy sends nothing more. */
bool wire_ended(const struct wire *w);
void wire_send(struct wire *w, struct span bytes);
void wire_finish(struct wire *w);           /* FIN */
void wire_close(struct wire *w, int error); /* both ways; 0: by FIN, else reads and writes of the proxy get ERROR */

#endif
