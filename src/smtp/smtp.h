/* SPDX-License-Identifier: MIT */
/* src/smtp: SMTP without I/O (RFC 5321 and its extensions). Bytes in, one event out, bytes out; no sockets, no clock,
 * no logs.
 *
 * smtp.h (this) the shared words; command(.def) one row per verb: name, handler, legal states, the table is the
 * dispatcher; path (reverse- and forward-paths); param (ESMTP parameters of MAIL and RCPT); ext(.def) EHLO keywords,
 * each hop or end-to-end; reply(.def) replies: our own texts in one table, forming, parsing; line (CRLF lines with a
 * maximum); body (dot-stuffing both ways, end of data, line-end faults); header (top-level header lines of a message);
 * server.h and client.h the two engines.
 */
#ifndef SMTP_SMTP_H
#define SMTP_SMTP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"
#include <stdint.h>

/* EHLO keywords that postern knows (ext.def): SMTP_EXT_PIPELINING, … One bit each in a set. */
enum smtp_ext {
#define SMTP_EXT(symbol, keyword, kind, source) SMTP_EXT_##symbol,
#include "smtp/ext.def"
#undef SMTP_EXT
    SMTP_EXT_COUNT
};
typedef uint32_t smtp_ext_set;
#define SMTP_EXT_BIT(symbol) ((smtp_ext_set)1 << SMTP_EXT_##symbol)

/* Hop keywords are ours whatever the backend has; end-to-end ones are offered only where the backend has them (DESIGN
 * 4). */
enum smtp_ext_kind { SMTP_EXT_HOP, SMTP_EXT_END_TO_END };
const char *smtp_ext_keyword(enum smtp_ext e);
enum smtp_ext_kind smtp_ext_kind(enum smtp_ext e);
smtp_ext_set smtp_ext_hop_set(void);
smtp_ext_set smtp_ext_end_to_end_set(void);

/* What an EHLO reply offers. */
struct smtp_offer {
    smtp_ext_set set;
    uint64_t size_limit; /* SIZE value in octets; 0: none stated */
};

/* A reply: code, enhanced status code, text. */
struct smtp_reply {
    int code;             /* 200…599 */
    uint16_t enhanced[3]; /* class.subject.detail, the last two 0…999 (RFC 3463); {0} none */
    struct span text;     /* lines separated by '\n', without code and enhanced code; borrowed */
};
static inline int smtp_reply_class(const struct smtp_reply *r)
{
    return r->code / 100;
}

/* Our own replies (reply.def): SMTP_SAY_…; use smtp_say() to get one. */
enum smtp_say {
#define SMTP_SAY(symbol, code, enhanced, text) SMTP_SAY_##symbol,
#include "smtp/reply.def"
#undef SMTP_SAY
    SMTP_SAY_COUNT
};
struct smtp_reply smtp_say(enum smtp_say s);

/* Writes R as reply lines. Text is sanitised: printable ASCII (8-bit only if UTF8), lines cut at 512 octets, at least
 * one line. WITH_ENHANCED puts the enhanced code in front of each line for 2xx, 4xx, 5xx. ERR_FULL: OUT has no room,
 * nothing written. */
enum err smtp_reply_write(struct buf *out, const struct smtp_reply *r, bool with_enhanced, bool utf8) must_use;

/* Body= parameter of MAIL (RFC 6152, 3030). */
enum smtp_body { SMTP_BODY_NONE, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

/* Line-end and octet faults of a message body, as bits. */
enum smtp_body_fault { SMTP_FAULT_BARE_CR = 1, SMTP_FAULT_BARE_LF = 2, SMTP_FAULT_NUL = 4 };

#endif
