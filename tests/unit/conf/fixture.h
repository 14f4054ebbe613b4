/* SPDX-License-Identifier: MIT */
/* A small program's tables, files in memory, and findings as one text, for the tests of src/conf. */
#ifndef UNIT_CONF_FIXTURE_H
#define UNIT_CONF_FIXTURE_H

#include "conf/conf.h"
#include <check.h>
#include <stdarg.h>

struct fixture_global {
    const char *hostname;
    bool scan;
    int log_level;
    int64_t event_loops;
};
struct fixture_listen {
    bool enable;
    const char *hostname;
    int64_t max_recipients, max_message_size, client_timeout_ms, poll_ms;
    const char *banner;
};
struct fixture_engine {
    bool enabled;
    int action;
    int64_t timeout_ms, error_code;
    const char *database, *text;
    struct conf_list paths;
    struct conf_dict headers;
    int64_t workers;
};

static const char *const fixture_levels[] = {"debug", "info", "notice", NULL};
static const char *const fixture_actions[] = {"reject", "pass", NULL};

static const struct directive fixture_global_rows[] = {
    {.name = "hostname",
     .type = DIRECTIVE_STRING,
     .offset = CONF_OFFSET(fixture_global, hostname),
     .min = 1,
     .max = 20,
     .description = "our name"},
    {.name = "scan",
     .type = DIRECTIVE_BOOL,
     .offset = CONF_OFFSET(fixture_global, scan),
     .default_text = "on",
     .description = "whether to scan"},
    {.name = "log_level",
     .type = DIRECTIVE_ENUM,
     .offset = CONF_OFFSET(fixture_global, log_level),
     .default_text = "info",
     .words = fixture_levels,
     .description = "least level"},
    {.name = "event_loops",
     .type = DIRECTIVE_INT,
     .offset = CONF_OFFSET(fixture_global, event_loops),
     .default_text = "0",
     .max = 64,
     .unit = "threads",
     .reload = RELOAD_RESTART,
     .description = "loops | threads"},
};
static const struct directive fixture_listen_rows[] = {
    {.name = "enable",
     .type = DIRECTIVE_BOOL,
     .offset = CONF_OFFSET(fixture_listen, enable),
     .default_text = "true",
     .description = "whether to listen"},
    {.name = "hostname",
     .type = DIRECTIVE_STRING,
     .offset = CONF_OFFSET(fixture_listen, hostname),
     .description = "name in the greeting"},
    {.name = "max_recipients",
     .type = DIRECTIVE_INT,
     .offset = CONF_OFFSET(fixture_listen, max_recipients),
     .default_text = "100",
     .min = 1,
     .max = 1000,
     .description = "recipients"},
    {.name = "max_message_size",
     .type = DIRECTIVE_SIZE,
     .offset = CONF_OFFSET(fixture_listen, max_message_size),
     .default_text = "100M",
     .min = 1024,
     .max = 1024 * 1024 * 1024,
     .description = "size"},
    {.name = "client_timeout",
     .type = DIRECTIVE_DURATION,
     .offset = CONF_OFFSET(fixture_listen, client_timeout_ms),
     .default_text = "5m",
     .min = 1000,
     .max = 3600000,
     .description = "idle time"},
    {.name = "poll",
     .type = DIRECTIVE_DURATION,
     .offset = CONF_OFFSET(fixture_listen, poll_ms),
     .default_text = "250ms",
     .min = 50,
     .max = 2000,
     .description = "pause"},
    {.name = "banner",
     .type = DIRECTIVE_STRING,
     .offset = CONF_OFFSET(fixture_listen, banner),
     .default_text = "ESMTP ready",
     .description = "text of the greeting"},
};
static const struct directive fixture_antivirus_rows[] = {
    {.name = "workers",
     .type = DIRECTIVE_INT,
     .offset = CONF_OFFSET(fixture_engine, workers),
     .default_text = "4",
     .max = 100,
     .deprecated = true,
     .description = "use ThreadPool"},
};
#define FIXTURE_ENGINE_ROWS                                                                                            \
    {.name = "enabled",                                                                                                \
     .type = DIRECTIVE_BOOL,                                                                                           \
     .offset = CONF_OFFSET(fixture_engine, enabled),                                                                   \
     .default_text = "true",                                                                                           \
     .description = "whether it scans"},                                                                               \
        {.name = "action",                                                                                             \
         .type = DIRECTIVE_ENUM,                                                                                       \
         .offset = CONF_OFFSET(fixture_engine, action),                                                                \
         .default_text = "reject",                                                                                     \
         .words = fixture_actions,                                                                                     \
         .description = "on a hit"},                                                                                   \
        {.name = "timeout",                                                                                            \
         .type = DIRECTIVE_DURATION,                                                                                   \
         .offset = CONF_OFFSET(fixture_engine, timeout_ms),                                                            \
         .default_text = "10",                                                                                         \
         .min = 1000,                                                                                                  \
         .max = 3600000,                                                                                               \
         .description = "for one message"},                                                                            \
    {                                                                                                                  \
        .name = "error_code", .type = DIRECTIVE_INT, .offset = CONF_OFFSET(fixture_engine, error_code),                \
        .default_text = "451", .min = 400, .max = 599, .description = "reply on trouble"                               \
    }
