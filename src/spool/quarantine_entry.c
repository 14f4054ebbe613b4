/* SPDX-License-Identifier: MIT */
/* What becomes of an entry: list, show, delete, release. */
#include "base/mem.h"
#include "spool/quarantine_store.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* All strings of one entry with what goes with them. */
enum { ENTRY_MEMORY = 2 * QUARANTINE_META_MAX };

void quarantine_entry_release(struct quarantine_entry *e)
{
    arena_release(&e->arena);
}

static enum err check_id(struct span id, char out[QUARANTINE_ID_SIZE], struct errtext *why)
{
    if (!quarantine_id_is_valid(id)) {
        errtext_set(why, "that is no id of quarantine: expected 14 digits, '-' and 32 hexadecimal digits");
        return ERR_SYNTAX;
    }
    memcpy(out, id.ptr, QUARANTINE_ID);
    out[QUARANTINE_ID] = '\0';
    return ERR_OK;
}

static enum err not_there(const char *id, struct errtext *why)
{
    errtext_set(why, "there is no %s in quarantine", id);
    return ERR_NOTFOUND;
}

/* The directory of ID. */
static enum err enter(const struct quarantine *q, const char *id, int *dir, struct errtext *why)
{
    *dir = store_shard(q, id, false);
    if (*dir >= 0)
        return ERR_OK;
    if (errno == ENOENT)
        return not_there(id, why);
    errtext_set(why, "quarantine %s: %s", q->path, strerror(errno));
    return ERR_IO;
}

/* Whether the octets are there and as many as the metadata says. */
static void judge_content(int dir, struct quarantine_entry *e)
{
    char name[STORE_NAME];
    struct stat st;
    store_name(name, e->id, STORE_CONTENT);
    e->damaged = true;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        errtext_set(&e->why, "the message itself: %s", strerror(errno));
    else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != e->meta.size)
        errtext_set(&e->why, "the message itself has %lld octets: expected a file with %llu", (long long)st.st_size,
                    (unsigned long long)e->meta.size);
    else
        e->damaged = false;
}

static enum err load(const struct quarantine *q, int dir, const char *id, size_t keep, struct quarantine_entry *e,
                     struct errtext *why)
{
    char name[STORE_NAME];
    struct buf text;
    buf_init(&text, QUARANTINE_META_MAX);
    *e = (struct quarantine_entry){0};
    quarantine_meta_clear(&e->meta);
    memcpy(e->id, id, sizeof(e->id));
    arena_init(&e->arena, ENTRY_MEMORY);
    store_name(name, id, STORE_META);
    enum err got = store_read(dir, name, &text);
    if (got == ERR_IO)
        errtext_set(why, "quarantine %s: %s: %s", q->path, id, strerror(errno));
    if (got == ERR_NOMEM)
        errtext_set(why, "%s", err_name(got));
    if (got == ERR_FULL) {
        errtext_set(&e->why, "the metadata is damaged: it has more than %d octets", QUARANTINE_META_MAX);
        e->damaged = true;
        got = ERR_OK;
    } else if (got == ERR_OK) {
        got = quarantine_meta_read(&e->arena, buf_span(&text), keep, &e->meta, &e->why);
        e->damaged = got == ERR_SYNTAX;
        if (got == ERR_OK && strcmp(e->meta.id, id) != 0) {
            errtext_set(&e->why, "the metadata is that of %s", e->meta.id);
            e->damaged = true;
        } else if (got == ERR_OK) {
            judge_content(dir, e);
        } else if (got != ERR_SYNTAX) {
            *why = e->why;
        }
        got = got == ERR_SYNTAX ? ERR_OK : got;
    }
    buf_release(&text);
    if (got != ERR_OK)
        quarantine_entry_release(e);
    return got == ERR_NOTFOUND ? not_there(id, why) : got;
}

static enum err load_id(const struct quarantine *q, const char *id, size_t keep, struct quarantine_entry *e,
                        struct errtext *why)
{
    int dir;
    enum err got = enter(q, id, &dir, why);
    if (got != ERR_OK)
        return got;
    got = load(q, dir, id, keep, e, why);
    close(dir);
    return got;
}

