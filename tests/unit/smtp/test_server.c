/* SPDX-License-Identifier: MIT */
/* The server engine: sessions as text in, events and replies as text out. */
#include "server_play.h"

/* ---- Sessions ---- */

START_TEST(receives_a_message)
{
    check_session("EHLO client.example\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhello\r\n..dot\r\n.\r\nQUIT\r\n",
                  "EHLO client.example\nMAIL <a@b> size=0 body=0\nRCPT <c@d>\nDATA\n"
                  "BODY[hello\r\n.dot\r\n] size=13 faults=0 large=0\nQUIT\n",
                  GREETING EHLO_REPLY "250 2.0.0 fine\r\n250 2.0.0 fine\r\n354 fine\r\n250 2.0.0 fine\r\n"
                                      "221 2.0.0 Goodbye\r\n");
}
END_TEST

START_TEST(helo_means_no_extension_and_no_enhanced_codes)
{
    check_session("HELO c\r\nMAIL FROM:<a@b> SIZE=1\r\nMAIL FROM:<a@b> BODY=7BIT\r\nMAIL FROM:<>\r\nNOOP\r\nBAD\r\n",
                  "HELO c\nMAIL <> size=0 body=0\n",
                  GREETING "250 gw.example.org\r\n555 Parameter not recognised or not offered\r\n"
                           "555 Parameter not recognised or not offered\r\n250 fine\r\n250 OK\r\n"
                           "500 Command not recognised\r\n");
}
END_TEST

START_TEST(ehlo_in_a_transaction_ends_it)
{
    check_session(START_MAIL "EHLO again\r\nRCPT TO:<c@d>\r\n",
                  "EHLO c\nMAIL <a@b> size=0 body=0\nRCPT <c@d>\nRSET\nEHLO again\n",
                  GREETING EHLO_REPLY "250 2.0.0 fine\r\n250 2.0.0 fine\r\n" EHLO_REPLY "503 5.5.1 MAIL first\r\n");
}
END_TEST

START_TEST(a_bad_ehlo_ends_nothing)
{
    check_session(START_MAIL "EHLO a b\r\nRCPT TO:<e@f>\r\n",
                  "EHLO c\nMAIL <a@b> size=0 body=0\nRCPT <c@d>\nRCPT <e@f>\n",
                  GREETING EHLO_REPLY "250 2.0.0 fine\r\n250 2.0.0 fine\r\n"
                                      "501 Host name or address literal expected\r\n250 2.0.0 fine\r\n");
}
END_TEST

START_TEST(commands_are_read_in_any_case_and_paths_passed_in_canonical_form)
{
    check_session("eHlO c\r\nmAiL fRoM: <UsEr@EX>  SIZE=5  body=8bitmime \r\nRCPT to:<@r,@s:\">\"@x>\r\n"
                  "rcpt\tTO:<Postmaster>\r\n",
                  "EHLO c\nMAIL <UsEr@EX> size=5 body=2\nRCPT <\">\"@x>\nRCPT <Postmaster>\n",
                  GREETING EHLO_REPLY "250 2.0.0 fine\r\n250 2.0.0 fine\r\n250 2.0.0 fine\r\n");
}
END_TEST

START_TEST(vrfy_and_help_are_answered_at_once)
{
    check_session("VRFY x\r\nHELP\r\nHELP me\r\n", "",
                  GREETING "252 Cannot verify, send the message and see\r\n"
                           "214 Commands: EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT\r\n"
                           "214 Commands: EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT\r\n");
}
END_TEST

START_TEST(nothing_is_read_after_quit)
{
    struct play p;
    struct smtp_server_event e;
    play_whole(&p, SPAN("QUIT\r\nEHLO c\r\n"));
    check_text(&p.out, GREETING "221 Goodbye\r\n");
    play_next(&p.server, &p.in, &e);
    ck_assert_int_eq(e.kind, SMTP_SERVER_QUIT);
    ck_assert(buf_len(smtp_server_out(&p.server)) == 0);
    play_release(&p);
}
END_TEST

