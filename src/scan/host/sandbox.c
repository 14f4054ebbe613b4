/* SPDX-License-Identifier: MIT */
/* The profiles, in the order in which they must be put on: limits, then Landlock (needs open), seccomp last. */
#include "scan/host/sandbox.h"
#include "sys/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ANY(name) JAIL_CALL(SYS_##name)

/* What libclamav 1.4 was seen to use over 539 files, the same calls in their other forms, and what malloc, abort and a
 * sanitizer's report need. Harmless calls are here in plenty: a call that is missing costs a message its verdict. */
static const struct jail_call common_calls[] = {
    /* memory: never executable */
    JAIL_CALL_ZERO(SYS_mmap, 2, PROT_EXEC),
    JAIL_CALL_ZERO(SYS_mprotect, 2, PROT_EXEC),
    ANY(munmap),
    ANY(mremap),
    ANY(madvise),
    ANY(brk),
    ANY(futex),
    /* files; where is Landlock's business */
    ANY(openat),
    ANY(close),
    ANY(read),
    ANY(readv),
    ANY(pread64),
    ANY(write),
    ANY(writev),
    ANY(pwrite64),
    ANY(lseek),
    ANY(newfstatat),
    ANY(fstat),
    ANY(statx),
    ANY(fstatfs),
    ANY(getdents64),
    ANY(ftruncate),
    ANY(fadvise64),
    ANY(unlinkat),
    ANY(mkdirat),
    ANY(readlinkat),
    ANY(faccessat),
    ANY(faccessat2),
    ANY(getcwd),
    ANY(umask),
    ANY(dup),
    /* Landlock knows nothing of modes: any file of this user could be made unreadable. Emptying a directory needs 0700.
     */
    JAIL_CALL_EQ(SYS_fchmod, 1, 0700),
    JAIL_CALL_EQ(SYS_fchmodat, 2, 0700),
    JAIL_CALL_EQ(SYS_fcntl, 1, F_GETFD),
    JAIL_CALL_EQ(SYS_fcntl, 1, F_SETFD),
    JAIL_CALL_EQ(SYS_fcntl, 1, F_GETFL),
    JAIL_CALL_EQ(SYS_fcntl, 1, F_SETFL),
    JAIL_CALL_EQ(SYS_fcntl, 1, F_DUPFD),
    JAIL_CALL_EQ(SYS_fcntl, 1, F_DUPFD_CLOEXEC),
#ifdef SYS_open /* the older forms exist on x86-64 only */
    ANY(open),
    ANY(stat),
    ANY(lstat),
    ANY(access),
    ANY(unlink),
    ANY(rmdir),
    ANY(mkdir),
    ANY(readlink),
    JAIL_CALL_EQ(SYS_chmod, 1, 0700),
    ANY(poll),
#endif
    /* its channel: no call that makes a socket is here. With MSG_FASTOPEN sending would connect, past Landlock. */
    ANY(ppoll),
    JAIL_CALL_ZERO(SYS_sendmsg, 2, MSG_FASTOPEN),
    ANY(recvmsg),
    /* about itself */
    ANY(getpid),
    ANY(getppid),
    ANY(gettid),
    ANY(getuid),
    ANY(geteuid),
    ANY(getgid),
    ANY(getegid),
    ANY(getrusage),
    ANY(sysinfo),
    ANY(uname),
    ANY(getrandom),
    ANY(sched_yield),
    ANY(sched_getaffinity),
    ANY(rseq),
    JAIL_CALL_EQ(SYS_setrlimit, 0, RLIMIT_CPU), /* this process only, unlike prlimit64 */
    /* time, signals, the end */
    ANY(clock_gettime),
    ANY(clock_getres),
    ANY(clock_nanosleep),
    ANY(nanosleep),
    ANY(gettimeofday),
    ANY(restart_syscall),
    ANY(rt_sigreturn),
    ANY(rt_sigprocmask),
    ANY(rt_sigaction),
    ANY(sigaltstack),
    ANY(exit),
    ANY(exit_group),
};

/* To connect, and nothing else: no listening, no datagrams, no protocol beside plain TCP (MPTCP would be one that
 * Landlock's ports do not cover), no option but the one that the connection layer sets. */
