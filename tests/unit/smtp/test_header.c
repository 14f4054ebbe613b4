/* SPDX-License-Identifier: MIT */
/* Walking over top-level header lines. */
#include "must.h"
#include "smtp/header.h"

static char text[4096];

/* Every field as "name=value;", then the word for how it ended and the offset. */
static const char *walk(const char *message, bool whole)
{
    static const char *const words[] = {"field", "end", "no-field", "more"};
    struct smtp_header_iter it = smtp_header_iter_of(span_cstr(message), whole);
    struct smtp_header_field f;
    enum smtp_header_result r;
    size_t n = 0;
    while ((r = smtp_header_next(&it, &f)) == SMTP_HEADER_FIELD)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s=%.*s;", SPAN_ARG(f.name), SPAN_ARG(f.value));
    snprintf(text + n, sizeof(text) - n, "%s %zu", words[r], it.offset);
    return text;
}

struct row {
    const char *message;
    const char *prefix, *whole;
};

START_TEST(walks_over_fields)
{
    static const struct row rows[] = {
        {"A: 1\r\nB:2\r\n\r\nbody", "A=1;B=2;end 13", "A=1;B=2;end 13"},
        {"A: 1\r\n\t2\r\n  3\r\nB: 4\r\n\r\n", "A=1\r\n\t2\r\n  3;B=4;end 23", "A=1\r\n\t2\r\n  3;B=4;end 23"},
        {"\r\nbody", "end 2", "end 2"},
        {"", "more 0", "end 0"},
        {"A: 1\r\nB", "A=1;more 6", "A=1;no-field 6"},
        {"A: 1\r\nB: 2", "A=1;more 6", "A=1;B=2;end 10"},
        {"A: 1\r\nB: 2\r\n", "A=1;more 6", "A=1;B=2;end 12"},
        {"A: 1\r\nB: 2\r", "A=1;more 6", "A=1;B=2\r;end 11"},
        {"A: 1\r\n\r", "A=1;more 6", "A=1;no-field 6"},
        {"A : 1\r\n\r\n", "A=1;end 9", "A=1;end 9"},
        {"A:\r\n\r\n", "A=;end 6", "A=;end 6"},
        {"A:\r\n \r\n\r\n", "A=;end 9", "A=;end 9"},
        {"From x Sat\r\nA: 1\r\n\r\n", "no-field 0", "no-field 0"},
        {"A: 1\r\nno colon\r\n\r\n", "A=1;no-field 6", "A=1;no-field 6"},
        {"A: 1\r\n: 2\r\n\r\n", "A=1;no-field 6", "A=1;no-field 6"},
        {" A: 1\r\n\r\n", "no-field 0", "no-field 0"},
        {"A: 1\nB: 2\r\n\r\n", "A=1\nB: 2;end 13", "A=1\nB: 2;end 13"},
        {"\xc3\xa9: 1\r\n\r\n", "no-field 0", "no-field 0"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ck_assert_str_eq(walk(rows[i].message, false), rows[i].prefix);
        ck_assert_str_eq(walk(rows[i].message, true), rows[i].whole);
    }
}
END_TEST

START_TEST(a_prefix_never_says_more_than_the_whole)
{
    struct span message =
        SPAN("Received: a\r\n b\r\nreceived : c\r\nX-Received: d\r\nRECEIVED:e\r\n\r\nReceived: body\r\n");
    unsigned before = 0;
    for (size_t len = 0; len <= message.len; len++) {
        unsigned count = smtp_header_count(span_sub(message, 0, len), false, SPAN("Received"));
        MUST(count >= before && count <= 3);
        before = count;
    }
    ck_assert_uint_eq(before, 3);
    ck_assert_uint_eq(smtp_header_count(message, true, SPAN("Received")), 3);
}
END_TEST

START_TEST(large_headers_cost_one_pass)
{
    enum { FIELDS = 100000 };
    char *message = malloc(FIELDS * 4U);
    MUST(message != NULL);
    for (size_t i = 0; i < FIELDS; i++)
        memcpy(message + i * 4, i % 2 ? " x\r\n" : "A:\r\n", 4);
    ck_assert_uint_eq(smtp_header_count(span_of(message, FIELDS * 4U), true, SPAN("a")), FIELDS / 2);
    free(message);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(walks_over_fields)                                                                                               \
    X(a_prefix_never_says_more_than_the_whole)                                                                         \
    X(large_headers_cost_one_pass)
#include "support/check_main.h"
