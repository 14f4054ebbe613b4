/* SPDX-License-Identifier: MIT */
/* What is inside the octets of a part: attachments in TNEF, messages, signed content, texts in wide characters, files
 * in texts. Whatever is found is handed out as a part of its own, and looked into in turn. */
#include "base/mem.h"
#include "mime/charset.h"
#include "mime/cms.h"
#include "mime/content.h"
#include "mime/decode.h"
#include "mime/run.h"
#include "mime/tnef.h"

/* Whether one more level may be opened; said only where there is something to open. */
static bool may_go_deeper(struct mime_run *run)
{
    if (run->decodings <= run->limits->decodings)
        return true;
    mime_cut(run, MIME_CUT_DECODINGS);
    return false;
}

/* A part that was found inside PIECE. */
static void inner_piece(const struct mime_piece *outer, struct mime_piece *inner, unsigned number,
                        enum mime_encoding encoding, struct span name)
{
    memset(inner, 0, sizeof(*inner));
    int n = snprintf(inner->path, sizeof(inner->path), "%.80s.%u", outer->path, number);
    if (n < 0)
        inner->path[0] = '\0';
    inner->part.readings = outer->part.readings;
    inner->part.depth = outer->part.depth + 1;
    inner->part.attachment = true;
    inner->part.declared = encoding;
    inner->part.encoding = encoding;
    inner->part.offset = outer->part.offset;
    inner->part.extent = outer->part.extent;
    snprintf(inner->part.type, sizeof(inner->part.type), "application/octet-stream");
    if (name.len > 0)
        mime_names_add(&inner->part.names, name, (struct span){0}, &inner->part.defects);
    inner->part.defects |= mime_names_judge(&inner->part.names);
}

/* Hands out what was found inside OUTER, and looks inside that. */
static enum err hand_out_inner(struct mime_job *job, const struct mime_piece *outer, unsigned number,
                               enum mime_encoding encoding, struct span name, struct span octets, mime_defects defects)
{
    struct mime_piece *inner = mem_new(1, sizeof(*inner));
    if (!inner)
        return ERR_NOMEM;
    inner_piece(outer, inner, number, encoding, name);
    inner->part.defects |= defects;
    enum err e = mime_piece_hand_out(job, inner, octets, true);
    if (e == ERR_OK)
        e = mime_piece_look_inside(job, inner, octets);
    mem_free(inner);
    return e;
}

static enum err open_tnef(struct mime_job *job, const struct mime_piece *piece, struct span octets)
{
    struct mime_tnef t;
    struct mime_tnef_file file;
    enum err e = ERR_OK;
    unsigned number = 0;
    if (!mime_tnef_open(&t, octets))
        return ERR_OK;
    while (e == ERR_OK && mime_run_may(job->run) && mime_tnef_next(&t, &file))
        e = hand_out_inner(job, piece, ++number, MIME_TNEF, file.name, file.data, 0);
    if (t.broken)
        job->run->report->defects |= mime_defect_bit(MIME_DEFECT_TNEF_BROKEN);
    return e;
}

static enum err open_wide(struct mime_job *job, const struct mime_piece *piece, struct span octets, enum mime_wide wide)
{
    struct buf text;
    buf_init(&text, mime_run_room(job->run));
    enum err e = mime_run_spend(job->run, octets.len) ? mime_wide_decode(octets, wide, &text) : ERR_OK;
    if (e == ERR_FULL) {
        mime_cut(job->run, MIME_CUT_DECODED);
        e = ERR_OK;
    }
    if (e == ERR_OK && job->outermost && octets.len == job->message.len)
        job->run->report->defects |= mime_defect_bit(MIME_DEFECT_WIDE_MESSAGE);
    if (e == ERR_OK)
        e = hand_out_inner(job, piece, 1, MIME_WIDE, (struct span){0}, buf_span(&text), 0);
    buf_release(&text);
    return e;
}

static enum err open_message(struct mime_job *job, const struct mime_piece *piece, struct span octets, bool headless)
{
    struct mime_job *inner = mem_new(1, sizeof(*inner));
    if (!inner)
        return ERR_NOMEM;
    inner->run = job->run;
    inner->message = octets;
    inner->prefix = piece->path;
    inner->depth = piece->part.depth;
    inner->headless = headless;
    inner->content_type = piece->content_type;
    inner->offset = piece->part.offset;
    inner->extent = piece->part.extent;
    inner->inherited = piece->part.readings;
    enum err e = mime_job_run(inner);
    mem_free(inner);
    return e;
}

