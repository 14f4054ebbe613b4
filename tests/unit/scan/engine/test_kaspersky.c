/* SPDX-License-Identifier: MIT */
/* The engine for Kaspersky's daemons, octet by octet. */
#include "support/daemon_rig.h"

#define GREETING "201 KAV emulator ready\r\n"

static void listen_aveserver(struct rigged *r, bool local, bool remote)
{
    rigged_listen(r, &engine_kaspersky, local);
    r->conf.daemon_is_remote = remote;
    if (remote)
        r->conf.file_base = NULL;
}

/* The message is answered: the connection ends, and the next one begins. */
static void next_connection(struct rigged *r)
{
    DO(r, AWAIT_END, "");
    DO(r, ACCEPT, "");
    DO(r, SEND, GREETING);
}

START_TEST(messages_are_files_each_over_a_connection_of_its_own)
{
    struct rigged r;
    struct engine_info info;
    listen_aveserver(&r, true, false);
    DO(&r, ACCEPT, "");
    DO(&r, SEND, "201-several\r\n201 lines\r\n");
    DO_FILE(&r, EXPECT, 0, "SCAN bPQRSTUW %s/%u.eml\r\n", 1);
    DO(&r, SEND, "220 File is clean\r\n");
    next_connection(&r);
    DO_FILE(&r, EXPECT, 1, "SCAN bPQRSTUW %s/%u.eml\r\n", 2);
    DO_FILE(&r, SEND_EACH, 2, "322-EICAR-Test-File %s/%u.eml/part1\r\n", 2);
    DO_FILE(&r, SEND, 3, "322-Worm.Test.b %s/%u.eml/part2\r\n230 File is infected\r\n", 2);
    DO(&r, AWAIT_END, "");
    rigged_open(&r);
    daemon_start(&r.d);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    IS(v, CLEAN, NONE, "");
    v = scan(&r, SPAN(BADMSG));
    IS(v, INFECTED, NONE, "EICAR-Test-File");
    ck_assert(engine_kaspersky.news(r.state, &info));
    ck_assert_str_eq(info.version, "aveserver: KAV emulator ready");
    ck_assert(!engine_kaspersky.news(r.state, &info));
    rigged_close(&r);
}
END_TEST

START_TEST(messages_go_over_the_connection_where_the_daemon_is_remote)
{
    struct rigged r;
    listen_aveserver(&r, false, true);
    ck_assert_ptr_eq(engine_kaspersky.file_base(&r.conf), NULL);
    DO(&r, ACCEPT, "");
    DO(&r, SEND, GREETING);
    DO(&r, EXPECT, "NETSCAN bPQRSTUW 75\r\n" BADMSG);
    DO(&r, SEND, "322-EICAR-Test-File /stream\r\n230 File is infected\r\n");
    next_connection(&r);
    DO(&r, EXPECT, "NETSCAN bPQRSTUW 62\r\n" CLEANMSG);
    DO(&r, SEND_EACH, "220 File is clean\r\n");
    next_connection(&r);
    DO(&r, EXPECT, "NETSCAN bPQRSTUW 0\r\n");
    DO(&r, SEND, "220 File is clean\r\n");
    next_connection(&r);
    DO(&r, EXPECT, "NETSCAN bPQRSTUW 62\r\n");
    DO(&r, SEND, "502 NETSCAN not licensed\r\n");
    DO(&r, CLOSE, "");
    rigged_open(&r);
    daemon_start(&r.d);
    struct verdict v = scan(&r, SPAN(BADMSG));
    IS(v, INFECTED, NONE, "EICAR-Test-File");
    v = scan(&r, SPAN(CLEANMSG));
    IS(v, CLEAN, NONE, "");
    v = scan(&r, SPAN(""));
    IS(v, CLEAN, NONE, "");
    v = scan(&r, SPAN(CLEANMSG));
    ck_assert_msg(v.class == VERDICT_ERROR, "%s", verdict_class_word(v.class));
    rigged_close(&r);
}
END_TEST

