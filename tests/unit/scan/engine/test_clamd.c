/* SPDX-License-Identifier: MIT */
/* The engine for clamd, octet by octet as measured on clamd 1.4. */
#include "support/daemon_rig.h"

#define SESSION "zIDSESSION\0zVERSION\0"
#define VERSION "1: ClamAV 1.4.6/27500/Mon Jan  6 09:31:02 2025\0"

static void open_engine(struct rigged *r, bool local)
{
    rigged_listen(r, &engine_clamd, local);
    rigged_open(r);
}

/* The first exchange on a connection up to the scan. */
static void begin_session(struct rigged *r)
{
    DO(r, ACCEPT, "");
    DO(r, EXPECT, SESSION);
    DO(r, SEND, VERSION);
}

START_TEST(messages_go_as_a_stream_over_one_session)
{
    struct rigged r;
    struct engine_info info;
    open_engine(&r, false);
    begin_session(&r);
    DO(&r, EXPECT, "zINSTREAM\0\0\0\0\x3e" CLEANMSG "\0\0\0\0");
    DO(&r, SEND, "2: stream: OK\0");
    DO(&r, EXPECT, "zINSTREAM\0\0\0\0\x4b" BADMSG "\0\0\0\0");
    DO(&r, SEND_EACH, "3: stream: Test.Payload.UNOFFICIAL FOUND\0");
    DO(&r, EXPECT, "zINSTREAM\0\0\0\0\0");
    DO(&r, SEND, "4: stream: OK\0");
    DO(&r, AWAIT_END, "");
    daemon_start(&r.d);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    IS(v, CLEAN, NONE, "");
    ck_assert_uint_eq(v.database_version, 27500);
    v = scan(&r, SPAN(BADMSG));
    IS(v, INFECTED, NONE, "Test.Payload.UNOFFICIAL");
    v = scan(&r, SPAN(""));
    IS(v, CLEAN, NONE, "");
    /* what it learned is told once */
    ck_assert(engine_clamd.news(r.state, &info));
    ck_assert_uint_eq(info.database_version, 27500);
    ck_assert_str_eq(info.version, "ClamAV 1.4.6/27500/Mon Jan  6 09:31:02 2025");
    ck_assert(!engine_clamd.news(r.state, &info));
    rigged_close(&r);
}
END_TEST

START_TEST(over_a_unix_socket_the_descriptor_goes)
{
    struct rigged r;
    open_engine(&r, true);
    begin_session(&r);
    for (int i = 0; i < 2; i++) {
        DO(&r, EXPECT_FD, "zFILDES\0\0");
        r.d.steps[r.d.count - 1].file = i == 0 ? SPAN(CLEANMSG) : SPAN(BADMSG);
        if (i == 0)
            DO(&r, SEND, "2: fd[10]: OK\0");
        else
            DO(&r, SEND, "3: fd[10]: Test.Payload.UNOFFICIAL FOUND\0");
    }
    DO(&r, AWAIT_END, "");
    daemon_start(&r.d);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    IS(v, CLEAN, NONE, "");
    v = scan(&r, SPAN(BADMSG));
    IS(v, INFECTED, NONE, "Test.Payload.UNOFFICIAL");
    rigged_close(&r);
}
END_TEST

START_TEST(where_the_descriptor_does_not_arrive_the_octets_go)
{
    struct rigged r;
    open_engine(&r, true);
    begin_session(&r);
    DO(&r, EXPECT_FD, "zFILDES\0\0");
    DO(&r, SEND, "2: No file descriptor received. ERROR\0");
    begin_session(&r);
    DO(&r, EXPECT, "zINSTREAM\0\0\0\0\x3e" CLEANMSG "\0\0\0\0");
    DO(&r, SEND, "2: stream: OK\0");
    DO(&r, EXPECT, "zINSTREAM\0\0\0\0\x3e" CLEANMSG "\0\0\0\0"); /* and from now on */
    DO(&r, SEND, "3: stream: OK\0");
    daemon_start(&r.d);
    for (int i = 0; i < 2; i++) {
        struct verdict v = scan(&r, SPAN(CLEANMSG));
        IS(v, CLEAN, NONE, "");
    }
    rigged_close(&r);
}
END_TEST

START_TEST(a_large_message_goes_in_chunks)
{
    enum { SIZE = 300000, CHUNK = 128 * 1024 };
    static char message[SIZE], wire[SIZE + 64];
    struct rigged r;
    size_t len = sizeof("zINSTREAM");
    memcpy(wire, "zINSTREAM", len);
    for (size_t i = 0; i < SIZE; i++)
        message[i] = (char)(i * 7 % 251);
    for (size_t at = 0; at < SIZE; at += CHUNK) {
        size_t n = SIZE - at < CHUNK ? SIZE - at : CHUNK;
        for (int i = 0; i < 4; i++)
            wire[len++] = (char)(unsigned char)(n >> (24 - 8 * i));
        memcpy(wire + len, message + at, n);
        len += n;
    }
    len += 4; /* zeros */
    open_engine(&r, false);
    begin_session(&r);
    daemon_add(&r.d, DAEMON_EXPECT, span_of(wire, len));
    DO(&r, SEND, "2: stream: OK\0");
    daemon_start(&r.d);
    struct verdict v = scan(&r, span_of(message, SIZE));
    IS(v, CLEAN, NONE, "");
    rigged_close(&r);
}
END_TEST

