/* SPDX-License-Identifier: MIT */
/* The main() of a Check program: a test file defines its cases with START_TEST, lists them in CASES and includes this.
 *
 *   #define CASES(X) X(parses_a_bare_path) X(refuses_an_empty_path)
 *   #include "support/check_main.h"
 */
#ifndef SUPPORT_CHECK_MAIN_H
#define SUPPORT_CHECK_MAIN_H
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* POSTERN_SKIP_CASES=" name name ": cases that make no sense under a checker; tests/soak says which and why. */
static bool case_is_skipped(const char *name)
{
    const char *list = getenv("POSTERN_SKIP_CASES");
    char word[256];
    snprintf(word, sizeof(word), " %s ", name);
    if (!list || !strstr(list, word))
        return false;
    fprintf(stderr, "SKIPPED by POSTERN_SKIP_CASES: %s\n", name);
    return true;
}

int main(void)
{
    Suite *suite = suite_create(__FILE__);
    TCase *tcase = tcase_create("all");
#define ADD_CASE(name)                                                                                                 \
    if (!case_is_skipped(#name))                                                                                       \
        tcase_add_test(tcase, name);
    CASES(ADD_CASE)
#undef ADD_CASE
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
#endif
