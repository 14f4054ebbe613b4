/* SPDX-License-Identifier: MIT */
/* Connections that several processes share. */
#include <check.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "scan/engine/connection_limit.h"

START_TEST(without_a_word_of_the_server_there_is_no_limit)
{
    struct connection_limit *l = connection_limit_new();
    ck_assert(l != NULL);
    ck_assert_uint_eq(connection_limit_get(l, 0), 0);
    connection_limit_set(l, 0, 1000000);
    ck_assert_uint_eq(connection_limit_get(l, 0), 0);
    connection_limit_set(l, 0, 3);
    ck_assert_uint_eq(connection_limit_get(l, 0), 3);
    ck_assert_uint_eq(connection_limit_get(l, 1), 0);
    connection_limit_free(l);
}
END_TEST

START_TEST(there_are_as_many_places_as_the_server_allows)
{
    struct connection_limit *l = connection_limit_new();
    struct connection_lease a, b, c;
    connection_limit_set(l, 2, 2);
    ck_assert(connection_limit_take(l, 2, 100, 1000, &a));
    ck_assert(connection_limit_take(l, 2, 100, 1000, &b));
    ck_assert(!connection_limit_take(l, 2, 100, 1000, &c));
    connection_limit_give_back(l, &a);
    ck_assert(connection_limit_take(l, 2, 100, 1001, &c));
    connection_limit_give_back(l, &a); /* that place is another's now */
    ck_assert(!connection_limit_take(l, 2, 100, 1000, &a));
    connection_limit_free(l);
}
END_TEST

START_TEST(a_lease_ends_and_one_without_end_is_none)
{
    struct connection_limit *l = connection_limit_new();
    struct connection_lease a, b;
    connection_limit_set(l, 0, 1);
    ck_assert(connection_limit_take(l, 0, 100, 200, &a));
    ck_assert(!connection_limit_take(l, 0, 199, 300, &b));
    ck_assert(connection_limit_take(l, 0, 200, UINT64_MAX, &b));
    ck_assert(connection_limit_take(l, 0, 201, 300, &a));
    connection_limit_free(l);
}
END_TEST

START_TEST(processes_share_it_and_a_killed_one_s_place_comes_back)
{
    struct connection_limit *l = connection_limit_new();
    struct connection_lease a;
    int status;
    connection_limit_set(l, 0, 1);
    pid_t pid = fork();
    ck_assert(pid >= 0);
    if (pid == 0) {
        bool good = connection_limit_take(l, 0, 100, 200, &a);
        _exit(good ? 0 : 1);
    }
    ck_assert(waitpid(pid, &status, 0) == pid && status == 0);
    ck_assert(!connection_limit_take(l, 0, 150, 300, &a));
    ck_assert(connection_limit_take(l, 0, 200, 300, &a));
    connection_limit_free(l);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(without_a_word_of_the_server_there_is_no_limit)                                                                  \
    X(there_are_as_many_places_as_the_server_allows)                                                                   \
    X(a_lease_ends_and_one_without_end_is_none)                                                                        \
    X(processes_share_it_and_a_killed_one_s_place_comes_back)
#include "support/check_main.h"
