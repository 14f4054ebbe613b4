/* SPDX-License-Identifier: MIT */
/* The cache of verdicts: what is kept, for how long, who gives way, what is deleted; and all of it from several threads
 * at once. */
#include "scan/verdict_cache.h"
#include <check.h>
#include <pthread.h>
#include <stdint.h>

enum { SECOND = 1000000 };

static const uint64_t key[VERDICT_CACHE_KEYS] = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb,
                                                 0xd6e8feb86659fd93, 0xa0761d6478bd642f, 0xe7037ed1a0b428db,
                                                 0x8ebc6af09c88c6e3, 0x589965cc75374cc3, 0x1d8e4e27c47d124f};

static struct verdict_cache *make(size_t capacity, bool clean, bool generations)
{
    const struct verdict_cache_conf conf = {.capacity = capacity, .clean = clean, .generations = generations};
    struct verdict_cache *c = verdict_cache_new(&conf, key);
    ck_assert_ptr_nonnull(c);
    return c;
}

struct digest {
    uint8_t bytes[VERDICT_CACHE_DIGEST];
};

static struct digest digest_of(unsigned number)
{
    struct digest d = {{0}};
    memcpy(d.bytes, &number, sizeof(number));
    d.bytes[31] = 0xd1;
    return d;
}

static struct verdict infected(const char *name, unsigned generation, uint64_t database)
{
    struct verdict v;
    verdict_set(&v, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
    verdict_copy_text(v.name, sizeof(v.name), span_cstr(name));
    v.generation = generation;
    v.database_version = database;
    v.scan_us = 1000;
    return v;
}

static void put(struct verdict_cache *c, unsigned number, const struct verdict *v, uint64_t now)
{
    struct digest d = digest_of(number);
    verdict_cache_put(c, d.bytes, v, now);
}

static void put_virus(struct verdict_cache *c, unsigned number, const char *name)
{
    struct verdict v = infected(name, 1, 27500);
    put(c, number, &v, 0);
}

static bool find(struct verdict_cache *c, unsigned number, unsigned generation, uint64_t database, uint64_t now)
{
    struct digest d = digest_of(number);
    struct verdict v;
    return verdict_cache_find(c, d.bytes, (struct verdict_cache_view){generation, database}, now, &v);
}

static struct verdict_cache_stats stats_of(struct verdict_cache *c)
{
    struct verdict_cache_stats s;
    verdict_cache_stats(c, &s);
    return s;
}

static size_t elements(struct verdict_cache *c)
{
    return stats_of(c).elements;
}

START_TEST(a_known_virus_is_infected_by_its_name_and_takes_no_time)
{
    struct verdict_cache *c = make(10, false, true);
    struct digest d = digest_of(7);
    struct verdict v = infected("Some.Virus", 3, 27500), out;
    v.queue_us = 5;
    verdict_cache_put(c, d.bytes, &v, 0);
    ck_assert(verdict_cache_find(c, d.bytes, (struct verdict_cache_view){3, 27500}, 1, &out));
    ck_assert_int_eq(out.class, VERDICT_INFECTED);
    ck_assert_str_eq(out.name, "Some.Virus");
    ck_assert_uint_eq(out.database_version, 27500);
    ck_assert_uint_eq(out.generation, 3);
    ck_assert_uint_eq(out.queue_us, 0);
    ck_assert_uint_eq(out.scan_us, 0);
    ck_assert(out.cached);
    ck_assert(!find(c, 8, 3, 27500, 1));
    struct verdict_cache_stats s = stats_of(c);
    ck_assert_uint_eq(s.hits, 1);
    ck_assert_uint_eq(s.misses, 1);
    ck_assert_uint_eq(s.inserts, 1);
    ck_assert_uint_eq(s.elements, 1);
    ck_assert_uint_eq(s.capacity, 10);
    verdict_cache_free(c);
}
END_TEST

/* B40 */
START_TEST(digests_that_differ_in_any_octet_are_different_messages)
{
    struct verdict_cache *c = make(100, false, true);
    struct digest d = digest_of(0);
    struct verdict v = infected("Some.Virus", 1, 27500), out;
    verdict_cache_put(c, d.bytes, &v, 0);
    for (size_t i = 0; i < sizeof(d.bytes); i++) {
        struct digest other = d;
        other.bytes[i] ^= 1;
        ck_assert(!verdict_cache_find(c, other.bytes, (struct verdict_cache_view){1, 27500}, 0, &out));
    }
    ck_assert(verdict_cache_find(c, d.bytes, (struct verdict_cache_view){1, 27500}, 0, &out));
    verdict_cache_free(c);
}
END_TEST

/* B40 */
START_TEST(only_what_a_complete_scan_has_settled_is_kept)
{
    static const struct {
        enum verdict_class class;
        enum verdict_reason reason;
        const char *detail;
        unsigned generation;
        uint64_t database;
        bool cached, kept, kept_with_clean;
    } rows[] = {
        {VERDICT_INFECTED, VERDICT_REASON_NONE, "", 1, 9, false, true, true},
        {VERDICT_INFECTED, VERDICT_REASON_NONE, "", 1, 0, false, true, true},
        {VERDICT_INFECTED, VERDICT_REASON_NONE, "", 0, 9, false, false, false}, /* no host has said it */
        {VERDICT_INFECTED, VERDICT_REASON_NONE, "", 1, 9, true, false, false},  /* it comes from here */
        {VERDICT_CLEAN, VERDICT_REASON_NONE, "", 1, 9, false, false, true},
        {VERDICT_CLEAN, VERDICT_REASON_NONE, "", 1, 0, false, false, false}, /* database unknown */
        {VERDICT_CLEAN, VERDICT_REASON_NONE, "X: the name is in ignore_signatures", 1, 9, false, false, false},
        {VERDICT_UNSCANNABLE, VERDICT_REASON_LIMIT, "", 1, 9, false, false, false},
        {VERDICT_UNSCANNABLE, VERDICT_REASON_ENCRYPTED, "", 1, 9, false, false, false},
        {VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "", 1, 9, false, false, false},
        {VERDICT_ERROR, VERDICT_REASON_POISON, "", 1, 9, false, false, false},
        {VERDICT_SKIPPED, VERDICT_REASON_SCAN_OFF, "", 1, 9, false, false, false},
    };
    for (int clean = 0; clean < 2; clean++)
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
            struct verdict_cache *c = make(10, clean, true);
            struct verdict v;
            verdict_set(&v, rows[i].class, rows[i].reason, rows[i].detail);
            v.generation = rows[i].generation;
            v.database_version = rows[i].database;
            v.cached = rows[i].cached;
            put(c, 1, &v, 0);
            bool expected = clean ? rows[i].kept_with_clean : rows[i].kept;
            ck_assert_msg(elements(c) == expected, "row %zu, clean %d", i, clean);
            ck_assert_msg(find(c, 1, 1, rows[i].database, 0) == expected, "row %zu, clean %d", i, clean);
            verdict_cache_free(c);
        }
}
END_TEST

