/* SPDX-License-Identifier: MIT */
/* What scanner programs print, from their pipes into scanner_log: printable text only, and never more than
 * SCANNER_LOG_MAX octets in the file. Beyond that it is dropped until somebody makes room (logrotate with
 * copytruncate). A program is never held up by it. */
#ifndef SCAN_HOST_SCANNER_LOG_H
#define SCAN_HOST_SCANNER_LOG_H

#include <stdbool.h>

enum { SCANNER_LOG_MAX = 16 * 1024 * 1024 };

struct scanner_log {
    int fd; /* -1: all is dropped */
    bool full;
};

/* Moves what is in PIPE, a non-blocking one, at most a few blocks at a time. False: nobody will write to it any more.
 */
bool scanner_log_copy(struct scanner_log *l, int pipe);

#endif
