/* SPDX-License-Identifier: MIT */
/* Replies: the strict parser of what a server says, and the forming of what a client may be told. */
#include "smtp/reply.h"
#include <check.h>

struct parse_row {
    const char *bytes;
    int code; /* 0: bad */
    uint16_t enhanced[3];
    const char *text; /* or the problem */
};

static void check_parse(const struct parse_row *row, size_t cut)
{
    struct smtp_reply_parser p;
    struct smtp_reply reply;
    struct buf in;
    struct span all = span_cstr(row->bytes);
    smtp_reply_parser_init(&p);
    buf_init(&in, LIMIT_STREAM_IN);
    ck_assert_int_eq(buf_append(&in, span_sub(all, 0, cut)), ERR_OK);
    enum smtp_reply_result r = smtp_reply_parse(&p, &in, &reply);
    ck_assert_msg(cut == all.len || r != SMTP_REPLY_OK, "\"%s\" cut at %zu is a reply", row->bytes, cut);
    if (r == SMTP_REPLY_MORE) {
        ck_assert_int_eq(buf_append(&in, span_sub(all, cut, all.len)), ERR_OK);
        r = smtp_reply_parse(&p, &in, &reply);
    }
    if (row->code == 0) {
        ck_assert_msg(r == SMTP_REPLY_BAD, "\"%s\" cut at %zu is not bad", row->bytes, cut);
        ck_assert_str_eq(p.problem, row->text);
        ck_assert_int_eq(smtp_reply_parse(&p, &in, &reply), SMTP_REPLY_BAD);
    } else {
        ck_assert_msg(r == SMTP_REPLY_OK, "\"%s\" cut at %zu: %s", row->bytes, cut, p.problem ? p.problem : "more");
        ck_assert_int_eq(reply.code, row->code);
        ck_assert_mem_eq(reply.enhanced, row->enhanced, sizeof(row->enhanced));
        ck_assert_msg(span_eq(reply.text, span_cstr(row->text)), "\"%s\": text \"%.*s\"", row->bytes,
                      SPAN_ARG(reply.text));
        ck_assert_uint_eq(buf_len(&in), 0);
    }
    smtp_reply_parser_release(&p);
    buf_release(&in);
}

