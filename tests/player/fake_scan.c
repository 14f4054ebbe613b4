/* SPDX-License-Identifier: MIT */
/* The scan hosts of the in-memory player: src/scan/scan_client.h without channels. Who is asked, in which order, what
 * is counted, remembered and decided is the real scan_run.c's. As the test engine does, each engine obeys the first
 * line `X-Fake: ORDER` of the message, or of one of its parts, that gives a verdict, so that a scenario means the same
 * in both players: clean | infected NAME | unscannable REASON | error REASON | delay MS (then the next) | hang (until
 * the timeout). Messages are taken apart by the code that workers run (host/inspect.c), but for one with a line
 * `X-Fake-Inspection: ORDER`, whose inspection ends in that way. */
#include "base/mem.h"
#include "base/num.h"
#include "player/memory.h"
#include "player/world.h"
#include "scan/host/inspect.h"
#include "scan/inspection.h"
#include "scan/parts.h"
#include "scan/probe.h"
#include "scan/scan_client.h"
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LOOK_AT = 65536, GENERATION = 1, DATABASE = 1 };
#define ORDER            SPAN("X-Fake: ")
#define INSPECTION_ORDER SPAN("X-Fake-Inspection: ")

struct scan_client {
    struct loop *loop;
    struct scan_runtime *runtime;
    const struct framework *framework;
    struct probes *probes;
    struct scan_status status; /* of every engine */
    struct list calls;         /* on their way */
    struct list ready;         /* of these, answered in the loop's next round */
    struct loop_deferred answer;
};

/* ---- what the engine says ---- */

static bool give(struct verdict *v, enum verdict_class class, enum verdict_reason reason, struct span name)
{
    verdict_set(v, class, reason, NULL);
    verdict_copy_text(v->name, sizeof(v->name), name);
    return true;
}

/* True when the order gave a verdict; *DELAY_MS grows by what it asks for. */
static bool obey(const struct scan_call *call, struct span order, struct verdict *v, uint64_t *delay_ms)
{
    size_t blank = span_find(order, ' ');
    struct span verb = span_sub(order, 0, blank), argument = span_sub(order, blank + 1, order.len);
    uint64_t ms;
    if (span_eq(verb, SPAN("delay")) && num_parse_u64(argument, 86400000, &ms) == ERR_OK) {
        *delay_ms += ms;
        return false;
    }
    if (span_eq(verb, SPAN("hang"))) {
        *delay_ms += (uint64_t)call->client->framework->engines[call->engine].conf->timeout_ms;
        return give(v, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, SPAN(""));
    }
    if (span_eq(verb, SPAN("clean")))
        return give(v, VERDICT_CLEAN, VERDICT_REASON_NONE, SPAN(""));
    if (span_eq(verb, SPAN("infected")))
        return give(v, VERDICT_INFECTED, VERDICT_REASON_NONE, argument);
    for (int i = 0; i < VERDICT_REASON_COUNT; i++) {
        enum verdict_reason reason = (enum verdict_reason)i;
        if (span_eq(argument, span_cstr(verdict_reason_word(reason))))
            return give(v, verdict_reason_class(reason), reason, SPAN(""));
    }
    return give(v, VERDICT_ERROR, VERDICT_REASON_ENGINE, SPAN(""));
}

/* The first order behind MARK in TEXT that gives a verdict; false: none does. */
static bool find_order(const struct scan_call *call, struct span text, struct span mark, struct verdict *v,
                       uint64_t *delay_ms)
{
    while (text.len > 0) {
        struct span line = span_sub(text, 0, span_find(text, '\n'));
        text = span_sub(text, line.len + 1, text.len);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (span_starts(line, mark) && obey(call, span_sub(line, mark.len, line.len), v, delay_ms))
            return true;
    }
    return false;
}

/* The beginning of SIZE octets at OFFSET of FD, for an order in it. */
static bool look_into(const struct scan_call *call, int fd, uint64_t offset, uint64_t size, struct span mark,
                      struct verdict *v, uint64_t *delay_ms)
{
    static char text[LOOK_AT];
    ssize_t n = pread(fd, text, size < LOOK_AT ? (size_t)size : LOOK_AT, (off_t)offset);
    if (n < 0)
        return give(v, VERDICT_ERROR, VERDICT_REASON_ENGINE, SPAN(""));
    return find_order(call, span_of(text, (size_t)n), mark, v, delay_ms);
}

