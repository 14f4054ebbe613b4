/* SPDX-License-Identifier: MIT */
/* Private to src/spool: the spool directory as messages see it. */
#ifndef SPOOL_DIRECTORY_H
#define SPOOL_DIRECTORY_H

#include "spool/message.h"

uint64_t spool_memory_threshold(const struct spool *s);
const struct sha256 *spool_blank_digest(const struct spool *s); /* for sha256_new_like */
/* A new unnamed file, 0600, open for reading and writing, close-on-exec; -1 with errno. Any thread; may block. */
int spool_new_file(const struct spool *s);

#endif