enum { NET_SOCKET_TYPE = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK };
#define SOCKET(family)                                                                                                 \
    {                                                                                                                  \
        SYS_socket,                                                                                                    \
        {                                                                                                              \
            {JAIL_ARG_EQ, 0, (family)}, {JAIL_ARG_EQ, 1, NET_SOCKET_TYPE},                                             \
            {                                                                                                          \
                JAIL_ARG_EQ, 2, 0                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
static const struct jail_call net_calls[] = {
    SOCKET(AF_UNIX),
    SOCKET(AF_INET),
    SOCKET(AF_INET6),
    ANY(connect), /* whereto is Landlock's business */
    {SYS_setsockopt, {{JAIL_ARG_EQ, 1, IPPROTO_TCP}, {JAIL_ARG_EQ, 2, TCP_NODELAY}}},
    JAIL_CALL_EQ(SYS_getsockopt, 1, SOL_SOCKET),
    JAIL_CALL_ZERO(SYS_sendto, 3, MSG_FASTOPEN),
    ANY(recvfrom),
    ANY(shutdown),
    ANY(getsockname),
    ANY(getpeername),
};

static enum err set_limits(const struct sandbox_limits *l, struct errtext *why)
{
    const struct {
        int resource;
        uint64_t value;
        const char *name;
    } limits[] = {
#ifndef POSTERN_SANITIZED /* AddressSanitizer reserves terabytes of address space */
        {RLIMIT_AS, l->memory, "address space"},
#endif
        {RLIMIT_STACK, l->stack, "stack"},       {RLIMIT_FSIZE, l->temp, "file size"},
#ifndef POSTERN_VALGRIND /* which keeps this limit to itself and refuses to lower it */
        {RLIMIT_NOFILE, 256, "descriptors"},
#endif
        {RLIMIT_NPROC, 1, "processes"}, /* of this user: another one than this is refused */
        {RLIMIT_CORE, 0, "core files"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
        if (jail_rlimit(limits[i].resource, limits[i].value) != ERR_OK) {
            errtext_set(why, "limit of %s to %llu: %s", limits[i].name, (unsigned long long)limits[i].value,
                        strerror(errno));
            return ERR_IO;
        }
    return ERR_OK;
}

static bool seccomp_is_lifted(void)
{
#ifdef POSTERN_SANDBOX_SWITCH
    const char *value = getenv("POSTERN_NO_SECCOMP");
    return value && strcmp(value, "1") == 0;
#else
    return false;
#endif
}

/* abort(3) sends itself a signal; with another process as the target the call is refused. */
static enum err install_filter(bool net)
{
    struct jail_call calls[ARRAY_SIZE(common_calls) + ARRAY_SIZE(net_calls) + 1];
    size_t count = ARRAY_SIZE(common_calls);
    memcpy(calls, common_calls, sizeof(common_calls));
    calls[count++] = (struct jail_call)JAIL_CALL_EQ(SYS_tgkill, 0, (uint64_t)getpid());
    for (size_t i = 0; net && i < ARRAY_SIZE(net_calls); i++)
        calls[count++] = net_calls[i];
    return jail_seccomp(calls, count);
}

enum err sandbox_enter(const struct sandbox *box, struct sandbox_level *level, struct errtext *why)
{
    *level = (struct sandbox_level){0};
    if (set_limits(&box->limits, why) != ERR_OK)
        return ERR_IO;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* not to be traced by its own user, who may be the broker's too */
    struct jail_path paths[1 + SANDBOX_ALSO] = {{.path = box->temp, .write = true}};
    size_t count = 1;
    for (size_t i = 0; i < box->also_count && count < ARRAY_SIZE(paths); i++)
        paths[count++] = (struct jail_path){.path = box->also[i], .write = true};
    enum err e = jail_landlock(paths, count, box->ports, box->net ? box->port_count : 0, &level->landlock_abi);
    if (e == ERR_IO) {
        errtext_set(why, "Landlock (ABI %d) on %s: %s", level->landlock_abi, box->temp, strerror(errno));
        return ERR_IO;
    }
    if (seccomp_is_lifted())
        return ERR_OK;
    if (install_filter(box->net) != ERR_OK) {
        errtext_set(why, "the seccomp filter cannot be installed: %s", strerror(errno));
        return ERR_IO;
    }
    level->seccomp = true;
    return ERR_OK;
}

void sandbox_limit_cpu(uint64_t ms)
{
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
        return;
    struct rlimit limit = {.rlim_cur = (rlim_t)used.tv_sec + ms / 1000 + 2, .rlim_max = RLIM_INFINITY};
    /* glibc's setrlimit is prlimit64, which the sandbox refuses. A failure leaves the broker's deadline, which comes
     * first anyway. */
    syscall(SYS_setrlimit, RLIMIT_CPU, &limit);
}
