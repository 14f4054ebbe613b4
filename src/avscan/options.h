/* SPDX-License-Identifier: MIT */
/* src/avscan: the program postern-avscan, the free scanner behind the engine csapi, on libclamav. options.h (this) its
 * command line; report.h from a verdict to the words of scanner_protocol.h; serve.h as a scanner program of
 * postern-scan; files.h by hand, for files; main.c chooses. The scanning itself is scan/engine/clamav.c.
 */
#ifndef AVSCAN_OPTIONS_H
#define AVSCAN_OPTIONS_H

#include "scan/framework.h"

struct avscan_options {
    bool serve, version, help;
    bool official_only;   /* databases that ClamAV has not signed are passed over */
    const char *database; /* NULL: libclamav's own directory */
    /* limits of what is scanned, as the stanza of csapi has them; 0: as there */
    uint64_t depth, size, cumulative_size, time_ms, files;
    char *const *names; /* of files; NULL-terminated */
};

/* False: WHY says what is wrong with the command line. */
bool avscan_options_read(int argc, char **argv, struct avscan_options *out, struct errtext *why) must_use;
extern const char avscan_usage[];
/* What libclamav is told. */
void avscan_engine_conf(const struct avscan_options *o, struct engine_conf *out);
/* TIME_MS, or the time to take a message apart where that is shorter. */
uint64_t avscan_time_ms(const struct avscan_options *o, uint64_t time_ms);

#endif
