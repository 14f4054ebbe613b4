/* SPDX-License-Identifier: MIT */
/* The engine command: any command-line scanner, run once for each message.
 *
 * Who starts it? Not the broker, whose fork is the dearer the more it holds, and which must not read what a stranger's
 * program prints; not a worker, whose cage has no door to start programs. A small program of ours does, postern-runner
 * (src/runner): the broker runs max_concurrency of them as it runs csapi's scanners (scan/host/keeper.h), each in a
 * cage that lets it start the one program that is configured. Per message it forks, and the child closes the cage
 * "exec" behind itself, so that the scanner can start nothing further. So a process that may start a program has one
 * line, its own, and sees no other message; deadlines, queue and answers are those of every engine.
 *
 * A worker asks for a scan as it does for csapi (engine_csapi.scan). This file is the part of the broker. */
#include "base/mem.h"
#include "scan/engine/csapi.h"
#include "scan/engine/engine.h"
#include "sys/elf.h"

/* Of postern-runner: each exit code stands in one list only, and what may be in the others is bounded. */
enum {
    CODES = 256,
    ARGUMENTS = 1 + 2 * (CODES + COMMAND_PATTERNS + COMMAND_LIST) + 1 + COMMAND_LIST + 1,
};
static const char runner[] = "postern-runner";

struct command {
    struct csapi csapi; /* first: engine_csapi's functions work on it */
    const char *arguments[ARGUMENTS];
};

/* A list that was cut would be another configuration: with the codes of a find in its lost part, nothing is found. */
static enum err add_list(struct command *c, size_t *count, const char *option, const struct conf_list *list,
                         struct errtext *why)
{
    size_t each = option ? 2 : 1;
    if (list->count > (ARGUMENTS - 1 - *count) / each) {
        errtext_set(why, "codes, patterns, readable and argv together are more than %d arguments", ARGUMENTS);
        return ERR_FULL;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (option)
            c->arguments[(*count)++] = option;
        c->arguments[(*count)++] = list->items[i];
    }
    return ERR_OK;
}

static enum err make_arguments(struct command *c, const struct command_conf *o, struct errtext *why)
{
    static const char *const dashes[] = {"--"};
    const struct conf_list separator = {.items = dashes, .count = 1};
    const struct {
        const char *option;
        const struct conf_list *list;
    } lists[] = {{"--clean", &o->clean_codes},
                 {"--infected", &o->infected_codes},
                 {"--unscannable", &o->unscannable_codes},
                 {"--pattern", &o->virus_pattern},
                 {"--readable", &o->readable},
                 {NULL, &separator},
                 {NULL, &o->argv}};
    size_t count = 0;
    enum err e = ERR_OK;
    c->arguments[count++] = runner;
    for (size_t i = 0; i < ARRAY_SIZE(lists) && e == ERR_OK; i++)
        e = add_list(c, &count, lists[i].option, lists[i].list, why);
    c->arguments[count] = NULL;
    return e;
}

static enum err command_open(const struct engine_conf *conf, void **state, struct engine_info *info,
                             struct errtext *why)
{
    const struct command_conf *o = &conf->command;
    *state = NULL;
    memset(info, 0, sizeof(*info));
    if (o->argv.count == 0) {
        errtext_set(why, "argv is not given");
        return ERR_RANGE;
    }
    struct errtext inner;
    if (elf_check(o->argv.items[0], ELF_PROGRAM, &inner) != ERR_OK) {
        errtext_set(why, "argv: %.400s", inner.text);
        return ERR_DENIED;
    }
    struct command *c = MEM_NEW(struct command);
    if (!c) {
        errtext_set(why, "command: no memory");
        return ERR_NOMEM;
    }
    csapi_init(&c->csapi, conf->max_concurrency > 0 ? (unsigned)conf->max_concurrency : COMMAND_RUNNERS);
    enum err e = csapi_open_program(&c->csapi, runner, NULL, conf->scanner.program_fd, why);
    if (e == ERR_OK)
        e = make_arguments(c, o, why);
    if (e != ERR_OK) {
        engine_csapi.close(c);
        return e;
    }
    c->csapi.program.argv = c->arguments;
    c->csapi.program.launch = o->argv.items[0];
    c->csapi.program.readable = o->readable.items;
    c->csapi.program.readable_count = o->readable.count;
    c->csapi.max_size = (uint64_t)conf->max_filesize;
    snprintf(info->version, sizeof(info->version), "%.100s, not ready yet", o->argv.items[0]);
    *state = c;
    return ERR_OK;
}

static enum err command_worker_start(void *state, const char *temp, struct errtext *why)
{
    return engine_csapi.worker_start(state, temp, why);
}

static void command_scan(void *state, int fd, uint64_t size, uint64_t time_ms, struct verdict *out)
{
    engine_csapi.scan(state, fd, size, time_ms, out);
}

static void command_close(void *state)
{
    engine_csapi.close(state);
}

static const struct engine_program *command_program(const void *state)
{
    return engine_csapi.program(state);
}

static void command_attach(void *state, int keeper, size_t index)
{
    engine_csapi.attach(state, keeper, index);
}

const struct engine_type engine_command = {
    .name = "command",
    .cage = ENGINE_CAGE_STRICT,
    .open = command_open,
    .worker_start = command_worker_start,
    .scan = command_scan,
    .close = command_close,
    .program = command_program,
    .attach = command_attach,
};
