/* SPDX-License-Identifier: MIT */
/* A small dictionary of text, bounded: at most LIMIT_DICT_ENTRIES keys of LIMIT_DICT_KEY octets with values of
 * LIMIT_DICT_VALUE. Keys are compared octet by octet. All zero is an empty one. Lookups are linear. */
#ifndef BASE_DICT_H
#define BASE_DICT_H

#include "base/err.h"
#include "base/span.h"

struct dict_entry {
    char *key, *value;
};

struct dict {
    struct dict_entry *items; /* in the order in which the keys came */
    size_t count, room;
};

void dict_release(struct dict *d);
/* The value of KEY, or NULL; valid until the next change. */
const char *dict_get(const struct dict *d, const char *key);
/* Copies both; a value that is there already is replaced. ERR_FULL: too many keys, or one of the two is too long;
 * ERR_NOMEM. In both cases D is as it was. */
enum err dict_set(struct dict *d, const char *key, const char *value) must_use;
/* Harmless where KEY is not there. */
void dict_remove(struct dict *d, const char *key);

#endif
