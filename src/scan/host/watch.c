/* SPDX-License-Identifier: MIT */
/* Looks at the databases, when inotify or the clock say so. */
#include "scan/host/watch.h"
#include "scan/engine/database.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOOK_MS = 60 * 1000,  /* although inotify said nothing: a link that leads elsewhere now, a network file system */
    BLIND_LOOK_MS = 1000, /* at least, where inotify cannot watch */
    PATH_SIZE = 4096,
};

static const uint32_t events_of_interest = IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM |
                                           IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

void watch_init(struct watch *w)
{
    *w = (struct watch){.inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
}

/* Of a file its directory, which sees it replaced too. */
static void arm(const struct watch *w, struct watched *item)
{
    char path[PATH_SIZE];
    struct stat st;
    if (item->descriptor >= 0 || w->inotify < 0)
        return;
    if (snprintf(path, sizeof(path), "%s", item->path) >= (int)sizeof(path))
        return;
    char *slash = strrchr(path, '/');
    if (slash && slash > path && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        *slash = '\0';
    item->descriptor = inotify_add_watch(w->inotify, path, events_of_interest);
}

static uint64_t fingerprint(const struct watched *item)
{
    return item->every_file ? database_fingerprint_of_all(item->path) : database_fingerprint(item->path);
}

void watch_add(struct watch *w, const char *path, bool every_file, uint64_t settle_ms)
{
    if (w->count == LIMIT_ENGINES)
        return;
    struct watched *item = &w->items[w->count++];
    *item = (struct watched){.path = path, .every_file = every_file, .descriptor = -1};
    if (settle_ms > w->settle_ms)
        w->settle_ms = settle_ms;
    arm(w, item);
    item->seen = item->told = fingerprint(item);
}

/* Takes note of what is there. False: something is not as it was at the last look. */
static bool look_at_all(struct watch *w)
{
    bool same = true;
    for (size_t i = 0; i < w->count; i++) {
        struct watched *item = &w->items[i];
        arm(w, item);
        uint64_t now = fingerprint(item);
        same = same && now == item->seen;
        item->seen = now;
    }
    return same;
}

static bool tell_all(struct watch *w)
{
    bool changed = false;
    for (size_t i = 0; i < w->count; i++) {
        changed = changed || w->items[i].seen != w->items[i].told;
        w->items[i].told = w->items[i].seen;
    }
    return changed;
}

static uint64_t pause_ms(const struct watch *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->items[i].descriptor < 0)
            return w->settle_ms > BLIND_LOOK_MS ? w->settle_ms : BLIND_LOOK_MS;
    return LOOK_MS;
}

static void settle(struct watch *w)
{
    w->settling = true;
    deadline_set_ms(&w->look, w->settle_ms);
}

static void time_to_look(void *arg)
{
    struct watch *w = arg;
    if (!look_at_all(w)) {
        settle(w);
        return;
    }
    w->settling = false;
    deadline_set_ms(&w->look, pause_ms(w));
    if (tell_all(w))
        w->changed(w->arg);
}

/* A directory that is gone takes its watch with it. */
static void forget(struct watch *w, int descriptor)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->items[i].descriptor == descriptor)
            w->items[i].descriptor = -1;
}

static void events_ready(void *arg, int events)
{
    struct watch *w = arg;
    union {
        char bytes[PATH_SIZE];
        struct inotify_event align;
    } buf;
    (void)events;
    for (ssize_t len; (len = read(w->inotify, buf.bytes, sizeof(buf.bytes))) > 0;) {
        for (size_t at = 0; at + sizeof(struct inotify_event) <= (size_t)len;) {
            struct inotify_event e;
            memcpy(&e, buf.bytes + at, sizeof(e));
            if (e.mask & (IN_IGNORED | IN_MOVE_SELF))
                forget(w, e.wd);
            at += sizeof(e) + e.len;
        }
    }
    if (w->settling)
        return;
    (void)look_at_all(w); /* from now on it must stay as it is */
    settle(w);
}

void watch_start(struct watch *w, struct loop *l, void (*changed)(void *arg), void *arg)
{
    if (w->count == 0)
        return;
    w->changed = changed;
    w->arg = arg;
    w->running = true;
    deadline_init(&w->look, l, time_to_look, w);
    if (w->inotify >= 0) {
        loop_watch_init(&w->events, l, w->inotify, events_ready, w);
        loop_watch_set(&w->events, LOOP_READ);
    }
    deadline_set_ms(&w->look, 0); /* what happened while the databases were loaded */
}

void watch_stop(struct watch *w)
{
    if (w->running) {
        deadline_clear(&w->look);
        if (w->inotify >= 0)
            loop_watch_stop(&w->events);
    }
    w->running = false;
    if (w->inotify >= 0)
        close(w->inotify);
    w->inotify = -1;
}
