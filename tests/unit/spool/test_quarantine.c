/* SPDX-License-Identifier: MIT */
/* The files of quarantine: order of what reaches the disk, faults and crashes at every call, names, retention, damage.
 */
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

static void note(const char *what, const char *name)
{
    pthread_mutex_lock(&lock);
    int n = snprintf(trace + trace_len, sizeof(trace) - trace_len, "%s %s\n", what, name);
    trace_len += n > 0 && (size_t)n < sizeof(trace) - trace_len ? (size_t)n : 0;
    pthread_mutex_unlock(&lock);
}

/* Whether this call fails. The process ends before it where it is the last. */
static bool call_fails(void)
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

static const char *name_of(int fd, char path[256])
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
    note("unlink", name);
    return __real_unlinkat(dir, name, flags);
}

static void forget_calls(void)
{
    pthread_mutex_lock(&lock);
    trace_len = 0;
    trace[0] = '\0';
    calls = 0;
    fail_at = die_at = -1;
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

static void hung(void *arg)
{
    (void)arg;
    ck_abort_msg("no wake came");
}

static void keep_line(void *arg, enum log_level level, struct span line)
{
    struct bench *b = arg;
    (void)level;
    int n = snprintf(b->lines + b->lines_len, sizeof(b->lines) - b->lines_len, "%.*s\n", SPAN_ARG(line));
    b->lines_len += n > 0 && (size_t)n < sizeof(b->lines) - b->lines_len ? (size_t)n : 0;
}

static uint64_t clock_of_log(void *arg)
{
    (void)arg;
    return NOW;
}

static void open_again(struct bench *b)
{
    struct errtext why;
    quarantine_close(b->q);
    b->q = quarantine_open(b->dir, &b->limits, &b->log, &why);
    ck_assert_msg(b->q != NULL, "%s", why.text);
}

static void setup(struct bench *b)
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

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void teardown(struct bench *b)
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

static struct quarantine_meta meta_at(uint64_t time_ms)
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

static struct sha256_digest digest_of(struct span bytes)
{
    struct sha256_digest d;
    struct sha256 *h = sha256_new();
    ck_assert_int_eq(sha256_update(h, bytes), ERR_OK);
    ck_assert_int_eq(sha256_finish(h, &d), ERR_OK);
    sha256_free(h);
    return d;
}

static int message_of(struct span bytes)
{
    int fd = memfd_new("test");
    ck_assert_int_eq(write(fd, bytes.ptr, bytes.len), (ssize_t)bytes.len);
    ck_assert_int_eq(memfd_seal(fd), ERR_OK);
    return fd;
}

static void woken(void *arg)
{
    struct bench *b = arg;
    note("wake", "");
    loop_stop(b->loop);
}

/* Keeps CONTENT as M, waits, and says what became of it. */
static enum quarantine_keeping_state keep_as(struct bench *b, struct quarantine_meta *m, struct span content,
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
static void keep_at(struct bench *b, uint64_t time_ms, struct span content, char id[QUARANTINE_ID_SIZE])
{
    char why[ERRTEXT_SIZE];
    struct quarantine_meta m = meta_at(time_ms);
    enum quarantine_keeping_state state = keep_as(b, &m, content, why);
    ck_assert_msg(state == QUARANTINE_KEPT, "%s", why);
    memcpy(id, m.id, sizeof(m.id));
}

static void path_of(const struct bench *b, const char *id, const char *suffix, char path[256])
{
    snprintf(path, 256, "%s/%.10s/%s%s", b->dir, id, id, suffix);
}

static unsigned files_found;
static int count_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)path;
    (void)st;
    (void)ftw;
    files_found += type == FTW_F;
    return 0;
}

static unsigned files_in(const char *dir)
{
    files_found = 0;
    nftw(dir, count_file, 16, FTW_PHYS);
    return files_found;
}

static enum err show(struct bench *b, const char *id, struct quarantine_entry *e)
{
    struct errtext why;
    return quarantine_show(b->q, span_cstr(id), e, &why);
}

#define TEXT SPAN("From: <a@x.test>\r\n\r\n../../etc/passwd\r\n")

