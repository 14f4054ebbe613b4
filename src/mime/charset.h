/* SPDX-License-Identifier: MIT */
/* Text to UTF-8, for the few charsets that need no tables of the system's. */
#ifndef MIME_CHARSET_H
#define MIME_CHARSET_H

#include "base/buf.h"

/* UTF8 without control characters: each becomes its picture (U+2400 …), what is not UTF-8 becomes U+FFFD. Into OUT of
 * SIZE, no NUL at the end; its length. Cut at a character: *cut. */
size_t mime_make_plain(struct span utf8, char *out, size_t size, bool *cut);

/* TEXT of CHARSET (empty: UTF-8 if it is that, else ISO-8859-1) as UTF-8 into OUT of SIZE, NUL included; its length.
 * What cannot be converted is U+FFFD, NUL is U+2400. Cut at a character. Without memory, text of UTF-7, UTF-16 and
 * UTF-32 is empty. */
size_t mime_to_utf8(struct span text, struct span charset, char *out, size_t size);
/* Something with that contract, which may know more charsets, and may leave NUL as it is. */
typedef size_t mime_converter(struct span text, struct span charset, char *out, size_t size);

/* UTF-16 and UTF-32, both octet orders: by byte order mark, or by where the zeros are. */
enum mime_wide { MIME_WIDE_NONE, MIME_WIDE_16LE, MIME_WIDE_16BE, MIME_WIDE_32LE, MIME_WIDE_32BE };
enum mime_wide mime_wide_of(struct span octets);
/* By a charset's name. */
enum mime_wide mime_wide_named(struct span charset);
/* Appends the text as UTF-8, without byte order mark. ERR_FULL, ERR_NOMEM. */
enum err mime_wide_decode(struct span octets, enum mime_wide wide, struct buf *out) must_use;

#endif
