/* SPDX-License-Identifier: MIT */
/* Files that libclamav 1.4 does not take out of others, though it could look at them: the members of `ar` archives
 * (.deb, .a), what bzip2 packed in several streams (as pbzip2 and lbzip2 do), of which libclamav unpacks the first, and
 * 7z archives behind something else, of which it does not say whether it opened them. They are written one behind the
 * other to a file that has no name, for scans of their own. */
#ifndef SCAN_ENGINE_CARVE_H
#define SCAN_ENGINE_CARVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct carve_limits {
    uint64_t scan, file; /* octets of all, and of one */
    uint64_t files;
    uint32_t depth;
};

/* A file that awaits its scan. */
struct carved {
    uint64_t at, len;
    uint32_t depth; /* of itself: the message has 0 */
    bool whole;     /* do not look for archives behind something else in it */
};

/* All zeros but LIMITS and TEMP: nothing was carved. */
struct carve {
    struct carve_limits limits;
    const char *temp; /* directory; outlives this */
    int fd;           /* valid if there are items */
    uint64_t written, room;
    struct carved *items;
    uint64_t count, next;
    const char *unsupported; /* words for a person: of what is broken or too much of its kind */
    const char *limit;       /* a limit was reached */
    bool failed;             /* no memory, or the file cannot be made or written */
};

/* What FILE, a layer of TYPE at DEPTH, holds is carved out of it. WHOLE: it is itself an item of which that was said.
 */
void carve_layer(struct carve *c, struct span file, const char *type, uint32_t depth, bool whole);
/* The next item, in the memory that is lent until carve_release. False: there is none, or it FAILED. */
struct carve_view {
    struct carved item;
    struct span file;
    void *map;
    size_t map_len;
};
bool carve_take(struct carve *c, struct carve_view *out);
void carve_release(struct carve_view *view);
/* Releases everything but the findings. */
void carve_end(struct carve *c);

#endif
