/* SPDX-License-Identifier: MIT */
/* Numbers from text: the whole span or nothing. */
#include "base/num.h"
#include <check.h>

struct number_case {
    const char *text;
    uint64_t max;
    enum err result;
    uint64_t value;
};

static void expect(enum err (*parse)(struct span, uint64_t, uint64_t *), const struct number_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 4711;
        enum err e = parse(span_cstr(cases[i].text), cases[i].max, &value);
        ck_assert_msg(e == cases[i].result, "%s: %s", cases[i].text, err_name(e));
        ck_assert_msg(value == (e == ERR_OK ? cases[i].value : 4711), "%s: %llu", cases[i].text,
                      (unsigned long long)value);
    }
}

START_TEST(decimal_numbers)
{
    static const struct number_case cases[] = {
        {"0", 0, ERR_OK, 0},
        {"007", 9, ERR_OK, 7},
        {"18446744073709551615", UINT64_MAX, ERR_OK, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, ERR_RANGE, 0},
        {"99999999999999999999999", UINT64_MAX, ERR_RANGE, 0},
        {"10", 9, ERR_RANGE, 0},
        {"9", 9, ERR_OK, 9},
        {"", 9, ERR_SYNTAX, 0},
        {"-1", 9, ERR_SYNTAX, 0},
        {"+1", 9, ERR_SYNTAX, 0},
        {" 1", 9, ERR_SYNTAX, 0},
        {"1 ", 9, ERR_SYNTAX, 0},
        {"0x1", 9, ERR_SYNTAX, 0},
        {"1.0", 9, ERR_SYNTAX, 0},
        {"99999999999999999999999x", 9, ERR_SYNTAX, 0},
    };
    expect(num_parse_u64, cases, ARRAY_SIZE(cases));
}
END_TEST

START_TEST(a_number_ends_where_its_span_ends)
{
    uint64_t value;
    ck_assert_int_eq(num_parse_u64(span_of("1234", 2), 99, &value), ERR_OK);
    ck_assert_uint_eq(value, 12);
    ck_assert_int_eq(num_parse_u64(span_of("1\0", 2), 99, &value), ERR_SYNTAX);
}
END_TEST

START_TEST(sizes_take_a_unit)
{
    static const struct number_case cases[] = {
        {"5", 99, ERR_OK, 5},
        {"1K", UINT64_MAX, ERR_OK, 1024},
        {"2m", UINT64_MAX, ERR_OK, 2097152},
        {"1G", UINT64_MAX, ERR_OK, 1073741824},
        {"1K", 1023, ERR_RANGE, 0},
        {"17179869184G", UINT64_MAX, ERR_RANGE, 0},
        {"18446744073709551615K", UINT64_MAX, ERR_RANGE, 0},
        {"K", 99, ERR_SYNTAX, 0},
        {"1KB", 99, ERR_SYNTAX, 0},
        {"1KK", 9999999, ERR_SYNTAX, 0},
        {"1 K", 9999, ERR_SYNTAX, 0},
        {"1T", UINT64_MAX, ERR_SYNTAX, 0},
        {"", 1, ERR_SYNTAX, 0},
    };
    expect(num_parse_size, cases, ARRAY_SIZE(cases));
}
END_TEST

START_TEST(times_are_seconds_unless_they_say_otherwise)
{
    static const struct number_case cases[] = {
        {"5", 99999, ERR_OK, 5000},
        {"5s", 99999, ERR_OK, 5000},
        {"5S", 99999, ERR_OK, 5000},
        {"250ms", 999, ERR_OK, 250},
        {"2m", UINT64_MAX, ERR_OK, 120000},
        {"3h", UINT64_MAX, ERR_OK, 10800000},
        {"1d", UINT64_MAX, ERR_OK, 86400000},
        {"0", 0, ERR_OK, 0},
        {"1001ms", 1000, ERR_RANGE, 0},
        {"18446744073709551615", UINT64_MAX, ERR_RANGE, 0},
        {"ms", 9, ERR_SYNTAX, 0},
        {"1.5s", 9999, ERR_SYNTAX, 0},
        {"1h30m", UINT64_MAX, ERR_SYNTAX, 0},
        {"5x", 9999, ERR_SYNTAX, 0},
        {"-5s", 9999, ERR_SYNTAX, 0},
    };
    expect(num_parse_duration_ms, cases, ARRAY_SIZE(cases));
}
END_TEST

#define CASES(X)                                                                                                       \
    X(decimal_numbers)                                                                                                 \
    X(a_number_ends_where_its_span_ends)                                                                               \
    X(sizes_take_a_unit)                                                                                               \
    X(times_are_seconds_unless_they_say_otherwise)
#include "support/check_main.h"
