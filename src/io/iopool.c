/* SPDX-License-Identifier: MIT */
/* Threads around one locked queue. Results travel home as mail. */
#include "io/iopool.h"
#include "base/mem.h"
#include <pthread.h>
#include <signal.h>

struct iopool {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct list jobs; /* under lock */
    bool stopping;    /* under lock */
    unsigned started;
    pthread_t threads[];
};

static void iopool_deliver(struct mail *m)
{
    struct iopool_job *job = container_of(m, struct iopool_job, mail);
    job->done(job);
}

/* The next job; NULL: the queue is empty and the pool ends. */
static struct iopool_job *iopool_next(struct iopool *p)
{
    pthread_mutex_lock(&p->lock);
    while (list_empty(&p->jobs) && !p->stopping)
        pthread_cond_wait(&p->filled, &p->lock);
    struct list *node = list_take(&p->jobs);
    pthread_mutex_unlock(&p->lock);
    return node ? container_of(node, struct iopool_job, mail.node) : NULL;
}

static void *iopool_thread(void *arg)
{
    struct iopool_job *job;
    while ((job = iopool_next(arg)) != NULL) {
        struct mailbox *reply_to = job->done ? job->reply_to : NULL;
        job->run(job); /* without a reply the job may be gone now */
        if (reply_to)
            mailbox_post(reply_to, &job->mail);
    }
    return NULL;
}

struct iopool *iopool_new(unsigned threads)
{
    struct iopool *p = mem_new(1, sizeof(*p) + threads * sizeof(p->threads[0]));
    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->filled, NULL);
    list_init(&p->jobs);
    /* Signals are the loops' business: the threads inherit a mask that blocks them all. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (p->started < threads && pthread_create(&p->threads[p->started], NULL, iopool_thread, p) == 0)
        p->started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (p->started == threads)
        return p;
    iopool_free(p);
    return NULL;
}

void iopool_free(struct iopool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->filled);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->started; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->filled);
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

void iopool_submit(struct iopool *p, struct iopool_job *job)
{
    job->mail.deliver = iopool_deliver;
    pthread_mutex_lock(&p->lock);
    list_append(&p->jobs, &job->mail.node);
    pthread_cond_signal(&p->filled);
    pthread_mutex_unlock(&p->lock);
}
