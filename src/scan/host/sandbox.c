/* SPDX-License-Identifier: MIT */
/* The strict profile in the order in which it must be put on: limits, then Landlock (needs open), seccomp last. */
#include "scan/host/sandbox.h"
#include "sys/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ANY(name)                                                                                                      \
    {                                                                                                                  \
        SYS_##name, JAIL_ANY, 0, 0                                                                                     \
    }

/* What libclamav 1.4 was seen to use over 539 files, the same calls in their other forms, and what malloc, abort and a
 * sanitizer's report need. Harmless calls are here in plenty: a call that is missing costs a message its verdict. */
static const struct jail_call strict_calls[] = {
    /* memory: never executable */
    {SYS_mmap, JAIL_ARG_MASKED_ZERO, 2, PROT_EXEC},
    {SYS_mprotect, JAIL_ARG_MASKED_ZERO, 2, PROT_EXEC},
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
    {SYS_fchmod, JAIL_ARG_EQ, 1, 0700},
    {SYS_fchmodat, JAIL_ARG_EQ, 2, 0700},
    {SYS_fcntl, JAIL_ARG_EQ, 1, F_GETFD},
    {SYS_fcntl, JAIL_ARG_EQ, 1, F_SETFD},
    {SYS_fcntl, JAIL_ARG_EQ, 1, F_GETFL},
    {SYS_fcntl, JAIL_ARG_EQ, 1, F_SETFL},
    {SYS_fcntl, JAIL_ARG_EQ, 1, F_DUPFD},
    {SYS_fcntl, JAIL_ARG_EQ, 1, F_DUPFD_CLOEXEC},
#ifdef SYS_open /* the older forms exist on x86-64 only */
    ANY(open),
    ANY(stat),
    ANY(lstat),
    ANY(access),
    ANY(unlink),
    ANY(rmdir),
    ANY(mkdir),
    ANY(readlink),
    {SYS_chmod, JAIL_ARG_EQ, 1, 0700},
    ANY(poll),
#endif
    /* its channel: no call that makes a socket is here */
    ANY(ppoll),
    ANY(sendmsg),
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
    {SYS_setrlimit, JAIL_ARG_EQ, 0, RLIMIT_CPU}, /* this process only, unlike prlimit64 */
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
static enum err install_filter(void)
{
    struct jail_call calls[ARRAY_SIZE(strict_calls) + 1];
    memcpy(calls, strict_calls, sizeof(strict_calls));
    calls[ARRAY_SIZE(strict_calls)] = (struct jail_call){SYS_tgkill, JAIL_ARG_EQ, 0, (uint64_t)getpid()};
    return jail_seccomp(calls, ARRAY_SIZE(calls));
}

enum err sandbox_strict(const char *temp, const struct sandbox_limits *limits, struct sandbox_level *level,
                        struct errtext *why)
{
    *level = (struct sandbox_level){0};
    if (set_limits(limits, why) != ERR_OK)
        return ERR_IO;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* not to be traced by its own user, who may be the broker's too */
    const struct jail_path paths[] = {{.path = temp, .write = true}};
    enum err e = jail_landlock(paths, ARRAY_SIZE(paths), false, &level->landlock_abi);
    if (e == ERR_IO) {
        errtext_set(why, "Landlock (ABI %d) on %s: %s", level->landlock_abi, temp, strerror(errno));
        return ERR_IO;
    }
    if (seccomp_is_lifted())
        return ERR_OK;
    if (install_filter() != ERR_OK) {
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
