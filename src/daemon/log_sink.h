/* SPDX-License-Identifier: MIT */
/* Where log lines go: one write(2) per line to descriptor 2 (terminal, file, pipe or socket of a service manager), or
 * one datagram per line to the local syslog. Nothing here waits for a reader that does not read: a line that cannot be
 * written within a moment is dropped and counted, and the next line that gets through is followed by one that tells how
 * many were lost. Knows nothing of configuration or of the other files of daemon, because postern-scan links it too.
 *
 * Lines may be written from any thread: each is a single system call, and all state is atomic.
 */
#ifndef DAEMON_LOG_SINK_H
#define DAEMON_LOG_SINK_H

#include "base/err.h"
#include "base/log.h"
#include <stdatomic.h>

enum log_sink_kind { LOG_SINK_STREAM, LOG_SINK_SOCKET, LOG_SINK_PIPE, LOG_SINK_FILE, LOG_SINK_SYSLOG };

struct log_sink_options {
    const char
        *target;     /* the option `log`: "syslog", anything else is descriptor FD (the supervisor opened the file) */
    int fd;          /* 2 in every process */
    const char *tag; /* name in syslog: "postern", "postern-scan" */
    const char *syslog_path; /* NULL: /dev/log */
    enum log_format format;
    enum log_level min_level;
};

struct log_sink {
    struct log log; /* hand &sink.log to everybody; valid as long as the sink */
    enum log_sink_kind kind;
    int fd;
    const char *tag, *syslog_path;
    atomic_ullong lost;       /* dropped and not yet reported */
    atomic_ullong lost_total; /* dropped since the start */
    atomic_bool stalled;      /* the last line was dropped: the next one does not wait */
    atomic_bool torn;         /* a line was written in part: the next one begins with a line end */
};

/* Ready to write. O's texts must outlive the sink. ERR_IO with errno: no socket for syslog could be made. The daemon
 * behind /dev/log need not run: each datagram finds the one that runs then. */
enum err log_sink_open(struct log_sink *s, const struct log_sink_options *o) must_use;
/* Closes what log_sink_open opened; descriptor FD stays open. */
void log_sink_close(struct log_sink *s);

#endif
