/* SPDX-License-Identifier: MIT */
/* What the two halves of the server engine share: server.c (input, debts, replies) and server_command.c (one handler
 * per verb). */
#ifndef SMTP_SERVER_INTERNAL_H
#define SMTP_SERVER_INTERNAL_H

#include "smtp/command.h"
#include "smtp/server.h"

enum server_step {
    STEP_ANSWERED,    /* by the engine itself */
    STEP_EVENT,       /* *event is set; its spans lie in the line */
    STEP_EVENT_FIRST, /* *event is set; then the same line again */
    STEP_WAIT,        /* the same line again, once something owed was answered */
};

/* Handles one command line. */
enum server_step server_command(struct smtp_server *s, struct span line, struct smtp_server_event *event);

/* One of our own replies, behind what is owed. */
void server_say(struct smtp_server *s, enum smtp_say say);
/* SAY now, then CLOSE with REASON, which is static; what is still owed is dropped. */
void server_close(struct smtp_server *s, enum smtp_say say, const char *reason);
/* An event of KIND awaits its reply. */
void server_owe(struct smtp_server *s, enum smtp_server_debt debt);
void server_end_transaction(struct smtp_server *s);

#endif
