/* SPDX-License-Identifier: MIT */
/* Clocks, random bytes, memory files. */
#include "sys/clock.h"
#include "sys/memfd.h"
#include "sys/rng.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

START_TEST(the_monotonic_clock_goes_forward_in_microseconds)
{
    struct timespec pause = {.tv_nsec = 2000000};
    uint64_t before = clock_monotonic_us();
    nanosleep(&pause, NULL); /* the clock is what is tested: this is no waiting for an event */
    uint64_t passed = clock_monotonic_us() - before;
    ck_assert_uint_ge(passed, 2000);
    ck_assert_uint_lt(passed, 20000000);
}
END_TEST

START_TEST(the_wall_clock_agrees_with_time)
{
    uint64_t before = (uint64_t)time(NULL), now = clock_wall_ms() / 1000, after = (uint64_t)time(NULL);
    ck_assert_uint_ge(now + 1, before); /* time(2) may lag by a tick */
    ck_assert_uint_le(now, after + 1);
}
END_TEST

START_TEST(random_bytes_fill_the_whole_room_and_differ)
{
    enum { SIZE = 100000 }; /* more than one getrandom of /dev/urandom's guaranteed 256 bytes */
    static unsigned char a[SIZE], b[SIZE];
    unsigned seen[256] = {0};
    rng_bytes(a, sizeof(a));
    rng_bytes(b, sizeof(b));
    ck_assert_mem_ne(a, b, sizeof(a));
    for (size_t i = SIZE - 10000; i < SIZE; i++)
        seen[a[i]]++;
    for (size_t i = 0; i < 256; i++)
        ck_assert_uint_gt(seen[i], 0); /* missing by chance: 256 · e^-39 */
    ck_assert_uint_ne(rng_u64(), rng_u64());
}
END_TEST

START_TEST(a_sealed_memory_file_is_constant)
{
    int fd = memfd_new("test");
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(write(fd, "text", 4), 4);
    ck_assert_int_eq(memfd_seal(fd), ERR_OK);
    ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(ftruncate(fd, 0), -1);
    ck_assert_int_eq(ftruncate(fd, 100), -1);
    ck_assert_int_eq(memfd_seal(fd), ERR_IO); /* also against further seals */
    close(fd);
}
END_TEST

START_TEST(a_reopened_descriptor_reads_and_does_not_write)
{
    char text[5] = "";
    int fd = memfd_new("test");
    ck_assert_int_eq(write(fd, "text", 4), 4);
    int again = fd_reopen_readonly(fd);
    ck_assert_int_ge(again, 0);
    ck_assert_int_eq(fcntl(again, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(read(again, text, 4), 4); /* from the start: a file position of its own */
    ck_assert_str_eq(text, "text");
    ck_assert_int_eq(write(again, "x", 1), -1);
    ck_assert_int_eq(errno, EBADF);
    close(again);
    close(fd);
    ck_assert_int_eq(fd_reopen_readonly(fd), -1);
}
END_TEST

START_TEST(all_of_something_is_written_or_errno_says_why_not)
{
    static char text[200000], again[200000];
    memset(text, 'x', sizeof(text));
    int fd = memfd_new("test");
    ck_assert_int_eq(fd_write_all(fd, span_of(text, sizeof(text))), ERR_OK);
    ck_assert_int_eq(pread(fd, again, sizeof(again), 0), (ssize_t)sizeof(again));
    ck_assert_mem_eq(text, again, sizeof(text));
    close(fd);
    fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fd_write_all(fd, SPAN("text")), ERR_IO);
    ck_assert_int_eq(errno, ENOSPC);
    close(fd);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(the_monotonic_clock_goes_forward_in_microseconds)                                                                \
    X(the_wall_clock_agrees_with_time)                                                                                 \
    X(random_bytes_fill_the_whole_room_and_differ)                                                                     \
    X(a_sealed_memory_file_is_constant)                                                                                \
    X(a_reopened_descriptor_reads_and_does_not_write)                                                                  \
    X(all_of_something_is_written_or_errno_says_why_not)
#include "support/check_main.h"
