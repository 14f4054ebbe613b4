/* SPDX-License-Identifier: MIT */
/* The keeper: scanner programs of the pool's engines (engine.h `program`; csapi), a part of the broker. It starts them,
 * each in the cage "exec", watches them, passes what workers ask on to one that is free, and its answer back. It reads
 * no message; what a program says is hostile input of at most one bounded datagram (scanner_protocol.h), and anything
 * out of turn ends the program.
 *
 * A program that ends or is killed in the middle of a message is started again at once, and who waits goes on waiting.
 * One that does not become ready, or ends without having anything to do, is started again after a pause that doubles
 * from 0.1 s to 10 s, until one has given an answer. While none of an engine's programs runs or starts, who asks is
 * told so at once (down).
 *
 * A worker that goes away leaves its scan behind: the program finishes it for nobody, within its deadline, rather than
 * being killed and loading its definitions again.
 *
 * Every update_ms the definitions are looked at. If they changed, the host asks for a new generation of itself
 * (broker_database_changed), whose programs load the new ones, pass the canary and take over without a pause.
 */
#ifndef SCAN_HOST_KEEPER_H
#define SCAN_HOST_KEEPER_H

#include "base/limits.h"
#include "io/deadline.h"
#include "io/loop.h"
#include "scan/engine/scanner_protocol.h"
#include "scan/host/scanner_log.h"

struct broker;
struct worker;
struct keeper_engine;
struct keeper_scanner;

/* A worker's line to the keeper; lives in its struct worker. */
struct keeper_line {
    struct worker *worker;
    int fd;    /* -1: none */
    bool lost; /* there was one, while the worker lives on: what it asks now gets no answer */
    struct loop_watch watch;
    /* what it asked for, and was not answered yet */
    bool asked;
    struct scanner_request request;
    int message; /* descriptor; -1: passed on already */
    uint64_t until_us;
    struct keeper_engine *engine;
    struct list node;               /* engine->waiting */
    struct keeper_scanner *scanner; /* that works on it */
};

struct keeper {
    struct broker *broker;
    struct keeper_engine *engines[LIMIT_ENGINES]; /* by index in the broker; NULL: has no program */
    struct buf out;
};

/* Starts the programs of every open engine. The loop must be there. */
void keeper_start(struct keeper *k, struct broker *b);
/* Ends them all and waits for their ends. */
void keeper_stop(struct keeper *k);
/* The end for a new worker's process, or -1 where no engine has a program or (ERR_IO) none could be made. */
enum err keeper_attach(struct keeper *k, struct keeper_line *line, struct worker *w, int *fd) must_use;
/* Its worker is gone. Harmless when there is none. */
void keeper_detach(struct keeper_line *line);

#endif
