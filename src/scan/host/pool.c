/* SPDX-License-Identifier: MIT */
/* Worker processes: forked from the broker once the engines are open, fed with jobs, watched by pidfd, replaced. What a
 * worker sends is hostile input: anything but the one answer that is due ends it. */
#include "scan/host/broker.h"

#include "base/mem.h"
#include "sys/clock.h"
#include "sys/fdpass.h"

#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BIRTH_PAUSE_MS = 100, /* doubled with each worker that dies before it takes jobs, six times at most */
    BIRTH_PAUSE_DOUBLINGS = 6,
    BIRTHS_UNTIL_REFUSAL = 3, /* so many failed ones in a row, and no worker left: the pool cannot scan */
    IDLE_MS = 60 * 1000,      /* after that an unused worker of an on-demand pool goes */
    BIRTH_MS = 60 * 1000,     /* from fork to its first record: emptying a large directory takes a while */
    CLOSING_MS = 1000,        /* from the end of a worker's channel to its own end, which tells more than we can */
};

static void worker_log(const struct worker *w, enum log_event event, const char *cause, const char *how)
{
    const struct broker *b = w->broker;
    struct log_record r;
    log_begin(&r, b->log, event);
    log_cstr(&r, "pool", b->pool->name);
    log_u64(&r, "slot", w->slot);
    log_u64(&r, "pid", (uint64_t)w->pid);
    log_cstr(&r, "cause", cause);
    log_cstr(&r, "how", how);
    if (w->job) {
        log_cstr(&r, "engine", w->job->record.engine);
        log_u64(&r, "size", w->job->record.size);
    }
    log_end(&r);
}

void worker_kill(struct worker *w, enum worker_end why)
{
    if (w->state == WORKER_EMPTY || w->state == WORKER_ENDING)
        return;
    w->state = WORKER_ENDING;
    w->end = why;
    deadline_clear(&w->idle);
    loop_watch_set(&w->channel_watch, 0);
    pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0); /* fails only when it is dead already */
}

static void worker_is_hostile(struct worker *w, const char *what)
{
    worker_log(w, LOG_WORKER_EXIT, "protocol", what);
    if (w->job)
        job_fail(w->job, VERDICT_REASON_PROTOCOL, what);
    worker_kill(w, END_PROTOCOL);
}

static void worker_idle(struct worker *w)
{
    w->state = WORKER_IDLE;
    deadline_clear(&w->idle);
    bool surplus = w - w->broker->workers >= (ptrdiff_t)w->broker->concurrency;
    if (surplus || w->jobs_done >= w->broker->pool->conf.jobs_per_worker)
        worker_kill(w, END_RETIRED);
    else if (!w->broker->all_at_once)
        deadline_set_ms(&w->idle, IDLE_MS);
    pool_dispatch_soon(w->broker);
}

/* The pool's state follows what its newest worker said about itself. */
static void pool_set_refusal(struct broker *b, enum verdict_reason reason, const char *text)
{
    if (b->refusal == reason)
        return;
    b->refusal = reason;
    snprintf(b->refusal_text, sizeof(b->refusal_text), "%s%s", reason == VERDICT_REASON_SANDBOX ? "sandbox: " : "",
             text);
    if (reason != VERDICT_REASON_NONE) {
        log_text(b->log, LOG_ENGINE_DOWN, "reason", "pool %s: its workers cannot scan: %s", b->pool->name,
                 b->refusal_text);
        LIST_EACH_SAFE (node, &b->queue)
            job_fail(container_of(node, struct job, node), reason, b->refusal_text);
    } else {
        log_text(b->log, LOG_ENGINE_READY, "reason", "pool %s: its workers can scan again", b->pool->name);
    }
    broker_status_changed(b);
}

static int64_t count_workers(const struct broker *b, enum worker_state state)
{
    int64_t n = 0;
    for (unsigned i = 0; i < b->worker_count; i++)
        n += b->workers[i].state == state;
    return n;
}

