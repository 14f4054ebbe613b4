/* SPDX-License-Identifier: MIT */
/* Sessions of the console. A session is closed in one place, session_end, and freed by the loop's reaper. */
#include "daemon/console_server.h"
#include "base/mem.h"
#include "base/obj.h"
#include "daemon/console_access.h"
#include "io/listener.h"
#include "io/stream.h"
#include <errno.h>
#include <unistd.h>

enum {
    SERVER_MAGIC = 0x53525631,
    SESSION_MAGIC = 0x53455331,
    /* A request, its line end, and the beginning of the next one. */
    SESSION_IN_MAX = 2 * (CONSOLE_LINE_MAX + 2),
    SESSION_OUT_MAX = CONSOLE_OUTPUT_MAX + 2 * CONSOLE_HEAD_SIZE + ERRTEXT_SIZE,
    REFUSAL_LOG_US = 1000 * 1000,
    SESSIONS_FOR_ROOT = 2, /* beyond max_sessions: nobody can lock root out */
};

struct console_listener {
    struct console_server *server;
    struct list node;
    struct listener *listener;
    const struct control_conf *conf;
    const char *name;
    struct console_access access;
    int64_t sessions;
    uint64_t refusals, refusal_us; /* how many; when one was logged last */
};

struct console_session {
    unsigned magic;
    struct console_listener *listener;
    struct list node;
    struct stream stream;
    struct deadline idle;
    struct loop_deferred turn; /* looks at the session again, after the others had their turn */
    struct loop_deferred reaper;
    struct console_call *call; /* the request under way */
    bool answering;            /* the answer is not fetched yet */
    bool ending;               /* it is closed once its last answer is fetched */
    bool closed;
    char who[CONSOLE_WHO_SIZE];
};

struct console_server {
    unsigned magic;
    struct console *console;
    struct loop *loop;
    const struct log *log;
    struct list listeners, sessions;
};

static void session_free(void *arg)
{
    struct console_session *s = arg;
    OBJ_CHECK(s, SESSION_MAGIC);
    OBJ_FINI(s);
    mem_free(s);
}

static void session_end(struct console_session *s)
{
    if (s->closed)
        return;
    s->closed = true;
    if (s->call)
        console_call_abandon(s->call);
    s->call = NULL;
    s->listener->sessions--;
    list_remove(&s->node);
    deadline_clear(&s->idle);
    loop_defer_cancel(&s->turn);
    stream_close(&s->stream);
    loop_defer(s->listener->server->loop, &s->reaper);
}

static void session_turn_soon(struct console_session *s)
{
    loop_defer(s->listener->server->loop, &s->turn);
}

static void session_answer(struct console_session *s, enum console_status status, struct span text)
{
    char head[CONSOLE_HEAD_SIZE];
    struct span line = span_of(head, console_head_write(head, status, text.len));
    /* Nothing waits in it: one request at a time. So only memory can be short. */
    if (buf_append(&s->stream.out, line) != ERR_OK || buf_append(&s->stream.out, text) != ERR_OK) {
        session_end(s);
        return;
    }
    s->answering = true;
    deadline_set_ms(&s->idle, (uint64_t)s->listener->conf->idle_timeout_ms);
    stream_flush(&s->stream);
    session_turn_soon(s);
}

/* Says why, then closes. */
static void session_refuse(struct console_session *s, const char *format, ...) printf_like(2, 3);
static void session_refuse(struct console_session *s, const char *format, ...)
{
    struct errtext why = {""};
    va_list args;
    va_start(args, format);
    errtext_setv(&why, format, args);
    va_end(args);
    s->ending = true;
    stream_pause(&s->stream, true);
    session_answer(s, CONSOLE_REFUSED, span_cstr(why.text));
}

static void session_answered(void *arg, struct console_call *call)
{
    struct console_session *s = arg;
    OBJ_CHECK(s, SESSION_MAGIC);
    s->call = NULL;
    session_answer(s, console_call_status(call), console_call_answer(call));
}

/* A line without its end. */
static void session_request(struct console_session *s, struct span line)
{
    if (span_trim(line).len == 0)
        return;
    deadline_clear(&s->idle); /* the command has a deadline of its own */
    s->call = console_run(s->listener->server->console, line, s->who, session_answered, s);
    if (!s->call)
        session_refuse(s, "no memory for this command\n");
}

/* Takes one line off the input. False: there is none yet. */
static bool session_line(struct console_session *s)
{
    char line[CONSOLE_LINE_MAX + 1];
    struct span in = buf_span(&s->stream.in);
    size_t end = span_find(in, '\n'), len = end;
    if (end < in.len && len > 0 && in.ptr[len - 1] == '\r')
        len--;
    if (len > CONSOLE_LINE_MAX && (end < in.len || end > CONSOLE_LINE_MAX + 1)) {
        session_refuse(s, "a request is one line of at most %d octets\n", CONSOLE_LINE_MAX);
        return true;
    }
    if (end == in.len)
        return false;
    memcpy(line, in.ptr, len);
    buf_consume(&s->stream.in, end + 1);
    session_request(s, span_of(line, len));
    stream_resume(&s->stream);
    return true;
}

/* One step: an answer that was fetched, or one request. */
static void session_turn(void *arg)
{
    struct console_session *s = arg;
    OBJ_CHECK(s, SESSION_MAGIC);
    if (s->closed)
        return;
    if (s->stream.error) {
        session_end(s);
        return;
    }
    if (s->call || (s->answering && buf_len(&s->stream.out) > 0))
        return;
    if (s->answering) {
        s->answering = false;
        deadline_set_ms(&s->idle, (uint64_t)s->listener->conf->idle_timeout_ms);
    }
    if (!s->ending && session_line(s))
        session_turn_soon(s); /* there may be another line, but others come first */
    else if (s->ending || s->stream.eof)
        session_end(s);
}

