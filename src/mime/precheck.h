/* SPDX-License-Identifier: MIT */
/* May GMime see this message? It allocates for every header, parameter and part, and descends by recursion; one linear
 * pass over the raw octets says whether all of that stays small. The pass does not know which lines GMime takes for
 * headers or delimiters, so it counts what *could* be: it never says "within" of a message in which GMime finds more
 * than the caps, and says "beyond" only of messages that no person wrote. */
#ifndef MIME_PRECHECK_H
#define MIME_PRECHECK_H

#include "base/limits.h"
#include "base/span.h"

enum mime_cap {
    MIME_CAP_NONE,       /* within all of them */
    MIME_CAP_HEADERS,    /* more than LIMIT_MIME_HEADERS fields in one header block */
    MIME_CAP_FIELD,      /* a field of more than LIMIT_MIME_FIELD octets, its folds included */
    MIME_CAP_PARAMETERS, /* more than LIMIT_MIME_PARAMETERS parameters in one Content-* field */
    MIME_CAP_GROUPS,     /* more than LIMIT_MIME_GROUPS groups, or comments within each other, in one address field */
    MIME_CAP_DEPTH,      /* more than LIMIT_MIME_DEPTH multiparts and messages within each other */
    MIME_CAP_PARTS,      /* more than LIMIT_MIME_PARTS parts */
};
/* "headers", "field" …; "none". */
const char *mime_cap_word(enum mime_cap cap);

struct mime_precheck {
    enum mime_cap broken;                                    /* the first cap that is broken, in the message's order */
    size_t offset;                                           /* where; 0 when none is */
    size_t headers, field, parameters, groups, depth, parts; /* the largest that was seen until then */
};
struct mime_precheck mime_precheck(struct span message);

#endif
