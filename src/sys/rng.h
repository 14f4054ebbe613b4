/* SPDX-License-Identifier: MIT */
/* Random bytes from the kernel (getrandom). */
#ifndef SYS_RNG_H
#define SYS_RNG_H

#include <stddef.h>
#include <stdint.h>

void rng_bytes(void *out, size_t len); /* aborts when the kernel has none: nothing safe can be done then */
uint64_t rng_u64(void);

#endif
