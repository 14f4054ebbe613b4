/* SPDX-License-Identifier: MIT */
/* The engine csapi: scanning in processes of another program. What the original did with Symantec's library in
 * ec_avscan is done by postern-avscan here, or by any program that speaks scanner_protocol.h.
 *
 * Three processes, each with one duty: the host (keeper.h) starts the programs, each in a cage of its own (profile
 * exec), and passes datagrams on; a worker, in the strict cage as ever, asks the host and waits, so that deadlines,
 * queue and answers are those of every other engine; the program loads its definitions once and scans message after
 * message. So no process that may start a program ever sees a message, and the program never sees the pool's channels.
 * There are max_concurrency of them, as in the original, each with the definitions in its memory: a program per worker
 * would load them more often than they can be used, one per message would load them all the time.
 *
 * This file is the part of the broker (open) and of the worker (scan). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "scan/engine/csapi.h"
#include "scan/engine/csapi_code.h"
#include "scan/engine/daemon_engine.h"
#include "sys/clock.h"
#include "sys/fdpass.h"

enum { MARGIN_MS_MAX = 500 /* before the deadline, at which the worker is killed */ };
static const char default_program[] = "postern-avscan";

/* NAME in the directory of the program that runs here. */
static enum err default_path(char path[CSAPI_PATH_SIZE], const char *name, struct errtext *why)
{
    size_t name_size = strlen(name) + 1;
    ssize_t len = readlink("/proc/self/exe", path, CSAPI_PATH_SIZE - name_size);
    char *slash = len > 0 ? memrchr(path, '/', (size_t)len) : NULL;
    if (!slash) {
        errtext_set(why, "the directory of %s is not known: /proc/self/exe cannot be read: %s", name, strerror(errno));
        return ERR_IO;
    }
    memcpy(slash + 1, name, name_size);
    return ERR_OK;
}

/* The program as it is now: what is put in its place later is not started. */
static enum err open_program(struct csapi *c, const char *source, struct errtext *why)
{
    struct stat st = {0};
    char magic[4] = "";
    int fd = open(source, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0)
        errtext_set(why, "scanner_path %s: %s", c->path, strerror(errno));
    else if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, source, X_OK, AT_EACCESS) != 0)
        errtext_set(why, "scanner_path %s: expected a program that user %u may execute", c->path, (unsigned)geteuid());
    else if (st.st_mode & S_IWOTH)
        errtext_set(why, "scanner_path %s: everybody may write it (mode %04o)", c->path, (unsigned)st.st_mode & 07777U);
    else if (pread(fd, magic, sizeof(magic), 0) != (ssize_t)sizeof(magic) || memcmp(magic, "\177ELF", 4) != 0)
        errtext_set(why, "scanner_path %s: expected a program, not a script: its cage lets it start nothing else",
                    c->path);
    else
        c->program.fd = open(source, O_PATH | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    struct stat now;
    if (c->program.fd < 0)
        return ERR_DENIED;
    if (fstat(c->program.fd, &now) == 0 && now.st_ino == st.st_ino && now.st_dev == st.st_dev)
        return ERR_OK;
    errtext_set(why, "scanner_path %s: it was replaced while it was looked at", c->path);
    return ERR_DENIED;
}

static enum err open_log(struct csapi *c, const struct scanner_conf *conf, struct errtext *why)
{
    struct stat st;
    const char *path = conf->log;
    if (!path)
        return ERR_OK;
    if (conf->log_fd > 0)
        c->program.log = fcntl(conf->log_fd, F_DUPFD_CLOEXEC, 0);
    else
        c->program.log =
            open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (c->program.log < 0 || fstat(c->program.log, &st) != 0) {
        errtext_set(why, "scanner_log %s: %s (it is opened as user %u)", path, strerror(errno), (unsigned)geteuid());
        return ERR_IO;
    }
    if (S_ISREG(st.st_mode))
        return ERR_OK;
    errtext_set(why, "scanner_log %s: must be a regular file", path);
    return ERR_DENIED;
}

static void set_arguments(struct csapi *c, const struct engine_conf *conf)
{
    const struct scanner_conf *s = &conf->scanner;
    const struct {
        const char *option;
        int64_t value;
    } limits[] = {
        {"--max-extract-depth", s->max_extract_depth},
        {"--max-extract-size", s->max_extract_size ? s->max_extract_size : SCANNER_FILE_SIZE},
        {"--max-cumulative-extract-size",
         s->max_cumulative_extract_size ? s->max_cumulative_extract_size : SCANNER_CUMULATIVE_SIZE},
        {"--max-extract-milliseconds", s->max_extract_time_ms},
        {"--max-file-count", s->max_file_count},
    };
    size_t n = 0;
    c->argv[n++] = default_program;
    c->argv[n++] = "--serve";
    c->argv[n++] = "--database";
    c->argv[n++] = conf->database;
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        snprintf(c->numbers[i], CSAPI_NUMBER_SIZE, "%lld", (long long)limits[i].value);
        c->argv[n++] = limits[i].option;
        c->argv[n++] = c->numbers[i];
    }
    if (conf->official_only)
        c->argv[n++] = "--official-only";
    c->argv[n] = NULL;
}

static void csapi_close(void *state)
{
    struct csapi *c = state;
    if (!c)
        return;
    if (c->program.fd >= 0)
        close(c->program.fd);
    if (c->program.log >= 0)
        close(c->program.log);
    buf_release(&c->out);
    mem_free(c);
}

