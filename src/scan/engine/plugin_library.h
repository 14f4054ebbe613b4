/* SPDX-License-Identifier: MIT */
/* From a file to a plug-in's table of functions: what is looked at before any of them is called. */
#ifndef SCAN_ENGINE_PLUGIN_LIBRARY_H
#define SCAN_ENGINE_PLUGIN_LIBRARY_H

#include "base/err.h"
#include <stddef.h>

struct postern_engine;

/* Loads PATH for good: it is never unloaded, as its own threads, handlers and mappings may outlive any moment at which
 * that would be safe. Runs its constructors. On success OUT is a copy of its table, as far as this version knows one,
 * whose functions may be called. */
enum err plugin_library_load(const char *path, struct postern_engine *out, struct errtext *why) must_use;
/* The part that looks at the table E, an object of OBJECT octets as the library's symbol table says. */
enum err plugin_library_check(const struct postern_engine *e, size_t object, struct errtext *why) must_use;

#endif