START_TEST(an_entry_is_the_octets_and_their_metadata_for_nobody_else)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE], path[256], octets[128];
    struct stat st;
    struct quarantine_entry e;
    setup(&b);
    keep_at(&b, NOW, TEXT, id);
    ck_assert_uint_eq(files_in(b.dir), 2);
    path_of(&b, id, ".eml", path);
    int fd = open(path, O_RDONLY);
    ck_assert_int_eq(read(fd, octets, sizeof(octets)), (ssize_t)TEXT.len);
    ck_assert_mem_eq(octets, TEXT.ptr, TEXT.len);
    ck_assert_int_eq(fstat(fd, &st), 0);
    close(fd);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    path_of(&b, id, ".json", path);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(stat(b.dir, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0700);
    ck_assert_int_eq(show(&b, id, &e), ERR_OK);
    ck_assert(!e.damaged);
    ck_assert_int_eq(e.meta.status, QUARANTINE_HELD);
    ck_assert_uint_eq(e.meta.size, TEXT.len);
    quarantine_entry_release(&e);
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 1);
    ck_assert_uint_eq(quarantine_usage(b.q).octets, 8192);
    teardown(&b);
}
END_TEST

START_TEST(everything_is_on_disk_before_anybody_hears_of_it)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE], expected[2048], path[256];
    struct stat st;
    setup(&b);
    keep_at(&b, NOW, TEXT, id);
    path_of(&b, id, ".json", path);
    ck_assert_int_eq(stat(path, &st), 0);
    snprintf(expected, sizeof(expected),
             "fsync quarantine\n" /* the new directory of the hour */
             "fsync %zu %s.eml.new\nlink %s.eml\nunlink %s.eml.new\nfsync %.10s\n"
             "fsync %lld %s.json.new\nlink %s.json\nunlink %s.json.new\nfsync %.10s\nwake \n",
             TEXT.len, id, id, id, id, (long long)st.st_size, id, id, id, id);
    ck_assert_str_eq(trace, expected);
    teardown(&b);
}
END_TEST

START_TEST(whichever_call_fails_nothing_is_kept_and_nothing_is_left)
{
    static const int errors[] = {EIO, ENOSPC};
    struct bench b;
    long rounds = 0;
    setup(&b);
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        for (long n = 0;; n++) {
            char why[ERRTEXT_SIZE];
            struct quarantine_meta m = meta_at(NOW);
            forget_calls();
            fail_at = n;
            fail_errno = errors[i];
            enum quarantine_keeping_state state = keep_as(&b, &m, TEXT, why);
            bool came_to_it = calls > n;
            forget_calls();
            if (!came_to_it) {
                ck_assert_int_eq(state, QUARANTINE_KEPT);
                break;
            }
            rounds++;
            ck_assert_msg(state == QUARANTINE_FAILED, "call %ld failed and the message was kept", n);
            ck_assert_msg(strstr(why, strerror(errors[i])) != NULL, "call %ld: %s", n, why);
            ck_assert_msg(files_in(b.dir) == 2 * i, "call %ld failed and left something", n);
            ck_assert_uint_eq(quarantine_usage(b.q).octets, 8192 * i);
        }
    }
    ck_assert_int_eq(rounds, 2 * 9);
    teardown(&b);
}
END_TEST

/* In a process of its own: opens the quarantine of B, keeps TEXT as M, and ends before call N. Exit status 1: it was
 * kept, and there was no such call. */
static void keep_and_die(const struct bench *outer, struct quarantine_meta *m, long n)
{
    char why[ERRTEXT_SIZE];
    struct bench b = {.limits = outer->limits, .loop = loop_new()};
    b.log = (struct log){.write = keep_line, .wallclock_ms = clock_of_log, .arg = &b};
    snprintf(b.dir, sizeof(b.dir), "%s", outer->dir);
    b.box = mailbox_new(b.loop);
    b.pool = iopool_new(1);
    open_again(&b);
    forget_calls();
    die_at = n;
    _exit(keep_as(&b, m, TEXT, why) == QUARANTINE_KEPT ? 1 : 2);
}

