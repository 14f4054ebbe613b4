/* SPDX-License-Identifier: MIT */
/* Sector N begins at (N + 1) sectors; tables have 4 octets for each sector, and the header and a chain of lists say
 * where the tables are. */
#include "mime/ole2.h"

enum {
    HEADER_SIZE = 512,
    ENTRY_SIZE = 128,
    NAME_UNITS = 32,
    IN_HEADER = 109, /* places of tables that the header has room for */
    SMALL_SHIFT = 6,
    SMALL_LIMIT = 4096,        /* streams below it are in small sectors; no other value is allowed */
    STEPS_LEAST = 65536,       /* whatever the file's size */
    LAST_SECTOR = 0xfffffffau, /* larger numbers mean something else */
};

static unsigned u16_at(struct span s, size_t at)
{
    return (unsigned char)s.ptr[at] | (unsigned)(unsigned char)s.ptr[at + 1] << 8;
}

static uint32_t u32_at(struct span s, size_t at)
{
    return u16_at(s, at) | (uint32_t)u16_at(s, at + 2) << 16;
}

bool ole2_open(struct ole2 *out, struct span file)
{
    memset(out, 0, sizeof(*out));
    if (file.len < HEADER_SIZE || !span_starts(file, SPAN("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")))
        return false;
    out->file = file;
    out->shift = u16_at(file, 30);
    if (out->shift < 7 || out->shift > 16)
        return false;
    out->steps = 8 * (file.len >> out->shift) + STEPS_LEAST;
    out->directory = (struct ole2_stream){.start = u32_at(file, 48), .size = UINT64_MAX};
    out->small_table = (struct ole2_stream){.start = u32_at(file, 60), .size = UINT64_MAX};
    struct ole2_entry root;
    if (ole2_entry(out, 0, &root)) {
        out->small_sectors = root.stream;
        out->small_sectors.small = false;
    }
    return true;
}

/* A sector's octets, fewer at the file's end. */
static struct span sector(const struct ole2 *o, uint32_t n)
{
    size_t at = n > LAST_SECTOR ? o->file.len : ((size_t)n + 1) << o->shift;
    return span_sub(o->file, at, (size_t)1 << o->shift);
}

static bool step(struct ole2 *o)
{
    if (o->steps == 0)
        return false;
    o->steps--;
    return true;
}

/* The sector of the table INDEX. */
static bool table_at(struct ole2 *o, uint32_t index, uint32_t *place)
{
    if (index < IN_HEADER) {
        *place = u32_at(o->file, 76 + (size_t)index * 4);
        return true;
    }
    uint32_t each = (1u << o->shift) / 4 - 1, piece = (index - IN_HEADER) / each;
    if (o->tables_sector == 0 || o->tables_index > piece) {
        o->tables_index = 0;
        o->tables_sector = u32_at(o->file, 68);
    }
    struct span s;
    while (true) {
        s = sector(o, o->tables_sector);
        if (s.len < ((size_t)1 << o->shift) || !step(o)) {
            o->tables_sector = 0;
            return false;
        }
        if (o->tables_index == piece)
            break;
        o->tables_sector = u32_at(s, (size_t)each * 4);
        o->tables_index++;
    }
    *place = u32_at(s, (size_t)((index - IN_HEADER) % each) * 4);
    return true;
}

/* The sector behind N in its chain. */
static bool next_sector(struct ole2 *o, bool small, uint32_t n, uint32_t *next)
{
    unsigned char four[4];
    uint32_t place;
    if (!step(o))
        return false;
    if (small) {
        if (ole2_read(o, &o->small_table, (uint64_t)n * 4, four, sizeof(four)) != sizeof(four))
            return false;
        *next = four[0] | (uint32_t)four[1] << 8 | (uint32_t)four[2] << 16 | (uint32_t)four[3] << 24;
        return true;
    }
    uint32_t each = (1u << o->shift) / 4;
    if (!table_at(o, n / each, &place))
        return false;
    struct span table = sector(o, place);
    size_t at = (size_t)(n % each) * 4;
    if (at + 4 > table.len)
        return false;
    *next = u32_at(table, at);
    return true;
}

/* Goes to the sector INDEX of a stream. False: it has none. */
static bool place(struct ole2 *o, struct ole2_stream *s, uint64_t index)
{
    if (!s->placed || index < s->at_index) {
        s->placed = true;
        s->at_index = 0;
        s->at_sector = s->start;
    }
    while (s->at_index < index) {
        uint32_t next;
        if (s->at_sector > LAST_SECTOR || !next_sector(o, s->small, s->at_sector, &next)) {
            s->placed = false;
            return false;
        }
        s->at_sector = next;
        s->at_index++;
    }
    return s->at_sector <= LAST_SECTOR;
}

size_t ole2_read(struct ole2 *o, struct ole2_stream *s, uint64_t offset, void *to, size_t size)
{
    size_t done = 0;
    if (!o) {
        struct span all = span_sub(s->flat, offset < s->flat.len ? (size_t)offset : s->flat.len, size);
        memcpy(to, all.ptr ? all.ptr : "", all.len);
        return all.len;
    }
    while (done < size && offset < s->size) {
        unsigned shift = s->small ? SMALL_SHIFT : o->shift;
        size_t within = (size_t)(offset & (((uint64_t)1 << shift) - 1)), n = ((size_t)1 << shift) - within;
        if (n > size - done)
            n = size - done;
        if (n > s->size - offset)
            n = (size_t)(s->size - offset);
        if (!place(o, s, offset >> shift))
            break;
        size_t got;
        if (s->small) {
            got = ole2_read(o, &o->small_sectors, ((uint64_t)s->at_sector << shift) + within, (char *)to + done, n);
        } else {
            struct span piece = span_sub(sector(o, s->at_sector), within, n);
            got = piece.len;
            memcpy((char *)to + done, piece.ptr ? piece.ptr : "", got);
        }
        done += got;
        offset += got;
        if (got < n)
            break;
    }
    return done;
}

bool ole2_entry(struct ole2 *o, uint32_t index, struct ole2_entry *out)
{
    char raw[ENTRY_SIZE];
    memset(out, 0, sizeof(*out));
    if (!step(o) || ole2_read(o, &o->directory, (uint64_t)index * ENTRY_SIZE, raw, sizeof(raw)) != sizeof(raw))
        return false;
    struct span entry = span_of(raw, sizeof(raw));
    for (unsigned i = 0; i + 1 < NAME_UNITS; i++) {
        unsigned unit = u16_at(entry, (size_t)i * 2);
        if (unit == 0)
            break;
        out->name[i] = (char)(unit < 0x80 ? unit : '?');
    }
    out->kind = (unsigned char)raw[66];
    out->stream.start = u32_at(entry, 116);
    out->stream.size = u32_at(entry, 120);
    if (o->shift > 9) /* the older form leaves anything in the upper half */
        out->stream.size |= (uint64_t)u32_at(entry, 124) << 32;
    out->stream.small = out->stream.size < SMALL_LIMIT;
    return true;
}