START_TEST(other_protocols_are_shown_out)
{
    static const char *const verbs[] = {"GET / HTTP/1.1", "post / HTTP/1.0", "CONNECT a:25 HTTP/1.1", "PRI * HTTP/2.0"};
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        char input[128], out[128];
        snprintf(input, sizeof(input), "%s\r\nHost: x\r\n\r\nEHLO c\r\nMAIL FROM:<a@b>\r\n", verbs[i]);
        snprintf(out, sizeof(out), GREETING "421 This is SMTP, closing connection\r\n");
        check_session(input, "CLOSE not SMTP\n", out);
    }
}
END_TEST

/* ---- Verb and state ---- */

struct state_row {
    const char *name, *commands;
};

static const struct state_row STATES[] = {
    {"greeted", ""},
    {"EHLO", "EHLO c\r\n"},
    {"HELO", "HELO c\r\n"},
    {"MAIL", "EHLO c\r\nMAIL FROM:<a@b>\r\n"},
    {"MAIL refused", "EHLO c\r\nMAIL FROM:<550@b>\r\n"},
    {"RCPT", START_MAIL},
    {"RCPT refused", "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<550@d>\r\n"},
    {"RCPT bad", "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:bad\r\n"},
    {"after a message", START_MAIL "DATA\r\n.\r\n"},
    {"after RSET", START_MAIL "RSET\r\n"},
};

struct verb_row {
    const char *command;
    int codes[ARRAY_SIZE(STATES)];
};

static const struct verb_row VERBS[] = {
    {"EHLO d", {250, 250, 250, 250, 250, 250, 250, 250, 250, 250}},
    {"HELO d", {250, 250, 250, 250, 250, 250, 250, 250, 250, 250}},
    {"EHLO", {501, 501, 501, 501, 501, 501, 501, 501, 501, 501}},
    {"EHLO [127.0.0.1]", {250, 250, 250, 250, 250, 250, 250, 250, 250, 250}},
    {"MAIL FROM:<x@y>", {503, 250, 250, 503, 250, 503, 503, 503, 250, 250}},
    {"MAIL FROM:<>", {503, 250, 250, 503, 250, 503, 503, 503, 250, 250}},
    {"MAIL FROM:x@y", {503, 501, 501, 503, 501, 503, 503, 503, 501, 501}},
    {"MAIL TO:<x@y>", {503, 501, 501, 503, 501, 503, 503, 503, 501, 501}},
    {"MAIL FROM:<x@y> RET=HDRS", {503, 555, 555, 503, 555, 503, 503, 503, 555, 555}},
    {"MAIL FROM:<x@y> SIZE=1000001", {503, 552, 555, 503, 552, 503, 503, 503, 552, 552}},
    {"MAIL FROM:<x@y> SIZE=1000000", {503, 250, 555, 503, 250, 503, 503, 503, 250, 250}},
    {"MAIL", {503, 501, 501, 503, 501, 503, 503, 503, 501, 501}},
    {"RCPT TO:<x@y>", {503, 503, 503, 250, 503, 250, 250, 250, 503, 503}},
    {"RCPT TO:<>", {503, 503, 503, 501, 503, 501, 501, 501, 503, 503}},
    {"RCPT TO:<x@y> NOTIFY=NEVER", {503, 503, 503, 555, 503, 555, 555, 555, 503, 503}},
    {"RCPT TO:<451x@y>", {503, 503, 503, 451, 503, 451, 451, 451, 503, 503}},
    {"DATA", {503, 503, 503, 503, 503, 354, 554, 554, 503, 503}},
    {"DATA x", {503, 503, 503, 501, 503, 501, 501, 501, 503, 503}},
    {"RSET", {250, 250, 250, 250, 250, 250, 250, 250, 250, 250}},
    {"RSET x", {501, 501, 501, 501, 501, 501, 501, 501, 501, 501}},
    {"NOOP", {250, 250, 250, 250, 250, 250, 250, 250, 250, 250}},
    {"NOOP x y", {250, 250, 250, 250, 250, 250, 250, 250, 250, 250}},
    {"VRFY x", {252, 252, 252, 252, 252, 252, 252, 252, 252, 252}},
    {"VRFY", {501, 501, 501, 501, 501, 501, 501, 501, 501, 501}},
    {"HELP", {214, 214, 214, 214, 214, 214, 214, 214, 214, 214}},
    {"QUIT", {221, 221, 221, 221, 221, 221, 221, 221, 221, 221}},
    {"EXPN x", {502, 502, 502, 502, 502, 502, 502, 502, 502, 502}},
    {"STARTTLS", {502, 502, 502, 502, 502, 502, 502, 502, 502, 502}},
    {"AUTH PLAIN AGEAYg==", {502, 502, 502, 502, 502, 502, 502, 502, 502, 502}},
    {"BDAT 0 LAST", {502, 502, 502, 502, 502, 502, 502, 502, 502, 502}},
    {"XCLIENT ADDR=10.0.0.1", {502, 502, 502, 502, 502, 502, 502, 502, 502, 502}},
    {"ETRN x", {502, 502, 502, 502, 502, 502, 502, 502, 502, 502}},
    {"TURN", {502, 502, 502, 502, 502, 502, 502, 502, 502, 502}},
    {"MAILX FROM:<x@y>", {500, 500, 500, 500, 500, 500, 500, 500, 500, 500}},
    {"", {500, 500, 500, 500, 500, 500, 500, 500, 500, 500}},
    {" NOOP", {500, 500, 500, 500, 500, 500, 500, 500, 500, 500}},
    {"NOOP \x01", {500, 500, 500, 500, 500, 500, 500, 500, 500, 500}},
    {"NOOP \xc3\xa9", {501, 501, 501, 501, 501, 501, 501, 501, 501, 501}},
    {"GET / HTTP/1.0", {421, 421, 421, 421, 421, 421, 421, 421, 421, 421}},
};

