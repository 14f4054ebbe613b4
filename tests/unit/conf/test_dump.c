/* SPDX-License-Identifier: MIT */
/* Writing configurations: what is in effect loads again and means the same; reference and example come out of the
 * tables. */
#include "unit/conf/fixture.h"

static char *dump(const struct fixture *f)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    ck_assert_int_eq(conf_dump(&f->conf, &fixture_classes, &out), ERR_OK);
    ck_assert_int_eq(buf_append_char(&out, '\0'), ERR_OK);
    return out.data;
}

static void same_scope(const struct conf_scope *a, const struct conf_scope *b)
{
    for (; a && b; a = a->next, b = b->next) {
        ck_assert_ptr_eq(a->class, b->class);
        if (a->name || b->name)
            ck_assert_str_eq(a->name, b->name);
        for (size_t i = 0; a->class && i < a->class->row_count; i++)
            ck_assert_msg(a->given[i] == b->given[i], "given of %s", a->class->rows[i].name);
        same_scope(a->first_child, b->first_child);
    }
    ck_assert_ptr_null(a);
    ck_assert_ptr_null(b);
}

static const char *const samples[] = {
    "",
    "hostname = \"a \\\"b\\\" \\\\c\\\nd\"",
    "hostname = gw scan = off timeout = 3 ESMTP_Listener { max_recipients = 5 Listen \"a \\\" b\" { } Listen b { "
    "enable = no } } ESMTP_Listener { }",
    "ESMTP_Listener { Listen a { poll = 1500ms client_timeout = 50m max_message_size = 3M banner = \"\" } }",
    "ESMTP_Listener { Listen a { poll = 1 client_timeout = 1h max_message_size = 1048577 } }",
    "antivirus { clamav { database = / paths = ( \"x y\" \"(\" ) headers = [ \"k 1\" = \"v\\\"\" l = m ] } kaspersky "
    "\"k\" { daemon = x:1 list = ( a \"b c\" ) d = [ x = y ] "
    "deep \"er\" { and = so deeper { on = 1 } } \"include\" = \"in\" } }",
    "Validate validate/antivirus clamav passive { database = /db } Validate validate/av_kaspersky kaspersky { daemon = "
    "x }",
    "Control_Listener { Listen \"/tmp/2025\" { file_mode = 0660 } }",
};

START_TEST(what_was_loaded_is_written_so_that_it_loads_into_the_same)
{
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        /* given a configuration, when it is dumped, loaded and dumped again */
        struct fixture first, second;
        fixture_load(&first, samples[i]);
        ck_assert_msg(first.problems.errors == 0, "%zu: %s", i, fixture_findings(&first));
        char *once = dump(&first);
        fixture_load(&second, once);
        ck_assert_msg(second.problems.errors == 0, "%zu: %s\n%s", i, fixture_findings(&second), once);
        char *twice = dump(&second);
        /* then text, scopes and what was given are the same */
        ck_assert_str_eq(once, twice);
        same_scope(first.conf.global, second.conf.global);
        free(once);
        free(twice);
        fixture_release(&first);
        fixture_release(&second);
    }
}
END_TEST

START_TEST(every_option_is_written_and_defaults_are_marked)
{
    struct fixture f;
    fixture_load(
        &f, "event_loops = 2 timeout = 20 antivirus \"av\" { clamav \"c1\" { database = \"/db\" action = pass } }");
    char *text = dump(&f);
    ck_assert_str_eq(text, "# The configuration in effect. What the files did not set stands in comments.\n"
                           "\n"
                           "# daemon\n"
                           "# hostname is not set\n"
                           "# scan = true # default\n"
                           "# log_level = info # default\n"
                           "event_loops = 2\n"
                           "\n"
                           "antivirus \"av\" {\n"
                           "  # workers = 4 # default\n"
                           "  clamav \"c1\" {\n"
                           "    # enabled = true # default\n"
                           "    action = pass\n"
                           "    timeout = 20\n"
                           "    # error_code = 451 # default\n"
                           "    database = \"/db\"\n"
                           "    # text is not set\n"
                           "    # paths = ( \"a\" \"b\" ) # default\n"
                           "    # headers is not set\n"
                           "  }\n"
                           "}\n");
    free(text);
    fixture_release(&f);
}
END_TEST

START_TEST(values_survive_the_way_through_text)
{
    struct fixture first, second;
    fixture_load(&first, samples[1]);
    char *text = dump(&first);
    fixture_load(&second, text);
    ck_assert_str_eq(fixture_global(&second)->hostname, "a \"b\" \\c\nd");
    free(text);
    fixture_release(&first);
    fixture_release(&second);
}
END_TEST

