/* SPDX-License-Identifier: MIT */
/* What is UTF-8 and what is not, at each bound of RFC 3629. */
#include "base/utf8.h"
#include <check.h>

START_TEST(only_utf8_is_valid_and_only_text_is_plain)
{
    static const struct {
        struct span octets;
        bool valid, plain;
    } rows[] = {
        {{"", 0}, true, true},
        {{"a ~", 3}, true, true},
        {{"a\0b", 3}, true, false},
        {{"\x1f", 1}, true, false},
        {{"\x7f", 1}, true, false},
        {{"\x80", 1}, false, false},
        {{"\xc1\xbf", 2}, false, false}, /* overlong */
        {{"\xc2\x80", 2}, true, true},
        {{"\xdf\xbf", 2}, true, true},
        {{"\xdf", 1}, false, false},
        {{"\xdf\x41", 2}, false, false},
        {{"\xe0\x9f\xbf", 3}, false, false},
        {{"\xe0\xa0\x80", 3}, true, true},
        {{"\xed\x9f\xbf", 3}, true, true},
        {{"\xed\xa0\x80", 3}, false, false}, /* a surrogate */
        {{"\xee\x80\x80", 3}, true, true},
        {{"\xef\xbf\xbf", 3}, true, true},
        {{"\xef\xbf", 2}, false, false},
        {{"\xf0\x8f\xbf\xbf", 4}, false, false},
        {{"\xf0\x90\x80\x80", 4}, true, true},
        {{"\xf4\x8f\xbf\xbf", 4}, true, true},
        {{"\xf4\x90\x80\x80", 4}, false, false}, /* beyond U+10FFFF */
        {{"\xf8\x88\x80\x80\x80", 5}, false, false},
        {{"\xff", 1}, false, false},
        {{"good\xc3\xbc then \xff", 13}, false, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ck_assert_msg(utf8_is_valid(rows[i].octets) == rows[i].valid, "row %zu", i);
        ck_assert_msg(utf8_is_plain(rows[i].octets) == rows[i].plain, "row %zu", i);
    }
}
END_TEST

START_TEST(characters_come_with_their_lengths)
{
    struct span text = SPAN("a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\xff");
    static const uint32_t expected[] = {'a', 0xfc, 0x20ac, 0x1f600, UTF8_BAD};
    size_t length;
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        ck_assert_uint_eq(utf8_next(text, &length), expected[i]);
        text = span_sub(text, length, text.len);
    }
    ck_assert_uint_eq(text.len, 0);
}
END_TEST

/* Each octet at each place, alone and behind one that ends no run but is next to those that do. */
START_TEST(a_run_of_plain_text_ends_at_the_first_octet_that_is_none)
{
    static const char fillers[] = {'a', ' ', '~'};
    for (size_t f = 0; f < ARRAY_SIZE(fillers); f++)
        for (size_t place = 0; place < 20; place++)
            for (unsigned octet = 0; octet < 256; octet++) {
                char text[20];
                memset(text, fillers[f], sizeof(text));
                text[place] = (char)octet;
                size_t expected = char_is_print((char)octet) ? sizeof(text) : place;
                ck_assert_msg(utf8_plain_run(span_of(text, sizeof(text))) == expected, "octet %u at %zu", octet, place);
                ck_assert_uint_eq(utf8_plain_run(span_of(text, place)), place);
            }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(only_utf8_is_valid_and_only_text_is_plain)                                                                       \
    X(characters_come_with_their_lengths)                                                                              \
    X(a_run_of_plain_text_ends_at_the_first_octet_that_is_none)
#include "support/check_main.h"
