/* SPDX-License-Identifier: MIT */
/* postern-runner: the scanner program (scan/engine/scanner_protocol.h) behind the engine `command`. For each message it
 * runs the program that the configuration names, and says what its exit code and output mean. It is started by
 * postern-scan, in a cage that lets it start that one program (scan/host/sandbox.h), and serves one engine only:
 *
 *   postern-runner [--clean N]… [--infected N]… [--unscannable N]… [--pattern TEXT]… [--readable PATH]… -- PROGRAM ARG…
 */
#include "base/num.h"
#include "runner/run.h"
#include "scan/engine/scanner_line.h"
#include "scan/verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { MARGIN_MS_MAX = 500 };

struct line {
    struct runner run;
    struct scanner_line host;
};

static _Noreturn void refuse(struct line *l, const char *what, const char *why)
{
    char text[LIMIT_VERDICT_TEXT + 1];
    snprintf(text, sizeof(text), "%.150s: %.80s", what, why);
    scanner_line_refuse(&l->host, text);
}

static bool take_code(struct runner_rules *rules, const char *value, enum runner_meaning meaning)
{
    uint64_t code;
    if (num_parse_u64(span_cstr(value), RUNNER_CODES - 1, &code) != ERR_OK)
        return false;
    rules->codes[code] = meaning;
    return true;
}

static bool take_option(struct runner *r, const char *name, const char *value)
{
    if (strcmp(name, "--clean") == 0)
        return take_code(&r->rules, value, RUNNER_CLEAN);
    if (strcmp(name, "--infected") == 0)
        return take_code(&r->rules, value, RUNNER_INFECTED);
    if (strcmp(name, "--unscannable") == 0)
        return take_code(&r->rules, value, RUNNER_UNSCANNABLE);
    if (strcmp(name, "--pattern") == 0 && r->rules.pattern_count < RUNNER_PATTERNS) {
        r->rules.patterns[r->rules.pattern_count++] = value;
        return true;
    }
    if (strcmp(name, "--readable") == 0 && r->readable_count < RUNNER_ARGUMENTS) {
        r->readable[r->readable_count++] = value;
        return true;
    }
    return false;
}

static bool take_arguments(struct runner *r, int argc, char **argv)
{
    int i = 1;
    size_t n = 0;
    for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2)
        if (!take_option(r, argv[i], argv[i + 1]))
            return false;
    if (i >= argc || strcmp(argv[i], "--") != 0)
        return false;
    for (i++; i < argc && n < RUNNER_ARGUMENTS; i++)
        r->argv[n++] = argv[i];
    return n > 0 && i == argc;
}

static void open_program(struct line *l)
{
    struct runner *r = &l->run;
    r->temp = getenv("TMPDIR");
    r->program = open(r->argv[0], O_PATH | O_CLOEXEC);
    if (r->program < 0)
        refuse(l, r->argv[0], strerror(errno));
    r->temp_fd = r->temp ? open(r->temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (r->temp_fd < 0)
        refuse(l, "TMPDIR", r->temp ? strerror(errno) : "is not set");
    if (snprintf(r->message, sizeof(r->message), "%s/message.eml", r->temp) >= (int)sizeof(r->message))
        refuse(l, "TMPDIR", "its name is too long");
}

static void scan(void *arg, const struct scanner_request *request, int fd)
{
    struct line *l = arg;
    struct runner_end end;
    struct scanner_result result;
    uint64_t margin = request->time_ms / 10 < MARGIN_MS_MAX ? request->time_ms / 10 : MARGIN_MS_MAX;
    runner_run(&l->run, fd, request->size, request->time_ms - margin, &end);
    close(fd);
    runner_judge(&l->run.rules, &end, span_of(l->run.output, l->run.output_len), &result);
    result.id = request->id;
    scanner_line_answer(&l->host, &result);
}

int main(int argc, char **argv)
{
    static struct line l;
    struct scanner_ready ready = {.refused = false};
    if (fcntl(SCANNER_FD, F_SETFD, FD_CLOEXEC) != 0 || !take_arguments(&l.run, argc, argv)) {
        fprintf(stderr, "postern-runner " POSTERN_VERSION ": it is started by postern-scan, for engines command\n");
        return 2;
    }
    scanner_line_init(&l.host);
    open_program(&l);
    snprintf(ready.text, sizeof(ready.text), "%.200s", l.run.argv[0]);
    scanner_line_ready(&l.host, &ready);
    scanner_line_serve(scan, &l);
}
