/* SPDX-License-Identifier: MIT */
/* Microsoft's TNEF ("winmail.dat"): a row of attributes, some of which are attachments (MS-OXTNEF 2.1.3). */
#ifndef MIME_TNEF_H
#define MIME_TNEF_H

#include "base/span.h"

struct mime_tnef {
    struct span rest;
    struct span title; /* of the attachment that is being read */
    bool broken;       /* it ended inside an attribute, or a checksum is wrong */
};
struct mime_tnef_file {
    struct span name; /* empty: it has none */
    struct span data;
};
/* False: OCTETS are not TNEF. Spans that are lent point into OCTETS. */
bool mime_tnef_open(struct mime_tnef *t, struct span octets);
/* The next attachment or text; false: there are no more. */
bool mime_tnef_next(struct mime_tnef *t, struct mime_tnef_file *file);

#endif
