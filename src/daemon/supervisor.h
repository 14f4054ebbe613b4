/* SPDX-License-Identifier: MIT */
/* The supervisor: one edge and one scan host per pool, kept alive until it is told to stop. It reads no mail and
 * nothing from the network. Started as root it stays root, because it must start its children as other users again, but
 * gives up every capability that this does not need.
 */
#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H

#include "daemon/role.h"

/* Runs the program with a configuration that has no errors; PROBLEMS holds its warnings. CONF gets what depends
 * on the machine (config_pin). Returns the exit status. */
int supervisor_run(struct conf *conf, const struct problems *problems);

#endif
