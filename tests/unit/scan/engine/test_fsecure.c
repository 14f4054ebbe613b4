/* SPDX-License-Identifier: MIT */
/* The engine for fsavd, octet by octet. */
#include "support/daemon_rig.h"

#define VERSION "DBVERSION\t2009-03-17_05\n"
#define OK      "OK\tConfiguration changed.\n"

static const struct {
    const char *request, *answer;
} greeting[] = {{"PROTOCOL\t5\n", "OK\tProtocol version set.\n"},
                {"CONFIGURE\tARCHIVE\t1\n", OK},
                {"CONFIGURE\tTIMEOUT\t20\n", OK},
                {"CONFIGURE\tMAXARCH\t5\n", OK},
                {"CONFIGURE\tMIME\t1\n", OK},
                {"CONFIGURE\tRISKWARE\t0\n", OK}};

/* Up to the first SCAN; the answer to REFUSED is ERROR, after which more follows only where ON. */
static void greet(struct rigged *r, int refused, bool on)
{
    DO(r, ACCEPT, "");
    DO(r, SEND, VERSION);
    for (int i = 0; i < (int)ARRAY_SIZE(greeting) && (on || i <= refused); i++) {
        daemon_add(&r->d, DAEMON_EXPECT, span_cstr(greeting[i].request));
        daemon_add(&r->d, DAEMON_SEND,
                   i == refused ? SPAN("ERROR\tUnknown command.\n") : span_cstr(greeting[i].answer));
    }
}

static void start(struct rigged *r)
{
    rigged_open(r);
    daemon_start(&r->d);
}

START_TEST(messages_are_files_over_one_session)
{
    struct rigged r;
    struct engine_info info;
    rigged_listen(&r, &engine_fsecure, true);
    greet(&r, -1, true);
    DO_FILE(&r, EXPECT, 0, "SCAN\t%s/%u.eml\n", 1);
    DO_FILE(&r, SEND_EACH, 1, "CLEAN\t%s/%u.eml\nOK\tScan ok.\n", 1);
    DO_FILE(&r, EXPECT, 2, "SCAN\t%s/%u.eml\n", 2);
    DO_FILE(&r, SEND, 3, "INFECTED\t%s/%u.eml\tEICAR_Test_File\tAquarius\nOK\tScan ok.\n", 2);
    DO_FILE(&r, EXPECT, 4, "SCAN\t%s/%u.eml\n", 3);
    DO_FILE(&r, SEND, 5, "SCAN_FAILURE\t%s/%u.eml\t0x1c0000\tPassword protected file [Aquarius]\nOK\tScan ok.\n", 3);
    DO(&r, AWAIT_END, "");
    start(&r);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    IS(v, CLEAN, NONE, "");
    ck_assert_uint_eq(v.database_version, 2009031705);
    v = scan(&r, SPAN(BADMSG));
    IS(v, INFECTED, NONE, "EICAR_Test_File");
    v = scan(&r, SPAN(BADMSG));
    IS(v, UNSCANNABLE, ENCRYPTED, "");
    ck_assert(engine_fsecure.news(r.state, &info));
    ck_assert_str_eq(info.version, "fsavd, DBVERSION 2009-03-17_05");
    ck_assert_uint_eq(info.database_version, 2009031705);
    ck_assert(!engine_fsecure.news(r.state, &info));
    rigged_close(&r);
}
END_TEST

START_TEST(what_an_old_daemon_does_not_know_is_done_without_and_the_rest_is_needed)
{
    for (int refused = 0; refused < (int)ARRAY_SIZE(greeting); refused++) {
        bool optional = refused == 0 || refused == 5;
        struct rigged r;
        rigged_listen(&r, &engine_fsecure, true);
        greet(&r, refused, optional);
        if (optional) {
            DO_FILE(&r, EXPECT, 0, "SCAN\t%s/%u.eml\n", 1);
            DO_FILE(&r, SEND, 1, "CLEAN\t%s/%u.eml\nOK\n", 1);
        }
        DO(&r, AWAIT_END, "");
        start(&r);
        struct verdict v = scan(&r, SPAN(CLEANMSG));
        if (optional)
            IS(v, CLEAN, NONE, "");
        else
            IS(v, ERROR, PROTOCOL, "");
        rigged_close(&r);
    }
}
END_TEST

START_TEST(lines_between_are_passed_over)
{
    struct rigged r;
    rigged_listen(&r, &engine_fsecure, true);
    DO(&r, ACCEPT, "");
    for (size_t i = 0; i < ARRAY_SIZE(greeting); i++) {
        daemon_add(&r.d, DAEMON_EXPECT, span_cstr(greeting[i].request));
        DO(&r, SEND, "PING\n");
        daemon_add(&r.d, DAEMON_SEND, span_cstr(greeting[i].answer));
    }
    DO_FILE(&r, EXPECT, 0, "SCAN\t%s/%u.eml\n", 1);
    DO(&r, SEND, "DBVERSION\t2010-01-02_03\r\n");
    DO_FILE(&r, SEND, 1, "PING\nCLEAN\t%s/%u.eml\r\nOK\tScan ok.\r\n", 1);
    start(&r);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    IS(v, CLEAN, NONE, "");
    ck_assert_uint_eq(v.database_version, 2010010203);
    rigged_close(&r);
}
END_TEST

