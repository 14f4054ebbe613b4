/* SPDX-License-Identifier: MIT */
/* What an ICAP server answers, as hostile input (C16): the head line by line, an enclosed HTTP header, what it comes
 * to. The first octet says how the request went. Whatever it is, the verdict is well-formed; clean is only 204 or 200,
 * for a message that the server had whole, and where no line begins with a word that speaks against it; and what
 * follows a find, or is missing behind it, does not undo it. */
#include "fuzz/fuzz.h"
#include "fuzz/scan/engine/verdict_check.h"
#include "scan/engine/icap_reply.h"

void fuzz_target_words(fuzz_word *word)
{
    static const char *const words[] = {"ICAP/1.0 200 OK\r\n",
                                        "ICAP/1.0 204 No Content\r\n",
                                        "ICAP/1.0 201 Created\r\n",
                                        "ICAP/1.0 500 Server error\r\n",
                                        "HTTP/1.1 403 Forbidden\r\n",
                                        "HTTP/1.1 200 OK\r\n",
                                        "ISTag: \"a\"\r\n",
                                        "Encapsulated: ",
                                        "res-hdr=0, res-body=19\r\n",
                                        "null-body=0\r\n",
                                        "req-hdr=0, req-body=",
                                        "opt-body=",
                                        "X-Infection-Found: ",
                                        "Type=0; Resolution=2; Threat=",
                                        "Type=2; ",
                                        "Type=1; ",
                                        "X-Violations-Found: 1\r\n",
                                        "X-Violations-Found: 0\r\n",
                                        "X-Virus-ID: ",
                                        "no threats\r\n",
                                        "X-Virus-Name: ",
                                        "X-FSecure-Scan-Result: ",
                                        "infected",
                                        "clean",
                                        "X-FSecure-Infection-Name: ",
                                        "X-Response-Info: ",
                                        "Allowed",
                                        "Blocked",
                                        "X-Blocked: ",
                                        "X-Block-Reason: ",
                                        "X-Block-Result: ",
                                        "X-Error-Code: ",
                                        "password_protected",
                                        "scan_failed",
                                        "encrypted",
                                        "container",
                                        "Methods: RESPMOD, REQMOD\r\n",
                                        "Allow: 204\r\n",
                                        "Preview: 1024\r\n",
                                        "Options-TTL: ",
                                        "Max-Connections: ",
                                        "Transfer-Ignore: *\r\n",
                                        "Connection: close\r\n",
                                        "\r\n ",
                                        "\r\n\t",
                                        "\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        word(span_cstr(words[i]));
}

/* A line that no clean answer holds, in the eyes of a second reader who knows no fields of violations. */
static bool speaks_against(struct span line)
{
    static const struct span always[] = {{"X-Infection-Found:", 18}, {"X-Virus-Name:", 13}, {"X-Blocked:", 10}};
    for (size_t i = 0; i < ARRAY_SIZE(always); i++)
        if (span_starts_nocase(line, always[i]) &&
            !span_eq_nocase(span_trim(span_sub(line, always[i].len, line.len)), SPAN("no threats")) &&
            !span_eq_nocase(span_trim(span_sub(line, always[i].len, line.len)), SPAN("\"no threats\"")))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct span text = span_of(data + 1, size - 1), line;
    const struct icap_circumstances c = {.whole = data[0] & 1,
                                         .may_204 = data[0] & 2,
                                         .offers_204 = data[0] & 4,
                                         .echo_is_clean = data[0] & 8,
                                         .echoed = data[0] & 16};
    struct icap_head h;
    struct verdict v, early;
    struct errtext why;
    enum icap_step step = ICAP_MORE;
    uint64_t chunk;
    bool against = false, found = false;
    icap_head_begin(&h, data[0] & 32);
    while (step == ICAP_MORE && span_take_line(&text, &line)) {
        bool fields = h.violation_fields > 0;
        against = against || (!fields && h.lines > 0 && speaks_against(line));
        step = icap_head_line(&h, line);
        FUZZ_REQUIRE(!found || icap_signal_verdict(&h.signals, &early)); /* nothing takes it back */
        found = icap_signal_verdict(&h.signals, &early);
        if (icap_chunk_line(line, &chunk))
            FUZZ_REQUIRE(chunk <= INT32_MAX);
    }
    if (step == ICAP_MORE)
        icap_head_cut(&h);
    FUZZ_REQUIRE(h.section_count <= ICAP_SECTIONS);
    fuzz_check_text(h.istag);
    fuzz_check_text(h.service.name);
    if (step == ICAP_END) {
        FUZZ_REQUIRE(h.section_count == 0 || h.sections[h.section_count - 1].kind > ICAP_RES_HDR);
        (void)icap_service_is_usable(&h, data[0] & 64, &why);
        if (h.section_count > 1)
            (void)icap_http_block(&h, h.sections[0].kind, text);
    }
    icap_verdict(&h, &c, &v);
    fuzz_check_verdict(&v);
    FUZZ_REQUIRE(v.class != VERDICT_UNSCANNABLE || v.detail[0]);
    found = icap_signal_verdict(&h.signals, &early);
    /* 201 says that something was found, whatever weaker words stand beside it. */
    FUZZ_REQUIRE(!found || (early.class == v.class && strcmp(early.name, v.name) == 0) ||
                 (h.status == 201 && v.class == VERDICT_INFECTED));
    if (v.class == VERDICT_CLEAN && step == ICAP_END) {
        FUZZ_REQUIRE(c.whole && !against && !h.signals.unclear[0]);
        FUZZ_REQUIRE(h.status == 204 ? c.may_204 : h.status == 200 && c.echoed);
        FUZZ_REQUIRE(h.status == 204 || h.signals.says_clean || (c.echo_is_clean && !c.offers_204));
        FUZZ_REQUIRE(h.http_status < 300);
    }
    return 0;
}
