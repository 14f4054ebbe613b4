/* SPDX-License-Identifier: MIT */
/* Records between edge, broker and worker: what one side writes the other reads, and nothing else is accepted. */
#include "scan/scan_ipc.h"
#include "unit/smtp/must.h"
#include <check.h>

static struct scan_record sample(enum scan_record_type type)
{
    struct scan_record r;
    memset(&r, 0, sizeof(r));
    r.type = type;
    switch (type) {
    case SCAN_JOB:
        r.job = (struct scan_job){
            .id = 0x0102030405060708, .engine = "clamav1", .size = 1234567, .deadline_us = 99, .parts_size = 4711};
        for (size_t i = 0; i < sizeof(r.job.digest); i++)
            r.job.digest[i] = (uint8_t)(200 + i);
        break;
    case SCAN_CANCEL:
        r.cancel = UINT64_MAX;
        break;
    case SCAN_ANSWER:
        r.answer = (struct scan_answer){.id = 7,
                                        .verdict = {.class = VERDICT_INFECTED,
                                                    .name = "Test.Name",
                                                    .engine = "clamav1",
                                                    .detail = "part 3",
                                                    .database_version = 27500,
                                                    .queue_us = 5,
                                                    .scan_us = 6,
                                                    .parts = 12,
                                                    .part = "1.2",
                                                    .cured = true}};
        break;
    case SCAN_STATUS:
        r.status = (struct scan_status){.engine = "clamav1",
                                        .state = SCAN_ENGINE_READY,
                                        .database_version = 27500,
                                        .database_time = 1736155862,
                                        .signatures = 8700000,
                                        .detail = "1.4.6",
                                        .test_string = SCAN_TEST_STRING_UNKNOWN};
        break;
    case SCAN_QUERY:
        r.query = (struct scan_query){.id = 12, .concurrency = LIMIT_POOL_WORKERS};
        break;
    case SCAN_POOL:
        r.pool.id = 12;
        for (size_t i = 0; i < POOL_FIGURE_COUNT; i++)
            r.pool.figures[i] = UINT64_MAX - i;
        break;
    case SCAN_INSPECTION:
        r.inspected.id = 8;
        r.inspected.inspection = (struct scan_inspection){.size = 9000,
                                                          .contents = 3,
                                                          .parts = 4,
                                                          .defects = mime_defect_bit(MIME_DEFECT_LIMIT),
                                                          .limit = "work parts",
                                                          .queue_us = 5,
                                                          .scan_us = 6};
        break;
    }
    return r;
}

static enum err decode(const unsigned char *bytes, size_t len, struct scan_record *out)
{
    /* An exact copy on the heap, so that the sanitizer sees a read past the end. */
    unsigned char *copy = malloc(len ? len : 1);
    MUST(copy);
    memcpy(copy, bytes, len);
    enum err e = scan_record_decode(span_of(copy, len), out);
    free(copy);
    return e;
}

