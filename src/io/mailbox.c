/* SPDX-License-Identifier: MIT */
/* A locked list and libev's cross-thread wake-up. The wake-up is sent under the lock, so that a mailbox whose last mail
 * was just delivered can be freed while the poster is still on its way out of mailbox_post. */
#include "io/mailbox.h"
#include "base/mem.h"
#include "io/libev.h"
#include <pthread.h>

struct mailbox {
    struct loop *loop;
    ev_async wake;
    pthread_mutex_t lock;
    struct list mails; /* under lock */
};

static void mailbox_deliver(struct ev_loop *ev, ev_async *wake, int events)
{
    (void)ev;
    (void)events;
    struct mailbox *b = wake->data;
    struct list arrived, *node;
    list_init(&arrived);
    pthread_mutex_lock(&b->lock);
    list_move_all(&arrived, &b->mails);
    pthread_mutex_unlock(&b->lock);
    while ((node = list_take(&arrived)) != NULL) {
        struct mail *m = container_of(node, struct mail, node);
        m->deliver(m); /* M may be gone now */
    }
}

struct mailbox *mailbox_new(struct loop *l)
{
    struct mailbox *b = MEM_NEW(struct mailbox);
    if (!b)
        return NULL;
    b->loop = l;
    list_init(&b->mails);
    pthread_mutex_init(&b->lock, NULL); /* cannot fail with default attributes on Linux */
    b->wake = (ev_async){.cb = mailbox_deliver, .data = b};
    ev_async_start(loop_libev(l), &b->wake);
    return b;
}

void mailbox_free(struct mailbox *b)
{
    if (!b)
        return;
    ev_async_stop(loop_libev(b->loop), &b->wake);
    pthread_mutex_lock(&b->lock); /* waits for a poster that still holds it */
    pthread_mutex_unlock(&b->lock);
    pthread_mutex_destroy(&b->lock);
    mem_free(b);
}

void mailbox_post(struct mailbox *b, struct mail *m)
{
    pthread_mutex_lock(&b->lock);
    bool first = list_empty(&b->mails);
    list_append(&b->mails, &m->node);
    if (first)
        ev_async_send(loop_libev(b->loop), &b->wake);
    pthread_mutex_unlock(&b->lock);
}
