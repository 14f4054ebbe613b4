/* SPDX-License-Identifier: MIT */
/* Opening the engines in a thread of its own: beside an older generation that serves, with what the machine has to
 * spare; and of a vendor's plug-in, which may never come back, only for so long. */
#ifndef SCAN_HOST_LOADER_H
#define SCAN_HOST_LOADER_H

struct broker;

/* Calls OPEN in a thread, which is gone on return, and with it the options' session. Where the pool's plug-in has not
 * come back after its load_timeout, this process logs that and ends: the supervisor starts another one. */
void loader_run(struct broker *b, void (*open)(struct broker *b));
/* The same of a plug-in's pool, with broker->output in the place of this process's standard output and error meanwhile;
 * where that cannot be had, this process logs that and ends. */
void loader_run_plugin(struct broker *b, void (*open)(struct broker *b));

#endif
