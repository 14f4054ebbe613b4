/* SPDX-License-Identifier: MIT */
/* SHA-256 by OpenSSL's EVP: one of the two homes of OpenSSL. */
#ifndef DIGEST_SHA256_H
#define DIGEST_SHA256_H

#include "base/err.h"
#include "base/span.h"
#include <stdint.h>

enum { SHA256_SIZE = 32 };
struct sha256_digest {
    uint8_t bytes[SHA256_SIZE];
};

struct sha256;
struct sha256 *sha256_new(void); /* NULL: no memory */
/* A new one of the kind of BLANK, to which nothing was added yet: OpenSSL need not search for the algorithm again. Any
 * thread, also several at once. NULL: no memory. */
struct sha256 *sha256_new_like(const struct sha256 *blank);
/* Forgets what was added to H: the next digest begins, likewise without a search. */
enum err sha256_restart(struct sha256 *h) must_use;
enum err sha256_update(struct sha256 *h, struct span bytes) must_use;
enum err sha256_finish(struct sha256 *h, struct sha256_digest *out) must_use;
void sha256_free(struct sha256 *h);
/* 64 lower-case hexadecimal digits and a NUL. */
void sha256_hex(const struct sha256_digest *d, char out[2 * SHA256_SIZE + 1]);

#endif
