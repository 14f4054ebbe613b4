/* SPDX-License-Identifier: MIT */
/* A span: borrowed bytes. It owns nothing; the function that lends it says how long it lives. Not NUL-terminated. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include "base/compiler.h"
#include <stdbool.h>
#include <stddef.h>

struct span {
    const char *ptr;
    size_t len;
};

#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})
/* For printf: printf("%.*s", SPAN_ARG(s)) */
#define SPAN_ARG(s) (int)(s).len, (s).ptr

static inline struct span span_of(const void *ptr, size_t len)
{
    return (struct span){ptr, len};
}

/* The bytes of a C string; NULL is the empty span. */
static inline struct span span_cstr(const char *s)
{
    return (struct span){s, s ? strlen(s) : 0};
}

/* The part of S from OFFSET on, at most LEN long; never outside S. */
static inline struct span span_sub(struct span s, size_t offset, size_t len)
{
    if (offset > s.len)
        offset = s.len;
    if (len > s.len - offset)
        len = s.len - offset;
    /* NULL has no bytes, so its offset is 0 here; asking for NULL instead would make analysers doubt every span. */
    return (struct span){offset > 0 ? s.ptr + offset : s.ptr, len};
}

bool span_eq(struct span a, struct span b);
bool span_eq_nocase(struct span a, struct span b); /* ASCII letters only, never the locale's */
bool span_starts(struct span s, struct span prefix);
bool span_starts_nocase(struct span s, struct span prefix);
bool span_ends_nocase(struct span s, struct span suffix);
struct span span_trim(struct span s); /* without blanks and tabs at both ends */

/* The next whole line of *TEXT, which is taken from it, without its LF or CRLF. False: it has none. */
bool span_take_line(struct span *text, struct span *line);

/* Index of the first C, or s.len. */
size_t span_find(struct span s, char c);
/* Index of the first NEEDLE, or s.len. */
size_t span_find_span(struct span s, struct span needle);
/* The same, by the octet at RARE of NEEDLE, which is not empty: many times faster where that octet is seldom in S. */
size_t span_find_rare(struct span s, struct span needle, size_t rare);

/* Character classes of ASCII, never the locale's. */
static inline bool char_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline char char_lower(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c;
}
static inline bool char_is_alpha(char c)
{
    return char_lower(c) >= 'a' && char_lower(c) <= 'z';
}
static inline bool char_is_alnum(char c)
{
    return char_is_alpha(c) || char_is_digit(c);
}
static inline bool char_is_blank(char c)
{
    return c == ' ' || c == '\t';
}
/* Printable ASCII, the blank included. */
static inline bool char_is_print(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7f;
}

#endif
