/* SPDX-License-Identifier: MIT */
/* Numbers from text: the whole span or nothing, no signs, no blanks, no locale. */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include "base/err.h"
#include "base/span.h"
#include <stdint.h>

/* Decimal digits, at most MAX. ERR_SYNTAX: empty or another character; ERR_RANGE: larger than MAX. */
enum err num_parse_u64(struct span s, uint64_t max, uint64_t *out) must_use;

/* An octet count: digits with an optional K, M or G (powers of 1024, either case). */
enum err num_parse_size(struct span s, uint64_t max, uint64_t *out) must_use;

/* A time, in milliseconds: digits with an optional ms, s, m, h or d; a bare number is seconds. */
enum err num_parse_duration_ms(struct span s, uint64_t max_ms, uint64_t *out) must_use;

#endif
