/* SPDX-License-Identifier: MIT */
/* Where lines begin and end, for readers that differ in just that. */
#ifndef MIME_LINES_H
#define MIME_LINES_H

#include "base/span.h"

enum mime_line_ends {
    MIME_ENDS_LF,   /* LF, with or without CR before it */
    MIME_ENDS_ANY,  /* CRLF, LF or CR */
    MIME_ENDS_CRLF, /* CRLF only */
};

struct mime_line {
    struct span text; /* without its end */
    size_t next;      /* where the next line begins */
};
/* The line that begins at AT. */
struct mime_line mime_line_at(struct span message, enum mime_line_ends ends, size_t at);
/* Whether a line begins at AT. */
bool mime_line_begins(struct span message, enum mime_line_ends ends, size_t at);
/* Where the line before the one that begins at AT ends, but not before FROM. */
size_t mime_line_before(struct span message, enum mime_line_ends ends, size_t at, size_t from);
/* The first "--" at or after FROM, anywhere in a line; the message's length where there is none. */
size_t mime_dashes_find(struct span message, size_t from);

/* How many octets lines take at the begin of TEXT, whatever their ends, that are empty or blank. */
size_t mime_blank_lines(struct span text);

/* What stands behind a line of dashes, at AT: whoever takes that line for a delimiter takes this for a part. The one
 * judgement of that, for the reading that asks for no boundary, for the doubt whether there is one, and for carving. */
enum mime_behind {
    MIME_BEHIND_OTHER, /* no part: encoded content, for one, in which such lines are strewn */
    MIME_BEHIND_PART,  /* what a part without headers of its own may begin with: nothing, an empty line, another line of
                          dashes, a fold, a field */
    MIME_BEHIND_HEADERS /* a field Content-… stands there, before an empty line and another line of dashes */
};
enum mime_behind mime_behind_dashes(struct span message, enum mime_line_ends ends, size_t at);

#endif
