/* SPDX-License-Identifier: MIT */
/* Programs and libraries that somebody else made, looked at from outside before they are run or loaded. */
#ifndef SYS_ELF_H
#define SYS_ELF_H

#include "base/err.h"
#include <stdbool.h>

enum elf_kind { ELF_PROGRAM, ELF_LIBRARY };

/* PATH is a regular file in ELF that not everybody may write, and that this (effective) user may execute or read. WHY
 * begins with PATH, and says what was found and what was expected. */
enum err elf_check(const char *path, enum elf_kind kind, struct errtext *why) must_use;
/* Whether the library PATH exports SYMBOL, which nothing of it has to run for. *SURE: that can be told; where it
 * cannot (a table is missing or odd, or its machine is another one), false is returned. Reads a bounded part of it. */
bool elf_exports(const char *path, const char *symbol, bool *sure);

#endif
