/* SPDX-License-Identifier: MIT */
/* A few threads for file I/O that may block, so that loops never do. Jobs run in order of submission, on any thread. */
#ifndef IO_IOPOOL_H
#define IO_IOPOOL_H

#include "io/mailbox.h"

struct iopool;
struct iopool *iopool_new(unsigned threads); /* NULL: no memory or threads */
void iopool_free(struct iopool *p);          /* runs what is queued; mailboxes of the jobs must still be there */

/* One job, owned by the submitter, not to be touched between submit and done. */
struct iopool_job {
    struct mail mail;                    /* internal */
    void (*run)(struct iopool_job *job); /* on a pool thread */
    void (*done)(struct iopool_job *
                     job); /* on the loop of REPLY_TO, afterwards. NULL: nothing comes back, and run may free the job */
    struct mailbox *reply_to;
};
void iopool_submit(struct iopool *p, struct iopool_job *job); /* any thread */

#endif
