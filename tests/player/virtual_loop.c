/* SPDX-License-Identifier: MIT */
/* Deferred calls in rounds as the real loop has them; timers in a list; everything else is a deferred call. */
#include "player/virtual_loop.h"
#include "base/mem.h"
#include "io/deadline.h"
#include "io/iopool.h"
#include "io/listener.h"
#include "player/memory.h"

enum { ROUNDS_MAX = 1000000 };

void virtual_loop_init(struct loop *l)
{
    *l = (struct loop){.now_us = 1000000};
    list_init(&l->deferred);
    list_init(&l->timers);
}

bool virtual_loop_idle(const struct loop *l)
{
    return list_empty(&l->deferred);
}

bool virtual_loop_run(struct loop *l)
{
    unsigned rounds = 0;
    memory_enter();
    while (!list_empty(&l->deferred) && rounds++ < ROUNDS_MAX) {
        struct list round, *node;
        list_init(&round);
        list_move_all(&round, &l->deferred);
        while ((node = list_take(&round)) != NULL) {
            struct loop_deferred *d = container_of(node, struct loop_deferred, node);
            d->run(d->arg); /* D may be gone now */
        }
    }
    memory_leave();
    return rounds <= ROUNDS_MAX;
}

/* ---- loop.h ---- */

uint64_t loop_now_us(const struct loop *l)
{
    return l->now_us;
}

/* No descriptor is ever watched here: every stream stands on a memory transport. */
void loop_watch_init(struct loop_watch *w, struct loop *l, int fd, void (*ready)(void *arg, int events), void *arg)
{
    (void)l;
    (void)fd;
    (void)ready;
    (void)arg;
    (void)w;
    abort();
}

void loop_watch_set(struct loop_watch *w, int events)
{
    (void)w;
    (void)events;
    abort();
}

void loop_watch_stop(struct loop_watch *w)
{
    (void)w;
}

void loop_deferred_init(struct loop_deferred *d, void (*run)(void *arg), void *arg)
{
    *d = (struct loop_deferred){.run = run, .arg = arg};
    list_init(&d->node);
}

void loop_defer(struct loop *l, struct loop_deferred *d)
{
    if (list_empty(&d->node))
        list_append(&l->deferred, &d->node);
}

void loop_defer_cancel(struct loop_deferred *d)
{
    list_remove(&d->node);
}

/* ---- deadline.h ---- */

struct timer {
    struct list node;
    uint64_t at_us;
    bool set;
} __attribute__((may_alias));

_Static_assert(sizeof(struct timer) <= sizeof(((struct deadline *)NULL)->opaque), "a timer fits its opaque array");

static struct timer *timer_of(const struct deadline *d)
{
    return (struct timer *)(uintptr_t)d->opaque;
}

void deadline_init(struct deadline *d, struct loop *l, void (*expired)(void *arg), void *arg)
{
    *d = (struct deadline){.expired = expired, .arg = arg, .loop = l};
    list_init(&timer_of(d)->node);
}

void deadline_clear(struct deadline *d)
{
    if (!d->loop || !timer_of(d)->set)
        return;
    list_remove(&timer_of(d)->node);
    timer_of(d)->set = false;
}

void deadline_set_ms(struct deadline *d, uint64_t ms)
{
    deadline_clear(d);
    timer_of(d)->at_us = d->loop->now_us + ms * 1000;
    timer_of(d)->set = true;
    list_append(&d->loop->timers, &timer_of(d)->node);
}

bool deadline_is_set(const struct deadline *d)
{
    return timer_of(d)->set;
}

bool virtual_loop_fire(struct loop *l, uint64_t until_us)
{
    struct timer *first = NULL;
    LIST_EACH (node, &l->timers) {
        struct timer *t = container_of(node, struct timer, node);
        if (t->at_us <= until_us && (!first || t->at_us < first->at_us))
            first = t;
    }
    if (!first) {
        l->now_us = until_us > l->now_us ? until_us : l->now_us;
        return false;
    }
    struct deadline *d = container_of((void *)first, struct deadline, opaque);
    l->now_us = first->at_us;
    deadline_clear(d);
    memory_enter();
    d->expired(d->arg);
    memory_leave();
    return true;
}

/* ---- mailbox.h, iopool.h ---- */

struct mailbox {
    struct loop *loop;
    struct list mails;
    struct loop_deferred delivery;
};

static void mailbox_deliver(void *arg)
{
    struct mailbox *b = arg;
    struct list arrived, *node;
    list_init(&arrived);
    list_move_all(&arrived, &b->mails);
    while ((node = list_take(&arrived)) != NULL) {
        struct mail *m = container_of(node, struct mail, node);
        m->deliver(m);
    }
}

struct mailbox *mailbox_new(struct loop *l)
{
    struct mailbox *b = MEM_NEW(struct mailbox);
    if (!b)
        return NULL;
    b->loop = l;
    list_init(&b->mails);
    loop_deferred_init(&b->delivery, mailbox_deliver, b);
    return b;
}

void mailbox_free(struct mailbox *b)
{
    if (!b)
        return;
    loop_defer_cancel(&b->delivery);
    mem_free(b);
}

void mailbox_post(struct mailbox *b, struct mail *m)
{
    list_append(&b->mails, &m->node);
    loop_defer(b->loop, &b->delivery);
}

struct iopool {
    int nothing;
};

struct iopool *iopool_new(unsigned threads)
{
    (void)threads;
    return MEM_NEW(struct iopool);
}

void iopool_free(struct iopool *p)
{
    mem_free(p);
}

static void iopool_deliver(struct mail *m)
{
    struct iopool_job *job = container_of(m, struct iopool_job, mail);
    job->done(job);
}

/* The job is done at once, and comes home in its own time. */
void iopool_submit(struct iopool *p, struct iopool_job *job)
{
    (void)p;
    struct mailbox *reply_to = job->done ? job->reply_to : NULL;
    job->mail.deliver = iopool_deliver;
    job->run(job); /* without a reply the job may be gone now */
    if (reply_to)
        mailbox_post(reply_to, &job->mail);
}

/* ---- listener.h ---- */

struct listener {
    struct loop *loop;
    void (*accepted)(void *arg, int fd, const struct addr *peer);
    void *arg;
    bool paused;
};

struct listener *listener_new(struct loop *l, int fd, void (*accepted)(void *arg, int fd, const struct addr *peer),
                              void (*shortage)(void *arg, int error), void *arg)
{
    struct listener *listener = MEM_NEW(struct listener);
    (void)fd;
    (void)shortage;
    if (!listener)
        return NULL;
    *listener = (struct listener){.loop = l, .accepted = accepted, .arg = arg};
    l->listener = listener;
    return listener;
}

void listener_pause(struct listener *l, bool paused)
{
    l->paused = paused;
}

void listener_free(struct listener *l)
{
    l->loop->listener = NULL;
    mem_free(l);
}

bool virtual_listener_connect(struct loop *l, int fd, const struct addr *peer)
{
    struct listener *listener = l->listener;
    if (!listener || listener->paused)
        return false;
    memory_enter();
    listener->accepted(listener->arg, fd, peer);
    memory_leave();
    return true;
}
