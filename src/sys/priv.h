/* SPDX-License-Identifier: MIT */
/* Users and privileges. */
#ifndef SYS_PRIV_H
#define SYS_PRIV_H

#include "base/err.h"
#include <stdbool.h>
#include <sys/types.h>

struct priv_user {
    uid_t uid;
    gid_t gid;
    char name[64];
};

/* The account NAME; ERR_NOTFOUND when there is none. Blocks (NSS): start-up only. */
enum err priv_lookup(const char *name, struct priv_user *out) must_use;
/* Becomes USER for good: supplementary groups, gid, uid, then checks that root cannot be had back. ERR_DENIED with
 * errno. */
enum err priv_drop(const struct priv_user *user) must_use;
/* No new privileges, not dumpable (not traceable by the same user either), no core files. */
void priv_harden_self(void);

#endif
