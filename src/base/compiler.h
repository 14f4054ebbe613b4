/* SPDX-License-Identifier: MIT */
/* What the whole program asks of the compiler: attributes, and a ban on the C library's unsafe functions.
 *
 * src/base is the ground floor: libc only, no system calls, no mutable globals, no clock. Its files: compiler.h (this),
 * err (error codes, texts for people), span (borrowed bytes), buf (owned bytes with a maximum), cursor (parsing with a
 * sticky error), arena (memory freed at once), mem (allocation), num (numbers from text), list (intrusive lists),
 * obj (magic numbers), limits (every cap of the program), log (structured log records).
 */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define must_use          __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))

/* Of a large array in a function that is called often: a hardened build does not clear it first. It is written before
 * it is read. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define not_cleared __attribute__((uninitialized))
#endif
#endif
#ifndef not_cleared
#define not_cleared
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The object that holds MEMBER at PTR. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Banned: no bound, or an error that cannot be told from a value. A use does not compile. */
#define BANNED(name) name##_is_banned_in_postern
#undef strcpy
#define strcpy(d, s) BANNED(strcpy)
#undef strncpy
#define strncpy(d, s, n) BANNED(strncpy)
#undef strcat
#define strcat(d, s) BANNED(strcat)
#undef strncat
#define strncat(d, s, n) BANNED(strncat)
#undef sprintf
#define sprintf(...) BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf)
#undef atoi
#define atoi(s) BANNED(atoi)
#undef atol
#define atol(s) BANNED(atol)
#undef strtok
#define strtok(s, d) BANNED(strtok)

#endif
