/* SPDX-License-Identifier: MIT */
/* The cages of workers and of what they start, a policy of tables over sys/jail.h. Profile strict: engines that work in
 * the process. Profile net: strict, and it may connect, never listen. Profile vendor: strict, and what the stanza of a
 * plug-in lists. Profile exec: what a program needs that is executed afterwards. */
#ifndef SCAN_HOST_SANDBOX_H
#define SCAN_HOST_SANDBOX_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sandbox_limits {
    uint64_t memory, stack, temp;
};
struct sandbox_level {
    int landlock_abi; /* 0: the kernel has none */
    bool seccomp;
};

/* The profile vendor. Each field lets the worker do one thing more than the profile strict. */
struct sandbox_vendor {
    bool tcp;               /* TCP connections, to the sandbox's ports */
    bool unix_sockets;      /* stream connections to unix sockets: to any that its user may use, as no kernel tells them
                               apart */
    bool executable_memory; /* code that is made or loaded at run time */
    const char *const *read; /* files and directories that it may read, at most SANDBOX_READ */
    size_t read_count;
};

enum { SANDBOX_ALSO = 16, SANDBOX_READ = 32, SANDBOX_READABLE = 64 };
struct sandbox {
    const char *temp;
    const char *const *also; /* further directories that it may write to, at most SANDBOX_ALSO */
    size_t also_count;
    struct sandbox_limits limits;
    bool net;
    const struct sandbox_vendor *vendor; /* NULL: not this profile; never together with net */
    const uint16_t *ports;               /* TCP ports that a networked worker may connect to */
    size_t port_count;
};

/* Locks the calling process in for good: afterwards it may use the descriptors it has, files below TEMP and ALSO,
 * memory, and in the net profile stream connections to PORTS (where Landlock knows ports; to any otherwise) and to unix
 * sockets; in the vendor profile what VENDOR says. The failure to install seccomp or a limit is an error; a kernel
 * without Landlock is not, and LEVEL says so.
 */
enum err sandbox_enter(const struct sandbox *box, struct sandbox_level *level, struct errtext *why) must_use;
/* Before the program at the descriptor PROGRAM (close-on-exec) is executed: it may load itself and the system's shared
 * libraries, read DEFINITIONS (NULL: nothing) and its own entries in /proc, use the descriptors it has and files below
 * TEMP. It has one thread and makes no process; no socket; of all programs only itself can be executed. It may lock
 * itself in further. The limits are those of a worker. With LAUNCH it may make processes, which may execute that
 * program too, and kill; their number has no limit, so such a program closes the cage without LAUNCH in each. */
struct sandbox_exec {
    const char *temp, *definitions;
    const char *const *readable; /* to be read too, at most SANDBOX_READABLE */
    size_t readable_count;
    const char *launch; /* it may start this program, in processes of its own; NULL: none */
    int program;
    struct sandbox_limits limits;
};
enum err sandbox_enter_exec(const struct sandbox_exec *box, struct sandbox_level *level, struct errtext *why) must_use;
/* The soft limit on the CPU time of this process: what it used so far and MS more. Works inside the sandbox. */
void sandbox_limit_cpu(uint64_t ms);

#endif
