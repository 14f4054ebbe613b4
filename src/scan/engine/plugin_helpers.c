/* SPDX-License-Identifier: MIT */
/* Threads are counted. Processes that lose their parent come to us for the time of the call (PR_SET_CHILD_SUBREAPER),
 * so all of them are children of ours in the end, whom proc(5) lists. */
#include "scan/engine/plugin_helpers.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 2000, ROUND_MS = 1, LISTED_MAX = 4096 };

/* Of this process, as proc(5) has it: each is a directory. 0: it cannot be told. */
static uint64_t thread_count(void)
{
    struct stat st;
    return stat("/proc/self/task", &st) == 0 && st.st_nlink > 2 ? st.st_nlink - 2 : 0;
}

/* "123 456 ": the children of one thread. What does not fit is there in the next round. */
static void kill_listed(const char *path)
{
    char text[LISTED_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text)) : 0;
    if (fd >= 0)
        close(fd);
    for (struct span rest = span_of(text, len > 0 ? (size_t)len : 0); rest.len > 0;) {
        size_t at = span_find(rest, ' ');
        uint64_t pid;
        if (at < rest.len && num_parse_u64(span_sub(rest, 0, at), INT32_MAX, &pid) == ERR_OK && pid > 1)
            kill((pid_t)pid, SIGKILL);
        rest = span_sub(rest, at + 1, rest.len);
    }
}

/* Those of the thread that made the call, and those whose parents are gone, which the first thread gets. */
static void kill_children(void)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    kill_listed("/proc/thread-self/children");
    kill_listed(path);
}

/* Until none is left; the rounds end where one is not ours to kill (a program with another user's rights). True: there
 * was one that ran. */
static bool end_children(void)
{
    bool ran = false;
    for (int round = 0; round < ROUNDS;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG | __WALL);
        if (pid < 0 && errno != EINTR)
            return ran;
        if (pid != 0)
            continue;
        ran = true;
        kill_children();
        if (round++ > 0)
            poll(NULL, 0, ROUND_MS); /* there is no pidfd of those whose number is all that is known */
    }
    return ran;
}

void plugin_helpers_begin(struct plugin_helpers *h)
{
    h->threads = thread_count();
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

enum err plugin_helpers_end(const struct plugin_helpers *h, const char *call, struct errtext *why)
{
    const char *what = NULL;
    if (thread_count() > h->threads)
        what = "thread";
    if (end_children())
        what = "process";
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    if (!what)
        return ERR_OK;
    errtext_set(why, "its %s started a %s, which would live outside the cage: a plug-in may start none", call, what);
    return ERR_STATE;
}
