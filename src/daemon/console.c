/* SPDX-License-Identifier: MIT */
/* From a request to its command, and from the command's answer back to whoever asked. */
#include "daemon/console.h"
#include "base/mem.h"
#include "base/obj.h"
#include "conf/suggest.h"
#include "daemon/console_commands.h"
#include "daemon/console_internal.h"

enum { CONSOLE_MAGIC = 0x434f4e53, CALL_MAGIC = 0x43414c4c };
/* Words of a command that a request shares are shown; more rows than this are not worth reading as a usage line. */
enum { USAGE_ROWS_MAX = 12, WORD_MAX = 40, NAMES_MAX = 128 };

struct console {
    unsigned magic;
    const struct console_view *view;
    const struct console_table *const *tables;
    struct list calls;
    unsigned call_count;
};

/* ---- syntax ---- */

/* The next word of a SYNTAX; empty at its end. */
static struct span syntax_next(struct span *rest)
{
    *rest = span_trim(*rest);
    struct span word = span_sub(*rest, 0, span_find(*rest, ' '));
    *rest = span_sub(*rest, word.len, rest->len);
    return word;
}

static bool is_argument(struct span word)
{
    return word.ptr[0] == '[' || (word.ptr[0] >= 'A' && word.ptr[0] <= 'Z');
}

static bool is_optional(struct span word)
{
    return word.ptr[0] == '[';
}

static bool repeats(struct span word)
{
    return span_ends_nocase(word, SPAN("...]"));
}

/* A literal word, or a scope whose instance may be named; INSTANCE may be NULL. */
static bool literal_fits(struct span word, const char *given, const char **instance)
{
    struct span text = span_cstr(given), scope = span_sub(word, 0, span_find(word, '['));
    if (span_eq_nocase(text, scope))
        return true;
    struct span name = span_sub(text, scope.len, text.len);
    if (scope.len == word.len || !span_starts_nocase(text, scope) || name.len < 2 || name.ptr[0] != ':')
        return false;
    if (instance)
        *instance = given + scope.len + 1;
    return true;
}

/* How many words of the request fit SYNTAX from its beginning, as far as it consists of literal words. */
static size_t literals_shared(const char *syntax, const struct console_words *words)
{
    struct span rest = span_cstr(syntax), word;
    size_t n = 0;
    while ((word = syntax_next(&rest)).len > 0 && n < words->count && !is_argument(word) &&
           literal_fits(word, words->items[n], NULL))
        n++;
    return n;
}

/* Whether the whole request is this command; fills in its arguments. */
static bool syntax_fits(const char *syntax, const struct console_words *words, struct console_call *c)
{
    struct span rest = span_cstr(syntax), word;
    size_t at = 0;
    c->argc = 0;
    c->instance = NULL;
    while ((word = syntax_next(&rest)).len > 0) {
        if (!is_argument(word)) {
            if (at == words->count || !literal_fits(word, words->items[at++], &c->instance))
                return false;
            continue;
        }
        if (at == words->count && !is_optional(word))
            return false;
        for (size_t first = at; at < words->count && (at == first || repeats(word)); at++)
            c->argv[c->argc++] = words->items[at];
    }
    return at == words->count;
}

/* ---- finding ---- */

/* Every row of every table, one after the other; begin with {0}. */
struct row_walk {
    size_t table, row;
};

static const struct console_command *row_next(const struct console *con, struct row_walk *w)
{
    while (con->tables[w->table] && w->row == con->tables[w->table]->count) {
        w->table++;
        w->row = 0;
    }
    return con->tables[w->table] ? &con->tables[w->table]->items[w->row++] : NULL;
}

/* Whether GIVEN is one of the literal words of SYNTAX. */
static bool has_word(const char *syntax, const char *given)
{
    struct span rest = span_cstr(syntax), word;
    while ((word = syntax_next(&rest)).len > 0)
        if (!is_argument(word) && literal_fits(word, given, NULL))
            return true;
    return false;
}

/* Rows of the table, one behind the other; what does not fit any more is left out. */
struct usage {
    char text[ERRTEXT_SIZE];
    size_t len, rows;
};

static void usage_add(struct usage *u, const char *syntax)
{
    size_t room = sizeof(u->text) - u->len;
    int n = snprintf(u->text + u->len, room, "%s%s", u->rows ? "  |  " : "", syntax);
    if (n > 0 && (size_t)n < room && u->rows < USAGE_ROWS_MAX) {
        u->len += (size_t)n;
        u->rows++;
    }
    u->text[u->len] = '\0';
}

