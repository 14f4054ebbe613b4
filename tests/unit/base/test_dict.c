/* SPDX-License-Identifier: MIT */
/* Dictionaries of text: replacement, removal, bounds. */
#include "base/dict.h"
#include "base/limits.h"
#include <check.h>

START_TEST(a_value_is_found_replaced_and_removed)
{
    struct dict d = {0};
    ck_assert_ptr_null(dict_get(&d, "a"));
    ck_assert_int_eq(dict_set(&d, "a", "1"), ERR_OK);
    ck_assert_int_eq(dict_set(&d, "b", ""), ERR_OK);
    ck_assert_int_eq(dict_set(&d, "a", "2"), ERR_OK);
    ck_assert_uint_eq(d.count, 2);
    ck_assert_str_eq(dict_get(&d, "a"), "2");
    ck_assert_str_eq(dict_get(&d, "b"), "");
    ck_assert_ptr_null(dict_get(&d, "A"));
    dict_remove(&d, "a");
    dict_remove(&d, "a");
    ck_assert_ptr_null(dict_get(&d, "a"));
    ck_assert_str_eq(dict_get(&d, "b"), "");
    dict_release(&d);
    ck_assert_uint_eq(d.count, 0);
}
END_TEST

START_TEST(it_may_be_set_from_its_own_value)
{
    struct dict d = {0};
    ck_assert_int_eq(dict_set(&d, "a", "value"), ERR_OK);
    ck_assert_int_eq(dict_set(&d, "a", dict_get(&d, "a")), ERR_OK);
    ck_assert_str_eq(dict_get(&d, "a"), "value");
    dict_release(&d);
}
END_TEST

START_TEST(keys_values_and_their_number_are_bounded)
{
    struct dict d = {0};
    char key[LIMIT_DICT_KEY + 2], value[LIMIT_DICT_VALUE + 2];
    memset(key, 'k', sizeof(key));
    memset(value, 'v', sizeof(value));
    key[LIMIT_DICT_KEY + 1] = value[LIMIT_DICT_VALUE + 1] = '\0';
    ck_assert_int_eq(dict_set(&d, key, "1"), ERR_FULL);
    ck_assert_int_eq(dict_set(&d, "a", value), ERR_FULL);
    ck_assert_int_eq(dict_set(&d, key + 1, value + 1), ERR_OK);
    for (int i = 1; i < LIMIT_DICT_ENTRIES; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        ck_assert_int_eq(dict_set(&d, key, "x"), ERR_OK);
    }
    ck_assert_int_eq(dict_set(&d, "one more", "x"), ERR_FULL);
    ck_assert_ptr_null(dict_get(&d, "one more"));
    ck_assert_int_eq(dict_set(&d, "key 7", "y"), ERR_OK);
    ck_assert_str_eq(dict_get(&d, "key 7"), "y");
    ck_assert_uint_eq(d.count, LIMIT_DICT_ENTRIES);
    dict_release(&d);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_value_is_found_replaced_and_removed)                                                                           \
    X(it_may_be_set_from_its_own_value)                                                                                \
    X(keys_values_and_their_number_are_bounded)
#include "support/check_main.h"
