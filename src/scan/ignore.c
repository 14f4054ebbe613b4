/* SPDX-License-Identifier: MIT */
/* False alarms by name and by digest. */
#include "scan/ignore.h"

#include <fnmatch.h>

enum { DIGEST_SIZE = 32 };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The digest that ENTRY holds; false: it holds none. */
static bool parse_digest(struct span entry, uint8_t out[DIGEST_SIZE])
{
    const struct span prefix = SPAN("sha256:");
    if (!span_eq_nocase(span_sub(entry, 0, prefix.len), prefix) || entry.len != prefix.len + 2 * (size_t)DIGEST_SIZE)
        return false;
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        int high = hex_value(entry.ptr[prefix.len + 2 * i]), low = hex_value(entry.ptr[prefix.len + 2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

bool ignore_is_digest(const char *entry, bool *good)
{
    uint8_t digest[DIGEST_SIZE];
    *good = parse_digest(span_cstr(entry), digest);
    return span_eq_nocase(span_sub(span_cstr(entry), 0, 7), SPAN("sha256:"));
}

bool ignore_is_paranoid(const char *entry)
{
    const struct span prefix = SPAN("Paranoid.");
    return span_eq_nocase(span_sub(span_cstr(entry), 0, prefix.len), prefix);
}

bool ignore_holds_name(const struct conf_list *list, const char *name)
{
    for (size_t i = 0; name[0] && i < list->count; i++)
        if (fnmatch(list->items[i], name, FNM_NOESCAPE) == 0)
            return true;
    return false;
}

bool ignore_holds_digest(const struct conf_list *list, const uint8_t digest[DIGEST_SIZE])
{
    uint8_t known[DIGEST_SIZE];
    for (size_t i = 0; i < list->count; i++)
        if (parse_digest(span_cstr(list->items[i]), known) && memcmp(known, digest, DIGEST_SIZE) == 0)
            return true;
    return false;
}
