/* SPDX-License-Identifier: MIT */
/* Users and privileges. priv_drop and priv_harden_self run between fork and exec too: system calls only. */
#include "sys/priv.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum err priv_lookup(const char *name, struct priv_user *out)
{
    struct passwd entry, *found = NULL;
    char strings[16384];
    *out = (struct priv_user){0};
    if (getpwnam_r(name, &entry, strings, sizeof(strings), &found) != 0 || !found)
        return ERR_NOTFOUND;
    out->uid = found->pw_uid;
    out->gid = found->pw_gid;
    snprintf(out->name, sizeof(out->name), "%s", name);
    return ERR_OK;
}

/* All three ids are the user's, and none of root's can be had back. */
static bool priv_is_final(const struct priv_user *user)
{
    uid_t real_uid, effective_uid, saved_uid;
    gid_t real_gid, effective_gid, saved_gid;
    if (getresuid(&real_uid, &effective_uid, &saved_uid) != 0 || getresgid(&real_gid, &effective_gid, &saved_gid) != 0)
        return false;
    errno = EPERM; /* what a caller shall see if one of these does hold */
    if (real_uid != user->uid || effective_uid != user->uid || saved_uid != user->uid)
        return false;
    if (real_gid != user->gid || effective_gid != user->gid || saved_gid != user->gid)
        return false;
    if (setresuid((uid_t)-1, 0, (uid_t)-1) == 0)
        return false;
    return user->gid == 0 || setresgid((gid_t)-1, 0, (gid_t)-1) != 0;
}

enum err priv_drop(const struct priv_user *user)
{
    if (user->uid == 0) { /* nothing would be dropped */
        errno = EPERM;
        return ERR_DENIED;
    }
    /* The account's other groups are not taken over: it is to reach what it owns, and nothing by way of a group. */
    if (geteuid() == 0 && setgroups(0, NULL) != 0)
        return ERR_DENIED;
    if (setresgid(user->gid, user->gid, user->gid) != 0 || setresuid(user->uid, user->uid, user->uid) != 0)
        return ERR_DENIED;
    return priv_is_final(user) ? ERR_OK : ERR_DENIED;
}

void priv_harden_self(void)
{
    const struct rlimit none = {0};
    /* None of these can fail with these arguments on a kernel that we support; there is nothing to fall back to. */
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
}
