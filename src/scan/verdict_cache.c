/* SPDX-License-Identifier: MIT */
/* A hash table of slots in one array, all linked in the order of their last use. Slots are named by number, 0 is none.
 *
 * When everything goes at once (a new generation, a purge), nothing is walked through: the epoch rises, and what bears
 * an older one is dead. The dead are the end of the list, because only the living are used; they are given back two
 * with each call, and before any living one when room is needed.
 */
#include "scan/verdict_cache.h"
#include "base/mem.h"
#include <fnmatch.h>
#include <pthread.h>

enum { SWEEP = 2 };

struct slot {
    uint8_t digest[VERDICT_CACHE_DIGEST];
    uint64_t part_size; /* 0: about a message */
    uint64_t database_version;
    uint64_t put_us, until_us; /* UINT64_MAX: no end */
    uint64_t hits;
    uint32_t chain; /* next of the same bucket, or of the free ones */
    uint32_t newer, older;
    uint32_t epoch; /* 0: free */
    unsigned generation;
    uint8_t class;
    char name[LIMIT_VERDICT_NAME + 1];
};

struct verdict_cache {
    pthread_mutex_t lock;
    struct verdict_cache_conf conf;
    uint64_t key[VERDICT_CACHE_KEYS];
    struct slot *slots; /* number 0 stays empty */
    uint32_t *buckets, mask;
    uint32_t used; /* slots that have ever held something */
    uint32_t free; /* chain of those that hold nothing now */
    uint32_t newest, oldest;
    uint32_t epoch;
    unsigned generation; /* newest that was seen */
    struct verdict_cache_stats stats;
};

/* As many buckets as there can be entries, rounded up to a power of two. */
static uint32_t bucket_count(size_t capacity)
{
    uint32_t count = 1;
    while (count < capacity)
        count *= 2;
    return count;
}

struct verdict_cache *verdict_cache_new(const struct verdict_cache_conf *conf, const uint64_t key[VERDICT_CACHE_KEYS])
{
    struct verdict_cache *c = MEM_NEW(struct verdict_cache);
    if (!c || conf->capacity == 0 || conf->capacity > UINT32_MAX / 4) {
        mem_free(c);
        return NULL;
    }
    uint32_t buckets = bucket_count(conf->capacity);
    c->conf = *conf;
    c->slots = mem_new(conf->capacity + 1, sizeof(*c->slots));
    c->buckets = mem_new(buckets, sizeof(*c->buckets));
    c->mask = buckets - 1;
    c->epoch = 1;
    c->stats.capacity = conf->capacity;
    memcpy(c->key, key, sizeof(c->key));
    pthread_mutex_init(&c->lock, NULL); /* cannot fail with default attributes on Linux */
    if (!c->slots || !c->buckets) {
        verdict_cache_free(c);
        return NULL;
    }
    return c;
}

void verdict_cache_free(struct verdict_cache *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    mem_free(c->slots);
    mem_free(c->buckets);
    mem_free(c);
}

/* ---- the table ---- */

/* Multilinear hashing (Carter and Wegman; Lemire and Kaser 2014): for any two digests the chance over the key that
 * their upper 32 bits agree is 2^-32. */
static uint32_t *bucket_of(const struct verdict_cache *c, const uint8_t *digest)
{
    uint64_t sum = c->key[VERDICT_CACHE_KEYS - 1];
    for (size_t i = 0; i < VERDICT_CACHE_DIGEST / 4; i++) {
        uint32_t word;
        memcpy(&word, digest + 4 * i, sizeof(word));
        sum += c->key[i] * word;
    }
    return &c->buckets[(uint32_t)(sum >> 32) & c->mask];
}

/* What an entry is about. */
struct key {
    const uint8_t *digest;
    uint64_t part_size; /* 0: a message */
};

