/* SPDX-License-Identifier: MIT */
/* What a plug-in answered, read as hostile input. Pure. */
#ifndef SCAN_ENGINE_PLUGIN_VERDICT_H
#define SCAN_ENGINE_PLUGIN_VERDICT_H

#include "scan/verdict.h"

struct postern_verdict;

/* Fills OUT. An answer that makes no sense is ERROR (reason protocol) and its detail says what was found; but one that
 * says infected stays infected, whatever else is wrong with it. */
void plugin_verdict_read(const struct postern_verdict *given, struct verdict *out);

#endif
