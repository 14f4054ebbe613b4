/* SPDX-License-Identifier: MIT */
/* The file of decoded parts that an inspection makes of one message and that the later jobs of that message carry.
 * Pure: bytes ↔ structs. It is written by a worker that hostile content may have taken over and read by other workers,
 * so reading accepts nothing that writing cannot have produced.
 *
 *   head      "PSTNPART", version, number of contents, of parts, of values (32 bits each), offset of the table (64
 * bits) contents  each distinct one that had to be decoded, one behind the other table     a row of fixed size for each
 * content, then one of its own length for each part of each reading, then one for each field of the message's own
 * header with its value decoded, then an octet: 1, there are more fields
 *
 * Values are for policies: at most LIMIT_MIME_HEADERS of them, LIMIT_PART_VALUE octets of plain UTF-8 each, and
 * LIMIT_PART_VALUES with their names in all (256 KiB).
 *
 * Integers are big-endian. What digests and texts say is the writer's word: nothing may be trusted to them.
 */
#ifndef SCAN_PARTS_H
#define SCAN_PARTS_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/limits.h"

enum {
    PARTS_HEAD = 32,
    PARTS_CONTENT_ROW = 1 + 8 + 8 + 32 + LIMIT_PART_PATH + 1,
    PARTS_ROW_MAX = 4 + 8 + 1 + LIMIT_PART_PATH + 4 * (1 + LIMIT_PART_TEXT),
    PARTS_VALUES_MAX = LIMIT_PART_VALUES + LIMIT_MIME_HEADERS * (1 + 1 + 2) + 1,
};
#define PARTS_NO_CONTENT UINT32_MAX
/* Head and table at their largest. */
#define PARTS_TABLE_MAX ((size_t)LIMIT_PARTS * (PARTS_CONTENT_ROW + PARTS_ROW_MAX) + PARTS_VALUES_MAX)

/* One distinct content. */
struct parts_content {
    bool verbatim;                  /* it stands in the message as it is: OFFSET counts there, not in the file */
    uint64_t offset, size;          /* SIZE is not 0 */
    uint8_t digest[32];             /* SHA-256 */
    char path[LIMIT_PART_PATH + 1]; /* of the first part that is this: "1.2", printable ASCII */
};

/* One part in one reading of the message. The spans are octets of the mail, hostile; at most LIMIT_PART_TEXT. */
struct parts_row {
    uint32_t content; /* index, or PARTS_NO_CONTENT: it has none of its own, or one that is the whole message */
    uint64_t defects; /* set of enum mime_defect */
    struct span path; /* at most LIMIT_PART_PATH, printable ASCII */
    struct span name, type, detected, encoding;
};

/* One field of the message's own header. */
struct parts_value {
    struct span name; /* 1 to LIMIT_PART_TEXT octets of printable ASCII, no blank and no colon */
    struct span text; /* at most LIMIT_PART_VALUE octets of UTF-8, no control characters: it was decoded, so whoever
                         writes it into a header or a log has to encode it again */
    bool cut;         /* that is not all of it */
};

/* Writing: the contents first, to the file itself, from PARTS_HEAD on; then the rows in order, contents, parts,
 * values, and the table's end, to a buffer; then the head. Texts of parts are cut to their limits; a value that is not
 * as it must be is ERR_SYNTAX. A value is put whole or not at all. */
enum err parts_put_content(struct buf *table, const struct parts_content *c) must_use;
enum err parts_put_row(struct buf *table, const struct parts_row *r) must_use;
enum err parts_put_value(struct buf *table, const struct parts_value *v) must_use;
/* Before the first value, so that the table's end can be put even where there is no memory for one value more. */
enum err parts_prepare_values(struct buf *table) must_use;
/* MORE: there are others, beyond the limits or where something went wrong. */
enum err parts_put_end(struct buf *table, bool more) must_use;
void parts_head(uint32_t contents, uint32_t rows, uint32_t values, uint64_t table_offset,
                unsigned char out[PARTS_HEAD]);

/* Reading: a file, of a message of MESSAGE octets, that lives as long as the view. */
struct parts_view {
    struct span file;
    uint32_t contents, rows, values;
    bool more_values;                                /* the message has others */
    struct span content_rows, part_rows, value_rows; /* internal */
};
/* Looks at all of it. ERR_SYNTAX: it is not what writing produces. */
enum err parts_open(struct span file, uint64_t message, struct parts_view *out) must_use;
/* Looks at no more than head and contents, which is what an event loop may: OUT has neither parts nor values. */
enum err parts_open_contents(struct span file, uint64_t message, struct parts_view *out) must_use;
/* INDEX below view->contents. */
void parts_content(const struct parts_view *view, uint32_t index, struct parts_content *out);
/* The next part; begin with cursor_of(view->part_rows). False: there is none. */
bool parts_next(struct cursor *c, struct parts_row *out);
/* The next field; begin with cursor_of(view->value_rows). False: there is none. */
bool parts_next_value(struct cursor *c, struct parts_value *out);

#endif