static void sandbox_log(struct broker *b, const struct sandbox_level *level)
{
    if (b->sandbox_logged)
        return;
    b->sandbox_logged = true;
    struct log_record r;
    log_begin(&r, b->log, LOG_SANDBOX);
    log_cstr(&r, "pool", b->pool->name);
    log_cstr(&r, "profile", b->widened ? "vendor" : b->net ? "net" : "strict");
    log_cstr(&r, "seccomp", level->seccomp ? "on" : "lifted by POSTERN_NO_SECCOMP");
    log_u64(&r, "landlock_abi", (uint64_t)level->landlock_abi);
    log_cstr(&r, "temp", b->options->temp_is_tmpfs ? "tmpfs" : "directory, with a quota for each file only");
    log_u64(&r, "uid", geteuid());
    log_end(&r);
}

/* How long its place was empty is what a message may have waited for it. */
static void born_log(const struct worker *w)
{
    uint64_t now = clock_monotonic_us();
    struct log_record r;
    log_begin(&r, w->broker->log, LOG_WORKER_BORN);
    log_cstr(&r, "pool", w->broker->pool->name);
    log_u64(&r, "slot", w->slot);
    log_u64(&r, "pid", (uint64_t)w->pid);
    if (w->vacant_us)
        log_ms(&r, "vacant_ms", now > w->vacant_us ? now - w->vacant_us : 0);
    log_end(&r);
}

static void worker_hello(struct worker *w, struct span bytes)
{
    struct broker *b = w->broker;
    struct worker_hello hello;
    if (worker_hello_decode(bytes, &hello) != ERR_OK) {
        worker_is_hostile(w, "its first record makes no sense");
        return;
    }
    if (hello.birth == WORKER_WORN) {
        worker_is_hostile(w, "its first record makes no sense");
        return;
    }
    if (hello.birth != WORKER_BORN) {
        worker_log(w, LOG_WORKER_EXIT, "refused", hello.why);
        /* One slot's trouble is not the pool's: others that were born go on. */
        if (count_workers(b, WORKER_IDLE) + count_workers(b, WORKER_BUSY) == 0)
            pool_set_refusal(b, hello.birth == WORKER_NO_SANDBOX ? VERDICT_REASON_SANDBOX : VERDICT_REASON_DOWN,
                             hello.why);
        w->end = END_REFUSED; /* it ends by itself, still as one that died at birth */
        return;
    }
    sandbox_log(b, &hello.level);
    born_log(w);
    b->births_failed = 0;
    pool_set_refusal(b, VERDICT_REASON_NONE, "");
    worker_idle(w);
}

/* A worker that asks a daemon says what it learned about the engine of its job, before its answer. */
static bool is_news(const struct worker *w, const struct scan_record *r)
{
    return r->type == SCAN_STATUS && w->broker->net && !w->told_news && w->job->record.kind == SCAN_JOB_ENGINE &&
           w->job->engine->type->news && r->status.state == SCAN_ENGINE_READY &&
           strcmp(r->status.engine, w->job->record.engine) == 0;
}

/* An inspection gives figures, or says why it could not. */
static bool is_answer_to(const struct scan_job *job, const struct scan_record *r)
{
    if (job->kind == SCAN_JOB_INSPECT)
        return r->type == SCAN_INSPECTION || (r->type == SCAN_ANSWER && r->answer.verdict.class == VERDICT_ERROR);
    return r->type == SCAN_ANSWER;
}

/* Likewise a worker that should be replaced: a plug-in's, or one that has no descriptor left. */
static bool is_wear(const struct worker *w, struct span bytes, struct worker_hello *out)
{
    return !w->worn && worker_hello_decode(bytes, out) == ERR_OK && out->birth == WORKER_WORN;
}

