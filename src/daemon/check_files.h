/* SPDX-License-Identifier: MIT */
/* The part of check_machine.h about files of other people's that engines run, load or read: plug-ins and what their
 * stanzas list, scanners by their command line. */
#ifndef DAEMON_CHECK_FILES_H
#define DAEMON_CHECK_FILES_H

#include "conf/conf.h"
#include "scan/framework.h"

/* With the eyes of the user whom WHO names. */
void check_plugin_files(const struct framework_engine *engine, const char *who, struct problems *problems);
/* SPOOL: the directory of large messages. */
void check_command_files(const struct framework_engine *engine, const char *spool, const char *who,
                         struct problems *problems);

#endif
