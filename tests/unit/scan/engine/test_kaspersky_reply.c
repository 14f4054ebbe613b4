/* SPDX-License-Identifier: MIT */
/* aveserver's answers as octets: what each means, and that nothing else means "clean". */
#include <check.h>

#include "scan/engine/kaspersky_reply.h"

#define OBJECT "postern-message-t-0-0/7.eml"
#define PATH   "/var/tmp/" OBJECT

static const struct row {
    const char *reply; /* lines end with CRLF, or LF */
    enum verdict_class class;
    enum verdict_reason reason;
    const char *name;
} rows[] = {
    {"220 File is clean\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"220 File is clean\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"220\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"220-part 1\r\n220-part 2\r\n220 File is clean\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"310-Progress\r\n399-x\r\n220 File is clean\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"322-EICAR-Test-File " PATH "/part1\r\n322-Worm.Test.b " PATH "/part2\r\n230 File is infected\r\n",
     VERDICT_INFECTED, VERDICT_REASON_NONE, "EICAR-Test-File"},
    {"310-Progress\r\n322-Trojan.X " PATH "\r\n230 File is infected\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "Trojan.X"},
    {"322-a name with blanks " PATH " (and more)\r\n230 x\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "a name with blanks"},
    {"322-not-a-virus:Ad/Ware " PATH "\r\n230 x\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "not-a-virus:Ad/Ware"},
    {"322-NoSpace\r\n230 x\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "NoSpace"},
    {"322 Blank " PATH "\r\n230 x\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Blank"},
    {"322-\r\n230 x\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Unknown"},
    {"322\r\n230 x\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Unknown"},
    {"322-A\x1b[m\x80\r\n230 x\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "A?[m?"},
    {"322-Late " PATH "\r\n220 clean?\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Late"},
    {"322-Late " PATH "\r\n241 Scan error\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Late"},
    {"230 File is infected\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Unknown"},
    {"232 Suspicious object\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Suspicious"},
    {"241 Scan error\r\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"525 File not found\r\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"501 bases are being loaded\r\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"502 NETSCAN not licensed\r\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"450 later\r\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"322-V " PATH "\r\n525 File not found\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "V"},
    {"322-V " PATH "\r\n999 what\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "V"},
    /* what it never says */
    {"201 Bye\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"221 x\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"322-V /var/tmp/postern-message-t-0-0/8.eml\r\n230 x\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"230-infected\r\n220 clean\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"120 x\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"620 x\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"2200\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"220x\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"22 clean\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {" 220 clean\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"clean\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
};

/* The lines of TEXT that are whole; true when they end the answer. */
static bool play(struct kaspersky_reply *r, struct span text, bool suspicious_is_infected)
{
    kaspersky_reply_begin(r, SPAN(OBJECT), suspicious_is_infected);
    for (size_t at; (at = span_find(text, '\n')) < text.len; text = span_sub(text, at + 1, text.len)) {
        struct span line = span_sub(text, 0, at);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (kaspersky_reply_line(r, line) == KASPERSKY_END)
            return true;
    }
    return false;
}

START_TEST(each_answer_has_its_verdict)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct kaspersky_reply r;
        struct verdict v;
        ck_assert_msg(play(&r, span_cstr(rows[i].reply), true), "%s does not end", rows[i].reply);
        kaspersky_reply_verdict(&r, &v);
        ck_assert_msg(v.class == rows[i].class && v.reason == rows[i].reason && strcmp(v.name, rows[i].name) == 0,
                      "%s: found %s %s \"%s\": %s", rows[i].reply, verdict_class_word(v.class),
                      verdict_reason_word(v.reason), v.name, v.detail);
        ck_assert(v.class == VERDICT_CLEAN || v.class == VERDICT_INFECTED || v.detail[0] != '\0');
    }
}
END_TEST

START_TEST(an_answer_that_has_not_ended_is_never_clean)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct span whole = span_cstr(rows[i].reply);
        for (size_t len = 0; len < whole.len; len++) {
            struct kaspersky_reply r;
            struct verdict v;
            if (play(&r, span_sub(whole, 0, len), true))
                continue;
            kaspersky_reply_verdict(&r, &v);
            ck_assert_msg(v.class != VERDICT_CLEAN, "\"%.*s\" is called clean", (int)len, whole.ptr);
        }
    }
}
END_TEST

START_TEST(what_is_suspicious_can_be_unscannable_instead)
{
    struct kaspersky_reply r;
    struct verdict v;
    ck_assert(play(&r, SPAN("232 Suspicious object\r\n"), false));
    kaspersky_reply_verdict(&r, &v);
    ck_assert(v.class == VERDICT_UNSCANNABLE && v.reason == VERDICT_REASON_SUSPICIOUS);
    ck_assert(play(&r, SPAN("322-Named " PATH "\r\n232 Suspicious object\r\n"), false));
    kaspersky_reply_verdict(&r, &v);
    ck_assert(v.class == VERDICT_INFECTED);
}
END_TEST

START_TEST(a_refused_command_is_told_from_trouble_with_a_message)
{
    static const struct {
        const char *reply;
        bool refusal;
    } known[] = {{"502 NETSCAN not licensed\r\n", true}, {"500 what?\r\n", true},  {"241 Scan error\r\n", false},
                 {"322-V\r\n502 x\r\n", false},          {"220 clean\r\n", false}, {"nonsense\r\n", false}};
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        struct kaspersky_reply r;
        ck_assert(play(&r, span_cstr(known[i].reply), true));
        ck_assert_msg(kaspersky_reply_is_refusal(&r) == known[i].refusal, "%s", known[i].reply);
    }
}
END_TEST

START_TEST(a_long_name_is_cut_to_what_a_verdict_holds)
{
    char line[2000] = "322-";
    struct kaspersky_reply r;
    memset(line + 4, 'N', 1900);
    kaspersky_reply_begin(&r, span_of(NULL, 0), true);
    ck_assert(kaspersky_reply_line(&r, span_cstr(line)) == KASPERSKY_MORE);
    ck_assert_uint_eq(strlen(r.name), LIMIT_VERDICT_NAME);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(each_answer_has_its_verdict)                                                                                     \
    X(an_answer_that_has_not_ended_is_never_clean)                                                                     \
    X(what_is_suspicious_can_be_unscannable_instead)                                                                   \
    X(a_refused_command_is_told_from_trouble_with_a_message)                                                           \
    X(a_long_name_is_cut_to_what_a_verdict_holds)
#include "support/check_main.h"