START_TEST(the_entry_that_was_used_least_recently_gives_way)
{
    struct verdict_cache *c = make(3, false, true);
    put_virus(c, 1, "One");
    put_virus(c, 2, "Two");
    put_virus(c, 3, "Three");
    ck_assert(find(c, 1, 1, 27500, 0)); /* 2 is the oldest now */
    put_virus(c, 4, "Four");
    ck_assert(!find(c, 2, 1, 27500, 0));
    put_virus(c, 5, "Five"); /* and then 3 */
    ck_assert(!find(c, 3, 1, 27500, 0));
    ck_assert(find(c, 1, 1, 27500, 0));
    ck_assert(find(c, 4, 1, 27500, 0));
    ck_assert(find(c, 5, 1, 27500, 0));
    ck_assert_uint_eq(elements(c), 3);
    ck_assert_uint_eq(stats_of(c).deleted_lru, 2);
    verdict_cache_free(c);
}
END_TEST

/* The same as above by the simplest means, over a long random course. */
START_TEST(any_course_of_events_ends_as_in_a_list_that_is_searched_from_its_beginning)
{
    enum { CAPACITY = 17, NUMBERS = 40, STEPS = 20000 };
    struct verdict_cache *c = make(CAPACITY, false, true);
    unsigned list[CAPACITY] = {0}, count = 0, generation = 1;
    uint64_t seed = 1;
    for (unsigned step = 0; step < STEPS; step++) {
        seed = seed * 6364136223846793005 + 1442695040888963407;
        unsigned number = (unsigned)(seed >> 33) % NUMBERS, what = (unsigned)(seed >> 50) % 100, at = 0;
        while (at < count && list[at] != number)
            at++;
        bool known = at < count;
        if (what < 2) {
            generation++;
            count = 0;
            ck_assert(!find(c, number, generation, 27500, 0));
            continue;
        }
        if (what < 6) {
            struct digest d = digest_of(number);
            ck_assert_uint_eq(verdict_cache_purge_digest(c, d.bytes), known);
            if (known)
                memmove(&list[at], &list[at + 1], (--count - at) * sizeof(list[0]));
            continue;
        }
        ck_assert_msg(find(c, number, generation, 27500, 0) == known, "step %u", step);
        if (!known && what < 50)
            continue;
        if (!known) {
            struct verdict v = infected("Virus", generation, 27500);
            put(c, number, &v, 0);
            at = count < CAPACITY ? count++ : CAPACITY - 1;
        }
        memmove(&list[1], &list[0], at * sizeof(list[0]));
        list[0] = number;
        ck_assert_uint_eq(elements(c), count);
    }
    struct verdict_cache_stats s = stats_of(c);
    ck_assert_uint_eq(s.inserts, s.elements + s.deleted_lru + s.deleted_manual + s.deleted_outdated);
    verdict_cache_free(c);
}
END_TEST

