/* SPDX-License-Identifier: MIT */
/* Random bytes from getrandom(2). */
#include "sys/rng.h"
#include "base/compiler.h"
#include <errno.h>
#include <sys/random.h>

void rng_bytes(void *out, size_t len)
{
    char *at = out;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        at += got;
        len -= (size_t)got;
    }
}

uint64_t rng_u64(void)
{
    uint64_t value;
    rng_bytes(&value, sizeof(value));
    return value;
}
