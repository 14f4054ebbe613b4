/* SPDX-License-Identifier: MIT */
/* One loop's channels to the scan hosts, and one message's way through the engines. Thread: the loop's.
 *
 * A run gives the message to each engine in order; the first infected that is refused stops it (unless `all = true`);
 * framework_outranks decides. A channel that is missing, closed or full yields ERROR at once (down, overload); an
 * engine that does not answer by its deadline (with a grace for the broker, which kills the worker itself) yields ERROR
 * timeout. A broken record closes the channel: ERROR protocol for all its jobs.
 */
#ifndef SCAN_SCAN_CLIENT_H
#define SCAN_SCAN_CLIENT_H

#include "base/log.h"
#include "io/loop.h"
#include "scan/framework.h"
#include "scan/scan_ipc.h"

struct scan_client;
struct scan_client *scan_client_new(struct loop *l, const struct framework *fw, const struct log *log, bool log_status);
void scan_client_free(struct scan_client *c); /* no runs left */
/* A channel (SEQPACKET, non-blocking) to GENERATION of the host of pool INDEX, which C owns from here on. It takes
 * every new job. An earlier channel is retired: its jobs finish there, then it is closed, which is how a host that was
 * told to drain knows that it is done; where that host dies first, they are scanned again over the new one. The states
 * of that pool's engines are LOADING again until the new host reports them. */
void scan_client_attach(struct scan_client *c, int pool_index, unsigned generation, int fd);
/* Every engine has reported READY or FAILED at least once. ON_CHANGE (may be NULL) is called from the loop when that
 * may have changed. */
bool scan_client_settled(const struct scan_client *c);
void scan_client_on_change(struct scan_client *c, void (*changed)(void *arg), void *arg);
/* Answers that came for nobody: their run had timed out or was given up, or there never was such a job. */
uint64_t scan_client_late_answers(const struct scan_client *c);

/* BROKEN is called from the loop when the host of a pool sent a record that makes no sense, or its channel found no
 * memory; its channel is closed by then. */
void scan_client_on_broken(struct scan_client *c, void (*broken)(void *arg, int pool_index, unsigned generation),
                           void *arg);

struct scan_run;
/* Starts on the sealed message behind FD (borrowed until done or cancelled). WAKE is called from the loop, once, when
 * done; never from inside this call. NULL: no memory. */
struct scan_run *scan_run_start(struct scan_client *c, int fd, uint64_t size, const uint8_t digest[32],
                                void (*wake)(void *arg), void *arg);
/* The verdict, or NULL while it is not known. */
const struct verdict *scan_run_verdict(const struct scan_run *r);
/* What each engine that was asked said, in their order, for the log: "clamav1=infected:Some.Virus;
 * clamd1=error:timeout". */
const char *scan_run_words(const struct scan_run *r);
/* Gives it up: a job on its way is cancelled, no WAKE comes any more. */
void scan_run_free(struct scan_run *r);

#endif
