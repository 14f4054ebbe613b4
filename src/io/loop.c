/* SPDX-License-Identifier: MIT */
/* One libev loop with epoll. We iterate it ourselves, one turn at a time, so that deferred calls have their place:
 * after the callbacks of a turn, before the next poll, which does not sleep while any of them is armed. */
#include "base/mem.h"
#include "io/libev.h"
#include "sys/clock.h"

/* Work that leads to more work, such as a wake that leads to a step, is done in one turn as far as this; then the
 * descriptors are asked again, so that they are not starved. */
enum { LOOP_ROUNDS = 4 };

struct loop {
    struct ev_loop *ev;
    ev_check stamp; /* runs first after each poll; also keeps a loop without watchers asleep instead of spinning */
    struct list deferred;
    uint64_t now_us;
    bool stopped;
};

LIBEV_FITS(ev_io, struct loop_watch, opaque);
LIBEV_FITS(ev_signal, struct loop_signal, opaque);

struct ev_loop *loop_libev(struct loop *l)
{
    return l->ev;
}

static void loop_stamp(struct ev_loop *ev, ev_check *w, int events)
{
    (void)ev;
    (void)events;
    struct loop *l = w->data;
    l->now_us = clock_monotonic_us();
}

struct loop *loop_new(void)
{
    struct loop *l = MEM_NEW(struct loop);
    if (!l)
        return NULL;
    l->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (!l->ev) {
        mem_free(l);
        return NULL;
    }
    list_init(&l->deferred);
    l->now_us = clock_monotonic_us();
    l->stamp = (ev_check){.cb = loop_stamp, .data = l, .priority = EV_MAXPRI};
    ev_check_start(l->ev, &l->stamp);
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    ev_check_stop(l->ev, &l->stamp);
    ev_loop_destroy(l->ev);
    mem_free(l);
}

/* One round: what is armed during it waits for the next. */
static void loop_run_deferred(struct loop *l)
{
    struct list round, *node;
    list_init(&round);
    list_move_all(&round, &l->deferred);
    while ((node = list_take(&round)) != NULL) {
        struct loop_deferred *d = container_of(node, struct loop_deferred, node);
        d->run(d->arg); /* D may be gone now */
    }
}

void loop_run(struct loop *l)
{
    l->stopped = false;
    while (!l->stopped) {
        ev_run(l->ev, list_empty(&l->deferred) ? EVRUN_ONCE : EVRUN_NOWAIT);
        for (unsigned round = 0; round < LOOP_ROUNDS && !list_empty(&l->deferred); round++)
            loop_run_deferred(l);
    }
}

void loop_stop(struct loop *l)
{
    l->stopped = true;
}

uint64_t loop_now_us(const struct loop *l)
{
    return l->now_us;
}

static struct libev_io *watch_io(struct loop_watch *w)
{
    return (struct libev_io *)(void *)w->opaque;
}

static void watch_ready(struct ev_loop *ev, ev_io *io, int revents)
{
    (void)ev;
    struct loop_watch *w = container_of(io, struct loop_watch, opaque);
    int events = 0;
    /* An error of the descriptor itself (EV_ERROR) comes with both bits: the read or write that follows finds it. */
    if (revents & EV_READ)
        events |= LOOP_READ;
    if (revents & EV_WRITE)
        events |= LOOP_WRITE;
    w->ready(w->arg, events);
}

void loop_watch_init(struct loop_watch *w, struct loop *l, int fd, void (*ready)(void *arg, int events), void *arg)
{
    *w = (struct loop_watch){.ready = ready, .arg = arg, .loop = l};
    /* EV__IOFDSET tells libev that this number may be another file now than when it saw it last. */
    watch_io(w)->w = (ev_io){.cb = watch_ready, .fd = fd, .events = EV__IOFDSET};
}

void loop_watch_set(struct loop_watch *w, int events)
{
    struct libev_io *io = watch_io(w);
    int wanted = (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0);
    if ((io->w.events & (EV_READ | EV_WRITE)) == wanted && (io->w.active != 0) == (wanted != 0))
        return;
    ev_io_stop(w->loop->ev, &io->w);
    io->w.events = (io->w.events & EV__IOFDSET) | wanted;
    if (wanted)
        ev_io_start(w->loop->ev, &io->w);
}

void loop_watch_stop(struct loop_watch *w)
{
    if (!w->loop)
        return;
    struct libev_io *io = watch_io(w);
    ev_io_stop(w->loop->ev, &io->w); /* also takes back an event that was found but not yet delivered */
    io->w.events = EV__IOFDSET;
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

static struct libev_signal *signal_watcher(struct loop_signal *s)
{
    return (struct libev_signal *)(void *)s->opaque;
}

static void signal_caught(struct ev_loop *ev, ev_signal *w, int revents)
{
    (void)ev;
    (void)revents;
    struct loop_signal *s = container_of(w, struct loop_signal, opaque);
    s->caught(s->arg, signal_watcher(s)->w.signum);
}

void loop_signal_init(struct loop_signal *s, struct loop *l, int number, void (*caught)(void *arg, int number),
                      void *arg)
{
    *s = (struct loop_signal){.caught = caught, .arg = arg, .loop = l};
    signal_watcher(s)->w = (ev_signal){.cb = signal_caught, .signum = number};
    ev_signal_start(l->ev, &signal_watcher(s)->w);
}

void loop_signal_stop(struct loop_signal *s)
{
    if (s->loop)
        ev_signal_stop(s->loop->ev, &signal_watcher(s)->w);
}