START_TEST(each_verb_in_each_state)
{
    for (size_t v = 0; v < ARRAY_SIZE(VERBS); v++)
        for (size_t s = 0; s < ARRAY_SIZE(STATES); s++) {
            struct play p;
            play_whole(&p, span_cstr(STATES[s].commands));
            play_feed(&p, span_cstr(VERBS[v].command));
            play_feed(&p, SPAN("\r\n"));
            ck_assert_msg(last_code(&p) == VERBS[v].codes[s], "\"%s\" when %s: %d", VERBS[v].command, STATES[s].name,
                          last_code(&p));
            play_release(&p);
        }
}
END_TEST

/* ---- Replies of the owner ---- */

struct given_row {
    struct smtp_reply reply;
    const char *out;
};

START_TEST(replies_are_relayed_with_an_enhanced_code_of_their_class)
{
    static const struct given_row rows[] = {
        {{250, {2, 1, 0}, {"ok", 2}}, "250 2.1.0 ok\r\n"},
        {{250, {0}, {"ok", 2}}, "250 2.0.0 ok\r\n"},
        {{450, {5, 1, 2}, {"x", 1}}, "450 4.1.2 x\r\n"},
        {{550, {4, 7, 1}, {"x", 1}}, "550 5.7.1 x\r\n"},
        {{550, {0}, {"a\nb", 3}}, "550-5.0.0 a\r\n550 5.0.0 b\r\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct play p;
        struct smtp_server_event e;
        play_whole(&p, SPAN("EHLO c\r\n"));
        MUST(buf_append(&p.in, SPAN("MAIL FROM:<>\r\n")) == ERR_OK);
        play_next(&p.server, &p.in, &e);
        ck_assert_int_eq(e.kind, SMTP_SERVER_MAIL);
        ck_assert_int_eq(smtp_server_reply(&p.server, &rows[i].reply), ERR_OK);
        check_text(smtp_server_out(&p.server), rows[i].out);
        play_release(&p);
    }
}
END_TEST

START_TEST(a_reply_that_does_not_answer_is_refused)
{
    static const int no_mail[] = {100, 199, 354, 600, 0, -1};
    struct smtp_reply r = {.code = 250};
    struct smtp_server_event e;
    struct play p;
    play_whole(&p, SPAN("EHLO c\r\n"));
    ck_assert_int_eq(smtp_server_reply(&p.server, &r), ERR_STATE);
    ck_assert_int_eq(smtp_server_reply_hello(&p.server, &p.offer), ERR_STATE);
    ck_assert_int_eq(smtp_server_greet(&p.server), ERR_STATE);
    MUST(buf_append(&p.in, SPAN("MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n")) == ERR_OK);
    play_next(&p.server, &p.in, &e);
    for (size_t i = 0; i < ARRAY_SIZE(no_mail); i++) {
        r.code = no_mail[i];
        ck_assert_int_ne(smtp_server_reply(&p.server, &r), ERR_OK);
    }
    ck_assert_int_eq(smtp_server_reply_hello(&p.server, &p.offer), ERR_STATE);
    ck_assert_uint_eq(smtp_server_unanswered(&p.server), 1);
    r.code = 250;
    ck_assert_int_eq(smtp_server_reply(&p.server, &r), ERR_OK);
    play_next(&p.server, &p.in, &e);
    ck_assert_int_eq(smtp_server_reply(&p.server, &r), ERR_OK);
    play_next(&p.server, &p.in, &e);
    ck_assert_int_eq(e.kind, SMTP_SERVER_DATA);
    ck_assert_int_eq(smtp_server_reply(&p.server, &r), ERR_STATE);
    play_release(&p);
}
END_TEST

START_TEST(a_refused_data_ends_the_transaction)
{
    struct play p;
    play_init(&p, &PLAY_OPTIONS);
    p.data_code = 452;
    play_feed(&p, SPAN(START_MAIL "DATA\r\n"));
    ck_assert_int_eq(last_code(&p), 452);
    ck_assert(!smtp_server_in_transaction(&p.server));
    ck_assert(!smtp_server_in_body(&p.server));
    play_feed(&p, SPAN("RCPT TO:<c@d>\r\n"));
    ck_assert_int_eq(last_code(&p), 503);
    play_feed(&p, SPAN("MAIL FROM:<a@b>\r\n"));
    ck_assert_int_eq(last_code(&p), 250);
    play_release(&p);
}
END_TEST

START_TEST(a_421_of_the_owner_closes)
{
    struct play p;
    play_whole(&p, SPAN("EHLO c\r\nMAIL FROM:<421@b>\r\nEHLO d\r\n"));
    check_text(&p.events, "EHLO c\nMAIL <421@b> size=0 body=0\nCLOSE 421 was answered\n");
    play_release(&p);
}
END_TEST

START_TEST(a_refused_command_is_told_with_its_line_and_reply)
{
    static const struct {
        const char *line;
        int code;
    } rows[] = {{"FROB x", 500}, {"RCPT TO:<a@b>", 503}, {"MAIL FROM:<a@b> X=1", 555}, {"EXPN list", 502}};
    struct play p;
    play_init(&p, &PLAY_OPTIONS);
    play_feed(&p, SPAN("EHLO c\r\n"));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct smtp_server_event e;
        ck_assert_int_eq(buf_append(&p.in, span_cstr(rows[i].line)), ERR_OK);
        ck_assert_int_eq(buf_append(&p.in, SPAN("\r\n")), ERR_OK);
        smtp_server_next(&p.server, &p.in, &e);
        ck_assert_int_eq(e.kind, SMTP_SERVER_REFUSED);
        ck_assert(span_eq(e.refused.line, span_cstr(rows[i].line)));
        ck_assert_int_eq(smtp_say(e.refused.say).code, rows[i].code);
        smtp_server_next(&p.server, &p.in, &e);
        ck_assert_int_eq(e.kind, SMTP_SERVER_NEED_INPUT);
    }
    play_release(&p);
}
END_TEST

