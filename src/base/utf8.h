/* SPDX-License-Identifier: MIT */
/* UTF-8 (RFC 3629): without overlong forms, surrogates, and what is beyond U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/span.h"
#include <stdint.h>

#define UTF8_BAD UINT32_MAX
/* The character at the begin of S, which is not empty, and its length; UTF8_BAD: there is none, *LENGTH is 1. */
uint32_t utf8_next(struct span s, size_t *length);
bool utf8_is_valid(struct span s);
/* How many octets at the begin of S are printable ASCII, the blank included: most of most texts, at once. */
size_t utf8_plain_run(struct span s);
/* The same, and no control character of ASCII, NUL included. */
bool utf8_is_plain(struct span s);

#endif
