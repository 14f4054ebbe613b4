/* SPDX-License-Identifier: MIT */
/* A kernel around a broker that is wholly real, for fuzz_broker.c: the calls by which it waits, looks at the clock and
 * has processes. Time stands still unless the play moves it, a process is no more than the descriptors that it
 * inherited and the way it ends, and whenever the broker has nothing to do, the play makes its next move. So a run
 * depends on its input only, and forks nothing.
 *
 * Sockets and all other descriptors are the real kernel's. The linker sends the calls of our own code through
 * __wrap_NAME (tests/CMakeLists.txt knows such a target by what it includes); what libev calls is defined under its own
 * name, which comes before libc's. */
#ifndef FUZZ_SCAN_HOST_KERNEL_H
#define FUZZ_SCAN_HOST_KERNEL_H

#include "fuzz/fuzz.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Numbers that no real process has (the highest possible is 2^22), so that nothing of ours ever reaches one. */
enum { PROCESSES = 56, FIRST_PID = 1 << 24, PASSES_MAX = 10000 };

enum process_state {
    PROCESS_ALIVE,
    PROCESS_KILLED, /* the broker's signal is on its way: it may still say something, which must not count */
    PROCESS_ENDED,  /* its end waits to be asked for */
    PROCESS_REAPED,
};

struct process {
    int pid, pidfd; /* the broker's descriptor, until it has closed it; -1: none yet */
    enum process_state state;
    int code, status; /* of its end, as siginfo_t has them */
    int end, line;    /* its ends of its channel and of its line to the keeper; -1: none */
    bool scanner;     /* no worker: a scanner program */
};

static struct kernel {
    bool playing; /* otherwise all calls are the real kernel's */
    bool keeper;  /* workers have a line */
    uint64_t now_us;
    struct process processes[PROCESSES];
    size_t process_count;
    unsigned failing_forks;                    /* so many of the next ones */
    unsigned failing_allocation, failing_send; /* which of the next ones; 0: none */
    int send_error;                            /* of that */
    unsigned ours;                             /* what is called now the play calls, not the broker */
    int last_ends[2]; /* second ends of the last two pairs, the newest first: a child inherits them */
    bool piped;       /* a pipe was made since: it is a program that is started */
    unsigned passes;  /* since the broker came to rest */
} kernel;

/* ---- What the play defines ---- */

/* Something may have come over any socket. */
static void play_observe(void);
/* P is alive, but not for long. */
static void play_before_kill(struct process *p);
/* The broker has learnt the end of P. */
static void play_reaped(const struct process *p);
/* The broker was refused memory. */
static void play_starved(void);
/* The broker waits, for at most TIMEOUT_MS (-1: for ever): nothing is left to do for it. */
static void play_move(int timeout_ms);

#define KERNEL_PLAYS(call)                                                                                             \
    do {                                                                                                               \
        kernel.ours++;                                                                                                 \
        call;                                                                                                          \
        kernel.ours--;                                                                                                 \
    } while (0)

/* ---- Processes, as the play has them ---- */

static inline void process_close(struct process *p)
{
    if (p->end >= 0)
        close(p->end);
    if (p->line >= 0)
        close(p->line);
    p->end = p->line = -1;
}

static inline void process_end(struct process *p, int code, int status)
{
    if (p->state != PROCESS_ALIVE && p->state != PROCESS_KILLED)
        return;
    process_close(p);
    p->state = PROCESS_ENDED;
    p->code = code;
    p->status = status;
    if (p->pidfd >= 0)
        FUZZ_REQUIRE(eventfd_write(p->pidfd, 1) == 0);
}

/* Those that the broker has killed. False: there are none. */
static inline bool processes_die(void)
{
    bool any = false;
    for (size_t i = 0; i < kernel.process_count; i++)
        if (kernel.processes[i].state == PROCESS_KILLED) {
            process_end(&kernel.processes[i], CLD_KILLED, SIGKILL);
            any = true;
        }
    return any;
}

/* Numbers are used again: the newest one. */
static inline struct process *process_by_pidfd(int pidfd)
{
    for (size_t i = kernel.process_count; i-- > 0;)
        if (kernel.processes[i].pidfd == pidfd)
            return &kernel.processes[i];
    return NULL;
}

static inline struct process *process_by_pid(int pid)
{
    size_t index = (size_t)pid - FIRST_PID;
    return pid >= FIRST_PID && index < kernel.process_count ? &kernel.processes[index] : NULL;
}

static inline void kernel_begin(bool keeper)
{
    memset(&kernel, 0, sizeof(kernel));
    kernel.keeper = keeper;
    kernel.now_us = UINT64_C(1000000) * 1000000;
    kernel.last_ends[0] = kernel.last_ends[1] = -1;
    kernel.playing = true;
}

/* ---- Calls of our own code ---- */

int __real_socketpair(int domain, int type, int protocol, int fds[2]);
int __wrap_socketpair(int domain, int type, int protocol, int fds[2]);
int __real_pipe2(int fds[2], int flags);
int __wrap_pipe2(int fds[2], int flags);
pid_t __real_fork(void);
pid_t __wrap_fork(void);
int __real_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags);
int __real_pidfd_send_signal(int pidfd, int number, siginfo_t *info, unsigned flags);
int __wrap_pidfd_send_signal(int pidfd, int number, siginfo_t *info, unsigned flags);
int __real_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
int __real_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
ssize_t __real_sendmsg(int sock, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int sock, const struct msghdr *message, int flags);

/* Whether this call, the next of those that *LEFT counts, is the one that fails. */
static inline bool kernel_fails(unsigned *left)
{
    if (!kernel.playing || kernel.ours > 0 || *left == 0)
        return false;
    return --*left == 0;
}

