/* SPDX-License-Identifier: MIT */
/* What the supervisor gives up once the listening sockets are open. */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include "base/err.h"

/* As root: gives up, for this process and all it will start, every capability but those that starting, ending and
 * cleaning up after children of other users need. Otherwise nothing. ERR_IO with errno. */
enum err privileges_limit(void) must_use;

#endif