static void worker_answer(struct worker *w, struct span bytes)
{
    struct scan_record r;
    struct worker_hello wear;
    bool whole = scan_record_decode(bytes, &r) == ERR_OK;
    if (!whole && is_wear(w, bytes, &wear)) {
        w->worn = true;
        worker_log(w, LOG_WORKER_EXIT, "worn", wear.why);
    } else if (whole && is_news(w, &r)) {
        w->told_news = true;
        broker_engine_news(w->broker, w->job->engine, &r.status);
    } else if (!whole || !is_answer_to(&w->job->record, &r)) {
        worker_is_hostile(w, "its answer makes no sense");
    } else if ((r.type == SCAN_INSPECTION ? r.inspected.id : r.answer.id) != w->serial) {
        worker_is_hostile(w, "its answer carries a wrong id");
    } else {
        bool unreachable = w->broker->net && r.type == SCAN_ANSWER && r.answer.verdict.reason == VERDICT_REASON_DOWN;
        w->jobs_done++;
        if (r.type == SCAN_INSPECTION)
            job_inspected(w->job, &r.inspected.inspection);
        else
            job_end(w->job, &r.answer.verdict);
        worker_idle(w);
        /* Its successor looks the names of servers up again, and has a line to the keeper. */
        if (unreachable || w->worn || w->line.lost)
            worker_kill(w, END_RETIRED);
    }
}

static void worker_readable(void *arg, int events)
{
    (void)events;
    struct worker *w = arg;
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len;
    int fd;
    enum err e = fdpass_recv(w->channel, bytes, sizeof(bytes), &len, &fd);
    if (e == ERR_AGAIN)
        return;
    if (fd >= 0) {
        close(fd);
        worker_is_hostile(w, "it sent a descriptor");
    } else if (e == ERR_CLOSED) {
        loop_watch_set(&w->channel_watch, 0);
        deadline_set_ms(&w->idle, CLOSING_MS);
    } else if (e != ERR_OK) {
        worker_is_hostile(w, "its record is too long");
    } else if (w->state == WORKER_STARTING && w->end == END_NOT) {
        worker_hello(w, span_of(bytes, len));
    } else if (w->state == WORKER_BUSY) {
        worker_answer(w, span_of(bytes, len));
    } else {
        worker_is_hostile(w, "it sent a record without having a job");
    }
}

static void worker_idle_expired(void *arg)
{
    struct worker *w = arg;
    if (w->state == WORKER_IDLE && !w->broker->all_at_once)
        worker_kill(w, END_RETIRED);
    else if (w->state == WORKER_STARTING)
        worker_is_hostile(w, "it did not become ready, or did not end when it could not");
    else
        worker_is_hostile(w, "it closed its channel and lives on");
}

/* Deaths that are the message's doing: not our own kills, not an operator's, not the kernel's for want of memory. */
static bool died_by_own_fault(const siginfo_t *info)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGSYS, SIGFPE};
    if (info->si_code ==
        CLD_EXITED) /* a sanitizer's report ends so; and no worker with a job has reason to exit at all */
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        if (info->si_status == faults[i])
            return true;
    return false;
}

void pool_describe_end(const siginfo_t *info, char *out, size_t size)
{
    const char *name = sigabbrev_np(info->si_status);
    if (info->si_code == CLD_EXITED)
        snprintf(out, size, "exit status %d", info->si_status);
    else
        snprintf(out, size, "SIG%s%s", name ? name : "?",
                 info->si_status == SIGSYS ? ": a system call outside its sandbox" : "");
}

static void note_death(struct broker *b, const struct job *j)
{
    unsigned deaths = poison_note(&b->poison, j->record.digest);
    if (deaths != POISON_AT)
        return;
    char hex[2 * sizeof(j->record.digest) + 1];
    for (size_t i = 0; i < sizeof(j->record.digest); i++)
        snprintf(hex + 2 * i, 3, "%02x", j->record.digest[i]);
    struct log_record r;
    log_begin(&r, b->log, LOG_POISON);
    log_cstr(&r, "engine", j->record.engine);
    log_cstr(&r, "sha256", hex);
    log_u64(&r, "workers", deaths);
    log_cstr(&r, "reason", "it ended so many workers: it will not be scanned again");
    log_end(&r);
}

