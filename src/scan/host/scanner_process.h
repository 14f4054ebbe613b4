/* SPDX-License-Identifier: MIT */
/* The start of one scanner program: its channel, a pipe for what it prints, its empty directory, its cage. */
#ifndef SCAN_HOST_SCANNER_PROCESS_H
#define SCAN_HOST_SCANNER_PROCESS_H

#include "scan/engine/engine.h"
#include "scan/host/sandbox.h"

struct scanner_process_setup {
    const struct engine_program *program;
    const char *temp_base; /* its directory is SLOT below it */
    unsigned slot;
    struct sandbox_limits limits;
};
struct scanner_process {
    int pid, pidfd;
    int channel; /* our end of its descriptor 3 */
    int output;  /* non-blocking: what it prints */
};

/* All descriptors are close-on-exec and the caller's. WHY on failure; then there are none. */
enum err scanner_process_start(const struct scanner_process_setup *setup, struct scanner_process *out,
                               struct errtext *why) must_use;

#endif
