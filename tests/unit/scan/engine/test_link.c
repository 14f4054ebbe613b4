/* SPDX-License-Identifier: MIT */
/* The connection layer, with a protocol of the test's own: "ask\n" is answered by one line. */
#include "support/scripted_daemon.h"

#include "scan/engine/link.h"
#include "sys/clock.h"

enum { LONG_MS = 20000 };

struct talk {
    char answer[64];
    bool greets;
    unsigned asked, admissions;
    enum err (*read)(struct link_connection *c, struct span *out);
};

static enum err read_line(struct link_connection *c, struct span *out)
{
    return link_read_line(c, 32, out);
}

static enum err read_block(struct link_connection *c, struct span *out)
{
    return link_read_block(c, 6, out);
}

static enum err greet(struct link_connection *c, void *arg)
{
    struct talk *t = arg;
    struct span line;
    if (!t->greets)
        return ERR_OK;
    enum err e = link_read_line(c, 32, &line);
    return e != ERR_OK || span_eq(line, SPAN("hello")) ? e : ERR_SYNTAX;
}

static enum err ask(struct link_connection *c, void *arg)
{
    struct talk *t = arg;
    struct span line = SPAN("");
    t->asked++;
    enum err e = link_send(c, SPAN("ask\n"));
    if (e == ERR_OK)
        e = t->read ? t->read(c, &line) : read_line(c, &line);
    snprintf(t->answer, sizeof(t->answer), "%.*s", SPAN_ARG(line));
    return e;
}

static const struct link_exchange exchange = {.greet = greet, .ask = ask};

static struct link *link_to(const struct daemon_script *const *daemons, size_t count, uint64_t connect_ms)
{
    struct server_name names[LINK_SERVERS];
    struct errtext why;
    for (size_t i = 0; i < count; i++)
        ck_assert(server_name_parse(span_cstr(daemons[i]->name), 0, &names[i], &why) == ERR_OK);
    struct link *l = link_new(names, count, connect_ms);
    ck_assert(l != NULL);
    link_resolve(l);
    return l;
}

static void expect_answer(struct link *l, struct talk *t, const char *answer)
{
    struct verdict v;
    bool done = link_run(l, &exchange, t, LONG_MS, &v);
    ck_assert_msg(done, "%s: %s", verdict_reason_word(v.reason), v.detail);
    ck_assert_str_eq(t->answer, answer);
}

static struct verdict expect_trouble(struct link *l, struct talk *t, uint64_t ms, enum verdict_reason reason,
                                     const char *detail)
{
    struct verdict v;
    ck_assert(!link_run(l, &exchange, t, ms, &v));
    ck_assert_msg(v.class == VERDICT_ERROR && v.reason == reason && strstr(v.detail, detail), "%s: %s",
                  verdict_reason_word(v.reason), v.detail);
    return v;
}

#define ACCEPT(d)       daemon_add(d, DAEMON_ACCEPT, SPAN(""))
#define RELIEVE(d)      daemon_add(d, DAEMON_RELIEVE, SPAN(""))
#define EXPECT(d, text) daemon_add(d, DAEMON_EXPECT, SPAN(text))
#define SEND(d, text)   daemon_add(d, DAEMON_SEND, SPAN(text))
#define EACH(d, text)   daemon_add(d, DAEMON_SEND_EACH, SPAN(text))
#define CLOSE(d)        daemon_add(d, DAEMON_CLOSE, SPAN(""))
#define AWAIT_END(d)    daemon_add(d, DAEMON_AWAIT_END, SPAN(""))

/* One daemon, by TCP or a unix socket. */
#define ONE_DAEMON(local)                                                                                              \
    struct daemon_script d;                                                                                            \
    struct talk t = {.asked = 0};                                                                                      \
    daemon_listen(&d, (local));                                                                                        \
    const struct daemon_script *const daemons[] = {&d};                                                                \
    struct link *l = link_to(daemons, 1, LONG_MS)

static void finish(struct link *l, struct daemon_script *d)
{
    link_free(l);
    daemon_join(d);
}

START_TEST(one_connection_serves_many_requests_over_tcp_and_unix_sockets)
{
    for (int local = 0; local < 2; local++) {
        ONE_DAEMON(local);
        ACCEPT(&d);
        EXPECT(&d, "ask\n");
        SEND(&d, "one\n");
        EXPECT(&d, "ask\n");
        EACH(&d, "two\r\n");
        AWAIT_END(&d);
        daemon_start(&d);
        expect_answer(l, &t, "one");
        expect_answer(l, &t, "two");
        finish(l, &d);
    }
}
END_TEST

