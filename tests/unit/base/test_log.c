/* SPDX-License-Identifier: MIT */
/* Log lines: their shape in both formats, and that nothing in a field can leave it. Also error names and texts. */
#include "base/err.h"
#include "base/log.h"
#include <check.h>
#include <stdint.h>

struct sink {
    struct log log;
    char line[LIMIT_LOG_LINE + 1];
    unsigned lines;
    enum log_level level;
};

static void sink_write(void *arg, enum log_level level, struct span line)
{
    struct sink *s = arg;
    ck_assert_uint_le(line.len, LIMIT_LOG_LINE);
    memcpy(s->line, line.ptr, line.len);
    s->line[line.len] = '\0';
    ck_assert_uint_eq(strlen(s->line), line.len);
    s->level = level;
    s->lines++;
}
static uint64_t sink_clock(void *arg)
{
    (void)arg;
    return 1795291872123; /* 2026-11-21T20:11:12.123Z */
}
static void sink_init(struct sink *s, enum log_format format)
{
    *s = (struct sink){.log = {sink_write, sink_clock, s, format, LOG_LEVEL_INFO}};
}

START_TEST(a_record_is_one_line_of_text)
{
    struct sink s;
    struct log_record r;
    sink_init(&s, LOG_FORMAT_TEXT);
    log_begin(&r, &s.log, LOG_CONNECT);
    log_str(&r, "session", SPAN("1f-3"));
    log_cstr(&r, "left_out", NULL);
    log_cstr(&r, "empty", "");
    log_fmt(&r, "client", "%s:%d", "a b", 25);
    log_u64(&r, "size", UINT64_MAX);
    log_ms(&r, "took_ms", 1500007);
    log_ms(&r, "most_ms", UINT64_MAX);
    log_u64(&r, "least", 0);
    ck_assert_uint_eq(s.lines, 0);
    log_end(&r);
    log_end(&r); /* only once */
    ck_assert_uint_eq(s.lines, 1);
    ck_assert_int_eq(s.level, LOG_LEVEL_INFO);
    ck_assert_str_eq(s.line, "2026-11-21T20:11:12.123Z info connect session=1f-3 empty=\"\" client=\"a b:25\" "
                             "size=18446744073709551615 took_ms=1500.007 most_ms=18446744073709551.615 least=0");
}
END_TEST

START_TEST(a_record_is_one_object_of_json)
{
    struct sink s;
    struct log_record r;
    sink_init(&s, LOG_FORMAT_JSON);
    log_begin(&r, &s.log, LOG_CONNECT);
    log_str(&r, "session", SPAN("1f-3"));
    log_u64(&r, "size", 7);
    log_ms(&r, "took_ms", 1);
    log_end(&r);
    ck_assert_str_eq(s.line, "{\"time\":\"2026-11-21T20:11:12.123Z\",\"level\":\"info\",\"event\":\"connect\","
                             "\"session\":\"1f-3\",\"size\":7,\"took_ms\":0.001}");
}
END_TEST

