/* SPDX-License-Identifier: MIT */
/* The fields of the client engine, only so that a session can embed it: nobody but client.c touches them. */
#ifndef SMTP_CLIENT_STATE_H
#define SMTP_CLIENT_STATE_H

#include "smtp/body.h"
#include "smtp/reply.h"

/* A command without a reply. The first `sent` of them were put into `out`, the others wait in `held`. */
struct smtp_client_command {
    enum smtp_client_verb verb;
    size_t len;       /* octets of the line, while it is held */
    uint64_t out_end; /* sent: octets put into `out` in all, up to the end of this command */
};

struct smtp_client {
    struct span hostname;
    struct buf out, held;
    uint64_t out_total; /* octets ever put into `out` */
    struct smtp_client_command commands[LIMIT_PIPELINE];
    unsigned first, count, sent;
    struct smtp_reply_parser parser;
    struct smtp_body_encoder body;
    struct smtp_offer offer;
    bool ready;
    bool in_body;       /* after 354, until the final dot */
    bool hello_is_helo; /* EHLO was refused */
    bool early;         /* input came when nothing was awaited: hold everything back until it is known what it is */
    const char *bad;    /* not NULL: what every next() says from then on */
};

#endif
