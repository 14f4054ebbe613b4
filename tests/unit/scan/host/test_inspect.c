/* SPDX-License-Identifier: MIT */
/* A real scan host takes messages apart and looks at their parts, with the fake engine, which obeys the orders that it
 * finds in whatever it is given. */
#include "scan/parts.h"
#include "support/scan_rig.h"

#define MAIL(parts)                                                                                                    \
    "Subject: test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" parts "--b--\r\n"
#define TEXT_PART(text) "--b\r\nContent-Type: text/plain\r\n\r\n" text "\r\n"
#define ENCODED_PART(coded)                                                                                            \
    "--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" coded "\r\n"
/* "X-Fake: …" in base64, so that the message itself gives no order */
#define ORDER_INFECTED    "WC1GYWtlOiBpbmZlY3RlZCBIaWRkZW4uT25lDQo="
#define ORDER_INFECTED_2  "WC1GYWtlOiBpbmZlY3RlZCBIaWRkZW4uVHdvDQo="
#define ORDER_UNSCANNABLE "WC1GYWtlOiB1bnNjYW5uYWJsZSBlbmNyeXB0ZWQNCg=="
#define ORDER_ERROR       "WC1GYWtlOiBlcnJvciBlbmdpbmUNCg=="
#define ORDER_CRASH       "WC1GYWtlOiBjcmFzaA0K"
#define ORDER_HANG        "WC1GYWtlOiBoYW5nDQo="
#define ORDER_FILES       "WC1GYWtlOiBmaWxlcyAzDQo="

/* One job with both descriptors (-1: none). */
static uint64_t send_job(struct rig *r, enum scan_job_kind kind, const char *mail, int parts, uint64_t parts_size,
                         uint64_t ms)
{
    struct scan_record record = {.type = SCAN_JOB};
    unsigned char bytes[SCAN_RECORD_SIZE];
    record.job.id = ++r->last_id;
    record.job.kind = kind;
    record.job.size = strlen(mail);
    record.job.deadline_us = clock_monotonic_us() + ms * 1000;
    record.job.parts_size = parts_size;
    snprintf(record.job.engine, sizeof(record.job.engine), "%s",
             kind == SCAN_JOB_INSPECT ? SCAN_INSPECTOR : r->fw->engines[0].name);
    rig_digest(mail, strlen(mail), record.job.digest);
    const int fds[] = {rig_message(mail, strlen(mail)), parts};
    size_t len = scan_record_encode(&record, bytes);
    ck_assert(fdpass_send_many(r->channel, span_of(bytes, len), fds, parts >= 0 ? 2 : 1) == ERR_OK);
    close(fds[0]);
    return record.job.id;
}

static struct scan_record next_record(const struct rig *r)
{
    struct scan_record record;
    do
        ck_assert_msg(rig_record_within(r->channel, RIG_PATIENCE_MS, &record), "no answer; log:\n%s", rig_log(r));
    while (record.type == SCAN_STATUS);
    return record;
}

static struct scan_inspection inspect(struct rig *r, const char *mail, int *parts)
{
    *parts = memfd_create("parts", MFD_CLOEXEC);
    uint64_t id = send_job(r, SCAN_JOB_INSPECT, mail, *parts, 0, 10000);
    struct scan_record record = next_record(r);
    ck_assert_msg(record.type == SCAN_INSPECTION, "%s; log:\n%s", record.answer.verdict.detail, rig_log(r));
    ck_assert_uint_eq(record.inspected.id, id);
    return record.inspected.inspection;
}

/* Inspection, then the engine. */
static struct scan_answer look(struct rig *r, const char *mail, uint64_t ms)
{
    int parts;
    struct scan_inspection i = inspect(r, mail, &parts);
    uint64_t id = send_job(r, SCAN_JOB_ENGINE, mail, parts, i.size, ms);
    struct scan_record record = next_record(r);
    close(parts);
    ck_assert(record.type == SCAN_ANSWER);
    ck_assert_uint_eq(record.answer.id, id);
    return record.answer;
}

