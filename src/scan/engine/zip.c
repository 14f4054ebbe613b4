/* SPDX-License-Identifier: MIT */
/* Unpackers differ in which end record, which directory and which of a member's two headers they believe. All that are
 * plausible are followed; where they contradict each other, that is the answer. Each directory is walked once, and the
 * number of members bounds time and memory. */
#include "scan/engine/zip.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    LOCAL_SIZE = 30,
    CENTRAL_SIZE = 46,
    END_SIZE = 22,
    LOCATOR_SIZE = 20, /* of the end record of zip64 */
    END64_SIZE = 56,
    TAIL_MAX = END_SIZE + 65535 + 4096, /* where the end record is looked for; some octets may follow it */
    DIRECTORIES_MAX = 8,
    FLAG_ENCRYPTED = 1,
    FLAG_DESCRIPTOR = 8, /* sizes stand behind the member, and in the directory */
    EXTRA_ZIP64 = 1,
    TINY = 5, /* nothing can be in so few octets, and libclamav says nothing of them */
    TINY_PACKED_MAX = 64,
    FIRST_ROOM = 16,
};

static const struct span local_mark = {"PK\3\4", 4}, central_mark = {"PK\1\2", 4}, end_mark = {"PK\5\6", 4},
                         locator_mark = {"PK\6\7", 4}, end64_mark = {"PK\6\6", 4}, descriptor_mark = {"PK\7\x08", 4};

static uint64_t number(struct span s, uint64_t at, unsigned octets)
{
    uint64_t n = 0;
    for (unsigned i = octets; i-- > 0;)
        n = n << 8 | (unsigned char)s.ptr[at + i];
    return n;
}

static bool fits(struct span file, uint64_t at, uint64_t octets)
{
    return at <= file.len && octets <= file.len - at;
}

static bool stands_at(struct span file, uint64_t at, struct span mark, uint64_t octets)
{
    return fits(file, at, octets) && memcmp(file.ptr + at, mark.ptr, mark.len) == 0;
}

static void lie(struct zip_listing *out, const char *words)
{
    if (!out->lie)
        out->lie = words;
}

static enum err push(struct zip_listing *out, struct zip_member m)
{
    if (out->count == out->room) {
        size_t room = out->room ? out->room * 2 : FIRST_ROOM;
        struct zip_member *more = mem_resize(out->members, room, sizeof(*more));
        if (!more)
            return ERR_NOMEM;
        out->members = more;
        out->room = room;
    }
    out->members[out->count++] = m;
    return ERR_OK;
}

static int compare(const void *a, const void *b)
{
    const struct zip_member *l = a, *r = b;
    return l->at != r->at ? (l->at < r->at ? -1 : 1) : l->end != r->end ? (l->end < r->end ? -1 : 1) : 0;
}

/* Members listed twice are one, for unpackers as for libclamav. */
static void put_in_order(struct zip_listing *out)
{
    if (out->count == 0)
        return;
    qsort(out->members, out->count, sizeof(*out->members), compare);
    size_t kept = 1;
    for (size_t i = 1; i < out->count; i++)
        if (compare(&out->members[i], &out->members[kept - 1]) != 0)
            out->members[kept++] = out->members[i];
    out->count = kept;
}

/* The last of the first COUNT that begins at AT or before. */
static const struct zip_member *member_before(const struct zip_listing *l, size_t count, uint64_t at)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->members[middle].at <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? &l->members[low - 1] : NULL;
}

/* A header's claims, with those that need 64 bits out of its extra field. */
struct claims {
    unsigned flags, method;
    uint64_t packed, size, at;
};

static void resolve_zip64(struct span file, uint64_t extra, uint64_t end, struct claims *c)
{
    while (end - extra >= 4) {
        uint64_t id = number(file, extra, 2), octets = number(file, extra + 2, 2);
        extra += 4;
        if (octets > end - extra)
            return;
        if (id == EXTRA_ZIP64) {
            uint64_t *const fields[] = {&c->size, &c->packed, &c->at};
            for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
                if (*fields[i] != UINT32_MAX || octets < 8)
                    continue;
                *fields[i] = number(file, extra, 8);
                extra += 8;
                octets -= 8;
            }
            return;
        }
        extra += octets;
    }
}