START_TEST(a_local_daemon_that_refuses_netscan_is_told_a_path)
{
    struct rigged r;
    listen_aveserver(&r, true, true);
    r.conf.file_base = "/tmp";
    DO(&r, ACCEPT, "");
    DO(&r, SEND, GREETING);
    DO(&r, EXPECT, "NETSCAN bPQRSTUW 75\r\n" BADMSG);
    DO(&r, SEND, "502 NETSCAN not licensed\r\n");
    DO(&r, ACCEPT, "");
    DO(&r, SEND, GREETING);
    DO_FILE(&r, EXPECT, 0, "SCAN bPQRSTUW %s/%u.eml\r\n", 1);
    DO_FILE(&r, SEND, 1, "322-V %s/%u.eml\r\n230 x\r\n", 1);
    next_connection(&r);
    DO_FILE(&r, EXPECT, 2, "SCAN bPQRSTUW %s/%u.eml\r\n", 2); /* and from now on */
    DO(&r, SEND, "220 File is clean\r\n");
    rigged_open(&r);
    daemon_start(&r.d);
    struct verdict v = scan(&r, SPAN(BADMSG));
    IS(v, INFECTED, NONE, "V");
    v = scan(&r, SPAN(CLEANMSG));
    IS(v, CLEAN, NONE, "");
    rigged_close(&r);
}
END_TEST

START_TEST(the_reconstruction_can_be_adapted)
{
    static const struct {
        int framing;
        const char *command, *flags;
        struct span message, wire;
    } rows[] = {
        {NETSCAN_DOT, "STREAM", "x", SPAN(".a\r\n..b\r\n.\r\nc.d\r\n"),
         SPAN("STREAM x\r\n..a\r\n...b\r\n..\r\nc.d\r\n.\r\n")},
        {NETSCAN_DOT, "NETSCAN", "x", SPAN("no end"), SPAN("NETSCAN x\r\nno end\r\n.\r\n")},
        {NETSCAN_DOT, "NETSCAN", "x", SPAN(""), SPAN("NETSCAN x\r\n.\r\n")},
        {NETSCAN_DOT, "NETSCAN", "x", SPAN("a\n.b\r\r\n.c"), SPAN("NETSCAN x\r\na\n.b\r\r\n..c\r\n.\r\n")},
        {NETSCAN_CHUNK, "NETSCAN", "bPQ", SPAN("hello"), SPAN("NETSCAN bPQ\r\n\0\0\0\5hello\0\0\0\0")},
        {NETSCAN_CHUNK, "NETSCAN", "bPQ", SPAN(""), SPAN("NETSCAN bPQ\r\n\0\0\0\0")},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rigged r;
        listen_aveserver(&r, false, true);
        r.conf.netscan_framing = rows[i].framing;
        r.conf.netscan_command = rows[i].command;
        r.conf.scan_flags = rows[i].flags;
        DO(&r, ACCEPT, "");
        DO(&r, SEND, GREETING);
        daemon_add(&r.d, DAEMON_EXPECT, rows[i].wire);
        DO(&r, SEND, "220 File is clean\r\n");
        rigged_open(&r);
        daemon_start(&r.d);
        struct verdict v = scan(&r, rows[i].message);
        IS(v, CLEAN, NONE, "");
        rigged_close(&r);
    }
}
END_TEST

/* Dots in every place of a large message, so that its stuffed form is twice as large. */
START_TEST(a_large_message_is_stuffed_whole)
{
    enum { LINES = 100000, SIZE = 3 * LINES };
    static char message[SIZE], wire[4 * LINES + 64];
    struct rigged r;
    size_t len = (size_t)snprintf(wire, sizeof(wire), "NETSCAN bPQRSTUW\r\n");
    for (size_t i = 0; i < LINES; i++) {
        memcpy(message + 3 * i, ".\r\n", 3);
        memcpy(wire + len, "..\r\n", 4);
        len += 4;
    }
    memcpy(wire + len, ".\r\n", 3);
    len += 3;
    listen_aveserver(&r, false, true);
    r.conf.netscan_framing = NETSCAN_DOT;
    DO(&r, ACCEPT, "");
    DO(&r, SEND, GREETING);
    daemon_add(&r.d, DAEMON_EXPECT, span_of(wire, len));
    DO(&r, SEND, "220 File is clean\r\n");
    rigged_open(&r);
    daemon_start(&r.d);
    struct verdict v = scan(&r, span_of(message, SIZE));
    IS(v, CLEAN, NONE, "");
    rigged_close(&r);
}
END_TEST

