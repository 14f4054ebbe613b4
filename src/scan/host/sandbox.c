/* SPDX-License-Identifier: MIT */
/* The profiles, in the order in which they must be put on: limits, then Landlock (needs open), seccomp last. */
#include "scan/host/sandbox.h"
#include "sys/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/ioctl.h>
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
    SOCKET(AF_UNIX), SOCKET(AF_INET), SOCKET(AF_INET6),
    JAIL_CALL_EQ(SYS_ioctl, 1, SIOCOUTQ), /* what of it has arrived */
};

/* What whoever may have a socket does with it. */
static const struct jail_call socket_calls[] = {
    ANY(connect), /* whereto is Landlock's business */
    {SYS_setsockopt, {{JAIL_ARG_EQ, 1, IPPROTO_TCP}, {JAIL_ARG_EQ, 2, TCP_NODELAY}}},
    JAIL_CALL_EQ(SYS_getsockopt, 1, SOL_SOCKET),
    JAIL_CALL_ZERO(SYS_sendto, 3, MSG_FASTOPEN),
    ANY(recvfrom),
    ANY(shutdown),
    ANY(getsockname),
    ANY(getpeername),
};

/* From the first instruction of a program to its work: the loader maps code, the C library sets itself up, and a
 * program of ours then closes the strict cage behind itself. send(2) and recv(2) are sendto and recvfrom. No clone in
 * any form. */
static const struct jail_call exec_calls[] = {
    ANY(mmap),
    ANY(mprotect),
#ifdef SYS_arch_prctl
    ANY(arch_prctl),
#endif
#ifdef SYS_select
    ANY(select),
    ANY(dup2),
    ANY(epoll_wait),
    ANY(getpgrp),
#endif
    ANY(set_tid_address),
    ANY(set_robust_list),
    JAIL_CALL_EQ(SYS_prlimit64, 0, 0), /* its own */
    JAIL_CALL_EQ(SYS_prctl, 0, PR_SET_NAME),
    JAIL_CALL_EQ(SYS_prctl, 0, PR_SET_DUMPABLE),
    JAIL_CALL_EQ(SYS_prctl, 0, PR_GET_DUMPABLE),
    JAIL_CALL_EQ(SYS_prctl, 0, PR_SET_NO_NEW_PRIVS),
    JAIL_CALL_EQ(SYS_prctl, 0, PR_GET_NO_NEW_PRIVS),
    JAIL_CALL_EQ(SYS_prctl, 0, PR_SET_SECCOMP),
    JAIL_CALL_EQ(SYS_prctl, 0, PR_GET_SECCOMP),
    ANY(seccomp),
    {444, {{JAIL_ANY, 0, 0}}}, /* landlock_create_ruleset, landlock_add_rule, landlock_restrict_self */
    {445, {{JAIL_ANY, 0, 0}}},
    {446, {{JAIL_ANY, 0, 0}}},
    JAIL_CALL_ZERO(SYS_sendto, 3, MSG_FASTOPEN),
    ANY(recvfrom),
    ANY(getsockname),
    JAIL_CALL_EQ(SYS_getsockopt, 1, SOL_SOCKET),
    ANY(shutdown),
    ANY(dup3),
    ANY(pipe2),
    ANY(eventfd2),
    ANY(epoll_create1),
    ANY(epoll_ctl),
    ANY(epoll_pwait),
    ANY(pselect6),
    ANY(statfs),
    ANY(fsync),
    ANY(fdatasync),
    ANY(getresuid),
    ANY(getresgid),
    JAIL_CALL_EQ(SYS_ioctl, 1, TCGETS),
};

/* For a program whose work is to start another one: a process, the cage that this one closes behind itself (the calls
 * above), the program, its end. Which program is Landlock's business. abort(3) of a child is not about our own pid. */
static const struct jail_call launch_calls[] = {
    ANY(clone),
    JAIL_CALL_EQ(SYS_execveat, 4, AT_EMPTY_PATH),
    ANY(waitid),
    ANY(wait4),
    JAIL_CALL_EQ(SYS_kill, 1, SIGKILL),
    ANY(tgkill),
    ANY(setpgid),
    {434, {{JAIL_ANY, 0, 0}}}, /* pidfd_open */
    {436, {{JAIL_ANY, 0, 0}}}, /* close_range */
    JAIL_CALL_EQ(SYS_prctl, 0, PR_SET_PDEATHSIG),
};

