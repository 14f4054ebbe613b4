/* SPDX-License-Identifier: MIT */
/* Socket addresses as text and back: "127.0.0.1:25", "[::1]:25", ":25" (all IPv4 and IPv6 addresses), "/run/x.sock". No names. */
#ifndef IO_ADDR_H
#define IO_ADDR_H

#include "base/err.h"
#include "base/span.h"
#include <sys/socket.h>

struct addr {
    struct sockaddr_storage storage;
    socklen_t len;
};
#define ADDR_TEXT 128

/* DEFAULT_PORT serves text without a port; 0: a port is required. WHY says what is wrong. */
enum err addr_parse(struct span text, unsigned default_port, struct addr *out, struct errtext *why) must_use;
/* "host:port" of A into TEXT; returns TEXT. */
const char *addr_format(const struct addr *a, char text[ADDR_TEXT]);
/* Only the IP address, without port. */
const char *addr_format_host(const struct addr *a, char text[ADDR_TEXT]);
/* Splits "host:port" where host may be a name; false when the port is missing (and DEFAULT_PORT 0) or not 1…65535. */
bool addr_split(struct span text, unsigned default_port, struct span *host, unsigned *port);

#endif
