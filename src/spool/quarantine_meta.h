/* SPDX-License-Identifier: MIT */
/* What quarantine knows of a message beside its octets, and its form on disk: one JSON object. Pure, and strict in
 * reading: a file that another program or a bad disk has changed is an error, never a guess.
 *
 * Strings are octets. In the file everything but printable ASCII is written as \u00XX, so that the file is ASCII and
 * comes back octet by octet, whatever character set a header line was in.
 */
#ifndef SPOOL_QUARANTINE_META_H
#define SPOOL_QUARANTINE_META_H

#include "base/arena.h"
#include "base/buf.h"
#include "digest/sha256.h"
#include <stdint.h>

/* An id: 14 digits of UTC time (YYYYMMDDhhmmss), '-', 32 lower-case hexadecimal digits of chance. It is made here,
 * never by a peer, and whatever comes from elsewhere is checked before it becomes part of a file name. */
enum { QUARANTINE_ID = 47, QUARANTINE_ID_SIZE = QUARANTINE_ID + 1 };
void quarantine_make_id(uint64_t now_ms, const uint64_t chance[2], char id[QUARANTINE_ID_SIZE]);
bool quarantine_id_is_valid(struct span id);
/* The moment in ID, to the second, in milliseconds since 1970. ID must be valid. */
uint64_t quarantine_id_time_ms(const char *id);

/* HELD → RELEASING (before the first word to the backend) → RELEASED, or back to HELD where nothing was delivered. An
 * entry that stays RELEASING: it is not known whether the backend has the message. */
enum quarantine_status { QUARANTINE_HELD, QUARANTINE_RELEASING, QUARANTINE_RELEASED, QUARANTINE_STATUS_COUNT };
const char *quarantine_status_word(enum quarantine_status s);

/* One message in quarantine. Texts (quarantine_text.def): empty where unknown or none; never NULL once read. */
struct quarantine_meta {
    char id[QUARANTINE_ID_SIZE];
    enum quarantine_status status;
    uint64_t time_ms;    /* when it was taken, since 1970 */
    uint64_t changed_ms; /* of the last change of status; 0: none */
    uint64_t size;       /* octets of the message */
    uint64_t database;   /* version of the engine's */
    struct sha256_digest digest;
#define QUARANTINE_TEXT(field, key, meaning) const char *field;
#include "spool/quarantine_text.def"
#undef QUARANTINE_TEXT
    const char *const *recipients; /* of the envelope, with < > */
    size_t recipient_count;        /* all of them, also where fewer were kept */
};

/* The largest file: a message for 100000 recipients, which is all that max_recipients allows, needs some megabytes. */
enum { QUARANTINE_META_MAX = 32 << 20, QUARANTINE_RECIPIENTS_MAX = 100000 };

/* Nothing is known: zeros, and empty texts. */
void quarantine_meta_clear(struct quarantine_meta *m);
/* Appends M to OUT, whose maximum should be QUARANTINE_META_MAX. NULL texts are written as empty ones. */
enum err quarantine_meta_write(struct buf *out, const struct quarantine_meta *m) must_use;
/* Reads TEXT. What *m points to lies in ARENA. At most KEEP recipients are kept. ERR_SYNTAX: WHY says
 * what is wrong, and *m is cleared. */
enum err quarantine_meta_read(struct arena *arena, struct span text, size_t keep, struct quarantine_meta *m,
                              struct errtext *why) must_use;

#endif