/* B40 */
START_TEST(a_new_generation_ends_every_entry_of_the_old_one)
{
    struct verdict_cache *c = make(10, true, true);
    put_virus(c, 1, "One");
    put_virus(c, 2, "Two");
    ck_assert(!find(c, 1, 2, 27500, 0));
    ck_assert_uint_eq(elements(c), 0);
    ck_assert_uint_eq(stats_of(c).deleted_outdated, 2);
    struct verdict late = infected("Late", 1, 27500), fresh = infected("Fresh", 2, 27500);
    put(c, 3, &late, 0); /* the old host's last words */
    ck_assert_uint_eq(elements(c), 0);
    put(c, 2, &fresh, 0);
    ck_assert(find(c, 2, 2, 27500, 0));
    ck_assert(!find(c, 2, 1, 27500, 0)); /* a loop that has not heard of it yet */
    ck_assert(find(c, 2, 2, 27500, 0));
    verdict_cache_free(c);
}
END_TEST

START_TEST(dead_entries_give_their_room_back)
{
    struct verdict_cache *c = make(50, false, true);
    for (unsigned generation = 1; generation < 20; generation++) {
        struct verdict v = infected("Virus", generation, 27500);
        for (unsigned i = 0; i < 60; i++)
            put(c, generation * 1000 + i, &v, 0);
        ck_assert_uint_eq(elements(c), 50);
        for (unsigned i = 10; i < 60; i++)
            ck_assert(find(c, generation * 1000 + i, generation, 27500, 0));
        ck_assert_uint_eq(stats_of(c).deleted_lru, generation * 10);
    }
    verdict_cache_free(c);
}
END_TEST

/* B40 */
START_TEST(another_database_ends_an_entry)
{
    struct verdict_cache *c = make(10, false, false);
    put_virus(c, 1, "One");
    ck_assert(find(c, 1, 1, 27500, 0));
    ck_assert(!find(c, 1, 1, 27501, 0));
    ck_assert(!find(c, 1, 1, 27500, 0));
    ck_assert_uint_eq(stats_of(c).deleted_outdated, 1);
    verdict_cache_free(c);
}
END_TEST

