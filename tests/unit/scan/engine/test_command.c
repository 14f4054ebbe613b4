/* SPDX-License-Identifier: MIT */
/* The broker's part of the engine command: what postern-runner is told. */
#include <check.h>
#include <fcntl.h>
#include <unistd.h>

#include "scan/engine/engine.h"

enum { CODES = 256 };

struct opened {
    struct engine_conf conf;
    const char *codes[CODES + 1], *many[COMMAND_LIST], *patterns[COMMAND_PATTERNS];
    char texts[CODES + 1][8];
    void *state;
    struct errtext why;
};

/* As much as a configuration may hold, and MORE_CODES. */
static enum err open_with(struct opened *o, size_t more_codes)
{
    struct engine_info info;
    memset(o, 0, sizeof(*o));
    for (size_t i = 0; i < ARRAY_SIZE(o->codes); i++) {
        snprintf(o->texts[i], sizeof(o->texts[i]), "%zu", i);
        o->codes[i] = o->texts[i];
    }
    for (size_t i = 0; i < ARRAY_SIZE(o->many); i++)
        o->many[i] = "/bin/true";
    for (size_t i = 0; i < ARRAY_SIZE(o->patterns); i++)
        o->patterns[i] = "x %v";
    struct command_conf *c = &o->conf.command;
    c->clean_codes = (struct conf_list){o->codes, 1};
    c->infected_codes = (struct conf_list){o->codes + 1, CODES - 1 + more_codes};
    c->virus_pattern = (struct conf_list){o->patterns, COMMAND_PATTERNS};
    c->readable = (struct conf_list){o->many, COMMAND_LIST};
    c->argv = (struct conf_list){o->many, COMMAND_LIST};
    o->conf.scanner.program_fd = open("/bin/true", O_PATH | O_CLOEXEC);
    ck_assert(o->conf.scanner.program_fd > 0);
    enum err e = engine_command.open(&o->conf, &o->state, &info, &o->why);
    close(o->conf.scanner.program_fd);
    return e;
}

START_TEST(all_that_a_configuration_may_hold_reaches_the_runner)
{
    struct opened o;
    ck_assert_msg(open_with(&o, 0) == ERR_OK, "%s", o.why.text);
    const char *const *argv = engine_command.program(o.state)->argv;
    size_t count = 0, codes = 0, own = 0;
    for (bool behind = false; argv[count]; count++) {
        own += behind;
        behind = behind || strcmp(argv[count], "--") == 0;
        codes += strcmp(argv[count], "--infected") == 0 || strcmp(argv[count], "--clean") == 0;
    }
    ck_assert_uint_eq(codes, CODES);
    ck_assert_uint_eq(own, COMMAND_LIST);
    ck_assert_uint_eq(count, 1 + 2 * (CODES + COMMAND_PATTERNS + COMMAND_LIST) + 1 + COMMAND_LIST);
    engine_command.close(o.state);
}
END_TEST

START_TEST(what_would_be_cut_is_an_error)
{
    struct opened o;
    ck_assert(open_with(&o, 1) != ERR_OK);
    ck_assert_ptr_null(o.state);
    ck_assert_msg(strstr(o.why.text, "together are more than") != NULL, "%s", o.why.text);
}
END_TEST

#define CASES(X)                                                                                                       \
    X(all_that_a_configuration_may_hold_reaches_the_runner)                                                            \
    X(what_would_be_cut_is_an_error)
#include "support/check_main.h"
