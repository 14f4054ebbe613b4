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

/* Deletes ID and says WHY in the log. False: it could not be deleted. */
static bool drop(struct quarantine *q, const char *id, const char *why)
{
    struct log_record r;
    enum err e = store_remove(q, id);
    if (e == ERR_NOTFOUND)
        return true;
    log_begin(&r, q->log, e == ERR_OK ? LOG_QUARANTINE : LOG_QUARANTINE_FAILED);
    log_cstr(&r, "quarantine", id);
    if (e == ERR_OK)
        log_fmt(&r, "detail", "deleted: %s", why);
    else
        log_fmt(&r, "detail", "it should be deleted (%s), which failed: %s", why, strerror(errno));
    log_end(&r);
    return e == ERR_OK;
}

static bool is_beyond_size(struct quarantine *q)
{
    struct quarantine_usage u = quarantine_usage(q);
    return u.octets > u.max_octets;
}

bool quarantine_sweep(struct quarantine *q, uint64_t now_ms)
{
    char room[SWEEP_MAX][QUARANTINE_ID_SIZE];
    struct store_ids ids = {.items = room, .limit = SWEEP_MAX};
    size_t dropped = 0;
    pthread_mutex_lock(&q->changes);
    if (store_page(q, "", true, &ids) != ERR_OK) {
        log_text(q->log, LOG_QUARANTINE_FAILED, "detail", "cannot read %s: %s", q->path, strerror(errno));
        ids.count = 0;
    }
    for (size_t i = 0; i < ids.count; i++) {
        uint64_t age = age_ms(ids.items[i], now_ms);
        const char *why = NULL;
        if (age >= q->limits.max_age_ms)
            why = "it is older than quarantine_max_age";
        else if (age >= q->limits.min_age_ms && is_beyond_size(q))
            why = "quarantine_max_size is exceeded";
        if (!why || !drop(q, ids.items[i], why))
            break; /* the next ones are younger */
        dropped++;
    }
    pthread_mutex_unlock(&q->changes);
    return dropped > 0 && dropped == ids.count && ids.more;
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

/* Drops the oldest entries until OCTETS are reserved. *DROPPED: how many. ERR_FULL: it may not go on. */
static enum err drop_for_room(struct quarantine *q, uint64_t octets, uint64_t now_ms, const struct store_ids *ids,
                              struct errtext *why)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (age_ms(ids->items[i], now_ms) < q->limits.min_age_ms) {
            errtext_set(why,
                        "quarantine %s is full (quarantine_max_size), and what is in it is younger than "
                        "quarantine_min_age",
                        q->path);
            return ERR_FULL;
        }
        if (!drop(q, ids->items[i], "to make room")) {
            errtext_set(why, "quarantine %s is full, and an old entry cannot be deleted: %s", q->path, strerror(errno));
            return ERR_FULL;
        }
        if (try_reserve(q, octets))
            return ERR_OK;
    }
    return ERR_AGAIN;
}

enum err store_reserve(struct quarantine *q, uint64_t octets, uint64_t now_ms, struct errtext *why)
{
    char room[ROOM_MAX][QUARANTINE_ID_SIZE];
    struct store_ids ids = {.items = room, .limit = ROOM_MAX};
    enum err e = ERR_AGAIN;
    if (try_reserve(q, octets))
        return ERR_OK;
    if (octets > q->limits.max_size) {
        errtext_set(why, "quarantine %s: a message of %llu octets is larger than quarantine_max_size", q->path,
                    (unsigned long long)octets);
        return ERR_FULL;
    }
    pthread_mutex_lock(&q->changes);
    if (try_reserve(q, octets))
        e = ERR_OK;
    while (e == ERR_AGAIN) {
        if (store_page(q, "", true, &ids) != ERR_OK || ids.count == 0) {
            errtext_set(why, "quarantine %s is full, and nothing in it can be deleted", q->path);
            e = ERR_FULL;
        } else {
            e = drop_for_room(q, octets, now_ms, &ids, why);
        }
    }
    pthread_mutex_unlock(&q->changes);
    return e;
}
