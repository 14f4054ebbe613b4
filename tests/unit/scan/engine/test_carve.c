/* SPDX-License-Identifier: MIT */
/* What is taken out of files for scans of their own, and where that ends. */
#include <bzlib.h>
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scan/engine/carve.h"

enum { ROOM = 256 * 1024 };

struct bench {
    char temp[64];
    struct carve carve;
    char octets[ROOM];
    size_t len;
};

static void prepare(struct bench *b)
{
    memset(b, 0, sizeof(*b));
    snprintf(b->temp, sizeof(b->temp), "/tmp/postern-carve-XXXXXX");
    ck_assert(mkdtemp(b->temp) != NULL);
    b->carve = (struct carve){.limits = {.scan = 1 << 20, .file = 1 << 20, .files = 100, .depth = 10}, .temp = b->temp};
}

/* The directory is empty all the time. */
static void cleanup(struct bench *b)
{
    ck_assert_int_eq(rmdir(b->temp), 0);
    carve_end(&b->carve);
}

static void add_text(struct bench *b, const char *text)
{
    memcpy(b->octets + b->len, text, strlen(text));
    b->len += strlen(text);
}

static void add_stream(struct bench *b, const char *content, size_t len)
{
    unsigned room = (unsigned)(ROOM - b->len);
    ck_assert_int_eq(
        BZ2_bzBuffToBuffCompress(b->octets + b->len, &room, (char *)(uintptr_t)content, (unsigned)len, 1, 0, 0), BZ_OK);
    b->len += room;
}

static void carve_it(struct bench *b, const char *type, uint32_t depth)
{
    carve_layer(&b->carve, span_of(b->octets, b->len), type, depth, false);
}

static void expect_item(struct bench *b, struct span content, uint32_t depth)
{
    struct carve_view view;
    ck_assert(carve_take(&b->carve, &view));
    ck_assert_msg(span_eq(view.file, content), "found %zu octets, expected %zu", view.file.len, content.len);
    ck_assert_uint_eq(view.item.depth, depth);
    carve_release(&view);
}

static void expect_no_more(struct bench *b)
{
    struct carve_view view;
    ck_assert(!carve_take(&b->carve, &view));
    ck_assert(!b->carve.failed);
}

static void add_member(struct bench *b, const char *name, const char *content)
{
    char header[128];
    snprintf(header, sizeof(header), "%-16s%-12s%-6s%-6s%-8s%-10zu`\n", name, "0", "0", "0", "100644", strlen(content));
    add_text(b, header);
    add_text(b, content);
    if (strlen(content) % 2)
        add_text(b, "\n");
}

START_TEST(streams_of_bzip2_are_one_file)
{
    struct bench b;
    prepare(&b);
    add_stream(&b, "the first part ", 15);
    add_stream(&b, "", 0);
    add_stream(&b, "and the second", 14);
    add_text(&b, "what is behind is nothing");
    carve_it(&b, "CL_TYPE_BZ", 2);
    expect_item(&b, SPAN("the first part and the second"), 3);
    expect_no_more(&b);
    ck_assert(!b.carve.unsupported && !b.carve.limit);
    cleanup(&b);
}
END_TEST

START_TEST(one_stream_is_left_to_libclamav)
{
    struct bench b;
    prepare(&b);
    add_stream(&b, "the first part ", 15);
    add_text(&b, "BZh9 and what is behind is nothing");
    carve_it(&b, "CL_TYPE_BZ", 2);
    expect_no_more(&b);
    ck_assert(!b.carve.unsupported && !b.carve.limit);
    cleanup(&b);
}
END_TEST

START_TEST(streams_that_are_broken_or_cut_are_not_supported_and_what_came_is_scanned)
{
    for (int cut = 0; cut < 2; cut++) {
        struct bench b;
        prepare(&b);
        add_stream(&b, "the first part ", 15);
        size_t second = b.len;
        add_stream(&b, "and the second", 14);
        if (cut)
            b.len -= 6;
        else
            b.octets[second + 20] ^= 0x55;
        carve_it(&b, "CL_TYPE_BZ", 0);
        ck_assert(b.carve.unsupported && strstr(b.carve.unsupported, "bzip2"));
        struct carve_view view;
        ck_assert(carve_take(&b.carve, &view));
        ck_assert(span_starts(view.file, SPAN("the first part ")));
        carve_release(&view);
        expect_no_more(&b);
        cleanup(&b);
    }
}
END_TEST

