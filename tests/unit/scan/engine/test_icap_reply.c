/* SPDX-License-Identifier: MIT */
/* What ICAP servers answer: heads, what each vendor's headers mean, and that nothing else means "clean". */
#include <check.h>

#include "scan/engine/icap_reply.h"

#define IS(v, the_class, the_reason, the_name, what)                                                                   \
    ck_assert_msg((v).class == (the_class) && (v).reason == (the_reason) && strcmp((v).name, the_name) == 0,           \
                  "%s: found %s %s \"%s\": %s", what, verdict_class_word((v).class), verdict_reason_word((v).reason),  \
                  (v).name, (v).detail)

/* Feeds the lines of TEXT, up to the end of the head. */
static enum icap_step head(struct icap_head *h, const char *text_of)
{
    struct span text = span_cstr(text_of);
    enum icap_step step = ICAP_MORE;
    icap_head_begin(h, true);
    while (step == ICAP_MORE) {
        size_t at = span_find(text, '\n');
        ck_assert_msg(at < text.len, "no end: %s", text_of);
        struct span line = span_sub(text, 0, at);
        text = span_sub(text, at + 1, text.len);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        step = icap_head_line(h, line);
    }
    return step;
}

static const struct icap_circumstances good = {.whole = true, .may_204 = true, .offers_204 = true, .echoed = true};

static struct verdict verdict_of(const struct icap_head *h, const struct icap_circumstances *c)
{
    struct verdict v;
    icap_verdict(h, c, &v);
    return v;
}

