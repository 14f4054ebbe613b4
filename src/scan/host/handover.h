/* SPDX-License-Identifier: MIT */
/* Directories below file_base in which daemons find messages as files: one for each worker and engine,
 *
 *   FILE_BASE/postern-message-TOKEN-SLOT-ENGINE   0710: its group, the daemon's, may enter it and read what is in it
 *
 * A worker makes its own before it locks itself in, and may write nowhere else. It holds a lock on it as long as it
 * lives, and whatever ends it, the broker removes the directory then. What earlier runs left (their host was killed
 * too) is known by name, owner and the missing lock, and removed whenever a worker or a host starts.
 */
#ifndef SCAN_HOST_HANDOVER_H
#define SCAN_HOST_HANDOVER_H

#include "base/err.h"
#include <stddef.h>

enum { HANDOVER_TOKEN = 8, HANDOVER_PATH = 1024 + 64 };

/* Whose directories they are. */
struct handover {
    const char *base;               /* file_base, absolute */
    char token[HANDOVER_TOKEN + 1]; /* of this host, see handover_token */
    unsigned slot;                  /* of the worker */
    size_t engine;                  /* its index in the host */
};

/* A new one, of small letters and digits. */
void handover_token(char token[HANDOVER_TOKEN + 1]);
/* Whether a worker of this user could work in BASE now. WHY not. */
enum err handover_try(const char *base, struct errtext *why) must_use;
/* In a worker: makes the directory, empty, PATH its name, locked by *fd, which the caller keeps open. */
enum err handover_enter(const struct handover *h, char path[HANDOVER_PATH], int *fd, struct errtext *why) must_use;
/* In the broker, when the worker has ended: removes it with all that is in it, whatever that is. */
void handover_leave(const struct handover *h);
/* Removes what earlier runs of this user left in BASE. */
void handover_sweep(const char *base);

#endif
