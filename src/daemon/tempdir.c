/* SPDX-License-Identifier: MIT */
/* Temporary directories of the scan hosts. What lies in them was written by a process that has parsed hostile content,
 * so removal goes from descriptor to descriptor and follows nothing. */
#include "daemon/tempdir.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Deeper nesting than any engine makes; what is deeper stays. */
enum { REMOVE_DEPTH_MAX = 64 };
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

enum err tempdir_make(struct tempdir *t, const struct priv_user *scan_user, struct errtext *why)
{
    const char *base = getenv("TMPDIR");
    t->fd = -1;
    if (!base || base[0] != '/' || (scan_user && !everybody_may_pass(base)))
        base = "/tmp";
    int n = snprintf(t->path, sizeof(t->path), "%s/postern-XXXXXX", base);
    if (n < 0 || (size_t)n >= sizeof(t->path) - 32 || !mkdtemp(t->path)) {
        errtext_set(why, "temporary directory in %s: %s", base, strerror(errno));
        t->path[0] = '\0';
        return ERR_IO;
    }
    t->fd = open(t->path, DIR_FLAGS);
    /* Others may pass, not look: below are directories of another user. */
    if (t->fd < 0 || (scan_user && fchmod(t->fd, 0711) < 0)) {
        errtext_set(why, "%s: %s", t->path, strerror(errno));
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

void tempdir_remove(struct tempdir *t)
{
    if (t->fd >= 0)
        remove_content(t->fd, 0);
    if (t->path[0])
        rmdir(t->path);
    t->fd = -1;
    t->path[0] = '\0';
}
