/* SPDX-License-Identifier: MIT */
/* The server engine: sessions as text in, events and replies as text out. */
#include "server_play.h"

#define GREETING "220 gw.example.org ESMTP postern\r\n"
#define EHLO_REPLY                                                                                                     \
    "250-gw.example.org\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"
#define START_MAIL "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"

static void play_whole(struct play *p, struct span input)
{
    play_init(p, &PLAY_OPTIONS);
    play_feed(p, input);
}

static void check_text(struct buf *b, const char *expected)
{
    MUST(buf_append_char(b, '\0') == ERR_OK);
    ck_assert_str_eq(buf_span(b).ptr, expected);
    b->end--;
}

static void check_session(const char *input, const char *events, const char *out)
{
    struct play p;
    play_whole(&p, span_cstr(input));
    check_text(&p.events, events);
    check_text(&p.out, out);
    play_release(&p);
}

/* The code of the last reply line that was given. */
static int last_code(const struct play *p)
{
    struct span out = buf_span(&p->out);
    MUST(out.len > 5 && out.ptr[out.len - 1] == '\n');
    size_t at = out.len - 1;
    while (at > 0 && out.ptr[at - 1] != '\n')
        at--;
    return (int)strtol(out.ptr + at, NULL, 10);
}

static bool out_has(const struct play *p, const char *what)
{
    return span_find_span(buf_span(&p->out), span_cstr(what)) < buf_len(&p->out);
}

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

/* ---- Pipelining ---- */

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

/* Runs until BLOCKED or NEED_INPUT without answering anything; returns how many events came. */
static unsigned events_unanswered(struct play *p, enum smtp_server_event_kind *last)
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

/* ---- Bounds ---- */

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
    X(nothing_is_read_before_the_greeting) X(a_group_is_answered_in_order) X(cuts_change_nothing)                      \
        X(cuts_change_nothing_in_random_sessions) X(at_most_one_window_of_events_is_unanswered)                        \
            X(engine_errors_wait_behind_owed_replies) X(no_recipient_is_accepted_without_its_sender)                   \
                X(recipients_are_limited_by_what_was_accepted) X(recipients_that_are_refused_for_now_are_limited_too)  \
                    X(a_long_line_costs_one_error_and_no_memory) X(the_line_limit_counts_the_line_end)                 \
                        X(no_octet_of_a_command_line_makes_a_second_command) X(a_bare_lf_or_cr_ends_no_command)        \
                            X(too_many_errors_close) X(an_accepted_message_forgives_errors)                            \
                                X(errors_in_a_group_close_after_its_replies) X(too_much_junk_closes)                   \
                                    X(a_flood_of_recipients_closes) X(output_that_is_not_taken_stops_input)            \
                                        X(a_body_is_dropped_behind_the_limit) X(the_smaller_size_limit_holds_at_mail)  \
                                            X(answers_questions_about_the_session)
#include "support/check_main.h"
