/* SPDX-License-Identifier: MIT */
/* `cache`: what the engines remember about messages (scan/verdict_cache.h): figures, entries, and making them forget.
 * Entries may be many, so listing and deleting by name go step by step, with other work of the loop in between. */
#include "base/mem.h"
#include "base/num.h"
#include "daemon/console_commands.h"

enum {
    LIST_DEFAULT = 100,
    LIST_MAX = 3000, /* lines of an answer that still fits */
    PAGE = 50,
    STEPS_PER_TURN = 20, /* each looks at VERDICT_CACHE_STEP entries at most: a few milliseconds in all */
    PAUSE_MS = 1,
};

static struct engine_runtime *engine_at(const struct console_call *c, size_t index)
{
    return &scan_client_runtime(c->view->scans)->engines[index];
}

static size_t engine_count(const struct console_call *c)
{
    return c->view->framework->engine_count;
}

/* The range of engines that NAME means (NULL: all). False: the answer says that there is none. */
static bool choose_engines(struct console_call *c, const char *name, size_t *first, size_t *end)
{
    *first = 0;
    *end = engine_count(c);
    if (!name)
        return true;
    const struct engine_runtime *e = scan_runtime_find(scan_client_runtime(c->view->scans), name);
    if (!e) {
        console_fail(c, "no engine \"%.60s\" is enabled in the configuration; `engine list` lists them", name);
        return false;
    }
    *first = (size_t)(e - engine_at(c, 0));
    *end = *first + 1;
    return true;
}

/* ---- stats ---- */

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

static void print_stats(struct console_call *c, const char *name, const struct verdict_cache_stats *s)
{
    uint64_t lookups = s->hits + s->misses;
    uint64_t deleted = s->deleted_manual + s->deleted_ttl + s->deleted_lru + s->deleted_outdated;
    console_text(c, "%s\n", name);
    if (s->capacity == 0) {
        console_text(c, "  switched off (cache_size = 0)\n");
        return;
    }
    console_text(c, "  Elements:  %zu of %zu\n", s->elements, s->capacity);
    console_text(c, "  Lookups:   hit %llu (%.1f%%), miss %llu (%.1f%%), total %llu\n", (unsigned long long)s->hits,
                 percent(s->hits, lookups), (unsigned long long)s->misses, percent(s->misses, lookups),
                 (unsigned long long)lookups);
    console_text(c, "  Inserts:   %llu\n", (unsigned long long)s->inserts);
    console_text(c, "  Deletions: manual %llu, ttl %llu, lru %llu, outdated %llu, total %llu\n",
                 (unsigned long long)s->deleted_manual, (unsigned long long)s->deleted_ttl,
                 (unsigned long long)s->deleted_lru, (unsigned long long)s->deleted_outdated,
                 (unsigned long long)deleted);
}

static void json_stats(struct console_call *c, const char *name, const struct verdict_cache_stats *s)
{
    console_json_open(c, NULL, '{');
    console_json_str(c, "engine", name);
    console_json_u64(c, "capacity", s->capacity);
    console_json_u64(c, "elements", s->elements);
    console_json_u64(c, "hits", s->hits);
    console_json_u64(c, "misses", s->misses);
    console_json_u64(c, "inserts", s->inserts);
    console_json_open(c, "deletions", '{');
    console_json_u64(c, "manual", s->deleted_manual);
    console_json_u64(c, "ttl", s->deleted_ttl);
    console_json_u64(c, "lru", s->deleted_lru);
    console_json_u64(c, "outdated", s->deleted_outdated);
    console_json_close(c);
    console_json_close(c);
}

static void cache_stats(struct console_call *c)
{
    size_t first, end;
    console_json_open(c, NULL, '{');
    console_json_open(c, "caches", '[');
    if (choose_engines(c, c->argv[0], &first, &end))
        for (size_t i = first; i < end; i++) {
            const struct engine_runtime *e = engine_at(c, i);
            struct verdict_cache_stats s;
            verdict_cache_stats(e->cache, &s);
            print_stats(c, e->engine->name, &s);
            json_stats(c, e->engine->name, &s);
        }
    console_call_finish(c);
}

/* ---- walking through entries ---- */

struct walk {
    struct console_call *call;
    size_t engine, end;
    uint32_t cursor;
    uint64_t count, limit;
    const char *pattern;
    /* One step through the present engine's cache. */
    void (*step)(struct walk *w);
    void (*finish)(struct walk *w);
    struct deadline next;
};

