/* SPDX-License-Identifier: MIT */
/* Plays input into a server engine and writes down what happens: events and replies, each as text, the same whatever
 * the cuts of the input. The owner that answers is scripted by the addresses: one that contains "550" is refused with
 * it, and so on. */
#ifndef UNIT_SMTP_SERVER_PLAY_H
#define UNIT_SMTP_SERVER_PLAY_H

#include "must.h"
#include "smtp/server.h"

struct play {
    struct smtp_server server;
    struct smtp_offer offer;
    struct buf in;
    struct buf events; /* "MAIL <a@b> size=0 body=0\n" …; body octets as they are, in one piece */
    struct buf out;
    struct buf body;       /* of the message that is being received */
    bool late;             /* answer only when BLOCKED or NEED_INPUT */
    int data_code;         /* answer to DATA; 0: 354 */
    int end_code;          /* answer to BODY_END; 0: 250, or what faults and size call for */
    unsigned transactions; /* BODY_END events */
    enum smtp_server_event_kind waiting[LIMIT_PIPELINE];
    char waiting_path[LIMIT_PIPELINE][64];
    unsigned waiting_count;
    enum smtp_server_event_kind last;
};

static const struct smtp_server_options PLAY_OPTIONS = {
    .hostname = {"gw.example.org", 14}, .max_recipients = 3, .max_errors = 20, .max_junk = 100};

static inline void play_init(struct play *p, const struct smtp_server_options *options)
{
    *p = (struct play){0};
    p->offer = (struct smtp_offer){.set = smtp_ext_hop_set() | smtp_ext_end_to_end_set(), .size_limit = 1000000};
    smtp_server_init(&p->server, options);
    buf_init(&p->in, LIMIT_STREAM_IN);
    buf_init(&p->events, 1 << 20);
    buf_init(&p->out, 1 << 20);
    buf_init(&p->body, 1 << 20);
    MUST(smtp_server_greet(&p->server) == ERR_OK);
}

static inline void play_release(struct play *p)
{
    smtp_server_release(&p->server);
    buf_release(&p->in);
    buf_release(&p->events);
    buf_release(&p->out);
    buf_release(&p->body);
}

static inline void play_flush(struct play *p)
{
    struct buf *out = smtp_server_out(&p->server);
    MUST(buf_append(&p->out, buf_span(out)) == ERR_OK);
    buf_clear(out);
}

/* The code in PATH, "<550a@b>", or OTHER. */
static inline int play_code(const char *path, int other)
{
    long code = path[0] == '<' ? strtol(path + 1, NULL, 10) : 0;
    return code >= 200 && code <= 599 ? (int)code : other;
}

static inline void play_answer_one(struct play *p)
{
    enum smtp_server_event_kind kind = p->waiting[0];
    struct smtp_reply reply = {.code = 250, .text = SPAN("fine")};
    if (kind == SMTP_SERVER_HELLO) {
        MUST(smtp_server_reply_hello(&p->server, &p->offer) == ERR_OK);
    } else {
        if (kind == SMTP_SERVER_DATA)
            reply.code = p->data_code ? p->data_code : 354;
        else if (kind == SMTP_SERVER_BODY_END)
            reply.code = p->end_code;
        else
            reply.code = play_code(p->waiting_path[0], 250);
        MUST(smtp_server_reply(&p->server, &reply) == ERR_OK);
    }
    p->waiting_count--;
    memmove(p->waiting, p->waiting + 1, p->waiting_count * sizeof(p->waiting[0]));
    memmove(p->waiting_path, p->waiting_path + 1, p->waiting_count * sizeof(p->waiting_path[0]));
}

static inline void play_wait(struct play *p, enum smtp_server_event_kind kind, struct span path)
{
    MUST(p->waiting_count < LIMIT_PIPELINE);
    p->waiting[p->waiting_count] = kind;
    snprintf(p->waiting_path[p->waiting_count], sizeof(p->waiting_path[0]), "%.*s", SPAN_ARG(path));
    p->waiting_count++;
    while (!p->late && p->waiting_count > 0)
        play_answer_one(p);
}

static inline void play_note(struct play *p, const char *format, ...) printf_like(2, 3);
static inline void play_note(struct play *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    MUST(buf_vprintf(&p->events, format, args) == ERR_OK);
    va_end(args);
}

/* The next event but refusals, which the output shows as well. */
static inline void play_next(struct smtp_server *s, struct buf *in, struct smtp_server_event *e)
{
    do {
        smtp_server_next(s, in, e);
    } while (e->kind == SMTP_SERVER_REFUSED);
}