static void put_part(struct verdict_cache *c, unsigned number, uint64_t size, const struct verdict *v, uint64_t now)
{
    struct digest d = digest_of(number);
    verdict_cache_put_part(c, d.bytes, size, v, now);
}

static bool find_part(struct verdict_cache *c, unsigned number, uint64_t size, uint64_t now)
{
    struct digest d = digest_of(number);
    struct verdict v;
    return verdict_cache_find_part(c, d.bytes, size, (struct verdict_cache_view){1, 27500}, now, &v);
}

/* B40 */
START_TEST(a_part_and_a_message_of_the_same_digest_are_apart)
{
    struct verdict_cache *c = make(10, true, true);
    struct verdict v = infected("Some.Virus", 1, 27500), clean;
    verdict_set(&clean, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    clean.generation = 1;
    clean.database_version = 27500;
    put_part(c, 1, 100, &v, 0);
    ck_assert(!find(c, 1, 1, 27500, 0));
    ck_assert(!find_part(c, 1, 101, 0));
    ck_assert(!find_part(c, 1, 0, 0));
    ck_assert(find_part(c, 1, 100, 0));
    put(c, 1, &clean, 0);
    put(c, 2, &v, 0);
    ck_assert(find_part(c, 1, 100, 0));
    ck_assert(!find_part(c, 2, 100, 0));
    put_part(c, 3, 100, &clean, 0); /* says nothing of what holds it */
    put_part(c, 3, 0, &v, 0);
    ck_assert_uint_eq(elements(c), 3);
    ck_assert_uint_eq(stats_of(c).parts, 1);
    struct digest d = digest_of(1);
    ck_assert_uint_eq(verdict_cache_purge_digest(c, d.bytes), 2); /* both */
    ck_assert(!find_part(c, 1, 100, 0));
    ck_assert(find(c, 2, 1, 27500, 0));
    ck_assert_uint_eq(stats_of(c).parts, 0);
    verdict_cache_free(c);
}
END_TEST

START_TEST(a_message_that_is_known_by_a_part_counts_as_one_hit)
{
    struct verdict_cache *c = make(10, false, true);
    struct verdict v = infected("Some.Virus", 1, 27500);
    put_part(c, 1, 100, &v, 0);
    ck_assert(!find(c, 7, 1, 27500, 0)); /* the message, then its parts */
    ck_assert(!find_part(c, 8, 5, 0));
    ck_assert(find_part(c, 1, 100, 0));
    ck_assert(!find(c, 9, 1, 27500, 0));
    ck_assert(!find_part(c, 8, 5, 0));
    ck_assert_uint_eq(stats_of(c).hits, 1);
    ck_assert_uint_eq(stats_of(c).misses, 1);
    uint32_t cursor = 0;
    struct verdict_cache_item item;
    ck_assert_uint_eq(verdict_cache_list(c, &cursor, 0, &item, 1), 1);
    ck_assert_uint_eq(item.part_size, 100);
    ck_assert_uint_eq(item.hits, 1);
    ck_assert_uint_eq(verdict_cache_purge_name(c, "Some.*", &cursor), 1);
    ck_assert_uint_eq(stats_of(c).parts, 0);
    verdict_cache_free(c);
}
END_TEST

START_TEST(parts_give_way_and_die_like_messages)
{
    struct verdict_cache *c = make(3, false, true);
    struct verdict v = infected("Some.Virus", 1, 27500), next = infected("Some.Virus", 2, 27500);
    put_part(c, 1, 100, &v, 0);
    put_virus(c, 2, "Two");
    put_virus(c, 3, "Three");
    ck_assert(find_part(c, 1, 100, 0)); /* 2 is the oldest now */
    put_virus(c, 4, "Four");
    ck_assert(!find(c, 2, 1, 27500, 0));
    ck_assert(find(c, 3, 1, 27500, 0));
    put_virus(c, 5, "Five"); /* and then the part */
    ck_assert(!find_part(c, 1, 100, 0));
    ck_assert_uint_eq(stats_of(c).parts, 0);
    put_part(c, 1, 100, &v, 0);
    ck_assert_uint_eq(stats_of(c).parts, 1);
    put_part(c, 6, 100, &next, 0); /* a new generation */
    ck_assert_uint_eq(elements(c), 1);
    ck_assert_uint_eq(stats_of(c).parts, 1);
    ck_assert_uint_eq(verdict_cache_purge_all(c), 1);
    ck_assert_uint_eq(stats_of(c).parts, 0);
    verdict_cache_free(c);
}
END_TEST

/* Whoever lied about it is believed for a time only. */
START_TEST(a_part_lives_for_a_time_even_where_changes_of_the_database_are_noticed)
{
    struct verdict_cache *c = make(10, false, true);
    struct verdict v = infected("Some.Virus", 1, 27500);
    put_part(c, 1, 100, &v, 77);
    ck_assert(find_part(c, 1, 100, 77 + VERDICT_CACHE_INFECTED_US - 1));
    ck_assert(!find_part(c, 1, 100, 77 + VERDICT_CACHE_INFECTED_US));
    ck_assert_uint_eq(stats_of(c).deleted_ttl, 1);
    verdict_cache_free(c);
}
END_TEST

START_TEST(an_entry_lives_as_long_as_changes_of_the_database_are_noticed_and_otherwise_for_a_time)
{
    static const struct {
        enum verdict_class class;
        bool generations;
        uint64_t database, life; /* 0: no end */
    } rows[] = {
        {VERDICT_INFECTED, true, 27500, 0},
        {VERDICT_INFECTED, true, 0, VERDICT_CACHE_INFECTED_US},
        {VERDICT_INFECTED, false, 27500, VERDICT_CACHE_INFECTED_US},
        {VERDICT_INFECTED, false, 0, VERDICT_CACHE_INFECTED_US},
        {VERDICT_CLEAN, true, 27500, 0},
        {VERDICT_CLEAN, false, 27500, VERDICT_CACHE_CLEAN_US},
    };
    const uint64_t begin = 77 * (uint64_t)SECOND;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct verdict_cache *c = make(10, true, rows[i].generations);
        struct verdict v;
        verdict_set(&v, rows[i].class, VERDICT_REASON_NONE, NULL);
        v.generation = 1;
        v.database_version = rows[i].database;
        put(c, 1, &v, begin);
        if (rows[i].life == 0) {
            ck_assert(find(c, 1, 1, rows[i].database, UINT64_MAX - 1));
        } else {
            ck_assert(find(c, 1, 1, rows[i].database, begin + rows[i].life - 1)); /* use does not make it younger */
            ck_assert(!find(c, 1, 1, rows[i].database, begin + rows[i].life));
            ck_assert_uint_eq(stats_of(c).deleted_ttl, 1);
            ck_assert_uint_eq(elements(c), 0);
        }
        verdict_cache_free(c);
    }
}
END_TEST

