/* SPDX-License-Identifier: MIT */
/* `threads`: the pools, in the original's layout; what its threads were are worker processes here. Each scan host is
 * asked for its figures, which are those of its present generation. */
#include "base/mem.h"
#include "base/num.h"
#include "daemon/console_commands.h"

struct threads_question {
    struct pool_call call;
    struct console_call *console;
    const char *why; /* NULL: REPORT holds the answer */
    struct scan_pool_report report;
};

struct threads_state {
    size_t count, open;
    void (*print)(struct console_call *c, const struct threads_question *q);
    struct threads_question questions[LIMIT_POOLS];
};

static const char *pool_name(const struct threads_question *q)
{
    return q->console->view->framework->pools[q->call.pool].name;
}

static void threads_stop(struct console_call *c)
{
    struct threads_state *s = c->state;
    for (size_t i = 0; i < s->count; i++)
        pool_call_cancel(&s->questions[i].call);
}

static void finish_if_complete(struct console_call *c)
{
    struct threads_state *s = c->state;
    if (s->open > 0)
        return;
    console_json_open(c, NULL, '{');
    console_json_open(c, "pools", '[');
    for (size_t i = 0; i < s->count; i++)
        s->print(c, &s->questions[i]);
    console_call_finish(c);
}

static void pool_answered(struct pool_call *call, const struct scan_pool_report *report, const char *why)
{
    struct threads_question *q = container_of(call, struct threads_question, call);
    struct threads_state *s = q->console->state;
    q->why = why;
    if (report)
        q->report = *report;
    s->open--;
    finish_if_complete(q->console);
}

/* Asks pools FIRST to LAST and prints their answers in that order. */
static void threads_ask(struct console_call *c, size_t first, size_t last, uint32_t concurrency,
                        void (*print)(struct console_call *c, const struct threads_question *q))
{
    struct threads_state *s = MEM_NEW(struct threads_state);
    if (!s) {
        console_fail(c, "no memory");
        console_call_finish(c);
        return;
    }
    c->state = s;
    c->stop = threads_stop;
    s->print = print;
    for (size_t i = first; i <= last; i++) {
        struct threads_question *q = &s->questions[s->count++];
        q->console = c;
        pool_call_init(&q->call, c->view->scans, pool_answered);
        q->call.pool = (int)i;
        if (pool_call_send(&q->call, (int)i, concurrency, &q->why))
            s->open++;
    }
    finish_if_complete(c);
}

static double ratio(uint64_t whole, uint64_t parts)
{
    return parts == 0 ? 0.0 : (double)whole / (double)parts;
}

static void print_stats(struct console_call *c, const struct threads_question *q)
{
    const uint64_t *f = q->report.figures;
    if (q->why) {
        console_text(c, "%s thread pool: %s\n", pool_name(q), q->why);
        return;
    }
    console_text(c, "%s thread pool: concurrency %llu\n", pool_name(q), (unsigned long long)f[POOL_CONCURRENCY]);
    if (q->call.generation > 1) /* else since the start, as the original's, which has no such line */
        console_text(c, "           Since generation %5u: %llus ago\n", q->call.generation,
                     (unsigned long long)(f[POOL_UPTIME_US] / 1000000));
    if (f[POOL_INVOCATIONS] == 0) /* as the original does */
        return;
    console_text(c, "               Total invocations: %llu\n", (unsigned long long)f[POOL_INVOCATIONS]);
    console_text(c, "    Observed average concurrency: %.2f\n", ratio(f[POOL_BUSY_US], f[POOL_ACTIVE_US]));
    console_text(c, "          Thread pool saturation: %5.2f%%\n", 100 * ratio(f[POOL_BUSY_US], f[POOL_CAPACITY_US]));
    console_text(c, "   Average wallclock time per op: %.2fms\n", ratio(f[POOL_SCAN_US], f[POOL_FINISHED]) / 1000);
    console_text(c, "            Current thread count: %llu\n", (unsigned long long)f[POOL_BUSY]);
    console_text(c, "  [inactive threads]\n");
    console_text(c, "            Current thread count: %llu\n", (unsigned long long)f[POOL_IDLE]);
}

static void json_report(struct console_call *c, const struct threads_question *q)
{
    const uint64_t *f = q->report.figures;
    console_json_open(c, NULL, '{');
    console_json_str(c, "pool", pool_name(q));
    if (q->why)
        console_json_str(c, "error", q->why);
    else
        console_json_u64(c, "generation", q->call.generation);
    for (unsigned i = 0; i < POOL_FIGURE_COUNT && !q->why; i++)
        console_json_u64(c, pool_figure_word((enum pool_figure)i), f[i]);
    console_json_close(c);
}

static void show_stats(struct console_call *c, const struct threads_question *q)
{
    print_stats(c, q);
    json_report(c, q);
}

static void show_queue(struct console_call *c, const struct threads_question *q)
{
    if (q->why)
        console_fail(c, "%s thread pool: %s", pool_name(q), q->why);
    console_text(c, "Jobs in the %s pool\n%llu jobs\n", pool_name(q),
                 (unsigned long long)q->report.figures[POOL_QUEUED]);
    json_report(c, q);
}

static void show_concurrency(struct console_call *c, const struct threads_question *q)
{
    if (q->why)
        console_fail(c, "%s thread pool: %s", pool_name(q), q->why);
    console_text(c, "%s thread pool: concurrency %llu\n", pool_name(q),
                 (unsigned long long)q->report.figures[POOL_CONCURRENCY]);
    json_report(c, q);
}

static void threads_stats(struct console_call *c)
{
    size_t count = c->view->framework->pool_count;
    if (count > 0) {
        threads_ask(c, 0, count - 1, 0, show_stats);
        return;
    }
    console_fail(c, "there is no pool: no engine is enabled");
    console_call_finish(c);
}

/* -1: there is none, and the answer says so. */
static int find_pool(struct console_call *c, const char *name)
{
    int pool = framework_pool_index(c->view->framework, name);
    if (pool >= 0)
        return pool;
    console_fail(c, "there is no pool \"%.60s\", or no engine runs in it; `threads stats` lists them", name);
    console_call_finish(c);
    return -1;
}

static void threads_queue(struct console_call *c)
{
    int pool = find_pool(c, c->argv[0]);
    if (pool >= 0)
        threads_ask(c, (size_t)pool, (size_t)pool, 0, show_queue);
}

static void threads_concurrency(struct console_call *c)
{
    uint64_t wanted;
    if (num_parse_u64(span_cstr(c->argv[1]), LIMIT_POOL_WORKERS, &wanted) != ERR_OK || wanted == 0) {
        console_refuse(c, "concurrency: found \"%.40s\", expected a number from 1 to %d", c->argv[1],
                       LIMIT_POOL_WORKERS);
        console_call_finish(c);
        return;
    }
    int pool = find_pool(c, c->argv[0]);
    if (pool >= 0)
        threads_ask(c, (size_t)pool, (size_t)pool, (uint32_t)wanted, show_concurrency);
}

static const struct console_command rows[] = {
    {.syntax = "threads stats", .help = "what the pools have done and how busy they are", .run = threads_stats},
    {.syntax = "threads POOL queue", .help = "how many scans wait in a pool", .run = threads_queue},
    {.syntax = "threads POOL concurrency N",
     .help = "another number of workers, until postern is restarted",
     .changes = true,
     .run = threads_concurrency},
};
const struct console_table console_threads_table = CONSOLE_TABLE(rows);
