/* SPDX-License-Identifier: MIT */
/* One probe per engine and loop: clean text, test string, judgement. */
#include "scan/probe.h"
#include "base/mem.h"
#include "base/obj.h"
#include "scan/canary_text.h"
#include "scan/scan_client.h"
#include "scan/trial.h"
#include "sys/rng.h"
#include <errno.h>
#include <unistd.h>

enum { PROBES_MAGIC = 0x5ca9b0be };

struct probe {
    struct probes *set;
    size_t engine;
    struct scan_call call;
    struct deadline due, idle;
    bool running, pattern; /* PATTERN: the text that is asked about */
    int fd;                /* of it, or -1 */
    const char *reason;    /* why it was sent */
    uint64_t begun_us;
    struct probe_result result;
    enum health_sign sign;
    char text[LIMIT_VERDICT_TEXT + 1];
    struct loop_deferred finish; /* the judgement is made */
    void (*done)(void *arg, const struct probe_result *result);
    void *arg;
};

struct probes {
    unsigned magic;
    struct scan_client *client;
    struct scan_runtime *runtime;
    struct loop *loop;
    const struct log *log;
    bool first; /* this loop's is the one that acts where one is enough */
    struct trials *trials;
    struct probe items[LIMIT_ENGINES];
};

static struct health *health_of(const struct probe *p)
{
    return &p->set->runtime->engines[p->engine].health;
}

static const struct framework_engine *engine_of(const struct probe *p)
{
    return p->set->runtime->engines[p->engine].engine;
}

/* ---- log ---- */

static void log_change(const struct probe *p, const struct health_change *change)
{
    static const enum log_event events[] = {LOG_ENGINE_RECOVERED, LOG_ENGINE_RESTS, LOG_ENGINE_TRIED};
    struct log_record r;
    log_begin(&r, p->set->log, events[change->to]);
    log_cstr(&r, "engine", engine_of(p)->name);
    log_cstr(&r, "from", health_state_word(change->from));
    log_cstr(&r, "to", health_state_word(change->to));
    log_u64(&r, "failures", change->failures);
    if (change->probe_in_us != HEALTH_NEVER)
        log_ms(&r, "next_probe_ms", change->probe_in_us);
    log_cstr(&r, "reason", change->why);
    log_end(&r);
}

static void log_probe(const struct probe *p)
{
    static const char *const words[] = {"good", "bad", "unknown", "bad"};
    struct log_record r;
    log_begin(&r, p->set->log, LOG_ENGINE_PROBE);
    log_cstr(&r, "engine", engine_of(p)->name);
    log_cstr(&r, "result", words[p->sign]);
    log_cstr(&r, "reason", p->reason);
    log_cstr(&r, "detail", p->text);
    log_ms(&r, "took_ms", p->result.took_us);
    log_end(&r);
}

/* ---- one probe ---- */

static void probe_look(struct probe *p);

