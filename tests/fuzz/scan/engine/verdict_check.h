/* SPDX-License-Identifier: MIT */
/* What holds of every verdict that comes of an answer, whatever that was. */
#ifndef FUZZ_VERDICT_CHECK_H
#define FUZZ_VERDICT_CHECK_H

#include "fuzz/fuzz.h"
#include "scan/verdict.h"

/* It may be shown. */
static inline void fuzz_check_text(const char *text)
{
    for (; *text; text++)
        FUZZ_REQUIRE(char_is_print(*text));
}

static inline void fuzz_check_verdict(const struct verdict *v)
{
    FUZZ_REQUIRE(v->class <= VERDICT_ERROR);
    FUZZ_REQUIRE(v->class == VERDICT_INFECTED ? v->reason == VERDICT_REASON_NONE
                                              : verdict_reason_class(v->reason) == v->class);
    FUZZ_REQUIRE(v->class != VERDICT_INFECTED || v->name[0]);
    FUZZ_REQUIRE(v->class != VERDICT_ERROR || v->detail[0]);
    fuzz_check_text(v->name);
    fuzz_check_text(v->detail);
}

#endif
