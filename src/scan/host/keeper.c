/* SPDX-License-Identifier: MIT */
/* Scanner processes and those who wait for them. A scanner is OFF (with a pause running, unless the host stops), or DUE
 * where there is no pause, STARTING until it is READY, then IDLE or BUSY, and ENDING between our kill and its end. */
#include "scan/host/keeper.h"

#include "base/mem.h"
#include "scan/engine/database.h"
#include "scan/host/broker.h"
#include "scan/host/scanner_process.h"
#include "sys/clock.h"
#include "sys/fdpass.h"

#include <errno.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    START_MS = 300 * 1000, /* to load definitions, on a slow machine */
    CLOSING_MS = 1000,     /* from the end of its channel to its own end */
    PAUSE_FIRST_MS = 100,
    PAUSE_MAX_MS = 10000,
};

enum scanner_state { SCANNER_OFF, SCANNER_DUE, SCANNER_STARTING, SCANNER_IDLE, SCANNER_BUSY, SCANNER_ENDING };
struct keeper_scanner {
    struct keeper_engine *engine;
    unsigned slot; /* of its temporary directory */
    enum scanner_state state;
    struct scanner_process process; /* pid 0: none */
    struct loop_watch pid_watch, channel_watch, output_watch;
    struct deadline limit;    /* of its start, its scan, or the pause before the next start */
    struct keeper_line *line; /* that the scan is for; NULL: nobody any more */
    uint64_t serial;          /* of the last request */
    bool was_busy;            /* when it was killed: that was a message's doing, not a reason for a pause */
    bool closed;              /* it closed its channel: its end is due */
    struct {                  /* the file that it may start, when it was started; 0: unknown */
        dev_t dev;
        ino_t ino;
    } launch;
};

struct keeper_engine {
    struct keeper *keeper;
    struct host_engine *host;
    const struct engine_program *program;
    struct keeper_scanner *scanners;
    unsigned failures;                 /* ends in a row without an answer */
    char why[LIMIT_VERDICT_TEXT + 1];  /* of the last end */
    char told[LIMIT_VERDICT_TEXT + 1]; /* last in the log: the same again is not worth a line */
    struct scanner_log log;
    struct list waiting;
    struct deadline update;
    uint64_t fingerprint;
};

static void scanner_start(void *arg);
static void dispatch(struct keeper_engine *e);

/* ---- the line of a worker ---- */

static void line_forget(struct keeper_line *line)
{
    if (line->scanner)
        line->scanner->line = NULL;
    line->scanner = NULL;
    list_remove(&line->node);
    if (line->message >= 0)
        close(line->message);
    line->message = -1;
    line->asked = false;
}

/* RESULT gets the worker's own number. A worker that does not take it is ended by the broker at its deadline. */
static void line_answer(struct keeper_line *line, const struct scanner_result *result)
{
    struct buf *out = &line->engine->keeper->out;
    struct scanner_result answer = *result;
    answer.id = line->request.id;
    if (scanner_result_write(&answer, out) == ERR_OK) {
        enum err e = fdpass_send(line->fd, buf_span(out), -1);
        (void)e;
    }
    line_forget(line);
}

static void line_fail(struct keeper_line *line, const char *code, const char *text)
{
    struct scanner_result r = {.status = SCANNER_ERROR};
    scanner_result_add(&r, code);
    verdict_copy_text(r.info, sizeof(r.info), span_cstr(text));
    line_answer(line, &r);
}

/* MESSAGE -1: there was no number left for it. */
static void line_ask(struct keeper_line *line, const struct scanner_request *request, int message)
{
    struct keeper *k = &line->worker->broker->keeper;
    line_forget(line); /* it has given up what it asked before */
    line->engine = k->engines[request->engine];
    line->request = *request;
    if (message < 0) {
        log_text(k->broker->log, LOG_SHORTAGE, "reason", "engine %s: no descriptor is left for a message: no scan",
                 line->engine->host->conf->name);
        line_fail(line, "POSTERN_RESULT_DOWN", "the scan host has no descriptor left for it");
        return;
    }
    line->message = message;
    line->until_us = loop_now_us(k->broker->loop) + request->time_ms * 1000;
    line->asked = true;
    list_append(&line->engine->waiting, &line->node);
    dispatch(line->engine);
}

static void line_close(struct keeper_line *line)
{
    line_forget(line);
    loop_watch_stop(&line->watch);
    close(line->fd);
    line->fd = -1;
}

