/* SPDX-License-Identifier: MIT */
/* Texts into memory files. */
#include "scan/canary_text.h"
#include "base/span.h"
#include "sys/memfd.h"
#include <unistd.h>

enum { TEST_STRING_SIZE = 68 };

#define CLEAN_TEXT "Subject: canary\r\n\r\nThe quick brown fox jumps over the lazy dog. Nothing in here is a virus.\r\n"

/* The standard test string stands in no file, so that nothing takes the program for a virus. */
static void make_test_string(char out[TEST_STRING_SIZE])
{
    static const unsigned char hidden[TEST_STRING_SIZE] = {
        0xa7, 0xca, 0xb0, 0xde, 0xaf, 0xda, 0xbf, 0xbe, 0xaf, 0xa4, 0xcb, 0xa3, 0xaf, 0xa5, 0xa7, 0xca, 0xcb,
        0xd7, 0xaf, 0xa1, 0xd6, 0xc8, 0xbc, 0xbc, 0xd6, 0xc8, 0x82, 0xdb, 0xba, 0xb6, 0xbc, 0xbe, 0xad, 0xd2,
        0xac, 0xab, 0xbe, 0xb1, 0xbb, 0xbe, 0xad, 0xbb, 0xd2, 0xbe, 0xb1, 0xab, 0xb6, 0xa9, 0xb6, 0xad, 0xaa,
        0xac, 0xd2, 0xab, 0xba, 0xac, 0xab, 0xd2, 0xb9, 0xb6, 0xb3, 0xba, 0xde, 0xdb, 0xb7, 0xd4, 0xb7, 0xd5,
    };
    for (size_t i = 0; i < TEST_STRING_SIZE; i++)
        out[i] = (char)(hidden[i] ^ 0xff);
}

enum err canary_message(bool pattern, int *fd, uint64_t *size)
{
    char test_string[TEST_STRING_SIZE];
    make_test_string(test_string);
    struct span text = pattern ? span_of(test_string, sizeof(test_string)) : SPAN(CLEAN_TEXT);
    *fd = memfd_new("postern-canary");
    if (*fd < 0)
        return ERR_IO;
    *size = text.len;
    if (write(*fd, text.ptr, text.len) == (ssize_t)text.len && memfd_seal(*fd) == ERR_OK)
        return ERR_OK;
    close(*fd);
    *fd = -1;
    return ERR_IO;
}
