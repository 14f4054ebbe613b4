/* SPDX-License-Identifier: MIT */
/* What the engines that ask a daemon share beside their connections (link.h): which servers, how much time, how large a
 * message may be, and its octets. */
#ifndef SCAN_ENGINE_DAEMON_ENGINE_H
#define SCAN_ENGINE_DAEMON_ENGINE_H

#include "scan/engine/engine.h"
#include "scan/engine/link.h"

/* What the state of such an engine begins with. */
struct daemon_engine {
    struct link *link;
    struct engine_info info;
    bool news; /* there is something in INFO that has not been told */
};
/* For struct engine_type. */
enum err daemon_worker_start(void *state, const char *temp, struct errtext *why) must_use;
size_t daemon_ports(const void *state, uint16_t *out, size_t max);
bool daemon_news(void *state, struct engine_info *info);

/* The servers that the option `daemon` names, at most LINK_SERVERS; *COUNT receives their number. */
enum err daemon_servers(const struct engine_conf *conf, unsigned default_port, struct server_name names[LINK_SERVERS],
                        size_t *count, struct errtext *why) must_use;
/* What an exchange may take of the TIME_MS before the deadline: a little less, as at the deadline the worker is killed.
 */
uint64_t daemon_time(uint64_t time_ms);
/* True: a message of SIZE octets is over max_filesize, and OUT says so. */
bool daemon_message_is_too_large(uint64_t size, uint64_t max, struct verdict *out);
/* The day YYYYMMDD, which a daemon says that its database is of, in seconds since 1970; 0: there is no such day. */
uint64_t daemon_day(uint64_t yyyymmdd);
/* LEN octets of the message FD from AT on. ERR_IO: WHY. */
enum err daemon_read_message(int fd, uint64_t at, char *out, size_t len, struct errtext *why) must_use;

#endif
