/* SPDX-License-Identifier: MIT */
/* A message as memory file or spill file, or, where nobody else reads it and it is small, as octets of our own. The
 * loop's side is `struct message`; what a pool thread may touch while a job is on its way is `struct message_io` alone,
 * plus the bytes of the ring that the job was given.
 *
 * The ring has two slices. Appending needs one slice of room whatever its size, so WAIT is said as soon as more than
 * one slice is unwritten; writing starts at half a slice, so that a disk which keeps up is never waited for.
 */
#include "spool/message.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/obj.h"
#include "spool/directory.h"
#include "sys/memfd.h"
#include <errno.h>
#include <unistd.h>

enum { MESSAGE_MAGIC = 0x4d455347, RING_SIZE = 2 * SPOOL_SLICE, WRITE_FROM = SPOOL_SLICE / 2, COPY_CHUNK = 16384 };

/* One job. Set by the loop before submitting, answered by the pool thread. */
struct message_io {
    struct iopool_job job;
    const struct spool *spool;
    int fd;
    char *bytes; /* to write from, or read into */
    size_t len;
    uint64_t offset;
    int memory_fd;       /* spill: what to copy, LEN bytes */
    int error;           /* answer: errno, or 0 */
    const char *failing; /* answer: what could not be done */
    size_t got;          /* answer of a read */
    struct sha256 *hash; /* of the file's slices that were read in order from its beginning */
    uint64_t hashed;     /* octets in it */
};

struct message {
    unsigned magic;
    struct spool *spool;
    struct iopool *pool;
    void (*wake)(void *arg);
    void *arg;
    int fd;
    bool in_memory; /* no byte is to go to a file */
    bool unshared;  /* all of it is in `own`, and there is no descriptor */
    bool sealing;   /* nothing more comes: write what waits, however little */
    bool sealed;
    bool busy;    /* a job is on its way; io is the pool's */
    bool waiting; /* a wake is owed when it is done */
    bool orphan;  /* given up; freed when the job is done */
    uint64_t size;
    uint64_t written; /* of a spill file */
    struct sha256 *hash;
    struct sha256_digest digest;
    struct buf own;
    char *ring;                   /* NULL until needed */
    size_t ring_start, ring_used; /* not yet written */
    uint64_t slice_at;            /* sealed: what the ring holds for readers */
    size_t slice_len;
    int error;
    struct errtext why;
    struct message_io io;
};

static enum message_state message_fail(struct message *m, int error, const char *doing)
{
    if (!m->error) {
        m->error = error ? error : EIO;
        errtext_set(&m->why, "%s %s: %s", doing, m->in_memory ? "a memory file" : spool_path(m->spool),
                    strerror(m->error));
    }
    return MESSAGE_FAILED;
}

static struct message *message_make(struct spool *s, struct iopool *pool, struct mailbox *mailbox,
                                    void (*wake)(void *arg), void *arg, bool unshared)
{
    struct message *m = MEM_NEW(struct message);
    if (!m)
        return NULL;
    OBJ_INIT(m, MESSAGE_MAGIC);
    m->spool = s;
    m->pool = pool;
    m->wake = wake;
    m->arg = arg;
    m->in_memory = true;
    m->io.spool = s;
    m->io.job.reply_to = mailbox;
    m->unshared = unshared;
    m->fd = unshared ? -1 : memfd_new("postern-message");
    buf_init(&m->own, SPOOL_SLICE);
    m->hash = sha256_new_like(spool_blank_digest(s));
    if ((m->fd >= 0 || unshared) && m->hash)
        return m;
    if (m->fd >= 0)
        close(m->fd);
    sha256_free(m->hash);
    mem_free(m);
    return NULL;
}

struct message *message_new(struct spool *s, struct iopool *pool, struct mailbox *mailbox, void (*wake)(void *arg),
                            void *arg)
{
    return message_make(s, pool, mailbox, wake, arg, false);
}

struct message *message_new_unshared(struct spool *s, struct iopool *pool, struct mailbox *mailbox,
                                     void (*wake)(void *arg), void *arg)
{
    return message_make(s, pool, mailbox, wake, arg, true);
}

