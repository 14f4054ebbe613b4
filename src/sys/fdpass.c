/* SPDX-License-Identifier: MIT */
/* Datagrams with a few descriptors. The receiver trusts nothing: whatever number of descriptors a peer sends, each is
 * either handed to the caller or closed. */
#include "sys/fdpass.h"
#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

/* One or two descriptors are legal. Room for a few more costs nothing; beyond that the kernel drops them and says
 * MSG_CTRUNC. */
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

enum err fdpass_send_many(int sock, struct span bytes, const int *fds, size_t count)
{
    union {
        struct cmsghdr header; /* for its alignment */
        char bytes[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
    } control = {0};
    if (bytes.len == 0 || count > FDPASS_MAX) /* the receiver could not tell an empty one from end of file */
        return ERR_STATE;
    /* sendmsg only reads through iov_base, which lacks the const */
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, count * sizeof(int));
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(sock, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 ? ERR_OK : fdpass_error(errno);
}

enum err fdpass_send(int sock, struct span bytes, int fd)
{
    return fdpass_send_many(sock, bytes, &fd, fd >= 0 ? 1 : 0);
}

/* Takes every descriptor out of MESSAGE: the first MAX go to FDS, the others are closed. Returns how many there were.
 */
static size_t fdpass_collect(struct msghdr *message, int *fds, size_t max)
{
    size_t total = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
            if (total < max)
                fds[total] = fd;
            else
                close(fd);
            total++;
        }
    }
    return total;
}

/* FDS has MAX entries. */
static enum err receive(int sock, void *buf, size_t size, size_t *len, int *fds, size_t max)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(FDPASS_ROOM * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = buf, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    *len = 0;
    for (size_t i = 0; i < max; i++)
        fds[i] = -1;
    ssize_t got;
    do
        got = recvmsg(sock, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return fdpass_error(errno);
    size_t descriptors = fdpass_collect(&message, fds, max);
    bool whole = !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && descriptors <= max;
    if (got == 0 || !whole) {
        for (size_t i = 0; i < max; i++) {
            if (fds[i] >= 0)
                close(fds[i]);
            fds[i] = -1;
        }
        if (!whole && (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == MSG_CTRUNC)
            *len = (size_t)got;
        return whole ? ERR_CLOSED : ERR_FULL;
    }
    *len = (size_t)got;
    return ERR_OK;
}

enum err fdpass_recv(int sock, void *buf, size_t size, size_t *len, int *fd)
{
    return receive(sock, buf, size, len, fd, 1);
}

enum err fdpass_recv_many(int sock, void *buf, size_t size, size_t *len, int fds[FDPASS_MAX])
{
    return receive(sock, buf, size, len, fds, FDPASS_MAX);
}
