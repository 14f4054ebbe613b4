/* SPDX-License-Identifier: MIT */
/* What GMime extracts, as the ordinary reading of a message. */
#include "scan/host/ordinary.h"
#include <check.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LEAVES = 8, LEAF = 128 };

struct leaves {
    unsigned count;
    char path[LEAVES][32], type[LEAVES][MIME_TYPE_SIZE], octets[LEAVES][LEAF];
    size_t len[LEAVES];
    enum mime_encoding encoding[LEAVES];
    enum err say;
};

static enum err take(void *arg, const struct mime_part *part)
{
    struct leaves *l = arg;
    ck_assert_uint_lt(l->count, LEAVES);
    ck_assert_uint_le(part->octets.len, LEAF);
    ck_assert(!part->verbatim && part->readings == 0);
    snprintf(l->path[l->count], sizeof(l->path[0]), "%s", part->path);
    snprintf(l->type[l->count], sizeof(l->type[0]), "%s", part->type);
    if (part->octets.len > 0)
        memcpy(l->octets[l->count], part->octets.ptr, part->octets.len);
    l->len[l->count] = part->octets.len;
    l->encoding[l->count++] = part->encoding;
    return l->say;
}

static enum err read_text(const char *text, uint64_t decoded, struct leaves *l, bool *cut)
{
    int fd = memfd_create("message", MFD_CLOEXEC);
    ck_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text)); /* its offset is at the end now */
    enum err e = ordinary_read(fd, strlen(text), decoded, take, l, cut);
    close(fd);
    return e;
}

START_TEST(each_leaf_is_handed_out_decoded)
{
    struct ordinary *o = ordinary_new();
    ck_assert_ptr_nonnull(o);
    static const struct {
        const char *text;
        unsigned count;
        struct {
            const char *path, *type, *octets;
        } leaves[3];
    } rows[] = {
        {"Subject: a\r\n\r\nhello\r\n", 1, {{"1", "text/plain", "hello\r\n"}}},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: application/x\r\n"
         "Content-Transfer-Encoding: base64\r\n\r\ndHdv\r\n--b--\r\n",
         2,
         {{"1", "text/plain", "one"}, {"2", "application/x", "two"}}},
        {"Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
         "Content-Transfer-Encoding: quoted-printable\r\n\r\nt=68=\r\nree\r\n--b--\r\n",
         1,
         {{"1", "text/plain", "three"}}},
        {"Content-Type: text/plain; name*=iso-2022-jp''%1B$B%46; charset=\"no-such\"\r\n\r\nfour",
         1,
         {{"1", "text/plain", "four"}}},
        /* texts that do not stand there as they are read */
        {"Content-Type: text/html; charset=utf-7\r\n\r\n+ADw-script+AD4-",
         2,
         {{"1", "text/html", "+ADw-script+AD4-"}, {"1", "text/html", "<script>"}}},
        {"Content-Type: text/html; charset=IBM037\r\nContent-Transfer-Encoding: base64\r\n\r\nTKKDmYmXo24=",
         2,
         {{"1", "text/html", "\x4c\xa2\x83\x99\x89\x97\xa3\x6e"}, {"1", "text/html", "<script>"}}},
        {"Content-Type: text/html; charset=iso-2022-jp\r\n\r\n<script>", 1, {{"1", "text/html", "<script>"}}},
        {"Content-Type: text/html; charset=koi8-r\r\n\r\n<script>", 1, {{"1", "text/html", "<script>"}}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct leaves l = {.say = ERR_OK};
        bool cut;
        ck_assert_int_eq(read_text(rows[i].text, 1000, &l, &cut), ERR_OK);
        ck_assert(!cut);
        ck_assert_msg(l.count == rows[i].count, "row %zu: %u leaves", i, l.count);
        for (unsigned k = 0; k < l.count; k++) {
            ck_assert_str_eq(l.path[k], rows[i].leaves[k].path);
            ck_assert_str_eq(l.type[k], rows[i].leaves[k].type);
            ck_assert_msg(l.len[k] == strlen(rows[i].leaves[k].octets) &&
                              memcmp(l.octets[k], rows[i].leaves[k].octets, l.len[k]) == 0,
                          "row %zu: %.*s", i, (int)l.len[k], l.octets[k]);
        }
    }
    ordinary_free(o);
}
END_TEST

START_TEST(what_would_be_too_much_is_cut_and_said)
{
    struct ordinary *o = ordinary_new();
    ck_assert_ptr_nonnull(o);
    struct leaves l = {.say = ERR_OK};
    bool cut;
    ck_assert_int_eq(
        read_text("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst\r\n--b\r\n\r\nsecond\r\n"
                  "--b--\r\n",
                  8, &l, &cut),
        ERR_OK);
    ck_assert(cut);
    ck_assert_uint_eq(l.count, 1);
    ordinary_free(o);
}
END_TEST

START_TEST(the_word_of_the_sink_ends_it)
{
    struct ordinary *o = ordinary_new();
    ck_assert_ptr_nonnull(o);
    struct leaves l = {.say = ERR_FULL};
    bool cut;
    ck_assert_int_eq(
        read_text("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\na\r\n--b\r\n\r\nb\r\n--b--\r\n", 1000,
                  &l, &cut),
        ERR_FULL);
    ck_assert_uint_eq(l.count, 1);
    ordinary_free(o);
}
END_TEST

START_TEST(nothing_and_nonsense_have_no_parts)
{
    struct ordinary *o = ordinary_new();
    ck_assert_ptr_nonnull(o);
    static const char *const texts[] = {"", "\r\n", ":", "\x01\x02\xff"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct leaves l = {.say = ERR_OK};
        bool cut;
        ck_assert_int_eq(read_text(texts[i], 1000, &l, &cut), ERR_OK);
    }
    ordinary_free(o);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(each_leaf_is_handed_out_decoded)                                                                                 \
    X(what_would_be_too_much_is_cut_and_said)                                                                          \
    X(the_word_of_the_sink_ends_it)                                                                                    \
    X(nothing_and_nonsense_have_no_parts)
#include "support/check_main.h"
