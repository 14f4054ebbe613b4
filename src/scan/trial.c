/* SPDX-License-Identifier: MIT */
/* One trial per engine and loop: text after text, each with its judgement. */
#include "scan/trial.h"
#include "base/mem.h"
#include "base/obj.h"
#include "scan/canary_text.h"
#include "scan/scan_client.h"
#include "sys/rng.h"
#include <errno.h>
#include <unistd.h>

enum { TRIALS_MAGIC = 0x7121a150 };

/* In the order in which they are asked about: first what the others do not matter without. */
static const struct trial_text {
    enum canary_text text;
    enum engine_doubt doubt;
    enum verdict_reason reason; /* what the engine should say of it; NONE: that it is infected */
} texts[] = {
    {CANARY_PATTERN, ENGINE_DOUBT_PATTERN, VERDICT_REASON_NONE},
    {CANARY_DEEP, ENGINE_DOUBT_LIMITS, VERDICT_REASON_LIMIT},
    {CANARY_ENCRYPTED, ENGINE_DOUBT_ENCRYPTED, VERDICT_REASON_ENCRYPTED},
};

struct trial {
    struct trials *set;
    size_t engine;
    struct scan_call call;
    bool running, lost;
    bool owed, repeated; /* it could not be asked; and was asked again because a message could be */
    size_t at;           /* in TEXTS */
    int fd;              /* of the text, or -1 */
    char trouble[LIMIT_VERDICT_TEXT + 1];
    struct loop_deferred next; /* judged: on to the next text */
};

struct trials {
    unsigned magic;
    struct scan_client *client;
    const struct log *log;
    void (*lost)(void *arg, size_t engine);
    void *arg;
    struct trial items[LIMIT_ENGINES];
};

static struct engine_runtime *runtime_of(const struct trial *t)
{
    return &scan_client_runtime(t->set->client)->engines[t->engine];
}

static bool asks_clamd(const struct framework_engine *engine)
{
    return strcmp(engine->type, "clamav") == 0 && engine->conf->daemon.count > 0;
}

/* The stanza has such messages delivered whatever the engine says of them. */
static bool passes(const struct engine_conf *conf, enum verdict_reason reason)
{
    int word = framework_on_unscannable(conf, reason);
    return word == ON_UNSCANNABLE_PASS || (word == ON_UNSCANNABLE_ACTION && conf->action == ON_INFECTED_PASS);
}

static bool is_wanted(const struct trial *t, const struct trial_text *text)
{
    const struct framework_engine *engine = runtime_of(t)->engine;
    if (text->doubt == ENGINE_DOUBT_PATTERN)
        return engine->conf->test_string != TEST_STRING_IGNORED;
    return asks_clamd(engine) && !passes(engine->conf, text->reason);
}

/* ---- log ---- */

static void log_doubt(const struct trial *t, enum engine_doubt doubt)
{
    struct log_record r;
    log_begin(&r, t->set->log, LOG_ENGINE_DOUBT);
    log_cstr(&r, "engine", runtime_of(t)->engine->name);
    log_cstr(&r, "doubt", engine_doubt_word(doubt));
    log_cstr(&r, "reason", engine_doubt_text(doubt));
    log_end(&r);
}

static void log_trial(const struct trial *t)
{
    unsigned doubts = atomic_load(&runtime_of(t)->doubts);
    char words[64] = "";
    size_t len = 0;
    struct log_record r;
    for (int d = 0; d < ENGINE_DOUBT_COUNT; d++)
        if (doubts & 1U << d)
            len += (size_t)snprintf(words + len, sizeof(words) - len, "%s%s", len ? " " : "",
                                    engine_doubt_word((enum engine_doubt)d));
    log_begin(&r, t->set->log, LOG_ENGINE_TRIAL);
    log_cstr(&r, "engine", runtime_of(t)->engine->name);
    log_cstr(&r, "result", t->trouble[0] ? "unknown" : t->lost ? "bad" : doubts ? "doubtful" : "good");
    log_cstr(&r, "doubts", words[0] ? words : NULL);
    log_cstr(&r, "detail", t->trouble[0] ? t->trouble : NULL);
    log_end(&r);
}

/* ---- one trial ---- */

static void trial_give_up(struct trial *t, const char *what, const char *detail)
{
    snprintf(t->trouble, sizeof(t->trouble), "%s%s%.180s", what, detail[0] ? ": " : "", detail);
    t->at = ARRAY_SIZE(texts);
    t->owed = true;
}

static void note_doubt(struct trial *t, enum engine_doubt doubt, bool doubtful)
{
    unsigned bit = 1U << doubt;
    if (!doubtful)
        atomic_fetch_and(&runtime_of(t)->doubts, ~bit);
    else if (!(atomic_fetch_or(&runtime_of(t)->doubts, bit) & bit))
        log_doubt(t, doubt);
}

