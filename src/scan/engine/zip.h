/* SPDX-License-Identifier: MIT */
/* What unpackers can take out of a zip archive, by its directory and by its members' own headers. libclamav 1.4 passes
 * over a member in silence where these lie, so that its caller has to know what should have shown. Pure but for
 * memory. */
#ifndef SCAN_ENGINE_ZIP_H
#define SCAN_ENGINE_ZIP_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/span.h"

enum { ZIP_MEMBERS_MAX = 131072 };

struct zip_member {
    uint64_t at, end; /* of its header, and behind its packed octets: both inside the file */
    uint64_t size;    /* unpacked, as it is claimed; 0 of one that is locked by a password */
};

struct zip_listing {
    struct zip_member *members; /* in the order of their places */
    size_t count, room;
    bool encrypted;  /* some are locked by a password */
    const char *lie; /* words for a person: why unpackers may see something else than is listed; NULL: they agree */
};

/* Members of FILE that a directory near its end lists, and, if FILE begins as a zip, those that stand one behind the
 * other at its beginning. None is no error. ERR_NOMEM leaves nothing to free. */
enum err zip_list(struct span file, struct zip_listing *out) must_use;
void zip_listing_free(struct zip_listing *listing);

#endif
