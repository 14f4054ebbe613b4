/* SPDX-License-Identifier: MIT */
/* For programs that run under valgrind, which until 3.20 does not know pidfd_open(2) and pidfd_send_signal(2): the same
 * calls, done by a program that valgrind does not follow (pidfd_helper.c). Linked into every program of the preset
 * `valgrind`, before libc. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soak/pidfd_record.h"

/* Descriptors of the caller, which may have no place for more, are left alone. */
static void helper_run(int channel, pid_t pid)
{
    char fd_text[16], pid_text[16];
    snprintf(fd_text, sizeof(fd_text), "%d", channel);
    snprintf(pid_text, sizeof(pid_text), "%d", (int)pid);
    if (fcntl(channel, F_SETFD, 0) == 0)
        execl(PIDFD_HELPER, PIDFD_HELPER, fd_text, pid_text, (char *)NULL);
    _exit(127);
}

static int helper_answer(int channel)
{
    struct pidfd_record record = {.error = ENOSYS};
    struct iovec iov = {.iov_base = &record, .iov_len = sizeof(record)};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    memset(&control, 0, sizeof(control));
    ssize_t n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int fd = -1;
    if (n == (ssize_t)sizeof(record) && header && header->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    if (fd < 0)
        errno = record.error;
    return fd;
}

int pidfd_open(pid_t pid, unsigned int flags)
{
    int pair[2], status;
    if (flags != 0) {
        errno = EINVAL;
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    pid_t helper = fork();
    if (helper == 0)
        helper_run(pair[1], pid);
    close(pair[1]);
    int fd = helper < 0 ? -1 : helper_answer(pair[0]);
    int error = errno;
    while (helper > 0 && waitpid(helper, &status, 0) < 0 && errno == EINTR)
        ;
    close(pair[0]);
    errno = error;
    return fd;
}

/* What a pidfd refers to stands in its fdinfo; -1 there: it was reaped. */
int pidfd_send_signal(int pidfd, int number, siginfo_t *info, unsigned int flags)
{
    char path[64], line[128];
    int pid = -1;
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
    FILE *f = info || flags ? NULL : fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "Pid: %d", &pid) == 1)
            break;
    if (f)
        fclose(f);
    if (pid > 0)
        return kill(pid, number);
    errno = ESRCH;
    return -1;
}
