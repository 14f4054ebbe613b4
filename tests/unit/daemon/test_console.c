/* SPDX-License-Identifier: MIT */
/* From a request to its command and back: syntax, arguments, text and JSON, failures, deadlines, clients that go (B44). */
#include "console_bench.h"

START_TEST(a_request_finds_its_command_and_arguments)
{
    static const struct {
        const char *line, *answer;
    } rows[] = {
        {"show stats", "instance=- args=0\n"},
        {"SHOW Stats", "instance=- args=0\n"},
        {"show CPU queue", "instance=- args=1 [CPU]\n"},
        {"show name", "instance=- args=1 [name]\n"},
        {"show name 7", "instance=- args=2 [name] [7]\n"},
        {"show \"two words\" queue", "instance=- args=1 [two words]\n"},
        {"module stats", "instance=- args=0\n"},
        {"module:av1 stats", "instance=av1 args=0\n"},
        {"MODULE:Av:1 stats", "instance=Av:1 args=0\n"},
        {"many", "instance=- args=0\n"},
        {"many a b c", "instance=- args=3 [a] [b] [c]\n"},
        {"json many a \"b\\\"c\"", "{\"instance\":null,\"args\":[\"a\",\"b\\\"c\"]}\n"},
        {"json module:x stats", "{\"instance\":\"x\",\"args\":[]}\n"},
    };
    bench_open();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ck_assert_str_eq(bench_ask(rows[i].line), rows[i].answer);
        ck_assert_int_eq(bench.status, CONSOLE_DONE);
    }
    bench_close();
}
END_TEST

START_TEST(what_is_no_command_is_refused_with_what_was_meant)
{
    static const struct {
        const char *line, *answer;
    } rows[] = {
        {"shwo stats", "unknown command \"shwo\": did you mean \"show\"? `help` lists all\n"},
        {"modul:x stats", "unknown command \"modul:x\": did you mean \"module\"? `help` lists all\n"},
        {"stats", "\"stats\" is not the whole command: show stats  |  module[:NAME] stats\n"},
        {"queue CPU", "\"queue\" is not the whole command: show POOL queue\n"},
        {"xyzzy", "unknown command \"xyzzy\"; `help` lists all\n"},
        {"show:x stats", "unknown command \"show:x\": did you mean \"show\"? `help` lists all\n"},
        {"show", "usage: show stats  |  show POOL queue  |  show NAME [LIMIT]\n"},
        {"show a b c", "usage: show stats  |  show POOL queue  |  show NAME [LIMIT]\n"},
        {"show stats now please", "usage: show stats\n"},
        {"module: stats", "unknown command \"module:\": did you mean \"module\"? `help` lists all\n"},
        {"module:x", "usage: module[:NAME] stats\n"},
        {"hold on", "usage: hold\n"},
        {"", "no command; `help` lists all\n"},
        {"json shwo", "{\"error\":\"unknown command \\\"shwo\\\": did you mean \\\"show\\\"? `help` lists all\"}\n"},
        {"help \"", "a quoted word has no end: expected \" before the end of the line\n"},
    };
    bench_open();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ck_assert_str_eq(bench_ask(rows[i].line), rows[i].answer);
        ck_assert_int_eq(bench.status, CONSOLE_REFUSED);
    }
    ck_assert_str_eq(bench.lines, ""); /* nothing was changed */
    bench_close();
}
END_TEST

START_TEST(help_lists_every_row_of_every_table)
{
    bench_open();
    const char *answer = bench_ask("help");
    for (size_t i = 0; i < ARRAY_SIZE(bench_rows); i++)
        ck_assert_msg(strstr(answer, bench_rows[i].syntax) && strstr(answer, bench_rows[i].help), "%s", answer);
    ck_assert_str_eq(bench_ask("help module"), "module[:NAME] stats                  fourth\n");
    ck_assert_str_eq(bench_ask("help queue"), "show POOL queue                      second\n");
    ck_assert_str_eq(bench_ask("json help hold"),
                     "{\"commands\":[{\"syntax\":\"hold\",\"help\":\"sixth\",\"changes\":false}]}\n");
    ck_assert_str_eq(bench_ask("help nothing"), "no command has the word \"nothing\"; `help` lists all\n");
    ck_assert_int_eq(bench.status, CONSOLE_FAILED);
    bench_close();
}
END_TEST

START_TEST(a_failure_replaces_what_was_written_and_is_logged_where_something_changes)
{
    bench_open();
    ck_assert_str_eq(bench_ask("fail this"), "no \"this\" here\n");
    ck_assert_int_eq(bench.status, CONSOLE_FAILED);
    ck_assert_msg(strstr(bench.lines, "console command=\"fail this\" by=root status=1 answer=\"no \\\"this\\\" here\""),
                  "%s", bench.lines);
    ck_assert_str_eq(bench_ask("json fail this"), "{\"error\":\"no \\\"this\\\" here\"}\n");
    bench_close();
}
END_TEST

START_TEST(an_answer_that_is_too_long_is_no_answer)
{
    bench_open();
    bench_ask("large 1048576");
    ck_assert_int_eq(bench.status, CONSOLE_DONE);
    ck_assert_uint_eq(bench.length, CONSOLE_OUTPUT_MAX);
    ck_assert_str_eq(bench_ask("large 1048577"), "the answer is longer than 1048576 octets: ask for less\n");
    ck_assert_int_eq(bench.status, CONSOLE_FAILED);
    ck_assert_str_eq(bench_ask("json large 1048577"),
                     "{\"error\":\"the answer is longer than 1048576 octets: ask for less\"}\n");
    bench_close();
}
END_TEST

