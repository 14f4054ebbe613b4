/* SPDX-License-Identifier: MIT */
/* The environment that children get: PATH and LANG, and in builds for tests what sanitizers and gcov need. */
#ifndef DAEMON_ENVIRONMENT_H
#define DAEMON_ENVIRONMENT_H

#include "base/err.h"

enum { ENVIRONMENT_MAX = 16 };

struct environment {
    char *items[ENVIRONMENT_MAX]; /* "NAME=value", NULL-terminated */
};
enum err environment_init(struct environment *e) must_use;
void environment_release(struct environment *e);

#endif
