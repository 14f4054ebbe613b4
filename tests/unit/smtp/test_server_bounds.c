/* SPDX-License-Identifier: MIT */
/* The server engine: what a client may do too much of. */
#include "server_play.h"

START_TEST(a_long_line_costs_one_error_and_no_memory)
{
    char block[1000];
    struct play p;
    memset(block, 'x', sizeof(block));
    block[500] = '\n'; /* bare ones end nothing */
    block[sizeof(block) - 1] = '\r';
    play_init(&p, &PLAY_OPTIONS);
    play_feed(&p, SPAN("NOOP "));
    for (unsigned i = 0; i < 20000; i++) {
        play_feed(&p, span_of(block, sizeof(block)));
        MUST(p.in.capacity <= 4 * LIMIT_COMMAND_LINE);
    }
    ck_assert(!out_has(&p, "500"));
    play_feed(&p, SPAN("\r"));
    play_feed(&p, SPAN("\nNOOP\r\n"));
    check_text(&p.out, GREETING "500 Command line too long\r\n250 OK\r\n");
    play_release(&p);
}
END_TEST

static int noop_of(size_t len)
{
    char line[LIMIT_COMMAND_LINE + 16];
    struct play p;
    memset(line, 'x', sizeof(line));
    memcpy(line, "NOOP ", 5);
    memcpy(line + len - 2, "\r\n", 2);
    play_whole(&p, span_of(line, len));
    int code = last_code(&p);
    play_feed(&p, SPAN("QUIT\r\n"));
    ck_assert_int_eq(last_code(&p), 221);
    play_release(&p);
    return code;
}

START_TEST(the_line_limit_counts_the_line_end)
{
    ck_assert_int_eq(noop_of(LIMIT_COMMAND_LINE - 1), 250);
    ck_assert_int_eq(noop_of(LIMIT_COMMAND_LINE), 250);
    ck_assert_int_eq(noop_of(LIMIT_COMMAND_LINE + 1), 500);
    ck_assert_int_eq(noop_of(LIMIT_COMMAND_LINE + 2), 500);
}
END_TEST

START_TEST(no_octet_of_a_command_line_makes_a_second_command)
{
    for (unsigned o = 0; o < 256; o++)
        for (size_t at = 0; at < 27; at++) {
            char line[] = "MAIL FROM:<abc@example.org>\r\n";
            struct play p;
            line[at] = (char)o;
            play_whole(&p, SPAN("EHLO c\r\n"));
            buf_clear(&p.events);
            play_feed(&p, span_of(line, sizeof(line) - 1));
            struct span events = buf_span(&p.events);
            /* Either refused, or one MAIL whose path is printable and one line. */
            MUST(events.len == 0 || (span_starts(events, SPAN("MAIL <")) && span_find(events, '\n') == events.len - 1));
            for (size_t i = 0; i + 1 < events.len; i++)
                MUST(char_is_print(events.ptr[i]));
            MUST(events.len == 0 || last_code(&p) == 250);
            MUST(events.len > 0 || last_code(&p) >= 500);
            play_release(&p);
        }
}
END_TEST

START_TEST(a_bare_lf_or_cr_ends_no_command)
{
    check_session("EHLO c\nMAIL FROM:<a@b>\r\nEHLO c\rMAIL FROM:<a@b>\r\nMAIL FROM:<a@b\rRCPT TO:<x@y>>\r\n", "",
                  GREETING "500 Control character or line end other than CRLF in command\r\n"
                           "500 Control character or line end other than CRLF in command\r\n"
                           "500 Control character or line end other than CRLF in command\r\n");
}
END_TEST

START_TEST(too_many_errors_close)
{
    struct play p;
    play_whole(&p, SPAN("EHLO c\r\n"));
    for (unsigned i = 0; i < 19; i++)
        play_feed(&p, SPAN("BAD\r\n"));
    ck_assert_int_eq(last_code(&p), 500);
    ck_assert_int_eq(p.last, SMTP_SERVER_NEED_INPUT);
    play_feed(&p, SPAN("BAD\r\nNOOP\r\n"));
    ck_assert_int_eq(last_code(&p), 421);
    ck_assert(out_has(&p, "500 5.5.2 Command not recognised\r\n421 4.7.0 Too many errors, closing connection\r\n"));
    ck_assert_int_eq(p.last, SMTP_SERVER_CLOSE);
    play_release(&p);
}
END_TEST

