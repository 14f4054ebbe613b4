/* SPDX-License-Identifier: MIT */
/* The strict profile: the cage of a worker whose engine works in the process. A policy of tables over sys/jail.h. */
#ifndef SCAN_HOST_SANDBOX_H
#define SCAN_HOST_SANDBOX_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct sandbox_limits {
    uint64_t memory, stack, temp;
};
struct sandbox_level {
    int landlock_abi; /* 0: the kernel has none */
    bool seccomp;
};

/* Locks the calling process in for good: afterwards it may use the descriptors it has, files below TEMP, and memory.
 * The failure to install seccomp or a limit is an error; a kernel without Landlock is not, and LEVEL says so. */
enum err sandbox_strict(const char *temp, const struct sandbox_limits *limits, struct sandbox_level *level,
                        struct errtext *why) must_use;
/* The soft limit on the CPU time of this process: what it used so far and MS more. Works inside the sandbox. */
void sandbox_limit_cpu(uint64_t ms);

#endif
