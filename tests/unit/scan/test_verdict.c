/* SPDX-License-Identifier: MIT */
/* Verdicts: words, order, texts. */
#include "scan/verdict.h"
#include <check.h>

START_TEST(every_class_and_reason_has_a_word)
{
    for (int c = 0; c < VERDICT_CLASS_COUNT; c++)
        ck_assert_str_ne(verdict_class_word((enum verdict_class)c), "unknown");
    for (int r = 0; r < VERDICT_REASON_COUNT; r++)
        ck_assert_str_ne(verdict_reason_word((enum verdict_reason)r), "unknown");
    ck_assert_str_eq(verdict_class_word(VERDICT_UNSCANNABLE), "unscannable");
    ck_assert_str_eq(verdict_reason_word(VERDICT_REASON_TOO_LARGE), "too-large");
}
END_TEST

START_TEST(a_reason_knows_its_class)
{
    ck_assert_int_eq(verdict_reason_class(VERDICT_REASON_NONE), VERDICT_CLEAN);
    ck_assert_int_eq(verdict_reason_class(VERDICT_REASON_ENCRYPTED), VERDICT_UNSCANNABLE);
    ck_assert_int_eq(verdict_reason_class(VERDICT_REASON_NO_ENGINE), VERDICT_ERROR);
    ck_assert_int_eq(verdict_reason_class(VERDICT_REASON_SCAN_OFF), VERDICT_SKIPPED);
}
END_TEST

START_TEST(values_outside_the_table_are_trouble_and_never_clean)
{
    ck_assert_str_eq(verdict_class_word((enum verdict_class)99), "unknown");
    ck_assert_str_eq(verdict_reason_word((enum verdict_reason)99), "unknown");
    ck_assert_int_eq(verdict_reason_class((enum verdict_reason)99), VERDICT_ERROR);
}
END_TEST

START_TEST(strictness_is_infected_unscannable_error_clean_skipped)
{
    static const enum verdict_class order[] = {VERDICT_INFECTED, VERDICT_UNSCANNABLE, VERDICT_ERROR, VERDICT_CLEAN,
                                               VERDICT_SKIPPED};
    for (size_t a = 0; a < ARRAY_SIZE(order); a++) {
        for (size_t b = 0; b < ARRAY_SIZE(order); b++) {
            struct verdict left = {.class = order[a]}, right = {.class = order[b]};
            ck_assert_msg(verdict_stricter(&left, &right) == (a < b), "%s against %s", verdict_class_word(order[a]),
                          verdict_class_word(order[b]));
        }
    }
}
END_TEST

START_TEST(set_clears_everything_but_class_reason_and_detail)
{
    struct verdict v;
    memset(&v, 0x55, sizeof(v));
    verdict_set(&v, VERDICT_ERROR, VERDICT_REASON_DOWN, "no\nsuch host");
    ck_assert_int_eq(v.class, VERDICT_ERROR);
    ck_assert_int_eq(v.reason, VERDICT_REASON_DOWN);
    ck_assert_str_eq(v.detail, "no?such host");
    ck_assert_str_eq(v.name, "");
    ck_assert_str_eq(v.engine, "");
    ck_assert_uint_eq(v.database_version + v.queue_us + v.scan_us, 0);
    verdict_set(&v, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    ck_assert_str_eq(v.detail, "");
}
END_TEST

START_TEST(copied_text_is_printable_cut_and_terminated)
{
    char out[8];
    verdict_copy_text(out, sizeof(out), SPAN("a\x7f\x80\0\tbcdefgh"));
    ck_assert_str_eq(out, "a????bc");
    verdict_copy_text(out, sizeof(out), span_of(NULL, 0));
    ck_assert_str_eq(out, "");
    verdict_copy_text(out, 1, SPAN("x"));
    ck_assert_str_eq(out, "");
}
END_TEST

#define CASES(X)                                                                                                       \
    X(every_class_and_reason_has_a_word)                                                                               \
    X(a_reason_knows_its_class)                                                                                        \
    X(values_outside_the_table_are_trouble_and_never_clean)                                                            \
    X(strictness_is_infected_unscannable_error_clean_skipped)                                                          \
    X(set_clears_everything_but_class_reason_and_detail)                                                               \
    X(copied_text_is_printable_cut_and_terminated)
#include "support/check_main.h"
