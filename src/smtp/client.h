/* SPDX-License-Identifier: MIT */
/* The client side of one SMTP session, sans-I/O, with two cursors: commands are queued by the owner, sent as far as the
 * server's PIPELINING allows (else one at a time), and answered in order. EHLO (HELO if refused) is sent by the engine
 * after the greeting. Thread: the owner's.
 *
 * A reply that breaks the grammar, comes unasked, or is too long is SMTP_CLIENT_BAD: the connection must be closed
 * (threats.md C7).
 */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "smtp/smtp.h"

enum smtp_client_verb {
    SMTP_CLIENT_GREETING,
    SMTP_CLIENT_HELLO,
    SMTP_CLIENT_MAIL,
    SMTP_CLIENT_RCPT,
    SMTP_CLIENT_DATA,
    SMTP_CLIENT_DOT, /* the final dot */
    SMTP_CLIENT_RSET,
    SMTP_CLIENT_NOOP,
    SMTP_CLIENT_QUIT,
};
const char *smtp_client_verb_name(enum smtp_client_verb v);

enum smtp_client_event_kind {
    SMTP_CLIENT_NEED_INPUT, /* flush out, wait for input */
    SMTP_CLIENT_READY,      /* greeting and EHLO are done: `offer` is set, commands may be queued (a refused greeting
                               or EHLO is SMTP_CLIENT_REPLY with its verb instead; the connection is then of no use) */
    SMTP_CLIENT_REPLY,      /* the reply to the oldest unanswered command */
    SMTP_CLIENT_BAD,        /* the server broke the protocol; `problem` says how */
};

struct smtp_client_event {
    enum smtp_client_event_kind kind;
    enum smtp_client_verb verb; /* REPLY: of which command */
    struct smtp_reply reply;    /* REPLY: valid until the next smtp_client_next() */
    const char *problem;        /* BAD: static */
    bool farewell;              /* BAD: it was a 421 that nothing asked for, which a server may send at any time */
};

struct smtp_client;

/* HOSTNAME for EHLO; borrowed for the life of the engine. */
void smtp_client_init(struct smtp_client *c, struct span hostname);
void smtp_client_release(struct smtp_client *c);

void smtp_client_next(struct smtp_client *c, struct buf *in, struct smtp_client_event *event);

/* Queue one command. ARGUMENT is what follows the verb: "FROM:<a@b> SIZE=12". ERR_FULL: LIMIT_PIPELINE commands are
 * queued, or as much text as may be held. ERR_DENIED: the argument has CR, LF, NUL or another control character (a bug
 * or an attack: nothing was sent), or does not fit a line. ERR_STATE: before READY, after BAD, behind DATA (it must be
 * the last of the queue) or inside a body. */
enum err smtp_client_command(struct smtp_client *c, enum smtp_client_verb verb, struct span argument) must_use;
/* After 354: body bytes, dot-stuffed into out (out is bounded: ERR_FULL means wait until it drained; nothing was
 * taken). */
enum err smtp_client_body(struct smtp_client *c, struct span bytes) must_use;
/* The final CRLF . CRLF; adds the CRLF when the body did not end with one (DATA bodies do). */
enum err smtp_client_body_end(struct smtp_client *c) must_use;

/* What is to be written to the server. The caller consumes from it. */
struct buf *smtp_client_out(struct smtp_client *c);

bool smtp_client_ready(const struct smtp_client *c);
const struct smtp_offer *smtp_client_offer(const struct smtp_client *c);
unsigned smtp_client_unanswered(const struct smtp_client *c); /* queued or sent, no reply yet */
enum smtp_client_verb
smtp_client_awaited(const struct smtp_client *c); /* verb of the oldest unanswered, for timeouts and logs */

#include "smtp/client_state.h"

#endif
