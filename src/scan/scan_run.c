/* SPDX-License-Identifier: MIT */
/* A run walks along the engines: run_advance() asks the next one or notes at once why it cannot, until a call is on its
 * way or the verdict is known. The name of the engine that decided is our own, never an answer's.
 */
#include "scan/scan_run.h"
#include "base/mem.h"
#include "base/obj.h"
#include "scan/ignore.h"
#include "scan/known_parts.h"
#include "scan/probe.h"
#include <unistd.h>

enum { RUN_MAGIC = 0x5ca9a094 };

/* All engines with names and reasons of common length; far below a log line. */
enum { SCAN_RUN_WORDS = 1024 };
/* So long, at most, a pool that has turned a message away is not offered another. */
enum { FULL_US = 5 * 1000 * 1000 };

struct scan_run {
    unsigned magic;
    struct scan_runtime *runtime;
    struct scan_call call;
    struct scan_subject subject;
    struct subject_words marked;
    uint8_t digest[32];
    void (*wake)(void *arg);
    void *arg;
    size_t engine;   /* index of the engine that is asked, or is asked next */
    bool asked;      /* it was let through by its health, which is to hear what came of it */
    unsigned ticket; /* for that */
    struct loop *loop;
    struct loop_deferred done;
    enum { NOT_INSPECTED, INSPECTED, INSPECTION_FAILED } inspected;
    bool resumed; /* the engine that is next was looked up in its cache before the inspection */
    struct scan_inspection inspection;
    struct verdict inspection_failure;
    int parts;         /* the parts file; -1: none */
    bool begun;        /* VERDICT holds an engine's word */
    bool switched_off; /* an engine was passed over that would have looked */
    bool finished;
    char skipped_by[SUBJECT_VARIABLE]; /* the last variable that kept an engine from looking */
    struct verdict verdict;
    char words[SCAN_RUN_WORDS]; /* of each engine, in their order */
    size_t words_len;
};

static void run_done(void *arg)
{
    struct scan_run *r = arg;
    OBJ_CHECK(r, RUN_MAGIC);
    r->wake(r->arg); /* R may be gone now */
}

static void run_drop_parts(struct scan_run *r);