START_TEST(limits_end_what_is_unpacked)
{
    static char zeros[100000];
    static const struct carve_limits limits[] = {
        {.scan = 150000, .file = 1 << 20, .files = 10, .depth = 10},
        {.scan = 1 << 20, .file = 150000, .files = 10, .depth = 10},
        {.scan = 1 << 20, .file = 1 << 20, .files = 0, .depth = 10},
        {.scan = 1 << 20, .file = 1 << 20, .files = 10, .depth = 0},
    };
    static const char *const words[] = {"max_scansize", "max_filesize", "max_files", "max_recursion"};
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        struct bench b;
        prepare(&b);
        b.carve.limits = limits[i];
        add_stream(&b, zeros, sizeof(zeros));
        add_stream(&b, zeros, sizeof(zeros));
        carve_it(&b, "CL_TYPE_BZ", 0);
        ck_assert_msg(b.carve.limit && strstr(b.carve.limit, words[i]), "found %s, expected %s",
                      b.carve.limit ? b.carve.limit : "nothing", words[i]);
        ck_assert(b.carve.written <= 150000);
        ck_assert(!b.carve.failed && !b.carve.unsupported);
        cleanup(&b);
    }
}
END_TEST

START_TEST(members_of_ar_are_files)
{
    struct bench b;
    prepare(&b);
    add_text(&b, "!<arch>\n");
    add_member(&b, "debian-binary", "2.0\n"); /* too small for anything */
    add_member(&b, "control.tar.xz", "an odd count of octets.");
    add_member(&b, "#1/8", "name.oABthe content");
    carve_it(&b, "CL_TYPE_BINARY_DATA", 1);
    expect_item(&b, SPAN("an odd count of octets."), 2);
    expect_item(&b, SPAN("the content"), 2);
    expect_no_more(&b);
    ck_assert(!b.carve.unsupported && !b.carve.limit);
    cleanup(&b);
}
END_TEST

START_TEST(an_ar_archive_that_is_broken_is_not_supported)
{
    static const char *const tails[] = {"x", "member",
                                        "a.o/            0           0     0     100644  99        `\nshort",
                                        "a.o/            0           0     0     100644  x         `\nsix or more",
                                        "a.o/            0           0     0     100644  6         xxsix or more"};
    for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
        struct bench b;
        prepare(&b);
        add_text(&b, "!<arch>\n");
        add_member(&b, "first", "content!");
        add_text(&b, tails[i]);
        carve_it(&b, NULL, 0);
        ck_assert_msg(b.carve.unsupported && strstr(b.carve.unsupported, "ar archive"), "tail %zu", i);
        expect_item(&b, SPAN("content!"), 1);
        expect_no_more(&b);
        cleanup(&b);
    }
}
END_TEST

START_TEST(an_empty_ar_archive_holds_nothing)
{
    struct bench b;
    prepare(&b);
    add_text(&b, "!<arch>\n");
    carve_it(&b, NULL, 0);
    expect_no_more(&b);
    ck_assert(!b.carve.unsupported);
    cleanup(&b);
}
END_TEST

START_TEST(a_7z_behind_something_is_a_file_of_its_own_once)
{
    static const char archive[] = "7z\xbc\xaf\x27\x1c\0\4\x3b"
                                  "\x72"
                                  "\x2c"
                                  "\x1d"
                                  "\1\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0p\1\4\0";
    struct bench b;
    prepare(&b);
    add_text(&b, "a program");
    memcpy(b.octets + b.len, archive, sizeof(archive) - 1);
    b.len += sizeof(archive) - 1;
    struct span behind = span_of(b.octets + 9, sizeof(archive) - 1);
    carve_layer(&b.carve, span_of(b.octets, b.len), "CL_TYPE_MSEXE", 3, true);
    carve_layer(&b.carve, span_of(b.octets, b.len), "CL_TYPE_POSIX_TAR", 3, false);
    expect_no_more(&b);
    carve_it(&b, "CL_TYPE_MSEXE", 3);
    struct carve_view view;
    ck_assert(carve_take(&b.carve, &view));
    ck_assert(span_eq(view.file, behind) && view.item.whole && view.item.depth == 4);
    carve_release(&view);
    expect_no_more(&b);
    cleanup(&b);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_trouble)
{
    struct bench b;
    prepare(&b);
    b.carve.temp = "/nonexistent";
    add_text(&b, "!<arch>\n");
    add_member(&b, "first", "content!");
    carve_it(&b, NULL, 0);
    struct carve_view view;
    ck_assert(!carve_take(&b.carve, &view) && b.carve.failed);
    cleanup(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(streams_of_bzip2_are_one_file)                                                                                   \
    X(one_stream_is_left_to_libclamav)                                                                                 \
    X(streams_that_are_broken_or_cut_are_not_supported_and_what_came_is_scanned)                                       \
    X(limits_end_what_is_unpacked)                                                                                     \
    X(members_of_ar_are_files)                                                                                         \
    X(an_ar_archive_that_is_broken_is_not_supported)                                                                   \
    X(an_empty_ar_archive_holds_nothing)                                                                               \
    X(a_7z_behind_something_is_a_file_of_its_own_once)                                                                 \
    X(a_directory_that_is_not_there_is_trouble)
#include "support/check_main.h"
