/* SPDX-License-Identifier: MIT */
/* What is asked of quarantine from outside (list, show, release, delete), and its sweeps: asynchronous, on the first
 * loop, with the work that waits for the disk done by the I/O pool. There is one desk, on the first loop's proxy
 * (proxy_quarantine_desk). Thread: that loop's.
 */
#ifndef PROXY_QUARANTINE_DESK_H
#define PROXY_QUARANTINE_DESK_H

#include "proxy/proxy.h"

enum quarantine_errand { QUARANTINE_LIST, QUARANTINE_SHOW, QUARANTINE_RELEASE, QUARANTINE_DELETE };

struct quarantine_question {
    enum quarantine_errand errand;
    struct span id;       /* as it was typed; checked here. LIST: entries older than it; empty: from the newest */
    size_t limit;         /* LIST: at most QUARANTINE_PAGE_MAX */
    bool again;           /* RELEASE: also what was released before, or may have been */
    const char *asked_by; /* for the log; borrowed until the answer. NULL: nobody is named */
};

/* Valid while ANSWER runs. */
struct quarantine_answer {
    enum err err;     /* OK: it was done. RELEASE: the backend took the message. Otherwise TEXT says what was wrong */
    const char *text; /* RELEASE: the backend's words. Hostile octets: not for a terminal as they are */
    bool unknown;     /* RELEASE: not OK, but the backend may have it */
    const struct quarantine_page *page;   /* LIST */
    const struct quarantine_entry *entry; /* SHOW */
    struct quarantine_usage usage;        /* LIST */
};

struct quarantine_desk;
/* ANSWER is called once, from the loop and never from inside this call. ERR_NOMEM; ERR_STATE: postern is stopping. */
enum err quarantine_desk_ask(struct quarantine_desk *d, const struct quarantine_question *question,
                             void (*answer)(void *arg, const struct quarantine_answer *a), void *arg) must_use;

/* For proxy.c. */
struct quarantine_desk *quarantine_desk_new(struct proxy *p);
/* No new errands and sweeps. */
void quarantine_desk_drain(struct quarantine_desk *d);
/* Releases are broken off. */
void quarantine_desk_cut(struct quarantine_desk *d);
/* Something is on its way that needs the loop. */
bool quarantine_desk_is_busy(const struct quarantine_desk *d);
/* When it is not busy. D may be NULL here and in the three above. */
void quarantine_desk_free(struct quarantine_desk *d);

#endif