START_TEST(parses_replies_at_every_cut)
{
    static const struct parse_row rows[] = {
        {"250 ok\r\n", 250, {0}, "ok"},
        {"250\r\n", 250, {0}, ""},
        {"250 \r\n", 250, {0}, ""},
        {"250-\r\n250-a\r\n250\r\n", 250, {0}, "\na\n"},
        {"200 a\r\n", 200, {0}, "a"},
        {"599 a\r\n", 599, {0}, "a"},
        {"250 2.1.5 ok\r\n", 250, {2, 1, 5}, "ok"},
        {"250 2.1.5\r\n", 250, {2, 1, 5}, ""},
        {"550-5.7.1 a\r\n550 5.7.1 b\r\n", 550, {5, 7, 1}, "a\nb"},
        {"550-5.7.1 a\r\n550 5.1.1 b\r\n", 550, {5, 7, 1}, "a\n5.1.1 b"},
        {"550-5.7.1 a\r\n550 b\r\n", 550, {5, 7, 1}, "a\nb"},
        {"550-a\r\n550 5.1.1 b\r\n", 550, {0}, "a\n5.1.1 b"},
        {"550 5.7.750 x\r\n", 550, {5, 7, 750}, "x"},
        {"550 5.7.1000 x\r\n", 550, {0}, "5.7.1000 x"},
        {"550 5.7.1x\r\n", 550, {0}, "5.7.1x"},
        {"550 5.7 x\r\n", 550, {0}, "5.7 x"},
        {"550 3.7.1 x\r\n", 550, {0}, "3.7.1 x"},
        {"550 4.7.1 x\r\n", 550, {4, 7, 1}, "x"},
        {"250 \xff\x01\x1b[31m\t\r\n", 250, {0}, "\xff\x01\x1b[31m\t"},
        {"\r\n", 0, {0}, "reply does not begin with three digits"},
        {"25\r\n", 0, {0}, "reply does not begin with three digits"},
        {"25x ok\r\n", 0, {0}, "reply does not begin with three digits"},
        {" 250 ok\r\n", 0, {0}, "reply does not begin with three digits"},
        {"+25 ok\r\n", 0, {0}, "reply does not begin with three digits"},
        {"2500 ok\r\n", 0, {0}, "reply code is not followed by a blank or a hyphen"},
        {"250\tok\r\n", 0, {0}, "reply code is not followed by a blank or a hyphen"},
        {"199 a\r\n", 0, {0}, "reply code outside 200 to 599"},
        {"600 a\r\n", 0, {0}, "reply code outside 200 to 599"},
        {"000 a\r\n", 0, {0}, "reply code outside 200 to 599"},
        {"250-a\r\n251 b\r\n", 0, {0}, "lines of one reply differ in their code"},
        {"250-a\r\n\r\n", 0, {0}, "reply does not begin with three digits"},
        {"250 a\n", 0, {0}, "line of a reply does not end with CRLF"},
        {"250 a\nb\r\n", 0, {0}, "line of a reply does not end with CRLF"},
        {"\n", 0, {0}, "line of a reply does not end with CRLF"},
        {"250 a\rb\r\n", 0, {0}, "line of a reply does not end with CRLF"},
        {"250 a\r\r\n", 0, {0}, "line of a reply does not end with CRLF"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (size_t cut = 0; cut <= strlen(rows[i].bytes); cut++)
            check_parse(&rows[i], cut);
}
END_TEST

START_TEST(takes_one_reply_at_a_time)
{
    struct smtp_reply_parser p;
    struct smtp_reply reply;
    struct buf in;
    smtp_reply_parser_init(&p);
    buf_init(&in, LIMIT_STREAM_IN);
    ck_assert_int_eq(buf_append(&in, SPAN("250-2.0.0 a\r\n250 2.0.0 b\r\n451 c\r\n25")), ERR_OK);
    ck_assert_int_eq(smtp_reply_parse(&p, &in, &reply), SMTP_REPLY_OK);
    ck_assert(!smtp_reply_parser_busy(&p));
    ck_assert_int_eq(smtp_reply_parse(&p, &in, &reply), SMTP_REPLY_OK);
    ck_assert_int_eq(reply.code, 451);
    ck_assert_uint_eq(reply.enhanced[0], 0);
    ck_assert(span_eq(reply.text, SPAN("c")));
    ck_assert_int_eq(smtp_reply_parse(&p, &in, &reply), SMTP_REPLY_MORE);
    ck_assert(smtp_reply_parser_busy(&p));
    smtp_reply_parser_release(&p);
    buf_release(&in);
}
END_TEST

/* A line of LEN octets, CRLF included. */
static enum smtp_reply_result long_line(size_t len)
{
    struct smtp_reply_parser p;
    struct smtp_reply reply;
    struct buf in;
    smtp_reply_parser_init(&p);
    buf_init(&in, LIMIT_STREAM_IN);
    ck_assert_int_eq(buf_append(&in, SPAN("250 ")), ERR_OK);
    for (size_t i = 4; i < len - 2; i++)
        ck_assert_int_eq(buf_append_char(&in, 'x'), ERR_OK);
    ck_assert_int_eq(buf_append(&in, SPAN("\r\n")), ERR_OK);
    enum smtp_reply_result r = smtp_reply_parse(&p, &in, &reply);
    smtp_reply_parser_release(&p);
    buf_release(&in);
    return r;
}

START_TEST(bounds_lines_and_replies)
{
    ck_assert_int_eq(long_line(LIMIT_REPLY_LINE), SMTP_REPLY_OK);
    ck_assert_int_eq(long_line(LIMIT_REPLY_LINE + 1), SMTP_REPLY_BAD);
}
END_TEST

struct write_row {
    struct smtp_reply reply;
    bool enhanced, utf8;
    const char *out;
};
#define TEXT(s)                                                                                                        \
    {                                                                                                                  \
        s, sizeof(s) - 1                                                                                               \
    }

START_TEST(writes_replies)
{
    static const struct write_row rows[] = {
        {{250, {0}, TEXT("ok")}, false, false, "250 ok\r\n"},
        {{250, {0}, TEXT("ok")}, true, false, "250 2.0.0 ok\r\n"},
        {{250, {2, 1, 5}, TEXT("ok")}, true, false, "250 2.1.5 ok\r\n"},
        {{250, {2, 1, 5}, TEXT("ok")}, false, false, "250 ok\r\n"},
        {{451, {5, 1, 5}, TEXT("ok")}, true, false, "451 4.1.5 ok\r\n"},
        {{550, {5, 7, 750}, TEXT("ok")}, true, false, "550 5.7.750 ok\r\n"},
        {{354, {0}, TEXT("go")}, true, false, "354 go\r\n"},
        {{250, {0}, TEXT("")}, false, false, "250\r\n"},
        {{250, {0}, TEXT("")}, true, false, "250 2.0.0\r\n"},
        {{250, {0}, TEXT("a\nb\n\nc")}, false, false, "250-a\r\n250-b\r\n250-\r\n250 c\r\n"},
        {{550, {5, 1, 1}, TEXT("a\n\nb")}, true, false, "550-5.1.1 a\r\n550-5.1.1\r\n550 5.1.1 b\r\n"},
        {{250, {0}, TEXT("a\n\n")}, false, false, "250 a\r\n"},
        {{550, {0}, TEXT("x\r\n550 y\x1b[31m\t\0z\x7f")}, false, false, "550-x?\r\n550 550 y?[31m ?z?\r\n"},
        {{250, {0}, TEXT("caf\xc3\xa9")}, false, false, "250 caf??\r\n"},
        {{250, {0}, TEXT("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80")},
         false,
         true,
         "250 caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\r\n"},
        /* stray, cut, overlong, surrogate, C1 control, line separator, too large */
        {{250, {0}, TEXT("\x80 \xc3 \xc0\xaf \xed\xa0\x80 \xc2\x85 \xe2\x80\xa8 \xf4\x90\x80\x80")},
         false,
         true,
         "250 ? ? ?? ??? ?? ??? ????\r\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf out;
        buf_init(&out, 1024);
        ck_assert_int_eq(smtp_reply_write(&out, &rows[i].reply, rows[i].enhanced, rows[i].utf8), ERR_OK);
        ck_assert_msg(span_eq(buf_span(&out), span_cstr(rows[i].out)), "row %zu: %.*s", i, SPAN_ARG(buf_span(&out)));
        buf_release(&out);
    }
}
END_TEST

START_TEST(cuts_lines_at_512_octets)
{
    char text[600];
    memset(text, 'x', sizeof(text));
    for (unsigned utf8 = 0; utf8 < 2; utf8++) {
        /* A two-octet character that would straddle the cut is left out. */
        memcpy(text + 512 - 2 - 4 - 1, utf8 ? "\xc3\xa9" : "xx", 2);
        struct smtp_reply r = {.code = 250, .text = span_of(text, sizeof(text))};
        struct buf out;
        buf_init(&out, 1024);
        ck_assert_int_eq(smtp_reply_write(&out, &r, false, utf8), ERR_OK);
        ck_assert_uint_eq(buf_len(&out), utf8 ? 511 : 512);
        buf_release(&out);
    }
}
END_TEST

START_TEST(writes_all_or_nothing)
{
    struct smtp_reply r = {.code = 250, .text = SPAN("one\ntwo")};
    struct buf out;
    buf_init(&out, 17);
    ck_assert_int_eq(smtp_reply_write(&out, &r, false, false), ERR_FULL);
    ck_assert_uint_eq(buf_len(&out), 0);
    r.text = SPAN("one\ntw");
    ck_assert_int_eq(smtp_reply_write(&out, &r, false, false), ERR_OK);
    r.code = 600;
    ck_assert_int_eq(smtp_reply_write(&out, &r, false, false), ERR_RANGE);
    r.code = 199;
    ck_assert_int_eq(smtp_reply_write(&out, &r, false, false), ERR_RANGE);
    buf_release(&out);
}
END_TEST

START_TEST(our_own_replies_fit_their_codes)
{
    for (unsigned s = 0; s < SMTP_SAY_COUNT; s++) {
        struct smtp_reply r = smtp_say((enum smtp_say)s);
        ck_assert_msg(r.code >= 200 && r.code <= 599, "say %u: %d", s, r.code);
        ck_assert_msg(smtp_reply_class(&r) == 3 ? r.enhanced[0] == 0 : r.enhanced[0] == smtp_reply_class(&r),
                      "say %u: %d %u.%u.%u", s, r.code, r.enhanced[0], r.enhanced[1], r.enhanced[2]);
        ck_assert_uint_gt(r.text.len, 0);
        ck_assert_uint_lt(r.text.len, 200);
        for (size_t i = 0; i < r.text.len; i++)
            ck_assert(char_is_print(r.text.ptr[i]));
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(parses_replies_at_every_cut)                                                                                     \
    X(takes_one_reply_at_a_time)                                                                                       \
    X(bounds_lines_and_replies)                                                                                        \
    X(writes_replies)                                                                                                  \
    X(cuts_lines_at_512_octets)                                                                                        \
    X(writes_all_or_nothing)                                                                                           \
    X(our_own_replies_fit_their_codes)
#include "support/check_main.h"