static void judge(struct trial *t, const struct verdict *v)
{
    const struct trial_text *text = &texts[t->at];
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    t->at++;
    if (v->class == VERDICT_ERROR) {
        trial_give_up(t, verdict_reason_word(v->reason), v->detail);
    } else if (text->doubt != ENGINE_DOUBT_PATTERN) {
        note_doubt(t, text->doubt, v->class == VERDICT_CLEAN);
    } else if (v->class == VERDICT_UNSCANNABLE && !asks_clamd(runtime_of(t)->engine)) {
        trial_give_up(t, "it could not look at all of the test string", v->detail);
    } else {
        bool found = v->class == VERDICT_INFECTED;
        t->repeated = false;
        t->lost = !health_pattern(&runtime_of(t)->health, found);
        note_doubt(t, text->doubt, !found && !t->lost);
    }
    loop_defer(scan_client_loop(t->set->client), &t->next);
}

static void trial_answered(struct scan_call *call, const struct verdict *v)
{
    judge(container_of(call, struct trial, call), v);
}

static void ask(struct trial *t)
{
    /* Another one each time: a digest that ended several workers would be refused from then on. */
    uint8_t digest[32];
    struct verdict why;
    uint64_t size;
    rng_bytes(digest, sizeof(digest));
    if (canary_message(texts[t->at].text, &t->fd, &size) != ERR_OK) {
        verdict_set(&why, VERDICT_ERROR, VERDICT_REASON_NONE, strerror(errno));
        judge(t, &why);
    } else if (!scan_call_send(&t->call, t->engine, t->fd, size, digest, &why)) {
        judge(t, &why);
    }
}

static void trial_next(void *arg)
{
    struct trial *t = arg;
    OBJ_CHECK(t->set, TRIALS_MAGIC);
    while (t->at < ARRAY_SIZE(texts) && (t->lost || !is_wanted(t, &texts[t->at]))) /* lost: nothing else matters now */
        t->at++;
    if (t->at < ARRAY_SIZE(texts)) {
        ask(t);
        return;
    }
    t->running = false;
    log_trial(t);
    if (t->lost)
        t->set->lost(t->set->arg, t->engine);
}

/* ---- the set ---- */

struct trials *trials_new(struct scan_client *c, const struct log *log, void (*lost)(void *arg, size_t engine),
                          void *arg)
{
    struct trials *set = MEM_NEW(struct trials);
    if (!set)
        return NULL;
    OBJ_INIT(set, TRIALS_MAGIC);
    set->client = c;
    set->log = log;
    set->lost = lost;
    set->arg = arg;
    for (size_t i = 0; i < LIMIT_ENGINES; i++) {
        struct trial *t = &set->items[i];
        t->set = set;
        t->engine = i;
        t->fd = -1;
        scan_call_init(&t->call, c, trial_answered);
        loop_deferred_init(&t->next, trial_next, t);
    }
    return set;
}

void trials_free(struct trials *set)
{
    OBJ_CHECK(set, TRIALS_MAGIC);
    for (size_t i = 0; i < LIMIT_ENGINES; i++) {
        struct trial *t = &set->items[i];
        scan_call_cancel(&t->call);
        if (t->fd >= 0)
            close(t->fd);
        loop_defer_cancel(&t->next);
    }
    OBJ_FINI(set);
    mem_free(set);
}

/* What is in our process has been tried by its scan host. Others have nothing to tell but the test string. */
static bool is_worth_it(const struct trial *t)
{
    const struct framework_engine *engine = runtime_of(t)->engine;
    bool outside = engine->conf->daemon.count > 0 || framework_is_command(engine);
    return asks_clamd(engine) || (outside && is_wanted(t, &texts[0]));
}

void trials_heard(struct trials *set, size_t engine)
{
    struct trial *t = &set->items[engine];
    if (!t->owed || t->repeated || t->running || asks_clamd(runtime_of(t)->engine)) /* clamd tells its version: news */
        return;
    t->repeated = true;
    trials_start(set, engine, NULL);
}

void trials_start(struct trials *set, size_t engine, const struct verdict *pattern)
{
    struct trial *t = &set->items[engine];
    const struct engine_runtime *e = runtime_of(t);
    struct health_view view;
    health_look(&runtime_of(t)->health, loop_now_us(scan_client_loop(set->client)), &view);
    if (t->running || !is_worth_it(t) || view.state != HEALTH_CLOSED || atomic_load(&e->disabled))
        return;
    t->running = true;
    t->lost = t->owed = false;
    t->trouble[0] = '\0';
    t->at = 0;
    if (pattern && is_wanted(t, &texts[0]))
        judge(t, pattern);
    else
        loop_defer(scan_client_loop(set->client), &t->next);
}
