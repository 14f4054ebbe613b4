/* SPDX-License-Identifier: MIT */
/* The scan hosts of the in-memory player: src/scan/scan_client.h without channels. Who is asked, in which order, what
 * is counted, remembered and decided is the real scan_run.c's. As the test engine does, each engine obeys the first
 * line `X-Fake: ORDER` of the message that gives a verdict, so that a scenario means the same in both players: clean |
 * infected NAME | unscannable REASON | error REASON | delay MS (then the next) | hang (until the timeout). */
#include "base/mem.h"
#include "base/num.h"
#include "scan/probe.h"
#include "scan/scan_client.h"
#include <unistd.h>

enum { LOOK_AT = 65536, GENERATION = 1, DATABASE = 1 };

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

/* The engine's word about the message; *DELAY_MS is the time that it takes. */
static void look(const struct scan_call *call, struct verdict *v, uint64_t *delay_ms)
{
    static char text[LOOK_AT];
    ssize_t n = pread(call->fd, text, call->size < LOOK_AT ? (size_t)call->size : LOOK_AT, 0);
    struct span rest = span_of(text, n > 0 ? (size_t)n : 0);
    *delay_ms = 0;
    if (n < 0) {
        give(v, VERDICT_ERROR, VERDICT_REASON_ENGINE, SPAN(""));
        return;
    }
    while (rest.len > 0) {
        struct span line = span_sub(rest, 0, span_find(rest, '\n'));
        rest = span_sub(rest, line.len + 1, rest.len);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (span_starts(line, SPAN("X-Fake: ")) && obey(call, span_sub(line, 8, line.len), v, delay_ms))
            return;
    }
    give(v, VERDICT_CLEAN, VERDICT_REASON_NONE, SPAN(""));
}

/* ---- scan_client.h: the client ---- */

static void answer(struct scan_call *call)
{
    struct verdict v;
    uint64_t delay_ms;
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
    *call = (struct scan_call){.client = c, .answered = answered, .fd = -1};
    list_init(&call->node);
    deadline_init(&call->deadline, c->loop, call_delayed, call);
}

bool scan_call_send_parts(struct scan_call *call, size_t engine, int fd, uint64_t size, const uint8_t digest[32],
                          int parts, uint64_t parts_size, struct verdict *why)
{
    struct scan_client *c = call->client;
    struct verdict v;
    uint64_t delay_ms;
    (void)parts;
    (void)parts_size;
    (void)why;
    call->engine = engine;
    call->fd = fd;
    call->size = size;
    memcpy(call->digest, digest, sizeof(call->digest));
    call->id = 1;
    look(call, &v, &delay_ms);
    list_append(delay_ms ? &c->calls : &c->ready, &call->node);
    if (delay_ms)
        deadline_set_ms(&call->deadline, delay_ms);
    else
        loop_defer(c->loop, &c->answer);
    return true;
}

bool scan_call_send(struct scan_call *call, size_t engine, int fd, uint64_t size, const uint8_t digest[32],
                    struct verdict *why)
{
    return scan_call_send_parts(call, engine, fd, size, digest, -1, 0, why);
}

/* There is no host that takes messages apart. */
bool scan_call_inspect(struct scan_call *call, size_t engine, int fd, uint64_t size, const uint8_t digest[32],
                       struct verdict *why)
{
    (void)call;
    (void)engine;
    (void)fd;
    (void)size;
    (void)digest;
    verdict_set(why, VERDICT_ERROR, VERDICT_REASON_DOWN, "the player takes no messages apart");
    return false;
}

void scan_call_cancel(struct scan_call *call)
{
    call->id = 0;
    list_remove(&call->node);
    deadline_clear(&call->deadline);
}
