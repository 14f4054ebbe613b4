/* SPDX-License-Identifier: MIT */
/* The end of scanner_protocol.h at which a scanner program of postern's own stands (postern-avscan, postern-runner):
 * one message at a time over the descriptor SCANNER_FD. Whatever makes no sense there, or cannot be said, ends the
 * process: it stands in a cage, nobody would know what it found, and the host starts another. One thread. */
#ifndef SCAN_ENGINE_SCANNER_LINE_H
#define SCAN_ENGINE_SCANNER_LINE_H

#include "scan/engine/scanner_protocol.h"

struct scanner_line {
    struct buf out; /* what is sent now */
};
/* Also sees to it that neither a line that is gone nor a file over its limit is a death by signal. */
void scanner_line_init(struct scanner_line *l);
void scanner_line_ready(struct scanner_line *l, const struct scanner_ready *ready);
void scanner_line_answer(struct scanner_line *l, const struct scanner_result *result);
/* It cannot scan, for the reason WHY. */
_Noreturn void scanner_line_refuse(struct scanner_line *l, const char *why);
/* Hands each request to SCAN, with the message's descriptor, which SCAN closes before it answers. */
_Noreturn void scanner_line_serve(void (*scan)(void *arg, const struct scanner_request *request, int fd), void *arg);

#endif
