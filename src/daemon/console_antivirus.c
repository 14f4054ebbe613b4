/* SPDX-License-Identifier: MIT */
/* `antivirus[:NAME] stats` in the original's layout, and `version`. The figures are of this edge since its start, over
 * all its loops. */
#include "daemon/console_commands.h"
#include "sys/clock.h"

#include <time.h>

enum { DEFINITIONS = 32, FRESH_DAYS = 7 };
#define YEAR_9999 UINT64_C(253402300799) /* its last second; a later time is nonsense of the host */

/* Name of the antivirus scope that ENGINE stands in; the class's name where it has none. */
static const char *instance_of(const struct framework_engine *engine)
{
    const struct conf_scope *outer = engine->scope->parent;
    if (outer && outer->name)
        return outer->name;
    return antivirus_class.name;
}

static bool is_asked_for(const struct console_call *c, const struct framework_engine *engine)
{
    return !c->instance || strcmp(c->instance, instance_of(engine)) == 0;
}

/* True: there is something to show. Otherwise the answer says why not. */
static bool has_engines(struct console_call *c)
{
    const struct framework *fw = c->view->framework;
    for (size_t i = 0; i < fw->engine_count; i++)
        if (is_asked_for(c, &fw->engines[i]))
            return true;
    if (c->instance)
        console_fail(c, "antivirus \"%.60s\": there is none of that name, or no engine in it is enabled", c->instance);
    else
        console_fail(c, "no engine is enabled");
    return false;
}

/* The original prints the engine's type alone, and a plug-in is a type of its own. Where that leaves a doubt, the
 * instance's name follows. */
static void print_heading(struct console_call *c, const struct framework_engine *engine)
{
    const struct framework *fw = c->view->framework;
    size_t same = 0;
    for (size_t i = 0; i < fw->engine_count; i++)
        same +=
            is_asked_for(c, &fw->engines[i]) && strcmp(framework_stem(&fw->engines[i]), framework_stem(engine)) == 0;
    console_text(c, same > 1 ? "%s \"%s\"\n" : "%s\n", framework_stem(engine), engine->name);
}

