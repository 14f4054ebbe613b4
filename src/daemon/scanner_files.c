/* SPDX-License-Identifier: MIT */
/* Opening them, and both sides of the handing over. */
#include "daemon/scanner_files.h"
#include "base/num.h"
#include "base/span.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The program of engine E's scanners beside us; NULL: it has none. */
static const char *default_program(const struct framework_engine *e)
{
    if (e->built && strcmp(e->type, command_class.name) == 0)
        return "postern-runner";
    return e->built && strcmp(e->type, csapi_class.name) == 0 && e->conf->daemon.count == 0 ? "postern-avscan" : NULL;
}

bool scanner_files_beside(const char *name, char path[PATH_MAX])
{
    size_t size = strlen(name) + 1;
    ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - size);
    char *slash = len > 0 ? memrchr(path, '/', (size_t)len) : NULL;
    if (!slash)
        return false;
    memcpy(slash + 1, name, size);
    return true;
}

bool scanner_files_wanted(const struct framework_engine *e)
{
    return default_program(e) != NULL;
}

bool scanner_files_program(const struct framework_engine *e, char path[PATH_MAX])
{
    const char *given = e->conf->scanner.path;
    if (given)
        return (size_t)snprintf(path, PATH_MAX, "%s", given) < PATH_MAX;
    const char *beside = default_program(e);
    return beside && scanner_files_beside(beside, path);
}

void scanner_files_open(struct scanner_files *f, const struct framework *fw)
{
    for (size_t i = 0; i < LIMIT_ENGINES; i++) {
        f->program[i] = f->log[i] = -1;
        if (i >= fw->engine_count || !scanner_files_wanted(&fw->engines[i]))
            continue;
        const struct scanner_conf *c = &fw->engines[i].conf->scanner;
        char path[PATH_MAX];
        if (scanner_files_program(&fw->engines[i], path))
            f->program[i] = open(path, O_PATH | O_CLOEXEC);
        mode_t old = umask(027);
        if (c->log)
            f->log[i] =
                open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
        umask(old);
    }
}

void scanner_files_release(struct scanner_files *f)
{
    for (size_t i = 0; i < LIMIT_ENGINES; i++) {
        if (f->program[i] >= 0)
            close(f->program[i]);
        if (f->log[i] >= 0)
            close(f->log[i]);
        f->program[i] = f->log[i] = -1;
    }
}

void scanner_files_hand_over(const struct scanner_files *f, const struct framework *fw, const char *pool, int first,
                             struct scanner_handover *out)
{
    out->fd_count = out->argument_count = 0;
    for (size_t i = 0; i < fw->engine_count; i++) {
        if (f->program[i] < 0 || strcmp(fw->engines[i].pool, pool) != 0)
            continue;
        int program = first + (int)out->fd_count, log = 0;
        out->fds[out->fd_count++] = f->program[i];
        if (f->log[i] >= 0) {
            log = first + (int)out->fd_count;
            out->fds[out->fd_count++] = f->log[i];
        }
        snprintf(out->arguments[out->argument_count++], SCANNER_ARGUMENT, "--scanner=%zu:%d:%d", i, program, log);
    }
}

bool scanner_files_read(const char *argument, size_t *engine, int *program, int *log)
{
    uint64_t numbers[3];
    struct span rest = span_cstr(argument);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        size_t at = span_find(rest, ':');
        if (num_parse_u64(span_sub(rest, 0, at), i == 0 ? LIMIT_ENGINES - 1 : INT32_MAX, &numbers[i]) != ERR_OK)
            return false;
        rest = span_sub(rest, at + 1, rest.len);
    }
    *engine = (size_t)numbers[0];
    *program = (int)numbers[1];
    *log = (int)numbers[2];
    return rest.len == 0;
}