START_TEST(every_type_survives_the_way)
{
    for (int type = SCAN_JOB; type <= SCAN_INSPECTION; type++) {
        struct scan_record in = sample((enum scan_record_type)type), out;
        unsigned char bytes[SCAN_RECORD_SIZE], again[SCAN_RECORD_SIZE];
        size_t len = scan_record_encode(&in, bytes);
        ck_assert_int_eq(decode(bytes, len, &out), ERR_OK);
        ck_assert_int_eq(out.type, type);
        ck_assert_uint_eq(scan_record_encode(&out, again), len);
        ck_assert_mem_eq(bytes, again, len);
    }
    struct scan_record in = sample(SCAN_JOB), out;
    unsigned char bytes[SCAN_RECORD_SIZE];
    ck_assert_int_eq(decode(bytes, scan_record_encode(&in, bytes), &out), ERR_OK);
    ck_assert_uint_eq(out.job.id, in.job.id);
    ck_assert_str_eq(out.job.engine, "clamav1");
    ck_assert_uint_eq(out.job.size, 1234567);
    ck_assert_uint_eq(out.job.deadline_us, 99);
    ck_assert_mem_eq(out.job.digest, in.job.digest, 32);
    ck_assert_int_eq(out.job.kind, SCAN_JOB_ENGINE);
    ck_assert_uint_eq(out.job.parts_size, 4711);
    in = sample(SCAN_ANSWER);
    ck_assert_int_eq(decode(bytes, scan_record_encode(&in, bytes), &out), ERR_OK);
    ck_assert_int_eq(out.answer.verdict.class, VERDICT_INFECTED);
    ck_assert_str_eq(out.answer.verdict.name, "Test.Name");
    ck_assert_str_eq(out.answer.verdict.detail, "part 3");
    ck_assert_uint_eq(out.answer.verdict.database_version, 27500);
    ck_assert_uint_eq(out.answer.verdict.scan_us, 6);
    ck_assert_uint_eq(out.answer.verdict.parts, 12);
    ck_assert_str_eq(out.answer.verdict.part, "1.2");
    ck_assert(out.answer.verdict.cured);
    in = sample(SCAN_INSPECTION);
    ck_assert_int_eq(decode(bytes, scan_record_encode(&in, bytes), &out), ERR_OK);
    ck_assert_uint_eq(out.inspected.id, 8);
    ck_assert_uint_eq(out.inspected.inspection.size, 9000);
    ck_assert_uint_eq(out.inspected.inspection.contents, 3);
    ck_assert_uint_eq(out.inspected.inspection.parts, 4);
    ck_assert_uint_eq(out.inspected.inspection.defects, mime_defect_bit(MIME_DEFECT_LIMIT));
    ck_assert_str_eq(out.inspected.inspection.limit, "work parts");
    in = sample(SCAN_STATUS);
    ck_assert_int_eq(decode(bytes, scan_record_encode(&in, bytes), &out), ERR_OK);
    ck_assert_int_eq(out.status.state, SCAN_ENGINE_READY);
    ck_assert_uint_eq(out.status.signatures, 8700000);
    ck_assert_uint_eq(out.status.database_time, 1736155862);
    ck_assert_str_eq(out.status.detail, "1.4.6");
    ck_assert_int_eq(out.status.test_string, SCAN_TEST_STRING_UNKNOWN);
    in = sample(SCAN_QUERY);
    ck_assert_int_eq(decode(bytes, scan_record_encode(&in, bytes), &out), ERR_OK);
    ck_assert_uint_eq(out.query.id, 12);
    ck_assert_uint_eq(out.query.concurrency, LIMIT_POOL_WORKERS);
    in = sample(SCAN_POOL);
    ck_assert_int_eq(decode(bytes, scan_record_encode(&in, bytes), &out), ERR_OK);
    ck_assert_uint_eq(out.pool.id, 12);
    for (size_t i = 0; i < POOL_FIGURE_COUNT; i++)
        ck_assert_uint_eq(out.pool.figures[i], UINT64_MAX - i);
}
END_TEST

START_TEST(a_status_that_says_of_the_test_string_what_nobody_can_is_refused)
{
    struct scan_record in = sample(SCAN_STATUS), out;
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(&in, bytes);
    for (unsigned word = 0; word < 256; word++) {
        bytes[len - 1] = (unsigned char)word; /* the last octet */
        ck_assert_int_eq(decode(bytes, len, &out), word <= SCAN_TEST_STRING_UNKNOWN ? ERR_OK : ERR_SYNTAX);
    }
}
END_TEST

START_TEST(only_what_is_infected_is_cured)
{
    struct scan_record in = sample(SCAN_ANSWER), out;
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(&in, bytes);
    ck_assert_uint_eq(bytes[len - 1], 1);
    bytes[len - 1] = 2;
    ck_assert_int_eq(decode(bytes, len, &out), ERR_SYNTAX);
    in.answer.verdict.class = VERDICT_CLEAN;
    ck_assert_int_eq(decode(bytes, scan_record_encode(&in, bytes), &out), ERR_SYNTAX);
    in.answer.verdict.cured = false;
    ck_assert_int_eq(decode(bytes, scan_record_encode(&in, bytes), &out), ERR_OK);
    ck_assert(!out.answer.verdict.cured);
}
END_TEST

START_TEST(a_query_for_more_workers_than_any_pool_may_have_is_refused)
{
    struct scan_record in = sample(SCAN_QUERY), out;
    unsigned char bytes[SCAN_RECORD_SIZE];
    in.query.concurrency = LIMIT_POOL_WORKERS + 1;
    ck_assert_int_eq(decode(bytes, scan_record_encode(&in, bytes), &out), ERR_SYNTAX);
    in.query.concurrency = 0; /* as it is */
    ck_assert_int_eq(decode(bytes, scan_record_encode(&in, bytes), &out), ERR_OK);
}
END_TEST