START_TEST(a_message_is_taken_apart_into_a_file_that_can_be_read)
{
    static const char mail[] = MAIL(TEXT_PART("hello") ENCODED_PART(ORDER_INFECTED) ENCODED_PART(ORDER_INFECTED));
    struct rig r;
    struct parts_view view;
    struct parts_content content;
    int parts;
    rig_init(&r);
    rig_start(&r);
    struct scan_inspection i = inspect(&r, mail, &parts);
    ck_assert_uint_eq(i.parts, 3);
    ck_assert_uint_eq(i.contents, 2); /* two parts are the same */
    void *map = mmap(NULL, i.size, PROT_READ, MAP_PRIVATE, parts, 0);
    ck_assert(map != MAP_FAILED && lseek(parts, 0, SEEK_END) == (off_t)i.size);
    ck_assert_int_eq(parts_open(span_of(map, i.size), sizeof(mail) - 1, &view), ERR_OK);
    bool text = false, decoded = false;
    for (uint32_t k = 0; k < view.contents; k++) {
        parts_content(&view, k, &content);
        struct span source = content.verbatim ? span_of(mail, sizeof(mail) - 1) : view.file;
        struct span octets = span_sub(source, (size_t)content.offset, (size_t)content.size);
        text = text || (content.verbatim && span_starts(octets, SPAN("hello")));
        decoded = decoded || span_eq(octets, SPAN("X-Fake: infected Hidden.One\r\n"));
    }
    ck_assert(text && decoded);
    munmap(map, i.size);
    close(parts);
    rig_stop(&r);
}
END_TEST

/* The values in the file behind PARTS, "Name=text" in lines. */
static void read_values(int parts, uint64_t size, uint64_t message, char *out, size_t room)
{
    struct parts_view view;
    struct parts_value value;
    size_t n = 0;
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, parts, 0);
    ck_assert(map != MAP_FAILED);
    ck_assert_int_eq(parts_open(span_of(map, size), message, &view), ERR_OK);
    for (struct cursor at = cursor_of(view.value_rows); parts_next_value(&at, &value) && n < room;)
        n += (size_t)snprintf(out + n, room - n, "%.*s=%.*s%s\n", SPAN_ARG(value.name), SPAN_ARG(value.text),
                              value.cut ? "…" : "");
    ck_assert(!view.more_values);
    munmap(map, size);
}

START_TEST(the_file_carries_the_decoded_header_also_in_charsets_of_the_system)
{
    /* given: names of a charset each that only the system's converters know */
    static const char mail[] = "Subject: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=\r\n"
                               "From: =?koi8-r?Q?=F0=D2=C9=D7=C5=D4?= <a@client.test>\r\n"
                               "To: =?gb2312?B?xOO6ww==?=\r\n =?utf-8?Q?=C3=BC?= <b@y.test>\r\n"
                               "X-Unknown: =?x-unheard-of?Q?a=E4b?=\r\n"
                               "X-Broken: =?koi8-r?Q?=F0?= =?big5?B?pKT/?=\r\n"
                               "X-Injection: =?utf-8?Q?a=0D=0AX-Other:_b?=\r\n\r\nhello\r\n";
    char values[1024];
    struct rig r;
    int parts;
    rig_init(&r);
    rig_start(&r);
    struct scan_inspection i = inspect(&r, mail, &parts);
    read_values(parts, i.size, sizeof(mail) - 1, values, sizeof(values));
    ck_assert_str_eq(values, "Subject=\xe6\x97\xa5\xe6\x9c\xac\n"
                             "From=\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 <a@client.test>\n"
                             "To=\xe4\xbd\xa0\xe5\xa5\xbd\xc3\xbc <b@y.test>\n"
                             "X-Unknown=a\xef\xbf\xbd"
                             "b\n"
                             "X-Broken=\xd0\x9f\xe4\xb8\xad\xef\xbf\xbd\n"
                             "X-Injection=a\xe2\x90\x8d\xe2\x90\x8aX-Other: b\n");
    close(parts);
    rig_stop(&r);
}
END_TEST

START_TEST(a_header_of_which_policies_do_not_see_all_is_told)
{
    static const struct {
        int name, value;
        bool cut;
    } rows[] = {{1, 1, false},
                {LIMIT_PART_TEXT, LIMIT_PART_VALUE, false},
                {LIMIT_PART_TEXT + 1, 1, true},
                {1, LIMIT_PART_VALUE + 1, true}};
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char name[LIMIT_PART_TEXT + 1], value[LIMIT_PART_VALUE + 1], mail[sizeof(name) + sizeof(value) + 16];
        memset(name, 'n', sizeof(name));
        memset(value, 'v', sizeof(value));
        snprintf(mail, sizeof(mail), "%.*s: %.*s\r\n\r\nhello\r\n", rows[i].name, name, rows[i].value, value);
        int parts;
        struct scan_inspection found = inspect(&r, mail, &parts);
        ck_assert_int_eq(mime_defects_have(found.defects, MIME_DEFECT_HEADER_CUT), rows[i].cut);
        ck_assert_str_eq(found.limit, "");
        close(parts);
    }
    rig_stop(&r);
}
END_TEST

