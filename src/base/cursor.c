/* SPDX-License-Identifier: MIT */
/* The parsing cursor. */
#include "base/cursor.h"

struct span cursor_take(struct cursor *c, size_t n)
{
    if (c->bad || n > c->rest.len) {
        cursor_fail(c);
        return span_of(NULL, 0);
    }
    struct span taken = span_of(c->rest.ptr, n);
    c->rest = span_sub(c->rest, n, c->rest.len);
    return taken;
}

bool cursor_accept(struct cursor *c, char ch)
{
    if (cursor_at_end(c) || c->rest.ptr[0] != ch)
        return false;
    cursor_take(c, 1);
    return true;
}

void cursor_expect(struct cursor *c, char ch)
{
    if (!cursor_accept(c, ch))
        cursor_fail(c);
}

bool cursor_accept_nocase(struct cursor *c, struct span prefix)
{
    if (c->bad || !span_starts_nocase(c->rest, prefix))
        return false;
    cursor_take(c, prefix.len);
    return true;
}

struct span cursor_while(struct cursor *c, bool (*is)(char))
{
    size_t n = 0;
    while (!c->bad && n < c->rest.len && is(c->rest.ptr[n]))
        n++;
    return cursor_take(c, n);
}

void cursor_skip_blanks(struct cursor *c)
{
    cursor_while(c, char_is_blank);
}

static uint64_t cursor_big_endian(struct cursor *c, size_t n)
{
    struct span bytes = cursor_take(c, n);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.len; i++)
        value = value << 8 | (unsigned char)bytes.ptr[i];
    return value;
}

uint8_t cursor_u8(struct cursor *c)
{
    return (uint8_t)cursor_big_endian(c, 1);
}

uint16_t cursor_u16(struct cursor *c)
{
    return (uint16_t)cursor_big_endian(c, 2);
}

uint32_t cursor_u32(struct cursor *c)
{
    return (uint32_t)cursor_big_endian(c, 4);
}

uint64_t cursor_u64(struct cursor *c)
{
    return cursor_big_endian(c, 8);
}
