/* SPDX-License-Identifier: MIT */
/* The octets of one body in all the ways in which somebody might decode them: as declared, in the variants of decoders
 * where the octets are odd, and as what they look like where the declaration does not fit. */
#include "base/mem.h"
#include "mime/content.h"
#include "mime/decode.h"
#include "mime/run.h"

/* What a text is made by, beside its octets; 0: as it stands. Which one it is only some readings may know. */
static unsigned charsets_number(const struct mime_piece *piece)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < piece->charsets_count; i++) {
        struct span charset = span_cstr(piece->charsets[i]);
        number ^= mime_charset_is_plain(charset) ? 0 : mime_hash(charset);
    }
    return (unsigned)(number >> 44);
}

/* The number of the way, for the set of extents: type and charset matter too, as they say what is looked for inside. */
static unsigned way_number(const struct mime_piece *piece, struct mime_how how)
{
    unsigned status = strcmp(piece->type.text, "message/delivery-status") == 0;
    unsigned kind = (unsigned)piece->type.encapsulates | (unsigned)piece->type.multipart << 1 | status << 2;
    return charsets_number(piece) << 12 | (((unsigned)how.encoding * 8 + how.mode) * 8 + kind);
}

static enum err decode(struct span extent, struct mime_how how, struct buf *out)
{
    switch (how.encoding) {
    case MIME_BASE64:
        return mime_base64_decode(extent, (enum mime_base64_mode)how.mode, out);
    case MIME_QP:
        return mime_qp_decode(extent, (enum mime_qp_mode)how.mode, out);
    case MIME_UUENCODE:
        return mime_uuencode_decode(extent, (enum mime_uuencode_mode)how.mode, out);
    case MIME_YENC:
        return mime_yenc_decode(extent, out);
    case MIME_BINHEX:
    case MIME_IDENTITY:
    case MIME_TNEF:
    case MIME_CMS:
    case MIME_APPLE:
    case MIME_WIDE:
    case MIME_UNKNOWN:
        break;
    }
    return ERR_STATE;
}

/* What a deviating reading thinks of headers is no accusation: it may have read text as headers. */
static void set_reading(const struct mime_job *job, struct mime_piece *piece, mime_readings how)
{
    const mime_defects of_headers =
        mime_defect_bit(MIME_DEFECT_REPEATED_HEADER) | mime_defect_bit(MIME_DEFECT_DUPLICATE_TYPE) |
        mime_defect_bit(MIME_DEFECT_DUPLICATE_ENCODING) | mime_defect_bit(MIME_DEFECT_DUPLICATE_DISPOSITION) |
        mime_defect_bit(MIME_DEFECT_DUPLICATE_PARAMETER) | mime_defect_bit(MIME_DEFECT_SEVERAL_TYPES) |
        mime_defect_bit(MIME_DEFECT_TYPE_ENCODED) | mime_defect_bit(MIME_DEFECT_STRUCTURE_CONTROL) |
        mime_defect_bit(MIME_DEFECT_STRUCTURE_8BIT) | mime_defect_bit(MIME_DEFECT_ENCODING_SEVERAL) |
        mime_defect_bit(MIME_DEFECT_ENCODING_UNKNOWN);
    piece->part.readings = job->inherited | job->reading | how;
    mime_readings reading = job->reading | (mime_job_is_quiet(job) ? 1u << MIME_READING_CARVED : 0);
    if (reading & ~(1u << MIME_READING_BLANK_HEADER))
        piece->part.defects &= ~of_headers;
}

