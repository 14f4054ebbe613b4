/* SPDX-License-Identifier: MIT */
/* Reading an EHLO reply. The table of keywords is ext.def, its accessors are in smtp.h. */
#ifndef SMTP_EXT_H
#define SMTP_EXT_H

#include "smtp/smtp.h"

/* TEXT: the reply's text, lines separated by '\n'; the first is the server's greeting. Keywords not in ext.def are
 * passed over. */
struct smtp_offer smtp_offer_parse(struct span text);

#endif
