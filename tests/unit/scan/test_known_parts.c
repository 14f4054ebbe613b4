/* SPDX-License-Identifier: MIT */
/* Which parts of a message an engine knows, and which of its words are kept about which part (B40). */
#include "scan/known_parts.h"
#include "sys/memfd.h"
#include "unit/scan/parts_sample.h"
#include <check.h>
#include <unistd.h>

enum { GENERATION = 3, DATABASE = 27500, MESSAGE = 1000 };

static const struct verdict_cache_view now_view = {GENERATION, DATABASE};

static struct verdict_cache *make_cache(void)
{
    static const uint64_t key[VERDICT_CACHE_KEYS] = {1, 3, 5, 7, 11, 13, 17, 19, 23};
    const struct verdict_cache_conf conf = {.capacity = 10, .clean = true, .generations = true};
    struct verdict_cache *c = verdict_cache_new(&conf, key);
    ck_assert_ptr_nonnull(c);
    return c;
}

static struct known_parts_file file_of(const struct sample_part *parts, size_t count)
{
    struct buf octets;
    parts_sample(parts, count, &octets);
    struct known_parts_file file = {.fd = memfd_new("parts"), .size = buf_len(&octets), .message = MESSAGE};
    ck_assert_int_ge(file.fd, 0);
    ck_assert_int_eq(fd_write_all(file.fd, buf_span(&octets)), ERR_OK);
    ck_assert_int_eq(memfd_seal(file.fd), ERR_OK);
    buf_release(&octets);
    return file;
}

static struct verdict word(enum verdict_class class, const char *name, const char *part)
{
    struct verdict v;
    verdict_set(&v, class, VERDICT_REASON_NONE, NULL);
    verdict_copy_text(v.name, sizeof(v.name), span_cstr(name));
    verdict_copy_text(v.part, sizeof(v.part), span_cstr(part));
    v.generation = GENERATION;
    v.database_version = DATABASE;
    return v;
}

static void learn(struct verdict_cache *c, const struct sample_part *parts, size_t count, const struct verdict *v)
{
    struct known_parts_file file = file_of(parts, count);
    known_parts_learn(c, &file, v, 0);
    close(file.fd);
}

static bool find(struct verdict_cache *c, const struct sample_part *parts, size_t count, struct verdict *out)
{
    struct known_parts_file file = file_of(parts, count);
    bool found = known_parts_find(c, &file, now_view, 0, out);
    close(file.fd);
    return found;
}

static size_t known(struct verdict_cache *c)
{
    struct verdict_cache_stats s;
    verdict_cache_stats(c, &s);
    ck_assert_uint_eq(s.parts, s.elements);
    return s.parts;
}

static const struct sample_part worm[] = {{"1", "see there", 1}, {"2", "the worm", 2}};

START_TEST(an_infected_part_is_known_in_another_message_by_its_place_there)
{
    static const struct sample_part other[] = {{"1", "hello", 7}, {"2.1", "a picture", 8}, {"2.4", "the worm", 2}};
    struct verdict_cache *c = make_cache();
    struct verdict v = word(VERDICT_INFECTED, "Some.Worm", "2"), out;
    learn(c, worm, ARRAY_SIZE(worm), &v);
    ck_assert_uint_eq(known(c), 1);
    ck_assert(find(c, other, ARRAY_SIZE(other), &out));
    ck_assert_int_eq(out.class, VERDICT_INFECTED);
    ck_assert_str_eq(out.name, "Some.Worm");
    ck_assert_str_eq(out.part, "2.4");
    ck_assert(out.cached);
    ck_assert(!find(c, other, 2, &out)); /* without it */
    verdict_cache_free(c);
}
END_TEST

/* A message of very many parts must not hold the event loop up. */
START_TEST(only_so_many_parts_of_a_message_are_looked_up)
{
    static struct sample_part many[KNOWN_PARTS_LOOKED_UP + 1];
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = (struct sample_part){"1", "a word", 7};
    struct verdict_cache *c = make_cache();
    struct verdict v = word(VERDICT_INFECTED, "Some.Worm", "2"), out;
    learn(c, worm, ARRAY_SIZE(worm), &v);
    many[KNOWN_PARTS_LOOKED_UP] = worm[1];
    ck_assert(!find(c, many, ARRAY_SIZE(many), &out));
    many[KNOWN_PARTS_LOOKED_UP - 1] = worm[1];
    ck_assert(find(c, many, ARRAY_SIZE(many), &out));
    verdict_cache_free(c);
}
END_TEST

