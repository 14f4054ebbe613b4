/* SPDX-License-Identifier: MIT */
/* Between console.c and console_output.c. */
#ifndef DAEMON_CONSOLE_INTERNAL_H
#define DAEMON_CONSOLE_INTERNAL_H

#include "daemon/console.h"

/* Closes what is open; an answer that did not fit becomes a failure. */
void console_output_end(struct console_call *c);

#endif
