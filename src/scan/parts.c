/* SPDX-License-Identifier: MIT */
/* The parts file, row by row. */
#include "scan/parts.h"
#include "base/utf8.h"

static const char magic[8] = {'P', 'S', 'T', 'N', 'P', 'A', 'R', 'T'};
enum { PARTS_VERSION = 2 };

/* ---- writing ---- */

static void put_integer(unsigned char *out, size_t octets, uint64_t value)
{
    for (size_t i = octets; i-- > 0; value >>= 8)
        out[i] = (unsigned char)(value & 0xff);
}

enum err parts_put_content(struct buf *table, const struct parts_content *c)
{
    unsigned char row[PARTS_CONTENT_ROW] = {0};
    row[0] = c->verbatim;
    put_integer(row + 1, 8, c->offset);
    put_integer(row + 9, 8, c->size);
    memcpy(row + 17, c->digest, sizeof(c->digest));
    for (size_t i = 0; i < LIMIT_PART_PATH && c->path[i]; i++)
        row[49 + i] = char_is_print(c->path[i]) ? (unsigned char)c->path[i] : '?';
    return buf_append(table, span_of(row, sizeof(row)));
}

static enum err put_text(struct buf *table, struct span text, size_t max)
{
    text = span_sub(text, 0, max);
    enum err e = buf_append_char(table, (char)(unsigned char)text.len);
    return e == ERR_OK && text.len > 0 ? buf_append(table, text) : e;
}

static enum err put_path(struct buf *table, struct span path)
{
    char plain[LIMIT_PART_PATH];
    path = span_sub(path, 0, sizeof(plain));
    for (size_t i = 0; i < path.len; i++)
        plain[i] = (char)(char_is_print(path.ptr[i]) ? path.ptr[i] : '?');
    return put_text(table, span_of(plain, path.len), sizeof(plain));
}

enum err parts_put_row(struct buf *table, const struct parts_row *r)
{
    const struct span texts[] = {r->name, r->type, r->detected, r->encoding};
    unsigned char numbers[12];
    put_integer(numbers, 4, r->content);
    put_integer(numbers + 4, 8, r->defects);
    enum err e = buf_append(table, span_of(numbers, sizeof(numbers)));
    if (e == ERR_OK)
        e = put_path(table, r->path);
    for (size_t i = 0; i < ARRAY_SIZE(texts) && e == ERR_OK; i++)
        e = put_text(table, texts[i], LIMIT_PART_TEXT);
    return e;
}

/* The same for both directions. */
static bool is_value(const struct parts_value *v)
{
    if (v->name.len == 0 || v->name.len > LIMIT_PART_TEXT || v->text.len > LIMIT_PART_VALUE)
        return false;
    for (size_t i = 0; i < v->name.len; i++)
        if (!char_is_print(v->name.ptr[i]) || v->name.ptr[i] == ' ' || v->name.ptr[i] == ':')
            return false;
    return utf8_is_plain(v->text);
}

/* Room for LEN octets and for the table's end. */
static enum err make_room(struct buf *table, size_t len)
{
    char *where;
    size_t room;
    enum err e = buf_reserve(table, len + 1, &where, &room);
    return e == ERR_OK && room <= len ? ERR_FULL : e;
}

enum err parts_prepare_values(struct buf *table)
{
    return make_room(table, 0);
}

enum err parts_put_value(struct buf *table, const struct parts_value *v)
{
    unsigned char numbers[3] = {v->cut};
    if (!is_value(v))
        return ERR_SYNTAX;
    put_integer(numbers + 1, 2, v->text.len);
    enum err e = make_room(table, sizeof(numbers) + 1 + v->name.len + v->text.len);
    if (e == ERR_OK)
        e = buf_append(table, span_of(numbers, sizeof(numbers)));
    if (e == ERR_OK)
        e = put_text(table, v->name, LIMIT_PART_TEXT);
    return e == ERR_OK && v->text.len > 0 ? buf_append(table, v->text) : e;
}

enum err parts_put_end(struct buf *table, bool more)
{
    return buf_append_char(table, (char)more);
}

void parts_head(uint32_t contents, uint32_t rows, uint32_t values, uint64_t table_offset, unsigned char out[PARTS_HEAD])
{
    memcpy(out, magic, sizeof(magic));
    put_integer(out + 8, 4, PARTS_VERSION);
    put_integer(out + 12, 4, contents);
    put_integer(out + 16, 4, rows);
    put_integer(out + 20, 4, values);
    put_integer(out + 24, 8, table_offset);
}

/* ---- reading ---- */

static void get_content(struct cursor *c, struct parts_content *out)
{
    unsigned verbatim = cursor_u8(c);
    out->verbatim = verbatim == 1;
    out->offset = cursor_u64(c);
    out->size = cursor_u64(c);
    if (verbatim > 1)
        cursor_fail(c);
    struct span digest = cursor_take(c, sizeof(out->digest)), path = cursor_take(c, sizeof(out->path));
    if (c->bad)
        return;
    memcpy(out->digest, digest.ptr, sizeof(out->digest));
    memcpy(out->path, path.ptr, sizeof(out->path));
    size_t len = span_find(path, '\0');
    for (size_t i = 0; i < path.len; i++)
        if (i < len ? !char_is_print(path.ptr[i]) : path.ptr[i] != '\0')
            cursor_fail(c);
    if (len == path.len)
        cursor_fail(c);
}

static struct span get_text(struct cursor *c, size_t max)
{
    struct span text = cursor_take(c, cursor_u8(c));
    if (text.len > max)
        cursor_fail(c);
    return text;
}