/* One SCAN whose answer is TEXT, or so many octets of it; @ in it is the directory. */
static struct verdict answered(const char *text_of, int cut)
{
    struct rigged r;
    rigged_listen(&r, &engine_fsecure, true);
    greet(&r, -1, true);
    DO_FILE(&r, EXPECT, 0, "SCAN\t%s/%u.eml\n", 1);
    for (const char *c = text_of; *c; c++) {
        size_t at = strlen(r.texts[1]);
        snprintf(r.texts[1] + at, sizeof(r.texts[1]) - at, "%.*s", *c == '@' ? 99 : 1, *c == '@' ? r.dir : c);
    }
    struct span text = span_cstr(r.texts[1]);
    daemon_add(&r.d, DAEMON_SEND, cut < 0 ? text : span_sub(text, 0, (size_t)cut));
    DO(&r, CLOSE, "");
    start(&r);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    rigged_close(&r);
    return v;
}

START_TEST(an_answer_cut_at_any_octet_is_an_error_unless_it_told_of_a_virus)
{
    static const char ok[] = "CLEAN\t@/1.eml\nOK\tScan ok.\n",
                      infected[] = "INFECTED\t@/1.eml\tV\tAquarius\nOK\tScan ok.\n";
    int len = (int)(sizeof(ok) - 2 + strlen("/tmp/postern-files-XXXXXX"));
    struct verdict v = answered(ok, len);
    IS(v, CLEAN, NONE, "");
    for (int cut = 0; cut < len; cut++) {
        v = answered(ok, cut);
        ck_assert_msg(v.class == VERDICT_ERROR, "cut to %d: %s", cut, verdict_class_word(v.class));
    }
    int told = (int)(sizeof("INFECTED\t/1.eml\t") - 1 + strlen("/tmp/postern-files-XXXXXX"));
    for (int cut = told - 8; cut < told + 12; cut++) {
        v = answered(infected, cut);
        ck_assert_msg(v.class == (cut < told ? VERDICT_ERROR : VERDICT_INFECTED), "cut to %d: %s", cut,
                      verdict_class_word(v.class));
    }
    IS(v, INFECTED, NONE, "V");
    v = answered("INFECTED\t/elsewhere/1.eml\tV", -1);
    IS(v, ERROR, PROTOCOL, "");
}
END_TEST

START_TEST(answers_that_make_no_sense_are_errors)
{
    static const struct {
        const char *answer;
        enum verdict_reason reason;
    } rows[] = {
        {"CLEAN\t@/2.eml\nOK\n", VERDICT_REASON_PROTOCOL}, /* another message's */
        {"CLEAN\t@/1.eml\nOK\nOK\n", VERDICT_REASON_PROTOCOL},
        {"OK\n", VERDICT_REASON_PROTOCOL},
        {"ERROR\tno\n", VERDICT_REASON_ENGINE},
        {"SCAN_FAILURE\t@/1.eml\t0x2\tbroken\nOK\n", VERDICT_REASON_ENGINE},
        {"HTTP/1.0 200 OK\r\n\r\nOK\n", VERDICT_REASON_PROTOCOL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct verdict v = answered(rows[i].answer, -1);
        ck_assert_msg(v.class == VERDICT_ERROR && v.reason == rows[i].reason, "row %zu: %s %s: %s", i,
                      verdict_class_word(v.class), verdict_reason_word(v.reason), v.detail);
    }
}
END_TEST

START_TEST(the_socket_of_our_own_user_is_the_default)
{
    struct rigged r;
    const char *own[] = {"/tmp/.fsav-UID"};
    struct errtext why;
    struct engine_info info;
    void *state;
    char expected[64];
    rigged_listen(&r, &engine_fsecure, true);
    r.conf.daemon = (struct conf_list){own, 1};
    ck_assert(engine_fsecure.open(&r.conf, &state, &info, &why) == ERR_OK);
    snprintf(expected, sizeof(expected), "fsavd at /tmp/.fsav-%u, not asked yet", (unsigned)geteuid());
    ck_assert_str_eq(info.version, expected);
    engine_fsecure.close(state);
    daemon_vanish(&r.d);
    ck_assert(rmdir(r.dir) == 0);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(messages_are_files_over_one_session)                                                                             \
    X(what_an_old_daemon_does_not_know_is_done_without_and_the_rest_is_needed)                                         \
    X(lines_between_are_passed_over)                                                                                   \
    X(an_answer_cut_at_any_octet_is_an_error_unless_it_told_of_a_virus)                                                \
    X(answers_that_make_no_sense_are_errors)                                                                           \
    X(the_socket_of_our_own_user_is_the_default)
#include "support/check_main.h"
