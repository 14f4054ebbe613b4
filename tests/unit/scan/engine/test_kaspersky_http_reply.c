/* SPDX-License-Identifier: MIT */
/* What Kaspersky Scan Engine answers: what each result means, as text and as JSON, and that nothing else means "clean".
 */
#include <check.h>

#include "scan/engine/kaspersky_http_reply.h"

#define RESULT(v, the_class, the_reason, the_name, what)                                                               \
    ck_assert_msg((v).class == (the_class) && (v).reason == (the_reason) && strcmp((v).name, the_name) == 0,           \
                  "%s: found %s %s \"%s\": %s", what, verdict_class_word((v).class), verdict_reason_word((v).reason),  \
                  (v).name, (v).detail)

static const struct {
    const char *body;
    enum verdict_class class;
    enum verdict_reason reason;
    const char *name;
} texts[] = {
    {"CLEAN\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"CLEAN \t\r\n \n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"CLEAN AND CONTAINS OFFICE MACRO\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"DETECT EICAR-Test-File\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "EICAR-Test-File"},
    {"DETECTED Name with blanks\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Name with blanks"},
    {"DETECT\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Unknown"},
    {"DISINFECTED\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Unknown"},
    {"DELETED\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Unknown"},
    {"DETECT a\r\nCLEAN\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "a??CLEAN"},
    {"NON_SCANNED (PASSWORD PROTECTED)\n", VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, ""},
    {"NON_SCANNED (CORRUPTED)\n", VERDICT_UNSCANNABLE, VERDICT_REASON_MALFORMED, ""},
    {"NON_SCANNED (SKIPPED)\n", VERDICT_UNSCANNABLE, VERDICT_REASON_UNSUPPORTED, ""},
    {"NON_SCANNED\n", VERDICT_UNSCANNABLE, VERDICT_REASON_UNSUPPORTED, ""},
    {"NON_SCANNED (CANCELED)\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"NON_SCANNED (ACCESS DENIED)\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"NON_SCANNED (WHATEVER)\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"SERVER_ERROR\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"CLEAN\nDETECT a\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"CLEANED\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"clean\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {" CLEAN\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"DETECTX\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
};

START_TEST(each_line_of_text_has_its_verdict)
{
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct verdict v;
        kaspersky_http_text(span_cstr(texts[i].body), true, false, &v);
        RESULT(v, texts[i].class, texts[i].reason, texts[i].name, texts[i].body);
    }
}
END_TEST

START_TEST(macros_are_infected_where_paranoid)
{
    struct verdict v;
    kaspersky_http_text(SPAN("CLEAN AND CONTAINS OFFICE MACRO\r\n"), true, true, &v);
    RESULT(v, VERDICT_INFECTED, VERDICT_REASON_NONE, "Office macro", "text");
    kaspersky_http_text(SPAN("CLEAN\r\n"), true, true, &v);
    RESULT(v, VERDICT_CLEAN, VERDICT_REASON_NONE, "", "text");
    kaspersky_http_json(SPAN("{\"scanResult\":\"CLEAN\",\"containsOfficeMacro\":\"true\"}"), true, &v);
    RESULT(v, VERDICT_INFECTED, VERDICT_REASON_NONE, "Office macro", "json");
    kaspersky_http_json(SPAN("{\"scanResult\":\"CLEAN\",\"containsOfficeMacro\":true}"), true, &v);
    RESULT(v, VERDICT_INFECTED, VERDICT_REASON_NONE, "Office macro", "json");
    kaspersky_http_json(SPAN("{\"scanResult\":\"CLEAN\",\"containsOfficeMacro\":\"false\"}"), true, &v);
    RESULT(v, VERDICT_CLEAN, VERDICT_REASON_NONE, "", "json");
}
END_TEST

START_TEST(a_virus_counts_though_the_rest_is_lost)
{
    struct verdict v;
    kaspersky_http_text(SPAN("DETECT Some.Vir"), false, false, &v);
    RESULT(v, VERDICT_INFECTED, VERDICT_REASON_NONE, "Some.Vir", "text");
    kaspersky_http_text(SPAN("DELETED"), false, false, &v);
    RESULT(v, VERDICT_INFECTED, VERDICT_REASON_NONE, "Unknown", "text");
    kaspersky_http_text(SPAN("DETEC"), false, false, &v);
    RESULT(v, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, "", "text");
    kaspersky_http_text(SPAN("NON_SCANNED (PASSWORD"), false, false, &v);
    RESULT(v, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, "", "text");
    static const struct {
        const char *body, *name;
    } jsons[] = {
        {"{\"scanResult\":\"DETECT\"", "Unknown"},
        {"{\"scanResult\":\"DETECT\",\"detectionName\":\"Some.Vir", "Some.Vir"},
        {"{\"scanResult\":\"CLEAN\",\"subObjectsScanResults\":[{\"scanResult\":\"DETECT\",\"detectionName\":\"In\"}",
         "In"},
        {"{\"scanResult\":\"DETECT\",\"scanResult\":\"CLEAN\"}", "Unknown"},
        {"{\"scanResult\":\"DETECT\",\"detectionName\":\"V\"}x", "V"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(jsons); i++) {
        kaspersky_http_json(span_cstr(jsons[i].body), false, &v);
        RESULT(v, VERDICT_INFECTED, VERDICT_REASON_NONE, jsons[i].name, jsons[i].body);
    }
}
END_TEST

START_TEST(what_it_disinfected_or_deleted_is_cured)
{
    static const struct {
        const char *word;
        bool cured;
    } rows[] = {{"CLEAN", false}, {"DETECT", false}, {"DETECTED", false}, {"DISINFECTED", true}, {"DELETED", true}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char json[64];
        struct verdict v;
        kaspersky_http_text(span_cstr(rows[i].word), true, false, &v);
        ck_assert_msg(v.cured == rows[i].cured, "%s", rows[i].word);
        snprintf(json, sizeof(json), "{\"scanResult\":\"%s\"}", rows[i].word);
        kaspersky_http_json(span_cstr(json), false, &v);
        ck_assert_msg(v.cured == rows[i].cured, "%s", json);
    }
}
END_TEST

START_TEST(without_a_length_only_a_whole_line_is_an_answer)
{
    struct verdict v;
    kaspersky_http_text(SPAN("CLEAN\r\n"), false, false, &v);
    ck_assert(v.class == VERDICT_CLEAN);
    kaspersky_http_text(SPAN("CLEAN"), false, false, &v);
    RESULT(v, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, "", "cut");
    kaspersky_http_text(SPAN("CLEAN"), true, false, &v);
    ck_assert(v.class == VERDICT_CLEAN);
    kaspersky_http_text(SPAN("CLEAN\0\r\n"), true, false, &v);
    ck_assert(v.class == VERDICT_ERROR);
}
END_TEST

static const struct {
    const char *body;
    enum verdict_class class;
    enum verdict_reason reason;
    const char *name;
} jsons[] = {
    {"{\"object\":\"memory\",\"scanResult\":\"DETECT\",\"detectionName\":\"EICAR-Test-File\"}", VERDICT_INFECTED,
     VERDICT_REASON_NONE, "EICAR-Test-File"},
    {"{\"object\":\"memory\",\"scanResult\":\"CLEAN\"}", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {" { \"scanResult\" : \"CLEAN\" ,\r\n\t\"x\" : [ 1 , -2.5e3 , null , true , { } , [ ] , \"\\\"\\u0041\" ] } \n",
     VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"{\"scanResult\":\"NON_SCANNED (PASSWORD PROTECTED)\"}", VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, ""},
    {"{\"scanResult\":\"SERVER_ERROR\"}", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"{\"scanResult\":\"DETECT\",\"detectionName\":\"a\\u0007\\u00e4\\n\\/b\\u0041\"}", VERDICT_INFECTED,
     VERDICT_REASON_NONE,
     "a??"
     "?/bA"},
    {"{\"scanResult\":\"DETECT\"}", VERDICT_INFECTED, VERDICT_REASON_NONE, "Unknown"},
    /* what lies inside counts too */
    {"{\"scanResult\":\"CLEAN\",\"subObjectsScanResults\":[{\"scanResult\":\"CLEAN\"},"
     "{\"scanResult\":\"DETECT\",\"detectionName\":\"In.Side\"}]}",
     VERDICT_INFECTED, VERDICT_REASON_NONE, "In.Side"},
    {"{\"scanResult\":\"CLEAN\",\"subObjectsScanResults\":[{\"scanResult\":\"NON_SCANNED (CORRUPTED)\"}]}",
     VERDICT_UNSCANNABLE, VERDICT_REASON_MALFORMED, ""},
    {"{\"scanResult\":\"CLEAN\",\"subObjectsScanResults\":[{\"scanResult\":\"FINE\"}]}", VERDICT_ERROR,
     VERDICT_REASON_PROTOCOL, ""},
    {"{\"scanResult\":\"DETECT\",\"detectionName\":\"Out\",\"subObjectsScanResults\":[{\"scanResult\":\"CLEAN\"}]}",
     VERDICT_INFECTED, VERDICT_REASON_NONE, "Out"},
    /* no answer */
    {"{\"scanResult\":\"CLEAN\",\"scanResult\":\"CLEAN\"}", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"{\"scanResult\":null}", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"{\"scanResult\":\"CLEAN\"", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"{\"scanResult\":\"CLEAN\"}x", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"{\"scanResult\":\"CLEAN\",}", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"{\"scanResult\":\"CLEAN\" \"x\":1}", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"{\"scanResult\":\"CLEAN\n\"}", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"{\"scanResult\":\"CLEAN\\x\"}", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"{\"scanResult\":\"CLEAN\\u00\"}", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"{\"scanResult\":\"CLEAN\\u0000\"}", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"{\"x\":{\"scanResult\":\"CLEAN\"}}", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"[{\"scanResult\":\"CLEAN\"}]", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"{}", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"\"CLEAN\"", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"CLEAN", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
};

START_TEST(each_json_answer_has_its_verdict)
{
    for (size_t i = 0; i < ARRAY_SIZE(jsons); i++) {
        struct verdict v;
        kaspersky_http_json(span_cstr(jsons[i].body), false, &v);
        RESULT(v, jsons[i].class, jsons[i].reason, jsons[i].name, jsons[i].body);
    }
}
END_TEST

START_TEST(json_cut_anywhere_is_an_error_unless_it_told_of_a_virus)
{
    for (size_t i = 0; i < ARRAY_SIZE(jsons); i++) {
        struct span whole = span_cstr(jsons[i].body);
        while (whole.len > 0 && whole.ptr[whole.len - 1] != '}')
            whole.len--;
        for (size_t len = 0; len < whole.len; len++) {
            struct verdict v;
            kaspersky_http_json(span_sub(whole, 0, len), false, &v);
            bool told = span_find_span(span_sub(whole, 0, len), SPAN("\"DETECT")) < len;
            ck_assert_msg(v.class == VERDICT_ERROR || (told && v.class == VERDICT_INFECTED), "%.*s", (int)len,
                          whole.ptr);
        }
    }
}
END_TEST

START_TEST(deep_json_is_an_error_and_no_overrun)
{
    static char deep[200000];
    struct verdict v;
    memset(deep, '[', sizeof(deep));
    memcpy(deep, "{\"scanResult\":\"CLEAN\",\"x\":", 26);
    kaspersky_http_json(span_of(deep, sizeof(deep)), false, &v);
    RESULT(v, VERDICT_ERROR, VERDICT_REASON_PROTOCOL, "", "deep");
}
END_TEST

START_TEST(a_head_is_read_line_by_line)
{
    struct kaspersky_http_head h;
    static const char *const bad[] = {
        "HTTP/2 200 OK", "HTTP/1.0", "HTTP/1.0 20 OK", "HTTP/1.0 2000 OK", "HTTP/1. 200 x",
        "220 clean",     "",         "HTTP/1.0 2x0 OK"};
    ck_assert(kaspersky_http_status(&h, SPAN("HTTP/1.0 200 OK")) && h.status == 200 && !h.has_length);
    ck_assert(kaspersky_http_status(&h, SPAN("HTTP/1.1 503")) && h.status == 503);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(!kaspersky_http_status(&h, span_cstr(bad[i])), "%s", bad[i]);
    ck_assert(kaspersky_http_header(&h, SPAN("Server: KAVHTTPD/1.0")) && !h.has_length);
    ck_assert(kaspersky_http_header(&h, SPAN("content-length:  24 ")) && h.has_length && h.length == 24);
    ck_assert(kaspersky_http_header(&h, SPAN("Content-Length: 24")));
    ck_assert(!kaspersky_http_header(&h, SPAN("Content-Length: 25")));
    ck_assert(!kaspersky_http_header(&h, SPAN("Content-Length: -1")));
    ck_assert(!kaspersky_http_header(&h, SPAN("Content-Length: 99999999999999999999")));
    ck_assert(!kaspersky_http_header(&h, SPAN("Transfer-Encoding: chunked")));
    ck_assert(!kaspersky_http_header(&h, SPAN("no colon")));
    ck_assert(!kaspersky_http_header(&h, SPAN(": x")));
}
END_TEST

#define CASES(X)                                                                                                       \
    X(each_line_of_text_has_its_verdict)                                                                               \
    X(macros_are_infected_where_paranoid)                                                                              \
    X(a_virus_counts_though_the_rest_is_lost)                                                                          \
    X(what_it_disinfected_or_deleted_is_cured)                                                                         \
    X(without_a_length_only_a_whole_line_is_an_answer)                                                                 \
    X(each_json_answer_has_its_verdict)                                                                                \
    X(json_cut_anywhere_is_an_error_unless_it_told_of_a_virus)                                                         \
    X(deep_json_is_an_error_and_no_overrun)                                                                            \
    X(a_head_is_read_line_by_line)
#include "support/check_main.h"