/* B43 */
START_TEST(an_end_of_the_process_at_any_call_leaves_a_whole_entry_or_none)
{
    struct bench b;
    unsigned whole = 0, none = 0;
    int status = 0;
    setup(&b);
    iopool_free(b.pool); /* children have pools of their own, and come from a process without threads */
    b.pool = NULL;
    for (long n = 0; status == 0; n++) {
        struct quarantine_meta m = meta_at(NOW);
        struct quarantine_entry e;
        quarantine_close(b.q);
        b.q = NULL;
        pid_t child = fork();
        if (child == 0)
            keep_and_die(&b, &m, n);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        open_again(&b);
        enum err there = show(&b, m.id, &e);
        ck_assert(there == ERR_OK || there == ERR_NOTFOUND);
        if (there == ERR_OK) {
            ck_assert_msg(!e.damaged, "after call %ld: %s", n, e.why.text);
            quarantine_entry_release(&e);
        }
        ck_assert_msg(status == 0 || there == ERR_OK, "it was reported as kept, and is not there");
        whole += there == ERR_OK;
        none += there != ERR_OK;
        ck_assert_uint_eq(files_in(b.dir), 2 * whole); /* the rest was deleted at the start */
        ck_assert_uint_eq(quarantine_usage(b.q).entries, whole);
        ck_assert_uint_eq(quarantine_usage(b.q).octets, 8192 * whole);
    }
    ck_assert_uint_ge(none, 6);
    ck_assert_uint_ge(whole, 2); /* the last, and one whose name was there before the directory was told */
    ck_assert_ptr_nonnull(strstr(b.lines, "were not yet kept"));
    teardown(&b);
}
END_TEST

START_TEST(octets_that_do_not_fit_their_digest_are_not_kept)
{
    struct bench b;
    struct quarantine_meta m = meta_at(NOW);
    setup(&b);
    int fd = message_of(TEXT);
    m.size = TEXT.len;
    m.digest = digest_of(SPAN("something else"));
    struct quarantine_keeping *k = quarantine_keep(b.q, b.pool, b.box, fd, &m, NOW, woken, &b);
    close(fd);
    loop_run(b.loop);
    ck_assert_int_eq(quarantine_keeping_state(k), QUARANTINE_FAILED);
    ck_assert_ptr_nonnull(strstr(quarantine_keeping_why(k), "digest"));
    quarantine_keeping_free(k);
    ck_assert_uint_eq(files_in(b.dir), 0);
    teardown(&b);
}
END_TEST

/* B43 */
START_TEST(a_name_that_is_taken_is_never_written_over)
{
    struct bench b;
    char why[ERRTEXT_SIZE];
    struct quarantine_meta m = meta_at(NOW);
    struct quarantine_entry e;
    setup(&b);
    ck_assert_int_eq(keep_as(&b, &m, TEXT, why), QUARANTINE_KEPT);
    ck_assert_int_eq(keep_as(&b, &m, SPAN("Other: octets\r\n"), why), QUARANTINE_FAILED);
    ck_assert_ptr_nonnull(strstr(why, strerror(EEXIST)));
    ck_assert_int_eq(show(&b, m.id, &e), ERR_OK);
    ck_assert(!e.damaged);
    ck_assert_uint_eq(e.meta.size, TEXT.len);
    quarantine_entry_release(&e);
    ck_assert_uint_eq(files_in(b.dir), 2);
    teardown(&b);
}
END_TEST

/* B43 */
START_TEST(only_ids_become_paths)
{
    static const char *const hostile[] = {"",
                                          ".",
                                          "..",
                                          "../secret",
                                          "/etc/passwd",
                                          "20261122023015-../../../../../../../../../../etc/p",
                                          "20261122023015-0000000000000001000000000000000\n",
                                          "20261122023015-00000000000000010000000000000000.json",
                                          "-rf",
                                          "%s%n"};
    struct bench b;
    struct errtext why;
    setup(&b);
    for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
        struct span id = span_cstr(hostile[i]);
        struct quarantine_entry e;
        struct quarantine_page page;
        int fd;
        ck_assert_int_eq(quarantine_show(b.q, id, &e, &why), ERR_SYNTAX);
        ck_assert_int_eq(quarantine_delete(b.q, id, &why), ERR_SYNTAX);
        ck_assert_int_eq(quarantine_release_begin(b.q, id, true, NOW, &e, &fd, &why), ERR_SYNTAX);
        ck_assert_int_eq(quarantine_list(b.q, id, 10, &page, &why), id.len ? ERR_SYNTAX : ERR_OK);
        quarantine_page_release(&page);
    }
    ck_assert_str_eq(trace, "");
    struct quarantine_entry e;
    struct quarantine_meta m = meta_at(NOW);
    ck_assert_int_eq(show(&b, m.id, &e), ERR_NOTFOUND);
    ck_assert_int_eq(quarantine_delete(b.q, span_cstr(m.id), &why), ERR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(why.text, m.id));
    teardown(&b);
}
END_TEST