START_TEST(a_hello_can_be_refused)
{
    struct smtp_reply no = {.code = 554, .enhanced = {5, 7, 1}, .text = SPAN("not you")};
    struct smtp_server_event e;
    struct play p;
    play_whole(&p, SPAN(""));
    MUST(buf_append(&p.in, SPAN("EHLO c\r\nMAIL FROM:<>\r\n")) == ERR_OK);
    play_next(&p.server, &p.in, &e);
    ck_assert_int_eq(smtp_server_reply(&p.server, &no), ERR_OK);
    play_next(&p.server, &p.in, &e);
    ck_assert_int_eq(e.kind, SMTP_SERVER_NEED_INPUT);
    check_text(smtp_server_out(&p.server), GREETING "554 not you\r\n503 EHLO or HELO first\r\n");
    play_release(&p);
}
END_TEST

START_TEST(shut_says_its_reply_in_any_state)
{
    static const char *const states[] = {"", "EHLO c\r\n", START_MAIL, START_MAIL "DATA\r\nhalf a mess"};
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        struct smtp_reply r = smtp_say(SMTP_SAY_SHUTTING_DOWN);
        struct smtp_server_event e;
        struct play p;
        play_whole(&p, span_cstr(states[i]));
        play_flush(&p);
        smtp_server_shut(&p.server, &r);
        smtp_server_shut(&p.server, &r);
        check_text(smtp_server_out(&p.server), i == 0 ? "421 Service shutting down, try again later\r\n"
                                                      : "421 4.3.2 Service shutting down, try again later\r\n");
        MUST(buf_append(&p.in, SPAN("\r\n.\r\nQUIT\r\n")) == ERR_OK);
        size_t before = buf_len(&p.in);
        play_next(&p.server, &p.in, &e);
        ck_assert_int_eq(e.kind, SMTP_SERVER_CLOSE);
        ck_assert_uint_eq(buf_len(&p.in), before);
        ck_assert_int_eq(smtp_server_reply(&p.server, &r), ERR_STATE);
        play_release(&p);
    }
}
END_TEST

