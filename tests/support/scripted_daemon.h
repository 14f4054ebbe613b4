/* SPDX-License-Identifier: MIT */
/* A daemon in a thread that does what a list of steps says, for tests of engines that ask one. It checks what it
 * receives octet by octet; what was wrong is asserted when it is joined. */
#ifndef SUPPORT_SCRIPTED_DAEMON_H
#define SUPPORT_SCRIPTED_DAEMON_H
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/span.h"

enum { DAEMON_PATIENCE_MS = 30000, DAEMON_STEPS = 64 };

enum daemon_act {
    DAEMON_END,
    DAEMON_ACCEPT,    /* the next connection; the one before it is closed */
    DAEMON_RELIEVE,   /* likewise, but closed only once the next one has come */
    DAEMON_EXPECT,    /* exactly these octets */
    DAEMON_EXPECT_FD, /* exactly these octets and with them a descriptor of a file that begins with `file` */
    DAEMON_SEND,      /* these octets at once */
    DAEMON_SEND_EACH, /* these octets, one at a time */
    DAEMON_CLOSE,
    DAEMON_AWAIT_END, /* until the client closes */
};
struct daemon_step {
    enum daemon_act act;
    struct span bytes, file;
};

struct daemon_script {
    struct daemon_step steps[DAEMON_STEPS];
    size_t count;
    int listener;
    char name[128]; /* for the option `daemon` */
    char dir[64];   /* of the unix socket */
    pthread_t thread;
    char wrong[256];
};

static inline bool daemon_wait(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, DAEMON_PATIENCE_MS) == 1;
}

static inline bool daemon_file_begins(int fd, struct span with)
{
    char text[256];
    ssize_t n = pread(fd, text, sizeof(text), 0);
    return n >= 0 && with.len <= (size_t)n && (with.len == 0 || memcmp(text, with.ptr, with.len) == 0);
}

static inline bool daemon_expect(int fd, const struct daemon_step *s)
{
    char *got = malloc(s->bytes.len + 1);
    size_t have = 0;
    bool descriptor = false;
    while (have < s->bytes.len && daemon_wait(fd)) {
        union {
            struct cmsghdr header;
            char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec part = {.iov_base = got + have, .iov_len = s->bytes.len - have};
        struct msghdr m = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
        ssize_t n = recvmsg(fd, &m, 0);
        if (n <= 0)
            break;
        have += (size_t)n;
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        if (h && h->cmsg_type == SCM_RIGHTS) {
            int passed;
            memcpy(&passed, CMSG_DATA(h), sizeof(int));
            descriptor = daemon_file_begins(passed, s->file);
            close(passed);
        }
    }
    bool same = have == s->bytes.len && memcmp(got, s->bytes.ptr, have) == 0;
    free(got);
    return same && descriptor == (s->act == DAEMON_EXPECT_FD);
}

static inline bool daemon_send(int fd, struct span bytes, size_t step)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    for (size_t i = 0; i < bytes.len; i += step)
        if (send(fd, bytes.ptr + i, i + step <= bytes.len ? step : bytes.len - i, MSG_NOSIGNAL) < 0)
            return false;
    return true;
}

static inline bool daemon_await_end(int fd)
{
    char rest[4096];
    ssize_t n = 1;
    while (n > 0 && daemon_wait(fd))
        n = recv(fd, rest, sizeof(rest), 0);
    return n <= 0;
}

static inline int daemon_accept(const struct daemon_script *d)
{
    return daemon_wait(d->listener) ? accept(d->listener, NULL, NULL) : -1;
}

static inline bool daemon_do(struct daemon_script *d, const struct daemon_step *s, int *fd)
{
    switch (s->act) {
    case DAEMON_ACCEPT:
        if (*fd >= 0)
            close(*fd);
        *fd = daemon_accept(d);
        return *fd >= 0;
    case DAEMON_RELIEVE: {
        int before = *fd;
        *fd = daemon_accept(d);
        close(before);
        return *fd >= 0;
    }
    case DAEMON_EXPECT:
    case DAEMON_EXPECT_FD:
        return daemon_expect(*fd, s);
    case DAEMON_SEND:
        return daemon_send(*fd, s->bytes, s->bytes.len ? s->bytes.len : 1);
    case DAEMON_SEND_EACH:
        return daemon_send(*fd, s->bytes, 1);
    case DAEMON_CLOSE:
        close(*fd);
        *fd = -1;
        return true;
    case DAEMON_AWAIT_END:
        return daemon_await_end(*fd);
    case DAEMON_END:
        break;
    }
    return true;
}

static inline void *daemon_run(void *arg)
{
    struct daemon_script *d = arg;
    int fd = -1;
    for (size_t i = 0; i < d->count && !d->wrong[0]; i++)
        if (!daemon_do(d, &d->steps[i], &fd))
            snprintf(d->wrong, sizeof(d->wrong), "step %zu (act %d, \"%.*s\") failed", i, (int)d->steps[i].act,
                     d->steps[i].bytes.len > 100 ? 100 : (int)d->steps[i].bytes.len,
                     d->steps[i].bytes.ptr ? d->steps[i].bytes.ptr : "");
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* Listens, so that it has a name; nothing is answered before daemon_start. */
static inline void daemon_listen(struct daemon_script *d, bool local)
{
    memset(d, 0, sizeof(*d));
    d->listener = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(d->listener >= 0);
    if (local) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        snprintf(d->dir, sizeof(d->dir), "/tmp/postern-daemon-XXXXXX");
        ck_assert(mkdtemp(d->dir) != NULL);
        snprintf(d->name, sizeof(d->name), "%s/s", d->dir);
        memcpy(a.sun_path, d->name, strlen(d->name));
        ck_assert(bind(d->listener, (struct sockaddr *)&a, sizeof(a)) == 0);
    } else {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(a);
        ck_assert(bind(d->listener, (struct sockaddr *)&a, sizeof(a)) == 0 &&
                  getsockname(d->listener, (struct sockaddr *)&a, &len) == 0);
        snprintf(d->name, sizeof(d->name), "127.0.0.1:%u", ntohs(a.sin_port));
    }
    ck_assert(listen(d->listener, 8) == 0);
}

static inline void daemon_add(struct daemon_script *d, enum daemon_act act, struct span bytes)
{
    ck_assert(d->count < DAEMON_STEPS);
    d->steps[d->count++] = (struct daemon_step){.act = act, .bytes = bytes};
}

static inline void daemon_start(struct daemon_script *d)
{
    ck_assert(pthread_create(&d->thread, NULL, daemon_run, d) == 0);
}

/* Nobody listens there any more. */
static inline void daemon_vanish(struct daemon_script *d)
{
    close(d->listener);
    if (d->dir[0]) {
        unlink(d->name);
        rmdir(d->dir);
    }
}

static inline void daemon_join(struct daemon_script *d)
{
    ck_assert(pthread_join(d->thread, NULL) == 0);
    ck_assert_msg(d->wrong[0] == '\0', "daemon %s: %s", d->name, d->wrong);
    daemon_vanish(d);
}

#endif
