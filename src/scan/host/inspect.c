/* SPDX-License-Identifier: MIT */
/* From parts to a parts file. Contents go out as they come; the table is kept until the end. */
#include "scan/host/inspect.h"
#include "base/mem.h"
#include "digest/sha256.h"
#include "mime/precheck.h"
#include "mime/value.h"
#include "scan/host/ordinary.h"
#include "scan/parts.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is left of the file's limit for contents. */
#define CONTENTS_MAX (LIMIT_PARTS_FILE - PARTS_HEAD - PARTS_TABLE_MAX)

/* Octets of the message that were decoded as all readers decode them, and whose content is settled. */
struct known {
    size_t offset, length;
    enum mime_encoding encoding;
};

struct gathering {
    const struct scan_job *job;
    struct sha256 *hash;
    int out;
    uint64_t end;                          /* of the contents so far */
    struct buf content_rows, rows, values; /* the table */
    struct parts_content *contents;
    uint32_t content_count, content_room, row_count, value_count;
    struct known *known;
    uint32_t known_count, known_room, known_next; /* where the search for the next one begins */
    struct mime_limits limits;                    /* of both readings together … */
    struct mime_report report;                    /* … and what was found */
    const char *cut;                              /* the limit of the file that was reached, or NULL */
    const char *what;                             /* that failed */
};

struct inspector {
    struct ordinary *ordinary;
    struct sha256 *hash; /* for one content after the other: to find the algorithm takes longer than a short one */
};

struct inspector *inspector_new(void)
{
    struct inspector *i = MEM_NEW(struct inspector);
    if (!i)
        return NULL;
    i->hash = sha256_new(); /* OpenSSL reads its configuration now */
    i->ordinary = ordinary_new();
    if (i->hash && i->ordinary)
        return i;
    inspector_free(i);
    return NULL;
}

void inspector_free(struct inspector *i)
{
    if (!i)
        return;
    ordinary_free(i->ordinary);
    sha256_free(i->hash);
    mem_free(i);
}

static enum err digest_of(const struct gathering *g, struct span octets, uint8_t out[32])
{
    struct sha256_digest digest;
    enum err e = sha256_restart(g->hash);
    if (e == ERR_OK)
        e = sha256_update(g->hash, octets);
    if (e == ERR_OK)
        e = sha256_finish(g->hash, &digest);
    if (e == ERR_OK)
        memcpy(out, digest.bytes, sizeof(digest.bytes));
    return e;
}

