/* SPDX-License-Identifier: MIT */
/* The file of decoded parts: what one worker writes others read, and nothing else is accepted. */
#include "scan/parts.h"
#include <check.h>

enum { MESSAGE = 1000 };

/* A parts file of two contents, one of them in the message, three parts, and two values. */
static void write_sample(struct buf *file)
{
    static const char content[] = "decoded content";
    struct parts_content decoded = {.offset = PARTS_HEAD, .size = sizeof(content) - 1, .path = "1.2"};
    struct parts_content verbatim = {.verbatim = true, .offset = 990, .size = 10, .path = "1.1"};
    struct parts_row row = {.content = 0,
                            .defects = 5,
                            .path = SPAN("1.2"),
                            .name = SPAN("r\xc3\xa9sum\xc3\xa9.exe"),
                            .type = SPAN("text/plain"),
                            .detected = SPAN("pe"),
                            .encoding = SPAN("base64")};
    unsigned char head[PARTS_HEAD];
    memset(decoded.digest, 0xd1, 32);
    memset(verbatim.digest, 0x7e, 32);
    buf_init(file, 65536);
    parts_head(2, 3, 2, PARTS_HEAD + decoded.size, head);
    ck_assert_int_eq(buf_append(file, span_of(head, sizeof(head))), ERR_OK);
    ck_assert_int_eq(buf_append(file, SPAN("decoded content")), ERR_OK);
    ck_assert_int_eq(parts_put_content(file, &decoded), ERR_OK);
    ck_assert_int_eq(parts_put_content(file, &verbatim), ERR_OK);
    ck_assert_int_eq(parts_put_row(file, &row), ERR_OK);
    row.content = 1;
    ck_assert_int_eq(parts_put_row(file, &row), ERR_OK);
    ck_assert_int_eq(parts_put_row(file, &(struct parts_row){.content = PARTS_NO_CONTENT}), ERR_OK);
    ck_assert_int_eq(parts_put_value(file, &(struct parts_value){SPAN("Subject"), SPAN("Gr\xc3\xbc\xc3\x9f"), false}),
                     ERR_OK);
    ck_assert_int_eq(parts_put_value(file, &(struct parts_value){SPAN("To"), SPAN(""), true}), ERR_OK);
    ck_assert_int_eq(parts_put_end(file, true), ERR_OK);
}

/* Of an exact copy on the heap, so that the sanitizer sees a read past the end. */
static enum err open_copy(struct span file, uint64_t message)
{
    struct parts_view view;
    char *copy = malloc(file.len ? file.len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, file.ptr, file.len);
    enum err e = parts_open(span_of(copy, file.len), message, &view);
    struct parts_view contents;
    if (parts_open_contents(span_of(copy, file.len), message, &contents) != ERR_OK)
        ck_assert_int_eq(e, ERR_SYNTAX);
    free(copy);
    return e;
}

START_TEST(what_was_written_is_read)
{
    struct buf file;
    struct parts_view view;
    struct parts_content c;
    struct parts_row row;
    struct parts_value value;
    write_sample(&file);
    ck_assert_int_eq(parts_open(buf_span(&file), MESSAGE, &view), ERR_OK);
    ck_assert_uint_eq(view.contents, 2);
    ck_assert_uint_eq(view.rows, 3);
    parts_content(&view, 0, &c);
    ck_assert(!c.verbatim);
    ck_assert(span_eq(span_sub(view.file, c.offset, c.size), SPAN("decoded content")));
    ck_assert_str_eq(c.path, "1.2");
    ck_assert_uint_eq(c.digest[31], 0xd1);
    parts_content(&view, 1, &c);
    ck_assert(c.verbatim);
    ck_assert_uint_eq(c.offset, 990);
    struct cursor at = cursor_of(view.part_rows);
    ck_assert(parts_next(&at, &row));
    ck_assert_uint_eq(row.content, 0);
    ck_assert_uint_eq(row.defects, 5);
    ck_assert(span_eq(row.path, SPAN("1.2")) && span_eq(row.name, SPAN("r\xc3\xa9sum\xc3\xa9.exe")));
    ck_assert(span_eq(row.type, SPAN("text/plain")) && span_eq(row.detected, SPAN("pe")));
    ck_assert(span_eq(row.encoding, SPAN("base64")));
    ck_assert(parts_next(&at, &row) && row.content == 1);
    ck_assert(parts_next(&at, &row) && row.content == PARTS_NO_CONTENT && row.name.len == 0);
    ck_assert(!parts_next(&at, &row));
    ck_assert(view.values == 2 && view.more_values);
    at = cursor_of(view.value_rows);
    ck_assert(parts_next_value(&at, &value));
    ck_assert(span_eq(value.name, SPAN("Subject")) && span_eq(value.text, SPAN("Gr\xc3\xbc\xc3\x9f")) && !value.cut);
    ck_assert(parts_next_value(&at, &value));
    ck_assert(span_eq(value.name, SPAN("To")) && value.text.len == 0 && value.cut);
    ck_assert(!parts_next_value(&at, &value));
    buf_release(&file);
}
END_TEST

