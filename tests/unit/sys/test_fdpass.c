/* SPDX-License-Identifier: MIT */
/* Datagrams with descriptors: what arrives, and that no descriptor stays behind on any error path. */
#include "sys/fdpass.h"
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* What a peer that does not keep to the rules sends: COUNT descriptors at once. */
static void send_many(int sock, const char *text, int fd, size_t count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(64 * sizeof(int))];
    } control = {0};
    char copy[64];
    snprintf(copy, sizeof(copy), "%s", text);
    struct iovec part = {.iov_base = copy, .iov_len = strlen(copy)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (size_t i = 0; i < count; i++)
        memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof(int));
    ck_assert_int_eq(sendmsg(sock, &message, 0), (ssize_t)part.iov_len);
}

START_TEST(a_datagram_arrives_whole_with_its_descriptor)
{
    int pair[2], fd;
    char buf[32];
    size_t len;
    ck_assert_int_eq(fdpass_pair(pair), ERR_OK);
    int file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fdpass_send(pair[0], SPAN("first"), file), ERR_OK);
    ck_assert_int_eq(fdpass_send(pair[0], SPAN("second"), -1), ERR_OK);
    ck_assert_int_eq(fdpass_recv(pair[1], buf, sizeof(buf), &len, &fd), ERR_OK);
    ck_assert(span_eq(span_of(buf, len), SPAN("first")));
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    char zero = 1;
    ck_assert_int_eq(read(fd, &zero, 1), 1);
    ck_assert_int_eq(zero, 0);
    close(fd);
    ck_assert_int_eq(fdpass_recv(pair[1], buf, sizeof(buf), &len, &fd), ERR_OK);
    ck_assert(span_eq(span_of(buf, len), SPAN("second")));
    ck_assert_int_eq(fd, -1);
    close(file);
    close(pair[0]);
    close(pair[1]);
}
END_TEST

START_TEST(an_empty_queue_is_again_and_a_closed_peer_is_closed)
{
    int pair[2], fd;
    char buf[32];
    size_t len;
    ck_assert_int_eq(fdpass_pair(pair), ERR_OK);
    ck_assert_int_eq(fdpass_recv(pair[1], buf, sizeof(buf), &len, &fd), ERR_AGAIN);
    ck_assert_int_eq(fdpass_send(pair[0], SPAN("last"), -1), ERR_OK);
    close(pair[0]);
    ck_assert_int_eq(fdpass_recv(pair[1], buf, sizeof(buf), &len, &fd), ERR_OK);
    ck_assert_int_eq(fdpass_recv(pair[1], buf, sizeof(buf), &len, &fd), ERR_CLOSED);
    ck_assert_int_eq(fdpass_send(pair[1], SPAN("x"), -1), ERR_CLOSED); /* and no SIGPIPE */
    close(pair[1]);
}
END_TEST

START_TEST(a_full_queue_is_again_and_loses_nothing)
{
    int pair[2], fd;
    char buf[1024] = {0};
    size_t len;
    unsigned sent = 0, received = 0;
    enum err e;
    ck_assert_int_eq(fdpass_pair(pair), ERR_OK);
    while ((e = fdpass_send(pair[0], span_of(buf, sizeof(buf)), -1)) == ERR_OK)
        sent++;
    ck_assert_int_eq(e, ERR_AGAIN);
    while (fdpass_recv(pair[1], buf, sizeof(buf), &len, &fd) == ERR_OK)
        received++;
    ck_assert_uint_eq(sent, received);
    ck_assert_int_eq(fdpass_send(pair[0], span_of(buf, sizeof(buf)), -1), ERR_OK);
    close(pair[0]);
    close(pair[1]);
}
END_TEST

START_TEST(an_empty_datagram_is_refused_by_the_sender)
{
    int pair[2];
    ck_assert_int_eq(fdpass_pair(pair), ERR_OK);
    ck_assert_int_eq(fdpass_send(pair[0], SPAN(""), -1), ERR_STATE);
    close(pair[0]);
    close(pair[1]);
}
END_TEST

