/* SPDX-License-Identifier: MIT */
/* What programs take out of a tar archive and libclamav 1.4 does not. It reads sizes in octal only, knows no pax
 * record, skips members of types that it takes for a description, steps over a block too many behind an empty one, and
 * stops at a member without a name; and it takes a tar whose first member's name begins as another kind of file does
 * for that. Measured with samples. Pure. */
#ifndef SCAN_ENGINE_TAR_H
#define SCAN_ENGINE_TAR_H

#include "base/span.h"

/* FILE is one whole file out of a message, TYPE libclamav's word for what it is, NULL if unknown. The words for a
 * person if it is a tar of which libclamav passes over something; NULL otherwise. */
const char *tar_unsupported(struct span file, const char *type);

#endif
