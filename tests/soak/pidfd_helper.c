/* SPDX-License-Identifier: MIT */
/* pidfd_helper FD PID: opens a pidfd for PID and sends it over the socket FD. See pidfd.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#include "soak/pidfd_record.h"

int main(int argc, char **argv)
{
    if (argc != 3)
        return EXIT_FAILURE;
    int pidfd = pidfd_open((pid_t)strtol(argv[2], NULL, 10), 0);
    struct pidfd_record record = {.error = pidfd < 0 ? errno : 0};
    struct iovec iov = {.iov_base = &record, .iov_len = sizeof(record)};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    memset(&control, 0, sizeof(control));
    if (pidfd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        control.header =
            (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &pidfd, sizeof(pidfd));
    }
    ssize_t sent = sendmsg((int)strtol(argv[1], NULL, 10), &message, MSG_NOSIGNAL);
    return sent == (ssize_t)sizeof(record) ? EXIT_SUCCESS : EXIT_FAILURE;
}
