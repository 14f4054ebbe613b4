/* SPDX-License-Identifier: MIT */
/* One file tests/scenario/NAME.smtp as a list of steps. The language is described in tests/scenario/README.md; a second
 * reader of the same files is tests/e2e/test_scenario.py.
 *
 * tests/player: scenario.h (this) the file; virtual_loop.h the loop, timers, mailboxes, I/O pool and listener with a
 * virtual clock; network.h clients and backends at the other end of memory transports; fake_scan.c the scan hosts;
 * counters.h what was counted; memory.h counted and failing allocation; world.h one running proxy with all of that
 * around it; play.h the steps of a scenario played in it; promises.h what must be true of every run; main.c every way
 * of playing.
 */
#ifndef PLAYER_SCENARIO_H
#define PLAYER_SCENARIO_H

#include "base/arena.h"
#include "base/buf.h"
#include <stdint.h>

enum act {
    CLIENT_SEND,
    CLIENT_FINISH, /* no more input, but it still reads */
    CLIENT_CLOSE,
    CLIENT_RESET,
    CLIENT_STOP,    /* reads no more */
    CLIENT_READ,    /* reads again */
    CLIENT_REPLY,   /* expect one: text is code and a pattern for its words */
    CLIENT_NOTHING, /* expect that no reply has come */
    CLIENT_CLOSED,  /* expect the end, with nothing unread before it */
    BACKEND_CONNECT,
    BACKEND_CONNECT_SILENT, /* accepted, but greeting and EHLO are the script's */
    BACKEND_EXPECT,         /* one line */
    BACKEND_MESSAGE,        /* expect the client's message, octet by octet, with its final dot */
    BACKEND_UNFINISHED,     /* expect the end of the connection inside a message */
    BACKEND_CLOSED,         /* expect the end of the connection, with nothing unread before it */
    BACKEND_SEND,
    BACKEND_FINISH,
    BACKEND_DROP,
    BACKEND_RESET,
    BACKEND_STOP, /* reads no more */
    BACKEND_DOWN,
    BACKEND_UP,
    TIME_PASSES,
    LOG_HAS,
    LOG_HAS_NOT, /* in the whole scenario */
    DRAIN,
    DRAINED,
    ENGINE_DISABLE, /* text is its name */
    ENGINE_ENABLE,
};

struct step {
    struct step *next;
    enum act act;
    unsigned line;   /* in the file */
    unsigned party;  /* number of the client (from 1) or the backend's connection (0: the newest) */
    unsigned server; /* BACKEND_CONNECT to BACKEND_UP: its number, from 0 */
    struct span text;
    size_t body_at; /* CLIENT_SEND: from here on it is a message although no 354 was awaited; 0: no such place */
    uint64_t time;  /* TIME_PASSES: microseconds */
};

/* `counter OF NAME = VALUE`: what has been counted when the scenario is over. */
struct counter_line {
    struct counter_line *next;
    unsigned line;
    bool of_pool;
    struct span of, name; /* an engine or a pool, or "quarantine"; as in the console's JSON */
    uint64_t value;
};

enum { SCENARIO_CLIENTS = 4, SCENARIO_SERVERS = 3 };

struct scenario {
    struct arena arena;
    const char *name;                       /* of the file, without folder and ending */
    struct span config;                     /* lines for the top level of the configuration */
    struct span keywords[SCENARIO_SERVERS]; /* of each server's EHLO, parted by commas */
    bool down[SCENARIO_SERVERS];            /* from the start */
    unsigned servers;
    struct span sockets_only; /* why it is not played here; empty: it is */
    struct span one_run;      /* why it is played whole only; empty: it is not */
    struct span whole_writes; /* why nothing is written in pieces; empty: it is */
    bool rset_scripted, quit_scripted;
    bool infected_passes; /* action = pass */
    struct step *first, **last;
    size_t step_count;
    struct counter_line *counters, **last_counter;
};

/* Reads PATH; WHY says what is wrong with it. Release in every case. */
enum err scenario_load(struct scenario *s, const char *path, struct errtext *why) must_use;
void scenario_release(struct scenario *s);

/* PATTERN with `*` for any octets, against the whole of TEXT. */
bool scenario_match(struct span pattern, struct span text);

#endif
