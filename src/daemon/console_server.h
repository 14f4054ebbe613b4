/* SPDX-License-Identifier: MIT */
/* The console's sockets and their sessions, in the edge, on loop 0. Who connects is asked of the kernel: root, the user
 * that we run as, and those of the option `allow`. A session has one request under way at a time; what it sends
 * meanwhile waits in its socket. A session that sends no whole line for idle_timeout, or does not fetch an answer
 * within that time, is closed.
 */
#ifndef DAEMON_CONSOLE_SERVER_H
#define DAEMON_CONSOLE_SERVER_H

#include "daemon/console.h"
#include "daemon/console_conf.h"

struct console_server;
/* CONSOLE outlives it. NULL: no memory. */
struct console_server *console_server_new(struct console *console, struct loop *loop, const struct log *log);
/* Accepts from FD (borrowed) with CONF; NAME as in the configuration. Names in `allow` that nobody has are logged and
 * let nobody in. */
enum err console_server_listen(struct console_server *s, int fd, const struct control_conf *conf,
                               const char *name) must_use;
/* Ends every session; their commands go on. */
void console_server_free(struct console_server *s);

#endif
