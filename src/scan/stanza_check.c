/* SPDX-License-Identifier: MIT */
/* What the rows alone cannot say about engines and pools: names, codes, texts, pools that exist, and warnings where a
 * configuration works otherwise than it may seem. */
#include "base/num.h"
#include "base/span.h"
#include "scan/ignore.h"
#include "scan/inspection.h"
#include "scan/server_name.h"
#include "scan/stanza.h"
#include "scan/subject.h"

static const struct conf_scope *global_of(const struct conf_scope *scope)
{
    while (scope->parent)
        scope = scope->parent;
    return scope;
}

static bool same_name(const char *a, const char *b)
{
    return span_eq_nocase(span_cstr(a), span_cstr(b));
}

/* Names go into records, log lines, replies and command lines. */
static bool name_is_plain(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > LIMIT_ENGINE_NAME)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!char_is_alnum(name[i]) && !strchr("_.-", name[i]))
            return false;
    return true;
}

static void check_name(const struct conf_scope *scope, struct problems *problems, const char *what, const char *name)
{
    if (!name_is_plain(name))
        problem_error(problems, scope, NULL, "the name of %s must be 1 to %d letters, digits, '_', '.' or '-'", what,
                      LIMIT_ENGINE_NAME);
}

static void check_codes(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    const struct {
        const char *option;
        int64_t code;
    } refusals[] = {{"infected_code", conf->infected_code}, {"unscannable_code", conf->unscannable_code}};
    if (conf->error_code >= 500)
        problem_warning(problems, scope, "error_code",
                        "senders give up at 5xx, so trouble of the scanner costs mail; 4xx lets them try again");
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
        if (refusals[i].code < 500)
            problem_warning(problems, scope, refusals[i].option,
                            "4xx makes senders offer the same message again and again; 5xx refuses it for good");
}

static void check_text(const struct conf_scope *scope, struct problems *problems, const char *option, const char *text)
{
    for (const char *c = text; c && *c; c++) {
        if (!char_is_print(*c)) {
            problem_error(problems, scope, option, "must be one line of printable ASCII");
            return;
        }
        if (*c != '%')
            continue;
        c++;
        if (*c == '\0' || !strchr("vei%", *c)) {
            problem_error(problems, scope, option,
                          "unknown placeholder %%%c: %%v is the virus or reason, %%e the engine, %%i the message id, "
                          "%%%% a per cent sign",
                          char_is_print(*c) ? *c : ' ');
            return;
        }
    }
}

static enum verdict_reason find_reason(const char *option)
{
    for (int r = 0; r < VERDICT_REASON_COUNT; r++) {
        const char *known = verdict_reason_option((enum verdict_reason)r);
        if (known && same_name(known, option))
            return (enum verdict_reason)r;
    }
    return VERDICT_REASON_COUNT;
}

static void check_reason_names(const struct conf_scope *scope, const char *option, const struct conf_dict *dict,
                               struct problems *problems)
{
    char known[512] = "";
    size_t len = 0;
    for (int r = 0; r < VERDICT_REASON_COUNT && len < sizeof(known); r++) {
        const char *word = verdict_reason_option((enum verdict_reason)r);
        if (word)
            len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", len ? ", " : "", word);
    }
    for (size_t i = 0; i < dict->count; i++)
        if (find_reason(dict->items[i].key) == VERDICT_REASON_COUNT)
            problem_error(problems, scope, option, "there is no reason \"%.40s\"; known are %s", dict->items[i].key,
                          known);
}

static void check_reason_code(const struct conf_scope *scope, const struct conf_pair *pair, struct problems *problems)
{
    enum verdict_reason reason = find_reason(pair->key);
    uint64_t code;
    if (num_parse_u64(span_cstr(pair->value), 599, &code) != ERR_OK || code < 400)
        problem_error(problems, scope, "reason_codes", "%.40s = %.40s: expected a code from 400 to 599", pair->key,
                      pair->value);
    else if (reason != VERDICT_REASON_COUNT && verdict_reason_class(reason) == VERDICT_ERROR && code >= 500)
        problem_warning(
            problems, scope, "reason_codes",
            "%s = %u: senders give up at 5xx, so trouble of the scanner costs mail; 4xx lets them try again", pair->key,
            (unsigned)code);
}

/* An option that lets mail through unscanned, or does nothing, is named when the file is read, not at 3 in the morning.
 */
