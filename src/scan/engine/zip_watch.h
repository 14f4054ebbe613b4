/* SPDX-License-Identifier: MIT */
/* Whether all that zip archives list showed as layers while libclamav took them apart. It announces a layer before what
 * is inside it, members in the order of their places. */
#ifndef SCAN_ENGINE_ZIP_WATCH_H
#define SCAN_ENGINE_ZIP_WATCH_H

#include "scan/engine/zip.h"

struct zip_open;

/* All zeros: nothing was announced. */
struct zip_watch {
    struct zip_open *open; /* archives around the next layer, the innermost first */
    const char *lie;       /* of the first that contradicts itself: see zip.h */
    bool lost;             /* a member did not show */
    bool encrypted;        /* a member is locked by a password */
    bool out_of_memory;    /* some archives were not watched */
};

struct zip_layer {
    uint32_t depth;
    uint64_t parent_size;
    struct span file;
    const char *type; /* libclamav's word; NULL if unknown */
};

void zip_watch_layer(struct zip_watch *w, const struct zip_layer *layer);
/* No more layers: what has not shown by now is lost. Releases everything but the findings. */
void zip_watch_end(struct zip_watch *w);

#endif
