/* SPDX-License-Identifier: MIT */
/* The child locks itself in more tightly than we are (no further process, nothing but its own program to execute), so
 * that what starts programs and what sees a message's content are never the same process. */
#include "runner/run.h"
#include "scan/host/sandbox.h"
#include "scan/host/workspace.h"
#include "sys/clock.h"
#include "sys/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COPY_STEP = 64 * 1024, PROGRAM_FD = 4, STATUS_FD = 5, ABOVE_ALL = 16 };

/* ---- the message as a file ---- */

static bool copy_message(struct runner *r, int from, uint64_t size)
{
    static char buffer[COPY_STEP];
    int to = openat(r->temp_fd, "message.eml", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good = to >= 0;
    for (uint64_t at = 0; good && at < size;) {
        size_t want = size - at < sizeof(buffer) ? (size_t)(size - at) : sizeof(buffer);
        ssize_t n = pread(from, buffer, want, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        good = n > 0;
        for (ssize_t done = 0, w; good && done < n; done += w) {
            w = write(to, buffer + done, (size_t)(n - done));
            good = w > 0;
        }
        at += good ? (uint64_t)n : 0;
    }
    if (to >= 0)
        good = close(to) == 0 && good;
    return good;
}

/* ---- the child ---- */

static _Noreturn void give_up(const char *doing, const char *why)
{
    char text[200];
    int n = snprintf(text, sizeof(text), "%s: %.120s", doing, why);
    ssize_t ignored = write(STATUS_FD, text, (size_t)n);
    (void)ignored;
    _exit(EXIT_FAILURE);
}

static bool place(int fd, int where, int flags)
{
    return fd == where ? fcntl(fd, F_SETFD, flags) == 0 : dup3(fd, where, flags == FD_CLOEXEC ? O_CLOEXEC : 0) == where;
}

static _Noreturn void become(const struct runner *r, int input, int output, int status, pid_t parent, uint64_t time_ms)
{
    static const int keep[] = {0, 1, 2, PROGRAM_FD, STATUS_FD};
    const char *argv[RUNNER_ARGUMENTS + 1];
    struct errtext why;
    struct sandbox_level level;
    size_t n = 0;
    const struct rlimit cpu = {.rlim_cur = time_ms / 1000 + 2, .rlim_max = time_ms / 1000 + 4};
    for (; r->argv[n]; n++)
        argv[n] = strcmp(r->argv[n], "%s") == 0 ? r->message : r->argv[n];
    argv[n] = NULL;
    /* the highest first: no number is taken before what lies there was moved */
    int moved_status = fcntl(status, F_DUPFD_CLOEXEC, ABOVE_ALL),
        moved_program = fcntl(r->program, F_DUPFD_CLOEXEC, ABOVE_ALL);
    int moved_input = fcntl(input, F_DUPFD_CLOEXEC, ABOVE_ALL),
        moved_output = fcntl(output, F_DUPFD_CLOEXEC, ABOVE_ALL);
    if (!place(moved_status, STATUS_FD, FD_CLOEXEC) || !place(moved_program, PROGRAM_FD, FD_CLOEXEC) ||
        !place(moved_input, STDIN_FILENO, 0) || !place(moved_output, STDOUT_FILENO, 0) ||
        !place(moved_output, STDERR_FILENO, 0)) {
        static const char text[] = "its descriptors cannot be placed";
        ssize_t ignored = write(status, text, sizeof(text) - 1);
        (void)ignored;
        _exit(EXIT_FAILURE);
    }
    jail_close_other_fds(keep, ARRAY_SIZE(keep));
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        give_up("a process of its own", strerror(errno));
    if (getppid() != parent) /* it ended before the line above */
        _exit(EXIT_FAILURE);
    if (syscall(SYS_setrlimit, RLIMIT_CPU, &cpu) != 0) /* glibc's is prlimit64 */
        give_up("limit of CPU time", strerror(errno));
    const struct sandbox_exec box = {.temp = r->temp,
                                     .program = PROGRAM_FD,
                                     .readable = r->readable,
                                     .readable_count = r->readable_count,
                                     .limits = {RLIM_INFINITY, RLIM_INFINITY, RLIM_INFINITY}};
    if (sandbox_enter_exec(&box, &level, &why) != ERR_OK)
        give_up("its cage", why.text);
    execveat(PROGRAM_FD, "", (char *const *)(uintptr_t)argv, environ, AT_EMPTY_PATH);
    give_up(r->argv[0], strerror(errno));
}

/* ---- the parent ---- */

/* What is there to read; false at its end. */
static bool read_output(struct runner *r, int fd)
{
    char dropped[4096];
    for (;;) {
        size_t room = sizeof(r->output) - r->output_len;
        ssize_t n = room > 0 ? read(fd, r->output + r->output_len, room) : read(fd, dropped, sizeof(dropped));
        if (n > 0 && room > 0)
            r->output_len += (size_t)n;
        else if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        r->cut = r->cut || (n > 0 && room == 0);
        if (n > 0 && room == 0)
            return true; /* back to the clock: it may print for ever */
    }
}

static void watch(struct runner *r, int pidfd, int output, uint64_t until_us, struct runner_end *end)
{
    struct pollfd p[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = output, .events = POLLIN}};
    for (;;) {
        uint64_t now = clock_monotonic_us();
        if (now >= until_us) {
            end->late = true;
            return;
        }
        if (poll(p, 2, (int)((until_us - now + 999) / 1000)) <= 0)
            continue;
        if (p[1].revents && !read_output(r, output))
            p[1].fd = -1;
        if (p[0].revents)
            return;
    }
}

static void finish(struct runner *r, int pid, int output, struct runner_end *end)
{
    siginfo_t info = {.si_pid = 0};
    kill(-pid, SIGKILL); /* with whatever it left in its group */
    kill(pid, SIGKILL);
    while (waitid(P_PID, (id_t)pid, &info, WEXITED) != 0)
        if (errno != EINTR)
            _exit(EXIT_FAILURE);
    if (info.si_code == CLD_EXITED)
        end->code = (unsigned)info.si_status & 255;
    else
        end->signal = info.si_status;
    (void)read_output(r, output);
}

static int start(const struct runner *r, int input, int output, uint64_t time_ms, char *why, size_t why_size)
{
    int status[2];
    why[0] = '\0';
    if (pipe2(status, O_CLOEXEC) != 0)
        return -1;
    pid_t self = getpid(), pid = fork();
    if (pid == 0)
        become(r, input, output, status[1], self, time_ms);
    close(status[1]);
    ssize_t n = pid > 0 ? read(status[0], why, why_size - 1) : 0; /* ends when the program is executed */
    why[n > 0 ? n : 0] = '\0';
    close(status[0]);
    return pid;
}

static void run_program(struct runner *r, int input, int output[2], uint64_t until_us, struct runner_end *end)
{
    static char why[256];
    uint64_t now = clock_monotonic_us(), left_ms = until_us > now ? (until_us - now) / 1000 : 0;
    int pid = start(r, input, output[1], left_ms, why, sizeof(why));
    close(output[1]);
    output[1] = -1;
    if (pid < 0) {
        end->why = "no process for the program";
        return;
    }
    int pidfd = pidfd_open(pid, 0);
    if (why[0] == '\0' && pidfd >= 0)
        watch(r, pidfd, output[0], until_us, end);
    finish(r, pid, output[0], end);
    if (pidfd >= 0)
        close(pidfd);
    if (why[0] || pidfd < 0)
        end->why = why[0] ? why : "no pidfd for the program";
}

void runner_run(struct runner *r, int fd, uint64_t size, uint64_t time_ms, struct runner_end *end)
{
    uint64_t until_us = clock_monotonic_us() + time_ms * 1000;
    int output[2] = {-1, -1}, input = -1;
    *end = (struct runner_end){.late = false};
    r->output_len = 0;
    r->cut = false;
    bool by_path = false;
    for (size_t i = 0; r->argv[i]; i++)
        by_path = by_path || strcmp(r->argv[i], "%s") == 0;
    if (!copy_message(r, fd, size))
        end->why = "the message cannot be written to its temporary directory";
    else if ((input = by_path ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) /* /dev/null */
                              : openat(r->temp_fd, "message.eml", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
        end->why = "its standard input cannot be opened";
    else if (pipe2(output, O_CLOEXEC) != 0 || fcntl(output[0], F_SETFL, O_NONBLOCK) != 0)
        end->why = "no pipe for its output";
    else
        run_program(r, input, output, until_us, end);
    end->cut = r->cut;
    if (input >= 0)
        close(input);
    for (size_t i = 0; i < ARRAY_SIZE(output); i++)
        if (output[i] >= 0)
            close(output[i]);
    if (workspace_clean(r->temp_fd) != ERR_OK)
        _exit(EXIT_FAILURE); /* the next process gets an empty directory or does not start */
}
