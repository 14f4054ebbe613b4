/* SPDX-License-Identifier: MIT */
/* What one engine said about messages, and about parts of messages, by their SHA-256, so that the same virus is not
 * scanned twice. One table per engine, shared by all loops.
 *
 * What is kept: infected; clean only of whole messages, where the configuration says so, after a scan that had nothing
 * to add. Never: error, unscannable, skipped. The digest of a message is the edge's own and covers every octet, so a
 * hit speaks of exactly this message. That of a part is a worker's word (parts.h). It serves to refuse, never to let
 * pass; who wrote it about his own part could as well have called the message infected. It is kept only where the
 * engine was handed the part by itself and its worker found the digest to be that of these octets (look.h). Entries of
 * messages and of parts are apart.
 *
 * How long: an entry counts while the engine is what it was when it spoke: same generation of its scan host, same
 * version of its database. So neither outlives new signatures, a withdrawn false alarm or a message that was clean
 * before they came. Options of the engine need not be part of the key: they are the same for as long as the process
 * lives, and the table with it. An engine that loads no database of its own (a daemon's client) may not notice that its
 * daemon's changed, and one without a version tells of no change either: their entries also end after a time. So do
 * those of parts, always: a worker that lied about a part which many send would otherwise be believed until new
 * signatures.
 *
 * Any thread. Each call takes a mutex for a time that does not depend on the number of entries (but for
 * verdict_cache_new and _free): a lookup in a hash table, a few links, at most VERDICT_CACHE_STEP entries in a listing.
 * All memory is allocated by verdict_cache_new; the kernel gives its pages when they are first used, about 230 octets
 * an entry. The table is filled by whoever sends mail, so its hash has a secret key: SHA-256 keeps a sender from
 * choosing a digest, but not from trying until twenty bits of it are as he wants them, and with those alone as the
 * hash, all of his messages would share one chain.
 *
 * Every function takes NULL for a cache that is switched off.
 */
#ifndef SCAN_VERDICT_CACHE_H
#define SCAN_VERDICT_CACHE_H

#include "scan/verdict.h"
#include <stdbool.h>

enum {
    VERDICT_CACHE_DIGEST = 32,
    VERDICT_CACHE_KEYS = 9,    /* random numbers */
    VERDICT_CACHE_STEP = 1000, /* entries looked at in one call */
};

#define VERDICT_CACHE_INFECTED_US (UINT64_C(3600) * 1000000) /* longest life where changes are not noticed */
#define VERDICT_CACHE_CLEAN_US    (UINT64_C(600) * 1000000)  /* the same of a clean entry: not seen by new signatures */

struct verdict_cache_conf {
    size_t capacity;  /* entries; not 0 */
    bool clean;       /* clean results too */
    bool generations; /* each change of the database is a new generation; false: it has none, or a daemon's */
};

struct verdict_cache;
/* NULL: no memory. */
struct verdict_cache *verdict_cache_new(const struct verdict_cache_conf *conf, const uint64_t key[VERDICT_CACHE_KEYS]);
void verdict_cache_free(struct verdict_cache *c);

/* What the engine is now. */
struct verdict_cache_view {
    unsigned generation;
    uint64_t database_version; /* 0: unknown */
};
/* The engine has spoken about this message. OUT (untouched when not): class, name, database, generation, `cached`; no
 * detail, no times. NOW_US is monotonic. */
bool verdict_cache_find(struct verdict_cache *c, const uint8_t digest[VERDICT_CACHE_DIGEST],
                        struct verdict_cache_view view, uint64_t now_us, struct verdict *out);
/* Keeps V, which the engine has just given, when it may be kept. */
void verdict_cache_put(struct verdict_cache *c, const uint8_t digest[VERDICT_CACHE_DIGEST], const struct verdict *v,
                       uint64_t now_us);

/* The same of a part. A message is looked up first by itself: a part that is found makes that miss a hit. */
bool verdict_cache_find_part(struct verdict_cache *c, const uint8_t digest[VERDICT_CACHE_DIGEST], uint64_t size,
                             struct verdict_cache_view view, uint64_t now_us, struct verdict *out);
void verdict_cache_put_part(struct verdict_cache *c, const uint8_t digest[VERDICT_CACHE_DIGEST], uint64_t size,
                            const struct verdict *v, uint64_t now_us);

struct verdict_cache_stats {
    size_t capacity, elements;
    size_t parts; /* of ELEMENTS: about a part */
    uint64_t hits, misses, inserts;
    uint64_t deleted_lru, deleted_ttl, deleted_manual;
    uint64_t deleted_outdated; /* another generation or database */
};
void verdict_cache_stats(struct verdict_cache *c, struct verdict_cache_stats *out);

struct verdict_cache_item {
    uint8_t digest[VERDICT_CACHE_DIGEST];
    uint64_t part_size; /* octets of the part that it is about; 0: it is about a message */
    enum verdict_class class;
    char name[LIMIT_VERDICT_NAME + 1];
    uint64_t database_version;
    unsigned generation;
    uint64_t put_us, hits;
};
/* The next entries, in no particular order, at most MAX; returns their number. *CURSOR is 0 at the beginning, and again
 * after the last entry; a call may give none without being the last. */
size_t verdict_cache_list(struct verdict_cache *c, uint32_t *cursor, uint64_t now_us, struct verdict_cache_item *items,
                          size_t max);

/* Deletes, of messages and parts; each returns how many entries went. */
size_t verdict_cache_purge_digest(struct verdict_cache *c, const uint8_t digest[VERDICT_CACHE_DIGEST]);
size_t verdict_cache_purge_all(struct verdict_cache *c);
/* By the virus's name, PATTERN as in ignore_signatures (fnmatch(3)). One step; *CURSOR as in verdict_cache_list. */
size_t verdict_cache_purge_name(struct verdict_cache *c, const char *pattern, uint32_t *cursor);

#endif
