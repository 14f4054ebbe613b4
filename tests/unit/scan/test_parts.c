/* SPDX-License-Identifier: MIT */
/* The file of decoded parts: what one worker writes others read, and nothing else is accepted. */
#include "scan/parts.h"
#include <check.h>

enum { MESSAGE = 1000 };

/* A parts file of two contents, one of them in the message, and three parts. */
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
    parts_head(2, 3, PARTS_HEAD + decoded.size, head);
    ck_assert_int_eq(buf_append(file, span_of(head, sizeof(head))), ERR_OK);
    ck_assert_int_eq(buf_append(file, SPAN("decoded content")), ERR_OK);
    ck_assert_int_eq(parts_put_content(file, &decoded), ERR_OK);
    ck_assert_int_eq(parts_put_content(file, &verbatim), ERR_OK);
    ck_assert_int_eq(parts_put_row(file, &row), ERR_OK);
    row.content = 1;
    ck_assert_int_eq(parts_put_row(file, &row), ERR_OK);
    ck_assert_int_eq(parts_put_row(file, &(struct parts_row){.content = PARTS_NO_CONTENT}), ERR_OK);
}

/* Of an exact copy on the heap, so that the sanitizer sees a read past the end. */
static enum err open_copy(struct span file, uint64_t message)
{
    struct parts_view view;
    char *copy = malloc(file.len ? file.len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, file.ptr, file.len);
    enum err e = parts_open(span_of(copy, file.len), message, &view);
    free(copy);
    return e;
}

START_TEST(what_was_written_is_read)
{
    struct buf file;
    struct parts_view view;
    struct parts_content c;
    struct parts_row row;
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
        {11, 2},                            /* another version */
        {14, 0xff},                         /* more contents than there may be */
        {15, 3},                            /* more than there are */
        {15, 1},                            /* fewer */
        {19, 4},                            /* more parts */
        {18, 0xff},                         /* more than there may be */
        {23, 1},                            /* what must be 0 */
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
    parts_head(0, 1, PARTS_HEAD, head);
    ck_assert_int_eq(buf_append(&table, span_of(head, sizeof(head))), ERR_OK);
    ck_assert_int_eq(parts_put_row(&table, &row), ERR_OK);
    ck_assert_int_eq(parts_open(buf_span(&table), 0, &view), ERR_OK);
    struct cursor at = cursor_of(view.part_rows);
    ck_assert(parts_next(&at, &row));
    ck_assert_uint_eq(row.name.len, LIMIT_PART_TEXT);
    ck_assert(span_eq(row.path, SPAN("1.?")));
    buf_release(&table);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(what_was_written_is_read)                                                                                        \
    X(a_file_that_is_shorter_or_longer_makes_no_sense)                                                                 \
    X(a_content_outside_file_or_message_makes_no_sense)                                                                \
    X(texts_are_cut_and_paths_made_printable)
#include "support/check_main.h"