START_TEST(implicit_classes_that_share_an_option_write_it_once)
{
    static const struct scope_class twin = {
        .name = "twin", .naming = SCOPE_IMPLICIT, FIXTURE_ROWS(fixture_global_rows, fixture_global)};
    static const struct scope_class *const list[] = {&fixture_global_class, &twin};
    static const struct conf_classes classes = {.items = list, .count = ARRAY_SIZE(list)};
    const char *files[] = {"p.conf", "hostname = gw event_loops = 3", NULL};
    struct conf_source source = {fixture_read, fixture_list, files};
    struct conf conf;
    struct problems problems;
    struct buf out[2];
    for (int turn = 0; turn < 2; turn++) {
        problems_init(&problems);
        buf_init(&out[turn], 10000);
        ck_assert_int_eq(conf_load(&conf, "p.conf", &source, &classes, &problems), ERR_OK);
        ck_assert_uint_eq(problems.errors, 0);
        ck_assert_str_eq(((const struct fixture_global *)fixture_nth(conf.global, &twin, 0)->values)->hostname, "gw");
        ck_assert_int_eq(conf_dump(&conf, &classes, &out[turn]), ERR_OK);
        ck_assert_int_eq(buf_append_char(&out[turn], '\0'), ERR_OK);
        files[1] = out[turn].data;
        problems_release(&problems);
        conf_release(&conf);
    }
    ck_assert_str_eq(out[0].data, out[1].data);
    buf_release(&out[0]);
    buf_release(&out[1]);
}
END_TEST

START_TEST(a_dump_that_does_not_fit_says_so)
{
    struct fixture f;
    struct buf out;
    fixture_load(&f, samples[5]);
    for (size_t max = 0; max < 500; max++) {
        buf_init(&out, max);
        ck_assert_int_eq(conf_dump(&f.conf, &fixture_classes, &out), ERR_FULL);
        buf_release(&out);
    }
    fixture_release(&f);
}
END_TEST

START_TEST(the_reference_has_a_row_for_every_option)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    ck_assert_int_eq(conf_dump_reference(&fixture_classes, &out), ERR_OK);
    static const char *const lines[] = {
        "\n## daemon\n\nThe program.\n\nWritten at top level.\n\n",
        "| Option | Type | Default | Range | Unit | Meaning |\n",
        "\n| `hostname` | text |  | 1 to 20 characters |  | our name |\n",
        "\n| `event_loops` | number | `0` | 0 to 64 | threads | loops \\| threads |\n",
        "\n| `log_level` | one word | `info` | debug, info, notice |  | least level |\n",
        "Written as `Listen \"name\" { }` in `ESMTP_Listener { }`.\n",
        "\n| `max_message_size` | size | `100M` | 1K to 1G | octets | size |\n",
        "\n| `client_timeout` | time | `300` | 1 to 3600 | seconds | idle time |\n",
        "\n| `banner` | text | `\"ESMTP ready\"` |",
        "\n| `workers` | number | `4` | 0 to 100 |  | Deprecated: use ThreadPool |\n",
        "Written as `Backend { }`, at most once.\n",
        ("Written as `kaspersky [\"name\"] { }` in `antivirus { }`, or as `Validate validate/av_kaspersky name { }` at "
         "top level. Not built in this version.\n"),
        "\n| `database` | text | required |  |  | where signatures are |\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        ck_assert_msg(span_find_span(buf_span(&out), span_cstr(lines[i])) < buf_len(&out), "missing: %s in\n%.*s",
                      lines[i], SPAN_ARG(buf_span(&out)));
    buf_release(&out);
}
END_TEST

/* TEXT without the # in front of options and braces. */
static char *uncomment(struct span text)
{
    char *copy = calloc(1, text.len + 1);
    size_t n = 0;
    bool indent = true;
    for (size_t i = 0; i < text.len; i++) {
        bool mark = indent && text.ptr[i] == '#' && i + 1 < text.len && text.ptr[i + 1] != ' ';
        if (!mark)
            copy[n++] = text.ptr[i];
        indent = text.ptr[i] == '\n' || (indent && text.ptr[i] == ' ');
    }
    return copy;
}

START_TEST(the_example_loads_as_it_is_and_uncommented)
{
    struct buf out;
    struct fixture f;
    buf_init(&out, 1 << 20);
    ck_assert_int_eq(conf_dump_example(&fixture_classes, &out), ERR_OK);
    ck_assert_uint_lt(span_find_span(buf_span(&out), SPAN("    # for one message\n    #timeout = 10\n")),
                      buf_len(&out));
    char *text = uncomment(buf_span(&out));
    fixture_load(&f, text);
    ck_assert_str_eq(fixture_findings(&f),
                     "p.conf:5:1: hostname = \"\": must be between 1 and 20 characters long, and has 0\n"
                     "warning: p.conf:42:3: antivirus.workers = 4: deprecated: use ThreadPool\n"
                     "p.conf:55:5: clamav.database = \"\": must be an absolute path\n");
    fixture_release(&f);
    free(text);
    ck_assert_int_eq(buf_append_char(&out, '\0'), ERR_OK);
    fixture_load(&f, out.data);
    ck_assert_str_eq(fixture_findings(&f), "");
    fixture_release(&f);
    buf_release(&out);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(what_was_loaded_is_written_so_that_it_loads_into_the_same)                                                       \
    X(every_option_is_written_and_defaults_are_marked)                                                                 \
    X(values_survive_the_way_through_text)                                                                             \
    X(implicit_classes_that_share_an_option_write_it_once)                                                             \
    X(a_dump_that_does_not_fit_says_so)                                                                                \
    X(the_reference_has_a_row_for_every_option)                                                                        \
    X(the_example_loads_as_it_is_and_uncommented)
#include "support/check_main.h"
