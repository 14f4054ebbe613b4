/* SPDX-License-Identifier: MIT */
/* The client engine against a scripted server. Every dialogue is played with the server's bytes whole, byte by byte,
 * and cut at every position. */
#include "must.h"
#include "smtp/client.h"

enum { BLOCK = 4096 };

/* How the server's bytes of one step are cut. */
struct cut {
    bool each_byte;
    size_t at; /* 0: whole */
};

struct talk {
    struct smtp_client client;
    struct buf in, events;
    struct cut cut;
    char text[8192];
};

static void talk_init(struct talk *t, struct cut cut)
{
    *t = (struct talk){.cut = cut};
    smtp_client_init(&t->client, SPAN("gw.example.org"));
    buf_init(&t->in, LIMIT_STREAM_IN);
    buf_init(&t->events, 65536);
}

static void talk_release(struct talk *t)
{
    smtp_client_release(&t->client);
    buf_release(&t->in);
    buf_release(&t->events);
}

static void talk_run(struct talk *t)
{
    struct smtp_client_event e;
    enum err err = ERR_OK;
    do {
        smtp_client_next(&t->client, &t->in, &e);
        if (e.kind == SMTP_CLIENT_READY)
            err = buf_printf(&t->events, "READY set=%x size=%llu\n", smtp_client_offer(&t->client)->set,
                             (unsigned long long)smtp_client_offer(&t->client)->size_limit);
        else if (e.kind == SMTP_CLIENT_REPLY)
            err = buf_printf(&t->events, "%s %d %u.%u.%u %.*s\n", smtp_client_verb_name(e.verb), e.reply.code,
                             e.reply.enhanced[0], e.reply.enhanced[1], e.reply.enhanced[2], SPAN_ARG(e.reply.text));
        else if (e.kind == SMTP_CLIENT_BAD)
            err = buf_printf(&t->events, "BAD %s\n", e.problem);
        MUST(err == ERR_OK);
    } while (e.kind == SMTP_CLIENT_READY || e.kind == SMTP_CLIENT_REPLY);
}

static void talk_feed(struct talk *t, struct span bytes)
{
    struct smtp_client_event again;
    MUST(buf_append(&t->in, bytes) == ERR_OK);
    size_t before = buf_len(&t->events);
    talk_run(t);
    if (buf_len(&t->events) > before &&
        span_find_span(span_sub(buf_span(&t->events), before, 65536), SPAN("BAD")) < buf_len(&t->events) - before) {
        smtp_client_next(&t->client, &t->in, &again); /* BAD is for ever */
        ck_assert_int_eq(again.kind, SMTP_CLIENT_BAD);
    }
}

/* The server says BYTES; EVENTS is what comes of it. */
static void server_says(struct talk *t, const char *bytes, const char *events)
{
    struct span all = span_cstr(bytes);
    buf_clear(&t->events);
    if (t->cut.each_byte) {
        for (size_t i = 0; i < all.len && span_find_span(buf_span(&t->events), SPAN("BAD")) == buf_len(&t->events); i++)
            talk_feed(t, span_sub(all, i, 1));
    } else {
        size_t at = t->cut.at < all.len ? t->cut.at : 0;
        if (at > 0)
            talk_feed(t, span_sub(all, 0, at));
        if (span_find_span(buf_span(&t->events), SPAN("BAD")) == buf_len(&t->events))
            talk_feed(t, span_sub(all, at, all.len));
    }
    snprintf(t->text, sizeof(t->text), "%.*s", SPAN_ARG(buf_span(&t->events)));
    ck_assert_str_eq(t->text, events);
}

/* BYTES, and nothing else, are waiting to be written; they are taken. */
static void client_sends(struct talk *t, const char *bytes)
{
    struct buf *out = smtp_client_out(&t->client);
    snprintf(t->text, sizeof(t->text), "%.*s", SPAN_ARG(buf_span(out)));
    ck_assert_str_eq(t->text, bytes);
    buf_clear(out);
}