START_TEST(of_two_scans_at_once_the_stricter_verdict_stays)
{
    struct verdict_cache *c = make(10, true, true);
    struct digest d = digest_of(1);
    struct verdict clean, virus = infected("Virus", 1, 27500), out;
    verdict_set(&clean, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    clean.generation = 1;
    clean.database_version = 27500;
    put(c, 1, &clean, 0);
    put(c, 1, &virus, 0);
    put(c, 1, &clean, 0);
    ck_assert(verdict_cache_find(c, d.bytes, (struct verdict_cache_view){1, 27500}, 0, &out));
    ck_assert_int_eq(out.class, VERDICT_INFECTED);
    ck_assert_uint_eq(elements(c), 1);
    ck_assert_uint_eq(stats_of(c).inserts, 1);
    verdict_cache_free(c);
}
END_TEST

START_TEST(entries_are_deleted_by_digest_by_name_and_all_at_once)
{
    struct verdict_cache *c = make(5000, false, true);
    char name[32];
    for (unsigned i = 0; i < 4000; i++) {
        snprintf(name, sizeof(name), "%s.%u", i % 4 ? "Win.Test" : "Unix.Test", i);
        put_virus(c, i, name);
    }
    struct digest d = digest_of(1), unknown = digest_of(4001);
    ck_assert_uint_eq(verdict_cache_purge_digest(c, d.bytes), 1);
    ck_assert_uint_eq(verdict_cache_purge_digest(c, d.bytes), 0);
    ck_assert_uint_eq(verdict_cache_purge_digest(c, unknown.bytes), 0);
    uint32_t cursor = 0, calls = 0;
    size_t gone = 0;
    do {
        gone += verdict_cache_purge_name(c, "Unix.*", &cursor);
        calls++;
    } while (cursor != 0);
    ck_assert_uint_eq(gone, 1000);
    ck_assert_uint_eq(calls, 4000 / VERDICT_CACHE_STEP); /* each step is bounded */
    ck_assert(!find(c, 0, 1, 27500, 0));
    ck_assert(find(c, 2, 1, 27500, 0));
    ck_assert_uint_eq(elements(c), 2999);
    ck_assert_uint_eq(verdict_cache_purge_all(c), 2999);
    ck_assert_uint_eq(verdict_cache_purge_all(c), 0);
    ck_assert(!find(c, 2, 1, 27500, 0));
    ck_assert_uint_eq(stats_of(c).deleted_manual, 4000);
    put_virus(c, 2, "Back");
    ck_assert(find(c, 2, 1, 27500, 0));
    ck_assert_uint_eq(elements(c), 1);
    verdict_cache_free(c);
}
END_TEST

START_TEST(a_listing_goes_page_by_page_over_what_lives)
{
    struct verdict_cache *c = make(3000, false, false);
    bool seen[2500] = {false};
    for (unsigned i = 0; i < ARRAY_SIZE(seen); i++) {
        struct verdict v = infected("Virus.Name", 1, 27500);
        put(c, i, &v, i);
    }
    ck_assert(find(c, 5, 1, 27500, 0));
    struct digest gone = digest_of(6);
    verdict_cache_purge_digest(c, gone.bytes);
    uint32_t cursor = 0;
    size_t count = 0;
    struct verdict_cache_item page[70];
    do {
        size_t n = verdict_cache_list(c, &cursor, 1, page, ARRAY_SIZE(page));
        for (size_t i = 0; i < n; i++) {
            unsigned number;
            memcpy(&number, page[i].digest, sizeof(number));
            ck_assert_uint_lt(number, ARRAY_SIZE(seen));
            ck_assert(!seen[number]);
            seen[number] = true;
            ck_assert_str_eq(page[i].name, "Virus.Name");
            ck_assert_int_eq(page[i].class, VERDICT_INFECTED);
            ck_assert_uint_eq(page[i].put_us, number);
            ck_assert_uint_eq(page[i].hits, number == 5);
        }
        count += n;
    } while (cursor != 0);
    ck_assert_uint_eq(count, ARRAY_SIZE(seen) - 1);
    ck_assert(!seen[6]);
    /* what has ended is not shown */
    ck_assert_uint_eq(verdict_cache_list(c, &cursor, VERDICT_CACHE_INFECTED_US + 10, page, ARRAY_SIZE(page)), 70);
    ck_assert_uint_gt(page[0].put_us, 10);
    verdict_cache_free(c);
}
END_TEST

START_TEST(a_cache_that_is_switched_off_knows_nothing)
{
    struct verdict v = infected("Virus", 1, 1);
    struct digest d = digest_of(1);
    uint32_t cursor = 9;
    struct verdict_cache_item item;
    verdict_cache_put(NULL, d.bytes, &v, 0);
    ck_assert(!verdict_cache_find(NULL, d.bytes, (struct verdict_cache_view){1, 1}, 0, &v));
    ck_assert_uint_eq(stats_of(NULL).capacity, 0);
    ck_assert_uint_eq(verdict_cache_list(NULL, &cursor, 0, &item, 1), 0);
    ck_assert_uint_eq(cursor, 0);
    ck_assert_uint_eq(verdict_cache_purge_all(NULL), 0);
    verdict_cache_free(NULL);
}
END_TEST

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 20000 };

