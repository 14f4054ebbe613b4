/* SPDX-License-Identifier: MIT */
/* Which tar archives libclamav reads as tar does. The samples are made here, one or two headers each. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "scan/engine/tar.h"

#define POSIX "CL_TYPE_POSIX_TAR"

enum { BLOCK = 512 };

struct archive {
    char octets[16 * BLOCK];
    size_t len;
};

static void set_sum(char *block)
{
    unsigned sum = 0;
    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += (unsigned char)block[i];
    snprintf(block + 148, 8, "%06o", sum);
    block[155] = ' ';
}

/* A member of TYPE with CONTENT; its header, whose sum is right until it is changed. */
static char *add(struct archive *a, char type, const char *name, const char *content)
{
    char *block = a->octets + a->len;
    size_t len = strlen(content);
    ck_assert(a->len + 2 * BLOCK <= sizeof(a->octets) && len <= BLOCK);
    memset(block, 0, 2 * BLOCK);
    snprintf(block, 100, "%s", name);
    memcpy(block + 100, "0000644\0000000000\0000000000", 24);
    snprintf(block + 124, 12, "%011o", (unsigned)len);
    memcpy(block + 136, "00000000000", 12);
    block[156] = type;
    memcpy(block + 257,
           "ustar\0"
           "00",
           8);
    set_sum(block);
    memcpy(block + BLOCK, content, len);
    a->len += len ? 2 * BLOCK : BLOCK;
    return block;
}

static void set(char *block, size_t at, const void *octets, size_t len)
{
    memcpy(block + at, octets, len);
    set_sum(block);
}

static void add_end(struct archive *a)
{
    ck_assert(a->len + 2 * BLOCK <= sizeof(a->octets));
    memset(a->octets + a->len, 0, 2 * BLOCK);
    a->len += 2 * BLOCK;
}

static void expect(struct archive *a, const char *type, const char *words)
{
    add_end(a);
    const char *found = tar_unsupported(span_of(a->octets, a->len), type);
    if (words)
        ck_assert_msg(found && strstr(found, words), "found %s, expected %s", found ? found : "nothing", words);
    else
        ck_assert_msg(!found, "found %s, expected nothing", found);
}

START_TEST(ordinary_archives_are_read_alike)
{
    static const char types[] = {'0', '\0', '7', 'M', 'D'};
    for (size_t i = 0; i < sizeof(types); i++) {
        struct archive a = {.len = 0};
        add(&a, types[i], "a.txt", "content");
        add(&a, '5', "dir/", "");
        add(&a, '1', "link", "");
        add(&a, '2', "symlink", "");
        add(&a, 'L', "././@LongLink", "a/long/name");
        add(&a, '0', "a/lo", "content");
        add(&a, 'x', "PaxHeader", "20 mtime=1234567.75\n25 comment=size=99 inside\n");
        add(&a, '0', "empty", "");
        expect(&a, POSIX, NULL);
    }
}
END_TEST

START_TEST(sizes_are_octal_or_not_supported)
{
    static const struct {
        struct span size;
        const char *words;
    } sizes[] = {
        {SPAN("7          \0"), NULL},
        {SPAN("          7 "), NULL},
        {SPAN("000000000007"), NULL},
        {SPAN("7\0\0\0\0\0\0\0\0\0\0\0"), NULL},
        {SPAN("\x80\0\0\0\0\0\0\0\0\0\0\7"), "octal"},
        {SPAN("\0"
              "00000000007"),
         "octal"},
        {SPAN("+H          "), "octal"},
        {SPAN("0000000000x7"), "octal"},
        {SPAN("40000000000\0"), "octal"}, /* 2^32: more than libclamav's number takes */
        {SPAN("20000000000\0"), "octal"}, /* 2^31: negative for it */
        {SPAN("            "), "octal"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct archive a = {.len = 0};
        char *block = add(&a, '0', "a.bin", "content");
        set(block, 124, sizes[i].size.ptr, sizes[i].size.len);
        expect(&a, POSIX, sizes[i].words);
    }
}
END_TEST

START_TEST(a_pax_size_counts_where_it_says_something_else)
{
    static const struct {
        char type;
        const char *records, *words;
    } headers[] = {
        {'x', "9 size=7\n", NULL},
        {'x', "9 size=0\n", "size"},
        {'X', "9 size=9\n", "size"},
        {'g', "9 size=9\n", "size"},
        {'x', "11 xsize=9\n", NULL},
        {'x', "22 GNU.sparse.major=1\n", "sparse"},
        {'x', "20 mtime=1234567.75\n9 size=9\n", "size"},
        {'x', "99 size=9\n", NULL}, /* not a record */
    };
    for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
        struct archive a = {.len = 0};
        add(&a, headers[i].type, "PaxHeader", headers[i].records);
        add(&a, '0', "a.bin", "content");
        expect(&a, POSIX, headers[i].words);
    }
}
END_TEST

