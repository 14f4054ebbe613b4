/* SPDX-License-Identifier: MIT */
/* Making and removing the directories in file_base, which others may write to (/var/tmp): nothing is followed, and what
 * was opened is looked at, not what a name said before. */
#include "scan/host/handover.h"
#include "base/span.h"
#include "scan/host/workspace.h"
#include "sys/rng.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HANDOVER_PREFIX "postern-message-"
enum { DIR_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, HANDOVER_MODE = 0710, TRIES = 10 };

void handover_token(char token[HANDOVER_TOKEN + 1])
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuv"; /* 32: no remainder */
    uint64_t random = rng_u64();
    for (int i = 0; i < HANDOVER_TOKEN; i++, random /= 32)
        token[i] = letters[random % 32];
    token[HANDOVER_TOKEN] = '\0';
}

/* BASE, which links may lead to: the administrator's word counts. */
static int open_base(const char *base, struct errtext *why)
{
    struct stat st;
    int fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        errtext_set(why, "file_base %.300s: %s", base, strerror(errno));
    } else if (st.st_uid != geteuid() && st.st_uid != 0) {
        errtext_set(why, "file_base %.300s belongs to user %u: expected user %u or root", base, (unsigned)st.st_uid,
                    (unsigned)geteuid());
    } else if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX)) {
        errtext_set(why, "file_base %.300s can be written by everybody (mode %04o): expected a sticky directory", base,
                    (unsigned)(st.st_mode & 07777));
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* A new directory NAME in BASE with a lock on it. The mode counts as it stands: a changed one would lose the bit that
 * hands the group on. -1 with errno; EAGAIN: somebody swept it away before it was locked. */
static int make_locked(int base, const char *name)
{
    struct stat st;
    mode_t old = umask(0);
    int made = mkdirat(base, name, HANDOVER_MODE), saved = errno;
    umask(old);
    if (made != 0) {
        errno = saved;
        return -1;
    }
    int fd = openat(base, name, DIR_FLAGS);
    if (fd < 0) {
        errno = errno == ENOENT ? EAGAIN : errno;
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0 && st.st_uid == geteuid())
        return fd;
    close(fd);
    errno = EAGAIN;
    return -1;
}

static void remove_at(int base, const char *name)
{
    struct stat st;
    int fd = openat(base, name, DIR_FLAGS);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
        workspace_clean(fd) == ERR_OK)
        unlinkat(base, name, AT_REMOVEDIR);
    close(fd);
}

static void name_of(const struct handover *h, char name[80])
{
    snprintf(name, 80, HANDOVER_PREFIX "%s-%u-%zu", h->token, h->slot, h->engine);
}

enum err handover_enter(const struct handover *h, char path[HANDOVER_PATH], int *fd, struct errtext *why)
{
    char name[80];
    name_of(h, name);
    *fd = -1;
    if (snprintf(path, HANDOVER_PATH, "%s/%s", h->base, name) >= HANDOVER_PATH) {
        errtext_set(why, "file_base %.300s…: the name is too long", h->base);
        return ERR_RANGE;
    }
    int base = open_base(h->base, why);
    if (base < 0)
        return ERR_DENIED;
    handover_sweep(h->base);
    for (int i = 0; *fd < 0 && i < TRIES; i++) {
        *fd = make_locked(base, name);
        if (*fd < 0 && errno == EEXIST)
            remove_at(base, name); /* of a predecessor in this slot, if it could not be removed at its end */
        else if (*fd < 0 && errno != EAGAIN)
            break;
    }
    if (*fd < 0)
        errtext_set(why, "file_base %.300s: user %u cannot make a directory in it: %s", h->base, (unsigned)geteuid(),
                    strerror(errno));
    close(base);
    return *fd < 0 ? ERR_DENIED : ERR_OK;
}

void handover_leave(const struct handover *h)
{
    char name[80];
    struct errtext why;
    int base = open_base(h->base, &why);
    if (base < 0)
        return;
    name_of(h, name);
    remove_at(base, name);
    close(base);
}

enum err handover_try(const char *base, struct errtext *why)
{
    struct handover h = {.base = base};
    char path[HANDOVER_PATH];
    int fd;
    handover_token(h.token);
    enum err e = handover_enter(&h, path, &fd, why);
    if (e != ERR_OK)
        return e;
    close(fd);
    handover_leave(&h);
    return ERR_OK;
}

void handover_sweep(const char *base)
{
    struct errtext why;
    int fd = open_base(base, &why);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (span_starts(span_cstr(entry->d_name), SPAN(HANDOVER_PREFIX)))
            remove_at(dirfd(dir), entry->d_name);
    closedir(dir);
}