enum err mime_decode_as(struct mime_job *job, struct mime_piece *piece, struct span extent, struct mime_how how)
{
    struct mime_run *run = job->run;
    struct mime_extent key = {(size_t)(extent.ptr - job->message.ptr), extent.len, way_number(piece, how)};
    bool added, full;
    enum err e = mime_extents_add(&job->seen, key, (size_t)8 * LIMIT_MIME_PARTS, &added, &full);
    if (full)
        mime_cut(run, MIME_CUT_PARTS);
    if (e != ERR_OK || !added || extent.len == 0 || !mime_run_may(run) || !mime_run_spend(run, extent.len))
        return e;
    struct mime_piece *one = mem_resize(NULL, 1, sizeof(*one)); /* what was said of one way sticks to no other */
    if (!one)
        return ERR_NOMEM;
    *one = *piece;
    one->part.encoding = how.encoding;
    one->part.certain = job->outermost && (how.certain || how.encoding == MIME_IDENTITY);
    set_reading(job, one, how.reading);
    struct buf out;
    buf_init(&out, mime_run_room(run));
    struct span octets = extent;
    if (how.encoding != MIME_IDENTITY) {
        e = decode(extent, how, &out);
        octets = buf_span(&out);
    }
    if (e == ERR_FULL) {
        mime_cut(run, MIME_CUT_DECODED);
        e = ERR_OK;
    }
    if (e == ERR_OK)
        e = mime_piece_hand_out(job, one, octets, how.encoding != MIME_IDENTITY);
    if (e == ERR_OK)
        e = mime_piece_look_inside(job, one, octets);
    buf_release(&out);
    mem_free(one);
    return e;
}

/* Whether the first lines are nothing but base64, and enough of it. */
static bool looks_like_base64(struct span s)
{
    size_t letters = 0, line = 0, lines = 0;
    s = span_sub(s, 0, 512);
    for (size_t i = 0; i < s.len && lines < 3; i++) {
        char c = s.ptr[i];
        if (c == '\n') {
            lines += line > 0;
            line = 0;
        } else if (char_is_alnum(c) || c == '+' || c == '/' || c == '=') {
            letters++;
            line++;
        } else if (c != '\r') {
            return false;
        }
    }
    return letters >= 24;
}

static bool looks_like_qp(struct span s)
{
    struct mime_qp look;
    mime_qp_look(span_sub(s, 0, 4096), &look);
    return look.escapes + look.soft >= 2 && look.wrong <= (look.escapes + look.soft) / 8;
}

static enum err take_base64(struct mime_job *job, struct mime_piece *piece, struct span octets, bool *junk)
{
    struct mime_base64 look;
    mime_base64_look(octets, &look);
    if (look.junk > 0 || (look.after > 0 && !look.continues))
        piece->part.defects |= mime_defect_bit(MIME_DEFECT_BASE64_JUNK);
    if (look.continues)
        piece->part.defects |= mime_defect_bit(MIME_DEFECT_BASE64_PADDING);
    bool wanted[MIME_BASE64_MODES] = {
        [MIME_BASE64_STOP] = true,
        [MIME_BASE64_ACROSS] = look.after > 0,
        [MIME_BASE64_IGNORE] = look.after > 0,
        [MIME_BASE64_ZERO] = look.after > 0,
        [MIME_BASE64_RESTART] = look.after > 0,
        [MIME_BASE64_JUNK] = look.junk > 0,
        [MIME_BASE64_LINES] = look.uneven,
        [MIME_BASE64_URL] = look.url > 0,
    };
    enum err e = ERR_OK;
    for (unsigned mode = 0; mode < MIME_BASE64_MODES && e == ERR_OK; mode++) {
        struct mime_how how = {MIME_BASE64, mode, mode ? 1u << MIME_READING_VARIANT : 0, mime_base64_is_plain(&look)};
        if (wanted[mode])
            e = mime_decode_as(job, piece, octets, how);
    }
    *junk = look.letters < 2 || (look.junk + look.blanks) * 10 > look.letters;
    return e;
}

static enum err take_qp(struct mime_job *job, struct mime_piece *piece, struct span octets, bool *junk)
{
    struct mime_qp look;
    mime_qp_look(octets, &look);
    bool odd = look.wrong > 0 || look.odd > 0;
    if (odd)
        piece->part.defects |= mime_defect_bit(MIME_DEFECT_QP_ODD);
    enum err e = ERR_OK;
    for (unsigned mode = 0; mode < MIME_QP_MODES && e == ERR_OK; mode++) {
        struct mime_how how = {MIME_QP, mode, mode ? 1u << MIME_READING_VARIANT : 0, mime_qp_is_plain(&look)};
        if (mode == 0 || odd)
            e = mime_decode_as(job, piece, octets, how);
    }
    *junk = look.escapes + look.soft == 0 || look.wrong > look.escapes || looks_like_base64(octets);
    return e;
}

