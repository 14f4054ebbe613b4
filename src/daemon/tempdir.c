/* SPDX-License-Identifier: MIT */
/* Temporary directories of the scan hosts. What lies in them was written by a process that has parsed hostile content,
 * so removal goes from descriptor to descriptor and follows nothing. */
#include "daemon/tempdir.h"
#include "base/span.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Deeper nesting than any engine makes; what is deeper stays. */
enum { REMOVE_DEPTH_MAX = 64 };
/* How left-overs are known. */
#define TEMPDIR_PREFIX "postern-scan-"
enum { DIR_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

/* Whether everybody may pass through every directory of the absolute PATH. */
static bool everybody_may_pass(const char *path)
{
    char prefix[TEMPDIR_PATH];
    size_t len = strlen(path);
    if (path[0] != '/' || len >= sizeof(prefix))
        return false;
    for (size_t i = 1; i <= len; i++) {
        struct stat st;
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(prefix, path, i);
        prefix[i] = '\0';
        if (stat(prefix, &st) < 0 || !S_ISDIR(st.st_mode) || !(st.st_mode & S_IXOTH))
            return false;
    }
    return true;
}

/* Empties the directory FD, which is closed by it. */
static void remove_content(int fd, unsigned depth)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(dir), entry->d_name, 0) == 0 || (errno != EISDIR && errno != EPERM))
            continue;
        int child = depth < REMOVE_DEPTH_MAX ? openat(dirfd(dir), entry->d_name, DIR_FLAGS) : -1;
        if (child >= 0)
            remove_content(child, depth + 1);
        unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    }
    closedir(dir);
}

/* A directory below BASE, locked: nobody takes it for a left-over while we live. Whoever starts at the same moment may
 * take it before it is locked: ERR_AGAIN. */
static enum err try_make_locked(struct tempdir *t, const char *base)
{
    struct stat st;
    int n = snprintf(t->path, sizeof(t->path), "%s/" TEMPDIR_PREFIX "XXXXXX", base);
    if (n < 0 || (size_t)n >= sizeof(t->path) - 32 || !mkdtemp(t->path)) {
        t->path[0] = '\0';
        return ERR_IO;
    }
    t->fd = open(t->path, DIR_FLAGS);
    if (t->fd < 0)
        return errno == ENOENT ? ERR_AGAIN : ERR_IO;
    if (flock(t->fd, LOCK_EX | LOCK_NB) == 0 && fstat(t->fd, &st) == 0 && st.st_nlink > 0)
        return ERR_OK;
    close(t->fd);
    t->fd = -1;
    return ERR_AGAIN;
}

static enum err make_locked(struct tempdir *t, const char *base)
{
    enum err e = ERR_AGAIN;
    for (int tries = 0; tries < 10 && e == ERR_AGAIN; tries++)
        e = try_make_locked(t, base);
    return e;
}

/* Takes NAME away if it is a directory of ours that nobody holds. */
static void remove_stale(int base, const char *name)
{
    struct stat st;
    int fd = openat(base, name, DIR_FLAGS);
    if (fd < 0)
        return;
    if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        return;
    }
    remove_content(fd, 0);
    unlinkat(base, name, AT_REMOVEDIR);
}

static void remove_all_stale(const char *base)
{
    DIR *dir = opendir(base);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (span_starts(span_cstr(entry->d_name), SPAN(TEMPDIR_PREFIX)))
            remove_stale(dirfd(dir), entry->d_name);
    }
    closedir(dir);
}

enum err tempdir_make(struct tempdir *t, const struct priv_user *scan_user, struct errtext *why)
{
    const char *base = getenv("TMPDIR");
    *t = (struct tempdir){.fd = -1};
    if (!base || base[0] != '/' || (scan_user && !everybody_may_pass(base)))
        base = "/tmp";
    remove_all_stale(base);
    /* Others may pass, not look: below are directories of another user. */
    if (make_locked(t, base) != ERR_OK || (scan_user && fchmod(t->fd, 0711) < 0)) {
        errtext_set(why, "temporary directory in %s: %s", base, strerror(errno));
        tempdir_remove(t);
        return ERR_IO;
    }
    return ERR_OK;
}

/* A new directory NAME in PARENT; -1 with errno. */
static int make_and_open(int parent, const char *name)
{
    if (mkdirat(parent, name, 0700) < 0)
        return -1;
    return openat(parent, name, DIR_FLAGS);
}

static enum err make_slots(int pool, size_t slots, const struct priv_user *scan_user)
{
    for (size_t i = 0; i < slots; i++) {
        char name[24];
        snprintf(name, sizeof(name), "%zu", i);
        int fd = make_and_open(pool, name);
        if (fd < 0)
            return ERR_IO;
        int result = scan_user ? fchown(fd, scan_user->uid, scan_user->gid) : 0;
        close(fd);
        if (result < 0)
            return ERR_IO;
    }
    return ERR_OK;
}

enum err tempdir_make_pool(struct tempdir *t, size_t index, size_t slots, const struct priv_user *scan_user,
                           char path[TEMPDIR_PATH], struct errtext *why)
{
    char name[24];
    snprintf(name, sizeof(name), "p%zu", index);
    snprintf(path, TEMPDIR_PATH, "%.*s/%s", TEMPDIR_PATH - 32, t->path, name);
    int pool = make_and_open(t->fd, name);
    enum err e = pool < 0 ? ERR_IO : make_slots(pool, slots, scan_user);
    /* Given away last: until then nobody else can put anything in the way. */
    if (!e && scan_user && fchown(pool, scan_user->uid, scan_user->gid) < 0)
        e = ERR_IO;
    if (e)
        errtext_set(why, "%s: %s", path, strerror(errno));
    if (pool >= 0)
        close(pool);
    return e;
}

void tempdir_remove(struct tempdir *t)
{
    /* A copy keeps the lock until the name is gone too. */
    int fd = t->fd >= 0 ? fcntl(t->fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (t->fd >= 0)
        remove_content(t->fd, 0);
    if (t->path[0])
        rmdir(t->path);
    if (fd >= 0)
        close(fd);
    t->fd = -1;
    t->path[0] = '\0';
}
