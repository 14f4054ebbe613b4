/* SPDX-License-Identifier: MIT */
/* The cursor: it only moves forward, and its error sticks. */
#include "base/cursor.h"
#include <check.h>

START_TEST(a_grammar_reads_as_its_calls)
{
    struct cursor c = cursor_of(SPAN("Mail  FROM:<a1@b>"));
    ck_assert(cursor_accept_nocase(&c, SPAN("MAIL")));
    cursor_skip_blanks(&c);
    ck_assert(!cursor_accept_nocase(&c, SPAN("RCPT")));
    ck_assert(cursor_accept_nocase(&c, SPAN("from")));
    cursor_expect(&c, ':');
    ck_assert_int_eq(cursor_peek(&c), '<');
    ck_assert(cursor_accept(&c, '<'));
    ck_assert(!cursor_accept(&c, '<'));
    ck_assert(span_eq(cursor_while(&c, char_is_alnum), SPAN("a1")));
    ck_assert(span_eq(cursor_while(&c, char_is_alnum), SPAN("")));
    ck_assert(span_eq(cursor_take(&c, 2), SPAN("@b")));
    ck_assert(!cursor_at_end(&c));
    cursor_expect(&c, '>');
    ck_assert(cursor_at_end(&c));
    ck_assert(!c.bad);
    ck_assert_int_eq(cursor_peek(&c), '\0');
}
END_TEST

static void break_by_take(struct cursor *c)
{
    cursor_take(c, 4);
}
static void break_by_expect(struct cursor *c)
{
    cursor_expect(c, 'x');
}
static void break_by_u32(struct cursor *c)
{
    cursor_u32(c);
}
static void break_by_hand(struct cursor *c)
{
    cursor_fail(c);
}

START_TEST(after_an_error_every_call_yields_nothing)
{
    static void (*const breaks[])(struct cursor *) = {break_by_take, break_by_expect, break_by_u32, break_by_hand};
    for (size_t i = 0; i < ARRAY_SIZE(breaks); i++) {
        struct cursor c = cursor_of(SPAN("abc"));
        breaks[i](&c);
        ck_assert(c.bad);
        ck_assert(cursor_at_end(&c));
        ck_assert_int_eq(cursor_peek(&c), '\0');
        ck_assert(!cursor_accept(&c, 'a'));
        ck_assert(!cursor_accept_nocase(&c, SPAN("")));
        ck_assert_uint_eq(cursor_while(&c, char_is_alpha).len, 0);
        ck_assert_uint_eq(cursor_take(&c, 0).len, 0);
        ck_assert_uint_eq(cursor_u8(&c), 0);
        ck_assert_uint_eq(cursor_u64(&c), 0);
        ck_assert(c.bad);
    }
}
END_TEST

START_TEST(binary_integers_are_big_endian_and_bounded)
{
    struct cursor c = cursor_of(SPAN("\x01\x02\x03\xff\xfe\xfd\xfc\x80\x00\x00\x00\x00\x00\x00\x01"));
    ck_assert_uint_eq(cursor_u8(&c), 1);
    ck_assert_uint_eq(cursor_u16(&c), 0x0203);
    ck_assert_uint_eq(cursor_u32(&c), 0xfffefdfc);
    ck_assert_uint_eq(cursor_u64(&c), 0x8000000000000001);
    ck_assert(!c.bad);
    ck_assert_uint_eq(cursor_u8(&c), 0);
    ck_assert(c.bad);
    c = cursor_of(SPAN("\xff\xff\xff"));
    ck_assert_uint_eq(cursor_u32(&c), 0);
    ck_assert(c.bad);
}
END_TEST

START_TEST(an_empty_text_is_at_its_end_and_not_bad)
{
    struct cursor c = cursor_of(span_of(NULL, 0));
    ck_assert(cursor_at_end(&c));
    cursor_skip_blanks(&c);
    ck_assert_uint_eq(cursor_take(&c, 0).len, 0);
    ck_assert(!c.bad);
    ck_assert(!cursor_accept(&c, '\0'));
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_grammar_reads_as_its_calls)                                                                                    \
    X(after_an_error_every_call_yields_nothing)                                                                        \
    X(binary_integers_are_big_endian_and_bounded)                                                                      \
    X(an_empty_text_is_at_its_end_and_not_bad)
#include "support/check_main.h"
