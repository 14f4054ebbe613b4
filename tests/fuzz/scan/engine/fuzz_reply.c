/* SPDX-License-Identifier: MIT */
/* What daemons of antivirus engines answer, as hostile input. The first octet says whose answer it is, the rest is what
 * comes over the connection. Whatever it is, the verdict is well-formed; and where it is "clean", a second opinion of a
 * few lines agrees. (C16) */
#include "fuzz/fuzz.h"
#include "fuzz/scan/engine/verdict_check.h"
#include "scan/engine/clamd_reply.h"
#include "scan/engine/fsecure_reply.h"
#include "scan/engine/kaspersky_http_reply.h"
#include "scan/engine/kaspersky_reply.h"

#define OBJECT "postern-message-0-0-0/1.eml"
#define PATH   "/tmp/" OBJECT

enum mode {
    CLAMD_BY_STREAM,
    CLAMD_BY_DESCRIPTOR,
    CLAMD_VERSION,
    AVESERVER,
    FSAVD,
    HTTP_HEAD,
    HTTP_TEXT,
    HTTP_JSON,
    MODES
};

void fuzz_target_words(fuzz_word *word)
{
    static const char *const words[] = {
        "7: stream: ",
        "7: fd[1]: ",
        "OK",
        " FOUND",
        " ERROR",
        "INSTREAM size limit exceeded.",
        "COMMAND READ TIMED OUT",
        "1: ClamAV 1.4.6/27500/",
        "Heuristics.Encrypted.",
        "Heuristics.Limits.Exceeded.",
        "220 ",
        "220-",
        "230 ",
        "232 ",
        "241 ",
        "310-",
        "322-",
        "322 ",
        "525 ",
        "502 ",
        " " PATH,
        "\r\n",
        "CLEAN\t" PATH "\n",
        "INFECTED\t" PATH "\t",
        "ARCHIVE_INFECTED",
        "MIME_",
        "RISKWARE",
        "SUSPECTED",
        "SCAN_FAILURE",
        "OPEN_ARCHIVE",
        "CLOSE_ARCHIVE",
        "OK\t",
        "ERROR\t",
        "PING\n",
        "DBVERSION\t",
        "password",
        "encrypted",
        "HTTP/1.0 200 OK\r\n",
        "Content-Length: ",
        "Transfer-Encoding: ",
        "CLEAN",
        "CLEAN AND CONTAINS OFFICE MACRO",
        "DETECT ",
        "DETECTED",
        "DISINFECTED",
        "DELETED",
        "NON_SCANNED",
        "(PASSWORD PROTECTED)",
        "(CORRUPTED)",
        "(SKIPPED)",
        "(CANCELED)",
        "(ACCESS DENIED)",
        "SERVER_ERROR",
        "\"scanResult\":",
        "\"detectionName\":",
        "\"containsOfficeMacro\":",
        "\"subObjectsScanResults\":[",
        "\"CLEAN\"",
        "\"DETECT\"",
        "\\u0041",
        "true",
        "null",
        "},{",
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        word(span_cstr(words[i]));
}

static void play_clamd(struct span reply, enum clamd_way way)
{
    struct verdict v;
    clamd_reply_verdict(reply, 7, way, &v);
    fuzz_check_verdict(&v);
    if (v.class == VERDICT_CLEAN)
        FUZZ_REQUIRE(way == CLAMD_STREAM
                         ? span_eq(reply, SPAN("7: stream: OK"))
                         : span_starts(reply, SPAN("7: fd[")) && span_ends_nocase(reply, SPAN("]: OK")));
}

static void play_version(struct span reply)
{
    char version[64];
    uint64_t database = 0, made;
    if (!clamd_reply_version(reply, 1, version, sizeof(version), &database, &made))
        return;
    fuzz_check_text(version);
    FUZZ_REQUIRE(database <= UINT32_MAX);
}

static void play_aveserver(struct span text, bool suspicious_is_infected)
{
    struct kaspersky_reply r;
    struct verdict v;
    struct span line, all = text;
    bool ended = false, virus = false;
    kaspersky_reply_begin(&r, SPAN(OBJECT), suspicious_is_infected);
    while (!ended && span_take_line(&text, &line)) {
        virus = virus || span_starts(line, SPAN("322"));
        ended = kaspersky_reply_line(&r, line) == KASPERSKY_END;
    }
    kaspersky_reply_verdict(&r, &v);
    fuzz_check_verdict(&v);
    if (v.class == VERDICT_CLEAN) {
        FUZZ_REQUIRE(ended && !virus && span_starts(line, SPAN("220")));
        FUZZ_REQUIRE(span_find_span(all, SPAN("\n230")) >= all.len - text.len - 1);
    }
    FUZZ_REQUIRE(ended || v.class == VERDICT_ERROR || v.class == VERDICT_INFECTED); /* a name that came counts */
}

static bool is_bad_news(struct span line)
{
    static const struct span words[] = {{"INFECTED", 8}, {"RISKWARE", 8}, {"SUSPECTED", 9}, {"SCAN_FAILURE", 12}};
    struct span field = span_sub(line, 0, span_find(line, '\t'));
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (span_find_span(field, words[i]) < field.len)
            return true;
    return false;
}

static void play_fsavd(struct span text, struct fsecure_wishes wishes)
{
    struct fsecure_reply r;
    struct verdict v;
    struct span line;
    char version[64];
    uint64_t database;
    bool ended = false, bad = false, clean = false;
    fsecure_reply_begin(&r, SPAN(PATH), wishes);
    while (!ended && span_take_line(&text, &line)) {
        bad = bad || is_bad_news(line);
        clean = clean || span_eq(span_sub(line, 0, sizeof("CLEAN\t" PATH) - 1), SPAN("CLEAN\t" PATH));
        if (fsecure_line_version(line, version, sizeof(version), &database))
            fuzz_check_text(version);
        ended = fsecure_reply_line(&r, line) == FSECURE_END;
    }
    fsecure_reply_verdict(&r, &v);
    fuzz_check_verdict(&v);
    if (v.class == VERDICT_CLEAN)
        FUZZ_REQUIRE(ended && clean && !bad && span_starts(line, SPAN("OK")));
    FUZZ_REQUIRE(ended || v.class == VERDICT_ERROR || v.class == VERDICT_INFECTED); /* a name that came counts */
}

static void play_head(struct span text)
{
    struct kaspersky_http_head h;
    struct span line;
    bool good = span_take_line(&text, &line) && kaspersky_http_status(&h, line);
    FUZZ_REQUIRE(!good || h.status <= 999);
    while (good && span_take_line(&text, &line) && line.len > 0)
        good = kaspersky_http_header(&h, line);
}

static void play_text(struct span body, bool whole, bool paranoid)
{
    static const char *const clean[] = {"CLEAN", "CLEAN AND CONTAINS OFFICE MACRO"};
    struct verdict v;
    kaspersky_http_text(body, whole, paranoid, &v);
    fuzz_check_verdict(&v);
    while (body.len > 0 && strchr(" \t\r\n", body.ptr[body.len - 1]) && body.ptr[body.len - 1])
        body.len--;
    if (v.class == VERDICT_CLEAN)
        FUZZ_REQUIRE(span_eq(body, span_cstr(clean[0])) || (!paranoid && span_eq(body, span_cstr(clean[1]))));
}

static void play_json(struct span body, bool paranoid)
{
    struct verdict v, cut;
    kaspersky_http_json(body, paranoid, &v);
    fuzz_check_verdict(&v);
    if (v.class != VERDICT_CLEAN)
        return;
    FUZZ_REQUIRE(span_find_span(body, SPAN("\"DETECT")) == body.len ||
                 span_find_span(body, SPAN("\"scanResult\":\"DETECT")) == body.len);
    while (body.len > 0 && body.ptr[body.len - 1] != '}')
        body.len--;
    size_t least = body.len > 200 ? body.len - 200 : 0;
    for (size_t len = body.len; len-- > least;) { /* no part of it is an answer, but half a word may be "macros" */
        kaspersky_http_json(span_sub(body, 0, len), paranoid, &cut);
        FUZZ_REQUIRE(cut.class == VERDICT_ERROR || (paranoid && cut.class == VERDICT_INFECTED));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct span rest = span_of(data + 1, size - 1);
    bool flag = data[0] & 0x40, other = data[0] & 0x80;
    switch ((enum mode)(data[0] % MODES)) {
    case CLAMD_BY_STREAM:
        play_clamd(rest, CLAMD_STREAM);
        break;
    case CLAMD_BY_DESCRIPTOR:
        play_clamd(rest, CLAMD_DESCRIPTOR);
        break;
    case CLAMD_VERSION:
        play_version(rest);
        break;
    case AVESERVER:
        play_aveserver(rest, flag);
        break;
    case FSAVD:
        play_fsavd(rest, (struct fsecure_wishes){.riskware_is_infected = flag, .suspicious_is_infected = other});
        break;
    case HTTP_HEAD:
        play_head(rest);
        break;
    case HTTP_TEXT:
        play_text(rest, flag, other);
        break;
    case HTTP_JSON:
        play_json(rest, flag);
        break;
    case MODES:
        break;
    }
    return 0;
}
