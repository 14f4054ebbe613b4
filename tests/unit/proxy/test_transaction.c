/* SPDX-License-Identifier: MIT */
/* A transaction's envelope, replies and overlay. */
#include "proxy/transaction.h"
#include <check.h>

START_TEST(a_clean_message_gets_no_line_in_front)
{
    struct transaction *t = transaction_new("s", 1, 0);
    t->decision.mark = false;
    transaction_set_overlay(t, "gw.example.org");
    ck_assert_uint_eq(t->overlay_len, 0);
    transaction_free(t);
}
END_TEST

START_TEST(a_marked_message_gets_one_line_with_status_and_host_name)
{
    static const char expected[] = "X-Virus-Status: infected; name=\"X\"; host=gw.example.org\r\n";
    struct transaction *t = transaction_new("s", 1, 0);
    t->decision.mark = true;
    snprintf(t->decision.status, sizeof(t->decision.status), "infected; name=\"X\"");
    transaction_set_overlay(t, "gw.example.org");
    ck_assert_uint_eq(t->overlay_len, sizeof(expected) - 1);
    ck_assert_mem_eq(t->overlay, expected, t->overlay_len);
    transaction_free(t);
}
END_TEST

START_TEST(the_longest_status_and_host_name_still_fit_one_line)
{
    struct transaction *t = transaction_new("s", 1, 0);
    char host[256];
    memset(host, 'h', sizeof(host) - 1);
    host[255] = '\0';
    t->decision.mark = true;
    memset(t->decision.status, 's', sizeof(t->decision.status) - 1);
    transaction_set_overlay(t, host);
    ck_assert_uint_gt(t->overlay_len, 500);
    ck_assert_uint_le(t->overlay_len, 998);
    ck_assert_mem_eq(t->overlay + t->overlay_len - 2, "\r\n", 2);
    transaction_free(t);
}
END_TEST

START_TEST(a_reply_is_kept_whole_with_its_enhanced_code_and_cut_at_its_room)
{
    struct transaction *t = transaction_new("s", 1, 0);
    char longest[4096];
    memset(longest, 'x', sizeof(longest));
    struct smtp_reply given = {.code = 550, .enhanced = {5, 7, 509}, .text = SPAN("first\nsecond")};
    transaction_set_reply(t, &given);
    struct smtp_reply kept = transaction_reply(t);
    ck_assert_int_eq(kept.code, 550);
    ck_assert_uint_eq(kept.enhanced[2], 509);
    ck_assert(span_eq(kept.text, given.text));
    given.text = span_of(longest, sizeof(longest));
    transaction_set_reply(t, &given);
    ck_assert_uint_eq(transaction_reply(t).text.len, sizeof(t->reply_text) - 1);
    transaction_free(t);
}
END_TEST

START_TEST(recipients_are_kept_in_order)
{
    struct transaction *t = transaction_new("s", 1, 0);
    char path[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "<u%d@y.test>", i);
        ck_assert_int_eq(transaction_add_recipient(t, span_cstr(path)), ERR_OK);
    }
    ck_assert_uint_eq(t->recipient_count, 1000);
    ck_assert_str_eq(t->recipients[0].path, "<u0@y.test>");
    ck_assert_str_eq(t->recipients[999].path, "<u999@y.test>");
    transaction_free(t);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_clean_message_gets_no_line_in_front)                                                                           \
    X(a_marked_message_gets_one_line_with_status_and_host_name)                                                        \
    X(the_longest_status_and_host_name_still_fit_one_line)                                                             \
    X(a_reply_is_kept_whole_with_its_enhanced_code_and_cut_at_its_room)                                                \
    X(recipients_are_kept_in_order)
#include "support/check_main.h"