/* What vendors say in the ICAP head. */
static const struct {
    const char *status, *headers;
    enum verdict_class class;
    enum verdict_reason reason;
    const char *name;
} heads[] = {
    {"204 No Content", "Encapsulated: null-body=0\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"204 Unmodified", "Server: C-ICAP/0.5.10\r\nConnection: keep-alive\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    /* X-Infection-Found: c-icap, Symantec, ESET, Kaspersky, Trend */
    {"200 OK", "X-Infection-Found: Type=0; Resolution=2; Threat=Eicar-Test-Signature;\r\n", VERDICT_INFECTED,
     VERDICT_REASON_NONE, "Eicar-Test-Signature"},
    {"200 OK", "x-infection-found:type=0;threat=A B\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "A B"},
    {"200 OK", "X-Infection-Found: Type=0; Resolution=2;\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Unknown"},
    {"200 OK", "X-Infection-Found: what?\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Unknown"},
    {"200 OK", "X-Infection-Found: Type=7; Threat=New;\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "New"},
    {"200 OK", "X-Infection-Found: Type=1; Resolution=2; Threat=No mails;\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "policy: No mails"},
    {"200 OK", "X-Infection-Found: Type=2; Resolution=2; Threat=Encrypted container violation;\r\n",
     VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, ""},
    {"200 OK", "X-Infection-Found: Type=2; Resolution=2; Threat=Malformed container;\r\n", VERDICT_UNSCANNABLE,
     VERDICT_REASON_MALFORMED, ""},
    {"200 OK", "X-Infection-Found: Type=2; Resolution=2; Threat=Maximum Extract Depth exceeded;\r\n",
     VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, ""},
    {"200 OK", "X-Infection-Found: Type=2; Threat=Partial MIME;\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_PARTIAL, ""},
    {"200 OK", "X-Infection-Found: Type=2; Threat=whatever;\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, ""},
    {"200 OK", "X-Infection-Found: Type=0; Threat=Heuristics.Encrypted.Zip;\r\n", VERDICT_UNSCANNABLE,
     VERDICT_REASON_ENCRYPTED, ""},
    {"200 OK", "X-Infection-Found: Type=0; Threat=W32.Downsize.Corrupt;\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "W32.Downsize.Corrupt"},
    /* X-Violations-Found: folded (c-icap) and bare (Symantec) */
    {"200 OK", "X-Violations-Found: 1\r\n\t-\r\n\tEicar-Test-Signature\r\n\t101\r\n\t2\r\n", VERDICT_INFECTED,
     VERDICT_REASON_NONE, "Eicar-Test-Signature"},
    {"201 Created",
     "Service-ID: SYMCSCANRESP-AV\r\nX-Violations-Found: 1\r\nmessage.eml\r\nEICAR Test String\r\n11101\r\n2\r\n"
     "X-Outer-Container-Is-Mime: 0\r\n",
     VERDICT_INFECTED, VERDICT_REASON_NONE, "EICAR Test String"},
    {"200 OK",
     "X-Violations-Found: 2\r\na.zip\r\nEncrypted container violation\r\n1\r\n2\r\nb:c\r\nReal.Virus\r\n1\r\n2\r\n",
     VERDICT_INFECTED, VERDICT_REASON_NONE, "Real.Virus"},
    {"200 OK", "X-Violations-Found: 1\r\na.zip\r\nEncrypted container violation\r\n1\r\n2\r\n", VERDICT_UNSCANNABLE,
     VERDICT_REASON_ENCRYPTED, ""},
    {"200 OK",
     "X-Infection-Found: Type=2; Threat=Maximum depth;\r\nX-Violations-Found: 1\r\n\ta\r\n\tMaximum "
     "depth\r\n\t1\r\n\t2\r\n",
     VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, ""},
    {"204 No Content", "X-Violations-Found: 0\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"201 Created", "Service-ID: SYMCSCANRESP-AV\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Unknown"},
    /* words of containers in names: a name is a name, whatever the status */
    {"201 Created",
     "Service-ID: SYMCSCANRESP-AV\r\nX-Violations-Found: 1\r\na.doc\r\nW97M.EncryptedDoc.Trojan\r\n11101\r\n2\r\n",
     VERDICT_INFECTED, VERDICT_REASON_NONE, "W97M.EncryptedDoc.Trojan"},
    {"200 OK", "X-Violations-Found: 1\r\n\ta.doc\r\n\tTroj/Encrypted-A\r\n\t1\r\n\t0\r\n", VERDICT_INFECTED,
     VERDICT_REASON_NONE, "Troj/Encrypted-A"},
    {"200 OK", "X-Violations-Found: 1\r\na\r\nEncrypted.Container.Trojan\r\n1\r\n1\r\n", VERDICT_INFECTED,
     VERDICT_REASON_NONE, "Encrypted.Container.Trojan"},
    {"200 OK", "X-Violations-Found: 1\r\na\r\nMalformed-size\r\n1\r\n1\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "Malformed-size"},
    {"200 OK", "X-Virus-ID: Ransom.FileEncryptor.A\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "Ransom.FileEncryptor.A"},
    {"200 OK", "X-Virus-ID : Evil\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Evil"},
    {"200 OK", "X-Violations-Found: 1\r\na\r\nContainer size violation - scan incomplete.\r\n3\r\n2\r\n",
     VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, ""},
    {"200 OK", "X-Violations-Found: 1\r\na\r\nMalformed container violation\r\n3\r\n2\r\n", VERDICT_UNSCANNABLE,
     VERDICT_REASON_MALFORMED, ""},
    /* ESET */
    {"200 OK",
     "X-Infection-Found: Type=0; Resolution=0; Threat=Eicar;\r\nX-Virus-ID: Eicar\r\nX-Response-Info: Blocked\r\n",
     VERDICT_INFECTED, VERDICT_REASON_NONE, "Eicar"},
    {"200 OK", "X-Response-Info: Blocked\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Blocked"},
    /* Sophos */
    {"200 OK",
     "X-Blocked: Virus found during virus scan\r\nX-Blocked-By: Sophos Anti-Virus\r\nX-Virus-Name: EICAR-AV-Test\r\n",
     VERDICT_INFECTED, VERDICT_REASON_NONE, "EICAR-AV-Test"},
    {"200 OK", "X-Blocked: Virus found during virus scan\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Unknown"},
    {"200 OK", "X-Blocked: The file is encrypted\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, ""},
    {"200 OK", "X-Blocked: File was encrypted.\r\nX-Blocked-By: Sophos Anti-Virus\r\n", VERDICT_UNSCANNABLE,
     VERDICT_REASON_ENCRYPTED, ""},
    {"200 OK", "X-Blocked: Virus/spyware 'Troj/Encrypt-A' detected\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "Unknown"},
    {"200 OK", "X-Blocked: Troj/Encrypt-A\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Blocked"},
    /* McAfee */
    {"200 OK", "X-Virus-Name: \"EICAR test file\"\r\nX-Block-Result: 80\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "EICAR test file"},
    {"200 OK", "X-Block-Result: 81\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Blocked"},
    {"200 OK", "X-Block-Reason: Malware found: W32/Resizer.B\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Unknown"},
    {"200 OK", "X-Mwg-Block-Reason: Media type\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Blocked"},
    /* Kaspersky */
    {"204 No Content", "X-Virus-ID: no threats\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"200 OK", "X-Virus-ID: EICAR-Test-File\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "EICAR-Test-File"},
    {"200 OK", "X-Virus-ID: no threats\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"200 OK", "X-Virus-ID: no threats\r\nX-Infection-Found: Type=0; Threat=A;\r\n", VERDICT_INFECTED,
     VERDICT_REASON_NONE, "A"},
    /* F-Secure */
    {"200 OK", "X-FSecure-Scan-Result: infected\r\nX-FSecure-Infection-Name: \"Malware.W97M\"\r\n", VERDICT_INFECTED,
     VERDICT_REASON_NONE, "Malware.W97M"},
    {"200 OK", "X-FSecure-Scan-Result: clean\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"200 OK", "X-FSecure-Scan-Result: suspicious\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Blocked"},
    /* OPSWAT */
    {"200 OK", "X-Response-Info: Allowed\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"200 OK", "X-Response-Info: Blocked\r\nX-Blocked-Reason: Password Protected Document\r\n", VERDICT_UNSCANNABLE,
     VERDICT_REASON_ENCRYPTED, ""},
    {"200 OK", "X-Blocked-Reason: Infected: Ransom.FileEncryptor.A\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "Unknown"},
    {"200 OK", "X-Blocked-Reason: Ransom.FileEncryptor.A\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Blocked"},
    /* a monitoring server lets through what it finds: a find all the same */
    {"204 No Content", "X-Infection-Found: Type=0; Resolution=0; Threat=A;\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "A"},
    /* trouble */
    {"500 Server error", "X-Error-Code: password_protected\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, ""},
    {"500 Server error", "X-Error-Code: max_archive_layers_exceeded\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT,
     ""},
    {"500 Server error", "X-Error-Code: decode_error\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_MALFORMED, ""},
    {"500 Server error", "X-Error-Code: file_type_blocked\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Blocked"},
    {"500 Server error", "X-Error-Code: encrypted_trojan\r\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"500 Server error", "X-Error-Code: other\r\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"404 ICAP Service not found", "Connection: close\r\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"539 Aborted - No AV scanning license", "ISTag: \"emu-0001\"\r\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"206 Partial", "", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"100 Continue", "", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"302 Found", "", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    /* a word that nobody knows is no reason to call a message clean, whatever else was said */
    {"204 No Content", "X-Error-Code: scan_failed\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"204 No Content", "X-Virus-ID: no threats\r\nX-Error-Code: timeout\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL,
     ""},
    {"204 No Content", "X-Response-Info: Error\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"204 No Content", "X-Response-Info: Not scanned\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"204 No Content", "X-Response-Info: Allowed, not scanned\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"200 OK", "X-Response-Info: Allowed\r\nX-Error-Code: scan_failed\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"200 OK", "X-Response-Info: Error\r\n", VERDICT_ERROR, VERDICT_REASON_PROTOCOL, ""},
    {"204 No Content", "X-Error-Code: password_protected\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, ""},
    {"204 No Content", "X-Response-Info: File size limit exceeded\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_TOO_LARGE,
     ""},
    {"204 No Content", "X-Error-Code: scan_failed\r\nX-Virus-ID: Evil\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "Evil"},
    {"204 No Content", "X-Response-Info: Allowed\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"204 No Content", "X-Response-Info: passed\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"204 No Content", "X-Response-Info: Clean\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"204 No Content", "X-Response-Info:\r\nX-Error-Code: \r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"204 No Content", "X-Response-Info: \"OK\"\r\nX-Error-Code: 0\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
    {"200 OK", "X-Response-Info: passed\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, ""},
    /* an echo that nobody vouches for */
    {"200 OK", "ISTag: \"a\"\r\nVia: 1.1 proxy\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, ""},
};

START_TEST(each_vendor_s_headers_have_their_verdict)
{
    for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
        char text[1024], what[64];
        struct icap_head h;
        snprintf(text, sizeof(text), "ICAP/1.0 %s\r\n%s\r\n", heads[i].status, heads[i].headers);
        snprintf(what, sizeof(what), "row %zu: %.40s", i, heads[i].headers);
        ck_assert_msg(head(&h, text) == ICAP_END, "%s", what);
        struct verdict v = verdict_of(&h, &good);
        IS(v, heads[i].class, heads[i].reason, heads[i].name, what);
    }
}
END_TEST

START_TEST(what_the_server_says_it_repaired_all_of_is_infected_and_cured)
{
    static const struct {
        const char *headers;
        bool cured;
    } rows[] = {
        {"X-Infection-Found: Type=0; Resolution=1; Threat=A;\r\n", true},
        {"X-Infection-Found: Type=0; Resolution=0; Threat=A;\r\n", false},
        {"X-Infection-Found: Type=0; Resolution=2; Threat=A;\r\n", false},
        {"X-Infection-Found: Type=0; Resolution=10; Threat=A;\r\n", false},
        {"X-Infection-Found: Type=0; Threat=A;\r\n", false},
        {"X-Infection-Found: Type=1; Resolution=1; Threat=No mails;\r\n", false}, /* a rule: nothing to repair */
        {"X-Virus-ID: A\r\n", false},
        {"X-Virus-ID: A\r\nX-Infection-Found: Type=0; Resolution=1; Threat=A;\r\n", true},
        {"X-Violations-Found: 1\r\na\r\nA\r\n7\r\n1\r\n", true},
        {"X-Violations-Found: 1\r\na\r\nA\r\n1\r\n2\r\n", false},
        /* what it repaired is not all that there was */
        {"X-Violations-Found: 2\r\n\ta\r\n\tA\r\n\t7\r\n\t1\r\n\tb\r\n\tB\r\n\t7\r\n\t0\r\n", false},
        {"X-Infection-Found: Type=0; Resolution=1; Threat=A;\r\nX-Violations-Found: 1\r\n\ta\r\n\tA\r\n\t7\r\n\t0\r\n",
         false},
        {"X-Infection-Found: Type=0; Resolution=1; Threat=A;\r\nX-Infection-Found: Type=0; Resolution=2; Threat=B;\r\n",
         false},
        {"X-Infection-Found: Type=0; Resolution=1; Threat=A;\r\nX-Infection-Found: Type=2; Resolution=2; Threat=x;\r\n",
         false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[1024];
        struct icap_head h;
        snprintf(text, sizeof(text), "ICAP/1.0 200 OK\r\n%s\r\n", rows[i].headers);
        ck_assert(head(&h, text) == ICAP_END);
        struct verdict v = verdict_of(&h, &good);
        ck_assert_msg(v.class == VERDICT_INFECTED && v.cured == rows[i].cured, "row %zu: %s, cured %d", i,
                      verdict_class_word(v.class), v.cured);
    }
    /* in the enclosed header as well; and what is no virus is not cured */
    struct icap_head h;
    ck_assert(head(&h, "ICAP/1.0 200 OK\r\n\r\n") == ICAP_END);
    const struct span block = SPAN("HTTP/1.1 200 OK\r\nX-Violations-Found: 1\r\n\ta\r\n\tA\r\n\t7\r\n\t1\r\n\r\n");
    ck_assert(icap_http_block(&h, ICAP_RES_HDR, block));
    ck_assert(verdict_of(&h, &good).cured);
    ck_assert(head(&h,
                   "ICAP/1.0 200 OK\r\nX-Infection-Found: Type=0; Resolution=1; Threat=Heuristics.Encrypted.Zip;\r\n"
                   "\r\n") == ICAP_END);
    ck_assert(!verdict_of(&h, &good).cured);
}
END_TEST

START_TEST(what_is_blocked_without_a_name_is_unscannable_where_it_is_wanted)
{
    struct icap_head h;
    ck_assert(head(&h, "ICAP/1.0 200 OK\r\nX-Response-Info: Blocked\r\n\r\n") == ICAP_END);
    h.signals.suspicious_is_infected = false;
    struct verdict v = verdict_of(&h, &good);
    IS(v, VERDICT_UNSCANNABLE, VERDICT_REASON_SUSPICIOUS, "", "blocked");
}
END_TEST

/* Blocks of HTTP inside. */
static const struct {
    const char *block;
    enum verdict_class class;
    enum verdict_reason reason;
    const char *name;
} blocks[] = {
    {"HTTP/1.0 403 Forbidden\r\nServer: C-ICAP\r\n\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Blocked"},
    {"HTTP/1.1 403 VirusFound\r\nX-Virus-Name: EICAR test file\r\n\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "EICAR test file"},
    {"HTTP/1.1 403 VirusFound\r\n\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Unknown"},
    {"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://x/\r\nX-Virus-ID: A\r\n\r\n", VERDICT_INFECTED,
     VERDICT_REASON_NONE, "A"},
    {"HTTP/1.1 307 Temporary Redirect\r\n\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Blocked"},
    {"HTTP/1.1 413 Request Entity Too Large\r\n\r\n", VERDICT_UNSCANNABLE, VERDICT_REASON_TOO_LARGE, ""},
    {"HTTP/1.1 500 Scan error\r\n\r\n", VERDICT_ERROR, VERDICT_REASON_ENGINE, ""},
    {"HTTP/1.1 200 OK\r\nX-Infection-Found: Type=0; Threat=In.Side;\r\n\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "In.Side"},
    {"HTTP/1.1 200 OK\nX-Violations-Found: 1\n\ta\n\tIn.Side\n\t1\n\t2\n\n", VERDICT_INFECTED, VERDICT_REASON_NONE,
     "In.Side"},
    {"HTTP/1.1 200 OK\r\nX-Infection-Found: Type=0;\r\n\tThreat=In.Side;\r\n\r\n", VERDICT_INFECTED,
     VERDICT_REASON_NONE, "In.Side"},
    {"HTTP/1.1 403 Troj/Encrypted-A\r\n\r\n", VERDICT_INFECTED, VERDICT_REASON_NONE, "Blocked"},
    {"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nX-Virus-ID: no threats\r\n\r\n", VERDICT_CLEAN, VERDICT_REASON_NONE, ""},
};

START_TEST(what_the_enclosed_answer_says_counts_too)
{
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
        struct icap_head h;
        ck_assert(head(&h, "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=9\r\n\r\n") == ICAP_END);
        ck_assert_msg(icap_http_block(&h, ICAP_RES_HDR, span_cstr(blocks[i].block)), "row %zu", i);
        struct verdict v = verdict_of(&h, &good);
        IS(v, blocks[i].class, blocks[i].reason, blocks[i].name, blocks[i].block);
    }
    static const char *const bad[] = {"",
                                      "HTTP/1.1 200 OK\r\n",
                                      "HTTP/1.1 200 OK\r\nX\r\n\r\n",
                                      "HTTP/1.1 200 OK\r\n\r\nmore",
                                      "HTTP/1.1 200 OK\r\nA: b\r\n\r\n\r\n",
                                      "HTTP/2 200 OK\r\n\r\n",
                                      "GET / HTTP/1.1\r\n\r\n",
                                      "HTTP/1.1 200 OK\r\nX-Violations-Found: 1\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct icap_head h;
        icap_head_begin(&h, true);
        ck_assert_msg(!icap_http_block(&h, ICAP_RES_HDR, span_cstr(bad[i])), "%s", bad[i]);
    }
}
END_TEST

START_TEST(what_stands_behind_a_body_counts_too)
{
    struct icap_head h;
    ck_assert(head(&h, "ICAP/1.0 200 OK\r\nX-Virus-ID: no threats\r\n\r\n") == ICAP_END);
    ck_assert(icap_trailer(&h, SPAN("Date: x")));
    struct verdict v = verdict_of(&h, &good);
    IS(v, VERDICT_CLEAN, VERDICT_REASON_NONE, "", "an idle trailer");
    ck_assert(icap_trailer(&h, SPAN("X-Infection-Found: Type=0; Threat=Late;")));
    v = verdict_of(&h, &good);
    IS(v, VERDICT_INFECTED, VERDICT_REASON_NONE, "Late", "a trailer");

    static const char *const bad[] = {
        "no header", ": x", " folded", "\tX-Virus-ID: folded", "", "X-Violations-Found: 1", "X-Violations-Found: many"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(!icap_trailer(&h, span_cstr(bad[i])), "%s", bad[i]);
}
END_TEST

START_TEST(only_what_was_scanned_whole_is_clean)
{
    static const struct {
        const char *status;
        bool whole, may_204, offers_204, echo_is_clean, echoed, says_clean;
        enum verdict_class class;
        enum verdict_reason reason;
    } rows[] = {
        {"204", true, true, true, false, false, false, VERDICT_CLEAN, VERDICT_REASON_NONE},
        {"204", false, true, true, false, false, false, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT},
        {"204", true, false, false, true, false, false, VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {"204", true, true, false, false, false, false, VERDICT_CLEAN, VERDICT_REASON_NONE}, /* to a preview */
        {"200", true, true, true, true, true, false, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT},
        {"200", true, false, false, false, true, false, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT},
        {"200", true, false, false, true, true, false, VERDICT_CLEAN, VERDICT_REASON_NONE},
        {"200", true, false, false, true, false, false, VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {"200", false, false, false, true, false, false, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT},
        {"200", true, true, true, false, true, true, VERDICT_CLEAN, VERDICT_REASON_NONE},
        {"200", true, true, true, false, false, true, VERDICT_ERROR, VERDICT_REASON_PROTOCOL},
        {"200", false, true, true, false, false, true, VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[128], what[16];
        struct icap_head h;
        const struct icap_circumstances c = {.whole = rows[i].whole,
                                             .may_204 = rows[i].may_204,
                                             .offers_204 = rows[i].offers_204,
                                             .echo_is_clean = rows[i].echo_is_clean,
                                             .echoed = rows[i].echoed};
        snprintf(text, sizeof(text), "ICAP/1.0 %s x\r\n%s\r\n", rows[i].status,
                 rows[i].says_clean ? "X-Virus-ID: no threats\r\n" : "");
        snprintf(what, sizeof(what), "row %zu", i);
        ck_assert(head(&h, text) == ICAP_END);
        struct verdict v = verdict_of(&h, &c);
        IS(v, rows[i].class, rows[i].reason, "", what);
    }
}
END_TEST

START_TEST(options_tell_what_a_service_can_do)
{
    struct icap_head h;
    struct errtext why;
    ck_assert(head(&h, "ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\nService: Emu AV 1.0\r\nISTag: \"emu-0001\"\r\n"
                       "Allow: 204\r\nPreview: 1024\r\nTransfer-Preview: *\r\nMax-Connections: 100\r\n"
                       "Options-TTL: 3600\r\nEncapsulated: null-body=0\r\n\r\n") == ICAP_END);
    ck_assert_uint_eq(h.status, 200);
    ck_assert_str_eq(h.istag, "emu-0001");
    ck_assert(h.service.respmod && !h.service.reqmod && h.service.allow_204 && h.service.has_preview);
    ck_assert_uint_eq(h.service.preview, 1024);
    ck_assert_uint_eq(h.service.max_connections, 100);
    ck_assert_uint_eq(h.service.ttl_s, 3600);
    ck_assert_str_eq(h.service.name, "Emu AV 1.0");
    ck_assert(!h.close && h.section_count == 1 && h.sections[0].kind == ICAP_NULL_BODY);
    ck_assert(icap_service_is_usable(&h, false, &why));
    ck_assert(!icap_service_is_usable(&h, true, &why));
    ck_assert_msg(strstr(why.text, "does not know REQMOD, only RESPMOD") != NULL, "%s", why.text);

    ck_assert(head(&h, "ICAP/1.0 200 OK\r\nmethods: REQMOD ,\tRESPMOD\r\nallow: 206, 204\r\nConnection: Close\r\n"
                       "Transfer-Complete: *\r\nTransfer-Ignore: jpg, gif\r\nOptions-TTL: 999999\r\n"
                       "Preview: 4000000000\r\nISTag: bare\r\n\r\n") == ICAP_END);
    ck_assert(h.service.respmod && h.service.reqmod && h.service.allow_204 && h.close && h.service.complete_always);
    ck_assert(!h.service.ignores_all);
    static const char *const everything[] = {"asc, *", "*, asc", "*\r\nTransfer-Ignore: asc",
                                             "asc\r\nTransfer-Ignore: *"};
    for (size_t i = 0; i < ARRAY_SIZE(everything); i++) {
        char text[200];
        snprintf(text, sizeof(text), "ICAP/1.0 200 OK\r\nTransfer-Ignore: %s\r\n\r\n", everything[i]);
        ck_assert(head(&h, text) == ICAP_END);
        ck_assert_msg(h.service.ignores_all && !h.service.complete_always, "%s", everything[i]);
        snprintf(text, sizeof(text), "ICAP/1.0 200 OK\r\nTransfer-Complete: *\r\nTransfer-Complete: %s\r\n\r\n", "asc");
        ck_assert(head(&h, text) == ICAP_END);
        ck_assert(h.service.complete_always && !h.service.ignores_all);
    }
    ck_assert(head(&h, "ICAP/1.0 200 OK\r\nTransfer-Complete: *\r\nTransfer-Ignore: jpg, gif\r\nOptions-TTL: 999999\r\n"
                       "Preview: 4000000000\r\nISTag: bare\r\n\r\n") == ICAP_END);
    ck_assert_uint_eq(h.service.ttl_s, ICAP_TTL_MAX);
    ck_assert_uint_eq(h.service.preview, ICAP_PREVIEW_MAX);
    ck_assert_str_eq(h.istag, "bare");

    ck_assert(head(&h, "ICAP/1.0 404 ICAP Service not found\r\nConnection: close\r\n\r\n") == ICAP_END);
    ck_assert(!icap_service_is_usable(&h, false, &why));
    ck_assert_msg(strstr(why.text, "404 ICAP Service not found") != NULL, "%s", why.text);
    ck_assert(head(&h, "ICAP/1.0 200 OK\r\n\r\n") == ICAP_END);
    ck_assert_uint_eq(h.service.ttl_s, ICAP_TTL_DEFAULT);
    ck_assert(!icap_service_is_usable(&h, false, &why));
}
END_TEST

START_TEST(heads_that_make_no_sense_are_refused)
{
    static const char *const bad[] = {
        "HTTP/1.0 200 OK\r\n\r\n",
        "ICAP/2.0 200 OK\r\n\r\n",
        "ICAP/1.0 20 OK\r\n\r\n",
        "ICAP/1.0 099 OK\r\n\r\n",
        "ICAP/1.0 2000 OK\r\n\r\n",
        "ICAP/1.0 200 OK\r\nno header\r\n\r\n",
        "ICAP/1.0 200 OK\r\n: x\r\n\r\n",
        "ICAP/1.0 200 OK\r\n folded into nothing\r\n\r\n",
        "ICAP/1.0 200 OK\r\nISTag: \"\"\r\n\r\n",
        "ICAP/1.0 200 OK\r\nISTag: \"01234567890123456789012345678901234567890123456789012345678901234\"\r\n\r\n",
        "ICAP/1.0 200 OK\r\nPreview: -1\r\n\r\n",
        "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0\r\n\r\n",
        "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=1, res-body=9\r\n\r\n",
        "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=0\r\n\r\n",
        "ICAP/1.0 200 OK\r\nEncapsulated: res-body=0, res-hdr=9\r\n\r\n",
        "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=99999999999\r\n\r\n",
        "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, other=9\r\n\r\n",
        "ICAP/1.0 200 OK\r\nEncapsulated: \r\n\r\n",
        "ICAP/1.0 200 OK\r\nEncapsulated: null-body=0\r\nEncapsulated: null-body=0\r\n\r\n",
        "ICAP/1.0 200 OK\r\nEncapsulated: req-hdr=0, res-hdr=1, req-hdr=2, res-body=3\r\n\r\n",
        "ICAP/1.0 200 OK\r\nX-Violations-Found: many\r\n\r\n",
        "ICAP/1.0 200 OK\r\nX-Violations-Found: 1\r\na\r\n\r\n",
        "ICAP/1.0 200 OK\r\nX-Violations-Found: 1000000\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct icap_head h;
        ck_assert_msg(head(&h, bad[i]) == ICAP_BAD, "%s", bad[i]);
    }
}
END_TEST

START_TEST(what_was_found_before_nonsense_still_counts)
{
    static const char *const rows[] = {
        "ICAP/1.0 200 OK\r\nX-Infection-Found: Type=0; Threat=A;\r\nno header\r\n\r\n",
        "ICAP/1.0 200 OK\r\nX-Violations-Found: 2\r\na\r\nA\r\n\r\n",
        "ICAP/1.0 200 OK\r\nX-Violations-Found: 1\r\na\r\nA\r\n1\r\n2\r\nB\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct icap_head h;
        struct verdict v;
        ck_assert(head(&h, rows[i]) == ICAP_BAD);
        ck_assert(icap_signal_verdict(&h.signals, &v));
        IS(v, VERDICT_INFECTED, VERDICT_REASON_NONE, "A", rows[i]);
    }
}
END_TEST

START_TEST(folded_headers_are_one)
{
    struct icap_head h;
    ck_assert(head(&h, "ICAP/1.0 200 OK\r\nX-Infection-Found: Type=0;\r\n\tResolution=2;\r\n Threat=A;\r\n"
                       "Encapsulated: res-hdr=0,\r\n res-body=9\r\n\r\n") == ICAP_END);
    ck_assert_uint_eq(h.section_count, 2);
    struct verdict v = verdict_of(&h, &good);
    IS(v, VERDICT_INFECTED, VERDICT_REASON_NONE, "A", "folded");
}
END_TEST

START_TEST(a_flood_of_headers_has_an_end)
{
    struct icap_head h;
    enum icap_step step = ICAP_MORE;
    unsigned lines = 0;
    icap_head_begin(&h, true);
    ck_assert(icap_head_line(&h, SPAN("ICAP/1.0 200 OK")) == ICAP_MORE);
    for (; step == ICAP_MORE; lines++)
        step = icap_head_line(&h, SPAN("X: y"));
    ck_assert(step == ICAP_BAD);
    ck_assert_uint_eq(lines, ICAP_HEAD_LINES);

    static char line[ICAP_LINE_MAX];
    memset(line, 'x', sizeof(line));
    line[1] = ':';
    icap_head_begin(&h, true);
    ck_assert(icap_head_line(&h, SPAN("ICAP/1.0 200 OK")) == ICAP_MORE);
    for (lines = 0, step = ICAP_MORE; step == ICAP_MORE; lines++)
        step = icap_head_line(&h, span_of(line, sizeof(line)));
    ck_assert(step == ICAP_BAD);
    ck_assert_uint_le(lines, ICAP_HEAD_OCTETS / ICAP_LINE_MAX + 1);
}
END_TEST

START_TEST(sizes_of_chunks_are_read)
{
    static const struct {
        const char *line;
        bool good;
        uint64_t size;
    } rows[] = {{"0", true, 0},
                {"3e", true, 62},
                {"3E", true, 62},
                {"000", true, 0},
                {"0000004B", true, 75},
                {"10; ieof", true, 16},
                {"0;x=y", true, 0},
                {"7fffffff", true, 0x7fffffff},
                {"80000000", false, 0},
                {"ffffffffffffffff", false, 0},
                {"00000000000000000000", false, 0},
                {"", false, 0},
                {";ieof", false, 0},
                {"-1", false, 0},
                {"0x10", false, 0},
                {"1 0", false, 0},
                {"g", false, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t size = 99;
        ck_assert_msg(icap_chunk_line(span_cstr(rows[i].line), &size) == rows[i].good, "%s", rows[i].line);
        ck_assert_msg(!rows[i].good || size == rows[i].size, "%s", rows[i].line);
    }
}
END_TEST

START_TEST(istags_have_numbers)
{
    ck_assert(icap_istag_number("a") != icap_istag_number("b"));
    ck_assert(icap_istag_number("emu-0001") == icap_istag_number("emu-0001"));
    ck_assert(icap_istag_number("") > 0 && icap_istag_number("x") < 1ULL << 53);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(each_vendor_s_headers_have_their_verdict)                                                                        \
    X(what_the_server_says_it_repaired_all_of_is_infected_and_cured)                                                   \
    X(what_is_blocked_without_a_name_is_unscannable_where_it_is_wanted)                                                \
    X(what_the_enclosed_answer_says_counts_too)                                                                        \
    X(what_stands_behind_a_body_counts_too)                                                                            \
    X(only_what_was_scanned_whole_is_clean)                                                                            \
    X(options_tell_what_a_service_can_do)                                                                              \
    X(heads_that_make_no_sense_are_refused)                                                                            \
    X(what_was_found_before_nonsense_still_counts)                                                                     \
    X(folded_headers_are_one)                                                                                          \
    X(a_flood_of_headers_has_an_end)                                                                                   \
    X(sizes_of_chunks_are_read)                                                                                        \
    X(istags_have_numbers)
#include "support/check_main.h"
