/* SPDX-License-Identifier: MIT */
/* One message's way through the engines. A run gives it to each engine in order; the first infected that is refused
 * stops it (unless `all = true`); framework_outranks decides. Engines that a context variable forbids are passed over;
 * where that leaves none, the message is SKIPPED. So are engines that are switched off (runtime.h); where that leaves
 * none, the verdict is an ERROR. What an engine has said about the same message before it need not be asked again
 * (verdict_cache.h), nor where it found a part of it infected that was handed to it in another (known_parts.h), and one
 * that rests is not asked (health.h): ERROR down. Before the first engine whose stanza asks for it the message is taken
 * apart (inspection.h); what that finds, or that it failed, is joined to the word of each such engine. Thread: the
 * loop's.
 */
#ifndef SCAN_SCAN_RUN_H
#define SCAN_SCAN_RUN_H

#include "scan/scan_client.h"
#include "scan/subject.h"

struct scan_run;
/* Starts on S (its descriptor and functions are borrowed until done or cancelled). WAKE is called from the loop, once,
 * when done; never from inside this call. NULL: no memory. */
struct scan_run *scan_run_start(struct scan_client *c, const struct scan_subject *s, void (*wake)(void *arg),
                                void *arg);
/* The verdict, or NULL while it is not known. */
const struct verdict *scan_run_verdict(const struct scan_run *r);
/* What each engine that was asked said, in their order, for the log: "clamav1=infected:Some.Virus;
 * clamd1=error:timeout"; what was known from the cache has " (cached)" behind it, and one that is switched off reads
 * "clamav1=disabled". */
const char *scan_run_words(const struct scan_run *r);
/* What taking the message apart found; NULL: nobody asked for it, or it failed. Lives as long as R. */
const struct scan_inspection *scan_run_inspection(const struct scan_run *r);
/* Before a message is received: one of the pools that S (of which only the context counts) has to pass turned a message
 * away as its queue was full, and has answered nothing since. V is then what S gets, ERROR overload of the first such
 * engine, and is counted as its word. Never where an option lets the message go on all the same. */
bool scan_run_refuses_early(struct scan_client *c, const struct scan_subject *s, struct verdict *v);
/* Gives it up: a job on its way is cancelled, no WAKE comes any more. */
void scan_run_free(struct scan_run *r);

#endif
