/* SPDX-License-Identifier: MIT */
/* Private to src/io: the only include of libev, and what keeps it honest under strict aliasing. libev's ev_*_init
 * macros write through an ev_watcher pointer, and our headers keep watchers in opaque arrays; a compiler may take
 * neither for the same object. So watchers are reached only through the may_alias types below, and are initialised by
 * assignment, never by those macros. (libev itself is a library apart: nothing of it is inlined into our code.)
 */
#ifndef IO_LIBEV_H
#define IO_LIBEV_H

#include "io/loop.h"
#include <ev.h>

struct libev_io {
    ev_io w;
} __attribute__((may_alias));
struct libev_timer {
    ev_timer w;
} __attribute__((may_alias));
struct libev_signal {
    ev_signal w;
} __attribute__((may_alias));

#define LIBEV_FITS(type, holder, member)                                                                               \
    _Static_assert(sizeof(type) <= sizeof(((holder *)NULL)->member) && _Alignof(type) <= _Alignof(void *),             \
                   "libev's watcher does not fit its opaque array")

struct ev_loop *loop_libev(struct loop *l);

#endif
