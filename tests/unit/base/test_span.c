/* SPDX-License-Identifier: MIT */
/* Spans: comparing, searching, trimming and cutting borrowed bytes. */
#include "base/span.h"
#include <check.h>
#include <stdint.h>

START_TEST(equality_knows_length_and_case)
{
    static const struct {
        struct span a, b;
        bool same, same_nocase;
    } cases[] = {
        {{"", 0}, {NULL, 0}, true, true},         {{"abc", 3}, {"abc", 3}, true, true},
        {{"abc", 3}, {"ABC", 3}, false, true},    {{"abc", 3}, {"abcd", 4}, false, false},
        {{"a\0b", 3}, {"a\0c", 3}, false, false}, {{"a\0b", 3}, {"A\0B", 3}, false, true},
        {{"\xe4", 1}, {"\xc4", 1}, false, false}, {{"[", 1}, {"{", 1}, false, false},
        {{"@", 1}, {"`", 1}, false, false},       {{"Zz", 2}, {"zZ", 2}, false, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ck_assert_msg(span_eq(cases[i].a, cases[i].b) == cases[i].same, "case %zu", i);
        ck_assert_msg(span_eq_nocase(cases[i].a, cases[i].b) == cases[i].same_nocase, "case %zu without case", i);
    }
}
END_TEST

START_TEST(prefixes_and_suffixes)
{
    ck_assert(span_starts(SPAN("MAIL FROM"), SPAN("MAIL")));
    ck_assert(span_starts(SPAN("MAIL"), SPAN("")));
    ck_assert(!span_starts(SPAN("MAI"), SPAN("MAIL")));
    ck_assert(!span_starts(SPAN("mail"), SPAN("MAIL")));
    ck_assert(span_starts_nocase(SPAN("mAiL from"), SPAN("MAIL")));
    ck_assert(!span_starts_nocase(SPAN("ma"), SPAN("MAIL")));
    ck_assert(span_ends_nocase(SPAN("x.ZIP"), SPAN(".zip")));
    ck_assert(span_ends_nocase(SPAN("zip"), SPAN("")));
    ck_assert(!span_ends_nocase(SPAN("ip"), SPAN("zip")));
}
END_TEST

START_TEST(a_part_never_leaves_its_span)
{
    static const struct {
        size_t offset, len;
        const char *part;
    } cases[] = {{0, 3, "abc"},
                 {0, 2, "ab"},
                 {1, 1, "b"},
                 {1, 99, "bc"},
                 {3, 1, ""},
                 {4, 1, ""},
                 {SIZE_MAX, SIZE_MAX, ""},
                 {1, SIZE_MAX, "bc"},
                 {2, SIZE_MAX - 1, "c"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct span part = span_sub(SPAN("abc"), cases[i].offset, cases[i].len);
        ck_assert_msg(span_eq(part, span_cstr(cases[i].part)), "case %zu", i);
    }
    ck_assert_ptr_null(span_sub(span_of(NULL, 0), 5, 5).ptr);
    ck_assert_uint_eq(span_cstr(NULL).len, 0);
}
END_TEST

START_TEST(trimming_takes_blanks_and_tabs_only)
{
    ck_assert(span_eq(span_trim(SPAN(" \t a b\t ")), SPAN("a b")));
    ck_assert(span_eq(span_trim(SPAN(" \t ")), SPAN("")));
    ck_assert(span_eq(span_trim(SPAN("\r\na\n")), SPAN("\r\na\n")));
    ck_assert(span_eq(span_trim(span_of(NULL, 0)), SPAN("")));
}
END_TEST

START_TEST(searching_gives_the_first_place_or_the_length)
{
    ck_assert_uint_eq(span_find(SPAN("a\0b\0"), '\0'), 1);
    ck_assert_uint_eq(span_find(SPAN("abc"), 'x'), 3);
    ck_assert_uint_eq(span_find(span_of(NULL, 0), 'x'), 0);
    ck_assert_uint_eq(span_find_span(SPAN("a\r\r\n.\r\n"), SPAN("\r\n")), 2);
    ck_assert_uint_eq(span_find_span(SPAN("abc"), SPAN("abcd")), 3);
    ck_assert_uint_eq(span_find_span(SPAN("abc"), SPAN("")), 0);
    ck_assert_uint_eq(span_find_span(span_of(NULL, 0), SPAN("x")), 0);
    /* beyond the span nothing is found, though it is there in memory */
    ck_assert_uint_eq(span_find(span_of("abc", 2), 'c'), 2);
    ck_assert_uint_eq(span_find_span(span_of("abc", 2), SPAN("bc")), 2);
}
END_TEST

/* Texts of few letters, so that there are many beginnings, and of a length at which patience ends. */
START_TEST(searching_by_a_rare_octet_gives_the_same_place)
{
    static const struct span needles[] = {{"a", 1}, {"ab", 2}, {"aab", 3}, {"abcab", 5}, {"ccccccccb", 9}};
    char text[1200];
    unsigned seed = 1, found = 0, absent = 0;
    for (unsigned round = 0; round < 400; round++) {
        unsigned letters = 1 + round % 3;
        for (size_t i = 0; i < sizeof(text); i++) {
            seed = seed * 1103515245u + 12345u;
            text[i] = (char)('c' - (seed >> 16) % letters);
        }
        struct span s = span_of(text, round % 2 ? sizeof(text) : round % 13);
        for (size_t n = 0; n < ARRAY_SIZE(needles); n++)
            for (size_t rare = 0; rare < needles[n].len; rare++) {
                size_t expected = span_find_span(s, needles[n]);
                ck_assert_uint_eq(span_find_rare(s, needles[n], rare), expected);
                found += expected < s.len;
                absent += expected == s.len;
            }
    }
    ck_assert_uint_gt(found, 1000);
    ck_assert_uint_gt(absent, 1000);
    ck_assert_uint_eq(span_find_rare(span_of(NULL, 0), SPAN("ab"), 1), 0);
}
END_TEST

START_TEST(character_classes_are_those_of_ascii)
{
    for (int i = 0; i < 256; i++) {
        char c = (char)i;
        ck_assert_int_eq(char_is_digit(c), i >= '0' && i <= '9');
        ck_assert_int_eq(char_is_alpha(c), (i >= 'a' && i <= 'z') || (i >= 'A' && i <= 'Z'));
        ck_assert_int_eq(char_is_alnum(c), char_is_alpha(c) || char_is_digit(c));
        ck_assert_int_eq(char_is_blank(c), i == ' ' || i == '\t');
        ck_assert_int_eq(char_is_print(c), i >= 32 && i <= 126);
        ck_assert_int_eq((unsigned char)char_lower(c), i >= 'A' && i <= 'Z' ? i + 32 : i);
    }
}
END_TEST

START_TEST(whole_lines_are_taken_one_by_one)
{
    static const char *const expected[] = {"one", "", "two\rthree", "\r"};
    struct span text = SPAN("one\r\n\ntwo\rthree\n\r\r\nrest"), line;
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        ck_assert(span_take_line(&text, &line));
        ck_assert(span_eq(line, span_cstr(expected[i])));
    }
    ck_assert(!span_take_line(&text, &line) && span_eq(text, SPAN("rest")));
    text = span_of(NULL, 0);
    ck_assert(!span_take_line(&text, &line));
}
END_TEST

#define CASES(X)                                                                                                       \
    X(whole_lines_are_taken_one_by_one)                                                                                \
    X(equality_knows_length_and_case)                                                                                  \
    X(prefixes_and_suffixes)                                                                                           \
    X(a_part_never_leaves_its_span)                                                                                    \
    X(trimming_takes_blanks_and_tabs_only)                                                                             \
    X(searching_by_a_rare_octet_gives_the_same_place)                                                                  \
    X(searching_gives_the_first_place_or_the_length)                                                                   \
    X(character_classes_are_those_of_ascii)
#include "support/check_main.h"