START_TEST(figures_of_parts_beyond_what_a_message_may_have_are_refused)
{
    for (unsigned field = 0; field < 8; field++) {
        struct scan_record in = sample(field < 3 ? SCAN_JOB : field == 3 ? SCAN_ANSWER : SCAN_INSPECTION), out;
        struct scan_inspection *i = &in.inspected.inspection;
        unsigned char bytes[SCAN_RECORD_SIZE];
        ck_assert_int_eq(decode(bytes, scan_record_encode(&in, bytes), &out), ERR_OK);
        if (field == 0)
            in.job.parts_size = LIMIT_PARTS_FILE + 1;
        else if (field == 1)
            in.job.kind = SCAN_JOB_INSPECT; /* it brings no parts, it makes them */
        else if (field == 2)
            in.job.kind = (enum scan_job_kind)(SCAN_JOB_INSPECT + 1);
        else if (field == 3)
            in.answer.verdict.parts = LIMIT_PARTS + 1;
        else if (field == 4)
            i->size = LIMIT_PARTS_FILE + 1;
        else if (field == 5)
            i->contents = LIMIT_PARTS + 1;
        else if (field == 6)
            i->parts = LIMIT_PARTS + 1;
        else
            i->defects = (mime_defects)1 << MIME_DEFECT_COUNT;
        ck_assert_int_eq(decode(bytes, scan_record_encode(&in, bytes), &out), ERR_SYNTAX);
    }
}
END_TEST

START_TEST(every_figure_has_a_word_of_its_own_and_a_meaning)
{
    for (unsigned i = 0; i < POOL_FIGURE_COUNT; i++) {
        ck_assert(pool_figure_word((enum pool_figure)i)[0] && pool_figure_meaning((enum pool_figure)i)[0]);
        for (unsigned k = 0; k < i; k++)
            ck_assert_str_ne(pool_figure_word((enum pool_figure)i), pool_figure_word((enum pool_figure)k));
    }
}
END_TEST

START_TEST(integers_are_big_endian)
{
    struct scan_record r = {.type = SCAN_CANCEL, .cancel = 0x0102030405060708};
    unsigned char bytes[SCAN_RECORD_SIZE];
    ck_assert_uint_eq(scan_record_encode(&r, bytes), 9);
    ck_assert_mem_eq(bytes, "\x02\x01\x02\x03\x04\x05\x06\x07\x08", 9);
}
END_TEST

START_TEST(the_longest_strings_fit_and_are_kept_whole)
{
    struct scan_record in = sample(SCAN_ANSWER), out;
    struct verdict *v = &in.answer.verdict;
    memset(v->name, 'n', LIMIT_VERDICT_NAME);
    memset(v->detail, 'd', LIMIT_VERDICT_TEXT);
    memset(v->engine, 'e', LIMIT_ENGINE_NAME);
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(&in, bytes);
    ck_assert_uint_lt(len, SCAN_RECORD_SIZE);
    ck_assert_int_eq(decode(bytes, len, &out), ERR_OK);
    ck_assert_str_eq(out.answer.verdict.detail, v->detail);
    ck_assert_str_eq(out.answer.verdict.name, v->name);
    ck_assert_str_eq(out.answer.verdict.engine, v->engine);
}
END_TEST

START_TEST(encoding_mends_strings_that_are_unterminated_or_not_printable)
{
    struct scan_record in = sample(SCAN_STATUS), out;
    memset(in.status.detail, 0xe4, sizeof(in.status.detail));
    unsigned char bytes[SCAN_RECORD_SIZE];
    ck_assert_int_eq(decode(bytes, scan_record_encode(&in, bytes), &out), ERR_OK);
    ck_assert_uint_eq(strlen(out.status.detail), LIMIT_VERDICT_TEXT);
    ck_assert_uint_eq(strspn(out.status.detail, "?"), LIMIT_VERDICT_TEXT);
}
END_TEST

