/* SPDX-License-Identifier: MIT */
/* Whether memory, disk space, inodes or descriptors ran out, told by the C library itself. libclamav partly takes a
 * temporary file that cannot be made or written, and an allocation that fails, for the end of an archive, says nothing
 * and answers "clean" (seen with mail, zip, bzip2, uuencode, xar). Linking this puts thin wrappers around glibc's
 * functions into the program, which count such failures.
 *
 * Sanitizer builds have allocators of their own, which end the process instead: there allocations are not counted. */
#ifndef SCAN_ENGINE_SHORTAGE_H
#define SCAN_ENGINE_SHORTAGE_H

#include <stdint.h>

struct shortage {
    uint64_t memory; /* allocations that failed */
    uint64_t files;  /* files and directories that could not be made, opened for want of something, or written */
};

/* What has failed so far in this process, whoever asked. */
struct shortage shortage_seen(void);

#endif