/* Behind a member whose sizes follow it: the next header, or a descriptor of one of its four forms and then that. 0:
 * none of these. */
static uint64_t behind_descriptor(struct span file, uint64_t end)
{
    static const unsigned forms[] = {16, 24, 12, 20};
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
        if (stands_at(file, end + forms[i], SPAN("PK"), 2) &&
            (forms[i] % 8 != 0 || stands_at(file, end, descriptor_mark, 4)))
            return end + forms[i];
    return stands_at(file, end, SPAN("PK"), 2) ? end : 0;
}

/* One member that a directory lists, compared with its own header. */
static enum err take_listed(struct span file, struct zip_listing *out, const struct claims *c, uint64_t at)
{
    if (!stands_at(file, at, local_mark, LOCAL_SIZE)) {
        lie(out, "its directory names a place where no member is");
        return ERR_OK;
    }
    unsigned flags = (unsigned)number(file, at + 6, 2);
    uint64_t data = at + LOCAL_SIZE + number(file, at + 26, 2) + number(file, at + 28, 2);
    uint64_t packed = number(file, at + 18, 4);
    if (!fits(file, data, c->packed)) {
        lie(out, "a member claims more octets than the file has");
        return ERR_OK;
    }
    bool locked = (c->flags & flags & FLAG_ENCRYPTED) != 0;
    uint64_t end = data + c->packed;
    if (number(file, at + 8, 2) != c->method || ((c->flags ^ flags) & FLAG_ENCRYPTED) ||
        (!(flags & FLAG_DESCRIPTOR) && packed != c->packed && packed != UINT32_MAX))
        lie(out, "a member's two headers contradict each other");
    else if (flags & FLAG_DESCRIPTOR && packed != c->packed && behind_descriptor(file, end) == 0)
        lie(out, "a member does not end where its directory says");
    else if (!locked && c->size <= TINY && c->packed > TINY_PACKED_MAX)
        lie(out, "a member's sizes contradict each other");
    out->encrypted = out->encrypted || locked;
    return push(out, (struct zip_member){.at = at, .end = end, .size = locked ? 0 : c->size});
}

/* A directory from AT on, whose offsets count from BASE, which is negative where octets before the archive were cut
 * off. */
static enum err take_directory(struct span file, struct zip_listing *out, uint64_t at, uint64_t base)
{
    while (stands_at(file, at, central_mark, CENTRAL_SIZE)) {
        struct claims c = {.flags = (unsigned)number(file, at + 8, 2),
                           .method = (unsigned)number(file, at + 10, 2),
                           .packed = number(file, at + 20, 4),
                           .size = number(file, at + 24, 4),
                           .at = number(file, at + 42, 4)};
        uint64_t extra = at + CENTRAL_SIZE + number(file, at + 28, 2), extra_end = extra + number(file, at + 30, 2);
        uint64_t next = extra_end + number(file, at + 32, 2);
        if (next > file.len) {
            lie(out, "its directory is cut off");
            return ERR_OK;
        }
        if (out->count >= ZIP_MEMBERS_MAX) {
            lie(out, "it has more members than are counted");
            return ERR_OK;
        }
        resolve_zip64(file, extra, extra_end, &c);
        enum err e = take_listed(file, out, &c, base + c.at); /* wraps where BASE is negative */
        if (e != ERR_OK)
            return e;
        at = next;
    }
    return ERR_OK;
}

struct end_record {
    uint64_t at, directory_end, directory_size, directory_at;
};

static struct end_record read_end(struct span file, uint64_t at)
{
    struct end_record r = {at, at, number(file, at + 12, 4), number(file, at + 16, 4)};
    if (at < LOCATOR_SIZE || !stands_at(file, at - LOCATOR_SIZE, locator_mark, LOCATOR_SIZE))
        return r;
    uint64_t larger = number(file, at - LOCATOR_SIZE + 8, 8);
    if (!stands_at(file, larger, end64_mark, END64_SIZE) && at >= LOCATOR_SIZE + END64_SIZE)
        larger = at - LOCATOR_SIZE - END64_SIZE;
    if (!stands_at(file, larger, end64_mark, END64_SIZE) || larger >= at)
        return r;
    r.directory_end = larger;
    r.directory_size = number(file, larger + 40, 8);
    r.directory_at = number(file, larger + 48, 8);
    return r;
}