START_TEST(pages_go_from_the_newest_to_the_oldest_and_miss_none)
{
    enum { MANY = 23, LIMIT = 5 };
    struct bench b;
    struct errtext why;
    char ids[MANY][QUARANTINE_ID_SIZE], last[QUARANTINE_ID_SIZE] = "";
    size_t seen = 0;
    setup(&b);
    for (size_t i = 0; i < MANY; i++) /* several in one second, several hours, a gap of days */
        keep_at(&b, NOW + (i / 3) * 1800 * 1000 + (i > 15 ? 3 * DAY : 0), TEXT, ids[i]);
    for (bool more = true; more;) {
        struct quarantine_page page;
        ck_assert_int_eq(quarantine_list(b.q, span_cstr(last), LIMIT, &page, &why), ERR_OK);
        ck_assert_uint_le(page.count, LIMIT);
        for (size_t i = 0; i < page.count; i++, seen++) {
            ck_assert_str_eq(page.entries[i].id, ids[MANY - 1 - seen]);
            ck_assert_str_eq(page.entries[i].meta.recipients[0], to[0]);
        }
        if (page.count)
            memcpy(last, page.entries[page.count - 1].id, sizeof(last));
        more = page.more;
        ck_assert(!more || page.count == LIMIT);
        quarantine_page_release(&page);
    }
    ck_assert_uint_eq(seen, MANY);
    teardown(&b);
}
END_TEST

static void overwrite(const struct bench *b, const char *id, const char *suffix, const char *text)
{
    char path[256];
    path_of(b, id, suffix, path);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(a_damaged_entry_is_named_as_such_never_released_and_can_be_deleted)
{
    static const char same_length[] = "From: <a@x.test>\r\n\r\n../../etc/shadow\r\n";
    static const struct {
        const char *suffix, *text, *expected;
    } rows[] = {{".json", "", "metadata is damaged"},
                {".json", "{\"id\": \"", "metadata is damaged"},
                {".eml", "shorter", "the message itself"},
                {".eml", same_length, NULL /* found when it is to be released */}};
    struct bench b;
    struct errtext why;
    setup(&b);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char id[QUARANTINE_ID_SIZE];
        struct quarantine_entry e;
        struct quarantine_page page;
        int fd;
        keep_at(&b, NOW, TEXT, id);
        overwrite(&b, id, rows[i].suffix, rows[i].text);
        ck_assert_int_eq(show(&b, id, &e), ERR_OK);
        ck_assert_int_eq(e.damaged, rows[i].expected != NULL);
        ck_assert(!e.damaged || strstr(e.why.text, rows[i].expected));
        quarantine_entry_release(&e);
        ck_assert_int_eq(quarantine_list(b.q, SPAN(""), 10, &page, &why), ERR_OK);
        ck_assert_uint_eq(page.count, 1);
        ck_assert_str_eq(page.entries[0].id, id);
        quarantine_page_release(&page);
        ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), true, NOW, &e, &fd, &why), ERR_DENIED);
        ck_assert_int_eq(quarantine_delete(b.q, span_cstr(id), &why), ERR_OK);
        ck_assert_uint_eq(files_in(b.dir), 0);
    }
    teardown(&b);
}
END_TEST

static void assert_status(struct bench *b, const char *id, enum quarantine_status status, const char *outcome)
{
    struct quarantine_entry e;
    ck_assert_int_eq(show(b, id, &e), ERR_OK);
    ck_assert(!e.damaged);
    ck_assert_int_eq(e.meta.status, status);
    ck_assert_str_eq(e.meta.outcome, outcome);
    ck_assert_str_eq(e.meta.recipients[0], to[0]);
    quarantine_entry_release(&e);
}

