/* SPDX-License-Identifier: MIT */
/* Memory files (memfd_create), read-only re-opening of a descriptor through /proc/self/fd, and writing all of
 * something. */
#ifndef SYS_MEMFD_H
#define SYS_MEMFD_H

#include "base/err.h"
#include "base/span.h"

/* A memory file that can be sealed, close-on-exec; -1 with errno. */
int memfd_new(const char *name);
/* Seals against writing, growing, shrinking and further seals. ERR_IO with errno. */
enum err memfd_seal(int fd) must_use;
/* A new descriptor of the same file, O_RDONLY and close-on-exec; -1 with errno. */
int fd_reopen_readonly(int fd);
/* write(2) of everything, as often as that takes. ERR_IO with errno. */
enum err fd_write_all(int fd, struct span bytes) must_use;

#endif
