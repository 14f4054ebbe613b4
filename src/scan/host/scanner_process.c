/* SPDX-License-Identifier: MIT */
/* From a descriptor of a program to a process in the cage "exec". It inherits three descriptors and three variables of
 * the environment, and dies with us. */
#include "scan/host/scanner_process.h"

#include "scan/engine/scanner_protocol.h"
#include "scan/host/workspace.h"
#include "sys/fdpass.h"
#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    OUTPUT_FD = SCANNER_FD + 1, /* in the program, until it becomes 1 and 2 */
    VARIABLES = 16,
};

/* When memory is short in the whole machine, a scanner goes first. Not permitted everywhere, and no matter then. */
static void offer_itself(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t ignored = write(fd, "500", 3);
    (void)ignored;
    close(fd);
}

/* In the child. Its directory is emptied here, where a large one holds nobody up. */
static bool lock_in(void *arg, int program)
{
    const struct scanner_process_setup *setup = arg;
    char temp[WORKSPACE_PATH];
    int dirfd;
    struct errtext why;
    struct sandbox_level level;
    if (fcntl(SCANNER_FD, F_SETFL, 0) != 0 || dup2(OUTPUT_FD, STDOUT_FILENO) < 0 ||
        dup2(OUTPUT_FD, STDERR_FILENO) < 0 || close(OUTPUT_FD) != 0)
        return false;
    offer_itself();
    if (workspace_open(setup->temp_base, setup->slot, temp, &dirfd, &why) != ERR_OK)
        return false;
    bool clean = workspace_clean(dirfd) == ERR_OK;
    close(dirfd);
    const struct sandbox_exec box = {.temp = temp,
                                     .definitions = setup->program->definitions,
                                     .readable = setup->program->readable,
                                     .readable_count = setup->program->readable_count,
                                     .launch = setup->program->launch,
                                     .program = program,
                                     .limits = setup->limits};
    return clean && sandbox_enter_exec(&box, &level, &why) == ERR_OK;
}

/* Nothing of ours but what sanitizers and coverage need. */
static void make_environment(const char *temp, const char *out[VARIABLES])
{
    static const char *const passed[] = {
#ifdef POSTERN_SANITIZED
        "ASAN_OPTIONS=",
        "UBSAN_OPTIONS=",
        "TSAN_OPTIONS=",
        "LSAN_OPTIONS=",
#endif
#ifdef POSTERN_SANDBOX_SWITCH
        "POSTERN_NO_SECCOMP=",
        "GCOV_PREFIX=",
#endif
        NULL};
    size_t count = 0;
    out[count++] = "PATH=/usr/bin:/bin";
    out[count++] = "LANG=C";
    out[count++] = temp;
    for (char **item = environ; *item; item++)
        for (size_t i = 0; passed[i] && count + 1 < VARIABLES; i++)
            if (span_starts(span_cstr(*item), span_cstr(passed[i])))
                out[count++] = *item;
    out[count] = NULL;
}

static enum err spawn(const struct scanner_process_setup *setup, int channel, int output, struct scanner_process *out,
                      struct errtext *why)
{
    char temp[WORKSPACE_PATH];
    const char *environment[VARIABLES];
    const int fds[] = {channel, output};
    struct scanner_process_setup copy = *setup;
    if (snprintf(temp, sizeof(temp), "TMPDIR=%s/%u", setup->temp_base, setup->slot) >= (int)sizeof(temp)) {
        errtext_set(why, "the name of its temporary directory is too long");
        return ERR_RANGE;
    }
    make_environment(temp, environment);
    const struct spawn s = {.program_fd = setup->program->fd,
                            .argv = setup->program->argv,
                            .envp = environment,
                            .fds = fds,
                            .fd_count = ARRAY_SIZE(fds),
                            .prepare = lock_in,
                            .prepare_arg = &copy};
    return spawn_child(&s, &out->pid, &out->pidfd, why);
}

/* A pipe of which only our end does not block. */
static enum err output_pipe(int fds[2])
{
    if (pipe2(fds, O_CLOEXEC) != 0)
        return ERR_IO;
    if (fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0)
        return ERR_OK;
    close(fds[0]);
    close(fds[1]);
    return ERR_IO;
}

enum err scanner_process_start(const struct scanner_process_setup *setup, struct scanner_process *out,
                               struct errtext *why)
{
    int pair[2], output[2];
    *out = (struct scanner_process){.pid = -1, .pidfd = -1, .channel = -1, .output = -1};
    if (fdpass_pair(pair) != ERR_OK) {
        errtext_set(why, "channel of a scanner: %s", strerror(errno));
        return ERR_IO;
    }
    enum err e = output_pipe(output);
    if (e != ERR_OK) {
        errtext_set(why, "output of a scanner: %s", strerror(errno));
        close(pair[0]);
        close(pair[1]);
        return e;
    }
    e = spawn(setup, pair[1], output[1], out, why);
    close(pair[1]);
    close(output[1]);
    if (e != ERR_OK) {
        close(pair[0]);
        close(output[0]);
        return e;
    }
    out->channel = pair[0];
    out->output = output[0];
    return ERR_OK;
}
