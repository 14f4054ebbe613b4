/* SPDX-License-Identifier: MIT */
/* The messages of ours that engines are tried with, put together when they are needed, so that none stands in a file.
 * For the scan host's canary, for probes and for trials. */
#ifndef SCAN_CANARY_TEXT_H
#define SCAN_CANARY_TEXT_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum canary_text {
    CANARY_CLEAN,
    CANARY_PATTERN,   /* the standard anti-virus test string */
    CANARY_DEEP,      /* gzip in gzip, deeper than libclamav goes whatever its configuration says (100) */
    CANARY_ENCRYPTED, /* a zip archive whose one member wants a password */
};

/* A sealed memory file with that text; *FD is the caller's. ERR_IO with errno. */
enum err canary_message(enum canary_text which, int *fd, uint64_t *size) must_use;

#endif
