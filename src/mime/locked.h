/* SPDX-License-Identifier: MIT */
/* Documents and images of disks that nobody can look at without a password or a key, known by their octets. They open
 * like others, and scanners that cannot open them mostly say nothing: libclamav 1.4 of all of these. PDF is not among
 * them: whether one opens without a password takes its cryptography, which scanners do. */
#ifndef MIME_LOCKED_H
#define MIME_LOCKED_H

#include "base/err.h"
#include "base/span.h"

/* *WHAT: words for a person of what OCTETS, a whole file, are; NULL: nothing of the kind. ERR_NOMEM. */
enum err mime_locked(struct span octets, const char **what) must_use;

#endif
