/* SPDX-License-Identifier: MIT */
/* The language: what is accepted, and what is said about what is not. */
#include "unit/conf/fixture.h"

struct finding_case {
    const char *text, *findings;
};

static void expect_all(const struct finding_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fixture_expect(cases[i].text, cases[i].findings);
}

START_TEST(reads_the_file_of_the_user_guide)
{
    struct fixture f;
    fixture_load(&f, "hostname = \"gw.example.org\"\n"
                     "ESMTP_Listener { Listen \"127.0.0.1:2525\" { } }\n"
                     "antivirus \"antivirus1\" {\n"
                     "  clamav \"clamav1\" {\n"
                     "    database = \"/var/lib/clamav\"\n"
                     "    Action = PASS\n"
                     "    error_code = 452\n"
                     "    timeout = 20\n"
                     "  }\n"
                     "}\n");
    ck_assert_str_eq(fixture_findings(&f), "");
    ck_assert_int_eq(f.result, ERR_OK);
    ck_assert_str_eq(fixture_global(&f)->hostname, "gw.example.org");
    const struct fixture_engine *e = fixture_engine(&f, 0);
    ck_assert_str_eq(e->database, "/var/lib/clamav");
    ck_assert_int_eq(e->action, 1);
    ck_assert_int_eq(e->error_code, 452);
    ck_assert_int_eq(e->timeout_ms, 20000);
    const struct conf_scope *av = fixture_nth(f.conf.global, &fixture_antivirus_class, 0);
    ck_assert_str_eq(av->name, "antivirus1");
    ck_assert_str_eq(av->file, "p.conf");
    ck_assert_uint_eq(av->line, 3);
    ck_assert_str_eq(fixture_nth(av, &fixture_clamav_class, 0)->name, "clamav1");
    ck_assert_uint_eq(fixture_nth(av, &fixture_clamav_class, 0)->column, 3);
    fixture_release(&f);
}
END_TEST

START_TEST(a_newline_is_white_space)
{
    struct fixture f;
    fixture_load(
        &f,
        "scan=off hostname\n=\n\"a b\"log_level=debug ESMTP_Listener\n{Listen\n:25\n{max_recipients = 7 enable=no}}");
    ck_assert_str_eq(fixture_findings(&f), "warning: p.conf:1:1: scan = off: nothing is scanned\n");
    ck_assert_str_eq(fixture_global(&f)->hostname, "a b");
    ck_assert_int_eq(fixture_global(&f)->log_level, 0);
    ck_assert(!fixture_global(&f)->scan);
    ck_assert_int_eq(fixture_listen(&f, 0)->max_recipients, 7);
    ck_assert(!fixture_listen(&f, 0)->enable);
    fixture_release(&f);
}
END_TEST

START_TEST(quotes_are_only_needed_for_some_characters)
{
    struct fixture f;
    fixture_load(
        &f, "\xef\xbb\xbf# byte order mark\r\nantivirus a { clamav \"c\" { \"timeout\" = \"30\" enabled = \"off\" \r\n"
            "database = /var/lib_x-y.z:1+2@h*\t/* a # comment\n over lines */ text = \"say \\\"hi\\\" \\\\ \\n\\\nend "
            "# no\" } }");
    ck_assert_str_eq(fixture_findings(&f), "");
    ck_assert_int_eq(fixture_engine(&f, 0)->timeout_ms, 30000);
    ck_assert(!fixture_engine(&f, 0)->enabled);
    ck_assert_str_eq(fixture_engine(&f, 0)->database, "/var/lib_x-y.z:1+2@h*");
    ck_assert_str_eq(fixture_engine(&f, 0)->text, "say \"hi\" \\ n\nend # no");
    fixture_release(&f);
}
END_TEST