START_TEST(hostile_bytes_stay_in_their_field)
{
    static const struct {
        struct span value;
        const char *text, *json;
    } cases[] = {
        {{"plain", 5}, "k=plain", "\"k\":\"plain\""},
        {{"a\r\nb", 4}, "k=\"a\\x0d\\x0ab\"", "\"k\":\"a\\u000d\\u000ab\""},
        {{"\" level=error x=\"", 17}, "k=\"\\\" level=error x=\\\"\"", "\"k\":\"\\\" level=error x=\\\"\""},
        {{"\\", 1}, "k=\"\\\\\"", "\"k\":\"\\\\\""},
        {{"a=b", 3}, "k=\"a=b\"", "\"k\":\"a=b\""},
        {{"\0\x1b[31m\x7f", 7}, "k=\"\\x00\\x1b[31m\\x7f\"", "\"k\":\"\\u0000\\u001b[31m\\u007f\""},
        {{"\xc3\xa4\xff", 3}, "k=\"\\xc3\\xa4\\xff\"", "\"k\":\"\\u00c3\\u00a4\\u00ff\""},
        {{NULL, 0}, "k=\"\"", "\"k\":\"\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (int json = 0; json < 2; json++) {
            struct sink s;
            struct log_record r;
            sink_init(&s, json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
            log_begin(&r, &s.log, LOG_CONNECT);
            log_str(&r, "k", cases[i].value);
            log_end(&r);
            const char *want = json ? cases[i].json : cases[i].text;
            ck_assert_msg(strstr(s.line, want) != NULL, "case %zu: expected %s in %s", i, want, s.line);
            for (const char *c = s.line; *c; c++)
                ck_assert(char_is_print(*c));
        }
    }
}
END_TEST

START_TEST(every_byte_is_written_as_printable_ascii)
{
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    for (int json = 0; json < 2; json++) {
        struct sink s;
        sink_init(&s, json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
        struct log_record r;
        log_begin(&r, &s.log, LOG_CONNECT);
        log_str(&r, "k", span_of(all, 256));
        log_end(&r);
        for (const char *c = s.line; *c; c++)
            ck_assert(char_is_print(*c));
        ck_assert_ptr_nonnull(strstr(s.line, json ? "\\u00ff\"}" : "\\xff\""));
    }
}
END_TEST

START_TEST(a_long_field_is_cut_with_a_mark)
{
    char value[LIMIT_LOG_FIELD + 1];
    struct sink s;
    memset(value, 'v', sizeof(value));
    sink_init(&s, LOG_FORMAT_TEXT);
    for (size_t len = LIMIT_LOG_FIELD; len <= sizeof(value); len++) {
        struct log_record r;
        log_begin(&r, &s.log, LOG_CONNECT);
        log_str(&r, "k", span_of(value, len));
        log_end(&r);
        size_t expected =
            strlen("2026-11-21T20:11:12.123Z info connect k=") + LIMIT_LOG_FIELD + (len > LIMIT_LOG_FIELD ? 3 : 0);
        ck_assert_uint_eq(strlen(s.line), expected);
        ck_assert_int_eq(strcmp(s.line + expected - 3, "...") == 0, len > LIMIT_LOG_FIELD);
    }
    /* log_fmt cuts the same way */
    struct log_record r;
    log_begin(&r, &s.log, LOG_CONNECT);
    log_fmt(&r, "k", "%1000d", 5);
    log_end(&r);
    ck_assert_str_eq(s.line + strlen(s.line) - 4, "...\"");
}
END_TEST

START_TEST(a_full_line_drops_whole_fields_and_says_so)
{
    char value[LIMIT_LOG_FIELD];
    memset(value, '\xff', sizeof(value));
    for (int json = 0; json < 2; json++) {
        for (size_t len = 0; len < 64; len++) { /* so that the end falls at every place of a field */
            struct sink s;
            struct log_record r;
            sink_init(&s, json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
            log_begin(&r, &s.log, LOG_CONNECT);
            log_str(&r, "first", span_of(value, len));
            for (int i = 0; i < 6; i++)
                log_str(&r, "k", span_of(value, sizeof(value)));
            log_str(&r, "after", SPAN("x"));
            log_u64(&r, "number", 1);
            log_end(&r);
            const char *end = json ? "\",\"truncated\":true}" : "\" truncated=true";
            ck_assert_str_eq(s.line + strlen(s.line) - strlen(end), end);
            ck_assert_ptr_null(strstr(s.line, "after"));
            ck_assert_ptr_null(strstr(s.line, "number"));
        }
    }
}
END_TEST

START_TEST(events_below_the_minimum_cost_nothing)
{
    struct sink s;
    struct log_record r;
    sink_init(&s, LOG_FORMAT_TEXT);
    s.log.min_level = LOG_LEVEL_NOTICE;
    log_begin(&r, &s.log, LOG_CONNECT); /* info */
    log_str(&r, "k", SPAN("v"));
    log_cstr(&r, "k", "v");
    log_fmt(&r, "k", "%d", 1);
    log_u64(&r, "k", 1);
    log_end(&r);
    log_text(&s.log, LOG_WORKER_START, "k", "v");
    ck_assert_uint_eq(s.lines, 0);
    log_begin(&r, NULL, LOG_CONNECT); /* no log at all */
    log_str(&r, "k", SPAN("v"));
    log_end(&r);
    log_text(&s.log, LOG_SPOOL, "reason", "no %s", "space");
    ck_assert_uint_eq(s.lines, 1);
    ck_assert_int_eq(s.level, LOG_LEVEL_ERROR);
    ck_assert_str_eq(s.line, "2026-11-21T20:11:12.123Z error spool reason=\"no space\"");
}
END_TEST

START_TEST(every_event_has_a_word_of_its_own)
{
    for (int e = 0; e < LOG_EVENT_COUNT; e++) {
        ck_assert_ptr_nonnull(log_level_word(log_event_level((enum log_event)e)));
        ck_assert_uint_gt(strlen(log_event_meaning((enum log_event)e)), 10);
        for (const char *c = log_event_word((enum log_event)e); *c; c++)
            ck_assert(char_is_alnum(*c) || *c == '-');
        for (int other = 0; other < e; other++)
            ck_assert_str_ne(log_event_word((enum log_event)e), log_event_word((enum log_event)other));
    }
}
END_TEST

START_TEST(every_error_has_a_name_of_its_own)
{
    for (int e = ERR_OK; e <= ERR_STATE; e++)
        for (int other = ERR_OK; other < e; other++)
            ck_assert_str_ne(err_name((enum err)e), err_name((enum err)other));
    ck_assert_str_eq(err_name(ERR_OK), "ok");
    ck_assert_str_eq(err_name((enum err)(ERR_STATE + 1)), "unknown error");
}
END_TEST

START_TEST(an_error_text_is_cut_at_its_size)
{
    struct errtext t;
    errtext_set(&t, "%s %d", "port", 25);
    ck_assert_str_eq(t.text, "port 25");
    errtext_set(&t, "%*d", ERRTEXT_SIZE + 100, 7);
    ck_assert_uint_eq(strlen(t.text), ERRTEXT_SIZE - 1);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_record_is_one_line_of_text)                                                                                    \
    X(a_record_is_one_object_of_json)                                                                                  \
    X(hostile_bytes_stay_in_their_field)                                                                               \
    X(every_byte_is_written_as_printable_ascii)                                                                        \
    X(a_long_field_is_cut_with_a_mark)                                                                                 \
    X(a_full_line_drops_whole_fields_and_says_so)                                                                      \
    X(events_below_the_minimum_cost_nothing)                                                                           \
    X(every_event_has_a_word_of_its_own)                                                                               \
    X(every_error_has_a_name_of_its_own)                                                                               \
    X(an_error_text_is_cut_at_its_size)
#include "support/check_main.h"
