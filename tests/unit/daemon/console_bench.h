/* SPDX-License-Identifier: MIT */
/* For tests of the console: a loop, a log, and a table of commands that do what a test needs. */
#ifndef UNIT_DAEMON_CONSOLE_BENCH_H
#define UNIT_DAEMON_CONSOLE_BENCH_H

#include "base/mem.h"
#include "daemon/console_commands.h"
#include <check.h>

enum { BENCH_GUARD_MS = 20000 };

static struct console_bench {
    struct loop *loop;
    struct log log;
    struct framework framework;
    struct console_view view;
    struct console *console;
    char lines[65536];
    struct console_call *held; /* of the command `hold`, which ends when the test says so */
    unsigned stops;
    /* the last answer */
    unsigned answers;
    enum console_status status;
    char text[4096];
    size_t length;
} bench;

static void bench_write(void *arg, enum log_level level, struct span line)
{
    (void)arg;
    (void)level;
    size_t len = strlen(bench.lines);
    snprintf(bench.lines + len, sizeof(bench.lines) - len, "%.*s\n", SPAN_ARG(line));
}

static uint64_t bench_wallclock(void *arg)
{
    (void)arg;
    return 0;
}

/* ---- commands ---- */

static void bench_words(struct console_call *c)
{
    console_text(c, "instance=%s args=%zu", c->instance ? c->instance : "-", c->argc);
    for (size_t i = 0; i < c->argc; i++)
        console_text(c, " [%s]", c->argv[i]);
    console_text(c, "\n");
    console_json_open(c, NULL, '{');
    console_json_str(c, "instance", c->instance);
    console_json_open(c, "args", '[');
    for (size_t i = 0; i < c->argc; i++)
        console_json_str(c, NULL, c->argv[i]);
    console_call_finish(c);
}

static void bench_hold(struct console_call *c)
{
    bench.held = c;
}

static void bench_large(struct console_call *c)
{
    static char block[65536];
    memset(block, 'x', sizeof(block));
    console_json_open(c, NULL, '[');
    for (size_t left = strtoul(c->argv[0], NULL, 10); left > 0;) {
        size_t len = left < sizeof(block) ? left : sizeof(block);
        console_text_span(c, span_of(block, len));
        console_json_span(c, NULL, span_of(block, len));
        left -= len;
    }
    console_call_finish(c);
}

static void bench_fail(struct console_call *c)
{
    console_text(c, "half an answer");
    console_json_open(c, NULL, '{');
    console_json_u64(c, "half", 1);
    console_fail(c, "no \"%s\" here", c->argv[0]);
    console_fail(c, "a second reason");
    console_text(c, "more of the answer");
    console_json_bool(c, "more", true);
    console_call_finish(c);
}

static const struct console_command bench_rows[] = {
    {.syntax = "show stats", .help = "first", .run = bench_words},
    {.syntax = "show POOL queue", .help = "second", .run = bench_words},
    {.syntax = "show NAME [LIMIT]", .help = "third", .run = bench_words},
    {.syntax = "module[:NAME] stats", .help = "fourth", .run = bench_words},
    {.syntax = "many [NAME...]", .help = "fifth", .run = bench_words},
    {.syntax = "hold", .help = "sixth", .deadline_ms = 50, .run = bench_hold},
    {.syntax = "wait", .help = "seventh", .deadline_ms = 600000, .run = bench_hold},
    {.syntax = "large OCTETS", .help = "eighth", .run = bench_large},
    {.syntax = "fail NAME", .help = "ninth", .changes = true, .run = bench_fail},
};
static const struct console_table bench_table = CONSOLE_TABLE(bench_rows);
static const struct console_table *const bench_tables[] = {&console_help_table, &bench_table, NULL};

/* ---- the bench ---- */

static inline void bench_open(void)
{
    memset(&bench, 0, sizeof(bench));
    bench.loop = loop_new();
    ck_assert_ptr_nonnull(bench.loop);
    bench.log = (struct log){.write = bench_write, .wallclock_ms = bench_wallclock};
    bench.view = (struct console_view){.framework = &bench.framework, .log = &bench.log, .loop = bench.loop};
    bench.console = console_new(&bench.view, bench_tables);
    ck_assert_ptr_nonnull(bench.console);
}

static inline void bench_close(void)
{
    console_free(bench.console);
    loop_free(bench.loop);
}

static inline void bench_guard_expired(void *arg)
{
    (void)arg;
    ck_abort_msg("the awaited event did not come");
}

/* Runs the loop until somebody stops it. */
static inline void bench_run(void)
{
    struct deadline guard;
    deadline_init(&guard, bench.loop, bench_guard_expired, NULL);
    deadline_set_ms(&guard, BENCH_GUARD_MS);
    loop_run(bench.loop);
    deadline_clear(&guard);
}

static inline void bench_answered(void *arg, struct console_call *call)
{
    (void)arg;
    struct span answer = console_call_answer(call);
    bench.answers++;
    bench.status = console_call_status(call);
    bench.length = answer.len;
    snprintf(bench.text, sizeof(bench.text), "%.*s", (int)(answer.len < 4000 ? answer.len : 4000),
             answer.ptr ? answer.ptr : "");
    loop_stop(bench.loop);
}

static inline struct console_call *bench_begin(const char *line)
{
    struct console_call *c = console_run(bench.console, span_cstr(line), "root", bench_answered, NULL);
    ck_assert_ptr_nonnull(c);
    return c;
}

/* The answer of LINE. */
static inline const char *bench_ask(const char *line)
{
    unsigned before = bench.answers;
    bench_begin(line);
    ck_assert_uint_eq(bench.answers, before); /* never from inside */
    bench_run();
    ck_assert_uint_eq(bench.answers, before + 1);
    return bench.text;
}

#endif
