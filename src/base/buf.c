/* SPDX-License-Identifier: MIT */
/* A growing byte buffer with a maximum. Consumed bytes at the front are reclaimed by moving the rest down only when the
 * space is needed, so that a reader which consumes in small steps does not cost a copy each time. */
#include "base/buf.h"
#include "base/mem.h"

enum { BUF_FIRST = 512 };

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_release(struct buf *b)
{
    mem_free(b->data);
    *b = (struct buf){.max = b->max};
}

/* Makes room for EXTRA contiguous bytes at the end; the caller has checked the maximum. */
static enum err buf_grow(struct buf *b, size_t extra)
{
    size_t len = buf_len(b);
    if (extra <= b->capacity - b->end)
        return ERR_OK;
    if (b->start > 0) {
        memmove(b->data, b->data + b->start, len);
        b->start = 0;
        b->end = len;
        if (extra <= b->capacity - b->end)
            return ERR_OK;
    }
    size_t capacity = b->capacity ? b->capacity : BUF_FIRST;
    while (capacity - len < extra)
        capacity *= 2;
    if (capacity > b->max)
        capacity = b->max;
    char *data = mem_resize(b->data, capacity, 1);
    if (!data)
        return ERR_NOMEM;
    b->data = data;
    b->capacity = capacity;
    return ERR_OK;
}

enum err buf_append(struct buf *b, struct span s)
{
    if (s.len > buf_room(b))
        return ERR_FULL;
    if (s.len == 0)
        return ERR_OK;
    enum err e = buf_grow(b, s.len);
    if (e != ERR_OK)
        return e;
    memcpy(b->data + b->end, s.ptr, s.len);
    b->end += s.len;
    return ERR_OK;
}

enum err buf_append_char(struct buf *b, char c)
{
    return buf_append(b, span_of(&c, 1));
}

enum err buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    enum err e = ERR_FULL;
    if (length >= 0 && (size_t)length <= buf_room(b)) {
        /* vsnprintf writes a NUL past the text: the room for it is scratch, not content. */
        char small[512];
        char *text = (size_t)length < sizeof(small) ? small : mem_new((size_t)length + 1, 1);
        e = ERR_NOMEM;
        if (text) {
            vsnprintf(text, (size_t)length + 1, format, again);
            e = buf_append(b, span_of(text, (size_t)length));
        }
        if (text != small)
            mem_free(text);
    }
    va_end(again);
    return e;
}

enum err buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    enum err e = buf_vprintf(b, format, args);
    va_end(args);
    return e;
}

enum err buf_reserve(struct buf *b, size_t wanted, char **where, size_t *room)
{
    if (wanted > buf_room(b))
        wanted = buf_room(b);
    if (wanted == 0)
        return ERR_FULL;
    enum err e = buf_grow(b, wanted);
    if (e != ERR_OK)
        return e;
    *where = b->data + b->end;
    *room = wanted;
    return ERR_OK;
}

void buf_commit(struct buf *b, size_t written)
{
    b->end += written;
}

enum err buf_pour(struct buf *to, struct buf *from, size_t *moved)
{
    size_t n = buf_len(from) < buf_room(to) ? buf_len(from) : buf_room(to);
    *moved = 0;
    if (buf_len(to) == 0 && n == buf_len(from)) {
        size_t max_to = to->max, max_from = from->max;
        mem_free(to->data);
        *to = *from;
        to->max = max_to;
        buf_init(from, max_from);
    } else {
        enum err e = buf_append(to, span_sub(buf_span(from), 0, n));
        if (e != ERR_OK)
            return e;
        buf_consume(from, n);
        buf_trim(from);
    }
    *moved = n;
    return ERR_OK;
}

void buf_consume(struct buf *b, size_t len)
{
    b->start += len;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_clear(struct buf *b)
{
    b->start = b->end = 0;
}

void buf_trim(struct buf *b)
{
    if (buf_len(b) == 0)
        buf_release(b);
}
