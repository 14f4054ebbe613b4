/* SPDX-License-Identifier: MIT */
/* The scan host of one pool: a broker (single-threaded event loop) that opens the pool's engines, forks workers and
 * queues jobs.
 *
 * host.h (this); watch.c databases that change; canary.c a trial before any message; broker.h what the next four
 * share; broker.c engines, channels, control, the end; loader.c opening the engines in a thread; job.c one job from
 * record to answer; pool.c worker processes; figures.c what it tells about itself; keeper.c scanner programs of engines
 * that work through one: scanner_process.c their start, scanner_log.c what they print; poison.c messages that ended
 * several workers; plugin_output.c what a vendor's library prints; worker.c the child's life; sandbox.c the cages;
 * workspace.c the workers' temporary directories. Only postern-scan and postern-plugin link all of it; postern-avscan
 * uses the cage and the directory.
 */
#ifndef SCAN_HOST_HOST_H
#define SCAN_HOST_HOST_H

#include "base/log.h"
#include "scan/framework.h"

/* Descriptors of one engine's scanner program and of its log; 0: not given, the engine opens them by itself. */
struct scan_host_scanner {
    int program, log;
};

struct scan_host_options {
    const struct framework *framework;
    size_t pool_index;
    /* Datagrams of the supervisor and to it: daemon/role.h. They are read once the engines are loaded and tried. */
    int control_fd;
    bool replaces; /* an older generation serves: what fails here is the supervisor's to tell, and no message's trouble
                    */
    int session;   /* sys/autogroup.h, by which loading gives way to those that serve; -1: it cannot. Taken from one
                      that replaces, and closed once the engines are open */
    unsigned generation;
    const char *temp_base; /* directory with one subdirectory per worker slot, "0", "1", … made and mounted by the
                              supervisor, or made here when it did not */
    bool temp_is_tmpfs;    /* each slot is a tmpfs with its own size */
    const struct log *log;
    const struct scan_host_scanner *scanners; /* LIMIT_ENGINES, by engine of the framework; NULL: none */
    const char *origin; /* "file:line" of the stanza of the pool's plug-in, for the log; NULL: not known */
};
/* Runs until control ends, or until it has drained. Returns the exit status of the process. */
int scan_host_run(const struct scan_host_options *o);

#endif
