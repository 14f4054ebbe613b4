/* SPDX-License-Identifier: MIT */
/* The command line of postern-avscan, and what its limits are to libclamav. */
#include <check.h>
#include <getopt.h>

#include "avscan/options.h"

static bool read_line(const char *line, struct avscan_options *o, struct errtext *why)
{
    static char text[512];
    static char *argv[32];
    int argc = 0;
    snprintf(text, sizeof(text), "postern-avscan %s", line);
    for (char *rest = text, *word; (word = strsep(&rest, " ")) != NULL;)
        if (*word)
            argv[argc++] = word;
    argv[argc] = NULL;
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    return avscan_options_read(argc, argv, o, why);
}

START_TEST(good_command_lines_are_taken)
{
    struct avscan_options o;
    struct errtext why;
    ck_assert(read_line("--serve --database /d --max-extract-depth 7 --max-extract-size 1000 "
                        "--max-cumulative-extract-size 2000 --max-extract-milliseconds 1500 --max-file-count 9",
                        &o, &why));
    ck_assert(o.serve && strcmp(o.database, "/d") == 0);
    ck_assert(o.depth == 7 && o.size == 1000 && o.cumulative_size == 2000 && o.time_ms == 1500 && o.files == 9);
    ck_assert(read_line("--max-extract-size 5M --max-extract-time 2m a b", &o, &why));
    ck_assert(!o.serve && !o.database && !o.official_only && o.size == 5 << 20 && o.time_ms == 120000);
    ck_assert(strcmp(o.names[0], "a") == 0 && strcmp(o.names[1], "b") == 0 && !o.names[2]);
    ck_assert(read_line("--official-only a", &o, &why) && o.official_only);
    ck_assert(read_line("--version", &o, &why) && o.version);
    ck_assert(read_line("--help", &o, &why) && o.help);
}
END_TEST

START_TEST(others_are_refused_with_a_reason)
{
    static const char *const lines[] = {"",
                                        "--serve a",
                                        "--version a",
                                        "--nonsense a",
                                        "--database",
                                        "--max-extract-depth 0 a",
                                        "--max-extract-depth 51 a",
                                        "--max-extract-depth x a",
                                        "--max-extract-size -1 a",
                                        "--max-extract-size 5G a",
                                        "--max-cumulative-extract-size x a",
                                        "--max-extract-time soon a",
                                        "--max-file-count 1.5 a"};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct avscan_options o;
        struct errtext why = {""};
        ck_assert_msg(!read_line(lines[i], &o, &why) && why.text[0], "%s", lines[i]);
    }
}
END_TEST

START_TEST(zero_is_the_default_or_no_limit)
{
    struct avscan_options o;
    struct errtext why;
    struct engine_conf conf;
    ck_assert(read_line(
        "--max-extract-size 0 --max-cumulative-extract-size 0 --max-file-count 0 --max-extract-time 0 a", &o, &why));
    avscan_engine_conf(&o, &conf);
    ck_assert_int_eq(conf.max_filesize, 104857600);
    ck_assert_int_eq(conf.max_scansize, 209715200);
    ck_assert_int_ge(conf.max_files, 1000000000);
    ck_assert_uint_eq(avscan_time_ms(&o, 5000), 5000);
}
END_TEST

START_TEST(what_is_not_said_is_the_documented_default)
{
    struct avscan_options o;
    struct errtext why;
    struct engine_conf conf;
    ck_assert(read_line("a", &o, &why));
    avscan_engine_conf(&o, &conf);
    ck_assert_int_eq(conf.max_recursion, 12); /* ten archives, the message and its part */
    ck_assert_int_eq(conf.max_files, 5000);
    ck_assert_uint_eq(avscan_time_ms(&o, 3600000), 180000);
    ck_assert_uint_eq(avscan_time_ms(&o, 1000), 1000);
    ck_assert(conf.alert_encrypted);
}
END_TEST

START_TEST(official_databases_alone_count_where_that_is_wanted)
{
    struct avscan_options o;
    struct errtext why;
    struct engine_conf conf;
    static const char *const lines[] = {"a", "--official-only a"};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        ck_assert(read_line(lines[i], &o, &why));
        avscan_engine_conf(&o, &conf);
        ck_assert_int_eq(conf.official_only, i == 1);
    }
}
END_TEST

START_TEST(a_file_is_never_larger_than_libclamav_takes)
{
    struct avscan_options o;
    struct errtext why;
    struct engine_conf conf;
    ck_assert(read_line("--max-extract-size 4294967294 a", &o, &why));
    avscan_engine_conf(&o, &conf);
    ck_assert_int_eq(conf.max_filesize, 2147483647);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(good_command_lines_are_taken)                                                                                    \
    X(others_are_refused_with_a_reason)                                                                                \
    X(zero_is_the_default_or_no_limit)                                                                                 \
    X(what_is_not_said_is_the_documented_default)                                                                      \
    X(official_databases_alone_count_where_that_is_wanted)                                                             \
    X(a_file_is_never_larger_than_libclamav_takes)
#include "support/check_main.h"
