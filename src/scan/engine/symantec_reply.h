/* SPDX-License-Identifier: MIT */
/* The grammar of Symantec Scan Engine's native protocol, version 2: what it says line by line, without line ends. Pure.
 *
 *   greeting   220 Symantec AntiVirus Scan Engine ready.
 *              2                          highest version of the protocol
 *   reply      230 File scanned.          or another code
 *              0                          0 clean; infected: 1 not repaired, 2 partly, 3 fully
 *              20240105                   date of the definitions
 *              2                          their revision
 *              1                          number of infections, and for each of them
 *              message.eml                file, virus, its number, what became of it
 *              Test Virus
 *              11101
 *              0
 */
#ifndef SCAN_ENGINE_SYMANTEC_REPLY_H
#define SCAN_ENGINE_SYMANTEC_REPLY_H

#include "scan/verdict.h"

enum { SYMANTEC_LINE_MAX = 4096 };
enum symantec_step {
    SYMANTEC_MORE, /* another line is due */
    SYMANTEC_DONE,
    SYMANTEC_BAD, /* no such thing can be said here */
};

struct symantec_reply {
    unsigned lines; /* taken so far */
    unsigned code, status;
    uint64_t date, revision, infections;
    char text[LIMIT_VERDICT_TEXT + 1];  /* of the first line */
    char virus[LIMIT_VERDICT_NAME + 1]; /* the first one's */
};

/* Zero the structure, then give it line after line until it is DONE. */
enum symantec_step symantec_greeting_line(struct symantec_reply *r, struct span line);
enum symantec_step symantec_reply_line(struct symantec_reply *r, struct span line);
/* What was taken says infected (a status that is not 0, or a number of infections), whatever may be behind it or lost.
 */
bool symantec_reply_is_infected(const struct symantec_reply *r);
/* A code that says nothing about the message, but that this server serves nobody now: closing, too busy, without a
 * licence. */
bool symantec_reply_is_refusal(const struct symantec_reply *r);
/* After DONE, or when it is infected. What is not known to be clean is not. */
void symantec_reply_verdict(const struct symantec_reply *r, struct verdict *out);
/* Date and revision as one number: 20240105002; 0 where the reply did not come so far. */
uint64_t symantec_reply_definitions(const struct symantec_reply *r);

#endif
