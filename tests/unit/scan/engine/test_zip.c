/* SPDX-License-Identifier: MIT */
/* What a zip lists, which lies of its headers are seen, and whether all that is listed showed as layers. */
#include <check.h>
#include <stdlib.h>

#include "scan/engine/zip_watch.h"
#include "support/archives.h"

enum { ROOM = 4096, DATA = 100, SIZE = 300, FLAG_DESCRIPTOR = 8, DEFLATED = 8 };

/* An archive of two members of DATA octets each. What is in the two headers of the second can be changed. */
struct archive {
    unsigned char bytes[ROOM];
    size_t len, local, central, end; /* of the second member's headers, of the end record */
};

static void put(struct archive *a, size_t at, unsigned octets, uint64_t n)
{
    for (unsigned i = 0; i < octets; i++)
        a->bytes[at + i] = (unsigned char)(n >> 8 * i);
}

static void add(struct archive *a, const void *bytes, size_t len)
{
    ck_assert(len <= sizeof(a->bytes) - a->len);
    memcpy(a->bytes + a->len, bytes, len);
    a->len += len;
}

static void add_number(struct archive *a, unsigned octets, uint64_t n)
{
    unsigned char bytes[8];
    for (unsigned i = 0; i < octets; i++)
        bytes[i] = (unsigned char)(n >> 8 * i);
    add(a, bytes, octets);
}

static void add_sizes(struct archive *a, uint64_t packed, uint64_t size)
{
    add_number(a, 4, 0);
    add_number(a, 4, packed);
    add_number(a, 4, size);
}

static size_t add_member(struct archive *a, unsigned flags)
{
    static const unsigned char data[DATA] = {0x55};
    size_t at = a->len;
    bool later = flags & FLAG_DESCRIPTOR;
    add(a, "PK\3\4", 4);
    add_number(a, 2, 20);
    add_number(a, 2, flags);
    add_number(a, 2, DEFLATED);
    add_number(a, 4, 0);
    add_sizes(a, later ? 0 : DATA, later ? 0 : SIZE);
    add_number(a, 2, 5);
    add_number(a, 2, 0);
    add(a, "v.txt", 5);
    add(a, data, sizeof(data));
    if (later) {
        add(a, "PK\7\x08", 4);
        add_sizes(a, DATA, SIZE);
    }
    return at;
}

static size_t add_central(struct archive *a, unsigned flags, uint64_t at)
{
    size_t here = a->len;
    add(a, "PK\1\2", 4);
    add_number(a, 2, 20);
    add_number(a, 2, 20);
    add_number(a, 2, flags);
    add_number(a, 2, DEFLATED);
    add_number(a, 4, 0);
    add_sizes(a, DATA, SIZE);
    add_number(a, 2, 5);
    add_number(a, 8, 0);
    add_number(a, 8, 0);
    put(a, here + 42, 4, at);
    add(a, "v.txt", 5);
    ck_assert_uint_eq(a->len - here, 46 + 5);
    return here;
}

/* BEFORE: octets in front that its offsets know nothing of. */
static struct archive make_archive(unsigned flags, size_t before)
{
    static const char program[ROOM / 2] = "MZ";
    struct archive a = {.len = 0};
    add(&a, program, before);
    size_t first = add_member(&a, flags);
    a.local = add_member(&a, flags);
    size_t directory = add_central(&a, flags, first - before);
    a.central = add_central(&a, flags, a.local - before);
    a.end = a.len;
    add(&a, "PK\5\6", 4);
    add_number(&a, 4, 0);
    add_number(&a, 2, 2);
    add_number(&a, 2, 2);
    add_number(&a, 4, a.end - directory);
    add_number(&a, 4, directory - before);
    add_number(&a, 2, 0);
    return a;
}

/* A copy of exactly its size, so that a sanitizer sees what reads beyond it. */
static void list(const void *bytes, size_t len, struct zip_listing *out)
{
    char *copy = malloc(len ? len : 1);
    ck_assert(copy != NULL);
    memcpy(copy, bytes, len);
    ck_assert(zip_list(span_of(copy, len), out) == ERR_OK);
    for (size_t i = 0; i < out->count; i++) {
        ck_assert(out->members[i].at < out->members[i].end && out->members[i].end <= len);
        ck_assert(i == 0 || out->members[i - 1].at <= out->members[i].at);
    }
    free(copy);
}

