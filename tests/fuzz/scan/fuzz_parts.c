/* SPDX-License-Identifier: MIT */
/* The file of decoded parts as hostile input: what opens is what writing its contents, rows and values again produces,
 * octet for octet; its contents can be read alone; every content lies inside file or message, and every value is plain
 * UTF-8 within its bounds. */
#include "base/utf8.h"
#include "fuzz/fuzz.h"
#include "scan/parts.h"

enum { MESSAGE = 300 };

void fuzz_target_words(fuzz_word *word)
{
    static const struct span words[] = {{"PSTNPART", 8},         {"\0\0\0\2", 4},           {"\0\0\0\0\0\0\0\x20", 8},
                                        {"\xff\xff\xff\xff", 4}, {"\0\0\0\0\0\0\1\x2c", 8}, {"1.2.1", 5}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        word(words[i]);
}

static void write_values_again(const struct parts_view *view, struct buf *out)
{
    struct parts_value value;
    uint32_t values = 0;
    size_t octets = 0;
    for (struct cursor at = cursor_of(view->value_rows); parts_next_value(&at, &value); values++) {
        FUZZ_REQUIRE(value.name.len > 0 && value.text.len <= LIMIT_PART_VALUE && utf8_is_plain(value.text));
        FUZZ_REQUIRE(parts_put_value(out, &value) == ERR_OK);
        octets += value.name.len + value.text.len;
    }
    FUZZ_REQUIRE(values == view->values && octets <= LIMIT_PART_VALUES);
    FUZZ_REQUIRE(parts_put_end(out, view->more_values) == ERR_OK);
}

static void write_again(const struct parts_view *view, struct buf *out)
{
    struct parts_content c;
    struct parts_row row;
    uint64_t end = PARTS_HEAD;
    unsigned char head[PARTS_HEAD];
    for (uint32_t i = 0; i < view->contents; i++) {
        parts_content(view, i, &c);
        end += c.verbatim ? 0 : c.size;
    }
    parts_head(view->contents, view->rows, view->values, end, head);
    FUZZ_REQUIRE(buf_append(out, span_of(head, sizeof(head))) == ERR_OK);
    for (uint32_t i = 0; i < view->contents; i++) {
        parts_content(view, i, &c);
        FUZZ_REQUIRE(c.size > 0);
        if (c.verbatim)
            FUZZ_REQUIRE(c.offset <= MESSAGE && c.size <= MESSAGE - c.offset);
        else
            FUZZ_REQUIRE(buf_append(out, span_sub(view->file, (size_t)c.offset, (size_t)c.size)) == ERR_OK);
    }
    for (uint32_t i = 0; i < view->contents; i++) {
        parts_content(view, i, &c);
        FUZZ_REQUIRE(parts_put_content(out, &c) == ERR_OK);
    }
    uint32_t rows = 0;
    for (struct cursor at = cursor_of(view->part_rows); parts_next(&at, &row); rows++) {
        FUZZ_REQUIRE(row.content == PARTS_NO_CONTENT || row.content < view->contents);
        FUZZ_REQUIRE(parts_put_row(out, &row) == ERR_OK);
    }
    FUZZ_REQUIRE(rows == view->rows);
    write_values_again(view, out);
}

/* What an event loop reads of a file, of which the rest may be anything. */
static void read_contents(struct span file, bool whole)
{
    struct parts_view view;
    struct parts_content c;
    bool good = parts_open_contents(file, MESSAGE, &view) == ERR_OK;
    FUZZ_REQUIRE(good || !whole);
    for (uint32_t i = 0; good && i < view.contents; i++) {
        parts_content(&view, i, &c);
        FUZZ_REQUIRE(c.size > 0 && memchr(c.path, '\0', sizeof(c.path)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span file = span_of(data, size);
    struct parts_view view;
    struct buf again;
    bool whole = parts_open(file, MESSAGE, &view) == ERR_OK;
    read_contents(file, whole);
    if (!whole)
        return 0;
    buf_init(&again, size);
    write_again(&view, &again);
    FUZZ_REQUIRE_SAME(buf_span(&again), file);
    buf_release(&again);
    return 0;
}
