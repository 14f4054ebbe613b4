/* SPDX-License-Identifier: MIT */
/* src/spool: one message on its way through: append → seal → read. Up to a threshold it lives in a memory file, beyond
 * that in an unnamed file (O_TMPFILE) of the spool directory, so nothing is left behind by a crash. (A small one that
 * no other process is to look at needs no file at all: message_new_unshared.) Sealed or re-opened
 * read-only before anybody scans it: what was scanned is what is delivered. No fsync: nothing is promised before the
 * backend's 250.
 *
 * Files on disk are written and read by the iopool in slices of SPOOL_SLICE, so a loop never blocks on a disk, and the
 * memory of a message is constant (two slices) for any size. Memory files are written and read at once. Thread: the
 * owner's loop.
 *
 * directory.h (private) is the spool directory as messages see it; spool_conf.h the options.
 */
#ifndef SPOOL_MESSAGE_H
#define SPOOL_MESSAGE_H

#include "base/err.h"
#include "base/span.h"
#include "digest/sha256.h"
#include "io/iopool.h"
#include <stdint.h>
#include <sys/types.h>

enum { SPOOL_SLICE = 65536 };

/* The spool directory of this process. Opening: PATH may be a sticky directory (/tmp): then a 0700 subdirectory of our
 * own is made in it (owner and type checked, no links followed); a directory that others can write and that is not
 * sticky is refused; a missing one is created 0700. Residue is impossible (O_TMPFILE), so there is no recovery. Where
 * the file system has no O_TMPFILE: a created and at once unlinked file with a random name. */
struct spool;
struct spool *spool_open(const char *path, uint64_t memory_threshold, struct errtext *why);
void spool_close(struct spool *s);             /* after its messages are gone and the iopool that served them */
const char *spool_path(const struct spool *s); /* the directory really used */

struct message;

enum message_state {
    MESSAGE_OK,     /* go on */
    MESSAGE_WAIT,   /* the bytes were taken; do not append or seal before WAKE */
    MESSAGE_FAILED, /* the file could not be written: message_why, message_errno. The bytes are lost */
};

/* WAKE(arg) is called from the loop when MESSAGE_WAIT is over. NULL: no memory or descriptors. */
struct message *message_new(struct spool *s, struct iopool *pool, struct mailbox *mailbox, void (*wake)(void *arg),
                            void *arg);
/* The same for a message that no other process is to look at: as long as it fits one slice (and the threshold) it is in
 * this process's memory alone, and message_fd is -1. */
struct message *message_new_unshared(struct spool *s, struct iopool *pool, struct mailbox *mailbox,
                                     void (*wake)(void *arg), void *arg);
/* Takes BYTES, all of them, unless FAILED. BYTES at most SPOOL_SLICE long. */
enum message_state message_append(struct message *m, struct span bytes) must_use;
/* After the last append: flush, seal, finish the digest. OK, or WAIT and call again after WAKE. */
enum message_state message_seal(struct message *m) must_use;
/* After a WAKE: what became of the pending write. */
enum message_state message_poll(const struct message *m) must_use;

uint64_t message_size(const struct message *m);
const struct sha256_digest *message_digest(const struct message *m); /* sealed only */
int message_fd(const struct message *m); /* sealed only: read-only descriptor, the message's own; pass copies on */
/* Sealed only: copies its first octets, LEN at most, at once wherever they are. Returns how many; -1: errno. */
ssize_t message_head(const struct message *m, char *to, size_t len);
bool message_in_memory(const struct message *m);
const char *message_why(const struct message *m);
int message_errno(const struct message *m);

/* Reads the slice at OFFSET (sealed only): OK and *out (valid until the next read; empty at the end), WAIT, or FAILED.
 * Call again with the same offset after WAKE. Where all slices were read in order, the end is FAILED if they are not
 * the octets that were sealed. */
enum message_state message_read(struct message *m, uint64_t offset, struct span *out) must_use;

/* Gives the message up; if a write or read is on its way, the memory is freed when that is done. A file is closed by
 * the iopool, since that deletes it, which takes the disk's time. No WAKE comes afterwards. */
void message_free(struct message *m);

#endif