/* The data of one file, in all the ways in which somebody may read them. */
static enum err take_uuencoded(struct mime_job *job, struct mime_piece *piece, struct span octets,
                               const struct mime_inline *found, mime_readings reading)
{
    size_t end = found->cut ? mime_uuencode_end(octets, found) : found->end;
    bool wanted[MIME_UUENCODE_MODES] = {
        [MIME_UUENCODE_LENGTHS] = true,
        [MIME_UUENCODE_EVERY] = found->cut || found->odd,
        [MIME_UUENCODE_CLEAN] = found->words,
        [MIME_UUENCODE_XX] = found->xx,
    };
    enum err e = ERR_OK;
    for (unsigned mode = 0; mode < MIME_UUENCODE_MODES && e == ERR_OK; mode++) {
        struct mime_how how = {MIME_UUENCODE, mode, reading | (mode ? 1u << MIME_READING_VARIANT : 0), false};
        struct span data = span_sub(octets, found->data, (mode == 0 ? found->end : end) - found->data);
        if (wanted[mode])
            e = mime_decode_as(job, piece, data, how);
    }
    return e;
}

/* A body that is declared to be uuencoded. Readers differ in what a first line is: each that may be one is tried; each
 * is counted by what is decoded behind it. Without any, all of it is data. */
static enum err take_uuencode(struct mime_job *job, struct mime_piece *piece, struct span octets, mime_readings reading)
{
    struct mime_names names = piece->part.names;
    struct mime_inline found = {0};
    enum err e = ERR_OK;
    bool any = false;
    for (size_t at = 0; e == ERR_OK && mime_run_may(job->run) && mime_uuencode_find_any(octets, at, &found);
         at = found.data) {
        any = true;
        piece->part.names = names;
        mime_names_add(&piece->part.names, found.name, (struct span){0}, &piece->part.defects);
        e = take_uuencoded(job, piece, octets, &found, reading);
    }
    if (any || e != ERR_OK)
        return e;
    mime_uuencode_all(octets, &found);
    return take_uuencoded(job, piece, octets, &found, reading);
}

static enum err take_yenc(struct mime_job *job, struct mime_piece *piece, struct span octets)
{
    struct mime_inline found = {.end = octets.len};
    struct mime_how how = {.encoding = MIME_YENC};
    if (mime_yenc_find(octets, 0, &found))
        mime_names_add(&piece->part.names, found.name, (struct span){0}, &piece->part.defects);
    else
        found = (struct mime_inline){.end = octets.len};
    return mime_decode_as(job, piece, span_sub(octets, found.data, found.end - found.data), how);
}

static enum err guess(struct mime_job *job, struct mime_piece *piece, struct span octets, enum mime_encoding encoding)
{
    piece->part.defects |= mime_defect_bit(MIME_DEFECT_ENCODING_WRONG);
    struct mime_how how = {.encoding = encoding, .reading = 1u << MIME_READING_GUESSED};
    return mime_decode_as(job, piece, octets, how);
}

/* What the octets look like, other than DECLARED. Where nobody knows what was declared (UNKNOWN), some reader tries
 * what it has, however the octets look. */
static enum err take_guesses(struct mime_job *job, const struct mime_piece *declared, struct span octets, unsigned done,
                             bool unknown)
{
    struct mime_piece *piece = mem_new(1, sizeof(*piece));
    if (!piece)
        return ERR_NOMEM;
    enum err e = ERR_OK;
    *piece = *declared;
    if (!(done & 1u << MIME_BASE64) && (unknown || looks_like_base64(octets)))
        e = guess(job, piece, octets, MIME_BASE64);
    *piece = *declared;
    if (e == ERR_OK && !(done & 1u << MIME_QP) && (unknown || looks_like_qp(octets)))
        e = guess(job, piece, octets, MIME_QP);
    *piece = *declared;
    if (e == ERR_OK && unknown && !(done & 1u << MIME_UUENCODE) && (mime_inline_look(octets) & MIME_INLINE_UUENCODE)) {
        piece->part.defects |= mime_defect_bit(MIME_DEFECT_ENCODING_WRONG);
        e = take_uuencode(job, piece, octets, 1u << MIME_READING_GUESSED);
    }
    *piece = *declared;
    if (e == ERR_OK && !(done & 1u << MIME_IDENTITY))
        e = guess(job, piece, octets, MIME_IDENTITY);
    mem_free(piece);
    return e;
}