/* The first word is a later one of some commands. False: of none. */
static bool refuse_half(struct console_call *c)
{
    struct usage usage = {0};
    const struct console_command *row;
    for (struct row_walk w = {0}; (row = row_next(c->console, &w));)
        if (has_word(row->syntax, c->words.items[0]))
            usage_add(&usage, row->syntax);
    if (usage.rows > 0)
        console_refuse(c, "\"%.40s\" is not the whole command: %s", c->words.items[0], usage.text);
    return usage.rows > 0;
}

static void refuse_unknown(struct console_call *c)
{
    char names[NAMES_MAX][WORD_MAX], given[WORD_MAX];
    size_t count = 0;
    struct suggestion near;
    const struct console_command *row;
    struct span first = span_cstr(c->words.items[0]);
    if (refuse_half(c))
        return;
    snprintf(given, sizeof(given), "%.*s", SPAN_ARG(span_sub(first, 0, span_find(first, ':'))));
    suggestion_init(&near, given);
    for (struct row_walk w = {0}; count < ARRAY_SIZE(names) && (row = row_next(c->console, &w)); count++) {
        struct span rest = span_cstr(row->syntax), word = syntax_next(&rest);
        snprintf(names[count], sizeof(names[count]), "%.*s", SPAN_ARG(span_sub(word, 0, span_find(word, '['))));
        suggestion_offer(&near, names[count]);
    }
    if (near.best)
        console_refuse(c, "unknown command \"%.40s\": did you mean \"%s\"? `help` lists all", c->words.items[0],
                       near.best);
    else
        console_refuse(c, "unknown command \"%.40s\"; `help` lists all", c->words.items[0]);
}

/* The rows that begin as the request does are what was meant. */
static void refuse_arguments(struct console_call *c, size_t shared)
{
    struct usage usage = {0};
    const struct console_command *row;
    for (struct row_walk w = {0}; (row = row_next(c->console, &w));)
        if (literals_shared(row->syntax, &c->words) >= shared)
            usage_add(&usage, row->syntax);
    console_refuse(c, "usage: %s", usage.text);
}

static void call_find(struct console_call *c)
{
    const struct console_command *row;
    size_t best = 0;
    for (struct row_walk w = {0}; (row = row_next(c->console, &w));) {
        if (syntax_fits(row->syntax, &c->words, c)) {
            c->command = row;
            return;
        }
        size_t shared = literals_shared(row->syntax, &c->words);
        best = shared > best ? shared : best;
    }
    if (best == 0)
        refuse_unknown(c);
    else
        refuse_arguments(c, best);
}

/* ---- help ---- */

static void console_help(struct console_call *c)
{
    const struct console_command *row;
    size_t shown = 0;
    console_json_open(c, NULL, '{');
    console_json_open(c, "commands", '[');
    for (struct row_walk w = {0}; (row = row_next(c->console, &w));) {
        if (c->argc > 0 && !has_word(row->syntax, c->argv[0]))
            continue;
        shown++;
        console_text(c, "%-36s %s\n", row->syntax, row->help);
        console_json_open(c, NULL, '{');
        console_json_str(c, "syntax", row->syntax);
        console_json_str(c, "help", row->help);
        console_json_bool(c, "changes", row->changes);
        console_json_close(c);
    }
    console_json_close(c);
    console_json_close(c);
    if (shown == 0)
        console_fail(c, "no command has the word \"%.60s\"; `help` lists all", c->argv[0]);
    if (c->argc == 0)
        console_text(c, "%-36s %s\n", "json COMMAND", "the answer of any command in JSON");
    console_call_finish(c);
}

static const struct console_command help_rows[] = {
    {.syntax = "help [COMMAND]", .help = "all commands, or those with a word in them", .run = console_help},
};
const struct console_table console_help_table = CONSOLE_TABLE(help_rows);

/* ---- a call's life ---- */

/* Who did what, for all that changes something. */
static void call_log(const struct console_call *c)
{
    char line[CONSOLE_LINE_MAX + 1] = "";
    struct log_record r;
    if (!c->command || !c->command->changes)
        return;
    for (size_t i = 0; i < c->words.count; i++)
        if (console_line_add(line, sizeof(line), c->words.items[i]) != ERR_OK)
            break;
    log_begin(&r, c->view->log, LOG_CONSOLE);
    log_cstr(&r, "command", line);
    log_cstr(&r, "by", c->asked_by);
    log_u64(&r, "status", c->status);
    if (c->status != CONSOLE_DONE)
        log_str(&r, "answer", span_sub(buf_span(&c->out), 0, span_find(buf_span(&c->out), '\n')));
    log_end(&r);
}

