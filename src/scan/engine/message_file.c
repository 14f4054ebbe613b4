/* SPDX-License-Identifier: MIT */
/* Messages as files. Runs inside the worker's cage, which lets it write below its own directory only. */
#include "scan/engine/message_file.h"
#include "scan/engine/daemon_engine.h"
#include "sys/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_STEP = 64 * 1024 };

void message_file_init(struct message_file *f, const char *directory, const char *why)
{
    *f = (struct message_file){.there = false};
    errtext_set(&f->why, "%s", why ? why : "");
    if (!directory)
        return;
    if (strlen(directory) >= sizeof(f->directory))
        errtext_set(&f->why, "file_base: the name is too long");
    else
        snprintf(f->directory, sizeof(f->directory), "%s", directory);
}

static enum err copy_message(int from, int to, uint64_t size, struct errtext *why)
{
    char step[COPY_STEP];
    for (uint64_t at = 0; at < size;) {
        size_t len = size - at < sizeof(step) ? (size_t)(size - at) : sizeof(step);
        enum err e = daemon_read_message(from, at, step, len, why);
        if (e != ERR_OK)
            return e;
        if (fd_write_all(to, span_of(step, len)) != ERR_OK) {
            errtext_set(why, "file_base: the message (%llu octets) cannot be written: %s", (unsigned long long)size,
                        strerror(errno));
            return ERR_IO;
        }
        at += len;
    }
    return ERR_OK;
}

enum err message_file_put(struct message_file *f, int fd, uint64_t size, struct errtext *why)
{
    if (f->directory[0] == '\0') {
        *why = f->why;
        return ERR_DENIED;
    }
    message_file_remove(f);
    snprintf(f->path, sizeof(f->path), "%s/%llu.eml", f->directory, (unsigned long long)++f->serial);
    mode_t old = umask(0);
    int out = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    int saved = errno;
    umask(old);
    if (out < 0) {
        errtext_set(why, "file_base: %s cannot be made: %s", f->path, strerror(saved));
        /* Without room it is there and serves again by itself; otherwise a successor of this worker looks anew. */
        return saved == ENOSPC || saved == EDQUOT ? ERR_IO : ERR_DENIED;
    }
    f->there = true;
    enum err e = copy_message(fd, out, size, why);
    if (close(out) != 0 && e == ERR_OK) {
        errtext_set(why, "file_base: the message cannot be written: %s", strerror(errno));
        e = ERR_IO;
    }
    if (e != ERR_OK)
        message_file_remove(f);
    return e;
}

void message_file_remove(struct message_file *f)
{
    if (f->there)
        unlink(f->path);
    f->there = false;
}

const char *message_file_tail(const struct message_file *f)
{
    const char *slash = strrchr(f->path, '/');
    while (slash && slash > f->path && slash[-1] != '/')
        slash--;
    return slash ? slash : f->path;
}