START_TEST(lists_and_dictionaries_take_commas)
{
    static const char *const lists[] = {"( x y )", "(x,y)", "( x, \"y\", )", "(\nx\ny\n)"};
    static const char *const dicts[] = {"[ k = v l = \"w x\" ]", "[k=v,l=\"w x\"]", "[ k = v,\nl = \"w x\", ]"};
    enum { FORMS = 4 }; /* the original writes them with and without "=" */
    for (size_t i = 0; i < ARRAY_SIZE(lists) * FORMS; i++) {
        struct fixture f;
        char text[200], options[120];
        const char *dict = dicts[i % ARRAY_SIZE(dicts)], *list = lists[i % ARRAY_SIZE(lists)];
        switch (i / ARRAY_SIZE(lists)) { /* a format must be a literal */
        case 0:
            snprintf(options, sizeof(options), "database = / paths = %s headers = %s", list, dict);
            break;
        case 1:
            snprintf(options, sizeof(options), "database = / paths %s headers %s", list, dict);
            break;
        case 2:
            snprintf(options, sizeof(options), "database = / paths =\n%s\nheaders\n%s", list, dict);
            break;
        default:
            snprintf(options, sizeof(options), "database =\n/\npaths %s\nheaders %s", list, dict);
        }
        snprintf(text, sizeof(text), "antivirus { clamav { %s } }", options);
        fixture_load(&f, text);
        ck_assert_str_eq(fixture_findings(&f), "");
        ck_assert_uint_eq(fixture_engine(&f, 0)->paths.count, 2);
        ck_assert_str_eq(fixture_engine(&f, 0)->paths.items[0], "x");
        ck_assert_str_eq(fixture_engine(&f, 0)->paths.items[1], "y");
        ck_assert_uint_eq(fixture_engine(&f, 0)->headers.count, 2);
        ck_assert_str_eq(fixture_engine(&f, 0)->headers.items[0].key, "k");
        ck_assert_str_eq(fixture_engine(&f, 0)->headers.items[0].value, "v");
        ck_assert_str_eq(fixture_engine(&f, 0)->headers.items[1].value, "w x");
        fixture_release(&f);
    }
}
END_TEST

START_TEST(what_is_not_closed_is_named_where_it_opened)
{
    static const struct finding_case cases[] = {
        {"scan = on\nESMTP_Listener {\n Listen \"x\" {\n }\n",
         "p.conf:2:16: the \"{\" of ESMTP_Listener is never closed: expected \"}\", found the end of the file\n"},
        {"scan = on /* never\nclosed\n",
         "p.conf:1:11: the comment that begins here is never closed: expected \"*/\"\n"},
        {"hostname = \"abc\nscan = 5\n", "p.conf:1:12: the quote that opens here is not closed on its line\n"
                                         "p.conf:2:1: scan = 5: expected on or off, found a number\n"},
        {"antivirus { clamav { database = / paths = ( a\n b\n} }",
         "p.conf:1:43: the list that opens here is not closed: expected \")\", found \"}\" in line 3\n"},
        {"antivirus { clamav { database = / headers = [ a = b } }",
         "p.conf:1:45: the dictionary that opens here is not closed: expected \"]\", found \"}\" in line 1\n"},
        {"}\n", "p.conf:1:1: \"}\" closes nothing: no scope is open in this file\n"},
    };
    expect_all(cases, ARRAY_SIZE(cases));
}
END_TEST

