/* SPDX-License-Identifier: MIT */
/* Numbers from text. */
#include "base/num.h"

enum err num_parse_u64(struct span s, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    bool over = false;
    if (s.len == 0)
        return ERR_SYNTAX;
    for (size_t i = 0; i < s.len; i++) {
        if (!char_is_digit(s.ptr[i]))
            return ERR_SYNTAX;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value) || value > max)
            over = true; /* go on: a stray character later is the better thing to report */
    }
    if (over)
        return ERR_RANGE;
    *out = value;
    return ERR_OK;
}

struct num_unit {
    struct span suffix;
    uint64_t factor;
};

/* Digits followed by one of UNITS (the first that fits, longest first) or by nothing (factor BARE). */
static enum err num_parse_unit(struct span s, const struct num_unit *units, size_t count, uint64_t bare, uint64_t max,
                               uint64_t *out)
{
    uint64_t factor = bare, value;
    for (size_t i = 0; i < count; i++) {
        if (span_ends_nocase(s, units[i].suffix)) {
            factor = units[i].factor;
            s.len -= units[i].suffix.len;
            break;
        }
    }
    enum err e = num_parse_u64(s, UINT64_MAX, &value);
    if (e != ERR_OK)
        return e;
    if (__builtin_mul_overflow(value, factor, &value) || value > max)
        return ERR_RANGE;
    *out = value;
    return ERR_OK;
}

enum err num_parse_size(struct span s, uint64_t max, uint64_t *out)
{
    static const struct num_unit units[] = {{{"K", 1}, 1024}, {{"M", 1}, 1 << 20}, {{"G", 1}, 1 << 30}};
    return num_parse_unit(s, units, ARRAY_SIZE(units), 1, max, out);
}

enum err num_parse_duration_ms(struct span s, uint64_t max_ms, uint64_t *out)
{
    static const struct num_unit units[] = {
        {{"ms", 2}, 1}, {{"s", 1}, 1000}, {{"m", 1}, 60000}, {{"h", 1}, 3600000}, {{"d", 1}, 86400000}};
    return num_parse_unit(s, units, ARRAY_SIZE(units), 1000, max_ms, out);
}
