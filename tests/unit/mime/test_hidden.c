/* SPDX-License-Identifier: MIT */
/* What readers find where things are not as they should be: names in fields without a type, messages behind empty
 * lines, files in texts as no program writes them, parts behind lines that only some take for delimiters (B33, B38). */
#include "mime/lines.h"
#include "unit/mime/split_rig.h"
#include "unit/smtp/must.h"

#define SECRET     "The secret payload!"
#define SECRETQP   "=54=68e secret payload=21"
#define QP         "Content-Transfer-Encoding: quoted-printable\r\n"
#define BASE64     "Content-Transfer-Encoding: base64\r\n"
#define MIXED      "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\n"
#define END        "\r\n--b1--\r\n"
#define TYPE(rest) "MIME-Version: 1.0\r\nContent-Type: " rest "\r\n\r\n"
#define STATUS     "Content-Type: message/delivery-status\r\n\r\n"
#define CALENDAR   "Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n"
#define SECRET64   "VGhlIHNlY3JldCBwYXlsb2FkIQ=="
/* A part without headers, as readers see it for whom the boundary is "b1". */
#define CUT(parameter) TYPE("multipart/mixed; " parameter) "--b1\r\n" SECRET END
#define HQX            "\"@%ZBQPZ!&" HQX_REST
#define HQX_REST       "4&@&4dG(Kd!!!!!!!6!!!!!$9U9'KP)(0PBh*PG#\"`BAPXEf&N)82p!!!"
#define UU_DATA        "5&AE('-E8W)E=\"!P87EL;V%D(0``"
#define UU             "3" UU_DATA
#define YENC           "~\x92\x8fJ\x9d\x8f\x8d\x9c\x8f\x9eJ\x9a\x8b\xa3\x96\x99\x8b\x8eK"

/* All names of all parts, each with a '|' behind it. */
static enum err note_names(void *arg, const struct mime_part *part)
{
    enum err e = ERR_OK;
    for (unsigned i = 0; i < part->names.count && e == ERR_OK; i++)
        e = buf_printf(arg, "%s|", part->names.text[i]);
    return e;
}

