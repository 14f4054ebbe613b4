/* SPDX-License-Identifier: MIT */
/* What the splitter extracts: the ordinary reading of ordinary mail, and something for every class of mail that readers
 * take apart differently (B33, B34). */
#include "unit/mime/split_rig.h"
#include "unit/smtp/must.h"

/* The payload of most rows, and its encodings. */
#define SECRET   "The secret payload!"
#define SECRET64 "VGhlIHNlY3JldCBwYXlsb2FkIQ=="
#define TOP      "From: a@x.test\r\nMIME-Version: 1.0\r\n"
#define MIXED    TOP "Content-Type: multipart/mixed; boundary=b1\r\n\r\n"
#define BASE64   "Content-Transfer-Encoding: base64\r\n"
#define OCTETS   "Content-Type: application/octet-stream\r\n"
#define PART64   OCTETS BASE64 "\r\n" SECRET64 "\r\n"
#define END      "--b1--\r\n"
/* Nothing finds this one but a reader that knows where the part begins. */
#define PARTQP     OCTETS "Content-Transfer-Encoding: quoted-printable\r\n\r\n=54=68e secret payload=21\r\n"
#define TYPE(rest) TOP "Content-Type: multipart/mixed; " rest "\r\n\r\n"
/* What a reader sees that takes for parts what stands between other delimiters. */
#define DECOY(d) "--" d "\r\nContent-Type: text/plain\r\n\r\nwords\r\n"