/* B40 */
START_TEST(a_part_is_known_only_where_digest_and_size_are_the_same)
{
    static const struct sample_part rows[] = {{"2", "the worm", 3}, {"2", "the worm!", 2}, {"2", "the wor", 2}};
    struct verdict_cache *c = make_cache();
    struct verdict v = word(VERDICT_INFECTED, "Some.Worm", "2"), out;
    learn(c, worm, ARRAY_SIZE(worm), &v);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_msg(!find(c, &rows[i], 1, &out), "row %zu", i);
    ck_assert(find(c, &worm[1], 1, &out));
    verdict_cache_free(c);
}
END_TEST

/* B40 */
START_TEST(only_what_was_found_in_one_certain_part_is_kept_about_it)
{
    static const struct sample_part doubtful[] = {{"1", "everybody's picture", 1}, {"1", "the worm", 2}};
    static const struct {
        enum verdict_class class;
        const char *part;
        bool doubtful; /* two parts have this name */
    } rows[] = {
        {VERDICT_INFECTED, "", false},   /* in the message, nobody says where */
        {VERDICT_INFECTED, "3", false},  /* there is none */
        {VERDICT_INFECTED, "2.", false}, /* nor this */
        {VERDICT_INFECTED, "1", true},   {VERDICT_CLEAN, "2", false},
        {VERDICT_ERROR, "2", false},     {VERDICT_UNSCANNABLE, "2", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct verdict_cache *c = make_cache();
        struct verdict v = word(rows[i].class, "Some.Worm", rows[i].part);
        learn(c, rows[i].doubtful ? doubtful : worm, 2, &v);
        ck_assert_msg(known(c) == 0, "row %zu", i);
        verdict_cache_free(c);
    }
}
END_TEST

/* B40 */
START_TEST(parts_end_with_the_signatures_that_they_were_found_by)
{
    struct verdict_cache *c = make_cache();
    struct verdict v = word(VERDICT_INFECTED, "Some.Worm", "2"), out;
    struct known_parts_file file = file_of(worm, ARRAY_SIZE(worm));
    known_parts_learn(c, &file, &v, 0);
    ck_assert(known_parts_find(c, &file, now_view, 0, &out));
    ck_assert(!known_parts_find(c, &file, (struct verdict_cache_view){GENERATION + 1, DATABASE}, 0, &out));
    ck_assert_uint_eq(known(c), 0);
    known_parts_learn(c, &file, &v, 0); /* the old generation's last words */
    ck_assert_uint_eq(known(c), 0);
    close(file.fd);
    verdict_cache_free(c);
}
END_TEST

START_TEST(a_file_that_makes_no_sense_tells_of_no_part)
{
    struct verdict_cache *c = make_cache();
    struct verdict v = word(VERDICT_INFECTED, "Some.Worm", "2"), out;
    struct known_parts_file none = {.fd = -1, .size = 100, .message = MESSAGE}, file = file_of(worm, ARRAY_SIZE(worm));
    known_parts_learn(c, &file, &v, 0);
    struct known_parts_file cut = file;
    cut.size = PARTS_HEAD + 20;
    struct known_parts_file empty = file;
    empty.size = 0;
    ck_assert(!known_parts_find(c, &none, now_view, 0, &out));
    ck_assert(!known_parts_find(c, &cut, now_view, 0, &out));
    ck_assert(!known_parts_find(c, &empty, now_view, 0, &out));
    ck_assert(known_parts_find(c, &file, now_view, 0, &out));
    ck_assert_uint_eq(verdict_cache_purge_all(c), 1);
    known_parts_learn(c, &none, &v, 0);
    known_parts_learn(c, &cut, &v, 0);
    known_parts_learn(c, &empty, &v, 0);
    ck_assert_uint_eq(known(c), 0);
    close(file.fd);
    verdict_cache_free(c);
}
END_TEST

START_TEST(a_cache_that_is_switched_off_knows_no_part)
{
    struct verdict v = word(VERDICT_INFECTED, "Some.Worm", "2"), out;
    learn(NULL, worm, ARRAY_SIZE(worm), &v);
    ck_assert(!find(NULL, worm, ARRAY_SIZE(worm), &out));
}
END_TEST

#define CASES(X)                                                                                                       \
    X(an_infected_part_is_known_in_another_message_by_its_place_there)                                                 \
    X(only_so_many_parts_of_a_message_are_looked_up)                                                                   \
    X(a_part_is_known_only_where_digest_and_size_are_the_same)                                                         \
    X(only_what_was_found_in_one_certain_part_is_kept_about_it)                                                        \
    X(parts_end_with_the_signatures_that_they_were_found_by)                                                           \
    X(a_file_that_makes_no_sense_tells_of_no_part)                                                                     \
    X(a_cache_that_is_switched_off_knows_no_part)
#include "support/check_main.h"
