/* SPDX-License-Identifier: MIT */
/* Pipe to file. */
#include "scan/host/scanner_log.h"
#include "base/span.h"

#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 16 };
static const char full_text[] = "postern: scanner_log is full, what comes is dropped; rotate it with copytruncate\n";

static void put(int fd, const char *bytes, size_t len)
{
    ssize_t ignored = write(fd, bytes, len); /* a full disk costs lines, no more */
    (void)ignored;
}

static void append(struct scanner_log *l, char *bytes, size_t len)
{
    struct stat st;
    if (l->fd < 0 || fstat(l->fd, &st) != 0)
        return;
    if (st.st_size + (off_t)len + (off_t)sizeof(full_text) > SCANNER_LOG_MAX) {
        if (!l->full)
            put(l->fd, full_text, sizeof(full_text) - 1);
        l->full = true;
        return;
    }
    l->full = false;
    for (size_t i = 0; i < len; i++)
        if (!char_is_print(bytes[i]) && bytes[i] != '\n' && bytes[i] != '\t')
            bytes[i] = '?';
    put(l->fd, bytes, len);
}

bool scanner_log_copy(struct scanner_log *l, int pipe)
{
    for (int i = 0; i < BLOCKS; i++) {
        char bytes[BLOCK];
        ssize_t n = read(pipe, bytes, sizeof(bytes));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        append(l, bytes, (size_t)n);
    }
    return true;
}
