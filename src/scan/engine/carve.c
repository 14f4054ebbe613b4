/* SPDX-License-Identifier: MIT */
/* One file for all, so that many small members need no descriptor each. Every step counts against the limits that hold
 * for libclamav's own work. */
#include "scan/engine/carve.h"

#include <bzlib.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "scan/engine/container.h"
#include "scan/engine/members.h"
#include "sys/memfd.h"

enum {
    STEP = 32768,
    TINY = 5,          /* nothing can be in so few octets */
    EMBEDDED_MAX = 16, /* 7z archives behind something in one file */
    FIRST_ROOM = 16,
    AR_HEADER = 60,
    AR_NAME_SIZE = 16,
    AR_SIZE_AT = 48,
    AR_SIZE_SIZE = 10,
    BZ_HEAD = 10, /* "BZh", a digit, and the mark of a block or of the end */
};

static const struct span ar_mark = {"!<arch>\n", 8};

static void say(const char **where, const char *words)
{
    if (!*where)
        *where = words;
}

static bool make_file(struct carve *c)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/carved", c->temp);
    if (n < 0 || (size_t)n >= sizeof(path))
        return false;
    c->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (c->fd < 0)
        return false;
    if (unlink(path) == 0)
        return true;
    close(c->fd);
    return false;
}

/* A new item, empty as yet. False: a limit or trouble. */
static bool begin(struct carve *c, uint32_t depth, bool whole)
{
    if (c->failed)
        return false;
    if (c->count >= c->limits.files || depth > c->limits.depth) {
        say(&c->limit, depth > c->limits.depth ? "archives in archives, deeper than max_recursion"
                                               : "more files inside than max_files");
        return false;
    }
    if (c->count == c->room) {
        uint64_t room = c->room ? c->room * 2 : FIRST_ROOM;
        struct carved *more = mem_resize(c->items, room, sizeof(*more));
        c->failed = !more;
        if (!more)
            return false;
        c->items = more;
        c->room = room;
    }
    c->failed = c->count == 0 && !make_file(c);
    if (c->failed)
        return false;
    c->items[c->count++] = (struct carved){c->written, 0, depth, whole};
    return true;
}

/* More octets of the last item. False: a limit or trouble; what was written before stays. */
static bool append(struct carve *c, struct span octets)
{
    struct carved *item = &c->items[c->count - 1];
    if (octets.len > c->limits.file - item->len || octets.len > c->limits.scan - c->written) {
        say(&c->limit, octets.len > c->limits.file - item->len ? "a file inside is larger than max_filesize"
                                                               : "more octets inside than max_scansize");
        return false;
    }
    if (fd_write_all(c->fd, octets) != ERR_OK) {
        c->failed = true;
        return false;
    }
    item->len += octets.len;
    c->written += octets.len;
    return true;
}

static void carve_whole(struct carve *c, struct span file, uint32_t depth, bool whole)
{
    if (file.len > TINY && begin(c, depth, whole))
        (void)append(c, file);
}

/* Decimal, with blanks behind. */
static bool read_decimal(struct span field, uint64_t *out)
{
    size_t at = 0;
    *out = 0;
    for (; at < field.len && char_is_digit(field.ptr[at]); at++)
        *out = *out * 10 + (uint64_t)(field.ptr[at] - '0');
    size_t digits = at;
    while (at < field.len && field.ptr[at] == ' ')
        at++;
    return digits > 0 && at == field.len;
}

static void carve_ar(struct carve *c, struct span file, uint32_t depth)
{
    size_t at = ar_mark.len;
    while (at < file.len && !c->limit && !c->failed) {
        struct span header = span_sub(file, at, AR_HEADER);
        uint64_t size, name = 0;
        if (header.len == 1 && header.ptr[0] == '\n')
            return;
        if (header.len < AR_HEADER || memcmp(header.ptr + AR_HEADER - 2, "`\n", 2) != 0 ||
            !read_decimal(span_sub(header, AR_SIZE_AT, AR_SIZE_SIZE), &size) || size > file.len - at - AR_HEADER) {
            say(&c->unsupported, "ar archive that is broken");
            return;
        }
        struct span member = span_sub(file, at + AR_HEADER, (size_t)size);
        if (span_starts(header, SPAN("#1/")) && read_decimal(span_sub(header, 3, AR_NAME_SIZE - 3), &name) &&
            name <= size) /* BSD's: the name stands in front of the content */
            member = span_sub(member, (size_t)name, member.len);
        carve_whole(c, member, depth + 1, false);
        at += AR_HEADER + (size_t)size + size % 2;
    }
}

