/* SPDX-License-Identifier: MIT */
/* One engine looks at one message in a worker: at the message itself, then, where an inspection took it apart, at each
 * decoded part as if it were one. The same for every engine: what asks a daemon, or hands it a file, does so for each.
 */
#ifndef SCAN_HOST_LOOK_H
#define SCAN_HOST_LOOK_H

#include "scan/host/worker.h"

struct look {
    const struct framework *framework;
    const struct host_engine *engine;
    const struct scan_job *job;
    int message, parts; /* PARTS: the parts file; -1: none */
    int dirfd;          /* the worker's directory, in which each part becomes a file of its own */
};
/* The word that counts, by framework_outranks_within. A virus ends it (unless all = true), and so do the deadline and
 * the crash of a scanner; other trouble does not. An infected part is named only if its digest in the parts file is
 * that of the octets which the engine was given: the edge keeps the find under it (scan/known_parts.h). */
void look_at_message(const struct look *l, struct verdict *out);

/* Once in the host, before any worker is forked: what digests need when they are first made, a cage would refuse. */
void look_prepare(void);

#endif
