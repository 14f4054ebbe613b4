/* SPDX-License-Identifier: MIT */
/* Command lines: they end with CRLF and nothing else. A line over its maximum is passed over with bounded memory and
 * reported once, at the CRLF where reading goes on. The maximum counts the CRLF. */
#ifndef SMTP_LINE_H
#define SMTP_LINE_H

#include "base/span.h"

enum smtp_line_result { SMTP_LINE_MORE, SMTP_LINE_OK, SMTP_LINE_LONG };

struct smtp_line {
    size_t scanned; /* leading octets of the input in which no line ends */
    bool skipping;  /* inside a line that is too long */
};

/* Looks at IN, the unconsumed input. OK: *line is the first line without CRLF. *used: octets to consume, in every case;
 * a caller that does not consume an OK line now gets the same line again. */
enum smtp_line_result smtp_line_next(struct smtp_line *l, struct span in, size_t max, struct span *line, size_t *used);
/* The octets of an OK line were or will be consumed. */
void smtp_line_done(struct smtp_line *l);

#endif
