/* SPDX-License-Identifier: MIT */
/* Files that a scan took out of what it was given and looked at as at files handed to it: each by its size and SHA-256.
 * A decoded part with the same octets need not be looked at a second time. Bounded; what does not fit is not in it.
 */
#ifndef SCAN_ENGINE_LAYERS_H
#define SCAN_ENGINE_LAYERS_H

#include "base/span.h"
#include "digest/sha256.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LAYERS_MAX = 256 };
struct layers {
    size_t count;
    struct layer {
        uint64_t size;
        struct sha256_digest digest;
    } items[LAYERS_MAX];
};

void layers_clear(struct layers *l);
void layers_add(struct layers *l, uint64_t size, const struct sha256_digest *digest);
/* All of FROM. */
void layers_join(struct layers *l, const struct layers *from);
/* For those who would have to make the digest first. */
bool layers_have_size(const struct layers *l, uint64_t size);
bool layers_hold(const struct layers *l, uint64_t size, const struct sha256_digest *digest);

#endif
