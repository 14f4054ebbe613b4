/* SPDX-License-Identifier: MIT */
/* One text after the other, engine after engine, over a channel to our own broker. */
#include "scan/host/canary.h"
#include "scan/canary_text.h"
#include "scan/host/broker.h"

#include "sys/clock.h"
#include "sys/fdpass.h"

#include <errno.h>
#include <unistd.h>

/* For the birth of a worker and a scan of a few octets, on a machine that is busy beyond measure. */
enum { CANARY_MS = 60 * 1000, CANARY_LIMIT_MS = 2 * CANARY_MS };

static void ask_next(struct canary *c);

static bool concerns(const struct host_engine *e)
{
    return e->status == SCAN_ENGINE_READY && e->database;
}

void canary_stop(struct canary *c)
{
    if (c->fd < 0)
        return;
    deadline_clear(&c->limit);
    loop_watch_stop(&c->watch);
    close(c->fd);
    c->fd = -1;
}

static void engine_fails(struct host_engine *e, const char *what, const struct verdict *v)
{
    char text[LIMIT_VERDICT_TEXT + 1];
    const char *about = v->name[0] ? v->name : v->detail;
    snprintf(text, sizeof(text), "canary: %s: %s%s%.150s", what, verdict_class_word(v->class), about[0] ? ": " : "",
             about);
    e->status = SCAN_ENGINE_FAILED;
    verdict_copy_text(e->detail, sizeof(e->detail), span_cstr(text));
}

/* Where somebody else can go on, or where nothing may be taken on trust, trouble of ours is reason enough. */
static bool must_be_tried(const struct canary *c, const struct host_engine *e)
{
    return c->broker->options->replaces || e->conf->conf->test_string == TEST_STRING_REQUIRED;
}

static void note_pattern(struct host_engine *e, const struct verdict *v)
{
    bool found = v->class == VERDICT_INFECTED;
    e->test_string = found ? SCAN_TEST_STRING_FOUND : SCAN_TEST_STRING_UNKNOWN;
    if (!found && e->conf->conf->test_string == TEST_STRING_REQUIRED)
        engine_fails(e, "the test string is not found, and test_string = required", v);
}

static void judge(struct canary *c, const struct verdict *v)
{
    struct host_engine *e = &c->broker->engines[c->engine];
    const char *what = c->pattern ? "the test string could not be scanned" : "a clean text was not found clean";
    if (v->class == VERDICT_ERROR) {
        if (must_be_tried(c, e))
            engine_fails(e, "its worker had trouble", v);
    } else if (c->pattern ? v->class == VERDICT_UNSCANNABLE : v->class != VERDICT_CLEAN) {
        engine_fails(e, what, v);
    } else if (c->pattern) {
        note_pattern(e, v);
    }
    if (c->pattern || e->status != SCAN_ENGINE_READY)
        c->engine++;
    c->pattern = !c->pattern && e->status == SCAN_ENGINE_READY;
    ask_next(c);
}

/* There is no asking any more. */
static void give_up(struct canary *c, const char *text)
{
    struct verdict v;
    verdict_set(&v, VERDICT_ERROR, VERDICT_REASON_DOWN, text);
    for (; c->engine < c->broker->engine_count; c->engine++) {
        struct host_engine *e = &c->broker->engines[c->engine];
        if (concerns(e) && must_be_tried(c, e))
            engine_fails(e, "it could not be asked", &v);
    }
    canary_stop(c);
    c->done(c->broker);
}

static void answer_ready(void *arg, int events)
{
    struct canary *c = arg;
    unsigned char bytes[SCAN_RECORD_SIZE];
    size_t len;
    int fd;
    struct scan_record r;
    (void)events;
    enum err e = fdpass_recv(c->fd, bytes, sizeof(bytes), &len, &fd);
    if (e == ERR_AGAIN)
        return;
    if (e != ERR_OK || scan_record_decode(span_of(bytes, len), &r) != ERR_OK) {
        give_up(c, "its channel was closed"); /* our own broker found no memory */
        return;
    }
    if (r.type == SCAN_ANSWER && r.answer.id == c->job)
        judge(c, &r.answer.verdict);
}

static void limit_reached(void *arg)
{
    struct verdict v;
    verdict_set(&v, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "no answer in time");
    judge(arg, &v);
}

static enum err send_job(struct canary *c, int fd, uint64_t size)
{
    struct scan_record r = {.type = SCAN_JOB};
    unsigned char bytes[SCAN_RECORD_SIZE];
    r.job.id = ++c->job;
    r.job.size = size;
    r.job.deadline_us = clock_monotonic_us() + CANARY_MS * UINT64_C(1000);
    memset(r.job.digest, c->pattern ? 0xca : 0xc1, sizeof(r.job.digest));
    verdict_copy_text(r.job.engine, sizeof(r.job.engine), span_cstr(c->broker->engines[c->engine].conf->name));
    size_t len = scan_record_encode(&r, bytes);
    return fdpass_send(c->fd, span_of(bytes, len), fd);
}

static void ask_next(struct canary *c)
{
    struct broker *b = c->broker;
    int fd;
    uint64_t size;
    while (c->engine < b->engine_count && !concerns(&b->engines[c->engine]))
        c->engine++;
    if (c->engine == b->engine_count) {
        canary_stop(c);
        c->done(b);
        return;
    }
    if (canary_message(c->pattern ? CANARY_PATTERN : CANARY_CLEAN, &fd, &size) != ERR_OK) {
        give_up(c, strerror(errno));
        return;
    }
    enum err e = send_job(c, fd, size);
    close(fd);
    if (e != ERR_OK) {
        give_up(c, "its job could not be sent");
        return;
    }
    deadline_set_ms(&c->limit, CANARY_LIMIT_MS);
}

void canary_start(struct canary *c, struct broker *b, void (*done)(struct broker *b))
{
    int pair[2];
    bool wanted = false;
    *c = (struct canary){.broker = b, .fd = -1, .done = done};
    for (size_t i = 0; i < b->engine_count; i++)
        wanted = wanted || concerns(&b->engines[i]);
    if (!wanted) {
        done(b);
        return;
    }
    if (fdpass_pair(pair) != ERR_OK) {
        give_up(c, strerror(errno));
        return;
    }
    c->fd = pair[0];
    deadline_init(&c->limit, b->loop, limit_reached, c);
    loop_watch_init(&c->watch, b->loop, c->fd, answer_ready, c);
    loop_watch_set(&c->watch, LOOP_READ);
    broker_open_channel(b, pair[1]);
    ask_next(c);
}
