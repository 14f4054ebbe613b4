/* SPDX-License-Identifier: MIT */
/* What is particular to command: its argument list, its codes, its patterns. Whether the program can run is found out
 * by the user who runs it; that it is not there at all is said at once. */
#include <errno.h>
#include <unistd.h>

#include "base/num.h"
#include "base/span.h"
#include "scan/ignore.h"
#include "scan/stanza.h"

enum { CODE_MAX = 255, PATTERN_MAX = 200 };

static void check_argv(const struct conf_scope *scope, const struct conf_list *argv, struct problems *problems)
{
    size_t paths = 0;
    bool told = false; /* where the message is: by %s, be it in the wrong place, or by the usual name of the input */
    if (argv->count == 0) {
        problem_error(problems, scope, NULL, "argv is needed: the program and its arguments, as a list");
        return;
    }
    for (size_t i = 0; i < argv->count; i++) {
        bool whole = strcmp(argv->items[i], "%s") == 0;
        paths += whole;
        told = told || strstr(argv->items[i], "%s") || strcmp(argv->items[i], "-") == 0;
        if (!whole && argv->items[i][0] == '%' && argv->items[i][1] && !argv->items[i][2]) {
            told = true;
            problem_error(problems, scope, "argv", "%s: there is no such placeholder, only %%s, the message's path",
                          argv->items[i]);
        }
        if (!whole && strstr(argv->items[i], "%s"))
            problem_error(problems, scope, "argv", "%s: %%s must be an argument of its own", argv->items[i]);
    }
    if (paths > 1)
        problem_error(problems, scope, "argv", "%%s stands in it %zu times, at most one is possible", paths);
    if (!told)
        problem_warning(problems, scope, "argv",
                        "without an argument %%s the program finds the message at its standard input only: one that "
                        "does not read that calls every message clean");
    if (argv->count > COMMAND_LIST)
        problem_error(problems, scope, "argv", "at most %d arguments are possible", COMMAND_LIST);
    if (argv->items[0][0] != '/')
        problem_error(problems, scope, "argv", "%s: expected the absolute path of a program", argv->items[0]);
    else if (access(argv->items[0], F_OK) != 0 && errno == ENOENT)
        problem_warning(problems, scope, "argv",
                        "%s: there is no such program: until there is, messages get the code "
                        "of this engine's trouble",
                        argv->items[0]);
}

static void check_codes_of(const struct conf_scope *scope, const char *option, const struct conf_list *codes,
                           const char *owner[CODE_MAX + 1], struct problems *problems)
{
    for (size_t i = 0; i < codes->count; i++) {
        uint64_t code;
        if (num_parse_u64(span_cstr(codes->items[i]), CODE_MAX, &code) != ERR_OK)
            problem_error(problems, scope, option, "%s: expected exit codes from 0 to %d", codes->items[i], CODE_MAX);
        else if (owner[code])
            problem_error(problems, scope, option, "%u stands in %s too", (unsigned)code, owner[code]);
        else
            owner[code] = option;
    }
}

static void check_pattern(const struct conf_scope *scope, const char *pattern, struct problems *problems)
{
    const char *name = strstr(pattern, "%v");
    if (!name || strstr(name + 2, "%v") || strlen(pattern) > PATTERN_MAX)
        problem_error(problems, scope, "virus_pattern",
                      "\"%.80s\": expected one %%v for the virus's name, and at most %d octets", pattern, PATTERN_MAX);
    else if (strspn(pattern, "*%v") == strlen(pattern))
        problem_error(problems, scope, "virus_pattern", "\"%.80s\" fits every line: expected some text around %%v",
                      pattern);
}

static void check_readable(const struct conf_scope *scope, const struct conf_list *readable, struct problems *problems)
{
    if (readable->count > COMMAND_LIST)
        problem_error(problems, scope, "readable", "at most %d are possible", COMMAND_LIST);
    for (size_t i = 0; i < readable->count; i++)
        if (readable->items[i][0] != '/')
            problem_error(problems, scope, "readable", "%s: expected an absolute path", readable->items[i]);
        else if (strcmp(readable->items[i], "/") == 0)
            problem_warning(problems, scope, "readable", "the program may read whatever its user may");
}

void stanza_check_command(const struct conf_scope *scope, const struct engine_conf *conf, struct problems *problems)
{
    const struct command_conf *c = &conf->command;
    const char *owner[CODE_MAX + 1] = {NULL};
    bool good;
    check_argv(scope, &c->argv, problems);
    check_codes_of(scope, "clean_codes", &c->clean_codes, owner, problems);
    check_codes_of(scope, "infected_codes", &c->infected_codes, owner, problems);
    check_codes_of(scope, "unscannable_codes", &c->unscannable_codes, owner, problems);
    if (c->virus_pattern.count > COMMAND_PATTERNS)
        problem_error(problems, scope, "virus_pattern", "at most %d are possible", COMMAND_PATTERNS);
    if (c->virus_pattern.count == 0 && c->infected_codes.count == 0)
        problem_error(problems, scope, NULL,
                      "without infected_codes and virus_pattern it could never find anything: one of them is needed");
    for (size_t i = 0; i < c->virus_pattern.count; i++)
        check_pattern(scope, c->virus_pattern.items[i], problems);
    check_readable(scope, &c->readable, problems);
    for (size_t i = 0; i < conf->ignore_signatures.count; i++)
        if (!ignore_is_digest(conf->ignore_signatures.items[i], &good) &&
            !ignore_is_paranoid(conf->ignore_signatures.items[i])) {
            problem_error(problems, scope, "ignore_signatures",
                          "the first name that the program prints counts, so a virus behind %s would pass: only "
                          "sha256: is possible",
                          conf->ignore_signatures.items[i]);
            break;
        }
}
