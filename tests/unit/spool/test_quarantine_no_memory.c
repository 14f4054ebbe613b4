/* SPDX-License-Identifier: MIT */
/* Memory runs out in quarantine, at every allocation of every call once: what is asked for is refused as a whole, what
 * lies there stays as it is, and the same call succeeds afterwards (C24). */
#include "support/failing_memory.h"
#include "support/quarantine_rig.h"

enum { ENOUGH = 200 };

/* What the call under test did; it must be OK where no allocation has failed. */
struct trial {
    struct bench b;
    char id[QUARANTINE_ID_SIZE]; /* of an entry that was there before */
};

static void trial_open(struct trial *t)
{
    setup(&t->b);
    keep_at(&t->b, NOW - DAY / 2, TEXT, t->id);
}

/* The entry is there, whole and held, and is all that there is. */
static void trial_unchanged(struct trial *t)
{
    struct quarantine_usage usage = quarantine_usage(t->b.q);
    ck_assert_uint_eq(usage.entries, 1);
    ck_assert_uint_eq(usage.octets, 8192);
    ck_assert_uint_eq(files_in(t->b.dir), 2);
    assert_status(&t->b, t->id, QUARANTINE_HELD, "");
}

START_TEST(opening_is_refused_and_opens_again)
{
    struct trial t;
    trial_open(&t);
    bool complete = false;
    for (long n = 0; n < ENOUGH && !complete; n++) {
        struct errtext why = {""};
        quarantine_close(t.b.q);
        memory_fails_at(n);
        t.b.q = quarantine_open(t.b.dir, &t.b.limits, &t.b.log, &why);
        complete = !memory_failed();
        ck_assert_msg(t.b.q || why.text[0], "allocation %ld: refused without a reason", n);
        ck_assert(t.b.q || !complete);
        if (!t.b.q)
            open_again(&t.b);
        trial_unchanged(&t);
    }
    ck_assert(complete);
    teardown(&t.b);
}
END_TEST

START_TEST(a_message_is_kept_whole_or_not_at_all)
{
    struct trial t;
    trial_open(&t);
    bool complete = false;
    int fd = message_of(TEXT);
    for (long n = 0; n < ENOUGH && !complete; n++) {
        struct quarantine_meta m = meta_at(NOW);
        struct errtext why;
        m.size = TEXT.len;
        m.digest = digest_of(TEXT);
        memory_fails_at(n);
        struct quarantine_keeping *k = quarantine_keep(t.b.q, t.b.pool, t.b.box, fd, &m, NOW, woken, &t.b);
        while (k && quarantine_keeping_state(k) == QUARANTINE_BUSY)
            loop_run(t.b.loop);
        complete = !memory_failed();
        bool kept = k && quarantine_keeping_state(k) == QUARANTINE_KEPT;
        ck_assert_msg(kept || !k || quarantine_keeping_why(k)[0], "allocation %ld: refused without a reason", n);
        ck_assert(kept || !complete);
        quarantine_keeping_free(k);
        if (kept)
            ck_assert_int_eq(quarantine_delete(t.b.q, span_cstr(m.id), &why), ERR_OK);
        trial_unchanged(&t);
    }
    ck_assert(complete);
    close(fd);
    teardown(&t.b);
}
END_TEST

static enum err try_list(struct bench *b, const char *id, struct errtext *why)
{
    struct quarantine_page page;
    enum err e = quarantine_list(b->q, SPAN(""), 10, &page, why);
    if (e != ERR_OK)
        return e;
    ck_assert_uint_eq(page.count, 1);
    ck_assert_str_eq(page.entries[0].id, id);
    quarantine_page_release(&page);
    return ERR_OK;
}

static enum err try_show(struct bench *b, const char *id, struct errtext *why)
{
    struct quarantine_entry e;
    enum err got = quarantine_show(b->q, span_cstr(id), &e, why);
    if (got != ERR_OK)
        return got;
    ck_assert(!e.damaged);
    ck_assert_uint_eq(e.meta.recipient_count, 1);
    quarantine_entry_release(&e);
    return ERR_OK;
}

/* The second half does not fail: it only brings the entry back. */
static enum err try_release_begin(struct bench *b, const char *id, struct errtext *why)
{
    struct quarantine_entry e;
    int fd;
    enum err got = quarantine_release_begin(b->q, span_cstr(id), false, NOW, &e, &fd, why);
    if (got != ERR_OK)
        return got;
    bool complete = atomic_load(&allocations_left) >= 0;
    memory_fails_at(-1);
    close(fd);
    quarantine_entry_release(&e);
    ck_assert_int_eq(quarantine_release_end(b->q, id, QUARANTINE_HELD, "", NOW, why), ERR_OK);
    memory_fails_at(complete ? 1 : -1);
    return ERR_OK;
}

static enum err try_release_end(struct bench *b, const char *id, struct errtext *why)
{
    return quarantine_release_end(b->q, id, QUARANTINE_HELD, "", NOW, why);
}

static enum err try_sweep(struct bench *b, const char *id, struct errtext *why)
{
    (void)id;
    (void)why;
    quarantine_sweep(b->q, NOW);
    return ERR_OK;
}

START_TEST(whatever_is_asked_of_an_entry_fails_as_a_whole_and_leaves_it)
{
    static enum err (*const calls_of[])(struct bench * b, const char *id, struct errtext *why) = {
        try_list, try_show, try_release_begin, try_release_end, try_sweep};
    for (size_t i = 0; i < ARRAY_SIZE(calls_of); i++) {
        struct trial t;
        trial_open(&t);
        bool complete = false;
        for (long n = 0; n < ENOUGH && !complete; n++) {
            struct errtext why = {""};
            memory_fails_at(n);
            enum err e = calls_of[i](&t.b, t.id, &why);
            complete = !memory_failed();
            ck_assert_msg(e == ERR_OK || !complete, "call %zu: %s", i, why.text);
            ck_assert_msg(e == ERR_OK || why.text[0], "call %zu, allocation %ld: refused without a reason", i, n);
            trial_unchanged(&t);
        }
        ck_assert(complete);
        teardown(&t.b);
    }
}
END_TEST

#define CASES(X)                                                                                                       \
    X(opening_is_refused_and_opens_again)                                                                              \
    X(a_message_is_kept_whole_or_not_at_all)                                                                           \
    X(whatever_is_asked_of_an_entry_fails_as_a_whole_and_leaves_it)
#include "support/check_main.h"
