/* SPDX-License-Identifier: MIT */
/* One supervised process. All that can go wrong with it ends in child_finish or in another try after a pause. */
#include "daemon/child.h"
#include "base/mem.h"
#include "sys/clock.h"
#include "sys/fdpass.h"
#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

unsigned child_backoff_ms(unsigned failures)
{
    if (failures == 0)
        return 0;
    unsigned ms = CHILD_BACKOFF_FIRST_MS;
    while (--failures > 0 && ms < CHILD_BACKOFF_MAX_MS)
        ms *= 2;
    return ms < CHILD_BACKOFF_MAX_MS ? ms : CHILD_BACKOFF_MAX_MS;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void forget_messages(struct child *c)
{
    for (size_t i = 0; i < c->pools * c->loops; i++)
        close_fd(&c->channels[i].fd);
    c->drain = false;
}

/* Sends what waits. False: the socket is full, or nobody will ever read it. */
static bool send_one(struct child *c, enum role_message type, size_t pool, size_t loop,
                     const struct child_channel *channel)
{
    unsigned char message[ROLE_HEAD_GENERATION] = {(unsigned char)type, (unsigned char)pool, (unsigned char)loop};
    if (channel)
        role_put_generation(message, channel->generation);
    enum err e =
        fdpass_send(c->control, span_of(message, channel ? sizeof(message) : ROLE_HEAD), channel ? channel->fd : -1);
    if (e == ERR_OK)
        return true;
    if (e == ERR_AGAIN) {
        loop_watch_set(&c->control_watch, LOOP_READ | LOOP_WRITE);
        return false;
    }
    /* ERR_CLOSED: its end is about to be told by the pidfd. Anything else would leave an edge without a scan channel
     * for good, so a fresh process with fresh channels is the way out. */
    if (e != ERR_CLOSED) {
        log_text(c->log, LOG_SHORTAGE, "reason", "%s: control message: %s; the process is replaced", c->name,
                 e == ERR_IO ? strerror(errno) : err_name(e));
        child_kill(c);
    }
    return false;
}

static void flush_messages(struct child *c)
{
    if (c->control < 0)
        return;
    for (size_t i = 0; i < c->pools * c->loops; i++) {
        if (c->channels[i].fd < 0)
            continue;
        if (!send_one(c, ROLE_CHANNEL, i / c->loops, i % c->loops, &c->channels[i]))
            return;
        close_fd(&c->channels[i].fd);
    }
    if (c->drain && !send_one(c, ROLE_DRAIN, 0, 0, NULL))
        return;
    c->drain = false;
    loop_watch_set(&c->control_watch, LOOP_READ);
}

static void control_ready(void *arg, int events)
{
    struct child *c = arg;
    if (events & LOOP_WRITE)
        flush_messages(c);
    while (c->control >= 0) {
        unsigned char message[ROLE_MESSAGE_MAX];
        size_t len = 0;
        int fd = -1;
        enum err e = fdpass_recv(c->control, message, sizeof(message), &len, &fd);
        close_fd(&fd); /* no child has a descriptor to give */
        if (e == ERR_FULL)
            continue;
        if (e != ERR_OK) {
            if (e != ERR_AGAIN) /* end of file: the pidfd tells the rest */
                loop_watch_stop(&c->control_watch);
            return;
        }
        if (c->hooks->message)
            c->hooks->message(c->arg, span_of(message, len));
    }
}

/* Signals by name; real-time ones have none. */
static void describe_end(struct child_end *end, const siginfo_t *info)
{
    end->known = true;
    if (info->si_code == CLD_EXITED) {
        end->exit_code = info->si_status;
        snprintf(end->text, sizeof(end->text), "exit status %d", info->si_status);
        return;
    }
    const char *name = sigabbrev_np(info->si_status);
    end->signal = info->si_status;
    if (name)
        snprintf(end->text, sizeof(end->text), "killed by SIG%s", name);
    else
        snprintf(end->text, sizeof(end->text), "killed by signal %d", info->si_status);
}

/* False: it still runs. */
static bool reap(struct child *c, struct child_end *end, int flags)
{
    siginfo_t info = {0};
    int result;
    *end = (struct child_end){.exit_code = -1, .text = "status unknown"};
    do
        result = waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED | flags);
    while (result < 0 && errno == EINTR);
    if (result == 0 && info.si_pid == 0)
        return false;
    if (result == 0)
        describe_end(end, &info);
    return true;
}

static void close_everything(struct child *c)
{
    if (c->pidfd >= 0)
        loop_watch_stop(&c->exit_watch);
    close_fd(&c->pidfd);
    child_close_control(c);
    c->pid = 0;
}

static void schedule_restart(struct child *c)
{
    unsigned pause = child_backoff_ms(c->failures);
    c->failures++;
    deadline_set_ms(&c->restart, pause);
}

