/* SPDX-License-Identifier: MIT */
/* Texts into memory files. The archives are the plainest of their kind: nothing in them but a few words. */
#include "scan/canary_text.h"
#include "base/span.h"
#include "sys/memfd.h"
#include <unistd.h>

enum {
    TEST_STRING_SIZE = 68,
    GZIP_HEAD = 15, /* header, and that of one stored block */
    GZIP_TAIL = 8,
    DEEP_LEVELS = 104, /* clamd's MaxRecursion: 17, and 100 at most */
    TEXT_MAX = 64 + DEEP_LEVELS * (GZIP_HEAD + GZIP_TAIL),
};

struct text {
    unsigned char octets[TEXT_MAX];
    size_t len;
};

#define CLEAN_TEXT "Subject: canary\r\n\r\nThe quick brown fox jumps over the lazy dog. Nothing in here is a virus.\r\n"

/* The standard test string stands in no file, so that nothing takes the program for a virus. */
static void make_test_string(struct text *out)
{
    static const unsigned char hidden[TEST_STRING_SIZE] = {
        0xa7, 0xca, 0xb0, 0xde, 0xaf, 0xda, 0xbf, 0xbe, 0xaf, 0xa4, 0xcb, 0xa3, 0xaf, 0xa5, 0xa7, 0xca, 0xcb,
        0xd7, 0xaf, 0xa1, 0xd6, 0xc8, 0xbc, 0xbc, 0xd6, 0xc8, 0x82, 0xdb, 0xba, 0xb6, 0xbc, 0xbe, 0xad, 0xd2,
        0xac, 0xab, 0xbe, 0xb1, 0xbb, 0xbe, 0xad, 0xbb, 0xd2, 0xbe, 0xb1, 0xab, 0xb6, 0xa9, 0xb6, 0xad, 0xaa,
        0xac, 0xd2, 0xab, 0xba, 0xac, 0xab, 0xd2, 0xb9, 0xb6, 0xb3, 0xba, 0xde, 0xdb, 0xb7, 0xd4, 0xb7, 0xd5,
    };
    for (size_t i = 0; i < TEST_STRING_SIZE; i++)
        out->octets[i] = hidden[i] ^ 0xff;
    out->len = TEST_STRING_SIZE;
}

static void put_little_endian(unsigned char *out, uint32_t value, size_t octets)
{
    for (size_t i = 0; i < octets; i++)
        out[i] = (unsigned char)(value >> 8 * i);
}

/* CRC-32 of RFC 1952, section 8, bit by bit: it is wanted once in a while. */
static uint32_t crc32_of(const unsigned char *octets, size_t len)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= octets[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* Puts what is there into a gzip file of one stored block. */
static void wrap_gzip(struct text *t)
{
    static const unsigned char head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1};
    uint32_t crc = crc32_of(t->octets, t->len);
    memmove(t->octets + GZIP_HEAD, t->octets, t->len);
    memcpy(t->octets, head, sizeof(head));
    put_little_endian(t->octets + sizeof(head), (uint32_t)t->len, 2);
    put_little_endian(t->octets + sizeof(head) + 2, ~(uint32_t)t->len, 2);
    put_little_endian(t->octets + GZIP_HEAD + t->len, crc, 4);
    put_little_endian(t->octets + GZIP_HEAD + t->len + 4, (uint32_t)t->len, 4);
    t->len += GZIP_HEAD + GZIP_TAIL;
}

static void set_text(struct text *t, struct span octets)
{
    memcpy(t->octets, octets.ptr, octets.len);
    t->len = octets.len;
}

static void make_deep(struct text *t)
{
    set_text(t, SPAN("Nothing in here is a virus.\r\n"));
    for (int i = 0; i < DEEP_LEVELS; i++)
        wrap_gzip(t);
}

/* One member "a", stored, with flag bit 0 (encrypted): 12 octets of PKWARE's encryption header, and three of a file,
 * which nobody can decrypt, as there is no password. */
#define ZIP_MEMBER                                                                                                     \
    "\x14\0\x01\0\0\0\0\0\x21\0" /* version, flags, stored, time, date */                                              \
    "\x78\x56\x34\x12"           /* CRC-32 */                                                                          \
    "\x0f\0\0\0\x03\0\0\0"       /* sizes */                                                                           \
    "\x01\0\0\0"                 /* length of the name, no extra field */
#define ENCRYPTED_ZIP                                                                                                  \
    "PK\3\4" ZIP_MEMBER "a"                                                                                            \
    "not readable..."                                                                                                  \
    "PK\1\2\x14\0" ZIP_MEMBER "\0\0\0\0\0\0\0\0\0\0\0\0\0\0"                                                           \
    "a"                                                                                                                \
    "PK\5\6\0\0\0\0\1\0\1\0\x2f\0\0\0\x2e\0\0\0\0\0"

static void make_text(enum canary_text which, struct text *out)
{
    switch (which) {
    case CANARY_CLEAN:
        set_text(out, SPAN(CLEAN_TEXT));
        break;
    case CANARY_PATTERN:
        make_test_string(out);
        break;
    case CANARY_DEEP:
        make_deep(out);
        break;
    case CANARY_ENCRYPTED:
        set_text(out, SPAN(ENCRYPTED_ZIP));
        break;
    }
}

enum err canary_message(enum canary_text which, int *fd, uint64_t *size)
{
    struct text text = {.len = 0};
    make_text(which, &text);
    *fd = memfd_new("postern-canary");
    if (*fd < 0)
        return ERR_IO;
    *size = text.len;
    if (write(*fd, text.octets, text.len) == (ssize_t)text.len && memfd_seal(*fd) == ERR_OK)
        return ERR_OK;
    close(*fd);
    *fd = -1;
    return ERR_IO;
}