void pool_note_fault(const struct worker *w, const siginfo_t *info)
{
    if (w->job && died_by_own_fault(info))
        note_death(w->broker, w->job);
}

/* It died by itself, or somebody else killed it. */
static void mourn(struct worker *w, const siginfo_t *info)
{
    char how[80], detail[LIMIT_VERDICT_TEXT + 1];
    pool_describe_end(info, how, sizeof(how));
    worker_log(w, LOG_WORKER_EXIT, w->state == WORKER_STARTING ? "died at birth" : "crash", how);
    struct job *j = w->job;
    if (info->si_code != CLD_EXITED && info->si_status == SIGSYS)
        figures_count(w->broker, POOL_VIOLATIONS, 1);
    if (!j)
        return;
    bool cpu = info->si_code != CLD_EXITED && info->si_status == SIGXCPU;
    if (!cpu)
        pool_note_fault(w, info);
    snprintf(detail, sizeof(detail), "the worker ended: %s", how);
    job_fail(j, cpu ? VERDICT_REASON_TIMEOUT : VERDICT_REASON_CRASH, detail);
}

static void birth_failed(struct broker *b)
{
    unsigned doublings = b->births_failed < BIRTH_PAUSE_DOUBLINGS ? b->births_failed : BIRTH_PAUSE_DOUBLINGS;
    b->births_failed++;
    deadline_set_ms(&b->birth_pause, (uint64_t)BIRTH_PAUSE_MS << doublings);
}

/* What it, or whoever ended it, left for daemons to read. */
static void remove_files(const struct worker *w)
{
    const struct broker *b = w->broker;
    for (size_t i = 0; i < b->engine_count; i++) {
        struct handover h = {.base = b->engines[i].file_base, .slot = w->slot, .engine = i};
        memcpy(h.token, b->token, sizeof(h.token));
        if (h.base)
            handover_leave(&h);
    }
}

static void worker_exited(void *arg, int events)
{
    (void)events;
    struct worker *w = arg;
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PIDFD, (id_t)w->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
        return;
    if (w->state == WORKER_BUSY || w->state == WORKER_STARTING)
        worker_readable(w, LOOP_READ); /* what it said last is still there */
    bool at_birth = w->state == WORKER_STARTING;
    if (w->end == END_NOT)
        mourn(w, &info);
    else if (w->end == END_DEADLINE)
        worker_log(w, LOG_WORKER_EXIT, "deadline", "killed: no result before the deadline");
    if (at_birth)
        birth_failed(w->broker);
    figures_worker_ended(w->broker, w->end, at_birth);
    remove_files(w);
    loop_watch_stop(&w->pid_watch);
    loop_watch_stop(&w->channel_watch);
    deadline_clear(&w->idle);
    keeper_detach(&w->line);
    close(w->pidfd);
    close(w->channel);
    w->state = WORKER_EMPTY;
    w->vacant_us = clock_monotonic_us();
    pool_dispatch_soon(w->broker);
}

static _Noreturn void become_worker(const struct worker *w, int channel, int keeper, int broker_pid)
{
    const struct broker *b = w->broker;
    struct worker_setup setup = {
        .engines = b->engines,
        .engine_count = b->engine_count,
        .temp_base = b->options->temp_base,
        .token = b->token,
        .slot = w->slot,
        .channel = channel,
        .keeper = keeper,
        .output = b->output.writer,
        .broker = broker_pid,
        .limits = {.memory = (uint64_t)b->pool->conf.memory_limit,
                   .stack = (uint64_t)b->pool->conf.stack_size,
                   .temp = (uint64_t)b->pool->conf.temp_size},
        .net = b->net,
        .framework = b->options->framework,
        .inspector = b->inspection,
    };
    worker_main(&setup);
}