static uint32_t slot_find(const struct verdict_cache *c, struct key key)
{
    uint32_t n = *bucket_of(c, key.digest);
    while (n && (c->slots[n].part_size != key.part_size ||
                 memcmp(c->slots[n].digest, key.digest, VERDICT_CACHE_DIGEST) != 0))
        n = c->slots[n].chain;
    return n;
}

static void lru_unlink(struct verdict_cache *c, const struct slot *s)
{
    *(s->newer ? &c->slots[s->newer].older : &c->newest) = s->older;
    *(s->older ? &c->slots[s->older].newer : &c->oldest) = s->newer;
}

static void lru_push(struct verdict_cache *c, uint32_t n)
{
    struct slot *s = &c->slots[n];
    s->newer = 0;
    s->older = c->newest;
    *(s->older ? &c->slots[s->older].newer : &c->oldest) = n;
    c->newest = n;
}

/* Out of bucket and list; among the free ones. */
static void slot_release(struct verdict_cache *c, uint32_t n)
{
    struct slot *s = &c->slots[n];
    uint32_t *link = bucket_of(c, s->digest);
    while (*link != n)
        link = &c->slots[*link].chain;
    *link = s->chain;
    lru_unlink(c, s);
    s->epoch = 0;
    s->chain = c->free;
    c->free = n;
}

static bool slot_is_dead(const struct verdict_cache *c, const struct slot *s)
{
    return s->epoch != c->epoch;
}

/* Deletes the living slot N; COUNTER says why. */
static void slot_delete(struct verdict_cache *c, uint32_t n, uint64_t *counter)
{
    c->stats.elements--;
    c->stats.parts -= c->slots[n].part_size != 0;
    slot_release(c, n);
    ++*counter;
}

/* All entries die; COUNTER says why. */
static size_t kill_all(struct verdict_cache *c, uint64_t *counter)
{
    size_t count = c->stats.elements;
    c->epoch++;
    c->stats.elements = 0;
    c->stats.parts = 0;
    *counter += count;
    return count;
}

static void sweep(struct verdict_cache *c)
{
    for (int i = 0; i < SWEEP && c->oldest && slot_is_dead(c, &c->slots[c->oldest]); i++)
        slot_release(c, c->oldest);
}

/* A slot that nothing uses, the oldest entry's when there is no other. */
static uint32_t slot_take(struct verdict_cache *c)
{
    if (!c->free && c->used < c->conf.capacity)
        return ++c->used;
    if (!c->free && slot_is_dead(c, &c->slots[c->oldest]))
        slot_release(c, c->oldest);
    else if (!c->free)
        slot_delete(c, c->oldest, &c->stats.deleted_lru);
    uint32_t n = c->free;
    c->free = c->slots[n].chain;
    return n;
}

static void see_generation(struct verdict_cache *c, unsigned generation)
{
    if (generation <= c->generation)
        return;
    c->generation = generation;
    kill_all(c, &c->stats.deleted_outdated);
}

/* ---- verdicts ---- */

static uint64_t life_us(const struct verdict_cache *c, struct key key, const struct verdict *v)
{
    if (c->conf.generations && v->database_version != 0 && key.part_size == 0)
        return UINT64_MAX;
    return v->class == VERDICT_CLEAN ? VERDICT_CACHE_CLEAN_US : VERDICT_CACHE_INFECTED_US;
}

static bool may_be_kept(const struct verdict_cache *c, struct key key, const struct verdict *v)
{
    if (v->generation == 0 || v->cached) /* no answer of a host */
        return false;
    if (v->class == VERDICT_INFECTED)
        return true;
    /* A clean verdict with a remark (a name that is ignored) is not simply clean. */
    return key.part_size == 0 && v->class == VERDICT_CLEAN && v->reason == VERDICT_REASON_NONE && c->conf.clean &&
           v->database_version != 0 && v->detail[0] == '\0';
}

