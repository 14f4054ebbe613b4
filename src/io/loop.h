/* SPDX-License-Identifier: MIT */
/* src/io: the only home of libev. loop.h (this) one event loop per thread, descriptors, deferred calls, signals;
 * deadline.h timers; mailbox.h messages between threads; iopool.h blocking file I/O off the loops; stream.h buffered
 * non-blocking sockets; listener.h accepting; addr.h socket addresses as text; libev.h (private) the only include of
 * libev.
 *
 * Everything here belongs to one loop and is used on its thread only, but for mailbox_post and iopool_submit. Callbacks
 * run from loop_run, never from inside the call that armed them. A callback must not free the object it was called for:
 * hand it to loop_defer and free it there.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "base/err.h"
#include "base/list.h"
#include <stdint.h>

struct loop;

struct loop *loop_new(void); /* NULL: no memory or descriptors */
void loop_free(struct loop *l);
void loop_run(struct loop *l); /* until loop_stop */
void loop_stop(struct loop *l);
uint64_t loop_now_us(const struct loop *l); /* monotonic; as of the start of this iteration */

/* Readiness of a descriptor. LOOP_READ and LOOP_WRITE may be combined; 0 pauses. */
enum { LOOP_READ = 1, LOOP_WRITE = 2 };
struct loop_watch {
    void (*ready)(void *arg, int events);
    void *arg;
    struct loop *loop;
    void *opaque[8]; /* the library's watcher lives here; its size is checked at compile time */
};
void loop_watch_init(struct loop_watch *w, struct loop *l, int fd, void (*ready)(void *arg, int events), void *arg);
void loop_watch_set(struct loop_watch *w, int events);
void loop_watch_stop(struct loop_watch *w); /* before the descriptor is closed; harmless twice */

/* A call at the end of this iteration, once per arming, in the order of arming: run lists and reapers. What is armed by
 * such a call comes after it, in this iteration or the next. */
struct loop_deferred {
    struct list node;
    void (*run)(void *arg);
    void *arg;
};
void loop_deferred_init(struct loop_deferred *d, void (*run)(void *arg), void *arg);
void loop_defer(struct loop *l, struct loop_deferred *d); /* harmless when armed already */
void loop_defer_cancel(struct loop_deferred *d);

/* A signal, delivered as a call on this loop. One loop of the process may watch signals. */
struct loop_signal {
    void (*caught)(void *arg, int number);
    void *arg;
    struct loop *loop;
    void *opaque[8];
};
void loop_signal_init(struct loop_signal *s, struct loop *l, int number, void (*caught)(void *arg, int number),
                      void *arg);
void loop_signal_stop(struct loop_signal *s);

#endif
