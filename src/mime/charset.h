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
/* One of these: for what fields say of structure. It knows all charsets that Python decodes without octets that differ
 * between code pages: of EBCDIC what all of them have in common, else '?'. foreign.c */
mime_converter mime_field_to_utf8;

/* UTF-16 and UTF-32, both octet orders: by byte order mark, or by where the zeros are. */
enum mime_wide { MIME_WIDE_NONE, MIME_WIDE_16LE, MIME_WIDE_16BE, MIME_WIDE_32LE, MIME_WIDE_32BE };
enum mime_wide mime_wide_of(struct span octets);
/* By a charset's name. */
enum mime_wide mime_wide_named(struct span charset);
/* Of those names that say nothing of the octets' order, what it is for others; else MIME_WIDE_NONE. */
enum mime_wide mime_wide_swapped(struct span charset);
/* Appends the text as UTF-8, without byte order mark. ERR_FULL, ERR_NOMEM. */
enum err mime_wide_decode(struct span octets, enum mime_wide wide, struct buf *out) must_use;
/* The same of UTF-7 (RFC 2152), where MARK is '+', or of IMAP's form of it (RFC 3501, 5.1.3), where it is '&'. */
enum err mime_utf7_decode(struct span text, char mark, struct buf *out) must_use;

/* Whether CHARSET is called NAME, in lower case and without all that is no letter or digit. */
bool mime_charset_is(struct span charset, const char *name);
/* Whether all readers of CHARSET see ASCII where its octets stand, and nowhere else; but for those that leave out what
 * they cannot decode: see below. */
bool mime_charset_is_plain(struct span charset);

/* Appends TEXT as UTF-8; other characters than ASCII may be replaced. ERR_FULL, ERR_NOMEM. */
typedef enum err mime_text_decoder(struct span text, struct buf *out);
/* What does that for CHARSET (empty: none was named), where OCTETS have what makes a difference; NULL: nothing. Of an
 * unknown charset it is the sets of ISO 2022 that are minded. */
mime_text_decoder *mime_text_decoder_of(struct span charset, struct span octets);
/* What DECODE is to others: another decoder of the same charset; NULL: there is none. */
mime_text_decoder *mime_text_decoder_beside(mime_text_decoder *decode);
/* The same by whoever has tables: appends nothing where it does not know CHARSET, and U+FFFD for each octet that is no
 * character of it, or part of one. */
typedef enum err mime_text_converter(struct span text, struct span charset, struct buf *out);

/* Readers that go by iconv, GMime's among them, leave out octets that are no characters: what these separate, they
 * show as one. What decodes OCTETS like that, of a CHARSET that needs no tables; NULL: all of them are characters, or
 * that is not known here. lossy.c */
mime_text_decoder *mime_lossy_decoder_of(struct span charset, struct span octets);
/* Of a plain charset that needs tables: whether OCTETS have one that may be no character of it. */
bool mime_charset_has_holes(struct span charset, struct span octets);
/* Appends TEXT, which somebody with tables made, without U+FFFD; *any: there were some. */
enum err mime_text_leave_out(struct span text, struct buf *out, bool *any) must_use;

/* Whether TEXT, which OCTETS were made, has a run of ASCII that they have not, in its order, or begins with one and
 * they do not: then whoever looks at the octets does not see what a reader sees. */
bool mime_text_hides(struct span octets, struct span text);

#endif
