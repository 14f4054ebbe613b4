/* SPDX-License-Identifier: MIT */
/* What a scanner program of the engine `command` has said by its exit code and on its standard output: pure.
 *
 * src/runner is the program postern-runner: judge.h (this), run.h one run of the scanner program, main.c the line to
 * postern-scan. */
#ifndef RUNNER_JUDGE_H
#define RUNNER_JUDGE_H

#include "scan/engine/scanner_protocol.h"

enum { RUNNER_PATTERNS = 8, RUNNER_CODES = 256, RUNNER_OUTPUT_MAX = 1024 * 1024 };

enum runner_meaning { RUNNER_TROUBLE, RUNNER_CLEAN, RUNNER_INFECTED, RUNNER_UNSCANNABLE };
struct runner_rules {
    enum runner_meaning codes[RUNNER_CODES]; /* by exit code */
    const char *patterns[RUNNER_PATTERNS];
    size_t pattern_count;
};

struct runner_end {
    bool late;       /* it was killed at the deadline */
    bool cut;        /* it printed more than was kept */
    int signal;      /* that ended it; 0: none */
    unsigned code;   /* otherwise: its exit code */
    const char *why; /* it never ran; NULL: it did */
};

/* LINE has the form of PATTERN: * stands for any text, %v for the name of a virus, which *NAME borrows from LINE; all
 * else for itself. */
bool runner_pattern_fits(const char *pattern, struct span line, struct span *name);
/* A line with a virus's name counts whatever the exit code is, and however the program ended. Clean is only an exit
 * code that says so, and where lines may name a virus, only when all of them were read. All of OUT but its id. */
void runner_judge(const struct runner_rules *rules, const struct runner_end *end, struct span output,
                  struct scanner_result *out);

#endif
