/* SPDX-License-Identifier: MIT */
/* Names of detections that ClamAV gives, embedded or as a daemon: most are viruses, some say that it could not look. */
#ifndef SCAN_ENGINE_CLAMAV_NAME_H
#define SCAN_ENGINE_CLAMAV_NAME_H

#include "scan/verdict.h"

void clamav_name_verdict(struct span name, struct verdict *out);

#endif
