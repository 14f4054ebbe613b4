/* SPDX-License-Identifier: MIT */
/* Options of quarantine: where messages lie that are kept, and for how long. Implicit class, top level. */
#ifndef SPOOL_QUARANTINE_CONF_H
#define SPOOL_QUARANTINE_CONF_H

#include "conf/directive.h"

struct quarantine_conf {
    const char *directory; /* an absolute path, see quarantine_open */
    int64_t max_size;
    int64_t max_age_ms, min_age_ms;
    int64_t timeout_ms; /* to keep one message */
    int64_t sweep_ms;   /* between two looks for what is too old */
};
extern const struct scope_class quarantine_class;

#endif