START_TEST(hands_out_the_bodies_of_ordinary_mail_once)
{
    static const struct {
        const char *message, *parts;
    } rows[] = {
        {"A: b\r\n\r\nwords\r\n", "1=words..;"},
        {"\r\nbody", "1=body;"},
        {"A: b\r\n\r\n", ""},
        {"", ""},
        {TOP "\r\n", ""},
        {MIXED "--b1\r\n\r\none\r\n--b1\r\n\r\ntwo\r\n" END, "1=one;2=two;"},
        {MIXED "a preamble\r\n--b1\r\n\r\none\r\n" END "an epilogue\r\n", "1=one;"},
        {MIXED "--b1\r\n" PART64 END, "1=" SECRET ";"},
        {MIXED "--b1\r\nContent-Type: multipart/mixed; boundary=\"b 2\"\r\n\r\n--b 2\r\n\r\none\r\n--b "
               "2\r\n\r\ntwo\r\n--b 2--\r\n\r\n--b1\r\n\r\nthree\r\n" END,
         "1.1=one;1.2=two;2=three;"},
        {MIXED "--b1\r\n\r\none\r\n--b1\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n\r\ninner\r\n" END,
         "1=one;2.1=inner;"},
        {MIXED "--b1\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; "
               "boundary=b2\r\n\r\n--b2\r\n\r\none\r\n--b2\r\n\r\ntwo\r\n--b2--\r\n" END,
         "1.1=one;1.2=two;"},
        {TOP "Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc=C3=A4\r\n", "1=a=bc....;"},
        {MIXED "--b1\r\n\r\n" END, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r = {0};
        ck_assert_int_eq(rig_split(&r, span_cstr(rows[i].message)), ERR_OK);
        MUST(rig_text_is(&r, rows[i].parts));
        ck_assert_uint_eq(r.report.readings, rows[i].message[0] ? 1 : 0);
        ck_assert_uint_eq(r.report.cut, 0);
        ck_assert_ptr_null(mime_defects_paranoid(r.report.defects));
        rig_release(&r);
    }
}
END_TEST

/* Mails whose payload some reader extracts. */
struct evasion {
    const char *name, *message;
    const char *paranoid; /* NULL: sloppy, not an accusation */
};
static const struct evasion evasions[] = {
    {"two types, multipart first",
     TOP "Content-Type: multipart/mixed; boundary=b1\r\n" OCTETS "\r\n--b1\r\n" PART64 END, "DuplicateHeader"},
    {"two types, multipart last", TOP OCTETS "Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\n" PART64 END,
     "DuplicateHeader"},
    {"two encodings, right one last", TOP "Content-Transfer-Encoding: 7bit\r\n" BASE64 "\r\n" SECRET64 "\r\n",
     "DuplicateHeader"},
    {"the same header twice", TOP BASE64 BASE64 "\r\n" SECRET64 "\r\n", NULL},
    {"several types in one",
     TOP "Content-Type: multipart/mixed, application/octet-stream; boundary=b1\r\n\r\n--b1\r\n" PART64 END,
     "AmbiguousType"},
    {"boundary twice, right one last",
     TOP "Content-Type: multipart/mixed; boundary=x; boundary=b1\r\n\r\n--b1\r\n" PART64 END, "DuplicateParameter"},
    {"boundary in the other type",
     TOP "Content-Type: multipart/mixed\r\nContent-Type: text/plain; boundary=b1\r\n\r\n--b1\r\n" PART64 END,
     "DuplicateHeader"},
    {"boundary in segments", TOP "Content-Type: multipart/mixed; boundary*0=b; boundary*1=1\r\n\r\n--b1\r\n" PART64 END,
     "Boundary"},
    {"boundary percent-encoded",
     TOP "Content-Type: multipart/mixed; boundary*=us-ascii'en'b%31\r\n\r\n--b1\r\n" PART64 END, "Boundary"},
    {"boundary with escapes", TOP "Content-Type: multipart/mixed; boundary=\"b\\1\"\r\n\r\n--b1\r\n" PART64 END, NULL},
    {"boundary in brackets", TOP "Content-Type: multipart/mixed; boundary=<b1>\r\n\r\n--b1\r\n" PART64 END, "Boundary"},
    {"boundary with a blank", TOP "Content-Type: multipart/mixed; boundary=b 1\r\n\r\n--b 1\r\n" PART64 "--b 1--\r\n",
     NULL},
    {"boundary never seen", TOP "Content-Type: multipart/mixed; boundary=b1\r\n" BASE64 "\r\n" SECRET64 "\r\n", NULL},
    {"no boundary", TOP "Content-Type: multipart/mixed\r\n" BASE64 "\r\n" SECRET64 "\r\n", NULL},
    {"multipart that calls itself text", TOP "Content-Type: text/plain; boundary=b1\r\n\r\n--b1\r\n" PART64 END, NULL},
    {"type in quotes", TOP "Content-Type: \"multipart/mixed\"; boundary=b1\r\n\r\n--b1\r\n" PART64 END, NULL},
    {"delimiter with junk", MIXED "--b1 junk\r\n" PART64 END, NULL},
    {"delimiter with blanks", MIXED "--b1 \t\r\n" PART64 END, NULL},
    {"a false delimiter inside",
     TOP "Content-Type: multipart/mixed; boundary=_\r\n\r\n--_\r\n" OCTETS BASE64
         "\r\nVGhlIHNlY3Jl\r\n--_.\r\ndCBwYXlsb2FkIQ==\r\n--_--\r\n",
     NULL},
    {"outer boundary is a prefix",
     MIXED "--b1\r\nContent-Type: multipart/mixed; boundary=b1x\r\n\r\n--b1x\r\n" PART64 "--b1x--\r\n" END, NULL},
    {"no closing delimiter", MIXED "--b1\r\n" PART64, NULL},
    {"part after the end", MIXED "--b1\r\n\r\nx\r\n" END "--b1\r\n" PART64 END, NULL},
    {"boundary empty", TYPE("boundary=\"\"") "--\r\n" PARTQP "----\r\n", "Boundary"},
    {"boundary empty for one reader", TYPE("boundary=") "--\r\n" PARTQP "----\r\n", "Boundary"},
    {"boundary in words of RFC 2047", TYPE("boundary=\"=?us-ascii?Q?b1?=\"") "--b1\r\n" PARTQP END, "Boundary"},
    {"boundary in segments with a gap", TYPE("boundary*5=b1") "--b1\r\n" PARTQP END, "Boundary"},
    {"boundary with a comment in front", TYPE("boundary=(c)b1") "--b1\r\n" PARTQP END, "Boundary"},
    {"boundary with a comment behind", TYPE("boundary=b1(c)") "--b1\r\n" PARTQP END, "Boundary"},
    {"boundary's name with a comment", TYPE("(c)boundary=b1") "--b1\r\n" PARTQP END, NULL},
    {"boundary folded inside its quotes", TYPE("boundary=\"b\r\n 1\"") "--b 1\r\n" PARTQP "--b 1--\r\n", "Boundary"},
    {"boundary folded at its end", TYPE("boundary=\"b1\r\n \"") "--b1\r\n" PARTQP END, "Boundary"},
    {"boundary up to a special", TYPE("boundary=b1/x") "--b1\r\n" PARTQP END, "Boundary"},
    {"boundary up to a quote", TYPE("boundary=b1\"x\"") "--b1\r\n" PARTQP END, "Boundary"},
    {"boundary behind an odd quote", TYPE("x=a\"; boundary=b1") "--b1\r\n" PARTQP END, NULL},
    {"boundary in another charset", TYPE("boundary*=iso-8859-1''b%E9") "--b\xc3\xa9\r\n" PARTQP "--b\xc3\xa9--\r\n",
     "Boundary"},
    {"another boundary among parts", TYPE("boundary=b1(c)") DECOY("b1(c)") "--b1\r\n" PARTQP END "--b1(c)--\r\n", NULL},
    {"another boundary before parts", TYPE("boundary=c; boundary*5=b1") "--b1\r\n" PARTQP END DECOY("c") "--c--\r\n",
     "Boundary"},
    {"a type that is none, and a boundary", TOP "Content-Type: x; boundary=(c)b1\r\n\r\n--b1\r\n" PARTQP END, NULL},
    {"a message by its name",
     TOP "Content-Type: application/octet-stream; name=x.EML\r\n\r\njunk\r\nContent-Transfer-Encoding: "
         "quoted-printable\r\n\r\n=54=68e secret payload=21",
     "HiddenHeader"},
    {"base64 in a text, as uuencode writes it",
     TOP "\r\nSee:\r\nbegin-base64 644 a.txt\r\n" SECRET64 "\r\n====\r\nwords\r\n", NULL},
    {"signed by S/MIME",
     TOP "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\n\r\n"
         "\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01\x31\x03\x30\x01\x01\x30\x80"
         "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x80\x24\x80\x04\x36"
         "Content-Transfer-Encoding: quoted-printable\r\n\r\n=54=68e"
         "\x04\x12 secret payload=21",
     NULL},
    {"blank before a header", MIXED "--b1\r\n" OCTETS " " BASE64 "\r\n" SECRET64 "\r\n" END, "HiddenHeader"},
    {"blank before the first header", MIXED "--b1\r\n " BASE64 "\r\n" SECRET64 "\r\n" END, "HiddenHeader"},
    {"blank before the type", TOP " Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\n" PART64 END,
     "HiddenHeader"},
    {"blank before the colon", MIXED "--b1\r\nContent-Transfer-Encoding : base64\r\n\r\n" SECRET64 "\r\n" END, NULL},
    {"no empty line", MIXED "--b1\r\n" BASE64 SECRET64 "\r\n" END, NULL},
    {"garbage for the empty line", MIXED "--b1\r\n" BASE64 "<\r\n" SECRET64 "\r\n" END, NULL},
    {"blanks for the empty line", MIXED "--b1\r\n" BASE64 " \t\r\n" SECRET64 "\r\n" END, NULL},
    {"LF CR for the empty line", MIXED "--b1\r\nContent-Transfer-Encoding: base64\n\r" SECRET64 "\r\n" END, NULL},
    {"junk between headers", MIXED "--b1\r\nA: b\r\njunk\r\n" BASE64 "\r\n" SECRET64 "\r\n" END, "HiddenHeader"},
    {"a byte order mark", "\xef\xbb\xbf" MIXED "--b1\r\n" PART64 END, NULL},
    {"an empty line in front", "\r\n" MIXED "--b1\r\n" PART64 END, NULL},
    {"a mailbox line in front", "From a Sat Nov 21 20:00:00 2026\r\n" MIXED "--b1\r\n" PART64 END, NULL},
    {"CR only",
     "Content-Type: multipart/mixed; boundary=b1\r\r--b1\rContent-Transfer-Encoding: base64\r\r" SECRET64 "\r--b1--\r",
     NULL},
    {"LF only",
     "Content-Type: multipart/mixed; boundary=b1\n\n--b1\nContent-Transfer-Encoding: base64\n\n" SECRET64 "\n--b1--\n",
     NULL},
    {"LF among CRLF", MIXED "--b1\nContent-Transfer-Encoding: base64\r\n\n" SECRET64 "\n--b1--\r\n", NULL},
    {"padding inside, streams", TOP BASE64 "\r\nVGhlIHNlY3JldA==\r\nIHBheWxvYWQh\r\n", "Base64"},
    {"padding inside, ignored", TOP BASE64 "\r\nVGhl=IHNlY3JldCBwYXlsb2FkIQ==\r\n", "Base64"},
    {"junk inside base64", TOP BASE64 "\r\nVG*hlIHN!lY3JldCBw*YXlsb2FkIQ==\r\n", NULL},
    {"junk after base64", TOP BASE64 "\r\n" SECRET64 "\r\n_____\r\nA list's footer.\r\n", NULL},
    {"base64 in pieces of three", TOP BASE64 "\r\nVGh\r\nlIH\r\nNlY\r\n3Jl\r\ndCB\r\nwYX\r\nlsb\r\n2Fk\r\nIQ==\r\n",
     NULL},
    {"soft break with a blank", TOP "Content-Transfer-Encoding: quoted-printable\r\n\r\nThe secret= \r\n payload!",
     NULL},
    {"soft break with CRCRLF", TOP "Content-Transfer-Encoding: quoted-printable\r\n\r\nThe secret=\r\r\n payload!",
     NULL},
    {"soft break with junk", TOP "Content-Transfer-Encoding: quoted-printable\r\n\r\nThe secret=\rjunk\n payload!",
     NULL},
    {"lower-case escapes", TOP "Content-Transfer-Encoding: quoted-printable\r\n\r\nThe secre=74 =70ayload!", NULL},
    {"encoding unknown", TOP "Content-Transfer-Encoding: x-new\r\n\r\n" SECRET64 "\r\n", NULL},
    {"encoding doubled", TOP "Content-Transfer-Encoding: 7bit base64\r\n\r\n" SECRET64 "\r\n", "Encoding"},
    {"encoding with a comment", TOP "Content-Transfer-Encoding: base64 (x)\r\n\r\n" SECRET64 "\r\n", NULL},
    {"encoding not declared", TOP "\r\n" SECRET64 "\r\n", NULL},
    {"encoding lies", TOP "Content-Transfer-Encoding: quoted-printable\r\n\r\n" SECRET64 "\r\n", NULL},
    {"no headers at all", SECRET, NULL},
    {"declared base64, is none", TOP BASE64 "\r\nThe secret payload!", NULL},
    {"uuencode in a text", TOP "\r\nSee:\r\nbegin 644 a.txt\r\n35&AE('-E8W)E=\"!P87EL;V%D(0\r\n`\r\nend\r\n", NULL},
    {"uuencode declared",
     TOP "Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a.txt\r\n35&AE('-E8W)E=\"!P87EL;V%D(0\r\n`\r\nend\r\n",
     NULL},
    {"uuencode over a line that begins as its end does",
     TOP "\r\nbegin 644 a.txt\r\n35&AE('-E8W)E=\"!P87EL;V%D(0\r\nendless\r\n`\r\nend\r\n", NULL},
    {"uuencode without a mode", TOP "\r\nbegin  a.txt\r\n35&AE('-E8W)E=\"!P87EL;V%D(0\r\n`\r\nend\r\n", NULL},
    {"uuencode over another's begin",
     TOP "\r\nbegin 644 a.txt\r\n*5&AE('-E8W)E=\r\nbegin 644 b.txt\r\n)('!A>6QO860A\r\n`\r\nend\r\n", NULL},
    {"attached to a calendar's entry",
     TOP "Content-Type: text/calendar\r\n\r\nBEGIN:VEVENT\r\nATTACH;VALUE=BINARY;ENCODING=BASE64;\r\n "
         "X-FILENAME=a.exe:VGhlIHNlY3JldC\r\n BwYXlsb2FkIQ==\r\nEND:VEVENT\r\n",
     NULL},
    {"a message that begins as CMS does",
     MIXED "--b1\r\nContent-Type: message/rfc822\r\n" BASE64
           "\r\nMIAGCSqGSIb3DQEHASBqdW5rDQpDb250ZW50LVRyYW5zZmVyLUVuY29kaW5nOiBiYXNlNjQNCg0K\r\n"
           "VkdobElITmxZM0psZENCd1lYbHNiMkZrSVE9PQ0K\r\n" END,
     "HiddenHeader"},
    {"a message by its name, that begins as TNEF does",
     MIXED "--b1\r\nContent-Type: application/octet-stream; name=a.eml\r\n" BASE64
           "\r\neJ8+IiBqdW5rDQpDb250ZW50LVRyYW5zZmVyLUVuY29kaW5nOiBiYXNlNjQNCg0KVkdobElITmxZ\r\n"
           "M0psZENCd1lYbHNiMkZrSVE9PQ0K\r\n" END,
     "HiddenHeader"},
    {"a message that is called wide",
     MIXED "--b1\r\nContent-Type: message/rfc822; charset=utf-16\r\n" BASE64
           "\r\nQTogYg0KQ29udGVudC1UcmFuc2Zlci1FbmNvZGluZzogYmFzZTY0DQoNClZHaGxJSE5sWTNKbGRD\r\n"
           "QndZWGxzYjJGa0lRPT0NCg==\r\n" END,
     NULL},
    {"uuencode in a text that begins as an archive does",
     TOP "\r\nPK\3\4\r\nbegin 644 a.txt\r\n35&AE('-E8W)E=\"!P87EL;V%D(0\r\n`\r\nend\r\n", NULL},
    {"base64 as uuencode", TOP "\r\nbegin-base64 644 a.txt\r\n" SECRET64 "\r\n====\r\n", NULL},
    {"a message by its name, after lines that are no headers",
     MIXED "--b1\r\nContent-Type: application/octet-stream; name=a.EML\r\n\r\nwords\r\n" BASE64 "\r\n" SECRET64
           "\r\n" END,
     "HiddenHeader"},
    {"a message by its name, after empty lines",
     MIXED "--b1\r\nContent-Type: application/octet-stream; name=a.eml\r\n\r\n\r\n" BASE64 "\r\n" SECRET64 "\r\n" END,
     NULL},
    {"signed mail, its content inside",
     MIXED "--b1\r\nContent-Type: application/pkcs7-mime; smime-type=signed-data\r\n" BASE64
           "\r\nMIAGCSqGSIb3DQEHAqCAMIACAQExADCABgkqhkiG9w0BBwGggARDQ29udGVudC1UcmFuc2Zlci1F\r\n"
           "bmNvZGluZzogYmFzZTY0DQoNClZHaGxJSE5sWTNKbGRDQndZWGxzYjJGa0lRPT0NCgAAAAAAAAAA\r\n"
           "AAA=\r\n" END,
     NULL},
    {"yEnc in a text",
     TOP "\r\n=ybegin line=128 size=19 "
         "name=a.txt\r\n~\x92\x8fJ\x9d\x8f\x8d\x9c\x8f\x9eJ\x9a\x8b\xa3\x96\x99\x8b\x8eK\r\n=yend size=19\r\n",
     NULL},
    {"message in base64",
     MIXED "--b1\r\nContent-Type: message/rfc822\r\n" BASE64 "\r\nQTogYg0KDQpUaGUgc2VjcmV0IHBheWxvYWQh\r\n" END, NULL},
    {"message that claims base64",
     MIXED "--b1\r\nContent-Type: message/rfc822\r\n" BASE64 "\r\nA: b\r\n\r\n" SECRET "\r\n" END, NULL},
    {"multipart in base64",
     TOP "Content-Type: multipart/mixed; boundary=b1\r\n" BASE64
         "\r\nLS1iMQ0KDQpUaGUgc2VjcmV0IHBheWxvYWQhDQotLWIxLS0NCg==\r\n",
     NULL},
    {"message that begins with an empty line",
     TOP "Content-Type: message/x-any\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\r\n" SECRET, NULL},
    {"digest's default type",
     TOP "Content-Type: multipart/digest; boundary=b1\r\n\r\n--b1\r\n\r\nA: b\r\n\r\n" SECRET "\r\n" END, NULL},
    {"boundary in brackets and quotes",
     TOP "Content-Type: multipart/mixed; boundary=\"<b1>\"\r\n\r\n--b1\r\n" PART64 "--b1--\r\n", "Boundary"},
    {"boundary in quotes twice",
     TOP "Content-Type: multipart/mixed; boundary=\"\\\"b1\\\"\"\r\n\r\n--b1\r\n" PART64 "--b1--\r\n", "Boundary"},
    {"boundary of one blank", TOP "Content-Type: multipart/mixed; boundary=\" \"\r\n\r\n--\r\n" PART64 "----\r\n",
     "Boundary"},
    {"empty boundary", TOP "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n" PART64 "----\r\n", "Boundary"},
    {"quotes in a boundary", TOP "Content-Type: multipart/mixed; boundary=b\"1\"\r\n\r\n--b1\r\n" PART64 "--b1--\r\n",
     "Boundary"},
    {"comment behind a boundary",
     TOP "Content-Type: multipart/mixed; boundary=b1(c)\r\n\r\n--b1\r\n" PART64 "--b1--\r\n", "Boundary"},
    {"comment before a boundary",
     TOP "Content-Type: multipart/mixed; boundary=(c)b1\r\n\r\n--b1\r\n" PART64 "--b1--\r\n", "Boundary"},
    {"comment before the parameter",
     TOP "Content-Type: multipart/mixed; (c) boundary=b1\r\n\r\n--b1\r\n" PART64 "--b1--\r\n", NULL},
    {"boundary in UTF-7",
     TOP "Content-Type: multipart/mixed; boundary*=utf-7''+AGI-1\r\n\r\n--b1\r\n" PART64 "--b1--\r\n", "Boundary"},
    {"boundary in UTF-16",
     TOP "Content-Type: multipart/mixed; boundary*=utf-16le''b%001%00\r\n\r\n--b1\r\n" PART64 "--b1--\r\n", "Boundary"},
    {"two first segments",
     TOP "Content-Type: multipart/mixed; boundary*0=x; boundary*0=b; boundary*1=1\r\n\r\n--b1\r\n" PART64 "--b1--\r\n",
     "Boundary"},
    {"segments that begin at three",
     TOP "Content-Type: multipart/mixed; boundary*5=1; boundary*3=b\r\n\r\n--b1\r\n" PART64 "--b1--\r\n", "Boundary"},
    {"quote escaped outside quotes",
     TOP "Content-Type: multipart/mixed; name=a\\\"; boundary=b1\r\n\r\n--b1\r\n" PART64 "--b1--\r\n", NULL},
    {"quote inside a token",
     TOP "Content-Type: multipart/mixed; name=a\"b; boundary=b1\r\n\r\n--b1\r\n" PART64 "--b1--\r\n", NULL},
    {"quote behind the type",
     TOP "Content-Type: multipart/mixed\\\"; name=\"a;b\"; boundary=\"b1\"\r\n\r\n--b1\r\n" PART64 "--b1--\r\n", NULL},
    {"quote inside the type",
     TOP "Content-Type: mult\\\"ipart/mixed; boundary=\"b1\"\r\n\r\n--b1\r\n" PART64 "--b1--\r\n", NULL},
    {"boundary as a word of RFC 2047",
     TOP "Content-Type: multipart/mixed; boundary=\"=?utf-8?q?=621?=\"\r\n\r\n--b1\r\n" PART64 "--b1--\r\n",
     "Boundary"},
    {"type as a word of RFC 2047",
     TOP "Content-Type: =?utf-8?b?bXVsdGlwYXJ0L21peGVkOyBib3VuZGFyeT1iMQ==?=\r\n\r\n--b1\r\n" PART64 "--b1--\r\n",
     "AmbiguousType"},
    {"boundary in the middle of three",
     TOP "Content-Type: multipart/mixed; boundary=x; boundary=b1; boundary=x\r\n\r\n--b1\r\n" PART64 "--b1--\r\n",
     "DuplicateParameter"},
    {"boundary missing, parts there", TOP "Content-Type: multipart/mixed\r\n\r\n--b1\r\n" PART64 "--b1--\r\n",
     "Boundary"},
    {"another boundary than promised",
     TOP "Content-Type: multipart/mixed; boundary=b2\r\n\r\n--b1\r\n" PART64 "--b1--\r\n", "Boundary"},
    {"type in the middle of three",
     TOP OCTETS "Content-Type: multipart/mixed; boundary=b1\r\n" OCTETS "\r\n--b1\r\n" PART64 END, "DuplicateHeader"},
    {"encoding in the middle of three",
     TOP "Content-Transfer-Encoding: 7bit\r\n" BASE64 "Content-Transfer-Encoding: 7bit\r\n\r\n" SECRET64 "\r\n",
     "DuplicateHeader"},
    {"a mailbox line begins the body",
     MIXED "--b1\r\n" BASE64 "From !!!!\r\n"
           "\r\n" SECRET64 "\r\n" END,
     NULL},
    {"a form feed before a header", MIXED "--b1\r\n" OCTETS "\f" BASE64 "\r\n" SECRET64 "\r\n" END, "HiddenHeader"},
    {"encoding with a comment inside", TOP "Content-Transfer-Encoding: b(c)ase64\r\n\r\n!" SECRET64 "\r\n", NULL},
    {"encoding as part of a word", TOP "Content-Transfer-Encoding: _base64abc\r\n\r\n!" SECRET64 "\r\n", NULL},
    {"encoding as a word of RFC 2047", TOP "Content-Transfer-Encoding: =?utf-8?q?b=61se64?=\r\n\r\n!" SECRET64 "\r\n",
     NULL},
    {"encoding in two lines", TOP "Content-Transfer-Encoding: base\r\n 64\r\n\r\n!" SECRET64 "\r\n", NULL},
    {"encoding unknown, with junk", TOP "Content-Transfer-Encoding: x-new\r\n\r\n!" SECRET64 "\r\n", NULL},
    {"encoding unknown, quoted-printable", TOP "Content-Transfer-Encoding: x-new\r\n\r\n=54he secret payload!", NULL},
    {"padding that ends a group of one", TOP BASE64 "\r\nA=" SECRET64 "\r\n", "Base64"},
    {"junk behind padding, then more", TOP BASE64 "\r\nVGhlIHNl=!Y3JldCBwYXlsb2FkIQ==\r\n", NULL},
    {"a status report's third block",
     MIXED "--b1\r\nContent-Type: message/delivery-status\r\n\r\nA: b\r\n\r\nC: d\r\n\r\n" BASE64 "!" SECRET64
           "\r\n" END,
     NULL},
    {"parts that cannot be told from their dashes",
     TOP "Content-Type: multipart/mixed\r\n\r\n--b1\r\n" OCTETS BASE64
         "\r\nVGhlIHNl\r\n--!!\r\nY3JldCBwYXlsb2FkIQ==\r\n--b1--\r\n",
     "Boundary"},
    {"other message type", MIXED "--b1\r\nContent-Type: message/x-any\r\n\r\nA: b\r\n\r\n" SECRET "\r\n" END, NULL},
};

START_TEST(extracts_what_some_reader_extracts)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < ARRAY_SIZE(evasions); i++) {
        struct rig r = {.wanted = SPAN(SECRET)};
        ck_assert_int_eq(rig_split(&r, span_cstr(evasions[i].message)), ERR_OK);
        const char *paranoid = mime_defects_paranoid(r.report.defects);
        bool same = strcmp(paranoid ? paranoid : "", evasions[i].paranoid ? evasions[i].paranoid : "") == 0;
        if (!r.found || !same || r.report.cut != 0) {
            wrong++;
            fprintf(stderr, "%s: %s, Paranoid.%s, cut %x: %.*s\n", evasions[i].name, r.found ? "found" : "not found",
                    paranoid ? paranoid : "(none)", r.report.cut, SPAN_ARG(buf_span(&r.text)));
        }
        rig_release(&r);
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* Where the payload is aligned by what stands before it, that is part of what a reader extracts. */
START_TEST(extracts_what_stands_behind_a_few_octets_of_junk)
{
    static const char *const messages[] = {
        MIXED "--b1\r\n" BASE64 ">From abcd\r\nVGhl:IHNl\r\nY3JldCBw:YXlsb2FkIQ==\r\n" END,
        MIXED "--b1\r\n" BASE64 "From abcd\r\n\r\n!" SECRET64 "\r\n" END,
        TOP BASE64 "\r\n=!AAA" SECRET64 "\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        struct rig r = {0};
        ck_assert_int_eq(rig_split(&r, span_cstr(messages[i])), ERR_OK);
        MUST(span_find_span(buf_span(&r.text), SPAN(SECRET)) < buf_len(&r.text));
        rig_release(&r);
    }
}
END_TEST

START_TEST(extracts_from_wide_messages)
{
    static const char text[] = "A: b\r\n\r\n" SECRET;
    char wide[4 * sizeof(text) + 4] = "\xff\xfe";
    size_t n = 2;
    for (size_t i = 0; i + 1 < sizeof(text); i++) {
        wide[n++] = text[i];
        wide[n++] = '\0';
    }
    struct rig r = {.wanted = SPAN(SECRET)};
    ck_assert_int_eq(rig_split(&r, span_of(wide, n)), ERR_OK);
    MUST(mime_defects_have(r.report.defects, MIME_DEFECT_WIDE_MESSAGE));
    ck_assert_str_eq(mime_defects_paranoid(r.report.defects), "Charset");
    MUST(span_find_span(buf_span(&r.text), SPAN(SECRET)) < buf_len(&r.text));
    rig_release(&r);
}
END_TEST

START_TEST(extracts_from_headers_with_nul)
{
    static const char message[] = MIXED "--b1\r\nContent-Transfer-Enc\0oding: base64\r\n\r\n" SECRET64 "\r\n" END;
    struct rig r = {.wanted = SPAN(SECRET)};
    ck_assert_int_eq(rig_split(&r, span_of(message, sizeof(message) - 1)), ERR_OK);
    MUST(r.found);
    rig_release(&r);
}
END_TEST

static const char *extracted_program(const char *message)
{
    struct rig r = {0};
    ck_assert_int_eq(rig_split(&r, span_cstr(message)), ERR_OK);
    const char *paranoid = mime_defects_paranoid(r.report.defects);
    rig_release(&r);
    return paranoid;
}

START_TEST(accuses_readings_only_where_content_differs_that_matters)
{
    /* "PK\3\4…" in base64, behind a delimiter that only tolerant readers see, and behind one that all see. */
    ck_assert_str_eq(extracted_program(MIXED "--b1 x\r\n" OCTETS BASE64 "\r\nUEsDBAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n" END),
                     "Readings");
    ck_assert_ptr_null(
        extracted_program(MIXED "--b1\r\n" OCTETS BASE64 "\r\nUEsDBAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n" END));
    ck_assert_ptr_null(extracted_program(MIXED "--b1 x\r\nContent-Type: text/plain\r\n\r\nwords\r\n" END));
}
END_TEST

START_TEST(accuses_multiparts_without_parts_only_where_parts_are)
{
    static const struct {
        const char *message;
        bool accused;
    } rows[] = {
        {MIXED, false}, /* a bounce that was cut */
        {MIXED "words\r\n-- \r\na signature: of somebody\r\n", false},
        {MIXED "--- a/file\r\n+++ b/file\r\n", false},
        {MIXED "--b2\r\n\r\nwords\r\n", false},
        {MIXED "--b2\r\nContent-Type: text/plain\r\n\r\nwords\r\n--b2--\r\n", true},
        {MIXED "--b1\r\n\r\nx\r\n--b2\r\nContent-Type: text/plain\r\n\r\nwords\r\n" END, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r = {0};
        ck_assert_int_eq(rig_split(&r, span_cstr(rows[i].message)), ERR_OK);
        ck_assert_int_eq(mime_defects_have(r.report.defects, MIME_DEFECT_BOUNDARY_UNSEEN), rows[i].accused);
        rig_release(&r);
    }
}
END_TEST

/* All that a reader leaves in doubt at once, in as few octets as possible. */
START_TEST(a_tiny_message_full_of_doubts_ends)
{
    static const char message[] =
        "Content-Type: a/b; boundary=x\rContent-Type: multipart/mixed; boundary=y; boundary=\"<z>\"\r\nContent-Type: "
        "c/d\n"
        " Content-Type: e/f\r\n\fContent-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding : base64\r\n"
        "Content-Transfer-Encoding: x\r\nFrom a\r\njunk\r\n \r\n--y junk\r\nA: b\r\n\r\nx\n--y--\r\n--y\r\n\r\nz\r\n";
    struct rig r = {0};
    ck_assert_int_eq(rig_split(&r, SPAN(message)), ERR_OK);
    struct mime_limits limits = mime_limits_for(sizeof(message));
    MUST(r.report.readings > 100 && r.report.readings <= limits.work / 4096 + 1);
    rig_release(&r);
}
END_TEST

static enum err take_text(void *arg, const struct mime_part *part)
{
    return buf_printf(arg, "%s=%.*s;", part->path, SPAN_ARG(part->octets));
}

START_TEST(looks_into_what_another_reader_found)
{
    static const char mail[] = "Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\n" PART64 END;
    struct mime_part found = {.path = "3", .type = "message/rfc822", .octets = SPAN(mail)};
    struct mime_limits limits = mime_limits_for(1000);
    struct mime_report report;
    struct buf text;
    buf_init(&text, 4096);
    ck_assert_int_eq(mime_split(SPAN("A: b\r\n\r\nx"), &limits, take_text, &text, &report), ERR_OK);
    unsigned parts = report.parts;
    ck_assert_int_eq(mime_split_found(&found, &limits, take_text, &text, &report), ERR_OK);
    ck_assert_uint_eq(report.parts, parts + 2); /* the message, and what is in it */
    MUST(span_find_span(buf_span(&text), SPAN("3.1=" SECRET ";")) < buf_len(&text));
    MUST(!mime_defects_have(report.defects, MIME_DEFECT_READINGS_DIFFER));
    /* A program that only that reader sees is an accusation; a limit that was reached before still holds. */
    found = (struct mime_part){.path = "4", .type = "text/plain", .octets = SPAN("PK\3\4............")};
    ck_assert_int_eq(mime_split_found(&found, &limits, take_text, &text, &report), ERR_OK);
    MUST(mime_defects_have(report.defects, MIME_DEFECT_READINGS_DIFFER));
    limits.parts = report.parts;
    found.octets = SPAN("PK\3\4");
    ck_assert_int_eq(mime_split_found(&found, &limits, take_text, &text, &report), ERR_OK);
    ck_assert_uint_eq(report.cut, MIME_CUT_PARTS);
    MUST(mime_defects_have(report.defects, MIME_DEFECT_LIMIT));
    buf_release(&text);
}
END_TEST

START_TEST(finds_messages_in_decoded_ones_past_their_nul)
{
    /* "Content-Type: multipart/mixed; bou\0ndary=b2 … base64" inside base64 */
    static const char inner[] =
        "Content-Type: multipart/mixed; bou\0ndary=b2\r\n\r\n--b2\r\n" BASE64 "\r\n" SECRET64 "\r\n--b2--\r\n";
    struct mime_part found = {.path = "1", .type = "message/rfc822", .octets = {inner, sizeof(inner) - 1}};
    struct mime_limits limits = mime_limits_for(1000);
    struct mime_report report = {0};
    struct buf text;
    buf_init(&text, 8192);
    ck_assert_int_eq(mime_split_found(&found, &limits, take_text, &text, &report), ERR_OK);
    MUST(span_find_span(buf_span(&text), SPAN("=" SECRET ";")) < buf_len(&text));
    buf_release(&text);
}
END_TEST

START_TEST(any_cut_of_any_message_is_fine)
{
    for (size_t i = 0; i < ARRAY_SIZE(evasions); i++) {
        struct span message = span_cstr(evasions[i].message);
        for (size_t len = i % 7; len <= message.len; len += 7) { /* each by itself; the fuzz target tries them all */
            struct rig r = {0};
            ck_assert_int_eq(rig_split(&r, span_sub(message, 0, len)), ERR_OK);
            rig_release(&r);
        }
    }
}
END_TEST

START_TEST(ends_with_what_the_sink_says)
{
    static const char message[] = MIXED "--b1\r\n\r\none\r\n--b1\r\n\r\ntwo\r\n--b1\r\n\r\nthree\r\n" END;
    for (unsigned after = 0; after < 3; after++) {
        struct rig r = {.stop = ERR_CLOSED, .stop_after = after};
        ck_assert_int_eq(rig_split(&r, span_cstr(message)), ERR_CLOSED);
        ck_assert_uint_eq(r.parts, after + 1);
        rig_release(&r);
    }
}
END_TEST

START_TEST(says_which_limit_cut_something_off)
{
    static const char deep[] =
        MIXED "--b1\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx\r\n" END;
    static const char encoded[] =
        MIXED "--b1\r\nContent-Type: message/rfc822\r\n" BASE64 "\r\nQTogYg0KDQpUaGUgc2VjcmV0IHBheWxvYWQh\r\n" END;
    static const char many[] = MIXED "--b1\r\n\r\n1\r\n--b1\r\n\r\n2\r\n--b1\r\n\r\n3\r\n" END;
    char parameters[4096];
    size_t at = (size_t)snprintf(parameters, sizeof(parameters), "Content-Type: multipart/mixed");
    for (unsigned i = 0; i < 300; i++)
        at += (size_t)snprintf(parameters + at, sizeof(parameters) - at, "; p%u=v", i);
    snprintf(parameters + at, sizeof(parameters) - at, "; boundary=b1\r\n\r\n--b1\r\n\r\nx\r\n" END);
    const struct {
        const char *message;
        struct mime_limits limits;
        unsigned cut;
    } rows[] = {
        {many, {1000, 100000, 2, 10, 10, NULL}, MIME_CUT_PARTS},
        {many, {1000, 100000, 3, 10, 10, NULL}, 0},
        {many, {1000, 20, 10, 10, 10, NULL}, MIME_CUT_WORK},
        {deep, {1000, 100000, 10, 2, 10, NULL}, MIME_CUT_DEPTH},
        {deep, {1000, 100000, 10, 3, 10, NULL}, 0},
        {encoded, {10, 100000, 10, 3, 10, NULL}, MIME_CUT_DECODED},
        {encoded, {100, 100000, 10, 3, 0, NULL}, MIME_CUT_DECODINGS},
        {encoded, {100, 100000, 10, 3, 1, NULL}, 0},
        {parameters, {1000, 100000, 10, 10, 10, NULL}, MIME_CUT_PARAMETERS},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r = {0};
        ck_assert_int_eq(rig_split_limited(&r, span_cstr(rows[i].message), &rows[i].limits), ERR_OK);
        ck_assert_uint_eq(r.report.cut, rows[i].cut);
        ck_assert_int_eq(mime_defects_have(r.report.defects, MIME_DEFECT_LIMIT), rows[i].cut != 0);
        ck_assert_uint_le(r.report.parts, rows[i].limits.parts);
        rig_release(&r);
    }
}
END_TEST

/* COUNT copies of UNIT after HEAD. */
static struct span repeated(struct buf *b, const char *head, const char *unit, size_t count)
{
    buf_init(b, (size_t)64 << 20);
    MUST(buf_append(b, span_cstr(head)) == ERR_OK);
    for (size_t i = 0; i < count; i++)
        MUST(buf_append(b, span_cstr(unit)) == ERR_OK);
    return buf_span(b);
}

static enum err count_only(void *arg, const struct mime_part *part)
{
    size_t *octets = arg;
    *octets += part->octets.len;
    return ERR_OK;
}

START_TEST(bombs_end_within_bounds)
{
    static const struct {
        const char *head, *unit;
        size_t count;
        unsigned cut; /* at least */
    } rows[] = {
        {MIXED, "--b1\r\nContent-Type: text/plain\r\n\r\nx\r\n", 50000, MIME_CUT_PARTS},
        {TOP, "Content-Type: message/rfc822\r\n\r\n", 2000, MIME_CUT_DEPTH},
        {TOP, "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 2000, MIME_CUT_DEPTH},
        {TOP, "X: a\r\n", 60000, 0},
        {TOP "X: a\r\n", " a\r\n", 60000, 0},
        {TOP "Content-Type: a/b", "; a=b", 60000, 0},
        {MIXED, "--\r\n", 60000, 0},
        {MIXED, "begin 644 a\r\n", 25000, 0},
        {MIXED, "=ybegin line=1 name=a\r\n", 20000, 0},
        {TOP BASE64 "\r\n", "QQ==\r\n", 25000, 0},
        {TOP "Content-Transfer-Encoding: quoted-printable\r\n\r\n", "=   ", 50000, 0},
        {TOP, "a: b\r", 50000, 0},
        {TOP "Content-Type: x; boundary\r\n\r\n", "--x\r\nContent-Type: a/b\r\n\r\ny\r\n", 20000, 0},
        {MIXED "--b1\r\n\r\n", "-- \r\nContent-Type: a/b\r\n", 20000, 0},
        {MIXED "--b1\r\n\r\n", "--\r\n\tcontent-:\r\n", 20000, 0},
        {MIXED "--b1\r\n\r\n--x\r\nContent-Type: a\r\n", "--\r\nContent-type\r\n", 20000, 0},
        {TOP, "\r\nbegin-base64 644 a\r\n", 20000, 0},
        {TOP "\r\n", "begin\r\n#86)C\r\nend\r\nbegin\r\nx\r\n", 20000, MIME_CUT_PARTS},
        {TOP "\r\n", "ATTACH\r", 100000, 0},
        {MIXED "--b1\r\nContent-Type: multipart/mixed; x=", "boundary= ( ", 5000, MIME_CUT_PARAMETERS},
        {TOP "\r\n", "begin 644 a\r\n#86)C\r\n", 2000, MIME_CUT_WORK},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf b;
        struct span message = repeated(&b, rows[i].head, rows[i].unit, rows[i].count);
        struct mime_limits limits = mime_limits_for(message.len);
        struct mime_report report;
        size_t octets = 0;
        ck_assert_int_eq(mime_split(message, &limits, count_only, &octets, &report), ERR_OK);
        ck_assert_uint_eq(report.cut & rows[i].cut, rows[i].cut);
        MUST(report.decoded <= limits.decoded);
        /* A last step may pass the limit by what it looks at once. */
        MUST(report.work <= limits.work + message.len);
        buf_release(&b);
    }
}
END_TEST

START_TEST(defects_have_words_and_reasons)
{
    for (unsigned d = 0; d < MIME_DEFECT_COUNT; d++) {
        MUST(strlen(mime_defect_word((enum mime_defect)d)) > 0 && strlen(mime_defect_meaning((enum mime_defect)d)) > 0);
        const char *reason = mime_defect_paranoid((enum mime_defect)d);
        MUST(!reason || char_is_alpha(reason[0]));
        ck_assert_ptr_eq(mime_defects_paranoid(mime_defect_bit((enum mime_defect)d)), reason);
    }
    char text[64];
    mime_readings_text(0, text, sizeof(text));
    ck_assert_str_eq(text, "ordinary");
    mime_readings_text(1u << MIME_READING_LAST_HEADER | 1u << MIME_READING_VARIANT, text, sizeof(text));
    ck_assert_str_eq(text, "last-header+variant");
    mime_readings_text(~0u, text, 8);
    ck_assert_str_eq(text, "last-he");
}
END_TEST

#define CASES(X)                                                                                                       \
    X(hands_out_the_bodies_of_ordinary_mail_once)                                                                      \
    X(extracts_what_some_reader_extracts)                                                                              \
    X(extracts_what_stands_behind_a_few_octets_of_junk)                                                                \
    X(extracts_from_wide_messages)                                                                                     \
    X(extracts_from_headers_with_nul)                                                                                  \
    X(accuses_readings_only_where_content_differs_that_matters)                                                        \
    X(accuses_multiparts_without_parts_only_where_parts_are)                                                           \
    X(a_tiny_message_full_of_doubts_ends)                                                                              \
    X(looks_into_what_another_reader_found)                                                                            \
    X(finds_messages_in_decoded_ones_past_their_nul)                                                                   \
    X(any_cut_of_any_message_is_fine)                                                                                  \
    X(ends_with_what_the_sink_says)                                                                                    \
    X(says_which_limit_cut_something_off)                                                                              \
    X(bombs_end_within_bounds)                                                                                         \
    X(defects_have_words_and_reasons)
#include "support/check_main.h"
