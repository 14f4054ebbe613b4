/* SPDX-License-Identifier: MIT */
/* The grammar of fsavd's answers to SCAN, as several free clients of it read them: pure, lines to verdict. Fields are
 * separated by tabs; report lines come in any number, then one that begins with OK, or with ERROR. What is not
 * understood is an ERROR.
 */
#ifndef SCAN_ENGINE_FSECURE_REPLY_H
#define SCAN_ENGINE_FSECURE_REPLY_H

#include "scan/verdict.h"

enum fsecure_step { FSECURE_MORE, FSECURE_END };

struct fsecure_wishes {
    bool riskware_is_infected, suspicious_is_infected;
};

struct fsecure_reply {
    struct span path; /* that was asked for: reports on others are no answer */
    struct fsecure_wishes wishes;
    bool clean, failed, encrypted, nonsense, refused, ended;
    char infected[LIMIT_VERDICT_NAME + 1];  /* the first name; empty: none */
    char suspected[LIMIT_VERDICT_NAME + 1]; /* likewise */
    char detail[160];                       /* the line that tells of trouble */
};

/* PATH lives as long as R. */
void fsecure_reply_begin(struct fsecure_reply *r, struct span path, struct fsecure_wishes wishes);
/* One line, without its end. After FSECURE_END nothing more is due. */
enum fsecure_step fsecure_reply_line(struct fsecure_reply *r, struct span line);
/* The beginning of a line of which the rest is lost: what names a virus counts, even without all of its name. */
void fsecure_reply_cut(struct fsecure_reply *r, struct span part);
void fsecure_reply_verdict(const struct fsecure_reply *r, struct verdict *out);

/* Lines that belong to no request and may come at any time: "DBVERSION…", "PING". */
bool fsecure_line_is_aside(struct span line);
/* "DBVERSION 2009-03-17_05" as text for people, and its digits as a number (0: none that fits). False: another line. */
bool fsecure_line_version(struct span line, char *version, size_t size, uint64_t *database);
/* The answer to a request that is no SCAN: OK and maybe more fields. */
bool fsecure_line_is_ok(struct span line);

#endif
