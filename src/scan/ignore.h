/* SPDX-License-Identifier: MIT */
/* The option ignore_signatures: what an administrator has declared a false alarm, by name (with * ? [] as in
 * fnmatch(3)) or by the SHA-256 of a whole message ("sha256:…"). Pure. */
#ifndef SCAN_IGNORE_H
#define SCAN_IGNORE_H

#include "base/span.h"
#include "conf/directive.h"

bool ignore_holds_name(const struct conf_list *list, const char *name);
bool ignore_holds_digest(const struct conf_list *list, const uint8_t digest[32]);
/* ENTRY is for the names that `paranoid` gives (inspection.h), or begins as they do in letters of another case. */
bool ignore_is_paranoid(const char *entry);
/* ENTRY is no name pattern: it begins with "sha256:". *GOOD: and 64 hexadecimal digits follow. */
bool ignore_is_digest(const char *entry, bool *good);

#endif
