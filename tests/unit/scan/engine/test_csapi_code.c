/* SPDX-License-Identifier: MIT */
/* What the scan codes of a scanner program come to. */
#include <check.h>

#include "scan/engine/csapi_code.h"

/* CODES separated by blanks. */
static struct verdict verdict_of(enum scanner_status status, const char *codes, const char *virus)
{
    struct scanner_result r = {.id = 1, .status = status};
    struct verdict v;
    for (struct span rest = span_cstr(codes); rest.len > 0;) {
        char code[SCANNER_CODE_SIZE];
        size_t at = span_find(rest, ' ');
        verdict_copy_text(code, sizeof(code), span_sub(rest, 0, at));
        scanner_result_add(&r, code);
        rest = span_sub(rest, at + 1, rest.len);
    }
    verdict_copy_text(r.virus, sizeof(r.virus), span_cstr(virus));
    memset(&v, 0xee, sizeof(v));
    csapi_code_verdict(&r, &v);
    return v;
}

static const struct {
    const char *code;
    enum verdict_class class;
    enum verdict_reason reason;
} table[] = {
#define CSAPI_CODE(code, class, reason) {code, VERDICT_##class, VERDICT_REASON_##reason},
#include "scan/engine/csapi_code.def"
#undef CSAPI_CODE
};

START_TEST(every_code_of_the_table_has_a_class_that_fits_its_reason)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (table[i].reason != VERDICT_REASON_NONE)
            ck_assert_msg(verdict_reason_class(table[i].reason) == table[i].class, "%s", table[i].code);
        else
            ck_assert_msg(table[i].class == VERDICT_CLEAN || table[i].class == VERDICT_INFECTED, "%s", table[i].code);
        ck_assert_uint_lt(strlen(table[i].code), SCANNER_CODE_SIZE);
    }
}
END_TEST

START_TEST(a_code_alone_means_what_its_row_says_whatever_the_status)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct verdict v = verdict_of(SCANNER_CLEAN, table[i].code, "");
        ck_assert_msg(v.class == table[i].class && v.reason == table[i].reason, "%s: %s %s", table[i].code,
                      verdict_class_word(v.class), verdict_reason_word(v.reason));
        if (v.class == VERDICT_ERROR || v.class == VERDICT_UNSCANNABLE)
            ck_assert_msg(strstr(v.detail, table[i].code) != NULL, "%s", v.detail);
        v = verdict_of(SCANNER_INFECTED, table[i].code, "N");
        ck_assert_msg(v.class == VERDICT_INFECTED, "%s", table[i].code);
    }
}
END_TEST

START_TEST(of_several_codes_the_right_one_counts)
{
    static const struct {
        enum scanner_status status;
        const char *codes;
        enum verdict_class class;
        enum verdict_reason reason;
    } rows[] = {
        {SCANNER_CLEAN, "", VERDICT_CLEAN, VERDICT_REASON_NONE},
        {SCANNER_INFECTED, "", VERDICT_INFECTED, VERDICT_REASON_NONE},
        {SCANNER_UNSCANNABLE, "", VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {SCANNER_ERROR, "", VERDICT_ERROR, VERDICT_REASON_ENGINE},
        {SCANNER_UNSCANNABLE, "DEC_RESULT_OUTER_CONTAINER_IS_MIME", VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {SCANNER_CLEAN, "NEVER_HEARD_OF", VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {SCANNER_CLEAN, "avs_result_virus_found", VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {SCANNER_UNSCANNABLE, "NEVER_HEARD_OF DEC_RESULT_MAXIMUM_DEPTH_REACHED", VERDICT_UNSCANNABLE,
         VERDICT_REASON_LIMIT},
        {SCANNER_ERROR, "GEN_RESULT_OUT_OF_MEMORY AVS_RESULT_VIRUS_FOUND", VERDICT_INFECTED, VERDICT_REASON_NONE},
        {SCANNER_ERROR, "DEC_RESULT_ENCRYPTED_CONTAINER_DETECTED AVS_RESULT_DEFINITIONS_MISSING", VERDICT_ERROR,
         VERDICT_REASON_DOWN},
        {SCANNER_ERROR, "AVS_RESULT_DEFINITIONS_MISSING AVS_RESULT_SCANFILE_FAILURE", VERDICT_ERROR,
         VERDICT_REASON_DOWN},
        {SCANNER_ERROR, "GEN_RESULT_OUT_OF_MEMORY DEC_RESULT_ENCRYPTED_CONTAINER_DETECTED", VERDICT_ERROR,
         VERDICT_REASON_MEMORY},
        {SCANNER_ERROR, "DEC_RESULT_MAXIMUM_DEPTH_REACHED", VERDICT_ERROR, VERDICT_REASON_ENGINE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct verdict v = verdict_of(rows[i].status, rows[i].codes, "");
        ck_assert_msg(v.class == rows[i].class && v.reason == rows[i].reason, "%d \"%s\": %s %s", (int)rows[i].status,
                      rows[i].codes, verdict_class_word(v.class), verdict_reason_word(v.reason));
    }
}
END_TEST

START_TEST(a_virus_has_its_name_or_is_unnamed)
{
    struct verdict v = verdict_of(SCANNER_CLEAN, "AVS_RESULT_VIRUS_FOUND", "Some.Name");
    ck_assert_str_eq(v.name, "Some.Name");
    v = verdict_of(SCANNER_INFECTED, "", "");
    ck_assert_str_eq(v.name, "unnamed");
    v = verdict_of(SCANNER_CLEAN, "", "Some.Name"); /* a scanner that contradicts itself */
    ck_assert_int_eq(v.class, VERDICT_INFECTED);
    ck_assert_str_eq(v.name, "Some.Name");
}
END_TEST

#define CASES(X)                                                                                                       \
    X(every_code_of_the_table_has_a_class_that_fits_its_reason)                                                        \
    X(a_code_alone_means_what_its_row_says_whatever_the_status)                                                        \
    X(of_several_codes_the_right_one_counts)                                                                           \
    X(a_virus_has_its_name_or_is_unnamed)
#include "support/check_main.h"