START_TEST(names_are_seen_in_fields_without_a_type)
{
    static const struct {
        const char *fields, *names, *paranoid; /* paranoid NULL: nothing to say against it */
    } rows[] = {
        {"Content-Disposition: filename=a.txt\r\n", "a.txt|", NULL},
        {"Content-Disposition: ; filename=a.txt\r\n", "a.txt|", NULL},
        {"Content-Disposition: filename*=utf-8''a%2Etxt\r\n", "a.txt|", NULL},
        {"Content-Disposition: filename*0=a.t; filename*1=xt\r\n", "a.txt|", NULL},
        {"Content-Disposition:\r\n filename = \"a b.txt\"\r\n", "a b.txt|", NULL},
        {"Content-Disposition: attachment filename=a.txt\r\n", "a.txt|", NULL},
        {"Content-Disposition: attachment, filename=a.txt\r\n", "a.txt|", NULL},
        {"Content-Disposition: attachment; (c) filename=a.txt\r\n", "a.txt|", NULL},
        {"Content-Disposition: attachment filename*=utf-8''a%2Etxt\r\n", "a.txt|", NULL},
        {"Content-Disposition: attachment; name=a.txt\r\n", "a.txt|", NULL},
        {"Content-Type: name=a.txt\r\n", "a.txt|", NULL},
        {"Content-Type: ; name=a.txt\r\n", "a.txt|", NULL},
        {"Content-Type: application/pdf; filename=a.txt\r\n", "a.txt|", NULL},
        {"Content-Type: application/pdf; name=<a.txt>\r\n", "<a.txt>|a.txt|", NULL},
        {"Content-Disposition: attachment; x-name=a; username=b; file_name=c\r\n", "", NULL},
        {"Content-Disposition: filename=letter.pdf.exe\r\n", "letter.pdf.exe|", "HiddenName"},
        {"Content-Disposition: attachment filename=\"letter.pdf      .scr\"\r\n", "letter.pdf      .scr|",
         "HiddenName"},
        {"Content-Disposition: filename='letter.pdf.exe'\r\n", "'letter.pdf.exe'|letter.pdf.exe|", "HiddenName"},
        {"Content-Type: name=letter.exe.\r\n", "letter.exe.|", "HiddenName"},
        {"Content-Type: application/pdf; name=a.txt\r\nContent-Disposition: filename=a.exe\r\n", "a.exe|a.txt|",
         "NameConflict"},
        {"Content-Disposition: filename=a.txt; filename=b.txt\r\n", "a.txt|b.txt|", "DuplicateParameter"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char message[512];
        int n = snprintf(message, sizeof(message), MIXED "%s\r\nwords" END, rows[i].fields);
        MUST(n > 0 && (size_t)n < sizeof(message));
        struct buf names;
        struct mime_report report;
        struct mime_limits limits = mime_limits_for((size_t)n);
        buf_init(&names, 4096);
        ck_assert_int_eq(mime_split(span_of(message, (size_t)n), &limits, note_names, &names, &report), ERR_OK);
        const char *paranoid = mime_defects_paranoid(report.defects);
        if (!span_eq(buf_span(&names), span_cstr(rows[i].names)) ||
            strcmp(paranoid ? paranoid : "", rows[i].paranoid ? rows[i].paranoid : "") != 0)
            ck_abort_msg("%s: %.*s, Paranoid.%s", rows[i].fields, SPAN_ARG(buf_span(&names)), paranoid ? paranoid : "");
        buf_release(&names);
    }
}
END_TEST

/* Mails whose payload some reader extracts. */
static const char *const mails[] = {
    /* A message by a name that is given without a type. */
    MIXED "Content-Type: application/octet-stream\r\nContent-Disposition: filename=a.eml\r\n\r\njunk\r\n" QP
          "\r\n" SECRETQP END,
    MIXED "Content-Type: name=a.eml\r\n\r\njunk\r\n" QP "\r\n" SECRETQP END,
    MIXED "Content-Disposition: attachment filename=a.eml\r\n\r\njunk\r\n" QP "\r\n" SECRETQP END,
    /* Messages behind empty lines: attached as such, by name, and by look; as they are and encoded. */
    MIXED "Content-Type: message/rfc822\r\n\r\n\r\n" QP "\r\n" SECRETQP END,
    MIXED "Content-Type: message/rfc822\r\n\r\n\r\n\n\r\n" QP "\r\n" SECRETQP END,
    MIXED "Content-Type: message/rfc822\r\n\r\n\n\r\r\n" QP "\r\n" SECRETQP END,
    MIXED "Content-Type: message/rfc822\r\n\r\n \t\r\n\r\n" QP "\r\n" SECRETQP END,
    MIXED "Content-Type: message/rfc822\r\n\r\n\r\n\r\njunk\r\n" QP "\r\n" SECRETQP END,
    MIXED "Content-Type: message/rfc822\r\n" QP "\r\n\r\n\r\n" QP "\r\n=3D54=3D68e secret payload=3D21" END,
    MIXED "Content-Type: message/rfc822\r\n" BASE64
          "\r\nDQoKQ29udGVudC1UcmFuc2Zlci1FbmNvZGluZzogcXVvdGVkLXByaW50YWJsZQ0KDQo9NTQ9Njhl\r\n"
          "IHNlY3JldCBwYXlsb2FkPTIx\r\n" END,
    MIXED "Content-Type: application/octet-stream; name=a.eml\r\n\r\n\r\n\r\n\r\njunk\r\n" QP "\r\n" SECRETQP END,
    MIXED "Content-Type: text/plain\r\n\r\n\r\n\r\n" QP "\r\n" SECRETQP END,
    "\r\n\r\n \r\n" QP "\r\n" SECRETQP,
    /* Files in texts: indented, in another case, with odd numbers, lengths and ends. */
    "A: b\r\n\r\nSee:\r\n  begin 644 a.txt\r\n  " UU "\r\n  `\r\n  end\r\n",
    "A: b\r\n\r\nSee:\r\nbegin 644 a.txt\r\n\t" UU "\r\n\t`\r\n\tend\r\n",
    "A: b\r\n\r\nSee:\r\nbegin 644 a.txt\r\n #2DI*\r\n" UU "\r\n`\r\nend\r\n", /* an empty line, to most */
    "A: b\r\n\r\nSee:\r\nBEGIN 644 a.txt\r\n" UU "\r\n`\r\nEND\r\n",
    "A: b\r\n\r\nSee:\r\nbegin 0o644 a.txt\r\n" UU "\r\n`\r\nend\r\n",
    "A: b\r\n\r\nSee:\r\nbegin 999 a.txt\r\n" UU "XX\r\n`\r\nend\r\n",
    "A: b\r\n\r\nSee:\r\nbegin 644 a.txt\r\n" UU,
    "A: b\r\n\r\nSee:\r\nbegin 644 a.txt\r\ns" UU_DATA "\r\n`\r\nend\r\n",
    MIXED "Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a.txt\r\ns" UU_DATA "\r\n`\r\nend\r\n" END,
    "A: b\r\n\r\nSee:\r\nbegin 644 a.txt\r\n)5&AE('-E8W)E\r\n  end\r\n*=\"!P87EL;V%D(0``\r\n`\r\nend\r\n",
    MIXED "Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a.txt\r\n)5&AE('-E8W)E\r\n\tend\r\n"
          "*=\"!P87EL;V%D(0``\r\n`\r\nend\r\n" END,
    /* Begins that some readers pass over and others take; anything behind the data, or in front of them. */
    MIXED "Content-Transfer-Encoding: x-uuencode\r\n\r\nHELLO\r\nbegin 7 a.bin\r\ns" UU_DATA
          "XXXXXXX\r\n`\r\nend\r\n" END,
    MIXED "Content-Transfer-Encoding: x-uuencode\r\n\r\nBEGIN HERE\r\nbegin 8x a\r\nbegin -644 a.bin\r\ns" UU_DATA
          "xX\r\n`\r\nend\r\n" END,
    MIXED "Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644\r\ns" UU_DATA "XX\r\n`\r\nend\r\n" END,
    MIXED "Content-Transfer-Encoding: x-uuencode\r\n\r\ns" UU_DATA "XX\r\n" END,
    MIXED "Content-Transfer-Encoding: x-new\r\n\r\nbegin 0o644 a.bin\r\ns" UU_DATA "XX\r\n`\r\nend\r\n" END,
    "A: b\r\n\r\nbegin 7 a.bin\r\nSome words.\r\n" UU "\r\n`\r\nend\r\n",
    "A: b\r\n\r\nbegin a.bin\r\n\r\n\r\n\r\n \r\n\r\n\r\n" UU "xxxx\r\n`\r\nend\r\n",
    "A: b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nbegin 644 a.bin\r\n" UU
    "\r\n`\r\nend\r\n--b\r\n\r\nwords\r\n--b--\r\n",
    /* Another alphabet. */
    "A: b\r\n\r\nbegin 644 a.bin\r\nHJ4VZ65BZMr7ZR0-kMLZgPq3Y6E++\r\n+\r\nend\r\n",
    MIXED
    "Content-Transfer-Encoding: x-xxencode\r\n\r\nbegin 644 a.bin\r\nHJ4VZ65BZMr7ZR0-kMLZgPq3Y6E++\r\n+\r\nend\r\n" END,
    /* BinHex, whatever is said of it in front. */
    MIXED "Content-Transfer-Encoding: binhex\r\n\r\n:" HQX ":\r\n" END,
    "A: b\r\n\r\n(this file must be decoded with binhex 4.0)\r\nnote: below\r\n:junk:\r\n\r\n:" HQX ":\r\n",
    "A: b\r\n\r\n(This file must be converted with BinHex 4.0)\r\n> :" HQX ":\r\n",
    "A: b\r\n\r\n(This file must be converted with BinHex 4.0)\r\n:\r\n\"@%ZBQPZ!& ~" HQX_REST ":\r\n",
    "A: b\r\n\r\nSee:\r\n =ybegin line=128 size=19 name=a.txt\r\n " YENC "\r\n =yend size=19\r\n",
    "A: b\r\n\r\nSee:\r\n=YBEGIN LINE=128 NAME=a.txt\r\n" YENC "\r\n=YEND SIZE=19\r\n",
    /* A boundary that is "!!" to Python alone, and dashes between the data, which are junk to decoders. */
    "Content-Type: multipart/mixed; boundary*=cp037''%5A%5A\r\n\r\n--!!\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    "VGhlIHNlY3Jl\r\n--\r\ndCBwYXlsb2FkIQ==\r\n--!!--\r\n",
    /* Boundaries of which some readers take no more than a token, a segment, what is no blank to anybody. */
    CUT("boundary=b1:y"),
    CUT("boundary=b1=y"),
    CUT("boundary=b1,y"),
    CUT("boundary=b1/y"),
    CUT("boundary=b1?y"),
    CUT("boundary=b1@y"),
    CUT("boundary=b1[y]"),
    CUT("boundary=b1<y"),
    CUT("boundary=b1*y"),
    CUT("boundary=b1\\y"),
    CUT("boundary=b1\"y\""),
    CUT("boundary=(c)b1:y"),
    CUT("boundary=b1\x1f"),
    CUT("boundary=\"b1\x0b\""),
    CUT("boundary=b1\xc2\xa0"),
    CUT("boundary=us-ascii''b1"),
    CUT("boundary*0=b1; boundary*2=c"),
    CUT("boundary*=q; boundary*0=b1"),
    CUT("boundary*1=<b1>"),
    CUT("boundary*0=b; boundary*1=\"1\"; boundary*3=c"),
    CUT("boundary*0=b1,y"),
    CUT("boundary*0*=us-ascii''b1:y"),
    TYPE("multipart/mixed; boundary=----=_Part_1") "------\r\n" SECRET "\r\n--------\r\n",
    TYPE("multipart/mixed; boundary=b1:y") "--b1:y\r\n\r\nwords\r\n--b1\r\n" SECRET END "--b1:y--\r\n",
    TYPE("multipart/mixed; boundary=a:y") "--a:y\r\nContent-Type: multipart/mixed; boundary=<b1>\r\n\r\n--b1\r\n" SECRET
        END "--a:y--\r\n--a\r\nwords\r\n",
    /* Content where a report on delivery has fields. */
    MIXED STATUS "A: b\r\n\r\n\r\n" SECRET END,
    MIXED STATUS "A: b\r\n\r\n" SECRET END,
    MIXED STATUS "\r\n\r\n" SECRET END,
    MIXED STATUS "A: b\r\n c\r\n" SECRET END,
    /* Names of headers that are folded before their colon. */
    MIXED "Content-Transfer-Encoding\r\n : quoted-printable\r\n\r\n" SECRETQP END,
    MIXED "Content-Transfer-Encoding \r\n\t :quoted-printable\r\n\r\n" SECRETQP END,
    "MIME-Version: 1.0\r\nContent-Type\r\n : multipart/mixed; boundary=b1\r\n\r\n--b1\r\n" QP "\r\n" SECRETQP END,
    /* Attachments of calendars whose lines are folded inside words, and with quotes. */
    MIXED CALENDAR "ATT\r\n ACH;ENCODING=BASE64;VALUE=BINARY:" SECRET64 "\r\nEND:VEVENT" END,
    MIXED CALENDAR "ATTACH;VALUE=BINARY;ENC\r\n\tODING=BASE64:" SECRET64 "\r\nEND:VEVENT" END,
    MIXED CALENDAR "ATTACH;ENCODING=\"BASE64\";VALUE=BINARY:" SECRET64 "\r\nEND:VEVENT" END,
    /* Messages by names with something at their end. */
    MIXED "Content-Type: application/octet-stream; name=\"a.eml.\"\r\n\r\njunk\r\n" QP "\r\n" SECRETQP END,
    MIXED "Content-Type: application/octet-stream; name=\"a.eml\xc2\xa0\"\r\n\r\njunk\r\n" QP "\r\n" SECRETQP END,
    /* A soft line break with what is a blank to few. */
    MIXED QP "\r\n=54=\xa0\r\n=68e secret payload=21" END,
    /* The whole Content-Type as one encoded word. */
    TYPE("=?us-ascii?q?multipart/mixed;_boundary=3Db1?=") "--b1\r\n" SECRET END,
    TYPE("=?us-ascii?b?bXVsdGlwYXJ0L21peGVkOyBib3VuZGFyeT1iMQ==?=") "--b1\r\n" SECRET END,
};

START_TEST(extracts_what_some_reader_extracts)
{
    for (size_t i = 0; i < ARRAY_SIZE(mails); i++) {
        struct rig r = {.wanted = SPAN(SECRET)};
        ck_assert_int_eq(rig_split(&r, span_cstr(mails[i])), ERR_OK);
        if (!r.found || r.report.cut != 0)
            ck_abort_msg("cut %x, parts %.*s of %s", r.report.cut, SPAN_ARG(buf_span(&r.text)), mails[i]);
        rig_release(&r);
    }
}
END_TEST

START_TEST(of_a_part_with_more_names_than_are_kept_it_is_told)
{
    for (unsigned count = MIME_NAMES; count <= MIME_NAMES + 1; count++) {
        struct buf b;
        struct rig r = {0};
        buf_init(&b, 4096);
        MUST(buf_append(&b, SPAN(MIXED "Content-Type: application/octet-stream")) == ERR_OK);
        for (unsigned i = 0; i < count; i++)
            MUST(buf_printf(&b, "; name=%u.txt", i) == ERR_OK);
        MUST(buf_append(&b, SPAN("\r\n\r\nwords" END)) == ERR_OK);
        ck_assert_int_eq(rig_split(&r, buf_span(&b)), ERR_OK);
        ck_assert_uint_eq(r.report.cut, count > MIME_NAMES ? MIME_CUT_PARAMETERS : 0);
        rig_release(&r);
        buf_release(&b);
    }
}
END_TEST

/* HEAD, then COUNT times UNIT with a letter more in place of '@', and a part behind the boundary of the last one. */
static void split_behind_boundaries(struct rig *r, const char *head, const char *unit, unsigned count)
{
    char mail[4096];
    size_t at = (size_t)snprintf(mail, sizeof(mail), "%s", head);
    for (unsigned i = 0; i < count; i++)
        for (const char *c = unit; *c; c++)
            mail[at++] = (char)(*c == '@' ? 'a' + (int)i : *c);
    snprintf(mail + at, sizeof(mail) - at, "\r\n\r\n--%c\r\n" BASE64 "\r\n" SECRET64 "\r\n--%c--\r\n",
             (int)('a' + count - 1), (int)('a' + count - 1));
    ck_assert_int_eq(rig_split(r, span_cstr(mail)), ERR_OK);
}

START_TEST(of_a_boundary_with_more_forms_than_are_kept_it_is_told)
{
    static const struct {
        const char *head, *unit;
    } rows[] = {
        {"Content-Type: multipart/mixed", "; boundary=@"},
        {"Content-Type: multipart/mixed; boundary=a", " (boundary=@)"},
        {"Content-Type: multipart/mixed; x=\"", " boundary='@' "},
        {"Content-Type: multipart/mixed", "; boundary==?us-ascii?Q?@?="},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (unsigned count = 1; count <= 20; count++) {
            struct rig r = {.wanted = SPAN(SECRET)};
            split_behind_boundaries(&r, rows[i].head, rows[i].unit, count);
            unsigned cut = r.report.cut;
            MUST(r.found || cut == MIME_CUT_PARAMETERS);
            ck_assert_msg(count > 8 ? cut == MIME_CUT_PARAMETERS : count > 2 || cut == 0, "row %zu, %u forms: %u", i,
                          count, cut);
            rig_release(&r);
        }
}
END_TEST

START_TEST(the_same_boundary_again_and_again_is_no_limit)
{
    struct rig r = {.wanted = SPAN(SECRET)};
    split_behind_boundaries(&r, "Content-Type: multipart/mixed; boundary=a", "; boundary=\"a\"; x=@", 20);
    ck_assert_uint_eq(r.report.cut, 0);
    rig_release(&r);
}
END_TEST

/* One reader takes both boundaries apart: what is made of segments is no other form of the inner one. Behind so many
 * words, and with a delimiter inside, no reading finds the payload that does not go by both. */
START_TEST(a_boundary_in_segments_is_read_where_the_outer_one_has_another_form)
{
    static const char payload[] = "=4D=5A" SECRET "\r\n--\r\n\r\nand more of it\r\n";
    struct buf b;
    struct rig r = {.wanted = SPAN("MZ" SECRET "\r\n--\r\n\r\nand more of it")};
    buf_init(&b, 65536);
    MUST(buf_append(
             &b,
             SPAN(TYPE("multipart/mixed; boundary=<outer>") "--outer\r\nContent-Type: multipart/mixed; "
                                                            "boundary*0=\"=_in\"; boundary*1=ner\r\n\r\n--=_inner\r\n"
                                                            "Content-Type: application/octet-stream\r\n"
                                                            "Content-Transfer-Encoding: quoted-printable\r\n\r\n")) ==
         ERR_OK);
    MUST(buf_append(&b, SPAN(payload)) == ERR_OK);
    MUST(buf_append(&b, SPAN("--=_inner--\r\n\r\n--outer--\r\n")) == ERR_OK);
    ck_assert_int_eq(rig_split(&r, buf_span(&b)), ERR_OK);
    MUST(r.found && r.report.cut == 0);
    rig_release(&r);
    buf_release(&b);
}
END_TEST

#define BEHIND(parameters) TYPE("multipart/mixed; " parameters) "--xy\r\n" SECRET "\r\n--xy--\r\n"
#define WORDS(word)        "Content-Type: =?utf-8?q?" word "?="
START_TEST(what_stands_in_words_or_in_charsets_that_few_know_counts)
{
    static const struct {
        const char *mail, *paranoid;
    } rows[] = {
        {BEHIND("boundary*=utf-7''%2BAHg-y"), "Boundary"},
        {BEHIND("boundary*=utf-16be''%00x%00y; boundary=zz"), "Boundary"},
        {BEHIND("boundary*0*=cp037''%A7%A8"), "Boundary"},
        {BEHIND("boundary*=iso-2022-jp''x%1B(By"), "Boundary"},
        {BEHIND("boundary*=unicode_escape''%5Cx78y"), "Boundary"},
        {BEHIND("boundary*=never-heard-of''xz"), "Boundary"},
        {BEHIND("boundary=\"=?cp500?b?p6g=?=\""), "Boundary"},
        {BEHIND("boundary=\"=?hz?q?x~{~}y?=\""), "Boundary"},
        {BEHIND("boundary *=us-ascii''xy; boundary=zz"), "Boundary"},
        {BEHIND("boundary*99999999999=xy"), "Boundary"},
        {BEHIND("boundary*foo=xy"), NULL},
        {BEHIND("\"boundary\"=xy"), NULL},
        {BEHIND("boun(c)dary=xy"), NULL},
        {"Content-Type: =?cp037?b?lKSTo4mXgZmjYZSJp4WEXkCClqSVhIGZqH6nqA==?=\r\n\r\n--xy\r\n" SECRET "\r\n--xy--\r\n",
         "AmbiguousType"},
        {WORDS("message/rfc822") "\r\n\r\nA: b\r\n\r\n" SECRET, "AmbiguousType"},
        {WORDS("message/rfc822") "\r\n" BASE64 "\r\nQTogYg0KDQpUaGUgc2VjcmV0IHBheWxvYWQh", "AmbiguousType"},
        {WORDS("message/delivery-status") "\r\n\r\nA: b\r\n\r\n\r\n" SECRET, "AmbiguousType"},
        {WORDS("multipart/digest;_boundary=3Dxy") "\r\n\r\n--xy\r\n\r\nA: b\r\n\r\n" SECRET "\r\n--xy--\r\n",
         "AmbiguousType"},
        {WORDS("multipart/digest") "; boundary=xy\r\n\r\n--xy\r\n\r\nA: b\r\n\r\n" SECRET "\r\n--xy--\r\n",
         "AmbiguousType"},
        {TYPE("multipart/digest; boundary=xy") "--xy\r\nContent-Type: x\r\n\r\nA: b\r\n\r\n" SECRET "\r\n--xy--\r\n",
         NULL},
        {TYPE("multipart/digest; boundary=xy") "--xy\r\nContent-Type: (c)\r\n\r\nA: b\r\n\r\n" SECRET "\r\n--xy--\r\n",
         NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r = {.wanted = SPAN(SECRET)};
        ck_assert_int_eq(rig_split(&r, span_cstr(rows[i].mail)), ERR_OK);
        const char *reason = mime_defects_paranoid(r.report.defects);
        ck_assert_msg(r.found && r.report.cut == 0, "row %zu: %.*s", i, SPAN_ARG(buf_span(&r.text)));
        ck_assert_msg(rows[i].paranoid ? reason && strcmp(reason, rows[i].paranoid) == 0 : !reason, "row %zu: %s", i,
                      reason ? reason : "no reason");
        rig_release(&r);
    }
}
END_TEST

START_TEST(words_in_a_type_that_is_no_container_accuse_nobody)
{
    static const char *const texts[] = {
        WORDS("text/plain") "\r\n\r\n" SECRET,
        "Content-Type: text/plain; name=\"=?utf-8?q?message/rfc822?=\"\r\n\r\n" SECRET,
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct rig r = {.wanted = SPAN(SECRET)};
        ck_assert_int_eq(rig_split(&r, span_cstr(texts[i])), ERR_OK);
        MUST(r.found && !mime_defects_paranoid(r.report.defects));
        rig_release(&r);
    }
}
END_TEST

START_TEST(a_boundary_is_cut_only_where_a_line_is_what_is_left_of_it)
{
    static const struct {
        const char *mail;
        unsigned readings;
    } rows[] = {
        {TYPE("multipart/mixed; boundary=\"b1:y\"") "--b1:y\r\n\r\nwords\r\n--b1\r\nwords\r\n--b1:y--\r\n", 1},
        {TYPE("multipart/mixed; boundary=\"----=_1\"") "------=_1\r\n\r\nwords\r\n------\r\n------=_1--\r\n", 1},
        {TYPE("multipart/mixed; boundary=b1:y") "--b1:y\r\n\r\nwords\r\n--b2\r\nwords\r\n--b1:y--\r\n", 1},
        {TYPE("multipart/mixed; boundary=b1:y") "--b1:y\r\n\r\nwords\r\n--b1x\r\nwords\r\n--b1:y--\r\n", 1},
        {TYPE("multipart/mixed; boundary=b1:y") "--b1:y\r\n\r\nwords\r\n--b1\r\nwords\r\n--b1:y--\r\n", 3},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r = {0};
        ck_assert_int_eq(rig_split(&r, span_cstr(rows[i].mail)), ERR_OK);
        if (r.report.readings != rows[i].readings || r.report.cut != 0)
            ck_abort_msg("%u readings of %s", r.report.readings, rows[i].mail);
        rig_release(&r);
    }
}
END_TEST

/* What the splitter makes of HEAD, so many empty lines, and a message. */
static unsigned parts_behind(const char *head, unsigned lines)
{
    struct buf b;
    struct rig r = {.wanted = SPAN(SECRET)};
    buf_init(&b, 1 << 16);
    MUST(buf_append(&b, span_cstr(head)) == ERR_OK);
    while (lines-- > 0)
        MUST(buf_append(&b, SPAN("\r\n")) == ERR_OK);
    MUST(buf_append(&b, SPAN("A: b\r\n" QP "\r\n" SECRETQP)) == ERR_OK);
    ck_assert_int_eq(rig_split(&r, buf_span(&b)), ERR_OK);
    MUST(r.found);
    ck_assert_uint_eq(r.report.cut, 0);
    rig_release(&r);
    buf_release(&b);
    return r.parts;
}

START_TEST(empty_lines_in_front_of_messages_cost_no_levels)
{
    static const char *const heads[] = {MIXED "Content-Type: message/rfc822\r\n\r\n", "", MIXED "\r\n",
                                        MIXED "Content-Type: application/octet-stream; name=a.eml\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
        ck_assert_uint_eq(parts_behind(heads[i], 3), parts_behind(heads[i], 100));
    ck_assert_uint_eq(parts_behind(heads[0], 1), parts_behind(heads[0], 0)); /* nor is a forward read twice for one */
}
END_TEST

/* A listing of files, each indented, so that each ends where only some readers see it. */
START_TEST(many_small_files_in_one_text_are_no_limit)
{
    static const char *const files[] = {"  begin 644 a.txt\r\n  " UU "\r\n  `\r\n  end\r\n",
                                        "begin 644 a.txt\r\n" UU "\r\nwords\r\n`\r\nEND\r\n",
                                        " =ybegin line=128 size=19 name=a.txt\r\n " YENC "\r\n =yend size=19\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct buf b;
        struct rig r = {.wanted = SPAN(SECRET)};
        buf_init(&b, 1 << 16);
        MUST(buf_append(&b, SPAN("A: b\r\n\r\nSee:\r\n")) == ERR_OK);
        for (unsigned n = 0; n < 50; n++)
            MUST(buf_append(&b, span_cstr(files[i])) == ERR_OK);
        ck_assert_int_eq(rig_split(&r, buf_span(&b)), ERR_OK);
        MUST(r.found && r.parts > 50);
        ck_assert_uint_eq(r.report.cut, 0);
        rig_release(&r);
        buf_release(&b);
    }
}
END_TEST

/* HEAD, 200 parts between lines of no boundary, TAIL. */
static struct span crowded(struct buf *b, const char *head, const char *tail)
{
    buf_init(b, 1 << 16);
    MUST(buf_append(b, span_cstr(head)) == ERR_OK);
    for (unsigned i = 0; i < 200; i++)
        MUST(buf_printf(b, "--z\r\n\r\nwords %u\r\n", i) == ERR_OK);
    MUST(buf_append(b, span_cstr(tail)) == ERR_OK);
    return buf_span(b);
}

/* The payload is in reach of a reader that takes the last Content-Type and the last boundary in it; the reading in
 * which any line of dashes is a delimiter finds 200 other parts, in the message or in one inside it. */
START_TEST(readings_without_boundaries_leave_room_for_the_others)
{
    static const struct {
        const char *head, *tail;
    } rows[] = {
        {"Content-Type: multipart/mixed; boundary=(c)y\r\nContent-Type: multipart/mixed; boundary=x; "
         "boundary=b1\r\n\r\n",
         "--b1\r\n" QP "\r\n" SECRETQP END},
        {"Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=x; boundary=b1\r\n\r\n--x\r\n"
         "Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=(c)y\r\n\r\n",
         "--x--\r\n--b1\r\n" QP "\r\n" SECRETQP END},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf b;
        struct span message = crowded(&b, rows[i].head, rows[i].tail);
        struct rig r = {.wanted = SPAN(SECRET)};
        struct mime_limits limits = mime_limits_for(message.len);
        limits.parts = 100;
        ck_assert_int_eq(rig_split_limited(&r, message, &limits), ERR_OK);
        MUST(r.found && (r.readings & 1u << MIME_READING_ANY_DELIMITER) == 0);
        ck_assert_uint_eq(r.report.cut, MIME_CUT_PARTS); /* it is told that not all was read */
        MUST(mime_defects_have(r.report.defects, MIME_DEFECT_LIMIT));
        ck_assert_uint_le(r.parts, limits.parts);
        rig_release(&r);
        buf_release(&b);
    }
}
END_TEST

/* The payload is in reach of that reading alone, and all others cost more than may be spent on a message so long. */
START_TEST(the_reading_without_boundaries_is_not_starved_by_the_others)
{
    static const char head[] =
        "A : b\r\n \r\nX\r\nContent-Type: multipart/mixed; boundary=q; boundary=r\r\n"
        "Content-Type: multipart/mixed; boundary=\"s\"; boundary=\"t\\u\"\r\nContent-Transfer-Encoding : 7bit\r\n\r\n"
        "--q\r\n\r\nx\r\n--q--\r\n--q\r\nX: y\r\n\r\nz\r\n--qz\r\n\r\nv\r\n--zz\r\n" BASE64
        "\r\n!VGhlIHNlY3JldCBwYXlsb2FkIQ==\r\n--zz--\r\n";
    struct buf b;
    struct rig r = {.wanted = SPAN(SECRET)};
    buf_init(&b, 4 << 20);
    MUST(buf_append(&b, SPAN(head)) == ERR_OK);
    for (unsigned i = 0; i < 1 << 16; i++)
        MUST(buf_append(&b, SPAN("word word word word word word\r\n")) == ERR_OK);
    ck_assert_int_eq(rig_split(&r, buf_span(&b)), ERR_OK);
    MUST(r.found && (r.readings & 1u << MIME_READING_ANY_DELIMITER) != 0);
    ck_assert_uint_eq(r.report.cut, MIME_CUT_WORK); /* and it is told that not all was read */
    rig_release(&r);
    buf_release(&b);
}
END_TEST

/* What is not in the mail, or not for us to see, is told of whichever reader takes it for that, also where its octets
 * were handed out before. */
START_TEST(what_a_type_says_counts_in_every_reading)
{
    static const struct {
        const char *text;
        enum mime_defect defect; /* MIME_DEFECT_COUNT: none of these */
    } rows[] = {
        {"Content-Type: message/partial; id=a; number=1; total=2\r\n\r\nA: b\r\n\r\nwords", MIME_DEFECT_PARTIAL},
        {"Content-Type: text/plain\r\nContent-Type: message/partial; id=a\r\n\r\nA: b\r\n\r\nwords",
         MIME_DEFECT_PARTIAL},
        {"Content-Type: text/plain\r\nContent-Type: message/partial; id=a\r\n\r\nwords\r\nwords", MIME_DEFECT_PARTIAL},
        {"Content-Type: text/plain\r\nContent-Type: message/partial\r\nContent-Type: text/html\r\n\r\nwords",
         MIME_DEFECT_PARTIAL},
        {MIXED "Content-Type: text/plain\r\nContent-Type: message/partial; id=a\r\n\r\nA: b\r\n\r\nwords" END,
         MIME_DEFECT_PARTIAL},
        {"Content-Type: =?us-ascii?q?message/partial?=; id=a\r\n\r\nwords", MIME_DEFECT_PARTIAL},
        {"Subject: a\r\njunk\r\nContent-Type: message/partial; id=a\r\n\r\nwords", MIME_DEFECT_PARTIAL},
        {"Subject: a\r\n Content-Type: message/partial; id=a\r\n\r\nwords", MIME_DEFECT_PARTIAL},
        {"Subject: a\rContent-Type: message/partial; id=a\r\n\r\nwords", MIME_DEFECT_PARTIAL},
        {"Content-Type: text/plain\r\nContent-Type: message/external-body; access-type=URL\r\n\r\nA: b\r\n\r\n",
         MIME_DEFECT_EXTERNAL_BODY},
        {"Content-Type: text/plain\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n",
         MIME_DEFECT_ENCRYPTED_PGP},
        {"Content-Type: multipart/mixed; boundary=b1\r\nContent-Type: multipart/encrypted; boundary=b1\r\n\r\n--b1\r\n"
         "\r\nwords" END,
         MIME_DEFECT_ENCRYPTED_PGP},
        /* Quoted, it says nothing. */
        {"Content-Type: text/plain\r\n\r\nhello\r\n\r\nContent-Type: message/partial; id=a\r\n\r\nwords",
         MIME_DEFECT_COUNT},
        {MIXED "\r\n--other\r\nContent-Type: message/partial; id=a\r\n\r\nwords" END, MIME_DEFECT_COUNT},
        {"Content-Type: multipart/mixed\r\n\r\n> --\r\n> Content-Type: message/partial\r\n>\r\n> words",
         MIME_DEFECT_COUNT},
    };
    const enum mime_defect all[] = {MIME_DEFECT_PARTIAL, MIME_DEFECT_EXTERNAL_BODY, MIME_DEFECT_ENCRYPTED_PGP};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r = {0};
        ck_assert_int_eq(rig_split(&r, span_cstr(rows[i].text)), ERR_OK);
        for (size_t k = 0; k < ARRAY_SIZE(all); k++)
            ck_assert_msg(mime_defects_have(r.report.defects, all[k]) == (all[k] == rows[i].defect), "%s of %s",
                          mime_defect_word(all[k]), rows[i].text);
        rig_release(&r);
    }
}
END_TEST

/* Whoever takes a line for a delimiter, what stands behind it is judged alike: where any line may be one, and where
 * parts are carved out. */
START_TEST(what_stands_behind_dashes_is_told)
{
    static const struct {
        const char *text;
        enum mime_behind behind;
    } rows[] = {
        {"", MIME_BEHIND_PART},
        {"\r\nwords", MIME_BEHIND_PART},
        {" \t\r\nwords", MIME_BEHIND_PART},
        {"--\r\n", MIME_BEHIND_PART},
        {"\tfold\r\n", MIME_BEHIND_PART},
        {"a: b\r\n\r\nContent-Type: a/b", MIME_BEHIND_PART},
        {"a: b\r\n--\r\nContent-Type: a/b", MIME_BEHIND_PART},
        {"words\r\nand words\r\n", MIME_BEHIND_OTHER},
        {"words\r\ncontent-free words\r\n", MIME_BEHIND_OTHER},
        {"words\r\n\r\nContent-Type: a/b\r\n", MIME_BEHIND_OTHER},
        {"Content-Type: a/b", MIME_BEHIND_HEADERS},
        {"words\r\ncontent-type : a/b\r\n", MIME_BEHIND_HEADERS},
        {"1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n\f\xa0 Content-Type:\r\n", MIME_BEHIND_HEADERS},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_int_eq(mime_behind_dashes(span_cstr(rows[i].text), MIME_ENDS_LF, 0), rows[i].behind);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(names_are_seen_in_fields_without_a_type)                                                                         \
    X(extracts_what_some_reader_extracts)                                                                              \
    X(a_boundary_in_segments_is_read_where_the_outer_one_has_another_form)                                             \
    X(what_stands_in_words_or_in_charsets_that_few_know_counts)                                                        \
    X(words_in_a_type_that_is_no_container_accuse_nobody)                                                              \
    X(a_boundary_is_cut_only_where_a_line_is_what_is_left_of_it)                                                       \
    X(of_a_part_with_more_names_than_are_kept_it_is_told)                                                              \
    X(of_a_boundary_with_more_forms_than_are_kept_it_is_told)                                                          \
    X(the_same_boundary_again_and_again_is_no_limit)                                                                   \
    X(empty_lines_in_front_of_messages_cost_no_levels)                                                                 \
    X(many_small_files_in_one_text_are_no_limit)                                                                       \
    X(readings_without_boundaries_leave_room_for_the_others)                                                           \
    X(the_reading_without_boundaries_is_not_starved_by_the_others)                                                     \
    X(what_a_type_says_counts_in_every_reading)                                                                        \
    X(what_stands_behind_dashes_is_told)
#include "support/check_main.h"
