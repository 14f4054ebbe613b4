/* SPDX-License-Identifier: MIT */
/* Lists, arenas and allocation. */
#include "base/arena.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/obj.h"
#include <check.h>
#include <stdalign.h>
#include <stdint.h>

struct item {
    int number;
    struct list link;
};

/* The numbers of the items in L, as digits. */
static const char *digits(const struct list *l)
{
    static char text[32];
    size_t n = 0;
    LIST_EACH(node, l)
    {
        const struct item *item = (const void *)((const char *)node - offsetof(struct item, link));
        text[n++] = (char)('0' + item->number);
        ck_assert_ptr_eq(node->next->prev, node);
    }
    text[n] = '\0';
    return text;
}

START_TEST(a_list_keeps_the_order_of_its_nodes)
{
    struct list l;
    struct item items[5];
    list_init(&l);
    ck_assert(list_empty(&l));
    ck_assert_ptr_null(list_take(&l));
    for (int i = 0; i < 5; i++)
        items[i].number = i;
    list_append(&l, &items[1].link);
    list_append(&l, &items[2].link);
    list_prepend(&l, &items[0].link);
    ck_assert_str_eq(digits(&l), "012");
    list_remove(&items[1].link);
    ck_assert_str_eq(digits(&l), "02");
    list_remove(&items[1].link); /* harmless */
    ck_assert_str_eq(digits(&l), "02");
    ck_assert_ptr_eq(list_take(&l), &items[0].link);
    ck_assert_ptr_eq(container_of(list_take(&l), struct item, link), &items[2]);
    ck_assert(list_empty(&l));
}
END_TEST

START_TEST(a_list_moves_as_a_whole)
{
    struct list a, b;
    struct item items[4];
    list_init(&a);
    list_init(&b);
    for (int i = 0; i < 4; i++) {
        items[i].number = i;
        list_append(i < 2 ? &a : &b, &items[i].link);
    }
    list_move_all(&a, &b);
    ck_assert_str_eq(digits(&a), "0123");
    ck_assert(list_empty(&b));
    list_move_all(&a, &b); /* of nothing */
    ck_assert_str_eq(digits(&a), "0123");
    list_move_all(&b, &a); /* to an empty one */
    ck_assert_str_eq(digits(&b), "0123");
    LIST_EACH_SAFE(node, &b)
    {
        if (container_of(node, struct item, link)->number % 2)
            list_remove(node);
    }
    ck_assert_str_eq(digits(&b), "02");
}
END_TEST

START_TEST(an_arena_gives_zeroed_and_aligned_memory)
{
    struct arena a;
    arena_init(&a, 100000);
    for (size_t size = 0; size < 300; size++) {
        char *piece = arena_alloc(&a, size);
        ck_assert_ptr_nonnull(piece);
        ck_assert_uint_eq((uintptr_t)piece % alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            ck_assert_int_eq(piece[i], 0);
        memset(piece, 0xff, size);
    }
    ck_assert_uint_eq(a.used, 299 * 300 / 2);
    arena_release(&a);
    ck_assert_uint_eq(a.used, 0);
    ck_assert_ptr_nonnull(arena_alloc(&a, 1)); /* and is used again */
    arena_release(&a);
}
END_TEST

START_TEST(an_arena_ends_at_its_maximum)
{
    struct arena a;
    arena_init(&a, 10);
    ck_assert_ptr_nonnull(arena_alloc(&a, 6));
    ck_assert_ptr_null(arena_alloc(&a, 5));
    ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX));
    ck_assert_ptr_null(arena_strdup(&a, SPAN("abcd"))); /* its NUL does not fit */
    char *copy = arena_strdup(&a, SPAN("abc"));
    ck_assert_str_eq(copy, "abc");
    ck_assert_ptr_null(arena_alloc(&a, 1));
    arena_release(&a);
}
END_TEST

START_TEST(allocation_checks_its_product)
{
    volatile size_t many = SIZE_MAX / 2; /* the compiler must not see it */
    ck_assert_ptr_null(mem_new(many, 4));
    char *p = mem_new(0, 0);
    ck_assert_ptr_nonnull(p);
    ck_assert_ptr_null(mem_resize(p, many, 4)); /* and P stays */
    p = mem_resize(p, 3, 2);
    ck_assert_ptr_nonnull(p);
    memcpy(p, "abcde", 6);
    p = mem_resize(p, 100, 1);
    ck_assert_str_eq(p, "abcde");
    mem_free(p);
    char *copy = mem_strdup(span_of("abcdef", 3));
    ck_assert_str_eq(copy, "abc");
    mem_free(copy);
    copy = mem_strdup(span_of(NULL, 0));
    ck_assert_str_eq(copy, "");
    mem_free(copy);
    mem_free(NULL);
}
END_TEST

START_TEST(a_live_object_passes_its_check)
{
    struct {
        unsigned magic;
    } object, *none = &object;
    OBJ_INIT(&object, 0x12345678);
    OBJ_CHECK(none, 0x12345678);
    ck_assert_uint_eq(object.magic, 0x12345678);
    OBJ_FINI(&object);
    ck_assert_uint_eq(object.magic, 0);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_list_keeps_the_order_of_its_nodes)                                                                             \
    X(a_list_moves_as_a_whole)                                                                                         \
    X(an_arena_gives_zeroed_and_aligned_memory)                                                                        \
    X(an_arena_ends_at_its_maximum)                                                                                    \
    X(allocation_checks_its_product)                                                                                   \
    X(a_live_object_passes_its_check)
#include "support/check_main.h"
