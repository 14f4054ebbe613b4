/* SPDX-License-Identifier: MIT */
/* From what scan/engine/clamav.c says to the words of a scanner program. Pure. */
#ifndef AVSCAN_REPORT_H
#define AVSCAN_REPORT_H

#include "scan/engine/scanner_protocol.h"
#include "scan/verdict.h"

/* OWN_TIME: the time to take a message apart was shorter than what was left for its scan, so that a scan which ran out
 * of time reached a limit of its options. */
void avscan_report(const struct verdict *v, uint64_t id, bool own_time, struct scanner_result *out);

#endif
