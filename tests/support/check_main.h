/* SPDX-License-Identifier: MIT */
/* The main() of a Check program: a test file defines its cases with START_TEST, lists them in CASES and includes this.
 *
 *   #define CASES(X) X(parses_a_bare_path) X(refuses_an_empty_path)
 *   #include "support/check_main.h"
 */
#ifndef SUPPORT_CHECK_MAIN_H
#define SUPPORT_CHECK_MAIN_H
#include <check.h>
#include <stdlib.h>

int main(void)
{
    Suite *suite = suite_create(__FILE__);
    TCase *tcase = tcase_create("all");
#define ADD_CASE(name) tcase_add_test(tcase, name);
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
