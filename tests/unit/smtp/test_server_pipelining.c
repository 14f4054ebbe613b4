/* SPDX-License-Identifier: MIT */
/* The server engine: groups of commands, and the same octets cut in every way. */
#include "server_play.h"

static const char GROUP[] =
    "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<550@d>\r\nRCPT TO:nonsense\r\nRCPT TO:<e@f>\r\n"
    "RCPT TO:<g@h>\r\nRCPT TO:<451@j>\r\nRCPT TO:<k@l>\r\nRCPT TO:<m@n>\r\nDATA\r\n"
    "one\r\n..two\r\n\nthree\rfour\r\n.\r\nNOOP\r\nRSET\r\nMAIL FROM:<x@y>\r\nRCPT TO:<550@d>\r\n"
    "DATA\r\nRSET\r\nMAIL FROM:<x@y>\r\nRCPT TO:<e@f>\r\nDATA\r\n.\r\nHELO d\r\nBAD\r\nQUIT\r\n";

static void check_same(struct play *p, const struct play *whole)
{
    MUST(span_eq(buf_span(&p->events), buf_span(&whole->events)));
    MUST(span_eq(buf_span(&p->out), buf_span(&whole->out)));
    play_release(p);
}

START_TEST(a_group_is_answered_in_order)
{
    struct play p;
    play_init(&p, &PLAY_OPTIONS);
    p.late = true;
    play_feed(&p, span_cstr(GROUP));
    check_text(&p.events, "EHLO c\nMAIL <a@b> size=0 body=0\nRCPT <550@d>\nRCPT <e@f>\nRCPT <g@h>\nRCPT <451@j>\n"
                          "RCPT <k@l>\nDATA\n"
                          "BODY[one\r\n.two\r\n\nthree\rfour\r\n] size=24 faults=3 large=0\nRSET\n"
                          "MAIL <x@y> size=0 body=0\nRCPT <550@d>\nRSET\nMAIL <x@y> size=0 body=0\nRCPT <e@f>\nDATA\n"
                          "BODY[] size=0 faults=0 large=0\nHELO d\nQUIT\n");
    check_text(&p.out, GREETING EHLO_REPLY
               "250 2.0.0 fine\r\n550 5.0.0 fine\r\n501 5.5.4 Syntax: RCPT TO:<address> [parameters]\r\n"
               "250 2.0.0 fine\r\n250 2.0.0 fine\r\n451 4.0.0 fine\r\n250 2.0.0 fine\r\n"
               "452 4.5.3 Too many recipients\r\n354 fine\r\n550 5.0.0 fine\r\n250 2.0.0 OK\r\n"
               "250 2.0.0 OK, start again\r\n250 2.0.0 fine\r\n550 5.0.0 fine\r\n554 5.5.1 No valid recipients\r\n"
               "250 2.0.0 OK, start again\r\n250 2.0.0 fine\r\n250 2.0.0 fine\r\n354 fine\r\n250 2.0.0 fine\r\n"
               "250 gw.example.org\r\n500 Command not recognised\r\n221 Goodbye\r\n");
    play_release(&p);
}
END_TEST

START_TEST(cuts_change_nothing)
{
    struct play whole, p;
    struct span group = span_cstr(GROUP);
    play_init(&whole, &PLAY_OPTIONS);
    play_feed(&whole, group);
    for (unsigned late = 0; late < 2; late++) {
        for (size_t cut = 0; cut <= group.len; cut++) {
            play_init(&p, &PLAY_OPTIONS);
            p.late = late;
            play_feed(&p, span_sub(group, 0, cut));
            play_feed(&p, span_sub(group, cut, group.len));
            check_same(&p, &whole);
        }
        for (size_t step = 1; step < 8; step++) {
            play_init(&p, &PLAY_OPTIONS);
            p.late = late;
            for (size_t at = 0; at < group.len; at += step)
                play_feed(&p, span_sub(group, at, step));
            check_same(&p, &whole);
        }
    }
    play_release(&whole);
}
END_TEST

