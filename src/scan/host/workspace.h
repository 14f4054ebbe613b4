/* SPDX-License-Identifier: MIT */
/* Temporary directories of workers: one slot per worker below a base directory. */
#ifndef SCAN_HOST_WORKSPACE_H
#define SCAN_HOST_WORKSPACE_H

#include "base/err.h"
#include <limits.h>
#include <stdbool.h>

enum { WORKSPACE_PATH = PATH_MAX };
/* The directory of SLOT below BASE, made when missing, 0700 and ours: no link is followed, a stranger's directory
 * refused. PATH receives its name, *dirfd a descriptor. */
enum err workspace_open(const char *base, unsigned slot, char path[WORKSPACE_PATH], int *dirfd,
                        struct errtext *why) must_use;
/* Removes everything in the directory, links as links, at any depth. ERR_IO with errno: something is left. */
enum err workspace_clean(int dirfd) must_use;

#endif
