/* SPDX-License-Identifier: MIT */
/* Messages in memory and on disk: bytes, digest, immutability, waiting, faults, and that nothing is left behind. */
#include "support/failing_memory.h"

#include "base/mem.h"
#include "io/deadline.h"
#include "spool/message.h"
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GUARD_MS = 30000, THRESHOLD = 100000 };

struct bench {
    struct loop *loop;
    struct mailbox *box;
    struct iopool *pool;
    struct spool *spool;
    struct deadline guard;
    unsigned wakes;
    char dir[64];
};

static void hung(void *arg)
{
    (void)arg;
    ck_abort_msg("no wake came");
}

static void setup(struct bench *b)
{
    struct errtext why;
    *b = (struct bench){.loop = loop_new()};
    snprintf(b->dir, sizeof(b->dir), "/tmp/postern-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(b->dir));
    b->box = mailbox_new(b->loop);
    b->pool = iopool_new(2);
    b->spool = spool_open(b->dir, THRESHOLD, &why);
    ck_assert_msg(b->spool != NULL, "%s", why.text);
    deadline_init(&b->guard, b->loop, hung, b);
    deadline_set_ms(&b->guard, GUARD_MS);
}

static void teardown(struct bench *b)
{
    iopool_free(b->pool);
    spool_close(b->spool);
    deadline_clear(&b->guard);
    mailbox_free(b->box);
    loop_free(b->loop);
    ck_assert_int_eq(rmdir(b->dir), 0); /* fails if a file was left */
}

static void woken(void *arg)
{
    struct bench *b = arg;
    b->wakes++;
    loop_stop(b->loop);
}

static struct message *new_message(struct bench *b)
{
    struct message *m = message_new(b->spool, b->pool, b->box, woken, b);
    ck_assert_ptr_nonnull(m);
    return m;
}

static struct message *new_unshared(struct bench *b)
{
    struct message *m = message_new_unshared(b->spool, b->pool, b->box, woken, b);
    ck_assert_ptr_nonnull(m);
    return m;
}

/* A state that may be WAIT, waited for. */
static enum message_state settled(struct bench *b, struct message *m, enum message_state state)
{
    if (state != MESSAGE_WAIT)
        return state;
    unsigned before = b->wakes;
    ck_assert_int_eq(message_poll(m), MESSAGE_WAIT);
    while (b->wakes == before)
        loop_run(b->loop);
    ck_assert_uint_eq(b->wakes, before + 1);
    return message_poll(m);
}

static char byte_at(uint64_t i)
{
    return (char)((i * 2654435761U) >> 13);
}

static enum message_state fill(struct bench *b, struct message *m, uint64_t size, size_t step)
{
    static char bytes[SPOOL_SLICE];
    enum message_state state = MESSAGE_OK;
    for (uint64_t at = message_size(m), end = at + size; at < end && state == MESSAGE_OK;) {
        size_t n = end - at < step ? (size_t)(end - at) : step;
        for (size_t i = 0; i < n; i++)
            bytes[i] = byte_at(at + i);
        state = settled(b, m, message_append(m, span_of(bytes, n)));
        at += n;
    }
    return state;
}

static enum message_state seal(struct bench *b, struct message *m)
{
    enum message_state state = message_seal(m);
    while (state == MESSAGE_WAIT) {
        state = settled(b, m, state);
        if (state == MESSAGE_OK)
            state = message_seal(m);
    }
    return state;
}

static void assert_content(struct bench *b, struct message *m, uint64_t size)
{
    struct sha256 *h = sha256_new();
    struct sha256_digest digest;
    uint64_t at = 0;
    struct span slice;
    do {
        enum message_state state = message_read(m, at, &slice);
        if (state == MESSAGE_WAIT) {
            ck_assert_int_eq(settled(b, m, state), MESSAGE_OK);
            state = message_read(m, at, &slice);
        }
        ck_assert_int_eq(state, MESSAGE_OK);
        bool same = true; /* one assertion for many bytes: each costs a system call */
        for (size_t i = 0; i < slice.len; i++)
            same = same && slice.ptr[i] == byte_at(at + i);
        ck_assert(same);
        ck_assert_int_eq(sha256_update(h, slice), ERR_OK);
        at += slice.len;
    } while (slice.len > 0);
    ck_assert_uint_eq(at, size);
    ck_assert_int_eq(sha256_finish(h, &digest), ERR_OK);
    ck_assert_mem_eq(digest.bytes, message_digest(m)->bytes, SHA256_SIZE);
    sha256_free(h);
}

START_TEST(what_was_appended_is_read_back_whatever_the_size_and_step)
{
    static const struct {
        uint64_t size;
        size_t step;
    } cases[] = {{0, 1},
                 {1, 1},
                 {999, 7},
                 {THRESHOLD, 4096},
                 {THRESHOLD + 1, 4096},
                 {THRESHOLD + 1, 13},
                 {SPOOL_SLICE * 3, SPOOL_SLICE},
                 {SPOOL_SLICE * 5 + 17, SPOOL_SLICE - 1},
                 {2000003, 30011},
                 {3000000, 65536}};
    struct bench b;
    setup(&b);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct message *m = new_message(&b);
        ck_assert_int_eq(fill(&b, m, cases[i].size, cases[i].step), MESSAGE_OK);
        ck_assert_int_eq(seal(&b, m), MESSAGE_OK);
        ck_assert_int_eq(message_seal(m), MESSAGE_OK);
        ck_assert_uint_eq(message_size(m), cases[i].size);
        ck_assert_int_eq(message_in_memory(m), cases[i].size <= THRESHOLD);
        assert_content(&b, m, cases[i].size);
        message_free(m);
    }
    teardown(&b);
}
END_TEST