START_TEST(a_connection_that_was_closed_while_idle_is_replaced)
{
    ONE_DAEMON(false);
    ACCEPT(&d);
    EXPECT(&d, "ask\n");
    SEND(&d, "one\n");
    CLOSE(&d);
    ACCEPT(&d);
    EXPECT(&d, "ask\n");
    SEND(&d, "two\n");
    daemon_start(&d);
    expect_answer(l, &t, "one");
    expect_answer(l, &t, "two");
    finish(l, &d);
}
END_TEST

START_TEST(a_kept_connection_that_ends_without_an_answer_costs_one_more_try_and_no_more)
{
    ONE_DAEMON(true);
    ACCEPT(&d);
    EXPECT(&d, "ask\n");
    SEND(&d, "one\n");
    EXPECT(&d, "ask\n"); /* so it looked alive when the request was sent */
    ACCEPT(&d);
    EXPECT(&d, "ask\n");
    CLOSE(&d);
    daemon_start(&d);
    expect_answer(l, &t, "one");
    expect_trouble(l, &t, LONG_MS, VERDICT_REASON_DOWN, "ended while its answer was awaited");
    ck_assert_uint_eq(t.asked, 3);
    finish(l, &d);
}
END_TEST

START_TEST(an_answer_that_began_is_never_asked_for_again)
{
    ONE_DAEMON(true);
    ACCEPT(&d);
    EXPECT(&d, "ask\n");
    SEND(&d, "one\n");
    EXPECT(&d, "ask\n");
    SEND(&d, "tw");
    CLOSE(&d);
    daemon_start(&d);
    expect_answer(l, &t, "one");
    expect_trouble(l, &t, LONG_MS, VERDICT_REASON_PROTOCOL, "before the end of it");
    ck_assert_uint_eq(t.asked, 2);
    finish(l, &d);
}
END_TEST

START_TEST(the_next_server_is_asked_when_one_is_away_and_comes_first_then)
{
    struct daemon_script away, d;
    struct talk t = {.asked = 0};
    daemon_listen(&away, false);
    daemon_listen(&d, false);
    const struct daemon_script *const daemons[] = {&away, &d};
    struct link *l = link_to(daemons, 2, LONG_MS);
    daemon_vanish(&away);
    ACCEPT(&d);
    EXPECT(&d, "ask\n");
    SEND(&d, "one\n");
    EXPECT(&d, "ask\n");
    SEND(&d, "two\n");
    daemon_start(&d);
    expect_answer(l, &t, "one");
    expect_answer(l, &t, "two");
    finish(l, &d);
    /* and when all are away, the last one's trouble is told */
    struct link *none = link_to(daemons, 2, LONG_MS);
    struct verdict v = expect_trouble(none, &t, LONG_MS, VERDICT_REASON_DOWN, "cannot connect");
    ck_assert(strstr(v.detail, d.name) != NULL);
    link_free(none);
}
END_TEST

START_TEST(a_server_that_closes_before_it_answers_gives_way_to_the_next)
{
    struct daemon_script first, second;
    struct talk t = {.asked = 0};
    daemon_listen(&first, false);
    daemon_listen(&second, true);
    const struct daemon_script *const daemons[] = {&first, &second};
    struct link *l = link_to(daemons, 2, LONG_MS);
    ACCEPT(&first);
    EXPECT(&first, "ask\n");
    CLOSE(&first);
    ACCEPT(&second);
    EXPECT(&second, "ask\n");
    SEND(&second, "one\n");
    daemon_start(&first);
    daemon_start(&second);
    expect_answer(l, &t, "one");
    daemon_join(&first);
    finish(l, &second);
}
END_TEST

START_TEST(a_server_that_accepts_and_never_greets_gives_way_to_the_next)
{
    struct daemon_script silent, d;
    struct talk t = {.greets = true};
    daemon_listen(&silent, false); /* the kernel accepts */
    daemon_listen(&d, false);
    const struct daemon_script *const daemons[] = {&silent, &d};
    struct link *l = link_to(daemons, 2, 100);
    ACCEPT(&d);
    SEND(&d, "hello\r\n");
    EXPECT(&d, "ask\n");
    SEND(&d, "one\n");
    daemon_start(&d);
    expect_answer(l, &t, "one");
    finish(l, &d);
    daemon_vanish(&silent);
}
END_TEST

