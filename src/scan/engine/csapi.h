/* SPDX-License-Identifier: MIT */
/* What csapi.c lends to command.c, whose programs are scanner programs too. Not for others. */
#ifndef SCAN_ENGINE_CSAPI_H
#define SCAN_ENGINE_CSAPI_H

#include "base/buf.h"
#include "scan/engine/engine.h"

enum { CSAPI_ARGUMENTS = 16, CSAPI_NUMBER_SIZE = 24, CSAPI_PATH_SIZE = 4096 };

/* State of engine_csapi, and the beginning of that of engine_command: its functions work on both. */
struct csapi {
    struct engine_program program;
    char path[CSAPI_PATH_SIZE];
    const char *argv[CSAPI_ARGUMENTS];
    char numbers[5][CSAPI_NUMBER_SIZE];
    uint64_t max_size; /* of a message; 0: any */
    /* in a worker */
    int keeper;
    size_t index;
    uint64_t serial;
    struct buf out;
};

/* Nothing is open. COUNT processes. */
void csapi_init(struct csapi *c, unsigned count);
/* The program PATH, or NAME in the directory of the one that runs here; FD is a descriptor of it that somebody opened
 * for us, or 0. ERR_DENIED, ERR_IO, ERR_RANGE: WHY. */
enum err csapi_open_program(struct csapi *c, const char *name, const char *path, int fd, struct errtext *why) must_use;

#endif
