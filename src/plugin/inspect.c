/* SPDX-License-Identifier: MIT */
/* Messages are taken apart in postern's own pools only, so this program has no inspection and does not link what it
 * needs: the linker takes this file instead of scan/host/inspect.c. */
#include "scan/host/inspect.h"

struct inspector *inspector_new(void)
{
    return NULL;
}

void inspector_free(struct inspector *i)
{
    (void)i;
}

bool inspect_message(struct inspector *i, const struct scan_job *job, int fd, int out, struct scan_inspection *result,
                     struct verdict *why)
{
    (void)i;
    (void)job;
    (void)fd;
    (void)out;
    (void)result;
    verdict_set(why, VERDICT_ERROR, VERDICT_REASON_DOWN, "the host of a plug-in takes no messages apart");
    return false;
}
