/* SPDX-License-Identifier: MIT */
/* What must be there before the first process is started: the programs, the log file, the users, the listening sockets,
 * the spool directory, the sealed configuration. Each function answers 0, or the exit status of the program after it
 * said why. Call them in the order in which they stand here.
 */
#ifndef DAEMON_STARTUP_H
#define DAEMON_STARTUP_H

#include "base/log.h"
#include "daemon/control_socket.h"
#include "daemon/role.h"
#include "sys/priv.h"
#include <sysexits.h>

enum { STARTUP_LISTENERS_MAX = 256, STARTUP_CONTROLS_MAX = 16 };

struct startup {
    const struct conf *conf;
    const struct daemon_conf *options;
    const struct log
        *log; /* set by the caller once startup_open_log was called; the functions after that one need it */
    int edge_program, scan_program, plugin_program; /* O_PATH; the last one -1 where it is not installed */
    bool root;                                      /* started as root: children become USER and SCAN_USER */
    struct priv_user user, scan_user;
    int config_fd; /* sealed */
    int listeners[STARTUP_LISTENERS_MAX];
    unsigned listener_count;
    struct control_socket controls[STARTUP_CONTROLS_MAX];
    unsigned control_count;
};

/* CONF outlives S. */
void startup_init(struct startup *s, const struct conf *conf);
/* Ourselves, and postern-scan and postern-plugin from the directory where we lie. */
int startup_open_programs(struct startup *s) must_use;
/* The file that `log` names becomes descriptors 1 and 2. */
int startup_open_log(const struct startup *s) must_use;
int startup_resolve_users(struct startup *s) must_use;
/* Whether these users may execute the programs. */
int startup_check_programs(const struct startup *s) must_use;
/* Opens the sockets of the enabled Listen scopes, in their order. */
int startup_open_listeners(struct startup *s) must_use;
/* Opens the sockets of the console: the enabled Listen scopes of Control_Listener, in their order. */
int startup_open_controls(struct startup *s) must_use;
/* As root: makes the directories of spool and, where it is used, quarantine where they are missing. Otherwise the edge
 * does that itself. */
int startup_make_spool(const struct startup *s) must_use;
int startup_seal_config(struct startup *s) must_use;

void startup_close_listeners(struct startup *s);
/* The files of the console's sockets go too. */
void startup_release(struct startup *s);

#endif
