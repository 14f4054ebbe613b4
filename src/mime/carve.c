/* SPDX-License-Identifier: MIT */
/* A net below all readings: runs of lines that are nothing but base64 are decoded wherever they stand, what stands
 * behind anything like a delimiter is read as a part, whatever multipart it may belong to, and files in texts are
 * looked for in the message as a whole. */
#include "base/mem.h"
#include "mime/decode.h"
#include "mime/field.h"
#include "mime/lines.h"
#include "mime/run.h"

enum { LEAST = 40 }; /* letters of a run: 30 octets */

/* Letters and padding of a line of base64, 0 where anything else stands in it. */
static size_t base64_line(struct span line)
{
    size_t n = 0;
    for (size_t i = 0; i < line.len; i++) {
        char c = line.ptr[i];
        if (char_is_alnum(c) || c == '+' || c == '/' || c == '=')
            n++;
        else if (!char_is_blank(c) && c != '\r')
            return 0;
    }
    return n;
}

static enum err carve_run(struct mime_job *job, struct mime_piece *piece, size_t begin, size_t end, unsigned *number)
{
    snprintf(piece->path, sizeof(piece->path), "%.80s%s0.%u", job->prefix, job->prefix[0] ? "." : "", ++*number);
    piece->part.offset = job->outermost ? begin : job->offset;
    piece->part.extent = job->outermost ? end - begin : job->extent;
    struct mime_how how = {.encoding = MIME_BASE64, .mode = MIME_BASE64_ACROSS, .reading = 1u << MIME_READING_CARVED};
    return mime_decode_as(job, piece, span_sub(job->message, begin, end - begin), how);
}

static enum err carve_base64(struct mime_job *job, struct mime_piece *piece, unsigned *number)
{
    size_t at = 0, begin = 0, end = 0, letters = 0;
    enum err e = ERR_OK;
    while (at < job->message.len && e == ERR_OK && mime_run_may(job->run)) {
        struct mime_line line = mime_line_at(job->message, MIME_ENDS_ANY, at);
        size_t n = base64_line(line.text);
        /* An empty line inside a run is passed over by all decoders. */
        if (n > 0) {
            begin = letters == 0 ? at : begin;
            letters += n;
            end = line.next;
        }
        if ((n == 0 && line.text.len > 0) || line.next >= job->message.len) {
            if (letters >= LEAST)
                e = carve_run(job, piece, begin, end, number);
            letters = 0;
        }
        at = line.next;
    }
    return e;
}

/* Whether LINE, which begins with two dashes, ends what stands behind DELIMITER, for a reader to whom that is one. */
static bool ends_entity(struct span line, struct span delimiter)
{
    struct span text = mime_trim(line);
    if (text.len > 4 && span_eq(span_sub(text, text.len - 2, 2), SPAN("--")))
        text.len -= 2;
    return span_starts(text, delimiter) || span_starts(delimiter, text);
}

/* Where the entity at BEGIN ends. */
static size_t entity_end(struct span message, struct span delimiter, size_t begin)
{
    size_t at = begin;
    while ((at = mime_dashes_find(message, at)) < message.len) {
        if (mime_line_begins(message, MIME_ENDS_ANY, at) &&
            ends_entity(mime_line_at(message, MIME_ENDS_ANY, at).text, delimiter))
            return mime_line_before(message, MIME_ENDS_ANY, at, begin);
        while (at < message.len && message.ptr[at] == '-')
            at++;
    }
    return message.len;
}

static enum err carve_entity(struct mime_job *job, struct mime_piece *piece, size_t begin, size_t end, unsigned number)
{
    struct mime_job *inner = mem_new(1, sizeof(*inner));
    if (!inner)
        return ERR_NOMEM;
    snprintf(piece->path, sizeof(piece->path), "%.80s%s0.%u", job->prefix, job->prefix[0] ? "." : "", number);
    inner->run = job->run;
    inner->message = span_sub(job->message, begin, end - begin);
    inner->prefix = piece->path;
    inner->depth = piece->part.depth;
    inner->carved = true;
    inner->offset = job->outermost ? begin : job->offset;
    inner->extent = job->outermost ? end - begin : job->extent;
    inner->inherited = job->inherited | 1u << MIME_READING_CARVED;
    enum err e = mime_job_run(inner);
    mem_free(inner);
    return e;
}

static enum err carve_entities(struct mime_job *job, struct mime_piece *piece, unsigned number)
{
    size_t at = 0;
    enum err e = ERR_OK;
    while (e == ERR_OK && mime_run_may(job->run) && (at = mime_dashes_find(job->message, at)) < job->message.len) {
        struct mime_line line = mime_line_at(job->message, MIME_ENDS_ANY, at);
        bool begins = mime_line_begins(job->message, MIME_ENDS_ANY, at);
        if (begins && mime_behind_dashes(job->message, MIME_ENDS_ANY, line.next) == MIME_BEHIND_HEADERS) {
            size_t end = entity_end(job->message, mime_trim(line.text), line.next);
            e = carve_entity(job, piece, line.next, end, ++number);
        }
        at = begins ? line.next : at + 2;
    }
    return e;
}

enum err mime_carve(struct mime_job *job)
{
    struct mime_piece *piece = mem_new(1, sizeof(*piece));
    if (!piece)
        return ERR_NOMEM;
    enum err e = ERR_OK;
    piece->part.depth = job->depth + 2;
    unsigned number = 0; /* of what is carved */
    job->reading = 0;
    snprintf(piece->part.type, sizeof(piece->part.type), "application/octet-stream");
    if (mime_run_spend(job->run, job->message.len))
        e = carve_base64(job, piece, &number);
    if (e == ERR_OK)
        e = carve_entities(job, piece, number);
    /* Files in the text of the message as it stands. */
    snprintf(piece->path, sizeof(piece->path), "%.80s%s0", job->prefix, job->prefix[0] ? "." : "");
    piece->part.readings = job->inherited | 1u << MIME_READING_CARVED;
    piece->part.offset = job->outermost ? 0 : job->offset;
    piece->part.extent = job->outermost ? job->message.len : job->extent;
    if (e == ERR_OK && mime_run_may(job->run))
        e = mime_piece_open_inlines(job, piece, job->message);
    mem_free(piece);
    return e;
}
