/* SPDX-License-Identifier: MIT */
/* Programs and logs of csapi's scanners (scanner_path, scanner_log), and command's runner, opened once by the
 * supervisor, which can reach more than the scan hosts that start them: a host gets the descriptors behind its control
 * socket, and the argument
 * `--scanner ENGINE:PROGRAM:LOG` for each engine, with the engine's number in the framework; LOG is 0 where there is
 * none. What cannot be opened here is left to the host, which says why it cannot either. */
#ifndef DAEMON_SCANNER_FILES_H
#define DAEMON_SCANNER_FILES_H

#include "scan/framework.h"
#include <limits.h>

enum { SCANNER_FILES_MAX = 2 * LIMIT_ENGINES, SCANNER_ARGUMENT = 48 };

struct scanner_files {
    int program[LIMIT_ENGINES], log[LIMIT_ENGINES]; /* by engine of the framework; -1: none */
};

/* NAME in the directory where we lie. */
bool scanner_files_beside(const char *name, char path[PATH_MAX]);
/* The engine works through a program of ours to open. */
bool scanner_files_wanted(const struct framework_engine *e);
/* Which one; false: it has none, or postern cannot tell where it lies itself. */
bool scanner_files_program(const struct framework_engine *e, char path[PATH_MAX]);
void scanner_files_open(struct scanner_files *f, const struct framework *fw);
void scanner_files_release(struct scanner_files *f);

/* What a host of POOL gets. */
struct scanner_handover {
    int fds[SCANNER_FILES_MAX];
    size_t fd_count;
    char arguments[LIMIT_ENGINES][SCANNER_ARGUMENT];
    size_t argument_count;
};
/* FIRST: number of the first descriptor in the child. */
void scanner_files_hand_over(const struct scanner_files *f, const struct framework *fw, const char *pool, int first,
                             struct scanner_handover *out);
/* The three numbers of an argument; false: it is none. */
bool scanner_files_read(const char *argument, size_t *engine, int *program, int *log);

#endif