START_TEST(a_release_is_noted_before_it_begins_and_when_it_ends)
{
    struct bench b;
    struct errtext why;
    struct quarantine_entry e;
    char id[QUARANTINE_ID_SIZE], expected[512], octets[128];
    int fd;
    setup(&b);
    keep_at(&b, NOW, TEXT, id);
    forget_calls();
    ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), false, NOW + 1, &e, &fd, &why), ERR_OK);
    const char *size = strchr(trace, ' '); /* of the metadata: whatever it is */
    ck_assert_ptr_nonnull(size);
    snprintf(expected, sizeof(expected), " %s.json.new\nrename %s.json\nfsync %.10s\n", id, id, id);
    ck_assert_msg(strstr(trace, expected) != NULL, "%s", trace);
    ck_assert_int_eq(read(fd, octets, sizeof(octets)), (ssize_t)TEXT.len);
    ck_assert_mem_eq(octets, TEXT.ptr, TEXT.len);
    close(fd);
    quarantine_entry_release(&e);
    open_again(&b);
    assert_status(&b, id, QUARANTINE_RELEASING, "");
    ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), false, NOW, &e, &fd, &why), ERR_STATE);
    ck_assert_int_eq(quarantine_release_end(b.q, id, QUARANTINE_HELD, "550 5.1.1 no", NOW + 2, &why), ERR_OK);
    assert_status(&b, id, QUARANTINE_HELD, "550 5.1.1 no");
    ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), false, NOW, &e, &fd, &why), ERR_OK);
    close(fd);
    quarantine_entry_release(&e);
    ck_assert_int_eq(quarantine_release_end(b.q, id, QUARANTINE_RELEASED, "250 fine", NOW + 3, &why), ERR_OK);
    open_again(&b);
    assert_status(&b, id, QUARANTINE_RELEASED, "250 fine");
    ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), false, NOW, &e, &fd, &why), ERR_STATE);
    ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), true, NOW, &e, &fd, &why), ERR_OK);
    close(fd);
    quarantine_entry_release(&e);
    ck_assert_int_eq(quarantine_delete(b.q, span_cstr(id), &why), ERR_OK);
    ck_assert_int_eq(quarantine_release_end(b.q, id, QUARANTINE_RELEASED, "250", NOW, &why), ERR_NOTFOUND);
    ck_assert_uint_eq(files_in(b.dir), 0);
    ck_assert_uint_eq(quarantine_usage(b.q).octets, 0);
    teardown(&b);
}
END_TEST

START_TEST(what_is_too_old_goes_oldest_first_with_a_line_in_the_log)
{
    enum { MANY = 300 };
    struct bench b;
    char old[QUARANTINE_ID_SIZE], young[QUARANTINE_ID_SIZE];
    struct quarantine_entry e;
    setup(&b);
    b.limits.max_size = 1 << 30;
    open_again(&b);
    for (unsigned i = 0; i < MANY; i++)
        keep_at(&b, NOW - 30 * DAY - (MANY - i) * 60000, TEXT, old);
    keep_at(&b, NOW - 30 * DAY + 60000, TEXT, young);
    ck_assert(quarantine_sweep(b.q, NOW));
    ck_assert_int_eq(show(&b, old, &e), ERR_OK); /* a part at a time */
    quarantine_entry_release(&e);
    while (quarantine_sweep(b.q, NOW))
        ;
    ck_assert_int_eq(show(&b, old, &e), ERR_NOTFOUND);
    ck_assert_int_eq(show(&b, young, &e), ERR_OK);
    quarantine_entry_release(&e);
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 1);
    ck_assert_uint_eq(quarantine_usage(b.q).octets, 8192);
    ck_assert_ptr_nonnull(strstr(b.lines, "quarantine_max_age"));
    ck_assert(!quarantine_sweep(b.q, NOW));
    struct stat st;
    ck_assert_int_eq(stat(b.dir, &st), 0);
    ck_assert_uint_le(st.st_nlink, 3); /* directories of empty hours are gone */
    teardown(&b);
}
END_TEST

