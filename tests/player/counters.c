/* SPDX-License-Identifier: MIT */
/* Engines' counters out of src/scan/runtime.h, quarantine's out of src/spool. Pools are processes, so theirs are only
 * there for the player over sockets. */
#include "player/counters.h"
#include "base/num.h"
#include <stddef.h>

static uint64_t value_of(const atomic_uint_fast64_t *counter)
{
    return atomic_load(counter);
}

static const struct {
    const char *name; /* in `json antivirus stats` */
    size_t offset;
} totals[] = {
    {"messages_checked", offsetof(struct engine_runtime, checked)},
    {"mime_parts_checked", offsetof(struct engine_runtime, parts)},
    {"viruses_detected", offsetof(struct engine_runtime, detected)},
    {"viruses_cured", offsetof(struct engine_runtime, cured)},
    {"known_from_cache", offsetof(struct engine_runtime, cached)},
};

/* The counter of E for the class or reason NAME, or NULL. */
static const atomic_uint_fast64_t *find_word(const struct engine_runtime *e, struct span name)
{
    for (unsigned i = 0; i < VERDICT_CLASS_COUNT; i++)
        if (span_eq(name, span_cstr(verdict_class_word((enum verdict_class)i))))
            return &e->classes[i];
    for (unsigned i = 0; i < VERDICT_REASON_COUNT; i++)
        if (i != VERDICT_REASON_NONE && span_eq(name, span_cstr(verdict_reason_word((enum verdict_reason)i))))
            return &e->reasons[i];
    return NULL;
}

static const atomic_uint_fast64_t *find_counter(const struct engine_runtime *e, struct span name)
{
    for (size_t i = 0; i < ARRAY_SIZE(totals); i++)
        if (span_eq(name, span_cstr(totals[i].name)))
            return (const void *)((const char *)e + totals[i].offset);
    return find_word(e, name);
}

static void list_add(struct errtext *text, size_t *len, const char *word, uint64_t n)
{
    size_t room = sizeof(text->text) - *len;
    int added =
        n == 0 ? 0 : snprintf(text->text + *len, room, "%s%s %llu", *len ? ", " : "", word, (unsigned long long)n);
    if (added > 0 && (size_t)added < room)
        *len += (size_t)added;
}

/* "clean 1, infected 1", or "nothing". */
static struct errtext list_counted(const struct engine_runtime *e)
{
    struct errtext text;
    size_t len = 0;
    errtext_set(&text, "nothing");
    for (unsigned i = 0; i < VERDICT_CLASS_COUNT; i++)
        list_add(&text, &len, verdict_class_word((enum verdict_class)i), value_of(&e->classes[i]));
    for (unsigned i = 0; i < VERDICT_REASON_COUNT; i++)
        list_add(&text, &len, verdict_reason_word((enum verdict_reason)i), value_of(&e->reasons[i]));
    return text;
}

static void check_engine_line(struct world *w, const struct counter_line *line)
{
    char name[LIMIT_ENGINE_NAME + 1];
    snprintf(name, sizeof(name), "%.*s", SPAN_ARG(line->of));
    const struct engine_runtime *e = scan_runtime_find(w->shared.scans, name);
    const atomic_uint_fast64_t *counter = e ? find_counter(e, line->name) : NULL;
    if (!e)
        world_fail(w, "line %u: counter %.*s: there is no such engine", line->line, SPAN_ARG(line->of));
    else if (!counter)
        world_fail(w, "line %u: counter %s %.*s: there is no such counter", line->line, name, SPAN_ARG(line->name));
    else if (value_of(counter) != line->value)
        world_fail(w, "line %u: counter %s %.*s is %llu, expected %llu; %s has counted: %s", line->line, name,
                   SPAN_ARG(line->name), (unsigned long long)value_of(counter), (unsigned long long)line->value, name,
                   list_counted(e).text);
}

/* Without a line, nothing is kept. */
static void check_quarantine(struct world *w)
{
    struct quarantine_usage now = {0};
    uint64_t expected = 0;
    for (const struct counter_line *line = w->setup->scenario->counters; line; line = line->next) {
        if (line->of_pool || !span_eq(line->of, SPAN("quarantine")))
            continue;
        expected = line->value;
        if (!span_eq(line->name, SPAN("all_entries")))
            world_fail(w, "line %u: counter quarantine %.*s: there is no such counter", line->line,
                       SPAN_ARG(line->name));
    }
    if (w->setup->quarantine)
        now = quarantine_usage(w->setup->quarantine);
    if (now.entries - w->kept_before.entries != expected)
        world_fail(w, "counter quarantine all_entries is %llu, expected %llu",
                   (unsigned long long)(now.entries - w->kept_before.entries), (unsigned long long)expected);
}

/* What no line speaks of has not happened. */
static void check_unnamed(struct world *w, const struct engine_runtime *e)
{
    struct span name = span_cstr(e->engine->name);
    uint64_t classes = 0, reasons = 0, named = 0;
    for (unsigned i = 0; i < VERDICT_CLASS_COUNT; i++)
        classes += value_of(&e->classes[i]);
    for (unsigned i = 0; i < VERDICT_REASON_COUNT; i++)
        reasons += value_of(&e->reasons[i]);
    for (const struct counter_line *line = w->setup->scenario->counters; line; line = line->next) {
        bool ours = !line->of_pool && span_eq(line->of, name);
        named += ours && find_word(e, line->name) ? line->value : 0;
    }
    if (named != classes + reasons)
        world_fail(w, "engine %s has counted what no line `counter` expects: %s", e->engine->name,
                   list_counted(e).text);
}

static void check_sums(struct world *w, const struct engine_runtime *e)
{
    uint64_t looked = value_of(&e->classes[VERDICT_CLEAN]) + value_of(&e->classes[VERDICT_INFECTED]) +
                      value_of(&e->classes[VERDICT_UNSCANNABLE]);
    if (value_of(&e->checked) != looked || value_of(&e->detected) != value_of(&e->classes[VERDICT_INFECTED]))
        world_fail(w, "engine %s: %llu messages checked and %llu viruses detected do not fit what it counted: %s",
                   e->engine->name, (unsigned long long)value_of(&e->checked),
                   (unsigned long long)value_of(&e->detected), list_counted(e).text);
}

void counters_check(struct world *w, bool exact)
{
    const struct scan_runtime *r = w->shared.scans;
    for (size_t i = 0; i < r->framework->engine_count; i++)
        check_sums(w, &r->engines[i]);
    for (const struct counter_line *line = w->setup->scenario->counters; line && exact; line = line->next)
        if (!line->of_pool && !span_eq(line->of, SPAN("quarantine")))
            check_engine_line(w, line);
    for (size_t i = 0; i < r->framework->engine_count && exact; i++)
        check_unnamed(w, &r->engines[i]);
    if (exact)
        check_quarantine(w);
}