START_TEST(types_that_libclamav_passes_over_are_not_supported)
{
    static const struct {
        char type;
        const char *content, *words;
    } members[] = {
        {'A', "content", "type"},
        {'N', "content", "type"},
        {'E', "content", "type"},
        {'I', "content", "type"},
        {'S', "content", "sparse"},
        {'5', "content", "directory"},
        {'V', "content", "directory"},
        {'1', "content", "link"},
        {'x', "", "empty"},
        {'L', "", "empty"},
        {'Q', "content", NULL},
        {'K', "content", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        struct archive a = {.len = 0};
        add(&a, '0', "first", "content");
        add(&a, members[i].type, "a.bin", members[i].content);
        add(&a, '0', "last", "content");
        expect(&a, POSIX, members[i].words);
    }
}
END_TEST

START_TEST(a_link_of_old_archives_names_its_files_size)
{
    struct archive a = {.len = 0};
    add(&a, '0', "first", "content");
    char *block = add(&a, '1', "link", "");
    set(block, 124, "00000000007", 12);
    add(&a, '0', "last", "content");
    expect(&a, POSIX, NULL);
}
END_TEST

START_TEST(what_libclamav_takes_for_the_end_or_for_no_header_is_not_supported)
{
    struct archive nameless = {.len = 0}, mixed = {.len = 0}, odd_sum = {.len = 0};
    add(&nameless, '0', "first", "content");
    add(&nameless, '0', "", "content");
    expect(&nameless, POSIX, "without a name");

    add(&mixed, '0', "first", "content");
    set(add(&mixed, '0', "a.bin", "content"), 257, "\0\0\0\0\0\0\0\0", 8);
    expect(&mixed, POSIX, "two forms");

    char *block = add(&odd_sum, '0', "first", "content");
    unsigned sum = 8 * ' ';
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? 0 : (unsigned char)block[i];
    memcpy(block + 148, "\x80\0\0\0\0\0", 6);
    block[154] = (char)(sum >> 8);
    block[155] = (char)sum;
    expect(&odd_sum, POSIX, "sum");
}
END_TEST

START_TEST(a_tar_that_is_taken_for_another_kind_of_file_is_not_supported)
{
    struct archive a = {.len = 0}, old = {.len = 0};
    add(&a, '0', "GIF89a.com", "content");
    expect(&a, "CL_TYPE_GIF", "another kind");
    expect(&a, NULL, NULL);
    set(add(&old, '0', "MZ.com", "content"), 257, "\0\0\0\0\0\0\0\0", 8);
    expect(&old, "CL_TYPE_MSEXE", "another kind");
    expect(&old, "CL_TYPE_OLD_TAR", NULL);
}
END_TEST

START_TEST(other_files_and_cut_ones_are_none_of_it)
{
    struct archive a = {.len = 0};
    static const char zeros[4 * BLOCK];
    add(&a, '0', "a.txt", "content");
    for (size_t len = 0; len <= a.len; len++)
        ck_assert(!tar_unsupported(span_of(a.octets, len), POSIX));
    ck_assert(!tar_unsupported(span_of(zeros, sizeof(zeros)), "CL_TYPE_BINARY_DATA"));
    ck_assert(!tar_unsupported((struct span){NULL, 0}, POSIX));
    a.octets[0] = 'b'; /* the sum is wrong */
    ck_assert(!tar_unsupported(span_of(a.octets, a.len), "CL_TYPE_GIF"));
}
END_TEST

#define CASES(X)                                                                                                       \
    X(ordinary_archives_are_read_alike)                                                                                \
    X(sizes_are_octal_or_not_supported)                                                                                \
    X(a_pax_size_counts_where_it_says_something_else)                                                                  \
    X(types_that_libclamav_passes_over_are_not_supported)                                                              \
    X(a_link_of_old_archives_names_its_files_size)                                                                     \
    X(what_libclamav_takes_for_the_end_or_for_no_header_is_not_supported)                                              \
    X(a_tar_that_is_taken_for_another_kind_of_file_is_not_supported)                                                   \
    X(other_files_and_cut_ones_are_none_of_it)
#include "support/check_main.h"
