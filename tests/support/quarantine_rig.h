/* SPDX-License-Identifier: MIT */
/* A quarantine in a directory of its own with a loop and a pool thread, and the calls that change the disk watched: for
 * the tests of src/spool/quarantine*. */
#ifndef SUPPORT_QUARANTINE_RIG_H
#define SUPPORT_QUARANTINE_RIG_H
#include "base/mem.h"
#include "io/deadline.h"
#include "spool/quarantine.h"
#include "sys/memfd.h"
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GUARD_MS = 50000 };
#define NOW UINT64_C(1795314615123) /* 2026-11-22T02:30:15.123Z */
#define DAY (UINT64_C(86400) * 1000)

/* --- the calls that change the directory, counted, recorded, and made to fail or to be the last --- */

int __real_fsync(int fd);
int __real_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_fsync(int fd);
int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_unlinkat(int dir, const char *name, int flags);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over these: pool threads and the test's write here */
static char trace[8192];
static size_t trace_len;
static long calls, fail_at = -1, die_at = -1, fail_errno = EIO;
static char undeletable[64]; /* nothing whose name begins so can be deleted */

static inline void note(const char *what, const char *name)
{
    pthread_mutex_lock(&lock);
    int n = snprintf(trace + trace_len, sizeof(trace) - trace_len, "%s %s\n", what, name);
    trace_len += n > 0 && (size_t)n < sizeof(trace) - trace_len ? (size_t)n : 0;
    pthread_mutex_unlock(&lock);
}

/* Whether this call fails. The process ends before it where it is the last. */
static inline bool call_fails(void)
{
    pthread_mutex_lock(&lock);
    long n = calls++, fails = fail_at;
    if (n == die_at)
        _exit(0);
    pthread_mutex_unlock(&lock);
    if (n != fails)
        return false;
    errno = (int)fail_errno;
    return true;
}

static inline const char *name_of(int fd, char path[256])
{
    char link[40];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, 255);
    path[len > 0 ? len : 0] = '\0';
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int __wrap_fsync(int fd)
{
    char path[256], what[300];
    struct stat st;
    if (call_fails())
        return -1;
    ck_assert_int_eq(fstat(fd, &st), 0);
    snprintf(what, sizeof(what), S_ISDIR(st.st_mode) ? "fsync" : "fsync %lld", (long long)st.st_size);
    note(what, name_of(fd, path));
    return __real_fsync(fd);
}
int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    if (call_fails())
        return -1;
    note("link", to);
    return __real_linkat(from_dir, from, to_dir, to, flags);
}
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    if (call_fails())
        return -1;
    note("rename", to);
    return __real_renameat(from_dir, from, to_dir, to);
}
int __wrap_unlinkat(int dir, const char *name, int flags)
{
    if (call_fails())
        return -1;
    if (undeletable[0] && strncmp(name, undeletable, strlen(undeletable)) == 0) {
        errno = EPERM;
        return -1;
    }
    note("unlink", name);
    return __real_unlinkat(dir, name, flags);
}

static inline void forget_calls(void)
{
    pthread_mutex_lock(&lock);
    trace_len = 0;
    trace[0] = '\0';
    calls = 0;
    fail_at = die_at = -1;
    undeletable[0] = '\0';
    pthread_mutex_unlock(&lock);
}

/* --- a quarantine with a loop --- */

struct bench {
    struct loop *loop;
    struct mailbox *box;
    struct iopool *pool;
    struct quarantine *q;
    struct quarantine_limits limits;
    struct log log;
    struct deadline guard;
    char base[64], dir[96];
    char lines[16384];
    size_t lines_len;
};

static inline void hung(void *arg)
{
    (void)arg;
    ck_abort_msg("no wake came");
}

static inline void keep_line(void *arg, enum log_level level, struct span line)
{
    struct bench *b = arg;
    (void)level;
    int n = snprintf(b->lines + b->lines_len, sizeof(b->lines) - b->lines_len, "%.*s\n", SPAN_ARG(line));
    b->lines_len += n > 0 && (size_t)n < sizeof(b->lines) - b->lines_len ? (size_t)n : 0;
}

static inline uint64_t clock_of_log(void *arg)
{
    (void)arg;
    return NOW;
}

static inline void open_again(struct bench *b)
{
    struct errtext why;
    quarantine_close(b->q);
    b->q = quarantine_open(b->dir, &b->limits, &b->log, &why);
    ck_assert_msg(b->q != NULL, "%s", why.text);
}

