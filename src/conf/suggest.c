/* SPDX-License-Identifier: MIT */
/* Names: comparing them, finding them in the tables, and guessing which one was meant. */
#include "conf/tree.h"

enum { SUGGEST_MAX = 48 }; /* longer names are not worth guessing */

bool name_same(const char *a, const char *b)
{
    return span_eq_nocase(span_cstr(a), span_cstr(b));
}

bool class_within(const struct scope_class *c, const struct scope_class *ancestor)
{
    if (!ancestor)
        return true;
    while (c && c != ancestor)
        c = c->parent;
    return c != NULL;
}

const struct directive *class_row(const struct scope_class *c, const char *name)
{
    for (size_t i = 0; i < c->row_count; i++)
        if (name_same(c->rows[i].name, name))
            return &c->rows[i];
    return NULL;
}

const struct directive *class_row_within(const struct conf_classes *classes, const struct scope_class *ancestor,
                                         const char *name, const struct scope_class **owner)
{
    for (size_t i = 0; i < classes->count; i++) {
        const struct directive *row =
            class_within(classes->items[i], ancestor) ? class_row(classes->items[i], name) : NULL;
        if (row) {
            *owner = classes->items[i];
            return row;
        }
    }
    return NULL;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap neighbours) that make B of A; both at most SUGGEST_MAX long. */
static unsigned name_distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    unsigned rows[3][SUGGEST_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= lb; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            char x = char_lower(a[i - 1]), y = char_lower(b[j - 1]);
            now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == char_lower(b[j - 2]) && y == char_lower(a[i - 2]))
                now[j] = least(now[j], before[j - 2] + 1);
        }
        unsigned *turn = before;
        before = last;
        last = now;
        now = turn;
    }
    return last[lb];
}

void suggestion_init(struct suggestion *s, const char *name)
{
    /* One slip in a short name, one in every three letters of a longer one. */
    size_t len = strlen(name);
    *s = (struct suggestion){.name = name, .distance = len > SUGGEST_MAX ? 0 : 2 + (unsigned)(len / 4)};
    if (len < 3)
        s->distance = len ? 2 : 0;
}

void suggestion_offer(struct suggestion *s, const char *candidate)
{
    if (s->distance == 0 || strlen(candidate) > SUGGEST_MAX)
        return;
    unsigned distance = name_distance(s->name, candidate);
    if (distance < s->distance) {
        s->distance = distance;
        s->best = candidate;
    }
}
