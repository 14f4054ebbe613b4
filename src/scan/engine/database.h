/* SPDX-License-Identifier: MIT */
/* What is in a signature database, without reading it: enough to see that it changed. */
#ifndef SCAN_ENGINE_DATABASE_H
#define SCAN_ENGINE_DATABASE_H

#include <stdint.h>

/* A number that changes with each file of signatures in the directory PATH (or the file PATH) that comes, goes, is
 * replaced, written, or becomes readable or not. Files that libclamav would not load, freshclam's temporary ones among
 * them, do not count. */
uint64_t database_fingerprint(const char *path);
/* The same, where every file counts whose name does not begin with a full stop: of a vendor's database nobody knows the
 * names. */
uint64_t database_fingerprint_of_all(const char *path);

#endif