static const struct directive fixture_clamav_rows[] = {
    FIXTURE_ENGINE_ROWS,
    {.name = "database",
     .type = DIRECTIVE_STRING,
     .offset = CONF_OFFSET(fixture_engine, database),
     .required = true,
     .reload = RELOAD_ENGINE,
     .description = "where signatures are"},
    {.name = "text", .type = DIRECTIVE_STRING, .offset = CONF_OFFSET(fixture_engine, text), .description = "reply"},
    {.name = "paths",
     .type = DIRECTIVE_LIST,
     .offset = CONF_OFFSET(fixture_engine, paths),
     .default_text = "( a b )",
     .description = "paths"},
    {.name = "headers",
     .type = DIRECTIVE_DICT,
     .offset = CONF_OFFSET(fixture_engine, headers),
     .description = "headers"},
};
static const struct directive fixture_kaspersky_rows[] = {FIXTURE_ENGINE_ROWS};

/* A check in the manner of the modules: it relies on a required value. */
static void fixture_clamav_check(const struct conf_scope *scope, struct problems *problems)
{
    const struct fixture_engine *e = scope->values;
    if (e->database[0] != '/')
        problem_error(problems, scope, "database", "must be an absolute path");
    if (e->error_code >= 500)
        problem_warning(problems, scope, "error_code", "clients will not try again");
}
static void fixture_scan_check(const struct conf_scope *scope, struct problems *problems)
{
    if (!((const struct fixture_global *)scope->values)->scan)
        problem_warning(problems, scope, "scan", "nothing is scanned");
}

#define FIXTURE_ROWS(table, type) .rows = (table), .row_count = ARRAY_SIZE(table), .struct_size = sizeof(struct type)
static const struct scope_class fixture_global_class = {.name = "daemon",
                                                        .naming = SCOPE_IMPLICIT,
                                                        .check = fixture_scan_check,
                                                        .description = "The program.",
                                                        FIXTURE_ROWS(fixture_global_rows, fixture_global)};
static const struct scope_class fixture_listener_class = {
    .name = "ESMTP_Listener", .naming = SCOPE_UNNAMED, .description = "Listeners."};
static const struct scope_class fixture_listen_class = {.name = "Listen",
                                                        .parent = &fixture_listener_class,
                                                        .naming = SCOPE_NAMED,
                                                        .description = "One address.",
                                                        FIXTURE_ROWS(fixture_listen_rows, fixture_listen)};
static const struct scope_class fixture_backend_class = {
    .name = "Backend", .naming = SCOPE_UNNAMED, .single = true, .description = "Where mail goes."};
static const struct scope_class fixture_antivirus_class = {.name = "antivirus",
                                                           .naming = SCOPE_OPTIONAL,
                                                           .module = "validate/antivirus",
                                                           .description = "The framework.",
                                                           FIXTURE_ROWS(fixture_antivirus_rows, fixture_engine)};
static const struct scope_class fixture_clamav_class = {.name = "clamav",
                                                        .parent = &fixture_antivirus_class,
                                                        .naming = SCOPE_OPTIONAL,
                                                        .module = "validate/av_clamav",
                                                        .check = fixture_clamav_check,
                                                        .description = "ClamAV.",
                                                        FIXTURE_ROWS(fixture_clamav_rows, fixture_engine)};
