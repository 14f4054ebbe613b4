/* SPDX-License-Identifier: MIT */
/* What the engines that ask a daemon share beside their connections (link.h): which servers, how much time, how large a
 * message may be, and its octets. */
#ifndef SCAN_ENGINE_DAEMON_ENGINE_H
#define SCAN_ENGINE_DAEMON_ENGINE_H

#include "scan/engine/link.h"
#include "scan/framework.h"

/* The servers that the option `daemon` names, at most LINK_SERVERS; *COUNT receives their number. */
enum err daemon_servers(const struct engine_conf *conf, unsigned default_port, struct server_name names[LINK_SERVERS],
                        size_t *count, struct errtext *why) must_use;
/* What an exchange may take of the TIME_MS before the deadline: a little less, as at the deadline the worker is killed.
 */
uint64_t daemon_time(uint64_t time_ms);
/* True: a message of SIZE octets is over max_filesize, and OUT says so. */
bool daemon_message_is_too_large(uint64_t size, uint64_t max, struct verdict *out);
/* LEN octets of the message FD from AT on. ERR_IO: WHY. */
enum err daemon_read_message(int fd, uint64_t at, char *out, size_t len, struct errtext *why) must_use;

#endif
