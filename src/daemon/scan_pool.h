/* SPDX-License-Identifier: MIT */
/* The scan hosts of one pool, seen from the supervisor. One serves; to load new signatures a second one, the next
 * generation, is started beside it:
 *
 *   OFF -> COMING    a reload: it loads its databases and tries the canary, while the other serves
 *   COMING -> SERVING   it can scan, and is no worse than the other: every loop of the edge gets a channel to it
 *   SERVING -> DRAINING the other scans what it still has; when the edge has all answers it ends: OFF
 *   COMING -> REFUSED -> OFF   it cannot: the other goes on, reload-failed is logged, `reload_retry` later it is tried
 * again
 *   OFF -> WAITING -> SERVING  (reload_mode = stop_first) it starts when the other has drained and ended
 *
 * So there are never more than two; what asks for a reload meanwhile waits, once. The host that serves is started again
 * whenever it ends, or the one that is COMING serves as it is. Messages wait for it in their channels, within their
 * deadlines. A generation's number tells which load of the databases a verdict came from: each start has a new
 * one.
 */
#ifndef DAEMON_SCAN_POOL_H
#define DAEMON_SCAN_POOL_H

#include "daemon/child.h"
#include "daemon/environment.h"
#include "daemon/scanner_files.h"
#include "daemon/startup.h"
#include "daemon/tempdir.h"
#include "scan/framework.h"
#include "scan/scan_ipc.h"

/* What all pools share; outlives them. */
struct scan_pool_shared {
    const struct startup *startup;
    const struct framework *framework;
    const struct environment *environment;
    const struct scanner_files *scanners;
    struct tempdir *temp;
    struct child *edge;
    struct loop *loop;
    const struct log *log;
    size_t loops; /* of the edge */
    /* A host ended and will not be started again. */
    void (*host_gone)(void *arg);
    void *arg;
};

enum scan_host_phase { HOST_OFF, HOST_WAITING, HOST_COMING, HOST_SERVING, HOST_DRAINING, HOST_REFUSED };

enum { SCAN_HOST_SLOT_PATH = TEMPDIR_PATH + 24 };

struct scan_pool;
struct scan_host {
    struct scan_pool *pool;
    struct child child;
    char name[64];
    enum scan_host_phase phase;
    unsigned generation;
    bool connected;                            /* the edge has, or will get, channels to it */
    bool loaded;                               /* it has reported */
    struct scan_status engines[LIMIT_ENGINES]; /* as it reported last, maybe before it was started again */
    size_t engine_count, reported;
    char temp[TEMPDIR_PATH];
    bool tmpfs; /* every slot is a tmpfs of its own */
    struct spawn_tmpfs *mounts;
    char (*slots)[SCAN_HOST_SLOT_PATH];
};

/* What asked for a reload; the later ones ask for more. */
enum scan_pool_trigger { TRIGGER_NONE, TRIGGER_CHANGE, TRIGGER_RETRY, TRIGGER_SIGNAL, TRIGGER_COMMAND };

struct scan_pool {
    const struct scan_pool_shared *shared;
    const struct framework_pool *conf;
    size_t index, slot_count;
    bool has_database; /* otherwise there is nothing to reload */
    struct scan_host hosts[2];
    struct scan_host *serving;
    unsigned generations; /* number of the last one */
    /* The best of what has served: without it losses could add up, each of them small enough. */
    struct scan_status best[LIMIT_ENGINES];
    size_t best_count;
    uint64_t reload_us; /* when the reload under way began; 0: none */
    enum scan_pool_trigger waiting;
    struct deadline limit; /* of what the other host does */
    struct deadline retry;
    bool no_reloads, closing;
};

/* Prepares pool INDEX; WHY on failure. SHARED outlives it. */
enum err scan_pool_init(struct scan_pool *p, const struct scan_pool_shared *shared, size_t index,
                        struct errtext *why) must_use;
void scan_pool_start(struct scan_pool *p);
/* Loads the databases anew, now or after what is under way. Nothing happens where the pool has none. */
void scan_pool_reload(struct scan_pool *p, enum scan_pool_trigger why);
/* The edge was started: it needs channels. */
void scan_pool_connect(struct scan_pool *p);
/* LOOP of the edge has lost its channel: it gets another one to the host that serves, where that runs. */
void scan_pool_connect_loop(struct scan_pool *p, size_t loop);
/* GENERATION sent garbage or says nothing any more: it is killed, and started again if it serves. */
void scan_pool_broken(struct scan_pool *p, unsigned generation);
/* The service drains: no more reloads. */
void scan_pool_settle(struct scan_pool *p);
/* The edge has ended: the hosts finish, none is started again. */
void scan_pool_close(struct scan_pool *p);
void scan_pool_kill(struct scan_pool *p);
bool scan_pool_is_running(const struct scan_pool *p);
void scan_pool_release(struct scan_pool *p);

/* Whether NEXT may take over from NOW (each COUNT engines as their hosts reported them); WHY where it may not. An
 * engine that scans must go on scanning, its database must not have lost more than the engine's max_signature_loss,
 * and must find the test string if the one before found it (unless test_string = ignored). */
bool scan_pool_accepts(const struct framework *fw, const struct scan_status *now, size_t now_count,
                       const struct scan_status *next, size_t next_count, struct errtext *why);

#endif
