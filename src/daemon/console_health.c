/* SPDX-License-Identifier: MIT */
/* `engine health` and `engine probe`: how engines are (scan/health.h), and trying one now (scan/probe.h). */
#include "daemon/console_commands.h"
#include "scan/probe.h"

/* Long enough for any timeout of an engine that somebody would wait for. */
enum { PROBE_DEADLINE_MS = 5 * 60 * 1000 };

static unsigned long long seconds(uint64_t us)
{
    return (unsigned long long)(us / 1000000);
}

/* What went on to its recipients although this engine's word was against it. */
static void print_passed(struct console_call *c, const struct engine_runtime *e)
{
    bool any = false;
    for (unsigned i = 0; i < VERDICT_CLASS_COUNT; i++) {
        uint64_t count = atomic_load_explicit(&e->passed[i], memory_order_relaxed);
        if (count > 0)
            console_text(c, "%s %llu %s", any ? "," : "; let through by pass:", (unsigned long long)count,
                         verdict_class_word((enum verdict_class)i));
        any = any || count > 0;
    }
    console_text(c, "\n");
}

static bool has_doubt(const struct engine_runtime *e, enum engine_doubt d)
{
    return (atomic_load(&e->doubts) & 1U << d) != 0;
}

/* A host that cannot scan says so at once, and no message is a failure of the engine's then. */
static void print_host(struct console_call *c, const struct engine_runtime *e, const struct scan_status *host)
{
    if (host->state != SCAN_ENGINE_READY)
        console_text(c, "    its scan host: %s%s%s\n", console_engine_state(e->engine, host),
                     host->detail[0] ? ": " : "", host->detail);
}

static void print_health(struct console_call *c, const struct engine_runtime *e, const struct health_view *v)
{
    static const char *const meanings[] = {"asked as ever", "not asked", "asked by few messages"};
    console_text(c, "%s: %s (%s) for %llu s, failures in a row %u, opened %llu times, probes %llu (%llu bad)",
                 e->engine->name, health_state_word(v->state), meanings[v->state], seconds(v->state_us), v->failures,
                 (unsigned long long)v->opened, (unsigned long long)v->probes, (unsigned long long)v->probes_bad);
    if (v->probing)
        console_text(c, ", a probe is on its way");
    else if (v->probe_in_us != HEALTH_NEVER)
        console_text(c, ", next probe in %llu s", seconds(v->probe_in_us));
    console_text(c, "%s%s", v->why[0] ? "; last trouble: " : "", v->why);
    print_passed(c, e);
    for (int d = 0; d < ENGINE_DOUBT_COUNT; d++)
        if (has_doubt(e, (enum engine_doubt)d))
            console_text(c, "    doubtful: %s\n", engine_doubt_text((enum engine_doubt)d));
}

static void json_health(struct console_call *c, const struct engine_runtime *e, const struct health_view *v,
                        const struct scan_status *host)
{
    console_json_open(c, NULL, '{');
    console_json_str(c, "name", e->engine->name);
    console_json_str(c, "state", health_state_word(v->state));
    console_json_ms(c, "state_ms", v->state_us);
    console_json_u64(c, "failures", v->failures);
    console_json_u64(c, "opened", v->opened);
    console_json_u64(c, "probes", v->probes);
    console_json_u64(c, "probes_bad", v->probes_bad);
    console_json_bool(c, "probing", v->probing);
    if (v->probe_in_us != HEALTH_NEVER)
        console_json_ms(c, "next_probe_ms", v->probe_in_us);
    console_json_str(c, "last_trouble", v->why[0] ? v->why : NULL);
    console_json_str(c, "scan_host", console_engine_state(e->engine, host));
    console_json_str(c, "scan_host_detail", host->detail[0] ? host->detail : NULL);
    console_json_open(c, "doubts", '[');
    for (int d = 0; d < ENGINE_DOUBT_COUNT; d++)
        if (has_doubt(e, (enum engine_doubt)d))
            console_json_str(c, NULL, engine_doubt_word((enum engine_doubt)d));
    console_json_close(c);
    console_json_close(c);
}

static void engine_health(struct console_call *c)
{
    struct scan_runtime *r = scan_client_runtime(c->view->scans);
    const char *wanted = c->argv[0];
    size_t count = 0;
    console_json_open(c, NULL, '{');
    console_json_open(c, "engines", '[');
    for (size_t i = 0; i < r->framework->engine_count; i++) {
        const char *name = r->framework->engines[i].name;
        struct health_view v;
        if (wanted && strcmp(wanted, name) != 0)
            continue;
        health_look(&r->engines[i].health, loop_now_us(c->view->loop), &v);
        unsigned generation;
        const struct scan_status *host = scan_client_status(c->view->scans, i, &generation);
        print_health(c, &r->engines[i], &v);
        print_host(c, &r->engines[i], host);
        json_health(c, &r->engines[i], &v, host);
        count++;
    }
    if (wanted && count == 0)
        console_fail(c, "no engine \"%.60s\" is enabled in the configuration; `engine list` lists them", wanted);
    console_call_finish(c);
}

static void json_word(struct console_call *c, const char *key, const struct verdict *v)
{
    console_json_open(c, key, '{');
    console_json_str(c, "verdict", verdict_class_word(v->class));
    console_json_str(c, "reason", v->reason != VERDICT_REASON_NONE ? verdict_reason_word(v->reason) : NULL);
    console_json_str(c, "name", v->name[0] ? v->name : NULL);
    console_json_str(c, "detail", v->detail[0] ? v->detail : NULL);
    console_json_close(c);
}

static void probe_done(void *arg, const struct probe_result *result)
{
    struct console_call *c = arg;
    console_text(c, "%s: %s (%.3f ms)\n", result->good ? "good" : "not good", result->text,
                 (double)result->took_us / 1000.0);
    console_json_open(c, NULL, '{');
    console_json_bool(c, "good", result->good);
    console_json_str(c, "detail", result->text);
    json_word(c, "clean", &result->clean);
    json_word(c, "pattern", &result->pattern);
    console_json_ms(c, "took_ms", result->took_us);
    console_call_finish(c);
}

static void engine_probe(struct console_call *c)
{
    const struct scan_runtime *r = scan_client_runtime(c->view->scans);
    for (size_t i = 0; i < r->framework->engine_count; i++) {
        if (strcmp(r->framework->engines[i].name, c->argv[0]) != 0)
            continue;
        if (!probes_force(scan_client_probes(c->view->scans), i, probe_done, c)) {
            console_fail(c, "a probe of %s is on its way already", c->argv[0]);
            console_call_finish(c);
        }
        return;
    }
    console_fail(c, "no engine \"%.60s\" is enabled in the configuration; `engine list` lists them", c->argv[0]);
    console_call_finish(c);
}

static const struct console_command rows[] = {
    {.syntax = "engine health [NAME]", .help = "which engines rest after failures, and why", .run = engine_health},
    {.syntax = "engine probe NAME",
     .help = "give the engine a clean text and the test string now, and say what it makes of them",
     .changes = true, /* of its state, when it is ill */
     .deadline_ms = PROBE_DEADLINE_MS,
     .run = engine_probe},
};
const struct console_table console_health_table = CONSOLE_TABLE(rows);
