/* SPDX-License-Identifier: MIT */
/* Children: what they get, what they do not get, and what is said when they cannot start. The child is a shell that
 * reports through descriptor 3. Cases that need root say so when they are passed over. */
#include "sys/memfd.h"
#include "sys/spawn.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct bench {
    struct spawn spawn;
    const char *argv[4];
    const char *envp[2];
    int fds[64];
    int report; /* what the child writes to its descriptor 3 */
    pid_t pid;
    int pidfd;
    struct errtext why;
    char output[8192];
};

static void setup(struct bench *b, const char *script)
{
    int report[2];
    *b = (struct bench){.pid = -1, .pidfd = -1};
    ck_assert_int_eq(pipe2(report, O_CLOEXEC), 0);
    b->report = report[0];
    b->fds[0] = report[1];
    b->argv[0] = "sh";
    b->argv[1] = "-c";
    b->argv[2] = script;
    b->envp[0] = "PATH=/usr/bin:/bin";
    b->spawn = (struct spawn){.program_fd = open("/bin/sh", O_PATH | O_CLOEXEC),
                              .argv = b->argv,
                              .envp = b->envp,
                              .fds = b->fds,
                              .fd_count = 1};
    ck_assert_int_ge(b->spawn.program_fd, 0);
}

/* Starts the child and reads until it has closed its end. */
static void run(struct bench *b)
{
    ck_assert_msg(spawn_child(&b->spawn, &b->pid, &b->pidfd, &b->why) == ERR_OK, "%s", b->why.text);
    for (size_t i = 0; i < b->spawn.fd_count; i++)
        close(b->fds[i]);
    size_t len = 0;
    ssize_t n;
    while ((n = read(b->report, b->output + len, sizeof(b->output) - 1 - len)) > 0)
        len += (size_t)n;
    b->output[len] = '\0';
}

/* The child's wait status, by its pidfd. */
static int ended(struct bench *b)
{
    struct pollfd p = {.fd = b->pidfd, .events = POLLIN};
    int status = 0;
    ck_assert_int_eq(poll(&p, 1, 30000), 1);
    ck_assert_int_eq(waitpid(b->pid, &status, 0), b->pid);
    close(b->pidfd);
    close(b->report);
    close(b->spawn.program_fd);
    return status;
}

static bool is_root(const char *what)
{
    if (geteuid() == 0)
        return true;
    fprintf(stderr, "passed over, needs root: %s\n", what);
    return false;
}

START_TEST(a_child_runs_and_its_pidfd_tells_its_end)
{
    struct bench b;
    setup(&b, "echo hello >&3; exit 7");
    run(&b);
    ck_assert_str_eq(b.output, "hello\n");
    ck_assert_int_eq(fcntl(b.pidfd, F_GETFD), FD_CLOEXEC);
    int status = ended(&b);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 7);
}
END_TEST

START_TEST(descriptors_arrive_in_order_though_sources_and_targets_overlap)
{
    enum { COUNT = 30 };
    struct bench b;
    char expected[256] = "";
    setup(&b, "for n in $(seq 4 32); do cat /proc/$$/fd/$n >&3; done");
    b.spawn.fd_count = COUNT;
    int low = b.fds[0];
    for (int i = COUNT - 1; i > 0; i--) { /* numbers descend where targets ascend */
        char text[8];
        int len = snprintf(text, sizeof(text), "%d ", i);
        b.fds[i] = memfd_new("test");
        ck_assert_int_ge(b.fds[i], 0);
        ck_assert_int_eq(write(b.fds[i], text, (size_t)len), len);
        if (b.fds[i] < low)
            low = b.fds[i];
    }
    ck_assert_int_lt(low, 3 + COUNT); /* or nothing would overlap */
    for (int i = 1, at = 0; i < COUNT; i++)
        at += snprintf(expected + at, sizeof(expected) - (size_t)at, "%d ", i);
    run(&b);
    ck_assert_str_eq(b.output, expected);
    ck_assert_int_eq(ended(&b), 0);
}
END_TEST

START_TEST(nothing_else_is_inherited)
{
    struct bench b;
    setup(&b, "exec >&3; for n in $(seq 0 400); do [ ! -e /proc/$$/fd/$n ] || echo $n; done; cat <&0; "
              "readlink /proc/$$/fd/0; cut -d ' ' -f 6 /proc/$$/stat; echo $$");
    int stray = open("/etc/passwd", O_RDONLY); /* not close-on-exec, as a library might leave one */
    int stray_high = fcntl(stray, F_DUPFD, 200);
    run(&b);
    close(stray);
    close(stray_high);
    char expected[128];
    snprintf(expected, sizeof(expected), "0\n1\n2\n3\n/dev/null\n%d\n%d\n", (int)b.pid,
             (int)b.pid); /* leads its session */
    ck_assert_str_eq(b.output, expected);
    ck_assert_int_eq(ended(&b), 0);
}
END_TEST