START_TEST(at_most_one_window_of_events_is_unanswered)
{
    struct smtp_server_options options = PLAY_OPTIONS;
    struct smtp_reply ok = {.code = 250};
    enum smtp_server_event_kind last;
    struct play p;
    options.max_recipients = 0;
    play_init(&p, &options);
    play_feed(&p, SPAN("EHLO c\r\n"));
    MUST(buf_append(&p.in, SPAN("MAIL FROM:<>\r\n")) == ERR_OK);
    for (unsigned i = 0; i < 100; i++)
        MUST(buf_append(&p.in, SPAN("RCPT TO:<a@b>\r\n")) == ERR_OK);
    ck_assert_uint_eq(events_unanswered(&p, &last), LIMIT_PIPELINE);
    ck_assert_int_eq(last, SMTP_SERVER_BLOCKED);
    ck_assert_uint_eq(smtp_server_unanswered(&p.server), LIMIT_PIPELINE);
    MUST(smtp_server_reply(&p.server, &ok) == ERR_OK);
    ck_assert_uint_eq(events_unanswered(&p, &last), 1);
    ck_assert(buf_len(smtp_server_out(&p.server)) > 0);
    play_release(&p);
}
END_TEST

START_TEST(engine_errors_wait_behind_owed_replies)
{
    struct smtp_reply ok = {.code = 250, .text = SPAN("owner")};
    enum smtp_server_event_kind last;
    struct play p;
    play_whole(&p, SPAN("EHLO c\r\n"));
    MUST(buf_append(&p.in, SPAN("MAIL FROM:<>\r\nRCPT TO:bad\r\nRCPT TO:<a@b>\r\nRCPT TO:<>\r\nDATA\r\n")) == ERR_OK);
    ck_assert_uint_eq(events_unanswered(&p, &last), 2);
    ck_assert_int_eq(last, SMTP_SERVER_BLOCKED);
    ck_assert_uint_eq(buf_len(smtp_server_out(&p.server)), 0);
    MUST(smtp_server_reply(&p.server, &ok) == ERR_OK);
    check_text(smtp_server_out(&p.server), "250 2.0.0 owner\r\n501 5.5.4 Syntax: RCPT TO:<address> [parameters]\r\n");
    buf_clear(smtp_server_out(&p.server));
    MUST(smtp_server_reply(&p.server, &ok) == ERR_OK);
    check_text(smtp_server_out(&p.server), "250 2.0.0 owner\r\n501 5.1.3 Recipient address is not valid\r\n");
    ck_assert_uint_eq(events_unanswered(&p, &last), 1); /* DATA */
    play_release(&p);
}
END_TEST

START_TEST(no_recipient_is_accepted_without_its_sender)
{
    struct smtp_reply no = {.code = 550, .text = SPAN("no")}, ok = {.code = 250, .text = SPAN("ok")};
    enum smtp_server_event_kind last;
    struct play p;
    play_whole(&p, SPAN("EHLO c\r\n"));
    MUST(buf_append(&p.in, SPAN("MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n")) == ERR_OK);
    ck_assert_uint_eq(events_unanswered(&p, &last), 2);
    MUST(smtp_server_reply(&p.server, &no) == ERR_OK);
    MUST(smtp_server_reply(&p.server, &ok) == ERR_OK);
    ck_assert_uint_eq(events_unanswered(&p, &last), 0);
    check_text(smtp_server_out(&p.server), "550 5.0.0 no\r\n503 5.5.1 MAIL first\r\n503 5.5.1 MAIL first\r\n");
    ck_assert_uint_eq(smtp_server_recipients(&p.server), 0);
    play_release(&p);
}
END_TEST

/* Refused ones are kept by the owner as well; "not now" is no error, so the count of errors does not bound them. */
START_TEST(recipients_that_are_refused_for_now_are_limited_too)
{
    struct play p;
    unsigned asked = 0;
    play_whole(&p, SPAN("EHLO c\r\nMAIL FROM:<>\r\n"));
    for (; asked < 3000 && p.last != SMTP_SERVER_CLOSE; asked++)
        play_feed(&p, SPAN("RCPT TO:<450@b>\r\n"));
    ck_assert_uint_ge(asked, 1000);
    ck_assert_uint_lt(asked, 2100); /* 1003 that the owner sees, 1000 more that are let pass as overshoot, 20 errors */
    ck_assert_int_eq(last_code(&p), 421);
    play_release(&p);
}
END_TEST

