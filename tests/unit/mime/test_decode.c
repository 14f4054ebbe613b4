/* SPDX-License-Identifier: MIT */
/* Transfer encodings in the ways in which decoders read them (B33). */
#include "mime/charset.h"
#include "mime/decode.h"
#include "unit/smtp/must.h"

static bool text_is(const struct buf *b, const char *text)
{
    bool same = span_eq(buf_span(b), span_cstr(text));
    if (!same)
        fprintf(stderr, "found    \"%.*s\"\nexpected \"%s\"\n", SPAN_ARG(buf_span(b)), text);
    return same;
}

START_TEST(base64_is_read_as_its_decoders_do)
{
    static const struct {
        const char *in;
        enum mime_base64_mode mode;
        const char *out;
    } rows[] = {
        {"", MIME_BASE64_STOP, ""},
        {"YWJj", MIME_BASE64_STOP, "abc"},
        {"YWJjZA==", MIME_BASE64_STOP, "abcd"},
        {"YWJjZGU=", MIME_BASE64_STOP, "abcde"},
        {"YWJjZGU", MIME_BASE64_STOP, "abcde"},
        {"YWJjZA", MIME_BASE64_STOP, "abcd"},
        {"YWJjZ", MIME_BASE64_STOP, "abc"},
        {"YW\r\nJj\r\n", MIME_BASE64_STOP, "abc"},
        {"Y W*J!j", MIME_BASE64_STOP, "abc"},
        {"YQ==YmM=", MIME_BASE64_STOP, "a"},
        {"YQ==YmM=", MIME_BASE64_ACROSS, "abc"},
        {"YQ==\r\nYmM=\r\nZGVm", MIME_BASE64_ACROSS, "abcdef"},
        {"YW=Jj", MIME_BASE64_STOP, "abc"},
        {"=YWJj", MIME_BASE64_STOP, "abc"},
        {"Y=W==Jj", MIME_BASE64_IGNORE, "abc"},
        {"YWJj*YWJj", MIME_BASE64_JUNK, "abc"},
        {"YWI\r\nYWI\r\n", MIME_BASE64_LINES, "abab"},
        {"YWJjZA==\n", MIME_BASE64_LINES, "abcd"},
        {"Pz8_Pj4-", MIME_BASE64_URL, "\?\?\?>>>"},
        {"Pz8/Pj4+", MIME_BASE64_STOP, "\?\?\?>>>"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf b;
        buf_init(&b, 1000);
        ck_assert_int_eq(mime_base64_decode(span_cstr(rows[i].in), rows[i].mode, &b), ERR_OK);
        MUST(text_is(&b, rows[i].out));
        buf_release(&b);
    }
}
END_TEST

START_TEST(base64_with_zeros_for_padding_keeps_their_place)
{
    struct buf b;
    buf_init(&b, 1000);
    ck_assert_int_eq(mime_base64_decode(SPAN("YQ==YmM="), MIME_BASE64_ZERO, &b), ERR_OK);
    MUST(span_eq(buf_span(&b), span_of("a\0\0bc\0", 6)));
    buf_release(&b);
}
END_TEST

START_TEST(long_base64_is_decoded_whole)
{
    struct buf in, out;
    buf_init(&in, 1 << 20);
    buf_init(&out, 1 << 20);
    for (unsigned i = 0; i < 20000; i++)
        MUST(buf_append(&in, i % 19 == 18 ? SPAN("\r\n") : SPAN("YWJj")) == ERR_OK);
    ck_assert_int_eq(mime_base64_decode(buf_span(&in), MIME_BASE64_STOP, &out), ERR_OK);
    size_t lines = 20000 / 19;
    ck_assert_uint_eq(buf_len(&out), 3 * (20000 - lines));
    for (size_t i = 0; i < buf_len(&out); i++)
        MUST(buf_span(&out).ptr[i] == "abc"[i % 3]);
    buf_release(&in);
    buf_release(&out);
}
END_TEST

START_TEST(output_stops_at_the_buffers_maximum)
{
    struct buf b;
    buf_init(&b, 4);
    ck_assert_int_eq(mime_base64_decode(SPAN("YWJjZGVm"), MIME_BASE64_STOP, &b), ERR_FULL);
    MUST(text_is(&b, "abcd"));
    buf_release(&b);
    buf_init(&b, 4);
    ck_assert_int_eq(mime_qp_decode(SPAN("=61bcde"), MIME_QP_TOLERANT, &b), ERR_FULL);
    buf_release(&b);
    buf_init(&b, 4);
    ck_assert_int_eq(mime_wide_decode(span_of("a\0b\0c\0d\0e\0", 10), MIME_WIDE_16LE, &b), ERR_FULL);
    buf_release(&b);
}
END_TEST

START_TEST(oddities_of_base64_are_noticed)
{
    static const struct {
        const char *in;
        struct mime_base64 look;
        bool plain;
    } rows[] = {
        {"YWJj\r\n", {.letters = 4}, true},
        {"YWJj\r\nYWI=\r\n", {.letters = 7, .pads = 1}, true},
        {"YWJj\nYQ==", {.letters = 6, .pads = 2}, true},
        {"YWI==\r\n", {.letters = 3, .pads = 2}, false},
        {"YQ=\r\n", {.letters = 2, .pads = 1}, false},
        {"YWJj=\r\n", {.letters = 4, .pads = 1}, false},
        {"YWJjY\r\n", {.letters = 5}, false},
        {"YW Jj\r\n", {.letters = 4, .blanks = 1}, false},
        {"YW*j-_\r\n", {.letters = 3, .junk = 3, .url = 2}, false},
        {"YQ==\r\nYmM=\r\n", {.letters = 5, .pads = 3, .after = 3, .continues = true}, false},
        {"YQ==\r\nTo leave this list\r\n", {.letters = 17, .pads = 2, .blanks = 3, .after = 15}, false},
        {"YQ==\r\n--YWJj--\r\n", {.letters = 6, .pads = 2, .junk = 4, .url = 4, .after = 4}, false},
        {"YQ==\r\n-- \r\n", {.letters = 2, .pads = 2, .junk = 2, .url = 2, .blanks = 1}, false},
        {"YWI\r\nYW\r\n", {.letters = 5, .uneven = true}, false},
        {"YWI\r\n\r\nYW\r\n", {.letters = 5, .uneven = true}, false},
        {"YWI\r\n", {.letters = 3}, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct mime_base64 look;
        mime_base64_look(span_cstr(rows[i].in), &look);
        const struct mime_base64 *e = &rows[i].look;
        ck_assert_uint_eq(look.letters, e->letters);
        ck_assert_uint_eq(look.junk, e->junk);
        ck_assert_uint_eq(look.url, e->url);
        ck_assert_uint_eq(look.blanks, e->blanks);
        ck_assert_uint_eq(look.pads, e->pads);
        ck_assert_uint_eq(look.after, e->after);
        ck_assert_int_eq(look.continues, e->continues);
        ck_assert_int_eq(look.uneven, e->uneven);
        ck_assert_msg(mime_base64_is_plain(&look) == rows[i].plain, "row %zu", i);
    }
}
END_TEST

START_TEST(quoted_printable_is_plain_where_nothing_is_left_to_opinion)
{
    static const struct {
        const char *in;
        bool plain;
    } rows[] = {{"", true},         {"abc\r\n", true}, {"a=41=\r\nb=\nc", true}, {"a=e9 \r\n", true}, {"a=", false},
                {"a= ", false},     {"a=4", false},    {"a=zz", false},          {"a= \r\nb", false}, {"a=\rb", false},
                {"a=\r\n=", false}, {"==41", false},   {"a=\r\n", true}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct mime_qp look;
        mime_qp_look(span_cstr(rows[i].in), &look);
        ck_assert_msg(mime_qp_is_plain(&look) == rows[i].plain, "row %zu", i);
    }
}
END_TEST

START_TEST(quoted_printable_is_read_as_its_decoders_do)
{
    static const struct {
        const char *in, *out[MIME_QP_MODES]; /* NULL: as the first */
    } rows[] = {
        {"a=62c", {"abc"}},
        {"a=6Ac=6a", {"ajcj"}},
        {"a=\r\nb=\nc", {"abc"}},
        {"a= \t\r\nb", {"ab", "a= \t\r\nb", "a= \t\r\nb", NULL}},
        {"a=\r\r\nb", {"ab", "ab", "a=\r\r\nb", NULL}},
        {"a=\rjunk\nb", {"ajunk\nb", "ab", "a=\rjunk\nb", "ajunk\nb"}},
        {"a=zzb", {"a=zzb", NULL, NULL, "azzb"}},
        {"a==b", {"a==b", "a=b", NULL, "ab"}},
        {"a=", {"a", NULL, "a=", NULL}},
        {"a=6", {"a=6", NULL, NULL, "a6"}},
        {"a  \r\nb \n", {"a  \r\nb \n", NULL, NULL, "a\r\nb\n"}},
        {"", {""}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (unsigned mode = 0; mode < MIME_QP_MODES; mode++) {
            struct buf b;
            buf_init(&b, 1000);
            ck_assert_int_eq(mime_qp_decode(span_cstr(rows[i].in), (enum mime_qp_mode)mode, &b), ERR_OK);
            MUST(text_is(&b, rows[i].out[mode] ? rows[i].out[mode] : rows[i].out[0]));
            buf_release(&b);
        }
}
END_TEST

/* What BinHex of a small file begins with. */
#define HQX_HEAD "\"@%ZBQPZ!&4&@&4dG(Kd!!!!!!!6!!!!"

START_TEST(files_in_texts_are_found)
{
    static const struct {
        const char *text;
        bool (*find)(struct span text, size_t from, struct mime_inline *found);
        const char *name; /* NULL: there is none */
        size_t data, end;
    } rows[] = {
        {"begin 644 a b.txt\r\n#86)C\r\n`\r\nend\r\nx", mime_uuencode_find, "a b.txt", 19, 34},
        {"x\nbegin 0755 a\n#86)C\n", mime_uuencode_find, "a", 15, 21},
        {"xbegin 644 a\n", mime_uuencode_find, NULL, 0, 0},
        {"begin 6x4 a\n", mime_uuencode_find, NULL, 0, 0},
        {"begin 644\n", mime_uuencode_find, NULL, 0, 0},
        {"begin the work\n", mime_uuencode_find, NULL, 0, 0},
        {"begin 644 a\n#86)C\nbegin 644 b\n", mime_uuencode_find, "a", 12, 18},
        /* Only a line "end" is the end; a line that begins with words is none. */
        {"begin 644 a\nendless\n#86)C\nend \nx", mime_uuencode_find, "a", 12, 31},
        {"begin 644 a\n#86)C\nbegin the work\n#86)C\nend\nx", mime_uuencode_find, "a", 12, 43},
        /* Readers that need no mode or no name see a file where data follows. */
        {"begin  a.exe\n#86)C\n", mime_uuencode_find, "a.exe", 13, 19},
        {"begin 44 a.exe\n#86)C\n", mime_uuencode_find, "a.exe", 15, 21},
        {"begin 644\n#86)C\n", mime_uuencode_find, "", 10, 16},
        {"begin\t644 a\n#86)C\n", mime_uuencode_find, "a", 12, 18},
        {"begin  a.exe\nwords\n", mime_uuencode_find, NULL, 0, 0},
        {"beginning 644 a\n#86)C\n", mime_uuencode_find, NULL, 0, 0},
        /* In any case, indented, with numbers that are no octal mode; what ends in the wrong case may go on. */
        {"BEGIN 644 a\n#86)C\nEND\nx", mime_uuencode_find, "a", 12, 18},
        {"Begin 644 a\n#86)C\n end\nx", mime_uuencode_find, "a", 12, 18},
        {"x\r\n  begin 644 a\r\n  #86)C\r\n  end\r\nx", mime_uuencode_find, "a", 18, 27},
        {"begin 999 a.exe\n#86)C\n", mime_uuencode_find, "a.exe", 16, 22},
        {"begin 0o644 a.exe\n#86)C\n", mime_uuencode_find, "a.exe", 18, 24},
        {"begin 6_4_4 a.exe\n\n#86)C\n", mime_uuencode_find, "a.exe", 18, 25},
        {"begin +644 a.exe\n  #86)C\n", mime_uuencode_find, "a.exe", 17, 25},
        {"begin 999 a.exe\nc86)C\n", mime_uuencode_find, "a.exe", 16, 22},
        {"Begin 3 days before\nthe work ends\n", mime_uuencode_find, NULL, 0, 0},
        {"begin 7 a.bin\nwords\n", mime_uuencode_find, "a.bin", 14, 20},
        {"begin 7\n\n\n\n\n \n\n#86)CXXXXXX\n", mime_uuencode_find, "", 8, 27},
        /* Where it is declared, whatever follows the word. */
        {"begin the work\nx\nend\n", mime_uuencode_find_any, "the work", 15, 21},
        {"beginning\nbegin\nx\n", mime_uuencode_find_any, "", 16, 18},
        {"begin-base64 644 a\nYWJj\n====\nx", mime_uuencode_find, "a", 19, 29},
        {"begin-base64 a\nnot encoded\n", mime_uuencode_find, NULL, 0, 0},
        {"=ybegin line=1 size=1 name=a b\r\nx\r\n=yend\r\ny", mime_yenc_find, "a b", 32, 42},
        {"=ybegin part=1 name=a\n=ypart begin=1\nx\n", mime_yenc_find, "a", 37, 39},
        {"x=ybegin name=a\n", mime_yenc_find, NULL, 0, 0},
        {"=YBEGIN line=1 NAME=a\nx\n=YEND\ny", mime_yenc_find, "a", 22, 24},
        {" =ybegin line=1 name=a\n =ypart begin=1\n x\n =yend\ny", mime_yenc_find, "a", 39, 42},
        {"A:b\r\nATTACH;FMTTYPE=a/b;X-FILENAME=\"a:b\";\r\n ENCODING=BASE64;VALUE=BINARY:YW\r\n Jj\r\nC:d\r\n",
         mime_calendar_find, "a:b", 73, 82},
        {"ATTACH;ENCODING=b:YWJj", mime_calendar_find, "", 18, 22},
        {"ATTACH:https://a.test/b;ENCODING=BASE64:", mime_calendar_find, NULL, 0, 0},
        {"ATTACH;ENCODING=8BIT:YWJj", mime_calendar_find, NULL, 0, 0},
        {"ATTACH;ENCODING=BASE64\r\nC:d", mime_calendar_find, NULL, 0, 0},
        {"ATTACH", mime_calendar_find, NULL, 0, 0},
        {"(This file must be converted with BinHex 4.0)\r\n:abc:\r\n", mime_binhex_find_marked, "", 48, 52},
        {"(This file must be converted with BinHex 4.0)\r\nabc\r\n", mime_binhex_find_marked, NULL, 0, 0},
        /* BinHex begins with a colon at the begin of a line and a whole header behind it. */
        {"Words: and more\r\n:junk:\r\n:$f*TEQKPGdSJ@&Q5T4R9CQKPFmF!:\r\n:abc:", mime_binhex_find, NULL, 0, 0},
        {"Words: and\r\n :" HQX_HEAD "\r\n" HQX_HEAD ":\r\nx", mime_binhex_find, "", 14, 81},
        {":)\r\n----------------------------------------\r\n", mime_binhex_find, NULL, 0, 0},
        {HQX_HEAD "\r\n:and now, dear colleagues, to something else", mime_binhex_find, NULL, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct mime_inline found = {0};
        bool there = rows[i].find(span_cstr(rows[i].text), 0, &found);
        ck_assert_int_eq(there, rows[i].name != NULL);
        if (!there)
            continue;
        MUST(span_eq(found.name, span_cstr(rows[i].name)));
        ck_assert_uint_eq(found.data, rows[i].data);
        ck_assert_uint_eq(found.end, rows[i].end);
    }
}
END_TEST

START_TEST(uuencode_forgives_what_got_lost)
{
    static const struct {
        const char *in, *out;
        enum mime_uuencode_mode mode;
    } rows[] = {
        {"#86)C\n`\nend\n", "abc", MIME_UUENCODE_LENGTHS},
        {"#86)C\nend \n#86)C\n", "abc", MIME_UUENCODE_LENGTHS},
        {"#86)C\n  end\n#86)C\nend\n", "abcabc", MIME_UUENCODE_LENGTHS}, /* who asked for so much does not stop there */
        {"#86)C\n\tend\n#86)C\nend\n", "abcabc", MIME_UUENCODE_EVERY},
        {"#86)C\r\n#86)C\r\n \r\n", "abcabc", MIME_UUENCODE_LENGTHS},
        {"$86)C9\n", "abcd", MIME_UUENCODE_LENGTHS},
        {"$86)C9   \n", "abcd", MIME_UUENCODE_LENGTHS},
        {"#86)CX\n#86)CXX\n", "abcabc", MIME_UUENCODE_LENGTHS}, /* checksums */
        {"words of a reader\n", "", MIME_UUENCODE_LENGTHS},
        {"c86)C\n#86)C\n", "abc", MIME_UUENCODE_LENGTHS},
        {"c86)C\n#86)C\n", "abcabc", MIME_UUENCODE_EVERY},
        {"", "", MIME_UUENCODE_LENGTHS},
        {"1MK7X\n+\nend\n", "abc", MIME_UUENCODE_XX},
        {"words, and data:\n1MK7X1 \n", "abc", MIME_UUENCODE_XX},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf b;
        buf_init(&b, 1000);
        ck_assert_int_eq(mime_uuencode_decode(span_cstr(rows[i].in), rows[i].mode, &b), ERR_OK);
        MUST(text_is(&b, rows[i].out));
        buf_release(&b);
    }
}
END_TEST

START_TEST(a_quick_look_says_which_files_there_may_be)
{
    static const struct {
        const char *text;
        unsigned kinds;
    } rows[] = {
        {"", 0},
        {"words\r\nand more, begin 644 a\r\n\r\nx=ybegin ", 0},
        {"begin", MIME_INLINE_UUENCODE},
        {"x\n \tBeGiN 644 a", MIME_INLINE_UUENCODE},
        {"x\r=YBEGIN ", MIME_INLINE_YENC},
        {"x\r\nattach;", MIME_INLINE_CALENDAR},
        {"x:\r\n:" HQX_HEAD, MIME_INLINE_BINHEX},
        {":words " HQX_HEAD "\n:colons:", 0},
        {"\r\r\n\n\r  begin\rATTACH\n\n=ybegin\r", MIME_INLINE_UUENCODE | MIME_INLINE_YENC | MIME_INLINE_CALENDAR},
        {"a\rb\rc\rbegi\n   \n=\nA", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_uint_eq(mime_inline_look(span_cstr(rows[i].text)), rows[i].kinds);
}
END_TEST

START_TEST(indentation_is_undone_as_far_as_it_goes)
{
    struct buf b;
    buf_init(&b, 100);
    ck_assert_int_eq(mime_unindent(SPAN("  a\r\n   b\n c\r\td\n\n  "), 2, &b), ERR_OK);
    MUST(text_is(&b, "a\r\n b\nc\rd\n\n"));
    buf_release(&b);
    buf_init(&b, 1);
    ck_assert_int_eq(mime_unindent(SPAN("  ab"), 2, &b), ERR_FULL);
    buf_release(&b);
}
END_TEST

START_TEST(what_may_go_on_ends_where_it_must)
{
    struct mime_inline found;
    struct span text = SPAN("begin 644 a\n#86)C\nEND\n#86)C\n end\nend\nx");
    MUST(mime_uuencode_find(text, 0, &found) && found.cut && !found.odd);
    ck_assert_uint_eq(mime_uuencode_end(text, &found), 37);
    text = SPAN("begin 644 a\n#86)C\nwords\nend\n");
    MUST(mime_uuencode_find(text, 0, &found) && !found.cut && found.odd);
    text = SPAN("=ybegin name=a\nx\n=YEND\ny\n=yend\nz");
    MUST(mime_yenc_find(text, 0, &found) && found.cut);
    ck_assert_uint_eq(mime_yenc_end(text, &found), 31);
}
END_TEST

START_TEST(yenc_undoes_escapes_and_line_ends)
{
    struct buf b;
    buf_init(&b, 1000);
    /* 'a' + 42 = 0x8b; 0xd6 + 42 = NUL, escaped as 0x40; 0xe3 + 42 = CR, escaped as 0x4d */
    ck_assert_int_eq(mime_yenc_decode(SPAN("\x8b=\x40\r\n=\x4d\x8b\r\n=yend size=4"), &b), ERR_OK);
    MUST(text_is(&b, "a\xd6\xe3"
                     "a"));
    buf_release(&b);
}
END_TEST

START_TEST(binhex_gives_name_and_data_fork)
{
    /* As macutils' binhex writes a file "a.txt" that holds "aaaaaaaaaa\n". */
    static const char alphabet[] = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
    static const char octets[] = "\5a.txt\0TEXTttxt\0\0\0\0\0\13\0\0\0\0\0\0a\220\12\n\0\0\0\0";
    char text[256];
    size_t n = 0;
    unsigned bits = 0, have = 0;
    for (size_t i = 0; i + 1 < sizeof(octets); i++) {
        bits = bits << 8 | (unsigned char)octets[i];
        for (have += 8; have >= 6; have -= 6)
            text[n++] = alphabet[bits >> (have - 6) & 63];
    }
    struct buf b;
    struct span name, fork;
    buf_init(&b, 1000);
    ck_assert_int_eq(mime_binhex_decode(span_of(text, n), &b, &name, &fork), ERR_OK);
    MUST(span_eq(name, SPAN("a.txt")));
    MUST(span_eq(fork, SPAN("aaaaaaaaaa\n")));
    buf_release(&b);
}
END_TEST

START_TEST(wide_text_is_told_by_mark_or_look)
{
    static const struct {
        struct span in;
        enum mime_wide wide;
        const char *out;
    } rows[] = {
        {{"\xff\xfe"
          "a\0b\0",
          6},
         MIME_WIDE_16LE,
         "ab"},
        {{"\xfe\xff\0a\0b", 6}, MIME_WIDE_16BE, "ab"},
        {{"\xff\xfe\0\0a\0\0\0", 8}, MIME_WIDE_32LE, "a"},
        {{"\0\0\xfe\xff\0\0\0a", 8}, MIME_WIDE_32BE, "a"},
        {{"a\0b\0c\0d\0", 8}, MIME_WIDE_16LE, "abcd"},
        {{"\0a\0b\0c\0d", 8}, MIME_WIDE_16BE, "abcd"},
        {{"\xff\xfe\x3d\xd8\x00\xde", 6}, MIME_WIDE_16LE, "\xf0\x9f\x98\x80"},
        {{"\xff\xfe\x3d\xd8", 4}, MIME_WIDE_16LE, "\xef\xbf\xbd"},
        {{"abcdefgh", 8}, MIME_WIDE_NONE, NULL},
        {{"\0\0\0\0\0\0\0\0", 8}, MIME_WIDE_NONE, NULL},
        {{"a\0", 2}, MIME_WIDE_NONE, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ck_assert_int_eq(mime_wide_of(rows[i].in), rows[i].wide);
        if (!rows[i].out)
            continue;
        struct buf b;
        buf_init(&b, 1000);
        ck_assert_int_eq(mime_wide_decode(rows[i].in, rows[i].wide, &b), ERR_OK);
        MUST(text_is(&b, rows[i].out));
        buf_release(&b);
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(base64_is_read_as_its_decoders_do)                                                                               \
    X(base64_with_zeros_for_padding_keeps_their_place)                                                                 \
    X(long_base64_is_decoded_whole)                                                                                    \
    X(output_stops_at_the_buffers_maximum)                                                                             \
    X(oddities_of_base64_are_noticed)                                                                                  \
    X(quoted_printable_is_plain_where_nothing_is_left_to_opinion)                                                      \
    X(quoted_printable_is_read_as_its_decoders_do)                                                                     \
    X(files_in_texts_are_found)                                                                                        \
    X(uuencode_forgives_what_got_lost)                                                                                 \
    X(a_quick_look_says_which_files_there_may_be)                                                                      \
    X(indentation_is_undone_as_far_as_it_goes)                                                                         \
    X(what_may_go_on_ends_where_it_must)                                                                               \
    X(yenc_undoes_escapes_and_line_ends)                                                                               \
    X(binhex_gives_name_and_data_fork)                                                                                 \
    X(wide_text_is_told_by_mark_or_look)
#include "support/check_main.h"
