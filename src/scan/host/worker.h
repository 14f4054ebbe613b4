/* SPDX-License-Identifier: MIT */
/* The life of a worker process: lock itself in, say so, then one job after the other until its channel ends. */
#ifndef SCAN_HOST_WORKER_H
#define SCAN_HOST_WORKER_H

#include "scan/engine/engine.h"
#include "scan/host/handover.h"
#include "scan/host/sandbox.h"
#include "scan/scan_ipc.h"

struct inspector;

/* One engine of the pool. */
struct host_engine {
    const struct framework_engine *conf;
    struct engine_conf values; /* of the stanza, and the descriptors that the supervisor opened for it */
    const struct engine_type *type;
    void *state;
    struct engine_info info;
    enum scan_engine_state status;
    char detail[LIMIT_VERDICT_TEXT + 1]; /* of the library, or why it failed */
    const char *database;                /* that it loaded, or tried to; NULL: it has none */
    const char *file_base;               /* where its daemon finds messages as files; NULL: it reads none */
    enum scan_test_string test_string;   /* whether that finds it */
    uint64_t loaded_us;                  /* what loading took */
    unsigned running;                    /* jobs at workers now */
    unsigned queued;                     /* jobs that wait for one */
};

/* What stands in the place of an engine where the job is to take a message apart; it has no type. READY: this host can
 * do that. */
struct host_engine host_inspector(bool ready);

/* A worker's first datagram, before it sees any message; and what it says when it should be replaced. */
enum worker_birth {
    WORKER_BORN,       /* it takes jobs */
    WORKER_NO_SANDBOX, /* it could not lock itself in: it takes none and ends */
    WORKER_NO_START,   /* its temporary directory or an engine's worker_start failed: likewise */
    WORKER_WORN,       /* no birth: said before an answer, it should be replaced after it */
};
struct worker_hello {
    enum worker_birth birth;
    struct sandbox_level level;
    char why[LIMIT_VERDICT_TEXT + 1];
};
enum { WORKER_HELLO_SIZE = 4 + LIMIT_VERDICT_TEXT };
size_t worker_hello_encode(const struct worker_hello *h, unsigned char out[WORKER_HELLO_SIZE]);
enum err worker_hello_decode(struct span bytes, struct worker_hello *out) must_use;

struct worker_setup {
    const struct host_engine *engines;
    size_t engine_count;
    const char *temp_base;
    const char *token; /* of its directories below file_base */
    unsigned slot;
    int channel; /* with the next one the only descriptor of the broker's that is kept, beside 0, 1, 2 */
    int keeper;  /* line to the keeper (keeper.h); -1: none */
    int output;  /* in the place of 1 and 2: a plug-in's (plugin_output.h); 0: they lead nowhere */
    int broker;  /* its process id: a worker does not outlive it */
    struct sandbox_limits limits;
    bool net; /* profile of its cage */
    const struct framework *framework;
    struct inspector *inspector; /* NULL: its pool takes no messages apart */
};
/* In the child, right after fork. */
_Noreturn void worker_main(const struct worker_setup *setup);

#endif
