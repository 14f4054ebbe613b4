/* SPDX-License-Identifier: MIT */
/* Whether an archive has members, told by its head alone: libclamav 1.4 says nothing of an archive whose table it
 * cannot read, and nothing of an empty one. Pure. */
#ifndef SCAN_ENGINE_MEMBERS_H
#define SCAN_ENGINE_MEMBERS_H

#include "base/span.h"

enum members {
    MEMBERS_NONE,   /* none, or none with octets, or not an archive of these kinds */
    MEMBERS_SOME,   /* what it holds, libclamav has to name */
    MEMBERS_LOCKED, /* behind a password */
};

/* FILE begins with an archive of TYPE, libclamav's word: 7z, CAB, ARJ or LHA. */
enum members members_promised(struct span file, const char *type);
/* Where the next 7z archive with members begins, from FROM on; FILE.len: nowhere. */
size_t members_next_7z(struct span file, size_t from);

#endif
