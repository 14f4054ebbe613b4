/* SPDX-License-Identifier: MIT */
/* Making and removing the console's socket. Root does this in a directory that others may be able to write to, so
 * nothing here follows a link, and what is changed is the file that was looked at. */
#include "daemon/control_socket.h"
#include "io/addr.h"
#include "io/listener.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Consoles are few, and each connects once. */
enum { CONTROL_BACKLOG = 64, CONTROL_DIRECTORY_MODE = 0755 };

/* The directory of PATH. Where everybody may write without the sticky bit, anybody could put a socket of his own in
 * the place of ours, and administrators would talk to it. */
static enum err prepare_directory(const char *path, struct errtext *why)
{
    char directory[ADDR_TEXT];
    struct stat st;
    size_t len = (size_t)(strrchr(path, '/') - path);
    if (len >= sizeof(directory)) {
        errtext_set(why, "%s: the name is too long", path);
        return ERR_RANGE;
    }
    memcpy(directory, len ? path : "/", len ? len : 1);
    directory[len ? len : 1] = '\0';
    if (mkdir(directory, CONTROL_DIRECTORY_MODE) < 0 && errno != EEXIST) {
        errtext_set(why, "directory %s: %s", directory, strerror(errno));
        return ERR_IO;
    }
    int result = stat(directory, &st);
    if (result < 0 || !S_ISDIR(st.st_mode)) {
        errtext_set(why, "directory %s: %s", directory, result < 0 ? strerror(errno) : "is none");
        return ERR_IO;
    }
    if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX)) {
        errtext_set(why, "directory %s: everybody may write to it (mode %04o), expected at most 0755, or 1777",
                    directory, (unsigned)st.st_mode & 07777U);
        return ERR_DENIED;
    }
    return ERR_OK;
}

/* Owner and mode of the file, which nobody but us can have opened yet. */
static enum err set_access(struct control_socket *s, mode_t mode, struct control_owner owner)
{
    char name[32];
    struct stat st = {0};
    int fd = open(s->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return ERR_IO;
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    bool ok = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_uid == geteuid();
    ok = ok && fchownat(fd, "", owner.uid, owner.gid, AT_EMPTY_PATH) == 0 && chmod(name, mode) == 0;
    int error = errno;
    close(fd);
    errno = error;
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    return ok ? ERR_OK : ERR_IO;
}

enum err control_socket_open(struct control_socket *s, const char *path, mode_t mode, struct control_owner owner,
                             struct errtext *why)
{
    struct addr address;
    struct stat st;
    *s = (struct control_socket){.fd = -1, .path = path};
    enum err e = addr_parse(span_cstr(path), 0, &address, why);
    if (!e)
        e = prepare_directory(path, why);
    if (e)
        return e;
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        errtext_set(why, "%s: there is something that is no socket, and it is left alone", path);
        return ERR_DENIED;
    }
    mode_t old = umask(0177);
    s->fd = listener_open(&address, CONTROL_BACKLOG, why);
    int error = errno;
    umask(old);
    errno = error;
    if (s->fd < 0)
        return ERR_IO;
    if (set_access(s, mode, owner) == ERR_OK)
        return ERR_OK;
    errtext_set(why, "%s: owner and mode cannot be set: %s", path, strerror(errno));
    error = errno;
    control_socket_close(s, false);
    errno = error;
    return ERR_IO;
}

void control_socket_close(struct control_socket *s, bool remove)
{
    struct stat st;
    if (s->fd < 0)
        return;
    if (remove && lstat(s->path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_dev == s->dev && st.st_ino == s->ino)
        unlink(s->path);
    close(s->fd);
    s->fd = -1;
}
