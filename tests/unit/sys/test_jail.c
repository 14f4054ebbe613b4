/* SPDX-License-Identifier: MIT */
/* The sandbox's mechanism. Each case locks a child of its own in and looks at how the child ends. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/jail.h"

enum { REFUSED = 7, ALLOWED = 8, NOT_JAILED = 9 };

/* Wait status of a child that runs BODY. */
static int child_status(int (*body)(const char *dir), const char *dir)
{
    pid_t pid = fork();
    ck_assert(pid >= 0);
    if (pid == 0)
        _exit(body(dir));
    int status;
    ck_assert(waitpid(pid, &status, 0) == pid);
    return status;
}

static void new_dir(char *path, size_t size)
{
    snprintf(path, size, "/tmp/postern-jail-XXXXXX");
    ck_assert(mkdtemp(path) != NULL);
}

static const struct jail_call few_calls[] = {
    /* what a sanitizer needs */
    JAIL_CALL(SYS_mmap),
    JAIL_CALL(SYS_munmap),
    JAIL_CALL(SYS_madvise),
    JAIL_CALL(SYS_brk),
    JAIL_CALL(SYS_futex),
    JAIL_CALL(SYS_sigaltstack),
    JAIL_CALL(SYS_exit_group),
    JAIL_CALL(SYS_getpid),
    JAIL_CALL_ZERO(SYS_mprotect, 2, PROT_EXEC),
    JAIL_CALL_EQ(SYS_fcntl, 1, F_GETFL),
    {SYS_lseek, {{JAIL_ARG_EQ, 0, 1}, {JAIL_ARG_EQ, 1, 2}, {JAIL_ARG_EQ, 2, 3}}},
};

static int seccomp_then(long number, long a, long b, long c)
{
    if (jail_seccomp(few_calls, ARRAY_SIZE(few_calls)) != ERR_OK)
        return NOT_JAILED;
    syscall(number, a, b, c);
    return ALLOWED;
}

static int call_listed(const char *dir)
{
    (void)dir;
    return seccomp_then(SYS_getpid, 0, 0, 0);
}
static int call_unlisted(const char *dir)
{
    (void)dir;
    return seccomp_then(SYS_getuid, 0, 0, 0);
}
static int protect_readable(const char *dir)
{
    (void)dir;
    return seccomp_then(SYS_mprotect, 0, 0, PROT_READ);
}
static int protect_executable(const char *dir)
{
    (void)dir;
    return seccomp_then(SYS_mprotect, 0, 0, PROT_READ | PROT_EXEC);
}
static int fcntl_listed(const char *dir)
{
    (void)dir;
    return seccomp_then(SYS_fcntl, 2, F_GETFL, 0);
}
static int lseek_listed(const char *dir)
{
    (void)dir;
    return seccomp_then(SYS_lseek, 1, 2, 3);
}
static int lseek_listed_in_part(const char *dir)
{
    (void)dir;
    return seccomp_then(SYS_lseek, 1, 2, 4);
}
static int fcntl_unlisted(const char *dir)
{
    (void)dir;
    return seccomp_then(SYS_fcntl, 2, F_SETOWN, 0);
}

START_TEST(a_call_outside_the_list_kills_and_arguments_count)
{
    static const struct {
        int (*body)(const char *dir);
        bool killed;
    } cases[] = {{call_listed, false},       {call_unlisted, true},       {protect_readable, false},
                 {protect_executable, true}, {fcntl_listed, false},       {fcntl_unlisted, true},
                 {lseek_listed, false},      {lseek_listed_in_part, true}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int status = child_status(cases[i].body, NULL);
        if (cases[i].killed)
            ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "case %zu: status %x", i,
                          (unsigned)status);
        else
            ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == ALLOWED, "case %zu: status %x", i,
                          (unsigned)status);
    }
}
END_TEST

static bool lock_to(const char *dir, bool write)
{
    struct jail_path path = {.path = dir, .write = write};
    int abi;
    return jail_landlock(&path, 1, NULL, 0, &abi) == ERR_OK && abi == jail_landlock_abi();
}

static bool refused(int rc)
{
    return rc < 0 && errno == EACCES;
}

static int write_below(const char *dir)
{
    if (!lock_to(dir, true) || chdir(dir) != 0)
        return NOT_JAILED;
    int fd = open("a", O_CREAT | O_RDWR | O_TRUNC, 0600);
    return fd >= 0 && write(fd, "x", 1) == 1 && mkdir("d", 0700) == 0 && rmdir("d") == 0 && unlink("a") == 0 ? ALLOWED
                                                                                                             : REFUSED;
}
static int write_read_only(const char *dir)
{
    return !lock_to(dir, false) || chdir(dir) != 0                                                ? NOT_JAILED
           : refused(open("a", O_CREAT | O_RDWR, 0600)) && open(".", O_RDONLY | O_DIRECTORY) >= 0 ? REFUSED
                                                                                                  : ALLOWED;
}
static int read_elsewhere(const char *dir)
{
    return !lock_to(dir, true) ? NOT_JAILED : refused(open("/etc/passwd", O_RDONLY)) ? REFUSED : ALLOWED;
}
static int execute_elsewhere(const char *dir)
{
    if (!lock_to(dir, true))
        return NOT_JAILED;
    execl("/bin/true", "true", (char *)NULL);
    return errno == EACCES ? REFUSED : ALLOWED;
}
static int link_below(const char *dir)
{
    return !lock_to(dir, true) || chdir(dir) != 0 ? NOT_JAILED
           : refused(symlink("/etc/passwd", "l")) ? REFUSED
                                                  : ALLOWED;
}
static int connect_out(const char *dir)
{
    if (!lock_to(dir, true))
        return NOT_JAILED;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return refused(connect(s, (struct sockaddr *)&a, sizeof(a))) ? REFUSED : ALLOWED;
}