START_TEST(syntax_errors_say_what_was_found_and_expected)
{
    static const struct finding_case cases[] = {
        {"scan = on;\nevent_loops = 1;;\n",
         "p.conf:1:10: \";\" is not part of the language: white space ends an option\n"
         "p.conf:2:16: \";\" is not part of the language: white space ends an option\n"},
        {"scan on\nevent_loops = 1\n", "p.conf:1:1: expected \"=\" or \"{\" after \"scan\", found \"on\"\n"},
        {"scan =\nevent_loops = 1\n", "p.conf:1:1: option \"scan\" has no value: found \"event_loops\" in line 2\n"},
        {"scan = }\n", "p.conf:1:1: option \"scan\" has no value: found \"}\" in line 1\n"
                       "p.conf:1:8: \"}\" closes nothing: no scope is open in this file\n"},
        {"= on\nscan = 7\n", "p.conf:1:1: expected an option or a scope, found \"=\"\np.conf:2:1: scan = 7: expected "
                             "on or off, found a number\n"},
        {"( a b ) \nscan = 7\n", "p.conf:1:1: expected an option or a scope, found \"(\"\np.conf:2:1: scan = 7: "
                                 "expected on or off, found a number\n"},
        {"{ x = y }\nscan = 7\n", "p.conf:1:1: expected an option or a scope, found \"{\"\np.conf:2:1: scan = 7: "
                                  "expected on or off, found a number\n"},
        {"event_loops = 20/* twenty */ scan = x\n",
         "p.conf:1:17: \"/*\" inside a word: put white space before a comment, or quotes around the word\n"
         "p.conf:1:30: scan = x: expected on or off, found text\n"},
        {"hostname = /tmp/*\nscan = x\n",
         "p.conf:1:16: \"/*\" inside a word: put white space before a comment, or quotes around the word\n"
         "p.conf:2:1: scan = x: expected on or off, found text\n"},
        {"a b c d e {\n}\nscan = 7\n", "p.conf:1:1: expected \"=\" or \"{\" after \"a\", found \"b\"\np.conf:3:1: scan "
                                       "= 7: expected on or off, found a number\n"},
        {"scan = on\x01\n", "p.conf:1:10: unexpected control character 0x01\n"},
        {"include\n", "p.conf:1:1: include: expected a file name, found the end of the file\n"},
        {"antivirus { clamav { database = / headers = [ a = b a = c ] } }",
         "p.conf:1:53: \"a\" stands twice in the dictionary that opens in line 1\n"},
    };
    expect_all(cases, ARRAY_SIZE(cases));
}
END_TEST

START_TEST(a_nul_octet_is_refused)
{
    static const char text[] = "scan = on\0hostname = \"a\0b\"";
    struct fixture f;
    struct conf_source source = {NULL, NULL, NULL};
    struct buf file;
    buf_init(&file, 100);
    ck_assert_int_eq(buf_append(&file, span_of(text, sizeof(text) - 1)), ERR_OK);
    /* fixture_read takes strings, so this source copies the buffer */
    enum err copy_file(void *arg, const char *path, struct buf *out, struct errtext *why);
    source.read = copy_file;
    source.arg = &file;
    problems_init(&f.problems);
    f.result = conf_load(&f.conf, "p.conf", &source, &fixture_classes, &f.problems);
    ck_assert_str_eq(fixture_findings(&f),
                     "p.conf:1:10: unexpected control character 0x00\np.conf:1:22: a NUL octet between quotes\n");
    fixture_release(&f);
    buf_release(&file);
}
END_TEST
enum err copy_file(void *arg, const char *path, struct buf *out, struct errtext *why);
enum err copy_file(void *arg, const char *path, struct buf *out, struct errtext *why)
{
    (void)path;
    (void)why;
    return buf_append(out, buf_span(arg));
}

START_TEST(includes_are_relative_to_the_including_file)
{
    static const char *const files[] = {
        "etc/p.conf",
        "include \"sub/a.conf\" readonly_include sub/d ESMTP_Listener { include listen.conf }",
        "etc/sub/a.conf",
        "include b.conf\n",
        "etc/sub/b.conf",
        "hostname = inner",
        "etc/sub/d/",
        ".hidden\n1.conf\n2.conf\n",
        "etc/sub/d/.hidden",
        "}",
        "etc/sub/d/1.conf",
        "event_loops = 3",
        "etc/sub/d/2.conf",
        "log_level = notice",
        "etc/listen.conf",
        "Listen :25 { }",
        NULL};
    struct fixture f;
    fixture_load_files(&f, files);
    ck_assert_str_eq(fixture_findings(&f), "");
    ck_assert_str_eq(fixture_global(&f)->hostname, "inner");
    ck_assert_int_eq(fixture_global(&f)->event_loops, 3);
    ck_assert_int_eq(fixture_global(&f)->log_level, 2);
    ck_assert_str_eq(
        fixture_nth(fixture_nth(f.conf.global, &fixture_listener_class, 0), &fixture_listen_class, 0)->file,
        "etc/listen.conf");
    fixture_release(&f);
}
END_TEST

