/* SPDX-License-Identifier: MIT */
/* What postern-avscan says of libclamav's verdicts, and that the engine csapi understands it as it was meant. */
#include <check.h>

#include "avscan/report.h"
#include "scan/engine/clamav_name.h"
#include "scan/engine/csapi_code.h"

static struct scanner_result report(const struct verdict *v, bool own_time)
{
    struct scanner_result r;
    avscan_report(v, 5, own_time, &r);
    ck_assert_uint_eq(r.id, 5);
    return r;
}

START_TEST(every_reason_comes_back_as_itself)
{
    for (int reason = 0; reason < VERDICT_REASON_COUNT; reason++) {
        struct verdict v, back;
        enum verdict_class class = verdict_reason_class((enum verdict_reason)reason);
        bool expressible = reason == VERDICT_REASON_TIMEOUT || reason == VERDICT_REASON_MEMORY ||
                           reason == VERDICT_REASON_ENGINE || class == VERDICT_UNSCANNABLE || class == VERDICT_CLEAN;
        if (reason == VERDICT_REASON_SUSPICIOUS || reason == VERDICT_REASON_EXTERNAL)
            continue; /* words of others: libclamav does not suspect, and message/external-body is text to it */
        verdict_set(&v, class, (enum verdict_reason)reason, "some detail");
        if (class == VERDICT_SKIPPED)
            continue;
        struct scanner_result r = report(&v, false);
        csapi_code_verdict(&r, &back);
        ck_assert_msg(back.class == class, "%s", verdict_reason_word((enum verdict_reason)reason));
        if (expressible)
            ck_assert_msg(back.reason == v.reason, "%s came back as %s", verdict_reason_word(v.reason),
                          verdict_reason_word(back.reason));
    }
}
END_TEST

START_TEST(a_virus_comes_back_with_its_name)
{
    struct verdict v, back;
    clamav_name_verdict(SPAN("Eicar-Test"), &v);
    struct scanner_result r = report(&v, false);
    ck_assert_str_eq(r.codes[0], "AVS_RESULT_VIRUS_FOUND");
    csapi_code_verdict(&r, &back);
    ck_assert(back.class == VERDICT_INFECTED && strcmp(back.name, "Eicar-Test") == 0);
}
END_TEST

START_TEST(each_limit_has_its_code)
{
    static const struct {
        const char *name, *code;
    } rows[] = {
        {"Heuristics.Limits.Exceeded.MaxRecursion", "DEC_RESULT_MAXIMUM_DEPTH_REACHED"},
        {"Heuristics.Limits.Exceeded.MaxFiles", "DEC_RESULT_MAXIMUM_FILES_EXTRACTED"},
        {"Heuristics.Limits.Exceeded.MaxScanSize", "DEC_RESULT_MAXIMUM_CUMULATIVE_EXTRACT_SIZE_EXCEEDED"},
        {"Heuristics.Limits.Exceeded.MaxFileSize", "DEC_RESULT_MAXIMUM_EXTRACT_SIZE_EXCEEDED"},
        {"Heuristics.Limits.Exceeded.EmailHeaders", "DEC_RESULT_MIME_PARSING_FAILED"},
        {"Heuristics.Encrypted.Zip", "DEC_RESULT_ENCRYPTED_CONTAINER_DETECTED"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct verdict v;
        clamav_name_verdict(span_cstr(rows[i].name), &v);
        struct scanner_result r = report(&v, false);
        ck_assert_str_eq(r.codes[0], rows[i].code);
        ck_assert_int_eq(r.status, SCANNER_UNSCANNABLE);
    }
    struct verdict v;
    verdict_set(&v, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, "a file inside is too large");
    ck_assert_str_eq(report(&v, false).codes[0], "DEC_RESULT_MAXIMUM_EXTRACT_SIZE_EXCEEDED");
}
END_TEST

START_TEST(time_is_a_limit_where_the_option_set_it_and_trouble_otherwise)
{
    struct verdict v;
    clamav_name_verdict(SPAN("Heuristics.Limits.Exceeded.MaxScanTime"), &v);
    ck_assert_str_eq(report(&v, true).codes[0], "DEC_RESULT_MAXIMUM_EXTRACT_TIME_EXCEEDED");
    ck_assert_int_eq(report(&v, true).status, SCANNER_UNSCANNABLE);
    ck_assert_str_eq(report(&v, false).codes[0], "POSTERN_RESULT_TIMEOUT");
    ck_assert_int_eq(report(&v, false).status, SCANNER_ERROR);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(every_reason_comes_back_as_itself)                                                                               \
    X(a_virus_comes_back_with_its_name)                                                                                \
    X(each_limit_has_its_code)                                                                                         \
    X(time_is_a_limit_where_the_option_set_it_and_trouble_otherwise)
#include "support/check_main.h"
