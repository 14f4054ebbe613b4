/* SPDX-License-Identifier: MIT */
/* Users and groups of the console. Ids are compared, as the kernel gives them for the moment of the connection. */
#include "daemon/console_access.h"
#include "base/mem.h"
#include "sys/priv.h"
#include <errno.h>
#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

/* Supplementary groups of one process; the kernel allows 65536, and nobody has more than this. */
enum { PEER_GROUPS_MAX = 1024 };

static bool find_group(const char *name, gid_t *out)
{
    struct group entry, *found = NULL;
    char strings[16384];
    if (getgrnam_r(name, &entry, strings, sizeof(strings), &found) != 0 || !found)
        return false;
    *out = entry.gr_gid;
    return true;
}

static bool add(struct console_access *a, const char *name)
{
    struct priv_user user;
    gid_t group;
    if (name[0] == '@') {
        if (a->group_count == CONSOLE_ALLOW_MAX || !find_group(name + 1, &group))
            return false;
        a->groups[a->group_count++] = group;
        return true;
    }
    if (a->user_count == CONSOLE_ALLOW_MAX || priv_lookup(name, &user) != ERR_OK)
        return false;
    a->users[a->user_count++] = user.uid;
    return true;
}

void console_access_init(struct console_access *a, const struct conf_list *allow, const struct log *log,
                         const char *name)
{
    *a = (struct console_access){.self = geteuid()};
    for (size_t i = 0; i < allow->count; i++)
        if (!add(a, allow->items[i]))
            log_text(log, LOG_CONFIG_WARNING, "reason",
                     "Control_Listener %s: allow: there is no user or group \"%s\", or more than %d: it lets nobody in",
                     name, allow->items[i], CONSOLE_ALLOW_MAX);
}

bool console_access_permits(const struct console_access *a, uid_t uid, const gid_t *groups, size_t group_count)
{
    if (uid == 0 || uid == a->self)
        return true;
    for (size_t i = 0; i < a->user_count; i++)
        if (a->users[i] == uid)
            return true;
    for (size_t i = 0; i < a->group_count; i++)
        for (size_t k = 0; k < group_count; k++)
            if (a->groups[i] == groups[k])
                return true;
    return false;
}

bool console_access_check(const struct console_access *a, int fd, uid_t *uid, char *who, size_t size)
{
    struct ucred peer = {.uid = (uid_t)-1};
    gid_t groups[PEER_GROUPS_MAX + 1];
    socklen_t len = sizeof(peer), groups_len = PEER_GROUPS_MAX * sizeof(groups[0]);
    *uid = (uid_t)-1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || peer.uid == (uid_t)-1) {
        snprintf(who, size, "an unknown user");
        return false;
    }
    *uid = peer.uid;
    if (peer.uid == 0)
        snprintf(who, size, "root");
    else
        snprintf(who, size, "uid %ld", (long)peer.uid);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_len) != 0)
        groups_len = 0;
    size_t count = groups_len / sizeof(groups[0]);
    groups[count++] = peer.gid;
    return console_access_permits(a, peer.uid, groups, count);
}
