/* SPDX-License-Identifier: MIT */
/* The server side of one SMTP session: pulled, sans-I/O. Give bytes in a buffer, take one event, answer it, write what
 * stands in `out`. The engine itself answers what needs no decision (syntax, order, unknown verbs, NOOP, HELP, VRFY,
 * too many errors); everything else is an event that the owner answers with smtp_server_reply(), in order.
 *
 * Pipelining: after MAIL or RCPT the engine goes on to further RCPT before the reply is given (at most LIMIT_PIPELINE
 * unanswered); their replies are given in the order of the events. Every other event must be answered before the next
 * smtp_server_next() yields anything but SMTP_SERVER_BLOCKED. Thread: the owner's. Errors of memory end the session
 * (CLOSE).
 */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include "smtp/smtp.h"

struct smtp_server_options {
    struct span hostname;      /* borrowed for the life of the engine */
    struct span banner;        /* text after the host name in the greeting; may be empty: "ESMTP postern" */
    uint64_t max_message_size; /* octets after un-dot-stuffing; 0: no limit of ours */
    /* In each of these, 0 is no limit. */
    unsigned max_recipients; /* per message; further ones get 452 4.5.3 */
    unsigned max_errors; /* commands answered 5xx, by whomever, before 421 and CLOSE; an accepted message sets the count
                            back (postfix: smtpd_hard_error_limit 20) */
    unsigned max_junk; /* EHLO, NOOP, RSET, VRFY, HELP … without a message in between (smtpd_junk_command_limit 100) */
};

enum smtp_server_event_kind {
    SMTP_SERVER_NEED_INPUT, /* everything usable is consumed: flush out, then wait for more input */
    SMTP_SERVER_BLOCKED, /* replies are owed (smtp_server_reply) before input goes on; where smtp_server_unanswered() is
                            0, out is nearly full: call again once it has drained */
    SMTP_SERVER_HELLO,   /* EHLO or HELO: answer with smtp_server_reply_hello */
    SMTP_SERVER_MAIL,
    SMTP_SERVER_RCPT,
    SMTP_SERVER_DATA,     /* at least one recipient was accepted; answer 354 (body follows) or a refusal */
    SMTP_SERVER_BODY,     /* some of the body, un-dot-stuffed */
    SMTP_SERVER_BODY_END, /* answer with the final reply */
    SMTP_SERVER_RSET, /* RSET, or EHLO inside a transaction (then HELLO follows): forget the envelope; needs no answer
                       */
    SMTP_SERVER_REFUSED, /* a command that the engine itself refused, for the log; needs no answer */
    SMTP_SERVER_QUIT,    /* 221 is already in out: flush and close */
    SMTP_SERVER_CLOSE,   /* a 421/5xx is in out: flush and close; `reason` says why, for the log */
};

/* Spans are valid until the next smtp_server_next() on this engine. */
struct smtp_server_event {
    enum smtp_server_event_kind kind;
    union {
        struct {
            struct span name; /* argument, checked */
            bool extended;    /* EHLO */
        } hello;
        struct {
            struct span path; /* canonical, with < >, as to be relayed; "<>" for the null reverse-path */
            uint64_t size;    /* SIZE= value; 0: not stated */
            enum smtp_body body;
        } mail;
        struct {
            struct span path; /* canonical, with < > */
        } rcpt;
        struct span body;
        struct {
            uint64_t size;   /* octets un-dot-stuffed */
            unsigned faults; /* enum smtp_body_fault bits: to be refused 550 5.6.0 */
            bool too_large;  /* over max_message_size: body after the limit was dropped; to be refused 552 5.3.4 */
        } body_end;
        struct {
            struct span line;  /* as the client wrote it; empty where it was too long to be kept */
            enum smtp_say say; /* what it was answered */
        } refused;
        const char *reason; /* static */
    };
};

struct smtp_server; /* defined below the contract so that a session can embed it */

/* Nothing is read before the greeting: smtp_server_greet (220), or smtp_server_shut with 554 or 421. */
void smtp_server_init(struct smtp_server *s, const struct smtp_server_options *options);
void smtp_server_release(struct smtp_server *s);
enum err smtp_server_greet(struct smtp_server *s) must_use;

/* Consumes from IN and yields one event. Body spans lie in IN, which must not change until the next call. */
void smtp_server_next(struct smtp_server *s, struct buf *in, struct smtp_server_event *event);

/* Answers the oldest unanswered event. For DATA a 354 starts the body, a 4xx or 5xx refuses it and ends the
 * transaction. The class of the reply moves the state (MAIL accepted, recipients counted, transaction ended). HELLO may
 * be refused with it. A 421 ends the session: CLOSE follows. ERR_STATE: nothing to answer, or a code that cannot answer
 * it. ERR_FULL: drain out first. */
enum err smtp_server_reply(struct smtp_server *s, const struct smtp_reply *reply) must_use;
/* Answers HELLO: OFFER is what EHLO lists (ignored for HELO). */
enum err smtp_server_reply_hello(struct smtp_server *s, const struct smtp_offer *offer) must_use;
/* REPLY (421, or 554 instead of a greeting) now, whatever the state (shutdown, timeout): nothing more is read. Flush
 * and close. */
void smtp_server_shut(struct smtp_server *s, const struct smtp_reply *reply);

/* What is to be written to the client, in one write. The caller consumes from it. */
struct buf *smtp_server_out(struct smtp_server *s);

/* For log and timeouts. */
bool smtp_server_in_transaction(const struct smtp_server *s); /* MAIL was accepted or is pending, no end yet */
bool smtp_server_in_body(const struct smtp_server *s);
unsigned smtp_server_recipients(const struct smtp_server *s); /* accepted so far */
unsigned smtp_server_unanswered(const struct smtp_server *s);
struct span smtp_server_hello_name(const struct smtp_server *s);
/* Of the connection, answered 5xx by the engine itself: known commands that were wrong or out of place, and others. */
unsigned smtp_server_bad_commands(const struct smtp_server *s);
unsigned smtp_server_unrecognized_commands(const struct smtp_server *s);

#include "smtp/server_state.h"

#endif
