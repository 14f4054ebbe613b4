/* SPDX-License-Identifier: MIT */
/* Error codes that functions return, and texts that reach a person. A function that returns enum err must be checked.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/compiler.h"
#include <stdarg.h>

enum err {
    ERR_OK = 0,
    ERR_NOMEM,    /* no memory */
    ERR_FULL,     /* a bound of our own was reached */
    ERR_RANGE,    /* a number outside its range */
    ERR_SYNTAX,   /* text that does not fit its grammar */
    ERR_IO,       /* a system call failed; errno says why where the function's contract says so */
    ERR_CLOSED,   /* the other side is gone */
    ERR_AGAIN,    /* would block: wait for the event that the contract names, then call again */
    ERR_NOTFOUND, /* no such thing */
    ERR_DENIED,   /* not permitted, or not safe */
    ERR_STATE,    /* a call out of order: a bug, or a peer that does not keep to the protocol */
};

/* The word for an error, for logs. Static storage. */
const char *err_name(enum err e);

/* One text for a person: what was being done, for whom, what was found, what was expected. Cut at its size, never
 * overrun. */
#define ERRTEXT_SIZE 512
struct errtext {
    char text[ERRTEXT_SIZE];
};
void errtext_set(struct errtext *t, const char *format, ...) printf_like(2, 3);
void errtext_setv(struct errtext *t, const char *format, va_list args) printf_like(2, 0);

#endif
