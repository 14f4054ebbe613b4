/* SPDX-License-Identifier: MIT */
/* The fields of a message's own header as policies read them: each with its name and its value, unfolded, words of
 * RFC 2047 decoded, as UTF-8. It is no opinion about where the header ends: fields go on behind lines that are none, up
 * to the first empty line that is not the message's first, so that a policy sees what any reader takes for a field. */
#ifndef MIME_VALUE_H
#define MIME_VALUE_H

#include "base/err.h"
#include "mime/charset.h"

/* Lives until the sink returns. */
struct mime_value {
    struct span name; /* as it stands: 1 to LIMIT_PART_TEXT octets of printable ASCII, no blank and no colon */
    struct span text; /* at most LIMIT_PART_VALUE octets of plain UTF-8 (utf8_is_plain) */
    bool cut;         /* that is not all of it */
};
typedef enum err mime_value_sink(void *arg, const struct mime_value *value);

/* Hands each field of MESSAGE to SINK, in their order; CONVERT is for charsets. *more: there are others, beyond
 * LIMIT_MIME_HEADERS fields or LIMIT_PART_VALUES octets, or with names of more than LIMIT_PART_TEXT. ERR_OK, ERR_NOMEM,
 * or what SINK said. */
enum err mime_values_read(struct span message, mime_converter *convert, mime_value_sink *sink, void *arg,
                          bool *more) must_use;

#endif
