/* SPDX-License-Identifier: MIT */
/* From files to struct conf: reading (bounded, regular files only), and what the machine has to add to the options. */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include "daemon/role.h"

/* Loads the file PATH and all it includes; the host name is filled in where no option gives it. As conf_load: every
 * finding is in PROBLEMS, release CONF in every case. */
enum err config_load_file(struct conf *conf, const char *path, struct problems *problems) must_use;
/* The same for the effective configuration that a child finds at descriptor FD. */
enum err config_load_fd(struct conf *conf, int fd, struct problems *problems) must_use;
/* Writes what depends on the machine (number of event loops, host name) into the configuration as if it stood there, so
 * that every child, at every restart, sees what the supervisor saw. Before other processes or threads use CONF. */
void config_pin(struct conf *conf);

#endif
