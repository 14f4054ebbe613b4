/* SPDX-License-Identifier: MIT */
/* What the headers of vendors' ICAP servers say about a message: pure. One table of header names, one of words in their
 * texts; icap_reply.h feeds it. */
#ifndef SCAN_ENGINE_ICAP_SIGNAL_H
#define SCAN_ENGINE_ICAP_SIGNAL_H

#include "base/err.h"
#include "scan/verdict.h"

enum icap_strength {
    ICAP_NOTHING,
    ICAP_BLOCKED,     /* it refuses the message and names no virus */
    ICAP_UNSCANNABLE, /* it could not look at all of it */
    ICAP_INFECTED,    /* it found something, and does not say what */
    ICAP_NAMED,       /* it found something and names it */
};

struct icap_signals {
    bool suspicious_is_infected;
    enum icap_strength strongest; /* the first of the strongest counts */
    enum verdict_reason reason;   /* of ICAP_UNSCANNABLE */
    char text[LIMIT_VERDICT_NAME + 1];
    bool says_clean; /* some header shows that it has scanned the message and found nothing */
    /* The first word about what became of the message that nobody here knows; empty: there was none. It says nothing
     * against the message, and forbids to call it clean. */
    char unclear[LIMIT_VERDICT_NAME + 1];
    /* Of what it found and tells the resolution of: some it repaired, some not. */
    bool repaired, unrepaired;
};

/* One header. *FIELDS receives the number of lines that follow it and belong to it (X-Violations-Found), 0 otherwise.
 * False: a header of the table whose value makes no sense. */
bool icap_signal_header(struct icap_signals *s, struct span name, struct span value, size_t *fields);
/* One of the lines behind X-Violations-Found; LEFT of them are still to come, with this one. */
void icap_signal_violation(struct icap_signals *s, size_t left, struct span line);
/* The enclosed HTTP response has a status that says that it is no echo. */
void icap_signal_blocked(struct icap_signals *s, struct span text);
/* The verdict; false: nothing was said against the message. */
bool icap_signal_verdict(const struct icap_signals *s, struct verdict *out);

#endif
