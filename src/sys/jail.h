/* SPDX-License-Identifier: MIT */
/* Mechanism of the sandbox: seccomp (libseccomp), Landlock (own definitions: Debian 12's headers are older than the
 * kernels), resource limits. The policy is the caller's tables. */
#ifndef SYS_JAIL_H
#define SYS_JAIL_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Landlock ABI of the running kernel; 0: none. */
int jail_landlock_abi(void);

struct jail_path {
    const char *path;
    bool write;   /* else read only */
    bool execute; /* too: a program, or the loader that it names */
};
/* Confines the calling thread to PATHS and to connections to the TCP ports PORTS, best effort for the kernel's ABI: TCP
 * from ABI 4 (never bind), abstract unix sockets and signals scoped from ABI 6. *abi receives what was applied. Unix
 * sockets with a path can be connected to wherever they are. ERR_NOTFOUND: the kernel has no Landlock. ERR_IO with
 * errno otherwise. Sets no_new_privs. */
enum err jail_landlock(const struct jail_path *paths, size_t count, const uint16_t *ports, size_t port_count,
                       int *abi) must_use;

/* One allowed system call, with conditions that all must hold, each on another argument. */
enum jail_condition { JAIL_ANY, JAIL_ARG_EQ, JAIL_ARG_MASKED_ZERO /* (arg & value) == 0 */ };
enum { JAIL_CONDITIONS = 3 };
struct jail_test {
    enum jail_condition condition; /* JAIL_ANY: this one and those after it do not count */
    unsigned argument;
    uint64_t value;
};
struct jail_call {
    int number; /* SCMP_SYS(…) value: __NR_… */
    struct jail_test tests[JAIL_CONDITIONS];
};
/* Rows of a table. */
#define JAIL_CALL(number)                                                                                              \
    {                                                                                                                  \
        (number),                                                                                                      \
        {                                                                                                              \
            {                                                                                                          \
                JAIL_ANY, 0, 0                                                                                         \
            }                                                                                                          \
        }                                                                                                              \
    }
#define JAIL_CALL_EQ(number, arg, value)                                                                               \
    {                                                                                                                  \
        (number),                                                                                                      \
        {                                                                                                              \
            {                                                                                                          \
                JAIL_ARG_EQ, (arg), (value)                                                                            \
            }                                                                                                          \
        }                                                                                                              \
    }
#define JAIL_CALL_ZERO(number, arg, value)                                                                             \
    {                                                                                                                  \
        (number),                                                                                                      \
        {                                                                                                              \
            {                                                                                                          \
                JAIL_ARG_MASKED_ZERO, (arg), (value)                                                                   \
            }                                                                                                          \
        }                                                                                                              \
    }
/* Installs an allow-list: every other call kills the process (SIGSYS). ERR_IO: it could not be installed, nothing
 * changed. */
enum err jail_seccomp(const struct jail_call *calls, size_t count) must_use;

/* setrlimit, soft and hard alike; a lower hard limit that is already there stays. */
enum err jail_rlimit(int resource, uint64_t value) must_use;
/* Closes every descriptor but those in KEEP (ascending order). */
void jail_close_other_fds(const int *keep, size_t count);

#endif
