/* SPDX-License-Identifier: MIT */
/* The engines of the in-memory player: src/scan/scan_client.h and scan_run.h without scan hosts. As the test engine
 * does, it obeys the first line `X-Fake: ORDER` of the message that gives a verdict, so that a scenario means the same
 * in both players: clean | infected NAME | unscannable REASON | error REASON | delay MS (then the next) | hang (until
 * the timeout). */
#include "base/mem.h"
#include "base/num.h"
#include "io/deadline.h"
#include "scan/scan_run.h"
#include <unistd.h>

enum { LOOK_AT = 65536 };

struct scan_client {
    struct loop *loop;
    struct scan_runtime *runtime;
    const struct framework *framework;
};

struct scan_run {
    struct scan_client *client;
    struct verdict verdict;
    bool done;
    struct loop_deferred ready;
    struct deadline delay;
    void (*wake)(void *arg);
    void *arg;
};

struct scan_client *scan_client_new(struct loop *l, struct scan_runtime *runtime, const struct log *log,
                                    bool log_status)
{
    struct scan_client *c = MEM_NEW(struct scan_client);
    (void)log;
    (void)log_status;
    if (c)
        *c = (struct scan_client){.loop = l, .runtime = runtime, .framework = runtime->framework};
    return c;
}

void scan_client_free(struct scan_client *c)
{
    mem_free(c);
}

static void run_done(void *arg)
{
    struct scan_run *r = arg;
    r->done = true;
    if (!r->client->framework->scan_off)
        engine_runtime_count(&r->client->runtime->engines[0], &r->verdict);
    r->wake(r->arg);
}

static bool give(struct scan_run *r, enum verdict_class class, enum verdict_reason reason, struct span name)
{
    verdict_set(&r->verdict, class, reason, NULL);
    verdict_copy_text(r->verdict.name, sizeof(r->verdict.name), name);
    return true;
}

/* True when the order gave a verdict; *DELAY_MS grows by what it asks for. */
static bool obey(struct scan_run *r, struct span order, uint64_t *delay_ms)
{
    size_t blank = span_find(order, ' ');
    struct span verb = span_sub(order, 0, blank), argument = span_sub(order, blank + 1, order.len);
    uint64_t ms;
    if (span_eq(verb, SPAN("delay")) && num_parse_u64(argument, 86400000, &ms) == ERR_OK) {
        *delay_ms += ms;
        return false;
    }
    if (span_eq(verb, SPAN("hang"))) {
        *delay_ms += (uint64_t)r->client->framework->engines[0].conf->timeout_ms;
        return give(r, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, SPAN(""));
    }
    if (span_eq(verb, SPAN("clean")))
        return give(r, VERDICT_CLEAN, VERDICT_REASON_NONE, SPAN(""));
    if (span_eq(verb, SPAN("infected")))
        return give(r, VERDICT_INFECTED, VERDICT_REASON_NONE, argument);
    for (int i = 0; i < VERDICT_REASON_COUNT; i++) {
        enum verdict_reason reason = (enum verdict_reason)i;
        if (span_eq(argument, span_cstr(verdict_reason_word(reason))))
            return give(r, verdict_reason_class(reason), reason, SPAN(""));
    }
    return give(r, VERDICT_ERROR, VERDICT_REASON_ENGINE, SPAN(""));
}

static void look(struct scan_run *r, int fd, uint64_t size, uint64_t *delay_ms)
{
    static char text[LOOK_AT];
    ssize_t n = pread(fd, text, size < LOOK_AT ? (size_t)size : LOOK_AT, 0);
    struct span rest = span_of(text, n > 0 ? (size_t)n : 0);
    if (n < 0) {
        give(r, VERDICT_ERROR, VERDICT_REASON_ENGINE, SPAN(""));
        return;
    }
    while (rest.len > 0) {
        struct span line = span_sub(rest, 0, span_find(rest, '\n'));
        rest = span_sub(rest, line.len + 1, rest.len);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (span_starts(line, SPAN("X-Fake: ")) && obey(r, span_sub(line, 8, line.len), delay_ms))
            return;
    }
    give(r, VERDICT_CLEAN, VERDICT_REASON_NONE, SPAN(""));
}

struct scan_run *scan_run_start(struct scan_client *c, const struct scan_subject *s, void (*wake)(void *arg), void *arg)
{
    struct scan_run *r = MEM_NEW(struct scan_run);
    uint64_t delay_ms = 0;
    if (!r)
        return NULL;
    r->client = c;
    r->wake = wake;
    r->arg = arg;
    loop_deferred_init(&r->ready, run_done, r);
    deadline_init(&r->delay, c->loop, run_done, r);
    if (c->framework->scan_off) {
        give(r, VERDICT_SKIPPED, VERDICT_REASON_SCAN_OFF, SPAN(""));
    } else {
        look(r, s->fd, s->size, &delay_ms);
        verdict_copy_text(r->verdict.engine, sizeof(r->verdict.engine), span_cstr(c->framework->engines[0].name));
        r->verdict.database_version = 1;
    }
    if (delay_ms)
        deadline_set_ms(&r->delay, delay_ms);
    else
        loop_defer(c->loop, &r->ready);
    return r;
}

const struct verdict *scan_run_verdict(const struct scan_run *r)
{
    return r->done ? &r->verdict : NULL;
}

const char *scan_run_words(const struct scan_run *r)
{
    (void)r;
    return "";
}

const struct scan_inspection *scan_run_inspection(const struct scan_run *r)
{
    (void)r;
    return NULL;
}

void scan_run_free(struct scan_run *r)
{
    loop_defer_cancel(&r->ready);
    deadline_clear(&r->delay);
    mem_free(r);
}
