/* SPDX-License-Identifier: MIT */
/* The fields of the server engine, only so that a session can embed it: nobody but server*.c touches them. */
#ifndef SMTP_SERVER_STATE_H
#define SMTP_SERVER_STATE_H

#include "smtp/body.h"
#include "smtp/line.h"

/* A reply that is owed to the client, in the order of its commands: the owner's, or one of our own behind it. */
enum smtp_server_debt {
    SMTP_DEBT_HELLO,
    SMTP_DEBT_MAIL,
    SMTP_DEBT_RCPT,
    SMTP_DEBT_DATA,
    SMTP_DEBT_BODY_END,
    SMTP_DEBT_SAY
};
struct smtp_server_owed {
    unsigned char debt; /* enum smtp_server_debt */
    unsigned char say;  /* SAY: enum smtp_say */
    bool plain;         /* SAY: without enhanced code */
};

struct smtp_server {
    struct smtp_server_options options;
    struct buf out;
    struct buf path;                   /* canonical path where the command had another one */
    unsigned state;                    /* enum smtp_state of command.h */
    enum smtp_server_event_kind ended; /* QUIT or CLOSE: what every next() says from then on */
    const char *reason;                /* CLOSE; while `ended` is not set: close with this after the debts are paid */

    size_t consume; /* octets of the input that the last event's spans lie in */
    struct smtp_line line;
    struct smtp_body_decoder body;
    uint64_t body_size;

    struct smtp_server_owed owed[LIMIT_PIPELINE];
    unsigned owed_first, owed_count;

    bool extended;        /* the last hello was EHLO */
    bool enhanced;        /* replies carry enhanced codes */
    bool plain;           /* but those to this command do not */
    smtp_ext_set offered; /* what the last EHLO reply listed */
    uint64_t size_limit;  /* for SIZE=; 0: none */
    unsigned recipients;  /* accepted in this transaction */
    unsigned rcpt_tried;  /* RCPT in this transaction, whatever became of them */
    unsigned rcpt_owed;   /* RCPT events without a reply */
    unsigned rcpt_beyond; /* RCPT past max_recipients, since the last accepted message */
    unsigned errors, junk;
    unsigned bad, unrecognized; /* for smtp_server_bad_commands and the other */
    bool refused;               /* the command in hand was, with REFUSAL */
    enum smtp_say refusal;
    size_t hello_len;
    char hello[256]; /* RFC 5321 4.5.3.1.2: a domain has at most 255 octets */
};

#endif