START_TEST(findings_come_in_the_order_of_files_and_lines)
{
    static const char *const files[] = {"p.conf", "scan = 1\ninclude a\nlog_level = x\nhostnme = y\nevent_loops = z\n",
                                        "a", "\n\n\n\n\n\nnothing = 1\n", NULL};
    struct fixture f;
    fixture_load_files(&f, files);
    ck_assert_str_eq(fixture_findings(&f), "p.conf:3:1: log_level = x: must be one of debug, info, notice\n"
                                           "p.conf:4:1: unknown option \"hostnme\": did you mean \"hostname\"?\n"
                                           "p.conf:5:1: event_loops = z: expected a number, found text\n"
                                           "a:7:1: unknown option \"nothing\" in the global scope\n");
    fixture_release(&f);
}
END_TEST

START_TEST(an_include_that_fails_is_named_where_it_stands)
{
    static const char *const cases[][8] = {
        {"p.conf", "scan = on\n include \"gone.conf\"", NULL, NULL, NULL, NULL, NULL,
         "p.conf:2:10: cannot include gone.conf: no such file\n"},
        {"p.conf", "include p.conf", NULL, NULL, NULL, NULL, NULL, "p.conf:1:9: p.conf includes itself\n"},
        {"p.conf", "include ./a", "./a", "include .//./p.conf", NULL, NULL, NULL,
         "./a:1:9: ././/./p.conf includes itself\n"},
        {"p.conf", "Backend { include a }", "a", "scan = on }", NULL, NULL, NULL,
         "a:1:11: \"}\" closes nothing: no scope is open in this file\n"},
        {"p.conf", "include a }", "a", "Backend {", NULL, NULL, NULL,
         "p.conf:1:11: \"}\" closes nothing: no scope is open in this file\na:1:9: the \"{\" of Backend is never "
         "closed: expected \"}\", found the end of the file\n"},
        {"p.conf", "include \"a\\\nb\"", NULL, NULL, NULL, NULL, NULL,
         "p.conf:1:9: cannot include a\\x0ab: no such file\n"},
        {"p.conf", "include \"\"", NULL, NULL, NULL, NULL, NULL, "p.conf:1:9: an include without a file name\n"},
        {"gone", NULL, NULL, NULL, NULL, NULL, NULL, "gone: cannot be read: no such file\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture f;
        const char *const none[] = {NULL, NULL};
        struct conf_source source = {fixture_read, fixture_list, (void *)(size_t)(cases[i][1] ? cases[i] : none)};
        problems_init(&f.problems);
        f.result = conf_load(&f.conf, cases[i][0], &source, &fixture_classes, &f.problems);
        ck_assert_str_eq(fixture_findings(&f), cases[i][7]);
        fixture_release(&f);
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(reads_the_file_of_the_user_guide)                                                                                \
    X(a_newline_is_white_space)                                                                                        \
    X(quotes_are_only_needed_for_some_characters)                                                                      \
    X(lists_and_dictionaries_take_commas)                                                                              \
    X(what_is_not_closed_is_named_where_it_opened)                                                                     \
    X(syntax_errors_say_what_was_found_and_expected)                                                                   \
    X(a_nul_octet_is_refused)                                                                                          \
    X(includes_are_relative_to_the_including_file)                                                                     \
    X(findings_come_in_the_order_of_files_and_lines)                                                                   \
    X(an_include_that_fails_is_named_where_it_stands)
#include "support/check_main.h"
