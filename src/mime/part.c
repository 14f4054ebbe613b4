/* SPDX-License-Identifier: MIT */
/* One part: what its headers say of it, what its octets are, what is wrong with it. */
#include "base/mem.h"
#include "mime/cms.h"
#include "mime/content.h"
#include "mime/locked.h"
#include "mime/run.h"

/* VALUE without the quotes and brackets that some readers take off. */
static struct span without_marks(struct span value)
{
    static const char marks[] = "<>'\"";
    while (value.len > 0 && value.ptr[0] && strchr(marks, value.ptr[0]))
        value = span_sub(value, 1, value.len);
    while (value.len > 0 && value.ptr[value.len - 1] && strchr(marks, value.ptr[value.len - 1]))
        value.len--;
    return value;
}

/* A parameter of which only the end is called NAME, behind what is no part of a word ("attachment filename=", "(c)
 * name="), has that name for readers that look for the word wherever it stands. */
static void take_for(struct mime_parameter *p, struct span name)
{
    if (!span_ends_nocase(p->written, name))
        return;
    char before = (char)(p->written.len > name.len ? p->written.ptr[p->written.len - name.len - 1] : ' ');
    if (!char_is_alnum(before) && before != '-' && before != '_')
        p->name = name;
}

/* All plain and all extended forms of the parameter NAME. */
static void collect_name(struct mime_piece *piece, struct span name, struct mime_parameters *parameters)
{
    char joined[1024];
    size_t length;
    struct span charset, before = {0};
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
        if (p->odd) {
            mime_names_add(&piece->part.names, p->raw, (struct span){0}, &piece->part.defects);
            mime_names_add(&piece->part.names, without_marks(p->raw), (struct span){0}, &piece->part.defects);
        }
    }
    if (mime_parameter_extended(parameters, name, joined, sizeof(joined), &length, &charset))
        mime_names_add(&piece->part.names, span_of(joined, length), charset, &piece->part.defects);
}

/* A name is a Content-Disposition's "filename" and a Content-Type's "name". Programs write either into both fields, and
 * readers look for both in both. */
static void collect_names(struct mime_piece *piece, struct span field, struct mime_parameters *parameters)
{
    static const struct span words[] = {{"filename", 8}, {"name", 4}};
    mime_parameters_parse(field, parameters);
    piece->too_many = piece->too_many || parameters->more;
    mime_piece_collect_charsets(piece, field, parameters);
    for (size_t w = 0; w < ARRAY_SIZE(words); w++) {
        for (unsigned i = 0; i < parameters->count; i++)
            take_for(&parameters->items[i], words[w]);
        collect_name(piece, words[w], parameters);
    }
}

/* Of all occurrences of a header. */
static void collect_all(struct mime_piece *piece, const struct mime_field *field, struct mime_parameters *parameters)
{
    if (field->count == 0)
        return;
    collect_names(piece, field->first, parameters);
    for (unsigned i = 0; i < field->middles; i++)
        collect_names(piece, field->middle[i], parameters);
    if (field->count > 1)
        collect_names(piece, field->last, parameters);
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

enum err mime_piece_describe(struct mime_piece *piece, const struct mime_header *header, const struct mime_type *type)
{
    struct mime_parameters *parameters = NULL;
    struct mime_part *part = &piece->part;
    piece->type = *type;
    snprintf(part->type, sizeof(part->type), "%s", type->text);
    part->defects |= header->defects;
    part->attachment = part->attachment || span_starts_nocase(header->disposition.first, SPAN("attachment"));
    if (header->type.count == 0 && header->disposition.count == 0)
        return ERR_OK;
    parameters = mem_resize(NULL, 1, sizeof(*parameters)); /* whatever is parsed sets what it uses */
    if (!parameters)
        return ERR_NOMEM;
    collect_all(piece, &header->disposition, parameters);
    collect_all(piece, &header->type, parameters);
    copy_charset(piece, header->type.first, parameters);
    mem_free(parameters);
    part->defects |= mime_names_judge(&part->names);
    return ERR_OK;
}

bool mime_content_matters(enum mime_content c)
{
    enum mime_content_class class = mime_content_class(c);
    return class == MIME_CLASS_PROGRAM || class == MIME_CLASS_ARCHIVE || class == MIME_CLASS_DOCUMENT ||
           c == MIME_CONTENT_SCRIPT;
}

uint64_t mime_hash(struct span s)
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
    const mime_readings own = 1u << MIME_READING_ANY_DELIMITER | 1u << MIME_READING_GUESSED |
                              1u << MIME_READING_VARIANT | 1u << MIME_READING_CARVED |
                              1u << MIME_READING_STRICT_LINE_END;
    return r != 0 && (r & own) == 0;
}

