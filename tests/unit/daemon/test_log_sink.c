/* SPDX-License-Identifier: MIT */
/* Log lines reach whoever reads them, and cost nobody time who does not. */
#include "daemon/log_sink.h"
#include "sys/clock.h"
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct log_sink sink;

static void open_sink(int fd, const char *target, const char *syslog_path)
{
    const struct log_sink_options options = {
        .target = target, .fd = fd, .tag = "postern", .syslog_path = syslog_path, .min_level = LOG_LEVEL_DEBUG};
    signal(SIGPIPE, SIG_IGN); /* as every process of postern does */
    ck_assert_int_eq(log_sink_open(&sink, &options), ERR_OK);
}

static size_t read_some(int fd, char *out, size_t size)
{
    ssize_t n = read(fd, out, size - 1);
    ck_assert_int_ge(n, 0);
    out[n] = '\0';
    return (size_t)n;
}

static void small_pipe(int pipe_fds[2])
{
    ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
    ck_assert_int_eq(fcntl(pipe_fds[1], F_SETPIPE_SZ, 4096), 4096);
}

START_TEST(a_line_ends_with_a_line_end)
{
    char text[512];
    int fds[2];
    small_pipe(fds);
    open_sink(fds[1], "stderr", NULL);
    log_text(&sink.log, LOG_STOP, "reason", "one");
    log_text(&sink.log, LOG_STOP, "reason", "two");
    read_some(fds[0], text, sizeof(text));
    ck_assert_ptr_nonnull(strstr(text, " notice stop reason=one\n"));
    ck_assert_ptr_nonnull(strstr(text, " notice stop reason=two\n"));
}
END_TEST

/* Writes lines until some are lost; none of it may take the time that a blocked write would. */
static unsigned long long overflow(int lines)
{
    uint64_t before = clock_monotonic_us();
    for (int i = 0; i < lines; i++)
        log_text(&sink.log, LOG_STOP, "reason", "line %04d of a burst that nobody reads ........................", i);
    ck_assert_uint_lt(clock_monotonic_us() - before, 30000000);
    return atomic_load(&sink.lost_total);
}

static void expect_loss_report(int reader, unsigned long long lost)
{
    char text[16384], expected[64];
    read_some(reader, text, sizeof(text));
    log_text(&sink.log, LOG_STOP, "reason", "after");
    read_some(reader, text, sizeof(text));
    snprintf(expected, sizeof(expected), "\"%llu log lines could not be written", lost);
    ck_assert_ptr_nonnull(strstr(text, "reason=after\n"));
    ck_assert_ptr_nonnull(strstr(text, expected));
    ck_assert_uint_eq(atomic_load(&sink.lost), 0);
}

START_TEST(lines_for_a_full_pipe_are_dropped_counted_and_told)
{
    int fds[2];
    small_pipe(fds);
    open_sink(fds[1], "stderr", NULL);
    unsigned long long lost = overflow(200);
    ck_assert_uint_gt(lost, 100);
    expect_loss_report(fds[0], lost);
}
END_TEST

