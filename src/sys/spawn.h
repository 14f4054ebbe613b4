/* SPDX-License-Identifier: MIT */
/* Starting a child: fork, optional private mounts, optional change of user, explicit descriptors, execveat of a program
 * that was opened before privileges were dropped. */
#ifndef SYS_SPAWN_H
#define SYS_SPAWN_H

#include "base/err.h"
#include "sys/priv.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A tmpfs of its own for the child (needs root; makes a private mount namespace). */
struct spawn_tmpfs {
    const char *path; /* an existing directory */
    uint64_t bytes;
    unsigned inodes;
    uid_t uid;
    gid_t gid;
};

struct spawn {
    int program_fd;          /* opened O_PATH | O_CLOEXEC */
    const char *const *argv; /* NULL-terminated */
    const char *const *envp; /* NULL-terminated; nothing else of our environment is handed on */
    const int *fds;          /* child's descriptors 3, 4, … in this order; 0 is /dev/null, 1 and 2 are ours */
    size_t fd_count;
    const struct priv_user *user; /* NULL: stay who we are */
    const struct spawn_tmpfs *tmpfs;
    size_t tmpfs_count;
    /* Runs in the child as the last thing before PROGRAM, the number of its close-on-exec descriptor, is executed; the
     * child's descriptors are in place. False with errno: it is not executed. NULL: nothing. The caller must have one
     * thread only. */
    bool (*prepare)(void *arg, int program);
    void *prepare_arg;
};

/* Starts the child; its pid and a pidfd (close-on-exec; readable when it ended). The child gets SIGKILL when the parent
 * dies. WHY is set on failure: a failure inside the child before exec is reported here too, not as an exit. */
enum err spawn_child(const struct spawn *s, pid_t *pid, int *pidfd, struct errtext *why) must_use;

#endif
