/* SPDX-License-Identifier: MIT */
/* The interface of an engine inside postern-scan. Blocking code, one job at a time per worker. engine.c is the list of
 * built engines; database.h what is in a signature directory; clamav.c libclamav; fake.c the test engine, which
 * misbehaves as a message orders it to.
 *
 * Life: `open` once in the broker (loads databases; nothing of a message is near), then fork; `worker_start` once in
 * each worker before it locks itself in; then `scan` for each job. A `scan` that crashes, hangs or lies costs one
 * message. (This becomes the public C ABI for vendors' plug-ins in the issue that builds them.)
 */
#ifndef SCAN_ENGINE_ENGINE_H
#define SCAN_ENGINE_ENGINE_H

#include "base/err.h"
#include "scan/framework.h"
#include "scan/verdict.h"

struct engine_info {
    uint64_t database_version; /* 0: unknown */
    uint64_t signatures;
    char version[128]; /* of the library */
    char missing[256]; /* what this build of the engine cannot do, and the package that would help; empty: nothing */
};

struct engine_type {
    const char *name; /* class in the configuration */
    bool in_process;  /* CPU pool, strict sandbox */
    /* Loads. *state is handed to the other calls. WHY on failure: the engine is FAILED, its messages are ERROR. May
     * take long. */
    enum err (*open)(const struct engine_conf *conf, void **state, struct engine_info *info, struct errtext *why);
    /* In a worker after fork, before its sandbox: TEMP is its temporary directory. */
    enum err (*worker_start)(void *state, const char *temp, struct errtext *why);
    /* FD is the read-only message, SIZE octets; TIME_MS what is left before the deadline. Fills class, reason, name,
     * detail. */
    void (*scan)(void *state, int fd, uint64_t size, uint64_t time_ms, struct verdict *out);
    void (*close)(void *state);
    /* Directory or file of signatures that `open` loads; NULL (also as a pointer): it loads none. Such an engine is
     * loaded again when that changes, and has to pass a canary before it takes messages. */
    const char *(*database)(const struct engine_conf *conf);
};

extern const struct engine_type engine_clamav;
#ifdef POSTERN_TEST_ENGINE
extern const struct engine_type engine_fake;
#endif
/* The built engine of configuration class NAME, or NULL. */
const struct engine_type *engine_type_find(const char *name);

#endif
