/* SPDX-License-Identifier: MIT */
/* Options of the console's sockets: what Control_Listener { Listen "/path" { } } fills. */
#ifndef DAEMON_CONSOLE_CONF_H
#define DAEMON_CONSOLE_CONF_H

#include "conf/conf.h"
#include <sys/types.h>

/* Options of a Listen scope in Control_Listener; most are written in Control_Listener and inherited. */
struct control_conf {
    bool enable;
    const char *file_mode;               /* octal, see control_mode */
    const char *file_owner, *file_group; /* NULL: the account of the edge, and its group */
    struct conf_list allow;              /* further users, and groups as @group */
    int64_t idle_timeout_ms, max_sessions;
};

extern const struct scope_class control_listener_class; /* Control_Listener { } */
extern const struct scope_class control_listen_class;   /* Listen "/path" { } in it */

/* Octal digits, at most 0777. ERR_SYNTAX. */
enum err control_mode(const char *text, mode_t *out) must_use;

/* The enabled Listen scopes in file order: pass NULL first, then the last result; NULL at the end. In the edge their
 * descriptors follow those of the SMTP listeners. */
const struct conf_scope *control_next(const struct conf *conf, const struct conf_scope *previous);

#endif
