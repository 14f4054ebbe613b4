/* SPDX-License-Identifier: MIT */
/* A part that the engine took out of the message by itself is not handed to it again: it would see the same octets in
 * the same way. Each other part gets a file of its own, which nobody can change afterwards through what an engine, or a
 * program that it hands the file to, keeps of it: the descriptor is for reading, and the next part is another file. */
#include "scan/host/look.h"
#include "scan/parts.h"
#include "sys/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { COPY_STEP = 64 * 1024 };
#define PART_NAME "postern-part"

/* What is known to have been looked at in this message, beside what stands in the parts file. */
static void learn(const struct look *l, const struct verdict *v, struct layers *seen)
{
    const struct host_engine *e = l->engine;
    if (e->type->layers && v->class == VERDICT_CLEAN)
        layers_join(seen, e->type->layers(e->state));
}

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

/* Trouble with one thing says nothing about the others, which the engine may know to be viruses; unless there is no
 * time left for them, or it was a scanner's end: a message may have but one of those. */
static bool is_final(const struct look *l, const struct verdict *v)
{
    if (v->class == VERDICT_ERROR)
        return v->reason == VERDICT_REASON_TIMEOUT || v->reason == VERDICT_REASON_CRASH ||
               clock_monotonic_us() >= l->job->deadline_us;
    return v->class == VERDICT_INFECTED && !l->framework->all;
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
    not_cleared char step[COPY_STEP];
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

/* Digests in the parts file are a stranger's word: this one is made here, from what is handed over. */
static bool digest_of(const struct look *l, const struct parts_content *c, struct sha256_digest *out)
{
    not_cleared char step[COPY_STEP];
    struct sha256 *h = sha256_new();
    enum err e = h ? ERR_OK : ERR_NOMEM;
    for (uint64_t done = 0; done < c->size && e == ERR_OK;) {
        size_t want = c->size - done < sizeof(step) ? (size_t)(c->size - done) : sizeof(step);
        ssize_t n = pread(c->verbatim ? l->message : l->parts, step, want, (off_t)(c->offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        e = n > 0 ? sha256_update(h, span_of(step, (size_t)n)) : ERR_IO;
        done += n > 0 ? (uint64_t)n : 0;
    }
    bool made = e == ERR_OK && sha256_finish(h, out) == ERR_OK;
    sha256_free(h);
    return made;
}

/* The engine has taken these octets out of the message itself and looked at them. */
static bool is_seen(const struct look *l, const struct parts_content *c, const struct layers *seen)
{
    struct sha256_digest digest;
    return layers_have_size(seen, c->size) && digest_of(l, c, &digest) && layers_hold(seen, c->size, &digest);
}

/* The file does not lie about its digest, by which the edge knows an infected part again. */
static bool is_as_stated(const struct look *l, const struct parts_content *c)
{
    struct sha256_digest digest;
    return digest_of(l, c, &digest) && memcmp(digest.bytes, c->digest, sizeof(digest.bytes)) == 0;
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
    if (out->class != VERDICT_INFECTED || is_as_stated(l, c))
        verdict_copy_text(out->part, sizeof(out->part), span_cstr(c->path));
    return looked;
}

/* Trouble with all of the parts: a word that refuses the message stands. */
static void trouble_with_parts(const struct look *l, enum verdict_reason reason, const char *doing, int error,
                               struct verdict *out)
{
    struct verdict v;
    trouble(l, reason, doing, error, &v);
    if (framework_outranks_within(l->framework, &v, out))
        *out = v;
}

static void look_at_parts(const struct look *l, struct span file, struct layers *seen, struct verdict *out)
{
    struct parts_view view;
    uint32_t looked_at = 0, next = 0;
    if (parts_open(file, l->job->size, &view) != ERR_OK) {
        trouble_with_parts(l, VERDICT_REASON_PROTOCOL, "the file of decoded parts makes no sense", 0, out);
        return;
    }
    while (next < view.contents && !is_final(l, out)) {
        struct parts_content content;
        struct verdict v;
        parts_content(&view, next++, &content);
        if (is_seen(l, &content, seen)) {
            looked_at++; /* the engine has, if not by our hand */
            continue;
        }
        looked_at += look_at_part(l, &content, &v);
        learn(l, &v, seen);
        if (framework_outranks_within(l->framework, &v, out))
            *out = v;
    }
    out->parts = looked_at;
}

void look_at_message(const struct look *l, struct verdict *out)
{
    not_cleared struct layers seen;
    layers_clear(&seen);
    look_at(l, l->message, l->job->size, out);
    learn(l, out, &seen);
    if (l->parts < 0 || is_final(l, out))
        return;
    size_t size = (size_t)l->job->parts_size;
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, l->parts, 0);
    if (map == MAP_FAILED) {
        trouble_with_parts(l, VERDICT_REASON_MEMORY, "the file of decoded parts cannot be mapped", errno, out);
        return;
    }
    look_at_parts(l, span_of(map, size), &seen, out);
    munmap(map, size);
}

void look_prepare(void)
{
    struct sha256_digest ignored;
    struct sha256 *h = sha256_new(); /* OpenSSL reads its configuration now */
    enum err e = h ? sha256_finish(h, &ignored) : ERR_NOMEM;
    (void)e; /* in want of memory no part is named */
    sha256_free(h);
}
