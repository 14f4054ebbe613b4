/* SPDX-License-Identifier: MIT */
/* The caps in front of a library, and what the octets are (B37). */
#include "base/buf.h"
#include "mime/content.h"
#include "mime/precheck.h"
#include "unit/smtp/must.h"

#define MIXED "Content-Type: multipart/mixed; boundary=b1\r\n\r\n"

/* HEAD, COUNT times UNIT, TAIL. */
static struct span build(struct buf *b, const char *head, const char *unit, size_t count, const char *tail)
{
    buf_init(b, 8 << 20);
    MUST(buf_append(b, span_cstr(head)) == ERR_OK);
    for (size_t i = 0; i < count; i++)
        MUST(buf_append(b, span_cstr(unit)) == ERR_OK);
    MUST(buf_append(b, span_cstr(tail)) == ERR_OK);
    return buf_span(b);
}

START_TEST(each_cap_holds_at_its_number)
{
    static const struct {
        const char *head, *unit;
        size_t within; /* one more is beyond */
        const char *tail;
        enum mime_cap cap;
    } rows[] = {
        {"", "X: a\r\n", LIMIT_MIME_HEADERS, "\r\nbody", MIME_CAP_HEADERS},
        {MIXED "--b1\r\n", "X: a\r\n", LIMIT_MIME_HEADERS, "\r\nbody", MIME_CAP_HEADERS},
        {MIXED "--b1 \r\n", "X: a\n", LIMIT_MIME_HEADERS, "\nbody", MIME_CAP_HEADERS},
        {MIXED "--b1\n", "X: a\n--x\n", LIMIT_MIME_HEADERS, "\nbody", MIME_CAP_HEADERS},
        {MIXED "--b1\n", "X: a\njunk\n", LIMIT_MIME_HEADERS, "\nbody", MIME_CAP_HEADERS},
        {"Content-Type: message/rfc822\r\n\r\n", "X: a\r\n", LIMIT_MIME_HEADERS, "\r\nbody", MIME_CAP_HEADERS},
        {"Content-Type: multipart/digest; boundary=b1\r\n\r\n--b1\r\n\r\n", "X: a\r\n", LIMIT_MIME_HEADERS, "\r\nbody",
         MIME_CAP_HEADERS},
        {"X:", "a", LIMIT_MIME_FIELD - 4, "\r\n\r\n", MIME_CAP_FIELD},
        {"X:\r\n", " a\r\n", LIMIT_MIME_FIELD / 4 - 1, "\r\n", MIME_CAP_FIELD},
        {"Content-Type: a/b", "; a=b", LIMIT_MIME_PARAMETERS, "\r\n\r\n", MIME_CAP_PARAMETERS},
        {"Content-Disposition: attachment", ";a=b", LIMIT_MIME_PARAMETERS, "\r\n\r\n", MIME_CAP_PARAMETERS},
        {"To: ", "a:", LIMIT_MIME_GROUPS, ";\r\n\r\n", MIME_CAP_GROUPS},
        {"", "To: a:;\r\n", LIMIT_MIME_GROUPS, "\r\n", MIME_CAP_GROUPS},
        {"Resent-Cc: ", "(", LIMIT_MIME_GROUPS, "\r\n\r\n", MIME_CAP_GROUPS},
        {"", "Content-Type: message/rfc822\r\n\r\n", LIMIT_MIME_DEPTH, "x", MIME_CAP_DEPTH},
        {"", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 1, "", MIME_CAP_NONE},
        {MIXED, "--b1\r\n\r\nx\r\n", LIMIT_MIME_PARTS, "--b1--\r\n", MIME_CAP_PARTS},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (size_t more = 0; more < 2; more++) {
            struct buf b;
            struct span message = build(&b, rows[i].head, rows[i].unit, rows[i].within + more, rows[i].tail);
            struct mime_precheck r = mime_precheck(message);
            if (r.broken != (more ? rows[i].cap : MIME_CAP_NONE))
                fprintf(stderr, "row %zu, %zu more: %s at %zu\n", i, more, mime_cap_word(r.broken), r.offset);
            ck_assert_int_eq(r.broken, more ? rows[i].cap : MIME_CAP_NONE);
            buf_release(&b);
        }
}
END_TEST

START_TEST(large_and_odd_mail_of_people_is_within)
{
    static const struct {
        const char *head, *unit;
        size_t count;
        const char *tail;
    } rows[] = {
        {"To: ", "\"A: b\" <a@b.test>,\r\n ", 2000, "c@d.test\r\n\r\nbody"},
        {"A: b\r\n\r\n", "key: value\r\n", 50000, ""},
        {"A: b\r\n\r\n--- a\r\n+++ b\r\n", " context: of a patch\r\n", 1500, "\r\n"},
        {"A: b\r\n\r\n---\r\n", "key: value\r\n", 50000, ""},
        {MIXED "--b1\r\n\r\n-----\r\n", "key: value\r\n", 5000, "--b1--\r\n"},
        {MIXED, "--b1\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx\r\n", 1000, "--b1--\r\n"},
        {MIXED, "--b1\r\nContent-Type: multipart/mixed; boundary=b2\r\n\r\n--b2\r\n\r\nx\r\n--b2--\r\n", 1000,
         "--b1--\r\n"},
        {"DKIM-Signature: h=", "from:to:", 100, "\r\n\r\n"},
        {"A: b\r\n\r\n", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=\r\n", 50000, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf b;
        struct mime_precheck r = mime_precheck(build(&b, rows[i].head, rows[i].unit, rows[i].count, rows[i].tail));
        if (r.broken)
            fprintf(stderr, "row %zu: %s\n", i, mime_cap_word(r.broken));
        ck_assert_int_eq(r.broken, MIME_CAP_NONE);
        buf_release(&b);
    }
}
END_TEST

START_TEST(a_boundary_of_dashes_hides_no_headers)
{
    static const char *const heads[] = {
        "Content-Type: multipart/mixed; boundary=-\r\n\r\n---\r\n",
        "Content-Type: multipart/mixed; boundary=\"--\"\r\n\r\n----\r\n",
        "Content-Type: multipart/mixed; boundary*=us-ascii''%2d\r\n\r\n---\r\n",
        "Content-Type: multipart/mixed; boundary*0=\"-\"\r\n\r\n---\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
        struct buf b;
        struct mime_precheck r = mime_precheck(build(&b, heads[i], "X: a\r\n", LIMIT_MIME_HEADERS + 1, "\r\n"));
        ck_assert_int_eq(r.broken, MIME_CAP_HEADERS);
        buf_release(&b);
    }
}
END_TEST

/* As GMime reads them; the fuzz target mime_precheck has found most. COUNT times UNIT, of which each adds to CAP. */
START_TEST(no_trick_hides_what_a_library_finds)
{
    static char long_comment[1200];
    memset(long_comment, 'c', sizeof(long_comment) - 1);
    char message[2600], deep[2600];
    snprintf(message, sizeof(message), "Content-Type: (%s) message/rfc822\r\n\r\n", long_comment);
    snprintf(deep, sizeof(deep), "Content-Type: (%s) multipart/mixed; boundary=b\r\n\r\n--b\r\n", long_comment);
    const struct {
        const char *head, *unit;
        size_t count;
        enum mime_cap cap;
    } rows[] = {
        {message, "X: a\r\n", LIMIT_MIME_HEADERS + 1, MIME_CAP_HEADERS},
        {"", deep, LIMIT_MIME_DEPTH + 1, MIME_CAP_DEPTH},
        {"", message, LIMIT_MIME_DEPTH + 1, MIME_CAP_DEPTH},
        {"", "Content-Type: multipart/mixed; x=\"; boundary=a\"; boundary=b\n\n--a--\n--b\n", LIMIT_MIME_DEPTH + 1,
         MIME_CAP_DEPTH},
        {"", "Content-Type: multipart/mixed; boundary=a; boundary=b\n\n--b--\n--a\n", LIMIT_MIME_DEPTH + 1,
         MIME_CAP_DEPTH},
        {"", "Content-Type: multipart/mixed; boundary=a\nContent-Type: multipart/mixed; boundary=b\n\n--b--\n--a\n",
         LIMIT_MIME_DEPTH + 1, MIME_CAP_DEPTH},
        {MIXED, "--b1\r\nContent-Type: multipart/mixed; boundary=b1\r\nX\r--b1\r\n\r\n", LIMIT_MIME_DEPTH + 1,
         MIME_CAP_DEPTH},
        {"", "Content-Type: multipart/digest; boundary=b\n\n--b\n\n", LIMIT_MIME_DEPTH + 1, MIME_CAP_DEPTH},
        {"Content-Type: multipart/mixed; boundary=(b1\n\n", "--(b1\n\nx\n", LIMIT_MIME_PARTS + 1, MIME_CAP_PARTS},
        {"X:", "\ra: b", LIMIT_MIME_FIELD / 5, MIME_CAP_FIELD},
        {"Content-Type: a/b", "\r;c=d", LIMIT_MIME_PARAMETERS + 1, MIME_CAP_PARAMETERS},
        {"", "Content-Type: a/b; c=d\n --e\n", LIMIT_MIME_PARAMETERS + 1, MIME_CAP_PARAMETERS},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf b;
        struct mime_precheck r = mime_precheck(build(&b, rows[i].head, rows[i].unit, rows[i].count, "\r\n"));
        if (r.broken != rows[i].cap)
            fprintf(stderr, "row %zu: %s\n", i, mime_cap_word(r.broken));
        ck_assert_int_eq(r.broken, rows[i].cap);
        buf_release(&b);
    }
}
END_TEST

START_TEST(counts_what_it_saw)
{
    struct mime_precheck r = mime_precheck(
        SPAN("A: b\r\nC: d\r\nTo: x:y;\r\n" MIXED "--b1\r\nContent-Type: a/b; c=d; e=f\r\n\r\nx\r\n--b1--\r\n"));
    ck_assert_int_eq(r.broken, MIME_CAP_NONE);
    ck_assert_uint_eq(r.headers, 4);
    ck_assert_uint_eq(r.parameters, 2);
    ck_assert_uint_eq(r.groups, 1);
    ck_assert_uint_eq(r.depth, 1);
    ck_assert_uint_eq(r.parts, 1);
    ck_assert_uint_eq(r.field, sizeof("Content-Type: multipart/mixed; boundary=b1\r\n") - 1);
    ck_assert_int_eq(mime_precheck((struct span){0}).broken, MIME_CAP_NONE);
}
END_TEST

START_TEST(contents_are_told_by_their_octets)
{
    static const struct {
        struct span octets;
        enum mime_content content;
    } rows[] = {
        {{"", 0}, MIME_CONTENT_EMPTY},
        {{"words", 5}, MIME_CONTENT_TEXT},
        {{"a\0b", 3}, MIME_CONTENT_UNKNOWN},
        {{"PK\3\4rest", 8}, MIME_CONTENT_ZIP},
        {{"\x1f\x8b\x08", 3}, MIME_CONTENT_GZIP},
        {{"Rar!\x1a\x07\1", 7}, MIME_CONTENT_RAR},
        {{"7z\xbc\xaf\x27\x1c", 6}, MIME_CONTENT_SEVENZIP},
        {{"\177ELF", 4}, MIME_CONTENT_ELF},
        {{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8}, MIME_CONTENT_OLE2},
        {{"%PDF-1.4", 8}, MIME_CONTENT_PDF},
        {{"junk\n%PDF-1.4", 13}, MIME_CONTENT_PDF},
        {{"{\\rtf1", 6}, MIME_CONTENT_RTF},
        {{" \r\n<HTML>", 9}, MIME_CONTENT_HTML},
        {{"<!DOCTYPE html>", 15}, MIME_CONTENT_HTML},
        {{"<?xml version", 13}, MIME_CONTENT_XML},
        {{"#!/bin/sh", 9}, MIME_CONTENT_SCRIPT},
        {{"\x89PNG\r\n\x1a\n", 8}, MIME_CONTENT_PNG},
        {{"GIF89a", 6}, MIME_CONTENT_GIF},
        {{"\x78\x9f\x3e\x22", 4}, MIME_CONTENT_TNEF},
        {{"MZ is a text", 12}, MIME_CONTENT_TEXT},
        {{"A: b\nContent-Type: x\n\nbody", 26}, MIME_CONTENT_MAIL},
        {{"A: b\nC: d\n\nbody", 15}, MIME_CONTENT_TEXT},
        {{"-----BEGIN PGP MESSAGE-----", 27}, MIME_CONTENT_PGP},
        /* OpenPGP in octets: a key for somebody, then encrypted data; a passphrase, then the like; neither */
        {{"\x84\x0c\x03KKKKKKKK\1KK\xd2\xff\0\0\1\0", 20}, MIME_CONTENT_PGP},
        {{"\x8c\x04\x04\x09\0\x02\xd4\x20\2\x09\3\4\5", 13}, MIME_CONTENT_PGP},
        {{"\x84\x0c\x09KKKKKKKK\1KK\xd2\xff\0\0\1\0", 20}, MIME_CONTENT_UNKNOWN},
        {{"\x84\x0c\x03KKKKKKKK\1KK\x32\xff\0\0\1\0", 20}, MIME_CONTENT_UNKNOWN},
        {{"0\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0\x80\0\0\0\0", 19}, MIME_CONTENT_CMS},
        {{"\xff\xfe"
          "a\0",
          4},
         MIME_CONTENT_WIDE_TEXT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        enum mime_content c = mime_content_of(rows[i].octets);
        ck_assert_str_eq(mime_content_word(c), mime_content_word(rows[i].content));
    }
    char program[72] = "MZ";
    program[60] = 64;
    memcpy(program + 64, "PE\0\0", 4);
    ck_assert_int_eq(mime_content_of(span_of(program, sizeof(program))), MIME_CONTENT_PE);
    ck_assert_int_eq(mime_content_class(MIME_CONTENT_PE), MIME_CLASS_PROGRAM);
    program[61] = 127; /* its header far outside */
    ck_assert_int_ne(mime_content_of(span_of(program, sizeof(program))), MIME_CONTENT_PE);
}
END_TEST

START_TEST(what_is_two_things_at_once_is_a_polyglot)
{
    /* One entry, and the record of the directory, whose place is at 9 + 16. */
    static const char directory[] = "PK\1\2.....PK\5\6\0\0\0\0\0\0\0\0\11\0\0\0\0\0\0\0\0";
    static const struct {
        const char *head;
        enum mime_content content;
        char place; /* of the directory, as its record says */
        bool polyglot;
    } rows[] = {
        {"GIF89a", MIME_CONTENT_GIF, 0, true},       {"%PDF-1.4 ", MIME_CONTENT_PDF, 0, true},
        {"words ", MIME_CONTENT_TEXT, 0, true},      {"\1\2\3\4 ", MIME_CONTENT_UNKNOWN, 0, true},
        {"PK\3\4entry", MIME_CONTENT_ZIP, 9, false}, {"PK\3\4entry", MIME_CONTENT_ZIP, 4, true},
        {"MZ", MIME_CONTENT_PE, 0, false},           {"{\\rtf1", MIME_CONTENT_RTF, 0, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char octets[256];
        size_t head = strlen(rows[i].head), all = head + sizeof(directory);
        memcpy(octets, rows[i].head, head);
        memcpy(octets + head, directory, sizeof(directory));
        octets[head + 9 + 16] = rows[i].place;
        ck_assert_int_eq(mime_content_is_polyglot(span_of(octets, all), rows[i].content), rows[i].polyglot);
        MUST(!mime_content_is_polyglot(span_of(octets, all - 1), rows[i].content));
    }
    MUST(mime_content_is_polyglot(SPAN("GIF89a=1; <SCRIPT>"), MIME_CONTENT_GIF));
    MUST(mime_content_is_polyglot(SPAN("\x89PNG\r\n\x1a\n <html>"), MIME_CONTENT_PNG));
    MUST(!mime_content_is_polyglot(SPAN("GIF89a < a script, an <xml>"), MIME_CONTENT_GIF));
    MUST(!mime_content_is_polyglot(SPAN("<html><script>"), MIME_CONTENT_HTML));
}
END_TEST

/* What stands in octets that are free, or anywhere in a file of records, is the sender's choice. */
START_TEST(a_file_of_forks_stays_one_whatever_stands_in_its_filler)
{
#define FORKS(filler) "\0\5\x16\0\0\2\0\0" filler "\0\1\0\0\0\1\0\0\0\x26\0\0\0\4data"
    ck_assert_int_eq(mime_content_of(SPAN(FORKS("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"))), MIME_CONTENT_APPLE);
    ck_assert_int_eq(mime_content_of(SPAN(FORKS("%PDF-1.4........"))), MIME_CONTENT_APPLE);
#undef FORKS
}
END_TEST

/* A file of a zip: METHOD, flags, sizes of its name, extra field and content, all below 128. */
#define FILE_HEAD(flags, method, size, name, extra)                                                                    \
    "PK\3\4\24\0" flags "\0" method "\0TTDDCCCC" size "\0\0\0" size "\0\0\0" name "\0" extra "\0"
/* Its directory at PLACE, and the record of that. */
#define DIRECTORY(place) "PK\1\2.....PK\5\6\0\0\0\0\0\0\0\0\11\0\0\0" place "\0\0\0\0\0"

START_TEST(polyglots_of_the_usual_pairs_are_told_from_files_within_files)
{
    static const struct {
        const char *name;
        struct span octets;
        enum mime_content content;
        bool polyglot;
    } rows[] = {
#define ROW(name, octets, content, polyglot) {name, {octets, sizeof(octets) - 1}, MIME_CONTENT_##content, polyglot}
        ROW("PDF, then zip", "%PDF-1.7\n%%EOF\n" DIRECTORY("\0"), PDF, true),
        ROW("PDF, then zip, then its end", "%PDF-1.7\n" DIRECTORY("\0") "\nstartxref\n9\n%%EOF\n", PDF, true),
        ROW("PDF with a zip attached", "%PDF-1.7\nstream\n" DIRECTORY("\0") "\r\nendstream\n%%EOF\n", PDF, false),
        ROW("PDF with a zip attached, padded",
            "%PDF-1.7\nstream\n" DIRECTORY("\0") "\n                                        \nendstream\n", PDF, false),
        ROW("PDF with a zip behind it, blanks and words",
            "%PDF-1.7\n" DIRECTORY("\0") "\n                                        \n%endstream\n", PDF, true),
        ROW("PDF", "%PDF-1.7\n1 0 obj\n<< /Title (a) >>\nendobj\n%%EOF\n", PDF, false),
        ROW("PDF that is a page", "%PDF-1.7\n<!-- --><HTML><script>\n%%EOF\n", PDF, true),
        ROW("page that is a PDF", "<html><body><!--\n%PDF-1.4\nstartxref\n9\n", PDF, true),
        ROW("page about a PDF's version", "<html><body>begins with %PDF-1.4\n</html>", PDF, false),
        ROW("page about PDF", "<html><body>begins with %PDF-", PDF, false),
        ROW("zip with a PDF in its name", FILE_HEAD("\0", "\0", "\2", "\10", "\0") "%PDF-1.4xx" DIRECTORY("\x28"), ZIP,
            true),
        ROW("zip with a PDF in its extra field",
            FILE_HEAD("\0", "\0", "\2", "\1", "\10") "a%PDF-1.4xx" DIRECTORY("\x29"), ZIP, true),
        ROW("zip with a PDF between its files", FILE_HEAD("\0", "\0", "\2", "\1", "\0") "axx%PDF-1.4" DIRECTORY("\x29"),
            ZIP, true),
        ROW("zip of a stored PDF", FILE_HEAD("\0", "\0", "\10", "\1", "\0") "a%PDF-1.4" DIRECTORY("\x27"), ZIP, false),
        ROW("zip of a stored PDF of later length",
            FILE_HEAD("\10", "\0", "\0", "\1", "\0") "a%PDF-1.4PK\7\10CCCC" DIRECTORY("\x2f"), ZIP, false),
        ROW("zip as OpenDocument begins",
            FILE_HEAD("\0", "\0", "\3", "\10", "\0") "mimetypea/b" FILE_HEAD("\0", "\10", "\2", "\1",
                                                                             "\0") "axx" DIRECTORY("\x4a"),
            ZIP, false),
        ROW("GIF, then zip, then its end", "GIF89a" DIRECTORY("\0") ";", GIF, true),
        ROW("JPEG, then zip", "\xff\xd8\xff" DIRECTORY("\0"), JPEG, true),
        ROW("JPEG", "\xff\xd8\xff\xe0\0\20JFIF PK\5\6 PK\1\2 ..............................", JPEG, false),
        ROW("page, then zip, then its end", "<html><!--" DIRECTORY("\0") "-->", HTML, true),
        ROW("document with one inside", "\xd0\xcf\x11\xe0" DIRECTORY("\0") "\0\0\0\0", OLE2, false),
        ROW("program that extracts itself", "MZ" DIRECTORY("\0"), PE, false),
        ROW("program that extracts itself, signed", "MZ" DIRECTORY("\2") "signature", PE, false),
#undef ROW
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (mime_content_is_polyglot(rows[i].octets, rows[i].content) != rows[i].polyglot)
            ck_abort_msg("%s", rows[i].name);
    /* A disc's sectors stand behind 32 KiB that say nothing. */
    static char disc[32800] = "%PDF-1.4";
    MUST(!mime_content_is_polyglot(span_of(disc, sizeof(disc)), MIME_CONTENT_PDF));
    memcpy(disc + 32769, "CD001", 5);
    MUST(mime_content_is_polyglot(span_of(disc, sizeof(disc)), MIME_CONTENT_PDF));
    MUST(!mime_content_is_polyglot(span_of(disc, sizeof(disc)), MIME_CONTENT_ISO9660));
    ck_assert_int_eq(mime_content_of(SPAN("PK00PK\3\4")), MIME_CONTENT_ZIP);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(each_cap_holds_at_its_number)                                                                                    \
    X(large_and_odd_mail_of_people_is_within)                                                                          \
    X(a_boundary_of_dashes_hides_no_headers)                                                                           \
    X(no_trick_hides_what_a_library_finds)                                                                             \
    X(counts_what_it_saw)                                                                                              \
    X(contents_are_told_by_their_octets)                                                                               \
    X(what_is_two_things_at_once_is_a_polyglot)                                                                        \
    X(a_file_of_forks_stays_one_whatever_stands_in_its_filler)                                                         \
    X(polyglots_of_the_usual_pairs_are_told_from_files_within_files)
#include "support/check_main.h"