/* An event loop reads no further. */
START_TEST(the_contents_alone_can_be_read)
{
    struct buf file;
    struct parts_view view;
    struct parts_content c;
    write_sample(&file);
    const size_t contents_end = PARTS_HEAD + 15 + 2 * PARTS_CONTENT_ROW;
    for (size_t len = 0; len <= buf_len(&file); len++) {
        enum err e = parts_open_contents(span_sub(buf_span(&file), 0, len), MESSAGE, &view);
        ck_assert_msg((e == ERR_OK) == (len >= contents_end), "%zu octets", len);
    }
    ck_assert_uint_eq(view.contents, 2);
    ck_assert(view.rows == 0 && view.part_rows.len == 0 && view.values == 0 && view.value_rows.len == 0);
    parts_content(&view, 1, &c);
    ck_assert(c.verbatim && c.size == 10 && c.digest[0] == 0x7e);
    ck_assert_int_eq(parts_open_contents(buf_span(&file), 999, &view), ERR_SYNTAX); /* of a shorter message */
    buf_release(&file);
}
END_TEST

START_TEST(a_file_that_is_shorter_or_longer_makes_no_sense)
{
    struct buf file;
    write_sample(&file);
    for (size_t len = 0; len < buf_len(&file); len++)
        ck_assert_int_eq(open_copy(span_sub(buf_span(&file), 0, len), MESSAGE), ERR_SYNTAX);
    ck_assert_int_eq(open_copy(buf_span(&file), MESSAGE), ERR_OK);
    ck_assert_int_eq(buf_append_char(&file, '\0'), ERR_OK);
    ck_assert_int_eq(open_copy(buf_span(&file), MESSAGE), ERR_SYNTAX);
    buf_release(&file);
}
END_TEST

START_TEST(a_content_outside_file_or_message_makes_no_sense)
{
    static const struct {
        size_t at; /* in the sample */
        unsigned char octet;
    } rows[] = {
        {0, 'X'},                           /* no parts file */
        {11, 1},                            /* another version */
        {14, 0xff},                         /* more contents than there may be */
        {15, 3},                            /* more than there are */
        {15, 1},                            /* fewer */
        {19, 4},                            /* more parts */
        {18, 0xff},                         /* more than there may be */
        {23, 3},                            /* more values */
        {23, 1},                            /* fewer */
        {22, 0xff},                         /* more than there may be */
        {31, 31},                           /* the table begins in the head */
        {24, 0x80},                         /* or far outside */
        {47, 2},                            /* neither verbatim nor decoded */
        {47, 1},                            /* it would leave a gap in the decoded ones */
        {55, 33},                           /* the same */
        {63, 14},                           /* does not reach the table */
        {63, 16},                           /* reaches into it */
        {63, 0},                            /* empty */
        {56, 0xff},                         /* of any size */
        {96, 0x07},                         /* a path that is not printable */
        {100, 'x'},                         /* behind its end */
        {47 + PARTS_CONTENT_ROW + 8, 0xff}, /* verbatim: past the end of the message */
    };
    struct buf file;
    write_sample(&file);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *octet = file.data + file.start + rows[i].at, saved = *octet;
        *octet = (char)rows[i].octet;
        ck_assert_msg(open_copy(buf_span(&file), MESSAGE) == ERR_SYNTAX, "row %zu", i);
        *octet = saved;
    }
    ck_assert_int_eq(open_copy(buf_span(&file), MESSAGE), ERR_OK);
    ck_assert_int_eq(open_copy(buf_span(&file), 999), ERR_SYNTAX); /* of a shorter message */
    buf_release(&file);
}
END_TEST

START_TEST(texts_are_cut_and_paths_made_printable)
{
    struct buf table;
    char big[400];
    struct parts_row row = {.content = PARTS_NO_CONTENT, .path = SPAN("1.\n"), .name = span_of(big, sizeof(big))};
    unsigned char head[PARTS_HEAD];
    struct parts_view view;
    memset(big, 'n', sizeof(big));
    buf_init(&table, 65536);
    parts_head(0, 1, 0, PARTS_HEAD, head);
    ck_assert_int_eq(buf_append(&table, span_of(head, sizeof(head))), ERR_OK);
    ck_assert_int_eq(parts_put_row(&table, &row), ERR_OK);
    ck_assert_int_eq(parts_put_end(&table, false), ERR_OK);
    ck_assert_int_eq(parts_open(buf_span(&table), 0, &view), ERR_OK);
    struct cursor at = cursor_of(view.part_rows);
    ck_assert(parts_next(&at, &row));
    ck_assert_uint_eq(row.name.len, LIMIT_PART_TEXT);
    ck_assert(span_eq(row.path, SPAN("1.?")));
    buf_release(&table);
}
END_TEST