static void call_free(struct console_call *c)
{
    list_remove(&c->node);
    c->console->call_count--;
    deadline_clear(&c->deadline);
    loop_defer_cancel(&c->reaper);
    buf_release(&c->out);
    mem_free(c->state);
    OBJ_FINI(c);
    mem_free(c);
}

/* Tells whoever asked; afterwards nobody waits any more. */
static void call_tell(struct console_call *c)
{
    if (c->abandoned)
        return;
    c->done(c->done_arg, c);
    c->abandoned = true;
}

static void call_reap(void *arg)
{
    struct console_call *c = arg;
    OBJ_CHECK(c, CALL_MAGIC);
    call_tell(c);
    call_free(c);
}

static void call_expired(void *arg)
{
    struct console_call *c = arg;
    OBJ_CHECK(c, CALL_MAGIC);
    unsigned ms = c->command->deadline_ms ? c->command->deadline_ms : CONSOLE_DEADLINE_MS;
    c->failed = false; /* whatever it was about to say comes too late */
    console_fail(c, "no answer within %u seconds; what the command began may still go on", ms / 1000);
    console_output_end(c);
    call_tell(c);
}

void console_call_finish(struct console_call *c)
{
    OBJ_CHECK(c, CALL_MAGIC);
    if (c->finished) /* the answer may be with its reader already */
        abort();
    c->finished = true;
    deadline_clear(&c->deadline);
    console_output_end(c);
    call_log(c);
    loop_defer(c->view->loop, &c->reaper);
}

void console_call_abandon(struct console_call *c)
{
    OBJ_CHECK(c, CALL_MAGIC);
    c->abandoned = true;
}

enum console_status console_call_status(const struct console_call *c)
{
    return c->status;
}

struct span console_call_answer(const struct console_call *c)
{
    return buf_span(&c->out);
}

static void call_begin(struct console_call *c, struct span line)
{
    struct errtext why = {""};
    enum err e = console_line_parse(line, &c->words, &why);
    c->json = c->words.json;
    if (e)
        console_refuse(c, "%s", why.text);
    else if (c->console->call_count > CONSOLE_CALLS_MAX)
        console_fail(c, "%d commands are on their way already: try again later", CONSOLE_CALLS_MAX);
    else if (c->words.count == 0)
        console_refuse(c, "no command; `help` lists all");
    else
        call_find(c);
    if (!c->command) {
        console_call_finish(c);
        return;
    }
    deadline_set_ms(&c->deadline, c->command->deadline_ms ? c->command->deadline_ms : CONSOLE_DEADLINE_MS);
    c->command->run(c);
}

struct console_call *console_run(struct console *con, struct span line, const char *asked_by,
                                 void (*done)(void *arg, struct console_call *call), void *arg)
{
    OBJ_CHECK(con, CONSOLE_MAGIC);
    struct console_call *c = MEM_NEW(struct console_call);
    if (!c)
        return NULL;
    OBJ_INIT(c, CALL_MAGIC);
    c->console = con;
    c->view = con->view;
    c->done = done;
    c->done_arg = arg;
    snprintf(c->who, sizeof(c->who), "%s", asked_by);
    c->asked_by = c->who;
    buf_init(&c->out, CONSOLE_OUTPUT_MAX);
    deadline_init(&c->deadline, con->view->loop, call_expired, c);
    loop_deferred_init(&c->reaper, call_reap, c);
    list_append(&con->calls, &c->node);
    con->call_count++;
    call_begin(c, line);
    return c;
}

struct console *console_new(const struct console_view *view, const struct console_table *const *tables)
{
    struct console *con = MEM_NEW(struct console);
    if (!con)
        return NULL;
    OBJ_INIT(con, CONSOLE_MAGIC);
    con->view = view;
    con->tables = tables;
    list_init(&con->calls);
    return con;
}

void console_stop(struct console *con)
{
    if (!con)
        return;
    LIST_EACH (node, &con->calls) {
        struct console_call *c = container_of(node, struct console_call, node);
        if (c->stop && !c->finished)
            c->stop(c);
    }
}

void console_free(struct console *con)
{
    if (!con)
        return;
    LIST_EACH_SAFE (node, &con->calls)
        call_free(container_of(node, struct console_call, node));
    OBJ_FINI(con);
    mem_free(con);
}
