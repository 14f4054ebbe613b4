/* SPDX-License-Identifier: MIT */
/* The unix socket of a console, as the supervisor makes it: its directory, its file with owner and mode, and the end of
 * both. Who connects is judged by the edge (console_server.h). */
#ifndef DAEMON_CONTROL_SOCKET_H
#define DAEMON_CONTROL_SOCKET_H

#include "base/err.h"
#include <stdbool.h>
#include <sys/types.h>

struct control_socket {
    int fd;           /* listening; -1: none */
    const char *path; /* borrowed */
    dev_t dev;        /* of the file that was made */
    ino_t ino;
};

struct control_owner {
    uid_t uid; /* (uid_t)-1: as it is */
    gid_t gid;
};

/* Listens on PATH (absolute). A missing directory is made (its parent must be there), a socket that a dead process left
 * behind is replaced, anything else in the way is left alone. Nobody can connect before owner and mode are set. WHY on
 * failure; ERR_IO with errno. */
enum err control_socket_open(struct control_socket *s, const char *path, mode_t mode, struct control_owner owner,
                             struct errtext *why) must_use;
/* Stops listening; REMOVE: the file goes too, if it is still the one that was made. Harmless twice. */
void control_socket_close(struct control_socket *s, bool remove);

#endif
