/* SPDX-License-Identifier: MIT */
/* One part: what its headers say of it, what its octets are, what is wrong with it, and what is inside. */
#include "base/mem.h"
#include "mime/charset.h"
#include "mime/cms.h"
#include "mime/content.h"
#include "mime/decode.h"
#include "mime/run.h"
#include "mime/tnef.h"

/* All plain and all extended forms of the parameter NAME in FIELD. */
static void collect_names(struct mime_piece *piece, struct span field, struct span name,
                          struct mime_parameters *parameters)
{
    char joined[1024];
    size_t length;
    struct span charset;
    mime_parameters_parse(field, parameters);
    struct span before = {0};
    bool any = false;
    for (unsigned i = 0; i < parameters->count; i++) {
        const struct mime_parameter *p = &parameters->items[i];
        if (p->extended || p->section >= 0 || !span_eq_nocase(p->name, name))
            continue;
        if (any && !span_eq(before, p->value))
            piece->part.defects |= mime_defect_bit(MIME_DEFECT_DUPLICATE_PARAMETER);
        any = true;
        before = p->value;
        struct span value = p->value;
        if (p->escaped)
            value = span_of(joined, mime_unescape(p->value, joined, sizeof(joined)));
        mime_names_add(&piece->part.names, value, (struct span){0}, &piece->part.defects);
        if (p->odd)
            mime_names_add(&piece->part.names, p->raw, (struct span){0}, &piece->part.defects);
    }
    if (mime_parameter_extended(parameters, name, joined, sizeof(joined), &length, &charset))
        mime_names_add(&piece->part.names, span_of(joined, length), charset, &piece->part.defects);
}

static void copy_charset(struct mime_piece *piece, struct span field, struct mime_parameters *parameters)
{
    bool differ;
    mime_parameters_parse(field, parameters);
    const struct mime_parameter *p = mime_parameter_get(parameters, SPAN("charset"), false, &differ);
    size_t n = 0;
    for (; p && n < p->value.len && n + 1 < sizeof(piece->part.charset); n++)
        piece->part.charset[n] = mime_shown(p->value.ptr[n]);
}

static void judge_type(struct mime_piece *piece, const struct mime_type *type, struct mime_parameters *parameters)
{
    bool differ;
    struct span text = span_cstr(type->text);
    if (span_eq(text, SPAN("message/partial")))
        piece->part.defects |= mime_defect_bit(MIME_DEFECT_PARTIAL);
    if (span_eq(text, SPAN("message/external-body")))
        piece->part.defects |= mime_defect_bit(MIME_DEFECT_EXTERNAL_BODY);
    if (span_eq(text, SPAN("multipart/encrypted")) || span_eq(text, SPAN("application/pgp-encrypted")))
        piece->part.defects |= mime_defect_bit(MIME_DEFECT_ENCRYPTED_PGP);
    if (!span_eq(text, SPAN("application/pkcs7-mime")) && !span_eq(text, SPAN("application/x-pkcs7-mime")))
        return;
    const struct mime_parameter *p = mime_parameter_get(parameters, SPAN("smime-type"), false, &differ);
    if (!p || !(span_eq_nocase(p->value, SPAN("signed-data")) || span_eq_nocase(p->value, SPAN("certs-only"))))
        piece->part.defects |= mime_defect_bit(MIME_DEFECT_ENCRYPTED_SMIME);
}

