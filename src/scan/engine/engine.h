/* SPDX-License-Identifier: MIT */
/* The interface of an engine inside postern-scan. Blocking code, one job at a time per worker. engine.c is the list of
 * built engines; database.h what is in a signature directory; clamav.c libclamav; clamd.c its daemon, kaspersky.c
 * Kaspersky's, fsecure.c F-Secure's, symantec.c Symantec's, icap.c any ICAP server, over link.h, with their grammars in
 * *_reply.h; csapi.c scanner programs that the host runs (scanner_protocol.h, csapi_code.def), command.c any scanner by
 * its command line; fake.c the test engine, which misbehaves as a message orders it to.
 *
 * Life: `open` once in the broker (loads databases; nothing of a message is near), then fork; `worker_start` once in
 * each worker before it locks itself in; then `scan` for each job. A `scan` that crashes, hangs or lies costs one
 * message.
 *
 * This interface is postern's own and changes as postern does. The public one, for vendors, is
 * include/postern/engine.h: plugin.c, with plugin_library.h and plugin_verdict.h, translates between the two, and
 * nothing else knows both.
 */
#ifndef SCAN_ENGINE_ENGINE_H
#define SCAN_ENGINE_ENGINE_H

#include "base/err.h"
#include "scan/engine/layers.h"
#include "scan/framework.h"
#include "scan/verdict.h"

struct engine_info {
    uint64_t database_version; /* 0: unknown */
    uint64_t database_time;    /* when it was made, seconds since 1970; 0: unknown */
    uint64_t signatures;
    char version[128]; /* of the library */
    char missing[256]; /* what this build of the engine cannot do, and the package that would help; empty: nothing */
};

/* What a worker with this engine may do. A pool's workers get the widest cage that any of its open engines needs. */
enum engine_cage {
    ENGINE_CAGE_STRICT, /* works in the process: no socket at all */
    ENGINE_CAGE_NET,    /* asks a daemon: may connect to its ports and to unix sockets */
};
enum { ENGINE_PORTS = 128 }; /* TCP ports of all engines of one pool */

/* What an engine's worker may do beyond its cage, because its stanza says so (profile vendor). */
struct engine_needs {
    bool widened; /* false: nothing, and the rest does not count */
    bool unix_sockets, executable_memory;
    const char *const *read; /* files and directories */
    size_t read_count;
    uint16_t ports[ENGINE_PORTS]; /* TCP, to connect to */
    size_t port_count;
};

/* A program that does the scanning for an engine, in processes that the host starts and watches (scan/host/keeper.h).
 * It speaks scanner_protocol.h. All belongs to the engine's state. */
struct engine_program {
    int fd;                      /* O_PATH | O_CLOEXEC */
    const char *path;            /* for people */
    const char *const *argv;     /* NULL-terminated */
    const char *definitions;     /* what it may read beside the system's libraries; NULL: nothing */
    const char *const *readable; /* and this */
    size_t readable_count;
    const char *launch; /* the one program that it may start; NULL: none */
    unsigned count;     /* processes, each with one scan at a time */
    int log;            /* open file for what it prints; -1: dropped */
    uint64_t update_ms; /* so often its definitions are looked at; 0: never */
};

struct engine_type {
    const char *name; /* class in the configuration */
    enum engine_cage cage;
    /* Runs a vendor's code: alone in its host, and `open` is given up after load_timeout, with the host. */
    bool foreign;
    /* Loads. *state is handed to the other calls. WHY on failure: the engine is FAILED, its messages are ERROR. May
     * take long. */
    enum err (*open)(const struct engine_conf *conf, void **state, struct engine_info *info, struct errtext *why);
    /* In a worker after fork, before its sandbox: TEMP is its temporary directory. */
    enum err (*worker_start)(void *state, const char *temp, struct errtext *why);
    /* FD is the read-only message, SIZE octets; TIME_MS what is left before the deadline. Fills class, reason, name,
     * detail. */
    void (*scan)(void *state, int fd, uint64_t size, uint64_t time_ms, struct verdict *out);
    void (*close)(void *state);
    /* The rest may be NULL. Writes at most MAX TCP ports that the engine connects to, in the order of OUT; returns
     * their number. */
    size_t (*ports)(const void *state, uint16_t *out, size_t max);
    /* In the broker, once after `open`, which is READY whatever comes of this: whether the daemon that it asks is there
     * now. WHY not goes into the log, before mail comes that finds it out. It holds everything up, so it is quick. */
    enum err (*try_daemon)(const void *state, struct errtext *why);
    /* In a worker, after each scan: true when the engine learned something new about itself, which *INFO receives. */
    bool (*news)(void *state, struct engine_info *info);
    /* Directory or file of signatures that `open` loads; NULL (also as a pointer): it loads none. Such an engine is
     * loaded again when that changes, and has to pass a canary before it takes messages. */
    const char *(*database)(const struct engine_conf *conf);
    /* The option file_base where a daemon of this engine reads messages as files; NULL (also as a pointer): it reads
     * none. */
    const char *(*file_base)(const struct engine_conf *conf);
    /* In a worker, after worker_start, where file_base gives one: PATH, to be copied, is the directory there into
     * which this worker may write; NULL: it has none, and WHY says so. */
    void (*take_directory)(void *state, const char *path, const char *why);
    /* The program that the engine works through; NULL (also as a pointer): none. */
    const struct engine_program *(*program)(const void *state);
    /* In a worker, before worker_start: the descriptor by which this engine, the one with the number INDEX in its host,
     * asks for scans of its program. Only with `program`. */
    void (*attach)(void *state, int keeper, size_t index);
    /* NULL: it needs nothing beyond its cage. */
    const struct engine_needs *(*needs)(const void *state);
    /* In a worker, after each scan: true when the worker should be replaced, and WHY says why. */
    bool (*is_worn)(void *state, struct errtext *why);
    /* In a worker, right after a `scan` that said CLEAN and did all that it had to: what that scan took out of the file
     * and looked at in the same way. Octets that are found there need not be handed over by themselves. NULL: it does
     * not say. */
    const struct layers *(*layers)(const void *state);
};

extern const struct engine_type engine_clamav;
extern const struct engine_type engine_clamd; /* class clamav with a daemon */
extern const struct engine_type engine_kaspersky;
extern const struct engine_type engine_fsecure;
extern const struct engine_type engine_icap;
extern const struct engine_type engine_csapi;
extern const struct engine_type engine_command;
extern const struct engine_type engine_symantec; /* class csapi with a daemon */
extern const struct engine_type engine_plugin;   /* in the program postern-plugin only */
#ifdef POSTERN_TEST_ENGINE
extern const struct engine_type engine_fake;
#endif
/* The built engine of configuration class NAME with the options CONF, or NULL. Each program has the list of its
 * engines: engine.c is that of postern-scan, src/plugin/engines.c that of postern-plugin. */
const struct engine_type *engine_type_find(const char *name, const struct engine_conf *conf);

#endif
