/* SPDX-License-Identifier: MIT */
/* S/MIME's wrapping (B33): what is signed comes out, what is closed is told by its object identifier, and nothing that
 * is cut, deep or a lie leads past the octets. */
#include "mime/cms.h"
#include <check.h>

#define TYPE(n)   "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07" n
#define SIGNED    TYPE("\x02")
#define ENVELOPED TYPE("\x03")
#define DATA      TYPE("\x01")
/* Up to the content, all lengths indefinite. */
#define OPEN "\x30\x80" SIGNED "\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80" DATA "\xa0\x80"
#define BYTES(literal)                                                                                                 \
    {                                                                                                                  \
        (literal), sizeof(literal) - 1                                                                                 \
    }

static const struct {
    const char *name;
    struct span octets;
    enum mime_cms kind;
    const char *content;
} rows[] = {
    {"all lengths known",
     BYTES("\x30\x28" SIGNED "\xa0\x1b\x30\x19\x02\x01\x01\x31\x00\x30\x12" DATA "\xa0\x05\x04\x03"
           "abc"),
     MIME_CMS_SIGNED, "abc"},
    {"a length in two octets more than it needs",
     BYTES(OPEN "\x04\x82\x00\x03"
                "abc"),
     MIME_CMS_SIGNED, "abc"},
    {"no length known",
     BYTES(OPEN "\x04\x03"
                "abc\0\0\0\0\0\0\0\0\0\0"),
     MIME_CMS_SIGNED, "abc"},
    {"pieces",
     BYTES(OPEN "\x24\x80\x04\x01"
                "a\x04\x00\x04\x02"
                "bc\0\0\0\0"),
     MIME_CMS_SIGNED, "abc"},
    {"pieces of a known length",
     BYTES(OPEN "\x24\x07\x04\x01"
                "a\x04\x02"
                "bc\xa0\x03\x04\x01X"),
     MIME_CMS_SIGNED, "abc"},
    {"pieces in pieces",
     BYTES(OPEN "\x24\x80\x24\x03\x04\x01"
                "a\x24\x80\x04\x02"
                "bc\0\0\0\0"),
     MIME_CMS_SIGNED, "abc"},
    {"only the content, not what follows",
     BYTES(OPEN "\x04\x03"
                "abc\x04\x01X"),
     MIME_CMS_SIGNED, "abc"},
    {"algorithms without a length",
     BYTES("\x30\x80" SIGNED "\xa0\x80\x30\x80\x02\x01\x01\x31\x80\x30\x80\x05\x00\0\0\0\0\x30\x80" DATA
           "\xa0\x80\x04\x03"
           "abc"),
     MIME_CMS_SIGNED, "abc"},
    {"cut inside",
     BYTES(OPEN "\x04\x7f"
                "abc"),
     MIME_CMS_SIGNED, "abc"},
    {"a length of four gigabytes",
     BYTES(OPEN "\x04\x84\xff\xff\xff\xff"
                "abc"),
     MIME_CMS_SIGNED, "abc"},
    {"a length of all there can be",
     BYTES(OPEN "\x04\x88\xff\xff\xff\xff\xff\xff\xff\xff"
                "abc"),
     MIME_CMS_SIGNED, "abc"},
    {"a length of more",
     BYTES(OPEN "\x04\x89\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                "abc"),
     MIME_CMS_SIGNED, ""},
    {"a signature alone", BYTES("\x30\x80" SIGNED "\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x0b" DATA), MIME_CMS_SIGNED,
     ""},
    {"nothing", BYTES("\x30\x80" SIGNED), MIME_CMS_SIGNED, ""},
    {"enveloped", BYTES("\x30\x80" ENVELOPED "\xa0\x80"), MIME_CMS_CLOSED, ""},
    {"encrypted", BYTES("\x30\x80" TYPE("\x06")), MIME_CMS_CLOSED, ""},
    {"compressed", BYTES("\x30\x80\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09"), MIME_CMS_CLOSED, ""},
    {"another object", BYTES("\x30\x80\x06\x03\x55\x04\x03"), MIME_CMS_NONE, ""},
    {"a certificate", BYTES("\x30\x82\x01\x00\x30\x03\x02\x01\x02"), MIME_CMS_NONE, ""},
    {"a key store", BYTES("\x30\x82\x01\x00\x02\x01\x03\x30\x03" SIGNED), MIME_CMS_NONE, ""},
    {"words", BYTES("0words"), MIME_CMS_NONE, ""},
    {"empty", BYTES(""), MIME_CMS_NONE, ""},
};

/* Of an exact copy, so that the sanitizer sees a read past the end. */
static enum mime_cms read_copy(struct span octets, struct buf *out)
{
    char *copy = malloc(octets.len ? octets.len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, octets.ptr, octets.len);
    enum mime_cms kind = mime_cms_of(span_of(copy, octets.len));
    buf_init(out, 1024);
    if (kind == MIME_CMS_SIGNED)
        ck_assert_int_eq(mime_cms_unwrap(span_of(copy, octets.len), out), ERR_OK);
    free(copy);
    return kind;
}

START_TEST(what_is_signed_comes_out_and_what_is_closed_is_told)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf out;
        ck_assert_msg(read_copy(rows[i].octets, &out) == rows[i].kind, "%s", rows[i].name);
        ck_assert_msg(span_eq(buf_span(&out), span_cstr(rows[i].content)), "%s: %.*s", rows[i].name,
                      SPAN_ARG(buf_span(&out)));
        buf_release(&out);
    }
}
END_TEST

START_TEST(any_cut_and_any_octet_is_fine)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (size_t len = 0; len <= rows[i].octets.len; len++) {
            struct buf out;
            char changed[128];
            read_copy(span_sub(rows[i].octets, 0, len), &out);
            buf_release(&out);
            for (unsigned octet = 0; len < rows[i].octets.len && octet < 256; octet += 15) {
                memcpy(changed, rows[i].octets.ptr, rows[i].octets.len);
                changed[len] = (char)octet;
                read_copy(span_of(changed, rows[i].octets.len), &out);
                buf_release(&out);
            }
        }
}
END_TEST

START_TEST(pieces_without_end_end)
{
    char octets[65536];
    struct buf out;
    size_t begin = sizeof(OPEN) - 1;
    memcpy(octets, OPEN, begin);
    for (size_t at = begin; at < sizeof(octets); at++) /* pieces in pieces, and ends of nothing */
        octets[at] = (char)((at - begin) % 2 ? 0x80 : 0x24);
    ck_assert_int_eq(read_copy(span_of(octets, sizeof(octets)), &out), MIME_CMS_SIGNED);
    buf_release(&out);
    memset(octets + begin, 0, sizeof(octets) - begin);
    ck_assert_int_eq(read_copy(span_of(octets, sizeof(octets)), &out), MIME_CMS_SIGNED);
    buf_release(&out);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(what_is_signed_comes_out_and_what_is_closed_is_told)                                                             \
    X(any_cut_and_any_octet_is_fine)                                                                                   \
    X(pieces_without_end_end)
#include "support/check_main.h"