static inline void play_event(struct play *p, const struct smtp_server_event *e)
{
    switch (e->kind) {
    case SMTP_SERVER_NEED_INPUT:
    case SMTP_SERVER_BLOCKED:
    case SMTP_SERVER_REFUSED: /* its reply is in the output */
        break;
    case SMTP_SERVER_HELLO:
        play_note(p, "%s %.*s\n", e->hello.extended ? "EHLO" : "HELO", SPAN_ARG(e->hello.name));
        play_wait(p, e->kind, e->hello.name);
        break;
    case SMTP_SERVER_MAIL:
        play_note(p, "MAIL %.*s size=%llu body=%d\n", SPAN_ARG(e->mail.path), (unsigned long long)e->mail.size,
                  (int)e->mail.body);
        play_wait(p, e->kind, e->mail.path);
        break;
    case SMTP_SERVER_RCPT:
        play_note(p, "RCPT %.*s\n", SPAN_ARG(e->rcpt.path));
        play_wait(p, e->kind, e->rcpt.path);
        break;
    case SMTP_SERVER_DATA:
        play_note(p, "DATA\n");
        buf_clear(&p->body);
        play_wait(p, e->kind, SPAN(""));
        break;
    case SMTP_SERVER_BODY:
        MUST(e->body.len > 0);
        MUST(e->body.ptr >= p->in.data && e->body.ptr + e->body.len <= p->in.data + p->in.end);
        MUST(buf_append(&p->body, e->body) == ERR_OK);
        break;
    case SMTP_SERVER_BODY_END:
        play_note(p, "BODY[");
        MUST(buf_append(&p->events, buf_span(&p->body)) == ERR_OK); /* it may hold NUL */
        play_note(p, "] size=%llu faults=%u large=%d\n", (unsigned long long)e->body_end.size, e->body_end.faults,
                  e->body_end.too_large);
        p->transactions++;
        p->end_code = e->body_end.too_large ? 552 : e->body_end.faults ? 550 : 250;
        play_wait(p, e->kind, SPAN(""));
        break;
    case SMTP_SERVER_RSET:
        play_note(p, "RSET\n");
        break;
    case SMTP_SERVER_QUIT:
        play_note(p, "QUIT\n");
        break;
    case SMTP_SERVER_CLOSE:
        play_note(p, "CLOSE %s\n", e->reason);
        break;
    }
}

/* Runs the engine as far as the input reaches. */
static inline void play_run(struct play *p)
{
    struct smtp_server_event e;
    bool going = p->last != SMTP_SERVER_QUIT && p->last != SMTP_SERVER_CLOSE;
    while (going) {
        smtp_server_next(&p->server, &p->in, &e);
        p->last = e.kind;
        play_event(p, &e);
        going = e.kind != SMTP_SERVER_NEED_INPUT && e.kind != SMTP_SERVER_QUIT && e.kind != SMTP_SERVER_CLOSE;
        if (e.kind == SMTP_SERVER_BLOCKED) {
            MUST(p->waiting_count == smtp_server_unanswered(&p->server));
            MUST(p->waiting_count > 0 || buf_len(smtp_server_out(&p->server)) > 0);
            if (p->waiting_count > 0)
                play_answer_one(p);
        } else if (e.kind == SMTP_SERVER_NEED_INPUT && p->waiting_count > 0) {
            play_answer_one(p);
            going = true;
        }
        if (e.kind == SMTP_SERVER_BLOCKED || !going)
            play_flush(p);
    }
}

static inline void play_feed(struct play *p, struct span bytes)
{
    while (bytes.len > 0) {
        size_t n = bytes.len < buf_room(&p->in) ? bytes.len : buf_room(&p->in);
        if (n == 0)
            return; /* the session ended */
        MUST(buf_append(&p->in, span_sub(bytes, 0, n)) == ERR_OK);
        bytes = span_sub(bytes, n, bytes.len);
        play_run(p);
    }
}

#define GREETING "220 gw.example.org ESMTP postern\r\n"
#define EHLO_REPLY                                                                                                     \
    "250-gw.example.org\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"
#define START_MAIL "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"

static inline void play_whole(struct play *p, struct span input)
{
    play_init(p, &PLAY_OPTIONS);
    play_feed(p, input);
}

static inline void check_text(struct buf *b, const char *expected)
{
    MUST(buf_append_char(b, '\0') == ERR_OK);
    ck_assert_str_eq(buf_span(b).ptr, expected);
    b->end--;
}

static inline void check_session(const char *input, const char *events, const char *out)
{
    struct play p;
    play_whole(&p, span_cstr(input));
    check_text(&p.events, events);
    check_text(&p.out, out);
    play_release(&p);
}

/* The code of the last reply line that was given. */
static inline int last_code(const struct play *p)
{
    struct span out = buf_span(&p->out);
    MUST(out.len > 5 && out.ptr[out.len - 1] == '\n');
    size_t at = out.len - 1;
    while (at > 0 && out.ptr[at - 1] != '\n')
        at--;
    return (int)strtol(out.ptr + at, NULL, 10);
}

static inline bool out_has(const struct play *p, const char *what)
{
    return span_find_span(buf_span(&p->out), span_cstr(what)) < buf_len(&p->out);
}

/* Runs until BLOCKED or NEED_INPUT without answering anything; returns how many events came. */
static inline unsigned events_unanswered(struct play *p, enum smtp_server_event_kind *last)
{
    struct smtp_server_event e;
    unsigned events = 0;
    for (;;) {
        play_next(&p->server, &p->in, &e);
        *last = e.kind;
        if (e.kind == SMTP_SERVER_BLOCKED || e.kind == SMTP_SERVER_NEED_INPUT || e.kind == SMTP_SERVER_CLOSE)
            return events;
        events++;
    }
}

#endif