START_TEST(a_wrong_greeting_gives_way_to_the_next_and_is_protocol_at_the_last)
{
    ONE_DAEMON(true);
    t.greets = true;
    ACCEPT(&d);
    SEND(&d, "501 loading\n");
    AWAIT_END(&d);
    daemon_start(&d);
    expect_trouble(l, &t, LONG_MS, VERDICT_REASON_PROTOCOL, "");
    ck_assert_uint_eq(t.asked, 0);
    finish(l, &d);
}
END_TEST

START_TEST(silence_and_half_a_line_end_at_the_deadline)
{
    static const char *const beginnings[] = {"", "on"};
    for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
        ONE_DAEMON(i == 0);
        ACCEPT(&d);
        EXPECT(&d, "ask\n");
        daemon_add(&d, DAEMON_SEND, span_cstr(beginnings[i]));
        AWAIT_END(&d);
        daemon_start(&d);
        uint64_t begun = clock_monotonic_us();
        expect_trouble(l, &t, 100, VERDICT_REASON_TIMEOUT, "deadline");
        ck_assert_uint_ge(clock_monotonic_us() - begun, 100000);
        finish(l, &d);
    }
}
END_TEST

START_TEST(a_line_or_block_beyond_its_bound_is_protocol)
{
    ONE_DAEMON(false);
    ACCEPT(&d);
    EXPECT(&d, "ask\n");
    SEND(&d, "0123456789012345678901234567890123456789\n");
    AWAIT_END(&d);
    daemon_start(&d);
    expect_trouble(l, &t, LONG_MS, VERDICT_REASON_PROTOCOL, "more than 32 octets");
    finish(l, &d);
}
END_TEST

static enum err read_too_much(struct link_connection *c, struct span *out)
{
    return link_read_block(c, LINK_REPLY + 1, out);
}

START_TEST(blocks_are_read_whole_and_bounded)
{
    ONE_DAEMON(true);
    t.read = read_block;
    ACCEPT(&d);
    EXPECT(&d, "ask\n");
    EACH(&d, "a\n\0cde");
    EXPECT(&d, "ask\n");
    AWAIT_END(&d);
    daemon_start(&d);
    expect_answer(l, &t, "a\n");
    t.read = read_too_much;
    expect_trouble(l, &t, LONG_MS, VERDICT_REASON_PROTOCOL, "65537 octets");
    finish(l, &d);
}
END_TEST

START_TEST(what_comes_unasked_ends_the_connection)
{
    ONE_DAEMON(true);
    ACCEPT(&d);
    EXPECT(&d, "ask\n");
    SEND(&d, "one\nmore\n");
    AWAIT_END(&d);
    ACCEPT(&d);
    EXPECT(&d, "ask\n");
    SEND(&d, "two\n");
    daemon_start(&d);
    expect_answer(l, &t, "one");
    expect_answer(l, &t, "two");
    finish(l, &d);
}
END_TEST

static enum err flood(struct link_connection *c, void *arg)
{
    static char block[256 * 1024];
    struct talk *t = arg;
    struct span line;
    enum err e = ERR_OK;
    while (e == ERR_OK)
        e = link_send(c, span_of(block, sizeof(block)));
    if (e != ERR_STATE)
        return e;
    e = link_read_line(c, 32, &line);
    snprintf(t->answer, sizeof(t->answer), "%.*s", SPAN_ARG(line));
    link_spoil(c);
    return e;
}

START_TEST(an_answer_before_the_end_of_the_request_is_noticed_and_read)
{
    static const struct link_exchange flooding = {.ask = flood};
    for (int closes = 0; closes < 2; closes++) {
        ONE_DAEMON(closes);
        struct verdict v;
        ACCEPT(&d);
        EXPECT(&d, "\0\0\0\0");
        SEND(&d, "enough\n");
        if (closes)
            CLOSE(&d);
        else
            ACCEPT(&d); /* keeps the first open until the next connection */
        daemon_start(&d);
        ck_assert_msg(link_run(l, &flooding, &t, LONG_MS, &v), "%s", v.detail);
        ck_assert_str_eq(t.answer, "enough");
        if (!closes) {
            struct verdict ignored;
            link_run(l, &exchange, &t, 200, &ignored);
        }
        finish(l, &d);
    }
}
END_TEST

