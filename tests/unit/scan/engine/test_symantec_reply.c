/* SPDX-License-Identifier: MIT */
/* Symantec Scan Engine's words: what each means, and that nothing else means "clean". */
#include <check.h>

#include "scan/engine/symantec_reply.h"

typedef enum symantec_step (*taker)(struct symantec_reply *r, struct span line);

/* The whole TEXT, lines with CRLF; a last line without one is not taken. */
static enum symantec_step take_all(taker take, const char *text, struct symantec_reply *r)
{
    enum symantec_step step = SYMANTEC_MORE;
    struct span rest = span_cstr(text);
    memset(r, 0, sizeof(*r));
    while (step == SYMANTEC_MORE) {
        size_t at = span_find_span(rest, SPAN("\r\n"));
        if (at == rest.len)
            return SYMANTEC_MORE;
        step = take(r, span_sub(rest, 0, at));
        rest = span_sub(rest, at + 2, rest.len);
    }
    return step;
}

#define BLOCK "message.eml\r\nEICAR Test String\r\n11101\r\n0\r\n"
static const struct {
    const char *text;
    enum verdict_class class;
    enum verdict_reason reason;
    const char *name;
} replies[] = {
    {"230 File scanned.\r\n0\r\n20240105\r\n2\r\n0\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"230\r\n0\r\n20240105\r\n2\r\n0\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"230 File scanned.\r\n1\r\n20240105\r\n2\r\n1\r\n" BLOCK, VERDICT_INFECTED, VERDICT_REASON_NONE,
     "EICAR Test String"},
    {"230 File scanned.\r\n2\r\n20240105\r\n2\r\n2\r\n" BLOCK BLOCK, VERDICT_INFECTED, VERDICT_REASON_NONE,
     "EICAR Test String"},
    {"230 File scanned.\r\n3\r\n20240105\r\n2\r\n1\r\nf\r\n\x1b[m\r\n1\r\n0\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "?[m"},
    {"230 File scanned.\r\n1\r\n20240105\r\n2\r\n1\r\nf\r\n\r\n1\r\n0\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "unnamed"},
    {"230 File scanned.\r\n1\r\n20240105\r\n2\r\n0\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "unnamed"},
    {"230 File scanned.\r\n0\r\n20240105\r\n2\r\n1\r\n" BLOCK, VERDICT_INFECTED, VERDICT_REASON_NONE,
     "EICAR Test String"},
    {"420 Closing.\r\n", VERDICT_ERROR, VERDICT_REASON_DOWN, ""},
    {"430 Not accepted.\r\n", VERDICT_ERROR, VERDICT_REASON_OVERLOAD, ""},
    {"500 Syntax.\r\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"504 Unsupported protocol version.\r\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"530 No.\r\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"531 Unscannable.\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_UNSUPPORTED, ""},
    {"533 Error.\r\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"534 Name.\r\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"535 Time.\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, ""},
    {"536 Depth.\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, ""},
    {"537 Size.\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, ""},
    {"538 Malformed.\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_MALFORMED, ""},
    {"539 No AV scanning license.\r\n", VERDICT_ERROR, VERDICT_REASON_DOWN, ""},
    {"200 Fine.\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"220 Ready.\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"231 Scanned.\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
};

START_TEST(each_reply_has_its_verdict)
{
    for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
        struct symantec_reply r;
        struct verdict v;
        ck_assert_msg(take_all(symantec_reply_line, replies[i].text, &r) == SYMANTEC_DONE, "%s", replies[i].text);
        symantec_reply_verdict(&r, &v);
        ck_assert_msg(v.class == replies[i].class && v.reason == replies[i].reason &&
                          strcmp(v.name, replies[i].name) == 0,
                      "%s: found %s %s \"%s\"", replies[i].text, verdict_class_word(v.class),
                      verdict_reason_word(v.reason), v.name);
    }
}
END_TEST

START_TEST(a_server_that_serves_nobody_now_says_nothing_about_the_message)
{
    static const char *const refusals[] = {"420", "430", "539"};
    for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
        struct symantec_reply r;
        bool expected = false;
        for (size_t k = 0; k < ARRAY_SIZE(refusals); k++)
            expected = expected || strncmp(replies[i].text, refusals[k], 3) == 0;
        ck_assert_int_eq(take_all(symantec_reply_line, replies[i].text, &r), SYMANTEC_DONE);
        ck_assert_msg(symantec_reply_is_refusal(&r) == expected, "%s", replies[i].text);
    }
}
END_TEST

START_TEST(definitions_are_date_and_revision)
{
    struct symantec_reply r;
    struct verdict v;
    ck_assert_int_eq(take_all(symantec_reply_line, replies[0].text, &r), SYMANTEC_DONE);
    symantec_reply_verdict(&r, &v);
    ck_assert_uint_eq(v.database_version, 20240105002);
}
END_TEST

START_TEST(a_reply_cut_at_any_octet_is_not_done)
{
    for (size_t i = 0; i < 6; i++) {
        size_t whole = strlen(replies[i].text);
        char text[512];
        struct symantec_reply r;
        if (strstr(replies[i].text, BLOCK BLOCK)) /* the first is enough */
            whole -= strlen(BLOCK);
        for (size_t len = 0; len < whole; len++) {
            snprintf(text, sizeof(text), "%.*s", (int)len, replies[i].text);
            ck_assert_msg(take_all(symantec_reply_line, text, &r) == SYMANTEC_MORE, "%s", text);
        }
    }
}
END_TEST

START_TEST(infected_counts_though_the_rest_is_lost_or_makes_no_sense)
{
    static const struct {
        const char *text, *name;
    } rows[] = {
        {"230 ok\r\n1\r\n", "unnamed"},
        {"230 ok\r\n2\r\n2024", "unnamed"},
        {"230 ok\r\n3\r\nnonsense\r\n", "unnamed"},
        {"230 ok\r\n1\r\n20240105\r\n2\r\n99999999999\r\n", "unnamed"},
        {"230 ok\r\n0\r\n20240105\r\n2\r\n1\r\n", "unnamed"},
        {"230 ok\r\n0\r\n20240105\r\n2\r\n1\r\nf\r\nSome.Vir", "unnamed"},
        {"230 ok\r\n1\r\n20240105\r\n2\r\n1\r\nf\r\nSome.Virus\r\n", "Some.Virus"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct symantec_reply r;
        struct verdict v;
        ck_assert_msg(take_all(symantec_reply_line, rows[i].text, &r) != SYMANTEC_DONE, "%s", rows[i].text);
        ck_assert_msg(symantec_reply_is_infected(&r), "%s", rows[i].text);
        symantec_reply_verdict(&r, &v);
        ck_assert_int_eq(v.class, VERDICT_INFECTED);
        ck_assert_str_eq(v.name, rows[i].name);
    }
    static const char *const others[] = {
        "", "230 ok\r\n", "230 ok\r\n1", "230 ok\r\n4\r\n", "533 Error.\r\n1\r\n", "230 ok\r\n0\r\n20240105\r\n2\r\n1"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        struct symantec_reply r;
        take_all(symantec_reply_line, others[i], &r);
        ck_assert_msg(!symantec_reply_is_infected(&r), "%s", others[i]);
    }
}
END_TEST

START_TEST(what_it_repaired_is_cured)
{
    static const bool cured[] = {false, false, true, true}; /* by the status */
    for (unsigned status = 0; status < ARRAY_SIZE(cured); status++) {
        char text[64];
        struct symantec_reply r;
        struct verdict v;
        snprintf(text, sizeof(text), "230 ok\r\n%u\r\n20240105\r\n2\r\n0\r\n", status);
        ck_assert_int_eq(take_all(symantec_reply_line, text, &r), SYMANTEC_DONE);
        symantec_reply_verdict(&r, &v);
        ck_assert_msg(v.cured == cured[status], "status %u", status);
    }
}
END_TEST

START_TEST(what_cannot_be_said_is_bad)
{
    static const char *const bad[] = {
        "\r\n",
        "23\r\n",
        "2300\r\n",
        "23x ok\r\n",
        "199 low\r\n",
        "600 high\r\n",
        "-230\r\n",
        "230-File scanned.\r\n",
        "230 ok\r\n\r\n",
        "230 ok\r\n4\r\n",
        "230 ok\r\n-1\r\n",
        "230 ok\r\n0 \r\n",
        "230 ok\r\n0\r\n2024010\r\n",
        "230 ok\r\n0\r\n2024-1-5\r\n",
        "230 ok\r\n0\r\n20240105\r\nx\r\n",
        "230 ok\r\n0\r\n20240105\r\n2\r\n\r\n",
        "230 ok\r\n1\r\n20240105\r\n2\r\n99999999999\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct symantec_reply r;
        ck_assert_msg(take_all(symantec_reply_line, bad[i], &r) == SYMANTEC_BAD, "%s", bad[i]);
    }
}
END_TEST

START_TEST(a_greeting_offers_the_protocol_or_nothing)
{
    static const struct {
        const char *text;
        enum symantec_step step;
        unsigned lines;
    } rows[] = {
        {"220 Symantec AntiVirus Scan Engine ready.\r\n2\r\n", SYMANTEC_DONE, 2},
        {"220 ready\r\n3\r\n", SYMANTEC_DONE, 2},
        {"220 ready\r\n", SYMANTEC_MORE, 1},
        {"220 ready\r\n1\r\n", SYMANTEC_BAD, 2},
        {"220 ready\r\n\r\n", SYMANTEC_BAD, 2},
        {"220 ready\r\n2.0\r\n", SYMANTEC_BAD, 2},
        {"421 busy\r\n", SYMANTEC_DONE, 1},
        {"hello\r\n", SYMANTEC_BAD, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct symantec_reply r;
        ck_assert_msg(take_all(symantec_greeting_line, rows[i].text, &r) == rows[i].step && r.lines == rows[i].lines,
                      "%s", rows[i].text);
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(each_reply_has_its_verdict)                                                                                      \
    X(a_server_that_serves_nobody_now_says_nothing_about_the_message)                                                  \
    X(definitions_are_date_and_revision)                                                                               \
    X(a_reply_cut_at_any_octet_is_not_done)                                                                            \
    X(infected_counts_though_the_rest_is_lost_or_makes_no_sense)                                                       \
    X(what_it_repaired_is_cured)                                                                                       \
    X(what_cannot_be_said_is_bad)                                                                                      \
    X(a_greeting_offers_the_protocol_or_nothing)
#include "support/check_main.h"