static void line_readable(void *arg, int events)
{
    (void)events;
    struct keeper_line *line = arg;
    const struct keeper *k = &line->worker->broker->keeper;
    char bytes[SCANNER_MESSAGE_MAX];
    size_t len;
    int fd;
    struct scanner_request request;
    enum err e = fdpass_recv(line->fd, bytes, sizeof(bytes), &len, &fd);
    if (e == ERR_AGAIN)
        return;
    bool there = e == ERR_OK ? fd >= 0 : e == ERR_FULL && len > 0;
    if (there && scanner_request_read(span_of(bytes, len), true, &request) == ERR_OK && k->engines[request.engine]) {
        line_ask(line, &request, fd);
        return;
    }
    if (fd >= 0)
        close(fd);
    line_close(line); /* it is gone, or no longer ours: what it asks next is answered by end of file */
    line->lost = true;
}

enum err keeper_attach(struct keeper *k, struct keeper_line *line, struct worker *w, int *fd)
{
    int pair[2];
    bool any = false;
    *fd = -1;
    *line = (struct keeper_line){.worker = w, .fd = -1, .message = -1};
    list_init(&line->node);
    for (size_t i = 0; i < ARRAY_SIZE(k->engines); i++)
        any = any || k->engines[i];
    if (!any)
        return ERR_OK;
    if (fdpass_pair(pair) != ERR_OK)
        return ERR_IO;
    line->fd = pair[0];
    *fd = pair[1];
    loop_watch_init(&line->watch, k->broker->loop, line->fd, line_readable, line);
    loop_watch_set(&line->watch, LOOP_READ);
    return ERR_OK;
}

void keeper_detach(struct keeper_line *line)
{
    if (line->worker && line->fd >= 0)
        line_close(line);
}

/* ---- scanners: what they say, and their ends ---- */

static void log_end_of(struct keeper_scanner *s, const char *how)
{
    struct keeper_engine *e = s->engine;
    verdict_copy_text(e->why, sizeof(e->why), span_cstr(how));
    if (s->state != SCANNER_BUSY && s->state != SCANNER_IDLE && strcmp(e->told, e->why) == 0)
        return;
    memcpy(e->told, e->why, sizeof(e->told));
    struct log_record r;
    log_begin(&r, e->keeper->broker->log, LOG_SCANNER_EXIT);
    log_cstr(&r, "engine", e->host->conf->name);
    log_cstr(&r, "program", e->program->path);
    log_u64(&r, "pid", s->process.pid > 0 ? (uint64_t)s->process.pid : 0);
    log_cstr(&r, "reason", how);
    log_end(&r);
}