static bool is_bzip2(struct span s)
{
    static const struct span block = {"1AY&SY", 6}, end = {"\x17\x72\x45\x38\x50\x90", 6};
    struct span mark = span_sub(s, 4, s.len);
    return s.len >= BZ_HEAD && span_starts(s, SPAN("BZh")) && s.ptr[3] >= '1' && s.ptr[3] <= '9' &&
           (span_starts(mark, block) || span_starts(mark, end));
}

static bool has_further_stream(struct span file)
{
    for (size_t at = 1; at < file.len;) {
        struct span rest = span_sub(file, at, file.len);
        const char *found = memmem(rest.ptr, rest.len, "BZh", 3);
        if (!found)
            return false;
        at += (size_t)(found - rest.ptr);
        if (is_bzip2(span_sub(file, at, file.len)))
            return true;
        at++;
    }
    return false;
}

/* One stream from the beginning of *PACKED, which is taken from it. False: it goes no further. */
static bool unpack_stream(struct carve *c, struct span *packed)
{
    static const char broken[] = "bzip2 of several streams, one of which is broken";
    bz_stream z = {0};
    char step[STEP];
    int rc = BZ2_bzDecompressInit(&z, 0, 0);
    bool more = rc == BZ_OK;
    while (more && rc != BZ_STREAM_END) {
        if (z.avail_in == 0) {
            z.avail_in = packed->len < INT32_MAX ? (unsigned)packed->len : INT32_MAX;
            z.next_in = (char *)(uintptr_t)packed->ptr; /* read only */
            *packed = span_sub(*packed, z.avail_in, packed->len);
        }
        unsigned before = z.avail_in;
        z.next_out = step;
        z.avail_out = sizeof(step);
        rc = BZ2_bzDecompress(&z);
        if ((rc != BZ_OK && rc != BZ_STREAM_END) || (rc == BZ_OK && before == 0 && z.avail_out == sizeof(step))) {
            if (rc != BZ_MEM_ERROR)
                say(&c->unsupported, broken);
            more = false;
        }
        more = append(c, span_of(step, sizeof(step) - z.avail_out)) && more;
    }
    c->failed = c->failed || rc == BZ_MEM_ERROR;
    *packed = (struct span){packed->ptr - z.avail_in, packed->len + z.avail_in};
    BZ2_bzDecompressEnd(&z);
    return more;
}

static void carve_bzip2(struct carve *c, struct span file, uint32_t depth)
{
    if (!has_further_stream(file) || !begin(c, depth + 1, false))
        return;
    while (is_bzip2(file) && unpack_stream(c, &file))
        ;
}

static void carve_embedded(struct carve *c, struct span file, uint32_t depth)
{
    size_t at = members_next_7z(file, 1);
    for (unsigned count = 0; at < file.len; count++) {
        if (count == EMBEDDED_MAX) {
            say(&c->unsupported, "many 7z archives in a file");
            return;
        }
        carve_whole(c, span_sub(file, at, file.len), depth + 1, true);
        at = members_next_7z(file, at + 1);
    }
}

void carve_layer(struct carve *c, struct span file, const char *type, uint32_t depth, bool whole)
{
    if (!file.ptr || c->failed)
        return;
    if (span_starts(file, ar_mark))
        carve_ar(c, file, depth);
    else if (span_starts(file, SPAN("BZh")))
        carve_bzip2(c, file, depth);
    else if (!whole && (!container_holds_files(type) || strcmp(type, "CL_TYPE_PDF") == 0))
        carve_embedded(c, file, depth);
}

bool carve_take(struct carve *c, struct carve_view *out)
{
    memset(out, 0, sizeof(*out));
    while (c->next < c->count && c->items[c->next].len <= TINY)
        c->next++;
    if (c->failed || c->next == c->count)
        return false;
    out->item = c->items[c->next++];
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), skipped = out->item.at % page;
    out->map_len = (size_t)(out->item.len + skipped);
    out->map = mmap(NULL, out->map_len, PROT_READ, MAP_PRIVATE, c->fd, (off_t)(out->item.at - skipped));
    if (out->map == MAP_FAILED) {
        c->failed = true;
        return false;
    }
    out->file = span_of((const char *)out->map + skipped, (size_t)out->item.len);
    return true;
}

void carve_release(struct carve_view *view)
{
    munmap(view->map, view->map_len);
}

void carve_end(struct carve *c)
{
    if (c->count > 0)
        close(c->fd);
    mem_free(c->items);
    c->items = NULL;
    c->count = c->next = c->room = 0;
}