/* A listener on a port of its own; where to connect to it. */
static int listener(struct sockaddr_in *a)
{
    socklen_t len = sizeof(*a);
    *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    return s >= 0 && bind(s, (struct sockaddr *)a, sizeof(*a)) == 0 && listen(s, 4) == 0 &&
                   getsockname(s, (struct sockaddr *)a, &len) == 0
               ? s
               : -1;
}
static int connect_to_a_port(const char *dir, bool listed)
{
    struct sockaddr_in known, other;
    struct jail_path path = {.path = dir, .write = true};
    int abi;
    if (listener(&known) < 0 || listener(&other) < 0)
        return NOT_JAILED;
    uint16_t port = ntohs(known.sin_port);
    if (jail_landlock(&path, 1, &port, 1, &abi) != ERR_OK)
        return NOT_JAILED;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    return refused(connect(s, (struct sockaddr *)(listed ? &known : &other), sizeof(known))) ? REFUSED : ALLOWED;
}
static int connect_to_a_listed_port(const char *dir)
{
    return connect_to_a_port(dir, true);
}
static int connect_to_another_port(const char *dir)
{
    return connect_to_a_port(dir, false);
}
static int bind_a_listed_port(const char *dir)
{
    static const uint16_t port = 40000;
    struct jail_path path = {.path = dir, .write = true};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int abi;
    if (jail_landlock(&path, 1, &port, 1, &abi) != ERR_OK)
        return NOT_JAILED;
    return refused(bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a))) ? REFUSED : ALLOWED;
}

START_TEST(landlock_leaves_only_the_named_directory_and_ports)
{
    static const struct {
        int (*body)(const char *dir);
        int expected, least_abi;
    } cases[] = {{write_below, ALLOWED, 1},
                 {write_read_only, REFUSED, 1},
                 {read_elsewhere, REFUSED, 1},
                 {execute_elsewhere, REFUSED, 1},
                 {link_below, REFUSED, 1},
                 {connect_out, REFUSED, 4},
                 {connect_to_a_listed_port, ALLOWED, 4},
                 {connect_to_another_port, REFUSED, 4},
                 {bind_a_listed_port, REFUSED, 4}};
    char dir[64];
    new_dir(dir, sizeof(dir));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (jail_landlock_abi() < cases[i].least_abi)
            continue;
        int status = child_status(cases[i].body, dir);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == cases[i].expected, "case %zu: status %x", i,
                      (unsigned)status);
    }
    ck_assert(rmdir(dir) == 0);
}
END_TEST

static int lock_to_nothing_there(const char *dir)
{
    struct jail_path path = {.path = dir, .write = true};
    int abi;
    return jail_landlock(&path, 1, NULL, 0, &abi) == ERR_IO && errno == ENOENT && open("/etc/passwd", O_RDONLY) >= 0
               ? ALLOWED
               : REFUSED;
}

START_TEST(a_missing_directory_is_reported_and_nothing_is_locked)
{
    if (jail_landlock_abi() == 0)
        return;
    int status = child_status(lock_to_nothing_there, "/nonexistent/postern");
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == ALLOWED);
}
END_TEST

static int limit_files(const char *dir)
{
    (void)dir;
    struct rlimit r;
    if (jail_rlimit(RLIMIT_NOFILE, 20) != ERR_OK || getrlimit(RLIMIT_NOFILE, &r) != 0)
        return NOT_JAILED;
    /* a higher wish does not lift the limit that is there, and is no error */
    if (r.rlim_cur != 20 || r.rlim_max != 20 || setuid(65534) != 0)
        return geteuid() == 0 ? REFUSED : NOT_JAILED;
    return jail_rlimit(RLIMIT_NOFILE, 30) == ERR_OK && getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_max == 20 ? ALLOWED
                                                                                                             : REFUSED;
}

START_TEST(a_limit_holds_and_is_never_raised)
{
    if (geteuid() != 0)
        return; /* the child becomes nobody */
    int status = child_status(limit_files, NULL);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == ALLOWED, "status %x", (unsigned)status);
}
END_TEST

static int close_all_but_some(const char *dir)
{
    (void)dir;
    for (int i = 3; i < 12; i++)
        if (dup2(2, i) != i)
            return NOT_JAILED;
    static const int keep[] = {2, 4, 5, 9};
    jail_close_other_fds(keep, ARRAY_SIZE(keep));
    unsigned open_fds = 0;
    for (int i = 0; i < 64; i++)
        open_fds |= fcntl(i, F_GETFD) >= 0 && i < 32 ? 1U << i : 0;
    return open_fds == (1U << 2 | 1U << 4 | 1U << 5 | 1U << 9) ? ALLOWED : REFUSED;
}

START_TEST(only_the_kept_descriptors_stay_open)
{
    int status = child_status(close_all_but_some, NULL);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == ALLOWED, "status %x", (unsigned)status);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_call_outside_the_list_kills_and_arguments_count)                                                               \
    X(landlock_leaves_only_the_named_directory_and_ports)                                                              \
    X(a_missing_directory_is_reported_and_nothing_is_locked)                                                           \
    X(a_limit_holds_and_is_never_raised)                                                                               \
    X(only_the_kept_descriptors_stay_open)
#include "support/check_main.h"
