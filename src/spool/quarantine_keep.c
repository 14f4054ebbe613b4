/* SPDX-License-Identifier: MIT */
/* Taking a message in. The loop forms the metadata and waits; a pool thread writes both files. Who frees the object is
 * settled by one exchange of its state, because the session may end at any moment and so may the write. */
#include "base/mem.h"
#include "base/obj.h"
#include "spool/quarantine_store.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

enum { KEEPING_MAGIC = 0x51554152 };

/* Who has it. */
enum owner {
    OWNER_POOL,   /* a pool thread writes, the loop waits */
    OWNER_NOBODY, /* a pool thread writes, nobody waits: the thread deletes and frees */
    OWNER_LOOP,   /* written; the mail is on its way to the loop, or was delivered */
};

struct quarantine_keeping {
    unsigned magic;
    struct iopool_job job;
    struct mail home;
    struct quarantine *quarantine;
    struct iopool *pool;
    struct mailbox *box;
    void (*wake)(void *arg);
    void *arg;
    int fd;
    char id[QUARANTINE_ID_SIZE];
    uint64_t size, now_ms;
    struct sha256_digest digest;
    struct buf meta;
    _Atomic int owner;
    bool delivered, forgotten; /* the loop's */
    enum err result;
    struct errtext why;
};

static void keeping_destroy(struct quarantine_keeping *k)
{
    if (k->fd >= 0)
        close(k->fd);
    buf_release(&k->meta);
    OBJ_FINI(k);
    mem_free(k);
}

/* --- on a pool thread --- */

static struct quarantine_keeping *keeping_of(struct iopool_job *job)
{
    struct quarantine_keeping *k = container_of(job, struct quarantine_keeping, job);
    OBJ_CHECK(k, KEEPING_MAGIC);
    return k;
}

static enum err keep_file(struct quarantine_keeping *k, int dir, const char *suffix, const struct store_source *source)
{
    char name[STORE_NAME];
    store_name(name, k->id, suffix);
    enum err e = store_write(dir, name, source, false);
    if (e == ERR_DENIED)
        errtext_set(&k->why, "quarantine %s: the octets do not fit their digest any more", k->quarantine->path);
    else if (e != ERR_OK)
        errtext_set(&k->why, "cannot write to quarantine %s: %s", k->quarantine->path,
                    e == ERR_IO ? strerror(errno) : err_name(e));
    return e;
}

static enum err keep_octets(struct quarantine_keeping *k, int *dir)
{
    const struct store_source octets = {.fd = k->fd, .size = k->size, .expected = &k->digest};
    for (unsigned tries = 0;; tries++) {
        *dir = store_shard(k->quarantine, k->id, true);
        if (*dir < 0) {
            errtext_set(&k->why, "cannot make a directory in quarantine %s: %s", k->quarantine->path, strerror(errno));
            return ERR_IO;
        }
        enum err e = keep_file(k, *dir, STORE_CONTENT, &octets);
        if (e != ERR_IO || errno != ENOENT || tries == 2)
            return e;
        close(*dir); /* it was empty, and another thread deleted it */
    }
}

static enum err keep_both(struct quarantine_keeping *k)
{
    const struct store_source meta = {.fd = -1, .bytes = buf_span(&k->meta)};
    char content[STORE_NAME];
    int dir = -1;
    enum err e = keep_octets(k, &dir);
    if (e == ERR_OK) {
        e = keep_file(k, dir, STORE_META, &meta);
        store_name(content, k->id, STORE_CONTENT);
        if (e != ERR_OK)
            unlinkat(dir, content, 0);
    }
    if (dir >= 0)
        close(dir);
    return e;
}

static enum err keep_now(struct quarantine_keeping *k)
{
    struct quarantine *q = k->quarantine;
    uint64_t charge = store_charge(k->size) + store_charge(buf_len(&k->meta));
    enum err e = store_reserve(q, charge, k->now_ms, &k->why);
    if (e != ERR_OK)
        return e;
    e = keep_both(k);
    store_count(q, e == ERR_OK, e == ERR_OK ? 0 : -(int64_t)charge);
    return e;
}

