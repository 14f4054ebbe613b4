/* SPDX-License-Identifier: MIT */
/* Making and emptying the workers' temporary directories. What lies in them was made by code that hostile content may
 * have taken over: any name, any depth, links to anywhere. */
#include "scan/host/workspace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Directories held open on the way down. Deeper ones are moved to the top and removed from there. */
enum { WORKSPACE_DEPTH = 16 };

static enum err make_dir(const char *path, struct errtext *why)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return ERR_OK;
    errtext_set(why, "temporary directory %s cannot be made: %s", path, strerror(errno));
    return ERR_IO;
}

enum err workspace_open(const char *base, unsigned slot, char path[WORKSPACE_PATH], int *dirfd, struct errtext *why)
{
    if (snprintf(path, WORKSPACE_PATH, "%s/%u", base, slot) >= WORKSPACE_PATH) {
        errtext_set(why, "temporary directory below %.200s…: the name is too long", base);
        return ERR_RANGE;
    }
    enum err e = make_dir(base, why);
    if (e == ERR_OK)
        e = make_dir(path, why);
    if (e != ERR_OK)
        return e;
    struct stat st;
    *dirfd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*dirfd < 0 || fstat(*dirfd, &st) != 0) {
        errtext_set(why, "temporary directory %s cannot be opened: %s", path, strerror(errno));
        e = ERR_IO;
    } else if (st.st_uid != geteuid() || fchmod(*dirfd, 0700) != 0) {
        errtext_set(why, "temporary directory %s belongs to user %u, expected %u", path, (unsigned)st.st_uid,
                    (unsigned)geteuid());
        e = ERR_DENIED;
    }
    if (e != ERR_OK && *dirfd >= 0) {
        close(*dirfd);
        *dirfd = -1;
    }
    return e;
}

/* Moves the directory NAME of PARENT to the top under a name that is free there. */
static enum err move_to_top(int top, int parent, const char *name)
{
    for (unsigned n = 0; n < 1000000; n++) {
        char moved[32];
        snprintf(moved, sizeof(moved), "deep-%u", n);
        if (renameat2(parent, name, top, moved, RENAME_NOREPLACE) == 0)
            return ERR_OK;
        if (errno != EEXIST)
            return ERR_IO;
    }
    return ERR_IO;
}

static enum err empty_dir(int top, int dirfd, unsigned depth);

static enum err remove_entry(int top, int dirfd, const char *name, unsigned depth)
{
    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return ERR_OK;
    if (errno != EISDIR && errno != EPERM)
        return ERR_IO;
    if (depth >= WORKSPACE_DEPTH)
        return move_to_top(top, dirfd, name);
    /* It may not even be readable. It is a directory, no link, and whoever made it is dead or runs this line. */
    if (fchmodat(dirfd, name, 0700, 0) != 0)
        return ERR_IO;
    int below = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0)
        return ERR_IO;
    enum err e = empty_dir(top, below, depth + 1);
    close(below);
    return e == ERR_OK && unlinkat(dirfd, name, AT_REMOVEDIR) != 0 ? ERR_IO : e;
}

static bool is_itself(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static enum err empty_dir(int top, int dirfd, unsigned depth)
{
    int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* closedir closes it */
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) {
        if (copy >= 0)
            close(copy);
        return ERR_IO;
    }
    enum err e = ERR_OK;
    const struct dirent *entry;
    while (e == ERR_OK && (entry = readdir(dir)) != NULL)
        if (!is_itself(entry->d_name))
            e = remove_entry(top, dirfd, entry->d_name, depth);
    int saved = errno;
    closedir(dir);
    errno = saved;
    return e;
}

/* Asked after each job, so the directory is not opened once more for it: nobody else reads through DIRFD. */
static bool dir_is_empty(int dirfd)
{
    _Alignas(struct dirent64) char bytes[1024]; /* more than one entry of any name */
    ssize_t n = lseek(dirfd, 0, SEEK_SET) == 0 ? getdents64(dirfd, bytes, sizeof(bytes)) : -1;
    while (n > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)(bytes + at);
            if (!is_itself(entry->d_name))
                return false;
            at += entry->d_reclen;
        }
        n = getdents64(dirfd, bytes, sizeof(bytes));
    }
    return n == 0;
}

enum err workspace_clean(int dirfd)
{
    enum err e = ERR_OK;
    /* What was moved to the top may have been missed by this round's reading of it. */
    while (e == ERR_OK && !dir_is_empty(dirfd))
        e = empty_dir(dirfd, dirfd, 0);
    return e;
}