/* SINGLE: of this user no other process may be made. */
static enum err set_limits(const struct sandbox_limits *l, bool single, struct errtext *why)
{
    const struct {
        int resource;
        uint64_t value;
        const char *name;
    } limits[] = {
#ifndef POSTERN_SANITIZED /* AddressSanitizer reserves terabytes of address space */
        {RLIMIT_AS, l->memory, "address space"},
#endif
        {RLIMIT_STACK, l->stack, "stack"},
        {RLIMIT_FSIZE, l->temp, "file size"},
#ifndef POSTERN_VALGRIND /* which keeps this limit to itself and refuses to lower it */
        {RLIMIT_NOFILE, 256, "descriptors"},
#endif
        {RLIMIT_CORE, 0, "core files"},
        {RLIMIT_NPROC, 1, "processes"}, /* the last one; of this user: another one than this is refused */
    };
    for (size_t i = 0; i < ARRAY_SIZE(limits) - (single ? 0 : 1); i++)
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

enum { FILTER_TABLE_MAX = 96 }; /* rows of the longest TABLE */
/* The common calls and those of TABLE; a row of TABLE takes the place of one with conditions for the same call. EXTRA
 * is one more row, or NULL. abort(3) sends itself a signal; with another process as the target the call is refused. */
static enum err install_filter(const struct jail_call *table, size_t table_count, const struct jail_call *extra)
{
    struct jail_call calls[ARRAY_SIZE(common_calls) + FILTER_TABLE_MAX + 2 /* tgkill, EXTRA */];
    size_t count = 0;
    bool any_tgkill = false;
    for (size_t i = 0; i < ARRAY_SIZE(common_calls); i++) {
        bool replaced = false;
        for (size_t k = 0; k < table_count; k++)
            replaced = replaced || table[k].number == common_calls[i].number;
        if (!replaced)
            calls[count++] = common_calls[i];
    }
    for (size_t i = 0; i < table_count; i++) {
        any_tgkill = any_tgkill || table[i].number == SYS_tgkill;
        calls[count++] = table[i];
    }
    if (!any_tgkill)
        calls[count++] = (struct jail_call)JAIL_CALL_EQ(SYS_tgkill, 0, (uint64_t)getpid());
    if (extra)
        calls[count++] = *extra;
    return jail_seccomp(calls, count);
}

/* Libraries of vendors open their sockets in every customary way; options are those that bound waiting and buffers. */
static const int vendor_socket_types[] = {SOCK_STREAM, SOCK_STREAM | SOCK_CLOEXEC, SOCK_STREAM | SOCK_NONBLOCK,
                                          NET_SOCKET_TYPE};
static const struct jail_call vendor_socket_calls[] = {
    {SYS_setsockopt, {{JAIL_ARG_EQ, 1, SOL_SOCKET}, {JAIL_ARG_EQ, 2, SO_RCVTIMEO}}},
    {SYS_setsockopt, {{JAIL_ARG_EQ, 1, SOL_SOCKET}, {JAIL_ARG_EQ, 2, SO_SNDTIMEO}}},
    {SYS_setsockopt, {{JAIL_ARG_EQ, 1, SOL_SOCKET}, {JAIL_ARG_EQ, 2, SO_KEEPALIVE}}},
    {SYS_setsockopt, {{JAIL_ARG_EQ, 1, SOL_SOCKET}, {JAIL_ARG_EQ, 2, SO_RCVBUF}}},
    {SYS_setsockopt, {{JAIL_ARG_EQ, 1, SOL_SOCKET}, {JAIL_ARG_EQ, 2, SO_SNDBUF}}},
#ifdef SYS_select
    ANY(select),
    ANY(epoll_wait),
#endif
    ANY(pselect6),
    ANY(epoll_create1),
    ANY(epoll_ctl),
    ANY(epoll_pwait),
};
enum {
    VENDOR_FAMILIES = 3,
    VENDOR_CALLS = VENDOR_FAMILIES * (int)ARRAY_SIZE(vendor_socket_types) * 2 + (int)ARRAY_SIZE(socket_calls) +
                   (int)ARRAY_SIZE(vendor_socket_calls) + 2 /* mmap, mprotect */
};
_Static_assert(ARRAY_SIZE(net_calls) + ARRAY_SIZE(socket_calls) <= FILTER_TABLE_MAX &&
                   (int)VENDOR_CALLS <= (int)FILTER_TABLE_MAX &&
                   ARRAY_SIZE(exec_calls) + ARRAY_SIZE(launch_calls) <= FILTER_TABLE_MAX,
               "a table longer than the filter has room for");

static size_t add_calls(struct jail_call *out, size_t count, const struct jail_call *rows, size_t row_count)
{
    memcpy(out + count, rows, row_count * sizeof(*rows));
    return count + row_count;
}

static size_t add_vendor_family(struct jail_call *out, size_t count, int family)
{
    for (size_t i = 0; i < ARRAY_SIZE(vendor_socket_types); i++) {
        const uint64_t type = (uint64_t)vendor_socket_types[i];
        out[count++] = (struct jail_call){
            SYS_socket, {{JAIL_ARG_EQ, 0, (uint64_t)family}, {JAIL_ARG_EQ, 1, type}, {JAIL_ARG_EQ, 2, 0}}};
        if (family != AF_UNIX)
            out[count++] = (struct jail_call){
                SYS_socket,
                {{JAIL_ARG_EQ, 0, (uint64_t)family}, {JAIL_ARG_EQ, 1, type}, {JAIL_ARG_EQ, 2, IPPROTO_TCP}}};
    }
    return count;
}

static size_t vendor_calls(const struct sandbox_vendor *v, struct jail_call out[FILTER_TABLE_MAX])
{
    size_t count = 0;
    if (v->unix_sockets)
        count = add_vendor_family(out, count, AF_UNIX);
    if (v->tcp) {
        count = add_vendor_family(out, count, AF_INET);
        count = add_vendor_family(out, count, AF_INET6);
    }
    if (v->tcp || v->unix_sockets) {
        count = add_calls(out, count, socket_calls, ARRAY_SIZE(socket_calls));
        count = add_calls(out, count, vendor_socket_calls, ARRAY_SIZE(vendor_socket_calls));
    }
    if (v->executable_memory) {
        out[count++] = (struct jail_call)ANY(mmap);
        out[count++] = (struct jail_call)ANY(mprotect);
    }
    return count;
}

/* Said here by its name: Landlock would only say that one of many is missing. */
static enum err add_readable(const struct sandbox_vendor *v, struct jail_path *paths, size_t *count,
                             struct errtext *why)
{
    for (size_t i = 0; i < v->read_count && i < SANDBOX_READ; i++) {
        if (access(v->read[i], F_OK) != 0) {
            errtext_set(why, "allow_read %.300s: %s", v->read[i], strerror(errno));
            return ERR_NOTFOUND;
        }
        paths[(*count)++] = (struct jail_path){.path = v->read[i]};
    }
    return ERR_OK;
}

enum err sandbox_enter(const struct sandbox *box, struct sandbox_level *level, struct errtext *why)
{
    *level = (struct sandbox_level){0};
    if (set_limits(&box->limits, true, why) != ERR_OK)
        return ERR_IO;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* not to be traced by its own user, who may be the broker's too */
    struct jail_path paths[1 + SANDBOX_ALSO + SANDBOX_READ] = {{.path = box->temp, .write = true}};
    size_t count = 1;
    for (size_t i = 0; i < box->also_count && i < SANDBOX_ALSO; i++)
        paths[count++] = (struct jail_path){.path = box->also[i], .write = true};
    if (box->vendor && add_readable(box->vendor, paths, &count, why) != ERR_OK)
        return ERR_NOTFOUND;
    bool tcp = box->net || (box->vendor && box->vendor->tcp);
    enum err e = jail_landlock(paths, count, box->ports, tcp ? box->port_count : 0, &level->landlock_abi);
    if (e == ERR_IO) {
        errtext_set(why, "Landlock (ABI %d) on %s: %s", level->landlock_abi, box->temp, strerror(errno));
        return ERR_IO;
    }
    if (seccomp_is_lifted())
        return ERR_OK;
    struct jail_call calls[FILTER_TABLE_MAX];
    size_t call_count = box->vendor ? vendor_calls(box->vendor, calls) : 0;
    if (box->net) {
        call_count = add_calls(calls, 0, net_calls, ARRAY_SIZE(net_calls));
        call_count = add_calls(calls, call_count, socket_calls, ARRAY_SIZE(socket_calls));
    }
    if (install_filter(calls, call_count, NULL) != ERR_OK) {
        errtext_set(why, "the seccomp filter cannot be installed: %s", strerror(errno));
        return ERR_IO;
    }
    level->seccomp = true;
    return ERR_OK;
}

/* The dynamic loader that programs of this machine name is executed with them. */
static const char *const loaders[] = {
    "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1",       "/lib/ld-linux.so.2",
    "/lib/ld-linux-armhf.so.3",    "/lib/ld-linux-riscv64-lp64d.so.1", "/lib64/ld64.so.2",
};

/* Those that exist. */
static size_t exec_paths(const struct sandbox_exec *box, const char *program, struct jail_path *out)
{
    static const char *const readable[] = {"/usr",       "/lib",         "/lib64",     "/etc/ld.so.cache",
                                           "/etc/ssl",   "/dev/urandom", "/proc/self", "/etc/localtime",
                                           "/dev/random"};
    size_t count = 0;
    out[count++] = (struct jail_path){.path = box->temp, .write = true};
    out[count++] = (struct jail_path){.path = program, .execute = true};
    if (box->definitions && access(box->definitions, F_OK) == 0)
        out[count++] = (struct jail_path){.path = box->definitions};
    if (box->launch && access(box->launch, F_OK) == 0)
        out[count++] = (struct jail_path){.path = box->launch, .execute = true};
    for (size_t i = 0; i < box->readable_count && i < SANDBOX_READABLE; i++)
        if (access(box->readable[i], F_OK) == 0)
            out[count++] = (struct jail_path){.path = box->readable[i]};
    for (size_t i = 0; i < ARRAY_SIZE(readable); i++)
        if (access(readable[i], F_OK) == 0)
            out[count++] = (struct jail_path){.path = readable[i]};
    for (size_t i = 0; i < ARRAY_SIZE(loaders); i++)
        if (access(loaders[i], F_OK) == 0)
            out[count++] = (struct jail_path){.path = loaders[i], .execute = true};
    return count;
}

enum err sandbox_enter_exec(const struct sandbox_exec *box, struct sandbox_level *level, struct errtext *why)
{
    char program[32];
    struct jail_path paths[24 + SANDBOX_READABLE];
    *level = (struct sandbox_level){0};
    if (set_limits(&box->limits, !box->launch, why) != ERR_OK)
        return ERR_IO;
    snprintf(program, sizeof(program), "/proc/self/fd/%d", box->program);
    enum err e = jail_landlock(paths, exec_paths(box, program, paths), NULL, 0, &level->landlock_abi);
    if (e == ERR_IO) {
        errtext_set(why, "Landlock (ABI %d): %s", level->landlock_abi, strerror(errno));
        return ERR_IO;
    }
    if (seccomp_is_lifted())
        return ERR_OK;
    const struct jail_call itself = {SYS_execveat,
                                     {{JAIL_ARG_EQ, 0, (uint64_t)box->program}, {JAIL_ARG_EQ, 4, AT_EMPTY_PATH}}};
    struct jail_call calls[FILTER_TABLE_MAX];
    size_t call_count = add_calls(calls, 0, exec_calls, ARRAY_SIZE(exec_calls));
    if (box->launch)
        call_count = add_calls(calls, call_count, launch_calls, ARRAY_SIZE(launch_calls));
    if (install_filter(calls, call_count, box->launch ? NULL : &itself) != ERR_OK) {
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
