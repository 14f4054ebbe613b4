/* SPDX-License-Identifier: MIT */
/* Comparing, searching and trimming borrowed bytes. A span without an address has no bytes either. */
#include "base/span.h"

bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool span_eq_nocase(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (char_lower(a.ptr[i]) != char_lower(b.ptr[i]))
            return false;
    return true;
}

bool span_starts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && span_eq(span_sub(s, 0, prefix.len), prefix);
}

bool span_starts_nocase(struct span s, struct span prefix)
{
    return s.len >= prefix.len && span_eq_nocase(span_sub(s, 0, prefix.len), prefix);
}

bool span_ends_nocase(struct span s, struct span suffix)
{
    return s.len >= suffix.len && span_eq_nocase(span_sub(s, s.len - suffix.len, suffix.len), suffix);
}

struct span span_trim(struct span s)
{
    while (s.len > 0 && char_is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && char_is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

size_t span_find(struct span s, char c)
{
    const char *hit = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return hit ? (size_t)(hit - s.ptr) : s.len;
}

size_t span_find_span(struct span s, struct span needle)
{
    const char *hit = s.len ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
    return hit ? (size_t)(hit - s.ptr) : s.len;
}

size_t span_find_rare(struct span s, struct span needle, size_t rare)
{
    enum { PATIENCE = 16 }; /* in octets for each that was in vain */
    size_t vain = 0, at = 0, last = needle.len - 1;
    while (at + needle.len <= s.len && vain * PATIENCE <= at + (size_t)PATIENCE * PATIENCE) {
        at += span_find(span_sub(s, at + rare, s.len - needle.len + 1 - at), needle.ptr[rare]);
        if (at + needle.len > s.len)
            return s.len;
        if (s.ptr[at + last] == needle.ptr[last] && memcmp(s.ptr + at, needle.ptr, needle.len) == 0)
            return at;
        at++;
        vain++;
    }
    return at + span_find_span(span_sub(s, at, s.len), needle);
}

bool span_take_line(struct span *text, struct span *line)
{
    size_t at = span_find(*text, '\n');
    if (at == text->len)
        return false;
    *line = span_sub(*text, 0, at);
    *text = span_sub(*text, at + 1, text->len);
    if (line->len > 0 && line->ptr[line->len - 1] == '\r')
        line->len--;
    return true;
}
