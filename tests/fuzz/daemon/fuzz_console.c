/* SPDX-License-Identifier: MIT */
/* The console's protocol: a request as a server reads it, the head of an answer as a client reads it. What is read as
 * words is written and read again as the same words; what is a head is written as the same octets; and every request
 * has one answer, with the program's own syntax, in text and in JSON, of printable characters only. (B44) */
#include "daemon/console_commands.h"
#include "fuzz/fuzz.h"

void fuzz_target_words(fuzz_word *word)
{
    word(SPAN("json "));
    word(SPAN("\"\\\""));
    word(SPAN("0 1048576\n"));
    for (size_t t = 0; console_tables[t]; t++)
        for (size_t i = 0; i < console_tables[t]->count; i++)
            word(span_cstr(console_tables[t]->items[i].syntax));
}

/* ---- words ---- */

static void check_words(struct span line)
{
    struct console_words words = {.count = 0}, again = {.count = 0};
    struct errtext why = {""};
    char text[2 * CONSOLE_LINE_MAX + 64] = "";
    enum err e = console_line_parse(line, &words, &why);
    FUZZ_REQUIRE(e == ERR_OK || ((e == ERR_SYNTAX || e == ERR_FULL) && why.text[0] && words.count == 0));
    if (e)
        return;
    for (size_t i = 0; i < words.count; i++)
        FUZZ_REQUIRE(console_line_add(text, sizeof(text), words.items[i]) == ERR_OK);
    /* Quotes may make it longer than a request may be; and `json` as a first word is one where it was quoted before. */
    if (strlen(text) > CONSOLE_LINE_MAX || (words.count > 0 && strcmp(words.items[0], "json") == 0))
        return;
    FUZZ_REQUIRE(console_line_parse(span_cstr(text), &again, &why) == ERR_OK);
    FUZZ_REQUIRE(again.count == words.count && !again.json);
    for (size_t i = 0; i < words.count; i++)
        FUZZ_REQUIRE_SAME(span_cstr(again.items[i]), span_cstr(words.items[i]));
}

static void check_head(struct span bytes)
{
    size_t head, length;
    enum console_status status;
    char out[CONSOLE_HEAD_SIZE];
    if (console_head_read(bytes, &head, &status, &length) != ERR_OK)
        return;
    FUZZ_REQUIRE(length <= CONSOLE_OUTPUT_MAX && head <= bytes.len);
    FUZZ_REQUIRE_SAME(span_of(out, console_head_write(out, status, length)), span_sub(bytes, 0, head));
}

/* ---- requests ---- */

enum { TABLES_MAX = 16, ROWS_MAX = 128 };
static struct console_command rows[ROWS_MAX];
static struct console_table table = {.items = rows};
static const struct console_table *const tables[] = {&console_help_table, &table, NULL};

static void echo(struct console_call *c)
{
    console_json_open(c, NULL, '[');
    console_text(c, "%s\n", c->instance ? c->instance : "");
    for (size_t i = 0; i < c->argc; i++) {
        FUZZ_REQUIRE(c->argv[i] != NULL);
        console_text(c, "%s\n", c->argv[i]);
        console_json_str(c, NULL, c->argv[i]);
    }
    FUZZ_REQUIRE(c->argc == CONSOLE_WORDS_MAX || c->argv[c->argc] == NULL);
    console_call_finish(c);
}

static void write_nothing(void *arg, enum log_level level, struct span line)
{
    (void)arg, (void)level, (void)line;
}

static uint64_t no_clock(void *arg)
{
    (void)arg;
    return 0;
}

/* The program's own syntax, but what is called only says what it was given. */
static struct console *console_of_echoes(struct console_view *view)
{
    static struct log log = {.write = write_nothing, .wallclock_ms = no_clock};
    table.count = 0;
    for (size_t t = 0; t < TABLES_MAX && console_tables[t]; t++)
        for (size_t i = 0; i < console_tables[t]->count && table.count < ROWS_MAX; i++) {
            rows[table.count] = console_tables[t]->items[i];
            rows[table.count++].run = echo;
        }
    view->log = &log;
    view->loop = loop_new();
    struct console *console = console_new(view, tables);
    FUZZ_REQUIRE(view->loop && console);
    return console;
}

static unsigned answers;

static void answered(void *arg, struct console_call *call)
{
    struct span answer = console_call_answer(call);
    answers++;
    FUZZ_REQUIRE(answer.len > 0 && answer.len <= CONSOLE_OUTPUT_MAX && answer.ptr[answer.len - 1] == '\n');
    for (size_t i = 0; i < answer.len; i++)
        FUZZ_REQUIRE(char_is_print(answer.ptr[i]) || answer.ptr[i] == '\n' || answer.ptr[i] == '\t');
    loop_stop(arg);
}

static void check_request(struct span line)
{
    struct console_view view = {.framework = NULL};
    struct console *console = console_of_echoes(&view);
    answers = 0;
    FUZZ_REQUIRE(console_run(console, line, "fuzz", answered, view.loop) != NULL);
    loop_run(view.loop);
    FUZZ_REQUIRE(answers == 1);
    console_free(console);
    loop_free(view.loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = span_of(data, size);
    check_words(bytes);
    check_head(bytes);
    check_request(bytes);
    return 0;
}
