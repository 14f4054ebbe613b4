/* SPDX-License-Identifier: MIT */
/* Each part gets a file of its own, which nobody can change afterwards through what an engine, or a program that it
 * hands the file to, keeps of it: the descriptor is for reading, and the next part is another file. */
#include "scan/host/look.h"
#include "scan/parts.h"
#include "sys/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { COPY_STEP = 64 * 1024 };
#define PART_NAME "postern-part"

/* Whether the engine was given it. */
static bool look_at(const struct look *l, int fd, uint64_t size, struct verdict *out)
{
    const struct host_engine *e = l->engine;
    uint64_t now = clock_monotonic_us();
    bool in_time = now < l->job->deadline_us;
    if (!in_time) {
        verdict_set(out, VERDICT_ERROR, VERDICT_REASON_TIMEOUT, "the deadline passed before the scan began");
    } else {
        uint64_t time_ms = (l->job->deadline_us - now + 999) / 1000;
        sandbox_limit_cpu(time_ms * 2);
        e->type->scan(e->state, fd, size, time_ms, out);
    }
    verdict_copy_text(out->engine, sizeof(out->engine), span_cstr(e->conf->name)); /* its stanza ranks */
    return in_time;
}

static bool is_final(const struct look *l, const struct verdict *v)
{
    return v->class == VERDICT_ERROR || (v->class == VERDICT_INFECTED && !l->framework->all);
}

static void trouble(const struct look *l, enum verdict_reason reason, const char *doing, int error, struct verdict *out)
{
    char detail[LIMIT_VERDICT_TEXT + 1];
    snprintf(detail, sizeof(detail), "%s%s%s", doing, error ? ": " : "", error ? strerror(error) : "");
    verdict_set(out, VERDICT_ERROR, reason, detail);
    verdict_copy_text(out->engine, sizeof(out->engine), span_cstr(l->engine->conf->name));
}

static enum err copy(int from, uint64_t offset, uint64_t size, int to)
{
    char step[COPY_STEP];
    while (size > 0) {
        ssize_t n = pread(from, step, size < sizeof(step) ? (size_t)size : sizeof(step), (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_IO;
        for (ssize_t done = 0; done < n;) {
            ssize_t written = write(to, step + done, (size_t)(n - done));
            if (written < 0 && errno == EINTR)
                continue;
            if (written <= 0)
                return ERR_IO;
            done += written;
        }
        offset += (uint64_t)n;
        size -= (uint64_t)n;
    }
    return ERR_OK;
}

/* A file without a name that holds this content, open for reading; -1 with errno. */
static int part_file(const struct look *l, const struct parts_content *c)
{
    int out = openat(l->dirfd, PART_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0)
        return -1;
    errno = EIO; /* where a source ends early */
    bool whole = copy(c->verbatim ? l->message : l->parts, c->offset, c->size, out) == ERR_OK;
    int saved = errno;
    int fd = whole ? openat(l->dirfd, PART_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (whole)
        saved = errno;
    close(out);
    unlinkat(l->dirfd, PART_NAME, 0);
    errno = saved;
    return fd;
}

static bool look_at_part(const struct look *l, const struct parts_content *c, struct verdict *out)
{
    int fd = part_file(l, c);
    bool looked = false;
    if (fd < 0) {
        trouble(l, VERDICT_REASON_ENGINE, "a decoded part cannot be made a file (ThreadPool: temp_size)", errno, out);
    } else {
        looked = look_at(l, fd, c->size, out);
        close(fd);
    }
    verdict_copy_text(out->part, sizeof(out->part), span_cstr(c->path));
    return looked;
}

static void look_at_parts(const struct look *l, struct span file, struct verdict *out)
{
    struct parts_view view;
    uint32_t looked_at = 0, next = 0;
    if (parts_open(file, l->job->size, &view) != ERR_OK) {
        trouble(l, VERDICT_REASON_PROTOCOL, "the file of decoded parts makes no sense", 0, out);
        return;
    }
    while (next < view.contents && !is_final(l, out)) {
        struct parts_content content;
        struct verdict v;
        parts_content(&view, next++, &content);
        looked_at += look_at_part(l, &content, &v);
        if (framework_outranks_within(l->framework, &v, out))
            *out = v;
    }
    out->parts = looked_at;
}

void look_at_message(const struct look *l, struct verdict *out)
{
    look_at(l, l->message, l->job->size, out);
    if (l->parts < 0 || is_final(l, out))
        return;
    size_t size = (size_t)l->job->parts_size;
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, l->parts, 0);
    if (map == MAP_FAILED) {
        trouble(l, VERDICT_REASON_MEMORY, "the file of decoded parts cannot be mapped", errno, out);
        return;
    }
    look_at_parts(l, span_of(map, size), out);
    munmap(map, size);
}