START_TEST(recipients_are_limited_by_what_was_accepted)
{
    struct play p;
    play_whole(&p, SPAN("EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<1@b>\r\nRCPT TO:<550@b>\r\nRCPT TO:<2@b>\r\n"));
    ck_assert_uint_eq(smtp_server_recipients(&p.server), 2);
    play_feed(&p, SPAN("RCPT TO:<x@b>\r\n"));
    ck_assert_int_eq(last_code(&p), 250);
    play_feed(&p, SPAN("RCPT TO:<y@b>\r\n"));
    ck_assert_int_eq(last_code(&p), 452);
    ck_assert_uint_eq(smtp_server_recipients(&p.server), 3);
    play_feed(&p, SPAN("DATA\r\n"));
    ck_assert_int_eq(last_code(&p), 354);
    play_release(&p);
}
END_TEST

/* A session made of pieces, most of them commands, some of them not quite. */
static size_t random_session(uint64_t *seed, char *to, size_t size)
{
    static const char *const pieces[] = {"EHLO c\r\n",
                                         "HELO c\r\n",
                                         "MAIL FROM:<a@b>\r\n",
                                         "MAIL FROM:<550@b>\r\n",
                                         "RCPT TO:<c@d>\r\n",
                                         "RCPT TO:<e@f>\r\n",
                                         "RCPT TO:<550@d>\r\n",
                                         "RCPT TO:<451@d>\r\n",
                                         "RCPT TO:<@r:g@h>\r\n",
                                         "RCPT TO:\r\n",
                                         "RCPT TO:<i@j>\n",
                                         "DATA\r\n",
                                         "DATA\r\n.\r\n",
                                         "text\r\n",
                                         "..\r\n",
                                         ".\r\n",
                                         ".\n",
                                         "\r\n.\r\n",
                                         "\r",
                                         "\n",
                                         "\r\n",
                                         "RSET\r\n",
                                         "NOOP\r\n",
                                         "NOOP\xff\r\n",
                                         "HELP\r\n",
                                         "BAD\r\n",
                                         "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
                                         "RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
                                         "\r\n.\r\n",
                                         "\r\n.\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n",
                                         "AUTH x\r\n",
                                         "QUI",
                                         "T\r\n"};
    size_t len = 0;
    int written = snprintf(to, size, "EHLO c\r\n");
    while (written > 0 && len + (size_t)written < size) {
        len += (size_t)written;
        *seed = *seed * 6364136223846793005U + 1442695040888963407U;
        if ((*seed >> 33) % 60 == 0)
            break;
        const char *piece = pieces[(*seed >> 40) % ARRAY_SIZE(pieces)];
        written = snprintf(to + len, size - len, "%s", piece);
    }
    return len;
}

START_TEST(cuts_change_nothing_in_random_sessions)
{
    struct smtp_server_options options = PLAY_OPTIONS;
    uint64_t seed = 1;
    unsigned messages = 0, late = 0;
    options.max_errors = 200;
    for (unsigned round = 0; round < 2000; round++) {
        char session[2000];
        struct play whole, p;
        struct span input = span_of(session, random_session(&seed, session, sizeof(session)));
        play_init(&whole, &options);
        play_feed(&whole, input);
        messages += whole.transactions;
        play_init(&p, &options);
        /* What is read behind a MAIL that will be refused depends on when it is answered; nothing else does. */
        p.late = span_find_span(input, SPAN("<550@b>")) == input.len;
        late += p.late;
        for (size_t at = 0; at < input.len; at += 1 + round % 13)
            play_feed(&p, span_sub(input, at, 1 + round % 13));
        check_same(&p, &whole);
        play_release(&whole);
    }
    ck_assert_uint_gt(messages, 1000);
    ck_assert_uint_gt(late, 200);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_group_is_answered_in_order)                                                                                    \
    X(cuts_change_nothing)                                                                                             \
    X(at_most_one_window_of_events_is_unanswered)                                                                      \
    X(engine_errors_wait_behind_owed_replies)                                                                          \
    X(no_recipient_is_accepted_without_its_sender)                                                                     \
    X(recipients_that_are_refused_for_now_are_limited_too)                                                             \
    X(recipients_are_limited_by_what_was_accepted)                                                                     \
    X(cuts_change_nothing_in_random_sessions)
#include "support/check_main.h"