static enum err write_at(int fd, struct span bytes, uint64_t offset)
{
    while (bytes.len > 0) {
        ssize_t n = pwrite(fd, bytes.ptr, bytes.len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_IO;
        bytes = span_sub(bytes, (size_t)n, bytes.len);
        offset += (uint64_t)n;
    }
    return ERR_OK;
}

/* Index of a content with this digest, or PARTS_NO_CONTENT. */
static uint32_t find_content(const struct gathering *g, const uint8_t digest[32])
{
    for (uint32_t i = 0; i < g->content_count; i++)
        if (memcmp(g->contents[i].digest, digest, 32) == 0)
            return i;
    return PARTS_NO_CONTENT;
}

/* For one content more, doubled. */
static enum err make_room(struct gathering *g)
{
    if (g->content_count < g->content_room)
        return ERR_OK;
    uint32_t room = g->content_room ? 2 * g->content_room : 16;
    struct parts_content *larger = mem_resize(g->contents, room, sizeof(*larger));
    if (!larger)
        return ERR_NOMEM;
    g->contents = larger;
    g->content_room = room;
    return ERR_OK;
}

static enum err add_content(struct gathering *g, const struct mime_part *part, const uint8_t digest[32],
                            uint32_t *index)
{
    bool fits = part->verbatim || part->octets.len <= CONTENTS_MAX - (g->end - PARTS_HEAD);
    *index = PARTS_NO_CONTENT;
    if (g->content_count == LIMIT_PARTS || !fits) {
        g->cut = fits ? "contents" : "decoded";
        return ERR_OK;
    }
    enum err e = make_room(g);
    if (e != ERR_OK)
        return e;
    struct parts_content *c = &g->contents[g->content_count];
    *c = (struct parts_content){
        .verbatim = part->verbatim, .offset = part->verbatim ? part->offset : g->end, .size = part->octets.len};
    memcpy(c->digest, digest, sizeof(c->digest));
    snprintf(c->path, sizeof(c->path), "%s", part->path);
    e = part->verbatim ? ERR_OK : write_at(g->out, part->octets, g->end);
    if (e != ERR_OK) {
        g->what = "the decoded parts cannot be written (ThreadPool: temp_size)";
        return e;
    }
    g->end += part->verbatim ? 0 : part->octets.len;
    *index = g->content_count++;
    return parts_put_content(&g->content_rows, c);
}

/* The whole message is what engines get anyway. */
static bool is_whole(const struct gathering *g, const struct mime_part *part, const uint8_t digest[32])
{
    bool all = part->verbatim && part->offset == 0 && part->octets.len == g->job->size;
    return all || memcmp(digest, g->job->digest, 32) == 0;
}

/* The name of PART that says most: one of a program rather than its first. */
static struct span row_name(const struct mime_part *part)
{
    for (unsigned i = 0; i < part->names.count; i++) {
        struct span name = span_cstr(part->names.text[i]);
        if (mime_defects_have(mime_name_judge(name), MIME_DEFECT_NAME_PROGRAM))
            return name;
    }
    return span_cstr(part->names.count > 0 ? part->names.text[0] : "");
}

static enum err add_row(struct gathering *g, const struct mime_part *part, uint32_t content)
{
    const struct parts_row row = {.content = content,
                                  .defects = part->defects,
                                  .path = span_cstr(part->path),
                                  .name = row_name(part),
                                  .type = span_cstr(part->type),
                                  .detected = span_cstr(mime_content_word(part->content)),
                                  .encoding = span_cstr(mime_encoding_word(part->encoding))};
    if (g->row_count == LIMIT_PARTS) {
        g->cut = "parts";
        return ERR_OK;
    }
    g->row_count++;
    return parts_put_row(&g->rows, &row);
}

static enum err know(struct gathering *g, const struct mime_part *part)
{
    if (g->known_count == g->known_room) {
        uint32_t room = g->known_room ? 2 * g->known_room : 16;
        struct known *larger = mem_resize(g->known, room, sizeof(*larger));
        if (!larger)
            return ERR_NOMEM;
        g->known = larger;
        g->known_room = room;
    }
    g->known[g->known_count++] = (struct known){part->offset, part->extent, part->encoding};
    return ERR_OK;
}

/* Both readers go through the message in its order, so the next one is mostly where the last one was, or behind it. */
static bool is_known(void *arg, size_t offset, size_t length, enum mime_encoding encoding)
{
    struct gathering *g = arg;
    for (uint32_t i = 0; i < g->known_count; i++) {
        uint32_t at = (g->known_next + i) % g->known_count;
        const struct known *k = &g->known[at];
        if (k->offset == offset && k->length == length && k->encoding == encoding) {
            g->known_next = at;
            return true;
        }
    }
    return false;
}

/* The content of PART: one that was handed out before, or a new one. */
static enum err place(struct gathering *g, const struct mime_part *part, uint32_t *content)
{
    uint8_t digest[32];
    *content = PARTS_NO_CONTENT;
    if (part->octets.len == 0)
        return ERR_OK;
    enum err e = digest_of(g, part->octets, digest);
    if (e != ERR_OK || is_whole(g, part, digest))
        return e;
    *content = find_content(g, digest);
    if (*content == PARTS_NO_CONTENT)
        e = add_content(g, part, digest, content);
    return e == ERR_OK && part->certain && *content != PARTS_NO_CONTENT ? know(g, part) : e;
}

static enum err take_part(void *arg, const struct mime_part *part)
{
    uint32_t content;
    enum err e = place(arg, part, &content);
    return e == ERR_OK ? add_row(arg, part, content) : e;
}

/* What the splitter has found as well is no other part; anything else is looked into like the splitter's own. */
static enum err take_ordinary(void *arg, const struct mime_part *part)
{
    struct gathering *g = arg;
    uint8_t digest[32];
    enum err e = part->octets.len > 0 ? digest_of(g, part->octets, digest) : ERR_OK;
    if (e != ERR_OK || part->octets.len == 0 || is_whole(g, part, digest) ||
        find_content(g, digest) != PARTS_NO_CONTENT)
        return e;
    return mime_split_found(part, &g->limits, take_part, g, &g->report);
}

static enum err take_value(void *arg, const struct mime_value *value)
{
    struct gathering *g = arg;
    enum err e =
        parts_put_value(&g->values, &(struct parts_value){.name = value->name, .text = value->text, .cut = value->cut});
    g->value_count += e == ERR_OK;
    if (value->cut)
        g->report.defects |= mime_defect_bit(MIME_DEFECT_HEADER_CUT);
    return e;
}

/* Fields of the header are for policies only. Whatever goes wrong with them, what engines are given was gathered: the
 * file has those fields that were read until then, and it is told that there are more. */
static enum err gather_values(struct gathering *g, struct span message)
{
    bool more = false;
    if (mime_values_read(message, ordinary_to_utf8, take_value, g, &more) != ERR_OK)
        more = true;
    if (more)
        g->report.defects |= mime_defect_bit(MIME_DEFECT_HEADER_CUT);
    return parts_put_end(&g->values, more);
}

static enum err write_table(const struct gathering *g, uint64_t *size)
{
    unsigned char head[PARTS_HEAD];
    uint64_t rows = g->end + buf_len(&g->content_rows);
    uint64_t values = rows + buf_len(&g->rows);
    parts_head(g->content_count, g->row_count, g->value_count, g->end, head);
    enum err e = write_at(g->out, buf_span(&g->content_rows), g->end);
    if (e == ERR_OK)
        e = write_at(g->out, buf_span(&g->rows), rows);
    if (e == ERR_OK)
        e = write_at(g->out, buf_span(&g->values), values);
    if (e == ERR_OK)
        e = write_at(g->out, span_of(head, sizeof(head)), 0);
    *size = values + buf_len(&g->values);
    return e;
}

static void describe_cut(const struct gathering *g, struct scan_inspection *result)
{
    size_t len = 0;
    for (unsigned bit = MIME_CUT_DECODED; bit <= MIME_CUT_LAST && len < sizeof(result->limit); bit <<= 1)
        if (g->report.cut & bit)
            len += (size_t)snprintf(result->limit + len, sizeof(result->limit) - len, "%s%s", len > 0 ? " " : "",
                                    mime_cut_word((enum mime_cut)bit));
    if (g->cut && len < sizeof(result->limit))
        snprintf(result->limit + len, sizeof(result->limit) - len, "%s%s", len > 0 ? " " : "", g->cut);
    if (g->cut)
        result->defects |= mime_defect_bit(MIME_DEFECT_LIMIT);
}

/* The reading of a library, where it may see the message at all. */
static enum err gather_ordinary(struct gathering *g, struct span message)
{
    struct mime_precheck check = mime_precheck(message);
    bool cut = false;
    if (check.broken != MIME_CAP_NONE) {
        g->cut = mime_cap_word(check.broken);
        return ERR_OK;
    }
    mime_defects defects;
    enum err e = ordinary_read(message, CONTENTS_MAX, is_known, take_ordinary, g, &cut, &defects);
    g->report.defects |= defects;
    if (cut)
        g->cut = "decoded";
    return e;
}

static enum err gather(struct gathering *g, struct span message, struct scan_inspection *result)
{
    g->limits = mime_limits_for(message.len);
    g->limits.convert = ordinary_recode;
    if (g->limits.decoded > CONTENTS_MAX)
        g->limits.decoded = CONTENTS_MAX;
    enum err e = mime_split(message, &g->limits, take_part, g, &g->report);
    if (e == ERR_OK)
        e = gather_ordinary(g, message);
    if (e == ERR_OK)
        e = gather_values(g, message);
    if (e != ERR_OK)
        return e;
    *result = (struct scan_inspection){
        .contents = g->content_count, .parts = g->row_count, .defects = g->report.defects & INSPECTION_DEFECTS};
    describe_cut(g, result);
    g->what = "the table of parts cannot be written";
    return write_table(g, &result->size);
}

static void explain(enum err e, const struct gathering *g, struct verdict *why)
{
    char detail[LIMIT_VERDICT_TEXT + 1];
    int error = errno;
    snprintf(detail, sizeof(detail), "the message could not be taken apart: %s: %s", g->what ? g->what : err_name(e),
             e == ERR_IO ? strerror(error) : err_name(e));
    verdict_set(why, VERDICT_ERROR, e == ERR_NOMEM ? VERDICT_REASON_MEMORY : VERDICT_REASON_ENGINE, detail);
}

bool inspect_message(struct inspector *i, const struct scan_job *job, int fd, int out, struct scan_inspection *result,
                     struct verdict *why)
{
    struct gathering g = {.job = job, .hash = i->hash, .out = out, .end = PARTS_HEAD};
    enum err e;
    void *map = NULL;
    if (job->size > 0) {
        map = mmap(NULL, job->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED) {
            g.what = "mapping it";
            explain(errno == ENOMEM ? ERR_NOMEM : ERR_IO, &g, why);
            return false;
        }
    }
    buf_init(&g.content_rows, (size_t)LIMIT_PARTS * PARTS_CONTENT_ROW);
    buf_init(&g.rows, (size_t)LIMIT_PARTS * PARTS_ROW_MAX);
    buf_init(&g.values, PARTS_VALUES_MAX);
    e = parts_prepare_values(&g.values);
    if (e == ERR_OK)
        e = gather(&g, span_of(map, job->size), result);
    if (e != ERR_OK)
        explain(e, &g, why);
    mem_free(g.contents);
    mem_free(g.known);
    buf_release(&g.content_rows);
    buf_release(&g.rows);
    buf_release(&g.values);
    if (map)
        munmap(map, job->size);
    return e == ERR_OK;
}