static void schedule_start(struct keeper_scanner *s)
{
    struct keeper_engine *e = s->engine;
    unsigned doublings = e->failures < 8 ? e->failures : 8;
    uint64_t pause = e->failures == 0 ? 0 : (uint64_t)PAUSE_FIRST_MS << (doublings - 1);
    e->failures++;
    s->state = SCANNER_OFF;
    if (e->keeper->broker->stopping)
        return;
    if (pause == 0)
        s->state = SCANNER_DUE;
    deadline_init(&s->limit, e->keeper->broker->loop, scanner_start, s);
    deadline_set_ms(&s->limit, pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
}

static void scanner_kill(struct keeper_scanner *s, const char *code, const char *text)
{
    log_end_of(s, text);
    if (s->line)
        line_fail(s->line, code, text);
    s->was_busy = s->state == SCANNER_BUSY;
    s->state = SCANNER_ENDING;
    deadline_clear(&s->limit);
    loop_watch_set(&s->channel_watch, 0);
    pidfd_send_signal(s->process.pidfd, SIGKILL, NULL, 0); /* fails only when it is dead already */
}

static void scanner_says_ready(struct keeper_scanner *s, struct span bytes)
{
    struct scanner_ready ready;
    struct keeper_engine *e = s->engine;
    struct engine_info *info = &e->host->info, before = *info;
    if (scanner_ready_read(bytes, &ready) != ERR_OK) {
        scanner_kill(s, "POSTERN_RESULT_PROTOCOL", "the scanner's first message makes no sense");
        return;
    }
    if (ready.refused) {
        char text[LIMIT_VERDICT_TEXT + 1];
        snprintf(text, sizeof(text), "the scanner cannot work: %.200s", ready.text);
        scanner_kill(s, "POSTERN_RESULT_DOWN", text);
        return;
    }
    s->state = SCANNER_IDLE;
    deadline_clear(&s->limit);
    e->told[0] = '\0';
    snprintf(info->version, sizeof(info->version), "%.127s", ready.text[0] ? ready.text : e->program->path);
    snprintf(info->missing, sizeof(info->missing), "%.255s", ready.missing);
    info->database_version = ready.definitions;
    info->signatures = ready.signatures;
    snprintf(e->host->detail, sizeof(e->host->detail), "%s", info->version);
    if (before.database_version != info->database_version || before.signatures != info->signatures ||
        strcmp(before.version, info->version) != 0)
        broker_status_changed(e->keeper->broker);
    dispatch(e);
}

static void scanner_says_result(struct keeper_scanner *s, struct span bytes)
{
    struct scanner_result result;
    if (scanner_result_read(bytes, &result) != ERR_OK) {
        scanner_kill(s, "POSTERN_RESULT_PROTOCOL", "the scanner's answer makes no sense");
        return;
    }
    if (result.id != s->serial) {
        scanner_kill(s, "POSTERN_RESULT_PROTOCOL", "the scanner's answer carries a wrong number");
        return;
    }
    if (s->line)
        line_answer(s->line, &result);
    s->engine->failures = 0;
    s->state = SCANNER_IDLE;
    deadline_clear(&s->limit);
    dispatch(s->engine);
}

static void scanner_readable(void *arg, int events)
{
    (void)events;
    struct keeper_scanner *s = arg;
    char bytes[SCANNER_MESSAGE_MAX];
    size_t len;
    int fd;
    enum err e = fdpass_recv(s->process.channel, bytes, sizeof(bytes), &len, &fd);
    if (e == ERR_AGAIN)
        return;
    if (fd >= 0)
        close(fd);
    if (e == ERR_CLOSED) { /* its end tells more, if it comes at once */
        loop_watch_set(&s->channel_watch, 0);
        s->closed = true;
        if (s->state != SCANNER_ENDING)
            deadline_set_ms(&s->limit, CLOSING_MS);
    } else if (e != ERR_OK || fd >= 0) {
        scanner_kill(s, "POSTERN_RESULT_PROTOCOL",
                     fd >= 0 ? "the scanner sent a descriptor" : "the scanner's message is too long");
    } else if (s->state == SCANNER_STARTING) {
        scanner_says_ready(s, span_of(bytes, len));
    } else if (s->state == SCANNER_BUSY) {
        scanner_says_result(s, span_of(bytes, len));
    } else {
        scanner_kill(s, "POSTERN_RESULT_PROTOCOL", "the scanner spoke out of turn");
    }
}

static void scanner_late(void *arg)
{
    struct keeper_scanner *s = arg;
    if (s->closed)
        scanner_kill(s, "POSTERN_RESULT_PROTOCOL", "the scanner closed its channel and lives on");
    else if (s->state == SCANNER_STARTING)
        scanner_kill(s, "POSTERN_RESULT_DOWN", "the scanner did not become ready in time");
    else
        scanner_kill(s, "POSTERN_RESULT_TIMEOUT", "the scanner gave no answer in time");
}

static void output_ready(void *arg, int events)
{
    (void)events;
    struct keeper_scanner *s = arg;
    if (!scanner_log_copy(&s->engine->log, s->process.output))
        loop_watch_stop(&s->output_watch);
}

static void scanner_close(struct keeper_scanner *s)
{
    (void)scanner_log_copy(&s->engine->log, s->process.output); /* its last words */
    loop_watch_stop(&s->pid_watch);
    loop_watch_stop(&s->channel_watch);
    loop_watch_stop(&s->output_watch);
    deadline_clear(&s->limit);
    close(s->process.pidfd);
    close(s->process.channel);
    close(s->process.output);
    s->state = SCANNER_OFF;
    s->process.pid = 0;
}

static void scanner_exited(void *arg, int events)
{
    (void)events;
    struct keeper_scanner *s = arg;
    struct keeper_engine *e = s->engine;
    siginfo_t info = {.si_pid = 0};
    char how[80], text[LIMIT_VERDICT_TEXT + 1] = "";
    if (waitid(P_PIDFD, (id_t)s->process.pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
        return;
    if (s->state == SCANNER_BUSY || s->state == SCANNER_STARTING)
        scanner_readable(s, LOOP_READ); /* what it said last is still there */
    if (s->state != SCANNER_ENDING) {
        pool_describe_end(&info, how, sizeof(how));
        snprintf(text, sizeof(text), "the scanner ended: %s", how);
        log_end_of(s, text);
    }
    struct keeper_line *line = s->state == SCANNER_BUSY ? s->line : NULL;
    if (s->state == SCANNER_BUSY || s->was_busy)
        e->failures = 0;
    if (line) {
        pool_note_fault(line->worker, &info);
        line_fail(line, "POSTERN_RESULT_CRASH", text);
    }
    scanner_close(s);
    schedule_start(s);
    dispatch(e);
}

/* ---- start ---- */

static void look_at_launch(const struct keeper_engine *e, dev_t *dev, ino_t *ino)
{
    struct stat st;
    bool there = e->program->launch && stat(e->program->launch, &st) == 0;
    *dev = there ? st.st_dev : 0;
    *ino = there ? st.st_ino : 0;
}

static void scanner_start(void *arg)
{
    struct keeper_scanner *s = arg;
    struct broker *b = s->engine->keeper->broker;
    const struct scanner_process_setup setup = {.program = s->engine->program,
                                                .temp_base = b->options->temp_base,
                                                .slot = s->slot,
                                                .limits = {.memory = (uint64_t)b->pool->conf.memory_limit,
                                                           .stack = (uint64_t)b->pool->conf.stack_size,
                                                           .temp = (uint64_t)b->pool->conf.temp_size}};
    struct errtext why = {""};
    look_at_launch(s->engine, &s->launch.dev, &s->launch.ino); /* before: what comes after it is another one */
    if (scanner_process_start(&setup, &s->process, &why) != ERR_OK) {
        s->process.pid = 0;
        log_end_of(s, why.text);
        s->engine->failures += s->engine->failures == 0; /* never at once: nothing has changed */
        schedule_start(s);
        dispatch(s->engine);
        return;
    }
    s->state = SCANNER_STARTING;
    s->line = NULL;
    s->closed = s->was_busy = false;
    loop_watch_init(&s->pid_watch, b->loop, s->process.pidfd, scanner_exited, s);
    loop_watch_set(&s->pid_watch, LOOP_READ);
    loop_watch_init(&s->channel_watch, b->loop, s->process.channel, scanner_readable, s);
    loop_watch_set(&s->channel_watch, LOOP_READ);
    loop_watch_init(&s->output_watch, b->loop, s->process.output, output_ready, s);
    loop_watch_set(&s->output_watch, LOOP_READ);
    deadline_init(&s->limit, b->loop, scanner_late, s);
    deadline_set_ms(&s->limit, START_MS);
    struct log_record r;
    log_begin(&r, b->log, LOG_SCANNER_START);
    log_cstr(&r, "engine", s->engine->host->conf->name);
    log_cstr(&r, "program", s->engine->program->path);
    log_u64(&r, "pid", (uint64_t)s->process.pid);
    log_end(&r);
}

/* ---- who gets one ---- */

/* False: it did not take it and is about to end. */
static bool give(struct keeper_scanner *s, struct keeper_line *line, uint64_t now)
{
    struct buf *out = &s->engine->keeper->out;
    struct scanner_request request = {
        .id = ++s->serial, .size = line->request.size, .time_ms = (line->until_us - now + 999) / 1000};
    enum err e = scanner_request_write(&request, false, out);
    if (e == ERR_OK)
        e = fdpass_send(s->process.channel, buf_span(out), line->message);
    if (e != ERR_OK) {
        scanner_kill(s, "POSTERN_RESULT_DOWN", "the scanner takes no requests");
        return false;
    }
    list_remove(&line->node);
    close(line->message);
    line->message = -1;
    line->scanner = s;
    s->line = line;
    s->state = SCANNER_BUSY;
    deadline_set_ms(&s->limit, request.time_ms);
    return true;
}

static struct keeper_scanner *find_scanner(const struct keeper_engine *e, enum scanner_state state)
{
    for (unsigned i = 0; i < e->program->count; i++)
        if (e->scanners[i].state == state)
            return &e->scanners[i];
    return NULL;
}

/* An upgrade put another file in the place of the one that it may start. Its cage knows the old one only. */
static bool is_outdated(const struct keeper_scanner *s)
{
    dev_t dev;
    ino_t ino;
    look_at_launch(s->engine, &dev, &ino);
    return ino != 0 && (dev != s->launch.dev || ino != s->launch.ino);
}

/* One that is free and up to date. */
static struct keeper_scanner *find_free(struct keeper_engine *e)
{
    struct keeper_scanner *s;
    while ((s = find_scanner(e, SCANNER_IDLE)) != NULL && is_outdated(s)) {
        e->failures = 0; /* nobody's fault: no pause */
        scanner_kill(s, "", "its program was replaced by another file: it is started again with that");
    }
    return s;
}

static bool somebody_will_come(const struct keeper_engine *e)
{
    static const enum scanner_state hopeful[] = {SCANNER_DUE, SCANNER_STARTING, SCANNER_BUSY, SCANNER_ENDING};
    for (size_t i = 0; i < ARRAY_SIZE(hopeful); i++)
        if (find_scanner(e, hopeful[i]))
            return true;
    return false;
}

static void dispatch(struct keeper_engine *e)
{
    uint64_t now = loop_now_us(e->keeper->broker->loop);
    LIST_EACH_SAFE (node, &e->waiting) {
        struct keeper_line *line = container_of(node, struct keeper_line, node);
        struct keeper_scanner *s;
        bool given = false;
        if (line->until_us <= now) {
            line_fail(line, "POSTERN_RESULT_TIMEOUT", "no scanner was free in time");
            continue;
        }
        while (!given && (s = find_free(e)) != NULL)
            given = give(s, line, now);
        if (given)
            continue;
        if (somebody_will_come(e))
            return;
        line_fail(line, "POSTERN_RESULT_DOWN", e->why);
    }
}

/* ---- the whole ---- */

static void time_to_update(void *arg)
{
    struct keeper_engine *e = arg;
    uint64_t now = database_fingerprint(e->program->definitions);
    bool changed = now != e->fingerprint;
    e->fingerprint = now;
    deadline_set_ms(&e->update, e->program->update_ms);
    if (changed)
        broker_database_changed(e->keeper->broker);
}

static enum err engine_start(struct keeper *k, size_t index, unsigned first_slot)
{
    struct host_engine *host = &k->broker->engines[index];
    struct keeper_engine *e = MEM_NEW(struct keeper_engine);
    const struct engine_program *program = host->type->program(host->state);
    if (!e || !(e->scanners = mem_new(program->count, sizeof(struct keeper_scanner)))) {
        mem_free(e);
        return ERR_NOMEM;
    }
    k->engines[index] = e;
    e->keeper = k;
    e->host = host;
    e->program = program;
    e->log = (struct scanner_log){.fd = program->log};
#ifdef POSTERN_SANITIZED /* a report is worth more than a clean log */
    if (e->log.fd < 0)
        e->log.fd = STDERR_FILENO;
#endif
    list_init(&e->waiting);
    deadline_init(&e->update, k->broker->loop, time_to_update, e);
    e->fingerprint = program->definitions ? database_fingerprint(program->definitions) : 0;
    if (program->definitions && program->update_ms > 0)
        deadline_set_ms(&e->update, program->update_ms);
    for (unsigned i = 0; i < program->count; i++) {
        e->scanners[i] = (struct keeper_scanner){.engine = e, .slot = first_slot + i};
        scanner_start(&e->scanners[i]);
    }
    return ERR_OK;
}

void keeper_start(struct keeper *k, struct broker *b)
{
    unsigned slot = (unsigned)b->pool->conf.concurrency; /* behind the workers' */
    *k = (struct keeper){.broker = b};
    buf_init(&k->out, SCANNER_MESSAGE_MAX);
    for (size_t i = 0; i < b->engine_count; i++) {
        struct host_engine *e = &b->engines[i];
        if (e->status != SCAN_ENGINE_READY || !e->type->program)
            continue;
        if (engine_start(k, i, slot) != ERR_OK) {
            e->status = SCAN_ENGINE_FAILED;
            snprintf(e->detail, sizeof(e->detail), "no memory for its scanners");
            continue;
        }
        slot += k->engines[i]->program->count;
    }
}

static void engine_stop(struct keeper_engine *e)
{
    deadline_clear(&e->update);
    LIST_EACH_SAFE (node, &e->waiting)
        line_forget(container_of(node, struct keeper_line, node));
    for (unsigned i = 0; i < e->program->count; i++) {
        struct keeper_scanner *s = &e->scanners[i];
        deadline_clear(&s->limit);
        if (s->process.pid == 0)
            continue;
        if (s->line)
            line_forget(s->line);
        pidfd_send_signal(s->process.pidfd, SIGKILL, NULL, 0);
        while (waitid(P_PIDFD, (id_t)s->process.pidfd, &(siginfo_t){.si_pid = 0}, WEXITED) != 0 && errno == EINTR)
            ;
        scanner_close(s);
    }
    mem_free(e->scanners);
    mem_free(e);
}

void keeper_stop(struct keeper *k)
{
    if (!k->broker)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(k->engines); i++)
        if (k->engines[i])
            engine_stop(k->engines[i]);
    buf_release(&k->out);
    *k = (struct keeper){.broker = NULL};
}
