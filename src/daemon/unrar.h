/* SPDX-License-Identifier: MIT */
/* A look for the package without which libclamav cannot open RAR archives. */
#ifndef DAEMON_UNRAR_H
#define DAEMON_UNRAR_H

#include "scan/framework.h"
#include <stdbool.h>

/* Whether the configuration uses libclamav. */
bool unrar_matters(const struct framework *fw);
/* Whether libclamav could load its RAR module on this machine. Loads and unloads the module: for --check and the start
 * only, never in a process that has seen mail. */
bool unrar_is_installed(void);
/* One sentence for whoever can install it. */
extern const char unrar_missing_text[];

#endif
