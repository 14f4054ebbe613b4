/* SPDX-License-Identifier: MIT */
/* The two messages of ours that engines are tried with: one that is clean, and one that is the standard anti-virus test
 * string, which is put together when it is needed and stands in no file. For the scan host's canary and for probes. */
#ifndef SCAN_CANARY_TEXT_H
#define SCAN_CANARY_TEXT_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

/* A sealed memory file with the test string (PATTERN) or the clean text; *FD is the caller's. ERR_IO with errno. */
enum err canary_message(bool pattern, int *fd, uint64_t *size) must_use;

#endif
