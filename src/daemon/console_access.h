/* SPDX-License-Identifier: MIT */
/* Who may give commands to the console: root, the user that we run as, and the users and groups of the option `allow`.
 */
#ifndef DAEMON_CONSOLE_ACCESS_H
#define DAEMON_CONSOLE_ACCESS_H

#include "base/log.h"
#include "conf/directive.h"
#include <sys/types.h>

enum { CONSOLE_ALLOW_MAX = 64 };
struct console_access {
    uid_t self; /* besides root */
    uid_t users[CONSOLE_ALLOW_MAX];
    gid_t groups[CONSOLE_ALLOW_MAX];
    size_t user_count, group_count;
};

/* Looks the names of ALLOW up (blocks: start only). Those that nobody has are logged and let nobody in. NAME is the
 * socket's. */
void console_access_init(struct console_access *a, const struct conf_list *allow, const struct log *log,
                         const char *name);
bool console_access_permits(const struct console_access *a, uid_t uid, const gid_t *groups, size_t group_count);
/* Asks the kernel who is at the other end of the connection FD. WHO receives the answer for logs: "root", "uid 1000".
 */
bool console_access_check(const struct console_access *a, int fd, uid_t *uid, char *who, size_t size);

#endif