START_TEST(the_oldest_make_room_but_nothing_young_does)
{
    struct bench b;
    char first[QUARANTINE_ID_SIZE], second[QUARANTINE_ID_SIZE], third[QUARANTINE_ID_SIZE], why[ERRTEXT_SIZE];
    struct quarantine_entry e;
    setup(&b);
    b.limits.max_size = 2 * 8192;
    open_again(&b);
    keep_at(&b, NOW - 2 * DAY, TEXT, first);
    keep_at(&b, NOW - DAY / 2, TEXT, second);
    keep_at(&b, NOW, TEXT, third);
    ck_assert_int_eq(show(&b, first, &e), ERR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(b.lines, first));
    ck_assert_ptr_nonnull(strstr(b.lines, "to make room"));
    struct quarantine_meta m = meta_at(NOW);
    ck_assert_int_eq(keep_as(&b, &m, TEXT, why), QUARANTINE_FAILED);
    ck_assert_ptr_nonnull(strstr(why, "full"));
    ck_assert_ptr_nonnull(strstr(why, "quarantine_min_age"));
    ck_assert_int_eq(show(&b, second, &e), ERR_OK);
    quarantine_entry_release(&e);
    ck_assert_uint_eq(files_in(b.dir), 4);
    ck_assert_uint_eq(quarantine_usage(b.q).octets, 2 * 8192);
    teardown(&b);
}
END_TEST

START_TEST(a_smaller_limit_is_reached_by_the_sweep)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE];
    setup(&b);
    for (unsigned i = 0; i < 10; i++)
        keep_at(&b, NOW - 2 * DAY + i * 1000, TEXT, id);
    b.limits.max_size = 3 * 8192;
    open_again(&b);
    ck_assert(!quarantine_sweep(b.q, NOW));
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 3);
    ck_assert_ptr_nonnull(strstr(b.lines, "quarantine_max_size"));
    teardown(&b);
}
END_TEST

START_TEST(a_message_larger_than_quarantine_drives_nothing_out)
{
    static char large[40000];
    struct bench b;
    char id[QUARANTINE_ID_SIZE], why[ERRTEXT_SIZE];
    struct quarantine_meta m = meta_at(NOW);
    setup(&b);
    b.limits.max_size = 4 * 8192;
    open_again(&b);
    keep_at(&b, NOW - 2 * DAY, TEXT, id);
    memset(large, 'x', sizeof(large));
    ck_assert_int_eq(keep_as(&b, &m, span_of(large, sizeof(large)), why), QUARANTINE_FAILED);
    ck_assert_ptr_nonnull(strstr(why, "larger than quarantine_max_size"));
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 1);
    teardown(&b);
}
END_TEST

/* C35 */
START_TEST(a_full_disk_keeps_nothing_and_is_named)
{
    static char large[300000];
    struct bench b;
    char why[ERRTEXT_SIZE], id[QUARANTINE_ID_SIZE];
    struct quarantine_meta m = meta_at(NOW);
    setup(&b);
    if (geteuid() != 0) {
        fprintf(stderr, "passed over, needs root: quarantine on a small tmpfs\n");
    } else {
        quarantine_close(b.q);
        b.q = NULL;
        ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
        ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
        ck_assert_int_eq(mount("tmpfs", b.dir, "tmpfs", 0, "size=256k,mode=0700"), 0);
        open_again(&b);
        memset(large, 'x', sizeof(large));
        ck_assert_int_eq(keep_as(&b, &m, span_of(large, sizeof(large)), why), QUARANTINE_FAILED);
        ck_assert_ptr_nonnull(strstr(why, strerror(ENOSPC)));
        ck_assert_uint_eq(files_in(b.dir), 0);
        keep_at(&b, NOW, TEXT, id);
        quarantine_close(b.q);
        b.q = NULL;
        ck_assert_int_eq(umount2(b.dir, MNT_DETACH), 0);
        open_again(&b);
    }
    teardown(&b);
}
END_TEST

static int gate[2], done[2]; /* the only pool thread waits for one, and writes to the other */

static void gate_run(struct iopool_job *job)
{
    (void)job;
    char octet;
    ck_assert_int_eq(read(gate[0], &octet, 1), 1);
}

static void done_run(struct iopool_job *job)
{
    (void)job;
    ck_assert_int_eq(write(done[1], "x", 1), 1);
}