static uint64_t load(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* `nanms` before the first. */
static void print_average(struct console_call *c, const char *label, uint64_t us, uint64_t count)
{
    if (count == 0)
        console_text(c, "  %s nanms\n", label);
    else
        console_text(c, "  %s %.3fms\n", label, (double)us / (double)count / 1000.0);
}

static void print_stats(struct console_call *c, const struct engine_runtime *e)
{
    uint64_t scan_us = load(&e->scan_us);
    print_heading(c, e->engine);
    console_text(c, "  Messages checked:   %llu\n", (unsigned long long)load(&e->checked));
    console_text(c, "  MIME parts checked: %llu\n", (unsigned long long)load(&e->parts));
    console_text(c, "  Viruses detected:   %llu\n", (unsigned long long)load(&e->detected));
    console_text(c, "  Viruses cured:      %llu\n", (unsigned long long)load(&e->cured));
    print_average(c, "Avg. time/message  ", scan_us, load(&e->scanned));
    print_average(c, "Avg. time/MIME part", scan_us, load(&e->scanned_parts));
}

static void json_identity(struct console_call *c, const struct framework_engine *engine)
{
    console_json_str(c, "antivirus", instance_of(engine));
    console_json_str(c, "name", engine->name);
    console_json_str(c, "type", engine->type);
    console_json_str(c, "pool", engine->pool);
}

static void json_counts(struct console_call *c, const struct engine_runtime *e)
{
    static const enum verdict_class passing[] = {VERDICT_INFECTED, VERDICT_UNSCANNABLE, VERDICT_ERROR};
    console_json_open(c, "classes", '{');
    for (unsigned i = 0; i < VERDICT_CLASS_COUNT; i++)
        console_json_u64(c, verdict_class_word((enum verdict_class)i), load(&e->classes[i]));
    console_json_close(c);
    console_json_open(c, "reasons", '{');
    for (unsigned i = 0; i < VERDICT_REASON_COUNT; i++)
        if (i != VERDICT_REASON_NONE)
            console_json_u64(c, verdict_reason_word((enum verdict_reason)i), load(&e->reasons[i]));
    console_json_close(c);
    console_json_open(c, "passed", '{');
    for (unsigned i = 0; i < ARRAY_SIZE(passing); i++)
        console_json_u64(c, verdict_class_word(passing[i]), load(&e->passed[passing[i]]));
    console_json_close(c);
}

static void json_stats(struct console_call *c, const struct engine_runtime *e)
{
    uint64_t scanned = load(&e->scanned), scan_us = load(&e->scan_us), queue_us = load(&e->queue_us);
    console_json_open(c, NULL, '{');
    json_identity(c, e->engine);
    console_json_bool(c, "enabled", !atomic_load(&e->disabled));
    console_json_u64(c, "messages_checked", load(&e->checked));
    console_json_u64(c, "mime_parts_checked", load(&e->parts));
    console_json_u64(c, "viruses_detected", load(&e->detected));
    console_json_u64(c, "viruses_cured", load(&e->cured));
    console_json_u64(c, "known_from_cache", load(&e->cached));
    console_json_u64(c, "messages_scanned", scanned);
    console_json_ms(c, "scan_ms", scan_us);
    console_json_ms(c, "queue_ms", queue_us);
    console_json_ratio(c, "average_scan_ms", scan_us, scanned * 1000);
    console_json_ratio(c, "average_queue_ms", queue_us, scanned * 1000);
    json_counts(c, e);
    console_json_close(c);
}

/* Messages that were taken apart, whatever engines asked for it. */
static void json_inspections(struct console_call *c, const struct scan_runtime *r)
{
    uint64_t count = load(&r->inspections);
    console_json_open(c, "inspection", '{');
    console_json_u64(c, "messages", count);
    console_json_u64(c, "failed", load(&r->inspections_failed));
    console_json_ratio(c, "average_ms", load(&r->inspection_us), count * 1000);
    console_json_open(c, "defects", '{');
    for (unsigned d = 0; d < MIME_DEFECT_COUNT; d++)
        console_json_u64(c, mime_defect_word((enum mime_defect)d), load(&r->defects[d]));
    console_json_close(c);
    console_json_close(c);
}

static void antivirus_stats(struct console_call *c)
{
    const struct scan_runtime *r = scan_client_runtime(c->view->scans);
    if (has_engines(c)) {
        console_json_open(c, NULL, '{');
        console_json_u64(c, "since_ms", c->view->started_ms);
        console_json_open(c, "engines", '[');
        for (size_t i = 0; i < r->framework->engine_count; i++) {
            if (!is_asked_for(c, &r->framework->engines[i]))
                continue;
            print_stats(c, &r->engines[i]);
            json_stats(c, &r->engines[i]);
        }
        console_json_close(c);
        json_inspections(c, r);
    }
    console_call_finish(c);
}

/* As the engine's vendor writes it: Symantec YYYYMMDD.nnn, the others a number. */
static void definitions_version(const struct framework_engine *engine, const struct scan_status *s,
                                char out[DEFINITIONS])
{
    unsigned long long version = s->database_version;
    bool symantec = engine->scope->class == &csapi_class && engine->conf->daemon.count > 0;
    if (version == 0)
        snprintf(out, DEFINITIONS, "unknown");
    else if (symantec)
        snprintf(out, DEFINITIONS, "%08llu.%03llu", version / 1000, version % 1000);
    else
        snprintf(out, DEFINITIONS, "%llu", version);
}

/* Days since the definitions were made; false: nobody knows. */
static bool age_of(const struct scan_status *s, uint64_t *days)
{
    uint64_t now = clock_wall_ms() / 1000;
    *days = now > s->database_time ? (now - s->database_time) / (UINT64_C(24) * 3600) : 0;
    return s->database_time != 0 && s->database_time <= YEAR_9999;
}

/* Postern cannot know whether there is anything newer: what is older than a week is said to be, as libclamav does. */
static void print_age(struct console_call *c, const struct scan_status *s)
{
    uint64_t days;
    struct tm tm;
    time_t made = (time_t)s->database_time;
    if (!age_of(s, &days) || !gmtime_r(&made, &tm))
        console_text(c, "Not known whether up to date: the definitions have no date\n");
    else
        console_text(c, "%s: the definitions are of %04d-%02d-%02d, %llu days old\n",
                     days <= FRESH_DAYS ? "Up to date" : "Out of date", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                     (unsigned long long)days);
}

static void print_version(struct console_call *c, const struct framework_engine *engine, const struct scan_status *s,
                          unsigned generation)
{
    console_text(c, "antivirus: %s", engine->type);
    if (strcmp(engine->type, engine->name) != 0)
        console_text(c, " \"%s\"", engine->name);
    if (s->state != SCAN_ENGINE_READY) {
        console_text(c, ": %s%s%s\n", console_engine_state(engine, s), s->detail[0] ? ": " : "", s->detail);
        return;
    }
    console_text(c, " scanner version number: %s\n", s->detail);
    char version[DEFINITIONS];
    definitions_version(engine, s, version);
    console_text(c, "AV definitions version: %s\n", version);
    print_age(c, s);
    if (s->signatures != 0)
        console_text(c, "AV definitions: %llu, generation %u\n", (unsigned long long)s->signatures, generation);
}

static void json_version(struct console_call *c, const struct framework_engine *engine, const struct scan_status *s,
                         unsigned generation)
{
    bool ready = s->state == SCAN_ENGINE_READY;
    uint64_t days;
    console_json_open(c, NULL, '{');
    json_identity(c, engine);
    console_json_str(c, "state", console_engine_state(engine, s));
    console_json_str(c, ready ? "scanner_version" : "reason", s->detail);
    console_json_u64(c, "definitions_version", s->database_version);
    if (age_of(s, &days))
        console_json_u64(c, "definitions_age_days", days);
    console_json_u64(c, "definitions", s->signatures);
    console_json_u64(c, "generation", generation);
    console_json_close(c);
}

static void antivirus_version(struct console_call *c)
{
    const struct framework *fw = c->view->framework;
    if (has_engines(c)) {
        console_json_open(c, NULL, '{');
        console_json_open(c, "engines", '[');
        for (size_t i = 0; i < fw->engine_count; i++) {
            unsigned generation;
            const struct scan_status *s = scan_client_status(c->view->scans, i, &generation);
            if (!is_asked_for(c, &fw->engines[i]))
                continue;
            print_version(c, &fw->engines[i], s, generation);
            json_version(c, &fw->engines[i], s, generation);
        }
    }
    console_call_finish(c);
}

static const struct console_command rows[] = {
    {.syntax = "antivirus[:NAME] stats",
     .help = "messages, parts, viruses and times of each engine since postern's edge was started",
     .run = antivirus_stats},
    {.syntax = "antivirus[:NAME] version",
     .help = "version of each engine's scanner and of its definitions",
     .run = antivirus_version},
};
const struct console_table console_antivirus_table = CONSOLE_TABLE(rows);