static enum err compare_readings(struct mime_run *run, const struct mime_part *part, struct span octets)
{
    bool added, full;
    if (!mime_content_matters(part->content) || (part->readings != 0 && !accuses(part->readings)))
        return ERR_OK;
    struct mime_extent key = {.offset = (size_t)mime_hash(octets), .length = octets.len};
    enum err e = mime_extents_add(&run->ordinary, key, LIMIT_MIME_PARTS, &added, &full);
    if (e == ERR_OK && added && part->readings != 0)
        run->report->defects |= mime_defect_bit(MIME_DEFECT_READINGS_DIFFER);
    return e;
}

/* Whether somebody without a key sees nothing of it. The name in the header is only believed where there is no CMS, and
 * only of what the headers mean: not of what was decoded otherwise. */
static bool is_closed_cms(const struct mime_piece *piece, struct span octets)
{
    const mime_readings own = 1u << MIME_READING_GUESSED | 1u << MIME_READING_VARIANT | 1u << MIME_READING_CARVED;
    struct span type = span_cstr(piece->part.type);
    if (piece->part.content == MIME_CONTENT_CMS)
        return mime_cms_of(octets) == MIME_CMS_CLOSED;
    return (span_eq(type, SPAN("application/pkcs7-mime")) || span_eq(type, SPAN("application/x-pkcs7-mime"))) &&
           (piece->part.readings & own) == 0;
}

/* Whether there is a PGP message: binary, or as text, with whatever before and after it. */
static bool is_pgp_message(enum mime_content c, struct span octets)
{
    const struct span mark = SPAN("-----BEGIN PGP MESSAGE-----");
    if (c == MIME_CONTENT_PGP && !span_starts(octets, SPAN("-----")))
        return true;
    if (c != MIME_CONTENT_PGP && mime_content_class(c) != MIME_CLASS_TEXT && c != MIME_CONTENT_HTML)
        return false;
    size_t at = 0;
    while ((at += span_find_span(span_sub(octets, at, octets.len), mark)) < octets.len) {
        if (at == 0 || octets.ptr[at - 1] == '\n' || octets.ptr[at - 1] == '\r')
            return true;
        at += mark.len;
    }
    return false;
}

static enum err judge_content(struct mime_piece *piece, struct span octets)
{
    mime_defects found = 0;
    const char *locked;
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
    if (is_closed_cms(piece, octets))
        found |= mime_defect_bit(MIME_DEFECT_ENCRYPTED_SMIME);
    if (is_pgp_message(c, octets))
        found |= mime_defect_bit(MIME_DEFECT_ENCRYPTED_PGP);
    enum err e = mime_locked(octets, &locked);
    if (locked)
        found |= mime_defect_bit(MIME_DEFECT_ENCRYPTED_FILE);
    piece->part.defects |= found;
    return e;
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
    bool any = (part->readings & 1u << MIME_READING_ANY_DELIMITER) != 0;
    run->any_full = run->any_full || (any && run->any >= run->limits->parts / 2);
    if (any && run->any_full)
        return ERR_OK;
    if (run->report->parts >= run->limits->parts) {
        mime_cut(run, MIME_CUT_PARTS);
        return ERR_OK;
    }
    run->any += any;
    part->path = piece->path;
    part->octets = octets;
    part->verbatim = !decoded && job->outermost;
    if (!part->verbatim && octets.len > mime_run_room(run)) { /* nothing was decoded for it alone, so nothing looked */
        mime_cut(run, MIME_CUT_DECODED);
        return ERR_OK;
    }
    part->content = mime_content_of(octets);
    enum err e = judge_content(piece, octets);
    if (e == ERR_OK)
        e = compare_readings(run, part, octets);
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