START_TEST(what_nobody_waits_for_any_more_is_deleted_again)
{
    for (int late = 0; late < 2; late++) {
        struct bench b;
        struct iopool_job before = {.run = gate_run}, after = {.run = done_run};
        struct quarantine_meta m = meta_at(NOW);
        char octet;
        setup(&b);
        ck_assert_int_eq(pipe(gate), 0);
        ck_assert_int_eq(pipe(done), 0);
        int fd = message_of(TEXT);
        m.size = TEXT.len;
        m.digest = digest_of(TEXT);
        iopool_submit(b.pool, &before);
        struct quarantine_keeping *k = quarantine_keep(b.q, b.pool, b.box, fd, &m, NOW, woken, &b);
        iopool_submit(b.pool, &after);
        close(fd);
        ck_assert_int_eq(quarantine_keeping_state(k), QUARANTINE_BUSY);
        if (!late)
            quarantine_keeping_free(k); /* before a thread takes it up */
        ck_assert_int_eq(write(gate[1], "x", 1), 1);
        ck_assert_int_eq(read(done[0], &octet, 1), 1);
        if (late) { /* its mail is on the way */
            ck_assert_uint_eq(files_in(b.dir), 2);
            ck_assert_int_eq(quarantine_keeping_state(k), QUARANTINE_BUSY);
            quarantine_keeping_free(k);
            deadline_clear(&b.guard);
            deadline_init(&b.guard, b.loop, woken, &b);
            deadline_set_ms(&b.guard, 10);
            loop_run(b.loop); /* it arrives before the timer */
        }
        iopool_free(b.pool); /* runs what is queued */
        b.pool = iopool_new(1);
        ck_assert_uint_eq(files_in(b.dir), 0);
        ck_assert_uint_eq(quarantine_usage(b.q).octets, 0);
        for (int i = 0; i < 2; i++) {
            close(gate[i]);
            close(done[i]);
        }
        teardown(&b);
    }
}
END_TEST

/* --- the directory --- */

START_TEST(a_directory_that_is_not_ours_alone_is_refused)
{
    struct bench b;
    struct errtext why;
    char path[128], target[128];
    setup(&b);
    snprintf(path, sizeof(path), "%s/other", b.base);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(chmod(path, 0750), 0);
    ck_assert_int_eq(quarantine_examine(path, geteuid(), &why), ERR_DENIED);
    ck_assert_ptr_null(quarantine_open(path, &b.limits, &b.log, &why));
    ck_assert_ptr_nonnull(strstr(why.text, "expected user"));
    ck_assert_ptr_nonnull(strstr(why.text, "0750"));
    ck_assert_int_eq(chmod(path, 0700), 0);
    ck_assert_int_eq(quarantine_examine(path, geteuid(), &why), ERR_OK);
    ck_assert_int_eq(quarantine_examine(path, geteuid() + 1, &why), ERR_DENIED);
    snprintf(target, sizeof(target), "%s/link/", b.base);
    target[strlen(target) - 1] = '\0';
    ck_assert_int_eq(symlink(path, target), 0);
    ck_assert_ptr_null(quarantine_open(target, &b.limits, &b.log, &why));
    ck_assert_ptr_nonnull(strstr(why.text, "links are not followed"));
    ck_assert_int_eq(quarantine_examine(target, geteuid(), &why), ERR_DENIED);
    snprintf(target, sizeof(target), "%s/none/deeper", b.base);
    ck_assert_int_eq(quarantine_examine(target, geteuid(), &why), ERR_NOTFOUND);
    ck_assert_ptr_null(quarantine_open(target, &b.limits, &b.log, &why));
    snprintf(target, sizeof(target), "%s/new//", b.base);
    ck_assert_int_eq(quarantine_examine(target, geteuid(), &why), ERR_OK);
    struct quarantine *q = quarantine_open(target, &b.limits, &b.log, &why);
    ck_assert_msg(q != NULL, "%s", why.text);
    quarantine_close(q);
    teardown(&b);
}
END_TEST

START_TEST(a_second_process_is_refused)
{
    struct bench b;
    struct errtext why;
    setup(&b);
    ck_assert_ptr_null(quarantine_open(b.dir, &b.limits, &b.log, &why));
    ck_assert_ptr_nonnull(strstr(why.text, "in use"));
    teardown(&b);
}
END_TEST

