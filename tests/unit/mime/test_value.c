/* SPDX-License-Identifier: MIT */
/* Fields of a header as policies read them: which lines are fields, what their values are, and that no header, however
 * made, is more than its bounds. */
#include "base/buf.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "mime/value.h"
#include "unit/smtp/must.h"
#include <check.h>

struct seen {
    struct buf text; /* "Name=value" in lines, "..." behind one that was cut */
    size_t count, octets;
};

static enum err note(void *arg, const struct mime_value *v)
{
    struct seen *s = arg;
    s->count++;
    s->octets += v->name.len + v->text.len;
    MUST(v->name.len > 0 && v->name.len <= LIMIT_PART_TEXT && v->text.len <= LIMIT_PART_VALUE);
    if (!utf8_is_plain(v->text))
        ck_abort_msg("%.*s: %.*s", SPAN_ARG(v->name), SPAN_ARG(v->text));
    return buf_printf(&s->text, "%.*s=%.*s%s\n", SPAN_ARG(v->name), SPAN_ARG(v->text), v->cut ? "..." : "");
}

/* All of MESSAGE, of an exact copy, so that the sanitizer sees a read past its end. */
static bool read_all(struct span message, struct seen *s)
{
    bool more;
    char *copy = malloc(message.len ? message.len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, message.ptr, message.len);
    *s = (struct seen){0};
    buf_init(&s->text, 1 << 24);
    ck_assert_int_eq(mime_values_read(span_of(copy, message.len), mime_to_utf8, note, s, &more), ERR_OK);
    free(copy);
    return more;
}

START_TEST(fields_are_unfolded_and_decoded)
{
    static const struct {
        const char *message, *values;
    } rows[] = {
        {"Subject: hello\r\nTo: b@y.test\r\n\r\nX: body\r\n", "Subject=hello\nTo=b@y.test\n"},
        {"Subject: hello", "Subject=hello\n"},
        {"Subject:\r\n\r\n", "Subject=\n"},
        {"Subject:  two \r\n\tlines\r\n and three \r\n\r\n", "Subject=two  lines and three\n"},
        {"A: 1\nB: 2\r\n\nC: 3\n", "A=1\nB=2\n"},
        {"A: 1\r\nA: 2\r\n", "A=1\nA=2\n"},
        /* words, also split between lines and characters */
        {"Subject: =?utf-8?Q?Gr=C3=BC?=\r\n =?utf-8?B?w58=?= you\r\n", "Subject=Gr\xc3\xbc\xc3\x9f you\n"},
        {"Subject: =?utf-8?B?w4M=?= and =?iso-8859-1?q?=FC?=\r\n", "Subject=\xc3\x83 and \xc3\xbc\n"},
        {"Subject: =?windows-1251?Q?a=E0b?=\r\n", "Subject=a\xef\xbf\xbd"
                                                  "b\n"},
        {"Subject: =?utf-8?Q?no end\r\n", "Subject==?utf-8?Q?no end\n"},
        /* 8-bit */
        {"Subject: Gr\xc3\xbc\xc3\x9f\r\n", "Subject=Gr\xc3\xbc\xc3\x9f\n"},
        {"Subject: Gr\xfc\xdf\r\n", "Subject=Gr\xc3\xbc\xc3\x9f\n"},
        /* no control character comes out, encoded or not */
        {"A: =?us-ascii?Q?x=0D=0AB:_y=00z?=\r\n", "A=x\xe2\x90\x8d\xe2\x90\x8a"
                                                  "B: y\xe2\x90\x80z\n"},
        {"A: x\x01y\x7f"
         "z\r\n",
         "A=x\xe2\x90\x81y\xe2\x90\xa1z\n"},
        {"A: x\ry\r\n", "A=xy\n"},
        /* what only some readers take for fields */
        {"\r\n\r\nA: 1\r\n\r\nB: 2\r\n", "A=1\n"},
        {"\xef\xbb\xbf"
         "A: 1\r\n",
         "A=1\n"},
        {"From someone Sat Nov 21\r\nA: 1\r\n", "A=1\n"},
        {"A: 1\r\njunk\r\n fold\r\nB: 2\r\n", "A=1\nB=2\n"},
        {"A : 1\r\n", "A=1\n"},
        {" fold of nothing\r\nA: 1\r\n", "A=1\n"},
        {": nameless\r\nB\xc3\xbc: 1\r\n", ""},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct seen s;
        ck_assert(!read_all(span_cstr(rows[i].message), &s));
        struct span got = buf_span(&s.text);
        ck_assert_msg(span_eq(got, span_cstr(rows[i].values)), "row %zu: %.*s", i, SPAN_ARG(got));
        buf_release(&s.text);
    }
}
END_TEST

