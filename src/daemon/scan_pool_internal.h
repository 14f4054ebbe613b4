/* SPDX-License-Identifier: MIT */
/* What the files of scan_pool.h share; nobody else includes this. scan_pool.c generations and their phases;
 * scan_pool_host.c one host as a process; scan_pool_judge.c whether a generation may serve, and what the log says of
 * it.
 */
#ifndef DAEMON_SCAN_POOL_INTERNAL_H
#define DAEMON_SCAN_POOL_INTERNAL_H

#include "daemon/scan_pool.h"

/* scan_pool_host.c */
/* Host number WHICH of P: its name, directories and child, with the hooks HOOKS. */
enum err scan_pool_host_prepare(struct scan_pool *p, size_t which, const struct child_hooks *hooks,
                                struct errtext *why) must_use;
/* child_hooks.spawn; h->generation is the one that starts. */
enum err scan_pool_host_spawn(struct scan_host *h, int control, pid_t *pid, int *pidfd, struct errtext *why) must_use;
void scan_pool_host_release(struct scan_host *h);

/* scan_pool_judge.c */
void scan_pool_log_start(const struct scan_pool *p, unsigned generation, const char *reason);
/* One line for each engine that has a database. */
void scan_pool_log_done(const struct scan_pool *p, const struct scan_host *next, const struct scan_host *old);
void scan_pool_log_failed(const struct scan_pool *p, unsigned generation, bool old_serves, const char *reason);

#endif
