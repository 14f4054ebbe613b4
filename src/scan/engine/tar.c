/* SPDX-License-Identifier: MIT */
/* The headers are walked as tar walks them. Where libclamav would do otherwise is the end: what it makes of the rest
 * need not be known. */
#include "scan/engine/tar.h"

#include <stdint.h>
#include <string.h>

enum {
    BLOCK = 512,
    MODE_AT = 100, /* three numbers: mode, owner, group */
    MODE_SIZE = 8,
    SIZE_AT = 124,
    SIZE_SIZE = 12,
    SUM_AT = 148,
    SUM_SIZE = 8,
    TYPE_AT = 156,
    MAGIC_AT = 257,
    NUMBER_MAX = INT32_MAX, /* beyond, libclamav's number is negative or another one */
};

/* How a field stands there. */
enum form {
    FORM_OCTAL, /* libclamav reads the same number */
    FORM_EMPTY, /* no digit */
    FORM_OTHER, /* octets in base 256, or what only some read */
};

static unsigned byte_at(const char *block, size_t at)
{
    return (unsigned char)block[at];
}

static enum form read_number(const char *field, size_t size, uint64_t *out)
{
    size_t at = 0, digits = 0;
    *out = 0;
    while (at < size && field[at] == ' ')
        at++;
    for (; at < size && field[at] >= '0' && field[at] <= '7'; at++, digits++)
        *out = *out << 3 | (uint64_t)(field[at] - '0');
    bool ends = at == size || field[at] == ' ' || field[at] == '\0';
    if (digits > 0)
        return ends && *out <= NUMBER_MAX ? FORM_OCTAL : FORM_OTHER;
    while (at < size && (field[at] == ' ' || field[at] == '\0'))
        at++;
    return at == size ? FORM_EMPTY : FORM_OTHER;
}

/* Octets in base 256, or behind a NUL, as GNU tar reads them. */
static uint64_t read_other(const char *field, size_t size)
{
    uint64_t n = 0;
    if (byte_at(field, 0) & 0x80) {
        for (size_t i = 1; i < size; i++)
            n = n << 8 | byte_at(field, i);
        return n;
    }
    (void)read_number(field + (field[0] == '\0'), size - (field[0] == '\0'), &n);
    return n;
}

/* Whether the block's sum is right for anybody; if so, PLAIN: for libclamav as well. */
static bool is_header(const char *block, bool *plain)
{
    uint64_t sum = 0, claimed;
    int64_t legacy = 0; /* with signed octets */
    for (size_t i = 0; i < BLOCK; i++) {
        bool blank = i >= SUM_AT && i < SUM_AT + SUM_SIZE;
        sum += blank ? ' ' : byte_at(block, i);
        legacy += blank ? ' ' : (signed char)block[i];
    }
    *plain = read_number(block + SUM_AT, SUM_SIZE, &claimed) == FORM_OCTAL;
    if (!*plain)
        claimed = read_other(block + SUM_AT, SUM_SIZE);
    return claimed == sum || (int64_t)claimed == legacy;
}

static bool is_zero(const char *block)
{
    for (size_t i = 0; i < BLOCK; i++)
        if (block[i])
            return false;
    return true;
}

/* Types that describe the next member; for libclamav some more do. */
static bool describes_next(char type)
{
    return memchr("KLgxX", type, 5) != NULL;
}

static bool is_skipped(char type)
{
    return describes_next(type) || type == 'N' || type == 'A' || type == 'E' || type == 'I';
}

/* Links, devices, directories and labels, whose octets, if they have any, libclamav takes for headers. */
static bool has_no_content(char type)
{
    return memchr("123456V", type, 7) != NULL;
}

/* Of the pax records (LENGTH KEY=VALUE\n) in BODY: a size for the next member, UINT64_MAX without one. False: it is
 * sparse. */
static bool read_pax(struct span body, uint64_t *size)
{
    while (body.len > 0) {
        size_t len = 0, at = 0;
        for (; at < body.len && body.ptr[at] >= '0' && body.ptr[at] <= '9' && len <= body.len; at++)
            len = len * 10 + (size_t)(body.ptr[at] - '0');
        if (len <= at || len > body.len || body.ptr[at] != ' ')
            return true;
        struct span record = span_sub(body, at + 1, len - at - 1);
        if (span_starts(record, SPAN("GNU.sparse.")) || span_starts(record, SPAN("SCHILY.realsize")))
            return false;
        if (span_starts(record, SPAN("size="))) {
            *size = 0;
            for (size_t i = 5; i < record.len && record.ptr[i] >= '0' && record.ptr[i] <= '9'; i++)
                *size = *size > NUMBER_MAX ? *size : *size * 10 + (uint64_t)(record.ptr[i] - '0');
        }
        body = span_sub(body, len, body.len);
    }
    return true;
}