START_TEST(a_go_ahead_is_waited_for_where_it_is_due)
{
    struct rigged r;
    listen_aveserver(&r, false, true);
    r.conf.netscan_goahead = GOAHEAD_YES;
    DO(&r, ACCEPT, "");
    DO(&r, SEND, GREETING);
    DO(&r, EXPECT, "NETSCAN bPQRSTUW 62\r\n");
    DO(&r, SEND, "354 send it\r\n");
    DO(&r, EXPECT, CLEANMSG);
    DO(&r, SEND, "220 File is clean\r\n");
    next_connection(&r);
    DO(&r, EXPECT, "NETSCAN bPQRSTUW 62\r\n");
    DO(&r, SEND, "220 File is clean\r\n"); /* without having seen it */
    DO(&r, CLOSE, "");
    rigged_open(&r);
    daemon_start(&r.d);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    IS(v, CLEAN, NONE, "");
    v = scan(&r, SPAN(CLEANMSG));
    IS(v, ERROR, PROTOCOL, "");
    rigged_close(&r);
}
END_TEST

START_TEST(a_go_ahead_that_nobody_waits_for_is_learned_from)
{
    enum { LARGE = 16 << 20 }; /* more than the sockets hold */
    static char message[LARGE], command[64];
    struct rigged r;
    memset(message, 'x', sizeof(message));
    listen_aveserver(&r, false, true);
    r.conf.max_filesize = LARGE;
    snprintf(command, sizeof(command), "NETSCAN bPQRSTUW %d\r\n", LARGE);
    DO(&r, ACCEPT, "");
    DO(&r, SEND, GREETING);
    DO(&r, EXPECT, "NETSCAN bPQRSTUW 62\r\n" CLEANMSG);
    DO(&r, SEND, "150 go ahead\r\n220 File is clean\r\n");
    next_connection(&r);
    daemon_add(&r.d, DAEMON_EXPECT, span_cstr(command));
    DO(&r, SEND, "150 go ahead\r\n"); /* and reads nothing: the connection is full, and the engine must see it */
    DO(&r, RELIEVE, "");
    DO(&r, SEND, GREETING);
    daemon_add(&r.d, DAEMON_EXPECT, span_cstr(command));
    DO(&r, SEND, "150 go ahead\r\n");
    daemon_add(&r.d, DAEMON_EXPECT, span_of(message, LARGE));
    DO(&r, SEND, "220 File is clean\r\n");
    rigged_open(&r);
    daemon_start(&r.d);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    IS(v, CLEAN, NONE, "");
    v = scan(&r, span_of(message, LARGE));
    IS(v, CLEAN, NONE, "");
    rigged_close(&r);
}
END_TEST

/* One SCAN whose answer is TEXT, after which the daemon closes. */
static struct verdict answered(struct span text)
{
    struct rigged r;
    listen_aveserver(&r, false, false);
    DO(&r, ACCEPT, "");
    DO(&r, SEND, GREETING);
    DO_FILE(&r, EXPECT, 0, "SCAN bPQRSTUW %s/%u.eml\r\n", 1);
    daemon_add(&r.d, DAEMON_SEND, text);
    DO(&r, CLOSE, "");
    rigged_open(&r);
    daemon_start(&r.d);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    rigged_close(&r);
    return v;
}

START_TEST(an_answer_cut_at_any_octet_is_an_error_unless_it_told_of_a_virus)
{
    static const struct span answers[] = {SPAN("220 File is clean\r\n"),
                                          SPAN("322-EICAR-Test-File\r\n230 File is infected\r\n"),
                                          SPAN("230 File is infected\r\n"), SPAN("232 Suspicious object\r\n")};
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        for (size_t len = 0; len < answers[i].len; len++) {
            struct verdict v = answered(span_sub(answers[i], 0, len));
            bool told = (i == 1 || i == 2) && len > 3;
            ck_assert_msg(v.class == (told ? VERDICT_INFECTED : VERDICT_ERROR), "answer %zu cut to %zu: %s", i, len,
                          verdict_class_word(v.class));
        }
    struct verdict v = answered(SPAN("322-EICAR Test /tmp/pos"));
    IS(v, INFECTED, NONE, "EICAR Test");
    v = answered(SPAN("322-"));
    IS(v, INFECTED, NONE, "Unknown");
}
END_TEST

