/* SPDX-License-Identifier: MIT */
/* AppleSingle and AppleDouble (RFC 1740, appendices A and B): the forks of a Macintosh file, and what is known of it,
 * one behind the other as a table in front of them says. A reader puts the data fork into a file; that is what a
 * scanner has to see by itself, as it may begin anywhere. */
#ifndef MIME_APPLE_H
#define MIME_APPLE_H

#include "base/span.h"

struct mime_apple {
    struct span octets;
    unsigned count, next; /* entries of the table; which one comes */
};
/* False: OCTETS are neither. Spans that are lent point into OCTETS. */
bool mime_apple_open(struct mime_apple *a, struct span octets);
/* The names of the file, in some Macintosh charset: the first and the last that the table has; empty: it has none. */
void mime_apple_names(const struct mime_apple *a, struct span *first, struct span *last);
/* The next data or resource fork that is not empty, as far as it is there; false: there are no more. Entries may
 * overlap. */
bool mime_apple_next(struct mime_apple *a, struct span *fork);

#endif