/* The living entry about KEY that counts for VIEW, or 0. */
static uint32_t find_valid(struct verdict_cache *c, struct key key, struct verdict_cache_view view, uint64_t now_us)
{
    uint32_t n = slot_find(c, key);
    const struct slot *s = &c->slots[n];
    if (n == 0 || slot_is_dead(c, s) || s->generation != view.generation) /* the view of a loop that lags behind */
        return 0;
    if (s->database_version != view.database_version) {
        slot_delete(c, n, &c->stats.deleted_outdated);
        return 0;
    }
    if (now_us >= s->until_us) {
        slot_delete(c, n, &c->stats.deleted_ttl);
        return 0;
    }
    return n;
}

static bool find_entry(struct verdict_cache *c, struct key key, struct verdict_cache_view view, uint64_t now_us,
                       struct verdict *out)
{
    see_generation(c, view.generation);
    sweep(c);
    uint32_t n = find_valid(c, key, view, now_us);
    struct slot *s = &c->slots[n];
    if (n == 0)
        return false;
    verdict_set(out, (enum verdict_class)s->class, VERDICT_REASON_NONE, NULL);
    memcpy(out->name, s->name, sizeof(out->name));
    out->database_version = s->database_version;
    out->generation = s->generation;
    out->cached = true;
    s->hits++;
    lru_unlink(c, s);
    lru_push(c, n);
    return true;
}

bool verdict_cache_find(struct verdict_cache *c, const uint8_t digest[VERDICT_CACHE_DIGEST],
                        struct verdict_cache_view view, uint64_t now_us, struct verdict *out)
{
    if (!c)
        return false;
    pthread_mutex_lock(&c->lock);
    bool found = find_entry(c, (struct key){digest, 0}, view, now_us, out);
    ++*(found ? &c->stats.hits : &c->stats.misses);
    pthread_mutex_unlock(&c->lock);
    return found;
}