/* Some find the directory before its end record, some where that says that it is. */
static enum err take_end(struct span file, struct zip_listing *out, uint64_t at, bool *found)
{
    struct end_record r = read_end(file, at);
    uint64_t before = r.directory_size <= r.directory_end ? r.directory_end - r.directory_size : UINT64_MAX;
    bool is_before = r.directory_size > 0 && stands_at(file, before, central_mark, CENTRAL_SIZE);
    bool is_named = r.directory_at != before && stands_at(file, r.directory_at, central_mark, CENTRAL_SIZE);
    enum err e = ERR_OK;
    if (is_before)
        e = take_directory(file, out, before, before - r.directory_at);
    if (e == ERR_OK && is_named)
        e = take_directory(file, out, r.directory_at, 0);
    *found = is_before || is_named;
    if (*found)
        put_in_order(out);
    return e;
}

/* The last end record counts; others are of archives that are stored inside, or of one to which this was appended. */
static enum err take_ends(struct span file, struct zip_listing *out)
{
    uint64_t low = file.len > TAIL_MAX ? file.len - TAIL_MAX : 0, later = UINT64_MAX;
    unsigned directories = 0;
    if (file.len < END_SIZE)
        return ERR_OK;
    for (uint64_t at = file.len - END_SIZE + 1; at-- > low;) {
        if (file.ptr[at] != 'P' || !stands_at(file, at, end_mark, END_SIZE))
            continue;
        const struct zip_member *around = member_before(out, out->count, at);
        if (around && at < around->end)
            continue;
        bool found = false;
        enum err e = take_end(file, out, at, &found);
        if (e != ERR_OK)
            return e;
        if (found && later != UINT64_MAX && at + END_SIZE + number(file, at + 20, 2) > later)
            lie(out, "it has an end record in its comment");
        later = at;
        if (found && ++directories == DIRECTORIES_MAX) {
            lie(out, "it has many directories");
            return ERR_OK;
        }
    }
    return ERR_OK;
}

/* What readers see that go from one member to the next and use no directory. */
static enum err take_row(struct span file, struct zip_listing *out, uint64_t at)
{
    size_t listed = out->count;
    while (stands_at(file, at, local_mark, LOCAL_SIZE)) {
        const struct zip_member *known = member_before(out, listed, at);
        unsigned flags = (unsigned)number(file, at + 6, 2);
        uint64_t end;
        if (known && known->at == at) {
            end = known->end;
        } else {
            uint64_t packed = number(file, at + 18, 4), size = number(file, at + 22, 4);
            uint64_t data = at + LOCAL_SIZE + number(file, at + 26, 2) + number(file, at + 28, 2);
            bool locked = (flags & FLAG_ENCRYPTED) != 0;
            out->encrypted = out->encrypted || locked;
            if (!fits(file, data, packed) || out->count >= ZIP_MEMBERS_MAX ||
                (flags & FLAG_DESCRIPTOR && packed == 0) || (!locked && size <= TINY && packed > TINY_PACKED_MAX)) {
                lie(out, "it has a member whose end no directory tells");
                break;
            }
            end = data + packed;
            enum err e = push(out, (struct zip_member){.at = at, .end = end, .size = locked ? 0 : size});
            if (e != ERR_OK)
                return e;
        }
        uint64_t next = flags & FLAG_DESCRIPTOR ? behind_descriptor(file, end) : end;
        if (next <= at)
            break;
        at = next;
    }
    put_in_order(out);
    return ERR_OK;
}

enum err zip_list(struct span file, struct zip_listing *out)
{
    memset(out, 0, sizeof(*out));
    if (!file.ptr)
        return ERR_OK;
    enum err e = take_ends(file, out);
    bool marked = span_starts(file, SPAN("PK00")) || span_starts(file, descriptor_mark); /* once in several pieces */
    if (e == ERR_OK)
        e = take_row(file, out, marked ? 4 : 0);
    if (e != ERR_OK)
        zip_listing_free(out);
    return e;
}

void zip_listing_free(struct zip_listing *listing)
{
    mem_free(listing->members);
    memset(listing, 0, sizeof(*listing));
}