static enum err command(struct talk *t, enum smtp_client_verb verb, const char *argument)
{
    return smtp_client_command(&t->client, verb, span_cstr(argument));
}

static void ready(struct talk *t, const char *keyword)
{
    char offer[128], event[64];
    snprintf(offer, sizeof(offer), "250-mx.example\r\n250 %s\r\n", keyword);
    snprintf(event, sizeof(event), "READY set=%x size=0\n", strcmp(keyword, "PIPELINING") == 0);
    server_says(t, "220 mx.example ESMTP\r\n", "");
    client_sends(t, "EHLO gw.example.org\r\n");
    server_says(t, offer, event);
}

/* Plays DIALOGUE in every way of cutting. */
static void every_cut(void (*dialogue)(struct talk *t))
{
    for (size_t at = 0; at < 80; at++) {
        struct talk t;
        talk_init(&t, (struct cut){.at = at});
        dialogue(&t);
        talk_release(&t);
    }
    struct talk t;
    talk_init(&t, (struct cut){.each_byte = true});
    dialogue(&t);
    talk_release(&t);
}

static void a_message(struct talk *t, const char *keyword, bool grouped)
{
    ready(t, keyword);
    MUST(command(t, SMTP_CLIENT_MAIL, "FROM:<a@b> SIZE=12") == ERR_OK);
    MUST(command(t, SMTP_CLIENT_RCPT, "TO:<c@d>") == ERR_OK);
    MUST(command(t, SMTP_CLIENT_RCPT, "TO:<e@f>") == ERR_OK);
    ck_assert_uint_eq(smtp_client_unanswered(&t->client), 3);
    if (grouped) {
        client_sends(t, "MAIL FROM:<a@b> SIZE=12\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\n");
        server_says(t, "250 2.1.0 ok\r\n250 2.1.5 ok\r\n550-5.1.1 no such\r\n550 5.1.1 user\r\n",
                    "MAIL 250 2.1.0 ok\nRCPT 250 2.1.5 ok\nRCPT 550 5.1.1 no such\nuser\n");
    } else {
        client_sends(t, "MAIL FROM:<a@b> SIZE=12\r\n");
        server_says(t, "250 2.1.0 ok\r\n", "MAIL 250 2.1.0 ok\n");
        client_sends(t, "RCPT TO:<c@d>\r\n");
        ck_assert_int_eq(smtp_client_awaited(&t->client), SMTP_CLIENT_RCPT);
        server_says(t, "250 2.1.5 ok\r\n", "RCPT 250 2.1.5 ok\n");
        client_sends(t, "RCPT TO:<e@f>\r\n");
        server_says(t, "550-5.1.1 no such\r\n550 5.1.1 user\r\n", "RCPT 550 5.1.1 no such\nuser\n");
    }
    MUST(command(t, SMTP_CLIENT_DATA, "") == ERR_OK);
    ck_assert_int_eq(command(t, SMTP_CLIENT_RSET, ""), ERR_STATE);
    client_sends(t, "DATA\r\n");
    ck_assert_int_eq(smtp_client_body(&t->client, SPAN("x")), ERR_STATE);
    server_says(t, "354 go\r\n", "DATA 354 0.0.0 go\n");
    ck_assert_int_eq(command(t, SMTP_CLIENT_QUIT, ""), ERR_STATE);
    MUST(smtp_client_body(&t->client, SPAN("one\r\n.two")) == ERR_OK);
    MUST(smtp_client_body(&t->client, SPAN("\r\n.\r\n")) == ERR_OK);
    MUST(smtp_client_body_end(&t->client) == ERR_OK);
    ck_assert_int_eq(smtp_client_awaited(&t->client), SMTP_CLIENT_DOT);
    client_sends(t, "one\r\n..two\r\n..\r\n.\r\n");
    server_says(t, "250 2.0.0 queued\r\n", "end of data 250 2.0.0 queued\n");
    MUST(command(t, SMTP_CLIENT_QUIT, "") == ERR_OK);
    client_sends(t, "QUIT\r\n");
    server_says(t, "221 bye\r\n", "QUIT 221 0.0.0 bye\n");
    ck_assert_uint_eq(smtp_client_unanswered(&t->client), 0);
}