/* Small enough, it has no descriptor; else it is as any other. */
START_TEST(an_unshared_message_stays_in_memory_of_our_own_while_it_is_small)
{
    static const struct {
        uint64_t size;
        size_t step;
        bool own;
    } cases[] = {{0, 1, true},
                 {1, 1, true},
                 {20000, 4096, true},
                 {SPOOL_SLICE, SPOOL_SLICE, true},
                 {SPOOL_SLICE, 999, true},
                 {SPOOL_SLICE + 1, SPOOL_SLICE, false},
                 {SPOOL_SLICE + 1, 999, false},
                 {THRESHOLD, 4096, false},
                 {THRESHOLD + 1, 4096, false},
                 {SPOOL_SLICE * 5 + 17, SPOOL_SLICE - 1, false}};
    struct bench b;
    setup(&b);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct message *m = new_unshared(&b);
        char head[3];
        ck_assert_int_eq(message_head(m, head, sizeof(head)), -1); /* not sealed */
        ck_assert_int_eq(fill(&b, m, cases[i].size, cases[i].step), MESSAGE_OK);
        ck_assert_int_eq(seal(&b, m), MESSAGE_OK);
        ck_assert_uint_eq(message_size(m), cases[i].size);
        ck_assert_int_eq(message_fd(m) < 0, cases[i].own);
        ck_assert_int_eq(message_in_memory(m), cases[i].size <= THRESHOLD);
        assert_content(&b, m, cases[i].size);
        assert_content(&b, m, cases[i].size); /* again, for another backend */
        size_t had = cases[i].size < sizeof(head) ? (size_t)cases[i].size : sizeof(head);
        ck_assert_int_eq(message_head(m, head, sizeof(head)), (ssize_t)had);
        for (size_t k = 0; k < had; k++)
            ck_assert_int_eq(head[k], byte_at(k));
        struct span rest;
        ck_assert_int_eq(message_append(m, SPAN("x")), MESSAGE_FAILED);
        ck_assert_int_eq(message_read(m, 0, &rest), MESSAGE_FAILED);
        message_free(m);
    }
    teardown(&b);
}
END_TEST

/* memory_threshold counts for them as well. */
START_TEST(an_unshared_message_beyond_the_threshold_goes_to_a_file)
{
    struct bench b;
    struct errtext why;
    setup(&b);
    spool_close(b.spool);
    b.spool = spool_open(b.dir, 100, &why);
    ck_assert_msg(b.spool != NULL, "%s", why.text);
    struct message *m = new_unshared(&b);
    ck_assert_int_eq(fill(&b, m, 101, 50), MESSAGE_OK);
    ck_assert_int_eq(seal(&b, m), MESSAGE_OK);
    ck_assert(!message_in_memory(m));
    assert_content(&b, m, 101);
    message_free(m);
    teardown(&b);
}
END_TEST

