/* SPDX-License-Identifier: MIT */
/* Starting a child. Everything that needs memory or formatting is prepared before the fork; between fork and exec there
 * are only system calls. A step that fails there is named to the parent through a close-on-exec pipe. */
#include "sys/spawn.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST_FD = 3, SPAWN_FDS = 4096, SPAWN_TMPFS = 256 };

enum spawn_step {
    STEP_NONE,
    STEP_PARENT,
    STEP_SESSION,
    STEP_SIGNALS,
    STEP_NAMESPACE,
    STEP_MOUNT,
    STEP_DESCRIPTORS,
    STEP_USER,
    STEP_PREPARE,
    STEP_EXEC
};

static const char *const step_texts[] = {
    [STEP_NONE] = "start",
    [STEP_PARENT] = "tie it to the parent",
    [STEP_SESSION] = "make a session",
    [STEP_SIGNALS] = "reset signals",
    [STEP_NAMESPACE] = "make a private mount namespace",
    [STEP_MOUNT] = "mount a private temporary file system",
    [STEP_DESCRIPTORS] = "arrange its descriptors",
    [STEP_USER] = "change to its user",
    [STEP_PREPARE] = "lock it in",
    [STEP_EXEC] = "execute the program",
};

struct spawn_report {
    enum spawn_step step;
    int error;
};

struct mount_options {
    char text[128];
};

/* What the child needs, made before the fork. */
struct spawn_plan {
    const struct spawn *spawn;
    struct mount_options *mounts; /* one per tmpfs */
    int *moved;                   /* fds, while they are out of the way of each other */
    char **argv, **envp;          /* execveat wants them without const */
    int report_fd, program_fd;
    pid_t parent;
};

static bool child_tie_to_parent(const struct spawn_plan *p)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return false;
    errno = ESRCH; /* it died before we asked */
    return getppid() == p->parent;
}

static bool child_reset_signals(void)
{
    const struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &standard,
                        NULL); /* KILL, STOP and libc's own refuse: they cannot have a handler of ours */
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static enum spawn_step child_mount(const struct spawn_plan *p)
{
    const struct spawn *s = p->spawn;
    if (s->tmpfs_count == 0)
        return STEP_NONE;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return STEP_NAMESPACE;
    for (size_t i = 0; i < s->tmpfs_count; i++)
        if (mount("tmpfs", s->tmpfs[i].path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, p->mounts[i].text) != 0)
            return STEP_MOUNT;
    return STEP_NONE;
}

/* Moves every descriptor above the child's range first, so that no target is a source still to come; then into place.
 */
