/* SPDX-License-Identifier: MIT */
/* File names: all decodings of what mail says, and tricks with them (B38). */
#include "mime/charset.h"
#include "mime/field.h"
#include "mime/name.h"
#include "unit/smtp/must.h"

/* As mime_defect_bit, for constants. */
#define SET(d)      ((mime_defects)1 << MIME_DEFECT_##d)
#define BIT(d)      SET(NAME_##d)
#define UNSEEN      "\xe2\x80\x8b\xe2\x81\xa3\xef\xbb\xbf"
#define MANY_UNSEEN UNSEEN UNSEEN UNSEEN UNSEEN UNSEEN UNSEEN UNSEEN UNSEEN
#define RLO         "\xe2\x80\xae"

START_TEST(tricks_with_names_are_told)
{
    static const struct {
        const char *name;
        mime_defects defects;
    } rows[] = {
        {"", 0},
        {"letter.txt", 0},
        {"letter.pdf", 0},
        {"archive.tar.gz", 0},
        {"report.final.doc", 0},
        {"v1.2.3.zip", 0},
        {"no extension", 0},
        {"trailing.", 0},
        {"ends with a dot. ", 0},
        {".hidden", 0},
        {"Gr\xc3\xbc\xc3\x9f"
         "e.pdf",
         0},
        {"\xe6\x96\x87\xe4\xbb\xb6.pdf", 0},
        {"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d.pdf", 0},
        {"\xe2\x80\x8f\xd7\xa9.pdf", 0},
        {"setup.exe", BIT(PROGRAM)},
        {"SETUP.EXE", BIT(PROGRAM)},
        {"saver.scr", BIT(PROGRAM)},
        {"old.com", BIT(PROGRAM)},
        {"old.pif", BIT(PROGRAM)},
        {"run.bat", BIT(PROGRAM)},
        {"run.cmd", BIT(PROGRAM)},
        {"x.vbs", BIT(PROGRAM)},
        {"x.js", BIT(PROGRAM)},
        {"x.jse", BIT(PROGRAM)},
        {"x.wsf", BIT(PROGRAM)},
        {"x.hta", BIT(PROGRAM)},
        {"x.lnk", BIT(PROGRAM)},
        {"x.cpl", BIT(PROGRAM)},
        {"x.msi", BIT(PROGRAM)},
        {"x.jar", BIT(PROGRAM)},
        {"x.ps1", BIT(PROGRAM)},
        {"x.reg", BIT(PROGRAM)},
        {"app.min.js", BIT(PROGRAM)},
        {"x.wsc", BIT(PROGRAM)},
        {"x.jnlp", BIT(PROGRAM)},
        {"x.msix", BIT(PROGRAM)},
        {"x.rdp", BIT(PROGRAM)},
        {"x.xlam", BIT(PROGRAM)},
        {"x.SettingContent-ms", BIT(PROGRAM)},
        {"x.searchconnector-ms", BIT(PROGRAM)},
        {"letter.pdf.iso", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter.pdf.appinstaller", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter.txt.sh", 0},
        {"server.pem.crt", 0},
        {"mail from www.server.com.py.", BIT(PROGRAM)},
        {"setup.exe::$DATA", BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.exe:$data", BIT(PROGRAM) | BIT(TRAILING)},
        {":$DATA", 0},
        {"setup.exe\xe3\x85\xa4\xc2\xa0", BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.exe\xe2\x80\x83", BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.exe\xe2\x80\xaf", BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.exe\xe2\x80\x87", BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.exe\xc2\xad", BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.exe\xef\xb8\x8f", BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.exe\xf3\xa0\x80\xa0", BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.exe\xf0\x9f\x98\x80", 0},
        {"setup.e\xe2\x80\x8bxe", BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.\xe2\x80\x8f"
         "exe",
         BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.e\xe2\x81\xa0x\xe2\x81\xa4"
         "e",
         BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.e\xef\xbb\xbfx\xc2\xad"
         "e",
         BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.ex\xef\xb8\x8f"
         "e",
         BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.ex\xf3\xa0\x84\x80"
         "e.",
         BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.e\xe2\x80\xaaxe", BIT(PROGRAM) | BIT(TRAILING) | BIT(BIDI)},
        {"letter.p\xe2\x80\x8b"
         "df.exe",
         BIT(PROGRAM) | BIT(DOUBLE)},
        {"setup.exe" MANY_UNSEEN "e", 0},
        {"setup." MANY_UNSEEN "exe", BIT(PROGRAM) | BIT(TRAILING)},
        {"letter." MANY_UNSEEN "pdf", 0},
        {"letter.p\xe2\x80\x8b"
         "df",
         0},
        {"mail from www.server.\xe2\x80\x8b"
         "com",
         BIT(PROGRAM)},
        {"setup. exe", 0},
        {"setup.e\xc2\xa0xe", 0},
        {"letter.txt.exe", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter.PDF.Scr", BIT(PROGRAM) | BIT(DOUBLE)},
        {"invoice.doc.js", BIT(PROGRAM) | BIT(DOUBLE)},
        {"photo.jpg.com", BIT(PROGRAM) | BIT(DOUBLE)},
        {"archive.zip.exe", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter.txt .exe", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter        .exe", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter.txt                                .exe", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter.pdf_____________.exe", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter.pdf-----.exe", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter.pdf-.exe", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter.pdf...exe", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter.pdf \xc2\xa0\xc2\xa0.exe", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter.pdf\xe3\x80\x80\xe3\x80\x80.exe", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter.pdf\xe2\x80\x83.exe", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter.pdf\xe2\x80\x8e.exe", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter\xe3\x80\x80\xe3\x80\x80\xe3\x80\x80\xe3\x80\x80\xe3\x80\x80.exe", BIT(PROGRAM) | BIT(DOUBLE)},
        {"letter\xe3\x80\x80\xe3\x80\x80.exe", BIT(PROGRAM)},
        {"set-up---.exe", BIT(PROGRAM)},
        {"please wait.......exe", BIT(PROGRAM)},
        {"\xe6\x96\x87\xe4\xbb\xb6.exe", BIT(PROGRAM)},
        {"www.server.com", BIT(PROGRAM)},
        {"mail from www.server.com.", BIT(PROGRAM)},
        {"setup.exe.", BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.exe ", BIT(PROGRAM) | BIT(TRAILING)},
        {"setup.exe. . .", BIT(PROGRAM) | BIT(TRAILING)},
        {"letter.txt.exe ", BIT(PROGRAM) | BIT(TRAILING) | BIT(DOUBLE)},
        {"letter" RLO "fdp.exe", BIT(PROGRAM) | BIT(BIDI)},
        {"letter" RLO "exe.pdf", BIT(BIDI)},
        {"letter\xe2\x80\xad.pdf", BIT(BIDI)},
        {"letter\xe2\x81\xa7gpj.exe", BIT(PROGRAM) | BIT(BIDI)},
        {"letter\xe2\x81\xa7.pdf", 0},
        {"letter.exe\1", BIT(CONTROL)},
        {"letter\x7f.txt", BIT(CONTROL)},
        {"letter.exe\xe2\x90\x80.txt", BIT(CONTROL)},
        {"../../etc/passwd", BIT(PATH)},
        {"C:\\Documents\\letter.doc", BIT(PATH)},
        {"a/b.exe", BIT(PATH) | BIT(PROGRAM)},
        {"%2e%2e%2fx", 0},
        {"exe", 0},
        {".exe", BIT(PROGRAM)},
        {"x.thisextensionislong", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        mime_defects found = mime_name_judge(span_cstr(rows[i].name));
        if (found != rows[i].defects)
            fprintf(stderr, "%s: %llx\n", rows[i].name, (unsigned long long)found);
        ck_assert_uint_eq(found, rows[i].defects);
    }
}
END_TEST

START_TEST(words_are_decoded)
{
    static const struct {
        const char *in, *out;
        bool found;
    } rows[] = {
        {"plain", "plain", false},
        {"=?utf-8?B?YWJj?=", "abc", true},
        {"=?UTF-8?q?a=62_c?=", "ab c", true},
        {"x =?utf-8?B?YQ==?= =?utf-8?B?Yg==?= y", "x ab y", true},
        {"=?utf-8?B?w6Q=?=", "\xc3\xa4", true},
        {"=?utf-8?B?ww==?= =?utf-8?B?pA==?=", "\xc3\xa4", true},
        {"=?iso-8859-1?Q?=E4?=", "\xc3\xa4", true},
        {"=?windows-1252?Q?=E4=80?=", "\xc3\xa4\xef\xbf\xbd", true},
        {"=?koi8-r?B?YcE=?=", "a\xef\xbf\xbd", true},
        {"=?iso-2022-jp?B?YRskQiVeGyhCLmI=?=", "a\xef\xbf\xbd\xef\xbf\xbd.b", true},
        {"=?utf-7?Q?a+AOQ-b+-+YQ?=",
         "a\xc3\xa4"
         "b+",
         true},
        {"=?utf-7?Q?+AGE-+AGI?=", "ab", true},
        {"=?utf-16?B?/v8AYQ==?=", "a", true},
        {"=?utf-16le?B?YQDkAA==?=", "a\xc3\xa4", true},
        {"=?gb18030?B?YYE2pzFi?=", "a" RLO "b", true},
        {"=?gb18030?B?YcTjgTA=?=", "a\xef\xbf\xbd\xef\xbf\xbd", true},
        {"=?utf-8*en?Q?a?=", "a", true},
        {"=?utf-8?X?a?=", "=?utf-8?X?a?=", false},
        {"=?utf-8?B?YWJj", "=?utf-8?B?YWJj", false},
        {"=?utf-8?Q?a=?=", "a=", true},
        {"=?", "=?", false},
        {"=?=?=?=?", "=?=?=?=?", false},
        {"", "", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char out[64];
        bool found;
        size_t len = mime_words_decode(span_cstr(rows[i].in), out, sizeof(out), &found);
        ck_assert_str_eq(out, rows[i].out);
        ck_assert_uint_eq(len, strlen(out));
        ck_assert_int_eq(found, rows[i].found);
    }
}
END_TEST

START_TEST(a_name_is_cut_at_a_character)
{
    char out[4];
    bool found;
    mime_words_decode(SPAN("ab\xc3\xa4\xc3\xa4"), out, sizeof(out), &found);
    ck_assert_str_eq(out, "ab");
    mime_words_decode(SPAN("a\xc3\xa4\xc3\xa4"), out, sizeof(out), &found);
    ck_assert_str_eq(out, "a\xc3\xa4");
}
END_TEST

START_TEST(of_a_long_name_both_ends_are_kept)
{
    static const size_t blanks[] = {230, 250, 600, 10000};
    for (size_t i = 0; i < ARRAY_SIZE(blanks); i++) {
        char raw[10100];
        int n = snprintf(raw, sizeof(raw), "letter.pdf\xc3\xa4%*s.exe", (int)blanks[i], "");
        struct mime_names names = {0};
        mime_defects defects = 0;
        mime_names_add(&names, span_of(raw, (size_t)n), (struct span){0}, &defects);
        ck_assert_uint_eq(names.count, 1);
        MUST(span_starts(span_cstr(names.text[0]), SPAN("letter.pdf\xc3\xa4 ")));
        MUST(mime_names_judge(&names) == (BIT(PROGRAM) | BIT(DOUBLE)));
    }
    /* Never inside a character. */
    char raw[400];
    memset(raw, 0xa4, sizeof(raw));
    for (size_t i = 0; i < sizeof(raw); i += 2)
        raw[i] = (char)0xc3;
    for (size_t length = 240; length < sizeof(raw); length += 2) {
        struct mime_names names = {0};
        mime_defects defects = 0;
        char text[3 * MIME_NAME_SIZE];
        mime_names_add(&names, span_of(raw, length), (struct span){0}, &defects);
        mime_to_utf8(span_cstr(names.text[0]), SPAN("utf-8"), text, sizeof(text));
        ck_assert_str_eq(text, names.text[0]);
        ck_assert_uint_lt(strlen(text), MIME_NAME_SIZE);
    }
}
END_TEST

START_TEST(each_decoding_is_kept_once)
{
    struct mime_names names = {0};
    mime_defects defects = 0;
    mime_names_add(&names, SPAN("=?utf-8?B?YS5leGU=?="), (struct span){0}, &defects);
    mime_names_add(&names, SPAN("a.exe"), (struct span){0}, &defects);
    mime_names_add(&names, SPAN("a.\r\n exe"), (struct span){0}, &defects);
    mime_names_add(&names, SPAN("\xe4"), SPAN("iso-8859-1"), &defects);
    ck_assert_uint_eq(names.count, 4);
    ck_assert_str_eq(names.text[1], "a.exe");
    ck_assert_str_eq(names.text[2], "a. exe");
    ck_assert_str_eq(names.text[3], "\xc3\xa4");
    ck_assert_uint_eq(defects, 0);
    mime_names_add(&names, span_of("a.txt\0.exe", 10), (struct span){0}, &defects);
    MUST(defects == BIT(CONTROL));
    ck_assert_str_eq(names.text[4], "a.txt\xe2\x90\x80.exe");
    for (unsigned i = 0; i < 2 * MIME_NAMES; i++) {
        char name[8];
        snprintf(name, sizeof(name), "n%u", i);
        mime_names_add(&names, span_cstr(name), (struct span){0}, &defects);
    }
    ck_assert_uint_eq(names.count, MIME_NAMES);
    MUST(names.more);
}
END_TEST

static mime_defects judged(const char *a, const char *b)
{
    struct mime_names names = {0};
    mime_defects defects = 0;
    mime_names_add(&names, span_cstr(a), (struct span){0}, &defects);
    mime_names_add(&names, span_cstr(b), (struct span){0}, &defects);
    return mime_names_judge(&names);
}

START_TEST(names_that_contradict_each_other_are_told)
{
    MUST(judged("a.txt", "a.exe") & BIT(CONFLICT));
    MUST(judged("a.exe", "a.exe ") & BIT(TRAILING));
    MUST(!(judged("a.txt", "b.txt") & BIT(CONFLICT)));
    MUST(!(judged("=?utf-8?Q?a=2Eexe?=", "x") & BIT(CONFLICT)));
    MUST(!(judged("www.server.com", "www.server.com.eml") & BIT(CONFLICT)));
    MUST(!(judged("<a.exe>", "a.exe") & BIT(CONFLICT)));
    MUST(judged("<a.exe>", "a.txt") == 0);
}
END_TEST

struct parameter_row {
    const char *value, *name;
    const char *first, *last; /* NULL: none */
    bool differ;
    const char *extended; /* NULL: none */
};

START_TEST(parameters_are_read_in_all_their_forms)
{
    static const struct parameter_row rows[] = {
        {"a/b; name=x", "name", "x", "x", false, NULL},
        {"a/b; NAME = \"x y\" ; other=z", "name", "x y", "x y", false, NULL},
        {"a/b; name=x; name=y", "name", "x", "y", true, NULL},
        {"a/b; name=x; name=x", "name", "x", "x", false, NULL},
        {"a/b; name=\"x;y\"; z=1", "name", "x;y", "x;y", false, NULL},
        {"a/b; name=\"x", "name", "x", "x", false, NULL},
        {"a/b; name=x y", "name", "x", "x", false, NULL},
        {"a/b; name (c)=x", "name", "x", "x", false, NULL},
        {"a/b; name*=utf-8'en'x%20y", "name", NULL, NULL, false, "x y"},
        {"a/b; name*0=x; name*1=y", "name", NULL, NULL, false, "xy"},
        {"a/b; name*1=y; name*0=x", "name", NULL, NULL, false, "xy"},
        {"a/b; name*0*=utf-8''%78; name*1=%79", "name", NULL, NULL, false, "x%79"},
        {"a/b; name*1=x; name*2=y", "name", NULL, NULL, false, "xy"},
        {"a/b; name=z; name*=''%zz", "name", "z", "z", false, "%zz"},
        {"a/b; name*3=y", "name", NULL, NULL, false, "y"},
        {"a/b; name*5=y; name*3=x", "name", NULL, NULL, false, "xy"},
        {"a/b; name*0=x; name*0=z; name*1=y", "name", NULL, NULL, false, "xy"},
        {"a/b;;;name=x", "name", "x", "x", false, NULL},
        {"a/b; name", "name", NULL, NULL, false, NULL},
        {"name=x; z=1", "name", "x", "x", false, NULL},
        {" name*=''x%20y", "name", NULL, NULL, false, "x y"},
        {"; name=x", "name", "x", "x", false, NULL},
        {"a/b name=x", "name", NULL, NULL, false, NULL},
        {"a/b; (c) name=x", "name", NULL, NULL, false, NULL},
        {"", "name", NULL, NULL, false, NULL},
    };
    struct mime_parameters *p = malloc(sizeof(*p));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct span name = span_cstr(rows[i].name), charset;
        bool differ;
        char out[64];
        size_t len;
        mime_parameters_parse(span_cstr(rows[i].value), p);
        const struct mime_parameter *first = mime_parameter_get(p, name, false, &differ);
        const struct mime_parameter *last = mime_parameter_get(p, name, true, &differ);
        ck_assert_int_eq(differ, rows[i].differ);
        MUST((first != NULL) == (rows[i].first != NULL) && (!first || span_eq(first->value, span_cstr(rows[i].first))));
        MUST((last != NULL) == (rows[i].last != NULL) && (!last || span_eq(last->value, span_cstr(rows[i].last))));
        bool extended = mime_parameter_extended(p, name, out, sizeof(out), &len, &charset);
        ck_assert_int_eq(extended, rows[i].extended != NULL);
        MUST(!extended || span_eq(span_of(out, len), span_cstr(rows[i].extended)));
    }
    free(p);
}
END_TEST

START_TEST(types_that_readers_may_disagree_on_are_doubtful)
{
    static const struct {
        const char *value, *text;
        bool multipart, encapsulates, doubtful;
        mime_defects defects;
    } rows[] = {
        {"", "text/plain", false, false, false, 0},
        {"text/html; charset=x", "text/html", false, false, false, 0},
        {"TEXT/HTML", "text/html", false, false, false, 0},
        {"multipart/mixed; boundary=x", "multipart/mixed", true, false, false, 0},
        {" multipart / mixed ; x", "multipart/mixed", true, false, false, 0},
        {"multipart", "multipart/", true, false, true, 0},
        {"multipart/", "multipart/", true, false, true, 0},
        {"multipart/mixed x; y", "multipart/mixed", true, false, true, 0},
        {"\"multipart/mixed\"", "multipart/mixed", true, false, true, 0},
        {"(c) multipart/mixed", "multipart/mixed", true, false, true, 0},
        {"multipart/mixed, text/plain; boundary=x", "multipart/mixed", true, false, true, SET(SEVERAL_TYPES)},
        {"text/plain, text/html", "text/plain", false, false, true, 0},
        {"message/rfc822", "message/rfc822", false, true, false, 0},
        {"message/partial; id=1", "message/partial", false, false, false, SET(PARTIAL)},
        {"message/External-Body", "message/external-body", false, false, false, SET(EXTERNAL_BODY)},
        {"multipart/encrypted; boundary=x", "multipart/encrypted", true, false, false, SET(ENCRYPTED_PGP)},
        {"application/pgp-encrypted", "application/pgp-encrypted", false, false, false, SET(ENCRYPTED_PGP)},
        {"=?us-ascii?q?message/partial?=; id=1", "text/plain", false, false, true, SET(PARTIAL)},
        {"=?utf-8?b?bWVzc2FnZS9wYXJ0aWFsOyBpZD0x?=", "text/plain", false, false, true, SET(PARTIAL)},
        {"=?utf-8?q?message/ex?= =?utf-8?q?ternal-body?=", "text/plain", false, false, true, SET(EXTERNAL_BODY)},
        {"=?utf-8?q?message/partial; id=1?=", "text/plain", false, false, true, SET(PARTIAL)},
        {"text/plain; name=\"=?utf-8?q?message/partial?=\"", "text/plain", false, false, false, 0},
        {"text/plain; name=message/partial", "text/plain", false, false, false, 0},
        {"message/partials", "message/partials", false, false, false, 0},
        {"multi\1part/mixed", "multi/", false, false, true, SET(STRUCTURE_CONTROL)},
        {"text/pl\xe4in", "text/pl", false, false, true, SET(STRUCTURE_8BIT)},
        {"/", "text/plain", false, false, true, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct mime_type t;
        mime_type_parse(span_cstr(rows[i].value), &t);
        ck_assert_str_eq(t.text, rows[i].text);
        ck_assert_int_eq(t.multipart, rows[i].multipart);
        ck_assert_int_eq(t.encapsulates, rows[i].encapsulates);
        ck_assert_int_eq(t.doubtful, rows[i].doubtful);
        ck_assert_uint_eq(t.defects, rows[i].defects);
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(tricks_with_names_are_told)                                                                                      \
    X(words_are_decoded)                                                                                               \
    X(a_name_is_cut_at_a_character)                                                                                    \
    X(of_a_long_name_both_ends_are_kept)                                                                               \
    X(each_decoding_is_kept_once)                                                                                      \
    X(names_that_contradict_each_other_are_told)                                                                       \
    X(parameters_are_read_in_all_their_forms)                                                                          \
    X(types_that_readers_may_disagree_on_are_doubtful)
#include "support/check_main.h"
