/* SPDX-License-Identifier: MIT */
/* Limits on sessions: in all, per source, and what leaving gives back. */
#include "proxy/admission.h"
#include <check.h>

static struct addr address(const char *text)
{
    struct addr a;
    struct errtext why;
    ck_assert_msg(addr_parse(span_cstr(text), 25, &a, &why) == ERR_OK, "%s: %s", text, why.text);
    return a;
}

static struct admission *limits(unsigned total, unsigned per_host)
{
    static const uint64_t key[2] = {0x0123456789abcdef, 0xfedcba9876543210};
    struct admission *a = admission_new(total, per_host, key);
    ck_assert_ptr_nonnull(a);
    return a;
}

START_TEST(a_host_gets_no_more_than_its_share_until_it_leaves)
{
    struct admission *a = limits(10, 2);
    struct addr one = address("192.0.2.1:4711"), other = address("192.0.2.2:4711");
    ck_assert_int_eq(admission_enter(a, &one), ADMISSION_OK);
    ck_assert_int_eq(admission_enter(a, &one), ADMISSION_OK);
    ck_assert_int_eq(admission_enter(a, &one), ADMISSION_HOST);
    ck_assert_int_eq(admission_enter(a, &other), ADMISSION_OK);
    admission_leave(a, &one);
    ck_assert_int_eq(admission_enter(a, &one), ADMISSION_OK);
    admission_free(a);
}
END_TEST

START_TEST(all_hosts_together_get_no_more_than_the_total)
{
    struct admission *a = limits(2, 2);
    struct addr one = address("192.0.2.1:1"), two = address("192.0.2.2:1"), three = address("192.0.2.3:1");
    ck_assert_int_eq(admission_enter(a, &one), ADMISSION_OK);
    ck_assert_int_eq(admission_enter(a, &two), ADMISSION_OK);
    ck_assert_int_eq(admission_enter(a, &three), ADMISSION_TOTAL);
    admission_leave(a, &two);
    ck_assert_int_eq(admission_enter(a, &three), ADMISSION_OK);
    admission_free(a);
}
END_TEST

START_TEST(an_ipv6_source_is_its_64_bit_network)
{
    struct admission *a = limits(10, 1);
    struct addr one = address("[2001:db8::1]:1"), neighbour = address("[2001:db8::ffff]:1"),
                stranger = address("[2001:db8:0:1::1]:1");
    ck_assert_int_eq(admission_enter(a, &one), ADMISSION_OK);
    ck_assert_int_eq(admission_enter(a, &neighbour), ADMISSION_HOST);
    ck_assert_int_eq(admission_enter(a, &stranger), ADMISSION_OK);
    admission_free(a);
}
END_TEST

START_TEST(a_mapped_ipv4_address_is_the_same_source_as_the_plain_one)
{
    struct admission *a = limits(10, 1);
    struct addr plain = address("192.0.2.1:1"), mapped = address("[::ffff:192.0.2.1]:1");
    ck_assert_int_eq(admission_enter(a, &plain), ADMISSION_OK);
    ck_assert_int_eq(admission_enter(a, &mapped), ADMISSION_HOST);
    admission_free(a);
}
END_TEST

START_TEST(leaving_without_having_entered_changes_nothing)
{
    struct admission *a = limits(1, 1);
    struct addr one = address("192.0.2.1:1"), two = address("192.0.2.2:1");
    admission_leave(a, &two);
    ck_assert_int_eq(admission_enter(a, &one), ADMISSION_OK);
    admission_leave(a, &two);
    ck_assert_int_eq(admission_enter(a, &two), ADMISSION_TOTAL);
    admission_free(a);
}
END_TEST

/* Against a plain array of counts: many sources come and go, so that entries collide and are moved back. */
START_TEST(counts_stay_right_while_sources_come_and_go)
{
    enum { SOURCES = 400, TOTAL = 300, PER_HOST = 3 };
    struct admission *a = limits(TOTAL, PER_HOST);
    unsigned counts[SOURCES] = {0}, total = 0, seed = 1;
    for (int round = 0; round < 200000; round++) {
        seed = seed * 1103515245u + 12345u;
        unsigned i = (seed >> 16) % SOURCES;
        char text[32];
        snprintf(text, sizeof(text), "10.0.%u.%u:25", i / 256, i % 256);
        struct addr peer = address(text);
        if (seed >> 31 && counts[i] > 0) {
            admission_leave(a, &peer);
            counts[i]--;
            total--;
            continue;
        }
        enum admission_answer expected = total >= TOTAL          ? ADMISSION_TOTAL
                                         : counts[i] >= PER_HOST ? ADMISSION_HOST
                                                                 : ADMISSION_OK;
        ck_assert_int_eq(admission_enter(a, &peer), expected);
        if (expected == ADMISSION_OK) {
            counts[i]++;
            total++;
        }
    }
    ck_assert_uint_gt(total, 0);
    admission_free(a);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_host_gets_no_more_than_its_share_until_it_leaves)                                                              \
    X(all_hosts_together_get_no_more_than_the_total)                                                                   \
    X(an_ipv6_source_is_its_64_bit_network)                                                                            \
    X(a_mapped_ipv4_address_is_the_same_source_as_the_plain_one)                                                       \
    X(leaving_without_having_entered_changes_nothing)                                                                  \
    X(counts_stay_right_while_sources_come_and_go)
#include "support/check_main.h"
