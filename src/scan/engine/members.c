/* SPDX-License-Identifier: MIT */
/* Each kind has its own way of saying that there is nothing in it; what says it otherwise is not empty. */
#include "scan/engine/members.h"

#include <stdint.h>
#include <string.h>

enum {
    SZ_START = 32, /* octets of the head; places count from behind it */
    SZ_END = 0,    /* kinds of properties in the header */
    SZ_HEADER = 1,
    SZ_FILES = 5,
    SZ_PACKED = 6,
    SZ_SIZES = 9,
    SZ_ENCODED = 0x17,
    CAB_FILES_AT = 28,
    ARJ_HEADER = 4, /* mark and size */
    ARJ_TYPE_AT = 10,
    ARJ_DIRECTORY = 3,
    LHA_METHOD_AT = 2,
};

static const struct span sz_mark = {"7z\xbc\xaf\x27\x1c", 6}, sz_aes = {"\x06\xf1\x07\x01", 4};

static uint64_t number(struct span s, size_t at, unsigned octets)
{
    uint64_t n = 0;
    for (unsigned i = octets; i-- > 0;)
        n = n << 8 | (unsigned char)s.ptr[at + i];
    return n;
}

/* A number of 7z at *AT: as many ones as the first octet begins with say how many octets follow. */
static bool take_number(struct span s, size_t *at, uint64_t *out)
{
    if (*at >= s.len)
        return false;
    unsigned first = (unsigned char)s.ptr[(*at)++], more = 0;
    while (more < 8 && first & 0x80U >> more)
        more++;
    if (more > s.len - *at)
        return false;
    *out = number(s, *at, more);
    if (more < 7)
        *out |= (uint64_t)(first & (0x7fU >> more)) << 8 * more;
    *at += more;
    return true;
}

/* A packed header with nothing packed beside it: directories and empty files only. */
static bool only_packs_itself(struct span file, struct span header, uint64_t offset)
{
    uint64_t field[5];
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_SIZE(field); i++)
        if (!take_number(header, &at, &field[i]))
            return false;
    uint64_t size;
    return field[1] == SZ_PACKED && field[2] == 0 && field[3] == 1 && field[4] == SZ_SIZES &&
           take_number(header, &at, &size) && size == offset && file.len == SZ_START + offset + header.len;
}

static enum members in_7z(struct span file)
{
    if (file.len < SZ_START)
        return MEMBERS_SOME;
    uint64_t offset = number(file, 12, 8), size = number(file, 20, 8), room = file.len - SZ_START;
    if (size == 0)
        return MEMBERS_NONE;
    if (offset > room || size > room - offset)
        return MEMBERS_SOME; /* the first of several volumes, or cut off */
    struct span header = span_sub(file, SZ_START + (size_t)offset, (size_t)size);
    unsigned first = (unsigned char)header.ptr[0], second = header.len > 1 ? (unsigned char)header.ptr[1] : SZ_END;
    bool empty = (first == SZ_HEADER && (second == SZ_FILES || second == SZ_END)) ||
                 (first == SZ_ENCODED && only_packs_itself(file, header, offset));
    if (empty) /* told by the first octets: there may be many heads that claim the same long header */
        return MEMBERS_NONE;
    return memmem(header.ptr, header.len, sz_aes.ptr, sz_aes.len) ? MEMBERS_LOCKED : MEMBERS_SOME;
}

/* The second header ends the archive, has a size of 0, or is of a member. */
static enum members in_arj(struct span file)
{
    if (file.len < ARJ_HEADER)
        return MEMBERS_SOME;
    uint64_t at = ARJ_HEADER + number(file, 2, 2) + 4; /* behind the sum */
    while (at + 2 <= file.len) {
        uint64_t extended = number(file, (size_t)at, 2);
        at += 2;
        if (extended == 0)
            break;
        at += extended + 4;
    }
    struct span header = span_sub(file, at < file.len ? (size_t)at : file.len, file.len);
    if (header.len < ARJ_HEADER || !span_starts(header, SPAN("\x60\xea")) || number(header, 2, 2) == 0)
        return MEMBERS_NONE;
    return header.len > ARJ_TYPE_AT && header.ptr[ARJ_TYPE_AT] == ARJ_DIRECTORY ? MEMBERS_NONE : MEMBERS_SOME;
}

enum members members_promised(struct span file, const char *type)
{
    struct span kind = span_cstr(type);
    if (!file.ptr || !type)
        return MEMBERS_NONE;
    if (span_eq(kind, SPAN("CL_TYPE_7Z")))
        return in_7z(file);
    if (span_eq(kind, SPAN("CL_TYPE_ARJ")))
        return in_arj(file);
    if (span_eq(kind, SPAN("CL_TYPE_MSCAB")))
        return file.len < CAB_FILES_AT + 2 || number(file, CAB_FILES_AT, 2) > 0 ? MEMBERS_SOME : MEMBERS_NONE;
    if (span_starts(kind, SPAN("CL_TYPE_LHA")))
        return span_starts(span_sub(file, LHA_METHOD_AT, file.len), SPAN("-lhd-")) ? MEMBERS_NONE : MEMBERS_SOME;
    return MEMBERS_NONE;
}

static uint32_t crc32_of(struct span s)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < s.len; i++) {
        crc ^= (unsigned char)s.ptr[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

size_t members_next_7z(struct span file, size_t from)
{
    while (file.ptr && from < file.len) {
        struct span rest = span_sub(file, from, file.len);
        const char *found = memmem(rest.ptr, rest.len, sz_mark.ptr, sz_mark.len);
        if (!found)
            break;
        rest = span_sub(rest, (size_t)(found - rest.ptr), rest.len);
        if (rest.len >= SZ_START && number(rest, 8, 4) == crc32_of(span_sub(rest, 12, 20)) &&
            in_7z(rest) != MEMBERS_NONE)
            return file.len - rest.len;
        from = file.len - rest.len + 1;
    }
    return file.len;
}
