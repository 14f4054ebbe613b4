/* SPDX-License-Identifier: MIT */
/* Values: types, ranges, fallback, defaults, and what is said about each fault. */
#include "unit/conf/fixture.h"

#define LISTEN(options) "ESMTP_Listener { Listen x { " options " } }"
#define CLAMAV(options) "antivirus { clamav { database = / " options " } }"

START_TEST(every_fault_of_a_value_is_said_in_its_unit)
{
    static const struct {
        const char *text, *finding;
    } cases[] = {
        {"\n\n  antivirus { clamav { database = /\n  timeout = 0 } }",
         "p.conf:4:3: clamav.timeout = 0: must be between 1 and 3600\n"},
        {CLAMAV("timeout = 2h"), "p.conf:1:35: clamav.timeout = 2h: must be between 1 and 3600\n"},
        {CLAMAV("timeout = 99999999999999999999"),
         "p.conf:1:35: clamav.timeout = 99999999999999999999: must be between 1 and 3600\n"},
        {CLAMAV("timeout = soon"),
         "p.conf:1:35: clamav.timeout = soon: expected a time in seconds, or with ms, s, m, h or d, found text\n"},
        {CLAMAV("timeout = ( 1 )"),
         "p.conf:1:35: clamav.timeout = ( ... ): expected a time in seconds, or with ms, s, m, h or d, found a list\n"},
        {CLAMAV("action = rejct"),
         "p.conf:1:35: clamav.action = rejct: must be one of reject, pass: did you mean \"reject\"?\n"},
        {CLAMAV("action = [ a = b ]"), "p.conf:1:35: clamav.action = [ ... ]: expected one word, found a dictionary\n"},
        {CLAMAV("error_code = 250"), "p.conf:1:35: clamav.error_code = 250: must be between 400 and 599\n"},
        {CLAMAV("error_code = -1"), "p.conf:1:35: clamav.error_code = -1: must be between 400 and 599\n"},
        {CLAMAV("error_code = on"), "p.conf:1:35: clamav.error_code = on: expected a number, found a truth value\n"},
        {CLAMAV("headers = x"),
         "p.conf:1:35: clamav.headers = x: expected a dictionary [ name = value ], found text\n"},
        {CLAMAV("paths = [ a = b ]"),
         "p.conf:1:35: clamav.paths = [ ... ]: expected a list ( a b ), found a dictionary\n"},
        {CLAMAV("text = ( a )"), "p.conf:1:35: clamav.text = ( ... ): expected text, found a list\n"},
        {CLAMAV("enabled = 2"), "p.conf:1:35: clamav.enabled = 2: expected on or off, found a number\n"},
        {LISTEN("max_message_size = 1"), "p.conf:1:29: Listen.max_message_size = 1: must be between 1K and 1G\n"},
        {LISTEN("max_message_size = 1X"),
         "p.conf:1:29: Listen.max_message_size = 1X: expected a size in octets, or with K, M or G, found text\n"},
        {LISTEN("poll = 3"), "p.conf:1:29: Listen.poll = 3: must be between 50ms and 2s\n"},
        {"hostname = \"\"", "p.conf:1:1: hostname = \"\": must be between 1 and 20 characters long, and has 0\n"},
        {"hostname = \"a\\\nb \x1b[0m0123456789012\"", "p.conf:1:1: hostname = \"a\\x0ab \\x1b[0m0123456789012\": must "
                                                       "be between 1 and 20 characters long, and has 21\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        fixture_expect(cases[i].text, cases[i].finding);
}
END_TEST

START_TEST(values_of_each_type_arrive)
{
    struct fixture f;
    fixture_load(&f,
                 LISTEN("max_message_size = 10m client_timeout = 90s poll = 1500ms banner = \"a b\" enable = Disabled "
                        "max_recipients = \"9\"") CLAMAV("paths = one headers = [ ]") "scan = yes event_loops = 64");
    ck_assert_str_eq(fixture_findings(&f), "");
    const struct fixture_listen *l = fixture_listen(&f, 0);
    ck_assert_int_eq(l->max_message_size, 10 * 1024 * 1024);
    ck_assert_int_eq(l->client_timeout_ms, 90000);
    ck_assert_int_eq(l->poll_ms, 1500);
    ck_assert_str_eq(l->banner, "a b");
    ck_assert(!l->enable);
    ck_assert_int_eq(l->max_recipients, 9);
    ck_assert_uint_eq(fixture_engine(&f, 0)->paths.count, 1);
    ck_assert_str_eq(fixture_engine(&f, 0)->paths.items[0], "one");
    ck_assert_uint_eq(fixture_engine(&f, 0)->headers.count, 0);
    ck_assert_int_eq(fixture_global(&f)->event_loops, 64);
    fixture_release(&f);
}
END_TEST

START_TEST(defaults_hold_where_nothing_is_written)
{
    struct fixture f;
    fixture_load(&f, LISTEN("") CLAMAV(""));
    ck_assert_str_eq(fixture_findings(&f), "");
    const struct fixture_listen *l = fixture_listen(&f, 0);
    ck_assert(l->enable);
    ck_assert_ptr_null(l->hostname);
    ck_assert_str_eq(l->banner, "ESMTP ready");
    ck_assert_int_eq(l->max_message_size, 100 * 1024 * 1024);
    ck_assert_int_eq(l->client_timeout_ms, 300000);
    ck_assert_uint_eq(fixture_engine(&f, 0)->paths.count, 2);
    ck_assert_str_eq(fixture_engine(&f, 0)->paths.items[1], "b");
    ck_assert_ptr_null(fixture_global(&f)->hostname);
    const struct conf_scope *scope =
        fixture_nth(fixture_nth(f.conf.global, &fixture_listener_class, 0), &fixture_listen_class, 0);
    for (size_t i = 0; i < scope->class->row_count; i++)
        ck_assert(!scope->given[i]);
    fixture_release(&f);
}
END_TEST

START_TEST(a_value_is_looked_up_from_the_scope_outward)
{
    struct fixture f;
    fixture_load(&f, "max_recipients = 1 client_timeout = 7 timeout = 3\n"
                     "ESMTP_Listener { max_recipients = 2 Listen a { max_recipients = 3 } Listen b { } }\n"
                     "ESMTP_Listener { Listen c { } }\n"
                     "antivirus { timeout = 4 clamav { database = / } clamav two { database = / timeout = 5 } }\n"
                     "antivirus { clamav { database = / } }");
    ck_assert_str_eq(fixture_findings(&f), "");
    ck_assert_int_eq(fixture_listen(&f, 0)->max_recipients, 3);
    ck_assert_int_eq(fixture_listen(&f, 1)->max_recipients, 2);
    ck_assert_int_eq(fixture_listen(&f, 1)->client_timeout_ms, 7000);
    const struct conf_scope *second = fixture_nth(f.conf.global, &fixture_listener_class, 1);
    const struct conf_scope *c = fixture_nth(second, &fixture_listen_class, 0);
    ck_assert_int_eq(((const struct fixture_listen *)c->values)->max_recipients, 1);
    ck_assert(c->given[2]);
    ck_assert(!c->given[0]);
    ck_assert_int_eq(fixture_engine(&f, 0)->timeout_ms, 4000);
    ck_assert_int_eq(fixture_engine(&f, 1)->timeout_ms, 5000);
    const struct conf_scope *other =
        fixture_nth(fixture_nth(f.conf.global, &fixture_antivirus_class, 1), &fixture_clamav_class, 0);
    ck_assert_int_eq(((const struct fixture_engine *)other->values)->timeout_ms, 3000);
    fixture_release(&f);
}
END_TEST

START_TEST(a_top_level_value_serves_an_implicit_class_and_inner_ones)
{
    struct fixture f;
    fixture_load(&f, "hostname = gw ESMTP_Listener { Listen a { } Listen b { hostname = other } }");
    ck_assert_str_eq(fixture_findings(&f), "");
    ck_assert_str_eq(fixture_global(&f)->hostname, "gw");
    ck_assert_str_eq(fixture_listen(&f, 0)->hostname, "gw");
    ck_assert_str_eq(fixture_listen(&f, 1)->hostname, "other");
    fixture_release(&f);
}
END_TEST

START_TEST(unknown_names_are_errors_with_the_nearest_name)
{
    static const struct {
        const char *text, *finding;
    } cases[] = {
        {CLAMAV("tiemout = 5"), "p.conf:1:35: unknown option \"tiemout\": did you mean \"timeout\"?\n"},
        {CLAMAV("TIMEOUTS = 5"), "p.conf:1:35: unknown option \"TIMEOUTS\": did you mean \"timeout\"?\n"},
        {CLAMAV("zebra = 5"), "p.conf:1:35: unknown option \"zebra\" in clamav\n"},
        {CLAMAV("banner = 5"), "p.conf:1:35: option \"banner\" does not belong in clamav: it stands in Listen\n"},
        {CLAMAV("scan = on"), "p.conf:1:35: option \"scan\" does not belong in clamav: it stands at top level\n"},
        {"ESMTP_Listner { }", "p.conf:1:1: unknown scope \"ESMTP_Listner\": did you mean \"ESMTP_Listener\"?\n"},
        {"Zebra \"x\" { a = b }", "p.conf:1:1: unknown scope \"Zebra\"\n"},
        {"Listen \"x\" { }", "p.conf:1:1: scope \"Listen\" does not belong here: it stands in ESMTP_Listener { }\n"},
        {"antivirus { ESMTP_Listener { } }",
         "p.conf:1:13: scope \"ESMTP_Listener\" does not belong in antivirus: it stands at top level\n"},
        {"timeout { }", "p.conf:1:1: \"timeout\" is an option, not a scope: expected \"=\" after it\n"},
        {"daemon { }", "p.conf:1:1: unknown scope \"daemon\"\n"},
        {"\"sca\\\nn\" = 1", "p.conf:1:1: unknown option \"sca\\x0an\": did you mean \"scan\"?\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        fixture_expect(cases[i].text, cases[i].finding);
}
END_TEST

START_TEST(what_stands_twice_names_the_first_place)
{
    static const struct {
        const char *text, *finding;
    } cases[] = {
        {"scan = on\n Scan = on", "p.conf:2:2: option \"scan\" stands twice in this scope, first at p.conf:1:1\n"},
        {"ESMTP_Listener { Listen a { }\nListen a { } }",
         "p.conf:2:1: Listen \"a\" stands twice, the first is at p.conf:1:18\n"},
        {"Backend { }\nBackend { }", "p.conf:2:1: there may be only one Backend, and the first is at p.conf:1:1\n"},
        {"Control_Listener { x = 1\nX = 2 }",
         "warning: p.conf:1:1: Control_Listener: is not built in this version of postern\n"
         "p.conf:2:1: option \"x\" stands twice in this scope, first at p.conf:1:20\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        fixture_expect(cases[i].text, cases[i].finding);
}
END_TEST

START_TEST(names_of_scopes_are_checked)
{
    static const struct {
        const char *text, *finding;
    } cases[] = {
        {"ESMTP_Listener { Listen { } }", "p.conf:1:18: Listen needs a name: expected Listen \"...\" { }\n"},
        {"ESMTP_Listener { Listen \"\" { } }", "p.conf:1:18: Listen needs a name: expected Listen \"...\" { }\n"},
        {"Backend b { }", "p.conf:1:1: Backend takes no name: expected \"{\", found \"b\"\n"},
        {"ESMTP_Listener { Listen a b { } }", "p.conf:1:18: Listen: expected \"{\" after its name, found \"b\"\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        fixture_expect(cases[i].text, cases[i].finding);
}
END_TEST

START_TEST(a_missing_required_option_names_its_scope)
{
    fixture_expect("antivirus {\n  clamav \"c1\" {\n  }\n}",
                   "p.conf:2:3: clamav \"c1\": option \"database\" is required and missing\n");
}
END_TEST

START_TEST(deprecated_options_are_warned_of_once_where_they_stand)
{
    fixture_expect("workers = 3\nantivirus { }\nantivirus { }",
                   "warning: p.conf:1:1: antivirus.workers = 3: deprecated: use ThreadPool\n");
}
END_TEST

START_TEST(one_fault_is_reported_once_however_many_scopes_inherit_it)
{
    fixture_expect("max_recipients = 0\nESMTP_Listener { Listen a { } Listen b { } }",
                   "p.conf:1:1: Listen.max_recipients = 0: must be between 1 and 1000\n");
}
END_TEST

START_TEST(a_value_that_no_scope_takes_is_judged_too)
{
    fixture_expect("max_recipients = 0", "p.conf:1:1: Listen.max_recipients = 0: must be between 1 and 1000\n");
    fixture_expect("max_recipients = 5", "");
}
END_TEST

START_TEST(every_error_is_reported_not_the_first_one_only)
{
    fixture_expect("scan = maybe\nESMTP_Listener { Listen a { max_recipients = none poll = 9 } }\nBackend x { }\n"
                   "antivirus { clamav { timeout = 0 } clamav b { database = relative } }\nlog_levl = info",
                   "p.conf:1:1: scan = maybe: expected on or off, found text\n"
                   "p.conf:2:29: Listen.max_recipients = none: expected a number, found text\n"
                   "p.conf:2:51: Listen.poll = 9: must be between 50ms and 2s\n"
                   "p.conf:3:1: Backend takes no name: expected \"{\", found \"x\"\n"
                   "p.conf:4:13: clamav: option \"database\" is required and missing\n"
                   "p.conf:4:22: clamav.timeout = 0: must be between 1 and 3600\n"
                   "p.conf:4:47: clamav.database = relative: must be an absolute path\n"
                   "p.conf:5:1: unknown option \"log_levl\": did you mean \"log_level\"?\n");
}
END_TEST

START_TEST(checks_of_the_classes_see_whole_values_and_name_the_place)
{
    fixture_expect("database = here\nerror_code = 550 antivirus { clamav { } }",
                   "p.conf:1:1: clamav.database = here: must be an absolute path\n"
                   "warning: p.conf:2:1: clamav.error_code = 550: clients will not try again\n");
    fixture_expect("scan = off", "warning: p.conf:1:1: scan = off: nothing is scanned\n");
}
END_TEST

START_TEST(a_program_that_knows_a_part_passes_over_the_rest)
{
    static const struct scope_class *const part[] = {&fixture_global_class, &fixture_antivirus_class,
                                                     &fixture_clamav_class};
    static const struct conf_classes classes = {.items = part, .count = ARRAY_SIZE(part), .partial = true};
    static const char *const files[] = {"p.conf",
                                        "max_recipients = 3 ESMTP_Listener { Listen a { poll = 1 } }\n"
                                        "antivirus { x = 1 clamav { database = here } }",
                                        NULL};
    struct conf_source source = {fixture_read, fixture_list, (void *)(size_t)files};
    struct fixture f;
    problems_init(&f.problems);
    f.result = conf_load(&f.conf, "p.conf", &source, &classes, &f.problems);
    ck_assert_str_eq(fixture_findings(&f), "p.conf:2:28: clamav.database = here: must be an absolute path\n");
    fixture_release(&f);
}
END_TEST

START_TEST(findings_about_scopes_made_by_hand_do_not_need_their_places)
{
    struct problems p;
    struct conf_scope scope = {.class = &fixture_clamav_class, .name = "c1", .file = "x.conf", .line = 3, .column = 4};
    problems_init(&p);
    problem_error(&p, &scope, NULL, "is %s", "odd");
    problem_warning(&p, &scope, "timeout", "is odd");
    problem_error(&p, NULL, NULL, "all is odd");
    ck_assert_uint_eq(p.errors, 2);
    ck_assert_uint_eq(p.warnings, 1);
    ck_assert_str_eq(p.first->text, "x.conf:3:4: clamav \"c1\": is odd");
    ck_assert_str_eq(p.first->next->text, "x.conf:3:4: clamav.timeout: is odd");
    ck_assert_str_eq(p.first->next->next->text, "all is odd");
    problems_release(&p);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(every_fault_of_a_value_is_said_in_its_unit)                                                                      \
    X(values_of_each_type_arrive)                                                                                      \
    X(defaults_hold_where_nothing_is_written)                                                                          \
    X(a_value_is_looked_up_from_the_scope_outward)                                                                     \
    X(a_top_level_value_serves_an_implicit_class_and_inner_ones)                                                       \
    X(unknown_names_are_errors_with_the_nearest_name)                                                                  \
    X(what_stands_twice_names_the_first_place)                                                                         \
    X(names_of_scopes_are_checked)                                                                                     \
    X(a_missing_required_option_names_its_scope)                                                                       \
    X(deprecated_options_are_warned_of_once_where_they_stand)                                                          \
    X(one_fault_is_reported_once_however_many_scopes_inherit_it)                                                       \
    X(a_value_that_no_scope_takes_is_judged_too)                                                                       \
    X(every_error_is_reported_not_the_first_one_only)                                                                  \
    X(checks_of_the_classes_see_whole_values_and_name_the_place)                                                       \
    X(a_program_that_knows_a_part_passes_over_the_rest)                                                                \
    X(findings_about_scopes_made_by_hand_do_not_need_their_places)
#include "support/check_main.h"
