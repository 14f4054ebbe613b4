/* SPDX-License-Identifier: MIT */
/* Notices that a signature database is no longer what was loaded. Inotify says when to look, what is there says whether
 * anything changed; where inotify cannot serve (a directory that is missing or unreadable, another machine's writes on
 * a network file system) it looks from time to time. Half-written files: a change counts only once two looks, `settle`
 * apart, found the same. */
#ifndef SCAN_HOST_WATCH_H
#define SCAN_HOST_WATCH_H

#include "base/limits.h"
#include "io/deadline.h"
#include "io/loop.h"
#include <stdbool.h>
#include <stdint.h>

struct watched {
    const char *path;
    bool every_file; /* of a directory; false: those that libclamav would load */
    uint64_t seen;   /* at the last look */
    uint64_t told;   /* when it was loaded, or when `changed` was called last */
    int descriptor;  /* inotify's; -1: none */
};

struct watch {
    struct watched items[LIMIT_ENGINES];
    size_t count;
    uint64_t settle_ms;
    int inotify; /* -1: none */
    bool running, settling;
    struct loop_watch events;
    struct deadline look;
    void (*changed)(void *arg);
    void *arg;
};

void watch_init(struct watch *w);
/* PATH outlives the watch. To be called before its database is loaded: what changes during the loading counts. */
void watch_add(struct watch *w, const char *path, bool every_file, uint64_t settle_ms);
/* From here on CHANGED is called, once for each change that has settled. */
void watch_start(struct watch *w, struct loop *l, void (*changed)(void *arg), void *arg);
void watch_stop(struct watch *w); /* harmless twice */

#endif
