/* SPDX-License-Identifier: MIT */
/* Private to src/spool: the files of quarantine. Everything here may wait for the disk. */
#ifndef SPOOL_QUARANTINE_STORE_H
#define SPOOL_QUARANTINE_STORE_H

#include "spool/quarantine.h"
#include <pthread.h>

/* A directory for each hour: the first digits of the ids in it. */
enum { SHARD = 10, SHARD_SIZE = SHARD + 1 };
enum { STORE_NAME = QUARANTINE_ID + 16 };

struct quarantine {
    int fd; /* of the directory; holds the lock */
    char *path;
    const struct log *log;
    struct quarantine_limits limits;
    pthread_mutex_t lock; /* over the two numbers */
    uint64_t entries, octets;
    pthread_mutex_t changes;        /* held while an entry that is there is changed or deleted; over what follows */
    bool unreserved;                /* there is no reserve, which was said */
    uint64_t aged_ms;               /* the clock by which ages were last counted; 0: never */
    uint64_t jumped_ms;             /* the clock when it was first found too far ahead of that; 0: it is not */
    uint64_t seen_ms;               /* and since then, at the last look */
    char stuck[QUARANTINE_ID_SIZE]; /* the oldest entry that cannot be deleted, as was said */
};

#define STORE_CONTENT ".eml"
#define STORE_META    ".json"
#define STORE_NEW     ".new" /* behind one of these: not finished */

/* What a file of SIZE octets counts. */
uint64_t store_charge(uint64_t size);
/* Counts ENTRIES more and OCTETS more (or fewer). */
void store_count(struct quarantine *q, int entries, int64_t octets);

/* The directory of ID, or -1 with errno; MAKE: durably made where it is missing. Another thread may delete it as long
 * as it is empty. */
int store_shard(const struct quarantine *q, const char *id, bool make);
/* The nearest shard behind FROM (empty: the first of all), in the order of time or against it. ERR_NOTFOUND: none is
 * left. ERR_IO: errno. */
enum err store_next_shard(const struct quarantine *q, const char *from, bool ascending, char name[SHARD_SIZE]) must_use;

/* Ids of a page, in order. */
struct store_ids {
    char (*items)[QUARANTINE_ID_SIZE];
    size_t count, limit;
    bool more;
};
/* The first LIMIT entries behind AFTER (empty: from the beginning), oldest first if ASCENDING. ITEMS are the caller's.
 * ERR_IO: errno. */
enum err store_page(const struct quarantine *q, const char *after, bool ascending, struct store_ids *ids) must_use;

/* Where the octets of a new file come from. */
struct store_source {
    struct span bytes; /* when fd is -1 */
    int fd;
    uint64_t size;                        /* of fd */
    const struct sha256_digest *expected; /* of fd */
};
/* Writes SOURCE to the descriptor TO (-1: only compares its digest). ERR_IO with errno; ERR_DENIED: the octets do not
 * fit their digest; ERR_NOMEM. */
enum err store_copy(int to, const struct store_source *source) must_use;
/* Writes the file NAME into the directory DIR, durably: under another name, fsync, linked, or moved over what has the
 * name if REPLACE, fsync of the directory. Nothing is left of it when that fails, as store_copy does.
 *
 * The other name (STORE_NEW, O_EXCL) stands where one would expect O_TMPFILE and linkat from that: to give a file
 * without a name one takes /proc, which a hardened unit may hide, or CAP_DAC_READ_SEARCH, which the edge shall not
 * have; not every file system that quarantine may be put on knows such files (NFS does not); and a file that replaces
 * another needs a name anyway. What is lost is that a crash leaves nothing: opening deletes what bears such a name, and
 * the directory is 0700 and ours alone. */
enum err store_write(int dir, const char *name, const struct store_source *source, bool replace) must_use;

/* Reads a file as a whole; at most QUARANTINE_META_MAX. ERR_NOTFOUND; ERR_IO with errno; ERR_FULL, ERR_NOMEM. */
enum err store_read(int dir, const char *name, struct buf *out) must_use;
/* Deletes both files of ID, and its directory if that is empty now, and counts them off. ERR_NOTFOUND, ERR_IO with
 * errno. With q->changes held. */
enum err store_remove(struct quarantine *q, const char *id) must_use;
void store_name(char out[STORE_NAME], const char *id, const char *suffix);

/* Deletes the rest of crashes, counts what is there. */
enum err store_take_stock(struct quarantine *q, struct errtext *why) must_use;

/* The reserve: room for changes of status on a full disk, and the time of the last look. All with q->changes held, or
 * before anybody else has Q. */
void reserve_open(struct quarantine *q);
/* Makes it whole again where it is not. */
void reserve_keep(struct quarantine *q);
/* Its room is free for whoever writes next. */
void reserve_give(struct quarantine *q);
/* The time by which ages are counted now: NOW_MS, unless the clock has jumped ahead (limits.max_jump_ms). */
uint64_t reserve_clock(struct quarantine *q, uint64_t now_ms);

/* Makes room for OCTETS and counts them: the oldest entries go, but none younger than min_age_ms. ERR_FULL: WHY. */
enum err store_reserve(struct quarantine *q, uint64_t octets, uint64_t now_ms, struct errtext *why) must_use;

#endif
