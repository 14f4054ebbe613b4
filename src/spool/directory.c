/* SPDX-License-Identifier: MIT */
/* The spool directory: who may own it, and unnamed files in it. Whatever somebody else can plant (a link, a FIFO, a
 * directory of his own) is refused by looking at what was opened, not at what the path said before. Two processes may
 * share the directory: the files have no names to collide, so there is no lock. */
#include "spool/directory.h"
#include "base/mem.h"
#include "sys/rng.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct spool {
    int fd;
    char *configured; /* as the caller gave it */
    char *path;
    uint64_t memory_threshold;
    struct sha256 *blank;
    bool tmpfile; /* the file system has O_TMPFILE */
};

enum { OPEN_DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static const char *spool_errno_text(void)
{
    return errno == ELOOP || errno == ENOTDIR ? "it is not a directory (links are not followed)" : strerror(errno);
}

/* Opens PATH, made if it is missing; *st is what was opened. */
static int spool_open_directory(int at, const char *path, struct stat *st, struct errtext *why)
{
    int fd = openat(at, path, OPEN_DIRECTORY);
    if (fd < 0 && errno == ENOENT) {
        if (mkdirat(at, path, 0700) != 0 && errno != EEXIST) {
            errtext_set(why, "cannot make the spool directory %s: %s", path, strerror(errno));
            return -1;
        }
        fd = openat(at, path, OPEN_DIRECTORY);
    }
    if (fd < 0 || fstat(fd, st) != 0) {
        errtext_set(why, "cannot open the spool directory %s: %s", path, spool_errno_text());
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

/* Our own subdirectory of the sticky directory AT. */
static int spool_open_subdirectory(int at, const char *path, const char *name, struct errtext *why)
{
    struct stat st;
    int fd = spool_open_directory(at, name, &st, why);
    if (fd < 0)
        return -1;
    if (st.st_uid == geteuid() && (st.st_mode & 077) == 0)
        return fd;
    errtext_set(why, "spool directory %s/%s belongs to user %u with mode %04o: expected user %u and mode 0700", path,
                name, (unsigned)st.st_uid, (unsigned)(st.st_mode & 07777), (unsigned)geteuid());
    close(fd);
    return -1;
}

/* The directory to use, by the rules of message.h; *SUBDIRECTORY is set when it is one of our own below PATH. */
static int spool_choose(const char *path, char *name, size_t name_size, bool *subdirectory, struct errtext *why)
{
    struct stat st;
    *subdirectory = false;
    int fd = spool_open_directory(AT_FDCWD, path, &st, why);
    if (fd < 0)
        return -1;
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        errtext_set(why, "spool directory %s belongs to user %u: expected user %u or root", path, (unsigned)st.st_uid,
                    (unsigned)geteuid());
        close(fd);
        return -1;
    }
    if (!(st.st_mode & 022))
        return fd;
    if (!(st.st_mode & S_ISVTX)) {
        errtext_set(why,
                    "spool directory %s can be written by others (mode %04o): expected 0700, or a sticky directory",
                    path, (unsigned)(st.st_mode & 07777));
        close(fd);
        return -1;
    }
    *subdirectory = true;
    snprintf(name, name_size, "postern-%u", (unsigned)geteuid());
    int own = spool_open_subdirectory(fd, path, name, why);
    close(fd);
    return own;
}

static int spool_make_file(const struct spool *s);

/* Makes one file for a trial, so that a directory that cannot serve is found now and not by the first large message. */
static bool spool_try(struct spool *s, struct errtext *why)
{
    s->tmpfile = true;
    int fd = spool_make_file(s);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)) {
        s->tmpfile = false;
        fd = spool_make_file(s);
    }
    /* A full disk is not for ever: messages beyond the threshold are answered with 452 until it has room. */
    if (fd < 0 && errno != ENOSPC && errno != EDQUOT) {
        errtext_set(why, "cannot make a file in the spool directory %s: %s", s->path, strerror(errno));
        return false;
    }
    if (fd >= 0)
        close(fd);
    return true;
}

struct spool *spool_open(const char *path, uint64_t memory_threshold, struct errtext *why)
{
    char name[32], plain[4096], full[sizeof(plain) + sizeof(name)];
    bool subdirectory;
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') /* behind a slash a link would be followed */
        len--;
    if (len >= sizeof(plain)) {
        errtext_set(why, "spool directory: a path has at most %zu characters", sizeof(plain) - 1);
        return NULL;
    }
    snprintf(plain, sizeof(plain), "%.*s", (int)len, path);
    int fd = spool_choose(plain, name, sizeof(name), &subdirectory, why);
    if (fd < 0)
        return NULL;
    if (subdirectory)
        snprintf(full, sizeof(full), "%s/%s", plain, name);
    else
        snprintf(full, sizeof(full), "%s", plain);
    struct spool *s = MEM_NEW(struct spool);
    char *copy = mem_strdup(span_cstr(full)), *configured = mem_strdup(span_cstr(plain));
    struct sha256 *blank = sha256_new();
    if (!s || !copy || !configured || !blank) {
        errtext_set(why, "cannot open the spool directory %s: %s", plain, err_name(ERR_NOMEM));
        close(fd);
        mem_free(s);
        mem_free(copy);
        mem_free(configured);
        sha256_free(blank);
        return NULL;
    }
    *s = (struct spool){
        .fd = fd, .configured = configured, .path = copy, .memory_threshold = memory_threshold, .blank = blank};
    if (spool_try(s, why))
        return s;
    spool_close(s);
    return NULL;
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    close(s->fd);
    mem_free(s->path);
    mem_free(s->configured);
    sha256_free(s->blank);
    mem_free(s);
}

const char *spool_path(const struct spool *s)
{
    return s->path;
}

uint64_t spool_memory_threshold(const struct spool *s)
{
    return s->memory_threshold;
}

const struct sha256 *spool_blank_digest(const struct spool *s)
{
    return s->blank;
}

static int spool_make_file(const struct spool *s)
{
    /* Without O_EXCL the file could be given a name later; nothing here does, and with it nothing can. */
    if (s->tmpfile)
        return openat(s->fd, ".", O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    char name[40];
    snprintf(name, sizeof(name), ".spool-%016llx%016llx", (unsigned long long)rng_u64(), (unsigned long long)rng_u64());
    int fd = openat(s->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && unlinkat(s->fd, name, 0) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int spool_new_file(const struct spool *s)
{
    struct stat st;
    int fd = spool_make_file(s), error = errno;
    if (fd >= 0 || fstat(s->fd, &st) != 0 || st.st_nlink > 0) {
        errno = error;
        return fd;
    }
    /* Somebody removed the directory under us, a cleaner of /tmp for instance. It is made again, with all checks, for
     * each file: S is shared by threads and stays as it is. */
    struct errtext why;
    struct spool *again = spool_open(s->configured, s->memory_threshold, &why);
    if (!again) {
        errno = ENOENT;
        return -1;
    }
    fd = spool_make_file(again);
    error = errno;
    spool_close(again);
    errno = error;
    return fd;
}