START_TEST(members_of_a_well_formed_archive_are_listed_in_their_order)
{
    static const struct {
        unsigned flags;
        size_t before;
        bool cut; /* the directory is gone */
    } kinds[] = {
        {0, 0, false}, {FLAG_DESCRIPTOR, 0, false}, {0, 1000, false}, {FLAG_DESCRIPTOR, 1000, false}, {0, 0, true}};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct archive a = make_archive(kinds[i].flags, kinds[i].before);
        struct zip_listing l;
        list(a.bytes, kinds[i].cut ? a.central - 46 - 5 : a.len, &l);
        ck_assert_msg(!l.lie, "kind %zu: found %s", i, l.lie);
        ck_assert_uint_eq(l.count, 2);
        ck_assert(l.members[0].at == kinds[i].before && l.members[1].at == a.local);
        ck_assert(l.members[0].size == SIZE && l.members[1].size == SIZE && !l.encrypted);
        zip_listing_free(&l);
    }
}
END_TEST

START_TEST(what_is_no_archive_lists_nothing)
{
    static const char *const files[] = {"", "words", "PK\3\4", "a PK\5\6 and more words behind, and more",
                                        "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct zip_listing l;
        list(files[i], i + 1 == ARRAY_SIZE(files) ? 22 : strlen(files[i]), &l);
        ck_assert(l.count == 0 && !l.lie);
        zip_listing_free(&l);
    }
    struct zip_listing l;
    ck_assert(zip_list((struct span){NULL, 0}, &l) == ERR_OK && l.count == 0);
}
END_TEST

START_TEST(headers_that_lie_about_a_member_are_seen)
{
    static const struct {
        unsigned flags, octets;
        size_t local, central; /* offsets in the headers; 0: not there */
        uint64_t value;
    } lies[] = {
        {0, 4, 18, 20, (1U << 31) + 1}, /* packed octets */
        {0, 4, 18, 20, UINT32_MAX},
        {0, 4, 18, 20, 1000},
        {0, 4, 18, 0, (1U << 31) + 1},
        {0, 4, 18, 0, 0},
        {0, 4, 18, 0, 1},
        {0, 4, 0, 20, 1},
        {FLAG_DESCRIPTOR, 4, 0, 20, (1U << 31) + 1},
        {FLAG_DESCRIPTOR, 4, 0, 20, 1},
        {0, 4, 22, 24, 0}, /* unpacked octets */
        {0, 2, 8, 0, 12},  /* the method */
        {0, 2, 6, 0, 1},   /* locked by a password, or not */
        {0, 2, 0, 8, 1},
        {0, 2, 26, 0, UINT16_MAX},     /* length of the name */
        {0, 2, 28, 0, UINT16_MAX},     /* and of the extra field */
        {0, 4, 0, 42, (1U << 31) + 1}, /* the place */
        {0, 4, 0, 42, UINT32_MAX},
        {0, 4, 0, 42, 1},
        {0, 2, 0, 30, UINT16_MAX}, /* the directory is cut */
    };
    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        struct archive a = make_archive(lies[i].flags, 0);
        if (lies[i].local)
            put(&a, a.local + lies[i].local, lies[i].octets, lies[i].value);
        if (lies[i].central)
            put(&a, a.central + lies[i].central, lies[i].octets, lies[i].value);
        struct zip_listing l;
        list(a.bytes, a.len, &l);
        ck_assert_msg(l.lie != NULL, "lie %zu was not seen", i);
        zip_listing_free(&l);
    }
}
END_TEST

START_TEST(a_member_whose_end_nothing_tells_is_a_lie)
{
    struct archive a = make_archive(FLAG_DESCRIPTOR, 0);
    struct zip_listing l;
    list(a.bytes, a.central - 46 - 5, &l);
    ck_assert(l.lie != NULL);
    zip_listing_free(&l);
}
END_TEST

START_TEST(a_second_end_record_inside_the_comment_is_a_lie)
{
    struct archive a = make_archive(0, 0);
    unsigned char end[22];
    memcpy(end, a.bytes + a.end, sizeof(end));
    put(&a, a.end + 20, 2, sizeof(end));
    add(&a, end, sizeof(end));
    struct zip_listing l;
    list(a.bytes, a.len, &l);
    ck_assert(l.lie != NULL);
    zip_listing_free(&l);
}
END_TEST

START_TEST(a_member_that_only_the_row_shows_is_listed_as_well)
{
    struct archive a = {.len = 0}, b = make_archive(0, 0);
    add_member(&a, 0);
    size_t before = a.len;
    add(&a, b.bytes, b.len);
    struct zip_listing l;
    list(a.bytes, a.len, &l);
    ck_assert(l.count == 3 && l.members[0].at == 0 && l.members[1].at == before);
    zip_listing_free(&l);
}
END_TEST

START_TEST(locked_members_are_told_and_not_due)
{
    struct zip_listing l;
    list(archive_zip_encrypted, sizeof(archive_zip_encrypted), &l);
    ck_assert(l.encrypted && l.count == 1 && l.members[0].size == 0 && !l.lie);
    zip_listing_free(&l);
}
END_TEST

