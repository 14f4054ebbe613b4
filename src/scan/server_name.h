/* SPDX-License-Identifier: MIT */
/* Where an engine's daemon listens, as the option `daemon` names it: "host:port" (a name, an IPv4 address, an IPv6 one
 * in brackets; the port may be left out where the engine has a usual one), or the path of a unix socket. Nothing is
 * looked up here. */
#ifndef SCAN_SERVER_NAME_H
#define SCAN_SERVER_NAME_H

#include "base/err.h"
#include "base/span.h"

enum { SERVER_HOST = 256, SERVER_PATH = 108 /* sun_path with its NUL */ };

struct server_name {
    char host[SERVER_HOST]; /* without brackets; empty: a unix socket */
    unsigned port;
    char path[SERVER_PATH]; /* absolute */
};

/* DEFAULT_PORT serves text without a port; 0: a port is required. WHY says what is wrong. */
enum err server_name_parse(struct span text, unsigned default_port, struct server_name *out,
                           struct errtext *why) must_use;
/* It is on this host for certain: a unix socket, "localhost", or a loopback address. */
bool server_name_is_local(const struct server_name *name);

#endif
