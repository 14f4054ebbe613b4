/* SPDX-License-Identifier: MIT */
/* File names as mail gives them: raw, RFC 2047 words (also where they must not stand), RFC 2231 (segments, percent,
 * charset). Names are for people, logs and policies; nothing may ever use one as a path. */
#ifndef MIME_NAME_H
#define MIME_NAME_H

#include "base/span.h"
#include "mime/charset.h"
#include "mime/mime.h"

enum { MIME_NAME_SIZE = 256, MIME_NAMES = 8 };

struct mime_names {
    unsigned count;
    bool more; /* there were more than MIME_NAMES */
    char text[MIME_NAMES]
             [MIME_NAME_SIZE]; /* UTF-8 (what is none became U+FFFD), control characters as they came but
                                  for NUL, which is U+2400; where it is too long, U+2026 stands for its middle */
};

/* Adds RAW in all its decodings that NAMES does not have yet (without memory, those of RFC 2047 are left out: names are
 * for people); CHARSET (may be empty) is that of an RFC 2231 value, DEFECTS gains what decoding shows. */
void mime_names_add(struct mime_names *names, struct span raw, struct span charset, mime_defects *defects);

/* What is wrong with one name, and with all together (MIME_DEFECT_NAME_…). */
mime_defects mime_name_judge(struct span utf8);
mime_defects mime_names_judge(const struct mime_names *names);

/* Text of a field with RFC 2047 words decoded, as UTF-8, into OUT of SIZE (NUL included); its length. Words of charsets
 * other than ASCII, UTF-7, UTF-8, UTF-16, UTF-32, ISO-8859-1 and -15, and windows-1252 keep their ASCII characters, and
 * the others become U+FFFD (of GB18030 all but what turns the direction of writing). *found: whether there was any
 * word. */
size_t mime_words_decode(struct span text, char *out, size_t size, bool *found);
/* The same with CONVERT for charsets. */
size_t mime_words_decode_with(struct span text, mime_converter *convert, char *out, size_t size, bool *found);

#endif
