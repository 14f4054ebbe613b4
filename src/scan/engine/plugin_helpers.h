/* SPDX-License-Identifier: MIT */
/* What a plug-in left running in a call that stands outside its cage. The cage closes around one thread, and a host
 * holds messages that wait: neither has room for a thread or a process of the library's. */
#ifndef SCAN_ENGINE_PLUGIN_HELPERS_H
#define SCAN_ENGINE_PLUGIN_HELPERS_H

#include "base/err.h"
#include <stdint.h>

struct plugin_helpers {
    uint64_t threads;
};

/* Before a call, in a process without children. */
void plugin_helpers_begin(struct plugin_helpers *h);
/* After it: ends all processes that it started and that they started, whether they turned away or not. Fails where
 * there was one, or a thread; WHY names CALL. A thread cannot be ended: the process has to. */
enum err plugin_helpers_end(const struct plugin_helpers *h, const char *call, struct errtext *why) must_use;

#endif
