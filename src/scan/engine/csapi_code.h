/* SPDX-License-Identifier: MIT */
/* From a scanner program's result to a verdict, by the one table csapi_code.def. Pure. */
#ifndef SCAN_ENGINE_CSAPI_CODE_H
#define SCAN_ENGINE_CSAPI_CODE_H

#include "scan/engine/scanner_protocol.h"
#include "scan/verdict.h"

/* A virus found makes it INFECTED, whatever else is said. Otherwise the first AVS_ code counts, then the strictest of
 * the others; a status of trouble without a code that explains it, and a code that is not known, are ERROR. So CLEAN is
 * only what says "clean" and nothing against it. */
void csapi_code_verdict(const struct scanner_result *r, struct verdict *out);

#endif