START_TEST(the_size_limit_is_told_before_everything_was_sent)
{
    static char message[MAX_SIZE];
    struct rigged r;
    open_engine(&r, false);
    begin_session(&r);
    DO(&r, EXPECT, "zINSTREAM\0\0\x02\0\0");
    DO(&r, SEND, "2: INSTREAM size limit exceeded. ERROR\0");
    DO(&r, CLOSE, "");
    daemon_start(&r.d);
    struct verdict v = scan(&r, span_of(message, MAX_SIZE));
    IS(v, UNSCANNABLE, TOO_LARGE, "");
    rigged_close(&r);
}
END_TEST

START_TEST(a_message_over_our_own_limit_is_not_sent_at_all)
{
    static char message[MAX_SIZE + 1];
    struct rigged r;
    open_engine(&r, false);
    daemon_start(&r.d);
    struct verdict v = scan(&r, span_of(message, MAX_SIZE + 1));
    IS(v, UNSCANNABLE, TOO_LARGE, "");
    rigged_close(&r);
}
END_TEST

START_TEST(an_ok_before_the_whole_message_is_no_ok)
{
    static char message[MAX_SIZE];
    struct rigged r;
    memset(message, 'x', sizeof(message));
    open_engine(&r, true);
    begin_session(&r);
    DO(&r, EXPECT_FD, "zFILDES\0\0");
    r.d.steps[r.d.count - 1].file = SPAN("xxx");
    DO(&r, SEND, "2: Access denied. ERROR\0");
    begin_session(&r);
    DO(&r, EXPECT, "zINSTREAM\0\0\x02\0\0");
    DO(&r, SEND, "2: stream: OK\0");
    DO(&r, CLOSE, "");
    daemon_start(&r.d);
    struct verdict v = scan(&r, span_of(message, MAX_SIZE));
    IS(v, ERROR, PROTOCOL, "");
    rigged_close(&r);
}
END_TEST

/* One scan whose answer is TEXT, after which the daemon closes. */
static struct verdict answered_by(bool local, struct span text)
{
    struct rigged r;
    open_engine(&r, local);
    begin_session(&r);
    if (local) {
        DO(&r, EXPECT_FD, "zFILDES\0\0");
        r.d.steps[r.d.count - 1].file = SPAN(CLEANMSG);
    } else {
        DO(&r, EXPECT, "zINSTREAM\0\0\0\0\x3e" CLEANMSG "\0\0\0\0");
    }
    daemon_add(&r.d, DAEMON_SEND_EACH, text);
    DO(&r, CLOSE, "");
    daemon_start(&r.d);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    rigged_close(&r);
    return v;
}

static struct verdict answered(struct span text)
{
    return answered_by(false, text);
}

/* By its terminator alone OK differs from the beginning of a name; FOUND needs none. */
START_TEST(an_answer_cut_at_any_octet_is_an_error_unless_it_told_of_a_virus)
{
    static const struct {
        struct span ok, found;
    } ways[] = {{SPAN("2: stream: OK\0"), SPAN("2: stream: V FOUND\0")},
                {SPAN("2: fd[10]: OK\0"), SPAN("2: fd[10]: V FOUND\0")}};
    for (unsigned local = 0; local < ARRAY_SIZE(ways); local++) {
        struct span ok = ways[local].ok, found = ways[local].found;
        struct verdict v = answered_by(local, ok);
        IS(v, CLEAN, NONE, "");
        for (size_t len = 0; len < ok.len; len++) {
            v = answered_by(local, span_sub(ok, 0, len));
            ck_assert_msg(v.class == VERDICT_ERROR, "cut to %zu: %s", len, verdict_class_word(v.class));
        }
        for (size_t len = 0; len < found.len - 1; len++) {
            v = answered_by(local, span_sub(found, 0, len));
            ck_assert_msg(v.class == VERDICT_ERROR, "cut to %zu: %s", len, verdict_class_word(v.class));
        }
        v = answered_by(local, span_sub(found, 0, found.len - 1));
        IS(v, INFECTED, NONE, "V");
    }
}
END_TEST

START_TEST(a_find_counts_however_its_answer_ends)
{
    struct verdict v = answered(SPAN("2: stream: V FOUND\n"));
    IS(v, INFECTED, NONE, "V");
    v = answered(SPAN("2: stream: Heuristics.Encrypted.Zip FOUND"));
    IS(v, UNSCANNABLE, ENCRYPTED, "Heuristics.Encrypted.Zip");
    v = answered(SPAN("3: stream: V FOUND"));
    IS(v, ERROR, PROTOCOL, "");
}
END_TEST