static void walk_end(struct walk *w)
{
    struct console_call *c = w->call;
    deadline_clear(&w->next);
    w->finish(w);
    console_call_finish(c);
}

static void walk_stop(struct console_call *c)
{
    struct walk *w = c->state;
    deadline_clear(&w->next);
}

static void walk_on(void *arg)
{
    struct walk *w = arg;
    for (int i = 0; i < STEPS_PER_TURN && w->engine < w->end; i++) {
        w->step(w);
        if (w->cursor == 0)
            w->engine++;
        if (w->count >= w->limit || w->call->abandoned)
            w->engine = w->end;
    }
    if (w->engine < w->end)
        deadline_set_ms(&w->next, PAUSE_MS);
    else
        walk_end(w);
}

static void walk_start(struct console_call *c, const struct walk *wanted)
{
    struct walk *w = MEM_NEW(struct walk);
    if (!w) {
        console_fail(c, "not enough memory");
        console_call_finish(c);
        return;
    }
    *w = *wanted;
    w->call = c;
    c->state = w; /* freed with the call */
    c->stop = walk_stop;
    deadline_init(&w->next, c->view->loop, walk_on, w);
    walk_on(w);
}

static void hex_of(const uint8_t digest[VERDICT_CACHE_DIGEST], char out[2 * VERDICT_CACHE_DIGEST + 1])
{
    for (size_t i = 0; i < VERDICT_CACHE_DIGEST; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void list_item(struct console_call *c, const char *engine, const struct verdict_cache_item *item, uint64_t now)
{
    char hex[2 * VERDICT_CACHE_DIGEST + 1];
    const char *class = verdict_class_word(item->class);
    uint64_t age_us = now > item->put_us ? now - item->put_us : 0;
    hex_of(item->digest, hex);
    console_text(c, "%s  %-16s %-8s %10llu %10llu %8llu  %s%s\n", hex, engine, class,
                 (unsigned long long)item->database_version, (unsigned long long)(age_us / 1000000),
                 (unsigned long long)item->hits, item->name[0] ? item->name : "-", item->part_size ? " (a part)" : "");
    console_json_open(c, NULL, '{');
    console_json_str(c, "sha256", hex);
    console_json_str(c, "engine", engine);
    console_json_bool(c, "part", item->part_size != 0);
    console_json_str(c, "verdict", class);
    console_json_str(c, "name", item->name);
    console_json_u64(c, "definitions_version", item->database_version);
    console_json_u64(c, "generation", item->generation);
    console_json_ms(c, "age_ms", age_us);
    console_json_u64(c, "hits", item->hits);
    console_json_close(c);
}

static void list_step(struct walk *w)
{
    struct verdict_cache_item items[PAGE];
    const struct engine_runtime *e = engine_at(w->call, w->engine);
    uint64_t now = loop_now_us(w->call->view->loop), left = w->limit - w->count;
    size_t n = verdict_cache_list(e->cache, &w->cursor, now, items, left < PAGE ? (size_t)left : PAGE);
    for (size_t i = 0; i < n; i++)
        list_item(w->call, e->engine->name, &items[i], now);
    w->count += n;
}

static void list_finish(struct walk *w)
{
    struct console_call *c = w->call;
    bool more = w->count >= w->limit;
    console_text(c, "%llu entries listed%s\n", (unsigned long long)w->count,
                 more ? "; there may be more: give a higher LIMIT" : "");
    console_json_close(c);
    console_json_bool(c, "complete", !more);
}

/* A page's memory stands on the stack of one step. */
_Static_assert(PAGE * sizeof(struct verdict_cache_item) <= 16384, "a page of the cache is too large for the stack");

static void cache_list(struct console_call *c)
{
    struct walk w = {.limit = LIST_DEFAULT, .step = list_step, .finish = list_finish};
    const char *engine = c->argv[0], *limit = c->argv[1];
    bool is_number = engine && !limit && char_is_digit(engine[0]); /* `cache list 500` */
    if (is_number && !scan_runtime_find(scan_client_runtime(c->view->scans), engine)) {
        limit = engine;
        engine = NULL;
    }
    if (limit && (num_parse_u64(span_cstr(limit), LIST_MAX, &w.limit) != ERR_OK || w.limit == 0)) {
        console_refuse(c, "LIMIT \"%.20s\": expected a number from 1 to %d", limit, LIST_MAX);
        console_call_finish(c);
        return;
    }
    if (!choose_engines(c, engine, &w.engine, &w.end)) {
        console_call_finish(c);
        return;
    }
    console_text(c, "%-64s  %-16s %-8s %10s %10s %8s  %s\n", "SHA256", "ENGINE", "VERDICT", "DEFINITION", "AGE(s)",
                 "HITS", "NAME");
    console_json_open(c, NULL, '{');
    console_json_open(c, "entries", '[');
    walk_start(c, &w);
}

/* ---- purge ---- */

static void say_purged(struct console_call *c, uint64_t count)
{
    console_text(c, "%llu entries deleted\n", (unsigned long long)count);
    console_json_open(c, NULL, '{');
    console_json_u64(c, "deleted", count);
}

static void purge_engines(struct console_call *c, const char *name)
{
    size_t first, end;
    uint64_t count = 0;
    if (choose_engines(c, name, &first, &end)) {
        for (size_t i = first; i < end; i++)
            count += verdict_cache_purge_all(engine_at(c, i)->cache);
        say_purged(c, count);
    }
    console_call_finish(c);
}

static void cache_purge_all(struct console_call *c)
{
    purge_engines(c, NULL);
}

static void cache_purge_engine(struct console_call *c)
{
    purge_engines(c, c->argv[0]);
}

static int hex_value(char digit)
{
    const char *const digits = "0123456789abcdef", *found = strchr(digits, char_lower(digit));
    return digit && found ? (int)(found - digits) : -1;
}

/* 64 hexadecimal digits, with or without "sha256:" as in ignore_signatures. */
static bool parse_digest(const char *text, uint8_t out[VERDICT_CACHE_DIGEST])
{
    struct span s = span_cstr(text);
    if (span_starts_nocase(s, SPAN("sha256:")))
        s = span_sub(s, 7, s.len);
    if (s.len != 2 * (size_t)VERDICT_CACHE_DIGEST)
        return false;
    for (size_t i = 0; i < VERDICT_CACHE_DIGEST; i++) {
        int high = hex_value(s.ptr[2 * i]), low = hex_value(s.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static void cache_purge_digest(struct console_call *c)
{
    uint8_t digest[VERDICT_CACHE_DIGEST];
    uint64_t count = 0;
    if (parse_digest(c->argv[0], digest)) {
        for (size_t i = 0; i < engine_count(c); i++)
            count += verdict_cache_purge_digest(engine_at(c, i)->cache, digest);
        say_purged(c, count);
    } else {
        console_refuse(c, "\"%.80s\": expected 64 hexadecimal digits, as in the log (sha256) or the list", c->argv[0]);
    }
    console_call_finish(c);
}

static void purge_name_step(struct walk *w)
{
    w->count += verdict_cache_purge_name(engine_at(w->call, w->engine)->cache, w->pattern, &w->cursor);
}

static void purge_name_finish(struct walk *w)
{
    say_purged(w->call, w->count);
}

static void cache_purge_name(struct console_call *c)
{
    const struct walk w = {.end = engine_count(c),
                           .limit = UINT64_MAX,
                           .pattern = c->argv[0],
                           .step = purge_name_step,
                           .finish = purge_name_finish};
    walk_start(c, &w);
}

static const struct console_command rows[] = {
    {.syntax = "cache stats [ENGINE]",
     .help = "figures of the engines' caches of known viruses: elements, lookups, deletions",
     .run = cache_stats},
    {.syntax = "cache list [ENGINE] [LIMIT]",
     .help = "what they hold, at most LIMIT (100) entries in no particular order",
     .run = cache_list},
    {.syntax = "cache purge all", .help = "forget everything", .changes = true, .run = cache_purge_all},
    {.syntax = "cache purge engine NAME",
     .help = "forget what this engine has found",
     .changes = true,
     .run = cache_purge_engine},
    {.syntax = "cache purge digest SHA256",
     .help = "forget one message, by the sha256 that stands in the log",
     .changes = true,
     .run = cache_purge_digest},
    {.syntax = "cache purge name PATTERN",
     .help = "forget a virus, by its name (* and ? allowed)",
     .changes = true,
     .run = cache_purge_name},
};
const struct console_table console_cache_table = CONSOLE_TABLE(rows);
