/* SPDX-License-Identifier: MIT */
/* The files of quarantine: hour directories, pages of ids, durable writing, deleting. Every name is made of a checked
 * id, and every call goes from a directory's descriptor and follows no link. */
#include "spool/quarantine_store.h"
#include "sys/memfd.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 4096, PIECE = 65536 };
enum { OPEN_DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

uint64_t store_charge(uint64_t size)
{
    return (size + BLOCK - 1) / BLOCK * BLOCK;
}

void store_count(struct quarantine *q, int entries, int64_t octets)
{
    pthread_mutex_lock(&q->lock);
    q->entries += (uint64_t)(int64_t)entries;
    q->octets += (uint64_t)octets;
    pthread_mutex_unlock(&q->lock);
}

void store_name(char out[STORE_NAME], const char *id, const char *suffix)
{
    snprintf(out, STORE_NAME, "%.*s%s", QUARANTINE_ID, id, suffix);
}

/* --- directories --- */

static void shard_of(const char *id, char name[SHARD_SIZE])
{
    memcpy(name, id, SHARD);
    name[SHARD] = '\0';
}

int store_shard(const struct quarantine *q, const char *id, bool make)
{
    char name[SHARD_SIZE];
    shard_of(id, name);
    if (make && mkdirat(q->fd, name, 0700) != 0 && errno != EEXIST)
        return -1;
    if (make && fsync(q->fd) != 0) /* also where another thread has just made it */
        return -1;
    return openat(q->fd, name, OPEN_DIRECTORY);
}

static bool is_shard(const char *name)
{
    size_t n = 0;
    while (char_is_digit(name[n]))
        n++;
    return n == SHARD && name[n] == '\0';
}

/* A stream of the names in the directory FD, which is closed with it. NULL with errno. */
static DIR *names_of(int fd)
{
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir && fd >= 0) {
        int error = errno;
        close(fd);
        errno = error;
    }
    return dir;
}

/* The next name, or NULL with errno (0: the end). */
static const char *next_name(DIR *dir)
{
    errno = 0;
    struct dirent *entry = readdir(dir);
    return entry ? entry->d_name : NULL;
}

enum err store_next_shard(const struct quarantine *q, const char *from, bool ascending, char name[SHARD_SIZE])
{
    DIR *dir = names_of(openat(q->fd, ".", OPEN_DIRECTORY));
    if (!dir)
        return ERR_IO;
    name[0] = '\0';
    for (const char *n; (n = next_name(dir));) {
        if (!is_shard(n))
            continue;
        bool behind = !from[0] || (ascending ? strcmp(n, from) > 0 : strcmp(n, from) < 0);
        bool nearer = !name[0] || (ascending ? strcmp(n, name) < 0 : strcmp(n, name) > 0);
        if (behind && nearer)
            memcpy(name, n, SHARD_SIZE);
    }
    int error = errno;
    closedir(dir);
    errno = error;
    if (error)
        return ERR_IO;
    return name[0] ? ERR_OK : ERR_NOTFOUND;
}

/* --- pages --- */

/* Whether NAME is that of an id with SUFFIX. */
static bool name_is(const char *name, const char *suffix)
{
    struct span s = span_cstr(name);
    return s.len > QUARANTINE_ID && quarantine_id_is_valid(span_sub(s, 0, QUARANTINE_ID)) &&
           strcmp(name + QUARANTINE_ID, suffix) == 0;
}

/* Puts ID where it belongs among the first ones. */
static void ids_offer(struct store_ids *ids, const char *id, bool ascending)
{
    size_t at = ids->count;
    while (at > 0 && (ascending ? memcmp(id, ids->items[at - 1], QUARANTINE_ID) < 0
                                : memcmp(id, ids->items[at - 1], QUARANTINE_ID) > 0))
        at--;
    ids->more = ids->more || ids->count == ids->limit;
    if (at == ids->limit)
        return;
    if (ids->count < ids->limit)
        ids->count++;
    memmove(ids->items[at + 1], ids->items[at], (ids->count - at - 1) * sizeof(ids->items[0]));
    memcpy(ids->items[at], id, QUARANTINE_ID);
    ids->items[at][QUARANTINE_ID] = '\0';
}

