/* SPDX-License-Identifier: MIT */
/* Quarantine's rows in the configuration. */
#include "spool/quarantine_conf.h"

#define YEAR_MS (INT64_C(365) * 86400 * 1000)

static const struct directive rows[] = {
    {.name = "quarantine_directory",
     .type = DIRECTIVE_STRING,
     .offset = CONF_OFFSET(quarantine_conf, directory),
     .default_text = "/var/spool/postern/quarantine",
     .min = 1,
     .max = 1024,
     .reload = RELOAD_RESTART,
     .description = "directory for messages in quarantine (action = quarantine); it is made where it is missing, must "
                    "belong to user with mode 0700, and should have a file system with room of its own"},
    {.name = "quarantine_max_size",
     .type = DIRECTIVE_SIZE,
     .offset = CONF_OFFSET(quarantine_conf, max_size),
     .default_text = "10G",
     .min = 65536,
     .max = INT64_C(1) << 50,
     .reload = RELOAD_RESTART,
     .description =
         "octets that quarantine may take on disk; the oldest messages are deleted to make room for new ones"},
    {.name = "quarantine_max_age",
     .type = DIRECTIVE_DURATION,
     .offset = CONF_OFFSET(quarantine_conf, max_age_ms),
     .default_text = "30d",
     .min = 1000,
     .max = 100 * YEAR_MS,
     .reload = RELOAD_RESTART,
     .description = "messages in quarantine are deleted when they are older"},
    {.name = "quarantine_min_age",
     .type = DIRECTIVE_DURATION,
     .offset = CONF_OFFSET(quarantine_conf, min_age_ms),
     .default_text = "1d",
     .min = 0,
     .max = 100 * YEAR_MS,
     .reload = RELOAD_RESTART,
     .description =
         "younger messages are never deleted to make room; when quarantine is full of them, senders get 451"},
    {.name = "quarantine_timeout",
     .type = DIRECTIVE_DURATION,
     .offset = CONF_OFFSET(quarantine_conf, timeout_ms),
     .default_text = "30",
     .min = 10,
     .max = 3600000,
     .reload = RELOAD_RESTART,
     .description = "time for a message to be on disk; past it the sender gets 451"},
    {.name = "quarantine_sweep",
     .type = DIRECTIVE_DURATION,
     .offset = CONF_OFFSET(quarantine_conf, sweep_ms),
     .default_text = "60",
     .min = 100,
     .max = 86400000,
     .reload = RELOAD_RESTART,
     .description = "time between two looks for messages in quarantine that are too old"},
};

static void quarantine_check(const struct conf_scope *scope, struct problems *problems)
{
    const struct quarantine_conf *c = scope->values;
    if (c->directory[0] != '/')
        problem_error(problems, scope, "quarantine_directory", "must be an absolute path");
    if (c->min_age_ms > c->max_age_ms)
        problem_error(problems, scope, "quarantine_min_age", "must not be more than quarantine_max_age");
}

const struct scope_class quarantine_class = {
    .name = "Quarantine",
    .naming = SCOPE_IMPLICIT,
    .single = true,
    .rows = rows,
    .row_count = ARRAY_SIZE(rows),
    .struct_size = sizeof(struct quarantine_conf),
    .check = quarantine_check,
    .description = "where messages lie that are kept instead of delivered, and for how long",
};
