/* SPDX-License-Identifier: MIT */
/* One-shot timers by libev's heap, which runs on the monotonic clock. */
#include "io/deadline.h"
#include "io/libev.h"

LIBEV_FITS(ev_timer, struct deadline, opaque);

static struct libev_timer *deadline_timer(const struct deadline *d)
{
    return (struct libev_timer *)(uintptr_t)d->opaque;
}

static void deadline_expired(struct ev_loop *ev, ev_timer *timer, int events)
{
    (void)ev;
    (void)events;
    struct deadline *d = container_of(timer, struct deadline, opaque);
    d->expired(d->arg);
}

void deadline_init(struct deadline *d, struct loop *l, void (*expired)(void *arg), void *arg)
{
    *d = (struct deadline){.expired = expired, .arg = arg, .loop = l};
    deadline_timer(d)->w = (ev_timer){.cb = deadline_expired};
}

void deadline_set_ms(struct deadline *d, uint64_t ms)
{
    struct ev_loop *ev = loop_libev(d->loop);
    struct libev_timer *timer = deadline_timer(d);
    ev_timer_stop(ev, &timer->w);
    /* libev counts from when it last looked at the clock, which a long turn makes long ago: the deadline would come
     * early. Our own stamp of the turn is no help, it is taken some time after libev's. */
    ev_now_update(ev);
    timer->w.at = (double)ms / 1e3;
    timer->w.repeat = 0;
    ev_timer_start(ev, &timer->w);
}

void deadline_clear(struct deadline *d)
{
    if (d->loop)
        ev_timer_stop(loop_libev(d->loop), &deadline_timer(d)->w);
}

bool deadline_is_set(const struct deadline *d)
{
    return deadline_timer(d)->w.active != 0;
}