START_TEST(the_rest_of_crashes_is_deleted_and_what_is_not_ours_stays)
{
    struct bench b;
    char id[QUARANTINE_ID_SIZE], other[QUARANTINE_ID_SIZE], path[300];
    struct quarantine_entry e;
    setup(&b);
    keep_at(&b, NOW, TEXT, id);
    struct quarantine_meta m = meta_at(NOW);
    memcpy(other, m.id, sizeof(other));
    overwrite(&b, other, ".eml", "octets without metadata");
    overwrite(&b, other, ".json.new", "{");
    overwrite(&b, id, ".json.new", "{ a status that was not written to its end");
    overwrite(&b, "2026112202-notes", ".txt", "an administrator's");
    snprintf(path, sizeof(path), "%s/README", b.dir);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fclose(f);
    open_again(&b);
    ck_assert_uint_eq(files_in(b.dir), 2 + 2);
    ck_assert_int_eq(show(&b, id, &e), ERR_OK);
    ck_assert(!e.damaged);
    quarantine_entry_release(&e);
    ck_assert_int_eq(show(&b, other, &e), ERR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(b.lines, "3 files are deleted"));
    ck_assert_ptr_nonnull(strstr(b.lines, "are not quarantine's"));
    ck_assert_uint_eq(quarantine_usage(b.q).entries, 1);
    teardown(&b);
}
END_TEST

/* B43 */
START_TEST(links_and_pipes_in_the_place_of_files_are_not_opened)
{
    struct bench b;
    struct errtext why;
    char id[QUARANTINE_ID_SIZE], path[256], secret[128];
    struct quarantine_entry e;
    int fd;
    setup(&b);
    snprintf(secret, sizeof(secret), "%s/secret", b.base);
    FILE *f = fopen(secret, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(TEXT.ptr, f), 0);
    fclose(f);
    keep_at(&b, NOW, TEXT, id);
    path_of(&b, id, ".eml", path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink(secret, path), 0);
    ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), true, NOW, &e, &fd, &why), ERR_DENIED);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(quarantine_release_begin(b.q, span_cstr(id), true, NOW, &e, &fd, &why), ERR_DENIED);
    path_of(&b, id, ".json", path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink(secret, path), 0);
    ck_assert_int_eq(show(&b, id, &e), ERR_IO);
    ck_assert_int_eq(quarantine_delete(b.q, span_cstr(id), &why), ERR_OK); /* the link, not its target */
    ck_assert_int_eq(access(secret, F_OK), 0);
    teardown(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(an_entry_is_the_octets_and_their_metadata_for_nobody_else)                                                       \
    X(everything_is_on_disk_before_anybody_hears_of_it)                                                                \
    X(whichever_call_fails_nothing_is_kept_and_nothing_is_left)                                                        \
    X(an_end_of_the_process_at_any_call_leaves_a_whole_entry_or_none)                                                  \
    X(octets_that_do_not_fit_their_digest_are_not_kept)                                                                \
    X(a_name_that_is_taken_is_never_written_over)                                                                      \
    X(only_ids_become_paths)                                                                                           \
    X(pages_go_from_the_newest_to_the_oldest_and_miss_none)                                                            \
    X(a_damaged_entry_is_named_as_such_never_released_and_can_be_deleted)                                              \
    X(a_release_is_noted_before_it_begins_and_when_it_ends)                                                            \
    X(what_is_too_old_goes_oldest_first_with_a_line_in_the_log)                                                        \
    X(the_oldest_make_room_but_nothing_young_does)                                                                     \
    X(a_smaller_limit_is_reached_by_the_sweep)                                                                         \
    X(a_message_larger_than_quarantine_drives_nothing_out)                                                             \
    X(a_full_disk_keeps_nothing_and_is_named)                                                                          \
    X(what_nobody_waits_for_any_more_is_deleted_again)                                                                 \
    X(a_directory_that_is_not_ours_alone_is_refused)                                                                   \
    X(a_second_process_is_refused)                                                                                     \
    X(the_rest_of_crashes_is_deleted_and_what_is_not_ours_stays)                                                       \
    X(links_and_pipes_in_the_place_of_files_are_not_opened)
#include "support/check_main.h"