static void check_passes(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    if (conf->action == ON_INFECTED_PASS)
        problem_warning(problems, scope, "action",
                        "messages with a virus are delivered, and so are those that could not be checked, unless "
                        "on_unscannable or an on_REASON says otherwise; only the header X-Virus-Status tells");
    if (conf->on_error == ON_ERROR_PASS)
        problem_warning(problems, scope, "on_error", "while the engine has trouble, messages are delivered unscanned");
    if (conf->on_unscannable == ON_UNSCANNABLE_PASS)
        problem_warning(problems, scope, "on_unscannable",
                        "messages that could not be checked as a whole are delivered, unless an on_REASON says "
                        "otherwise");
    for (int r = 0; r < VERDICT_REASON_COUNT; r++) {
        char option[64];
        const char *word = verdict_reason_option((enum verdict_reason)r);
        bool error = verdict_reason_class((enum verdict_reason)r) == VERDICT_ERROR;
        if (!word || conf->on_reason[r] != (error ? ON_TROUBLE_PASS : ON_UNSCANNABLE_PASS))
            continue;
        snprintf(option, sizeof(option), "on_%s", word);
        problem_warning(problems, scope, option,
                        error ? "such messages are delivered unscanned"
                              : "such messages are delivered without having been checked as a whole");
    }
}

static void check_on_error(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    const struct conf_scope *global = global_of(scope), *other = NULL;
    size_t engines = 0;
    while ((other = stanza_next_engine(global, other)))
        engines += stanza_engine_enabled(other);
    if (conf->on_error == ON_ERROR_NEXT && engines == 1)
        problem_warning(problems, scope, "on_error", "there is no other engine, so it is the same as error_code");
}

/* Names as engines form them have little in common: what fits all of these fits whatever there is. */
static bool fits_every_name(const char *pattern)
{
    static const char *const names[] = {"Eicar-Test-Signature", "Win.Trojan.Agent-123456", "Heuristics.Encrypted.Zip",
                                        "Trojan.GenericKD.1.UNOFFICIAL"};
    const struct conf_list list = {&pattern, 1};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!ignore_holds_name(&list, names[i]))
            return false;
    return true;
}

/* It may be misspelt: nobody would see that it does nothing. */
static void check_ignored_reason(const struct conf_scope *scope, const char *entry, struct problems *problems)
{
    const struct conf_list list = {&entry, 1};
    char name[LIMIT_VERDICT_NAME + 1], known[512] = "";
    size_t len = 0;
    for (int d = 0; d < MIME_DEFECT_COUNT; d++) {
        if (!inspection_reason((enum mime_defect)d, name, sizeof(name)))
            continue;
        if (ignore_holds_name(&list, name))
            return;
        if (!strstr(known, name) && len < sizeof(known)) /* several defects have one reason */
            len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", len ? ", " : "", name);
    }
    problem_warning(problems, scope, "ignore_signatures", "\"%.80s\" fits no reason of paranoid: known are %s", entry,
                    known);
}

static void check_ignored(const struct conf_scope *scope, const char *entry, struct problems *problems)
{
    bool good;
    if (ignore_is_paranoid(entry))
        check_ignored_reason(scope, entry, problems);
    if (ignore_is_digest(entry, &good) && !good)
        problem_error(problems, scope, "ignore_signatures",
                      "\"%.80s\": expected 64 hexadecimal digits after sha256:", entry);
    else if (fits_every_name(entry))
        problem_error(problems, scope, "ignore_signatures",
                      "\"%.80s\" fits every name; to let all viruses pass, write action = pass", entry);
}

static void check_reasons(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    check_reason_names(scope, "reason_codes", &conf->reason_codes, problems);
    check_reason_names(scope, "reason_texts", &conf->reason_texts, problems);
    for (size_t i = 0; i < conf->reason_codes.count; i++)
        check_reason_code(scope, &conf->reason_codes.items[i], problems);
    for (size_t i = 0; i < conf->reason_texts.count; i++)
        check_text(scope, problems, "reason_texts", conf->reason_texts.items[i].value);
    for (size_t i = 0; i < conf->ignore_signatures.count; i++)
        check_ignored(scope, conf->ignore_signatures.items[i], problems);
    if (!stanza_engine_enabled(scope))
        return;
    check_passes(scope, conf, problems);
    check_on_error(scope, conf, problems);
}

static void check_engine_pool(const struct conf_scope *scope, const char *name, struct problems *problems)
{
    const struct conf_scope *global = global_of(scope), *pool = NULL;
    char known[512] = "CPU, IO";
    size_t len = strlen(known);
    if (!name || same_name(name, "CPU") || same_name(name, "IO") || stanza_pool(global, name))
        return;
    while ((pool = conf_child(global, &pool_class, pool)) && len < sizeof(known))
        if (pool->name && !same_name(pool->name, "CPU") && !same_name(pool->name, "IO"))
            len += (size_t)snprintf(known + len, sizeof(known) - len, ", %s", pool->name);
    problem_error(problems, scope, "pool", "there is no such ThreadPool; known are %s", known);
}

