/* SPDX-License-Identifier: MIT */
/* Quarantine: messages that were not delivered and are kept all the same, the one exception to "postern never owns
 * mail". So everything here is durable: what is reported as kept survives a power cut.
 *
 * An entry is two files, ID.eml (the octets of the message, exactly as they were scanned) and ID.json
 * (quarantine_meta.h), in DIRECTORY/YYYYMMDDhh/. Each is written under a temporary name, fsync'ed, linked to its own
 * name, and its directory is fsync'ed; the octets first. So a metadata file says that its message is there; octets
 * without metadata are the rest of a crash before any reply, and opening deletes them, as it does temporary files. One
 * process at a time has a quarantine open (flock).
 *
 * quarantine_meta.h the metadata (pure); quarantine_store.h (private) files, names and accounting; quarantine_keep.c
 * taking a message in; quarantine_entry.c what becomes of it; quarantine_sweep.c retention; quarantine_reserve.c what
 * is held back for a full disk and against a wrong clock; quarantine_conf.h options.
 *
 * Functions marked BLOCKS wait for the disk: pool threads only. All functions may be called by any thread.
 */
#ifndef SPOOL_QUARANTINE_H
#define SPOOL_QUARANTINE_H

#include "base/log.h"
#include "io/iopool.h"
#include "spool/quarantine_meta.h"

struct quarantine;

struct quarantine_limits {
    uint64_t max_size;   /* octets on disk, each file as whole blocks of 4096 */
    uint64_t max_age_ms; /* older entries are deleted by quarantine_sweep */
    uint64_t min_age_ms; /* younger ones are never deleted to make room */
    /* A clock that is further ahead of the last look is believed only once it has been so for as long again; meanwhile
     * nothing ages. 0: always. */
    uint64_t max_jump_ms;
};
enum { QUARANTINE_MAX_JUMP_MS = 24 * 3600 * 1000 };

/* Opens DIRECTORY, made 0700 if it is missing (its parent is not). It must be a directory, no link, our own, and nobody
 * else's to read or write. Deletes the rest of crashes and counts what is there, which takes about a second for each
 * 100000 entries: BLOCKS. LOG outlives it;
 * NULL: nothing is logged. NULL: WHY. */
struct quarantine *quarantine_open(const char *directory, const struct quarantine_limits *limits, const struct log *log,
                                   struct errtext *why);
void quarantine_close(struct quarantine *q); /* after the iopool that served it */
/* Whether quarantine_open would find a usable directory for the user UID, without changing anything; for --check.
 * Missing ones that can be made are usable. */
enum err quarantine_examine(const char *directory, unsigned uid, struct errtext *why) must_use;

struct quarantine_usage {
    uint64_t entries, octets, max_octets;
};
struct quarantine_usage quarantine_usage(struct quarantine *q);

/* --- taking a message in --- */

/* Keeps the sealed message FD (borrowed; a copy of the descriptor is taken) with the metadata M (borrowed), whose id,
 * size and digest must be set. WAKE comes on BOX's loop when quarantine_keeping_state is no longer BUSY. Octets that do
 * not fit the digest fail. NULL: no memory or descriptors, or metadata beyond QUARANTINE_META_MAX; nothing is kept. */
struct quarantine_keeping;
struct quarantine_keeping *quarantine_keep(struct quarantine *q, struct iopool *pool, struct mailbox *box, int fd,
                                           const struct quarantine_meta *m, uint64_t now_ms, void (*wake)(void *arg),
                                           void *arg);
enum quarantine_keeping_state {
    QUARANTINE_BUSY,
    QUARANTINE_KEPT,
    QUARANTINE_FAILED, /* quarantine_keeping_why; nothing is left of it */
};
enum quarantine_keeping_state quarantine_keeping_state(const struct quarantine_keeping *k);
const char *quarantine_keeping_why(const struct quarantine_keeping *k);
/* The end. While BUSY: nobody waits for the copy any more, so it is deleted once it is there (unless the process ends
 * before). No WAKE comes afterwards. */
void quarantine_keeping_free(struct quarantine_keeping *k);

/* --- what is there --- */

enum { QUARANTINE_PAGE_MAX = 100 };

struct quarantine_entry {
    char id[QUARANTINE_ID_SIZE];
    bool damaged;                /* WHY says how; only the id is known */
    struct quarantine_meta meta; /* in a page: with the first recipient only */
    enum quarantine_status was;  /* at the beginning of a release: its status before */
    struct errtext why;
    struct arena arena; /* internal */
};
void quarantine_entry_release(struct quarantine_entry *e);

/* Newest first. */
struct quarantine_page {
    struct quarantine_entry *entries; /* COUNT of them */
    size_t count;
    /* There are older ones: ask for those before LAST, which may have been deleted since. */
    bool more;
    char last[QUARANTINE_ID_SIZE];
};
/* At most LIMIT (1…QUARANTINE_PAGE_MAX) entries that are older than the id BEFORE (empty: all). BLOCKS. ERR_SYNTAX:
 * BEFORE is no id; ERR_IO; ERR_NOMEM. */
enum err quarantine_list(struct quarantine *q, struct span before, size_t limit, struct quarantine_page *page,
                         struct errtext *why) must_use;
void quarantine_page_release(struct quarantine_page *page);

/* ID may be anything (ERR_SYNTAX). ERR_NOTFOUND; a damaged entry is ERR_OK with `damaged`. BLOCKS. */
enum err quarantine_show(struct quarantine *q, struct span id, struct quarantine_entry *e,
                         struct errtext *why) must_use;
/* Deletes an entry, whatever its status. BLOCKS. ERR_SYNTAX, ERR_NOTFOUND, ERR_IO. */
enum err quarantine_delete(struct quarantine *q, struct span id, struct errtext *why) must_use;

/* Release begins: the entry becomes RELEASING, durably, and *fd are its octets, whose digest was checked, to be closed
 * by the caller. One that is RELEASING or RELEASED needs AGAIN (ERR_STATE otherwise). ERR_SYNTAX, ERR_NOTFOUND,
 * ERR_DENIED (damaged), ERR_IO. *e is to be released by the caller when this is ERR_OK. BLOCKS. */
enum err quarantine_release_begin(struct quarantine *q, struct span id, bool again, uint64_t now_ms,
                                  struct quarantine_entry *e, int *fd, struct errtext *why) must_use;
/* Release ends: STATUS and the backend's words in OUTCOME are noted, durably. BLOCKS. ERR_NOTFOUND: it was deleted
 * meanwhile. */
enum err quarantine_release_end(struct quarantine *q, const char *id, enum quarantine_status status,
                                const char *outcome, uint64_t now_ms, struct errtext *why) must_use;

/* --- retention --- */

/* Deletes what is older than max_age_ms, oldest first, then what is beyond max_size, but nothing younger than
 * min_age_ms; each with a line in the log. What cannot be deleted is passed over, with one line for all of it. At most
 * a few hundred in one call: true when there is more to do. BLOCKS. */
bool quarantine_sweep(struct quarantine *q, uint64_t now_ms);

#endif
