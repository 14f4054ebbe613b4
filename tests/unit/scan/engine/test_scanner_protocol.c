/* SPDX-License-Identifier: MIT */
/* What postern-scan and a scanner program say to each other: what is formed is read as the same, and nothing else is
 * read at all. */
#include <check.h>

#include "scan/engine/scanner_protocol.h"

static struct buf new_buf(void)
{
    struct buf b;
    buf_init(&b, SCANNER_MESSAGE_MAX);
    return b;
}

static bool text_is(const struct buf *b, const char *text)
{
    return span_eq(buf_span(b), span_cstr(text));
}

START_TEST(a_result_is_read_as_it_was_formed)
{
    struct buf b = new_buf();
    struct scanner_result r = {.id = UINT64_MAX, .status = SCANNER_UNSCANNABLE}, back;
    for (int i = 0; i < SCANNER_CODES + 2; i++)
        scanner_result_add(&r, i == 0 ? "DEC_RESULT_MAXIMUM_DEPTH_REACHED" : "X");
    ck_assert_uint_eq(r.code_count, SCANNER_CODES);
    snprintf(r.virus, sizeof(r.virus), "%s", "A name: with blanks");
    memset(r.info, 'i', sizeof(r.info) - 1);
    ck_assert_int_eq(scanner_result_write(&r, &b), ERR_OK);
    ck_assert_int_eq(scanner_result_read(buf_span(&b), &back), ERR_OK);
    ck_assert(memcmp(&r, &back, sizeof(r)) == 0);
    r = (struct scanner_result){.id = 7};
    ck_assert_int_eq(scanner_result_write(&r, &b), ERR_OK);
    ck_assert(text_is(&b, "RESULT 7 clean\nend\n"));
    buf_release(&b);
}
END_TEST

START_TEST(hostile_text_becomes_a_line_of_printable_text)
{
    struct buf b = new_buf();
    struct scanner_result r = {.id = 1, .status = SCANNER_ERROR};
    scanner_result_add(&r, "A\nend");
    snprintf(r.virus, sizeof(r.virus), "%s", "x\nend\n\x1b");
    ck_assert_int_eq(scanner_result_write(&r, &b), ERR_OK);
    ck_assert(text_is(&b, "RESULT 1 error\ncode A?end\nvirus x?end??\nend\n"));
    buf_release(&b);
}
END_TEST

START_TEST(a_request_is_read_as_it_was_formed)
{
    struct buf b = new_buf();
    struct scanner_request r = {.id = 3, .size = 1U << 31, .time_ms = 2500}, back;
    ck_assert_int_eq(scanner_request_write(&r, false, &b), ERR_OK);
    ck_assert(text_is(&b, "SCAN 3 2147483648 2500\nend\n"));
    ck_assert_int_eq(scanner_request_read(buf_span(&b), false, &back), ERR_OK);
    ck_assert(memcmp(&r, &back, sizeof(r)) == 0);
    ck_assert_int_eq(scanner_request_read(buf_span(&b), true, &back), ERR_SYNTAX);
    r.engine = LIMIT_ENGINES - 1;
    r.time_ms = UINT64_MAX;
    ck_assert_int_eq(scanner_request_write(&r, true, &b), ERR_OK);
    ck_assert_int_eq(scanner_request_read(buf_span(&b), true, &back), ERR_OK);
    ck_assert_uint_eq(back.time_ms, SCANNER_TIME_MAX_MS);
    ck_assert_uint_eq(back.engine, LIMIT_ENGINES - 1);
    ck_assert_int_eq(scanner_request_read(buf_span(&b), false, &back), ERR_SYNTAX);
    buf_release(&b);
}
END_TEST

START_TEST(a_program_is_ready_or_says_why_not)
{
    struct buf b = new_buf();
    struct scanner_ready r = {.definitions = 27500, .signatures = 8000000, .text = "avscan 1", .missing = "RAR"}, back;
    ck_assert_int_eq(scanner_ready_write(&r, &b), ERR_OK);
    ck_assert_int_eq(scanner_ready_read(buf_span(&b), &back), ERR_OK);
    ck_assert(memcmp(&r, &back, sizeof(r)) == 0);
    r = (struct scanner_ready){0};
    ck_assert_int_eq(scanner_ready_write(&r, &b), ERR_OK);
    ck_assert(text_is(&b, "READY 1\nend\n"));
    r = (struct scanner_ready){.refused = true, .text = "no licence"};
    ck_assert_int_eq(scanner_ready_write(&r, &b), ERR_OK);
    ck_assert_int_eq(scanner_ready_read(buf_span(&b), &back), ERR_OK);
    ck_assert(back.refused);
    ck_assert_str_eq(back.text, "no licence");
    buf_release(&b);
}
END_TEST