START_TEST(an_accepted_message_forgives_errors)
{
    struct play p;
    play_whole(&p, SPAN(START_MAIL));
    for (unsigned i = 0; i < 19; i++)
        play_feed(&p, SPAN("BAD\r\n"));
    play_feed(&p, SPAN("DATA\r\n.\r\nBAD\r\n"));
    ck_assert_int_eq(p.last, SMTP_SERVER_NEED_INPUT);
    play_release(&p);
}
END_TEST

START_TEST(errors_in_a_group_close_after_its_replies)
{
    struct smtp_server_options options = PLAY_OPTIONS;
    struct play p;
    options.max_errors = 2;
    play_init(&p, &options);
    p.late = true;
    play_feed(&p,
              SPAN("EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<550@b>\r\nRCPT TO:<a@b>\r\nRCPT TO:bad\r\nRCPT TO:<c@b>\r\n"));
    ck_assert(out_has(&p, "250 2.0.0 fine\r\n550 5.0.0 fine\r\n250 2.0.0 fine\r\n"
                          "501 5.5.4 Syntax: RCPT TO:<address> [parameters]\r\n250 2.0.0 fine\r\n421 4.7.0 "));
    ck_assert_int_eq(p.last, SMTP_SERVER_CLOSE);
    play_release(&p);
}
END_TEST

START_TEST(too_much_junk_closes)
{
    static const char *const junk[] = {"NOOP\r\n", "RSET\r\n", "VRFY x\r\n", "HELP\r\n", "EHLO c\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(junk); i++) {
        struct play p;
        play_whole(&p, SPAN(""));
        for (unsigned n = 0; n < 100; n++)
            play_feed(&p, span_cstr(junk[i]));
        ck_assert_int_eq(p.last, SMTP_SERVER_NEED_INPUT);
        play_feed(&p, span_cstr(junk[i]));
        ck_assert_int_eq(p.last, SMTP_SERVER_CLOSE);
        ck_assert(out_has(&p, "Too many commands without a message"));
        play_release(&p);
    }
}
END_TEST

START_TEST(a_flood_of_recipients_closes)
{
    struct play p;
    play_whole(&p, SPAN(START_MAIL));
    unsigned sent = 0;
    while (p.last == SMTP_SERVER_NEED_INPUT && sent < 5000) {
        play_feed(&p, SPAN("RCPT TO:<x@y>\r\n"));
        sent++;
    }
    ck_assert_uint_eq(sent, 2 + 1000 + 20);
    ck_assert_int_eq(last_code(&p), 421);
    play_release(&p);
}
END_TEST

START_TEST(output_that_is_not_taken_stops_input)
{
    struct smtp_server_options options = PLAY_OPTIONS;
    enum smtp_server_event_kind last;
    struct play p;
    options.max_errors = options.max_junk = 0;
    play_init(&p, &options);
    for (unsigned i = 0; i < 8000; i++)
        MUST(buf_append(&p.in, SPAN("BADBAD\r\n")) == ERR_OK);
    unsigned stops = 0;
    while (events_unanswered(&p, &last), last == SMTP_SERVER_BLOCKED) {
        ck_assert_uint_eq(smtp_server_unanswered(&p.server), 0);
        play_flush(&p);
        stops++;
    }
    play_flush(&p);
    ck_assert_uint_gt(stops, 0);
    ck_assert_int_eq(last, SMTP_SERVER_NEED_INPUT);
    ck_assert_uint_eq(buf_len(&p.out), strlen(GREETING) + 8000 * strlen("500 Command not recognised\r\n"));
    play_release(&p);
}
END_TEST

struct size_row {
    const char *body, *event;
};

