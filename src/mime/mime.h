/* SPDX-License-Identifier: MIT */
/* What can be said of a message's structure in single words: kinds of encodings and contents, defects, readings.
 *
 * src/mime takes hostile messages apart. It is pure (base only, no system calls, no clock), so it is fuzzed and tested
 * by itself; the only program that uses it is the caged scan worker. Two readers of one mail need not agree on what it
 * contains, and whoever builds a mail to evade scanners lives on that difference. So src/mime does not look for the
 * right reading: it hands out what *any* reader might extract.
 *
 *   precheck.h   may a library that parses by recursion see this message at all?
 *   split.h      every part of every reading, decoded, once                          <- what callers use
 *   mime.h       this: the words (defect.def, content.def, reading.def)
 *   structure.h  one linear pass over one message in one reading: where bodies begin and end
 *   field.h      header fields and their parameters, as tolerant readers see them
 *   decode.h     base64, quoted-printable, uuencode, yEnc, BinHex, each with the variants that decoders differ in
 *   tnef.h       attachments in Microsoft's TNEF
 *   cms.h        the content of S/MIME
 *   locked.h     files that nobody can look at without a password
 *   ole2.h       the files that older Office documents are in
 *   apple.h      the forks of a Macintosh file
 *   charset.h    UTF-16, UTF-32 and other text as UTF-8
 *   name.h       file names in all their decodings (RFC 2047, RFC 2231), and tricks with them
 *   value.h      fields of the message's header, decoded, for policies
 *   content.h    what the octets are
 */
#ifndef MIME_MIME_H
#define MIME_MIME_H

#include "base/span.h"
#include <stdint.h>

enum mime_defect {
#define MIME_DEFECT(symbol, word, paranoid, meaning) MIME_DEFECT_##symbol,
#include "mime/defect.def"
#undef MIME_DEFECT
    MIME_DEFECT_COUNT
};
/* A set of them: bit MIME_DEFECT_…. */
typedef uint64_t mime_defects;
_Static_assert(MIME_DEFECT_COUNT <= 64, "mime_defects has 64 bits");

static inline mime_defects mime_defect_bit(enum mime_defect d)
{
    return (mime_defects)1 << d;
}
static inline bool mime_defects_have(mime_defects set, enum mime_defect d)
{
    return (set & mime_defect_bit(d)) != 0;
}
/* Its word for logs, counters and policies; what it means; and <Reason> of Paranoid.<Reason>, or NULL where it is
 * merely sloppy. Static storage. */
const char *mime_defect_word(enum mime_defect d);
const char *mime_defect_meaning(enum mime_defect d);
const char *mime_defect_paranoid(enum mime_defect d);
/* The first reason in the table's order for which SET has a defect, or NULL: what paranoid = 1 calls the mail. */
const char *mime_defects_paranoid(mime_defects set);

enum mime_reading {
#define MIME_READING(symbol, word) MIME_READING_##symbol,
#include "mime/reading.def"
#undef MIME_READING
    MIME_READING_COUNT
};
/* A set of them: bit 1 << MIME_READING_…; 0 is the ordinary reading. */
typedef uint32_t mime_readings;
const char *mime_reading_word(enum mime_reading r);
/* "ordinary", or words joined by '+'; cut to SIZE with its NUL. */
void mime_readings_text(mime_readings set, char *text, size_t size);

/* How octets were made from the message's. */
enum mime_encoding {
    MIME_IDENTITY, /* 7bit, 8bit, binary, or nothing declared */
    MIME_BASE64,
    MIME_QP,
    MIME_UUENCODE,
    MIME_YENC,
    MIME_BINHEX,
    MIME_TNEF,    /* an attachment inside TNEF */
    MIME_CMS,     /* the content of a signature */
    MIME_APPLE,   /* a fork inside AppleSingle or AppleDouble */
    MIME_WIDE,    /* UTF-16, UTF-32 or text whose ASCII does not stand in its octets made UTF-8 */
    MIME_UNKNOWN, /* declared, but not known: taken as identity */
};
const char *mime_encoding_word(enum mime_encoding e);

enum mime_content_class {
    MIME_CLASS_OTHER,
    MIME_CLASS_TEXT,
    MIME_CLASS_ACTIVE, /* text or media that is executed when looked at */
    MIME_CLASS_PROGRAM,
    MIME_CLASS_ARCHIVE,
    MIME_CLASS_DOCUMENT, /* may carry programs */
    MIME_CLASS_MEDIA,
};
enum mime_content {
#define MIME_CONTENT(symbol, class, word) MIME_CONTENT_##symbol,
#include "mime/content.def"
#undef MIME_CONTENT
    MIME_CONTENT_COUNT
};
const char *mime_content_word(enum mime_content c);
enum mime_content_class mime_content_class(enum mime_content c);

#endif
