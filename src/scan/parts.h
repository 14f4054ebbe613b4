/* SPDX-License-Identifier: MIT */
/* The file of decoded parts that an inspection makes of one message and that the later jobs of that message carry.
 * Pure: bytes ↔ structs. It is written by a worker that hostile content may have taken over and read by other workers,
 * so reading accepts nothing that writing cannot have produced.
 *
 *   head      "PSTNPART", version, number of contents, number of parts, 0 (32 bits each), offset of the table (64 bits)
 *   contents  each distinct one that had to be decoded, one behind the other
 *   table     a row of fixed size for each content, then one of its own length for each part of each reading
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
};
#define PARTS_NO_CONTENT UINT32_MAX
/* Head and table at their largest. */
#define PARTS_TABLE_MAX ((size_t)LIMIT_PARTS * (PARTS_CONTENT_ROW + PARTS_ROW_MAX))

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

/* Writing: the contents first, to the file itself, from PARTS_HEAD on; then the rows in order, contents before parts,
 * to a buffer; then the head. Texts are cut to their limits. */
enum err parts_put_content(struct buf *table, const struct parts_content *c) must_use;
enum err parts_put_row(struct buf *table, const struct parts_row *r) must_use;
void parts_head(uint32_t contents, uint32_t rows, uint64_t table_offset, unsigned char out[PARTS_HEAD]);

/* Reading: a file, of a message of MESSAGE octets, that lives as long as the view. */
struct parts_view {
    struct span file;
    uint32_t contents, rows;
    struct span content_rows, part_rows; /* internal */
};
/* Looks at all of it. ERR_SYNTAX: it is not what writing produces. */
enum err parts_open(struct span file, uint64_t message, struct parts_view *out) must_use;
/* INDEX below view->contents. */
void parts_content(const struct parts_view *view, uint32_t index, struct parts_content *out);
/* The next part; begin with cursor_of(view->part_rows). False: there is none. */
bool parts_next(struct cursor *c, struct parts_row *out);

#endif