static void pipelined_message(struct talk *t)
{
    a_message(t, "PIPELINING", true);
}

static void lock_step_message(struct talk *t)
{
    a_message(t, "X-OTHER", false);
}

START_TEST(sends_a_message_in_groups_where_pipelining_is_offered)
{
    every_cut(pipelined_message);
}
END_TEST

START_TEST(sends_a_message_in_lock_step_where_it_is_not)
{
    every_cut(lock_step_message);
}
END_TEST

static void falls_back(struct talk *t)
{
    server_says(t, "220-mx\r\n220\r\n", "");
    client_sends(t, "EHLO gw.example.org\r\n");
    server_says(t, "502 no\r\n", "");
    client_sends(t, "HELO gw.example.org\r\n");
    ck_assert(!smtp_client_ready(&t->client));
    server_says(t, "250-mx\r\n250 PIPELINING\r\n", "READY set=0 size=0\n");
}

START_TEST(falls_back_to_helo_and_then_knows_no_extension)
{
    every_cut(falls_back);
}
END_TEST

static void knows_offer(struct talk *t)
{
    server_says(t, "220 mx\r\n", "");
    client_sends(t, "EHLO gw.example.org\r\n");
    server_says(t,
                "250-PIPELINING is the name of this host\r\n250-size 12345678901234567890\r\n250-XEXCH50\r\n"
                "250-8BitMime\r\n250 DSN\r\n",
                "READY set=a size=12345678901234567890\n");
}

START_TEST(reads_the_offer_in_any_case_and_passes_over_what_it_does_not_know)
{
    every_cut(knows_offer);
}
END_TEST

struct odd {
    const char *offer, *event;
};

START_TEST(takes_a_size_without_a_usable_value_as_unstated)
{
    static const struct odd odd[] = {
        {"250-mx\r\n250 SIZE\r\n", "READY set=2 size=0\n"},
        {"250-mx\r\n250 SIZE 0\r\n", "READY set=2 size=0\n"},
        {"250-mx\r\n250 SIZE -5\r\n", "READY set=2 size=0\n"},
        {"250-mx\r\n250 SIZE 99999999999999999999999\r\n", "READY set=2 size=0\n"},
        {"250-mx\r\n250 SIZE=100\r\n", "READY set=0 size=0\n"},
        {"250-mx\r\n250-\r\n250 PIPELINING \r\n", "READY set=1 size=0\n"},
        {"250 PIPELINING\r\n", "READY set=0 size=0\n"},
        {"250\r\n", "READY set=0 size=0\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
        struct talk t;
        talk_init(&t, (struct cut){0});
        server_says(&t, "220 mx\r\n", "");
        client_sends(&t, "EHLO gw.example.org\r\n");
        server_says(&t, odd[i].offer, odd[i].event);
        talk_release(&t);
    }
}
END_TEST

/* Where a dialogue stands when the server misbehaves. */
enum stage { AT_GREETING, AT_HELLO, AT_IDLE, AT_MAIL, AT_DATA, IN_BODY, AT_DOT, STAGES };

static void bring_to(struct talk *t, enum stage stage)
{
    if (stage == AT_GREETING)
        return;
    if (stage == AT_HELLO) {
        server_says(t, "220 mx\r\n", "");
        client_sends(t, "EHLO gw.example.org\r\n");
        return;
    }
    ready(t, "X");
    if (stage == AT_MAIL) {
        MUST(command(t, SMTP_CLIENT_MAIL, "FROM:<>") == ERR_OK);
        client_sends(t, "MAIL FROM:<>\r\n");
    }
    if (stage >= AT_DATA) {
        MUST(command(t, SMTP_CLIENT_DATA, "") == ERR_OK);
        client_sends(t, "DATA\r\n");
    }
    if (stage >= IN_BODY)
        server_says(t, "354 go\r\n", "DATA 354 0.0.0 go\n");
    if (stage == AT_DOT) {
        MUST(smtp_client_body_end(&t->client) == ERR_OK);
        client_sends(t, ".\r\n");
    }
}

struct answer {
    enum stage stage;
    const char *bytes, *events;
};

static void check_answers(const struct answer *answers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; at < 40; at++) {
            struct talk t;
            talk_init(&t, (struct cut){.at = at % 39, .each_byte = at == 39});
            struct cut cut = t.cut;
            t.cut = (struct cut){0};
            bring_to(&t, answers[i].stage);
            t.cut = cut;
            server_says(&t, answers[i].bytes, answers[i].events);
            talk_release(&t);
        }
}