static enum err page_shard(const struct quarantine *q, const char *shard, const char *after, bool ascending,
                           struct store_ids *ids)
{
    DIR *dir = names_of(openat(q->fd, shard, OPEN_DIRECTORY));
    if (!dir)
        return errno == ENOENT ? ERR_OK : ERR_IO;
    for (const char *n; (n = next_name(dir));) {
        if (!name_is(n, STORE_META))
            continue;
        int order = after[0] ? memcmp(n, after, QUARANTINE_ID) : 0;
        if (!after[0] || (ascending ? order > 0 : order < 0))
            ids_offer(ids, n, ascending);
    }
    int error = errno;
    closedir(dir);
    errno = error;
    return error ? ERR_IO : ERR_OK;
}

enum err store_page(const struct quarantine *q, const char *after, bool ascending, struct store_ids *ids)
{
    char shard[SHARD_SIZE] = "";
    enum err e = ERR_OK;
    ids->count = 0;
    ids->more = false;
    if (after[0]) {
        shard_of(after, shard);
        e = page_shard(q, shard, after, ascending, ids);
    }
    while (e == ERR_OK && !ids->more) {
        char next[SHARD_SIZE];
        e = store_next_shard(q, shard, ascending, next);
        if (e != ERR_OK)
            break;
        memcpy(shard, next, sizeof(shard));
        e = page_shard(q, shard, after, ascending, ids);
    }
    return e == ERR_NOTFOUND ? ERR_OK : e;
}

/* --- writing --- */

/* Copies the octets of SOURCE and compares what was read with the digest: what was scanned is what is kept. */
static enum err copy_octets(int to, const struct store_source *source, struct sha256 *hash)
{
    char piece[PIECE];
    struct sha256_digest digest;
    uint64_t at = 0;
    while (at < source->size) {
        size_t wanted = source->size - at < sizeof(piece) ? (size_t)(source->size - at) : sizeof(piece);
        ssize_t n = pread(source->fd, piece, wanted, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n < 0 ? errno : EIO;
            return ERR_IO;
        }
        if (sha256_update(hash, span_of(piece, (size_t)n)) != ERR_OK)
            return ERR_NOMEM;
        if (to >= 0 && fd_write_all(to, span_of(piece, (size_t)n)) != ERR_OK)
            return ERR_IO;
        at += (uint64_t)n;
    }
    if (sha256_finish(hash, &digest) != ERR_OK)
        return ERR_NOMEM;
    return memcmp(&digest, source->expected, sizeof(digest)) == 0 ? ERR_OK : ERR_DENIED;
}

enum err store_copy(int to, const struct store_source *source)
{
    if (source->fd < 0)
        return fd_write_all(to, source->bytes);
    struct sha256 *hash = sha256_new();
    enum err e = hash ? copy_octets(to, source, hash) : ERR_NOMEM;
    sha256_free(hash);
    return e;
}

/* SOURCE into the new file FD, durably; FD is closed. After a failed fsync nothing is known of the file's pages, so it
 * is given up and never tried again. */
static enum err fill(int fd, const struct store_source *source)
{
    enum err e = store_copy(fd, source);
    if (e == ERR_OK && fsync(fd) != 0)
        e = ERR_IO;
    int error = errno;
    if (close(fd) != 0 && e == ERR_OK) {
        error = errno;
        e = ERR_IO;
    }
    errno = error;
    return e;
}

enum err store_write(int dir, const char *name, const struct store_source *source, bool replace)
{
    char new_name[STORE_NAME + 8];
    snprintf(new_name, sizeof(new_name), "%s" STORE_NEW, name);
    if (replace)
        unlinkat(dir, new_name, 0); /* of a replacement that failed before */
    int fd = openat(dir, new_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return ERR_IO;
    enum err e = fill(fd, source);
    bool named = false;
    if (e == ERR_OK) {
        /* A new name must not be taken: linkat says so, where rename would replace. */
        named = (replace ? renameat(dir, new_name, dir, name) : linkat(dir, new_name, dir, name, 0)) == 0;
        if (!named || (!replace && unlinkat(dir, new_name, 0) != 0) || fsync(dir) != 0)
            e = ERR_IO;
    }
    if (e == ERR_OK)
        return e;
    int error = errno;
    unlinkat(dir, new_name, 0);
    if (named && !replace)
        unlinkat(dir, name, 0);
    errno = error;
    return e;
}

/* --- reading, deleting --- */

enum err store_read(int dir, const char *name, struct buf *out)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
    enum err e = ERR_OK;
    for (ssize_t n = 1; n != 0 && e == ERR_OK;) {
        char *where;
        size_t room;
        e = buf_reserve(out, PIECE, &where, &room);
        if (e != ERR_OK)
            break;
        n = read(fd, where, room);
        if (n < 0 && errno != EINTR)
            e = ERR_IO;
        if (n > 0)
            buf_commit(out, (size_t)n);
    }
    int error = errno;
    close(fd);
    errno = error;
    return e;
}