START_TEST(answers_that_make_no_sense_are_errors)
{
    static char endless[8193]; /* one more than a line may have */
    static const struct bad_answer rows[] = {
        {SPAN("525 File not found\r\n"), VERDICT_REASON_ENGINE},
        {SPAN("241 Scan error\r\n"), VERDICT_REASON_ENGINE},
        {SPAN("220 clean\r\n230 infected\r\n"), VERDICT_REASON_PROTOCOL}, /* more than an answer */
        {SPAN("322-V /elsewhere\r\n230 infected\r\n"), VERDICT_REASON_PROTOCOL},
        {SPAN("\xff\xfe\r\n"), VERDICT_REASON_PROTOCOL},
        {SPAN("HTTP/1.0 200 OK\r\n"), VERDICT_REASON_PROTOCOL},
    };
    memset(endless, 'n', sizeof(endless));
    bad_answers_check(rows, ARRAY_SIZE(rows), answered);
    struct verdict v = answered(span_of(endless, sizeof(endless)));
    IS(v, ERROR, PROTOCOL, "");
}
END_TEST

START_TEST(a_daemon_that_is_not_ready_gets_no_command)
{
    static const struct {
        struct span greeting;
        enum verdict_reason reason;
    } rows[] = {{SPAN("501 bases are being loaded\r\n"), VERDICT_REASON_DOWN},
                {SPAN("220 hello\r\n"), VERDICT_REASON_PROTOCOL},
                {SPAN("hello\r\n"), VERDICT_REASON_PROTOCOL}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rigged r;
        listen_aveserver(&r, false, false);
        DO(&r, ACCEPT, "");
        daemon_add(&r.d, DAEMON_SEND, rows[i].greeting);
        DO(&r, EXPECT, "");
        DO(&r, AWAIT_END, "");
        rigged_open(&r);
        daemon_start(&r.d);
        struct verdict v = scan(&r, SPAN(CLEANMSG));
        ck_assert_msg(v.class == VERDICT_ERROR && v.reason == rows[i].reason, "row %zu: %s: %s", i,
                      verdict_reason_word(v.reason), v.detail);
        rigged_close(&r);
    }
}
END_TEST

START_TEST(what_cannot_be_handed_over_is_not_sent)
{
    static char message[MAX_SIZE + 1];
    struct rigged r;
    listen_aveserver(&r, false, false);
    rigged_open(&r);
    daemon_start(&r.d);
    struct verdict v = scan(&r, span_of(message, sizeof(message)));
    IS(v, UNSCANNABLE, TOO_LARGE, "");
    engine_kaspersky.take_directory(r.state, "/nonexistent/directory", NULL);
    v = scan(&r, SPAN(CLEANMSG));
    IS(v, ERROR, DOWN, "");
    ck_assert_msg(strstr(v.detail, "No such file") != NULL, "%s", v.detail);
    engine_kaspersky.take_directory(r.state, NULL, "file_base /x: not today");
    v = scan(&r, SPAN(CLEANMSG));
    IS(v, ERROR, DOWN, "");
    ck_assert_str_eq(v.detail, "file_base /x: not today");
    rigged_close(&r);
}
END_TEST

/* Kaspersky Scan Engine. */

#define HTTP_OK(length, body)                                                                                          \
    "HTTP/1.0 200 OK\r\nServer: KAVHTTPD/1.0\r\nX-KAV-ProtocolVersion: 1\r\nContent-Type: text/plain\r\n"              \
    "Content-Length: " length "\r\nConnection: close\r\n\r\n" body

static void listen_http(struct rigged *r, int protocol, bool remote)
{
    rigged_listen(r, &engine_kaspersky, false);
    r->conf.protocol = protocol;
    r->conf.daemon_is_remote = remote;
}

