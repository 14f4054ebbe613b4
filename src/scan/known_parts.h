/* SPDX-License-Identifier: MIT */
/* A message's parts in an engine's memory (verdict_cache.h): the same virus in another mail is known by the part that
 * it is. Reads the table of contents of the sealed parts file (parts.h), on the event loop: KNOWN_PARTS_LOOKED_UP rows
 * of fixed size at most, and none while no part is known. What stands behind them is scanned, known or not.
 */
#ifndef SCAN_KNOWN_PARTS_H
#define SCAN_KNOWN_PARTS_H

#include "scan/verdict_cache.h"

enum { KNOWN_PARTS_LOOKED_UP = 1024 };

struct known_parts_file {
    int fd;
    uint64_t size, message; /* octets of the file and of its message */
};
/* The first part that the engine has found infected; OUT as of verdict_cache_find_part, with the part's name in this
 * message. */
bool known_parts_find(struct verdict_cache *c, const struct known_parts_file *file, struct verdict_cache_view view,
                      uint64_t now_us, struct verdict *out);
/* Keeps V, which the engine has just said of one of these parts. Not where the file has several of that name: which of
 * them it was nobody knows then. */
void known_parts_learn(struct verdict_cache *c, const struct known_parts_file *file, const struct verdict *v,
                       uint64_t now_us);

#endif
