/* SPDX-License-Identifier: MIT */
/* Compound files ([MS-CFB], "OLE2"), as far as it takes to read the beginning of their streams: the directory, and
 * chains of sectors through the tables that say which sector follows which. Nothing is allocated. Hostile tables cost a
 * number of steps that grows with the file and no more; what they lead out of the file is not there. A reader of our
 * own: libgsf wants its input as objects of GLib and bounds nothing. */
#ifndef MIME_OLE2_H
#define MIME_OLE2_H

#include "base/span.h"
#include <stdint.h>

/* Octets that stand one after the other: in sectors of a compound file, or as they are. */
struct ole2_stream {
    struct span flat; /* of one without a file */
    uint32_t start;
    uint64_t size;
    bool small;         /* in the small sectors, which are in a stream of their own */
    uint64_t at_index;  /* of the sector that was read last, in the stream */
    uint32_t at_sector; /* and in the file */
    bool placed;
};

struct ole2 {
    struct span file;
    unsigned shift; /* of a sector's size */
    struct ole2_stream directory, small_table, small_sectors;
    uint32_t tables_index, tables_sector; /* the piece of the list of tables that was looked up last */
    uint64_t steps;                       /* that may still be made */
};

enum ole2_kind { OLE2_STORAGE = 1, OLE2_STREAM = 2, OLE2_ROOT = 5 };
enum { OLE2_NAME_SIZE = 33 };
struct ole2_entry {
    char name[OLE2_NAME_SIZE]; /* '?' for what is not ASCII */
    unsigned kind;             /* one of enum ole2_kind, or another number: unused */
    struct ole2_stream stream;
};

/* False: FILE is no compound file. It has to live as long as OUT. */
bool ole2_open(struct ole2 *out, struct span file);
/* The entry INDEX of the directory, of whatever storage. False: it has no more, or none that can be read. */
bool ole2_entry(struct ole2 *o, uint32_t index, struct ole2_entry *out);
/* Copies octets from OFFSET on, at most SIZE, as far as there are any. O is NULL for a stream that is flat. Cheap where
 * offsets grow. */
size_t ole2_read(struct ole2 *o, struct ole2_stream *s, uint64_t offset, void *to, size_t size);

#endif
