/* SPDX-License-Identifier: MIT */
/* What a vendor's library prints becomes text in the log: whole lines, quoted, and not without end. */
#include <check.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "scan/host/plugin_output.h"

/* The log, as lines. */
static struct buf lines;
static unsigned line_count;

static void keep(void *arg, enum log_level level, struct span line)
{
    (void)arg;
    (void)level;
    line_count++;
    ck_assert_int_eq(buf_append(&lines, line), ERR_OK);
    ck_assert_int_eq(buf_append_char(&lines, '\n'), ERR_OK);
}

static uint64_t no_time(void *arg)
{
    (void)arg;
    return 0;
}

static const struct log log_kept = {
    .write = keep, .wallclock_ms = no_time, .format = LOG_FORMAT_JSON, .min_level = LOG_LEVEL_DEBUG};
static struct plugin_output output;

static void given_a_diverted_process(void)
{
    struct errtext why = {""};
    buf_init(&lines, 1024 * 1024);
    line_count = 0;
    output = (struct plugin_output){.log = &log_kept, .engine = "vendor1", .pool = "pool1"};
    ck_assert_msg(plugin_output_divert(&output, &why) == ERR_OK, "%s", why.text);
}

static void then_it_is_over(void)
{
    plugin_output_restore(&output);
    plugin_output_stop(&output);
    buf_release(&lines);
}

static void print(int fd, const char *text)
{
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static bool logged(const char *text)
{
    ck_assert_int_eq(buf_append_char(&lines, '\0'), ERR_OK);
    bool found = strstr(buf_span(&lines).ptr, text) != NULL;
    if (!found)
        fprintf(stderr, "expected %s in:\n%s", text, buf_span(&lines).ptr);
    return found;
}

static struct loop *loop;

static void end_of_loop(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

/* Until the pipe is empty or what may be logged at a time has been. */
static void when_the_loop_reads(void)
{
    struct deadline end;
    loop = loop_new();
    ck_assert_ptr_nonnull(loop);
    plugin_output_watch(&output, loop);
    deadline_init(&end, loop, end_of_loop, NULL);
    deadline_set_ms(&end, 1); /* what is there to be read is read first */
    loop_run(loop);
}

START_TEST(a_line_that_looks_like_one_of_the_logs_is_quoted_text)
{
    given_a_diverted_process();
    print(STDOUT_FILENO, "{\"event\":\"message\"}\n\nlast \x1b[31m");
    print(STDERR_FILENO, "words\n");
    plugin_output_restore(&output);
    plugin_output_last_words(&output);
    ck_assert_uint_eq(line_count, 2);
    ck_assert(logged("\"event\":\"plugin-output\",\"engine\":\"vendor1\",\"pool\":\"pool1\",\"pid\":"));
    ck_assert(logged("\"text\":\"{\\\"event\\\":\\\"message\\\"}\"}\n"));
    then_it_is_over();
}
END_TEST

START_TEST(the_process_has_its_own_streams_back)
{
    struct stat before[2], now[2];
    ck_assert(fstat(STDOUT_FILENO, &before[0]) == 0 && fstat(STDERR_FILENO, &before[1]) == 0);
    given_a_diverted_process();
    ck_assert(fstat(STDOUT_FILENO, &now[0]) == 0 && S_ISFIFO(now[0].st_mode) && now[0].st_ino != before[0].st_ino);
    plugin_output_restore(&output);
    ck_assert(fstat(STDOUT_FILENO, &now[0]) == 0 && fstat(STDERR_FILENO, &now[1]) == 0);
    ck_assert(now[0].st_ino == before[0].st_ino && now[1].st_ino == before[1].st_ino);
    then_it_is_over();
}
END_TEST

START_TEST(a_line_without_an_end_is_cut)
{
    given_a_diverted_process();
    char text[2 * PLUGIN_OUTPUT_LINE + 2];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    print(STDOUT_FILENO, text);
    plugin_output_last_words(&output);
    ck_assert_uint_eq(line_count, 3);
    ck_assert(logged("\"text\":\"x\"}\n"));
    then_it_is_over();
}
END_TEST

START_TEST(who_prints_without_end_is_not_held_up_and_what_is_too_much_is_lost)
{
    given_a_diverted_process();
    for (int i = 0; i < 100000; i++) {
        ssize_t n = write(STDERR_FILENO, "a line\n", 7); /* never waits */
        (void)n;
    }
    plugin_output_restore(&output);
    when_the_loop_reads();
    ck_assert_uint_eq(line_count, PLUGIN_OUTPUT_LINES);
    deadline_clear(&output.window);
    plugin_output_stop(&output);
    ck_assert_uint_eq(line_count, PLUGIN_OUTPUT_LINES + 1);
    ck_assert(logged(" lines more than 100 in 10 s, and what the pipe did not hold, are lost"));
    loop_free(loop);
    buf_release(&lines);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_line_that_looks_like_one_of_the_logs_is_quoted_text)                                                           \
    X(the_process_has_its_own_streams_back)                                                                            \
    X(a_line_without_an_end_is_cut)                                                                                    \
    X(who_prints_without_end_is_not_held_up_and_what_is_too_much_is_lost)
#include "support/check_main.h"
