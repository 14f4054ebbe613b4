/* SPDX-License-Identifier: MIT */
/* One supervised process: started, watched by its pidfd, spoken to over a control socket, started again when it ends
 * unasked – at once the first time, then after a pause that doubles from 0.1 s to 10 s, until it has lived for 30 s.
 * What it runs and what its end means is the owner's business (struct child_hooks). Thread: the supervisor's only one.
 */
#ifndef DAEMON_CHILD_H
#define DAEMON_CHILD_H

#include "base/log.h"
#include "daemon/role.h"
#include "io/deadline.h"
#include "io/loop.h"
#include <sys/types.h>

enum { CHILD_BACKOFF_FIRST_MS = 100, CHILD_BACKOFF_MAX_MS = 10000, CHILD_STABLE_MS = 30000 };

struct child_channel {
    int fd; /* -1: none */
    unsigned generation;
};

/* How a process ended. */
struct child_end {
    bool known;    /* false: the kernel did not tell */
    int exit_code; /* -1: ended by a signal */
    int signal;    /* 0: ended by itself */
    char text[64]; /* "exit status 78", "killed by SIGSEGV" */
};

struct child_hooks {
    /* Starts the process with CONTROL as its ROLE_FD_CONTROL; CONTROL stays the caller's. */
    enum err (*spawn)(void *arg, int control, pid_t *pid, int *pidfd, struct errtext *why);
    /* It runs: the time to queue its channels. */
    void (*started)(void *arg);
    /* A datagram of its own on control. May be NULL. */
    void (*message)(void *arg, struct span bytes);
    /* It ended and everything of it is closed. True: start it again after the pause. */
    bool (*ended)(void *arg, const struct child_end *end);
};

struct child {
    const char *name; /* "edge", "scan CPU"; in the log */
    pid_t pid;        /* 0: not running */
    unsigned starts;  /* how often it has been started */
    /* internal */
    const struct child_hooks *hooks;
    void *arg;
    struct loop *loop;
    const struct log *log;
    int pidfd, control;
    struct loop_watch exit_watch, control_watch;
    struct deadline restart;
    unsigned failures; /* ends in a row, each soon after the start */
    uint64_t started_us;
    bool asked_to_end, ended_by_us;
    /* What waits for room in the control socket: at most one channel per (pool, loop), a newer one replacing an older
     * one. */
    size_t pools, loops;
    struct child_channel *channels; /* pools × loops */
    bool drain;
};

/* NAME, HOOKS and ARG outlive the child. */
enum err child_init(struct child *c, const char *name, const struct child_hooks *hooks, void *arg, struct loop *loop,
                    const struct log *log, size_t pools, size_t loops) must_use;
/* Starts it; where that fails it is tried again after the pause. */
void child_start(struct child *c);
bool child_is_running(const struct child *c);
/* Sends, now or when the socket has room, or when the process has been started. CHANNEL takes FD. */
void child_send_channel(struct child *c, size_t pool, size_t loop, unsigned generation, int fd);
void child_send_drain(struct child *c);
/* Closes control, which asks a scan host to finish; its end is then no fault. */
void child_close_control(struct child *c);
void child_kill(struct child *c);
/* Kills it as something in good order: its end is no fault and no line in the log. */
void child_end(struct child *c);
/* No more starts. */
void child_give_up(struct child *c);
/* Kills it if it runs, waits for its end and releases everything. No hook is called. */
void child_release(struct child *c);

/* The pause before the next start after FAILURES ends in a row, in milliseconds. */
unsigned child_backoff_ms(unsigned failures);

#endif
