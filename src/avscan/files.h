/* SPDX-License-Identifier: MIT */
/* postern-avscan by hand: files named on the command line. */
#ifndef AVSCAN_FILES_H
#define AVSCAN_FILES_H

#include "avscan/options.h"

enum { AVSCAN_CLEAN = 0, AVSCAN_VIRUS = 1, AVSCAN_TROUBLE = 2 };

/* Scans them in their order, a line each on standard output. Returns the exit status: a virus counts before trouble. */
int avscan_files(const struct avscan_options *o);

#endif
