/* SPDX-License-Identifier: MIT */
/* Temporary directories of the scan hosts: one of our own below $TMPDIR or /tmp, in it one directory per pool, in that
 * one per worker slot ("0", "1", …). The first belongs to the supervisor and cannot be listed by others; those below
 * belong to the scan user alone. All of it goes away at the end, and what a
 * supervisor that was killed left behind goes at the next start: a directory in use is locked (flock). */
#ifndef DAEMON_TEMPDIR_H
#define DAEMON_TEMPDIR_H

#include "base/err.h"
#include "sys/priv.h"
#include <stddef.h>

enum { TEMPDIR_PATH = 512 };

struct tempdir {
    char path[TEMPDIR_PATH]; /* empty: none was made */
    int fd;
};

/* Makes the first directory, and removes those of ours that nobody uses any more. SCAN_USER: who must be able to reach
 * the others; NULL: we ourselves. ERR_IO and WHY. */
enum err tempdir_make(struct tempdir *t, const struct priv_user *scan_user, struct errtext *why) must_use;
/* The directory of pool INDEX with SLOTS slots, into PATH. */
enum err tempdir_make_pool(struct tempdir *t, size_t index, size_t slots, const struct priv_user *scan_user,
                           char path[TEMPDIR_PATH], struct errtext *why) must_use;
/* Removes everything, never following a link. To be called when nobody works there any more. */
void tempdir_remove(struct tempdir *t);

#endif