static enum err take_as(struct mime_job *job, struct mime_piece *piece, struct span octets, enum mime_encoding encoding,
                        bool *junk)
{
    struct mime_how how = {.encoding = MIME_IDENTITY};
    switch (encoding) {
    case MIME_BASE64:
        return take_base64(job, piece, octets, junk);
    case MIME_QP:
        return take_qp(job, piece, octets, junk);
    /* The text of a file is handed out in any case, and looked into. */
    case MIME_UUENCODE:
        *junk = true;
        return take_uuencode(job, piece, octets, 0);
    case MIME_YENC:
        *junk = true;
        return take_yenc(job, piece, octets);
    case MIME_BINHEX:
        *junk = true;
        return ERR_OK;
    case MIME_IDENTITY:
    case MIME_UNKNOWN:
    case MIME_TNEF:
    case MIME_CMS:
    case MIME_APPLE:
    case MIME_WIDE:
        break;
    }
    *junk = true;
    return mime_decode_as(job, piece, octets, how);
}

/* Text beside the parts of a multipart is read by few; short notes for old readers are read by nobody. */
static bool worth_taking(const struct mime_body *body)
{
    if (body->kind != MIME_BODY_ASIDE)
        return true;
    struct span text = mime_trim(body->octets);
    bool short_note = text.len <= 256 && mime_content_of(text) == MIME_CONTENT_TEXT && !looks_like_base64(text) &&
                      mime_inline_look(text) == 0;
    return text.len > 0 && !short_note;
}

static enum err take(struct mime_job *job, struct mime_piece *piece, const struct mime_body *body)
{
    struct mime_encodings e;
    mime_encodings_parse(body->encoding, &e);
    piece->part.declared = e.first;
    piece->part.defects |= e.defects;
    if (e.first == MIME_UNKNOWN || e.set == 0)
        e.set |= 1u << MIME_IDENTITY;
    /* Many readers take messages as they stand, whatever is declared. */
    if (!e.exact || (piece->type.message && !looks_like_base64(body->octets)))
        e.set |= 1u << MIME_IDENTITY;
    enum mime_encoding first = e.first == MIME_UNKNOWN ? MIME_IDENTITY : e.first;
    unsigned done = 1u << first;
    bool junk = false, more_junk;
    enum err err = take_as(job, piece, body->octets, first, &junk);
    for (unsigned i = 0; i < MIME_UNKNOWN && err == ERR_OK; i++)
        if ((e.set & ~done & 1u << i) != 0) {
            err = take_as(job, piece, body->octets, (enum mime_encoding)i, &more_junk);
            done |= 1u << i;
            junk = true;
        }
    if (err == ERR_OK && junk)
        err = take_guesses(job, piece, body->octets, done, e.first == MIME_UNKNOWN);
    return err;
}

enum err mime_body_take(struct mime_job *job, const struct mime_body *body)
{
    bool any = ((job->inherited | job->reading) & 1u << MIME_READING_ANY_DELIMITER) != 0;
    if (body->octets.len == 0 || !worth_taking(body) || !mime_run_may(job->run) || (any && job->run->any_full))
        return ERR_OK;
    struct mime_piece *piece = mem_new(1, sizeof(*piece));
    if (!piece)
        return ERR_NOMEM;
    enum err e = mime_piece_describe(piece, body->header, &body->type);
    snprintf(piece->path, sizeof(piece->path), "%s", body->path);
    piece->content_type = mime_field_chosen(&body->header->type, job->reading);
    piece->part.depth = job->depth + body->depth + 1;
    piece->part.offset = job->outermost ? (size_t)(body->octets.ptr - job->message.ptr) : job->offset;
    piece->part.extent = job->outermost ? body->octets.len : job->extent;
    if (piece->too_many || piece->part.names.more)
        mime_cut(job->run, MIME_CUT_PARAMETERS);
    if (e == ERR_OK)
        e = take(job, piece, body);
    mem_free(piece);
    return e;
}
