/* SPDX-License-Identifier: MIT */
/* The ordinary reading of a message, as a library reads it that many mail programs use: GMime 3, of which this is the
 * only home. It allocates for every header and part and descends by recursion, and it ends its process where memory is
 * short: only for messages that mime/precheck.h has found within its caps, and only in a worker's cage.
 */
#ifndef SCAN_HOST_ORDINARY_H
#define SCAN_HOST_ORDINARY_H

#include "mime/charset.h"
#include "mime/split.h"

/* Once in a process, the broker's, before any worker is forked: GMime itself, and the converters of the charsets that
 * mail uses, which the C library loads as code, what no cage allows. NULL: no memory. */
struct ordinary *ordinary_new(void);
void ordinary_free(struct ordinary *o);

/* TEXT of CHARSET as UTF-8, as mime_to_utf8, but for all of those charsets (mime_converter). */
size_t ordinary_to_utf8(struct span text, struct span charset, char *out, size_t size);

/* As mime_text_converter, by the C library. */
enum err ordinary_recode(struct span text, struct span charset, struct buf *out) must_use;

/* Whether the caller has what any decoder makes of these octets of the message in this encoding. */
typedef bool ordinary_had(void *arg, size_t offset, size_t length, enum mime_encoding encoding);

/* Hands each leaf of MESSAGE to SINK, decoded as GMime decodes it; those that are HAD are not decoded and not handed
 * out. Of the part only path, type, charset, encoding, octets and the ordinary reading are filled in. Texts are handed
 * out once more, as UTF-8, where that shows what their octets do not. It ends, with *CUT, where more than DECODED
 * octets came of it; at once where the message has 4 GiB or more, which GMime cannot count. *DEFECTS:
 * mime_type_verdicts of what is no multipart. ERR_IO: GMime could not read it; or what SINK said. */
enum err ordinary_read(struct span message, uint64_t decoded, ordinary_had *had, mime_part_sink *sink, void *arg,
                       bool *cut, mime_defects *defects) must_use;

#endif