enum err quarantine_show(struct quarantine *q, struct span id, struct quarantine_entry *e, struct errtext *why)
{
    char checked[QUARANTINE_ID_SIZE];
    enum err got = check_id(id, checked, why);
    return got == ERR_OK ? load_id(q, checked, QUARANTINE_RECIPIENTS_MAX, e, why) : got;
}

/* --- pages --- */

void quarantine_page_release(struct quarantine_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        quarantine_entry_release(&page->entries[i]);
    mem_free(page->entries);
    *page = (struct quarantine_page){0};
}

static enum err load_page(const struct quarantine *q, const struct store_ids *ids, struct quarantine_page *page,
                          struct errtext *why)
{
    page->more = ids->more && ids->count > 0;
    if (page->more)
        memcpy(page->last, ids->items[ids->count - 1], sizeof(page->last));
    page->entries = mem_new(ids->count ? ids->count : 1, sizeof(*page->entries));
    if (!page->entries) {
        errtext_set(why, "%s", err_name(ERR_NOMEM));
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < ids->count; i++) {
        enum err got = load_id(q, ids->items[i], 1, &page->entries[page->count], why);
        if (got == ERR_NOTFOUND)
            continue; /* it was deleted since */
        if (got == ERR_NOMEM) {
            quarantine_page_release(page);
            return got;
        }
        if (got != ERR_OK) { /* one that cannot be read does not hide the others */
            struct quarantine_entry *e = &page->entries[page->count];
            *e = (struct quarantine_entry){.damaged = true, .why = *why};
            memcpy(e->id, ids->items[i], sizeof(e->id));
        }
        page->count++;
    }
    return ERR_OK;
}

enum err quarantine_list(struct quarantine *q, struct span before, size_t limit, struct quarantine_page *page,
                         struct errtext *why)
{
    char after[QUARANTINE_ID_SIZE] = "", room[QUARANTINE_PAGE_MAX][QUARANTINE_ID_SIZE];
    struct store_ids ids = {.items = room, .limit = limit < 1 ? 1 : limit};
    *page = (struct quarantine_page){0};
    if (ids.limit > QUARANTINE_PAGE_MAX)
        ids.limit = QUARANTINE_PAGE_MAX;
    enum err e = before.len ? check_id(before, after, why) : ERR_OK;
    if (e != ERR_OK)
        return e;
    e = store_page(q, after, false, &ids);
    if (e != ERR_OK) {
        errtext_set(why, "quarantine %s: %s", q->path, strerror(errno));
        return e;
    }
    return load_page(q, &ids, page, why);
}

/* --- changes --- */

enum err quarantine_delete(struct quarantine *q, struct span id, struct errtext *why)
{
    char checked[QUARANTINE_ID_SIZE];
    enum err e = check_id(id, checked, why);
    if (e != ERR_OK)
        return e;
    pthread_mutex_lock(&q->changes);
    e = store_remove(q, checked);
    int error = errno;
    pthread_mutex_unlock(&q->changes);
    if (e == ERR_IO)
        errtext_set(why, "%s cannot be deleted: %s", checked, strerror(error));
    return e == ERR_NOTFOUND ? not_there(checked, why) : e;
}

/* Writes the metadata M in the place of what is there, also on a full disk. With q->changes held. */
static enum err rewrite(struct quarantine *q, int dir, const struct quarantine_meta *m, struct errtext *why)
{
    char name[STORE_NAME];
    struct buf text;
    struct stat before = {0};
    buf_init(&text, QUARANTINE_META_MAX);
    store_name(name, m->id, STORE_META);
    enum err e = quarantine_meta_write(&text, m);
    if (e == ERR_OK) {
        const struct store_source source = {.fd = -1, .bytes = buf_span(&text)};
        bool known = fstatat(dir, name, &before, AT_SYMLINK_NOFOLLOW) == 0;
        e = store_write(dir, name, &source, true);
        if (e == ERR_IO && (errno == ENOSPC || errno == EDQUOT)) {
            reserve_give(q);
            e = store_write(dir, name, &source, true);
            int error = errno;
            reserve_keep(q); /* out of the room of what was replaced */
            errno = error;
        }
        if (e == ERR_OK && known)
            store_count(q, 0, (int64_t)store_charge(buf_len(&text)) - (int64_t)store_charge((uint64_t)before.st_size));
    }
    if (e != ERR_OK)
        errtext_set(why, "the status of %s cannot be written: %s", m->id, e == ERR_IO ? strerror(errno) : err_name(e));
    buf_release(&text);
    return e;
}

