/* SPDX-License-Identifier: MIT */
/* A quarantine as a whole: who may own its directory, opening and closing. As for the spool, what is judged is what was
 * opened, not what the path said before. */
#include "spool/quarantine.h"
#include "base/mem.h"
#include "spool/quarantine_store.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_ROOM = 4096 };
enum { OPEN_DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

/* PATH without slashes at its end: behind one a link would be followed. */
static bool plain_path(const char *path, char out[PATH_ROOM], struct errtext *why)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len >= PATH_ROOM) {
        errtext_set(why, "quarantine directory: a path has at most %d characters", PATH_ROOM - 1);
        return false;
    }
    memcpy(out, path, len);
    out[len] = '\0';
    return true;
}

/* Whether what ST describes may hold a quarantine of the user UID. */
static enum err judge(const char *path, const struct stat *st, unsigned uid, struct errtext *why)
{
    if (!S_ISDIR(st->st_mode))
        errtext_set(why, "quarantine directory %s is not a directory (links are not followed)", path);
    else if (st->st_uid != uid || (st->st_mode & 077))
        errtext_set(why, "quarantine directory %s belongs to user %u with mode %04o: expected user %u and mode 0700",
                    path, (unsigned)st->st_uid, (unsigned)(st->st_mode & 07777), uid);
    else
        return ERR_OK;
    return ERR_DENIED;
}

static enum err examine_parent(const char *path, struct errtext *why)
{
    char parent[PATH_ROOM];
    struct stat st;
    snprintf(parent, sizeof(parent), "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    if (!slash || stat(parent, &st) != 0) {
        errtext_set(why, "quarantine directory %s: the directory around it, %s: %s", path, parent, strerror(errno));
        return ERR_NOTFOUND;
    }
    if (S_ISDIR(st.st_mode))
        return ERR_OK;
    errtext_set(why, "quarantine directory %s: %s is not a directory", path, parent);
    return ERR_DENIED;
}

enum err quarantine_examine(const char *directory, unsigned uid, struct errtext *why)
{
    char path[PATH_ROOM];
    struct stat st;
    if (!plain_path(directory, path, why))
        return ERR_RANGE;
    if (lstat(path, &st) == 0)
        return judge(path, &st, uid, why);
    if (errno == ENOENT)
        return examine_parent(path, why);
    errtext_set(why, "quarantine directory %s: %s", path, strerror(errno));
    return ERR_IO;
}

static int open_directory(const char *path, struct errtext *why)
{
    struct stat st;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        errtext_set(why, "cannot make the quarantine directory %s: %s", path, strerror(errno));
        return -1;
    }
    int fd = open(path, OPEN_DIRECTORY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        bool wrong_kind = errno == ELOOP || errno == ENOTDIR;
        errtext_set(why, "cannot open the quarantine directory %s: %s", path,
                    wrong_kind ? "it is not a directory (links are not followed)" : strerror(errno));
    } else if (judge(path, &st, geteuid(), why) == ERR_OK) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        errtext_set(why, "quarantine directory %s is in use by another process: one postern at a time", path);
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* The name of the directory itself must survive a power cut too. Its parent may be out of reach, and then was made by
 * somebody else long ago. */
static void sync_parent(int fd)
{
    int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return;
    (void)fsync(parent);
    close(parent);
}

struct quarantine *quarantine_open(const char *directory, const struct quarantine_limits *limits, const struct log *log,
                                   struct errtext *why)
{
    char path[PATH_ROOM];
    if (!plain_path(directory, path, why))
        return NULL;
    int fd = open_directory(path, why);
    if (fd < 0)
        return NULL;
    struct quarantine *q = MEM_NEW(struct quarantine);
    char *copy = mem_strdup(span_cstr(path));
    if (!q || !copy) {
        errtext_set(why, "quarantine directory %s: %s", path, err_name(ERR_NOMEM));
        mem_free(q);
        mem_free(copy);
        close(fd);
        return NULL;
    }
    q->fd = fd;
    q->path = copy;
    q->log = log;
    q->limits = *limits;
    pthread_mutex_init(&q->lock, NULL);
    pthread_mutex_init(&q->changes, NULL);
    sync_parent(fd);
    if (store_take_stock(q, why) == ERR_OK) {
        reserve_open(q);
        return q;
    }
    quarantine_close(q);
    return NULL;
}

void quarantine_close(struct quarantine *q)
{
    if (!q)
        return;
    close(q->fd);
    pthread_mutex_destroy(&q->lock);
    pthread_mutex_destroy(&q->changes);
    mem_free(q->path);
    mem_free(q);
}

struct quarantine_usage quarantine_usage(struct quarantine *q)
{
    pthread_mutex_lock(&q->lock);
    struct quarantine_usage usage = {q->entries, q->octets, q->limits.max_size};
    pthread_mutex_unlock(&q->lock);
    return usage;
}
