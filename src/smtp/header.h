/* SPDX-License-Identifier: MIT */
/* The top-level header lines of a message, out of its first bytes: raw ASCII, nothing is decoded (DESIGN 1.6). Lines
 * end with CRLF, as everything does that the body decoder let through without fault. */
#ifndef SMTP_HEADER_H
#define SMTP_HEADER_H

#include "base/span.h"

enum smtp_header_result {
    SMTP_HEADER_FIELD,    /* *field is the next one */
    SMTP_HEADER_END,      /* the blank line was passed: the body begins at `offset` */
    SMTP_HEADER_NO_FIELD, /* a line that is no field: readers disagree on what follows; it begins at `offset` */
    SMTP_HEADER_MORE,     /* the prefix ends inside the headers, at a field that begins at `offset` */
};

struct smtp_header_field {
    struct span raw;   /* with its continuation lines and the last CRLF */
    struct span name;  /* without blanks before the colon */
    struct span value; /* all after the colon, folds included, without blanks and CRLF at its ends */
};

struct smtp_header_iter {
    struct span message;
    size_t offset;
    bool whole; /* MESSAGE is all there is, not a prefix */
};

struct smtp_header_iter smtp_header_iter_of(struct span message, bool whole);
enum smtp_header_result smtp_header_next(struct smtp_header_iter *it, struct smtp_header_field *field);
/* How many fields are called NAME, in any case, in the headers (as far as the message is given). */
unsigned smtp_header_count(struct span message, bool whole, struct span name);

#endif
