/* SPDX-License-Identifier: MIT */
/* Looking verbs up. */
#include "smtp/command.h"

static const struct smtp_command COMMANDS[] = {
#define SMTP_COMMAND(verb, argument, states, handler, flags)                                                           \
    [SMTP_VERB_##verb] = {{#verb, sizeof(#verb) - 1}, ARGUMENT_##argument, states, flags},
#include "smtp/command.def"
#undef SMTP_COMMAND
};

const struct smtp_command *smtp_command_row(enum smtp_verb v)
{
    return &COMMANDS[v];
}

enum smtp_verb smtp_command_parse(struct span line, struct span *argument)
{
    size_t n = 0;
    while (n < line.len && !char_is_blank(line.ptr[n]))
        n++;
    struct span name = span_sub(line, 0, n);
    *argument = span_trim(span_sub(line, n, line.len));
    size_t v = 0;
    while (v < ARRAY_SIZE(COMMANDS) && !span_eq_nocase(name, COMMANDS[v].name))
        v++;
    return (enum smtp_verb)v;
}

enum smtp_say smtp_command_check_octets(struct span line)
{
    enum smtp_say say = SMTP_SAY_OK;
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return SMTP_SAY_BAD_CHARACTER;
        if (c >= 0x80)
            say = SMTP_SAY_EIGHT_BIT;
    }
    return say;
}
