/* SPDX-License-Identifier: MIT */
/* The grammar of clamd's answers inside an IDSESSION: pure, octets to verdict. What is not understood is an ERROR. */
#ifndef SCAN_ENGINE_CLAMD_REPLY_H
#define SCAN_ENGINE_CLAMD_REPLY_H

#include "scan/verdict.h"

enum clamd_way {
    CLAMD_STREAM,     /* INSTREAM: the octets go over the connection */
    CLAMD_DESCRIPTOR, /* FILDES: the open file goes, by a unix socket */
};

/* REPLY, without its terminator, to the request number ID of the session, which was a scan by WAY. */
void clamd_reply_verdict(struct span reply, uint64_t id, enum clamd_way way, struct verdict *out);

/* REPLY to VERSION, request ID: "ClamAV 1.4.6/27500/Mon Jan  6 09:31:02 2025", or without what follows the first slash
 * where there is no official database. *MADE: that date, in seconds since 1970 (clamd says it in its own zone, which is
 * taken for UTC); 0: unknown. False: it is something else. */
bool clamd_reply_version(struct span reply, uint64_t id, char *version, size_t size, uint64_t *database,
                         uint64_t *made);

/* The words with which clamd gives up waiting, whatever the framing, and without an id. */
bool clamd_reply_is_timeout(struct span reply);

#endif
