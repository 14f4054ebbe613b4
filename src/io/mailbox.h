/* SPDX-License-Identifier: MIT */
/* Messages from any thread to one loop. The receiver detaches the whole list, then works unlocked. */
#ifndef IO_MAILBOX_H
#define IO_MAILBOX_H

#include "io/loop.h"

/* Embedded as the first thing in a message; the poster gives the message away until `deliver` runs on the loop. */
struct mail {
    struct list node;
    void (*deliver)(struct mail *m);
};

struct mailbox;
struct mailbox *mailbox_new(struct loop *l);
void mailbox_free(struct mailbox *b); /* nobody may post any more; undelivered mail is dropped, not freed */
void mailbox_post(struct mailbox *b, struct mail *m); /* any thread; never fails */

#endif