START_TEST(nothing_is_read_before_the_greeting)
{
    struct smtp_reply no = smtp_say(SMTP_SAY_TOO_MANY_CONNECTIONS);
    struct smtp_server_event e;
    struct smtp_server s;
    struct buf in;
    smtp_server_init(&s, &PLAY_OPTIONS);
    buf_init(&in, 4096);
    MUST(buf_append(&in, SPAN("EHLO early\r\n")) == ERR_OK);
    play_next(&s, &in, &e);
    ck_assert_int_eq(e.kind, SMTP_SERVER_BLOCKED);
    smtp_server_shut(&s, &no);
    check_text(smtp_server_out(&s), "421 Too many connections, try again later\r\n");
    ck_assert_int_eq(smtp_server_greet(&s), ERR_STATE);
    smtp_server_release(&s);
    buf_release(&in);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(receives_a_message)                                                                                              \
    X(helo_means_no_extension_and_no_enhanced_codes)                                                                   \
    X(ehlo_in_a_transaction_ends_it)                                                                                   \
    X(a_bad_ehlo_ends_nothing)                                                                                         \
    X(commands_are_read_in_any_case_and_paths_passed_in_canonical_form)                                                \
    X(vrfy_and_help_are_answered_at_once)                                                                              \
    X(nothing_is_read_after_quit)                                                                                      \
    X(other_protocols_are_shown_out)                                                                                   \
    X(each_verb_in_each_state)                                                                                         \
    X(replies_are_relayed_with_an_enhanced_code_of_their_class)                                                        \
    X(a_reply_that_does_not_answer_is_refused)                                                                         \
    X(a_refused_data_ends_the_transaction)                                                                             \
    X(a_421_of_the_owner_closes)                                                                                       \
    X(a_refused_command_is_told_with_its_line_and_reply)                                                               \
    X(a_hello_can_be_refused)                                                                                          \
    X(shut_says_its_reply_in_any_state)                                                                                \
    X(nothing_is_read_before_the_greeting)
#include "support/check_main.h"