START_TEST(a_name_that_is_not_known_is_down_and_no_more)
{
    struct talk t = {.asked = 0};
    struct server_name name = {.host = "name.invalid", .port = 1};
    struct link *l = link_new(&name, 1, LONG_MS);
    uint16_t ports[4];
    expect_trouble(l, &t, LONG_MS, VERDICT_REASON_DOWN, "not looked up");
    ck_assert_uint_eq(link_ports(l, ports, ARRAY_SIZE(ports)), 1);
    ck_assert_uint_eq(ports[0], 1);
    link_free(l);
}
END_TEST

static enum err admit_all_but_the_first(struct link_connection *c, void *arg)
{
    struct talk *t = arg;
    t->admissions++;
    if (c->server > 0)
        return ERR_OK;
    link_explain(c, "no place");
    return ERR_CLOSED;
}

START_TEST(a_server_that_has_no_place_for_us_gives_way_to_the_next)
{
    static const struct link_exchange admitted = {.admit = admit_all_but_the_first, .greet = greet, .ask = ask};
    struct daemon_script full, second;
    struct talk t = {.asked = 0};
    struct verdict v;
    daemon_listen(&full, false);
    daemon_listen(&second, false);
    const struct daemon_script *const daemons[] = {&full, &second};
    struct link *l = link_to(daemons, 2, LONG_MS), *alone = link_to(daemons, 1, LONG_MS);
    ACCEPT(&second);
    EXPECT(&second, "ask\n");
    SEND(&second, "one\n");
    EXPECT(&second, "ask\n");
    SEND(&second, "two\n");
    AWAIT_END(&second);
    daemon_start(&second);
    for (int i = 0; i < 2; i++)
        ck_assert(link_run(l, &admitted, &t, LONG_MS, &v));
    ck_assert_str_eq(t.answer, "two");
    ck_assert_uint_eq(t.admissions, 2); /* once for each, and not for a connection that is kept */
    ck_assert(!link_run(alone, &admitted, &t, LONG_MS, &v));
    ck_assert_msg(v.reason == VERDICT_REASON_DOWN && strstr(v.detail, "no place"), "%s", v.detail);
    link_free(alone);
    finish(l, &second);
    daemon_vanish(&full);
}
END_TEST

/* "ask\n", a pause, "end\n", and the answer is awaited. */
struct pausing {
    uint64_t us;
    enum err paused;
    bool overtaken;
};

static enum err ask_in_two(struct link_connection *c, void *arg)
{
    struct pausing *p = arg;
    struct span line;
    enum err e = link_send(c, SPAN("ask\n"));
    if (e == ERR_OK)
        p->paused = e = link_pause(c, p->us);
    if (e == ERR_OK)
        e = link_send(c, SPAN("end\n"));
    if (e == ERR_OK)
        e = link_await(c, &p->overtaken);
    return e == ERR_OK || e == ERR_STATE ? link_read_line(c, 32, &line) : e;
}

static const struct link_exchange in_two = {.ask = ask_in_two};

START_TEST(a_pause_ends_with_time_or_with_a_word)
{
    for (int early = 0; early < 2; early++)
        for (int local = 0; local < 2; local++) {
            struct pausing p = {.us = early ? LONG_MS * 1000ULL : 1000, .paused = ERR_IO};
            struct verdict v;
            ONE_DAEMON(local);
            (void)t;
            ACCEPT(&d);
            if (early)
                EXPECT(&d, "ask\n");
            else
                EXPECT(&d, "ask\nend\n");
            SEND(&d, "one\n");
            AWAIT_END(&d);
            daemon_start(&d);
            ck_assert_msg(link_run(l, &in_two, &p, LONG_MS, &v), "%s", v.detail);
            ck_assert(p.paused == (early ? ERR_STATE : ERR_OK) && !p.overtaken);
            finish(l, &d);
        }
}
END_TEST

START_TEST(a_pause_ends_at_the_deadline_and_with_the_connection)
{
    struct pausing p = {.us = LONG_MS * 1000ULL, .paused = ERR_OK};
    struct verdict v;
    ONE_DAEMON(false);
    (void)t;
    ACCEPT(&d);
    AWAIT_END(&d);
    ACCEPT(&d);
    EXPECT(&d, "ask\n");
    CLOSE(&d);
    daemon_start(&d);
    ck_assert(!link_run(l, &in_two, &p, 50, &v));
    ck_assert_msg(p.paused == ERR_AGAIN && v.reason == VERDICT_REASON_TIMEOUT, "%s", v.detail);
    ck_assert(!link_run(l, &in_two, &p, LONG_MS, &v));
    ck_assert_msg(p.paused == ERR_CLOSED && v.reason == VERDICT_REASON_DOWN, "%s", v.detail);
    finish(l, &d);
}
END_TEST