static void get_row(struct cursor *c, struct parts_row *out)
{
    out->content = cursor_u32(c);
    out->defects = cursor_u64(c);
    out->path = get_text(c, LIMIT_PART_PATH);
    for (size_t i = 0; i < out->path.len && !c->bad; i++)
        if (!char_is_print(out->path.ptr[i]))
            cursor_fail(c);
    out->name = get_text(c, LIMIT_PART_TEXT);
    out->type = get_text(c, LIMIT_PART_TEXT);
    out->detected = get_text(c, LIMIT_PART_TEXT);
    out->encoding = get_text(c, LIMIT_PART_TEXT);
}

static void get_value(struct cursor *c, struct parts_value *out)
{
    unsigned cut = cursor_u8(c), length = cursor_u16(c);
    out->cut = cut == 1;
    out->name = get_text(c, LIMIT_PART_TEXT);
    out->text = cursor_take(c, length);
    if (cut > 1 || (!c->bad && !is_value(out)))
        cursor_fail(c);
}

/* *END is that of the decoded contents so far. */
static bool lies_inside(const struct parts_content *content, uint64_t message, uint64_t table_offset, uint64_t *end)
{
    if (content->size == 0)
        return false;
    if (content->verbatim)
        return content->offset <= message && content->size <= message - content->offset;
    if (content->offset != *end || content->size > table_offset - *end)
        return false;
    *end += content->size;
    return true;
}

static enum err check_contents(struct parts_view *view, struct cursor *c, uint64_t message, uint64_t table_offset)
{
    struct parts_content content;
    uint64_t end = PARTS_HEAD;
    view->content_rows = c->rest;
    for (uint32_t i = 0; i < view->contents && !c->bad; i++) {
        get_content(c, &content);
        if (!c->bad && !lies_inside(&content, message, table_offset, &end))
            cursor_fail(c);
    }
    return c->bad || end != table_offset ? ERR_SYNTAX : ERR_OK;
}

static enum err check_rows(struct parts_view *view, struct cursor *c)
{
    struct parts_row row;
    struct span rows = c->rest;
    for (uint32_t i = 0; i < view->rows && !c->bad; i++) {
        get_row(c, &row);
        if (!c->bad && row.content != PARTS_NO_CONTENT && row.content >= view->contents)
            cursor_fail(c);
    }
    view->part_rows = span_sub(rows, 0, rows.len - c->rest.len);
    return c->bad ? ERR_SYNTAX : ERR_OK;
}

static enum err check_values(struct parts_view *view, struct cursor *c)
{
    struct parts_value value;
    uint64_t octets = 0;
    struct span begin = c->rest;
    for (uint32_t i = 0; i < view->values && !c->bad; i++) {
        get_value(c, &value);
        octets += value.name.len + value.text.len;
    }
    view->value_rows = span_sub(begin, 0, begin.len - c->rest.len);
    unsigned more = cursor_u8(c);
    view->more_values = more == 1;
    return c->bad || c->rest.len > 0 || more > 1 || octets > LIMIT_PART_VALUES ? ERR_SYNTAX : ERR_OK;
}

/* Up to the last of the contents, behind which *TABLE stands then. */
static enum err open_contents(struct span file, uint64_t message, struct parts_view *view, struct cursor *table)
{
    struct cursor head = cursor_of(span_sub(file, 0, PARTS_HEAD));
    bool ours = span_eq(cursor_take(&head, sizeof(magic)), span_of(magic, sizeof(magic)));
    uint32_t version = cursor_u32(&head);
    view->file = file;
    view->contents = cursor_u32(&head);
    view->rows = cursor_u32(&head);
    view->values = cursor_u32(&head);
    uint64_t table_offset = cursor_u64(&head);
    if (head.bad || !ours || version != PARTS_VERSION || view->contents > LIMIT_PARTS || view->rows > LIMIT_PARTS ||
        view->values > LIMIT_MIME_HEADERS || table_offset < PARTS_HEAD || table_offset > file.len)
        return ERR_SYNTAX;
    *table = cursor_of(span_sub(file, (size_t)table_offset, file.len));
    return check_contents(view, table, message, table_offset);
}

enum err parts_open(struct span file, uint64_t message, struct parts_view *out)
{
    struct parts_view view = {.rows = 0};
    struct cursor table;
    enum err e = open_contents(file, message, &view, &table);
    if (e == ERR_OK)
        e = check_rows(&view, &table);
    if (e == ERR_OK)
        e = check_values(&view, &table);
    if (e == ERR_OK)
        *out = view;
    return e;
}

enum err parts_open_contents(struct span file, uint64_t message, struct parts_view *out)
{
    struct parts_view view = {.rows = 0};
    struct cursor table;
    enum err e = open_contents(file, message, &view, &table);
    view.rows = view.values = 0;
    if (e == ERR_OK)
        *out = view;
    return e;
}

void parts_content(const struct parts_view *view, uint32_t index, struct parts_content *out)
{
    struct cursor c = cursor_of(span_sub(view->content_rows, (size_t)index * PARTS_CONTENT_ROW, PARTS_CONTENT_ROW));
    get_content(&c, out);
}

bool parts_next_value(struct cursor *c, struct parts_value *out)
{
    if (cursor_at_end(c))
        return false;
    get_value(c, out);
    return !c->bad;
}

bool parts_next(struct cursor *c, struct parts_row *out)
{
    if (cursor_at_end(c))
        return false;
    get_row(c, out);
    return !c->bad;
}
