/* SPDX-License-Identifier: MIT */
/* Microsoft's TNEF ("winmail.dat"): a row of attributes, some of which are attachments (MS-OXTNEF 2.1.3), some of which
 * are lists of properties in which attachments, messages and texts lie, too (MS-OXTNEF 2.1.3.4, MS-OXPROPS). */
#ifndef MIME_TNEF_H
#define MIME_TNEF_H

#include "base/buf.h"
#include <stdint.h>

enum { MIME_TNEF_NAMES = 4 };
struct mime_tnef_name {
    struct span text;
    bool wide; /* UTF-16LE, not octets of some code page */
};
/* A list of properties that is being read. */
struct mime_tnef_properties {
    struct span rest;
    uint32_t left;     /* properties to come */
    unsigned type, id; /* of the one whose … */
    uint32_t values;   /* … values are still to come */
};
struct mime_tnef {
    struct span rest;
    struct mime_tnef_name
        names[MIME_TNEF_NAMES]; /* of the attachment that is being read: title, long and short name … */
    unsigned names_count;
    struct mime_tnef_properties properties;
    bool attached; /* the properties are an attachment's */
    bool broken;   /* it ended inside an attribute or property, or a checksum is wrong */
};
struct mime_tnef_file {
    const struct mime_tnef_name *names; /* in the struct mime_tnef */
    unsigned names_count;               /* 0: it has none */
    struct span data;
    bool compressed; /* RTF as MS-OXRTFCP compresses it: mime_rtf_decode */
};
/* False: OCTETS are not TNEF. Spans that are lent point into OCTETS. */
bool mime_tnef_open(struct mime_tnef *t, struct span octets);
/* The next attachment, message or text; false: there are no more. */
bool mime_tnef_next(struct mime_tnef *t, struct mime_tnef_file *file);

/* Appends the text of compressed RTF; as far as it goes, where it is cut. ERR_FULL (OUT's maximum), ERR_NOMEM. */
enum err mime_rtf_decode(struct span data, struct buf *out) must_use;

#endif