void csapi_init(struct csapi *c, unsigned count)
{
    c->program = (struct engine_program){.fd = -1, .path = c->path, .argv = c->argv, .count = count, .log = -1};
    c->keeper = -1;
    buf_init(&c->out, SCANNER_MESSAGE_MAX);
}

enum err csapi_open_program(struct csapi *c, const char *name, const char *path, int fd, struct errtext *why)
{
    char source[32];
    enum err e = ERR_OK;
    if (!path)
        e = default_path(c->path, name, why);
    else if (snprintf(c->path, sizeof(c->path), "%s", path) >= (int)sizeof(c->path)) {
        errtext_set(why, "scanner_path is longer than %d octets", CSAPI_PATH_SIZE - 1);
        e = ERR_RANGE;
    }
    snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
    return e == ERR_OK ? open_program(c, fd > 0 ? source : c->path, why) : e;
}

static enum err csapi_open(const struct engine_conf *conf, void **state, struct engine_info *info, struct errtext *why)
{
    *state = NULL;
    memset(info, 0, sizeof(*info));
    struct csapi *c = MEM_NEW(struct csapi);
    if (!c) {
        errtext_set(why, "csapi: no memory");
        return ERR_NOMEM;
    }
    csapi_init(c, conf->max_concurrency > 0 ? (unsigned)conf->max_concurrency : 1);
    c->program.definitions = conf->database;
    c->program.update_ms = (uint64_t)conf->scanner.update_interval_ms;
    enum err e = csapi_open_program(c, default_program, conf->scanner.path, conf->scanner.program_fd, why);
    if (e == ERR_OK)
        e = open_log(c, &conf->scanner, why);
    if (e != ERR_OK) {
        csapi_close(c);
        return e;
    }
    set_arguments(c, conf);
    snprintf(info->version, sizeof(info->version), "%.100s, not ready yet", c->path);
    *state = c;
    return ERR_OK;
}

static const struct engine_program *csapi_program(const void *state)
{
    const struct csapi *c = state;
    return &c->program;
}

static const char *csapi_database(const struct engine_conf *conf)
{
    return conf->database;
}

static void csapi_attach(void *state, int keeper, size_t index)
{
    struct csapi *c = state;
    c->keeper = keeper;
    c->index = index;
}

static enum err csapi_worker_start(void *state, const char *temp, struct errtext *why)
{
    const struct csapi *c = state;
    (void)temp;
    if (c->keeper >= 0)
        return ERR_OK;
    errtext_set(why, "csapi: this worker has no line to its host");
    return ERR_STATE;
}

/* The answer to request SERIAL; those to requests that were given up before are passed over. ERR_AGAIN at the deadline,
 * ERR_CLOSED, ERR_SYNTAX. */
static enum err await_result(const struct csapi *c, uint64_t until_us, struct scanner_result *out)
{
    for (;;) {
        char bytes[SCANNER_MESSAGE_MAX];
        size_t len;
        int fd;
        enum err e = fdpass_recv(c->keeper, bytes, sizeof(bytes), &len, &fd);
        if (fd >= 0)
            close(fd);
        if (e == ERR_OK)
            e = scanner_result_read(span_of(bytes, len), out);
        if (e == ERR_OK && out->id == c->serial)
            return ERR_OK;
        if (e != ERR_OK && e != ERR_AGAIN)
            return e;
        uint64_t now = clock_monotonic_us();
        if (now >= until_us)
            return ERR_AGAIN;
        struct pollfd p = {.fd = c->keeper, .events = POLLIN};
        poll(&p, 1, (int)((until_us - now + 999) / 1000));
    }
}

static void csapi_scan(void *state, int fd, uint64_t size, uint64_t time_ms, struct verdict *out)
{
    struct csapi *c = state;
    if (c->max_size > 0 && daemon_message_is_too_large(size, c->max_size, out))
        return;
    uint64_t margin = time_ms / 10 < MARGIN_MS_MAX ? time_ms / 10 : MARGIN_MS_MAX;
    uint64_t mine_ms = time_ms - margin < SCANNER_TIME_MAX_MS ? time_ms - margin : SCANNER_TIME_MAX_MS;
    uint64_t until_us = clock_monotonic_us() + mine_ms * 1000;
    struct scanner_request ask = {.id = ++c->serial, .size = size, .time_ms = mine_ms, .engine = c->index};
    struct scanner_result result;
    enum err e = scanner_request_write(&ask, true, &c->out);
    if (e == ERR_OK)
        e = fdpass_send(c->keeper, buf_span(&c->out), fd);
    if (e == ERR_OK)
        e = await_result(c, until_us, &result);
    if (e == ERR_OK)
        csapi_code_verdict(&result, out);
    else if (e == ERR_AGAIN)
        verdict_set(out, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "the scanner gave no answer in time");
    else if (e == ERR_CLOSED)
        verdict_set(out, VERDICT_ERROR, VERDICT_REASON_DOWN, "the scan host closed the line to the scanner");
    else
        verdict_set(out, VERDICT_ERROR, VERDICT_REASON_ENGINE, "the scan host could not be asked for a scanner");
}

const struct engine_type engine_csapi = {
    .name = "csapi",
    .cage = ENGINE_CAGE_STRICT,
    .open = csapi_open,
    .worker_start = csapi_worker_start,
    .scan = csapi_scan,
    .close = csapi_close,
    .database = csapi_database,
    .program = csapi_program,
    .attach = csapi_attach,
};
