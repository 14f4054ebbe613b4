/* SPDX-License-Identifier: MIT */
/* Mail between threads: nothing is lost, order of one poster is kept. Run under ThreadSanitizer too. */
#include "base/mem.h"
#include "io/mailbox.h"
#include <check.h>
#include <pthread.h>

enum { POSTERS = 4, LETTERS = 5000 };

struct tally {
    struct loop *loop;
    struct mailbox *box;
    unsigned next[POSTERS];
    unsigned total;
};

struct letter {
    struct mail mail;
    struct tally *tally;
    unsigned poster, number;
};

struct poster {
    struct tally *tally;
    unsigned index;
    pthread_t thread;
};

static void letter_deliver(struct mail *m)
{
    struct letter *l = (struct letter *)(void *)m;
    struct tally *t = l->tally;
    ck_assert_uint_eq(l->number, t->next[l->poster]);
    t->next[l->poster]++;
    if (++t->total == POSTERS * LETTERS)
        loop_stop(t->loop);
    mem_free(l);
}

static void *post_all(void *arg)
{
    struct poster *p = arg;
    for (unsigned i = 0; i < LETTERS; i++) {
        struct letter *l = MEM_NEW(struct letter);
        if (!l)
            abort();
        *l = (struct letter){.mail.deliver = letter_deliver, .tally = p->tally, .poster = p->index, .number = i};
        mailbox_post(p->tally->box, &l->mail);
    }
    return NULL;
}

START_TEST(every_letter_of_every_thread_arrives_in_its_order)
{
    struct tally t = {.loop = loop_new()};
    struct poster posters[POSTERS];
    t.box = mailbox_new(t.loop);
    for (unsigned i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.tally = &t, .index = i};
        ck_assert_int_eq(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    loop_run(t.loop);
    /* the last mail is here, while its poster may still be inside mailbox_post: the box may be freed all the same */
    mailbox_free(t.box);
    for (unsigned i = 0; i < POSTERS; i++) {
        pthread_join(posters[i].thread, NULL);
        ck_assert_uint_eq(t.next[i], LETTERS);
    }
    loop_free(t.loop);
}
END_TEST

static void deliver_and_answer(struct mail *m)
{
    struct letter *l = (struct letter *)(void *)m;
    if (++l->number == 3)
        loop_stop(l->tally->loop);
    else
        mailbox_post(l->tally->box, m); /* the mail is ours again once it is delivered */
}

START_TEST(a_delivered_mail_may_be_posted_again)
{
    struct tally t = {.loop = loop_new()};
    t.box = mailbox_new(t.loop);
    struct letter l = {.mail.deliver = deliver_and_answer, .tally = &t};
    mailbox_post(t.box, &l.mail);
    loop_run(t.loop);
    ck_assert_uint_eq(l.number, 3);
    mailbox_free(t.box);
    loop_free(t.loop);
}
END_TEST

#define CASES(X) X(every_letter_of_every_thread_arrives_in_its_order) X(a_delivered_mail_may_be_posted_again)
#include "support/check_main.h"