START_TEST(a_server_that_breaks_the_protocol_is_bad)
{
    static const struct answer answers[] = {
        {AT_GREETING, "354 go\r\n", "BAD 3xx to a command other than DATA\n"},
        {AT_GREETING, "SSH-2.0-OpenSSH\r\n", "BAD reply does not begin with three digits\n"},
        {AT_GREETING, "\r\n", "BAD reply does not begin with three digits\n"},
        {AT_HELLO, "354 go\r\n", "BAD 3xx to a command other than DATA\n"},
        {AT_HELLO, "250-mx\r\n251 x\r\n", "BAD lines of one reply differ in their code\n"},
        {AT_IDLE, "250 ok\r\n", "BAD reply that nothing asked for\n"},
        {AT_IDLE, "4", "" /* may become a 421 */},
        {AT_IDLE, "451 x\r\n", "BAD reply that nothing asked for\n"},
        {AT_IDLE, "421 4.3.2 going\r\n", "BAD 421 unasked\n"},
        {AT_MAIL, "354 go\r\n", "BAD 3xx to a command other than DATA\n"},
        {AT_MAIL, "150 ok\r\n", "BAD reply code outside 200 to 599\n"},
        {AT_MAIL, "600 ok\r\n", "BAD reply code outside 200 to 599\n"},
        {AT_MAIL, "25x ok\r\n", "BAD reply does not begin with three digits\n"},
        {AT_MAIL, "250ok\r\n", "BAD reply code is not followed by a blank or a hyphen\n"},
        {AT_MAIL, "250 ok\n", "BAD line of a reply does not end with CRLF\n"},
        {AT_MAIL, "250 o\rk\r\n", "BAD line of a reply does not end with CRLF\n"},
        {AT_DATA, "250 ok\r\n", "BAD DATA was answered 2xx\n"},
        {IN_BODY, "250 ok\r\n", "BAD reply that nothing asked for\n"},
        {IN_BODY, "552 too big\r\n", "BAD reply that nothing asked for\n"},
        {IN_BODY, "421 4.3.2 going\r\n", "BAD 421 unasked\n"},
        {AT_DOT, "354 go\r\n", "BAD 3xx to a command other than DATA\n"},
    };
    check_answers(answers, ARRAY_SIZE(answers));
}
END_TEST