START_TEST(lines_for_a_full_socket_are_dropped_counted_and_told)
{
    int fds[2], size = 4096;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ck_assert_int_eq(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    open_sink(fds[1], "stderr", NULL);
    unsigned long long lost = overflow(500);
    ck_assert_uint_gt(lost, 100);
    expect_loss_report(fds[0], lost);
}
END_TEST

START_TEST(a_line_cut_by_a_full_pipe_does_not_run_into_the_next)
{
    char filler[4090], text[16384];
    int fds[2];
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    ck_assert_int_eq(fcntl(fds[1], F_SETPIPE_SZ, 8192), 8192);
    open_sink(fds[1], "stderr", NULL);
    struct span long_line;
    static char bytes[6000];
    memset(bytes, 'x', sizeof(bytes));
    long_line = span_of(bytes, sizeof(bytes));
    memset(filler, 'f', sizeof(filler));
    ck_assert_int_eq(write(fds[1], filler, sizeof(filler)), sizeof(filler));
    sink.log.write(sink.log.arg, LOG_LEVEL_NOTICE, long_line); /* longer than what is left, and than PIPE_BUF */
    ck_assert_uint_eq(atomic_load(&sink.lost_total), 1);
    size_t part = read_some(fds[0], text, sizeof(text));
    ck_assert_uint_gt(part, sizeof(filler)); /* it was cut, not dropped whole */
    log_text(&sink.log, LOG_STOP, "reason", "after");
    read_some(fds[0], text, sizeof(text));
    ck_assert_int_eq(text[0], '\n');
    ck_assert_ptr_nonnull(strstr(text, "reason=after\n"));
}
END_TEST

START_TEST(a_reader_that_is_gone_costs_lines_only)
{
    int fds[2];
    small_pipe(fds);
    open_sink(fds[1], "stderr", NULL);
    close(fds[0]);
    ck_assert_uint_eq(overflow(10), 10);
}
END_TEST

static int bind_syslog(char path[64], const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(path, 64, "%s/log", directory);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    unlink(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

START_TEST(syslog_gets_one_datagram_per_line_with_priority_time_tag_and_pid)
{
    char directory[] = "/tmp/postern-test-XXXXXX", path[64], text[1024], tail[128], month[4];
    int priority, day, hour, minute, second;
    ck_assert_ptr_nonnull(mkdtemp(directory));
    int server = bind_syslog(path, directory);
    open_sink(-1, "syslog", path);
    log_text(&sink.log, LOG_STOP, "reason", "one");
    read_some(server, text, sizeof(text));
    ck_assert_int_eq(sscanf(text, "<%d>%3s %2d %2d:%2d:%2d postern[", &priority, month, &day, &hour, &minute, &second),
                     6);
    ck_assert_int_eq(priority, (2 << 3) | 5); /* mail.notice */
    snprintf(tail, sizeof(tail), " postern[%ld]: ", (long)getpid());
    ck_assert_ptr_nonnull(strstr(text, tail));
    ck_assert_ptr_nonnull(strstr(text, " notice stop reason=one"));
    close(server);
    unlink(path);
    rmdir(directory);
    log_sink_close(&sink);
}
END_TEST

START_TEST(a_syslog_that_was_away_is_told_what_it_missed)
{
    char directory[] = "/tmp/postern-test-XXXXXX", path[64], text[1024];
    ck_assert_ptr_nonnull(mkdtemp(directory));
    int server = bind_syslog(path, directory);
    open_sink(-1, "syslog", path);
    close(server);
    log_text(&sink.log, LOG_STOP, "reason", "nobody");
    log_text(&sink.log, LOG_STOP, "reason", "nobody");
    ck_assert_uint_eq(atomic_load(&sink.lost), 2);
    server = bind_syslog(path, directory);
    log_text(&sink.log, LOG_STOP, "reason", "back");
    read_some(server, text, sizeof(text));
    ck_assert_ptr_nonnull(strstr(text, "reason=back"));
    read_some(server, text, sizeof(text));
    ck_assert_ptr_nonnull(strstr(text, "\"2 log lines could not be written"));
    close(server);
    unlink(path);
    rmdir(directory);
    log_sink_close(&sink);
}
END_TEST

enum { THREADS = 4, LINES = 200 };

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++)
        log_text(&sink.log, LOG_STOP, "reason", "%c%c%c%c%c%c%c%c", *(char *)arg, *(char *)arg, *(char *)arg,
                 *(char *)arg, *(char *)arg, *(char *)arg, *(char *)arg, *(char *)arg);
    return NULL;
}

START_TEST(lines_of_several_threads_stay_whole)
{
    char name[] = "/tmp/postern-test-XXXXXX", names[] = "abcd", line[256];
    pthread_t threads[THREADS];
    int fd = mkostemp(name, O_APPEND | O_CLOEXEC), count = 0;
    ck_assert_int_ge(fd, 0);
    open_sink(fd, "stderr", NULL);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, &names[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    FILE *file = fopen(name, "re");
    for (; fgets(line, sizeof(line), file); count++) {
        char *text = strstr(line, "reason=");
        ck_assert_ptr_nonnull(text);
        ck_assert_uint_eq(strspn(text + 7, (char[]){text[7], '\0'}), 8);
        ck_assert_str_eq(text + 15, "\n");
    }
    ck_assert_int_eq(count, THREADS * LINES);
    fclose(file);
    unlink(name);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_line_ends_with_a_line_end)                                                                                     \
    X(lines_for_a_full_pipe_are_dropped_counted_and_told)                                                              \
    X(lines_for_a_full_socket_are_dropped_counted_and_told)                                                            \
    X(a_line_cut_by_a_full_pipe_does_not_run_into_the_next)                                                            \
    X(a_reader_that_is_gone_costs_lines_only)                                                                          \
    X(syslog_gets_one_datagram_per_line_with_priority_time_tag_and_pid)                                                \
    X(a_syslog_that_was_away_is_told_what_it_missed)                                                                   \
    X(lines_of_several_threads_stay_whole)
#include "support/check_main.h"
