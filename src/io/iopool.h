/* SPDX-License-Identifier: MIT */
/* A few threads for file I/O that may block, so that loops never do. Jobs run in order of submission, on any thread. */
#ifndef IO_IOPOOL_H
#define IO_IOPOOL_H

#include "io/mailbox.h"

struct iopool;
struct iopool *iopool_new(unsigned threads);
void iopool_free(struct iopool *p); /* after all jobs were delivered */

/* One job, owned by the submitter, not to be touched between submit and done. */
struct iopool_job {
    struct mail mail;      /* internal */
    void (*run)(struct iopool_job *job);  /* on a pool thread */
    void (*done)(struct iopool_job *job); /* on the loop of REPLY_TO, afterwards */
    struct mailbox *reply_to;
};
void iopool_submit(struct iopool *p, struct iopool_job *job); /* any thread */

#endif
