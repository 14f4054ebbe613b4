/* SPDX-License-Identifier: MIT */
/* Context variables of a session: where a name is looked up first, and what the predefined ones say. The session is
 * made by hand; nothing of it runs. */
#include "proxy/context.h"
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

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
    ck_assert_int_eq(buf_append(&in, SPAN("MAIL FROM:<a@b>\r\nXYZZY\r\nEHLO \r\nNOOP\r\nxyz a\r\nHELO bad..name\r\n")),
                     ERR_OK);
    for (int i = 0; i < 20; i++)
        smtp_server_next(&b.session.smtp, &in, &event);
    ck_assert_uint_eq(buf_len(&in), 0);
    ck_assert_str_eq(value_of(&b, "conntrol_bad_commands"), "3");
    ck_assert_str_eq(value_of(&b, "conntrol_unrecognized_commands"), "2");
    buf_release(&in);
    bench_close(&b);
}
END_TEST

START_TEST(the_name_in_the_last_greeting_is_predefined)
{
    static const struct {
        const char *said, *name; /* NULL: none that counts */
    } rows[] = {
        {"", NULL},
        {"EHLO bad..name\r\n", NULL},
        {"EHLO client.example.org\r\n", "client.example.org"},
        {"HELO Old.Example\r\n", "Old.Example"},
        {"EHLO [192.0.2.7]\r\n", "[192.0.2.7]"},
        {"EHLO first.example\r\nEHLO second.example\r\n", "second.example"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct bench b;
        struct smtp_server_event event;
        const struct smtp_offer offer = {.set = smtp_ext_hop_set()};
        struct buf in;
        bench_open(&b);
        buf_init(&in, 1024);
        ck_assert_int_eq(smtp_server_greet(&b.session.smtp), ERR_OK);
        ck_assert_int_eq(buf_append(&in, span_cstr(rows[i].said)), ERR_OK);
        do {
            smtp_server_next(&b.session.smtp, &in, &event);
            if (event.kind == SMTP_SERVER_HELLO)
                ck_assert_int_eq(smtp_server_reply_hello(&b.session.smtp, &offer), ERR_OK);
        } while (event.kind != SMTP_SERVER_NEED_INPUT);
        ck_assert_pstr_eq(value_of(&b, "ehlo_domain"), rows[i].name);
        ck_assert_pstr_eq(value_of(&b, "ehlo_string"), rows[i].name);
        buf_release(&in);
        bench_close(&b);
    }
}
END_TEST

/* What a message needs to be sealed; it stays in memory. */
struct place {
    struct loop *loop;
    struct mailbox *box;
    struct iopool *pool;
    struct spool *spool;
    char path[64];
};

static void place_open(struct place *p)
{
    struct errtext why;
    *p = (struct place){.loop = loop_new(), .pool = iopool_new(1)};
    p->box = mailbox_new(p->loop);
    snprintf(p->path, sizeof(p->path), "/tmp/postern-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(p->path));
    p->spool = spool_open(p->path, 1 << 20, &why);
    ck_assert_msg(p->spool != NULL, "%s", why.text);
}

static void place_close(struct place *p)
{
    iopool_free(p->pool);
    spool_close(p->spool);
    mailbox_free(p->box);
    loop_free(p->loop);
    ck_assert_int_eq(rmdir(p->path), 0);
}

static void never(void *arg)
{
    (void)arg;
    ck_abort_msg("a message in memory made its owner wait");
}

START_TEST(headers_that_are_missing_or_many_are_predefined_once_the_message_is_there)
{
    static const struct {
        const char *message, *received, *date_missing;
    } rows[] = {
        {"Received: from a\r\n\tby b\r\nReceived: from c\r\nSubject: x\r\n\r\nbody\r\n", "2", "yes"},
        {"Date: Mon, 6 Jan 2025 09:31:02 +0000\r\n\r\nReceived: in the body\r\n", "0", NULL},
        {"RECEIVED: x\r\ndate: y\r\n\r\n", "1", NULL},
        {"\r\nDate: in the body\r\n", "0", "yes"},
        {"", "0", "yes"},
    };
    struct place place;
    place_open(&place);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct bench b;
        bench_open(&b);
        bench_mail(&b, "<a@b>", "<c@d>");
        struct transaction *t = b.session.transaction;
        t->message = message_new(place.spool, place.pool, place.box, never, NULL);
        ck_assert_ptr_nonnull(t->message);
        ck_assert_int_eq(message_append(t->message, span_cstr(rows[i].message)), MESSAGE_OK);
        ck_assert_ptr_null(value_of(&b, "mail_loop_header_count")); /* it is still coming */
        ck_assert_int_eq(message_seal(t->message), MESSAGE_OK);
        t->size = message_size(t->message);
        t->times.received = 1;
        ck_assert_pstr_eq(value_of(&b, "mail_loop_header_count"), rows[i].received);
        ck_assert_pstr_eq(value_of(&b, "rfc2822_date_missing"), rows[i].date_missing);
        bench_close(&b);
    }
    place_close(&place);
}
END_TEST

START_TEST(what_taking_the_message_apart_found_is_predefined)
{
    struct bench b;
    bench_open(&b);
    bench_mail(&b, "<a@b>", "<c@d>");
    struct transaction *t = b.session.transaction;
    t->inspection.parts = 7;
    t->inspection.defects = mime_defect_bit(MIME_DEFECT_SEVERAL_TYPES) | mime_defect_bit(MIME_DEFECT_DUPLICATE_TYPE);
    ck_assert_ptr_null(value_of(&b, "mime_parts")); /* nobody has looked */
    ck_assert_ptr_null(value_of(&b, "mime_defects"));
    t->inspected = true;
    ck_assert_str_eq(value_of(&b, "mime_parts"), "7");
    ck_assert_str_eq(value_of(&b, "mime_defects"), "duplicate-type, several-types");
    t->inspection.defects = 0;
    ck_assert_str_eq(value_of(&b, "mime_parts"), "7");
    ck_assert_ptr_null(value_of(&b, "mime_defects")); /* there are none */
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
    X(the_name_in_the_last_greeting_is_predefined)                                                                     \
    X(headers_that_are_missing_or_many_are_predefined_once_the_message_is_there)                                       \
    X(what_taking_the_message_apart_found_is_predefined)                                                               \
    X(nothing_of_a_message_is_set_between_messages)                                                                    \
    X(words_for_the_log_are_what_was_set_and_are_cut_where_there_is_no_room)
#include "support/check_main.h"
