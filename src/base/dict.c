/* SPDX-License-Identifier: MIT */
/* An array of pairs: with so few keys nothing is faster. */
#include "base/dict.h"
#include "base/limits.h"
#include "base/mem.h"

void dict_release(struct dict *d)
{
    for (size_t i = 0; i < d->count; i++) {
        mem_free(d->items[i].key);
        mem_free(d->items[i].value);
    }
    mem_free(d->items);
    *d = (struct dict){0};
}

static size_t find(const struct dict *d, const char *key)
{
    size_t i = 0;
    while (i < d->count && strcmp(d->items[i].key, key) != 0)
        i++;
    return i;
}

const char *dict_get(const struct dict *d, const char *key)
{
    size_t i = find(d, key);
    return i < d->count ? d->items[i].value : NULL;
}

static enum err make_room(struct dict *d)
{
    if (d->count < d->room)
        return ERR_OK;
    if (d->count == LIMIT_DICT_ENTRIES)
        return ERR_FULL;
    size_t room = d->room ? 2 * d->room : 4;
    struct dict_entry *more = mem_resize(d->items, room, sizeof(*more));
    if (!more)
        return ERR_NOMEM;
    d->items = more;
    d->room = room;
    return ERR_OK;
}

enum err dict_set(struct dict *d, const char *key, const char *value)
{
    if (strlen(key) > LIMIT_DICT_KEY || strlen(value) > LIMIT_DICT_VALUE)
        return ERR_FULL;
    size_t i = find(d, key);
    char *value_copy = mem_strdup(span_cstr(value));
    if (!value_copy)
        return ERR_NOMEM;
    if (i < d->count) {
        mem_free(d->items[i].value);
        d->items[i].value = value_copy;
        return ERR_OK;
    }
    enum err e = make_room(d);
    char *key_copy = e == ERR_OK ? mem_strdup(span_cstr(key)) : NULL;
    if (!key_copy) {
        mem_free(value_copy);
        return e == ERR_OK ? ERR_NOMEM : e;
    }
    d->items[d->count++] = (struct dict_entry){key_copy, value_copy};
    return ERR_OK;
}

void dict_remove(struct dict *d, const char *key)
{
    size_t i = find(d, key);
    if (i == d->count)
        return;
    mem_free(d->items[i].key);
    mem_free(d->items[i].value);
    d->count--;
    memmove(&d->items[i], &d->items[i + 1], (d->count - i) * sizeof(*d->items));
}
