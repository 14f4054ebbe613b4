/* SPDX-License-Identifier: MIT */
/* One proxy with everything around it, for one run of one scenario (world.c): clients and backends of the player,
 * virtual time, log lines in memory. And what all runs of a scenario share (setup.c). */
#ifndef PLAYER_WORLD_H
#define PLAYER_WORLD_H

#include "conf/conf.h"
#include "player/network.h"
#include "player/scenario.h"
#include "player/virtual_loop.h"
#include "proxy/proxy.h"

enum { WORLD_LINKS = 24, WORLD_EVENTS = 512 };
/* Port of the first backend server; the others follow. */
enum { FIRST_PORT = 10025 };

/* What all runs of a scenario share. */
struct setup {
    const struct scenario *scenario;
    struct conf conf;
    struct framework framework;
    struct backend_target targets[SCENARIO_SERVERS];
    struct spool *spool;
    struct quarantine *quarantine; /* NULL: the scenario's configuration has none */
    struct inspector *inspector;   /* likewise */
    const struct quarantine_conf *quarantine_conf;
    const struct proxy_conf *limits;
    const struct listen_conf *listen;
    const char *listen_name;
};
enum err setup_init(struct setup *s, const struct scenario *scenario, const char *spool_path,
                    struct errtext *why) must_use;
void setup_release(struct setup *s);

struct client {
    struct wire wire;
    bool connected;
    struct buf replies; /* all of them, for comparing runs */
    struct buf sent;    /* all that it sent, for its envelopes */
    struct buf body;    /* of its last message, as it went over the wire, up to the final dot */
    bool in_body, rude; /* rude: its message did not wait for the 354 */
    unsigned messages;  /* that it has sent with their final dots */
};

/* A connection that the proxy made. */
struct link {
    struct wire wire;
    unsigned server; /* from 0 */
    unsigned number; /* from 1; 0: the probe, or refused */
    bool pending;    /* not accepted yet */
    bool refused;
    bool automatic; /* answers by itself */
    bool greeted, in_body, message_done;
    bool answering;      /* it is in the middle of an answer: no other one may come between */
    size_t lines_seen;   /* octets of the body that the script expected line by line */
    struct buf envelope; /* command lines since MAIL */
    struct buf message;  /* as received, for deliveries */
};

struct event {
    size_t at, len; /* in world.log_lines */
    bool matched;
};

struct world {
    struct loop loop; /* first: functions that get the loop find the world */
    const struct setup *setup;
    const struct manner *how;
    size_t sent; /* octets of the scenario so far */
    struct log log;
    struct buf log_lines;
    struct event events[WORLD_EVENTS];
    size_t event_count;
    struct proxy_shared shared;
    struct mailbox *mailbox;
    struct proxy *proxy;
    struct client clients[SCENARIO_CLIENTS + 1];
    struct link links[WORLD_LINKS];
    size_t link_count;
    unsigned newest;  /* number of the connection accepted last */
    unsigned numbers; /* given so far */
    bool down[SCENARIO_SERVERS];
    bool probing, drained, drain_begun;
    struct quarantine_usage kept_before; /* what earlier runs have left */
    size_t answered;                     /* octets that backends said by themselves */
    unsigned accepted;                   /* messages that a backend completed and answered 2xx */
    struct buf deliveries;               /* these, with their envelopes */
    struct buf envelopes;                /* of these (envelope.h) */
    bool starved;                        /* an allocation did fail */
    bool broken;                         /* failure says why */
    struct errtext failure;
};

/* One step of splitmix64: a number that depends on every bit of X. */
uint64_t world_mixed(uint64_t x);
void world_start(struct world *w, const struct setup *setup, const struct manner *how);
/* Clients leave, the proxy drains; whatever is still there then is a failure. */
void world_end(struct world *w);
void world_release(struct world *w);
void world_drain(struct world *w);
/* Runs until nothing moves any more without time or the script. */
void world_settle(struct world *w);
void world_pass_time(struct world *w, uint64_t us);
/* Whoever reads late or never reads on; backends answer all; time passes until every session has come to an end. */
void world_follow(struct world *w);
/* Sends BYTES, which are the script's, the way this run sends. */
void world_send(struct world *w, struct wire *wire, struct span bytes);
void world_fail(struct world *w, const char *format, ...) printf_like(2, 3);

void client_connect(struct world *w, unsigned number);
/* From now on the backends answer everything by themselves. */
void world_automatic(struct world *w);
void link_accept(struct link *l);
/* One line from the backend's input; false: none yet. LINE without CRLF, valid until the next call on the link. */
bool link_line(struct link *l, struct span *line);
/* Notes a line that the script expected: a command of the envelope, or one in front of a message. */
void link_note(struct link *l, struct span line);
/* Takes the whole message up to its final dot; false: not yet. One that no client sent is a failure. */
bool link_message(struct world *w, struct link *l);
void link_send(struct world *w, struct link *l, struct span bytes);
/* An answer that is not the script's. */
void link_answer(struct world *w, struct link *l, struct span bytes);

#endif