START_TEST(the_environment_is_what_was_given)
{
    struct bench b;
    setup(&b, "tr '\\0' '\\n' < /proc/$$/environ >&3");
    setenv("STRAY", "1", 1);
    run(&b);
    ck_assert_str_eq(b.output, "PATH=/usr/bin:/bin\n");
    ck_assert_int_eq(ended(&b), 0);
}
END_TEST

START_TEST(signals_are_as_in_a_fresh_process)
{
    struct bench b;
    sigset_t mask;
    setup(&b, "exec grep -E '^Sig(Blk|Ign):' /proc/self/status >&3");
    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    run(&b);
    sigset_t after;
    sigprocmask(SIG_SETMASK, NULL, &after);
    ck_assert(sigismember(&after, SIGUSR1)); /* and ours are as they were */
    ck_assert(!sigismember(&after, SIGUSR2));
    ck_assert_str_eq(b.output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    ck_assert_int_eq(ended(&b), 0);
}
END_TEST

/* What stops a child before it runs is said by the step and the reason; nothing stays behind. */
static void assert_fails(struct bench *b, const char *step, const char *reason)
{
    ck_assert_int_eq(spawn_child(&b->spawn, &b->pid, &b->pidfd, &b->why), ERR_IO);
    ck_assert_msg(strstr(b->why.text, step) && strstr(b->why.text, reason), "said: %s", b->why.text);
    ck_assert_int_eq(b->pid, -1);
    ck_assert_int_eq(b->pidfd, -1);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    close(b->spawn.program_fd);
    close(b->report);
    close(b->fds[0]);
}

START_TEST(a_program_that_cannot_be_executed_is_reported)
{
    struct bench b;
    setup(&b, "");
    close(b.spawn.program_fd);
    b.spawn.program_fd = open("/etc/passwd", O_PATH | O_CLOEXEC);
    assert_fails(&b, "cannot execute the program", "Permission denied");
}
END_TEST

START_TEST(a_bad_descriptor_is_reported)
{
    struct bench b;
    setup(&b, "");
    b.fds[1] = 999;
    b.spawn.fd_count = 2;
    assert_fails(&b, "arrange its descriptors", "Bad file descriptor");
}
END_TEST

START_TEST(a_user_that_cannot_be_changed_to_is_reported)
{
    struct bench b;
    struct priv_user root = {.uid = 0, .gid = 0, .name = "root"};
    setup(&b, "");
    b.spawn.user = &root; /* nobody becomes root by this function */
    assert_fails(&b, "change to its user", "Operation not permitted");
}
END_TEST

START_TEST(a_missing_mount_point_is_reported)
{
    if (!is_root("private mounts"))
        return;
    struct bench b;
    struct spawn_tmpfs tmpfs = {.path = "/nonexistent", .bytes = 65536, .inodes = 10};
    setup(&b, "");
    b.spawn.tmpfs = &tmpfs;
    b.spawn.tmpfs_count = 1;
    assert_fails(&b, "mount a private temporary file system", "No such file or directory");
}
END_TEST

START_TEST(a_child_with_another_user_has_its_ids_and_no_groups)
{
    if (!is_root("change of user"))
        return;
    struct bench b;
    struct priv_user nobody;
    setup(&b, "grep -E '^(Uid|Gid|Groups|CapEff|CapPrm):' /proc/$$/status | tr -s '\\t ' ' ' >&3");
    ck_assert_int_eq(priv_lookup("nobody", &nobody), ERR_OK);
    b.spawn.user = &nobody;
    run(&b);
    char expected[512];
    unsigned u = nobody.uid, g = nobody.gid;
    snprintf(expected, sizeof(expected),
             "Uid: %u %u %u %u\nGid: %u %u %u %u\nGroups: \nCapPrm: 0000000000000000\nCapEff: 0000000000000000\n", u, u,
             u, u, g, g, g, g);
    ck_assert_str_eq(b.output, expected);
    ck_assert_int_eq(ended(&b), 0);
}
END_TEST

/* A process between us and the child dies; the child would run for a long time. */
static void assert_dies_with_parent(const struct priv_user *user)
{
    struct bench b;
    setup(&b, "echo ready >&3; sleep 1000 >/dev/null 2>&1 3>&-; echo survived >&3");
    b.spawn.user = user;
    pid_t between = fork();
    if (between == 0) {
        char byte;
        if (spawn_child(&b.spawn, &b.pid, &b.pidfd, &b.why) != ERR_OK)
            _exit(1);
        close(b.fds[0]);
        if (read(b.report, &byte, 1) != 1) /* it runs */
            _exit(2);
        _exit(0);
    }
    close(b.fds[0]);
    int status;
    ck_assert_int_eq(waitpid(between, &status, 0), between);
    ck_assert_int_eq(status, 0);
    size_t len = 0;
    ssize_t n;
    while ((n = read(b.report, b.output + len, sizeof(b.output) - 1 - len)) > 0) /* ends when the child is gone */
        len += (size_t)n;
    b.output[len] = '\0';
    ck_assert_str_eq(b.output, "eady\n");
    close(b.report);
    close(b.spawn.program_fd);
}

START_TEST(a_child_dies_with_its_parent)
{
    assert_dies_with_parent(NULL);
}
END_TEST

START_TEST(a_child_of_another_user_dies_with_its_parent_too)
{
    if (!is_root("change of user"))
        return;
    struct priv_user nobody;
    ck_assert_int_eq(priv_lookup("nobody", &nobody), ERR_OK);
    assert_dies_with_parent(&nobody);
}
END_TEST

START_TEST(a_private_tmpfs_has_its_limits_and_is_invisible_outside)
{
    if (!is_root("private mounts"))
        return;
    struct bench b;
    struct priv_user nobody;
    char dir[] = "/tmp/postern-test-XXXXXX", inside[64], script[1024];
    ck_assert_int_eq(priv_lookup("nobody", &nobody), ERR_OK);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    struct spawn_tmpfs tmpfs = {.path = dir, .bytes = 65536, .inodes = 5, .uid = nobody.uid, .gid = nobody.gid};
    snprintf(inside, sizeof(inside), "%s/file", dir);
    snprintf(script, sizeof(script),
             "cd %s && stat -c '%%a %%u' . >&3; head -c 60000 /dev/zero > file && echo fits >&3; "
             "head -c 10000 /dev/zero >> file 2>/dev/null || echo full >&3; rm file; "
             "touch 1 2 3 4 5 6 2>/dev/null || echo inodes >&3; "
             "grep ' %s tmpfs' /proc/$$/mounts | grep -c nosuid,nodev,noexec >&3",
             dir, dir);
    setup(&b, script);
    b.spawn.user = &nobody;
    b.spawn.tmpfs = &tmpfs;
    b.spawn.tmpfs_count = 1;
    run(&b);
    char expected[128];
    snprintf(expected, sizeof(expected), "700 %u\nfits\nfull\ninodes\n1\n", (unsigned)nobody.uid);
    ck_assert_str_eq(b.output, expected);
    (void)ended(&b);
    ck_assert_int_ne(access(inside, F_OK), 0);
    ck_assert_int_eq(rmdir(dir), 0); /* not busy: the mount was never ours */
}
END_TEST

static bool prepare_well(void *arg, int program)
{
    return write(3, "prepared ", 9) == 9 && program > 3 && arg != NULL;
}
static bool prepare_badly(void *arg, int program)
{
    (void)arg, (void)program;
    errno = EACCES;
    return false;
}

START_TEST(the_last_step_before_the_program_is_the_callers)
{
    struct bench b;
    setup(&b, "printf done >&3");
    b.spawn.prepare = prepare_well;
    b.spawn.prepare_arg = &b;
    run(&b);
    ck_assert_str_eq(b.output, "prepared done");
    ck_assert_int_eq(ended(&b), 0);
    setup(&b, "printf done >&3");
    b.spawn.prepare = prepare_badly;
    ck_assert_int_eq(spawn_child(&b.spawn, &b.pid, &b.pidfd, &b.why), ERR_IO);
    ck_assert_msg(strstr(b.why.text, "cannot lock it in: Permission denied") != NULL, "%s", b.why.text);
    close(b.fds[0]);
    close(b.report);
    close(b.spawn.program_fd);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(a_child_runs_and_its_pidfd_tells_its_end)                                                                        \
    X(descriptors_arrive_in_order_though_sources_and_targets_overlap)                                                  \
    X(nothing_else_is_inherited)                                                                                       \
    X(the_environment_is_what_was_given)                                                                               \
    X(signals_are_as_in_a_fresh_process)                                                                               \
    X(a_program_that_cannot_be_executed_is_reported)                                                                   \
    X(a_bad_descriptor_is_reported)                                                                                    \
    X(a_user_that_cannot_be_changed_to_is_reported)                                                                    \
    X(a_missing_mount_point_is_reported)                                                                               \
    X(a_child_with_another_user_has_its_ids_and_no_groups)                                                             \
    X(a_child_dies_with_its_parent)                                                                                    \
    X(a_child_of_another_user_dies_with_its_parent_too)                                                                \
    X(a_private_tmpfs_has_its_limits_and_is_invisible_outside)                                                         \
    X(the_last_step_before_the_program_is_the_callers)
#include "support/check_main.h"
