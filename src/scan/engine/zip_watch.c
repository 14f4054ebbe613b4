/* SPDX-License-Identifier: MIT */
/* A stack of the archives that are open. A layer that is the next due member takes it off its archive's list; others
 * are something that libclamav found besides, and count for nothing. */
#include "scan/engine/zip_watch.h"

#include <string.h>

#include "base/mem.h"
#include "scan/engine/container.h"

enum { TINY_FILE = 5 }; /* those that are not larger make no layer */

struct zip_open {
    struct zip_open *outer;
    struct zip_listing listing;
    size_t due; /* index of the next member that has to show */
    uint32_t depth;
    uint64_t size;
};

static void skip_tiny(struct zip_open *z)
{
    while (z->due < z->listing.count && z->listing.members[z->due].size <= TINY_FILE)
        z->due++;
}

static void close_innermost(struct zip_watch *w)
{
    struct zip_open *z = w->open;
    w->open = z->outer;
    w->lost = w->lost || z->due < z->listing.count;
    zip_listing_free(&z->listing);
    mem_free(z);
}

/* Members of an archive are layers right inside it; behind a program each is inside one more, which goes from its
 * header to the end and is not announced. */
static void show(struct zip_open *z, const struct zip_layer *layer)
{
    if (z->due == z->listing.count || layer->file.len != z->listing.members[z->due].size)
        return;
    bool right_inside = layer->depth == z->depth + 1 && layer->parent_size == z->size;
    bool behind = layer->depth == z->depth + 2 && layer->parent_size == z->size - z->listing.members[z->due].at;
    if (!right_inside && !behind)
        return;
    z->due++;
    skip_tiny(z);
}

void zip_watch_layer(struct zip_watch *w, const struct zip_layer *layer)
{
    struct zip_listing listing;
    while (w->open && w->open->depth >= layer->depth)
        close_innermost(w);
    if (w->open)
        show(w->open, layer);
    if (w->lie || w->lost || container_holds_files(layer->type))
        return;
    if (zip_list(layer->file, &listing) != ERR_OK) {
        w->out_of_memory = true;
        return;
    }
    w->lie = listing.lie;
    w->encrypted = w->encrypted || listing.encrypted;
    struct zip_open *z = listing.count > 0 ? MEM_NEW(struct zip_open) : NULL;
    if (!z) {
        w->out_of_memory = w->out_of_memory || listing.count > 0;
        zip_listing_free(&listing);
        return;
    }
    *z = (struct zip_open){w->open, listing, 0, layer->depth, layer->file.len};
    skip_tiny(z);
    w->open = z;
}

void zip_watch_end(struct zip_watch *w)
{
    while (w->open)
        close_innermost(w);
}
