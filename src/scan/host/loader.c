/* SPDX-License-Identifier: MIT */
/* A thread that loads, and one that waits for it. */
#include "scan/host/loader.h"
#include "scan/host/broker.h"
#include "sys/autogroup.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    LOADING_NICE = 10,
    /* Of the whole session, which gets what the serving ones leave: on a machine that is busy all the time as good as
     * nothing, so only for so long. New signatures shall not wait for the night. */
    GIVING_WAY_NICE = 19,
    GIVING_WAY_MS = 60 * 1000,
};

struct loader {
    struct broker *broker;
    void (*open)(struct broker *b);
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool done, gives_way;
};

/* A priority that was given up does not come back without privileges, but it is a thread's own: this one only loads,
 * and is gone before anything else. It counts where the session's (sys/autogroup.h) does not. */
static void *load(void *arg)
{
    struct loader *l = arg;
    if (l->broker->options->replaces)
        setpriority(PRIO_PROCESS, (id_t)gettid(), LOADING_NICE);
    l->open(l->broker);
    pthread_mutex_lock(&l->lock);
    l->done = true;
    pthread_cond_signal(&l->change);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* How long the pool's plug-in may take; 0: it has none. */
static uint64_t limit_ms(const struct broker *b)
{
    const struct framework *fw = b->options->framework;
    uint64_t limit = 0;
    for (size_t i = 0; i < fw->engine_count; i++)
        if (framework_is_plugin(&fw->engines[i]) && strcmp(fw->engines[i].pool, b->pool->name) == 0)
            limit += (uint64_t)fw->engines[i].conf->plugin.load_timeout_ms;
    return limit;
}

/* True: it has loaded within MS from now. */
static bool wait_for(struct loader *l, uint64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&l->lock);
    int rc = 0;
    while (!l->done && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&l->change, &l->lock, &until);
    bool done = l->done;
    pthread_mutex_unlock(&l->lock);
    return done;
}

/* What hangs in a stranger's code cannot be called back: the process goes. */
static void end_hung(const struct loader *l, uint64_t ms)
{
    plugin_output_last_words(&l->broker->output);
    log_text(l->broker->log, LOG_ENGINE_DOWN, "reason",
             "pool %s: its plug-in was not open after load_timeout (%llu ms): its scan host ends and is started again",
             l->broker->pool->name, (unsigned long long)ms);
    _exit(EXIT_FAILURE);
}

/* Those that serve come first while this one loads, and never again after it. */
static void give_way(struct loader *l)
{
    if (!l->broker->options->replaces)
        return;
    l->gives_way = autogroup_nice(l->broker->options->session, GIVING_WAY_NICE) == ERR_OK;
    if (!l->gives_way)
        log_text(l->broker->log, LOG_SHORTAGE, "reason", "pool %s: loading cannot give way to scanning: %s",
                 l->broker->pool->name, strerror(errno));
}

static void stop_giving_way(const struct loader *l)
{
    if (!l->gives_way || autogroup_nice(l->broker->options->session, 0) == ERR_OK)
        return;
    log_text(l->broker->log, LOG_SHORTAGE, "reason",
             "pool %s: this scan host cannot have its share of the processors back after loading (%s), and ends",
             l->broker->pool->name, strerror(errno));
    _exit(EXIT_FAILURE);
}

/* A plug-in whose time is limited gets at least half of it with its full share. */
static void wait_or_end(struct loader *l, uint64_t limit)
{
    uint64_t first = limit > 0 && limit / 2 < GIVING_WAY_MS ? limit / 2 : GIVING_WAY_MS;
    bool done = wait_for(l, first);
    stop_giving_way(l);
    if (!done && limit > 0 && !wait_for(l, limit - first))
        end_hung(l, limit);
}

void loader_run(struct broker *b, void (*open)(struct broker *b))
{
    struct loader l = {.broker = b, .open = open, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_condattr_t clock;
    pthread_t thread;
    mallopt(M_ARENA_MAX, 1); /* where memory comes from shall not depend on the thread that asks */
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&l.change, &clock);
    give_way(&l);
    if (pthread_create(&thread, NULL, load, &l) != 0) {
        stop_giving_way(&l);
        open(b);
    } else {
        wait_or_end(&l, limit_ms(b));
        pthread_join(thread, NULL);
    }
    pthread_cond_destroy(&l.change);
    pthread_condattr_destroy(&clock);
    if (b->options->replaces && b->options->session >= 0)
        close(b->options->session);
}

static const char *name_of_plugin(const struct broker *b)
{
    const struct framework *fw = b->options->framework;
    for (size_t i = 0; i < fw->engine_count; i++)
        if (framework_is_plugin(&fw->engines[i]) && strcmp(fw->engines[i].pool, b->pool->name) == 0)
            return fw->engines[i].name;
    return b->pool->name;
}

void loader_run_plugin(struct broker *b, void (*open)(struct broker *b))
{
    struct errtext why = {""};
    b->output = (struct plugin_output){.log = b->log, .engine = name_of_plugin(b), .pool = b->pool->name};
    if (plugin_output_divert(&b->output, &why) != ERR_OK) {
        log_text(b->log, LOG_SHORTAGE, "reason", "pool %s: %s: its scan host ends and is started again", b->pool->name,
                 why.text);
        _exit(EXIT_FAILURE);
    }
    loader_run(b, open);
    plugin_output_restore(&b->output);
}
