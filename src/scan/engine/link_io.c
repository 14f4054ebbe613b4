/* SPDX-License-Identifier: MIT */
/* Octets of one connection: everything is non-blocking, and every wait ends at the deadline. */
#include "scan/engine/link.h"
#include "sys/clock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/ioctl.h>

enum { READ_STEP = 4096 };

enum err link_wait(int fd, short events, uint64_t until_us, short *seen)
{
    for (;;) {
        uint64_t now = clock_monotonic_us();
        uint64_t left_ms = now >= until_us ? 0 : (until_us - now + 999) / 1000;
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
        if (n > 0) {
            *seen = p.revents;
            return ERR_OK;
        }
        if (n == 0 && left_ms == 0)
            return ERR_AGAIN;
    }
}

void link_explain(struct link_connection *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    errtext_setv(&c->why, format, args);
    va_end(args);
}

static enum err deadline_passed(struct link_connection *c, const char *doing)
{
    link_explain(c, "the deadline passed while %s", doing);
    return ERR_AGAIN;
}

static enum err gone(struct link_connection *c, const char *doing)
{
    link_explain(c, "the connection ended while %s", doing);
    return ERR_CLOSED;
}

static void forget_lent(struct link_connection *c)
{
    buf_consume(&c->in, c->taken);
    c->taken = 0;
}

enum err link_fill(struct link_connection *c)
{
    char *where;
    size_t room;
    enum err e = buf_reserve(&c->in, READ_STEP, &where, &room);
    if (e != ERR_OK)
        return e;
    ssize_t n;
    do
        n = recv(c->fd, where, room, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        buf_commit(&c->in, (size_t)n);
        c->answered = true;
        return ERR_OK;
    }
    return n < 0 && errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
}

/* The daemon takes no more. Has it said something? */
static enum err refused(struct link_connection *c)
{
    forget_lent(c);
    if (buf_len(&c->in) > 0 || link_fill(c) == ERR_OK)
        return ERR_STATE;
    return gone(c, "the request was sent");
}

/* CONTROL: what goes with the first octet; NULL: nothing. */
static enum err send_all(struct link_connection *c, struct span bytes, void *control, size_t control_len)
{
    c->used_us = clock_monotonic_us();
    while (bytes.len > 0) {
        struct iovec part = {.iov_base = (void *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};
        struct msghdr message = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = control_len};
        ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
        if (n >= 0) {
            bytes = span_sub(bytes, (size_t)n, bytes.len);
            control = NULL;
            control_len = 0;
            continue;
        }
        short seen = 0;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != ENOBUFS)
            return refused(c);
        if (link_wait(c->fd, POLLIN | POLLOUT, c->deadline_us, &seen) != ERR_OK)
            return deadline_passed(c, "the request was sent");
        if (seen & POLLIN)
            return refused(c);
    }
    return ERR_OK;
}

enum err link_send(struct link_connection *c, struct span bytes)
{
    return send_all(c, bytes, NULL, 0);
}

enum err link_send_fd(struct link_connection *c, struct span bytes, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))]; /* aligned by it */
    } control = {0};
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
    return send_all(c, bytes, control.bytes, sizeof(control.bytes));
}

/* More octets than there were, or why not. */
static enum err more_input(struct link_connection *c)
{
    for (;;) {
        enum err e = link_fill(c);
        if (e == ERR_OK || e == ERR_FULL || e == ERR_NOMEM)
            return e;
        if (e != ERR_AGAIN)
            return gone(c, c->answered ? "its answer was read, before the end of it" : "its answer was awaited");
        short seen;
        if (link_wait(c->fd, POLLIN, c->deadline_us, &seen) != ERR_OK)
            return deadline_passed(c, c->answered ? "the rest of the answer was awaited" : "the answer was awaited");
    }
}

enum err link_pause(struct link_connection *c, uint64_t us)
{
    uint64_t until = clock_monotonic_us() + us;
    bool last = until >= c->deadline_us;
    short seen;
    forget_lent(c);
    if (buf_len(&c->in) == 0 && link_wait(c->fd, POLLIN, last ? c->deadline_us : until, &seen) != ERR_OK)
        return last ? deadline_passed(c, "the request was sent") : ERR_OK;
    link_spoil(c);
    return refused(c);
}

enum err link_await(struct link_connection *c, bool *overtaken)
{
    int left = 0;
    short seen;
    forget_lent(c);
    *overtaken = false;
    if (buf_len(&c->in) == 0 && link_wait(c->fd, POLLIN, c->deadline_us, &seen) != ERR_OK)
        return deadline_passed(c, "the answer was awaited");
    *overtaken = ioctl(c->fd, SIOCOUTQ, &left) != 0 || left != 0;
    return ERR_OK;
}

static size_t find_end(struct span s, struct span ends)
{
    size_t first = s.len;
    for (size_t i = 0; i < ends.len; i++) {
        size_t at = span_find(s, ends.ptr[i]);
        if (at < first)
            first = at;
    }
    return first;
}

enum err link_read_until(struct link_connection *c, struct span ends, size_t max, struct span *out, char *end)
{
    forget_lent(c);
    for (;;) {
        struct span s = span_sub(buf_span(&c->in), 0, max + 1);
        size_t at = find_end(s, ends);
        if (at < s.len) {
            *out = span_sub(s, 0, at);
            *end = s.ptr[at];
            c->taken = at + 1;
            return ERR_OK;
        }
        enum err e = s.len > max ? ERR_FULL : more_input(c);
        if (e == ERR_FULL)
            link_explain(c, "the answer has a line of more than %zu octets", max);
        if (e != ERR_OK)
            return e;
    }
}

enum err link_read_line(struct link_connection *c, size_t max, struct span *out)
{
    char end;
    enum err e = link_read_until(c, SPAN("\n"), max, out, &end);
    if (e == ERR_OK && out->len > 0 && out->ptr[out->len - 1] == '\r')
        out->len--;
    return e;
}

enum err link_read_block(struct link_connection *c, size_t len, struct span *out)
{
    forget_lent(c);
    if (len > LINK_REPLY) {
        link_explain(c, "the answer announces %zu octets, at most %d are taken", len, LINK_REPLY);
        return ERR_FULL;
    }
    while (buf_len(&c->in) < len) {
        enum err e = more_input(c);
        if (e != ERR_OK)
            return e;
    }
    *out = span_sub(buf_span(&c->in), 0, len);
    c->taken = len;
    return ERR_OK;
}

enum err link_read_to_end(struct link_connection *c, size_t max, struct span *out)
{
    forget_lent(c);
    link_spoil(c);
    enum err e = ERR_OK;
    while (e == ERR_OK && buf_len(&c->in) <= max)
        e = more_input(c);
    if (e == ERR_OK || e == ERR_FULL) {
        link_explain(c, "the answer has more than %zu octets", max);
        return ERR_FULL;
    }
    if (e != ERR_CLOSED || !c->answered)
        return e;
    *out = buf_span(&c->in);
    c->taken = out->len;
    return ERR_OK;
}

struct span link_partial(const struct link_connection *c)
{
    struct span all = buf_span(&c->in);
    return span_sub(all, c->taken, all.len);
}

bool link_has_input(const struct link_connection *c)
{
    return buf_len(&c->in) > c->taken;
}

void link_disown_input(struct link_connection *c)
{
    c->answered = false;
}

enum err link_again(struct link_connection *c)
{
    c->again = true;
    return ERR_STATE;
}

void link_spoil(struct link_connection *c)
{
    c->spoiled = true;
}
