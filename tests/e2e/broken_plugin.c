/* SPDX-License-Identifier: MIT */
/* Libraries that are no plug-in for this version of postern, each broken in the one way that its BROKEN_… names. None
 * of their functions may ever be called. */
#if defined(BROKEN_NO_SYMBOL)
extern const char some_other_symbol[];
const char some_other_symbol[] = "nothing that postern looks for";
#elif defined(BROKEN_FUNCTION)
int postern_engine(void);
int postern_engine(void)
{
    return 1;
}
#elif defined(BROKEN_SHORT)
extern const unsigned postern_engine[2];
const unsigned postern_engine[2] = {8, 1};
#else
#include <postern/engine.h>
#include <stdlib.h>

static int broken_open(const struct postern_setup *setup, struct postern_info *info, void **state,
                       char why[POSTERN_TEXT_SIZE])
{
    (void)setup;
    (void)info;
    (void)state;
    (void)why;
    abort();
}

#ifndef BROKEN_NO_SCAN
static void broken_scan(void *state, const struct postern_message *message, struct postern_verdict *v)
{
    (void)state;
    (void)message;
    (void)v;
    abort();
}
#endif

const struct postern_engine postern_engine = {
#if defined(BROKEN_SIZE)
    .size = sizeof(struct postern_engine) - 8,
#elif defined(BROKEN_BEYOND) /* larger than it is */
    .size = sizeof(struct postern_engine) + 8,
#else
    .size = sizeof(struct postern_engine),
#endif
#if defined(BROKEN_MAJOR)
    .abi_major = POSTERN_ENGINE_ABI_MAJOR + 1,
#else
    .abi_major = POSTERN_ENGINE_ABI_MAJOR,
#endif
#if defined(BROKEN_MINOR)
    .abi_minor = POSTERN_ENGINE_ABI_MINOR + 1,
#else
    .abi_minor = POSTERN_ENGINE_ABI_MINOR,
#endif
#if defined(BROKEN_RESERVED0)
    .reserved0 = 7,
#endif
#if defined(BROKEN_RESERVED)
    .reserved = {NULL, abort},
#endif
    .name = "Broken plug-in",
    .version = "0",
    .open = broken_open,
#ifndef BROKEN_NO_SCAN
    .scan = broken_scan,
#endif
};
#endif
