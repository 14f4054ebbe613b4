/* SPDX-License-Identifier: MIT */
/* Containers that libclamav 1.4 takes for plain data and would call clean, known by their bytes. Pure. Zip, 7z,
 * LZMA, lzip, Zstandard and .Z were measured with samples; the others are taken by their published
 * signatures. docs/guide.md lists them for users. */
#ifndef SCAN_ENGINE_CONTAINER_H
#define SCAN_ENGINE_CONTAINER_H

#include "base/span.h"

/* FILE is one whole file out of a message. The words for a person if it is, or holds, a container that libclamav cannot
 * open; NULL otherwise. RAR is not among them: see container_holds_rar. */
const char *container_unsupported(struct span file);
/* RAR's signature anywhere: bare, behind a program, or in a container that does not compress. */
bool container_holds_rar(struct span file);
/* Kinds, by libclamav's word, that hold whole files as they are, and whose parts libclamav shows: an archive at the end
 * of one is a part of it, which becomes a layer of its own. */
bool container_holds_files(const char *type);

#endif