/* Options that a reader of the file would expect to do something. */
static void warn_idle(const struct conf_scope *scope, const struct engine_stanza *values, struct problems *problems)
{
    const struct engine_idle_conf *idle = &values->idle;
    const struct {
        const char *option;
        bool expected;
        const char *instead;
    } rows[] = {
        {"file_base", values->conf.file_base && !stanza_engine_uses_files(scope),
         "this engine reads no files, and scan workers have temporary directories of their own"},
        {"use_wire_rep", idle->use_wire_rep, "the un-stuffed message is scanned, as it will be delivered"},
        {"debug_level", idle->debug_level != NULL, "the log level of the whole program counts"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].expected)
            problem_warning(problems, scope, rows[i].option, "has no effect in this version: %s", rows[i].instead);
}

enum { DAEMONS_MAX = 8 };

/* A port may be missing where the engine knows its usual one: here any stands for it. */
static void check_daemon(const struct conf_scope *scope, const struct conf_list *daemon, struct problems *problems)
{
    struct server_name name;
    struct errtext why;
    if (daemon->count > DAEMONS_MAX)
        problem_error(problems, scope, "daemon", "at most %d servers are possible", DAEMONS_MAX);
    for (size_t i = 0; i < daemon->count; i++)
        if (server_name_parse(span_cstr(daemon->items[i]), 1, &name, &why) != ERR_OK)
            problem_error(problems, scope, "daemon", "%s: %s", daemon->items[i], why.text);
}

bool stanza_is_given(const struct conf_scope *scope, const char *option)
{
    for (size_t i = 0; scope->given && i < scope->class->row_count; i++)
        if (strcmp(scope->class->rows[i].name, option) == 0)
            return scope->given[i];
    return false;
}

/* A daemon's first name is what counts, and it cannot be asked what else there is: a virus behind it would pass without
 * a word. libclamav in the process looks again. */
static void refuse_ignored_names(const struct conf_scope *scope, const struct conf_list *ignored,
                                 struct problems *problems)
{
    bool good;
    for (size_t i = 0; i < ignored->count; i++)
        if (!ignore_is_digest(ignored->items[i], &good) &&
            !ignore_is_paranoid(ignored->items[i])) { /* such a name is ours, not the daemon's */
            problem_error(problems, scope, "ignore_signatures",
                          "the daemon stops at the first name, so a virus behind %s would pass: with a daemon only "
                          "sha256: is possible; exclude the name in the daemon's own configuration (clamd: an *.ign2 "
                          "file in its database directory)",
                          ignored->items[i]);
            return;
        }
}

/* The first engine that connects in the pool NAME, or NULL. */
static const struct conf_scope *find_connecting(const struct conf_scope *global, const char *name)
{
    const struct conf_scope *engine = NULL;
    while ((engine = stanza_next_engine(global, engine)))
        if (stanza_engine_enabled(engine) && stanza_engine_built(engine) && stanza_engine_connects(engine) &&
            same_name(stanza_engine_pool(global, engine), name))
            break;
    return engine;
}

/* Hostile content meets a parser in this worker, and its cage has a door for the other engine's sake. */
static void warn_weaker_cage(const struct conf_scope *scope, struct problems *problems)
{
    const char *pool = stanza_engine_pool(global_of(scope), scope);
    const struct conf_scope *other = find_connecting(global_of(scope), pool);
    if (other)
        problem_warning(problems, scope, NULL,
                        "it works in the process and shares the pool %s with %s, which connects: its workers may "
                        "connect too; give one of them another pool",
                        pool, stanza_engine_name(other));
}

/* The same of the workers that take messages apart. */
static void warn_inspection(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    const char *pool = stanza_inspection_pool(global_of(scope));
    const struct conf_scope *other = find_connecting(global_of(scope), pool);
    if (other && (conf->mime_decompose || conf->paranoid))
        problem_warning(problems, scope, conf->mime_decompose ? "mime_decompose" : "paranoid",
                        "messages are taken apart in the pool %s, in which %s connects: its workers may connect too; "
                        "give that engine another pool",
                        pool, stanza_engine_name(other));
}

static void check_built_engine(const struct conf_scope *scope, const struct engine_stanza *values,
                               struct problems *problems)
{
    warn_idle(scope, values, problems);
    stanza_check_effect(scope, &values->conf, problems);
    warn_inspection(scope, &values->conf, problems);
    if (scope->class == &csapi_class) {
        stanza_check_csapi(scope, values, problems);
        return;
    }
    if (scope->class == &plugin_class) {
        stanza_check_plugin(scope, &values->conf, problems);
        return;
    }
    if (scope->class == &command_class) {
        stanza_check_command(scope, &values->conf, problems);
        return;
    }
    if (!stanza_engine_connects(scope)) {
        warn_weaker_cage(scope, problems);
        return;
    }
    if (scope->class != &clamav_class)
        stanza_check_file_daemon(scope, &values->conf, problems);
    refuse_ignored_names(scope, &values->conf.ignore_signatures, problems);
}

