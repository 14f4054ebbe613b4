/* SPDX-License-Identifier: MIT */
/* Whether memory, disk space, inodes or descriptors ran out, or temporary files vanished, told by the C library itself.
 * libclamav partly takes a temporary file that cannot be made, written or read, and an allocation that fails, for the
 * end of an archive, says nothing and answers "clean" (seen with mail, zip, bzip2, uuencode, xar). Linking this puts
 * thin wrappers around glibc's functions into the program, which count such failures.
 *
 * A file that is not there when it is looked for proves nothing: some formats are read by trying names. So files are
 * counted in and out: libclamav removes each that it makes, and one that was made, was not removed and is not there
 * was taken away, looked at or not.
 *
 * Sanitizer builds have allocators of their own, which end the process instead: there allocations and mappings are not
 * counted. */
#ifndef SCAN_ENGINE_SHORTAGE_H
#define SCAN_ENGINE_SHORTAGE_H

#include <stdint.h>

struct shortage {
    uint64_t memory; /* allocations and mappings that failed */
    uint64_t files;  /* files and directories that could not be made, opened for want of something, read or written */
    uint64_t made, removed; /* files with a name */
};

/* What has failed so far in this process, whoever asked. */
struct shortage shortage_seen(void);
/* How many files vanished since BEFORE: made, not removed by this process, and not below the directory TEMP, where all
 * of them belong. One thread works with files meanwhile. A directory that cannot be read is as if all in it were gone.
 */
uint64_t shortage_lost(const struct shortage *before, const char *temp);

#endif
