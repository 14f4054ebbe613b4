/* SPDX-License-Identifier: MIT */
/* What a vendor's library writes to its standard output and error: not lines of the log, where they could be taken for
 * postern's own, but text in it, quoted (event `plugin-output`). While the library loads, the host's own standard
 * output and error are a pipe; each worker's are for life. The pipe never blocks who writes: what it does not hold is
 * lost, and it is read slowly enough that the log stays readable. */
#ifndef SCAN_HOST_PLUGIN_OUTPUT_H
#define SCAN_HOST_PLUGIN_OUTPUT_H

#include "base/log.h"
#include "io/deadline.h"
#include "io/loop.h"

enum {
    PLUGIN_OUTPUT_LINE = 512, /* longer ones are cut into several */
    PLUGIN_OUTPUT_LINES = 100,
    PLUGIN_OUTPUT_WINDOW_MS = 10 * 1000, /* in which so many are logged */
};

struct plugin_output {
    const struct log *log;
    const char *engine, *pool;
    int reader, writer;         /* the pipe; 0: there is none */
    int own_output, own_errors; /* while they are diverted; 0: they are not */
    struct loop_watch watch;
    struct deadline window;
    unsigned lines, dropped; /* in this window */
    size_t len;
    char line[PLUGIN_OUTPUT_LINE];
};

/* Makes the pipe, and puts it in the place of 1 and 2 of this process. *O begins as zeros but for log and names. WHY
 * where that fails; then nothing has changed. */
enum err plugin_output_divert(struct plugin_output *o, struct errtext *why) must_use;
/* This process has its own 1 and 2 back; harmless where nothing was diverted. */
void plugin_output_restore(struct plugin_output *o);
/* From now on LOOP reads. */
void plugin_output_watch(struct plugin_output *o, struct loop *loop);
/* Logs what is in the pipe, the beginning of a line too. */
void plugin_output_last_words(struct plugin_output *o);
void plugin_output_stop(struct plugin_output *o);

#endif
