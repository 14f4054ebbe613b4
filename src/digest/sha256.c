/* SPDX-License-Identifier: MIT */
/* SHA-256 over OpenSSL's EVP interface. */
/* OpenSSL has a type by the name of one of our error codes. */
#define ERR_STATE openssl_error_state
#include <openssl/evp.h>
#undef ERR_STATE

#include "base/mem.h"
#include "digest/sha256.h"

struct sha256 {
    EVP_MD_CTX *context;
};

struct sha256 *sha256_new(void)
{
    struct sha256 *h = MEM_NEW(struct sha256);
    if (!h)
        return NULL;
    h->context = EVP_MD_CTX_new();
    if (!h->context || EVP_DigestInit_ex(h->context, EVP_sha256(), NULL) != 1) {
        sha256_free(h);
        return NULL;
    }
    return h;
}

struct sha256 *sha256_new_like(const struct sha256 *blank)
{
    struct sha256 *h = MEM_NEW(struct sha256);
    if (!h)
        return NULL;
    h->context = EVP_MD_CTX_new();
    if (!h->context || EVP_MD_CTX_copy_ex(h->context, blank->context) != 1) {
        sha256_free(h);
        return NULL;
    }
    return h;
}

enum err sha256_restart(struct sha256 *h)
{
    return EVP_DigestInit_ex(h->context, NULL, NULL) == 1 ? ERR_OK : ERR_STATE;
}

enum err sha256_update(struct sha256 *h, struct span bytes)
{
    return EVP_DigestUpdate(h->context, bytes.ptr, bytes.len) == 1 ? ERR_OK : ERR_STATE;
}

enum err sha256_finish(struct sha256 *h, struct sha256_digest *out)
{
    unsigned len = 0;
    bool ok = EVP_DigestFinal_ex(h->context, out->bytes, &len) == 1 && len == SHA256_SIZE;
    return ok ? ERR_OK : ERR_STATE;
}

void sha256_free(struct sha256 *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->context);
    mem_free(h);
}

void sha256_hex(const struct sha256_digest *d, char out[2 * SHA256_SIZE + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        out[2 * i] = digits[d->bytes[i] >> 4];
        out[2 * i + 1] = digits[d->bytes[i] & 15];
    }
    out[(size_t)2 * SHA256_SIZE] = '\0';
}
