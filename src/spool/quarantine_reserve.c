/* SPDX-License-Identifier: MIT */
/* A file of quarantine's own that holds what must be there when it is needed. Its octets are room on a full disk: they
 * are given up for a change of status, which gives back as much as it took. Its time is the clock by which ages were
 * last counted, so that a clock that is wrong at the start is found out too. */
#include "spool/quarantine_store.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESERVE_NAME ".reserve"
/* More than the metadata of a message for some hundred recipients. */
enum { RESERVE_SIZE = 65536 };

static struct timespec time_of(uint64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}

/* Room and time as they should be; where it is all there already, nothing is done. False with errno: no room. */
static bool reserve_fill(const struct quarantine *q)
{
    int fd = openat(q->fd, RESERVE_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    int error = posix_fallocate(fd, 0, RESERVE_SIZE);
    /* when the clock jumped, if it has; and the last time that was believed */
    const struct timespec times[2] = {time_of(q->jumped_ms ? q->jumped_ms : q->aged_ms), time_of(q->aged_ms)};
    if (error == 0 && q->aged_ms)
        (void)futimens(fd, times); /* lost, it is the next one's */
    close(fd);
    if (error)
        unlinkat(q->fd, RESERVE_NAME, 0); /* half of it would only be in the way */
    errno = error;
    return error == 0;
}

void reserve_keep(struct quarantine *q)
{
    bool there = reserve_fill(q);
    if (!there && !q->unreserved)
        log_text(q->log, LOG_QUARANTINE_FAILED, "detail",
                 "no reserve of %d octets can be kept in %s: %s; should the disk be full, nothing in quarantine can be "
                 "released",
                 RESERVE_SIZE, q->path, strerror(errno));
    q->unreserved = !there;
}

void reserve_give(struct quarantine *q)
{
    (void)unlinkat(q->fd, RESERVE_NAME, 0);
}

static uint64_t ms_of(struct timespec t)
{
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void reserve_open(struct quarantine *q)
{
    struct stat st;
    if (fstatat(q->fd, RESERVE_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_mtim.tv_sec > 0) {
        q->aged_ms = ms_of(st.st_mtim);
        if (st.st_atim.tv_sec > st.st_mtim.tv_sec)
            q->jumped_ms = ms_of(st.st_atim); /* a restart does not begin the day anew */
    }
    reserve_keep(q);
}

static void say_clock(struct quarantine *q, enum log_event event, uint64_t now_ms, const char *what)
{
    uint64_t ahead = now_ms > q->aged_ms ? now_ms - q->aged_ms : 0;
    log_text(q->log, event, "detail", "the clock is %llu hours ahead of quarantine's last look: %s",
             (unsigned long long)(ahead / 3600000), what);
}

uint64_t reserve_clock(struct quarantine *q, uint64_t now_ms)
{
    uint64_t most = q->limits.max_jump_ms;
    if (most > 0 && q->aged_ms > 0 && now_ms > q->aged_ms && now_ms - q->aged_ms > most) {
        bool again = now_ms < q->jumped_ms ||
                     (q->seen_ms > 0 && now_ms - q->seen_ms > most); /* a jump from where it had jumped to */
        q->seen_ms = now_ms;
        if (q->jumped_ms == 0 || again) {
            q->jumped_ms = now_ms;
            say_clock(q, LOG_QUARANTINE_FAILED, now_ms, "nothing is deleted for its age until that has lasted a day");
        }
        if (now_ms - q->jumped_ms < most)
            return q->aged_ms;
        say_clock(q, LOG_QUARANTINE, now_ms, "that has lasted, so it is believed");
    }
    q->jumped_ms = 0;
    q->aged_ms = now_ms;
    return now_ms;
}