enum err mime_piece_describe(struct mime_piece *piece, const struct mime_header *header, const struct mime_type *type)
{
    struct mime_parameters *parameters = NULL;
    struct mime_part *part = &piece->part;
    piece->type = *type;
    snprintf(part->type, sizeof(part->type), "%s", type->text);
    part->defects |= header->defects;
    part->attachment = part->attachment || span_starts_nocase(header->disposition.first, SPAN("attachment"));
    if (!type->given && header->disposition.count == 0)
        return ERR_OK;
    parameters = mem_new(1, sizeof(*parameters));
    if (!parameters)
        return ERR_NOMEM;
    collect_names(piece, header->disposition.first, SPAN("filename"), parameters);
    if (header->disposition.count > 1)
        collect_names(piece, header->disposition.last, SPAN("filename"), parameters);
    if (header->type.count > 1)
        collect_names(piece, header->type.last, SPAN("name"), parameters);
    collect_names(piece, header->type.first, SPAN("name"), parameters);
    copy_charset(piece, header->type.first, parameters);
    judge_type(piece, type, parameters);
    mem_free(parameters);
    part->defects |= mime_names_judge(&part->names);
    return ERR_OK;
}

/* Content that makes a difference when only some readers extract it. */
static bool matters(enum mime_content c)
{
    enum mime_content_class class = mime_content_class(c);
    return class == MIME_CLASS_PROGRAM || class == MIME_CLASS_ARCHIVE || class == MIME_CLASS_DOCUMENT ||
           c == MIME_CONTENT_SCRIPT;
}

