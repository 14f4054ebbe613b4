/* SPDX-License-Identifier: MIT */
/* One-shot timers by libev's heap, which runs on the monotonic clock. */
#include "io/deadline.h"
#include "io/libev.h"
#include "sys/clock.h"

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
    /* libev counts from the start of this turn of the loop; what the turn has taken until now is added, or a deadline
     * set at the end of a long turn would come early. */
    uint64_t spent_us = clock_monotonic_us() - loop_now_us(d->loop);
    struct ev_loop *ev = loop_libev(d->loop);
    struct libev_timer *timer = deadline_timer(d);
    ev_timer_stop(ev, &timer->w);
    timer->w.at = (double)ms / 1e3 + (double)spent_us / 1e6;
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