struct walk {
    struct span file;
    size_t at;         /* of the next header */
    bool marked;       /* the first header says "ustar": all have to, or libclamav stops */
    uint64_t pax_size; /* of the next member; UINT64_MAX: its header says so */
    uint64_t global;   /* of all */
};

static bool is_end_or_header(struct span file, uint64_t at)
{
    bool ignored;
    return at > file.len || file.len - at < BLOCK || is_zero(file.ptr + at) || is_header(file.ptr + at, &ignored);
}

/* A link that claims octets: old archives name the file's size and have none. */
static bool link_is_empty(struct span file, uint64_t data, uint64_t size)
{
    uint64_t behind = data + (size + BLOCK - 1) / BLOCK * BLOCK;
    return is_end_or_header(file, data) && !is_end_or_header(file, behind);
}

/* One header at W->AT, which has a right sum. */
static const char *take_header(struct walk *w)
{
    const char *block = w->file.ptr + w->at;
    char type = block[TYPE_AT];
    uint64_t size;
    enum form form = read_number(block + SIZE_AT, SIZE_SIZE, &size);
    if (w->marked && memcmp(block + MAGIC_AT, "ustar", 5) != 0)
        return "tar archive of two forms";
    if (block[0] == '\0')
        return "tar archive with a member without a name";
    if (form == FORM_EMPTY && has_no_content(type))
        form = FORM_OCTAL;
    if (form == FORM_EMPTY ||
        (form == FORM_OTHER && !(has_no_content(type) && read_other(block + SIZE_AT, SIZE_SIZE) == 0)))
        return "tar archive with a size that is not in octal digits";
    bool link = type == '1' || type == '2';
    if (has_no_content(type) && size > 0 && !(link && link_is_empty(w->file, w->at + BLOCK, size)))
        return "tar archive with a directory, link or device that has octets";
    if (is_skipped(type) && size == 0)
        return "tar archive with an empty description of a member";
    if (is_skipped(type) && !describes_next(type))
        return "tar archive with a member of a type that only some take for a file";
    if (type == 'S')
        return "tar archive with a sparse file";
    size_t data = w->at + BLOCK, body = size > w->file.len - data ? w->file.len - data : (size_t)size;
    uint64_t pax = UINT64_MAX;
    if ((type == 'x' || type == 'X' || type == 'g') && !read_pax(span_sub(w->file, data, body), &pax))
        return "tar archive with a sparse file";
    if (type == 'g') {
        w->global = pax != UINT64_MAX ? pax : w->global;
    } else if (type == 'x' || type == 'X') {
        w->pax_size = pax;
    } else if (!describes_next(type)) {
        uint64_t said = w->pax_size != UINT64_MAX ? w->pax_size : w->global;
        w->pax_size = UINT64_MAX;
        if (said != UINT64_MAX && said != size)
            return "tar archive with a size that its member's header does not have";
    }
    w->at = has_no_content(type) ? data : data + body;
    if (w->at % BLOCK)
        w->at += BLOCK - w->at % BLOCK;
    return NULL;
}

/* The first block is a header: its sum is right, and the numbers that everybody writes are numbers. */
static bool begins(struct span file, bool *plain)
{
    if (file.len < BLOCK || is_zero(file.ptr) || !is_header(file.ptr, plain))
        return false;
    if (memcmp(file.ptr + MAGIC_AT, "ustar", 5) == 0)
        return true;
    for (size_t i = 0; i < 3; i++) {
        uint64_t ignored;
        if (read_number(file.ptr + MODE_AT + i * MODE_SIZE, MODE_SIZE, &ignored) != FORM_OCTAL)
            return false;
    }
    return true;
}

const char *tar_unsupported(struct span file, const char *type)
{
    bool plain;
    if (!file.ptr || !begins(file, &plain))
        return NULL;
    if (type && strcmp(type, "CL_TYPE_POSIX_TAR") != 0 && strcmp(type, "CL_TYPE_OLD_TAR") != 0)
        return "tar archive that begins as another kind of file";
    struct walk w = {file, 0, type && strcmp(type, "CL_TYPE_POSIX_TAR") == 0, UINT64_MAX, UINT64_MAX};
    while (w.at <= file.len && file.len - w.at >= BLOCK && !is_zero(file.ptr + w.at)) {
        if (!is_header(file.ptr + w.at, &plain)) {
            w.at += BLOCK; /* so do all that go on at all */
            continue;
        }
        const char *words = plain ? take_header(&w) : "tar archive with a sum that is not in octal digits";
        if (words)
            return words;
    }
    return NULL;
}