START_TEST(a_body_is_dropped_behind_the_limit)
{
    static const struct size_row rows[] = {
        {"12345678\r\n.\r\n", "BODY[12345678\r\n] size=10 faults=0 large=0\n"},
        {"..2345678\r\n.\r\n", "BODY[.2345678\r\n] size=10 faults=0 large=0\n"},
        {"123456789\r\n.\r\n", "BODY[123456789\r] size=11 faults=0 large=1\n"},
        {"12\r\n.3\r\n.4\r\n.5\r\n\nQUIT\r\n.\r\n", "BODY[12\r\n3\r\n4\r\n] size=20 faults=2 large=1\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (unsigned bytewise = 0; bytewise < 2; bytewise++) {
            struct smtp_server_options options = PLAY_OPTIONS;
            struct span body = span_cstr(rows[i].body);
            struct play p;
            options.max_message_size = 10;
            play_init(&p, &options);
            play_feed(&p, SPAN(START_MAIL "DATA\r\n"));
            buf_clear(&p.events);
            for (size_t at = 0; at < body.len; at += bytewise ? 1 : body.len)
                play_feed(&p, span_sub(body, at, bytewise ? 1 : body.len));
            check_text(&p.events, rows[i].event);
            play_release(&p);
        }
}
END_TEST

START_TEST(the_smaller_size_limit_holds_at_mail)
{
    struct smtp_server_options options = PLAY_OPTIONS;
    struct play p;
    options.max_message_size = 500;
    play_init(&p, &options);
    play_feed(&p, SPAN("EHLO c\r\nMAIL FROM:<> SIZE=501\r\n"));
    ck_assert(out_has(&p, "552 5.3.4 "));
    p.offer.size_limit = 400;
    play_feed(&p, SPAN("EHLO c\r\nMAIL FROM:<> SIZE=401\r\n"));
    ck_assert_int_eq(last_code(&p), 552);
    p.offer.size_limit = 0;
    play_feed(&p, SPAN("EHLO c\r\nMAIL FROM:<> SIZE=500\r\n"));
    ck_assert_int_eq(last_code(&p), 250);
    ck_assert(out_has(&p, "250-SIZE\r\n"));
    play_release(&p);
}
END_TEST

START_TEST(answers_questions_about_the_session)
{
    struct play p;
    play_whole(&p, SPAN("EHLO [IPv6:::1]\r\n"));
    ck_assert(span_eq(smtp_server_hello_name(&p.server), SPAN("[IPv6:::1]")));
    ck_assert(!smtp_server_in_transaction(&p.server));
    play_feed(&p, SPAN("MAIL FROM:<>\r\n"));
    ck_assert(smtp_server_in_transaction(&p.server));
    play_feed(&p, SPAN("RCPT TO:<a@b>\r\nDATA\r\nx"));
    ck_assert(smtp_server_in_body(&p.server));
    ck_assert(smtp_server_in_transaction(&p.server));
    ck_assert_uint_eq(smtp_server_recipients(&p.server), 1);
    play_feed(&p, SPAN("\r\n.\r\n"));
    ck_assert(!smtp_server_in_body(&p.server));
    ck_assert(!smtp_server_in_transaction(&p.server));
    play_release(&p);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_long_line_costs_one_error_and_no_memory)                                                                       \
    X(the_line_limit_counts_the_line_end)                                                                              \
    X(no_octet_of_a_command_line_makes_a_second_command)                                                               \
    X(a_bare_lf_or_cr_ends_no_command)                                                                                 \
    X(too_many_errors_close)                                                                                           \
    X(an_accepted_message_forgives_errors)                                                                             \
    X(errors_in_a_group_close_after_its_replies)                                                                       \
    X(too_much_junk_closes)                                                                                            \
    X(a_flood_of_recipients_closes)                                                                                    \
    X(output_that_is_not_taken_stops_input)                                                                            \
    X(a_body_is_dropped_behind_the_limit)                                                                              \
    X(the_smaller_size_limit_holds_at_mail)                                                                            \
    X(answers_questions_about_the_session)
#include "support/check_main.h"
