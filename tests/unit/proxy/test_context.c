/* SPDX-License-Identifier: MIT */
/* Context variables of a session: where a name is looked up first, and what the predefined ones say. The session is
 * made by hand; nothing of it runs. */
#include "proxy/context.h"
#include <check.h>

static const struct conf_pair listener_items[] = {{"pathway", "inbound"}, {"shared", "listener"}};

struct bench {
    struct listen_conf conf;
    struct proxy_listener listener;
    struct session session;
};

static void bench_open(struct bench *b)
{
    *b = (struct bench){.conf.context = {listener_items, ARRAY_SIZE(listener_items)}};
    b->listener.conf = &b->conf;
    b->session.listener = &b->listener;
    smtp_server_init(&b->session.smtp, &(struct smtp_server_options){.hostname = SPAN("gw")});
}

static void bench_mail(struct bench *b, const char *from, const char *to)
{
    struct transaction *t = transaction_new("s", 1, 0);
    ck_assert_ptr_nonnull(t);
    b->session.transaction = t;
    ck_assert_int_eq(transaction_set_mail(t, span_cstr(from), 0, SMTP_BODY_8BITMIME), ERR_OK);
    ck_assert_int_eq(transaction_add_recipient(t, SPAN("<first@x>")), ERR_OK);
    ck_assert_int_eq(transaction_add_recipient(t, span_cstr(to)), ERR_OK);
    ck_assert_int_eq(transaction_add_recipient(t, SPAN("<refused@z>")), ERR_OK);
    t->recipients[0].accepted = t->recipients[1].accepted = true;
    t->accepted = 2;
    b->session.messages = 3;
    b->session.recipients = 7;
}

static void bench_close(struct bench *b)
{
    smtp_server_release(&b->session.smtp);
    dict_release(&b->session.context);
    transaction_free(b->session.transaction);
}

static const char *value_of(const struct bench *b, const char *name)
{
    static char out[CONTEXT_VALUE];
    return context_get(&b->session, name, out);
}

START_TEST(the_message_comes_before_the_connection_and_that_before_the_listener)
{
    struct bench b;
    bench_open(&b);
    ck_assert_str_eq(value_of(&b, "pathway"), "inbound");
    ck_assert_str_eq(value_of(&b, "shared"), "listener");
    ck_assert_ptr_null(value_of(&b, "absent"));
    ck_assert_int_eq(context_set_message(&b.session, "shared", "message"), ERR_STATE); /* there is none yet */
    ck_assert_int_eq(context_set_connection(&b.session, "shared", "connection"), ERR_OK);
    ck_assert_str_eq(value_of(&b, "shared"), "connection");
    bench_mail(&b, "<a@b>", "<c@d>");
    ck_assert_int_eq(context_set_message(&b.session, "shared", "message"), ERR_OK);
    ck_assert_str_eq(value_of(&b, "shared"), "message");
    transaction_free(b.session.transaction);
    b.session.transaction = NULL;
    ck_assert_str_eq(value_of(&b, "shared"), "connection");
    bench_close(&b);
}
END_TEST