START_TEST(http_posts_the_octets_or_the_path)
{
    struct rigged r;
    listen_http(&r, KASPERSKY_HTTP, true);
    snprintf(r.texts[0], sizeof(r.texts[0]),
             "POST /scanmemory HTTP/1.0\r\nHost: %s\r\nX-KAV-ProtocolVersion: 1\r\nX-KAV-Timeout: 4500\r\n"
             "Content-Length: 75\r\n\r\n" BADMSG,
             r.d.name);
    DO(&r, ACCEPT, "");
    daemon_add(&r.d, DAEMON_EXPECT, span_cstr(r.texts[0]));
    DO(&r, SEND_EACH, HTTP_OK("24", "DETECT EICAR-Test-File\r\n"));
    DO(&r, CLOSE, "");
    rigged_open(&r);
    daemon_start(&r.d);
    struct verdict v = scan_for(&r, SPAN(BADMSG), 5000);
    IS(v, INFECTED, NONE, "EICAR-Test-File");
    rigged_close(&r);

    listen_http(&r, KASPERSKY_HTTP, false);
    snprintf(r.texts[0], sizeof(r.texts[0]),
             "POST /scanfile HTTP/1.0\r\nHost: %s\r\nX-KAV-ProtocolVersion: 1\r\nX-KAV-Timeout: 4500\r\n"
             "Content-Length: %zu\r\n\r\n%s/1.eml",
             r.d.name, strlen(r.dir) + 6, r.dir);
    DO(&r, ACCEPT, "");
    daemon_add(&r.d, DAEMON_EXPECT, span_cstr(r.texts[0]));
    DO(&r, SEND, "HTTP/1.0 200 OK\r\n\r\nCLEAN\r\n");
    DO(&r, CLOSE, "");
    rigged_open(&r);
    daemon_start(&r.d);
    v = scan_for(&r, SPAN(CLEANMSG), 5000);
    IS(v, CLEAN, NONE, "");
    rigged_close(&r);
}
END_TEST

START_TEST(rest_posts_base64_or_the_path)
{
    static const struct {
        struct span object;
        const char *base64;
        unsigned length;
    } rows[] = {{SPAN("TEST-VIRUS-PAYLOAD"), "VEVTVC1WSVJVUy1QQVlMT0FE", 54},
                {SPAN("TEST-VIRUS-PAYLOA"), "VEVTVC1WSVJVUy1QQVlMT0E=", 54},
                {SPAN("T"), "VA==", 34},
                {SPAN(""), "", 30}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rigged r;
        listen_http(&r, KASPERSKY_REST, true);
        snprintf(r.texts[0], sizeof(r.texts[0]),
                 "POST /api/v3.0/scanmemory HTTP/1.0\r\nHost: %s\r\nContent-Type: application/json\r\n"
                 "Content-Length: %u\r\n\r\n{\"timeout\":\"9500\",\"object\":\"%s\"}",
                 r.d.name, rows[i].length, rows[i].base64);
        DO(&r, ACCEPT, "");
        daemon_add(&r.d, DAEMON_EXPECT, span_cstr(r.texts[0]));
        DO(&r, SEND,
           HTTP_OK("75", "{\"object\":\"memory\",\"scanResult\":\"DETECT\",\"detectionName\":\"EICAR-Test-File\"}"));
        DO(&r, CLOSE, "");
        rigged_open(&r);
        daemon_start(&r.d);
        struct verdict v = scan_for(&r, rows[i].object, 10000);
        IS(v, INFECTED, NONE, "EICAR-Test-File");
        rigged_close(&r);
    }
}
END_TEST

/* One message over HTTP whose answer is TEXT, after which the daemon closes. */
static struct verdict http_answered(struct span text, int protocol)
{
    struct rigged r;
    listen_http(&r, protocol, true);
    DO(&r, ACCEPT, "");
    DO(&r, EXPECT, "POST ");
    daemon_add(&r.d, DAEMON_SEND, text);
    DO(&r, AWAIT_END, "");
    rigged_open(&r);
    daemon_start(&r.d);
    struct verdict v = scan_for(&r, SPAN(CLEANMSG), LONG_MS);
    rigged_close(&r);
    return v;
}

