/* SPDX-License-Identifier: MIT */
/* What the scan client's files share; nobody else includes this. scan_client.c the client and what hosts say about
 * their engines; scan_channel.c the way to one generation of a pool's host; scan_call.c one question over it, from its
 * begin to its answer, and between two hosts.
 */
#ifndef SCAN_SCAN_CLIENT_INTERNAL_H
#define SCAN_SCAN_CLIENT_INTERNAL_H

#include "scan/scan_client.h"

enum {
    SCAN_CLIENT_MAGIC = 0x5ca9c11e,
    /* Jobs on their way from one loop: more than a pool's Backlog holds for it in practice; one pointer each. */
    SLOT_BITS = 12,
    SLOT_COUNT = 1 << SLOT_BITS,
};

/* The time between the end of a pool's host and the next channel, while its limit is set. */
struct client_gap {
    struct scan_client *client;
    struct list calls;
    struct deadline limit;
};

/* The way to one generation of a pool's host. A newer one retires it: it takes no new jobs, and goes when it has no job
 * left. */
struct client_channel {
    struct scan_client *client;
    int pool;
    unsigned generation;
    int fd; /* -1: none */
    struct loop_watch watch;
    struct list calls; /* scan_call.node */
    bool retired;
    bool followed;    /* by a host that ran beside this one's: what this one leaves may go there */
    struct list node; /* in client->retired */
    struct loop_deferred reaper;
};

struct client_engine {
    int pool;      /* index, or -1 when it is not built */
    bool reported; /* READY or FAILED, at least once */
    bool known;    /* the status below came over the present channel */
    bool logged_down;
    struct scan_status status;
};

struct scan_client {
    unsigned magic;
    struct loop *loop;
    struct scan_runtime *runtime;
    const struct framework *fw; /* of the runtime */
    const struct log *log;
    bool log_status;
    struct probes *probes;
    struct client_channel *channels[LIMIT_ENGINES]; /* by pool; NULL: none */
    struct client_gap gaps[LIMIT_ENGINES];          /* by pool */
    struct list retired;
    struct client_engine engines[LIMIT_ENGINES];
    struct scan_call *slots[SLOT_COUNT];
    uint64_t serial; /* of the last job */
    uint64_t late_answers;
    size_t calls; /* on their way */
    struct pool_calls pool_calls;
    void (*changed)(void *arg);
    void *changed_arg;
    struct loop_deferred change;
    void (*broken)(void *arg, int pool_index, unsigned generation);
    void *broken_arg;
};

/* scan_client.c */
/* The host of this channel no longer speaks for its engines. WHY is for the log; NULL: another one does. */
void client_engines_lost(struct scan_client *c, const struct client_channel *ch, const char *why);
/* False: no engine of that channel has this name. */
bool client_engine_status(struct scan_client *c, const struct client_channel *ch, const struct scan_status *s);

/* scan_channel.c */
/* What is on its way over CH may finish there. */
void client_channel_retire(struct client_channel *ch);
/* Closed now, freed when nobody of this iteration looks at it any more. */
void client_channel_discard(struct client_channel *ch);
/* Closed and freed: the client ends. */
void client_channel_free(struct client_channel *ch);

/* scan_call.c */
void client_gap_init(struct client_gap *gap, struct scan_client *c);
void client_gap_open(struct client_gap *gap);
/* The waiting is over. OTHERS: what no host had yet may be asked; the rest only where a host TAKES_OVER. */
void client_gap_close(struct client_gap *gap, bool others, bool takes_over);
/* The call that the answer with this id is for. NULL: there is none any more. */
struct scan_call *client_call_find(const struct client_channel *ch, uint64_t id);
/* Their one end, but for an inspection that came to its own; CALL may be gone afterwards. */
void client_call_end(struct scan_call *call, const struct verdict *v);
void client_call_fail(struct scan_call *call, enum verdict_reason reason, const char *detail);
void client_call_inspected(struct scan_call *call, const struct scan_inspection *i);
/* Ends the calls of a channel that is gone; their owners go on. */
void client_calls_fail(struct list *calls, enum verdict_reason reason, const char *detail);
/* Gives the jobs of a host that is gone to the generation that replaces it: a reload, or an older host that dies after
 * it, is no reason to turn a message away. Twice is: it may be the message that ends hosts. */
void client_calls_repeat(struct list *calls);

#endif
