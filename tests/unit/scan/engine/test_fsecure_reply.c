/* SPDX-License-Identifier: MIT */
/* fsavd's answers as octets: what each means, and that nothing else means "clean". */
#include <check.h>

#include "scan/engine/fsecure_reply.h"

#define PATH "/var/tmp/m1.eml"
#define OK   "OK\tScan ok.\n"

static const struct row {
    const char *reply;
    enum verdict_class class;
    enum verdict_reason reason;
    const char *name;
} rows[] = {
    {"CLEAN\t" PATH "\n" OK, VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"DBVERSION\t2009-03-17_05\nPING\nCLEAN\t" PATH "\nOK\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"OPEN_ARCHIVE\t" PATH "\nCLEAN\t" PATH ":a\nCLOSE_ARCHIVE\t" PATH "\nCLEAN\t" PATH "\n" OK, VERDICT_CLEAN,
     VERDICT_REASON_NONE, ""},
    {"INFECTED\t" PATH "\tEICAR_Test_File\tAquarius\n" OK, VERDICT_INFECTED, VERDICT_REASON_NONE, "EICAR_Test_File"},
    {"OPEN_ARCHIVE\t" PATH "\nARCHIVE_INFECTED\t" PATH ":eicar.com\tEICAR_Test_File\tLibra\t0\t0\t0\t0\n"
     "CLOSE_ARCHIVE\t" PATH "\n" OK,
     VERDICT_INFECTED, VERDICT_REASON_NONE, "EICAR_Test_File"},
    {"MIME_INFECTED\t" PATH "\tFirst\tx\nINFECTED\t" PATH "\tSecond\tx\n" OK, VERDICT_INFECTED, VERDICT_REASON_NONE,
     "First"},
    {"INFECTED\t" PATH "\tV\tx\nERROR\tscan aborted\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "V"},
    {"INFECTED\t" PATH "\tV\tx\nWHAT\t" PATH "\n" OK, VERDICT_INFECTED, VERDICT_REASON_NONE, "V"},
    {"INFECTED\t" PATH "\n" OK, VERDICT_INFECTED, VERDICT_REASON_NONE, "Unknown"},
    {"INFECTED\t" PATH "\tV\x1b\x80%n\tx\n" OK, VERDICT_INFECTED, VERDICT_REASON_NONE, "V??%n"},
    {"INFECTED\t" PATH "\tV\tx\nSCAN_FAILURE\t" PATH ":b\t0x1\tPassword\nCLEAN\t" PATH "\n" OK, VERDICT_INFECTED,
     VERDICT_REASON_NONE, "V"},
    {"SCAN_FAILURE\t" PATH "\t0x1c0000\tPassword protected file [Aquarius]\n" OK, VERDICT_UNSCANNABLE,
     VERDICT_REASON_ENCRYPTED, ""},
    {"SCAN_FAILURE\t" PATH "\t0x1\tFile is encrypted\nCLEAN\t" PATH "\n" OK, VERDICT_UNSCANNABLE,
     VERDICT_REASON_ENCRYPTED, ""},
    {"SCAN_FAILURE\t" PATH "\t0x2\tOut of memory [Libra]\n" OK, VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"SCAN_FAILURE\t" PATH "\t0x1\tencrypted\nSCAN_FAILURE\t" PATH "\t0x2\tbroken\n" OK, VERDICT_ERROR,
     VERDICT_REASON_ENGINE, ""},
    {"SUSPECTED\t" PATH "\tHeur\tx\n" OK, VERDICT_UNSCANNABLE, VERDICT_REASON_SUSPICIOUS, "Heur"},
    {"ARCHIVE_SUSPECTED\t" PATH ":a\tHeur\tx\nCLEAN\t" PATH "\n" OK, VERDICT_UNSCANNABLE, VERDICT_REASON_SUSPICIOUS,
     "Heur"},
    {"MIME_RISKWARE\t" PATH "\tTool\tx\n" OK, VERDICT_UNSCANNABLE, VERDICT_REASON_SUSPICIOUS, "Tool"},
    {"ERROR\tUnknown command.\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"CLEAN\t" PATH "\nERROR\tlate\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    /* what it never says */
    {OK, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"CLEAN\t" PATH ":member\n" OK, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"CLEAN\t/var/tmp/other\n" OK, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"INFECTED\t/var/tmp/other\tV\tx\nCLEAN\t" PATH "\n" OK, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"UNINFECTED\t" PATH "\nCLEAN\t" PATH "\n" OK, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"WONDERFUL\t" PATH "\nCLEAN\t" PATH "\n" OK, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"CLEAN " PATH "\n" OK, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"clean\t" PATH "\n" OK, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"\n" OK, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
};

static bool play(struct fsecure_reply *r, struct span text, struct fsecure_wishes wishes)
{
    fsecure_reply_begin(r, SPAN(PATH), wishes);
    for (size_t at; (at = span_find(text, '\n')) < text.len; text = span_sub(text, at + 1, text.len))
        if (fsecure_reply_line(r, span_sub(text, 0, at)) == FSECURE_END)
            return true;
    return false;
}

START_TEST(each_answer_has_its_verdict)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fsecure_reply r;
        struct verdict v;
        ck_assert_msg(play(&r, span_cstr(rows[i].reply), (struct fsecure_wishes){.riskware_is_infected = false}),
                      "%s does not end", rows[i].reply);
        fsecure_reply_verdict(&r, &v);
        ck_assert_msg(v.class == rows[i].class && v.reason == rows[i].reason && strcmp(v.name, rows[i].name) == 0,
                      "%s: found %s %s \"%s\": %s", rows[i].reply, verdict_class_word(v.class),
                      verdict_reason_word(v.reason), v.name, v.detail);
    }
}
END_TEST

START_TEST(an_answer_that_has_not_ended_is_never_clean)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct span whole = span_cstr(rows[i].reply);
        for (size_t len = 0; len < whole.len; len++) {
            struct fsecure_reply r;
            struct verdict v;
            if (play(&r, span_sub(whole, 0, len), (struct fsecure_wishes){.riskware_is_infected = true}))
                continue;
            fsecure_reply_verdict(&r, &v);
            bool named = v.class == VERDICT_INFECTED && r.infected[0]; /* in a line that was whole */
            ck_assert_msg(v.class == VERDICT_ERROR || named, "\"%.*s\" is no error", (int)len, whole.ptr);
        }
    }
}
END_TEST

