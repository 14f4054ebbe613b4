/* SPDX-License-Identifier: MIT */
/* The engine for ICAP servers, octet by octet. */
#include "support/daemon_rig.h"

#define OPTIONS_200                                                                                                    \
    "ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\nService: Emu AV 1.0\r\nISTag: \"emu-0001\"\r\nAllow: 204\r\n"
#define OPTIONS_END     "Max-Connections: 100\r\nOptions-TTL: 3600\r\nEncapsulated: null-body=0\r\n\r\n"
#define OPTIONS_PLAIN   OPTIONS_200 OPTIONS_END
#define OPTIONS_PREVIEW OPTIONS_200 "Preview: 16\r\nTransfer-Preview: *\r\n" OPTIONS_END
#define OPTIONS_BIG     OPTIONS_200 "Preview: 1024\r\nTransfer-Preview: *\r\n" OPTIONS_END
#define OPTIONS_NO_204  "ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\nISTag: \"emu-0001\"\r\nEncapsulated: null-body=0\r\n\r\n"
#define GET             "GET http://127.0.0.1/mail HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
#define OK_OF(octets)   "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: " octets "\r\n\r\n"
/* Of a message without preview: the last octet and the end go by themselves. */
#define CLEAN_FRONT "3d\r\nFrom: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nhello\r\r\n"
#define BAD_FRONT   "4a\r\nFrom: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nTEST-VIRUS-PAYLOAD\r\r\n"
#define BODY_BACK   "1\r\n\n\r\n0\r\n\r\n"
#define CLEAN_204   "ICAP/1.0 204 No Content\r\nISTag: \"emu-0001\"\r\nEncapsulated: null-body=0\r\n\r\n"
#define PAGE                                                                                                           \
    "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 55\r\n\r\n"                                  \
    "37\r\n<html><body>Blocked: Eicar-Test-Signature</body></html>\r\n0\r\n\r\n"
#define INFECTED_200                                                                                                   \
    "ICAP/1.0 200 OK\r\nISTag: \"emu-0001\"\r\n"                                                                       \
    "X-Infection-Found: Type=0; Resolution=2; Threat=Eicar-Test-Signature;\r\n"                                        \
    "X-Violations-Found: 1\r\n\t-\r\n\tEicar-Test-Signature\r\n\t101\r\n\t2\r\n"                                       \
    "Encapsulated: res-hdr=0, res-body=71\r\n\r\n" PAGE

/* Requests name the server, so they are formed at run time. */
static void expect(struct rigged *r, int slot, const char *method, const char *between, const char *rest)
{
    static char texts[16][2048];
    const char *host = r->d.dir[0] ? "localhost" : r->d.name; /* which a unix socket has not */
    int n = snprintf(texts[slot], sizeof(texts[slot]),
                     "%s icap://%s/%s ICAP/1.0\r\nHost: %s\r\nUser-Agent: postern\r\n%s%s", method, host,
                     r->conf.icap_service, host, between, rest);
    ck_assert(n > 0 && n < (int)sizeof(texts[slot]));
    daemon_add(&r->d, DAEMON_EXPECT, span_of(texts[slot], (size_t)n));
}

static void expect_options(struct rigged *r, int slot)
{
    expect(r, slot, "OPTIONS", "", "Encapsulated: null-body=0\r\n\r\n");
}

static void expect_clean(struct rigged *r, int slot)
{
    expect(r, slot, "RESPMOD", "Allow: 204\r\n",
           "Encapsulated: req-hdr=0, res-hdr=55, res-body=134\r\n\r\n" GET OK_OF("62") CLEAN_FRONT BODY_BACK);
}

static void listen_tcp(struct rigged *r)
{
    rigged_listen(r, &engine_icap, false);
    DO(r, ACCEPT, "");
}

static void start(struct rigged *r)
{
    rigged_open(r);
    daemon_start(&r->d);
}