/* Deletes NAME; *CHARGE grows by what it counted. ERR_NOTFOUND, ERR_IO. */
static enum err remove_file(int dir, const char *name, uint64_t *charge)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
    if (unlinkat(dir, name, 0) != 0)
        return ERR_IO;
    *charge += store_charge((uint64_t)st.st_size);
    return ERR_OK;
}

enum err store_remove(struct quarantine *q, const char *id)
{
    char meta[STORE_NAME], content[STORE_NAME], shard[SHARD_SIZE];
    uint64_t charge = 0;
    int dir = store_shard(q, id, false);
    if (dir < 0)
        return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
    store_name(meta, id, STORE_META);
    store_name(content, id, STORE_CONTENT);
    /* The metadata first: octets without it are deleted at the next start. */
    enum err first = remove_file(dir, meta, &charge), second = ERR_OK;
    if (first != ERR_IO)
        second = remove_file(dir, content, &charge);
    bool both_missing = first == ERR_NOTFOUND && second == ERR_NOTFOUND;
    enum err e = first == ERR_IO || second == ERR_IO ? ERR_IO : both_missing ? ERR_NOTFOUND : ERR_OK;
    if (e == ERR_OK && fsync(dir) != 0)
        e = ERR_IO;
    int error = errno;
    close(dir);
    store_count(q, first == ERR_OK ? -1 : 0, -(int64_t)charge);
    shard_of(id, shard);
    unlinkat(q->fd, shard, AT_REMOVEDIR); /* only if it is empty */
    errno = error;
    return e;
}

/* --- taking stock --- */

struct stock {
    uint64_t entries, octets, deleted, stuck;
    unsigned strange;
};

/* One name of the shard DIR. */
static enum err take_name(int dir, const char *name, struct stock *stock)
{
    struct stat st;
    char meta[STORE_NAME];
    bool is_meta = name_is(name, STORE_META), is_content = name_is(name, STORE_CONTENT);
    bool unfinished = name_is(name, STORE_META STORE_NEW) || name_is(name, STORE_CONTENT STORE_NEW);
    if (!is_meta && !is_content && !unfinished) {
        stock->strange += name[0] != '.';
        return ERR_OK;
    }
    if (is_content) {
        store_name(meta, name, STORE_META);
        unfinished = fstatat(dir, meta, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
    }
    if (unfinished && unlinkat(dir, name, 0) == 0) {
        stock->deleted++;
        return ERR_OK;
    }
    stock->stuck += unfinished;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return ERR_IO;
    stock->entries += is_meta;
    stock->octets += store_charge((uint64_t)st.st_size);
    return ERR_OK;
}

static enum err take_shard(const struct quarantine *q, const char *shard, struct stock *stock)
{
    DIR *dir = names_of(openat(q->fd, shard, OPEN_DIRECTORY));
    if (!dir)
        return ERR_IO;
    enum err e = ERR_OK;
    for (const char *n; e == ERR_OK && (n = next_name(dir));)
        e = take_name(dirfd(dir), n, stock);
    int error = errno;
    closedir(dir);
    errno = error;
    return e == ERR_OK && error ? ERR_IO : e;
}

enum err store_take_stock(struct quarantine *q, struct errtext *why)
{
    struct stock stock = {0};
    char shard[SHARD_SIZE] = "", next[SHARD_SIZE];
    enum err e;
    while ((e = store_next_shard(q, shard, true, next)) == ERR_OK) {
        memcpy(shard, next, sizeof(shard));
        e = take_shard(q, shard, &stock);
        if (e != ERR_OK)
            break;
    }
    if (e != ERR_NOTFOUND) {
        errtext_set(why, "quarantine directory %s/%s: %s", q->path, shard, strerror(errno));
        return e;
    }
    store_count(q, (int)stock.entries, (int64_t)stock.octets);
    if (stock.deleted)
        log_text(q->log, LOG_QUARANTINE, "detail",
                 "%llu files are deleted of messages that were not yet kept when postern ended; their senders were "
                 "told nothing, or to try again",
                 (unsigned long long)stock.deleted);
    if (stock.stuck)
        log_text(q->log, LOG_QUARANTINE_FAILED, "detail",
                 "%llu files in %s that a crash left cannot be deleted; they count as long as they are there",
                 (unsigned long long)stock.stuck, q->path);
    if (stock.strange)
        log_text(q->log, LOG_QUARANTINE, "detail", "%u files in %s are not quarantine's and stay as they are",
                 stock.strange, q->path);
    return ERR_OK;
}
