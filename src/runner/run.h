/* SPDX-License-Identifier: MIT */
/* One run of the scanner program: the message as a file, a process in the cage "exec", what it prints, its end. */
#ifndef RUNNER_RUN_H
#define RUNNER_RUN_H

#include "runner/judge.h"

enum { RUNNER_ARGUMENTS = 64 };

struct runner {
    struct runner_rules rules;
    const char *argv[RUNNER_ARGUMENTS + 1]; /* of the program; one that is "%s" becomes the message's path */
    const char *readable[RUNNER_ARGUMENTS];
    size_t readable_count;
    int program;      /* O_PATH */
    const char *temp; /* our own directory */
    int temp_fd;
    char message[4200]; /* path of the message in it */
    char output[RUNNER_OUTPUT_MAX];
    size_t output_len; /* the rest of what it prints is dropped, */
    bool cut;          /* and this says so */
};

/* FD is the message of SIZE octets. Ends within TIME_MS; then no process of the run is left, and the directory is
 * empty: otherwise this process ends. */
void runner_run(struct runner *r, int fd, uint64_t size, uint64_t time_ms, struct runner_end *end);

#endif
