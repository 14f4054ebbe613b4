/* SPDX-License-Identifier: MIT */
/* False alarms: which names and which messages the option ignore_signatures means. */
#include "scan/ignore.h"
#include <check.h>

static const char *const items[] = {"Exact.Name-1", "Heuristics.Phishing.*", "W?n.[AB]",
                                    "sha256:00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF",
                                    "sha256:0011"};
static const struct conf_list ignored = {items, ARRAY_SIZE(items)};

START_TEST(a_name_is_matched_as_a_whole_with_wildcards)
{
    static const struct {
        const char *name;
        bool held;
    } rows[] = {{"Exact.Name-1", true},
                {"Exact.Name-1.UNOFFICIAL", false},
                {"exact.name-1", false},
                {"Exact.Name-", false},
                {"Heuristics.Phishing.Email.Spoofed/Domain", true},
                {"Heuristics.Phishing", false},
                {"Win.A", true},
                {"Won.B", true},
                {"Win.C", false},
                {"", false}};
    const struct conf_list nothing = {0};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ck_assert_msg(ignore_holds_name(&ignored, rows[i].name) == rows[i].held, "%s", rows[i].name);
        ck_assert(!ignore_holds_name(&nothing, rows[i].name));
    }
}
END_TEST

START_TEST(a_digest_is_read_in_either_case_and_only_whole)
{
    uint8_t digest[32];
    bool good;
    for (size_t i = 0; i < sizeof(digest); i++)
        digest[i] = (uint8_t)(i % 16 * 0x11);
    ck_assert(ignore_holds_digest(&ignored, digest));
    digest[31] ^= 1;
    ck_assert(!ignore_holds_digest(&ignored, digest));
    ck_assert(ignore_is_digest(items[3], &good) && good);
    ck_assert(ignore_is_digest(items[4], &good) && !good);
    ck_assert(ignore_is_digest("sha256:", &good) && !good);
    ck_assert(!ignore_is_digest("sha25", &good));
    ck_assert(!ignore_is_digest("Exact", &good));
    ck_assert(!ignore_is_digest("", &good));
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_name_is_matched_as_a_whole_with_wildcards)                                                                     \
    X(a_digest_is_read_in_either_case_and_only_whole)
#include "support/check_main.h"
