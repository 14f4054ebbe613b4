/* SPDX-License-Identifier: MIT */
/* Buffers: growth up to the maximum, consuming from the front, all or nothing. Linked with calloc and realloc wrapped.
 * (C24) */
#include "base/buf.h"
#include "unit/smtp/must.h"
#include <check.h>
#include <stdint.h>

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
static bool no_memory;

void *__wrap_calloc(size_t count, size_t size)
{
    return no_memory ? NULL : __real_calloc(count, size);
}
void *__wrap_realloc(void *old, size_t size)
{
    return no_memory ? NULL : __real_realloc(old, size);
}

static void expect_content(const struct buf *b, struct span content)
{
    ck_assert_msg(span_eq(buf_span(b), content), "found %.*s", SPAN_ARG(buf_span(b)));
    ck_assert_uint_eq(buf_len(b), content.len);
    ck_assert_uint_eq(buf_room(b), b->max - content.len);
}

START_TEST(a_new_buffer_holds_no_memory)
{
    struct buf b;
    buf_init(&b, 100);
    ck_assert_ptr_null(b.data);
    expect_content(&b, SPAN(""));
    ck_assert_int_eq(buf_append(&b, SPAN("")), ERR_OK);
    ck_assert_ptr_null(b.data);
    buf_release(&b);
}
END_TEST

START_TEST(bytes_are_added_behind_and_consumed_in_front)
{
    struct buf b;
    buf_init(&b, 10);
    ck_assert_int_eq(buf_append(&b, SPAN("abcdef")), ERR_OK);
    buf_consume(&b, 4);
    expect_content(&b, SPAN("ef"));
    ck_assert_int_eq(buf_append(&b, SPAN("ghijklmn")), ERR_OK);
    expect_content(&b, SPAN("efghijklmn"));
    ck_assert_int_eq(buf_append_char(&b, '!'), ERR_FULL);
    expect_content(&b, SPAN("efghijklmn"));
    buf_consume(&b, 10);
    expect_content(&b, SPAN(""));
    ck_assert_uint_eq(b.start, 0);
    buf_release(&b);
}
END_TEST

START_TEST(what_does_not_fit_is_refused_whole)
{
    struct buf b;
    buf_init(&b, 5);
    ck_assert_int_eq(buf_append(&b, SPAN("abc")), ERR_OK);
    ck_assert_int_eq(buf_append(&b, SPAN("def")), ERR_FULL);
    ck_assert_int_eq(buf_printf(&b, "%d", 123), ERR_FULL);
    ck_assert_int_eq(buf_append(&b, span_of("x", SIZE_MAX)), ERR_FULL);
    expect_content(&b, SPAN("abc"));
    ck_assert_int_eq(buf_printf(&b, "%d", 12), ERR_OK);
    expect_content(&b, SPAN("abc12"));
    buf_release(&b);
}
END_TEST

START_TEST(a_buffer_grows_to_any_maximum)
{
    static const size_t maxima[] = {1, 2, 511, 512, 513, 5000, 70001};
    for (size_t i = 0; i < ARRAY_SIZE(maxima); i++) {
        struct buf b;
        buf_init(&b, maxima[i]);
        for (size_t n = 0; n < maxima[i]; n++)
            MUST(buf_append_char(&b, (char)('a' + n % 26)) == ERR_OK);
        ck_assert_int_eq(buf_append_char(&b, 'x'), ERR_FULL);
        ck_assert_uint_le(b.capacity, maxima[i]);
        for (size_t n = 0; n < maxima[i]; n++)
            MUST(b.data[n] == 'a' + (int)(n % 26));
        buf_release(&b);
    }
}
END_TEST

START_TEST(formatted_text_of_any_length_arrives)
{
    static const int widths[] = {1, 510, 511, 512, 513, 3000};
    for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
        struct buf b;
        buf_init(&b, (size_t)widths[i]);
        ck_assert_int_eq(buf_printf(&b, "%*d", widths[i], 7), ERR_OK);
        ck_assert_uint_eq(buf_len(&b), (size_t)widths[i]);
        ck_assert_int_eq(b.data[widths[i] - 1], '7');
        buf_release(&b);
    }
}
END_TEST

START_TEST(a_writer_gets_room_within_the_maximum)
{
    struct buf b;
    char *where;
    size_t room;
    buf_init(&b, 1000);
    ck_assert_int_eq(buf_append(&b, SPAN("abc")), ERR_OK);
    ck_assert_int_eq(buf_reserve(&b, 5000, &where, &room), ERR_OK);
    ck_assert_uint_eq(room, 997);
    memset(where, 'x', room);
    buf_commit(&b, 10);
    ck_assert_uint_eq(buf_len(&b), 13);
    buf_consume(&b, 12);
    ck_assert_int_eq(buf_reserve(&b, 999, &where, &room), ERR_OK);
    ck_assert_uint_eq(room, 999);
    memset(where, 'y', room);
    buf_commit(&b, room);
    ck_assert_int_eq(buf_reserve(&b, 1, &where, &room), ERR_FULL);
    ck_assert_int_eq(buf_span(&b).ptr[0], 'x');
    buf_release(&b);
}
END_TEST

START_TEST(a_stream_through_a_small_buffer_keeps_its_order)
{
    struct buf b;
    unsigned in = 0, out = 0;
    buf_init(&b, 700);
    for (unsigned turn = 0; turn < 4000; turn++) {
        unsigned step = turn * 7 % 97 + 1;
        for (unsigned i = 0; i < step && buf_room(&b); i++)
            MUST(buf_append_char(&b, (char)(in++ % 251)) == ERR_OK);
        for (unsigned i = 0; i < turn * 5 % 89 && buf_len(&b); i++) {
            MUST((unsigned char)buf_span(&b).ptr[0] == out++ % 251);
            buf_consume(&b, 1);
        }
    }
    ck_assert_uint_eq(in - out, buf_len(&b));
    buf_release(&b);
}
END_TEST