START_TEST(hostile_names_are_escaped_in_both_forms)
{
    bench_open();
    for (int json = 0; json < 2; json++) {
        bench_begin(json ? "json wait" : "wait");
        console_text_span(bench.held, span_of("a\x1b[2J\0\xff\n", 8));
        console_json_span(bench.held, NULL, span_of("a\"\\\x1b\0\xff", 6));
        console_call_finish(bench.held);
        bench_run();
        ck_assert_str_eq(bench.text, json ? "\"a\\\"\\\\\\u001b\\u0000\\u00ff\"\n" : "a?[2J???");
    }
    bench_close();
}
END_TEST

START_TEST(json_sets_its_commas_and_closes_what_is_open)
{
    bench_open();
    bench_begin("json wait");
    struct console_call *c = bench.held;
    console_json_open(c, NULL, '{');
    console_json_u64(c, "a", 18446744073709551615U);
    console_json_open(c, "list", '[');
    console_json_ms(c, NULL, 14994);
    console_json_bool(c, NULL, false);
    console_json_open(c, NULL, '{');
    console_json_close(c);
    console_json_close(c);
    console_json_ratio(c, "half", 1, 2);
    console_json_ratio(c, "none", 1, 0);
    console_json_open(c, "rest", '[');
    console_json_str(c, NULL, NULL);
    console_call_finish(c);
    bench_run();
    ck_assert_str_eq(bench.text, "{\"a\":18446744073709551615,\"list\":[14.994,false,{}],\"half\":0.500,\"none\":null,"
                                 "\"rest\":[null]}\n");
    bench_close();
}
END_TEST

START_TEST(a_command_that_takes_too_long_is_given_up_and_may_still_finish)
{
    bench_open();
    bench_begin("hold");
    console_text(bench.held, "too late");
    bench_run(); /* its deadline */
    ck_assert_int_eq(bench.status, CONSOLE_FAILED);
    ck_assert_str_eq(bench.text, "no answer within 0 seconds; what the command began may still go on\n");
    ck_assert(bench.held->abandoned);
    console_text(bench.held, "much too late");
    console_call_finish(bench.held);
    bench_ask("show stats"); /* its turn frees the other */
    ck_assert_uint_eq(bench.answers, 2);
    bench_close();
}
END_TEST

START_TEST(a_client_that_goes_is_told_nothing)
{
    bench_open();
    struct console_call *c = bench_begin("wait");
    console_call_abandon(c);
    console_call_finish(c);
    bench_ask("show stats");
    ck_assert_uint_eq(bench.answers, 1);
    bench_close();
}
END_TEST

START_TEST(commands_on_their_way_are_bounded)
{
    bench_open();
    struct console_call *held[CONSOLE_CALLS_MAX];
    for (size_t i = 0; i < CONSOLE_CALLS_MAX; i++) {
        console_call_abandon(bench_begin("wait")); /* clients that ask and go */
        held[i] = bench.held;
    }
    ck_assert_str_eq(bench_ask("show stats"), "64 commands are on their way already: try again later\n");
    ck_assert_int_eq(bench.status, CONSOLE_FAILED);
    console_call_finish(held[0]);
    bench_ask("show x"); /* the turn in which that one is freed */
    ck_assert_str_eq(bench_ask("show stats"), "instance=- args=0\n");
    bench_close(); /* frees the others */
}
END_TEST

static void note_stop(struct console_call *c)
{
    (void)c;
    bench.stops++;
}

START_TEST(the_end_takes_back_what_is_on_its_way)
{
    bench_open();
    bench_begin("wait");
    bench.held->state = mem_new(1, 100);
    bench.held->stop = note_stop;
    console_stop(bench.console);
    ck_assert_uint_eq(bench.stops, 1);
    bench_close();
    ck_assert_uint_eq(bench.answers, 0);
}
END_TEST

/* The rows that the program has: each can be called, none hides another. */
START_TEST(every_row_of_the_program_can_be_reached)
{
    for (size_t t = 0; console_tables[t]; t++) {
        for (size_t i = 0; i < console_tables[t]->count; i++) {
            const struct console_command *row = &console_tables[t]->items[i];
            ck_assert_msg(row->run && row->help && row->help[0] && row->syntax && row->syntax[0], "row %zu", i);
            ck_assert_msg(row->help[strlen(row->help) - 1] != '.', "%s: %s", row->syntax, row->help);
            ck_assert_msg(strlen(row->syntax) <= 36, "%s does not fit the column of `help`", row->syntax);
            for (size_t k = 0; k < i; k++)
                ck_assert_str_ne(row->syntax, console_tables[t]->items[k].syntax);
        }
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_request_finds_its_command_and_arguments)                                                                       \
    X(what_is_no_command_is_refused_with_what_was_meant)                                                               \
    X(help_lists_every_row_of_every_table)                                                                             \
    X(a_failure_replaces_what_was_written_and_is_logged_where_something_changes)                                       \
    X(an_answer_that_is_too_long_is_no_answer)                                                                         \
    X(hostile_names_are_escaped_in_both_forms)                                                                         \
    X(json_sets_its_commas_and_closes_what_is_open)                                                                    \
    X(a_command_that_takes_too_long_is_given_up_and_may_still_finish)                                                  \
    X(a_client_that_goes_is_told_nothing)                                                                              \
    X(commands_on_their_way_are_bounded)                                                                               \
    X(the_end_takes_back_what_is_on_its_way) X(every_row_of_the_program_can_be_reached)
#include "support/check_main.h"