START_TEST(a_server_is_judged_by_the_first_digit)
{
    static const struct answer answers[] = {
        {AT_GREETING, "554 no\r\n", "greeting 554 0.0.0 no\n"},
        {AT_GREETING, "421 4.3.2 later\r\n", "greeting 421 4.3.2 later\n"},
        {AT_GREETING, "521\r\n", "greeting 521 0.0.0 \n"},
        {AT_HELLO, "421 x\r\n", "EHLO 421 0.0.0 x\n"},
        {AT_HELLO, "450 x\r\n", "EHLO 450 0.0.0 x\n"},
        {AT_MAIL, "259 x\r\n", "MAIL 259 0.0.0 x\n"},
        {AT_MAIL, "299\r\n", "MAIL 299 0.0.0 \n"},
        {AT_MAIL, "421 x\r\n", "MAIL 421 0.0.0 x\n"},
        {AT_MAIL, "550 5.7.750 x\r\n", "MAIL 550 5.7.750 x\n"},
        {AT_DATA, "352 x\r\n", "DATA 352 0.0.0 x\n"},
        {AT_DATA, "421 x\r\n", "DATA 421 0.0.0 x\n"},
        {AT_DATA, "554 5.5.1 x\r\n", "DATA 554 5.5.1 x\n"},
        {AT_DOT, "421 x\r\n", "end of data 421 0.0.0 x\n"},
        {AT_DOT, "550-5.7.1 a\r\n550-5.7.1\r\n550 b\r\n", "end of data 550 5.7.1 a\n\nb\n"},
    };
    check_answers(answers, ARRAY_SIZE(answers));
}
END_TEST

START_TEST(a_reply_in_front_of_its_command_is_bad)
{
    struct talk t;
    /* Given a server that answers the next command with the same write. */
    talk_init(&t, (struct cut){0});
    server_says(&t, "220 mx\r\n250 early\r\n", "BAD reply that nothing asked for\n");
    client_sends(&t, "");
    talk_release(&t);

    talk_init(&t, (struct cut){0});
    ready(&t, "PIPELINING");
    MUST(command(&t, SMTP_CLIENT_MAIL, "FROM:<>") == ERR_OK);
    client_sends(&t, "MAIL FROM:<>\r\n");
    server_says(&t, "250 ok\r\n250 early\r\n", "MAIL 250 0.0.0 ok\nBAD reply that nothing asked for\n");
    talk_release(&t);

    /* Given a command that is formed but not yet taken to be written. */
    talk_init(&t, (struct cut){0});
    ready(&t, "PIPELINING");
    MUST(command(&t, SMTP_CLIENT_MAIL, "FROM:<>") == ERR_OK);
    server_says(&t, "250 early\r\n", "BAD reply before its command was sent\n");
    talk_release(&t);
}
END_TEST

START_TEST(what_comes_between_a_reply_and_the_next_command_is_seen_first)
{
    struct talk t;
    struct smtp_client_event e;
    talk_init(&t, (struct cut){0});
    server_says(&t, "220 mx\r\n", "");
    client_sends(&t, "EHLO gw.example.org\r\n");
    MUST(buf_append(&t.in, SPAN("250 mx\r\n250 for a MAIL to come\r\n")) == ERR_OK);
    smtp_client_next(&t.client, &t.in, &e);
    ck_assert_int_eq(e.kind, SMTP_CLIENT_READY);
    MUST(command(&t, SMTP_CLIENT_MAIL, "FROM:<>") == ERR_OK);
    client_sends(&t, ""); /* held back */
    smtp_client_next(&t.client, &t.in, &e);
    ck_assert_int_eq(e.kind, SMTP_CLIENT_BAD);
    talk_release(&t);
}
END_TEST

START_TEST(a_421_that_crosses_a_command_answers_it)
{
    struct talk t;
    talk_init(&t, (struct cut){0});
    ready(&t, "PIPELINING");
    MUST(command(&t, SMTP_CLIENT_MAIL, "FROM:<>") == ERR_OK);
    server_says(&t, "421 4.4.2 idle too long\r\n", "MAIL 421 4.4.2 idle too long\n");
    talk_release(&t);
}
END_TEST

START_TEST(a_command_waits_while_a_421_may_be_arriving)
{
    struct talk t;
    talk_init(&t, (struct cut){0});
    ready(&t, "PIPELINING");
    server_says(&t, "42", "");
    MUST(command(&t, SMTP_CLIENT_MAIL, "FROM:<>") == ERR_OK);
    MUST(command(&t, SMTP_CLIENT_RCPT, "TO:<a@b>") == ERR_OK);
    client_sends(&t, "");
    server_says(&t, "1 4.3.2 going\r\n", "MAIL 421 4.3.2 going\n");
    client_sends(&t, "RCPT TO:<a@b>\r\n");
    talk_release(&t);
}
END_TEST

