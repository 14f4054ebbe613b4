/* SPDX-License-Identifier: MIT */
/* What a scanner's output and exit code mean. */
#include <check.h>

#include "runner/judge.h"
#include "scan/engine/csapi_code.h"
#include "scan/verdict.h"

START_TEST(a_pattern_fits_whole_lines_and_takes_the_name)
{
    static const struct {
        const char *pattern, *line, *name; /* NULL: does not fit */
    } rows[] = {
        {"*: %v FOUND", "/tmp/m.eml: Eicar-Test FOUND", "Eicar-Test"},
        {"*: %v FOUND", "/tmp/m.eml: A B: C FOUND", "A B: C"},
        {"*: %v FOUND", "/tmp/m.eml: Eicar FOUND ", NULL},
        {"*: %v FOUND", "/tmp/m.eml: OK", NULL},
        {"*: %v FOUND", "/tmp/m.eml:  FOUND", NULL},
        {"*: %v FOUND", ": x FOUND", "x"},
        {"*: %v FOUND", "x FOUND", NULL},
        {"%v FOUND", "x FOUND", "x"},
        {"%v FOUND", "a FOUND FOUND", "a FOUND"},
        {"Found the %v virus !!!", "Found the EICAR test file virus !!!", "EICAR test file"},
        {"Found the %v virus*", "    Found the EICAR virus", NULL},
        {"*Found the %v virus*", "    Found the EICAR virus !!! virus", "EICAR"},
        {"* Infected: %v [*", "/x: Infected: EICAR_Test [Aquarius]", "EICAR_Test"},
        {"virus=%v", "virus=", NULL},
        {"virus=%v", "virus=a", "a"},
        {"%v", "", NULL},
        {"a**%v", "abc", "bc"},
        {"100%: %v", "100%: x", "x"},
        {"[%v]", "[]]", "]"},
        {"[%v]*", "[]]", "]"},
        {"", "", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct span name = {NULL, 0};
        bool fits = runner_pattern_fits(rows[i].pattern, span_cstr(rows[i].line), &name) && name.len > 0;
        ck_assert_msg(fits == (rows[i].name != NULL), "%s on \"%s\": \"%.*s\"", rows[i].pattern, rows[i].line,
                      SPAN_ARG(name));
        ck_assert_msg(!fits || span_eq(name, span_cstr(rows[i].name)), "%s on \"%s\": \"%.*s\"", rows[i].pattern,
                      rows[i].line, SPAN_ARG(name));
    }
}
END_TEST

static struct runner_rules usual(void)
{
    struct runner_rules r = {.patterns = {"*: %v FOUND", "virus %v!"}, .pattern_count = 2};
    r.codes[0] = RUNNER_CLEAN;
    r.codes[1] = RUNNER_INFECTED;
    r.codes[9] = RUNNER_UNSCANNABLE;
    return r;
}

static struct verdict judged(const struct runner_end *end, struct span output)
{
    struct runner_rules rules = usual();
    struct scanner_result result;
    struct verdict v;
    runner_judge(&rules, end, output, &result);
    csapi_code_verdict(&result, &v);
    return v;
}

START_TEST(exit_codes_mean_what_the_lists_say_and_any_other_is_trouble)
{
    for (unsigned code = 0; code < RUNNER_CODES; code++) {
        const struct runner_end end = {.code = code};
        struct verdict v = judged(&end, SPAN("/x: OK\nDatabase is broken\n\n"));
        if (code == 0) {
            ck_assert(v.class == VERDICT_CLEAN && v.reason == VERDICT_REASON_NONE);
        } else if (code == 1) {
            ck_assert(v.class == VERDICT_INFECTED && strcmp(v.name, "Unknown") == 0);
        } else if (code == 9) {
            ck_assert(v.class == VERDICT_UNSCANNABLE && v.reason == VERDICT_REASON_UNSUPPORTED);
        } else {
            ck_assert(v.class == VERDICT_ERROR && v.reason == VERDICT_REASON_ENGINE);
            ck_assert_msg(strstr(v.detail, "Database is broken") != NULL, "%s", v.detail);
        }
    }
}
END_TEST

START_TEST(a_name_counts_whatever_else_happened)
{
    static const struct runner_end ends[] = {{.code = 0},    {.code = 1},   {.code = 77},
                                             {.late = true}, {.signal = 9}, {.why = "it never ran"}};
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        struct verdict v = judged(&ends[i], SPAN("noise\r\n/x: Some.Virus FOUND\r\n/x: Other FOUND\n"));
        ck_assert_msg(v.class == VERDICT_INFECTED && strcmp(v.name, "Some.Virus") == 0, "row %zu: %s", i, v.detail);
        v = judged(&ends[i], SPAN("virus B\x1b[2J!"));
        ck_assert_msg(v.class == VERDICT_INFECTED && strcmp(v.name, "B?[2J") == 0, "row %zu: %s", i, v.name);
    }
}
END_TEST

START_TEST(what_did_not_end_by_itself_is_trouble)
{
    static const struct {
        struct runner_end end;
        enum verdict_reason reason;
        const char *detail;
    } rows[] = {
        {{.late = true, .signal = 9}, VERDICT_REASON_TIMEOUT, "in time"},
        {{.signal = 11}, VERDICT_REASON_CRASH, "signal 11"},
        {{.why = "/x: no such file"}, VERDICT_REASON_DOWN, "/x: no such file"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct verdict v = judged(&rows[i].end, SPAN("/x: OK\n"));
        ck_assert_msg(v.class == VERDICT_ERROR && v.reason == rows[i].reason && strstr(v.detail, rows[i].detail),
                      "row %zu: %s", i, v.detail);
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_pattern_fits_whole_lines_and_takes_the_name)                                                                   \
    X(exit_codes_mean_what_the_lists_say_and_any_other_is_trouble)                                                     \
    X(a_name_counts_whatever_else_happened)                                                                            \
    X(what_did_not_end_by_itself_is_trouble)
#include "support/check_main.h"
