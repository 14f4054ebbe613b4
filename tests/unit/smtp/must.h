/* SPDX-License-Identifier: MIT */
/* An assertion for inner loops: Check's own ones write to a pipe each time, even when they hold. */
#ifndef UNIT_SMTP_MUST_H
#define UNIT_SMTP_MUST_H

#include <check.h>

#define MUST(what)                                                                                                     \
    do {                                                                                                               \
        if (!(what))                                                                                                   \
            ck_abort_msg("%s:%d: %s", __FILE__, __LINE__, #what);                                                      \
    } while (0)

#endif