struct worker {
    pthread_t thread;
    struct verdict_cache *cache;
    unsigned number;
    uint64_t hits, misses, wrong;
};

/* Every name tells the digest that it belongs to, so that a mixed-up entry shows. */
static void *work(void *arg)
{
    struct worker *w = arg;
    uint64_t seed = w->number + 1;
    for (unsigned i = 0; i < ROUNDS; i++) {
        seed = seed * 6364136223846793005 + 1442695040888963407;
        unsigned number = (unsigned)(seed >> 33) % 300, generation = 1 + i / (ROUNDS / 5);
        char name[32];
        struct digest d = digest_of(number);
        struct verdict v;
        snprintf(name, sizeof(name), "Virus.%u", number);
        if (verdict_cache_find(w->cache, d.bytes, (struct verdict_cache_view){generation, 27500}, i, &v)) {
            w->hits++;
            w->wrong += strcmp(v.name, name) != 0 || v.generation != generation;
        } else {
            w->misses++;
            v = infected(name, generation, 27500);
            verdict_cache_put(w->cache, d.bytes, &v, i);
        }
        if (i % 1000 == 999)
            verdict_cache_purge_digest(w->cache, d.bytes);
        if (i % 5000 == 4999)
            verdict_cache_purge_all(w->cache);
    }
    return NULL;
}

