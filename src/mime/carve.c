/* SPDX-License-Identifier: MIT */
/* A net below all readings: runs of lines that are nothing but base64 are decoded wherever they stand, and files in
 * texts are looked for in the message as a whole. */
#include "base/mem.h"
#include "mime/decode.h"
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

static enum err carve_base64(struct mime_job *job, struct mime_piece *piece)
{
    size_t at = 0, begin = 0, end = 0, letters = 0;
    unsigned number = 0;
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
                e = carve_run(job, piece, begin, end, &number);
            letters = 0;
        }
        at = line.next;
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
    job->reading = 0;
    snprintf(piece->part.type, sizeof(piece->part.type), "application/octet-stream");
    if (mime_run_spend(job->run, job->message.len))
        e = carve_base64(job, piece);
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