/* Files of one kind inside a text, each with what is inside it. */
struct inline_kind {
    enum mime_encoding encoding;
    enum mime_defect defect;
    struct span mark; /* without it there is none: one quick look */
    bool (*find)(struct span text, size_t from, struct mime_inline *found);
    enum err (*decode)(struct span data, struct buf *out);
};

static enum err open_one_inline(struct mime_job *job, const struct mime_piece *piece, const struct inline_kind *kind,
                                struct span text, const struct mime_inline *found, unsigned number)
{
    struct buf out;
    struct span data = span_sub(text, found->data, found->end - found->data), name = found->name, file;
    buf_init(&out, mime_run_room(job->run));
    enum err e;
    if (kind->encoding == MIME_BINHEX) {
        e = mime_binhex_decode(data, &out, &name, &file);
    } else {
        e = kind->decode(data, &out);
        file = buf_span(&out);
    }
    if (e == ERR_FULL) {
        mime_cut(job->run, MIME_CUT_DECODED);
        e = ERR_OK;
    }
    if (e == ERR_OK)
        e = hand_out_inner(job, piece, number, kind->encoding, name, file, mime_defect_bit(kind->defect));
    buf_release(&out);
    return e;
}

enum err mime_piece_open_inlines(struct mime_job *job, const struct mime_piece *piece, struct span text)
{
    static const struct inline_kind kinds[] = {
        {MIME_UUENCODE, MIME_DEFECT_UUENCODED, {"begin ", 6}, mime_uuencode_find, mime_uuencode_decode},
        {MIME_YENC, MIME_DEFECT_YENCODED, {"=ybegin ", 8}, mime_yenc_find, mime_yenc_decode},
        {MIME_BINHEX, MIME_DEFECT_UUENCODED, {"(This file must be conv", 23}, mime_binhex_find, NULL},
    };
    enum err e = ERR_OK;
    unsigned number = 0;
    for (size_t k = 0; k < ARRAY_SIZE(kinds) && e == ERR_OK; k++) {
        struct mime_inline found;
        size_t at = span_find_span(text, kinds[k].mark);
        /* From the begin of the line: the finders look at line begins. */
        if (at == text.len || !mime_run_spend(job->run, text.len) || !may_go_deeper(job->run))
            continue;
        at = 0;
        while (e == ERR_OK && mime_run_may(job->run) && at < text.len && kinds[k].find(text, at, &found)) {
            e = open_one_inline(job, piece, &kinds[k], text, &found, ++number);
            at = found.end;
        }
    }
    return e;
}

static enum err look(struct mime_job *job, struct mime_piece *piece, struct span octets)
{
    enum mime_content c = piece->part.content;
    enum mime_content_class class = mime_content_class(c);
    if (c == MIME_CONTENT_TNEF)
        return may_go_deeper(job->run) ? open_tnef(job, piece, octets) : ERR_OK;
    bool textual = class == MIME_CLASS_TEXT || class == MIME_CLASS_ACTIVE || c == MIME_CONTENT_UNKNOWN;
    if (!textual && !piece->type.message && !piece->type.multipart)
        return ERR_OK;
    enum mime_wide wide = mime_wide_of(octets);
    if (wide == MIME_WIDE_NONE)
        wide = mime_wide_named(span_cstr(piece->part.charset));
    if (wide != MIME_WIDE_NONE && octets.len >= 2 && may_go_deeper(job->run))
        return open_wide(job, piece, octets, wide);
    bool multipart = piece->type.multipart && piece->part.encoding != MIME_IDENTITY;
    bool message = c == MIME_CONTENT_MAIL || piece->type.encapsulates;
    enum err e = ERR_OK;
    if ((message || multipart) && !may_go_deeper(job->run))
        return ERR_OK;
    if (multipart)
        e = open_message(job, piece, octets, true);
    if (message && e == ERR_OK)
        e = open_message(job, piece, octets, false);
    return e == ERR_OK ? mime_piece_open_inlines(job, piece, octets) : e;
}

enum err mime_piece_look_inside(struct mime_job *job, struct mime_piece *piece, struct span octets)
{
    struct mime_run *run = job->run;
    if (!mime_run_may(run) || octets.len == 0)
        return ERR_OK;
    run->decodings++;
    enum err e = look(job, piece, octets);
    run->decodings--;
    return e;
}