void stanza_check_engine(const struct conf_scope *scope, struct problems *problems)
{
    const struct engine_stanza *values = scope->values;
    const struct engine_conf *conf = &values->conf;
    check_name(scope, problems, "an engine", stanza_engine_name(scope));
    check_codes(scope, conf, problems);
    check_text(scope, problems, "infected_text", conf->infected_text);
    check_text(scope, problems, "unscannable_text", conf->unscannable_text);
    check_text(scope, problems, "error_text", conf->error_text);
    check_engine_pool(scope, conf->pool, problems);
    check_daemon(scope, &conf->daemon, problems);
    check_reasons(scope, conf, problems);
    if (!stanza_engine_enabled(scope))
        return;
    if (stanza_engine_built(scope))
        check_built_engine(scope, values, problems);
    else
        problem_warning(problems, scope, NULL,
                        "this engine cannot scan in this version: every message gets its error_code %lld",
                        (long long)conf->error_code);
}

/* NAME was used by an engine before SCOPE. */
static const struct conf_scope *earlier_engine(const struct conf_scope *global, const struct conf_scope *scope)
{
    const struct conf_scope *other = NULL;
    while ((other = stanza_next_engine(global, other)) && other != scope)
        if (same_name(stanza_engine_name(other), stanza_engine_name(scope)))
            return other;
    return NULL;
}

/* An earlier engine marks messages with a variable that SCOPE uses too: NAME receives it. */
static const struct conf_scope *shares_mark(const struct conf_scope *global, const struct conf_scope *scope,
                                            const char **name, struct subject_marks *marks)
{
    const struct conf_scope *other = NULL;
    subject_marks(stanza_engine_stem(scope), &((const struct engine_stanza *)scope->values)->conf, marks);
    while ((other = stanza_next_engine(global, other)) && other != scope) {
        struct subject_marks others = {{""}};
        if (!stanza_engine_enabled(other))
            continue;
        subject_marks(stanza_engine_stem(other), &((const struct engine_stanza *)other->values)->conf, &others);
        for (size_t i = 0; i < 2; i++) /* TYPE_status_info is common to all of a type whatever their options say */
            for (size_t k = 0; k < 2; k++)
                if (strcmp(marks->names[i], others.names[k]) == 0) {
                    *name = marks->names[i];
                    return other;
                }
    }
    return NULL;
}

static void warn_shared_mark(const struct conf_scope *global, const struct conf_scope *scope, struct problems *problems)
{
    const char *name = NULL;
    struct subject_marks marks;
    const struct conf_scope *other = shares_mark(global, scope, &name, &marks);
    if (other)
        problem_warning(problems, scope, NULL,
                        "it sets the same context variable %s as %s: the strictest word of the two stands in it; give "
                        "one of them a context_variable of its own to tell them apart",
                        name, stanza_engine_name(other));
}

void stanza_check_scan(const struct conf_scope *scope, struct problems *problems)
{
    const struct conf_scope *global = global_of(scope), *engine = NULL;
    size_t enabled = 0, all = 0;
    while ((engine = stanza_next_engine(global, engine))) {
        const struct conf_scope *twin = earlier_engine(global, engine);
        if (twin)
            problem_error(problems, engine, NULL, "its name is taken by the engine at %s:%u: names must differ",
                          twin->file ? twin->file : "", twin->line);
        all++;
        if (!stanza_engine_enabled(engine))
            continue;
        if (++enabled == LIMIT_ENGINES + 1)
            problem_error(problems, engine, NULL, "at most %d engines can take part", LIMIT_ENGINES);
        warn_shared_mark(global, engine, problems);
    }
    if (stanza_scan_off(global)) {
        if (enabled > 0)
            problem_warning(problems, scope, "scan", "messages are relayed unscanned, whatever engines there are");
    } else if (enabled == 0) {
        problem_warning(
            problems, scope, NULL,
            "%s: every message gets the error code 451; configure an engine inside antivirus, or write scan = off "
            "to relay mail unscanned",
            all > 0 ? "no engine takes part in scanning (all are passive or not enabled)" : "no engine is configured");
    }
}

void stanza_check_pool(const struct conf_scope *scope, struct problems *problems)
{
    if (!scope->name)
        return;
    check_name(scope, problems, "a ThreadPool", scope->name);
    const struct conf_scope *first = stanza_pool(global_of(scope), scope->name);
    if (first != scope)
        problem_error(problems, scope, NULL, "it is there already, at %s:%u", first && first->file ? first->file : "",
                      first ? first->line : 0);
    else if (name_is_plain(scope->name))
        stanza_check_pool_effect(global_of(scope), scope, problems);
}