START_TEST(a_slice_may_be_read_at_any_offset_and_again)
{
    struct bench b;
    static const uint64_t offsets[] = {5, 300000, 5, 0, 299999, 123456};
    static const uint64_t sizes[] = {90000, 300001, 60000};
    setup(&b);
    for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
        struct message *m = sizes[k] == 60000 ? new_unshared(&b) : new_message(&b);
        ck_assert_int_eq(fill(&b, m, sizes[k], 5000), MESSAGE_OK);
        ck_assert_int_eq(seal(&b, m), MESSAGE_OK);
        for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
            struct span slice, again;
            uint64_t at = offsets[i];
            enum message_state state = message_read(m, at, &slice);
            if (settled(&b, m, state) == MESSAGE_OK && state == MESSAGE_WAIT)
                state = message_read(m, at, &slice);
            ck_assert_int_eq(state, MESSAGE_OK);
            uint64_t left = at < sizes[k] ? sizes[k] - at : 0;
            ck_assert_uint_eq(slice.len, left < SPOOL_SLICE ? left : SPOOL_SLICE);
            if (slice.len)
                ck_assert_int_eq(slice.ptr[slice.len - 1], byte_at(at + slice.len - 1));
            ck_assert_int_eq(message_read(m, at, &again), MESSAGE_OK); /* at once */
            ck_assert_ptr_eq(again.ptr, slice.ptr);
        }
        message_free(m);
    }
    teardown(&b);
}
END_TEST

START_TEST(a_sealed_message_cannot_be_changed_by_its_descriptor)
{
    static const uint64_t sizes[] = {10, THRESHOLD * 2};
    struct bench b;
    setup(&b);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct message *m = new_message(&b);
        ck_assert_int_eq(message_fd(m), -1);
        ck_assert_int_eq(fill(&b, m, sizes[i], 1000), MESSAGE_OK);
        ck_assert_int_eq(seal(&b, m), MESSAGE_OK);
        int fd = message_fd(m);
        ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
        ck_assert_int_eq(write(fd, "x", 1), -1);
        ck_assert_int_eq(ftruncate(fd, 0), -1);
        struct stat st;
        ck_assert_int_eq(fstat(fd, &st), 0);
        ck_assert_uint_eq((uint64_t)st.st_size, sizes[i]);
        if (message_in_memory(m)) { /* not even by opening it anew */
            char path[64];
            snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
            int again = open(path, O_RDWR | O_CLOEXEC);
            ck_assert_int_eq(again >= 0 ? write(again, "x", 1) : -1, -1);
            close(again);
        } else {
            ck_assert_int_eq(st.st_mode & 0777, 0600);
            ck_assert_uint_eq(st.st_nlink, 0);
        }
        message_free(m);
    }
    teardown(&b);
}
END_TEST

/* Reads M to its end in order, as a delivery does; the state at the end, or the first that was not OK. */
static enum message_state read_through(struct bench *b, struct message *m)
{
    struct span slice = {0};
    uint64_t at = 0;
    do {
        enum message_state state = message_read(m, at, &slice);
        if (settled(b, m, state) == MESSAGE_OK && state == MESSAGE_WAIT)
            state = message_read(m, at, &slice);
        if (state != MESSAGE_OK)
            return state;
        at += slice.len;
    } while (slice.len > 0);
    return MESSAGE_OK;
}

/* threats.md B41: what was scanned is what is delivered. */
START_TEST(a_file_that_changed_after_the_seal_fails_at_its_end)
{
    static const uint64_t flips[] = {0, SPOOL_SLICE, 199999};
    struct bench b;
    setup(&b);
    for (size_t i = 0; i < ARRAY_SIZE(flips); i++) {
        struct message *m = new_message(&b);
        ck_assert_int_eq(fill(&b, m, 200000, 5000), MESSAGE_OK);
        ck_assert_int_eq(seal(&b, m), MESSAGE_OK);
        ck_assert(!message_in_memory(m));
        ck_assert_int_eq(read_through(&b, m), MESSAGE_OK);
        ck_assert_int_eq(read_through(&b, m), MESSAGE_OK); /* again, for another backend */
        char path[64], byte = (char)~byte_at(flips[i]);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", message_fd(m));
        int again = open(path, O_WRONLY | O_CLOEXEC);
        ck_assert_int_ge(again, 0);
        ck_assert_int_eq(pwrite(again, &byte, 1, (off_t)flips[i]), 1);
        close(again);
        ck_assert_int_eq(read_through(&b, m), MESSAGE_FAILED);
        ck_assert_ptr_nonnull(strstr(message_why(m), "changed after it was scanned"));
        message_free(m);
    }
    teardown(&b);
}
END_TEST