/* As host/look.c: one part after the other, until one of them is not clean. */
static void look_at_parts(const struct scan_call *call, struct span file, struct verdict *v, uint64_t *delay_ms)
{
    struct parts_view view;
    struct parts_content content;
    uint32_t looked_at = 0;
    if (parts_open(file, call->size, &view) != ERR_OK)
        abort(); /* it is ours */
    while (looked_at < view.contents && v->class == VERDICT_CLEAN) {
        parts_content(&view, looked_at++, &content);
        bool found = look_into(call, content.verbatim ? call->fd : call->parts, content.offset, content.size, ORDER, v,
                               delay_ms);
        if (found)
            verdict_copy_text(v->part, sizeof(v->part), span_cstr(content.path));
    }
    v->parts = looked_at;
}

/* The engine's word about the message; *DELAY_MS is the time that it takes. */
static void look(const struct scan_call *call, struct verdict *v, uint64_t *delay_ms)
{
    *delay_ms = 0;
    if (!look_into(call, call->fd, 0, call->size, ORDER, v, delay_ms))
        give(v, VERDICT_CLEAN, VERDICT_REASON_NONE, SPAN(""));
    if (call->parts < 0 || v->class != VERDICT_CLEAN)
        return;
    void *map = mmap(NULL, (size_t)call->parts_size, PROT_READ, MAP_PRIVATE, call->parts, 0);
    if (map == MAP_FAILED)
        abort();
    look_at_parts(call, span_of(map, (size_t)call->parts_size), v, delay_ms);
    munmap(map, (size_t)call->parts_size);
}

/* ---- scan_client.h: the client ---- */

/* All worlds have their framework from a setup. */
static const struct setup *setup_of(const struct framework *fw)
{
    return (const struct setup *)(const void *)((const char *)fw - offsetof(struct setup, framework));
}

/* What a worker does; the memory that it takes is not the edge's. */
static bool take_apart(const struct scan_call *call, struct scan_inspection *result, struct verdict *why)
{
    struct scan_job job = {.id = call->id, .kind = SCAN_JOB_INSPECT, .size = call->size};
    uint64_t no_delay = 0;
    const char *fault = "";
    memcpy(job.digest, call->digest, sizeof(job.digest));
    memory_pause();
    bool done = !look_into(call, call->fd, 0, call->size, INSPECTION_ORDER, why, &no_delay) &&
                inspect_message(setup_of(call->client->framework)->inspector, &job, call->fd, call->parts, result, why);
    memory_resume();
    if (done && inspection_file_seal(call->parts, result->size, &fault) != ERR_OK)
        abort();
    return done;
}

static void answer_inspection(struct scan_call *call)
{
    struct scan_inspection result = {0};
    struct verdict why;
    bool done = take_apart(call, &result, &why);
    int parts = call->parts;
    if (done)
        call->parts = -1; /* its owner's from now on */
    scan_call_cancel(call);
    if (done)
        call->inspected(call, &result, parts);
    else
        call->answered(call, &why);
}

static void answer(struct scan_call *call)
{
    struct verdict v;
    uint64_t delay_ms;
    if (call->kind == SCAN_JOB_INSPECT) {
        answer_inspection(call);
        return;
    }
    look(call, &v, &delay_ms);
    v.database_version = DATABASE;
    v.generation = GENERATION;
    scan_call_cancel(call);
    call->answered(call, &v); /* CALL may be gone now */
}

static void answer_ready(void *arg)
{
    struct scan_client *c = arg;
    struct list *node;
    while ((node = list_take(&c->ready)) != NULL)
        answer(container_of(node, struct scan_call, node));
}