bool verdict_cache_find_part(struct verdict_cache *c, const uint8_t digest[VERDICT_CACHE_DIGEST], uint64_t size,
                             struct verdict_cache_view view, uint64_t now_us, struct verdict *out)
{
    if (!c || size == 0)
        return false;
    pthread_mutex_lock(&c->lock);
    bool found = find_entry(c, (struct key){digest, size}, view, now_us, out);
    if (found) {
        c->stats.hits++;
        c->stats.misses -= c->stats.misses > 0;
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

static void slot_fill(const struct verdict_cache *c, struct slot *s, struct key key, const struct verdict *v,
                      uint64_t now_us)
{
    uint64_t life = life_us(c, key, v);
    s->database_version = v->database_version;
    s->generation = v->generation;
    s->class = (uint8_t)v->class;
    s->put_us = now_us;
    s->until_us = life > UINT64_MAX - now_us ? UINT64_MAX : now_us + life;
    s->hits = 0;
    s->epoch = c->epoch;
    memcpy(s->name, v->name, sizeof(s->name));
}

static void put_entry(struct verdict_cache *c, struct key key, const struct verdict *v, uint64_t now_us)
{
    if (!c || !may_be_kept(c, key, v))
        return;
    pthread_mutex_lock(&c->lock);
    see_generation(c, v->generation);
    sweep(c);
    if (v->generation == c->generation) { /* an older one's word is late */
        const struct verdict_cache_view view = {v->generation, v->database_version};
        uint32_t known = find_valid(c, key, view, now_us), left = known ? 0 : slot_find(c, key);
        if (left) /* dead; what lives counts, or was deleted just now */
            slot_release(c, left);
        if (!known) {
            uint32_t n = slot_take(c), *bucket = bucket_of(c, key.digest);
            struct slot *s = &c->slots[n];
            memcpy(s->digest, key.digest, sizeof(s->digest));
            s->part_size = key.part_size;
            s->chain = *bucket;
            *bucket = n;
            lru_push(c, n);
            slot_fill(c, s, key, v, now_us);
            c->stats.elements++;
            c->stats.parts += key.part_size != 0;
            c->stats.inserts++;
        } else if (v->class == VERDICT_INFECTED || c->slots[known].class != VERDICT_INFECTED) {
            slot_fill(c, &c->slots[known], key, v, now_us); /* two scans at once: the stricter, else the later */
        }
    }
    pthread_mutex_unlock(&c->lock);
}

void verdict_cache_put(struct verdict_cache *c, const uint8_t digest[VERDICT_CACHE_DIGEST], const struct verdict *v,
                       uint64_t now_us)
{
    put_entry(c, (struct key){digest, 0}, v, now_us);
}

void verdict_cache_put_part(struct verdict_cache *c, const uint8_t digest[VERDICT_CACHE_DIGEST], uint64_t size,
                            const struct verdict *v, uint64_t now_us)
{
    if (size > 0)
        put_entry(c, (struct key){digest, size}, v, now_us);
}

/* ---- for the console ---- */

void verdict_cache_stats(struct verdict_cache *c, struct verdict_cache_stats *out)
{
    memset(out, 0, sizeof(*out));
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    *out = c->stats;
    pthread_mutex_unlock(&c->lock);
}

size_t verdict_cache_list(struct verdict_cache *c, uint32_t *cursor, uint64_t now_us, struct verdict_cache_item *items,
                          size_t max)
{
    size_t count = 0;
    if (!c || max == 0) {
        *cursor = 0;
        return 0;
    }
    pthread_mutex_lock(&c->lock);
    uint32_t n = *cursor, end = c->used;
    for (unsigned looked = 0; n < end && count < max && looked < VERDICT_CACHE_STEP; looked++) {
        const struct slot *s = &c->slots[++n];
        if (slot_is_dead(c, s) || now_us >= s->until_us)
            continue;
        struct verdict_cache_item *item = &items[count++];
        *item = (struct verdict_cache_item){.class = (enum verdict_class)s->class,
                                            .part_size = s->part_size,
                                            .database_version = s->database_version,
                                            .generation = s->generation,
                                            .put_us = s->put_us,
                                            .hits = s->hits};
        memcpy(item->digest, s->digest, sizeof(item->digest));
        memcpy(item->name, s->name, sizeof(item->name));
    }
    *cursor = n < end ? n : 0;
    pthread_mutex_unlock(&c->lock);
    return count;
}

size_t verdict_cache_purge_digest(struct verdict_cache *c, const uint8_t digest[VERDICT_CACHE_DIGEST])
{
    if (!c)
        return 0;
    size_t count = 0;
    pthread_mutex_lock(&c->lock);
    uint32_t next;
    for (uint32_t n = *bucket_of(c, digest); n; n = next) {
        const struct slot *s = &c->slots[n];
        next = s->chain;
        if (slot_is_dead(c, s) || memcmp(s->digest, digest, VERDICT_CACHE_DIGEST) != 0)
            continue;
        slot_delete(c, n, &c->stats.deleted_manual);
        count++;
    }
    pthread_mutex_unlock(&c->lock);
    return count;
}

size_t verdict_cache_purge_all(struct verdict_cache *c)
{
    if (!c)
        return 0;
    pthread_mutex_lock(&c->lock);
    size_t count = kill_all(c, &c->stats.deleted_manual);
    pthread_mutex_unlock(&c->lock);
    return count;
}

size_t verdict_cache_purge_name(struct verdict_cache *c, const char *pattern, uint32_t *cursor)
{
    size_t count = 0;
    if (!c) {
        *cursor = 0;
        return 0;
    }
    pthread_mutex_lock(&c->lock);
    uint32_t n = *cursor, end = c->used;
    for (unsigned looked = 0; n < end && looked < VERDICT_CACHE_STEP; looked++) {
        const struct slot *s = &c->slots[++n];
        if (slot_is_dead(c, s) || !s->name[0] || fnmatch(pattern, s->name, FNM_NOESCAPE) != 0)
            continue;
        slot_delete(c, n, &c->stats.deleted_manual);
        count++;
    }
    *cursor = n < end ? n : 0;
    pthread_mutex_unlock(&c->lock);
    return count;
}