START_TEST(a_sealed_message_takes_no_more)
{
    struct bench b;
    setup(&b);
    struct message *m = new_message(&b);
    ck_assert_int_eq(seal(&b, m), MESSAGE_OK);
    ck_assert_int_eq(message_append(m, SPAN("late")), MESSAGE_FAILED);
    message_free(m);
    teardown(&b);
}
END_TEST

/* Runs until everything the pool has is home: a message of our own goes through it last. */
static void run_until_quiet(struct bench *b)
{
    struct message *m = new_message(b);
    ck_assert_int_eq(fill(b, m, THRESHOLD + 1, SPOOL_SLICE), MESSAGE_OK);
    ck_assert_int_eq(seal(b, m), MESSAGE_OK);
    message_free(m);
}

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

START_TEST(a_message_may_be_given_up_at_any_moment)
{
    struct bench b;
    setup(&b);
    unsigned before = count_descriptors();
    static char bytes[SPOOL_SLICE];
    for (unsigned appends = 0; appends < 8; appends++) {
        for (int sealing = 0; sealing < 2; sealing++) {
            struct message *m = new_message(&b);
            enum message_state state = MESSAGE_OK;
            for (unsigned i = 0; i < appends && state == MESSAGE_OK; i++) {
                state = message_append(m, span_of(bytes, sizeof(bytes)));
                if (state == MESSAGE_WAIT && i + 1 < appends)
                    state = settled(&b, m, state);
            }
            if (sealing && state == MESSAGE_OK)
                ck_assert_int_ne(message_seal(m), MESSAGE_FAILED);
            unsigned wakes = b.wakes;
            message_free(m);
            ck_assert_uint_eq(b.wakes, wakes);
        }
    }
    /* also while it is read */
    struct message *m = new_message(&b);
    struct span slice;
    ck_assert_int_eq(fill(&b, m, THRESHOLD * 3, SPOOL_SLICE), MESSAGE_OK);
    ck_assert_int_eq(seal(&b, m), MESSAGE_OK);
    ck_assert_int_eq(message_read(m, 0, &slice), MESSAGE_WAIT);
    message_free(m);
    run_until_quiet(&b);
    iopool_free(b.pool);
    ck_assert_uint_eq(count_descriptors(), before);
    b.pool = NULL;
    teardown(&b);
}
END_TEST

/* A file size limit stands for a full disk: the write fails with EFBIG where the other gives ENOSPC. */
START_TEST(a_file_that_cannot_grow_fails_the_message_and_stays_failed)
{
    struct bench b;
    setup(&b);
    struct rlimit old, small = {.rlim_cur = 200000};
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct message *m = new_message(&b);
    enum message_state state = fill(&b, m, 1000000, 50000);
    if (state == MESSAGE_OK)
        state = seal(&b, m);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    ck_assert_int_eq(state, MESSAGE_FAILED);
    ck_assert_int_eq(message_errno(m), EFBIG);
    ck_assert_ptr_nonnull(strstr(message_why(m), b.dir));
    ck_assert_ptr_nonnull(strstr(message_why(m), "cannot write to"));
    ck_assert_int_eq(message_append(m, SPAN("x")), MESSAGE_FAILED);
    ck_assert_int_eq(message_seal(m), MESSAGE_FAILED);
    ck_assert_int_eq(message_poll(m), MESSAGE_FAILED);
    message_free(m);
    teardown(&b);
}
END_TEST

