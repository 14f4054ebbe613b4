/* SPDX-License-Identifier: MIT */
/* Texts whose ASCII does not stand in their octets: what a reader of their charset sees is handed out, once, and only
 * where it is not what everybody sees (B33). */
#include "mime/charset.h"
#include "unit/mime/split_rig.h"
#include "unit/smtp/must.h"

#define SECRET "The secret payload!"
#define HALF   "The secret"
#define REST   " payload!"
#define WIDE   "AFQAaABlACAAcwBlAGMAcgBlAHQAIABwAGEAeQBsAG8AYQBkACE"
#define OTHER  "\xef\xbf\xbd"

START_TEST(each_charset_is_read_as_its_decoders_do)
{
    static const struct {
        const char *charset, *octets, *text; /* text NULL: nothing is to be done */
    } rows[] = {
        {"utf-7", "+AFQAaABl-secret", "Thesecret"},
        {"UTF7", "a+AFQ b", "aT b"},
        {"utf_7", "1 +- 1", "1 + 1"},
        {"unicode-1-1-utf-7", "+AFQ", "T"},
        {"utf-7", "plain", NULL},
        {"utf-7-imap", "&AFQAaABl-+AFQ-", "The+AFQ-"},
        {"utf-7-imap", "&,,8-", "\xef\xbf\xbf"},
        {"hz", "The~{~} se~~cret~\nx", "The se~cretx"},
        {"HZ-GB-2312", "~{VPND~} a", OTHER " a"},
        {"hz", "~{VP\na", OTHER "\na"},
        {"hz", "a~b", "a~b"},
        {"unicode_escape", "\\x54\\150\\u0065\\U00000020\\n\\\n\\\\\\u00e9\\", "The \n\\" OTHER "\\"},
        {"unicode_escape", "a\\a\\b\\f\\r\\t\\v\\'\\\"\\q", "a\a\b\f\r\t\v'\"\\q"},
        {"unicode_escape", "\\x5\\u005z\\U00110000\\777A\\x81\\U00000081", OTHER OTHER "z" OTHER OTHER "A" OTHER OTHER},
        {"unicode_escape", "\\N{LATIN CAPITAL LETTER T}\\N{latin small letter H}\\N{Latin Small Letter e}", "The"},
        {"unicode_escape", "a\\N{SPACE}\\N{SP}\\N{line feed}\\N{lf}\\N{TILDE}\\N{NUMBER SIGN}b", "a  \n\n~#b"},
        {"unicode_escape", "a\\N{LATIN SMALL LETTER }\\N{LATIN SMALL LETTER  A}\\N{DIGIT}b", "a" OTHER OTHER OTHER "b"},
        {"unicode_escape", "a\\N{SNOWMAN}\\N{}\\NX\\N", "a" OTHER OTHER "}" OTHER "X" OTHER},
        {"unicode_escape", "a\\N{TILDE, and all the rest", "a" OTHER},
        {"raw-unicode-escape", "\\u0054", "T"},
        {"raw-unicode-escape", "\\x54\\n\\\\u0054\\\\\\U00000054\\N{TILDE}\\", "\\x54\\n\\\\u0054\\\\T\\N{TILDE}\\"},
        {"iso-2022-jp", "The\x1b(B sec\x1b(Jret", "The secret"},
        {"iso-2022-jp", "a\x1b$B4A;z\x1b(Bb", "a" OTHER "b"},
        {"iso-2022-jp-2", "a\x1b.A\x1bN.b\x1b&@\x1b$(DXX\x1b(Bc", "a" OTHER "b" OTHER "c"},
        {"iso-2022-kr", "\x1b$)CThe\x0e\x0f se\x0e@@\ncret", "The se" OTHER "\ncret"},
        {"never-heard-of", "The\x1b(B sec", "The sec"},
        {"never-heard-of", "\x1b[1mThe\x1b[0m", "\x1b[1mThe\x1b[0m"},
        {"never-heard-of", "The", NULL},
        {"", "The\x1b(B sec", "The sec"},
        {"", "The\x0f sec", NULL},
        {"utf-8-sig", "\xef\xbb\xbfThe", "The"},
        {"utf-8-sig", "The\xef\xbb\xbf", "The\xef\xbb\xbf"},
        {"utf-8-sig", "The", NULL},
        {"mac_arabic", "a\xa1\xad\xc7", "a!-" OTHER},
        {"iso-2022-jp", "a\x1b", "a\x1b"},
        {"iso-2022-jp", "a\x1b$", "a\x1b$"},
        {"iso-2022-jp", "a\x1b$(", "a\x1b$("},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct span octets = span_cstr(rows[i].octets);
        mime_text_decoder *decode = mime_text_decoder_of(span_cstr(rows[i].charset), octets);
        struct buf text;
        buf_init(&text, 1000);
        ck_assert_msg((decode != NULL) == (rows[i].text != NULL), "row %zu", i);
        if (decode) {
            ck_assert_int_eq(decode(octets, &text), ERR_OK);
            ck_assert_msg(span_eq(buf_span(&text), span_cstr(rows[i].text)), "row %zu: %.*s", i,
                          SPAN_ARG(buf_span(&text)));
        }
        buf_release(&text);
    }
}
END_TEST