static void close_message(struct probe *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

static void judge(struct probe *p, enum health_sign sign, const char *what, const struct verdict *v)
{
    const char *about = "";
    if (v)
        about = v->name[0] ? v->name : v->detail[0] ? v->detail : verdict_reason_meaning(v->reason);
    snprintf(p->text, sizeof(p->text), "%s%s%.180s", what, about[0] ? ": " : "", about);
    p->sign = sign;
    p->result.good = sign == HEALTH_GOOD;
    p->result.text = p->text;
    close_message(p);
    loop_defer(p->set->loop, &p->finish);
}

static void ask(struct probe *p, bool pattern);

static const char *pattern_missed(const struct probe *p)
{
    struct health_view view;
    health_look(health_of(p), loop_now_us(p->set->loop), &view);
    return view.pattern_known ? "the test string is not found any more" : "the test string is not found";
}

static void judge_clean(struct probe *p, const struct verdict *v)
{
    p->result.clean = *v;
    if (v->class == VERDICT_ERROR)
        judge(p, health_sign_of(v), verdict_reason_word(v->reason), v);
    else if (v->class != VERDICT_CLEAN)
        judge(p, HEALTH_BAD, "a clean message was not found clean", v);
    else
        ask(p, true);
}

static void judge_pattern(struct probe *p, const struct verdict *v)
{
    p->result.pattern = *v;
    bool found = v->class == VERDICT_INFECTED;
    if (v->class == VERDICT_ERROR)
        judge(p, health_sign_of(v), verdict_reason_word(v->reason), v);
    else if (v->class == VERDICT_UNSCANNABLE)
        judge(p, HEALTH_BAD, "the test string could not be scanned", v);
    else if (!health_pattern(health_of(p), found))
        judge(p, HEALTH_BLIND, pattern_missed(p), NULL);
    else
        judge(p, HEALTH_GOOD,
              found ? "scans, and finds the test string" : "scans; its database does not know the test string", NULL);
}

static void judge_answer(struct probe *p, const struct verdict *v)
{
    (p->pattern ? judge_pattern : judge_clean)(p, v);
}

static void probe_answered(struct scan_call *call, const struct verdict *v)
{
    judge_answer(container_of(call, struct probe, call), v);
}

static void ask(struct probe *p, bool pattern)
{
    /* Another one each time: a digest that ended several workers would be refused from then on. */
    uint8_t digest[32];
    struct verdict why;
    uint64_t size;
    close_message(p);
    p->pattern = pattern;
    rng_bytes(digest, sizeof(digest));
    if (canary_message(pattern ? CANARY_PATTERN : CANARY_CLEAN, &p->fd, &size) != ERR_OK) {
        verdict_set(&why, VERDICT_ERROR, VERDICT_REASON_NONE, strerror(errno));
        judge(p, HEALTH_NOTHING, "no message could be made", &why);
    } else if (!scan_call_send(&p->call, p->engine, p->fd, size, digest, &why)) {
        judge_answer(p, &why);
    }
}

static void probe_start(struct probe *p, const char *reason)
{
    p->running = true;
    p->reason = reason;
    p->begun_us = loop_now_us(p->set->loop);
    memset(&p->result, 0, sizeof(p->result));
    verdict_set(&p->result.clean, VERDICT_SKIPPED, VERDICT_REASON_NONE, NULL);
    p->result.pattern = p->result.clean;
    ask(p, false);
}

static void idle_wait(struct probe *p, uint64_t us)
{
    deadline_set_ms(&p->idle, us / 1000 + 1);
}

static void probe_finish(void *arg)
{
    struct probe *p = arg;
    OBJ_CHECK(p->set, PROBES_MAGIC);
    struct health_change change;
    void (*done)(void *arg, const struct probe_result *result) = p->done;
    uint64_t now = loop_now_us(p->set->loop);
    p->running = false;
    p->done = NULL;
    p->result.took_us = now > p->begun_us ? now - p->begun_us : 0;
    log_probe(p);
    if (health_probe_end(health_of(p), p->sign, p->text, now, &change))
        log_change(p, &change);
    if (p->sign == HEALTH_GOOD)
        trials_start(p->set->trials, p->engine, &p->result.pattern);
    probe_look(p);
    if (done)
        done(p->arg, &p->result);
}

/* Sends the probe that is due, or waits until one is. */
static void probe_look(struct probe *p)
{
    struct health *h = health_of(p);
    uint64_t now = loop_now_us(p->set->loop), wait = health_probe_wait(h, now);
    struct health_view view;
    deadline_clear(&p->due);
    if (wait == HEALTH_NEVER || p->running)
        return;
    if (wait > 0) {
        deadline_set_ms(&p->due, wait / 1000 + 1);
        return;
    }
    health_look(h, now, &view);
    if (health_probe_begin(h, false, now))
        probe_start(p, view.state == HEALTH_CLOSED ? "it failed several times" : "it is resting");
}

static void probe_due(void *arg)
{
    struct probe *p = arg;
    OBJ_CHECK(p->set, PROBES_MAGIC);
    probe_look(p);
}

static void probe_idle(void *arg)
{
    struct probe *p = arg;
    OBJ_CHECK(p->set, PROBES_MAGIC);
    const struct engine_runtime *e = &p->set->runtime->engines[p->engine];
    uint64_t now = loop_now_us(p->set->loop), period = (uint64_t)engine_of(p)->conf->probe_idle_ms * 1000;
    struct health_view view;
    health_look(health_of(p), now, &view);
    bool idle = view.quiet_us >= period;
    bool wanted = idle && view.state == HEALTH_CLOSED && !atomic_load(&e->disabled) && !p->running;
    if (wanted && health_probe_begin(health_of(p), true, now))
        probe_start(p, "nobody has asked it for a while");
    idle_wait(p, idle ? period : period - view.quiet_us);
}

/* ---- the set ---- */

/* What scans, but would let viruses through, scans no more. */
static void distrust(void *arg, size_t engine)
{
    struct probes *set = arg;
    struct probe *p = &set->items[engine];
    struct health_change change;
    if (health_distrust(health_of(p), pattern_missed(p), loop_now_us(set->loop), &change))
        log_change(p, &change);
    probe_look(p);
}

struct probes *probes_new(struct scan_client *c, const struct log *log, bool idle)
{
    struct probes *set = MEM_NEW(struct probes);
    if (!set)
        return NULL;
    OBJ_INIT(set, PROBES_MAGIC);
    set->client = c;
    set->runtime = scan_client_runtime(c);
    set->loop = scan_client_loop(c);
    set->log = log;
    set->first = idle;
    set->trials = trials_new(c, log, distrust, set);
    if (!set->trials) {
        OBJ_FINI(set);
        mem_free(set);
        return NULL;
    }
    for (size_t i = 0; i < set->runtime->framework->engine_count; i++) {
        struct probe *p = &set->items[i];
        p->set = set;
        p->engine = i;
        p->fd = -1;
        scan_call_init(&p->call, c, probe_answered);
        deadline_init(&p->due, set->loop, probe_due, p);
        deadline_init(&p->idle, set->loop, probe_idle, p);
        loop_deferred_init(&p->finish, probe_finish, p);
        if (idle && engine_of(p)->built && engine_of(p)->conf->probe_idle_ms > 0)
            idle_wait(p, (uint64_t)engine_of(p)->conf->probe_idle_ms * 1000);
    }
    return set;
}

void probes_free(struct probes *set)
{
    if (!set)
        return;
    OBJ_CHECK(set, PROBES_MAGIC);
    trials_free(set->trials);
    for (size_t i = 0; i < set->runtime->framework->engine_count; i++) {
        struct probe *p = &set->items[i];
        struct health_change change;
        scan_call_cancel(&p->call);
        close_message(p);
        deadline_clear(&p->due);
        deadline_clear(&p->idle);
        loop_defer_cancel(&p->finish);
        if (p->running && health_probe_end(health_of(p), HEALTH_NOTHING, NULL, loop_now_us(set->loop), &change))
            log_change(p, &change);
    }
    OBJ_FINI(set);
    mem_free(set);
}

void probes_report(struct probes *set, size_t engine, unsigned ticket, const struct verdict *v)
{
    struct probe *p = &set->items[engine];
    struct health_change change;
    if (health_report(health_of(p), ticket, v, loop_now_us(set->loop), &change))
        log_change(p, &change);
    if (v && v->class == VERDICT_ERROR)
        probe_look(p);
    else if (v && v->class != VERDICT_SKIPPED)
        trials_heard(set->trials, engine);
}

void probes_engine_ready(struct probes *set, size_t engine)
{
    struct probe *p = &set->items[engine];
    unsigned generation;
    enum scan_test_string told = scan_client_status(set->client, engine, &generation)->test_string;
    health_hint(health_of(p), loop_now_us(set->loop));
    if (told != SCAN_TEST_STRING_UNTRIED && !health_pattern(health_of(p), told == SCAN_TEST_STRING_FOUND))
        distrust(set, engine);
    if (set->first)
        trials_start(set->trials, engine, NULL);
    probe_look(p);
}

bool probes_force(struct probes *set, size_t engine, void (*done)(void *arg, const struct probe_result *result),
                  void *arg)
{
    struct probe *p = &set->items[engine];
    if (p->running || !health_probe_begin(health_of(p), true, loop_now_us(set->loop)))
        return false;
    p->done = done;
    p->arg = arg;
    probe_start(p, "it was asked for");
    return true;
}
