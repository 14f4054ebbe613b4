/* SPDX-License-Identifier: MIT */
/* Parsing of bounded text: a position that only moves forward and an error that sticks, so that a parser reads as its
 * grammar and checks once at its end. After an error every call yields nothing. */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/span.h"
#include <stdint.h>

struct cursor {
    struct span rest; /* what is not yet read */
    bool bad;         /* sticky */
};

static inline struct cursor cursor_of(struct span s)
{
    return (struct cursor){.rest = s};
}
static inline bool cursor_at_end(const struct cursor *c)
{
    return c->bad || c->rest.len == 0;
}
static inline void cursor_fail(struct cursor *c)
{
    c->bad = true;
    c->rest.len = 0;
}
/* The next character without taking it, or NUL at the end. */
static inline char cursor_peek(const struct cursor *c)
{
    if (cursor_at_end(c))
        return '\0';
    return c->rest.ptr[0];
}
/* Takes N bytes; fails when there are fewer. */
struct span cursor_take(struct cursor *c, size_t n);
/* Takes C if it is next. */
bool cursor_accept(struct cursor *c, char ch);
/* As cursor_accept, but its absence is an error. */
void cursor_expect(struct cursor *c, char ch);
/* Takes PREFIX in any case if it is next. */
bool cursor_accept_nocase(struct cursor *c, struct span prefix);
/* Takes the longest run for which IS holds; it may be empty. */
struct span cursor_while(struct cursor *c, bool (*is)(char));
void cursor_skip_blanks(struct cursor *c);
/* Big-endian integers of binary records. */
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);

#endif