START_TEST(an_engine_looks_at_the_message_and_at_each_part_until_a_virus)
{
    static const struct {
        const char *mail;
        enum verdict_class class;
        const char *name, *part;
        uint32_t parts;
        bool all;
    } rows[] = {
        {MAIL(TEXT_PART("hello") ENCODED_PART("aGVsbG8gd29ybGQ=")), VERDICT_CLEAN, "", "", 2, false},
        {MAIL(TEXT_PART("hello") ENCODED_PART(ORDER_INFECTED)), VERDICT_INFECTED, "Hidden.One", "2", 2, false},
        {MAIL(ENCODED_PART(ORDER_INFECTED) ENCODED_PART(ORDER_INFECTED_2)), VERDICT_INFECTED, "Hidden.One", "1", 1,
         false},
        {MAIL(ENCODED_PART(ORDER_INFECTED) ENCODED_PART(ORDER_INFECTED_2)), VERDICT_INFECTED, "Hidden.One", "1", 2,
         true},
        {MAIL(ENCODED_PART(ORDER_UNSCANNABLE) ENCODED_PART(ORDER_INFECTED)), VERDICT_INFECTED, "Hidden.One", "2", 2,
         false},
        {MAIL(ENCODED_PART(ORDER_UNSCANNABLE) TEXT_PART("hello")), VERDICT_UNSCANNABLE, "", "1", 2, false},
        {"X-Fake: infected Whole.One\r\n\r\nhello\r\n", VERDICT_INFECTED, "Whole.One", "", 0, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct rig r;
        rig_init(&r);
        r.fw->all = rows[i].all;
        rig_start(&r);
        struct scan_answer a = look(&r, rows[i].mail, 10000);
        ck_assert_msg(a.verdict.class == rows[i].class, "row %zu: %s %s", i, verdict_class_word(a.verdict.class),
                      a.verdict.detail);
        ck_assert_str_eq(a.verdict.name, rows[i].name);
        ck_assert_str_eq(a.verdict.part, rows[i].part);
        ck_assert_msg(a.verdict.parts == rows[i].parts, "row %zu: %u parts", i, a.verdict.parts);
        ck_assert_int_eq(rig_temp_files(&r), 0);
        rig_stop(&r);
    }
}
END_TEST

START_TEST(what_goes_wrong_inside_a_part_is_an_error_of_the_message)
{
    static const struct {
        const char *mail;
        enum verdict_reason reason;
        uint64_t ms;
    } rows[] = {
        {MAIL(ENCODED_PART(ORDER_ERROR) TEXT_PART("hello")), VERDICT_REASON_ENGINE, 10000},
        {MAIL(ENCODED_PART(ORDER_CRASH) TEXT_PART("hello")), VERDICT_REASON_CRASH, 10000},
        {MAIL(ENCODED_PART(ORDER_HANG) TEXT_PART("hello")), VERDICT_REASON_TIMEOUT, 500},
    };
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct scan_answer a = look(&r, rows[i].mail, rows[i].ms);
        ck_assert_int_eq(a.verdict.class, VERDICT_ERROR);
        ck_assert_str_eq(verdict_reason_word(a.verdict.reason), verdict_reason_word(rows[i].reason));
    }
    /* an engine's trouble with one part hides none behind it */
    struct scan_answer a = look(&r, MAIL(ENCODED_PART(ORDER_ERROR) ENCODED_PART(ORDER_INFECTED)), 10000);
    ck_assert_int_eq(a.verdict.class, VERDICT_INFECTED);
    /* the worker that came after them works, and what an engine leaves behind is gone */
    a = look(&r, MAIL(ENCODED_PART(ORDER_FILES) TEXT_PART("hello")), 10000);
    RIG_EXPECT(&r, a, CLEAN, NONE);
    ck_assert_int_eq(rig_temp_files(&r), 0);
    rig_stop(&r);
}
END_TEST

