/* SPDX-License-Identifier: MIT */
/* Error names and bounded error texts. */
#include "base/err.h"

const char *err_name(enum err e)
{
    switch (e) {
    case ERR_OK:
        return "ok";
    case ERR_NOMEM:
        return "out of memory";
    case ERR_FULL:
        return "limit reached";
    case ERR_RANGE:
        return "out of range";
    case ERR_SYNTAX:
        return "syntax error";
    case ERR_IO:
        return "input/output error";
    case ERR_CLOSED:
        return "closed";
    case ERR_AGAIN:
        return "would block";
    case ERR_NOTFOUND:
        return "not found";
    case ERR_DENIED:
        return "denied";
    case ERR_STATE:
        return "out of order";
    }
    return "unknown error";
}

void errtext_setv(struct errtext *t, const char *format, va_list args)
{
    vsnprintf(t->text, sizeof(t->text), format, args);
}

void errtext_set(struct errtext *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    errtext_setv(t, format, args);
    va_end(args);
}
