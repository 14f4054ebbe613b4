/* SPDX-License-Identifier: MIT */
/* Intrusive doubly linked lists. A node that is in no list points to itself, so that removing twice is harmless. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/compiler.h"
#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
/* Adds NODE, which is in no list, at the end. */
static inline void list_append(struct list *l, struct list *node)
{
    node->prev = l->prev;
    node->next = l;
    l->prev->next = node;
    l->prev = node;
}
static inline void list_prepend(struct list *l, struct list *node)
{
    list_append(l->next, node);
}
static inline void list_remove(struct list *node)
{
    node->next->prev = node->prev;
    node->prev->next = node->next;
    list_init(node);
}
/* First node removed from the list, or NULL. */
static inline struct list *list_take(struct list *l)
{
    struct list *node = l->next;
    if (node == l)
        return NULL;
    list_remove(node);
    return node;
}
/* Moves every node of FROM to the end of L; FROM is empty afterwards. */
static inline void list_move_all(struct list *l, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = l->prev;
    l->prev->next = from->next;
    from->prev->next = l;
    l->prev = from->prev;
    list_init(from);
}
#define LIST_EACH(node, head) for (struct list *node = (head)->next; node != (head); node = node->next)
/* As LIST_EACH, but NODE may be removed inside the loop. */
#define LIST_EACH_SAFE(node, head)                                                                                     \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head);                                  \
         node = node##_next, node##_next = node->next)

#endif
