/* SPDX-License-Identifier: MIT */
/* What the scan client's files share; nobody else includes this. scan_client.c the client and what hosts say about
 * their engines; scan_channel.c the way to one generation of a pool's host; scan_call.c one question over it, from its
 * begin to its answer.
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
    uint64_t heard_us; /* when the last record came; 0: none yet, as from a host that loads */
    unsigned silent;   /* calls in a row that ended without a word from it in all their time */
    struct list node;  /* in client->retired */
    struct loop_deferred reaper;
};

struct client_engine {
    int pool;      /* index, or -1 when it is not built */
    bool reported; /* READY or FAILED, at least once */
    bool known;    /* the status below came over the present channel */
    bool logged_down;
    struct scan_status status;
};

/* What a loop does about a pool whose channel has ended or got lost. */
struct client_want {
    struct scan_client *client;
    int pool;
    struct deadline ask; /* set until there is a channel again */
    unsigned asked;
};

struct scan_client {
    unsigned magic;
    struct loop *loop;
    struct scan_runtime *runtime;
    const struct framework *fw; /* of the runtime */
    const struct log *log;
    bool log_status;
    struct probes *probes;
    struct client_channel *channels[LIMIT_POOLS]; /* by pool; NULL: none */
    struct list waiting[LIMIT_POOLS];             /* by pool: calls that no host has, the oldest first */
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
    struct client_want wants[LIMIT_POOLS]; /* by pool */
    void (*missing)(void *arg, int pool_index);
    void *missing_arg;
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
/* Takes what lies in it, up to a bound; calls end by that. CH lives to the end of this iteration at least. */
void client_channel_read(struct client_channel *ch);
/* A call that was its since BEGUN_US, or later, ended at its deadline without an answer. After some in a row in whose
 * time nothing at all came, the host is taken for hung: calls of its go to the next one, and it is reported broken. */
void client_channel_silent(struct client_channel *ch, uint64_t begun_us);
/* Calls wait for room in it. */
void client_channel_wait(struct client_channel *ch);
/* Closed and freed: the client ends. */
void client_channel_free(struct client_channel *ch);
void client_wants_init(struct scan_client *c);
void client_wants_clear(struct scan_client *c);

/* scan_call.c */
/* The call that the answer with this id is for. NULL: there is none any more. */
struct scan_call *client_call_find(const struct client_channel *ch, uint64_t id);
/* Their one end, but for an inspection that came to its own; CALL may be gone afterwards. */
void client_call_end(struct scan_call *call, const struct verdict *v);
void client_call_fail(struct scan_call *call, enum verdict_reason reason, const char *detail);
void client_call_inspected(struct scan_call *call, const struct scan_inspection *i);
/* What waits in front of POOL goes to its host, as far as there is room. */
void client_calls_flush(struct scan_client *c, int pool);
/* The host that had these is gone: they are asked once more, of whoever serves or comes next. Those for which that was
 * the second time are ERROR REASON: it may be the message that ends hosts. */
void client_calls_repeat(struct list *calls, enum verdict_reason reason, const char *detail);

#endif
