/* SPDX-License-Identifier: MIT */
/* src/sys: thin wrappers of Linux, no policy. clock.h (this) time; rng.h random bytes; memfd.h sealed memory files;
 * fdpass.h datagrams with descriptors; priv.h users and privileges; jail.h seccomp, Landlock, rlimits; spawn.h children
 * with an explicit descriptor list.
 */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <stdint.h>

uint64_t clock_monotonic_us(void); /* CLOCK_MONOTONIC, microseconds: all deadlines and durations */
uint64_t clock_wall_ms(void);      /* CLOCK_REALTIME, milliseconds since 1970: log stamps only */

#endif