START_TEST(a_forged_file_of_parts_is_trouble)
{
    static const char mail[] = MAIL(TEXT_PART("hello"));
    static const char forged[] = "PSTNPART this is no table of parts at all";
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    int file = rig_message(forged, sizeof(forged));
    send_job(&r, SCAN_JOB_ENGINE, mail, file, sizeof(forged), 10000);
    struct scan_answer a = next_record(&r).answer;
    RIG_EXPECT(&r, a, ERROR, PROTOCOL);
    ck_assert_msg(strstr(a.verdict.detail, "makes no sense") != NULL, "%s", a.verdict.detail);
    close(file);
    rig_stop(&r);
}
END_TEST

START_TEST(descriptors_that_are_missing_too_many_or_of_another_size_are_refused)
{
    static const char mail[] = MAIL(TEXT_PART("hello"));
    static const struct {
        enum scan_job_kind kind;
        bool file;
        uint64_t size; /* that the job states */
        const char *detail;
    } rows[] = {
        {SCAN_JOB_INSPECT, false, 0, "no file for decoded parts"},
        {SCAN_JOB_INSPECT, true, 0, "has not the size"}, /* it is to be empty */
        {SCAN_JOB_ENGINE, false, 5, "no file for decoded parts"},
        {SCAN_JOB_ENGINE, true, 0, "unasked"},
        {SCAN_JOB_ENGINE, true, 6, "has not the size"},
    };
    struct rig r;
    rig_init(&r);
    rig_start(&r);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int file = rows[i].file ? rig_message("12345", 5) : -1;
        send_job(&r, rows[i].kind, mail, file, rows[i].size, 10000);
        struct scan_answer a = next_record(&r).answer;
        RIG_EXPECT(&r, a, ERROR, PROTOCOL);
        ck_assert_msg(strstr(a.verdict.detail, rows[i].detail) != NULL, "row %zu: %s", i, a.verdict.detail);
        if (file >= 0)
            close(file);
    }
    rig_stop(&r);
}
END_TEST

START_TEST(a_host_without_engines_takes_messages_apart)
{
    static const char mail[] = MAIL(TEXT_PART("hello"));
    struct rig r;
    int parts;
    rig_init(&r);
    r.fw->engine_count = 0;
    rig_start(&r);
    struct scan_inspection i = inspect(&r, mail, &parts);
    ck_assert_uint_eq(i.parts, 1);
    close(parts);
    rig_stop(&r);
}
END_TEST

START_TEST(parts_that_do_not_fit_the_quota_are_trouble_not_a_hole)
{
    enum { CODED = 2 * 1024 * 1024 };
    struct rig r;
    char *mail = malloc(CODED + 1024);
    ck_assert_ptr_nonnull(mail);
    size_t len = (size_t)snprintf(
        mail, 1024, "%s", "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    for (size_t i = 0; i < CODED; i++)
        mail[len++] = (char)((i % 74) == 72 ? '\r' : (i % 74) == 73 ? '\n' : 'A' + (int)(i * i % 26));
    mail[len] = '\0';
    rig_init(&r);
    r.fw->pools[0].conf.temp_size = 1 << 20;
    rig_start(&r);
    int parts = memfd_create("parts", MFD_CLOEXEC);
    send_job(&r, SCAN_JOB_INSPECT, mail, parts, 0, 10000);
    struct scan_record record = next_record(&r);
    ck_assert(record.type == SCAN_ANSWER);
    RIG_EXPECT(&r, record.answer, ERROR, ENGINE);
    ck_assert_msg(strstr(record.answer.verdict.detail, "temp_size") != NULL, "%s", record.answer.verdict.detail);
    close(parts);
    free(mail);
    rig_stop(&r);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_message_is_taken_apart_into_a_file_that_can_be_read)                                                           \
    X(the_file_carries_the_decoded_header_also_in_charsets_of_the_system)                                              \
    X(a_header_of_which_policies_do_not_see_all_is_told)                                                               \
    X(an_engine_looks_at_the_message_and_at_each_part_until_a_virus)                                                   \
    X(what_goes_wrong_inside_a_part_is_an_error_of_the_message)                                                        \
    X(a_forged_file_of_parts_is_trouble)                                                                               \
    X(descriptors_that_are_missing_too_many_or_of_another_size_are_refused)                                            \
    X(a_host_without_engines_takes_messages_apart)                                                                     \
    X(parts_that_do_not_fit_the_quota_are_trouble_not_a_hole)
#include "support/check_main.h"
