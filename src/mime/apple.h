/* SPDX-License-Identifier: MIT */
/* AppleSingle and AppleDouble (RFC 1740, appendices A and B): the forks of a Macintosh file, and what is known of it,
 * one behind the other as a table in front of them says. A reader puts the data fork into a file; that is what a
 * scanner has to see by itself, as it may begin anywhere. */
#ifndef MIME_APPLE_H
#define MIME_APPLE_H

#include "base/span.h"

struct mime_apple {
    struct span octets;
    struct span name;     /* of the file, in some Macintosh charset; empty: it has none */
    unsigned count, next; /* entries of the table; which one comes */
};
/* False: OCTETS are neither. Spans that are lent point into OCTETS. */
bool mime_apple_open(struct mime_apple *a, struct span octets);
/* The next data or resource fork that is not empty, as far as it is there; false: there are no more. Entries may
 * overlap. */
bool mime_apple_next(struct mime_apple *a, struct span *fork);

#endif
