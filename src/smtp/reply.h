/* SPDX-License-Identifier: MIT */
/* Parsing the replies of a server, strictly and with bounds. What breaks the grammar of RFC 5321 4.2 is BAD with a word
 * on how; the text itself may hold any octet but CR, LF: it is cleaned when it is written to a client
 * (smtp_reply_write). */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "smtp/smtp.h"

enum smtp_reply_result {
    SMTP_REPLY_MORE, /* the reply is not complete */
    SMTP_REPLY_OK,
    SMTP_REPLY_BAD, /* `problem` says how; the parser must not be used any more */
};

struct smtp_reply_parser {
    struct buf text; /* lines so far, separated by '\n', without codes */
    size_t scanned;  /* octets of the unfinished line that hold no line end */
    size_t octets;   /* of the reply as it came over the wire */
    int code;        /* of the first line; 0: before it */
    uint16_t enhanced[3];
    bool finished; /* the last call gave a reply: start afresh */
    const char *problem;
};

void smtp_reply_parser_init(struct smtp_reply_parser *p);
void smtp_reply_parser_release(struct smtp_reply_parser *p);
/* Consumes whole lines from IN. OK: *reply, whose text lives until the next call. */
enum smtp_reply_result smtp_reply_parse(struct smtp_reply_parser *p, struct buf *in, struct smtp_reply *reply);
/* A reply has begun and is not complete: of it, or of its first line, bytes were seen. */
bool smtp_reply_parser_busy(const struct smtp_reply_parser *p);

/* An enhanced status code (RFC 3463) that begins S: its length, 0: none. It must end at a blank or at the end of S. */
size_t smtp_enhanced_parse(struct span s, uint16_t code[3]);

#endif
