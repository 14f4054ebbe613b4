/* SPDX-License-Identifier: MIT */
/* The program postern-avscan: how it was called. */
#include "avscan/files.h"
#include "avscan/options.h"
#include "avscan/serve.h"
#include "scan/engine/scanner_protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
    struct avscan_options o;
    struct errtext why = {""};
    struct stat st;
    if (!avscan_options_read(argc, argv, &o, &why)) {
        fprintf(stderr, "postern-avscan: %s\n", why.text);
        return AVSCAN_TROUBLE;
    }
    if (o.help) {
        fputs(avscan_usage, stdout);
        return EXIT_SUCCESS;
    }
    if (o.version) {
        puts("postern-avscan " POSTERN_VERSION);
        return EXIT_SUCCESS;
    }
    if (!o.serve)
        return avscan_files(&o);
    if (fstat(SCANNER_FD, &st) == 0 && S_ISSOCK(st.st_mode))
        avscan_serve(&o);
    fprintf(stderr, "postern-avscan: --serve is for postern-scan: descriptor %d is not its socket\n", SCANNER_FD);
    return AVSCAN_TROUBLE;
}
