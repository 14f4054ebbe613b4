/* SPDX-License-Identifier: MIT */
/* Datagrams with at most one descriptor. The receiver trusts nothing: whatever number of descriptors a peer sends, each
 * is either handed to the caller or closed. */
#include "sys/fdpass.h"
#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

/* One descriptor is legal. Room for a few more costs nothing; beyond that the kernel drops them and says MSG_CTRUNC. */
enum { FDPASS_ROOM = 4 };

enum err fdpass_pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0 ? ERR_OK : ERR_IO;
}

static enum err fdpass_error(int error)
{
    switch (error) {
    case EAGAIN:
    case ENOBUFS:
        return ERR_AGAIN;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
    case ECONNREFUSED:
        return ERR_CLOSED;
    default:
        return ERR_IO;
    }
}

enum err fdpass_send(int sock, struct span bytes, int fd)
{
    union {
        struct cmsghdr header; /* for its alignment */
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    if (bytes.len == 0) /* the receiver could not tell it from end of file */
        return ERR_STATE;
    /* sendmsg only reads through iov_base, which lacks the const */
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(sock, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 ? ERR_OK : fdpass_error(errno);
}

/* Takes every descriptor out of MESSAGE: the first goes to *FIRST, the others are closed. Returns how many there were.
 */
static size_t fdpass_collect(struct msghdr *message, int *first)
{
    size_t total = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
            if (total++ == 0)
                *first = fd;
            else
                close(fd);
        }
    }
    return total;
}

enum err fdpass_recv(int sock, void *buf, size_t size, size_t *len, int *fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(FDPASS_ROOM * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = buf, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    *len = 0;
    *fd = -1;
    ssize_t got;
    do
        got = recvmsg(sock, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return fdpass_error(errno);
    int first = -1;
    size_t descriptors = fdpass_collect(&message, &first);
    bool whole = !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && descriptors <= 1;
    if (got == 0 || !whole) {
        if (first >= 0)
            close(first);
        return whole ? ERR_CLOSED : ERR_FULL;
    }
    *len = (size_t)got;
    *fd = first;
    return ERR_OK;
}
