/* SPDX-License-Identifier: MIT */
/* Bounds: depth, size, number of findings, and memory that runs out at every single allocation. Linked with calloc and
 * realloc wrapped (tests/CMakeLists.txt). (C24) */
#include "base/limits.h"
#include "unit/conf/fixture.h"

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
static long allocations_left = -1; /* negative: no end */
static bool allocations_resume;    /* only one fails */
static bool allocation_failed;

static bool allocation_fails(void)
{
    if (allocations_left < 0 || allocations_left-- > 0)
        return false;
    allocation_failed = true;
    allocations_left = allocations_resume ? -1 : 0;
    return true;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : __real_calloc(count, size);
}
void *__wrap_realloc(void *old, size_t size)
{
    return allocation_fails() ? NULL : __real_realloc(old, size);
}

static char *repeat(const char *before, const char *part, size_t times, const char *after)
{
    size_t len = strlen(part), first = strlen(before);
    char *text = malloc(first + len * times + strlen(after) + 1);
    memcpy(text, before, first);
    for (size_t i = 0; i < times; i++)
        memcpy(text + first + i * len, part, len);
    memcpy(text + first + len * times, after, strlen(after) + 1);
    return text;
}

START_TEST(nesting_ends_at_its_limit)
{
    char *text = repeat("Control_Listener { ", "a { ", 100000, "");
    fixture_expect(text, "p.conf:1:142: scopes and includes are nested more than 32 deep\n");
    free(text);
}
END_TEST

START_TEST(includes_end_at_their_limit)
{
    /* given files that each include the next one by a longer path */
    char names[LIMIT_CONFIG_DEPTH + 2][8], texts[LIMIT_CONFIG_DEPTH + 2][24];
    const char *files[2 * (LIMIT_CONFIG_DEPTH + 2) + 1] = {NULL};
    for (int i = 0; i < LIMIT_CONFIG_DEPTH + 2; i++) {
        snprintf(names[i], sizeof(names[i]), "f%d", i);
        snprintf(texts[i], sizeof(texts[i]), "include f%d", i + 1);
        files[2 * i] = names[i];
        files[2 * i + 1] = texts[i];
    }
    struct fixture f;
    fixture_load_files(&f, files);
    ck_assert_str_eq(fixture_findings(&f), "f31:1:9: scopes and includes are nested more than 32 deep\n");
    fixture_release(&f);
}
END_TEST

START_TEST(includes_that_multiply_end_at_the_number_of_files)
{
    /* given 20 files that each include the next one twice: a million files */
    char names[21][8], texts[21][40];
    const char *files[43] = {NULL};
    for (int i = 0; i < 21; i++) {
        snprintf(names[i], sizeof(names[i]), "f%d", i);
        texts[i][0] = '\0';
        if (i < 20)
            snprintf(texts[i], sizeof(texts[i]), "include f%d include f%d", i + 1, i + 1);
        files[2 * i] = names[i];
        files[2 * i + 1] = texts[i];
    }
    struct fixture f;
    fixture_load_files(&f, files);
    ck_assert_uint_gt(f.problems.errors, 0);
    ck_assert_ptr_nonnull(strstr(f.problems.first->text, "more than 1000 files"));
    fixture_release(&f);
}
END_TEST

START_TEST(findings_without_end_are_counted_and_reported_as_lost)
{
    char *text = repeat("", "unknown_thing = 1\n", 9999, "");
    struct fixture f;
    fixture_load(&f, text);
    ck_assert_uint_gt(f.problems.errors, 1000);
    ck_assert_int_eq(f.result, ERR_FULL);
    ck_assert_int_eq(f.problems.lost, ERR_FULL);
    fixture_release(&f);
    free(text);
}
END_TEST

START_TEST(entries_without_end_are_an_error)
{
    static const char *const parts[][3] = {{"", "a { } ", ""},
                                           {"Control_Listener { ", "b = 1 ", " }"},
                                           {"antivirus { clamav { database = / paths = ( ", "x ", ") } }"}};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        char *text = repeat(parts[i][0], parts[i][1], LIMIT_CONFIG_ENTRIES + 5, parts[i][2]);
        struct fixture f;
        bool found = false;
        fixture_load(&f, text);
        for (const struct problem *p = f.problems.first; p; p = p->next)
            found = found || strstr(p->text, "more than 10000 entries in one place");
        ck_assert(found);
        fixture_release(&f);
        free(text);
    }
}
END_TEST

START_TEST(a_file_beyond_its_limit_is_refused)
{
    char *text = repeat("", "# a long comment in a file that is far too large\n", LIMIT_CONFIG_FILE / 49 + 1, "");
    struct fixture f;
    fixture_load(&f, text);
    ck_assert_str_eq(fixture_findings(&f), "p.conf: cannot be read: limit reached\n");
    fixture_release(&f);
    free(text);
}
END_TEST

START_TEST(a_tree_beyond_its_limit_is_refused)
{
    /* given many files, each within its own limit, whose tree outgrows the bound on the whole */
    char *one =
        repeat("Control_Listener { x = ( ",
               "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz ", 10000, ") }\n");
    char *all = repeat("", "include a\n", 100, "");
    const char *const files[] = {"p.conf", all, "a", one, NULL};
    struct fixture f;
    fixture_load_files(&f, files);
    ck_assert_int_eq(f.result, ERR_FULL);
    ck_assert_ptr_nonnull(
        strstr(fixture_findings(&f), "p.conf: the configuration is too large: more than 64 MiB as a tree\n"));
    fixture_release(&f);
    free(one);
    free(all);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    static const char text[] =
        "hostname = gw scan = 7 include b ESMTP_Listener { Listen a { banner = \"x y\" } }\n"
        "antivirus { clamav { database = / paths = ( a b ) headers = [ a = b ] } kaspersky k { x = ( a ) y { } } }\n"
        "Validate validate/av_clamav c passive { database = here }";
    const char *const files[] = {"p.conf", text, "b", "event_loops = x", NULL};
    for (int resume = 0; resume < 2; resume++) {
        struct fixture f;
        long n = 0;
        for (;; n++) {
            allocations_left = n;
            allocations_resume = resume;
            allocation_failed = false;
            fixture_load_files(&f, files);
            allocations_left = -1;
            if (!allocation_failed)
                break;
            ck_assert_msg(f.result == ERR_NOMEM || f.result == ERR_FULL, "allocation %ld: %s", n, err_name(f.result));
            ck_assert_uint_gt(f.problems.errors, 0);
            fixture_release(&f);
        }
        ck_assert_int_gt(n, 50);
        ck_assert_int_eq(f.result, ERR_OK);
        fixture_release(&f);
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(nesting_ends_at_its_limit)                                                                                       \
    X(includes_end_at_their_limit)                                                                                     \
    X(includes_that_multiply_end_at_the_number_of_files)                                                               \
    X(findings_without_end_are_counted_and_reported_as_lost)                                                           \
    X(entries_without_end_are_an_error)                                                                                \
    X(a_file_beyond_its_limit_is_refused)                                                                              \
    X(a_tree_beyond_its_limit_is_refused)                                                                              \
    X(every_allocation_may_fail)
#include "support/check_main.h"