static const char *const not_ready[] = {
    "",
    "READY 1",
    "READY 1\n",
    "READY 2\nend\n",
    "READY 1\nend",
    "READY 1\nend\nend\n",
    "READY 1\nversion\nend\n",
    "READY 1\nversion \nend\n",
    "READY 1\ncolour red\nend\n",
    "READY 1\ndefinitions x\nend\n",
    "READY 1\ndefinitions 99999999999999999999\nend\n",
    "READY 1\r\nend\r\n",
    "REFUSED\nend\n",
    "REFUSED why\n",
    "REFUSED why\nversion 1\nend\n",
};
#define LONG "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
static const char *const no_result[] = {
    "",
    "RESULT",
    "RESULT 1\nend\n",
    "RESULT x clean\nend\n",
    "RESULT -1 clean\nend\n",
    "RESULT 18446744073709551616 clean\nend\n",
    "RESULT 1 clean",
    "RESULT 1 clean\n",
    "RESULT 1 clean\nend",
    "RESULT 1 clean\nend\n\n",
    "RESULT 1 clean\nend\nRESULT 1 infected\nend\n",
    "RESULT 1 CLEAN\nend\n",
    "RESULT 1 clean \nend\n",
    "RESULT 1 clean infected\nend\n",
    "RESULT 1  clean\nend\n",
    "result 1 clean\nend\n",
    "RESULT 1 clean\n\nend\n",
    "RESULT 1 clean\ncode\nend\n",
    "RESULT 1 clean\nnote x\nend\n",
    "RESULT 1 infected\nvirus a\nvirus b\nend\n",
    "RESULT 1 clean\ninfo a\ninfo b\nend\n",
    "RESULT 1 clean\nvirus \x01\nend\n",
    "RESULT 1 clean\ncode a\ncode b\ncode c\ncode d\ncode e\ncode f\ncode g\ncode h\ncode i\nend\n",
    "RESULT 1 clean\ncode LONG_" LONG LONG "\nend\n",
};
static const char *const no_request[] = {
    "",
    "SCAN\nend\n",
    "SCAN 1 2\nend\n",
    "SCAN 1 2 3\n",
    "SCAN 1 2 3 4\nend\n",
    "SCAN 1 2 3\nversion x\nend\n",
    "SCAN 1 -2 3\nend\n",
    "SCAN 1 2 99999999999\nend\n",
    "ASK 16 1 2 3\nend\n",
};

START_TEST(whatever_else_is_no_message)
{
    struct scanner_ready ready;
    struct scanner_result result;
    struct scanner_request request;
    for (size_t i = 0; i < ARRAY_SIZE(not_ready); i++)
        ck_assert_msg(scanner_ready_read(span_cstr(not_ready[i]), &ready) == ERR_SYNTAX, "%s", not_ready[i]);
    for (size_t i = 0; i < ARRAY_SIZE(no_result); i++)
        ck_assert_msg(scanner_result_read(span_cstr(no_result[i]), &result) == ERR_SYNTAX, "%s", no_result[i]);
    for (size_t i = 0; i < ARRAY_SIZE(no_request); i++)
        ck_assert_msg(scanner_request_read(span_cstr(no_request[i]), false, &request) == ERR_SYNTAX &&
                          scanner_request_read(span_cstr(no_request[i]), true, &request) == ERR_SYNTAX,
                      "%s", no_request[i]);
    ck_assert_int_eq(scanner_result_read(SPAN("RESULT 1 clean\0\nend\n"), &result), ERR_SYNTAX);
}
END_TEST

START_TEST(what_is_cut_anywhere_or_too_long_is_no_result)
{
    static const char whole[] = "RESULT 12 clean\ncode DEC_RESULT_OUTER_CONTAINER_IS_MIME\ninfo a remark\nend\n";
    char large[SCANNER_MESSAGE_MAX + 100];
    struct scanner_result r;
    for (size_t len = 0; len < sizeof(whole) - 1; len++)
        ck_assert_int_eq(scanner_result_read(span_of(whole, len), &r), ERR_SYNTAX);
    ck_assert_int_eq(scanner_result_read(span_of(whole, sizeof(whole) - 1), &r), ERR_OK);
    size_t len = (size_t)snprintf(large, sizeof(large), "RESULT 1 clean\ninfo ");
    memset(large + len, 'x', sizeof(large) - len);
    memcpy(large + sizeof(large) - 5, "\nend\n", 5);
    ck_assert_int_eq(scanner_result_read(span_of(large, sizeof(large)), &r), ERR_SYNTAX);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_result_is_read_as_it_was_formed)                                                                               \
    X(hostile_text_becomes_a_line_of_printable_text)                                                                   \
    X(a_request_is_read_as_it_was_formed)                                                                              \
    X(a_program_is_ready_or_says_why_not)                                                                              \
    X(whatever_else_is_no_message)                                                                                     \
    X(what_is_cut_anywhere_or_too_long_is_no_result)
#include "support/check_main.h"
