/* SPDX-License-Identifier: MIT */
/* The grammar of aveserver's answers (Kaspersky Anti-Virus 5.x), as several free clients of it read them: pure, lines
 * to verdict. Three digits; then '-' (more follows) or a blank (the last line); then text. What is not understood is an
 * ERROR.
 *
 * Lines 3xx say something on the way: 322 names a virus, in the object whose path follows the name; the others are
 * passed over. A line with another first digit ends the answer.
 */
#ifndef SCAN_ENGINE_KASPERSKY_REPLY_H
#define SCAN_ENGINE_KASPERSKY_REPLY_H

#include "scan/verdict.h"

enum kaspersky_step { KASPERSKY_MORE, KASPERSKY_END };

struct kaspersky_reply {
    struct span object;                 /* that the paths of viruses must contain; empty: any will do */
    bool found, suspicious_is_infected; /* found: a line 322 came */
    bool nonsense;
    unsigned code, announced;          /* of the last line, and of those that promised it; 0: none came */
    char name[LIMIT_VERDICT_NAME + 1]; /* the first */
    char last[160];                    /* text of the last line, or of the one that makes no sense */
};

/* OBJECT lives as long as R. */
void kaspersky_reply_begin(struct kaspersky_reply *r, struct span object, bool suspicious_is_infected);
/* One line, without its end. After KASPERSKY_END nothing more is due. */
enum kaspersky_step kaspersky_reply_line(struct kaspersky_reply *r, struct span line);
/* The beginning of a line of which the rest is lost: that there is a virus counts, even without all of its name. */
void kaspersky_reply_cut(struct kaspersky_reply *r, struct span part);
void kaspersky_reply_verdict(const struct kaspersky_reply *r, struct verdict *out);
/* The command was refused: a code 5xx, and no virus before it. */
bool kaspersky_reply_is_refusal(const struct kaspersky_reply *r);

/* The code at the front of LINE, which a blank, '-' or nothing follows; 0: there is none. */
unsigned kaspersky_reply_code(struct span line);

#endif