/* A parts file of values alone: COUNT times NAME and TEXT, written without looking at them. */
static enum err open_values(uint32_t count, struct span name, struct span text, unsigned cut, unsigned more)
{
    struct buf file;
    unsigned char head[PARTS_HEAD];
    buf_init(&file, 1 << 24);
    parts_head(0, 0, count, PARTS_HEAD, head);
    ck_assert_int_eq(buf_append(&file, span_of(head, sizeof(head))), ERR_OK);
    for (uint32_t i = 0; i < count; i++) {
        const unsigned char numbers[4] = {(unsigned char)cut, (unsigned char)(text.len >> 8), (unsigned char)text.len,
                                          (unsigned char)name.len};
        ck_assert_int_eq(buf_append(&file, span_of(numbers, sizeof(numbers))), ERR_OK);
        ck_assert_int_eq(name.len > 0 ? buf_append(&file, name) : ERR_OK, ERR_OK);
        ck_assert_int_eq(text.len > 0 ? buf_append(&file, text) : ERR_OK, ERR_OK);
    }
    ck_assert_int_eq(buf_append_char(&file, (char)more), ERR_OK);
    enum err e = open_copy(buf_span(&file), 0);
    buf_release(&file);
    return e;
}

START_TEST(a_value_that_is_not_plain_makes_no_sense_and_is_not_written)
{
    static char long_text[LIMIT_PART_VALUE + 1];
    memset(long_text, 'v', sizeof(long_text));
    const struct {
        struct span name, text;
        bool good;
    } rows[] = {
        {SPAN("Subject"), SPAN("\xf0\x9f\x98\x80 \xef\xbf\xbd"), true},
        {SPAN("X"), SPAN(""), true},
        {SPAN("X"), span_of(long_text, LIMIT_PART_VALUE), true},
        {SPAN("X"), span_of(long_text, LIMIT_PART_VALUE + 1), false},
        {SPAN(""), SPAN("nameless"), false},
        {SPAN("a b"), SPAN("v"), false},
        {SPAN("a:"), SPAN("v"), false},
        {SPAN("a\n"), SPAN("v"), false},
        {SPAN("\xc3\xbc"), SPAN("v"), false},
        {SPAN("X"), SPAN("a\r\nInjected: b"), false},
        {SPAN("X"), SPAN("a\0b"), false},
        {SPAN("X"), SPAN("\x7f"), false},
        {SPAN("X"), SPAN("\xc3"), false},
        {SPAN("X"), SPAN("\xc0\x80"), false},
        {SPAN("X"), SPAN("\xed\xa0\x80"), false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct buf out;
        struct parts_value value = {rows[i].name, rows[i].text, false};
        enum err expected = rows[i].good ? ERR_OK : ERR_SYNTAX;
        buf_init(&out, 65536);
        ck_assert_msg(open_values(1, value.name, value.text, 0, 0) == expected, "row %zu", i);
        ck_assert_msg(parts_put_value(&out, &value) == expected, "row %zu", i);
        buf_release(&out);
    }
    ck_assert_int_eq(open_values(1, SPAN("X"), SPAN("v"), 2, 0), ERR_SYNTAX);
    ck_assert_int_eq(open_values(1, SPAN("X"), SPAN("v"), 0, 2), ERR_SYNTAX);
    ck_assert_int_eq(open_values(LIMIT_MIME_HEADERS, SPAN("X"), SPAN("v"), 1, 1), ERR_OK);
    ck_assert_int_eq(open_values(LIMIT_MIME_HEADERS + 1, SPAN("X"), SPAN("v"), 0, 0), ERR_SYNTAX);
    /* all values together */
    ck_assert_int_eq(open_values(63, SPAN("X"), span_of(long_text, LIMIT_PART_VALUE), 0, 0), ERR_OK);
    ck_assert_int_eq(open_values(64, SPAN("X"), span_of(long_text, LIMIT_PART_VALUE), 0, 0), ERR_SYNTAX);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(what_was_written_is_read)                                                                                        \
    X(the_contents_alone_can_be_read)                                                                                  \
    X(a_file_that_is_shorter_or_longer_makes_no_sense)                                                                 \
    X(a_content_outside_file_or_message_makes_no_sense)                                                                \
    X(texts_are_cut_and_paths_made_printable)                                                                          \
    X(a_value_that_is_not_plain_makes_no_sense_and_is_not_written)
#include "support/check_main.h"