START_TEST(with_keep_alive_there_is_one_connection_and_a_request_for_each_message)
{
    struct rigged r;
    struct engine_info info;
    listen_tcp(&r);
    r.conf.icap_keep_alive = true;
    expect_options(&r, 0);
    DO(&r, SEND_EACH, OPTIONS_PLAIN);
    expect_clean(&r, 1);
    DO(&r, SEND_EACH, CLEAN_204);
    expect(&r, 2, "RESPMOD", "Allow: 204\r\n",
           "Encapsulated: req-hdr=0, res-hdr=55, res-body=134\r\n\r\n" GET OK_OF("75") BAD_FRONT BODY_BACK);
    DO(&r, SEND_EACH, INFECTED_200);
    expect_clean(&r, 3);
    DO(&r, SEND, CLEAN_204);
    DO(&r, AWAIT_END, "");
    start(&r);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    IS(v, CLEAN, NONE, "");
    ck_assert_uint_gt(v.database_version, 0);
    ck_assert(engine_icap.news(r.state, &info));
    ck_assert_str_eq(info.version, "Emu AV 1.0, ISTag emu-0001");
    ck_assert_uint_eq(info.database_version, v.database_version);
    v = scan(&r, SPAN(BADMSG));
    IS(v, INFECTED, NONE, "Eicar-Test-Signature");
    v = scan(&r, SPAN(CLEANMSG));
    IS(v, CLEAN, NONE, "");
    ck_assert(!engine_icap.news(r.state, &info));
    rigged_close(&r);
}
END_TEST

/* 204 to a preview that held all of a short message would say nothing: a server may look at its first octets only. */
START_TEST(a_preview_never_holds_all_of_a_message)
{
    for (int goes_on = 0; goes_on < 2; goes_on++) {
        struct rigged r;
        listen_tcp(&r);
        expect_options(&r, 0);
        DO(&r, SEND, OPTIONS_BIG);
        expect(&r, 1, "RESPMOD", "Allow: 204\r\nPreview: 61\r\n",
               "Encapsulated: req-hdr=0, res-hdr=55, res-body=134\r\n\r\n" GET OK_OF(
                   "62") "3d\r\nFrom: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nhello\r\r\n0\r\n\r\n");
        if (goes_on) {
            DO(&r, SEND, "ICAP/1.0 100 Continue\r\n\r\n");
            daemon_add(&r.d, DAEMON_EXPECT, SPAN("1\r\n\n\r\n0\r\n\r\n"));
        }
        DO(&r, SEND, CLEAN_204);
        DO(&r, AWAIT_END, "");
        start(&r);
        struct verdict v = scan(&r, SPAN(CLEANMSG));
        if (goes_on)
            IS(v, CLEAN, NONE, "");
        else
            IS(v, UNSCANNABLE, LIMIT, "");
        rigged_close(&r);
    }
}
END_TEST

static void expect_preview_of_bad(struct rigged *r, int slot)
{
    expect(r, slot, "RESPMOD", "Allow: 204\r\nPreview: 16\r\n",
           "Encapsulated: req-hdr=0, res-hdr=55, res-body=134\r\n\r\n" GET OK_OF(
               "75") "10\r\nFrom: a@example.\r\n0\r\n\r\n");
}

START_TEST(a_server_that_wants_more_after_the_preview_gets_it)
{
    struct rigged r;
    listen_tcp(&r);
    expect_options(&r, 0);
    DO(&r, SEND, OPTIONS_PREVIEW);
    expect_preview_of_bad(&r, 1);
    DO(&r, SEND_EACH, "ICAP/1.0 100 Continue\r\n\r\n");
    daemon_add(&r.d, DAEMON_EXPECT,
               SPAN("3a\r\norg\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nTEST-VIRUS-PAYLOAD\r\r\n" BODY_BACK));
    DO(&r, SEND, INFECTED_200);
    DO(&r, AWAIT_END, "");
    start(&r);
    struct verdict v = scan(&r, SPAN(BADMSG));
    IS(v, INFECTED, NONE, "Eicar-Test-Signature");
    rigged_close(&r);
}
END_TEST

