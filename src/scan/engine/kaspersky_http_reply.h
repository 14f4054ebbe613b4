/* SPDX-License-Identifier: MIT */
/* The grammar of what Kaspersky Scan Engine answers in HTTP mode: pure, octets to verdict. The head of an HTTP/1.0
 * answer; a result as one line of text ("KAV protocol" 1); or as JSON (REST, /api/v3.0). What is not understood is an
 * ERROR.
 */
#ifndef SCAN_ENGINE_KASPERSKY_HTTP_REPLY_H
#define SCAN_ENGINE_KASPERSKY_HTTP_REPLY_H

#include "scan/verdict.h"

struct kaspersky_http_head {
    unsigned status;
    bool has_length;
    uint64_t length;
};

/* "HTTP/1.0 200 OK": false when LINE is something else. */
bool kaspersky_http_status(struct kaspersky_http_head *h, struct span line);
/* One header line. False: what it says cannot be, or nobody here can read such a body (a transfer encoding). */
bool kaspersky_http_header(struct kaspersky_http_head *h, struct span line);

/* The BODY of an answer 200. WHOLE: all of it, as its length was announced; otherwise what shows no end of its own is
 * no answer. Only a virus counts whatever is lost behind it. PARANOID: documents with macros are infected. */
void kaspersky_http_text(struct span body, bool whole, bool paranoid, struct verdict *out);
/* The strictest result of the object and of the objects in it. A virus counts as above. */
void kaspersky_http_json(struct span body, bool paranoid, struct verdict *out);

#endif