/* C16 */
START_TEST(every_cut_and_every_trailing_byte_is_refused)
{
    for (int type = SCAN_JOB; type <= SCAN_INSPECTION; type++) {
        struct scan_record in = sample((enum scan_record_type)type), out;
        unsigned char bytes[SCAN_RECORD_SIZE] = {0};
        size_t len = scan_record_encode(&in, bytes);
        for (size_t cut = 0; cut < len; cut++)
            ck_assert_msg(decode(bytes, cut, &out) == ERR_SYNTAX, "type %d cut at %zu of %zu", type, cut, len);
        ck_assert_int_eq(decode(bytes, len + 1, &out), ERR_SYNTAX);
    }
}
END_TEST

/* Offsets: answer: type 0, id 1…8, class 9, reason 10, name 11…; status: type 0, engine 1…9, state 10. */
enum { AT_CLASS = 9, AT_REASON = 10, AT_NAME = 11, AT_STATE = 10 };

START_TEST(an_answer_may_only_join_class_and_reason_that_belong_together)
{
    struct scan_record in = sample(SCAN_ANSWER), out;
    unsigned char bytes[SCAN_RECORD_SIZE];
    in.answer.verdict.cured = false;
    size_t len = scan_record_encode(&in, bytes);
    unsigned accepted = 0;
    for (unsigned class = 0; class < 256; class ++) {
        for (unsigned reason = 0; reason < 256; reason++) {
            bytes[AT_CLASS] = (unsigned char)class;
            bytes[AT_REASON] = (unsigned char)reason;
            bool fits = false;
            if (class == VERDICT_CLEAN || class == VERDICT_INFECTED)
                fits = reason == VERDICT_REASON_NONE;
            else if (class == VERDICT_UNSCANNABLE || class == VERDICT_ERROR)
                fits = reason < VERDICT_REASON_COUNT &&
                       verdict_reason_class((enum verdict_reason)reason) == (enum verdict_class) class;
            if ((decode(bytes, len, &out) == ERR_OK) != fits) /* said only when it fails, as in must.h */
                ck_abort_msg("class %u reason %u: expected %s", class, reason, fits ? "accepted" : "refused");
            accepted += fits;
        }
    }
    unsigned expected = 1; /* NONE goes with two classes */
    for (int r = 0; r < VERDICT_REASON_COUNT; r++)
        expected += verdict_reason_class((enum verdict_reason)r) != VERDICT_SKIPPED;
    ck_assert_uint_eq(accepted, expected);
}
END_TEST

START_TEST(a_scan_host_cannot_skip_a_scan)
{
    struct scan_record in = sample(SCAN_ANSWER), out;
    verdict_set(&in.answer.verdict, VERDICT_SKIPPED, VERDICT_REASON_SCAN_OFF, NULL);
    unsigned char bytes[SCAN_RECORD_SIZE];
    ck_assert_int_eq(decode(bytes, scan_record_encode(&in, bytes), &out), ERR_SYNTAX);
}
END_TEST

START_TEST(unknown_types_and_states_are_refused)
{
    struct scan_record in = sample(SCAN_STATUS), out;
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(&in, bytes);
    for (unsigned state = 0; state < 256; state++) {
        bytes[AT_STATE] = (unsigned char)state;
        ck_assert_int_eq(decode(bytes, len, &out), state <= SCAN_ENGINE_FAILED ? ERR_OK : ERR_SYNTAX);
    }
    bytes[AT_STATE] = 0;
    for (unsigned type = 0; type < 256; type++) {
        bytes[0] = (unsigned char)type;
        ck_assert_int_eq(decode(bytes, len, &out), type == SCAN_STATUS ? ERR_OK : ERR_SYNTAX);
    }
}
END_TEST

START_TEST(strings_that_are_too_long_or_not_printable_are_refused)
{
    struct scan_record in = sample(SCAN_ANSWER), out;
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(&in, bytes);
    for (unsigned c = 0; c < 256; c++) {
        bytes[AT_NAME + 2] = (unsigned char)c;
        ck_assert_msg((decode(bytes, len, &out) == ERR_OK) == char_is_print((char)c), "octet %u", c);
    }
    /* a name one octet longer than its field */
    unsigned char big[SCAN_RECORD_SIZE];
    size_t name = strlen(in.answer.verdict.name), longer = LIMIT_VERDICT_NAME + 1, tail = AT_NAME + 2 + name;
    len = scan_record_encode(&in, bytes);
    memcpy(big, bytes, AT_NAME);
    big[AT_NAME] = 0;
    big[AT_NAME + 1] = (unsigned char)longer;
    memset(big + AT_NAME + 2, 'x', longer);
    memcpy(big + AT_NAME + 2 + longer, bytes + tail, len - tail);
    ck_assert_int_eq(decode(big, len - name + longer, &out), ERR_SYNTAX);
    big[AT_NAME + 1] = LIMIT_VERDICT_NAME;
    memcpy(big + AT_NAME + 2 + LIMIT_VERDICT_NAME, bytes + tail, len - tail);
    ck_assert_int_eq(decode(big, len - name + LIMIT_VERDICT_NAME, &out), ERR_OK);
}
END_TEST