START_TEST(loops_share_a_cache_at_the_same_time)
{
    struct worker workers[THREADS];
    struct verdict_cache *c = make(200, false, true);
    uint64_t hits = 0, misses = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.cache = c, .number = i};
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        ck_assert_uint_eq(workers[i].wrong, 0);
        hits += workers[i].hits;
        misses += workers[i].misses;
    }
    struct verdict_cache_stats s = stats_of(c);
    ck_assert_uint_eq(s.hits, hits);
    ck_assert_uint_eq(s.misses, misses);
    ck_assert_uint_eq(s.hits + s.misses, (uint64_t)THREADS * ROUNDS);
    ck_assert_uint_eq(s.inserts, s.elements + s.deleted_lru + s.deleted_manual + s.deleted_outdated + s.deleted_ttl);
    ck_assert_uint_le(s.elements, 200);
    verdict_cache_free(c);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_known_virus_is_infected_by_its_name_and_takes_no_time)                                                         \
    X(digests_that_differ_in_any_octet_are_different_messages)                                                         \
    X(only_what_a_complete_scan_has_settled_is_kept)                                                                   \
    X(the_entry_that_was_used_least_recently_gives_way)                                                                \
    X(any_course_of_events_ends_as_in_a_list_that_is_searched_from_its_beginning)                                      \
    X(a_new_generation_ends_every_entry_of_the_old_one)                                                                \
    X(dead_entries_give_their_room_back)                                                                               \
    X(another_database_ends_an_entry)                                                                                  \
    X(a_part_and_a_message_of_the_same_digest_are_apart)                                                               \
    X(a_message_that_is_known_by_a_part_counts_as_one_hit)                                                             \
    X(parts_give_way_and_die_like_messages)                                                                            \
    X(a_part_lives_for_a_time_even_where_changes_of_the_database_are_noticed)                                          \
    X(an_entry_lives_as_long_as_changes_of_the_database_are_noticed_and_otherwise_for_a_time)                          \
    X(of_two_scans_at_once_the_stricter_verdict_stays)                                                                 \
    X(entries_are_deleted_by_digest_by_name_and_all_at_once)                                                           \
    X(a_listing_goes_page_by_page_over_what_lives)                                                                     \
    X(a_cache_that_is_switched_off_knows_nothing)                                                                      \
    X(loops_share_a_cache_at_the_same_time)
#include "support/check_main.h"