/* Opens the octets of E and compares them with their digest. */
static enum err open_content(int dir, const struct quarantine_entry *e, int *fd, struct errtext *why)
{
    char name[STORE_NAME];
    store_name(name, e->id, STORE_CONTENT);
    *fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const struct store_source source = {.fd = *fd, .size = e->meta.size, .expected = &e->meta.digest};
    enum err got = *fd < 0 ? ERR_IO : store_copy(-1, &source);
    if (got == ERR_OK)
        return ERR_OK;
    errtext_set(why, "the message itself: %s",
                got == ERR_DENIED ? "its octets are not those that were kept (they do not fit their digest)"
                : got == ERR_IO   ? strerror(errno)
                                  : err_name(got));
    if (*fd >= 0)
        close(*fd);
    return got;
}

static enum err may_begin(const struct quarantine_entry *e, bool again, struct errtext *why)
{
    if (e->damaged) {
        *why = e->why;
        return ERR_DENIED;
    }
    if (again || e->meta.status == QUARANTINE_HELD)
        return ERR_OK;
    errtext_set(why,
                e->meta.status == QUARANTINE_RELEASED
                    ? "%s was released before; it is only released again if you say so"
                    : "%s was about to be released and it is not known whether the backend has it; it is only "
                      "released again if you say so",
                e->id);
    return ERR_STATE;
}

static enum err begin_release(struct quarantine *q, int dir, const char *id, bool again, uint64_t now_ms,
                              struct quarantine_entry *e, int *fd, struct errtext *why)
{
    enum err got = load(q, dir, id, QUARANTINE_RECIPIENTS_MAX, e, why);
    if (got != ERR_OK)
        return got;
    got = may_begin(e, again, why);
    if (got == ERR_OK)
        got = open_content(dir, e, fd, why);
    if (got == ERR_OK) {
        e->was = e->meta.status;
        e->meta.status = QUARANTINE_RELEASING;
        e->meta.changed_ms = now_ms;
        got = rewrite(q, dir, &e->meta, why);
        if (got != ERR_OK)
            close(*fd);
    }
    if (got != ERR_OK)
        quarantine_entry_release(e);
    return got;
}

enum err quarantine_release_begin(struct quarantine *q, struct span id, bool again, uint64_t now_ms,
                                  struct quarantine_entry *e, int *fd, struct errtext *why)
{
    char checked[QUARANTINE_ID_SIZE];
    int dir;
    enum err got = check_id(id, checked, why);
    if (got == ERR_OK)
        got = enter(q, checked, &dir, why);
    if (got != ERR_OK)
        return got;
    pthread_mutex_lock(&q->changes);
    got = begin_release(q, dir, checked, again, now_ms, e, fd, why);
    pthread_mutex_unlock(&q->changes);
    close(dir);
    return got;
}

enum err quarantine_release_end(struct quarantine *q, const char *id, enum quarantine_status status,
                                const char *outcome, uint64_t now_ms, struct errtext *why)
{
    struct quarantine_entry e;
    int dir;
    enum err got = enter(q, id, &dir, why);
    if (got != ERR_OK)
        return got;
    pthread_mutex_lock(&q->changes);
    got = load(q, dir, id, QUARANTINE_RECIPIENTS_MAX, &e, why);
    if (got == ERR_OK) {
        e.meta.status = status;
        e.meta.changed_ms = now_ms;
        e.meta.outcome = outcome;
        if (strcmp(e.meta.id, id) != 0) { /* its metadata is damaged */
            *why = e.why;
            got = ERR_DENIED;
        } else {
            got = rewrite(q, dir, &e.meta, why);
        }
        quarantine_entry_release(&e);
    }
    pthread_mutex_unlock(&q->changes);
    close(dir);
    return got;
}
