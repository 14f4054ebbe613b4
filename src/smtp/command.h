/* SPDX-License-Identifier: MIT */
/* The table of verbs (command.def) and splitting a line into verb and argument. */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "smtp/smtp.h"

enum smtp_verb {
#define SMTP_COMMAND(verb, argument, states, handler, flags) SMTP_VERB_##verb,
#include "smtp/command.def"
#undef SMTP_COMMAND
    SMTP_VERB_COUNT /* not in the table */
};

/* Where a session stands between commands, as bits. */
enum smtp_state {
    STATE_NEW = 1,   /* not greeted */
    STATE_START = 2, /* greeted, no EHLO or HELO yet */
    STATE_READY = 4, /* no transaction */
    STATE_MAIL = 8,  /* MAIL accepted, or its reply is owed */
    STATE_BODY = 16, /* after 354 */
    STATE_ANY = STATE_START | STATE_READY | STATE_MAIL,
};

enum smtp_argument { ARGUMENT_NONE, ARGUMENT_ANY, ARGUMENT_NEEDED };
enum smtp_command_flag { FLAG_JUNK = 1, FLAG_HELP = 2, FLAG_PIPELINED = 4, FLAG_PLAIN = 8 };

struct smtp_command {
    struct span name;
    enum smtp_argument argument;
    unsigned states, flags;
};

/* The row of V; V is not SMTP_VERB_COUNT. */
const struct smtp_command *smtp_command_row(enum smtp_verb v);

/* Splits LINE at the first blank; ARGUMENT is without blanks at its ends. Any case. SMTP_VERB_COUNT: unknown. */
enum smtp_verb smtp_command_parse(struct span line, struct span *argument);

/* SMTP_SAY_OK, or what to answer to a line that holds an octet no command may hold: control characters but the tab, or
 * 8-bit. */
enum smtp_say smtp_command_check_octets(struct span line);

#endif
