/* SPDX-License-Identifier: MIT */
/* Blocking connections to the daemons that engines ask, for one worker: which server, when to try again, bytes out and
 * in, all under one absolute deadline. It knows no engine's grammar: an engine says with two functions what a new
 * connection begins with and what one request is (struct link_exchange), and link_run does the rest:
 *
 * - servers in their order, those that failed within the last seconds at the end;
 * - one connection per server is kept between requests, unless the engine spoils it: where nothing in a clean answer
 *   tells to which request it belongs, one that comes late must find the connection closed;
 * - a kept connection that turns out to be stale before anything of an answer came: exactly once again, on a new one;
 * - a server that cannot be reached or closes without an answer: the next one;
 * - a server that answered, whatever it was: nobody else is asked.
 *
 * link.c is servers and connections, link_io.c the bytes.
 */
#ifndef SCAN_ENGINE_LINK_H
#define SCAN_ENGINE_LINK_H

#include "base/buf.h"
#include "scan/server_name.h"
#include "scan/verdict.h"

#include <sys/socket.h>

enum {
    LINK_SERVERS = 8,        /* of one engine */
    LINK_REPLY = 64 * 1024,  /* of an answer in memory at once */
    LINK_ADDRESSES = 4,      /* of one name */
    LINK_DOWN_MS = 10000,    /* so long a server that failed is tried after the others */
    LINK_IDLE_MS = 15000,    /* unused longer: closed rather than trusted; below the usual limits of daemons */
    LINK_LIFETIME_MS = 60000 /* so that what a greeting told (versions) is never older */
};

struct link;

/* One connection. Engines read its first two fields and use the functions below. */
struct link_connection {
    size_t server; /* index in the list of servers */
    bool local;    /* a unix socket: descriptors can be passed */
    int fd;        /* -1: not open */
    bool kept;     /* it served a request before this one */
    bool answered; /* something came since the request began */
    bool spoiled, again;
    uint64_t deadline_us, opened_us, used_us;
    struct buf in;
    size_t taken; /* octets of IN that the last reading call lent */
    struct errtext why;
};

struct link_exchange {
    /* Before a connection is made, at least once for each; NULL: nothing. After an error the next server is tried. */
    enum err (*admit)(struct link_connection *c, void *arg);
    /* On a new connection, before the first request; NULL: nothing. After an error the next server is tried. */
    enum err (*greet)(struct link_connection *c, void *arg);
    /* One request up to the end of its answer. It may be called again with another connection. ERR_OK: the engine has
     * its answer, whatever that says. Errors of the functions below are passed on; ERR_SYNTAX: the answer makes no
     * sense; ERR_IO: trouble of our own. link_explain gives the details. */
    enum err (*ask)(struct link_connection *c, void *arg);
};

/* COUNT is at most LINK_SERVERS. CONNECT_MS bounds the making of one connection, and again its greeting. NULL: no
 * memory. */
struct link *link_new(const struct server_name *servers, size_t count, uint64_t connect_ms);
void link_free(struct link *l);
/* Looks names up: before the sandbox closes. A name that is not found makes its server unreachable, no more. */
void link_resolve(struct link *l);
/* Whether one of them takes connections now, as far as that shows within WITHIN_MS for each and without looking a name
 * up: such a server counts as there. ERR_CLOSED: none does; WHY says so of each. Nothing is kept. */
enum err link_try(const struct link *l, uint64_t within_ms, struct errtext *why) must_use;
/* The TCP ports of the servers, at most MAX; returns their number. */
size_t link_ports(const struct link *l, uint16_t *out, size_t max);
/* True: some server's `ask` returned ERR_OK. False: OUT is an ERROR (down, timeout, protocol, engine) that says why. */
bool link_run(struct link *l, const struct link_exchange *x, void *arg, uint64_t time_ms, struct verdict *out);

/* For an exchange. Errors: ERR_CLOSED the daemon is gone; ERR_AGAIN the deadline has passed. */

/* Sends all of BYTES. ERR_STATE: the daemon answered (and takes no more, for now or for good) before it had everything:
 * read the answer; the connection is of no further use. */
enum err link_send(struct link_connection *c, struct span bytes) must_use;
/* The same, with a copy of the descriptor FD attached to the first octet; unix sockets only. */
enum err link_send_fd(struct link_connection *c, struct span bytes, int fd) must_use;
/* Waits US for a word of the daemon's, and goes on if none comes. ERR_STATE, as above: one came. */
enum err link_pause(struct link_connection *c, uint64_t us) must_use;
/* Waits for the first octet of an answer. *OVERTAKEN: when it came, the end of what was sent had not arrived (TCP: its
 * host had not acknowledged it, which it does with each octet that it sends; unix socket: the daemon had not read it),
 * so the answer was made without it. */
enum err link_await(struct link_connection *c, bool *overtaken) must_use;
/* Octets up to the first that is one of ENDS, which *end receives (not NULL) and which is taken, but not part of *OUT.
 * ERR_FULL: none came within MAX octets. What *OUT borrows lives until the next call on C; so in all of these. */
enum err link_read_until(struct link_connection *c, struct span ends, size_t max, struct span *out, char *end) must_use;
/* A line without its LF or CRLF. */
enum err link_read_line(struct link_connection *c, size_t max, struct span *out) must_use;
/* Exactly LEN octets; ERR_FULL when that is more than LINK_REPLY. */
enum err link_read_block(struct link_connection *c, size_t len, struct span *out) must_use;
/* All that comes until the daemon closes; ERR_FULL: more than MAX octets. Nothing tells an end from a cut: that is for
 * the grammar of what was read. The connection is of no further use. */
enum err link_read_to_end(struct link_connection *c, size_t max, struct span *out) must_use;
/* After one of these failed: what there is of the answer that did not come to its end. */
struct span link_partial(const struct link_connection *c);
/* Input that came already and was not taken. */
bool link_has_input(const struct link_connection *c);
/* What was read is no answer to the request (the last words of a connection that had timed out): ERR_CLOSED after this
 * counts as "nothing came". */
void link_disown_input(struct link_connection *c);
/* The exchange wants to begin anew, otherwise, on another connection to the same server: to be granted once. Return the
 * error that it gives. */
enum err link_again(struct link_connection *c) must_use;
/* Not to be used again after this request. */
void link_spoil(struct link_connection *c);
/* What went wrong, for the verdict's detail. */
void link_explain(struct link_connection *c, const char *format, ...) printf_like(2, 3);

/* Between link.c and link_io.c. */
/* Waits for EVENTS of poll(2); ERR_AGAIN at UNTIL_US. */
enum err link_wait(int fd, short events, uint64_t until_us, short *seen) must_use;
/* Octets that are there into C->in, without waiting: ERR_AGAIN none, ERR_CLOSED end of file or reset. */
enum err link_fill(struct link_connection *c) must_use;

#endif
