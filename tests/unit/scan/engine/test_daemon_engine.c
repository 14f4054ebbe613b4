/* SPDX-License-Identifier: MIT */
/* What the engines that ask a daemon share, as far as it is pure. */
#include <check.h>

#include "scan/engine/daemon_engine.h"

START_TEST(a_day_is_its_midnight_and_what_is_none_is_unknown)
{
    static const struct {
        uint64_t day, seconds;
    } rows[] = {
        {20240105, 1704412800}, {20240229, 1709164800}, {19700102, 86400}, {20230229, 0},
        {20241301, 0},          {20240100, 0},          {20240132, 0},     {0, 0},
        {UINT64_MAX / 100, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_uint_eq(daemon_day(rows[i].day), rows[i].seconds);
}
END_TEST

START_TEST(an_exchange_ends_a_little_before_the_deadline)
{
    ck_assert_uint_eq(daemon_time(0), 0);
    ck_assert_uint_eq(daemon_time(1000), 900);
    ck_assert_uint_eq(daemon_time(10000), 9500);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_day_is_its_midnight_and_what_is_none_is_unknown)                                                               \
    X(an_exchange_ends_a_little_before_the_deadline)
#include "support/check_main.h"