START_TEST(answers_that_make_no_sense_are_errors)
{
    static const struct bad_answer rows[] = {
        {{"1: stream: OK\0", 14}, VERDICT_REASON_PROTOCOL},
        {{"3: stream: OK\0", 14}, VERDICT_REASON_PROTOCOL},
        {{"2: stream: OK\n", 14}, VERDICT_REASON_PROTOCOL},
        {{"stream: OK\0", 11}, VERDICT_REASON_PROTOCOL},
        {{"\0", 1}, VERDICT_REASON_PROTOCOL},
        {{"\xff\xfe\0", 3}, VERDICT_REASON_PROTOCOL},
        {{"2: stream: Internal trouble ERROR\0", 34}, VERDICT_REASON_ENGINE},
        {{"COMMAND READ TIMED OUT\n", 23}, VERDICT_REASON_ENGINE},
    };
    static char endless[4097]; /* one more than an answer may have */
    memset(endless, 'n', sizeof(endless));
    bad_answers_check(rows, ARRAY_SIZE(rows), answered);
    struct verdict v = answered(span_of(endless, sizeof(endless)));
    IS(v, ERROR, PROTOCOL, "");
}
END_TEST

START_TEST(a_session_that_timed_out_while_idle_costs_nothing)
{
    struct rigged r;
    open_engine(&r, false);
    begin_session(&r);
    DO(&r, EXPECT, "zINSTREAM\0\0\0\0\x3e" CLEANMSG "\0\0\0\0");
    DO(&r, SEND, "2: stream: OK\0");
    DO(&r, EXPECT, "zINSTREAM\0"); /* just when the next one begins */
    DO(&r, SEND, "COMMAND READ TIMED OUT\n");
    begin_session(&r);
    DO(&r, EXPECT, "zINSTREAM\0\0\0\0\x4b" BADMSG "\0\0\0\0");
    DO(&r, SEND, "2: stream: V FOUND\0");
    daemon_start(&r.d);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    IS(v, CLEAN, NONE, "");
    v = scan(&r, SPAN(BADMSG));
    IS(v, INFECTED, NONE, "V");
    rigged_close(&r);
}
END_TEST

START_TEST(a_clamd_without_version_is_asked_without_it)
{
    struct rigged r;
    open_engine(&r, false);
    DO(&r, ACCEPT, "");
    DO(&r, EXPECT, SESSION);
    DO(&r, SEND, "1: COMMAND UNAVAILABLE\0");
    DO(&r, CLOSE, "");
    DO(&r, ACCEPT, "");
    DO(&r, EXPECT, "zIDSESSION\0zINSTREAM\0\0\0\0\x3e" CLEANMSG "\0\0\0\0");
    DO(&r, SEND, "1: stream: OK\0");
    daemon_start(&r.d);
    struct verdict v = scan(&r, SPAN(CLEANMSG));
    IS(v, CLEAN, NONE, "");
    ck_assert_uint_eq(v.database_version, 0);
    rigged_close(&r);
}
END_TEST

START_TEST(a_daemon_that_is_away_or_silent_is_down_or_timeout)
{
    struct rigged r;
    open_engine(&r, false);
    begin_session(&r);
    DO(&r, EXPECT, "zINSTREAM\0\0\0\0\x3e" CLEANMSG "\0\0\0\0");
    DO(&r, AWAIT_END, "");
    daemon_start(&r.d);
    struct verdict v = scan_for(&r, SPAN(CLEANMSG), 300);
    IS(v, ERROR, TIMEOUT, "");
    ck_assert(pthread_join(r.d.thread, NULL) == 0);
    ck_assert_str_eq(r.d.wrong, "");
    daemon_vanish(&r.d);
    v = scan(&r, SPAN(CLEANMSG));
    IS(v, ERROR, DOWN, "");
    engine_clamd.close(r.state);
    ck_assert(rmdir(r.dir) == 0);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(messages_go_as_a_stream_over_one_session)                                                                        \
    X(over_a_unix_socket_the_descriptor_goes)                                                                          \
    X(where_the_descriptor_does_not_arrive_the_octets_go)                                                              \
    X(a_large_message_goes_in_chunks)                                                                                  \
    X(the_size_limit_is_told_before_everything_was_sent)                                                               \
    X(a_message_over_our_own_limit_is_not_sent_at_all)                                                                 \
    X(an_ok_before_the_whole_message_is_no_ok)                                                                         \
    X(an_answer_cut_at_any_octet_is_an_error_unless_it_told_of_a_virus)                                                \
    X(a_find_counts_however_its_answer_ends)                                                                           \
    X(answers_that_make_no_sense_are_errors)                                                                           \
    X(a_session_that_timed_out_while_idle_costs_nothing)                                                               \
    X(a_clamd_without_version_is_asked_without_it)                                                                     \
    X(a_daemon_that_is_away_or_silent_is_down_or_timeout)
#include "support/check_main.h"
