/* SPDX-License-Identifier: MIT */
/* clamd's answers as octets: what each means, and that nothing else means "clean". */
#include <check.h>

#include "scan/engine/clamd_reply.h"

static const struct row {
    const char *reply;
    enum clamd_way way;
    enum verdict_class class;
    enum verdict_reason reason;
    const char *name;
} rows[] = {
    {"7: stream: OK", CLAMD_STREAM, VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"7: fd[10]: OK", CLAMD_DESCRIPTOR, VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"7: stream: Test.Payload.UNOFFICIAL FOUND", CLAMD_STREAM, VERDICT_INFECTED, VERDICT_REASON_NONE,
     "Test.Payload.UNOFFICIAL"},
    {"7: fd[0]: A: b FOUND", CLAMD_DESCRIPTOR, VERDICT_INFECTED, VERDICT_REASON_NONE, "A: b"},
    {"7: stream: OK FOUND", CLAMD_STREAM, VERDICT_INFECTED, VERDICT_REASON_NONE, "OK"},
    {"7: stream: W\x1b[m\r\x80 FOUND", CLAMD_STREAM, VERDICT_INFECTED, VERDICT_REASON_NONE, "W?[m??"},
    {"7: stream: X(0123456789abcdef0123456789abcdef:68) FOUND", CLAMD_STREAM, VERDICT_INFECTED, VERDICT_REASON_NONE,
     "X"},
    {"7: stream: X(12:68) FOUND", CLAMD_STREAM, VERDICT_INFECTED, VERDICT_REASON_NONE, "X(12:68)"},
    {"7: stream: (0123456789abcdef0123456789abcdef:68) FOUND", CLAMD_STREAM, VERDICT_INFECTED, VERDICT_REASON_NONE,
     "(0123456789abcdef0123456789abcdef:68)"},
    {"7: stream: Heuristics.Encrypted.Zip FOUND", CLAMD_STREAM, VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED,
     "Heuristics.Encrypted.Zip"},
    {"7: fd[3]: Heuristics.Limits.Exceeded.MaxFileSize FOUND", CLAMD_DESCRIPTOR, VERDICT_UNSCANNABLE,
     VERDICT_REASON_LIMIT, "Heuristics.Limits.Exceeded.MaxFileSize"},
    {"7: stream: Heuristics.Limits.Exceeded.MaxScanTime FOUND", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_TIMEOUT,
     "Heuristics.Limits.Exceeded.MaxScanTime"},
    {"7: INSTREAM size limit exceeded. ERROR", CLAMD_STREAM, VERDICT_UNSCANNABLE, VERDICT_REASON_TOO_LARGE, ""},
    {"INSTREAM size limit exceeded. ERROR", CLAMD_STREAM, VERDICT_UNSCANNABLE, VERDICT_REASON_TOO_LARGE, ""},
    {"7: fd[4]: Not a regular file ERROR", CLAMD_DESCRIPTOR, VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"7: No file descriptor received. ERROR", CLAMD_DESCRIPTOR, VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"7: Error writing to temporary file ERROR", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"7: stream: OK ERROR", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"COMMAND READ TIMED OUT", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"UNKNOWN COMMAND", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"7: COMMAND UNAVAILABLE", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    /* what clamd never says to such a request */
    {"6: stream: OK", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"8: stream: Test.Payload FOUND", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"stream: OK", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"07 stream: OK", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"99999999999999999999: stream: OK", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"7: fd[10]: OK", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"7: fd[]: OK", CLAMD_DESCRIPTOR, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"7: stream: OK", CLAMD_DESCRIPTOR, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"7: OK", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"7: stream: ok", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"7: stream: OK ", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"7: stream:  FOUND", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"7: stream: Excluded", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"7: PONG", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"", CLAMD_STREAM, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
};

START_TEST(each_answer_has_its_verdict)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct verdict v;
        clamd_reply_verdict(span_cstr(rows[i].reply), 7, rows[i].way, &v);
        ck_assert_msg(v.class == rows[i].class && v.reason == rows[i].reason && strcmp(v.name, rows[i].name) == 0,
                      "%s: found %s %s \"%s\": %s", rows[i].reply, verdict_class_word(v.class),
                      verdict_reason_word(v.reason), v.name, v.detail);
        ck_assert(v.class == VERDICT_CLEAN || v.class == VERDICT_INFECTED || v.detail[0] != '\0');
    }
}
END_TEST

START_TEST(an_answer_cut_anywhere_is_never_clean)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct span whole = span_cstr(rows[i].reply);
        for (size_t len = 0; len < whole.len; len++) {
            struct verdict v;
            struct span cut = span_sub(whole, 0, len);
            if (span_eq(cut, SPAN("7: stream: OK"))) /* a name may begin with OK: its terminator tells them apart */
                continue;
            clamd_reply_verdict(cut, 7, rows[i].way, &v);
            ck_assert_msg(v.class != VERDICT_CLEAN, "\"%.*s\" is called clean", SPAN_ARG(cut));
        }
    }
}
END_TEST

START_TEST(a_long_name_is_cut_to_what_a_verdict_holds)
{
    char reply[2000] = "7: stream: ";
    struct verdict v;
    memset(reply + 11, 'N', 1500);
    memcpy(reply + 1511, " FOUND", 7);
    clamd_reply_verdict(span_cstr(reply), 7, CLAMD_STREAM, &v);
    ck_assert(v.class == VERDICT_INFECTED);
    ck_assert_uint_eq(strlen(v.name), LIMIT_VERDICT_NAME);
}
END_TEST

START_TEST(the_version_names_the_database)
{
    static const struct {
        const char *reply;
        bool is_version;
        uint64_t database, made;
    } versions[] = {
        {"1: ClamAV 1.4.6/27500/Mon Jan  6 09:31:02 2025", true, 27500, 1736155862},
        {"1: ClamAV 1.4.6/27500/Mon Jan  6 09:31:02 2025 ", true, 27500, 0},
        {"1: ClamAV 1.4.6", true, 0, 0},
        {"1: ClamAV 1.4.6/x/Mon Jan", true, 0, 0},
        {"1: ClamAV 1.4.6/99999999999999999999/Mon", true, 0, 0},
        {"2: ClamAV 1.4.6/27500/Mon", false, 0, 0},
        {"ClamAV 1.4.6/27500/Mon", false, 0, 0},
        {"1: PONG", false, 0, 0},
        {"", false, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        char version[64];
        uint64_t database = 1, made = 1;
        bool is = clamd_reply_version(span_cstr(versions[i].reply), 1, version, sizeof(version), &database, &made);
        ck_assert_msg(is == versions[i].is_version, "%s", versions[i].reply);
        if (is) {
            ck_assert_uint_eq(database, versions[i].database);
            ck_assert_uint_eq(made, versions[i].made);
            ck_assert_str_eq(version, versions[i].reply + 3);
        }
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(each_answer_has_its_verdict)                                                                                     \
    X(an_answer_cut_anywhere_is_never_clean)                                                                           \
    X(a_long_name_is_cut_to_what_a_verdict_holds)                                                                      \
    X(the_version_names_the_database)
#include "support/check_main.h"