/* pwrite(2) of everything; 0 or errno. */
static int write_all(int fd, const char *bytes, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, bytes, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        bytes += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

/* pread(2) until LEN bytes are there or the file ends; *got how many; 0 or errno. */
static int read_all(int fd, char *bytes, size_t len, uint64_t offset, size_t *got)
{
    *got = 0;
    while (*got < len) {
        ssize_t n = pread(fd, bytes + *got, len - *got, (off_t)(offset + *got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return 0;
}

/* --- on a pool thread --- */

static struct message_io *io_of(struct iopool_job *job)
{
    return container_of(job, struct message_io, job);
}

/* Makes the file and copies the memory part into it. */
static void io_run_spill(struct iopool_job *job)
{
    struct message_io *io = io_of(job);
    char chunk[COPY_CHUNK];
    io->failing = "cannot make a file in";
    io->fd = spool_new_file(io->spool);
    io->error = io->fd < 0 ? errno : 0;
    for (uint64_t at = 0; !io->error && at < io->len;) {
        size_t part = io->len - at < sizeof(chunk) ? (size_t)(io->len - at) : sizeof(chunk), got;
        io->failing = "cannot write to";
        io->error = read_all(io->memory_fd, chunk, part, at, &got);
        if (!io->error && got != part)
            io->error = EIO;
        if (!io->error)
            io->error = write_all(io->fd, chunk, part, at);
        at += part;
    }
}

static void io_run_write(struct iopool_job *job)
{
    struct message_io *io = io_of(job);
    io->failing = "cannot write to";
    io->error = write_all(io->fd, io->bytes, io->len, io->offset);
}

static void io_run_read(struct iopool_job *job)
{
    struct message_io *io = io_of(job);
    io->failing = "cannot read from";
    io->error = read_all(io->fd, io->bytes, io->len, io->offset, &io->got);
    if (!io->error && io->got != io->len)
        io->error = EIO; /* the file became shorter */
    if (io->error || !io->hash || io->offset != io->hashed)
        return;
    io->hashed += io->got;
    if (sha256_update(io->hash, span_of(io->bytes, io->got)) != ERR_OK)
        io->error = EIO;
}

static void message_destroy(struct message *m)
{
    if (m->fd >= 0)
        close(m->fd);
    buf_release(&m->own);
    mem_free(m->ring);
    sha256_free(m->hash);
    sha256_free(m->io.hash);
    OBJ_FINI(m);
    mem_free(m);
}

static void io_run_close(struct iopool_job *job)
{
    message_destroy(container_of(io_of(job), struct message, io));
}

/* --- on the loop --- */

static void message_submit(struct message *m, void (*run)(struct iopool_job *), void (*done)(struct iopool_job *))
{
    m->busy = true;
    m->io.job.run = run;
    m->io.job.done = done;
    m->io.error = 0;
    iopool_submit(m->pool, &m->io.job);
}

/* The last file descriptor deletes the file: not on the loop. */
static void message_dispose(struct message *m)
{
    if (m->in_memory || m->fd < 0)
        message_destroy(m);
    else
        message_submit(m, io_run_close, NULL);
}

/* A job came home. False: the message is gone. */
static bool message_home(struct message *m)
{
    OBJ_CHECK(m, MESSAGE_MAGIC);
    m->busy = false;
    if (m->orphan) {
        message_dispose(m);
        return false;
    }
    if (m->io.error)
        (void)message_fail(m, m->io.error, m->io.failing);
    return true;
}

static void message_wake(struct message *m)
{
    if (!m->waiting)
        return;
    m->waiting = false;
    m->wake(m->arg); /* M may be given up now */
}

static void message_pump(struct message *m);

/* After a job of writing: the next one, and the end of waiting. */
static void message_go_on(struct message *m)
{
    message_pump(m);
    if (m->error || (m->sealing ? m->ring_used == 0 : m->ring_used <= SPOOL_SLICE))
        message_wake(m);
}

static void message_write_done(struct iopool_job *job)
{
    struct message *m = container_of(io_of(job), struct message, io);
    if (!message_home(m))
        return;
    if (!m->error) {
        m->written += m->io.len;
        m->ring_start = (m->ring_start + m->io.len) % RING_SIZE;
        m->ring_used -= m->io.len;
    }
    message_go_on(m);
}

/* Starts a write of what is contiguous, when enough waits and no other job is on its way. */
static void message_pump(struct message *m)
{
    size_t enough = m->sealing ? 1 : WRITE_FROM;
    if (m->busy || m->error || m->in_memory || m->ring_used < enough)
        return;
    size_t len = RING_SIZE - m->ring_start;
    if (len > m->ring_used)
        len = m->ring_used;
    if (len > SPOOL_SLICE)
        len = SPOOL_SLICE;
    m->io.fd = m->fd;
    m->io.bytes = m->ring + m->ring_start;
    m->io.len = len;
    m->io.offset = m->written;
    message_submit(m, io_run_write, message_write_done);
}

static void message_spill_done(struct iopool_job *job)
{
    struct message *m = container_of(io_of(job), struct message, io);
    /* The new file replaces the memory file even if copying failed, so that it is closed with the message. */
    if (m->io.fd >= 0) {
        close(m->fd);
        m->fd = m->io.fd;
    }
    m->written = m->io.len;
    if (message_home(m))
        message_go_on(m);
}

/* Copies BYTES behind what is in the ring; the caller knows that they fit. */
static void ring_put(struct message *m, struct span bytes)
{
    size_t at = (m->ring_start + m->ring_used) % RING_SIZE;
    size_t first = bytes.len < RING_SIZE - at ? bytes.len : RING_SIZE - at;
    memcpy(m->ring + at, bytes.ptr, first);
    memcpy(m->ring, bytes.ptr + first, bytes.len - first);
    m->ring_used += bytes.len;
}

/* The first append beyond the threshold: from here on bytes go through the ring to a file. */
static enum message_state message_spill(struct message *m)
{
    m->ring = mem_resize(NULL, RING_SIZE, 1);
    if (!m->ring)
        return message_fail(m, ENOMEM, "cannot buffer for");
    m->in_memory = false;
    m->io.memory_fd = m->fd;
    m->io.len = m->size;
    message_submit(m, io_run_spill, message_spill_done);
    return MESSAGE_OK;
}

/* The first append that is too much for the process's memory: what is there goes to a memory file. */
static enum message_state message_leave_memory(struct message *m)
{
    m->fd = memfd_new("postern-message");
    if (m->fd < 0)
        return message_fail(m, errno, "cannot make");
    int error = write_all(m->fd, buf_span(&m->own).ptr, buf_len(&m->own), 0);
    if (error)
        return message_fail(m, error, "cannot write to");
    buf_release(&m->own);
    m->unshared = false;
    return MESSAGE_OK;
}

enum message_state message_append(struct message *m, struct span bytes)
{
    OBJ_CHECK(m, MESSAGE_MAGIC);
    if (m->error)
        return MESSAGE_FAILED;
    if (m->sealing || m->waiting || bytes.len > SPOOL_SLICE)
        return message_fail(m, EINVAL, "append out of order to");
    if (bytes.len == 0)
        return MESSAGE_OK;
    if (sha256_update(m->hash, bytes) != ERR_OK)
        return message_fail(m, EIO, "cannot digest bytes for");
    bool fits = m->size + bytes.len <= spool_memory_threshold(m->spool);
    if (m->unshared && fits && bytes.len <= buf_room(&m->own)) {
        if (buf_append(&m->own, bytes) != ERR_OK)
            return message_fail(m, ENOMEM, "cannot buffer for");
        m->size += bytes.len;
        return MESSAGE_OK;
    }
    if (m->unshared && message_leave_memory(m) != MESSAGE_OK)
        return MESSAGE_FAILED;
    if (m->in_memory && fits) {
        int error = write_all(m->fd, bytes.ptr, bytes.len, m->size);
        if (error)
            return message_fail(m, error, "cannot write to");
        m->size += bytes.len;
        return MESSAGE_OK;
    }
    if (m->in_memory && message_spill(m) != MESSAGE_OK)
        return MESSAGE_FAILED;
    ring_put(m, bytes);
    m->size += bytes.len;
    message_pump(m);
    m->waiting = m->ring_used > SPOOL_SLICE;
    return m->waiting ? MESSAGE_WAIT : MESSAGE_OK;
}

/* Everything is written: closes the digest and takes the right to write away. */
static enum message_state message_finish(struct message *m)
{
    if (sha256_finish(m->hash, &m->digest) != ERR_OK)
        return message_fail(m, EIO, "cannot digest");
    m->sealed = m->unshared; /* nobody else could write to it */
    if (m->sealed)
        return MESSAGE_OK;
    if (m->in_memory && memfd_seal(m->fd) != ERR_OK)
        return message_fail(m, errno, "cannot seal");
    int fd = fd_reopen_readonly(m->fd);
    if (fd < 0)
        return message_fail(m, errno, "cannot re-open for reading");
    close(m->fd);
    m->fd = fd;
    mem_free(m->ring); /* a message may wait for long until somebody reads it */
    m->ring = NULL;
    m->sealed = true;
    return MESSAGE_OK;
}

enum message_state message_seal(struct message *m)
{
    OBJ_CHECK(m, MESSAGE_MAGIC);
    if (m->error)
        return MESSAGE_FAILED;
    if (m->sealed)
        return MESSAGE_OK;
    m->sealing = true;
    message_pump(m);
    if (!m->busy && !m->error)
        return message_finish(m);
    m->waiting = true;
    return MESSAGE_WAIT;
}

enum message_state message_poll(const struct message *m)
{
    OBJ_CHECK(m, MESSAGE_MAGIC);
    if (m->error)
        return MESSAGE_FAILED;
    return m->waiting ? MESSAGE_WAIT : MESSAGE_OK;
}

uint64_t message_size(const struct message *m)
{
    return m->size;
}

const struct sha256_digest *message_digest(const struct message *m)
{
    return &m->digest;
}

int message_fd(const struct message *m)
{
    return m->sealed ? m->fd : -1;
}

ssize_t message_head(const struct message *m, char *to, size_t len)
{
    if (!m->sealed || !m->unshared)
        return pread(message_fd(m), to, len, 0);
    struct span head = span_sub(buf_span(&m->own), 0, len);
    if (head.len > 0)
        memcpy(to, head.ptr, head.len);
    return (ssize_t)head.len;
}

bool message_in_memory(const struct message *m)
{
    return m->in_memory;
}

const char *message_why(const struct message *m)
{
    return m->why.text;
}

int message_errno(const struct message *m)
{
    return m->error;
}

static void message_read_done(struct iopool_job *job)
{
    struct message *m = container_of(io_of(job), struct message, io);
    if (!message_home(m))
        return;
    if (!m->error) {
        m->slice_at = m->io.offset;
        m->slice_len = m->io.got;
    }
    message_wake(m);
}

/* What is read from a file is digested again: a memory file is sealed by the kernel, a file on disk by nobody. */
static enum message_state message_digest_again(struct message *m)
{
    sha256_free(m->io.hash);
    m->io.hash = sha256_new();
    m->io.hashed = 0;
    return m->io.hash ? MESSAGE_OK : message_fail(m, ENOMEM, "cannot digest bytes of");
}

/* At the end: are these the octets that were sealed, and scanned? */
static enum message_state message_compare(struct message *m)
{
    struct sha256_digest now;
    if (!m->io.hash || m->io.hashed != m->size)
        return MESSAGE_OK; /* a memory file, or not read from end to end */
    enum err e = sha256_finish(m->io.hash, &now);
    sha256_free(m->io.hash);
    m->io.hash = NULL;
    if (e != ERR_OK)
        return message_fail(m, EIO, "cannot digest bytes of");
    if (memcmp(now.bytes, m->digest.bytes, sizeof(now.bytes)) == 0)
        return MESSAGE_OK;
    m->error = EIO;
    errtext_set(&m->why, "a file in %s changed after it was scanned", spool_path(m->spool));
    return MESSAGE_FAILED;
}

/* Fetches the slice of LEN bytes at OFFSET: at once from memory, by a pool thread from disk. */
static enum message_state message_fetch(struct message *m, uint64_t offset, size_t len)
{
    m->slice_len = 0;
    if (!m->ring)
        m->ring = mem_resize(NULL, m->size < SPOOL_SLICE ? (size_t)m->size : SPOOL_SLICE, 1);
    if (!m->ring)
        return message_fail(m, ENOMEM, "cannot buffer for");
    m->io.fd = m->fd;
    m->io.bytes = m->ring;
    m->io.len = len;
    m->io.offset = offset;
    if (!m->in_memory) {
        if (offset == 0 && message_digest_again(m) != MESSAGE_OK)
            return MESSAGE_FAILED;
        m->waiting = true;
        message_submit(m, io_run_read, message_read_done);
        return MESSAGE_WAIT;
    }
    io_run_read(&m->io.job);
    if (m->io.error)
        return message_fail(m, m->io.error, m->io.failing);
    m->slice_at = offset;
    m->slice_len = len;
    return MESSAGE_OK;
}

enum message_state message_read(struct message *m, uint64_t offset, struct span *out)
{
    OBJ_CHECK(m, MESSAGE_MAGIC);
    *out = (struct span){0};
    if (m->error)
        return MESSAGE_FAILED;
    if (!m->sealed)
        return message_fail(m, EINVAL, "read before the seal from");
    if (offset >= m->size && !m->busy)
        return message_compare(m);
    if (m->unshared) {
        *out = span_sub(buf_span(&m->own), (size_t)offset, SPOOL_SLICE);
        return MESSAGE_OK;
    }
    if (m->busy) {
        m->waiting = true;
        return MESSAGE_WAIT;
    }
    size_t len = m->size - offset < SPOOL_SLICE ? (size_t)(m->size - offset) : SPOOL_SLICE;
    if (m->slice_len != len || m->slice_at != offset) {
        enum message_state state = message_fetch(m, offset, len);
        if (state != MESSAGE_OK)
            return state;
    }
    *out = span_of(m->ring, m->slice_len);
    return MESSAGE_OK;
}

void message_free(struct message *m)
{
    if (!m)
        return;
    OBJ_CHECK(m, MESSAGE_MAGIC);
    m->waiting = false;
    if (m->busy)
        m->orphan = true;
    else
        message_dispose(m);
}
