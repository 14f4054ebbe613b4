/* SPDX-License-Identifier: MIT */
/* S/MIME's wrapping (CMS, RFC 5652): what a signed message wraps is a MIME entity that mail programs show, and that
 * stands inside in the clear, whole or in pieces; anything else is closed to all but its receivers. Whether it is
 * signed or encrypted is told by its object identifier, as readers do, not by what a header promises. */
#ifndef MIME_CMS_H
#define MIME_CMS_H

#include "base/buf.h"

enum mime_cms {
    MIME_CMS_NONE,   /* no CMS */
    MIME_CMS_SIGNED, /* what it wraps may be taken out */
    MIME_CMS_CLOSED, /* enveloped, encrypted, compressed, or of a kind that is not known */
};
enum mime_cms mime_cms_of(struct span octets);
/* Appends what the signed OCTETS wrap; nothing for a signature alone, and as much as there is of one that is cut.
 * ERR_FULL, ERR_NOMEM. */
enum err mime_cms_unwrap(struct span octets, struct buf *out) must_use;

#endif
