/* SPDX-License-Identifier: MIT */
/* The spool's rows in the configuration. */
#include "spool/spool_conf.h"

static const struct directive rows[] = {
    {.name = "spoolbase",
     .type = DIRECTIVE_STRING,
     .offset = CONF_OFFSET(spool_conf, spoolbase),
     .default_text = "/var/spool/postern",
     .min = 1,
     .max = 1024,
     .reload = RELOAD_RESTART,
     .description =
         "directory for messages above large_message_threshold; in a sticky directory postern makes one of its own"},
    {.name = "large_message_threshold",
     .type = DIRECTIVE_SIZE,
     .offset = CONF_OFFSET(spool_conf, large_message_threshold),
     .default_text = "131072",
     .min = 0,
     .max = 64 << 20,
     .reload = RELOAD_RESTART,
     .description = "messages up to this size stay in memory, larger ones go to a file of the spool"},
};

static void spool_check(const struct conf_scope *scope, struct problems *problems)
{
    const struct spool_conf *c = scope->values;
    if (c->spoolbase[0] != '/')
        problem_error(problems, scope, "spoolbase", "must be an absolute path");
}

const struct scope_class spool_class = {
    .name = "Spool",
    .naming = SCOPE_IMPLICIT,
    .single = true,
    .rows = rows,
    .row_count = ARRAY_SIZE(rows),
    .struct_size = sizeof(struct spool_conf),
    .check = spool_check,
    .description = "where messages lie while they are scanned and relayed",
};