static void run_finish(struct scan_run *r)
{
    run_drop_parts(r);
    r->finished = true;
    loop_defer(r->loop, &r->done);
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* "clamav1=infected:Some.Virus", with what it was about where there is something. What does not fit is left out. */
static void run_add(struct scan_run *r, const char *engine, const char *what, const char *about, bool cached)
{
    char word[LIMIT_ENGINE_NAME + LIMIT_VERDICT_NAME + 40];
    int len = snprintf(word, sizeof(word), "%s%s=%s%s%s%s", r->words_len ? "; " : "", engine, what, about[0] ? ":" : "",
                       about, cached ? " (cached)" : "");
    if (len <= 0 || (size_t)len >= sizeof(r->words) - r->words_len)
        return;
    memcpy(r->words + r->words_len, word, (size_t)len + 1);
    r->words_len += (size_t)len;
}

static void run_add_word(struct scan_run *r, const struct verdict *v)
{
    const char *about = v->name[0] ? v->name : v->reason != VERDICT_REASON_NONE ? verdict_reason_word(v->reason) : "";
    run_add(r, v->engine, verdict_class_word(v->class), about, v->cached);
}

/* The whole message is a declared false alarm. Names are the engine's business: it alone can look for what is behind
 * one. */
static void run_ignore(const struct scan_run *r, struct verdict *v)
{
    const struct conf_list *ignored = &r->runtime->framework->engines[r->engine].conf->ignore_signatures;
    bool found = v->class == VERDICT_INFECTED || v->class == VERDICT_UNSCANNABLE;
    if (!found || !ignore_holds_digest(ignored, r->digest))
        return;
    char detail[LIMIT_VERDICT_TEXT + 1];
    snprintf(detail, sizeof(detail), "%s %.128s: the message is in ignore_signatures", verdict_class_word(v->class),
             v->name[0] ? v->name : verdict_reason_word(v->reason));
    v->class = VERDICT_CLEAN; /* the rest stays true: times, database, generation */
    v->reason = VERDICT_REASON_NONE;
    v->name[0] = '\0';
    verdict_copy_text(v->detail, sizeof(v->detail), span_cstr(detail));
}

/* Joins the word of the engine that is next into the verdict; ASKED: it was given the message for that. */
static void run_note(struct scan_run *r, const struct verdict *from, bool asked)
{
    struct verdict v = *from;
    run_ignore(r, &v);
    /* Whoever reads the context would take a missing mark for clean. */
    if (subject_mark(&r->subject, r->runtime->framework, r->engine, &v, &r->marked) != ERR_OK)
        verdict_set(&v, VERDICT_ERROR, VERDICT_REASON_ENGINE, "no room for the context variables of the result");
    verdict_copy_text(v.engine, sizeof(v.engine), span_cstr(r->runtime->framework->engines[r->engine].name));
    run_add_word(r, &v);
    engine_runtime_count(&r->runtime->engines[r->engine], &v, asked);
    uint64_t queue_us = add_saturated(r->verdict.queue_us, v.queue_us);
    uint64_t scan_us = add_saturated(r->verdict.scan_us, v.scan_us);
    if (!r->begun || framework_outranks(r->runtime->framework, &v, &r->verdict))
        r->verdict = v;
    r->verdict.queue_us = queue_us;
    r->verdict.scan_us = scan_us;
    r->begun = true;
    r->resumed = false;
    r->engine++;
}

/* The engine's stanza asks for an inspection. */
static bool run_inspects(const struct scan_run *r)
{
    return framework_inspects(&r->runtime->framework->engines[r->engine]);
}

/* What the inspection says about the message, as a word of the engine that is next. */
static void run_judge(const struct scan_run *r, struct verdict *out)
{
    const struct framework_engine *engine = &r->runtime->framework->engines[r->engine];
    if (!run_inspects(r) || r->inspected == NOT_INSPECTED) {
        verdict_set(out, VERDICT_CLEAN, VERDICT_REASON_NONE, NULL);
    } else if (r->inspected == INSPECTION_FAILED) {
        *out = r->inspection_failure;
    } else {
        inspection_judge(r->runtime->framework, engine, &r->inspection, out);
    }
    verdict_copy_text(out->engine, sizeof(out->engine), span_cstr(engine->name));
}

/* Joins what the inspection says to V, the word of the engine that was asked, whose times and figures stay. */
static void run_join(const struct scan_run *r, struct verdict *v)
{
    struct verdict judged;
    verdict_copy_text(v->engine, sizeof(v->engine), span_cstr(r->runtime->framework->engines[r->engine].name));
    run_judge(r, &judged);
    if (!framework_outranks_within(r->runtime->framework, &judged, v))
        return;
    judged.database_version = v->database_version;
    judged.generation = v->generation;
    judged.queue_us = v->queue_us;
    judged.scan_us = v->scan_us;
    judged.parts = v->parts;
    *v = judged;
}

static bool run_is_settled(const struct scan_run *r)
{
    const struct framework *fw = r->runtime->framework;
    return r->engine == fw->engine_count || (r->begun && framework_is_final(fw, &r->verdict));
}

/* The engine that is next is given the message's parts. */
static bool run_has_parts(const struct scan_run *r)
{
    return r->inspected == INSPECTED && r->inspection.contents > 0 &&
           r->runtime->framework->engines[r->engine].conf->mime_decompose;
}

static struct known_parts_file run_parts(const struct scan_run *r)
{
    return (struct known_parts_file){.fd = r->parts, .size = r->inspection.size, .message = r->subject.size};
}

/* What the engine that is next is now. False: its host has not reported, so nobody knows whether it is what it was. */
static bool run_view(const struct scan_run *r, struct verdict_cache_view *view)
{
    const struct scan_status *now = scan_client_status(r->call.client, r->engine, &view->generation);
    view->database_version = now->database_version;
    return now->state == SCAN_ENGINE_READY;
}

/* It has spoken about this message before. */
static bool run_remember(const struct scan_run *r, struct verdict *out)
{
    struct verdict_cache_view view;
    return run_view(r, &view) &&
           verdict_cache_find(r->runtime->engines[r->engine].cache, r->digest, view, loop_now_us(r->loop), out);
}

/* Whatever else the engine may say of a message, that a part of it is infected counts first. */
static bool run_infected_is_strictest(const struct scan_run *r)
{
    const struct framework *fw = r->runtime->framework;
    struct verdict v;
    verdict_set(&v, VERDICT_INFECTED, VERDICT_REASON_NONE, NULL);
    verdict_copy_text(v.engine, sizeof(v.engine), span_cstr(fw->engines[r->engine].name));
    return framework_action(fw, &v) == SCAN_ACTION_REJECT;
}

/* Or about a part of it, in another message. Not where its infected mail is delivered or kept: then its word about the
 * rest of this one (encrypted, say, and to be refused) could be the stricter, and is not known. */
static bool run_remember_part(const struct scan_run *r, struct verdict *out)
{
    struct verdict_cache_view view;
    const struct known_parts_file file = run_parts(r);
    return run_has_parts(r) && run_infected_is_strictest(r) && run_view(r, &view) &&
           known_parts_find(r->runtime->engines[r->engine].cache, &file, view, loop_now_us(r->loop), out);
}

/* For the engine's health and its cache. V: NULL, nothing came. What it says of a message is kept only where it had
 * all that its stanza wants it to have, and where nothing but its own word counts: the next time that word is all. */
static void run_learn(struct scan_run *r, const struct verdict *v)
{
    struct verdict judged;
    if (!r->asked)
        return;
    r->asked = false;
    probes_report(scan_client_probes(r->call.client), r->engine, r->ticket, v);
    run_judge(r, &judged);
    if (v && (v->class == VERDICT_INFECTED || judged.class == VERDICT_CLEAN))
        verdict_cache_put(r->runtime->engines[r->engine].cache, r->digest, v, loop_now_us(r->loop));
    const struct known_parts_file file = run_parts(r);
    if (v && run_has_parts(r))
        known_parts_learn(r->runtime->engines[r->engine].cache, &file, v, loop_now_us(r->loop));
}

/* Has the message taken apart, and returns true. False: that cannot be done now. */
static bool run_inspect(struct scan_run *r)
{
    struct verdict *why = &r->inspection_failure;
    bool sent = false;
    if (atomic_load(&r->runtime->parts_memory) >= LIMIT_PARTS_MEMORY)
        verdict_set(why, VERDICT_ERROR, VERDICT_REASON_OVERLOAD, "the parts of other messages take all the room");
    else
        sent = scan_call_inspect(&r->call, r->engine, r->subject.fd, r->subject.size, r->digest, why);
    if (sent)
        return true;
    r->inspected = INSPECTION_FAILED;
    scan_runtime_count_inspection(r->runtime, NULL);
    return false;
}

/* Sends the job to the engine that is next. */
static bool run_send(struct scan_run *r, struct verdict *why)
{
    bool with_parts = run_has_parts(r);
    return scan_call_send_parts(&r->call, r->engine, r->subject.fd, r->subject.size, r->digest,
                                with_parts ? r->parts : -1, with_parts ? r->inspection.size : 0, why);
}

/* Asks the engine that is next, or what has to be known before it, and returns true. False: V is what it says, from
 * memory, or why it was not asked. */
static bool run_ask(struct scan_run *r, struct verdict *v)
{
    if (!r->resumed && run_remember(r, v))
        return false;
    if (run_inspects(r) && r->inspected == NOT_INSPECTED && run_inspect(r))
        return true;
    run_judge(r, v);
    if (v->class == VERDICT_INFECTED) /* no engine can add to that */
        return false;
    if (run_remember_part(r, v)) {
        run_join(r, v);
        return false;
    }
    r->asked = health_admit(&r->runtime->engines[r->engine].health, loop_now_us(r->loop), &r->ticket, v);
    if (!r->asked)
        return false;
    if (run_send(r, v))
        return true;
    run_learn(r, v);
    return false;
}

/* The next engine has nothing to say about this message. */
static bool run_passes_over(struct scan_run *r)
{
    char name[SUBJECT_VARIABLE];
    const char *variable = subject_skip(&r->subject, &r->runtime->framework->engines[r->engine], name);
    if (variable) {
        snprintf(r->skipped_by, sizeof(r->skipped_by), "%s", variable);
        return true;
    }
    if (!atomic_load(&r->runtime->engines[r->engine].disabled))
        return false;
    r->switched_off = true;
    run_add(r, r->runtime->framework->engines[r->engine].name, "disabled", "", false);
    return true;
}

/* No engine has looked. */
static void run_conclude_unseen(struct scan_run *r)
{
    char detail[LIMIT_VERDICT_TEXT + 1];
    snprintf(detail, sizeof(detail), "%s is set", r->skipped_by);
    if (r->switched_off)
        verdict_set(&r->verdict, VERDICT_ERROR, VERDICT_REASON_NO_ENGINE, "every engine is switched off");
    else
        verdict_set(&r->verdict, VERDICT_SKIPPED, VERDICT_REASON_SKIP_VARIABLE, detail);
}

static void run_advance(struct scan_run *r)
{
    struct verdict v;
    while (!run_is_settled(r)) {
        if (run_passes_over(r)) {
            r->engine++;
            continue;
        }
        if (run_ask(r, &v))
            return;
        if (!v.cached)
            run_join(r, &v);
        run_note(r, &v, false);
    }
    if (!r->begun)
        run_conclude_unseen(r);
    scan_runtime_conclude(r->runtime, &r->verdict);
    run_finish(r);
}

/* A pool that turned a message away is full until it answers something, whatever it be: then it has room for another.
 * Or until a while has passed: whoever waited in the queue may have left it in silence. */
static void run_note_pool(const struct scan_run *r, const struct verdict *v)
{
    const struct framework *fw = r->runtime->framework;
    int pool =
        r->call.kind == SCAN_JOB_INSPECT ? fw->inspection_pool : framework_pool_index(fw, fw->engines[r->engine].pool);
    bool full = v && v->reason == VERDICT_REASON_OVERLOAD && v->scan_us == 0; /* otherwise it is the engine's word */
    if (pool >= 0)
        atomic_store(&r->runtime->full_until_us[pool], full ? loop_now_us(r->loop) + FULL_US : 0);
}

bool scan_run_refuses_early(struct scan_client *c, const struct scan_subject *s, struct verdict *v)
{
    struct scan_runtime *runtime = scan_client_runtime(c);
    const struct framework *fw = runtime->framework;
    uint64_t now = loop_now_us(scan_client_loop(c));
    for (size_t i = 0; i < fw->engine_count && !fw->scan_off; i++) {
        char name[SUBJECT_VARIABLE];
        int pool = framework_pool_index(fw, fw->engines[i].pool);
        if (pool < 0 || now >= atomic_load(&runtime->full_until_us[pool]) ||
            atomic_load(&runtime->engines[i].disabled) || subject_skip(s, &fw->engines[i], name))
            continue;
        verdict_set(v, VERDICT_ERROR, VERDICT_REASON_OVERLOAD, "refused before it was received");
        verdict_copy_text(v->engine, sizeof(v->engine), span_cstr(fw->engines[i].name));
        if (framework_action(fw, v) != SCAN_ACTION_DEFER)
            continue;
        engine_runtime_count(&runtime->engines[i], v, false);
        return true;
    }
    return false;
}

/* The engine that was asked has spoken, or will not. */
static void run_answered(struct scan_call *call, const struct verdict *v)
{
    struct scan_run *r = container_of(call, struct scan_run, call);
    OBJ_CHECK(r, RUN_MAGIC);
    run_note_pool(r, v);
    if (call->kind == SCAN_JOB_INSPECT) {
        r->inspected = INSPECTION_FAILED;
        r->resumed = true;
        r->inspection_failure = *v;
        scan_runtime_count_inspection(r->runtime, NULL);
        run_advance(r);
        return;
    }
    struct verdict joined = *v;
    run_learn(r, v);
    run_join(r, &joined);
    run_note(r, &joined, true);
    run_advance(r);
}

static void run_inspected(struct scan_call *call, const struct scan_inspection *i, int parts)
{
    struct scan_run *r = container_of(call, struct scan_run, call);
    OBJ_CHECK(r, RUN_MAGIC);
    run_note_pool(r, NULL);
    r->inspected = INSPECTED;
    r->resumed = true;
    r->inspection = *i;
    r->parts = parts;
    atomic_fetch_add(&r->runtime->parts_memory, i->size);
    scan_runtime_count_inspection(r->runtime, i);
    run_advance(r);
}

static void run_drop_parts(struct scan_run *r)
{
    if (r->parts < 0)
        return;
    close(r->parts);
    r->parts = -1;
    atomic_fetch_sub(&r->runtime->parts_memory, r->inspection.size);
}

struct scan_run *scan_run_start(struct scan_client *c, const struct scan_subject *s, void (*wake)(void *arg), void *arg)
{
    struct scan_run *r = MEM_NEW(struct scan_run);
    if (!r)
        return NULL;
    OBJ_INIT(r, RUN_MAGIC);
    r->runtime = scan_client_runtime(c);
    r->loop = scan_client_loop(c);
    r->subject = *s;
    memcpy(r->digest, s->digest, sizeof(r->digest));
    r->wake = wake;
    r->arg = arg;
    r->parts = -1;
    scan_call_init(&r->call, c, run_answered);
    r->call.inspected = run_inspected;
    loop_deferred_init(&r->done, run_done, r);
    if (r->runtime->framework->scan_off) {
        verdict_set(&r->verdict, VERDICT_SKIPPED, VERDICT_REASON_SCAN_OFF, NULL);
        run_finish(r);
    } else if (r->runtime->framework->engine_count == 0) {
        verdict_set(&r->verdict, VERDICT_ERROR, VERDICT_REASON_NO_ENGINE, NULL);
        run_finish(r);
    } else {
        run_advance(r);
    }
    return r;
}

const struct verdict *scan_run_verdict(const struct scan_run *r)
{
    OBJ_CHECK(r, RUN_MAGIC);
    return r->finished ? &r->verdict : NULL;
}

const char *scan_run_words(const struct scan_run *r)
{
    OBJ_CHECK(r, RUN_MAGIC);
    return r->words;
}

const struct scan_inspection *scan_run_inspection(const struct scan_run *r)
{
    OBJ_CHECK(r, RUN_MAGIC);
    return r->inspected == INSPECTED ? &r->inspection : NULL;
}

void scan_run_free(struct scan_run *r)
{
    if (!r)
        return;
    OBJ_CHECK(r, RUN_MAGIC);
    scan_call_cancel(&r->call);
    run_learn(r, NULL);
    run_drop_parts(r);
    loop_defer_cancel(&r->done);
    OBJ_FINI(r);
    mem_free(r);
}