/* UNIT as often as it fits SIZE octets, behind BEGIN. */
static void fill(struct buf *out, const char *begin, const char *unit, size_t size)
{
    buf_init(out, size + 4096);
    ck_assert_int_eq(buf_append(out, span_cstr(begin)), ERR_OK);
    while (buf_len(out) < size)
        MUST(buf_append(out, span_cstr(unit)) == ERR_OK);
}

START_TEST(long_values_are_cut_and_say_so)
{
    static const struct {
        const char *unit;
        size_t size;
        bool cut;
    } rows[] = {
        {"v", LIMIT_PART_VALUE + 3, false}, /* "S: " */
        {"v", LIMIT_PART_VALUE + 4, true},
        {"\xc3\xbc", LIMIT_PART_VALUE + 4, true},
        {"\xf0\x9f\x98\x80", 65536, true},
        {"\x01", 65536, true},
        {"=?", 65536, true},
        {"=?a?b?", 65536, true},
        {"=?utf-8?B?AAAA?= ", 65536, true},
        {"\r\n v", 65536, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf message;
        struct seen s;
        fill(&message, "S: ", rows[i].unit, rows[i].size);
        ck_assert(!read_all(buf_span(&message), &s));
        struct span got = buf_span(&s.text);
        bool cut = got.len > 4 && span_eq(span_sub(got, got.len - 4, 4), SPAN("...\n"));
        ck_assert_msg(s.count == 1 && cut == rows[i].cut, "row %zu: %zu values, %zu octets, cut %d", i, s.count,
                      s.octets, cut);
        buf_release(&s.text);
        buf_release(&message);
    }
}
END_TEST

START_TEST(fields_of_names_too_long_are_passed_over_and_that_is_said)
{
    for (size_t len = LIMIT_PART_TEXT - 1; len <= LIMIT_PART_TEXT + 1; len++) {
        struct buf message;
        struct seen s;
        fill(&message, "", "n", len);
        MUST(buf_append(&message, SPAN(": 1\r\nB: 2\r\n")) == ERR_OK);
        bool more = read_all(buf_span(&message), &s);
        ck_assert_int_eq(more, len > LIMIT_PART_TEXT);
        ck_assert_uint_eq(s.count, len > LIMIT_PART_TEXT ? 1 : 2);
        ck_assert(span_ends_nocase(buf_span(&s.text), SPAN("B=2\n")));
        buf_release(&s.text);
        buf_release(&message);
    }
}
END_TEST

START_TEST(a_header_beyond_all_bounds_is_read_in_part_and_says_so)
{
    static const char *const units[] = {
        "A: b\r\n",
        "A:\n",
        "A: =?utf-8?Q?=41?=\r\n",
        "A: =?a?b?=?a?b?=?a?b?=?a?b?=?a?b?=?a?b?=?a?b?=?a?b?=?a?b?=?a?b?=?a?b?=?a?b?=?a?b?=?a?b?=?a?b?=?a?b?=?a?b?\r\n",
        "junk\r\nA: b\r\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        struct buf message;
        struct seen s;
        fill(&message, "", units[i], 4 << 20);
        ck_assert(read_all(buf_span(&message), &s));
        ck_assert(s.count <= LIMIT_MIME_HEADERS && s.octets <= LIMIT_PART_VALUES);
        ck_assert(s.count == LIMIT_MIME_HEADERS || s.octets > LIMIT_PART_VALUES - LIMIT_PART_VALUE - LIMIT_PART_TEXT);
        buf_release(&s.text);
        buf_release(&message);
    }
}
END_TEST

static enum err refuse(void *arg, const struct mime_value *v)
{
    (void)arg;
    (void)v;
    return ERR_STATE;
}

START_TEST(what_the_sink_says_ends_it)
{
    bool more;
    ck_assert_int_eq(mime_values_read(SPAN("A: 1\r\nB: 2\r\n"), mime_to_utf8, refuse, NULL, &more), ERR_STATE);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(fields_are_unfolded_and_decoded)                                                                                 \
    X(long_values_are_cut_and_say_so)                                                                                  \
    X(fields_of_names_too_long_are_passed_over_and_that_is_said)                                                       \
    X(a_header_beyond_all_bounds_is_read_in_part_and_says_so)                                                          \
    X(what_the_sink_says_ends_it)
#include "support/check_main.h"