void *__wrap_calloc(size_t count, size_t size)
{
    if (!kernel_fails(&kernel.failing_allocation))
        return __real_calloc(count, size);
    play_starved();
    return NULL;
}

/* A socket that is full, or a kernel without room for what is to go through it. */
ssize_t __wrap_sendmsg(int sock, const struct msghdr *message, int flags)
{
    if (!kernel_fails(&kernel.failing_send))
        return __real_sendmsg(sock, message, flags);
    errno = kernel.send_error;
    return -1;
}

int __wrap_socketpair(int domain, int type, int protocol, int fds[2])
{
    int rc = __real_socketpair(domain, type, protocol, fds);
    if (kernel.playing && rc == 0) {
        kernel.last_ends[1] = kernel.last_ends[0];
        kernel.last_ends[0] = fds[1];
        kernel.piped = false;
    }
    return rc;
}

int __wrap_pipe2(int fds[2], int flags)
{
    kernel.piped = true;
    return __real_pipe2(fds, flags);
}

static inline int inherit(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* A worker inherits its channel and, made after it, its line; a scanner its channel. */
pid_t __wrap_fork(void)
{
    if (!kernel.playing)
        return __real_fork();
    if (kernel.failing_forks > 0 || kernel.process_count == PROCESSES) {
        kernel.failing_forks -= kernel.failing_forks > 0;
        errno = EAGAIN;
        return -1;
    }
    struct process *p = &kernel.processes[kernel.process_count];
    *p = (struct process){
        .pid = FIRST_PID + (int)kernel.process_count, .pidfd = -1, .line = -1, .scanner = kernel.piped};
    bool lined = kernel.keeper && !p->scanner;
    p->end = inherit(kernel.last_ends[lined ? 1 : 0]);
    if (lined)
        p->line = inherit(kernel.last_ends[0]);
    if (p->end < 0 || (lined && p->line < 0)) {
        process_close(p);
        errno = ENOMEM;
        return -1;
    }
    kernel.process_count++;
    return p->pid;
}

int __wrap_pidfd_open(pid_t pid, unsigned flags)
{
    struct process *p = process_by_pid(pid);
    if (!kernel.playing)
        return __real_pidfd_open(pid, flags);
    FUZZ_REQUIRE(p && p->state == PROCESS_ALIVE && p->pidfd < 0);
    p->pidfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return p->pidfd;
}

static inline int process_signal(struct process *p, int number)
{
    FUZZ_REQUIRE(p && number == SIGKILL);
    if (p->state == PROCESS_ENDED || p->state == PROCESS_REAPED) {
        errno = ESRCH;
        return -1;
    }
    if (p->state == PROCESS_ALIVE)
        KERNEL_PLAYS(play_before_kill(p));
    p->state = PROCESS_KILLED;
    return 0;
}

int __wrap_pidfd_send_signal(int pidfd, int number, siginfo_t *info, unsigned flags)
{
    return kernel.playing ? process_signal(process_by_pidfd(pidfd), number)
                          : __real_pidfd_send_signal(pidfd, number, info, flags);
}

int __wrap_kill(pid_t pid, int number)
{
    struct process *p = kernel.playing ? process_by_pid(pid) : NULL;
    if (!kernel.playing)
        return __real_kill(pid, number);
    FUZZ_REQUIRE(p && p->state != PROCESS_REAPED); /* its number may be another one's now */
    return process_signal(p, number);
}

/* False: it lives on, and the caller would rather not wait. */
static inline bool process_reap(struct process *p, bool wait)
{
    FUZZ_REQUIRE(p && p->state != PROCESS_REAPED);
    if (wait && p->state == PROCESS_KILLED)
        process_end(p, CLD_KILLED, SIGKILL);
    FUZZ_REQUIRE(!wait || p->state == PROCESS_ENDED); /* nothing may hold the broker up */
    if (p->state != PROCESS_ENDED)
        return false;
    KERNEL_PLAYS(play_reaped(p));
    p->state = PROCESS_REAPED;
    return true;
}

int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    if (!kernel.playing)
        return __real_waitid(type, id, info, options);
    FUZZ_REQUIRE(type == P_PIDFD);
    struct process *p = process_by_pidfd((int)id);
    *info = (siginfo_t){.si_signo = 0};
    if (process_reap(p, (options & WNOHANG) == 0)) {
        info->si_pid = p->pid;
        info->si_code = p->code;
        info->si_status = p->status;
    }
    return 0;
}

pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
    if (!kernel.playing)
        return __real_waitpid(pid, status, options);
    FUZZ_REQUIRE(process_reap(process_by_pid(pid), true));
    return pid;
}

/* ---- Calls of libev ---- */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (!kernel.playing || clock != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, clock, now);
    *now = (struct timespec){.tv_sec = (time_t)(kernel.now_us / 1000000),
                             .tv_nsec = (long)(kernel.now_us % 1000000) * 1000};
    return 0;
}

static inline int real_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms)
{
    return (int)syscall(SYS_epoll_pwait, epoll, events, max, timeout_ms, NULL, 0);
}

/* Never waits: when there is nothing to do, the play moves. */
int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms)
{
    if (!kernel.playing)
        return real_epoll_wait(epoll, events, max, timeout_ms);
    kernel.now_us++; /* or a timer that is due now would be due for ever */
    KERNEL_PLAYS(play_observe());
    int n = real_epoll_wait(epoll, events, max, 0);
    FUZZ_REQUIRE(kernel.passes++ < PASSES_MAX); /* nobody keeps it busy for ever */
    if (n != 0 || timeout_ms == 0)
        return n;
    kernel.passes = 0;
    KERNEL_PLAYS(play_move(timeout_ms));
    return real_epoll_wait(epoll, events, max, 0);
}

#endif
