/* SPDX-License-Identifier: MIT */
/* Taking a message apart, in a worker's cage: every part that any reader might extract (mime/split.h), those that GMime
 * does (ordinary.h) where the message is within the caps of mime/precheck.h, each distinct content once, into the file
 * that came with the job. */
#ifndef SCAN_HOST_INSPECT_H
#define SCAN_HOST_INSPECT_H

#include "scan/scan_ipc.h"

/* Once in the broker, before any worker is forked: what libraries load when they are first used, a cage would refuse.
 * NULL: no memory. */
struct inspector;
struct inspector *inspector_new(void);
void inspector_free(struct inspector *i);
/* FD is the message, OUT the empty file. True: *RESULT. False: *WHY is an ERROR. One message at a time. */
bool inspect_message(struct inspector *i, const struct scan_job *job, int fd, int out, struct scan_inspection *result,
                     struct verdict *why);

#endif
