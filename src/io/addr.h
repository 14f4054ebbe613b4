/* SPDX-License-Identifier: MIT */
/* Socket addresses as text and back: "127.0.0.1:25", "[::1]:25", ":25" (all IPv4 and IPv6 addresses), "/run/x.sock". No
 * names. */
#ifndef IO_ADDR_H
#define IO_ADDR_H

#include "base/err.h"
#include "base/span.h"
#include <stdbool.h>
#include <sys/socket.h>

struct addr {
    struct sockaddr_storage storage;
    socklen_t len;
    bool every; /* parsed from ":port": listen on all IPv4 and IPv6 addresses; storage is [::]:port */
};
#define ADDR_TEXT 128

/* IPv6 addresses stand in brackets. DEFAULT_PORT serves text without a port; 0: a port is required. WHY says what is
 * wrong. */
enum err addr_parse(struct span text, unsigned default_port, struct addr *out, struct errtext *why) must_use;
/* "host:port" of A into TEXT; returns TEXT. An IPv4 address mapped into IPv6 reads as IPv4; a socket without a name as
 * "unix". */
const char *addr_format(const struct addr *a, char text[ADDR_TEXT]);
/* Only the IP address, without port. */
const char *addr_format_host(const struct addr *a, char text[ADDR_TEXT]);
/* Turns an IPv4 address mapped into IPv6 (a peer of a ":port" listener) into plain IPv4; others stay. */
void addr_unmap(struct addr *a);
/* Splits "host:port" where host may be a name; false when the port is missing (and DEFAULT_PORT 0) or not 1…65535. */
bool addr_split(struct span text, unsigned default_port, struct span *host, unsigned *port);

#endif
