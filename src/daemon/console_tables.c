/* SPDX-License-Identifier: MIT */
/* The one explicit list of all tables of commands, in the order in which `help` lists them. */
#include "daemon/console_commands.h"

const struct console_table *const console_tables[] = {
    &console_help_table,  &console_antivirus_table, &console_engine_table,     &console_health_table,
    &console_cache_table, &console_threads_table,   &console_quarantine_table, NULL,
};
