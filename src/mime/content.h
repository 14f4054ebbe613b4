/* SPDX-License-Identifier: MIT */
/* What octets are. A small table of our own rather than libmagic: that would open its compiled database in a sandbox
 * that opens nothing, interprets rules over hostile input, and knows thousands of kinds that make no difference here.
 * What decides is what the octets could *do*. */
#ifndef MIME_CONTENT_H
#define MIME_CONTENT_H

#include "mime/mime.h"

enum mime_content mime_content_of(struct span octets);
/* Whether OCTETS, which are C by their begin, are something else to another reader: an image, document or what has no
 * name that is a zip by its end, a zip behind a zip, an image or PDF that begins with a page, a zip in front of whose
 * files a PDF begins, and any of them with the sectors of a disc. Self-extracting programs, documents that are zips by
 * design, and files inside zips, PDFs and OLE2 files are not meant. */
bool mime_content_is_polyglot(struct span octets, enum mime_content c);
/* Whether OCTETS are a message with MIME headers: its first lines are fields, and one of them is MIME's. Empty lines in
 * front are passed over, as many mail programs do. */
bool mime_content_is_mail(struct span octets);

#endif
