/* SPDX-License-Identifier: MIT */
/* What the two halves of the backend share: backend_pool.c (servers, slots, leases that wait, idle connections) and
 * backend.c (one connection: opening, deadlines, replies, its end). */
#ifndef PROXY_BACKEND_INTERNAL_H
#define PROXY_BACKEND_INTERNAL_H

#include "base/obj.h"
#include "io/deadline.h"
#include "io/stream.h"
#include "proxy/backend.h"

enum { BACKEND_MAGIC = 0x6261636b };

/* States beyond the public ones: connections that no session holds. */
enum connection_state {
    CONNECTION_QUEUED = BACKEND_QUEUED,
    CONNECTION_OPENING = BACKEND_OPENING,
    CONNECTION_READY = BACKEND_READY,
    CONNECTION_FAILED = BACKEND_FAILED,
    CONNECTION_RESETTING, /* given back: outstanding replies are awaited */
    CONNECTION_IDLE,
    CONNECTION_QUITTING,
    CONNECTION_DEAD, /* waits for the reaper */
};

struct backend_server {
    const struct backend_target *target;
    struct smtp_offer offer;
    bool known; /* offer is */
    bool down;  /* the last attempt failed */
    unsigned connections;
};

struct backend_pool {
    struct loop *loop;
    const struct log *log;
    struct backend_server *servers;
    size_t count;
    unsigned loops;
    struct list all;   /* every connection but the dead ones */
    struct list queue; /* of leases that wait for a slot, by queue_node */
    struct list dead;
    struct loop_deferred reaper, serve; /* SERVE: the queue */
};

struct backend {
    unsigned magic;
    struct list node, queue_node;
    struct backend_pool *pool;
    struct backend_server *server;
    enum connection_state state;
    bool counted; /* in server->connections */
    bool open;    /* stream is */
    bool connected, reused, probe;
    size_t tried; /* servers tried so far by this lease */
    struct stream stream;
    struct smtp_client client;
    struct deadline deadline;
    uint64_t replies;          /* whole ones, taken */
    uint64_t moved;            /* what had moved when the deadline was set */
    struct loop_deferred kick; /* tells the lessee */
    void (*wake)(void *arg);
    void *arg;
    struct smtp_reply failure_reply;
    char failure_text[320]; /* of a refusal in the server's own words */
    struct errtext failure;
};

/* backend_pool.c */
void backend_open_next(struct backend *b);
/* What the server said to EHLO. */
void backend_learn(struct backend *b);
/* A connection to some server is no more. */
void backend_slot_freed(struct backend_pool *p);

/* backend.c */
struct backend *backend_new(struct backend_pool *p);
void backend_start_connect(struct backend *b, struct backend_server *server);
void backend_bury(struct backend *b);

#endif
