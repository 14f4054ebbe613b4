/* SPDX-License-Identifier: MIT */
/* The capabilities of the supervisor. The system calls are used as they are: libcap would be a library for two calls.
 */
#include "daemon/privileges.h"
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_BIT(c) (UINT64_C(1) << (c))

static const uint64_t kept = CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) /* a restarted child becomes another user */
                             | CAP_BIT(CAP_SYS_ADMIN)                  /* it gets a tmpfs of its own */
                             | CAP_BIT(CAP_KILL)                       /* it is killed when it does not end */
                             | CAP_BIT(CAP_CHOWN)                      /* temporary directories are made for it */
                             | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_FOWNER); /* and removed at the end */

enum err privileges_limit(void)
{
    if (geteuid() != 0)
        return ERR_OK;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        return ERR_IO;
    /* The bounding set first: changing it needs CAP_SETPCAP, which is about to go. A container may have taken that away
     * already; then its bounding set is the container's, and ours below still shrinks. */
    for (int c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++) {
        if (!(kept & CAP_BIT(c)) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0 && errno != EPERM)
            return ERR_IO;
    }
    for (int word = 0; word < 2; word++) {
        uint32_t mask = (uint32_t)(kept >> (32 * word));
        data[word].permitted &= mask;
        data[word].effective = data[word].permitted;
        data[word].inheritable = 0;
    }
    return syscall(SYS_capset, &header, data) < 0 ? ERR_IO : ERR_OK;
}
