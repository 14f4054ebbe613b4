/* SPDX-License-Identifier: MIT */
/* What scanner programs and Symantec's daemon say, as hostile input. What is read as a message is formed into one that
 * reads as the same; nothing shorter reads; and "clean" needs the word for it and no scan code against it. The first
 * octet chooses the language. (C16) */
#include "fuzz/fuzz.h"
#include "scan/engine/csapi_code.h"
#include "scan/engine/symantec_reply.h"

void fuzz_target_words(fuzz_word *word)
{
    static const char *const words[] = {"RESULT 1 ", "READY 1\n",  "REFUSED ", "SCAN 1 2 3\n",  "ASK 1 2 3 4\n",
                                        "clean\n",   "infected\n", "error\n",  "unscannable\n", "code ",
                                        "virus ",    "info ",      "version ", "definitions ",  "signatures ",
                                        "missing ",  "end\n",      "230 ok\n", "220 ok\n",      "20240105\n"};
    static const char *const codes[] = {
#define CSAPI_CODE(code, class, reason) code,
#include "scan/engine/csapi_code.def"
#undef CSAPI_CODE
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        word(span_cstr(words[i]));
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        word(span_cstr(codes[i]));
}

static void check_result(struct span bytes, struct buf *out)
{
    struct scanner_result r, again;
    struct verdict v;
    if (scanner_result_read(bytes, &r) != ERR_OK)
        return;
    csapi_code_verdict(&r, &v);
    FUZZ_REQUIRE(v.class != VERDICT_SKIPPED && verdict_reason_class(v.reason) == (v.reason ? v.class : VERDICT_CLEAN));
    FUZZ_REQUIRE(v.class != VERDICT_CLEAN || (r.status == SCANNER_CLEAN && span_find_span(bytes, SPAN(" clean\n"))));
    for (size_t i = 0; i < r.code_count && v.class == VERDICT_CLEAN; i++)
        FUZZ_REQUIRE(strcmp(r.codes[i], "DEC_RESULT_OUTER_CONTAINER_IS_MIME") == 0);
    FUZZ_REQUIRE(scanner_result_write(&r, out) == ERR_OK);
    FUZZ_REQUIRE(scanner_result_read(buf_span(out), &again) == ERR_OK);
    FUZZ_REQUIRE_SAME(span_of(&r, sizeof(r)), span_of(&again, sizeof(again)));
    for (size_t len = 0; len < bytes.len; len++)
        FUZZ_REQUIRE(scanner_result_read(span_sub(bytes, 0, len), &again) == ERR_SYNTAX);
}

static void check_ready(struct span bytes, struct buf *out)
{
    struct scanner_ready r, again;
    if (scanner_ready_read(bytes, &r) != ERR_OK)
        return;
    FUZZ_REQUIRE(scanner_ready_write(&r, out) == ERR_OK);
    FUZZ_REQUIRE(scanner_ready_read(buf_span(out), &again) == ERR_OK);
    FUZZ_REQUIRE(r.refused == again.refused && r.definitions == again.definitions && r.signatures == again.signatures);
}

static void check_request(struct span bytes, bool ask, struct buf *out)
{
    struct scanner_request r, again;
    if (scanner_request_read(bytes, ask, &r) != ERR_OK)
        return;
    FUZZ_REQUIRE(scanner_request_write(&r, ask, out) == ERR_OK);
    FUZZ_REQUIRE(scanner_request_read(buf_span(out), ask, &again) == ERR_OK);
    FUZZ_REQUIRE(r.id == again.id && r.size == again.size && r.time_ms == again.time_ms && r.engine == again.engine);
}

static void check_symantec(struct span bytes, enum symantec_step (*take)(struct symantec_reply *r, struct span line))
{
    struct symantec_reply r = {0};
    enum symantec_step step = SYMANTEC_MORE;
    struct verdict v;
    while (step == SYMANTEC_MORE && bytes.len > 0) {
        size_t at = span_find(bytes, '\n');
        if (at == bytes.len)
            return;
        step = take(&r, span_sub(bytes, 0, at));
        bytes = span_sub(bytes, at + 1, bytes.len);
        FUZZ_REQUIRE(r.lines <= 9);
    }
    bool infected = take == symantec_reply_line && symantec_reply_is_infected(&r);
    if (step != SYMANTEC_DONE && !infected)
        return;
    symantec_reply_verdict(&r, &v);
    FUZZ_REQUIRE(!infected || v.class == VERDICT_INFECTED);
    FUZZ_REQUIRE(v.class != VERDICT_SKIPPED);
    if (take == symantec_reply_line)
        FUZZ_REQUIRE((v.class == VERDICT_CLEAN) == (r.code == 230 && r.status == 0 && r.lines == 5 && !r.infections));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out;
    if (size == 0)
        return 0;
    struct span rest = span_of(data + 1, size - 1);
    buf_init(&out, SCANNER_MESSAGE_MAX);
    switch (data[0] % 6) {
    case 0:
        check_result(rest, &out);
        break;
    case 1:
        check_ready(rest, &out);
        break;
    case 2:
        check_request(rest, false, &out);
        break;
    case 3:
        check_request(rest, true, &out);
        break;
    case 4:
        check_symantec(rest, symantec_reply_line);
        break;
    default:
        check_symantec(rest, symantec_greeting_line);
        break;
    }
    buf_release(&out);
    return 0;
}