static void exit_ready(void *arg, int events)
{
    (void)events;
    struct child *c = arg;
    struct child_end end;
    if (!reap(c, &end, WNOHANG))
        return;
    pid_t pid = c->pid;
    uint64_t lived_us = clock_monotonic_us() - c->started_us;
    bool unasked = !c->ended_by_us && (!c->asked_to_end || end.exit_code != 0);
    close_everything(c);
    if (lived_us >= CHILD_STABLE_MS * UINT64_C(1000))
        c->failures = 0;
    if (unasked) {
        struct log_record r;
        log_begin(&r, c->log, LOG_CHILD_EXIT);
        log_cstr(&r, "process", c->name);
        log_u64(&r, "pid", (uint64_t)pid);
        log_cstr(&r, "status", end.text);
        log_ms(&r, "lived_ms", lived_us);
        log_end(&r);
    }
    if (c->hooks->ended(c->arg, &end))
        schedule_restart(c);
}

static void restart_expired(void *arg)
{
    child_start(arg);
}

enum err child_init(struct child *c, const char *name, const struct child_hooks *hooks, void *arg, struct loop *loop,
                    const struct log *log, size_t pools, size_t loops)
{
    *c = (struct child){.name = name,
                        .hooks = hooks,
                        .arg = arg,
                        .loop = loop,
                        .log = log,
                        .pidfd = -1,
                        .control = -1,
                        .pools = pools,
                        .loops = loops};
    c->channels = mem_new(pools * loops + 1, sizeof(*c->channels));
    if (!c->channels)
        return ERR_NOMEM;
    for (size_t i = 0; i < pools * loops; i++)
        c->channels[i].fd = -1;
    deadline_init(&c->restart, loop, restart_expired, c);
    return ERR_OK;
}

/* Makes the control pair and the process. */
static enum err start_process(struct child *c, struct errtext *why)
{
    int pair[2];
    if (fdpass_pair(pair) != ERR_OK) {
        errtext_set(why, "control socket: %s", strerror(errno));
        return ERR_IO;
    }
    enum err e = c->hooks->spawn(c->arg, pair[1], &c->pid, &c->pidfd, why);
    close(pair[1]);
    if (e) {
        close(pair[0]);
        c->pid = 0;
        c->pidfd = -1;
        return e;
    }
    c->control = pair[0];
    return ERR_OK;
}

void child_start(struct child *c)
{
    struct errtext why = {""};
    c->starts++;
    c->started_us = clock_monotonic_us();
    c->asked_to_end = c->ended_by_us = false;
    if (start_process(c, &why) != ERR_OK) {
        log_text(c->log, LOG_CHILD_EXIT, "reason", "%s could not be started: %s", c->name, why.text);
        /* Never at once: what could not be started a moment ago cannot be started now. */
        if (c->failures == 0)
            c->failures = 1;
        schedule_restart(c);
        return;
    }
    struct log_record r;
    log_begin(&r, c->log, LOG_CHILD_START);
    log_cstr(&r, "process", c->name);
    log_u64(&r, "pid", (uint64_t)c->pid);
    log_end(&r);
    loop_watch_init(&c->exit_watch, c->loop, c->pidfd, exit_ready, c);
    loop_watch_set(&c->exit_watch, LOOP_READ);
    loop_watch_init(&c->control_watch, c->loop, c->control, control_ready, c);
    loop_watch_set(&c->control_watch, LOOP_READ);
    c->hooks->started(c->arg);
    flush_messages(c); /* channels that were made before it ran */
}

bool child_is_running(const struct child *c)
{
    return c->pid != 0;
}

void child_send_channel(struct child *c, size_t pool, size_t loop, unsigned generation, int fd)
{
    if (pool >= c->pools || loop >= c->loops) {
        close(fd);
        return;
    }
    struct child_channel *slot = &c->channels[pool * c->loops + loop];
    close_fd(&slot->fd);
    *slot = (struct child_channel){.fd = fd, .generation = generation};
    flush_messages(c);
}

void child_send_drain(struct child *c)
{
    c->asked_to_end = true;
    c->drain = true;
    flush_messages(c);
}

void child_close_control(struct child *c)
{
    if (c->control >= 0) {
        c->asked_to_end = true;
        loop_watch_stop(&c->control_watch);
    }
    close_fd(&c->control);
    forget_messages(c);
}

void child_kill(struct child *c)
{
    if (c->pidfd >= 0)
        pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0); /* fails only when it has ended already */
}

void child_end(struct child *c)
{
    c->ended_by_us = true;
    child_kill(c);
}

void child_give_up(struct child *c)
{
    deadline_clear(&c->restart);
}

void child_release(struct child *c)
{
    struct child_end end;
    if (!c->channels)
        return;
    child_give_up(c);
    if (child_is_running(c)) {
        child_kill(c);
        (void)reap(c, &end, 0);
    }
    close_everything(c);
    mem_free(c->channels);
    c->channels = NULL;
}