START_TEST(without_descriptors_no_message_is_made_or_it_fails_when_it_needs_a_file)
{
    struct bench b;
    setup(&b);
    struct message *m = new_message(&b);
    struct rlimit old, none = {0};
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    none.rlim_max = old.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct message *none_left = message_new(b.spool, b.pool, b.box, woken, &b);
    enum message_state state = fill(&b, m, THRESHOLD + 1, 50000);
    if (state == MESSAGE_OK)
        state = seal(&b, m);
    struct message *unshared = new_unshared(&b);
    enum message_state small = fill(&b, unshared, SPOOL_SLICE, 50000), large = fill(&b, unshared, 1, 1);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    ck_assert_int_eq(small, MESSAGE_OK);
    ck_assert_int_eq(large, MESSAGE_FAILED);
    ck_assert_int_eq(message_errno(unshared), EMFILE);
    message_free(unshared);
    ck_assert_ptr_null(none_left);
    ck_assert_int_eq(state, MESSAGE_FAILED);
    ck_assert_int_eq(message_errno(m), EMFILE);
    message_free(m);
    teardown(&b);
}
END_TEST

/* C24 */
START_TEST(whichever_allocation_fails_the_message_fails_and_nothing_else)
{
    static const struct {
        uint64_t size;
        struct message *(*make)(struct spool *s, struct iopool *pool, struct mailbox *mailbox, void (*wake)(void *arg),
                                void *arg);
    } cases[] = {{1000, message_new},
                 {THRESHOLD * 2, message_new},
                 {60000, message_new_unshared},
                 {THRESHOLD * 2, message_new_unshared}};
    struct bench b;
    unsigned failures = 0;
    setup(&b);
    for (long k = 0, went_well = 0; went_well < (long)ARRAY_SIZE(cases); k++) {
        uint64_t size = cases[went_well].size;
        allocations_left = k;
        struct message *m = cases[went_well].make(b.spool, b.pool, b.box, woken, &b);
        enum message_state state = m ? fill(&b, m, size, 50000) : MESSAGE_FAILED;
        if (state == MESSAGE_OK)
            state = seal(&b, m);
        if (state == MESSAGE_OK) {
            struct span slice;
            state = message_read(m, 0, &slice);
            state = settled(&b, m, state);
        }
        bool failed = allocations_left < 0;
        allocations_left = -1;
        ck_assert_int_eq(state, failed ? MESSAGE_FAILED : MESSAGE_OK);
        if (failed && m)
            ck_assert_int_eq(message_errno(m), ENOMEM);
        failures += failed;
        if (!failed) {
            went_well++;
            k = -1;
        }
        message_free(m);
    }
    /* message and digest of all, a slice to read, the ring of two, octets of our own that grow */
    ck_assert_uint_ge(failures, 4 * 2 + 1 + 2 + 2);
    teardown(&b);
}
END_TEST

/* Mounts a tmpfs with OPTIONS over the bench's directory, seen by this test's process only, and opens the spool anew on
 * it. */
static bool spool_on_tmpfs(struct bench *b, const char *options)
{
    struct errtext why;
    if (geteuid() != 0) {
        fprintf(stderr, "passed over, needs root: a spool on a small tmpfs\n");
        return false;
    }
    spool_close(b->spool);
    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    ck_assert_int_eq(mount("tmpfs", b->dir, "tmpfs", 0, options), 0);
    b->spool = spool_open(b->dir, THRESHOLD, &why);
    ck_assert_msg(b->spool != NULL, "%s", why.text);
    return true;
}

static void leave_tmpfs(struct bench *b)
{
    ck_assert_int_eq(umount2(b->dir, MNT_DETACH), 0);
}

START_TEST(a_full_disk_fails_the_message_and_the_next_one_finds_the_room_again)
{
    struct bench b;
    setup(&b);
    if (spool_on_tmpfs(&b, "size=512k,mode=0700")) {
        struct message *m = new_message(&b);
        enum message_state state = fill(&b, m, 1000000, 50000);
        if (state == MESSAGE_OK)
            state = seal(&b, m);
        ck_assert_int_eq(state, MESSAGE_FAILED);
        ck_assert_int_eq(message_errno(m), ENOSPC);
        message_free(m);
        iopool_free(b.pool); /* the file is gone for certain */
        b.pool = iopool_new(1);
        m = new_message(&b);
        ck_assert_int_eq(fill(&b, m, 400000, 50000), MESSAGE_OK);
        ck_assert_int_eq(seal(&b, m), MESSAGE_OK);
        assert_content(&b, m, 400000);
        message_free(m);
        iopool_free(b.pool);
        b.pool = NULL;
        leave_tmpfs(&b);
    }
    teardown(&b);
}
END_TEST

