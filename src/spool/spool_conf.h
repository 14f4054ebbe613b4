/* SPDX-License-Identifier: MIT */
/* Options of the spool: where large messages lie while they are scanned and relayed. Implicit class, top level. */
#ifndef SPOOL_SPOOL_CONF_H
#define SPOOL_SPOOL_CONF_H

#include "conf/directive.h"

struct spool_conf {
    const char *spoolbase;           /* an absolute path, see spool_open */
    int64_t large_message_threshold; /* octets that stay in memory; beyond, a file of the spool */
};
extern const struct scope_class spool_class;

#endif
