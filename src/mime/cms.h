/* SPDX-License-Identifier: MIT */
/* Cryptographic Message Syntax (RFC 5652, PKCS #7), which S/MIME mail (RFC 8551) is made of, as far as a scanner needs
 * it: whether the content stands inside in clear, as in opaque-signed mail, which every mail program shows, or is
 * hidden from whoever has no key. Only the outline of the ASN.1 is read (X.690 BER: definite and indefinite lengths,
 * strings in pieces); what is cut short is read as far as it goes. Signatures mean nothing here. */
#ifndef MIME_CMS_H
#define MIME_CMS_H

#include "base/buf.h"

enum mime_cms {
    MIME_CMS_NONE,  /* no CMS */
    MIME_CMS_CLEAR, /* data, or signed data: its content, if it has any, can be read by everybody */
    MIME_CMS_CLOSED /* enveloped, encrypted, compressed or of a kind that is not known: its content cannot be read */
};
/* By the octets, whatever headers call them. */
enum mime_cms mime_cms_of(struct span octets);
/* Appends the content of OCTETS, which are MIME_CMS_CLEAR: nothing, where the content is elsewhere (a detached
 * signature, a list of certificates). ERR_FULL (OUT's maximum), ERR_NOMEM: what fitted is there. */
enum err mime_cms_content(struct span octets, struct buf *out) must_use;

#endif
