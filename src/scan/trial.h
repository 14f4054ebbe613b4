/* SPDX-License-Identifier: MIT */
/* Trials: whether the clean word of an engine that asks a daemon, or runs a command, means anything. A daemon decides
 * by its own configuration what it looks at, and with clamd's defaults what exceeds a limit or is encrypted is clean; a
 * service that only passes messages on, or a program that is not told where the message is, finds everything clean; and
 * nobody tells us how many signatures they have left. So such an engine gets texts of ours (canary_text.h):
 *
 *   the test string          any of them. Not found although it was found before: LOST is called. Never found: a doubt
 *   an archive too deep      clamd. Clean: a doubt, unless the stanza lets such messages pass anyway
 *   an archive with password clamd. Likewise
 *
 * A doubt is kept in the engine's runtime and logged when it is new; it changes no verdict. What could not be asked is
 * left for the next trial. Trials pass by cache, breaker and counters of messages. Thread: the loop's.
 */
#ifndef SCAN_TRIAL_H
#define SCAN_TRIAL_H

#include "base/log.h"
#include <stddef.h>

struct scan_client;
struct trials;
struct verdict;
/* For the engines of C's runtime. NULL: no memory. */
struct trials *trials_new(struct scan_client *c, const struct log *log, void (*lost)(void *arg, size_t engine),
                          void *arg);
/* Gives up what is on its way. */
void trials_free(struct trials *t);
/* It has scanned a message: tries it again, where it could not be asked when it was tried last. Once, until it can. */
void trials_heard(struct trials *t, size_t engine);
/* Tries engine number ENGINE, unless there is nothing to ask it, or it is being tried. PATTERN: what it has just said
 * of the test string, which it is not asked about once more; NULL: nothing. */
void trials_start(struct trials *t, size_t engine, const struct verdict *pattern);

#endif
