/* SPDX-License-Identifier: MIT */
/* Pipe to log. */
#include "scan/host/plugin_output.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { BLOCK = 1024, BLOCKS = 64, BEYOND_STANDARD = 3 };

static void emit(struct plugin_output *o)
{
    struct log_record r;
    size_t len = o->len;
    o->len = 0;
    if (len == 0)
        return;
    if (o->lines == PLUGIN_OUTPUT_LINES) {
        o->dropped++;
        return;
    }
    o->lines++;
    log_begin(&r, o->log, LOG_PLUGIN_OUTPUT);
    log_cstr(&r, "engine", o->engine);
    log_cstr(&r, "pool", o->pool);
    log_u64(&r, "pid", (uint64_t)getpid());
    log_str(&r, "text", span_of(o->line, len));
    log_end(&r);
}

static void take(struct plugin_output *o, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] == '\n') {
            emit(o);
            continue;
        }
        if (o->len == sizeof(o->line))
            emit(o);
        o->line[o->len++] = bytes.ptr[i];
    }
}

/* At most a few blocks at a time. False: nobody will write to it any more. */
static bool read_some(struct plugin_output *o)
{
    for (int i = 0; i < BLOCKS && o->lines < PLUGIN_OUTPUT_LINES; i++) {
        char bytes[BLOCK];
        ssize_t n = read(o->reader, bytes, sizeof(bytes));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        take(o, span_of(bytes, (size_t)n));
    }
    return true;
}

static void report_dropped(struct plugin_output *o)
{
    struct log_record r;
    if (o->dropped > 0) {
        log_begin(&r, o->log, LOG_PLUGIN_OUTPUT);
        log_cstr(&r, "engine", o->engine);
        log_cstr(&r, "pool", o->pool);
        log_u64(&r, "pid", (uint64_t)getpid());
        log_fmt(&r, "reason", "%u lines more than %d in %d s, and what the pipe did not hold, are lost", o->dropped,
                PLUGIN_OUTPUT_LINES, PLUGIN_OUTPUT_WINDOW_MS / 1000);
        log_end(&r);
    }
    o->lines = o->dropped = 0;
}

static void window_over(void *arg)
{
    struct plugin_output *o = arg;
    report_dropped(o);
    loop_watch_set(&o->watch, LOOP_READ);
}

static void readable(void *arg, int events)
{
    (void)events;
    struct plugin_output *o = arg;
    bool open = read_some(o);
    if (!deadline_is_set(&o->window))
        deadline_set_ms(&o->window, PLUGIN_OUTPUT_WINDOW_MS);
    if (!open || o->lines == PLUGIN_OUTPUT_LINES)
        loop_watch_set(&o->watch, 0);
}

static void close_all(int *fds[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (*fds[i] > 0)
            close(*fds[i]);
        *fds[i] = 0;
    }
}

enum err plugin_output_divert(struct plugin_output *o, struct errtext *why)
{
    int ends[2] = {-1, -1};
    bool made = pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0;
    o->reader = made ? ends[0] : 0;
    o->writer = made ? ends[1] : 0;
    if (made && (o->own_output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, BEYOND_STANDARD)) > 0 &&
        (o->own_errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, BEYOND_STANDARD)) > 0 &&
        dup2(o->writer, STDOUT_FILENO) == STDOUT_FILENO && dup2(o->writer, STDERR_FILENO) == STDERR_FILENO)
        return ERR_OK;
    errtext_set(why, "a pipe for its standard output and error: %s", strerror(errno));
    plugin_output_restore(o);
    close_all((int *[]){&o->reader, &o->writer}, 2);
    return ERR_IO;
}

/* Descriptors that are there are put where there were some: it fails only in a process that has far worse troubles. */
void plugin_output_restore(struct plugin_output *o)
{
    if (o->own_output > 0 && o->own_errors > 0 &&
        (dup2(o->own_output, STDOUT_FILENO) < 0 || dup2(o->own_errors, STDERR_FILENO) < 0))
        log_text(o->log, LOG_SHORTAGE, "reason", "pool %s: its own standard output and error are not there again: %s",
                 o->pool, strerror(errno));
    close_all((int *[]){&o->own_output, &o->own_errors}, 2);
}

void plugin_output_watch(struct plugin_output *o, struct loop *loop)
{
    if (o->reader == 0)
        return;
    deadline_init(&o->window, loop, window_over, o);
    loop_watch_init(&o->watch, loop, o->reader, readable, o);
    loop_watch_set(&o->watch, LOOP_READ);
}

void plugin_output_last_words(struct plugin_output *o)
{
    if (o->reader == 0)
        return;
    (void)read_some(o);
    emit(o);
    report_dropped(o);
}

void plugin_output_stop(struct plugin_output *o)
{
    if (o->reader == 0)
        return;
    deadline_clear(&o->window);
    loop_watch_stop(&o->watch);
    plugin_output_last_words(o);
    close_all((int *[]){&o->reader, &o->writer}, 2);
}