START_TEST(memory_is_given_back_only_when_empty)
{
    struct buf b;
    buf_init(&b, 100);
    ck_assert_int_eq(buf_append(&b, SPAN("abc")), ERR_OK);
    buf_trim(&b);
    expect_content(&b, SPAN("abc"));
    buf_clear(&b);
    expect_content(&b, SPAN(""));
    buf_trim(&b);
    ck_assert_ptr_null(b.data);
    ck_assert_int_eq(buf_append(&b, SPAN("again")), ERR_OK);
    expect_content(&b, SPAN("again"));
    buf_release(&b);
    ck_assert_uint_eq(b.max, 100);
}
END_TEST

START_TEST(without_memory_the_content_stays)
{
    struct buf b;
    char *where;
    size_t room;
    buf_init(&b, 100000);
    ck_assert_int_eq(buf_append(&b, SPAN("abc")), ERR_OK);
    no_memory = true;
    enum err append = ERR_OK, print, reserve = buf_reserve(&b, 5000, &where, &room);
    for (int i = 0; i < 1000 && append == ERR_OK; i++)
        append = buf_append_char(&b, 'x');
    print = buf_printf(&b, "%1000d", 1);
    no_memory = false;
    ck_assert_int_eq(append, ERR_NOMEM);
    ck_assert_int_eq(print, ERR_NOMEM);
    ck_assert_int_eq(reserve, ERR_NOMEM);
    ck_assert(span_starts(buf_span(&b), SPAN("abcxxx")));
    ck_assert_int_eq(buf_append_char(&b, 'y'), ERR_OK);
    buf_release(&b);
}
END_TEST

START_TEST(pouring_moves_what_fits_and_copies_only_behind_other_octets)
{
    struct buf a, b;
    size_t moved;
    buf_init(&a, 10);
    buf_init(&b, 20);
    ck_assert_int_eq(buf_append(&a, SPAN("xabcdef")), ERR_OK);
    buf_consume(&a, 1);
    const char *where = buf_span(&a).ptr;
    ck_assert_int_eq(buf_pour(&b, &a, &moved), ERR_OK);
    ck_assert_uint_eq(moved, 6);
    ck_assert_ptr_eq(buf_span(&b).ptr, where);
    expect_content(&b, SPAN("abcdef"));
    ck_assert_ptr_null(a.data);
    expect_content(&a, SPAN(""));
    ck_assert_uint_eq(a.max, 10);
    ck_assert_uint_eq(b.max, 20);
    ck_assert_int_eq(buf_append(&a, SPAN("ghij")), ERR_OK);
    ck_assert_int_eq(buf_pour(&b, &a, &moved), ERR_OK); /* behind */
    ck_assert_uint_eq(moved, 4);
    expect_content(&b, SPAN("abcdefghij"));
    ck_assert_ptr_null(a.data);
    ck_assert_int_eq(buf_append(&b, SPAN("1234567")), ERR_OK);
    ck_assert_int_eq(buf_pour(&a, &b, &moved), ERR_OK); /* more than fits */
    ck_assert_uint_eq(moved, 10);
    expect_content(&a, SPAN("abcdefghij"));
    expect_content(&b, SPAN("1234567"));
    ck_assert_int_eq(buf_pour(&a, &b, &moved), ERR_OK);
    ck_assert_uint_eq(moved, 0);
    buf_consume(&a, 9);
    no_memory = true;
    ck_assert_int_eq(buf_pour(&b, &a, &moved), ERR_OK); /* needs none: there is room behind */
    ck_assert_int_eq(buf_pour(&a, &b, &moved), ERR_OK); /* needs none: it is taken over */
    no_memory = false;
    ck_assert_uint_eq(moved, 8);
    expect_content(&a, SPAN("1234567j"));
    buf_release(&a);
    buf_release(&b);
}
END_TEST

START_TEST(pouring_without_memory_moves_nothing)
{
    struct buf a, b;
    size_t moved;
    char large[2000] = "";
    buf_init(&a, 4000);
    buf_init(&b, 4000);
    ck_assert_int_eq(buf_append(&a, span_of(large, sizeof(large))), ERR_OK);
    ck_assert_int_eq(buf_append(&b, SPAN("b")), ERR_OK);
    no_memory = true;
    enum err e = buf_pour(&b, &a, &moved);
    no_memory = false;
    ck_assert_int_eq(e, ERR_NOMEM);
    ck_assert_uint_eq(moved, 0);
    ck_assert_uint_eq(buf_len(&a), sizeof(large));
    expect_content(&b, SPAN("b"));
    buf_release(&a);
    buf_release(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_new_buffer_holds_no_memory)                                                                                    \
    X(bytes_are_added_behind_and_consumed_in_front)                                                                    \
    X(what_does_not_fit_is_refused_whole)                                                                              \
    X(a_buffer_grows_to_any_maximum)                                                                                   \
    X(formatted_text_of_any_length_arrives)                                                                            \
    X(a_writer_gets_room_within_the_maximum)                                                                           \
    X(a_stream_through_a_small_buffer_keeps_its_order)                                                                 \
    X(memory_is_given_back_only_when_empty)                                                                            \
    X(pouring_moves_what_fits_and_copies_only_behind_other_octets)                                                     \
    X(pouring_without_memory_moves_nothing)                                                                            \
    X(without_memory_the_content_stays)
#include "support/check_main.h"
