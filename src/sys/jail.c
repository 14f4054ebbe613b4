/* SPDX-License-Identifier: MIT */
/* Mechanism of the sandbox: Landlock by own definitions, seccomp by libseccomp, resource limits, descriptors. It knows
 * no policy: what is allowed comes from the caller's tables. */
#include "sys/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's headers stop at ABI 2, its kernels need not: the kernel's interface as documented in
 * Documentation/userspace-api/landlock.rst, numbers and all. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_CHAR = 1 << 6,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_MAKE_SOCK = 1 << 9,
    FS_MAKE_FIFO = 1 << 10,
    FS_MAKE_BLOCK = 1 << 11,
    FS_MAKE_SYM = 1 << 12,
    FS_REFER = 1 << 13,     /* ABI 2 */
    FS_TRUNCATE = 1 << 14,  /* ABI 3 */
    FS_IOCTL_DEV = 1 << 15, /* ABI 5 */
};
enum {
    FS_ABI_1 = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_CHAR |
               FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_BLOCK | FS_MAKE_SYM,
    FS_MAY_READ = FS_READ_FILE | FS_READ_DIR,
    FS_MAY_WRITE =
        FS_MAY_READ | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_TRUNCATE,
    FS_ON_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV,
    NET_BIND_TCP = 1 << 0,        /* ABI 4 */
    NET_CONNECT_TCP = 1 << 1,     /* ABI 4 */
    SCOPE_ABSTRACT_UNIX = 1 << 0, /* ABI 6 */
    SCOPE_SIGNAL = 1 << 1,        /* ABI 6 */
    RULE_PATH_BENEATH = 1,
    RULE_NET_PORT = 2,
    CREATE_VERSION = 1 << 0,
};
struct landlock_ruleset {
    uint64_t fs, net, scoped;
};
struct landlock_path {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));
struct landlock_port {
    uint64_t allowed;
    uint64_t port; /* host order */
};

int jail_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    return abi < 0 ? 0 : (int)abi;
}

/* What a kernel of ABI knows; *size is how much of the structure it takes. */
static struct landlock_ruleset ruleset_for(int abi, size_t *size)
{
    struct landlock_ruleset r = {.fs = FS_ABI_1};
    *size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    if (abi >= 2)
        r.fs |= FS_REFER;
    if (abi >= 3)
        r.fs |= FS_TRUNCATE;
    if (abi >= 4)
        r.net = NET_BIND_TCP | NET_CONNECT_TCP;
    if (abi >= 5)
        r.fs |= FS_IOCTL_DEV;
    if (abi >= 6)
        r.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
    return r;
}

static enum err allow_path(int ruleset, uint64_t handled, const struct jail_path *p)
{
    int fd = open(p->path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return ERR_IO;
    struct stat st;
    uint64_t allowed = (p->write ? FS_MAY_WRITE : FS_MAY_READ) | (p->execute ? FS_EXECUTE : 0);
    struct landlock_path rule = {.allowed = allowed & handled, .parent_fd = fd};
    enum err e = ERR_IO;
    if (fstat(fd, &st) == 0) {
        if (!S_ISDIR(st.st_mode))
            rule.allowed &= FS_ON_FILES;
        if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0)
            e = ERR_OK;
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return e;
}

static enum err allow_port(int ruleset, uint16_t port)
{
    struct landlock_port rule = {.allowed = NET_CONNECT_TCP, .port = port};
    return syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) == 0 ? ERR_OK : ERR_IO;
}

enum err jail_landlock(const struct jail_path *paths, size_t count, const uint16_t *ports, size_t port_count, int *abi)
{
    *abi = jail_landlock_abi();
    if (*abi == 0)
        return ERR_NOTFOUND;
    size_t size;
    struct landlock_ruleset r = ruleset_for(*abi, &size);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
    if (ruleset < 0)
        return ERR_IO;
    enum err e = ERR_OK;
    for (size_t i = 0; i < count && e == ERR_OK; i++)
        e = allow_path(ruleset, r.fs, &paths[i]);
    for (size_t i = 0; i < port_count && e == ERR_OK && r.net; i++)
        e = allow_port(ruleset, ports[i]);
    if (e == ERR_OK &&
        (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) != 0))
        e = ERR_IO;
    int saved = errno;
    close(ruleset);
    errno = saved;
    return e;
}

static int allow_call(scmp_filter_ctx ctx, const struct jail_call *c)
{
    struct scmp_arg_cmp tests[JAIL_CONDITIONS];
    unsigned count = 0;
    for (; count < JAIL_CONDITIONS && c->tests[count].condition != JAIL_ANY; count++) {
        const struct jail_test *t = &c->tests[count];
        tests[count] = t->condition == JAIL_ARG_EQ ? SCMP_CMP64(t->argument, SCMP_CMP_EQ, t->value, 0)
                                                   : SCMP_CMP64(t->argument, SCMP_CMP_MASKED_EQ, t->value, 0);
    }
    return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, c->number, count, tests);
}

enum err jail_seccomp(const struct jail_call *calls, size_t count)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!ctx)
        return ERR_IO;
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = allow_call(ctx, &calls[i]);
    if (rc == 0)
        rc = seccomp_load(ctx); /* sets no_new_privs first */
    seccomp_release(ctx);
    if (rc == 0)
        return ERR_OK;
    errno = -rc;
    return ERR_IO;
}

enum err jail_rlimit(int resource, uint64_t value)
{
    struct rlimit now, wanted = {.rlim_cur = value, .rlim_max = value};
    if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
        return ERR_IO;
    if (wanted.rlim_max > now.rlim_max) /* somebody above us was stricter already */
        wanted.rlim_cur = wanted.rlim_max = now.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &wanted) == 0 ? ERR_OK : ERR_IO;
}

void jail_close_other_fds(const int *keep, size_t count)
{
    unsigned next = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned kept = (unsigned)keep[i];
        if (kept > next)
            close_range(next, kept - 1, 0);
        next = kept + 1;
    }
    close_range(next, ~0U, 0);
}
