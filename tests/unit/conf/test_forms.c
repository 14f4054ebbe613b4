/* SPDX-License-Identifier: MIT */
/* The forms of the configuration language's history: 2.x modules, 3.x nested scopes and singletons, what is not built
 * yet. */
#include "unit/conf/fixture.h"

static const struct conf_scope *antivirus(const struct fixture *f)
{
    return fixture_nth(f->conf.global, &fixture_antivirus_class, 0);
}

START_TEST(the_documented_kaspersky_stanzas_load)
{
    struct fixture f;
    fixture_load(&f, "Validate validate/antivirus antivirus {\n"
                     "}\n"
                     "\n"
                     "Validate validate/av_kaspersky kaspersky  {\n"
                     "  daemon = \"127.0.0.1:9001\"\n"
                     "  daemon_is_remote = true\n"
                     "  timeout = 180\n"
                     "  action = pass\n"
                     "  paranoid = false\n"
                     "  context_variable = \"virus\"\n"
                     "  file_base = \"/var/tmp\"\n"
                     "}\n");
    ck_assert_str_eq(fixture_findings(&f),
                     "warning: p.conf:4:1: kaspersky \"kaspersky\": is not built in this version of postern\n");
    ck_assert_str_eq(antivirus(&f)->name, "antivirus");
    const struct conf_scope *k = fixture_nth(antivirus(&f), &fixture_kaspersky_class, 0);
    ck_assert_str_eq(k->name, "kaspersky");
    ck_assert_int_eq(((const struct fixture_engine *)k->values)->timeout_ms, 180000);
    ck_assert_int_eq(((const struct fixture_engine *)k->values)->action, 1);
    fixture_release(&f);
}
END_TEST

START_TEST(a_2x_engine_makes_its_framework_and_may_be_passive)
{
    struct fixture f;
    fixture_load(&f, "timeout = 9 Validate validate/av_clamav clamav passive { database = /db }");
    ck_assert_str_eq(fixture_findings(&f), "");
    ck_assert_ptr_null(conf_child(f.conf.global, &fixture_antivirus_class, antivirus(&f)));
    ck_assert(!fixture_engine(&f, 0)->enabled);
    ck_assert_int_eq(fixture_engine(&f, 0)->timeout_ms, 9000);
    ck_assert_str_eq(fixture_engine(&f, 0)->database, "/db");
    fixture_release(&f);
}
END_TEST

START_TEST(an_engine_may_be_named_on_the_framework_module)
{
    struct fixture f;
    fixture_load(&f, "Validate validate/antivirus clamav passive { database = /db }");
    ck_assert_str_eq(fixture_findings(&f), "");
    ck_assert_str_eq(fixture_nth(antivirus(&f), &fixture_clamav_class, 0)->name, "clamav");
    ck_assert(!fixture_engine(&f, 0)->enabled);
    fixture_release(&f);
}
END_TEST

START_TEST(a_2x_engine_joins_a_framework_written_anywhere)
{
    struct fixture f;
    fixture_load(
        &f,
        "Validate validate/av_clamav two { database = /2 }\nantivirus av { timeout = 8 clamav one { database = /1 } }");
    ck_assert_str_eq(fixture_findings(&f), "");
    ck_assert_str_eq(antivirus(&f)->name, "av");
    ck_assert_str_eq(fixture_engine(&f, 0)->database, "/1");
    ck_assert_str_eq(fixture_engine(&f, 1)->database, "/2");
    ck_assert_int_eq(fixture_engine(&f, 1)->timeout_ms, 8000);
    fixture_release(&f);
}
END_TEST

START_TEST(unknown_modules_are_ignored_with_a_warning)
{
    fixture_expect("Module generic/sievelib sievelib { }\nValidate validate/sieve sieve { data_phase1 = /x anything { "
                   "goes = ( on ) } }",
                   "warning: p.conf:1:1: Module generic/sievelib is not built in this version of postern: ignored\n"
                   "warning: p.conf:2:1: Validate validate/sieve is not built in this version of postern: ignored\n");
}
END_TEST

START_TEST(mistakes_in_2x_modules_are_errors)
{
    static const struct {
        const char *text, *finding;
    } cases[] = {
        {"Validate validate/av_clamav clamav pasive { database = / }",
         "p.conf:1:1: expected passive or \"{\" after the instance's name, found \"pasive\"\n"},
        {"Validate validate/antivirus antivirus passive { }",
         "p.conf:1:39: antivirus cannot be passive: it has no option \"enabled\"\n"},
        {"Validate validate/av_clamav clamav passive {\nenabled = true database = / }",
         "p.conf:2:1: option \"enabled\" stands twice in this scope, first at p.conf:1:36\n"},
        {"Validate validate/av_clamav { }",
         "p.conf:1:1: unknown scope \"Validate\": expected Validate path/module instance { }\n"},
        {"antivirus a { }\nantivirus b { }\nValidate validate/av_clamav clamav { database = / }",
         "p.conf:3:1: validate/av_clamav: there are 2 scopes antivirus, so write it as a nested scope in one of "
         "them\n"},
        {"Validate validate/av_clamav c { database = / }\nValidate validate/av_clamav c { database = / }",
         "p.conf:2:1: clamav \"c\" stands twice, the first is at p.conf:1:1\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        fixture_expect(cases[i].text, cases[i].finding);
}
END_TEST

START_TEST(a_3x_singleton_at_top_level_makes_no_instance)
{
    struct fixture f;
    fixture_load(&f, "clamav { enabled = true debug_level = error }\nantivirus a { clamav c { database = /db } }");
    ck_assert_str_eq(fixture_findings(&f), "");
    ck_assert_str_eq(fixture_engine(&f, 0)->database, "/db");
    ck_assert_ptr_null(conf_child(f.conf.global, &fixture_clamav_class, NULL));
    fixture_release(&f);
    fixture_expect(
        "clamav {\nenabled = false\ndatabase = /db }",
        "warning: p.conf:2:1: clamav.enabled: has no effect at top level: write it in each clamav of antivirus { }\n"
        "warning: p.conf:3:1: clamav.database: ignored: at top level clamav takes only enabled and debug_level; write "
        "it in antivirus { }\n");
    fixture_expect("clamav c1 { database = /db }",
                   "p.conf:1:1: scope \"clamav\" does not belong here: it stands in antivirus { }\n");
}
END_TEST

START_TEST(a_class_that_is_not_built_takes_whatever_it_is_given_when_open)
{
    fixture_expect("Control_Listener {\n Listen \"/tmp/2025\" { file_mode = 0660 }\n allow = ( a b )\n}\nantivirus { "
                   "kaspersky k { daemon = x timeout = 0 } }",
                   "warning: p.conf:1:1: Control_Listener: is not built in this version of postern\n"
                   "warning: p.conf:5:13: kaspersky \"k\": is not built in this version of postern\n"
                   "p.conf:5:38: kaspersky.timeout = 0: must be between 1 and 3600\n");
}
END_TEST

#define CASES(X)                                                                                                       \
    X(the_documented_kaspersky_stanzas_load)                                                                           \
    X(a_2x_engine_makes_its_framework_and_may_be_passive)                                                              \
    X(an_engine_may_be_named_on_the_framework_module)                                                                  \
    X(a_2x_engine_joins_a_framework_written_anywhere)                                                                  \
    X(unknown_modules_are_ignored_with_a_warning)                                                                      \
    X(mistakes_in_2x_modules_are_errors)                                                                               \
    X(a_3x_singleton_at_top_level_makes_no_instance)                                                                   \
    X(a_class_that_is_not_built_takes_whatever_it_is_given_when_open)
#include "support/check_main.h"