START_TEST(jobs_and_states_name_an_engine)
{
    static const enum scan_record_type types[] = {SCAN_JOB, SCAN_STATUS};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct scan_record in = sample(types[i]), out;
        in.job.engine[0] = '\0';
        in.status.engine[0] = '\0';
        if (types[i] == SCAN_JOB)
            in.job.id = 1;
        unsigned char bytes[SCAN_RECORD_SIZE];
        ck_assert_int_eq(decode(bytes, scan_record_encode(&in, bytes), &out), ERR_SYNTAX);
    }
}
END_TEST

/* xorshift: the same numbers on every run. */
static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Whatever was accepted must be what the writer would have written. */
static void accept_only_canonical(const unsigned char *bytes, size_t len, unsigned *accepted)
{
    struct scan_record out;
    unsigned char again[SCAN_RECORD_SIZE];
    if (decode(bytes, len, &out) != ERR_OK)
        return;
    (*accepted)++;
    MUST(scan_record_encode(&out, again) == len);
    MUST(memcmp(bytes, again, len) == 0);
}

START_TEST(mutated_records_are_refused_or_read_as_they_stand)
{
    uint32_t random = 2463534242u;
    unsigned accepted = 0, rounds = 40000;
    for (unsigned round = 0; round < rounds; round++) {
        struct scan_record in = sample((enum scan_record_type)(1 + round % 4));
        unsigned char bytes[SCAN_RECORD_SIZE];
        size_t len = scan_record_encode(&in, bytes);
        for (unsigned n = 1 + next_random(&random) % 3; n > 0; n--)
            bytes[next_random(&random) % len] = (unsigned char)next_random(&random);
        accept_only_canonical(bytes, len, &accepted);
    }
    ck_assert_uint_gt(accepted, 0);
    ck_assert_uint_lt(accepted, rounds);
}
END_TEST

START_TEST(random_bytes_are_refused_or_read_as_they_stand)
{
    uint32_t random = 88172645u;
    unsigned accepted = 0;
    for (unsigned round = 0; round < 40000; round++) {
        unsigned char bytes[SCAN_RECORD_SIZE];
        size_t len = next_random(&random) % (round % 2 ? 64 : SCAN_RECORD_SIZE);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (unsigned char)next_random(&random);
        if (len > 0)
            bytes[0] = (unsigned char)(next_random(&random) % 6);
        accept_only_canonical(bytes, len, &accepted);
    }
    ck_assert_uint_lt(accepted, 40000);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(every_type_survives_the_way)                                                                                     \
    X(a_status_that_says_of_the_test_string_what_nobody_can_is_refused)                                                \
    X(only_what_is_infected_is_cured)                                                                                  \
    X(a_query_for_more_workers_than_any_pool_may_have_is_refused)                                                      \
    X(figures_of_parts_beyond_what_a_message_may_have_are_refused)                                                     \
    X(every_figure_has_a_word_of_its_own_and_a_meaning)                                                                \
    X(integers_are_big_endian)                                                                                         \
    X(the_longest_strings_fit_and_are_kept_whole)                                                                      \
    X(encoding_mends_strings_that_are_unterminated_or_not_printable)                                                   \
    X(every_cut_and_every_trailing_byte_is_refused)                                                                    \
    X(an_answer_may_only_join_class_and_reason_that_belong_together)                                                   \
    X(a_scan_host_cannot_skip_a_scan)                                                                                  \
    X(unknown_types_and_states_are_refused)                                                                            \
    X(strings_that_are_too_long_or_not_printable_are_refused)                                                          \
    X(jobs_and_states_name_an_engine)                                                                                  \
    X(mutated_records_are_refused_or_read_as_they_stand)                                                               \
    X(random_bytes_are_refused_or_read_as_they_stand)
#include "support/check_main.h"
