/* SPDX-License-Identifier: MIT */
/* A log that keeps its lines, one after the other, without a time, for a test to look at. */
#ifndef TEST_LOG_LINES_H
#define TEST_LOG_LINES_H

#include "base/log.h"

#include <stdio.h>
#include <string.h>

static char log_lines[4096];

static inline void log_lines_write(void *arg, enum log_level level, struct span line)
{
    (void)arg, (void)level;
    size_t len = strlen(log_lines);
    snprintf(log_lines + len, sizeof(log_lines) - len, "%.*s\n", SPAN_ARG(line));
}

static inline uint64_t log_lines_clock(void *arg)
{
    (void)arg;
    return 0;
}

static inline struct log log_lines_begin(void)
{
    log_lines[0] = '\0';
    return (struct log){.write = log_lines_write, .wallclock_ms = log_lines_clock};
}

#endif