static const struct scope_class fixture_kaspersky_class = {.name = "kaspersky",
                                                           .parent = &fixture_antivirus_class,
                                                           .naming = SCOPE_OPTIONAL,
                                                           .not_built = true,
                                                           .open = true,
                                                           .module = "validate/av_kaspersky",
                                                           .description = "Kaspersky.",
                                                           FIXTURE_ROWS(fixture_kaspersky_rows, fixture_engine)};
static const struct scope_class fixture_control_class = {.name = "Control_Listener",
                                                         .naming = SCOPE_UNNAMED,
                                                         .not_built = true,
                                                         .open = true,
                                                         .description = "The console."};
static const struct scope_class *const fixture_class_list[] = {
    &fixture_global_class,    &fixture_listener_class, &fixture_listen_class,    &fixture_backend_class,
    &fixture_antivirus_class, &fixture_clamav_class,   &fixture_kaspersky_class, &fixture_control_class};
static const struct conf_classes fixture_classes = {.items = fixture_class_list,
                                                    .count = ARRAY_SIZE(fixture_class_list)};

/* Files: pairs of path and text, ended by NULL. A path that ends in "/" is a directory whose text is its entries, one a
 * line. */
static enum err fixture_read(void *arg, const char *path, struct buf *out, struct errtext *why)
{
    for (const char *const *file = arg; *file; file += 2)
        if (strcmp(file[0], path) == 0)
            return buf_append(out, span_cstr(file[1]));
    errtext_set(why, "no such file");
    return ERR_NOTFOUND;
}

static enum err fixture_list(void *arg, const char *path, struct buf *out, struct errtext *why)
{
    size_t len = strlen(path);
    for (const char *const *file = arg; *file; file += 2) {
        if (strncmp(file[0], path, len) != 0 || strcmp(file[0] + len, "/") != 0)
            continue;
        for (const char *c = file[1]; *c; c++)
            if (buf_append_char(out, *c == '\n' ? '\0' : *c) != ERR_OK)
                return ERR_FULL;
        return ERR_OK;
    }
    errtext_set(why, "no directory");
    return ERR_NOTFOUND;
}

struct fixture {
    struct conf conf;
    struct problems problems;
    enum err result;
};

static inline void fixture_load_files(struct fixture *f, const char *const *files)
{
    struct conf_source source = {fixture_read, fixture_list, (void *)(size_t)files};
    problems_init(&f->problems);
    f->result = conf_load(&f->conf, files[0], &source, &fixture_classes, &f->problems);
}

static inline void fixture_load(struct fixture *f, const char *text)
{
    const char *const files[] = {"p.conf", text, NULL};
    fixture_load_files(f, files);
}

static inline void fixture_release(struct fixture *f)
{
    conf_release(&f->conf);
    problems_release(&f->problems);
}

/* Every finding, one a line, warnings marked. */
static inline const char *fixture_findings(const struct fixture *f)
{
    static char text[16384];
    size_t n = 0;
    text[0] = '\0';
    for (const struct problem *p = f->problems.first; p && n < sizeof(text); p = p->next) {
        int more =
            snprintf(text + n, sizeof(text) - n, "%s%s\n", p->severity == PROBLEM_WARNING ? "warning: " : "", p->text);
        n += (size_t)more;
    }
    return text;
}

/* Given TEXT, when it is loaded, then EXPECTED are its findings. */
static inline void fixture_expect(const char *text, const char *expected)
{
    struct fixture f;
    fixture_load(&f, text);
    ck_assert_str_eq(fixture_findings(&f), expected);
    fixture_release(&f);
}

/* The N-th (from 0) scope of CLASS below SCOPE. */
static inline const struct conf_scope *fixture_nth(const struct conf_scope *scope, const struct scope_class *class,
                                                   unsigned n)
{
    const struct conf_scope *child = NULL;
    do
        child = conf_child(scope, class, child);
    while (child && n--);
    ck_assert_ptr_nonnull(child);
    return child;
}

static inline const struct fixture_engine *fixture_engine(const struct fixture *f, unsigned n)
{
    return fixture_nth(fixture_nth(f->conf.global, &fixture_antivirus_class, 0), &fixture_clamav_class, n)->values;
}
static inline const struct fixture_listen *fixture_listen(const struct fixture *f, unsigned n)
{
    return fixture_nth(fixture_nth(f->conf.global, &fixture_listener_class, 0), &fixture_listen_class, n)->values;
}
static inline const struct fixture_global *fixture_global(const struct fixture *f)
{
    return fixture_nth(f->conf.global, &fixture_global_class, 0)->values;
}

#endif
