/* SPDX-License-Identifier: MIT */
/* Host names of backends: at once where they are addresses, again and again where they are not known yet. */
#include "daemon/resolver.h"
#include <check.h>
#include <pthread.h>

struct heard {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    unsigned calls;
    size_t index;
    struct addr addr;
};

static void on_resolved(void *arg, size_t index, const struct addr *a)
{
    struct heard *h = arg;
    pthread_mutex_lock(&h->lock);
    h->calls++;
    h->index = index;
    h->addr = *a;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
}

START_TEST(an_address_needs_no_lookup)
{
    struct addr a;
    struct errtext why;
    char text[ADDR_TEXT];
    ck_assert_int_eq(resolver_lookup("127.0.0.1:2525", &a, &why), ERR_OK);
    ck_assert_str_eq(addr_format(&a, text), "127.0.0.1:2525");
    ck_assert_int_eq(resolver_lookup("[::1]:26", &a, &why), ERR_OK);
    ck_assert_str_eq(addr_format(&a, text), "[::1]:26");
}
END_TEST

START_TEST(a_name_that_is_not_found_is_told_by_name)
{
    struct addr a;
    struct errtext why;
    ck_assert_int_eq(resolver_lookup("no-such-host.invalid:25", &a, &why), ERR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(why.text, "\"no-such-host.invalid:25\" cannot be resolved"));
}
END_TEST

START_TEST(a_name_that_becomes_known_is_told_once_with_its_index)
{
    const char *const names[] = {"localhost:2525", "no-such-host.invalid:25"};
    const size_t indices[] = {7, 8};
    struct heard h = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    struct resolver *r = resolver_start(names, indices, 2, 1, on_resolved, &h);
    ck_assert_ptr_nonnull(r);
    pthread_mutex_lock(&h.lock);
    while (h.calls == 0)
        pthread_cond_wait(&h.wake, &h.lock);
    pthread_mutex_unlock(&h.lock);
    resolver_stop(r); /* the other name is still being looked for: that is not waited for */
    ck_assert_uint_eq(h.calls, 1);
    ck_assert_uint_eq(h.index, 7);
    char text[ADDR_TEXT];
    addr_format(&h.addr, text);
    ck_assert_msg(strstr(text, ":2525") != NULL, "%s", text);
}
END_TEST

START_TEST(a_resolver_that_found_everything_ends_by_itself)
{
    const char *const names[] = {"127.0.0.1:1", "127.0.0.1:2"};
    const size_t indices[] = {0, 1};
    struct heard h = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    struct resolver *r = resolver_start(names, indices, 2, 1, on_resolved, &h);
    pthread_mutex_lock(&h.lock);
    while (h.calls < 2)
        pthread_cond_wait(&h.wake, &h.lock);
    pthread_mutex_unlock(&h.lock);
    resolver_stop(r);
    ck_assert_uint_eq(h.calls, 2);
}
END_TEST

/* A lookup can outlive the configuration that the names stand in. */
START_TEST(names_may_go_when_the_resolver_has_started)
{
    enum { LATER_MS = 300 };
    char name[] = "127.0.0.1:1";
    const char *const names[] = {name};
    const size_t indices[] = {0};
    struct heard h = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    struct resolver *r = resolver_start(names, indices, 1, LATER_MS, on_resolved, &h);
    name[sizeof(name) - 2] = '2'; /* as reused memory would */
    pthread_mutex_lock(&h.lock);
    while (h.calls == 0)
        pthread_cond_wait(&h.wake, &h.lock);
    pthread_mutex_unlock(&h.lock);
    resolver_stop(r);
    char text[ADDR_TEXT];
    ck_assert_str_eq(addr_format(&h.addr, text), "127.0.0.1:1");
}
END_TEST

#define CASES(X)                                                                                                       \
    X(an_address_needs_no_lookup)                                                                                      \
    X(a_name_that_is_not_found_is_told_by_name)                                                                        \
    X(a_name_that_becomes_known_is_told_once_with_its_index)                                                           \
    X(a_resolver_that_found_everything_ends_by_itself)                                                                 \
    X(names_may_go_when_the_resolver_has_started)
#include "support/check_main.h"