START_TEST(without_inodes_only_large_messages_fail)
{
    struct bench b;
    setup(&b);
    if (spool_on_tmpfs(&b, "nr_inodes=2,mode=0700")) {
        struct message *holder = new_message(&b), *small = new_message(&b), *large = new_message(&b);
        ck_assert_int_eq(fill(&b, holder, THRESHOLD + 1, 50000), MESSAGE_OK);
        ck_assert_int_eq(seal(&b, holder), MESSAGE_OK); /* has the only inode */
        ck_assert_int_eq(fill(&b, small, 1000, 1000), MESSAGE_OK);
        ck_assert_int_eq(seal(&b, small), MESSAGE_OK);
        enum message_state state = fill(&b, large, THRESHOLD + 1, 50000);
        if (state == MESSAGE_OK)
            state = seal(&b, large);
        ck_assert_int_eq(state, MESSAGE_FAILED);
        ck_assert_int_eq(message_errno(large), ENOSPC);
        ck_assert_ptr_nonnull(strstr(message_why(large), "cannot make a file in"));
        message_free(holder);
        message_free(small);
        message_free(large);
        iopool_free(b.pool);
        b.pool = NULL;
        leave_tmpfs(&b);
    }
    teardown(&b);
}
END_TEST

START_TEST(a_file_system_without_unnamed_files_serves_too_and_keeps_no_name)
{
    struct bench b;
    struct errtext why;
    setup(&b);
    spool_close(b.spool);
    /* given a kernel that answers O_TMPFILE as such a file system does */
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    ck_assert_int_eq(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EOPNOTSUPP), SCMP_SYS(openat), 1,
                                      SCMP_A2_64(SCMP_CMP_MASKED_EQ, O_TMPFILE, O_TMPFILE)),
                     0);
    ck_assert_int_eq(seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1), 0); /* the pool's threads as well */
    ck_assert_int_eq(seccomp_load(filter), 0);
    seccomp_release(filter);
    int probe = open(b.dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    ck_assert_int_eq(probe, -1);
    b.spool = spool_open(b.dir, THRESHOLD, &why);
    ck_assert_msg(b.spool != NULL, "%s", why.text);
    struct message *m = new_message(&b);
    ck_assert_int_eq(fill(&b, m, 300000, 50000), MESSAGE_OK);
    ck_assert_int_eq(seal(&b, m), MESSAGE_OK);
    assert_content(&b, m, 300000);
    ck_assert_int_eq(rmdir(b.dir), 0); /* empty while the message lives */
    ck_assert_int_eq(mkdir(b.dir, 0700), 0);
    message_free(m);
    teardown(&b);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(what_was_appended_is_read_back_whatever_the_size_and_step)                                                       \
    X(an_unshared_message_stays_in_memory_of_our_own_while_it_is_small)                                                \
    X(an_unshared_message_beyond_the_threshold_goes_to_a_file)                                                         \
    X(a_slice_may_be_read_at_any_offset_and_again)                                                                     \
    X(a_sealed_message_cannot_be_changed_by_its_descriptor)                                                            \
    X(a_file_that_changed_after_the_seal_fails_at_its_end)                                                             \
    X(a_sealed_message_takes_no_more)                                                                                  \
    X(a_message_may_be_given_up_at_any_moment)                                                                         \
    X(a_file_that_cannot_grow_fails_the_message_and_stays_failed)                                                      \
    X(whichever_allocation_fails_the_message_fails_and_nothing_else)                                                   \
    X(a_full_disk_fails_the_message_and_the_next_one_finds_the_room_again)                                             \
    X(without_inodes_only_large_messages_fail)                                                                         \
    X(a_file_system_without_unnamed_files_serves_too_and_keeps_no_name)                                                \
    X(without_descriptors_no_message_is_made_or_it_fails_when_it_needs_a_file)
#include "support/check_main.h"
