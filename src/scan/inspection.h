/* SPDX-License-Identifier: MIT */
/* What an inspection found out about a message, and what that means to an engine whose stanza asks for it. An
 * inspection takes a message apart (src/mime) in a worker of the pool CPU, at most once: mime_decompose = 1 gives the
 * engine the parts beside the message and says so where nobody could look at all of them; paranoid = 1 takes a message
 * that was built to evade scanners for infected.
 */
#ifndef SCAN_INSPECTION_H
#define SCAN_INSPECTION_H

#include "base/buf.h"
#include "mime/mime.h"
#include "scan/verdict.h"

struct framework;
struct framework_engine;

#define INSPECTION_DEFECTS (((mime_defects)1 << MIME_DEFECT_COUNT) - 1)
enum { INSPECTION_LIMIT_WORD = 31 };
struct scan_inspection {
    uint64_t size;                         /* octets of the parts file */
    uint32_t contents, parts;              /* in it: distinct contents; parts of all readings */
    mime_defects defects;                  /* of the message and all its parts */
    char limit[INSPECTION_LIMIT_WORD + 1]; /* the limit that was reached, for people; empty: none was */
    uint64_t queue_us, scan_us;            /* waiting for a worker, in the worker */
};

/* What it says about the message as a word of ENGINE: CLEAN where nothing stands against it. */
void inspection_judge(const struct framework *fw, const struct framework_engine *engine,
                      const struct scan_inspection *i, struct verdict *out);
/* The name that paranoid = 1 gives to a message with D, "Paranoid.…", cut to SIZE. False: it has nothing against it. */
bool inspection_reason(enum mime_defect d, char *out, size_t size);
/* For the reference, in Markdown: all defects, and what paranoid = 1 calls them. */
enum err inspection_reference(struct buf *out) must_use;
/* "duplicate-type, base64-padding": the words of DEFECTS, cut to SIZE. */
void inspection_defects_text(mime_defects defects, char *out, size_t size);

/* The empty file that the next inspection fills; -1 with errno. */
int inspection_file_new(void);
/* FD has the octets that a worker says it wrote, and nobody changes them from now on. Otherwise WHY. */
enum err inspection_file_seal(int fd, uint64_t size, const char **why) must_use;

#endif
