/* SPDX-License-Identifier: MIT */
/* Requests and heads of answers of the console's protocol. (B44) */
#include "daemon/console_line.h"
#include <check.h>

static struct console_words words;
static struct errtext why;

static enum err parse(const char *line)
{
    why.text[0] = '\0';
    return console_line_parse(span_cstr(line), &words, &why);
}

START_TEST(words_are_what_stands_between_blanks)
{
    static const struct {
        const char *line;
        bool json;
        size_t count;
        const char *items[4];
    } rows[] = {
        {"", false, 0, {NULL}},
        {"  \t ", false, 0, {NULL}},
        {"help", false, 1, {"help"}},
        {"  threads \t stats ", false, 2, {"threads", "stats"}},
        {"json antivirus:av1 stats", true, 2, {"antivirus:av1", "stats"}},
        {"json", true, 0, {NULL}},
        {"json json", true, 1, {"json"}},
        {"JSON help", false, 2, {"JSON", "help"}},
        {"\"json\" help", false, 2, {"json", "help"}},
        {"cache purge name \"Some Virus\"", false, 4, {"cache", "purge", "name", "Some Virus"}},
        {"a \"\" b", false, 3, {"a", "", "b"}},
        {"a\"b c\"d", false, 1, {"ab cd"}},
        {"\"say \\\"so\\\\\"", false, 1, {"say \"so\\"}},
        {"back\\slash", false, 1, {"back\\slash"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ck_assert_msg(parse(rows[i].line) == ERR_OK, "%s: %s", rows[i].line, why.text);
        ck_assert_msg(words.json == rows[i].json && words.count == rows[i].count, "%s: %zu words", rows[i].line,
                      words.count);
        for (size_t k = 0; k < rows[i].count; k++)
            ck_assert_str_eq(words.items[k], rows[i].items[k]);
    }
}
END_TEST

START_TEST(what_is_no_request_is_refused_with_a_reason)
{
    char longest[CONSOLE_LINE_MAX + 2], many[3 * CONSOLE_WORDS_MAX];
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    size_t len = 0;
    for (size_t i = 0; i <= CONSOLE_WORDS_MAX; i++)
        len += (size_t)snprintf(many + len, sizeof(many) - len, "w ");
    static const struct {
        const char *line, *reason;
        enum err e;
    } rows[] = {
        {"help \"me", "no end", ERR_SYNTAX},
        {"help \"me\\", "no end", ERR_SYNTAX},
        {"hel\x7fp", "octet 4 of the request is 0x7f", ERR_SYNTAX},
        {"\x1b[2J", "octet 1 of the request is 0x1b", ERR_SYNTAX},
        {"caf\xc3\xa9", "octet 4", ERR_SYNTAX},
        {"one\rtwo", "octet 4", ERR_SYNTAX},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ck_assert_msg(parse(rows[i].line) == rows[i].e, "row %zu", i);
        ck_assert_msg(strstr(why.text, rows[i].reason) != NULL, "row %zu: %s", i, why.text);
        ck_assert_uint_eq(words.count, 0);
    }
    ck_assert_int_eq(parse(longest), ERR_FULL);
    longest[CONSOLE_LINE_MAX] = '\0';
    ck_assert_int_eq(parse(longest), ERR_OK);
    ck_assert_uint_eq(strlen(words.items[0]), CONSOLE_LINE_MAX);
    ck_assert_int_eq(parse(many), ERR_FULL);
    many[2 * CONSOLE_WORDS_MAX] = '\0';
    ck_assert_int_eq(parse(many), ERR_OK);
    ck_assert_uint_eq(words.count, CONSOLE_WORDS_MAX);
    ck_assert_int_eq(console_line_parse(span_of("a\0b", 3), &words, &why), ERR_SYNTAX);
}
END_TEST

START_TEST(a_line_made_of_words_is_read_as_these_words)
{
    static const char *const items[] = {"cache",   "purge",       "two words", "",
                                        "quo\"te", "back\\slash", "b\\ \"q",   "\ttab"};
    char line[256] = "";
    for (size_t i = 0; i < ARRAY_SIZE(items); i++)
        ck_assert_int_eq(console_line_add(line, sizeof(line), items[i]), ERR_OK);
    ck_assert_msg(parse(line) == ERR_OK, "%s: %s", line, why.text);
    ck_assert_uint_eq(words.count, ARRAY_SIZE(items));
    for (size_t i = 0; i < ARRAY_SIZE(items); i++)
        ck_assert_str_eq(words.items[i], items[i]);
}
END_TEST

START_TEST(a_line_takes_no_more_than_fits_and_nothing_that_is_no_text)
{
    char line[8] = "";
    ck_assert_int_eq(console_line_add(line, sizeof(line), "abc\n"), ERR_SYNTAX);
    ck_assert_int_eq(console_line_add(line, sizeof(line), "abcdefgh"), ERR_FULL);
    ck_assert_int_eq(console_line_add(line, sizeof(line), "abc"), ERR_OK);
    ck_assert_int_eq(console_line_add(line, sizeof(line), "defg"), ERR_FULL);
    ck_assert_int_eq(console_line_add(line, sizeof(line), "d e"), ERR_FULL); /* with its quotes */
    ck_assert_int_eq(console_line_add(line, sizeof(line), "def"), ERR_OK);
    ck_assert_str_eq(line, "abc def");
}
END_TEST

START_TEST(a_head_is_read_as_it_was_written)
{
    static const size_t lengths[] = {0, 1, 10, 4096, CONSOLE_OUTPUT_MAX};
    for (int status = CONSOLE_DONE; status <= CONSOLE_REFUSED; status++) {
        for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
            char head[CONSOLE_HEAD_SIZE];
            enum console_status found;
            size_t len = console_head_write(head, (enum console_status)status, lengths[i]), read, length;
            ck_assert_uint_eq(len, strlen(head));
            for (size_t cut = 0; cut < len; cut++)
                ck_assert_int_eq(console_head_read(span_of(head, cut), &read, &found, &length), ERR_AGAIN);
            ck_assert_int_eq(console_head_read(span_of(head, len), &read, &found, &length), ERR_OK);
            ck_assert_uint_eq(read, len);
            ck_assert_int_eq((int)found, status);
            ck_assert_uint_eq(length, lengths[i]);
        }
    }
}
END_TEST

START_TEST(what_is_no_head_is_no_head)
{
    static const char *const rows[] = {"\n",      "0\n",     "0 \n",         "3 1\n",           "0 01\n",
                                       "0  1\n",  "0 -1\n",  "0 1048577\n",  "00 1\n",          "0 1 \n",
                                       "0 1\r\n", "220 x\n", "0 99999999\n", "no console here", "0123456789abcdef"};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        enum console_status status;
        size_t head, length;
        struct span bytes = span_cstr(rows[i]);
        enum err e = console_head_read(bytes, &head, &status, &length);
        ck_assert_msg(
            e == (bytes.len < CONSOLE_HEAD_SIZE && span_find(bytes, '\n') == bytes.len ? ERR_AGAIN : ERR_SYNTAX),
            "row %zu", i);
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(words_are_what_stands_between_blanks)                                                                            \
    X(what_is_no_request_is_refused_with_a_reason)                                                                     \
    X(a_line_made_of_words_is_read_as_these_words)                                                                     \
    X(a_line_takes_no_more_than_fits_and_nothing_that_is_no_text)                                                      \
    X(a_head_is_read_as_it_was_written) X(what_is_no_head_is_no_head)
#include "support/check_main.h"
