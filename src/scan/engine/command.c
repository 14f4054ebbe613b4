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
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "scan/engine/csapi.h"
#include "scan/engine/engine.h"

enum { ARGUMENTS = 1024 /* of 256 exit codes, 8 patterns and COMMAND_LIST paths, twice, and the program's own */ };
static const char runner[] = "postern-runner";

struct command {
    struct csapi csapi; /* first: engine_csapi's functions work on it */
    const char *arguments[ARGUMENTS];
};

/* What runs must be a program: its cage lets it start nothing else. */
static enum err look_at_program(const char *path, struct errtext *why)
{
    struct stat st = {0};
    char magic[4] = "";
    enum err e = ERR_DENIED;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0)
        errtext_set(why, "argv: %.300s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
        errtext_set(why, "argv: %.300s: expected a program that user %u may execute", path, (unsigned)geteuid());
    else if (st.st_mode & S_IWOTH)
        errtext_set(why, "argv: %.300s: everybody may write it (mode %04o)", path, (unsigned)st.st_mode & 07777U);
    else if (pread(fd, magic, sizeof(magic), 0) != (ssize_t)sizeof(magic) || memcmp(magic, "\177ELF", 4) != 0)
        errtext_set(why, "argv: %.300s: expected a program, not a script: its cage lets it start nothing else", path);
    else
        e = ERR_OK;
    if (fd >= 0)
        close(fd);
    return e;
}

static size_t add_list(struct command *c, size_t n, const char *option, const struct conf_list *list)
{
    for (size_t i = 0; i < list->count && n + 3 < ARGUMENTS; i++) {
        if (option)
            c->arguments[n++] = option;
        c->arguments[n++] = list->items[i];
    }
    return n;
}

static enum err command_open(const struct engine_conf *conf, void **state, struct engine_info *info,
                             struct errtext *why)
{
    const struct command_conf *o = &conf->command;
    const struct {
        const char *option;
        const struct conf_list *list;
    } lists[] = {{"--clean", &o->clean_codes},
                 {"--infected", &o->infected_codes},
                 {"--unscannable", &o->unscannable_codes},
                 {"--pattern", &o->virus_pattern},
                 {"--readable", &o->readable}};
    *state = NULL;
    memset(info, 0, sizeof(*info));
    if (o->argv.count == 0) {
        errtext_set(why, "argv is not given");
        return ERR_RANGE;
    }
    enum err e = look_at_program(o->argv.items[0], why);
    struct command *c = e == ERR_OK ? MEM_NEW(struct command) : NULL;
    if (e != ERR_OK)
        return e;
    if (!c) {
        errtext_set(why, "command: no memory");
        return ERR_NOMEM;
    }
    csapi_init(&c->csapi, conf->max_concurrency > 0 ? (unsigned)conf->max_concurrency : COMMAND_RUNNERS);
    e = csapi_open_program(&c->csapi, runner, NULL, conf->scanner.program_fd, why);
    if (e != ERR_OK) {
        engine_csapi.close(c);
        return e;
    }
    size_t n = 0;
    c->arguments[n++] = runner;
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        n = add_list(c, n, lists[i].option, lists[i].list);
    c->arguments[n++] = "--";
    n = add_list(c, n, NULL, &o->argv);
    c->arguments[n] = NULL;
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