static bool child_arrange_descriptors(struct spawn_plan *p)
{
    const struct spawn *s = p->spawn;
    int above = FIRST_FD + (int)s->fd_count;
    p->report_fd = fcntl(p->report_fd, F_DUPFD_CLOEXEC, above); /* the parent's numbers are left to close_range */
    p->program_fd = fcntl(s->program_fd, F_DUPFD_CLOEXEC, above);
    if (p->report_fd < 0 || p->program_fd < 0)
        return false;
    for (size_t i = 0; i < s->fd_count; i++)
        if ((p->moved[i] = fcntl(s->fds[i], F_DUPFD_CLOEXEC, above)) < 0)
            return false;
    for (size_t i = 0; i < s->fd_count; i++)
        if (dup2(p->moved[i], FIRST_FD + (int)i) < 0)
            return false;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0)
        return false;
    if (null == 0 ? fcntl(0, F_SETFD, 0) != 0 : dup2(null, 0) < 0)
        return false;
    /* Everything else goes at exec; until then the report and the program are needed. */
    return close_range((unsigned)above, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

/* Returns only when a step failed, with errno. */
static enum spawn_step child_run(struct spawn_plan *p)
{
    const struct spawn *s = p->spawn;
    if (!child_tie_to_parent(p))
        return STEP_PARENT;
    if (setsid() < 0)
        return STEP_SESSION;
    if (!child_reset_signals())
        return STEP_SIGNALS;
    enum spawn_step step = child_mount(p);
    if (step != STEP_NONE)
        return step;
    if (!child_arrange_descriptors(p))
        return STEP_DESCRIPTORS;
    if (s->user && priv_drop(s->user) != ERR_OK)
        return STEP_USER;
    if (s->user && !child_tie_to_parent(p)) /* the kernel forgets it when the user changes */
        return STEP_PARENT;
    if (s->prepare && !s->prepare(s->prepare_arg, p->program_fd))
        return STEP_PREPARE;
    execveat(p->program_fd, "", p->argv, p->envp, AT_EMPTY_PATH);
    return STEP_EXEC;
}

static void child_main(struct spawn_plan *p)
{
    int report_fd = p->report_fd;
    struct spawn_report report = {.step = child_run(p), .error = errno};
    if (p->report_fd >= 0)
        report_fd = p->report_fd;
    ssize_t written = write(report_fd, &report, sizeof(report));
    _exit(written == (ssize_t)sizeof(report) ? 127 : 126);
}

/* A NULL-terminated vector copied into one that execveat accepts; the strings stay the caller's. */
static char **plan_vector(const char *const *from)
{
    size_t count = 0;
    while (from[count])
        count++;
    char **copy = mem_new(count + 1, sizeof(*copy));
    if (copy)
        memcpy(copy, from, count * sizeof(*copy));
    return copy;
}

static void plan_release(struct spawn_plan *p)
{
    mem_free(p->mounts);
    mem_free(p->moved);
    mem_free(p->argv);
    mem_free(p->envp);
}

static enum err plan_make(struct spawn_plan *p, const struct spawn *s, struct errtext *why)
{
    *p = (struct spawn_plan){.spawn = s, .parent = getpid()};
    if (s->fd_count > SPAWN_FDS || s->tmpfs_count > SPAWN_TMPFS) {
        errtext_set(why, "cannot start %s: %zu descriptors and %zu file systems, expected at most %d and %d",
                    s->argv[0], s->fd_count, s->tmpfs_count, SPAWN_FDS, SPAWN_TMPFS);
        return ERR_RANGE;
    }
    p->mounts = mem_new(s->tmpfs_count, sizeof(*p->mounts));
    p->moved = mem_new(s->fd_count, sizeof(*p->moved));
    p->argv = plan_vector(s->argv);
    p->envp = plan_vector(s->envp);
    if (!p->mounts || !p->moved || !p->argv || !p->envp) {
        errtext_set(why, "cannot start %s: %s", s->argv[0], err_name(ERR_NOMEM));
        plan_release(p);
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < s->tmpfs_count; i++)
        snprintf(p->mounts[i].text, sizeof(p->mounts[i].text), "size=%llu,nr_inodes=%u,mode=0700,uid=%u,gid=%u",
                 (unsigned long long)s->tmpfs[i].bytes, s->tmpfs[i].inodes, (unsigned)s->tmpfs[i].uid,
                 (unsigned)s->tmpfs[i].gid);
    return ERR_OK;
}

/* Waits until the child has executed its program (end of file) or says why not. */
static bool parent_read_report(int fd, struct spawn_report *report)
{
    ssize_t got;
    do
        got = read(fd, report, sizeof(*report));
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof(*report);
}

/* Forks with all signals blocked, so that no handler of ours runs in the child. */
static pid_t parent_fork(void)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int error = errno;
    if (pid != 0)
        sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

static void parent_reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static enum err parent_start(struct spawn_plan *p, pid_t *pid, int *pidfd, struct errtext *why)
{
    const char *name = p->spawn->argv[0];
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        errtext_set(why, "cannot start %s: pipe: %s", name, strerror(errno));
        return ERR_IO;
    }
    p->report_fd = pipe_fds[1];
    *pid = parent_fork();
    if (*pid == 0)
        child_main(p);
    int error = errno;
    close(pipe_fds[1]);
    struct spawn_report report = {0};
    enum err e = ERR_OK;
    if (*pid < 0) {
        errtext_set(why, "cannot start %s: fork: %s", name, strerror(error));
        e = ERR_IO;
    } else if (parent_read_report(pipe_fds[0], &report)) {
        enum spawn_step step = (size_t)report.step < ARRAY_SIZE(step_texts) ? report.step : STEP_NONE;
        errtext_set(why, "cannot start %s: cannot %s: %s", name, step_texts[step], strerror(report.error));
        parent_reap(*pid);
        e = ERR_IO;
    } else if ((*pidfd = pidfd_open(*pid, 0)) < 0) { /* sets close-on-exec by itself */
        errtext_set(why, "cannot start %s: pidfd_open: %s", name, strerror(errno));
        kill(*pid, SIGKILL);
        parent_reap(*pid);
        e = ERR_IO;
    }
    close(pipe_fds[0]);
    return e;
}

enum err spawn_child(const struct spawn *s, pid_t *pid, int *pidfd, struct errtext *why)
{
    struct spawn_plan plan;
    *pid = -1;
    *pidfd = -1;
    enum err e = plan_make(&plan, s, why);
    if (e != ERR_OK)
        return e;
    e = parent_start(&plan, pid, pidfd, why);
    if (e != ERR_OK)
        *pid = -1;
    plan_release(&plan);
    return e;
}
