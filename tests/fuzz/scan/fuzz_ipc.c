/* SPDX-License-Identifier: MIT */
/* Records between edge, broker and worker, as hostile input. What decodes encodes into the same octets; no shorter and
 * no longer record decodes; and a record made of any octets whatsoever encodes into what decodes, where its values are
 * in range, into itself. (C16) */
#include "fuzz/fuzz.h"
#include "scan/scan_ipc.h"

void fuzz_target_words(fuzz_word *word)
{
    static const struct span lengths[] = {{"\0\1", 2},   {"\0\x28", 2}, {"\0\x29", 2}, {"\0\x80", 2},
                                          {"\0\x81", 2}, {"\1\0", 2},   {"\1\1", 2},   {"\xff\xff", 2}};
    for (unsigned t = SCAN_JOB; t <= SCAN_INSPECTION; t++) {
        char type = (char)t;
        word(span_of(&type, 1));
    }
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
        word(lengths[i]);
    for (unsigned r = 0; r < VERDICT_REASON_COUNT; r++) {
        char pair[2] = {(char)verdict_reason_class((enum verdict_reason)r), (char)r};
        word(span_of(pair, sizeof(pair)));
    }
}

static void check_canonical(struct span bytes)
{
    struct scan_record r;
    unsigned char out[SCAN_RECORD_SIZE];
    if (scan_record_decode(bytes, &r) != ERR_OK)
        return;
    size_t len = scan_record_encode(&r, out);
    FUZZ_REQUIRE_SAME(span_of(out, len), bytes);
    for (size_t shorter = 0; shorter < len; shorter++)
        FUZZ_REQUIRE(scan_record_decode(span_of(out, shorter), &r) == ERR_SYNTAX);
    FUZZ_REQUIRE(len < SCAN_RECORD_SIZE);
    out[len] = 0;
    FUZZ_REQUIRE(scan_record_decode(span_of(out, len + 1), &r) == ERR_SYNTAX);
    if (r.type == SCAN_ANSWER) {
        const struct verdict *v = &r.answer.verdict;
        FUZZ_REQUIRE(v->class != VERDICT_SKIPPED);
        FUZZ_REQUIRE(v->class != VERDICT_CLEAN || v->reason == VERDICT_REASON_NONE);
    }
}

/* Fills a record with the octets of the input: texts without end, numbers of any size, enumerations a little out of
 * their range. */
static void record_from(struct span bytes, struct scan_record *r)
{
    memset(r, 0, sizeof(*r));
    unsigned char head[3] = {0};
    memcpy(head, bytes.ptr, bytes.len < 3 ? bytes.len : 3);
    bytes = span_sub(bytes, 3, bytes.len);
    size_t room = sizeof(*r) - offsetof(struct scan_record, job);
    if (bytes.len > 0)
        memcpy((char *)r + offsetof(struct scan_record, job), bytes.ptr, bytes.len < room ? bytes.len : room);
    r->type = (enum scan_record_type)(head[0] % SCAN_INSPECTION + 1);
    if (r->type == SCAN_ANSWER) {
        r->answer.verdict.class = (enum verdict_class)(head[1] % (VERDICT_CLASS_COUNT + 1));
        r->answer.verdict.reason = (enum verdict_reason)(head[2] % (VERDICT_REASON_COUNT + 1));
        r->answer.verdict.cured = head[0] & 0x80;
    }
    if (r->type == SCAN_JOB)
        r->job.kind = (enum scan_job_kind)(head[1] % (SCAN_JOB_INSPECT + 2));
    if (r->type == SCAN_STATUS) {
        r->status.state = (enum scan_engine_state)(head[1] % (SCAN_ENGINE_FAILED + 2));
        r->status.test_string = (enum scan_test_string)(head[2] % (SCAN_TEST_STRING_UNKNOWN + 2));
    }
}

static bool record_in_range(const struct scan_record *r)
{
    const struct verdict *v = &r->answer.verdict;
    const struct scan_inspection *i = &r->inspected.inspection;
    switch (r->type) {
    case SCAN_JOB:
        return r->job.engine[0] != '\0' && r->job.kind <= SCAN_JOB_INSPECT && r->job.parts_size <= LIMIT_PARTS_FILE &&
               (r->job.kind == SCAN_JOB_ENGINE || r->job.parts_size == 0);
    case SCAN_CANCEL:
        return true;
    case SCAN_STATUS:
        return r->status.engine[0] != '\0' && r->status.state <= SCAN_ENGINE_FAILED &&
               r->status.test_string <= SCAN_TEST_STRING_UNKNOWN;
    case SCAN_QUERY:
        return r->query.concurrency <= LIMIT_POOL_WORKERS;
    case SCAN_POOL:
        return true;
    case SCAN_INSPECTION:
        return i->size <= LIMIT_PARTS_FILE && i->contents <= LIMIT_PARTS && i->parts <= LIMIT_PARTS &&
               (i->defects & ~INSPECTION_DEFECTS) == 0;
    case SCAN_ANSWER:
        break;
    }
    if (v->parts > LIMIT_PARTS || (v->cured && v->class != VERDICT_INFECTED))
        return false;
    if (v->class == VERDICT_INFECTED)
        return v->reason == VERDICT_REASON_NONE;
    return v->class < VERDICT_SKIPPED && v->reason < VERDICT_REASON_COUNT &&
           verdict_reason_class(v->reason) == v->class;
}

static void check_any_record(struct span bytes)
{
    struct scan_record r, back;
    unsigned char first[SCAN_RECORD_SIZE], second[SCAN_RECORD_SIZE];
    record_from(bytes, &r);
    size_t len = scan_record_encode(&r, first);
    FUZZ_REQUIRE(len > 0 && len < SCAN_RECORD_SIZE);
    enum err e = scan_record_decode(span_of(first, len), &back);
    FUZZ_REQUIRE(e == (record_in_range(&r) ? ERR_OK : ERR_SYNTAX));
    if (e == ERR_OK)
        FUZZ_REQUIRE_SAME(span_of(second, scan_record_encode(&back, second)), span_of(first, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_canonical(span_of(data, size));
    check_any_record(span_of(data, size));
    return 0;
}