START_TEST(keywords_are_hop_or_end_to_end)
{
    ck_assert_int_eq(smtp_ext_kind(SMTP_EXT_PIPELINING), SMTP_EXT_HOP);
    ck_assert_int_eq(smtp_ext_kind(SMTP_EXT_8BITMIME), SMTP_EXT_END_TO_END);
    ck_assert_uint_eq(smtp_ext_hop_set() & smtp_ext_end_to_end_set(), 0);
    ck_assert_uint_eq(smtp_ext_hop_set() | smtp_ext_end_to_end_set(), (1U << SMTP_EXT_COUNT) - 1);
    ck_assert_str_eq(smtp_ext_keyword(SMTP_EXT_SIZE), "SIZE");
}
END_TEST

START_TEST(no_argument_brings_a_second_command)
{
    struct talk t;
    talk_init(&t, (struct cut){0});
    ready(&t, "PIPELINING");
    for (unsigned c = 0; c < 256; c++) {
        char argument[] = "FROM:<a_b@c>";
        argument[7] = (char)c;
        enum err e = smtp_client_command(&t.client, SMTP_CLIENT_MAIL, span_of(argument, sizeof(argument) - 1));
        if (c >= 0x20 && c != 0x7f) {
            ck_assert_int_eq(e, ERR_OK);
            server_says(&t, "", "");
            buf_clear(smtp_client_out(&t.client));
            server_says(&t, "250 ok\r\n", "MAIL 250 0.0.0 ok\n");
        } else {
            ck_assert_int_eq(e, ERR_DENIED);
            client_sends(&t, "");
        }
    }
    char *huge = malloc(LIMIT_COMMAND_LINE);
    MUST(huge != NULL);
    memset(huge, 'a', LIMIT_COMMAND_LINE);
    ck_assert_int_eq(smtp_client_command(&t.client, SMTP_CLIENT_MAIL, span_of(huge, LIMIT_COMMAND_LINE)), ERR_DENIED);
    free(huge);
    talk_release(&t);
}
END_TEST

START_TEST(commands_are_refused_out_of_their_time)
{
    struct talk t;
    talk_init(&t, (struct cut){0});
    ck_assert_int_eq(command(&t, SMTP_CLIENT_MAIL, "FROM:<>"), ERR_STATE);
    ck_assert_int_eq(smtp_client_awaited(&t.client), SMTP_CLIENT_GREETING);
    ready(&t, "PIPELINING");
    ck_assert_int_eq(command(&t, SMTP_CLIENT_HELLO, "x"), ERR_STATE);
    ck_assert_int_eq(command(&t, SMTP_CLIENT_DOT, ""), ERR_STATE);
    ck_assert_int_eq(smtp_client_body_end(&t.client), ERR_STATE);
    for (unsigned i = 0; i < LIMIT_PIPELINE; i++)
        ck_assert_int_eq(command(&t, SMTP_CLIENT_RCPT, "TO:<a@b>"), ERR_OK);
    ck_assert_int_eq(command(&t, SMTP_CLIENT_RCPT, "TO:<a@b>"), ERR_FULL);
    ck_assert_uint_eq(smtp_client_unanswered(&t.client), LIMIT_PIPELINE);
    talk_release(&t);
}
END_TEST