START_TEST(http_answers_have_their_verdicts)
{
    static char many[20000];
    size_t len = (size_t)snprintf(many, sizeof(many), "HTTP/1.0 200 OK\r\n");
    for (int i = 0; i < 101; i++)
        len += (size_t)snprintf(many + len, sizeof(many) - len, "X-%d: y\r\n", i);
    const struct {
        struct span answer;
        int protocol;
        enum verdict_class class;
        enum verdict_reason reason;
    } rows[] = {
        {SPAN(HTTP_OK("7", "CLEAN\r\n")), KASPERSKY_HTTP, VERDICT_CLEAN, VERDICT_REASON_NONE},
        {SPAN(HTTP_OK("22", "{\"scanResult\":\"CLEAN\"}")), KASPERSKY_REST, VERDICT_CLEAN, VERDICT_REASON_NONE},
        {SPAN(HTTP_OK("5", "CLEAN\r\n")), KASPERSKY_HTTP, VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {SPAN(HTTP_OK("22", "{\"scanResult\":\"CLEAN\"}")), KASPERSKY_HTTP, VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {SPAN(HTTP_OK("7", "CLEAN\r\n")), KASPERSKY_REST, VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {SPAN(HTTP_OK("99999", "")), KASPERSKY_HTTP, VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {SPAN(HTTP_OK("x", "CLEAN\r\n")), KASPERSKY_HTTP, VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {SPAN("HTTP/1.0 503 Busy\r\n\r\n"), KASPERSKY_HTTP, VERDICT_ERROR, VERDICT_REASON_ENGINE},
        {SPAN("HTTP/1.0 413 Large\r\n\r\nCLEAN\r\n"), KASPERSKY_HTTP, VERDICT_ERROR, VERDICT_REASON_ENGINE},
        {SPAN("201 KAV emulator ready\r\n"), KASPERSKY_HTTP, VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {SPAN("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), KASPERSKY_HTTP, VERDICT_ERROR,
         VERDICT_REASON_PROTOCOL},
        {span_of(many, len), KASPERSKY_HTTP, VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct verdict v = http_answered(rows[i].answer, rows[i].protocol);
        ck_assert_msg(v.class == rows[i].class && v.reason == rows[i].reason, "row %zu: %s %s: %s", i,
                      verdict_class_word(v.class), verdict_reason_word(v.reason), v.detail);
    }
}
END_TEST

START_TEST(a_large_message_goes_in_base64_whole)
{
    enum { SIZE = 300001 };
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static char message[SIZE], wire[SIZE / 3 * 4 + 512];
    struct rigged r;
    listen_http(&r, KASPERSKY_REST, true);
    for (size_t i = 0; i < SIZE; i++)
        message[i] = (char)(unsigned char)(i * 7 % 251);
    size_t len = (size_t)snprintf(wire, sizeof(wire),
                                  "POST /api/v3.0/scanmemory HTTP/1.0\r\nHost: %s\r\nContent-Type: application/json\r\n"
                                  "Content-Length: %d\r\n\r\n{\"timeout\":\"19500\",\"object\":\"",
                                  r.d.name, (SIZE + 2) / 3 * 4 + 31);
    for (size_t i = 0; i < SIZE; i += 3)
        for (unsigned c = 0; c < 4; c++) {
            unsigned bits = 0;
            for (size_t b = 0; b < 3; b++)
                bits = bits << 8 | (i + b < SIZE ? (unsigned char)message[i + b] : 0);
            wire[len++] = i + c <= SIZE ? letters[bits >> (18 - 6 * c) & 63] : '=';
        }
    memcpy(wire + len, "\"}", 2);
    len += 2;
    DO(&r, ACCEPT, "");
    daemon_add(&r.d, DAEMON_EXPECT, span_of(wire, len));
    DO(&r, SEND, HTTP_OK("22", "{\"scanResult\":\"CLEAN\"}"));
    DO(&r, CLOSE, "");
    rigged_open(&r);
    daemon_start(&r.d);
    struct verdict v = scan(&r, span_of(message, SIZE));
    IS(v, CLEAN, NONE, "");
    rigged_close(&r);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(messages_are_files_each_over_a_connection_of_its_own)                                                            \
    X(messages_go_over_the_connection_where_the_daemon_is_remote)                                                      \
    X(a_local_daemon_that_refuses_netscan_is_told_a_path)                                                              \
    X(the_reconstruction_can_be_adapted)                                                                               \
    X(a_large_message_is_stuffed_whole)                                                                                \
    X(a_go_ahead_is_waited_for_where_it_is_due)                                                                        \
    X(a_go_ahead_that_nobody_waits_for_is_learned_from)                                                                \
    X(an_answer_cut_at_any_octet_is_an_error_unless_it_told_of_a_virus)                                                \
    X(answers_that_make_no_sense_are_errors)                                                                           \
    X(a_daemon_that_is_not_ready_gets_no_command)                                                                      \
    X(what_cannot_be_handed_over_is_not_sent)                                                                          \
    X(http_posts_the_octets_or_the_path)                                                                               \
    X(rest_posts_base64_or_the_path)                                                                                   \
    X(http_answers_have_their_verdicts)                                                                                \
    X(a_large_message_goes_in_base64_whole)
#include "support/check_main.h"