START_TEST(archives_that_are_cut_or_changed_anywhere_are_read_within_their_bounds)
{
    static const unsigned flags[] = {0, FLAG_DESCRIPTOR};
    unsigned seed = 20;
    for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
        struct archive a = make_archive(flags[f], 0);
        struct zip_listing l;
        for (size_t len = 0; len <= a.len; len++) {
            list(a.bytes, len, &l);
            zip_listing_free(&l);
            list(a.bytes + a.len - len, len, &l);
            zip_listing_free(&l);
        }
        for (int round = 0; round < 20000; round++) {
            struct archive changed = a;
            for (int i = 0; i < 4; i++)
                changed.bytes[(size_t)rand_r(&seed) % a.len] =
                    (unsigned char)(rand_r(&seed) % 3 ? rand_r(&seed) : 0xff);
            list(changed.bytes, changed.len, &l);
            zip_listing_free(&l);
        }
    }
}
END_TEST

/* The layers behind that of the archive itself. */
static struct zip_watch watch(const struct archive *a, const struct zip_layer *shown, size_t count)
{
    struct zip_watch w = {NULL, NULL, false, false, false};
    struct span file = span_of(a->bytes, a->len);
    zip_watch_layer(&w, &(struct zip_layer){1, 9000, file, "CL_TYPE_ZIP"});
    for (size_t i = 0; i < count; i++)
        zip_watch_layer(&w, &shown[i]);
    zip_watch_end(&w);
    ck_assert(!w.open && !w.out_of_memory && !w.lie);
    return w;
}

START_TEST(members_that_do_not_show_are_lost)
{
    static const char content[SIZE] = "words";
    struct archive a = make_archive(0, 0), behind = make_archive(0, 1000);
    struct zip_layer right = {2, a.len, {content, SIZE}, NULL}, shorter = {2, a.len, {content, SIZE - 1}, NULL},
                     deeper = {3, a.len, {content, SIZE}, NULL}, elsewhere = {2, a.len + 1, {content, SIZE}, NULL},
                     outside = {1, a.len, {content, SIZE}, NULL}, first = {3, behind.len - 1000, {content, SIZE}, NULL},
                     second = {3, behind.len - behind.local, {content, SIZE}, NULL};
    ck_assert(!watch(&a, (struct zip_layer[]){right, right}, 2).lost);
    ck_assert(!watch(&a, (struct zip_layer[]){right, deeper, shorter, right, elsewhere}, 5).lost);
    ck_assert(!watch(&behind, (struct zip_layer[]){first, second}, 2).lost);
    ck_assert(watch(&a, NULL, 0).lost);
    ck_assert(watch(&a, &right, 1).lost);
    ck_assert(watch(&a, (struct zip_layer[]){right, shorter}, 2).lost);
    ck_assert(watch(&a, (struct zip_layer[]){right, deeper}, 2).lost);
    ck_assert(watch(&a, (struct zip_layer[]){right, elsewhere}, 2).lost);
    ck_assert(watch(&a, (struct zip_layer[]){right, outside, right}, 3).lost);
    ck_assert(watch(&behind, (struct zip_layer[]){first, first}, 2).lost);
}
END_TEST

START_TEST(a_zip_at_the_end_of_what_holds_files_is_watched_as_a_layer_of_its_own)
{
    static const char *const types[] = {"CL_TYPE_MAIL", "CL_TYPE_POSIX_TAR", "CL_TYPE_PDF"};
    struct archive a = make_archive(0, 1000);
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct zip_watch w = {NULL, NULL, false, false, false};
        zip_watch_layer(&w, &(struct zip_layer){0, 0, span_of(a.bytes, a.len), types[i]});
        zip_watch_end(&w);
        ck_assert(!w.lost && !w.lie);
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(members_of_a_well_formed_archive_are_listed_in_their_order)                                                      \
    X(what_is_no_archive_lists_nothing)                                                                                \
    X(headers_that_lie_about_a_member_are_seen)                                                                        \
    X(a_member_whose_end_nothing_tells_is_a_lie)                                                                       \
    X(a_second_end_record_inside_the_comment_is_a_lie)                                                                 \
    X(a_member_that_only_the_row_shows_is_listed_as_well)                                                              \
    X(locked_members_are_told_and_not_due)                                                                             \
    X(archives_that_are_cut_or_changed_anywhere_are_read_within_their_bounds)                                          \
    X(members_that_do_not_show_are_lost)                                                                               \
    X(a_zip_at_the_end_of_what_holds_files_is_watched_as_a_layer_of_its_own)
#include "support/check_main.h"