START_TEST(a_group_ends_at_noop_data_and_quit)
{
    struct talk t;
    talk_init(&t, (struct cut){0});
    ready(&t, "PIPELINING");
    MUST(command(&t, SMTP_CLIENT_RSET, "") == ERR_OK);
    MUST(command(&t, SMTP_CLIENT_NOOP, "") == ERR_OK);
    MUST(command(&t, SMTP_CLIENT_MAIL, "FROM:<>") == ERR_OK);
    MUST(command(&t, SMTP_CLIENT_DATA, "") == ERR_OK);
    client_sends(&t, "RSET\r\nNOOP\r\n");
    server_says(&t, "250 a\r\n250 b\r\n", "RSET 250 0.0.0 a\nNOOP 250 0.0.0 b\n");
    client_sends(&t, "MAIL FROM:<>\r\nDATA\r\n");
    server_says(&t, "550 a\r\n554 b\r\n", "MAIL 550 0.0.0 a\nDATA 554 0.0.0 b\n");
    talk_release(&t);
}
END_TEST

START_TEST(a_body_waits_while_out_is_full)
{
    struct talk t;
    struct smtp_client_event e;
    char *block = malloc(BLOCK);
    MUST(block != NULL);
    memset(block, 'x', BLOCK);
    talk_init(&t, (struct cut){0});
    bring_to(&t, IN_BODY);
    unsigned taken = 0;
    while (smtp_client_body(&t.client, span_of(block, BLOCK)) == ERR_OK)
        taken++;
    ck_assert_uint_eq(taken, LIMIT_STREAM_OUT / BLOCK);
    ck_assert_int_eq(smtp_client_body_end(&t.client), ERR_FULL);
    smtp_client_next(&t.client, &t.in, &e);
    ck_assert_int_eq(e.kind, SMTP_CLIENT_NEED_INPUT);
    buf_clear(smtp_client_out(&t.client));
    ck_assert_int_eq(smtp_client_body_end(&t.client), ERR_OK);
    client_sends(&t, "\r\n.\r\n");
    free(block);
    talk_release(&t);
}
END_TEST

START_TEST(a_reply_without_end_is_bad_and_bounded)
{
    struct talk t;
    struct smtp_client_event e = {.kind = SMTP_CLIENT_NEED_INPUT};
    talk_init(&t, (struct cut){0});
    bring_to(&t, AT_MAIL);
    size_t lines = 0;
    while (e.kind == SMTP_CLIENT_NEED_INPUT && lines < 100000) {
        MUST(buf_append(&t.in, SPAN("250-and so on, and so on\r\n")) == ERR_OK);
        smtp_client_next(&t.client, &t.in, &e);
        lines++;
    }
    ck_assert_int_eq(e.kind, SMTP_CLIENT_BAD);
    ck_assert_str_eq(e.problem, "reply is too long");
    ck_assert_uint_lt(lines, LIMIT_REPLY / 20);
    talk_release(&t);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(sends_a_message_in_groups_where_pipelining_is_offered)                                                           \
    X(sends_a_message_in_lock_step_where_it_is_not)                                                                    \
    X(falls_back_to_helo_and_then_knows_no_extension)                                                                  \
    X(reads_the_offer_in_any_case_and_passes_over_what_it_does_not_know)                                               \
    X(takes_a_size_without_a_usable_value_as_unstated)                                                                 \
    X(a_server_that_breaks_the_protocol_is_bad)                                                                        \
    X(a_server_is_judged_by_the_first_digit)                                                                           \
    X(a_reply_in_front_of_its_command_is_bad)                                                                          \
    X(what_comes_between_a_reply_and_the_next_command_is_seen_first)                                                   \
    X(a_421_that_crosses_a_command_answers_it)                                                                         \
    X(a_command_waits_while_a_421_may_be_arriving)                                                                     \
    X(keywords_are_hop_or_end_to_end)                                                                                  \
    X(no_argument_brings_a_second_command)                                                                             \
    X(commands_are_refused_out_of_their_time)                                                                          \
    X(a_group_ends_at_noop_data_and_quit)                                                                              \
    X(a_body_waits_while_out_is_full)                                                                                  \
    X(a_reply_without_end_is_bad_and_bounded)
#include "support/check_main.h"
