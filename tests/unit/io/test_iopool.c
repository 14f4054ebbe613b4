/* SPDX-License-Identifier: MIT */
/* The disk pool: every job runs once off the loop and comes home to its own loop. Run under ThreadSanitizer too. */
#include "base/mem.h"
#include "io/iopool.h"
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum { JOBS = 2000 };

struct bench {
    struct loop *loop;
    struct mailbox *box;
    pthread_t home;
    unsigned done;
};

struct task {
    struct iopool_job job;
    struct bench *bench;
    unsigned runs; /* plain: the hand-over must order it */
};

static void task_run(struct iopool_job *job)
{
    struct task *t = container_of(job, struct task, job);
    ck_assert(!pthread_equal(pthread_self(), t->bench->home));
    t->runs++;
}

static void task_done(struct iopool_job *job)
{
    struct task *t = container_of(job, struct task, job);
    ck_assert(pthread_equal(pthread_self(), t->bench->home));
    ck_assert_uint_eq(t->runs, 1);
    if (++t->bench->done == JOBS)
        loop_stop(t->bench->loop);
}

static void setup(struct bench *b)
{
    *b = (struct bench){.loop = loop_new(), .home = pthread_self()};
    b->box = mailbox_new(b->loop);
}

static void teardown(struct bench *b)
{
    mailbox_free(b->box);
    loop_free(b->loop);
}

START_TEST(every_job_runs_once_on_another_thread_and_comes_home)
{
    static struct task tasks[JOBS];
    struct bench b;
    setup(&b);
    struct iopool *pool = iopool_new(3);
    for (size_t i = 0; i < JOBS; i++) {
        tasks[i] = (struct task){.job = {.run = task_run, .done = task_done, .reply_to = b.box}, .bench = &b};
        iopool_submit(pool, &tasks[i].job);
    }
    loop_run(b.loop);
    iopool_free(pool);
    teardown(&b);
}
END_TEST

struct ordered {
    struct iopool_job job;
    unsigned number, *next;
};

static void ordered_run(struct iopool_job *job)
{
    struct ordered *o = container_of(job, struct ordered, job);
    ck_assert_uint_eq(o->number, (*o->next)++);
}

START_TEST(jobs_start_in_order_of_submission_and_are_finished_before_the_pool_ends)
{
    static struct ordered jobs[JOBS];
    unsigned next = 0;
    struct iopool *pool = iopool_new(1);
    for (unsigned i = 0; i < JOBS; i++) {
        jobs[i] = (struct ordered){.job = {.run = ordered_run}, .number = i, .next = &next};
        iopool_submit(pool, &jobs[i].job);
    }
    iopool_free(pool);
    ck_assert_uint_eq(next, JOBS);
}
END_TEST

static atomic_uint freed;

static void free_itself(struct iopool_job *job)
{
    mem_free(job);
    atomic_fetch_add(&freed, 1);
}

START_TEST(a_job_without_reply_may_free_itself)
{
    struct iopool *pool = iopool_new(2);
    for (unsigned i = 0; i < JOBS; i++) {
        struct iopool_job *job = MEM_NEW(struct iopool_job);
        ck_assert_ptr_nonnull(job);
        job->run = free_itself;
        iopool_submit(pool, job);
    }
    iopool_free(pool);
    ck_assert_uint_eq(atomic_load(&freed), JOBS);
}
END_TEST

struct masked {
    struct iopool_job job;
    bool blocked;
};

static void look_at_mask(struct iopool_job *job)
{
    struct masked *m = container_of(job, struct masked, job);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    m->blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGCHLD);
}

START_TEST(signals_are_left_to_the_loops)
{
    struct masked m = {.job.run = look_at_mask};
    sigset_t mask;
    struct iopool *pool = iopool_new(1);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    ck_assert(!sigismember(&mask, SIGTERM)); /* ours is as it was */
    iopool_submit(pool, &m.job);
    iopool_free(pool);
    ck_assert(m.blocked);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(every_job_runs_once_on_another_thread_and_comes_home)                                                            \
    X(jobs_start_in_order_of_submission_and_are_finished_before_the_pool_ends)                                         \
    X(a_job_without_reply_may_free_itself)                                                                             \
    X(signals_are_left_to_the_loops)
#include "support/check_main.h"
