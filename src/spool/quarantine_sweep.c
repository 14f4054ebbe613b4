/* SPDX-License-Identifier: MIT */
/* Retention: entries leave oldest first, by age, or by size where they are old enough for that. Nothing leaves without
 * a line in the log. */
#include "spool/quarantine_store.h"
#include <errno.h>

enum { SWEEP_MAX = 256, ROOM_MAX = 64 };

static uint64_t age_ms(const char *id, uint64_t now_ms)
{
    uint64_t then = quarantine_id_time_ms(id);
    return now_ms > then ? now_ms - then : 0;
}

/* Entries that should go and cannot. */
struct stuck {
    size_t count;
    char first[QUARANTINE_ID_SIZE];
    int error; /* of the first */
};

/* Deletes ID and says WHY in the log. False: it could not be deleted. */
static bool drop(struct quarantine *q, const char *id, const char *why, struct stuck *stuck)
{
    struct log_record r;
    enum err e = store_remove(q, id);
    if (e == ERR_NOTFOUND)
        return true;
    if (e != ERR_OK) {
        if (stuck->count++ == 0) {
            stuck->error = errno;
            memcpy(stuck->first, id, sizeof(stuck->first));
        }
        return false;
    }
    log_begin(&r, q->log, LOG_QUARANTINE);
    log_cstr(&r, "quarantine", id);
    log_fmt(&r, "detail", "deleted: %s", why);
    log_end(&r);
    return true;
}

/* One line, and not again at every look. */
static void say_stuck(struct quarantine *q, const struct stuck *stuck)
{
    struct log_record r;
    bool said = strcmp(q->stuck, stuck->first) == 0;
    memcpy(q->stuck, stuck->first, sizeof(q->stuck));
    if (said || stuck->count == 0)
        return;
    log_begin(&r, q->log, LOG_QUARANTINE_FAILED);
    log_cstr(&r, "quarantine", stuck->first);
    log_fmt(&r, "detail", "it should be deleted (quarantine_max_age, quarantine_max_size), which failed: %s",
            strerror(stuck->error));
    if (stuck->count > 1)
        log_u64(&r, "others", stuck->count - 1);
    log_end(&r);
}

static bool is_beyond_size(struct quarantine *q)
{
    struct quarantine_usage u = quarantine_usage(q);
    return u.octets > u.max_octets;
}

/* Why ID should go; NULL: it should not, and neither should any younger one. */
static const char *outlived(struct quarantine *q, const char *id, uint64_t now_ms)
{
    uint64_t age = age_ms(id, now_ms);
    if (age >= q->limits.max_age_ms)
        return "it is older than quarantine_max_age";
    return age >= q->limits.min_age_ms && is_beyond_size(q) ? "quarantine_max_size is exceeded" : NULL;
}

/* One page of ids; a page of which nothing can be deleted does not hide the next. */
static size_t sweep_pages(struct quarantine *q, uint64_t now_ms, struct stuck *stuck, bool *more)
{
    char room[SWEEP_MAX][QUARANTINE_ID_SIZE], after[QUARANTINE_ID_SIZE] = "";
    struct store_ids ids = {.items = room, .limit = SWEEP_MAX};
    size_t dropped = 0;
    for (*more = true; *more && dropped == 0;) {
        if (store_page(q, after, true, &ids) != ERR_OK) {
            log_text(q->log, LOG_QUARANTINE_FAILED, "detail", "cannot read %s: %s", q->path, strerror(errno));
            ids.count = 0;
        }
        *more = ids.count > 0 && ids.more;
        for (size_t i = 0; i < ids.count; i++) {
            const char *why = outlived(q, ids.items[i], now_ms);
            if (!why) {
                *more = false;
                break;
            }
            dropped += drop(q, ids.items[i], why, stuck);
            memcpy(after, ids.items[i], sizeof(after));
        }
    }
    return dropped;
}

bool quarantine_sweep(struct quarantine *q, uint64_t now_ms)
{
    struct stuck stuck = {0};
    bool more;
    pthread_mutex_lock(&q->changes);
    size_t dropped = sweep_pages(q, reserve_clock(q, now_ms), &stuck, &more);
    say_stuck(q, &stuck);
    reserve_keep(q);
    pthread_mutex_unlock(&q->changes);
    return dropped > 0 && more;
}

/* --- room for one more --- */

static bool try_reserve(struct quarantine *q, uint64_t octets)
{
    pthread_mutex_lock(&q->lock);
    bool fits = octets <= q->limits.max_size && q->octets <= q->limits.max_size - octets;
    if (fits)
        q->octets += octets;
    pthread_mutex_unlock(&q->lock);
    return fits;
}

/* Drops entries of one page until OCTETS are reserved. ERR_FULL: it may not go on. ERR_AGAIN: with the next page, if
 * there is one. */
static enum err drop_for_room(struct quarantine *q, uint64_t octets, uint64_t now_ms, const struct store_ids *ids,
                              struct stuck *stuck, struct errtext *why)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (age_ms(ids->items[i], now_ms) < q->limits.min_age_ms) {
            errtext_set(why,
                        "quarantine %s is full (quarantine_max_size), and what is in it is younger than "
                        "quarantine_min_age",
                        q->path);
            return ERR_FULL;
        }
        if (drop(q, ids->items[i], "to make room", stuck) && try_reserve(q, octets))
            return ERR_OK;
    }
    return ERR_AGAIN;
}

/* Oldest entries first. With q->changes held. */
static enum err make_room(struct quarantine *q, uint64_t octets, uint64_t now_ms, struct stuck *stuck,
                          struct errtext *why)
{
    char room[ROOM_MAX][QUARANTINE_ID_SIZE], after[QUARANTINE_ID_SIZE] = "";
    struct store_ids ids = {.items = room, .limit = ROOM_MAX};
    enum err e = ERR_AGAIN;
    while (e == ERR_AGAIN) {
        if (store_page(q, after, true, &ids) != ERR_OK || ids.count == 0) {
            errtext_set(why, "quarantine %s is full, and nothing more in it can be deleted", q->path);
            return ERR_FULL;
        }
        e = drop_for_room(q, octets, now_ms, &ids, stuck, why);
        memcpy(after, ids.items[ids.count - 1], sizeof(after));
    }
    if (e == ERR_FULL && stuck->count > 0)
        errtext_set(why, "quarantine %s is full (quarantine_max_size), %zu old entries cannot be deleted: %s", q->path,
                    stuck->count, strerror(stuck->error));
    return e;
}

enum err store_reserve(struct quarantine *q, uint64_t octets, uint64_t now_ms, struct errtext *why)
{
    struct stuck stuck = {0};
    if (try_reserve(q, octets))
        return ERR_OK;
    if (octets > q->limits.max_size) {
        errtext_set(why, "quarantine %s: a message of %llu octets is larger than quarantine_max_size", q->path,
                    (unsigned long long)octets);
        return ERR_FULL;
    }
    pthread_mutex_lock(&q->changes);
    enum err e = ERR_OK;
    if (!try_reserve(q, octets)) {
        e = make_room(q, octets, reserve_clock(q, now_ms), &stuck, why);
        if (stuck.count > 0)
            say_stuck(q, &stuck);
    }
    pthread_mutex_unlock(&q->changes);
    return e;
}