START_TEST(riskware_and_suspects_are_what_the_options_say)
{
    static const struct {
        const char *reply;
        struct fsecure_wishes wishes;
        enum verdict_class class;
        const char *name;
    } known[] = {
        {"RISKWARE\t" PATH "\tTool\tx\n" OK, {true, false}, VERDICT_INFECTED, "Tool"},
        {"RISKWARE\t" PATH "\tTool\tx\n" OK, {false, true}, VERDICT_INFECTED, "Tool"},
        {"SUSPECTED\t" PATH "\tHeur\tx\n" OK, {true, false}, VERDICT_UNSCANNABLE, "Heur"},
        {"SUSPECTED\t" PATH "\tHeur\tx\n" OK, {false, true}, VERDICT_INFECTED, "Heur"},
        {"SUSPECTED\t" PATH "\tHeur\tx\nINFECTED\t" PATH "\tVirus\tx\n" OK, {false, false}, VERDICT_INFECTED, "Virus"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        struct fsecure_reply r;
        struct verdict v;
        ck_assert(play(&r, span_cstr(known[i].reply), known[i].wishes));
        fsecure_reply_verdict(&r, &v);
        ck_assert_msg(v.class == known[i].class && strcmp(v.name, known[i].name) == 0, "%s: %s \"%s\"", known[i].reply,
                      verdict_class_word(v.class), v.name);
    }
}
END_TEST

START_TEST(the_version_names_the_database)
{
    static const struct {
        const char *line;
        bool is_version;
        uint64_t database;
        const char *version;
    } versions[] = {
        {"DBVERSION\t2009-03-17_05", true, 2009031705, "2009-03-17_05"},
        {"DBVERSION\tnone", true, 0, "none"},
        {"DBVERSION", true, 0, ""},
        {"DBVERSION\t99999999999999999999999999", true, 0, "99999999999999999999999999"},
        {"OK\t2009", false, 7, ""},
        {"", false, 7, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        char version[64] = "";
        uint64_t database = 7;
        bool is = fsecure_line_version(span_cstr(versions[i].line), version, sizeof(version), &database);
        ck_assert_msg(is == versions[i].is_version && database == versions[i].database, "%s: %llu", versions[i].line,
                      (unsigned long long)database);
        ck_assert_str_eq(version, versions[i].version);
    }
    ck_assert(fsecure_line_is_ok(SPAN("OK\tProtocol version set.")) && fsecure_line_is_ok(SPAN("OK")));
    ck_assert(!fsecure_line_is_ok(SPAN("OKAY")) && !fsecure_line_is_ok(SPAN("ERROR\tOK")));
    ck_assert(fsecure_line_is_aside(SPAN("PING")) && !fsecure_line_is_aside(SPAN("PINGS")));
}
END_TEST

#define CASES(X)                                                                                                       \
    X(each_answer_has_its_verdict)                                                                                     \
    X(an_answer_that_has_not_ended_is_never_clean)                                                                     \
    X(riskware_and_suspects_are_what_the_options_say)                                                                  \
    X(the_version_names_the_database)
#include "support/check_main.h"