static inline void setup(struct bench *b)
{
    *b = (struct bench){.loop = loop_new(), .limits = {.max_size = 1 << 20, .max_age_ms = 30 * DAY, .min_age_ms = DAY}};
    b->log = (struct log){.write = keep_line, .wallclock_ms = clock_of_log, .arg = b};
    snprintf(b->base, sizeof(b->base), "/tmp/postern-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(b->base));
    snprintf(b->dir, sizeof(b->dir), "%s/quarantine", b->base);
    b->box = mailbox_new(b->loop);
    b->pool = iopool_new(1);
    deadline_init(&b->guard, b->loop, hung, b);
    deadline_set_ms(&b->guard, GUARD_MS);
    open_again(b);
    forget_calls();
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void teardown(struct bench *b)
{
    forget_calls();
    iopool_free(b->pool);
    quarantine_close(b->q);
    deadline_clear(&b->guard);
    mailbox_free(b->box);
    loop_free(b->loop);
    nftw(b->base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- entries --- */

static const char *const to[] = {"<b@y.test>"};
static unsigned number; /* makes ids differ and come in order within one second */

static inline struct quarantine_meta meta_at(uint64_t time_ms)
{
    struct quarantine_meta m;
    const uint64_t chance[2] = {++number, 0};
    quarantine_meta_clear(&m);
    quarantine_make_id(time_ms, chance, m.id);
    m.time_ms = time_ms;
    m.reverse_path = "<a@x.test>";
    m.verdict = "infected";
    m.recipients = to;
    m.recipient_count = 1;
    return m;
}

static inline struct sha256_digest digest_of(struct span bytes)
{
    struct sha256_digest d;
    struct sha256 *h = sha256_new();
    ck_assert_int_eq(sha256_update(h, bytes), ERR_OK);
    ck_assert_int_eq(sha256_finish(h, &d), ERR_OK);
    sha256_free(h);
    return d;
}

static inline int message_of(struct span bytes)
{
    int fd = memfd_new("test");
    ck_assert_int_eq(write(fd, bytes.ptr, bytes.len), (ssize_t)bytes.len);
    ck_assert_int_eq(memfd_seal(fd), ERR_OK);
    return fd;
}

static inline void woken(void *arg)
{
    struct bench *b = arg;
    note("wake", "");
    loop_stop(b->loop);
}

/* Keeps CONTENT as M, waits, and says what became of it. */
static inline enum quarantine_keeping_state keep_as(struct bench *b, struct quarantine_meta *m, struct span content,
                                                    char why[ERRTEXT_SIZE])
{
    int fd = message_of(content);
    m->size = content.len;
    m->digest = digest_of(content);
    struct quarantine_keeping *k = quarantine_keep(b->q, b->pool, b->box, fd, m, NOW, woken, b);
    ck_assert_ptr_nonnull(k);
    close(fd); /* its own copy is enough */
    while (quarantine_keeping_state(k) == QUARANTINE_BUSY)
        loop_run(b->loop);
    enum quarantine_keeping_state state = quarantine_keeping_state(k);
    snprintf(why, ERRTEXT_SIZE, "%s", quarantine_keeping_why(k));
    quarantine_keeping_free(k);
    return state;
}

/* Keeps CONTENT, which must succeed, as taken at TIME. */
static inline void keep_at(struct bench *b, uint64_t time_ms, struct span content, char id[QUARANTINE_ID_SIZE])
{
    char why[ERRTEXT_SIZE];
    struct quarantine_meta m = meta_at(time_ms);
    enum quarantine_keeping_state state = keep_as(b, &m, content, why);
    ck_assert_msg(state == QUARANTINE_KEPT, "%s", why);
    memcpy(id, m.id, sizeof(m.id));
}

static inline void path_of(const struct bench *b, const char *id, const char *suffix, char path[256])
{
    snprintf(path, 256, "%s/%.10s/%s%s", b->dir, id, id, suffix);
}

static unsigned files_found;
static inline int count_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    files_found += type == FTW_F && path[ftw->base] != '.'; /* the reserve is always there */
    return 0;
}

static inline unsigned files_in(const char *dir)
{
    files_found = 0;
    nftw(dir, count_file, 16, FTW_PHYS);
    return files_found;
}

static inline enum err show(struct bench *b, const char *id, struct quarantine_entry *e)
{
    struct errtext why;
    return quarantine_show(b->q, span_cstr(id), e, &why);
}

#define TEXT SPAN("From: <a@x.test>\r\n\r\n../../etc/passwd\r\n")

static inline void assert_status(struct bench *b, const char *id, enum quarantine_status status, const char *outcome)
{
    struct quarantine_entry e;
    ck_assert_int_eq(show(b, id, &e), ERR_OK);
    ck_assert(!e.damaged);
    ck_assert_int_eq(e.meta.status, status);
    ck_assert_str_eq(e.meta.outcome, outcome);
    ck_assert_str_eq(e.meta.recipients[0], to[0]);
    quarantine_entry_release(&e);
}

#endif