static void session_wake(void *arg)
{
    struct console_session *s = arg;
    OBJ_CHECK(s, SESSION_MAGIC);
    /* A client that only closed its writing side waits for its answers; one that is gone altogether shows when they are
     * written. */
    session_turn(s);
}

static void session_idle(void *arg)
{
    struct console_session *s = arg;
    OBJ_CHECK(s, SESSION_MAGIC);
    if (s->answering || s->ending)
        session_end(s);
    else
        session_refuse(s, "no command for %llu seconds\n",
                       (unsigned long long)s->listener->conf->idle_timeout_ms / 1000);
}

static struct console_session *session_new(struct console_listener *l, int fd)
{
    struct console_session *s = MEM_NEW(struct console_session);
    if (!s)
        return NULL;
    OBJ_INIT(s, SESSION_MAGIC);
    s->listener = l;
    l->sessions++;
    list_append(&l->server->sessions, &s->node);
    loop_deferred_init(&s->turn, session_turn, s);
    loop_deferred_init(&s->reaper, session_free, s);
    deadline_init(&s->idle, l->server->loop, session_idle, s);
    stream_init(&s->stream, l->server->loop, fd, SESSION_IN_MAX, SESSION_OUT_MAX, session_wake, s);
    deadline_set_ms(&s->idle, (uint64_t)l->conf->idle_timeout_ms);
    return s;
}

/* Not more than a line a second: whoever is refused may try again as often as he likes. */
static void log_refusal(struct console_listener *l, const char *who, const char *reason)
{
    uint64_t now = loop_now_us(l->server->loop);
    struct log_record r;
    l->refusals++;
    if (l->refusal_us != 0 && now - l->refusal_us < REFUSAL_LOG_US)
        return;
    l->refusal_us = now;
    log_begin(&r, l->server->log, LOG_REFUSE);
    log_cstr(&r, "listener", l->name);
    log_cstr(&r, "client", who);
    log_cstr(&r, "reason", reason);
    log_u64(&r, "refusals", l->refusals);
    log_end(&r);
}

/* Without a session, so that strangers take no room. The answer fits a socket that is still empty. */
static void turn_away(struct console_listener *l, int fd, const char *who, const char *reason)
{
    char answer[ERRTEXT_SIZE], text[2 * CONSOLE_WHO_SIZE], head[CONSOLE_HEAD_SIZE];
    int text_len = snprintf(text, sizeof(text), "%s: %s\n", who, reason);
    console_head_write(head, CONSOLE_REFUSED, (size_t)text_len);
    int len = snprintf(answer, sizeof(answer), "%s%s", head, text);
    ssize_t ignored = write(fd, answer, (size_t)len); /* it may be gone already */
    (void)ignored;
    close(fd);
    log_refusal(l, who, reason);
}

static void accepted(void *arg, int fd, const struct addr *peer)
{
    struct console_listener *l = arg;
    (void)peer;
    char who[CONSOLE_WHO_SIZE];
    uid_t uid;
    bool permitted = console_access_check(&l->access, fd, &uid, who, sizeof(who));
    int64_t room = l->conf->max_sessions + (permitted && uid == 0 ? SESSIONS_FOR_ROOT : 0);
    struct console_session *s = permitted && l->sessions < room ? session_new(l, fd) : NULL;
    if (s)
        memcpy(s->who, who, sizeof(s->who));
    else
        turn_away(l, fd, who, permitted ? "too many sessions" : "not permitted");
}

static void shortage(void *arg, int error)
{
    const struct console_listener *l = arg;
    log_text(l->server->log, LOG_SHORTAGE, "detail", "accepting on %s pauses: %s", l->name, strerror(error));
}

struct console_server *console_server_new(struct console *console, struct loop *loop, const struct log *log)
{
    struct console_server *s = MEM_NEW(struct console_server);
    if (!s)
        return NULL;
    OBJ_INIT(s, SERVER_MAGIC);
    s->console = console;
    s->loop = loop;
    s->log = log;
    list_init(&s->listeners);
    list_init(&s->sessions);
    return s;
}

enum err console_server_listen(struct console_server *s, int fd, const struct control_conf *conf, const char *name)
{
    OBJ_CHECK(s, SERVER_MAGIC);
    struct console_listener *l = MEM_NEW(struct console_listener);
    if (!l)
        return ERR_NOMEM;
    l->server = s;
    l->conf = conf;
    l->name = name;
    console_access_init(&l->access, &conf->allow, s->log, name);
    l->listener = listener_new(s->loop, fd, accepted, shortage, l);
    if (!l->listener) {
        mem_free(l);
        return ERR_NOMEM;
    }
    list_append(&s->listeners, &l->node);
    return ERR_OK;
}

void console_server_free(struct console_server *s)
{
    struct list *node;
    if (!s)
        return;
    LIST_EACH_SAFE (session, &s->sessions) {
        struct console_session *one = container_of(session, struct console_session, node);
        session_end(one);
        loop_defer_cancel(&one->reaper);
        session_free(one);
    }
    while ((node = list_take(&s->listeners))) {
        struct console_listener *l = container_of(node, struct console_listener, node);
        listener_free(l->listener);
        mem_free(l);
    }
    OBJ_FINI(s);
    mem_free(s);
}
