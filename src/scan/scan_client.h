/* SPDX-License-Identifier: MIT */
/* One loop's channels to the scan hosts, and single questions over them: one engine asked about one message. What
 * becomes of a message that several engines look at is scan_run.h's. Thread: the loop's.
 *
 * Where there is no channel, or a full one, a call waits for it, as many of all loops as the pool's Backlog says (more
 * are ERROR overload at once). What a host leaves unanswered, because it ended or its channel had to be closed for a
 * record that makes no sense, is asked once more of the next one: most of it only waited there, and what made a host
 * end ends no third. An engine that does not answer by its deadline (with a grace for the broker, which kills the
 * worker itself) has timed out; neither waiting nor a second host gives it more time.
 */
#ifndef SCAN_SCAN_CLIENT_H
#define SCAN_SCAN_CLIENT_H

#include "base/list.h"
#include "base/log.h"
#include "io/deadline.h"
#include "io/loop.h"
#include "scan/framework.h"
#include "scan/pool_call.h"
#include "scan/runtime.h"
#include "scan/scan_ipc.h"

struct scan_client;
/* RUNTIME is shared by all loops. LOG_STATUS: this loop's client is the one that logs engines going up and down. */
struct scan_client *scan_client_new(struct loop *l, struct scan_runtime *runtime, const struct log *log,
                                    bool log_status);
void scan_client_free(struct scan_client *c); /* no calls left */
struct loop *scan_client_loop(const struct scan_client *c);
/* Its engines' probes (probe.h). */
struct probes *scan_client_probes(const struct scan_client *c);
struct scan_runtime *scan_client_runtime(const struct scan_client *c);
/* For pool_call.c: what it keeps here, and a record sent to the host of pool number POOL. ERR_CLOSED: there is none. */
struct pool_calls *scan_client_pool_calls(struct scan_client *c);
enum err scan_client_send(struct scan_client *c, int pool, const struct scan_record *record) must_use;
/* A channel (SEQPACKET, non-blocking) to GENERATION of the host of pool INDEX, which C owns from here on. It takes
 * what waits and every new job. An earlier channel is retired: its jobs finish there, then it is closed, which is how a
 * host that was told to drain knows that it is done. The states of that pool's engines are LOADING again until the new
 * host reports them. Without memory for it, it is lost (scan_client_lost). */
void scan_client_attach(struct scan_client *c, int pool_index, unsigned generation, int fd);
/* Every engine has reported READY or FAILED at least once. ON_CHANGE (may be NULL) is called from the loop when that
 * may have changed. */
bool scan_client_settled(const struct scan_client *c);
void scan_client_on_change(struct scan_client *c, void (*changed)(void *arg), void *arg);
/* Answers that came for nobody: their call had timed out or was given up, or there never was such a job. */
uint64_t scan_client_late_answers(const struct scan_client *c);
/* What the host said last of engine number INDEX; state LOADING until then. GENERATION of that host, 0: none. */
const struct scan_status *scan_client_status(const struct scan_client *c, size_t index, unsigned *generation);

/* A channel to GENERATION of the host of pool INDEX was on its way to C and got lost, for want of a descriptor or of
 * memory: an older one, if there is any, serves on until another one comes. */
void scan_client_lost(struct scan_client *c, int pool_index, unsigned generation);
/* MISSING is called from the loop when a channel has ended, or got lost, and about a second later no other one has been
 * attached; then again after pauses that double up to SCAN_CLIENT_ASK_MAX_MS, until one is. The host may live: whoever
 * can shall give another channel to it. */
void scan_client_on_missing(struct scan_client *c, void (*missing)(void *arg, int pool_index), void *arg);
enum { SCAN_CLIENT_ASK_FIRST_MS = 1000, SCAN_CLIENT_ASK_MAX_MS = 4000 };

/* BROKEN is called from the loop when the host of a pool sent a record that makes no sense, or left several messages in
 * a row without an answer; its channel is closed by then. */
void scan_client_on_broken(struct scan_client *c, void (*broken)(void *arg, int pool_index, unsigned generation),
                           void *arg);

/* One engine asked about one message, or the message given to be taken apart; part of its owner's structure. */
struct scan_call {
    struct scan_client *client;
    /* Called from the loop, once for each scan_call_send that returned true and was not cancelled; never from inside
     * it. V->engine is not filled in. The call may be sent again, or freed, from there. */
    void (*answered)(struct scan_call *call, const struct verdict *v);
    /* Instead, when an inspection came to its end. PARTS is the sealed parts file, the owner's from now on. */
    void (*inspected)(struct scan_call *call, const struct scan_inspection *i, int parts);
    /* internal */
    enum scan_job_kind kind;
    size_t engine;
    int fd;
    int parts; /* of an engine's call: borrowed, -1: none; of an inspection: the file that is filled now */
    uint64_t parts_size;
    uint64_t size;
    uint8_t digest[32];
    uint64_t id;       /* 0: no host has it */
    int pool;          /* index, or -1 when nobody can be asked */
    bool waiting;      /* in front of the pool, for a host or for room */
    bool lost;         /* a host that had it is gone: it is asked once more, and never again */
    uint64_t until_us; /* on CLOCK_MONOTONIC: the deadline of the job */
    struct client_channel *channel;
    struct list node; /* in channel->calls, or in those that wait in front of the pool */
    struct deadline deadline;
};
void scan_call_init(struct scan_call *call, struct scan_client *c,
                    void (*answered)(struct scan_call *call, const struct verdict *v));
/* Asks engine number ENGINE of the framework about the sealed message behind FD (borrowed until the answer). False: it
 * cannot be asked now, and WHY is its ERROR verdict. */
bool scan_call_send(struct scan_call *call, size_t engine, int fd, uint64_t size, const uint8_t digest[32],
                    struct verdict *why);
/* As scan_call_send, with the parts file that an inspection of this message gave (borrowed likewise). */
bool scan_call_send_parts(struct scan_call *call, size_t engine, int fd, uint64_t size, const uint8_t digest[32],
                          int parts, uint64_t parts_size, struct verdict *why);
/* Has the message taken apart, for engine number ENGINE of the framework, whose timeout counts. */
bool scan_call_inspect(struct scan_call *call, size_t engine, int fd, uint64_t size, const uint8_t digest[32],
                       struct verdict *why);
/* Gives it up, if it is on its way: the job is cancelled, no answer comes any more. */
void scan_call_cancel(struct scan_call *call);

#endif
