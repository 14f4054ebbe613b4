/* SPDX-License-Identifier: MIT */
/* What --check says beyond the configuration itself: whether this machine has what it names. Nothing is loaded,
 * connected or changed. */
#ifndef DAEMON_CHECK_MACHINE_H
#define DAEMON_CHECK_MACHINE_H

#include "conf/conf.h"

/* Adds warnings: signatures, scanner programs, plug-ins and what they read (check_files.h), accounts and groups, quarantine, libclamav's RAR module. As root it
 * looks with the eyes of scan_user where that one will have to open something, so it is for a process that does nothing
 * else: its supplementary groups are gone afterwards. */
void check_machine(const struct conf *conf, struct problems *problems);

#endif
