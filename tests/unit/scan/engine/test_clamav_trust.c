/* SPDX-License-Identifier: MIT */
/* What libclamav makes of signatures that nobody has signed (C19), and of the texts that tell whether it can be relied
 * on (canary_text.h). */
#include "clamav_bench.h"
#include "scan/canary_text.h"

START_TEST(signatures_that_clamav_has_not_signed_are_passed_over_where_only_official_ones_count)
{
    struct bench b;
    prepare(&b);
    write_signature(&b);
    b.conf.official_only = true;
    char expected[192];
    snprintf(expected, sizeof(expected), "database %s: no official signatures found", b.database);
    ck_assert(engine_clamav.open(&b.conf, &b.state, &b.info, &b.why) == ERR_NOTFOUND);
    ck_assert_str_eq(b.why.text, expected);
    cleanup(&b);

    prepare(&b);
    write_signature(&b);
    ck_assert(engine_clamav.open(&b.conf, &b.state, &b.info, &b.why) == ERR_OK);
    ck_assert_uint_eq(b.info.signatures, 1);
    cleanup(&b);
}
END_TEST

START_TEST(a_path_in_which_libclamav_takes_everything_for_official_is_refused_where_that_counts)
{
    struct bench b;
    char odd[112];
    prepare(&b);
    write_signature(&b);
    snprintf(odd, sizeof(odd), "%s/clamav-db", b.dir);
    ck_assert(rename(b.database, odd) == 0);
    b.conf.database = odd;
    b.conf.official_only = true;
    ck_assert(engine_clamav.open(&b.conf, &b.state, &b.info, &b.why) == ERR_DENIED);
    ck_assert_msg(strstr(b.why.text, "official_only would be without effect") != NULL, "%s", b.why.text);
    engine_clamav.close(b.state);
    b.conf.official_only = false;
    ck_assert(engine_clamav.open(&b.conf, &b.state, &b.info, &b.why) == ERR_OK);
    ck_assert(rename(odd, b.database) == 0);
    cleanup(&b);
}
END_TEST

START_TEST(texts_that_cannot_be_looked_at_are_unscannable_and_the_clean_one_is_clean)
{
    static const struct {
        enum canary_text text;
        int64_t max_recursion;
        bool alert_encrypted;
        enum verdict_class class;
        enum verdict_reason reason;
    } rows[] = {
        {CANARY_CLEAN, 17, true, VERDICT_CLEAN, VERDICT_REASON_NONE},
        {CANARY_PATTERN, 17, true, VERDICT_CLEAN, VERDICT_REASON_NONE}, /* these signatures do not know it */
        {CANARY_DEEP, 17, true, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT},
        {CANARY_DEEP, 99, true, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT}, /* the most that the option takes */
        {CANARY_ENCRYPTED, 17, true, VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED},
        {CANARY_ENCRYPTED, 17, false, VERDICT_CLEAN,
         VERDICT_REASON_NONE}, /* switched off: it is not called malformed */
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct bench b;
        struct verdict v;
        int fd;
        uint64_t size;
        prepare(&b);
        write_signature(&b);
        b.conf.max_recursion = rows[i].max_recursion;
        b.conf.alert_encrypted = rows[i].alert_encrypted;
        ck_assert(engine_clamav.open(&b.conf, &b.state, &b.info, &b.why) == ERR_OK);
        ck_assert(engine_clamav.worker_start(b.state, b.temp, &b.why) == ERR_OK);
        ck_assert(canary_message(rows[i].text, &fd, &size) == ERR_OK);
        engine_clamav.scan(b.state, fd, size, 20000, &v);
        ck_assert_msg(v.class == rows[i].class && v.reason == rows[i].reason, "row %zu: %s %s, name \"%s\": %s", i,
                      verdict_class_word(v.class), verdict_reason_word(v.reason), v.name, v.detail);
        close(fd);
        cleanup(&b);
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(signatures_that_clamav_has_not_signed_are_passed_over_where_only_official_ones_count)                            \
    X(a_path_in_which_libclamav_takes_everything_for_official_is_refused_where_that_counts)                            \
    X(texts_that_cannot_be_looked_at_are_unscannable_and_the_clean_one_is_clean)
#include "support/check_main.h"