START_TEST(the_envelope_is_predefined)
{
    static const struct {
        const char *from, *to, *name, *value;
    } rows[] = {
        {"<ann@a.test>", "<bob@b.test>", "mailfrom_string", "ann@a.test"},
        {"<ann@a.test>", "<bob@b.test>", "mailfrom_localpart", "ann"},
        {"<ann@a.test>", "<bob@b.test>", "mailfrom_domain", "a.test"},
        {"<>", "<bob@b.test>", "mailfrom_string", ""},
        {"<>", "<bob@b.test>", "mailfrom_domain", ""},
        {"<ann@a.test>", "<bob@b.test>", "rcptto_string", "bob@b.test"}, /* the last one that was accepted */
        {"<ann@a.test>", "<postmaster>", "rcptto_localpart", "postmaster"},
        {"<ann@a.test>", "<postmaster>", "rcptto_domain", ""},
        {"<ann@a.test>", "<\"b@d\"@b.test>", "rcptto_localpart", "\"b@d\""},
        {"<ann@a.test>", "<bob@b.test>", "message_rcpt_count", "2"},
        {"<ann@a.test>", "<bob@b.test>", "connection_message_count", "3"},
        {"<ann@a.test>", "<bob@b.test>", "connection_rcpt_count", "7"},
        {"<ann@a.test>", "<bob@b.test>", "#8bitmime", "yes"},
        {"<ann@a.test>", "<bob@b.test>", "ehlo_domain", NULL},          /* nothing said yet */
        {"<ann@a.test>", "<bob@b.test>", "rfc2822_date_missing", NULL}, /* no message yet */
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct bench b;
        bench_open(&b);
        bench_mail(&b, rows[i].from, rows[i].to);
        ck_assert_pstr_eq(value_of(&b, rows[i].name), rows[i].value);
        bench_close(&b);
    }
}
END_TEST

START_TEST(what_a_client_does_wrong_is_counted)
{
    struct bench b;
    struct smtp_server_event event;
    struct buf in;
    bench_open(&b);
    buf_init(&in, 1024);
    ck_assert_str_eq(value_of(&b, "conntrol_bad_commands"), "0");
    ck_assert_str_eq(value_of(&b, "conntrol_unrecognized_commands"), "0");
    ck_assert_int_eq(smtp_server_greet(&b.session.smtp), ERR_OK);
    ck_assert_int_eq(
        buf_append(&in, SPAN("MAIL FROM:<a@b>\r\nXYZZY\r\nEHLO \r\nNOOP\r\nxyz a\r\nHELO bad..name\r\n")), ERR_OK);
    for (int i = 0; i < 20; i++)
        smtp_server_next(&b.session.smtp, &in, &event);
    ck_assert_uint_eq(buf_len(&in), 0);
    ck_assert_str_eq(value_of(&b, "conntrol_bad_commands"), "3");
    ck_assert_str_eq(value_of(&b, "conntrol_unrecognized_commands"), "2");
    buf_release(&in);
    bench_close(&b);
}
END_TEST

START_TEST(nothing_of_a_message_is_set_between_messages)
{
    static const char *const names[] = {"mailfrom_string", "rcptto_domain", "message_rcpt_count", "#8bitmime",
                                        "mail_loop_header_count"};
    struct bench b;
    bench_open(&b);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        ck_assert_ptr_null(value_of(&b, names[i]));
    ck_assert_str_eq(value_of(&b, "connection_message_count"), "0");
    bench_close(&b);
}
END_TEST

START_TEST(words_for_the_log_are_what_was_set_and_are_cut_where_there_is_no_room)
{
    struct bench b;
    char out[24];
    bench_open(&b);
    bench_mail(&b, "<a@b>", "<c@d>");
    ck_assert(!context_words(&b.session, out, sizeof(out)));
    ck_assert_int_eq(context_set_message(&b.session, "virus", "infected"), ERR_OK);
    ck_assert(context_words(&b.session, out, sizeof(out)));
    ck_assert_str_eq(out, "virus=infected");
    ck_assert_int_eq(context_set_message(&b.session, "virus_info", "Some.Virus"), ERR_OK);
    ck_assert(context_words(&b.session, out, sizeof(out)));
    ck_assert_str_eq(out, "virus=infected; virus_i");
    bench_close(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(the_message_comes_before_the_connection_and_that_before_the_listener)                                            \
    X(the_envelope_is_predefined)                                                                                      \
    X(what_a_client_does_wrong_is_counted)                                                                             \
    X(nothing_of_a_message_is_set_between_messages)                                                                    \
    X(words_for_the_log_are_what_was_set_and_are_cut_where_there_is_no_room)
#include "support/check_main.h"