static enum err worker_spawn(struct worker *w)
{
    struct broker *b = w->broker;
    int pair[2], keeper, parent = (int)getpid();
    if (fdpass_pair(pair) != ERR_OK)
        return ERR_IO;
    if (keeper_attach(&b->keeper, &w->line, w, &keeper) != ERR_OK) {
        close(pair[0]);
        close(pair[1]);
        return ERR_IO;
    }
    /* No code of a vendor's runs here after `open`: not even a handler that its library registered for forks, which
     * could hold the host up for ever. There is one thread, so nothing has to be put in order around it. */
    int pid = (int)(b->foreign ? _Fork() : fork());
    if (pid == 0)
        become_worker(w, pair[1], keeper, parent);
    int pidfd = pid < 0 ? -1 : pidfd_open(pid, 0);
    int saved = errno;
    close(pair[1]);
    if (keeper >= 0)
        close(keeper);
    if (pidfd < 0) {
        keeper_detach(&w->line);
        close(pair[0]);
        if (pid > 0) { /* not yet reaped, so the number is still its own */
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
        errno = saved;
        return ERR_IO;
    }
    w->state = WORKER_STARTING;
    w->end = END_NOT;
    w->pid = pid;
    w->pidfd = pidfd;
    w->channel = pair[0];
    w->job = NULL;
    w->jobs_done = 0;
    w->worn = false;
    loop_watch_init(&w->pid_watch, b->loop, w->pidfd, worker_exited, w);
    loop_watch_set(&w->pid_watch, LOOP_READ);
    loop_watch_init(&w->channel_watch, b->loop, w->channel, worker_readable, w);
    loop_watch_set(&w->channel_watch, LOOP_READ);
    deadline_init(&w->idle, b->loop, worker_idle_expired, w);
    deadline_set_ms(&w->idle, BIRTH_MS);
    worker_log(w, LOG_WORKER_START, NULL, NULL);
    return ERR_OK;
}

/* False when the worker does not take it: it is about to end, and the job stays where it was. */
static bool worker_give(struct worker *w, struct job *j)
{
    struct scan_record r = {.type = SCAN_JOB, .job = j->record};
    r.job.id = ++w->serial;
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len = scan_record_encode(&r, bytes);
    const int fds[] = {j->fd, j->parts};
    if (fdpass_send_many(w->channel, span_of(bytes, len), fds, j->parts >= 0 ? 2 : 1) != ERR_OK) {
        worker_kill(w, END_RETIRED);
        return false;
    }
    deadline_clear(&w->idle);
    w->state = WORKER_BUSY;
    w->told_news = false;
    job_start(j, w);
    return true;
}

/* Of those that the pool has. */
static struct worker *find_worker(struct broker *b, enum worker_state state)
{
    for (unsigned i = 0; i < b->concurrency; i++)
        if (b->workers[i].state == state)
            return &b->workers[i];
    return NULL;
}

/* The machine has no process, memory or descriptors for another one. Messages are not kept waiting for long: they are
 * told when there is nobody left to scan them, and engines are FAILED until a worker is born. */
static void spawn_failed(struct broker *b, int cause)
{
    char text[LIMIT_VERDICT_TEXT + 1];
    log_text(b->log, LOG_SHORTAGE, "reason", "pool %s: a worker cannot be started: %s", b->pool->name, strerror(cause));
    birth_failed(b);
    bool nobody = pool_is_empty(b);
    snprintf(text, sizeof(text), "no worker can be started: %s", strerror(cause));
    if (nobody && b->births_failed >= BIRTHS_UNTIL_REFUSAL && b->refusal == VERDICT_REASON_NONE)
        pool_set_refusal(b, VERDICT_REASON_DOWN, text);
}

/* Jobs of E in the queue that its cap lets run. */
static int64_t count_ready(const struct host_engine *e)
{
    int64_t cap = framework_max_concurrency(e->conf), room = cap > e->running ? cap - e->running : 0;
    return cap > 0 && room < e->queued ? room : e->queued;
}

/* Nobody is idle while one of these waits. */
static int64_t count_all_ready(const struct broker *b)
{
    int64_t n = count_ready(&b->inspector);
    for (size_t i = 0; i < b->engine_count; i++)
        n += count_ready(&b->engines[i]);
    return n;
}

static void start_workers(struct broker *b)
{
    if (b->stopping || deadline_is_set(&b->birth_pause))
        return;
    int64_t wanted = b->all_at_once ? b->concurrency : count_all_ready(b) - count_workers(b, WORKER_STARTING);
    if (b->refusal != VERDICT_REASON_NONE && wanted < 1 && pool_is_empty(b))
        wanted = 1; /* nobody sends messages to a pool that refuses them, and only a birth ends that */
    for (struct worker *w; wanted > 0 && (w = find_worker(b, WORKER_EMPTY)) != NULL; wanted--)
        if (worker_spawn(w) != ERR_OK) {
            spawn_failed(b, errno);
            return;
        }
}

void pool_dispatch(struct broker *b)
{
    LIST_EACH_SAFE (node, &b->queue) {
        struct job *j = container_of(node, struct job, node);
        int64_t cap = framework_max_concurrency(j->engine->conf);
        if (cap > 0 && j->engine->running >= cap)
            continue;
        struct worker *w;
        bool given = false;
        while (!given && (w = find_worker(b, WORKER_IDLE)) != NULL)
            given = worker_give(w, j);
        if (!given)
            break;
    }
    start_workers(b);
}

void pool_dispatch_soon(struct broker *b)
{
    loop_defer(b->loop, &b->dispatch);
}

static void birth_pause_over(void *arg)
{
    pool_dispatch_soon(arg);
}

/* Number of the temporary directory of worker INDEX. Two processes must never share one: each empties it, and a scanner
 * that finds its files gone finds nothing in them. The numbers right behind the configured workers are the scanner
 * programs' (keeper.c), so workers that a command adds come after those. */
static unsigned slot_of(const struct broker *b, unsigned index)
{
    unsigned scanners = framework_scanners(b->options->framework, b->pool->name);
    return index < (unsigned)b->pool->conf.concurrency ? index : index + scanners;
}

void pool_set_concurrency(struct broker *b, unsigned concurrency)
{
    figures_settle(b);
    b->concurrency = concurrency;
    for (; b->worker_count < concurrency; b->worker_count++)
        b->workers[b->worker_count] =
            (struct worker){.broker = b, .slot = slot_of(b, b->worker_count), .pidfd = -1, .channel = -1};
    for (unsigned i = concurrency; i < b->worker_count; i++)
        if (b->workers[i].state == WORKER_IDLE)
            worker_kill(&b->workers[i], END_RETIRED);
    pool_dispatch_soon(b);
}

enum err pool_init(struct broker *b, struct errtext *why)
{
    /* Room for as many as there may ever be, because watchers point into it; untouched memory costs nothing. */
    b->workers = mem_new(LIMIT_POOL_WORKERS, sizeof(struct worker));
    if (!b->workers) {
        errtext_set(why, "pool %s: no memory for its workers", b->pool->name);
        return ERR_NOMEM;
    }
    figures_start(b);
    pool_set_concurrency(b, (unsigned)b->pool->conf.concurrency);
    deadline_init(&b->birth_pause, b->loop, birth_pause_over, b);
    /* The pool of the engines that live in the process: a few workers, always there. Others may have many. */
    b->all_at_once = b->foreign || span_eq_nocase(span_cstr(b->pool->name), SPAN("CPU"));
    return ERR_OK;
}

bool pool_is_busy(const struct broker *b)
{
    return count_workers(b, WORKER_BUSY) > 0;
}

void pool_retire_all(struct broker *b)
{
    for (unsigned i = 0; i < b->worker_count; i++)
        worker_kill(&b->workers[i], END_RETIRED);
}

bool pool_is_empty(const struct broker *b)
{
    return count_workers(b, WORKER_EMPTY) == b->worker_count;
}

void pool_release(struct broker *b)
{
    if (b->workers)
        deadline_clear(&b->birth_pause);
    mem_free(b->workers);
}