struct scan_client *scan_client_new(struct loop *l, struct scan_runtime *runtime, const struct log *log,
                                    bool log_status)
{
    struct scan_client *c = MEM_NEW(struct scan_client);
    (void)log_status;
    if (!c)
        return NULL;
    *c = (struct scan_client){.loop = l, .runtime = runtime, .framework = runtime->framework};
    c->status.state = SCAN_ENGINE_READY;
    c->status.database_version = DATABASE;
    list_init(&c->calls);
    list_init(&c->ready);
    loop_deferred_init(&c->answer, answer_ready, c);
    c->probes = probes_new(c, log, false);
    if (!c->probes) {
        mem_free(c);
        return NULL;
    }
    return c;
}

void scan_client_free(struct scan_client *c)
{
    if (!c)
        return;
    probes_free(c->probes);
    if (!list_empty(&c->calls) || !list_empty(&c->ready))
        abort(); /* a scan outlives its session */
    loop_defer_cancel(&c->answer);
    mem_free(c);
}

struct loop *scan_client_loop(const struct scan_client *c)
{
    return c->loop;
}

struct probes *scan_client_probes(const struct scan_client *c)
{
    return c->probes;
}

struct scan_runtime *scan_client_runtime(const struct scan_client *c)
{
    return c->runtime;
}

const struct scan_status *scan_client_status(const struct scan_client *c, size_t index, unsigned *generation)
{
    (void)index;
    *generation = GENERATION;
    return &c->status;
}

/* ---- scan_client.h: calls ---- */

static void call_delayed(void *arg)
{
    answer(arg);
}

void scan_call_init(struct scan_call *call, struct scan_client *c,
                    void (*answered)(struct scan_call *call, const struct verdict *v))
{
    *call = (struct scan_call){.client = c, .answered = answered, .fd = -1, .parts = -1};
    list_init(&call->node);
    deadline_init(&call->deadline, c->loop, call_delayed, call);
}

static void begin(struct scan_call *call, enum scan_job_kind kind, size_t engine, int fd, uint64_t size,
                  const uint8_t digest[32])
{
    call->kind = kind;
    call->engine = engine;
    call->fd = fd;
    call->size = size;
    call->parts = -1;
    call->parts_size = 0;
    memcpy(call->digest, digest, sizeof(call->digest));
    call->id = 1;
}

static void queue(struct scan_call *call, uint64_t delay_ms)
{
    struct scan_client *c = call->client;
    list_append(delay_ms ? &c->calls : &c->ready, &call->node);
    if (delay_ms)
        deadline_set_ms(&call->deadline, delay_ms);
    else
        loop_defer(c->loop, &c->answer);
}

bool scan_call_send_parts(struct scan_call *call, size_t engine, int fd, uint64_t size, const uint8_t digest[32],
                          int parts, uint64_t parts_size, struct verdict *why)
{
    struct verdict v;
    uint64_t delay_ms;
    (void)why;
    begin(call, SCAN_JOB_ENGINE, engine, fd, size, digest);
    call->parts = parts;
    call->parts_size = parts_size;
    look(call, &v, &delay_ms);
    queue(call, delay_ms);
    return true;
}

bool scan_call_send(struct scan_call *call, size_t engine, int fd, uint64_t size, const uint8_t digest[32],
                    struct verdict *why)
{
    return scan_call_send_parts(call, engine, fd, size, digest, -1, 0, why);
}

bool scan_call_inspect(struct scan_call *call, size_t engine, int fd, uint64_t size, const uint8_t digest[32],
                       struct verdict *why)
{
    struct verdict ignored;
    uint64_t delay_ms = 0;
    begin(call, SCAN_JOB_INSPECT, engine, fd, size, digest);
    call->parts = inspection_file_new();
    if (call->parts < 0) {
        verdict_set(why, VERDICT_ERROR, VERDICT_REASON_DOWN, strerror(errno));
        call->id = 0;
        return false;
    }
    (void)look_into(call, fd, 0, size, INSPECTION_ORDER, &ignored, &delay_ms);
    queue(call, delay_ms);
    return true;
}

void scan_call_cancel(struct scan_call *call)
{
    call->id = 0;
    list_remove(&call->node);
    deadline_clear(&call->deadline);
    if (call->kind == SCAN_JOB_INSPECT && call->parts >= 0) {
        close(call->parts);
        call->parts = -1;
    }
}
