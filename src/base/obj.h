/* SPDX-License-Identifier: MIT */
/* Magic numbers: an object begins with `unsigned magic`, set at birth and cleared at death, and every cast from void *
 * checks it. A mismatch is a use after free or a wrong pointer; the process stops before it can do harm. */
#ifndef BASE_OBJ_H
#define BASE_OBJ_H

#include "base/compiler.h"

#define OBJ_INIT(o, number) ((o)->magic = (number))
#define OBJ_FINI(o)         ((o)->magic = 0)
#define OBJ_CHECK(o, number)                                                                                           \
    do {                                                                                                               \
        if ((o) == NULL || (o)->magic != (number))                                                                     \
            abort();                                                                                                   \
    } while (0)

#endif
