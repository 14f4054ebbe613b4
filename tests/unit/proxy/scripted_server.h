/* SPDX-License-Identifier: MIT */
/* For the tests of this folder: a mail server on loopback, in the loop of the test, that answers by a script and keeps
 * what it saw. Each line of the client is looked up by its verb; the first rule that fits answers it. */
#ifndef SCRIPTED_SERVER_H
#define SCRIPTED_SERVER_H

#include "base/buf.h"
#include "io/listener.h"
#include "io/stream.h"
#include <check.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define SILENCE NULL    /* say nothing */
#define CLOSE   "close" /* end the connection */

/* VERB: "connect" for the greeting, "." for the end of data; NULL ends the table. CONNECTION and TIME: its number and
 * how many times the verb came on it before the answer, counted from 1; 0: any. THEN_CLOSE: after the reply. */
struct rule {
    unsigned connection, time;
    const char *verb, *reply;
    bool then_close;
};

enum { SCRIPTED_CONNECTIONS = 32, SCRIPTED_RULES = 16 };

struct scripted;
struct scripted_connection {
    struct scripted *server;
    unsigned number;
    struct stream stream;
    bool open, in_body;
    unsigned times[SCRIPTED_RULES];
};

struct scripted {
    struct loop *loop;
    int fd;
    struct listener *listener;
    struct addr addr;
    char name[ADDR_TEXT];
    struct rule rules[SCRIPTED_RULES];
    struct scripted_connection connections[SCRIPTED_CONNECTIONS];
    unsigned count, open, messages;
    struct buf seen; /* "1 EHLO gw\n1 MAIL FROM:<a>\n…": number of the connection and line */
    struct buf body; /* of all messages, dots and all */
    bool deaf;       /* reads nothing inside a body */
    void (*changed)(void *arg);
    void *arg;
};

static const struct rule scripted_defaults[] = {
    {.verb = "connect", .reply = "220 mta ready\r\n"},
    {.verb = "EHLO", .reply = "250-mta\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 1000000\r\n"},
    {.verb = "DATA", .reply = "354 go\r\n"},
    {.verb = ".", .reply = "250 2.0.0 queued\r\n"},
    {.verb = "QUIT", .reply = "221 bye\r\n", .then_close = true},
    {.verb = "", .reply = "250 2.0.0 fine\r\n"}, /* anything else */
};

static inline void scripted_hang_up(struct scripted_connection *c)
{
    if (!c->open)
        return;
    stream_close(&c->stream);
    c->open = false;
    c->server->open--;
}

static inline void scripted_answer(struct scripted_connection *c, struct span line)
{
    struct scripted *s = c->server;
    const struct rule *found = NULL;
    for (size_t i = 0; i < SCRIPTED_RULES && s->rules[i].verb; i++) {
        const struct rule *r = &s->rules[i];
        if (!span_starts_nocase(line, span_cstr(r->verb)))
            continue;
        c->times[i]++;
        if (!found && (r->connection == 0 || r->connection == c->number) && (r->time == 0 || r->time == c->times[i]))
            found = r;
    }
    for (size_t i = 0; !found; i++)
        if (span_starts_nocase(line, span_cstr(scripted_defaults[i].verb)))
            found = &scripted_defaults[i];
    if (!found->reply)
        return;
    if (strcmp(found->reply, CLOSE) == 0) {
        scripted_hang_up(c);
        return;
    }
    c->in_body = span_eq(line, SPAN("DATA")) && found->reply[0] == '3';
    ck_assert_int_eq(buf_append(&c->stream.out, span_cstr(found->reply)), ERR_OK);
    stream_flush(&c->stream);
    if (c->in_body && s->deaf)
        stream_pause(&c->stream, true);
    if (found->then_close)
        scripted_hang_up(c);
}

/* One line of the client; false: none is complete. */
static inline bool scripted_line(struct scripted_connection *c)
{
    struct scripted *s = c->server;
    struct span in = c->open ? buf_span(&c->stream.in) : span_of("", 0);
    size_t end = span_find_span(in, SPAN("\r\n"));
    if (end == in.len)
        return false;
    struct span line = span_sub(in, 0, end);
    bool dot = c->in_body && span_eq(line, SPAN("."));
    if (c->in_body && !dot) {
        ck_assert_int_eq(buf_append(&s->body, span_sub(in, 0, end + 2)), ERR_OK);
    } else {
        ck_assert_int_eq(buf_printf(&s->seen, "%u %.*s\n", c->number, SPAN_ARG(line)), ERR_OK);
        s->messages += dot;
        c->in_body = false;
        char copy[2048];
        snprintf(copy, sizeof(copy), "%.*s", SPAN_ARG(line));
        buf_consume(&c->stream.in, end + 2);
        scripted_answer(c, span_cstr(copy));
        return true;
    }
    buf_consume(&c->stream.in, end + 2);
    return true;
}

static inline void scripted_wake(void *arg)
{
    struct scripted_connection *c = arg;
    struct scripted *s = c->server;
    while (scripted_line(c))
        ;
    if (c->open && (c->stream.eof || c->stream.error))
        scripted_hang_up(c);
    if (c->open)
        stream_resume(&c->stream);
    if (s->changed)
        s->changed(s->arg);
}

static inline void scripted_accepted(void *arg, int fd, const struct addr *peer)
{
    struct scripted *s = arg;
    (void)peer;
    ck_assert_uint_lt(s->count, SCRIPTED_CONNECTIONS);
    struct scripted_connection *c = &s->connections[s->count++];
    *c = (struct scripted_connection){.server = s, .number = s->count, .open = true};
    s->open++;
    stream_init(&c->stream, s->loop, fd, LIMIT_STREAM_IN, LIMIT_STREAM_OUT, scripted_wake, c);
    scripted_answer(c, SPAN("connect"));
    if (s->changed)
        s->changed(s->arg);
}

/* A socket on a port of its own that does not listen yet: connections to it are refused. */
static inline void scripted_init(struct scripted *s, struct loop *loop, void (*changed)(void *arg), void *arg)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *s = (struct scripted){.loop = loop, .changed = changed, .arg = arg};
    s->addr.len = sizeof(a);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(s->fd, (struct sockaddr *)(void *)&a, sizeof(a)), 0);
    ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)(void *)&s->addr.storage, &s->addr.len), 0);
    addr_format(&s->addr, s->name);
    buf_init(&s->seen, 1 << 20);
    buf_init(&s->body, 1 << 24);
}

static inline void scripted_listen(struct scripted *s)
{
    ck_assert_int_eq(listen(s->fd, 50), 0);
    s->listener = listener_new(s->loop, s->fd, scripted_accepted, NULL, s);
    ck_assert_ptr_nonnull(s->listener);
}

static inline void scripted_release(struct scripted *s)
{
    for (unsigned i = 0; i < s->count; i++)
        scripted_hang_up(&s->connections[i]);
    if (s->listener)
        listener_free(s->listener);
    close(s->fd);
    buf_release(&s->seen);
    buf_release(&s->body);
}

/* How often TEXT stands in what was seen. */
static inline unsigned scripted_saw(const struct scripted *s, const char *text)
{
    unsigned n = 0;
    struct span rest = buf_span(&s->seen), what = span_cstr(text);
    for (size_t at; (at = span_find_span(rest, what)) < rest.len; n++)
        rest = span_sub(rest, at + what.len, rest.len);
    return n;
}

#endif
