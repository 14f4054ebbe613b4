/* SPDX-License-Identifier: MIT */
/* One character at a time; printable ASCII by the word. */
#include "base/utf8.h"

uint32_t utf8_next(struct span s, size_t *length)
{
    const unsigned char *u = (const unsigned char *)s.ptr;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    *length = 1;
    if (u[0] < 0x80)
        return u[0];
    size_t n = u[0] >= 0xf0 && u[0] < 0xf8 ? 4 : u[0] >= 0xe0 && u[0] < 0xf0 ? 3 : u[0] >= 0xc0 && u[0] < 0xe0 ? 2 : 0;
    if (n == 0 || n > s.len)
        return UTF8_BAD;
    uint32_t c = u[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return UTF8_BAD;
        c = c << 6 | (u[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return UTF8_BAD;
    *length = n;
    return c;
}

/* Whether an octet of WORD is below 0x20, or 0x7f, or above. What is above has its top bit set. Where none has, a
 * subtraction sets the top bit of the first octet that is too small: those before it borrow nothing. */
static bool has_other(uint64_t word)
{
    const uint64_t ones = UINT64_MAX / 255, tops = ones * 0x80;
    uint64_t deleted = word ^ ones * 0x7f;
    return ((word | (word - ones * 0x20) | (deleted - ones)) & tops) != 0;
}

size_t utf8_plain_run(struct span s)
{
    size_t n = 0;
    uint64_t word;
    for (; n + sizeof(word) <= s.len; n += sizeof(word)) {
        memcpy(&word, s.ptr + n, sizeof(word));
        if (has_other(word))
            break;
    }
    while (n < s.len && char_is_print(s.ptr[n]))
        n++;
    return n;
}

bool utf8_is_valid(struct span s)
{
    while (s.len > 0) {
        size_t n = utf8_plain_run(s);
        if (n == 0 && utf8_next(s, &n) == UTF8_BAD)
            return false;
        s = span_sub(s, n, s.len);
    }
    return true;
}

bool utf8_is_plain(struct span s)
{
    for (size_t i = utf8_plain_run(s); i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
            return false;
    return utf8_is_valid(s);
}
