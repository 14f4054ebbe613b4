/* SPDX-License-Identifier: MIT */
/* Every part that any reader might extract from a message, decoded.
 *
 * The message is read in the ordinary way first. What was doubtful on the way (two Content-Types, a line that is almost
 * a delimiter, a header after a blank …) says in what other readers would differ, and the message is read again in each
 * combination of just those ways (reading.def) until no new doubt turns up; combinations that differ in nothing that a
 * pass asked for are one. Each extent of octets is decoded once per encoding, whatever number of readings finds it, and
 * a message inside it that was taken apart before is not again (known.c). A message without doubts costs one pass.
 * Where anything was doubtful, encoded runs are also carved out of the raw octets without regard to structure.
 *
 * Memory is bounded by `decoded`, 2 MiB, and four times those fields of open multiparts that have encoded words; time
 * by `work`. Both are linear in the message's size (mime_limits_for). A limit that is reached is reported and is
 * MIME_DEFECT_LIMIT: the caller must not call such a message clean on the strength of its parts. */
#ifndef MIME_SPLIT_H
#define MIME_SPLIT_H

#include "base/err.h"
#include "mime/charset.h"
#include "mime/mime.h"
#include "mime/name.h"

/* "1.2.1" and its NUL: numbers of at most 7 digits in LIMIT_MIME_DEPTH levels would be longer, so deep ones end in "…"
 * as three dots. */
enum { MIME_PATH_SIZE = 96, MIME_TYPE_SIZE = 96 };

/* All of it, what pointers point to included, lives until the sink returns. */
struct mime_part {
    /* Place in the structure: "1" is the message's only body or the first child of its multipart, "2.1" the first
     * inside the second. What was found inside the octets of a part (attachment in TNEF, file in uuencode, message in
     * base64) is one level below it. Carved ones are "0.1", "0.2" …. Several readings may give different octets to one
     * path. */
    const char *path;
    mime_readings
        readings;   /* of the first reading that extracted it: 0 is the ordinary one, in which most parts are found */
    unsigned depth; /* levels of the path */
    char type[MIME_TYPE_SIZE];   /* declared "main/sub", lower case, printable ASCII; "text/plain" by default; cut if
                                    longer */
    char charset[32];            /* declared, likewise; empty: none */
    enum mime_encoding declared; /* what the header said */
    enum mime_encoding encoding; /* what was undone last: of a file inside a base64 part's TNEF it is MIME_TNEF */
    bool attachment;             /* Content-Disposition says so, or it was found inside another part */
    struct mime_names names;     /* all decodings of all its names, no two alike */
    enum mime_content content;   /* by its octets */
    mime_defects defects;        /* of this part, the entity's headers included */
    struct span octets;          /* decoded */
    size_t offset,
        extent; /* which octets of the message it was made of; of the outermost message for parts inside decoded ones */
    bool verbatim; /* octets are message[offset, offset + extent) themselves, nothing was decoded */
    bool certain;  /* they are what any decoder of ENCODING makes of just that extent, if it keeps blanks at line ends:
                      verbatim, or nothing is odd about how they are encoded */
};

/* Takes one part. Anything but ERR_OK ends the split with that error. */
typedef enum err mime_part_sink(void *arg, const struct mime_part *part);

struct mime_limits {
    uint64_t decoded;             /* octets handed out that are not verbatim, in all readings together */
    uint64_t work;                /* octets looked at, in all readings together */
    unsigned parts;               /* handed out, in all readings together */
    unsigned depth;               /* multiparts and messages within each other, in one message */
    unsigned decodings;           /* encodings within encodings: a message in base64 in a message in base64 … */
    mime_text_converter *convert; /* for charsets that need tables; NULL: without those */
};
/* What is right for a message of SIZE octets: decoded 4 × SIZE + 4 MiB, work 24 × SIZE + 16 MiB, the rest from
 * base/limits.h. */
struct mime_limits mime_limits_for(size_t size);

/* Why something may be missing. */
enum mime_cut {
    MIME_CUT_DECODED = 1 << 0,
    MIME_CUT_WORK = 1 << 1,
    MIME_CUT_PARTS = 1 << 2,
    MIME_CUT_DEPTH = 1 << 3,
    MIME_CUT_DECODINGS = 1 << 4,
    /* More than LIMIT_MIME_PARAMETERS in one field, MIME_NAMES names or MIME_CHARSETS charsets of one part, or
     * MIME_FORMS and MIME_CUTS forms of one boundary. */
    MIME_CUT_PARAMETERS = 1 << 5,
    MIME_CUT_LAST = MIME_CUT_PARAMETERS,
};
/* "decoded", "work", … of one bit. */
const char *mime_cut_word(enum mime_cut cut);

struct mime_report {
    mime_defects defects;               /* of the message and all its parts */
    unsigned counts[MIME_DEFECT_COUNT]; /* how many parts (1: the message) have each */
    unsigned cut;                       /* set of enum mime_cut; not 0: MIME_DEFECT_LIMIT */
    unsigned parts;                     /* handed out */
    unsigned ordinary;                  /* of these in the ordinary reading */
    unsigned readings;                  /* how often the outermost message was read */
    uint64_t decoded, work;             /* what was spent */
};

/* Takes into account a part that another reader found (FOUND: path, type, declared, encoding, octets), and that is like
 * none of those that mime_split handed out: hands it out itself, then what is inside it. *report is that of mime_split
 * and goes on: limits hold for both together. */
enum err mime_split_found(const struct mime_part *found, const struct mime_limits *limits, mime_part_sink *sink,
                          void *arg, struct mime_report *report) must_use;

/* Hands each part to SINK, in the order of the readings and, within one, of the message. ERR_OK, ERR_NOMEM, or what
 * SINK said; *report is filled in any case. No octet of MESSAGE is changed or read beyond its end; any cut of any
 * message is fine. */
enum err mime_split(struct span message, const struct mime_limits *limits, mime_part_sink *sink, void *arg,
                    struct mime_report *report) must_use;

#endif
