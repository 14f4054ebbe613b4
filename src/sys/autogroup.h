/* SPDX-License-Identifier: MIT */
/* The share that this process's session has in the processors. Where the kernel shares them by session first
 * (sched_autogroup_enabled: most kernels outside control groups that share them), a thread's nice value counts among
 * the threads of its own session only. Each child of the supervisor is a session of its own: to give way to the others
 * it has to lower its session. Unlike a nice value this can be taken back without privileges. */
#ifndef SYS_AUTOGROUP_H
#define SYS_AUTOGROUP_H

#include "base/err.h"

/* A descriptor (close-on-exec) for autogroup_nice, to be opened while this process may still open its own files below
 * /proc, so before priv_harden_self. -1: the kernel has no such groups, or /proc is not to be had. */
int autogroup_open(void);
/* NICE from 0 to 19, for all threads of the session and what they fork. The kernel takes one such change in 100 ms from
 * all of the machine; this waits for its turn. FD may be -1: nothing is done. ERR_IO with errno: it was refused, and
 * nothing has changed. */
enum err autogroup_nice(int fd, int nice) must_use;

#endif