START_TEST(an_answer_to_a_part_is_clean_of_nothing_but_a_virus_counts)
{
    static const struct {
        const char *answer;
        enum verdict_class class;
        enum verdict_reason reason;
    } rows[] = {
        {CLEAN_204, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT},
        {INFECTED_200, VERDICT_INFECTED, VERDICT_REASON_NONE},
        {"ICAP/1.0 200 OK\r\nEncapsulated: req-hdr=0, res-hdr=55, res-body=134\r\n\r\n" GET OK_OF("75") "4b\r\n" BADMSG
                                                                                                        "\r\n0\r\n\r\n",
         VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT},
        {"ICAP/1.0 200 OK\r\nX-Virus-ID: no threats\r\nEncapsulated: null-body=0\r\n\r\n", VERDICT_UNSCANNABLE,
         VERDICT_REASON_LIMIT},
        {"ICAP/1.0 100 Continue\r\nEncapsulated: null-body=0\r\n\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {"ICAP/1.0 100 Continue\r\nX-Virus-ID: Evil\r\n\r\n" CLEAN_204, VERDICT_INFECTED, VERDICT_REASON_NONE},
        {"ICAP/1.0 100 Continue\r\n\r\n" CLEAN_204, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rigged r;
        listen_tcp(&r);
        expect_options(&r, 0);
        DO(&r, SEND, OPTIONS_PREVIEW);
        expect_preview_of_bad(&r, 1);
        daemon_add(&r.d, DAEMON_SEND, span_cstr(rows[i].answer));
        DO(&r, AWAIT_END, "");
        start(&r);
        struct verdict v = scan(&r, SPAN(BADMSG));
        ck_assert_msg(v.class == rows[i].class && v.reason == rows[i].reason, "row %zu: %s %s: %s", i,
                      verdict_class_word(v.class), verdict_reason_word(v.reason), v.detail);
        rigged_close(&r);
    }
}
END_TEST

#define HEAD_OF(octets) "Encapsulated: req-hdr=0, res-hdr=55, res-body=134\r\n\r\n" GET OK_OF(octets)

/* What a server says before it has the last octet, to a message without preview or behind one. */
static struct verdict answered_early(struct rigged *r, bool local, bool previewed, const char *answer, bool come_again)
{
    int64_t end_delay_ms = local ? 0 : LONG_MS;
    rigged_listen(r, &engine_icap, local);
    r->conf.icap_end_delay_ms = end_delay_ms;
    DO(r, ACCEPT, "");
    expect_options(r, 0);
    daemon_add(&r->d, DAEMON_SEND, previewed ? SPAN(OPTIONS_PREVIEW) : SPAN(OPTIONS_PLAIN));
    if (previewed) {
        expect(r, 1, "RESPMOD", "Allow: 204\r\nPreview: 16\r\n", HEAD_OF("62") "10\r\nFrom: a@example.\r\n0\r\n\r\n");
        DO(r, SEND, "ICAP/1.0 100 Continue\r\n\r\n");
        DO(r, EXPECT, "2d\r\norg\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nhello\r\r\n");
    } else {
        expect(r, 1, "RESPMOD", "Allow: 204\r\n", HEAD_OF("62") CLEAN_FRONT);
    }
    daemon_add(&r->d, DAEMON_SEND, span_cstr(answer));
    if (come_again) /* until when nothing is read of the connection */
        DO(r, RELIEVE, "");
    DO(r, AWAIT_END, "");
    start(r);
    return scan(r, SPAN(CLEANMSG));
}

START_TEST(an_answer_before_the_last_octet_is_to_a_part)
{
    for (int previewed = 0; previewed < 2; previewed++) {
        struct rigged r;
        struct verdict v = answered_early(&r, false, previewed, CLEAN_204, false);
        IS(v, UNSCANNABLE, LIMIT, "");
        rigged_close(&r);
        v = answered_early(&r, false, previewed, INFECTED_200, false);
        IS(v, INFECTED, NONE, "Eicar-Test-Signature");
        rigged_close(&r);
    }
}
END_TEST

/* Whether we are quicker or the server is: what it has not read it has not scanned. */
START_TEST(an_answer_that_crosses_the_last_octet_is_to_a_part)
{
    for (int i = 0; i < 20; i++) {
        struct rigged r;
        struct verdict v = answered_early(&r, true, i & 1, CLEAN_204, true);
        IS(v, UNSCANNABLE, LIMIT, "");
        v = scan_for(&r, SPAN(CLEANMSG), 50); /* it comes again, on another connection; no answer */
        ck_assert(v.class == VERDICT_ERROR);
        rigged_close(&r);
    }
}
END_TEST

/* A server that answers to nothing but a head, before it reads the message: nothing is to be known of its rest. */
START_TEST(a_server_that_reads_nothing_says_nothing)
{
    struct rigged r;
    rigged_listen(&r, &engine_icap, true);
    DO(&r, ACCEPT, "");
    expect_options(&r, 0);
    DO(&r, SEND, OPTIONS_PLAIN);
    expect(&r, 1, "RESPMOD", "Allow: 204\r\n", HEAD_OF("62"));
    DO(&r, SEND, CLEAN_204);
    DO(&r, RELIEVE, "");
    DO(&r, AWAIT_END, "");
    start(&r);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    IS(v, UNSCANNABLE, LIMIT, "");
    v = scan_for(&r, SPAN(CLEANMSG), 50);
    ck_assert(v.class == VERDICT_ERROR);
    rigged_close(&r);
}
END_TEST

START_TEST(each_mode_has_its_form)
{
    static const struct {
        int mode;
        bool headers;
        const char *method, *rest;
    } rows[] = {
        {ICAP_MODE_REQMOD, true, "REQMOD",
         "Encapsulated: req-hdr=0, req-body=75\r\n\r\nPUT http://127.0.0.1/mail HTTP/1.1\r\nHost: 127.0.0.1\r\n"
         "Content-Length: 62\r\n\r\n" CLEAN_FRONT BODY_BACK},
        {ICAP_MODE_REQMOD, false, "REQMOD", "Encapsulated: req-body=0\r\n\r\n" CLEAN_FRONT BODY_BACK},
        {ICAP_MODE_RESPMOD, false, "RESPMOD", "Encapsulated: res-body=0\r\n\r\n" CLEAN_FRONT BODY_BACK},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rigged r;
        listen_tcp(&r);
        r.conf.icap_mode = rows[i].mode;
        r.conf.icap_http_headers = rows[i].headers;
        r.conf.icap_service = "SYMCScan-AV?x=y";
        expect_options(&r, 0);
        DO(&r, SEND, "ICAP/1.0 200 OK\r\nMethods: RESPMOD, REQMOD\r\nISTag: \"emu-0001\"\r\nAllow: 204\r\n\r\n");
        expect(&r, 1, rows[i].method, "Allow: 204\r\n", rows[i].rest);
        DO(&r, SEND, CLEAN_204);
        DO(&r, AWAIT_END, "");
        start(&r);
        struct verdict v = scan(&r, SPAN(CLEANMSG));
        IS(v, CLEAN, NONE, "");
        rigged_close(&r);
    }
}
END_TEST

/* One message, CLEANMSG, to a server that said OPTIONS and answers with ANSWER, or so many octets of it. */
static struct verdict answered(const char *options, const char *answer, int cut, bool echo_is_clean)
{
    struct rigged r;
    bool offers = strstr(options, "Allow: 204") != NULL;
    struct span text = span_cstr(answer);
    listen_tcp(&r);
    r.conf.icap_echo_is_clean = echo_is_clean;
    expect_options(&r, 0);
    daemon_add(&r.d, DAEMON_SEND, span_cstr(options));
    expect(&r, 1, "RESPMOD", offers ? "Allow: 204\r\n" : "",
           "Encapsulated: req-hdr=0, res-hdr=55, res-body=134\r\n\r\n" GET OK_OF("62") CLEAN_FRONT BODY_BACK);
    daemon_add(&r.d, DAEMON_SEND, cut < 0 ? text : span_sub(text, 0, (size_t)cut));
    DO(&r, CLOSE, "");
    start(&r);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    rigged_close(&r);
    return v;
}

#define ECHO_HEAD "ICAP/1.0 200 OK\r\nISTag: \"emu-0001\"\r\nEncapsulated: res-hdr=0, res-body=79\r\n\r\n" OK_OF("62")
#define ECHO      ECHO_HEAD "3e\r\n" CLEANMSG "\r\n0\r\n\r\n"

START_TEST(an_echo_is_clean_only_where_it_is_how_the_server_says_so)
{
    static const struct {
        const char *options, *answer;
        bool echo_is_clean;
        enum verdict_class class;
        enum verdict_reason reason;
    } rows[] = {
        {OPTIONS_PLAIN, ECHO, true, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT},
        {OPTIONS_NO_204, ECHO, false, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT},
        {OPTIONS_NO_204, ECHO, true, VERDICT_CLEAN, VERDICT_REASON_NONE},
        {OPTIONS_NO_204,
         ECHO_HEAD "21;x=y\r\nFrom: a@example.org\r\nTo: b@exampl\r\n01D\r\ne.net\r\nSubject: "
                   "hi\r\n\r\nhello\r\n\r\n000\r\nT: x\r\n\r\n",
         true, VERDICT_CLEAN, VERDICT_REASON_NONE},
        {OPTIONS_NO_204,
         ECHO_HEAD "3d\r\nFrom: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nhello\r\r\n0\r\n\r\n", true,
         VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {OPTIONS_NO_204,
         ECHO_HEAD "3e\r\nFrom: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nhullo\r\n\r\n0\r\n\r\n", true,
         VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {OPTIONS_NO_204, ECHO_HEAD "3e\r\n" CLEANMSG "\r\n1\r\nx\r\n0\r\n\r\n", true, VERDICT_ERROR,
         VERDICT_REASON_PROTOCOL},
        {OPTIONS_NO_204, ECHO_HEAD "3e\r\n" CLEANMSG "\r\n0\r\nX-Virus-ID: Late\r\n\r\n", true, VERDICT_INFECTED,
         VERDICT_REASON_NONE},
        {OPTIONS_NO_204, ECHO "x", true, VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {OPTIONS_NO_204, CLEAN_204, true, VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct verdict v = answered(rows[i].options, rows[i].answer, -1, rows[i].echo_is_clean);
        ck_assert_msg(v.class == rows[i].class && v.reason == rows[i].reason, "row %zu: %s %s: %s", i,
                      verdict_class_word(v.class), verdict_reason_word(v.reason), v.detail);
    }
}
END_TEST

START_TEST(an_answer_cut_at_any_octet_is_never_clean)
{
    for (int cut = 0; cut < (int)strlen(CLEAN_204); cut++) {
        struct verdict v = answered(OPTIONS_PLAIN, CLEAN_204, cut, false);
        ck_assert_msg(v.class == VERDICT_ERROR && v.reason != VERDICT_REASON_TIMEOUT, "cut to %d: %s", cut, v.detail);
    }
    for (int cut = 0; cut < (int)strlen(ECHO); cut++) {
        struct verdict v = answered(OPTIONS_NO_204, ECHO, cut, true);
        ck_assert_msg(v.class == VERDICT_ERROR && v.reason != VERDICT_REASON_TIMEOUT, "echo cut to %d: %s", cut,
                      v.detail);
    }
    for (int cut = 0; cut < (int)strlen(INFECTED_200); cut += 3) {
        struct verdict v = answered(OPTIONS_PLAIN, INFECTED_200, cut, false);
        ck_assert_msg(v.class != VERDICT_CLEAN, "cut to %d: %s", cut, verdict_class_word(v.class));
        ck_assert_msg(cut < (int)(strstr(INFECTED_200, "X-Viol") - INFECTED_200) || v.class == VERDICT_INFECTED,
                      "a name that came counts: cut to %d: %s", cut, v.detail);
    }
}
END_TEST

START_TEST(answers_that_make_no_sense_are_errors)
{
    static const struct {
        const char *answer;
        enum verdict_reason reason;
    } rows[] = {
        {CLEAN_204 "x", VERDICT_REASON_PROTOCOL},
        {"ICAP/1.0 100 Continue\r\n\r\n", VERDICT_REASON_PROTOCOL},
        {"HTTP/1.0 204 No Content\r\n\r\n", VERDICT_REASON_PROTOCOL},
        {"\x01\xff\r\n", VERDICT_REASON_PROTOCOL},
        {"ICAP/1.0 200 OK\r\n\r\n", VERDICT_REASON_PROTOCOL},
        {"ICAP/1.0 200 OK\r\nEncapsulated: null-body=0\r\n\r\n", VERDICT_REASON_PROTOCOL},
        {"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=99999\r\n\r\n", VERDICT_REASON_PROTOCOL},
        {"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=78\r\n\r\n" OK_OF("62") "0\r\n\r\n",
         VERDICT_REASON_PROTOCOL},
        {"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=79\r\n\r\n" OK_OF("62") "xyz\r\n",
         VERDICT_REASON_PROTOCOL},
        {"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=79\r\n\r\n" OK_OF("62") "ffffffff\r\n",
         VERDICT_REASON_PROTOCOL},
        {"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=79\r\n\r\n" OK_OF("62") "1\r\nFrom\r\n",
         VERDICT_REASON_PROTOCOL},
        {"ICAP/1.0 539 Aborted - No AV scanning license\r\nISTag: \"emu-0001\"\r\n\r\n", VERDICT_REASON_ENGINE},
        {"ICAP/1.0 404 ICAP Service not found\r\nConnection: close\r\n\r\n", VERDICT_REASON_ENGINE},
        {"ICAP/1.0 503 Busy\r\n\r\n", VERDICT_REASON_DOWN},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct verdict v = answered(OPTIONS_PLAIN, rows[i].answer, -1, false);
        ck_assert_msg(v.class == VERDICT_ERROR && v.reason == rows[i].reason, "row %zu: %s %s: %s", i,
                      verdict_class_word(v.class), verdict_reason_word(v.reason), v.detail);
    }
}
END_TEST

START_TEST(another_istag_is_asked_about_before_the_next_message)
{
    struct rigged r;
    struct engine_info info;
    listen_tcp(&r);
    r.conf.icap_keep_alive = true;
    expect_options(&r, 0);
    DO(&r, SEND, OPTIONS_PLAIN);
    expect_clean(&r, 1);
    DO(&r, SEND, "ICAP/1.0 204 No Content\r\nISTag: \"emu-0002\"\r\n\r\n");
    expect_options(&r, 2);
    DO(&r, SEND,
       "ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\nISTag: \"emu-0002\"\r\nAllow: 204\r\nConnection: close\r\n\r\n");
    DO(&r, ACCEPT, "");
    expect_clean(&r, 3);
    DO(&r, SEND, "ICAP/1.0 204 No Content\r\n\r\n");
    DO(&r, AWAIT_END, "");
    start(&r);
    struct verdict first = scan(&r, SPAN(CLEANMSG));
    IS(first, CLEAN, NONE, "");
    ck_assert(engine_icap.news(r.state, &info));
    ck_assert_str_eq(info.version, "Emu AV 1.0, ISTag emu-0002");
    struct verdict second = scan(&r, SPAN(CLEANMSG));
    IS(second, CLEAN, NONE, "");
    ck_assert(first.database_version == second.database_version && first.database_version == info.database_version);
    rigged_close(&r);
}
END_TEST

START_TEST(options_that_are_too_old_are_asked_for_again)
{
    struct rigged r;
    listen_tcp(&r);
    r.conf.icap_keep_alive = true;
    for (int i = 0; i < 2; i++) {
        expect_options(&r, 2 * i);
        DO(&r, SEND, "ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\nAllow: 204\r\nOptions-TTL: 0\r\n\r\n");
        expect_clean(&r, 2 * i + 1);
        DO(&r, SEND, CLEAN_204);
    }
    DO(&r, AWAIT_END, "");
    start(&r);
    for (int i = 0; i < 2; i++) {
        struct verdict v = scan(&r, SPAN(CLEANMSG));
        IS(v, CLEAN, NONE, "");
    }
    rigged_close(&r);
}
END_TEST

START_TEST(a_service_that_cannot_do_it_is_down)
{
    static const char *const options[] = {
        "ICAP/1.0 404 ICAP Service not found\r\nConnection: close\r\n\r\n",
        "ICAP/1.0 200 OK\r\nMethods: REQMOD\r\n\r\n",
        "ICAP/1.0 503 Busy\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        struct rigged r;
        listen_tcp(&r);
        expect_options(&r, 0);
        daemon_add(&r.d, DAEMON_SEND, span_cstr(options[i]));
        DO(&r, AWAIT_END, "");
        start(&r);
        struct verdict v = scan(&r, SPAN(CLEANMSG));
        IS(v, ERROR, DOWN, "");
        rigged_close(&r);
    }
}
END_TEST

START_TEST(a_service_that_wants_nothing_scans_nothing)
{
    struct rigged r;
    listen_tcp(&r);
    expect_options(&r, 0);
    DO(&r, SEND, OPTIONS_200 "Transfer-Ignore: *\r\n" OPTIONS_END);
    DO(&r, AWAIT_END, "");
    start(&r);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    IS(v, UNSCANNABLE, UNSUPPORTED, "");
    rigged_close(&r);
}
END_TEST

START_TEST(a_connection_that_was_closed_while_idle_is_renewed)
{
    struct rigged r;
    listen_tcp(&r);
    r.conf.icap_keep_alive = true;
    expect_options(&r, 0);
    DO(&r, SEND, OPTIONS_PLAIN);
    expect_clean(&r, 1);
    DO(&r, SEND, CLEAN_204);
    DO(&r, ACCEPT, "");
    expect_clean(&r, 2); /* what it knows of the server it still knows */
    DO(&r, SEND, CLEAN_204);
    DO(&r, AWAIT_END, "");
    start(&r);
    for (int i = 0; i < 2; i++) {
        struct verdict v = scan(&r, SPAN(CLEANMSG));
        IS(v, CLEAN, NONE, "");
    }
    rigged_close(&r);
}
END_TEST

/* An answer that comes twice, or late, finds nobody. */
START_TEST(each_message_has_a_connection_of_its_own)
{
    static const char *const answers[] = {CLEAN_204, INFECTED_200};
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        struct rigged r;
        listen_tcp(&r);
        expect_options(&r, 0);
        DO(&r, SEND, OPTIONS_PLAIN);
        expect_clean(&r, 1);
        daemon_add(&r.d, DAEMON_SEND, span_cstr(answers[i]));
        DO(&r, AWAIT_END, "");
        DO(&r, ACCEPT, "");
        expect_clean(&r, 2); /* what it knows of the server it still knows */
        DO(&r, SEND, CLEAN_204);
        DO(&r, AWAIT_END, "");
        start(&r);
        struct verdict v = scan(&r, SPAN(CLEANMSG));
        ck_assert_int_eq(v.class, i == 0 ? VERDICT_CLEAN : VERDICT_INFECTED);
        v = scan(&r, SPAN(CLEANMSG));
        IS(v, CLEAN, NONE, "");
        rigged_close(&r);
    }
}
END_TEST

START_TEST(a_server_with_few_places_is_left_after_each_message)
{
    struct rigged r;
    listen_tcp(&r);
    r.conf.workers = 5;
    expect_options(&r, 0);
    DO(&r, SEND, OPTIONS_200 "Max-Connections: 4\r\n\r\n");
    for (int i = 0; i < 2; i++) {
        expect_clean(&r, 1 + i);
        DO(&r, SEND, CLEAN_204);
        DO(&r, AWAIT_END, "");
        if (i == 0)
            DO(&r, ACCEPT, "");
    }
    start(&r);
    for (int i = 0; i < 2; i++) {
        struct verdict v = scan(&r, SPAN(CLEANMSG));
        IS(v, CLEAN, NONE, "");
    }
    rigged_close(&r);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(with_keep_alive_there_is_one_connection_and_a_request_for_each_message)                                          \
    X(a_preview_never_holds_all_of_a_message)                                                                          \
    X(a_server_that_wants_more_after_the_preview_gets_it)                                                              \
    X(an_answer_to_a_part_is_clean_of_nothing_but_a_virus_counts)                                                      \
    X(an_answer_before_the_last_octet_is_to_a_part)                                                                    \
    X(an_answer_that_crosses_the_last_octet_is_to_a_part)                                                              \
    X(a_server_that_reads_nothing_says_nothing)                                                                        \
    X(each_mode_has_its_form)                                                                                          \
    X(an_echo_is_clean_only_where_it_is_how_the_server_says_so)                                                        \
    X(an_answer_cut_at_any_octet_is_never_clean)                                                                       \
    X(answers_that_make_no_sense_are_errors)                                                                           \
    X(another_istag_is_asked_about_before_the_next_message)                                                            \
    X(options_that_are_too_old_are_asked_for_again)                                                                    \
    X(a_service_that_cannot_do_it_is_down)                                                                             \
    X(a_service_that_wants_nothing_scans_nothing)                                                                      \
    X(a_connection_that_was_closed_while_idle_is_renewed)                                                              \
    X(each_message_has_a_connection_of_its_own)                                                                        \
    X(a_server_with_few_places_is_left_after_each_message)
#include "support/check_main.h"