/* Whoever is quicker. */
START_TEST(an_answer_without_the_end_shows_before_or_after_it_is_sent)
{
    for (int i = 0; i < 20; i++) {
        struct pausing p = {.us = 0, .paused = ERR_IO};
        struct verdict v;
        ONE_DAEMON(true);
        (void)t;
        ACCEPT(&d);
        EXPECT(&d, "ask\n");
        SEND(&d, "one\n");
        RELIEVE(&d); /* "end" is not read before */
        AWAIT_END(&d);
        daemon_start(&d);
        ck_assert_msg(link_run(l, &in_two, &p, LONG_MS, &v), "%s", v.detail);
        ck_assert(p.paused == ERR_STATE || p.overtaken);
        struct link *other = link_to(daemons, 1, LONG_MS);
        ck_assert(!link_run(other, &in_two, &p, 50, &v));
        link_free(other);
        finish(l, &d);
    }
}
END_TEST

START_TEST(whether_somebody_is_there_is_seen_without_a_word)
{
    struct daemon_script away, here;
    struct server_name names[2];
    struct errtext why = {""};
    daemon_listen(&away, true);
    daemon_listen(&here, false);
    daemon_vanish(&away);
    const struct daemon_script *const both[] = {&away, &here};
    for (size_t i = 0; i < 2; i++)
        ck_assert(server_name_parse(span_cstr(both[i]->name), 0, &names[i], &why) == ERR_OK);
    struct link *l = link_new(names, 2, LONG_MS), *alone = link_new(names, 1, LONG_MS);
    ck_assert_msg(link_try(l, LONG_MS, &why) == ERR_OK, "%s", why.text);
    ck_assert(link_try(alone, LONG_MS, &why) == ERR_CLOSED);
    ck_assert_msg(strstr(why.text, away.name) && strstr(why.text, "cannot connect"), "%s", why.text);
    daemon_vanish(&here);
    ck_assert(link_try(l, LONG_MS, &why) == ERR_CLOSED);
    ck_assert_msg(strstr(why.text, away.name) && strstr(why.text, here.name), "%s", why.text);
    link_free(l);
    link_free(alone);
    ck_assert(server_name_parse(SPAN("name.invalid:1"), 0, &names[0], &why) == ERR_OK);
    l = link_new(names, 1, LONG_MS); /* nobody waits for a name server */
    ck_assert(link_try(l, LONG_MS, &why) == ERR_OK);
    link_free(l);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(one_connection_serves_many_requests_over_tcp_and_unix_sockets)                                                   \
    X(a_connection_that_was_closed_while_idle_is_replaced)                                                             \
    X(a_kept_connection_that_ends_without_an_answer_costs_one_more_try_and_no_more)                                    \
    X(an_answer_that_began_is_never_asked_for_again)                                                                   \
    X(the_next_server_is_asked_when_one_is_away_and_comes_first_then)                                                  \
    X(a_server_that_closes_before_it_answers_gives_way_to_the_next)                                                    \
    X(a_server_that_accepts_and_never_greets_gives_way_to_the_next)                                                    \
    X(a_wrong_greeting_gives_way_to_the_next_and_is_protocol_at_the_last)                                              \
    X(silence_and_half_a_line_end_at_the_deadline)                                                                     \
    X(a_line_or_block_beyond_its_bound_is_protocol)                                                                    \
    X(blocks_are_read_whole_and_bounded)                                                                               \
    X(what_comes_unasked_ends_the_connection)                                                                          \
    X(an_answer_before_the_end_of_the_request_is_noticed_and_read)                                                     \
    X(a_pause_ends_with_time_or_with_a_word)                                                                           \
    X(a_pause_ends_at_the_deadline_and_with_the_connection)                                                            \
    X(an_answer_without_the_end_shows_before_or_after_it_is_sent)                                                      \
    X(whether_somebody_is_there_is_seen_without_a_word)                                                                \
    X(a_name_that_is_not_known_is_down_and_no_more)                                                                    \
    X(a_server_that_has_no_place_for_us_gives_way_to_the_next)
#include "support/check_main.h"
