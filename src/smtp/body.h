/* SPDX-License-Identifier: MIT */
/* The body of DATA: dot-stuffing both ways (RFC 5321 4.5.2) and the end of data, which is CRLF . CRLF and nothing else
 * (4.1.1.4; threats.md B.1). The CRLF of the DATA line counts as the first one. Nothing is copied on the way in. */
#ifndef SMTP_BODY_H
#define SMTP_BODY_H

#include "smtp/smtp.h"

enum smtp_body_result {
    SMTP_BODY_MORE, /* what is left of the input cannot be judged yet: at most two octets, which stay in it */
    SMTP_BODY_SPAN, /* *out is content, not empty, and lies in the input */
    SMTP_BODY_END,  /* the terminator was taken; what follows are commands */
};

struct smtp_body_decoder {
    bool line_start; /* the last two octets were CRLF */
    bool after_cr;   /* the last octet was CR */
    unsigned faults; /* enum smtp_body_fault bits so far */
};

void smtp_body_decoder_init(struct smtp_body_decoder *d);
/* *used: octets of IN to consume before the next call. */
enum smtp_body_result smtp_body_decode(struct smtp_body_decoder *d, struct span in, struct span *out, size_t *used);

struct smtp_body_encoder {
    bool line_start, after_cr;
};

void smtp_body_encoder_init(struct smtp_body_encoder *e);
/* Appends BYTES, dots doubled. All or nothing: ERR_FULL or ERR_NOMEM leave everything as it was. */
enum err smtp_body_encode(struct smtp_body_encoder *e, struct buf *out, struct span bytes) must_use;
/* Appends the terminator, with a CRLF in front where the body did not end with one. All or nothing. */
enum err smtp_body_encode_end(struct smtp_body_encoder *e, struct buf *out) must_use;

#endif