START_TEST(a_bad_datagram_is_dropped_and_its_descriptors_closed)
{
    static const struct {
        size_t descriptors, size, len;
    } cases[] = {{1, 4, 0} /* too long */, {2, 32, 0}, {4, 32, 0}, {5, 32, 8}, {60, 32, 8}, {60, 4, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int pair[2], fd;
        char buf[32];
        size_t len;
        ck_assert_int_eq(fdpass_pair(pair), ERR_OK);
        unsigned before = count_descriptors();
        send_many(pair[0], "too long", pair[0], cases[i].descriptors);
        ck_assert_int_eq(fdpass_send(pair[0], SPAN("next"), -1), ERR_OK);
        ck_assert_int_eq(fdpass_recv(pair[1], buf, cases[i].size, &len, &fd), ERR_FULL);
        ck_assert_int_eq(fd, -1);
        ck_assert_uint_eq(len, cases[i].len); /* which of it can be read, where the kernel kept descriptors back */
        ck_assert_uint_eq(count_descriptors(), before);
        /* and the next one is not disturbed */
        ck_assert_int_eq(fdpass_recv(pair[1], buf, sizeof(buf), &len, &fd), ERR_OK);
        ck_assert(span_eq(span_of(buf, len), SPAN("next")));
        close(pair[0]);
        close(pair[1]);
    }
}
END_TEST

START_TEST(without_a_free_number_the_datagram_is_not_taken_for_one_without_descriptor)
{
    int pair[2], fd;
    char buf[32];
    size_t len;
    ck_assert_int_eq(fdpass_pair(pair), ERR_OK);
    ck_assert_int_eq(fdpass_send(pair[0], SPAN("x"), pair[0]), ERR_OK);
    struct rlimit old, none = {0};
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    none.rlim_max = old.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum err e = fdpass_recv(pair[1], buf, sizeof(buf), &len, &fd);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    ck_assert_int_eq(e, ERR_FULL);
    ck_assert_int_eq(fd, -1);
    ck_assert(span_eq(span_of(buf, len), SPAN("x"))); /* so that its sender can be told */
    close(pair[0]);
    close(pair[1]);
}
END_TEST

START_TEST(two_descriptors_keep_their_order_and_a_third_is_too_many)
{
    int pair[2], fds[FDPASS_MAX], pipes[2];
    char buf[32];
    size_t len;
    ck_assert_int_eq(fdpass_pair(pair), ERR_OK);
    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
    unsigned before = count_descriptors();
    ck_assert_int_eq(fdpass_send_many(pair[0], SPAN("both"), pipes, 2), ERR_OK);
    ck_assert_int_eq(fdpass_send_many(pair[0], SPAN("one"), pipes, 1), ERR_OK);
    ck_assert_int_eq(fdpass_send_many(pair[0], SPAN("none"), NULL, 0), ERR_OK);
    ck_assert_int_eq(fdpass_send_many(pair[0], SPAN("many"), pipes, 3), ERR_STATE);
    ck_assert_int_eq(fdpass_recv_many(pair[1], buf, sizeof(buf), &len, fds), ERR_OK);
    ck_assert(span_eq(span_of(buf, len), SPAN("both")));
    ck_assert_int_eq(write(fds[1], "x", 1), 1);
    ck_assert_int_eq(read(fds[0], buf, 1), 1);
    close(fds[0]);
    close(fds[1]);
    ck_assert_int_eq(fdpass_recv_many(pair[1], buf, sizeof(buf), &len, fds), ERR_OK);
    ck_assert_int_ge(fds[0], 0);
    ck_assert_int_eq(fds[1], -1);
    close(fds[0]);
    ck_assert_int_eq(fdpass_recv_many(pair[1], buf, sizeof(buf), &len, fds), ERR_OK);
    ck_assert(fds[0] == -1 && fds[1] == -1);
    send_many(pair[0], "three", pipes[0], 3);
    ck_assert_int_eq(fdpass_recv_many(pair[1], buf, sizeof(buf), &len, fds), ERR_FULL);
    ck_assert(fds[0] == -1 && fds[1] == -1);
    ck_assert_uint_eq(count_descriptors(), before);
    close(pipes[0]);
    close(pipes[1]);
    close(pair[0]);
    close(pair[1]);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_datagram_arrives_whole_with_its_descriptor)                                                                    \
    X(an_empty_queue_is_again_and_a_closed_peer_is_closed)                                                             \
    X(a_full_queue_is_again_and_loses_nothing)                                                                         \
    X(an_empty_datagram_is_refused_by_the_sender)                                                                      \
    X(two_descriptors_keep_their_order_and_a_third_is_too_many)                                                        \
    X(a_bad_datagram_is_dropped_and_its_descriptors_closed)                                                            \
    X(without_a_free_number_the_datagram_is_not_taken_for_one_without_descriptor)
#include "support/check_main.h"