START_TEST(characters_are_known_by_their_names)
{
    static const struct {
        char character;
        const char *name;
    } rows[] = {
#define MIME_CHARACTER(character, name) {(char)(character), name},
#include "mime/character.def"
#undef MIME_CHARACTER
    };
    mime_text_decoder *decode = mime_text_decoder_of(SPAN("unicode-escape"), SPAN("\\"));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char octets[64];
        struct buf text;
        buf_init(&text, 100);
        snprintf(octets, sizeof(octets), "\\N{%s}", rows[i].name);
        ck_assert_int_eq(decode(span_cstr(octets), &text), ERR_OK);
        ck_assert_msg(span_eq(buf_span(&text), span_of(&rows[i].character, 1)), "%s: %.*s", rows[i].name,
                      SPAN_ARG(buf_span(&text)));
        buf_release(&text);
    }
}
END_TEST

START_TEST(what_is_seen_by_everybody_hides_nothing)
{
    static const struct {
        const char *octets, *text;
        bool hides;
    } rows[] = {
        {"a b c", "a b c", false},
        {"a\xe9 c", "a\xc3\xa9 c", false},
        {"a\x1b$B4A\x1b(Bb", "a" OTHER "b", false},
        {"MAR\x1b(BKER", "MARKER", true},
        {"\xd4\xc1\xd9", "MAR", true},
        {"KERMAR", "MAR" OTHER "KER", true}, /* in this order */
        {"\x1b(BMARKER", "MARKER", true},    /* for whoever knows a file by its begin */
        {"\x1b$B4A\x1b(Bb", OTHER "b", false},
        {"a\x81"
         "Ab",
         "a" OTHER "b", false},
        {"", "", false},
        {"", "a", true},
        {"abc", "", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_msg(mime_text_hides(span_cstr(rows[i].octets), span_cstr(rows[i].text)) == rows[i].hides, "row %zu",
                      i);
}
END_TEST

START_TEST(charsets_are_plain_or_not)
{
    static const char *const plain[] = {"utf-8",       "UTF-8",        "us-ascii", "iso-8859-1",
                                        "ISO-8859-15", "windows-1252", "koi8-r",   "cp1251"};
    static const char *const others[] = {"", "utf-7", "utf-16", "iso-2022-jp", "cp1140", "x-unheard-of", "big5"};
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        ck_assert_msg(mime_charset_is_plain(span_cstr(plain[i])), "%s", plain[i]);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        ck_assert_msg(!mime_charset_is_plain(span_cstr(others[i])), "%s", others[i]);
    ck_assert(mime_charset_is(SPAN("Unicode-1_1-UTF 7"), "unicode11utf7"));
    ck_assert(!mime_charset_is(SPAN("utf-7x"), "utf7") && !mime_charset_is(SPAN("utf"), "utf7"));
}
END_TEST

/* Charsets of which only whoever has a table knows something: in "next" all letters are the next ones, "same" is what
 * HZ is, and in the others what is no ASCII is no character. */
static enum err convert(struct span text, struct span charset, struct buf *out)
{
    enum err e = ERR_OK;
    if (span_eq(charset, SPAN("same")))
        return mime_text_decoder_of(SPAN("hz"), SPAN("~"))(text, out);
    bool next = span_eq(charset, SPAN("next")), known = next || span_starts_nocase(charset, SPAN("windows-"));
    for (size_t i = 0; known && i < text.len && e == ERR_OK; i++)
        if ((unsigned char)text.ptr[i] < 0x80)
            e = buf_append_char(out, (char)(text.ptr[i] - next));
        else
            e = buf_append(out, SPAN(OTHER));
    return e;
}

#define TEXT(charset, body) "Content-Type: text/plain; " charset "\r\n\r\n" body
START_TEST(what_fields_say_is_read_in_charsets_that_few_know)
{
    static const struct {
        const char *charset, *octets, *text;
    } rows[] = {
        {"cp037", "\xa7\xa8", "xy"},
        {"IBM500", "\xd4\x89\x61\x5e\x7e\x7f\xf0\xf9\x60", "Mi/;=\"09-"},
        {"ebcdic-cp-us", "\xa9\x4a\xe9", "z?Z"},
        {"cp1026", "\xfc", "\""},
        {"hz", "x~{~}y", "xy"},
        {"iso-2022-jp", "x\x1b(By", "xy"},
        {"unicode_escape", "\\x78y", "xy"},
        {"utf_8_sig", "\xef\xbb\xbfxy", "xy"},
        {"u7", "+AHg-y", "xy"},
        {"utf-16le", NULL, "xy"},
        {"utf-8", "x\xc3\xa9", "x\xc3\xa9"},
        {"", "xy", "xy"},
        {"cp037x", "xy", "xy"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct span octets = rows[i].octets ? span_cstr(rows[i].octets) : span_of("x\0y", 4);
        char text[32];
        size_t n = mime_field_to_utf8(octets, span_cstr(rows[i].charset), text, sizeof(text));
        ck_assert_str_eq(text, rows[i].text);
        ck_assert_uint_eq(n, strlen(rows[i].text));
        ck_assert_uint_eq(mime_field_to_utf8(octets, span_cstr(rows[i].charset), text, 2), 1);
        ck_assert_str_eq(text, (char[2]){rows[i].text[0]});
    }
}
END_TEST

START_TEST(the_splitter_hands_out_what_a_reader_of_the_charset_sees)
{
    static const struct {
        const char *message;
        bool found;
    } rows[] = {
        {TEXT("charset=utf-7", "+" WIDE "-"), true},
        {TEXT("charset=us-ascii", "+" WIDE "-"), false},
        {TEXT("charset=\"UTF-7\" (c)", "+" WIDE "-"), true},
        {TEXT("charset*=us-ascii''utf%2D7", "+" WIDE "-"), true},
        {TEXT("charset*0=utf; charset*1=-7", "+" WIDE "-"), true},
        {TEXT("charset=utf-8; charset=utf-7", "+" WIDE "-"), true},
        {"Content-Type: text/plain\r\n" TEXT("charset=utf-7", "+" WIDE "-"), true},
        {"Content-Type: text/plain; charset=utf-7\r\n" TEXT("charset=utf-8", "+" WIDE "-"), true},
        /* As Python finds the parameter and its value, and looks the name up. */
        {TEXT("charset=us-ascii''utf-7", "+" WIDE "-"), true},
        {TEXT("charset=us-ascii'en'utf%2D7", "+" WIDE "-"), true},
        {TEXT("charset=utf-7*en", "+" WIDE "-"), true},
        {TEXT("charset=utf-7(c)", "+" WIDE "-"), true},
        {TEXT("charset=(c;)utf-7", "+" WIDE "-"), true},
        {TEXT("charset=utf-7,x", "+" WIDE "-"), true},
        {TEXT("charset\x0b=\"utf-7\"x", "+" WIDE "-"), true},
        {TEXT("(c)charset=us-ascii''utf-7", "+" WIDE "-"), true},
        {TEXT("charset (c) *0=utf-7(c)", "+" WIDE "-"), true},
        {TEXT("charset*0=utf-7(c)", "+" WIDE "-"), true},
        {TEXT("charset*0=utf-7*en", "+" WIDE "-"), true},
        {TEXT("charset*=cp037''%A4%A3%86%60%F7", "+" WIDE "-"), true},
        {TEXT("charset=\"utf------------------------------------------------------------7\"", "+" WIDE "-"), true},
        {TEXT("charset=\"=?utf-8?q?utf=2D7?=\"", "+" WIDE "-"), true},
        {TEXT("charset=\"=?utf-16le?b?dQB0AGYALQA3AA==?=\"", "+" WIDE "-"), true},
        {"Content-Type: =?us-ascii?q?text/plain;_charset=3Dutf-7?=\r\n\r\n+" WIDE "-", true},
        {"A: b\r\n " TEXT("charset=utf-7", "+" WIDE "-"), true}, /* where some reading knows the charset */
        {"A: b\rC: d\r\nD: e\r" TEXT("charset=utf-7", "+" WIDE "-"), true},
        {TEXT("x=\"charset\" utf-7", "+" WIDE "-"), false},
        {TEXT("charset2=utf-7", "+" WIDE "-"), false},
        {TEXT("charset=utf-77", "+" WIDE "-"), false},
        {TEXT("charset=utf-8-sig", "\xef\xbb\xbf" HALF REST), true},
        {TEXT("charset=iso-2022-jp", HALF "\x1b(B" REST), true},
        {TEXT("x=y", HALF "\x1b(B" REST), true},
        {TEXT("charset=utf-8", HALF "\x1b(B" REST), false},
        {TEXT("charset=hz", HALF "~{~}" REST), true},
        {TEXT("charset=next", "Uif!tfdsfu!qbzmpbe\""), true},
        {TEXT("charset=other", "Uif!tfdsfu!qbzmpbe\""), false},
        /* to readers that leave out what they cannot decode */
        {TEXT("charset=utf-8", HALF "\xff" REST), true},
        {TEXT("charset=UTF8", HALF "\xe2\x82" REST), true},
        {TEXT("charset=us-ascii", HALF "\xc3\xa9" REST), true},
        {TEXT("charset=next", "Uif!tfdsfu\x80!qbzmpbe\""), true},
        {TEXT("charset=windows-1252", HALF "\x81" REST), true},
        {TEXT("charset=windows-1252; charset=utf-8", HALF "\xe9" REST), true},
        {TEXT("charset=windows-1252", HALF "\xe9" REST), false},
        {TEXT("charset=utf-8", HALF "\xc3\xa9" REST), false},
        {TEXT("charset=iso-8859-1", HALF "\x81" REST), false},
        {TEXT("x=y", HALF "\xff" REST), false}, /* and whose reader is told no charset decodes nothing */
        {"Content-Type: application/octet-stream; charset=utf-8\r\n\r\n\x89PNG\r\n\x1a\n" HALF "\xff" REST, false},
        {"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nContent-Type: text/html; "
         "charset=3Dutf-7\r\n\r\n+" WIDE "-",
         true},
        {"Content-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
         "=4E=01=4E=01T=00h=00e=00 =00s=00e=00c=00r=00e=00t=00 =00p=00a=00y=00l=00o=00a=00d=00!=00",
         false}, /* two more characters in front of it, in the order that the name does not say: see below */
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r = {.wanted = SPAN(SECRET)};
        struct mime_limits limits = mime_limits_for(strlen(rows[i].message));
        limits.convert = convert;
        ck_assert_int_eq(rig_split_limited(&r, span_cstr(rows[i].message), &limits), ERR_OK);
        ck_assert_uint_eq(r.report.cut, 0);
        ck_assert_msg(r.found == rows[i].found, "row %zu: %.*s", i, SPAN_ARG(buf_span(&r.text)));
        if (i + 1 == ARRAY_SIZE(rows))
            ck_assert_ptr_nonnull(memmem(buf_span(&r.text).ptr, buf_len(&r.text), SECRET, strlen(SECRET)));
        rig_release(&r);
    }
}
END_TEST

START_TEST(honest_texts_are_no_more_parts)
{
    static const char *const messages[] = {
        TEXT("charset=iso-2022-jp", "a\x1b$B4A;z\x1b(B b\r\n"),
        TEXT("charset=utf-7", "caf+AOk- noir"),
        TEXT("charset=hz", "a ~{VPND~} b"),
        TEXT("charset=big5", "\xa4\x40 a"),
        TEXT("charset=utf-8", "a+b ~{ \x1b[1m"),
        TEXT("charset=utf-8", "caf\xc3\xa9 noir \xf0\x9f\x98\x80"),
        TEXT("charset=windows-1252", "caf\xe9 \x93noir\x94"),
        TEXT("charset=iso-2022-jp", "\x1b$B4A;z\x1b(B\r\n\x1b$B4A;z\x1b(B\r\n"),
        TEXT("charset=iso-8859-1", "caf\xe9"),
        TEXT("x=y", "\x1b[1mbold\x1b[0m"),
    };
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        struct rig r = {0};
        ck_assert_int_eq(rig_split(&r, span_cstr(messages[i])), ERR_OK);
        ck_assert_msg(r.parts == 1, "message %zu: %.*s", i, SPAN_ARG(buf_span(&r.text)));
        rig_release(&r);
    }
}
END_TEST

START_TEST(a_text_is_handed_out_once_however_many_charsets_make_it)
{
    static const char *const messages[] = {
        TEXT("charset=hz; charset=next", HALF "~{~}" REST),
        TEXT("charset=utf-7; charset=unicode-1-1-utf-7; charset=cp65000", "+" WIDE "-"),
        TEXT("charset=next; charset=hz; charset=hz-gb-2312", HALF "~{~}" REST),
        TEXT("charset=same; charset=hz", HALF "~{~}" REST),
    };
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        struct rig r = {.wanted = SPAN(SECRET)};
        struct mime_limits limits = mime_limits_for(strlen(messages[i]));
        limits.convert = convert;
        ck_assert_int_eq(rig_split_limited(&r, span_cstr(messages[i]), &limits), ERR_OK);
        MUST(r.found);
        unsigned times = 0;
        struct span left = buf_span(&r.text);
        for (size_t at; (at = span_find_span(left, SPAN(SECRET))) < left.len; times++)
            left = span_sub(left, at + 1, left.len);
        ck_assert_msg(times == 1, "message %zu: %.*s", i, SPAN_ARG(buf_span(&r.text)));
        rig_release(&r);
    }
}
END_TEST

/* RFC 1468 wants ASCII at the end of each line, and some begin each with it. */
START_TEST(a_set_lasts_to_the_end_of_its_line_to_some)
{
    struct rig r = {.wanted = SPAN(OTHER "\r\n" SECRET)};
    ck_assert_int_eq(rig_split(&r, SPAN(TEXT("charset=iso-2022-jp", "\x1b$B4A;z\r\n" HALF "\x1b(B" REST))), ERR_OK);
    MUST(r.found);
    rig_release(&r);
}
END_TEST

START_TEST(what_cannot_be_decoded_is_left_out)
{
    static const struct {
        const char *charset, *octets, *text; /* text NULL: nothing is to be done */
    } rows[] = {
        {"utf-8",
         "a\xff"
         "b\xc3\xa9"
         "c\xe2\x82"
         "d\xc0\x80",
         "ab\xc3\xa9"
         "cd"},
        {"UTF8", "\xff", ""},
        {"utf-8", "a\xc3\xa9", NULL},
        {"utf-8", "a", NULL},
        {"utf-8", "", NULL},
        {"US-ASCII",
         "a\xc3\xa9"
         "b",
         "ab"},
        {"ascii", "a", NULL},
        {"latin1", "a\xff", NULL},
        {"windows-1252", "a\x81", NULL}, /* needs a table */
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct span octets = span_cstr(rows[i].octets);
        mime_text_decoder *decode = mime_lossy_decoder_of(span_cstr(rows[i].charset), octets);
        struct buf text;
        buf_init(&text, 1000);
        ck_assert_msg((decode != NULL) == (rows[i].text != NULL), "row %zu", i);
        if (decode) {
            ck_assert_int_eq(decode(octets, &text), ERR_OK);
            ck_assert_msg(span_eq(buf_span(&text), span_cstr(rows[i].text)), "row %zu: %.*s", i,
                          SPAN_ARG(buf_span(&text)));
        }
        buf_release(&text);
    }
}
END_TEST

START_TEST(tables_are_asked_only_for_octets_that_may_be_no_characters)
{
    static const struct {
        const char *charset, *octets;
        bool asked;
    } rows[] = {
        {"windows-1252", "a\x93 \xe9", false},
        {"Windows-1252", "a\x93 \x9d", true},
        {"cp1252", "\x81", true},
        {"windows-1251", "\xef\xf0\xe8", false},
        {"windows-1251", "\x98", true},
        {"windows-1255", "\xe0", true},
        {"windows-1255", "a", false},
        {"iso-8859-8", "\xe0", true},
        {"iso-8859-1", "\x81", false},
        {"iso-8859-15", "\xff", false},
        {"koi8-r", "\xff", false},
        {"koi8-t", "\x88", true},
        {"utf-8", "\xff", false},
        {"us-ascii", "\xff", false},
        {"latin1", "\xff", false},
        {"windows-1256", "\xff", false},
        {"windows-125", "\xff", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_msg(mime_charset_has_holes(span_cstr(rows[i].charset), span_cstr(rows[i].octets)) == rows[i].asked,
                      "row %zu", i);
}
END_TEST

START_TEST(more_charsets_than_are_read_are_said)
{
    struct rig r = {0};
    ck_assert_int_eq(
        rig_split(&r, SPAN(TEXT("charset=a; charset=b; charset=c; charset=d; charset=e; charset=f; charset=g; "
                                "charset=h; charset=i; charset=j; charset=k; charset=l; charset=utf-7",
                                "+" WIDE "-"))),
        ERR_OK);
    ck_assert_uint_eq(r.report.cut, MIME_CUT_PARAMETERS);
    rig_release(&r);
}
END_TEST

START_TEST(limits_hold_for_texts)
{
    const struct span message = SPAN(TEXT("charset=utf-7", "+" WIDE "-"));
    struct mime_limits limits = mime_limits_for(message.len);
    struct rig r = {.wanted = SPAN(SECRET)};
    limits.decoded = 5;
    ck_assert_int_eq(rig_split_limited(&r, message, &limits), ERR_OK);
    ck_assert(!r.found && r.report.cut == MIME_CUT_DECODED);
    rig_release(&r);
    limits = mime_limits_for(message.len);
    limits.decodings = 0;
    ck_assert_int_eq(rig_split_limited(&r, message, &limits), ERR_OK);
    ck_assert(!r.found && r.report.cut == MIME_CUT_DECODINGS);
    rig_release(&r);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(each_charset_is_read_as_its_decoders_do)                                                                         \
    X(characters_are_known_by_their_names)                                                                             \
    X(what_is_seen_by_everybody_hides_nothing)                                                                         \
    X(charsets_are_plain_or_not)                                                                                       \
    X(what_fields_say_is_read_in_charsets_that_few_know)                                                               \
    X(the_splitter_hands_out_what_a_reader_of_the_charset_sees)                                                        \
    X(honest_texts_are_no_more_parts)                                                                                  \
    X(a_text_is_handed_out_once_however_many_charsets_make_it)                                                         \
    X(a_set_lasts_to_the_end_of_its_line_to_some)                                                                      \
    X(what_cannot_be_decoded_is_left_out)                                                                              \
    X(tables_are_asked_only_for_octets_that_may_be_no_characters)                                                      \
    X(more_charsets_than_are_read_are_said)                                                                            \
    X(limits_hold_for_texts)
#include "support/check_main.h"
