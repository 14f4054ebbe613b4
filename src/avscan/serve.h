/* SPDX-License-Identifier: MIT */
/* postern-avscan as a scanner program: one message after the other from descriptor 3, in the strict cage once the
 * definitions are loaded. */
#ifndef AVSCAN_SERVE_H
#define AVSCAN_SERVE_H

#include "avscan/options.h"

/* Ends the process. */
_Noreturn void avscan_serve(const struct avscan_options *o);

#endif
