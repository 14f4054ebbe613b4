/* SPDX-License-Identifier: MIT */
/* The tables of commands, for console_tables.c, and the little that their files share. */
#ifndef DAEMON_CONSOLE_COMMANDS_H
#define DAEMON_CONSOLE_COMMANDS_H

#include "daemon/console.h"

extern const struct console_table console_help_table;       /* console.c */
extern const struct console_table console_antivirus_table;  /* console_antivirus.c */
extern const struct console_table console_threads_table;    /* console_threads.c */
extern const struct console_table console_engine_table;     /* console_engine.c */
extern const struct console_table console_health_table;     /* console_health.c */
extern const struct console_table console_cache_table;      /* console_cache.c */
extern const struct console_table console_quarantine_table; /* console_quarantine.c */

/* "ready", "loading", "failed", "not built". */
const char *console_engine_state(const struct framework_engine *engine, const struct scan_status *s);

#endif