static uint64_t hash_of(struct span s)
{
    uint64_t h = 0xcbf29ce484222325u ^ s.len, word;
    size_t at = 0;
    for (; at + 8 <= s.len; at += 8) {
        memcpy(&word, s.ptr + at, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    for (; at < s.len; at++)
        h = (h ^ (unsigned char)s.ptr[at]) * 0x100000001b3u;
    return h ^ (h >> 32);
}

/* In what readings must differ from the ordinary one for that to be an accusation: guesses, variants and carving are
 * our own suspicions, and bare LF beside CRLF is common. */
static bool accuses(mime_readings r)
{
    const mime_readings own = 1u << MIME_READING_GUESSED | 1u << MIME_READING_VARIANT | 1u << MIME_READING_CARVED |
                              1u << MIME_READING_STRICT_LINE_END;
    return r != 0 && (r & own) == 0;
}

static enum err compare_readings(struct mime_run *run, const struct mime_part *part, struct span octets)
{
    bool added, full;
    if (!matters(part->content) || (part->readings != 0 && !accuses(part->readings)))
        return ERR_OK;
    struct mime_extent key = {.offset = (size_t)hash_of(octets), .length = octets.len};
    enum err e = mime_extents_add(&run->ordinary, key, LIMIT_MIME_PARTS, &added, &full);
    if (e == ERR_OK && added && part->readings != 0)
        run->report->defects |= mime_defect_bit(MIME_DEFECT_READINGS_DIFFER);
    return e;
}

static mime_defects judge_content(const struct mime_piece *piece, struct span octets)
{
    mime_defects found = 0;
    enum mime_content c = piece->part.content;
    struct span type = span_cstr(piece->part.type);
    bool harmless = span_starts(type, SPAN("text/")) || span_starts(type, SPAN("image/")) ||
                    span_starts(type, SPAN("audio/")) || span_starts(type, SPAN("video/"));
    bool program = c == MIME_CONTENT_PE || c == MIME_CONTENT_ELF || c == MIME_CONTENT_MACHO || c == MIME_CONTENT_LNK;
    if (harmless && program && piece->type.given)
        found |= mime_defect_bit(MIME_DEFECT_TYPE_MISMATCH);
    if (mime_content_is_polyglot(octets, c))
        found |= mime_defect_bit(MIME_DEFECT_POLYGLOT);
    if (c == MIME_CONTENT_TNEF)
        found |= mime_defect_bit(MIME_DEFECT_TNEF);
    if (mime_cms_of(octets) == MIME_CMS_CLOSED)
        found |= mime_defect_bit(MIME_DEFECT_ENCRYPTED_SMIME);
    if (c == MIME_CONTENT_PGP && span_starts(octets, SPAN("-----BEGIN PGP MESSAGE-----")))
        found |= mime_defect_bit(MIME_DEFECT_ENCRYPTED_PGP);
    return found;
}

/* Those that paranoid = 1 refuses mail for. */
static mime_defects accusing(void)
{
    mime_defects set = 0;
    for (unsigned d = 0; d < MIME_DEFECT_COUNT; d++)
        if (mime_defect_paranoid((enum mime_defect)d))
            set |= mime_defect_bit((enum mime_defect)d);
    return set;
}

enum err mime_piece_hand_out(struct mime_job *job, struct mime_piece *piece, struct span octets, bool decoded)
{
    struct mime_run *run = job->run;
    struct mime_part *part = &piece->part;
    if (octets.len == 0)
        return ERR_OK;
    if (run->report->parts >= run->limits->parts) {
        mime_cut(run, MIME_CUT_PARTS);
        return ERR_OK;
    }
    part->path = piece->path;
    part->octets = octets;
    part->verbatim = !decoded && job->outermost;
    if (!part->verbatim && octets.len > mime_run_room(run)) { /* what stands in a decoded message counts again */
        mime_cut(run, MIME_CUT_DECODED);
        return ERR_OK;
    }
    part->content = mime_content_of(octets);
    part->defects |= judge_content(piece, octets);
    enum err e = compare_readings(run, part, octets);
    if (e != ERR_OK)
        return e;
    run->report->parts++;
    run->report->ordinary += part->readings == 0;
    if (!part->verbatim)
        run->report->decoded += octets.len;
    mime_defects reported = mime_job_is_quiet(job) ? part->defects & ~accusing() : part->defects;
    run->report->defects |= reported;
    for (unsigned d = 0; d < MIME_DEFECT_COUNT; d++)
        run->report->counts[d] += mime_defects_have(reported, (enum mime_defect)d);
    return run->sink(run->arg, part);
}

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
    inner->type.encapsulates = encoding == MIME_CMS; /* it is an entity, whatever it looks like */
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

/* What is signed stands there in the clear. */
static enum err open_signed(struct mime_job *job, const struct mime_piece *piece, struct span octets)
{
    struct buf entity;
    buf_init(&entity, mime_run_room(job->run));
    enum err e = mime_run_spend(job->run, octets.len) ? mime_cms_unwrap(octets, &entity) : ERR_OK;
    if (e == ERR_FULL) {
        mime_cut(job->run, MIME_CUT_DECODED);
        e = ERR_OK;
    }
    if (e == ERR_OK && buf_len(&entity) > 0)
        e = hand_out_inner(job, piece, 1, MIME_CMS, (struct span){0}, buf_span(&entity), 0);
    buf_release(&entity);
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

static enum err decode_base64_file(struct span data, struct buf *out)
{
    return mime_base64_decode(data, MIME_BASE64_ACROSS, out);
}

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
        {MIME_BASE64, MIME_DEFECT_UUENCODED, {"begin-base64 ", 13}, mime_base64_file_find, decode_base64_file},
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
    if (mime_cms_of(octets) == MIME_CMS_SIGNED)
        return may_go_deeper(job->run) ? open_signed(job, piece, octets) : ERR_OK;
    bool textual = class == MIME_CLASS_TEXT || class == MIME_CLASS_ACTIVE || c == MIME_CONTENT_UNKNOWN;
    if (!textual && !piece->type.message && !piece->type.multipart)
        return ERR_OK;
    enum mime_wide wide = mime_wide_of(octets);
    if (wide == MIME_WIDE_NONE)
        wide = mime_wide_named(span_cstr(piece->part.charset));
    if (wide != MIME_WIDE_NONE && octets.len >= 2 && may_go_deeper(job->run))
        return open_wide(job, piece, octets, wide);
    bool multipart = piece->type.multipart && piece->part.encoding != MIME_IDENTITY;
    bool message = c == MIME_CONTENT_MAIL || piece->type.encapsulates || mime_names_message(&piece->part.names);
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
