/* SPDX-License-Identifier: MIT */
/* Limits on sessions, over all loops: in all, and per source (an IPv4 address or an IPv6 /64). Any thread. */
#ifndef PROXY_ADMISSION_H
#define PROXY_ADMISSION_H

#include "base/err.h"
#include "io/addr.h"
#include <stdint.h>

struct admission;
/* NULL: no memory. KEY: random, so that nobody can choose addresses that collide in our table. */
struct admission *admission_new(unsigned max_total, unsigned max_per_host, const uint64_t key[2]);
void admission_free(struct admission *a);

enum admission_answer { ADMISSION_OK, ADMISSION_TOTAL, ADMISSION_HOST };
/* OK takes a place, which admission_leave gives back. */
enum admission_answer admission_enter(struct admission *a, const struct addr *peer);
void admission_leave(struct admission *a, const struct addr *peer);

#endif