/* Nobody waits for the copy any more. */
static void keeping_undo(struct quarantine_keeping *k)
{
    struct quarantine *q = k->quarantine;
    if (k->result == ERR_OK) {
        pthread_mutex_lock(&q->changes);
        enum err e = store_remove(q, k->id);
        pthread_mutex_unlock(&q->changes);
        if (e != ERR_OK && e != ERR_NOTFOUND)
            log_text(q->log, LOG_QUARANTINE_FAILED, "detail", "%s stays although its sender was told to try again: %s",
                     k->id, strerror(errno));
    }
    keeping_destroy(k);
}

static void keeping_home(struct mail *m)
{
    struct quarantine_keeping *k = container_of(m, struct quarantine_keeping, home);
    OBJ_CHECK(k, KEEPING_MAGIC);
    k->delivered = true;
    if (k->forgotten)
        quarantine_keeping_free(k);
    else
        k->wake(k->arg);
}

static void keeping_run(struct iopool_job *job)
{
    struct quarantine_keeping *k = keeping_of(job);
    int owner = OWNER_POOL;
    k->result = keep_now(k);
    k->home.deliver = keeping_home;
    struct mailbox *box = k->box;
    if (atomic_compare_exchange_strong(&k->owner, &owner, OWNER_LOOP))
        mailbox_post(box, &k->home);
    else
        keeping_undo(k);
}

static void keeping_run_undo(struct iopool_job *job)
{
    keeping_undo(keeping_of(job));
}

/* --- on the loop --- */

struct quarantine_keeping *quarantine_keep(struct quarantine *q, struct iopool *pool, struct mailbox *box, int fd,
                                           const struct quarantine_meta *m, uint64_t now_ms, void (*wake)(void *arg),
                                           void *arg)
{
    struct quarantine_keeping *k = MEM_NEW(struct quarantine_keeping);
    if (!k)
        return NULL;
    OBJ_INIT(k, KEEPING_MAGIC);
    k->quarantine = q;
    k->pool = pool;
    k->box = box;
    k->wake = wake;
    k->arg = arg;
    k->size = m->size;
    k->digest = m->digest;
    k->now_ms = now_ms;
    k->job.run = keeping_run;
    list_init(&k->home.node);
    memcpy(k->id, m->id, sizeof(k->id));
    buf_init(&k->meta, QUARANTINE_META_MAX);
    k->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (k->fd < 0 || !quarantine_id_is_valid(span_cstr(k->id)) || quarantine_meta_write(&k->meta, m) != ERR_OK) {
        keeping_destroy(k);
        return NULL;
    }
    iopool_submit(pool, &k->job);
    return k;
}

enum quarantine_keeping_state quarantine_keeping_state(const struct quarantine_keeping *k)
{
    OBJ_CHECK(k, KEEPING_MAGIC);
    if (!k->delivered)
        return QUARANTINE_BUSY;
    return k->result == ERR_OK ? QUARANTINE_KEPT : QUARANTINE_FAILED;
}

const char *quarantine_keeping_why(const struct quarantine_keeping *k)
{
    return k->why.text;
}

void quarantine_keeping_free(struct quarantine_keeping *k)
{
    int owner = OWNER_POOL;
    if (!k)
        return;
    OBJ_CHECK(k, KEEPING_MAGIC);
    if (k->delivered && !k->forgotten) {
        keeping_destroy(k);
    } else if (k->delivered) { /* it was given up while its mail was on the way */
        k->job.run = keeping_run_undo;
        iopool_submit(k->pool, &k->job);
    } else if (!atomic_compare_exchange_strong(&k->owner, &owner, OWNER_NOBODY)) {
        k->forgotten = true;
    }
}
