/* SPDX-License-Identifier: MIT */
/* What is inside the octets of a part: attachments in TNEF, messages, signed content, texts in wide characters, files
 * in texts. Whatever is found is handed out as a part of its own, and looked into in turn. */
#include "base/mem.h"
#include "mime/apple.h"
#include "mime/charset.h"
#include "mime/cms.h"
#include "mime/content.h"
#include "mime/decode.h"
#include "mime/lines.h"
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

/* Something inside a part. */
struct found {
    unsigned number; /* of it, inside its part */
    enum mime_encoding encoding;
    struct span octets;
    const struct mime_tnef_name *names;
    unsigned names_count;
    mime_defects defects;
    bool message; /* it is one, whatever it looks like */
};

static void add_name(struct mime_part *part, const struct mime_tnef_name *name)
{
    struct buf text;
    buf_init(&text, (size_t)4 * MIME_NAME_SIZE);
    /* Without memory, or where it is too long, the name is what there is. */
    enum err e = name->wide ? mime_wide_decode(name->text, MIME_WIDE_16LE, &text) : ERR_OK;
    (void)e;
    struct span shown = name->wide ? buf_span(&text) : name->text;
    while (shown.len > 0 && shown.ptr[shown.len - 1] == '\0') /* the terminator is counted */
        shown.len--;
    mime_names_add(&part->names, shown, (struct span){0}, &part->defects);
    buf_release(&text);
}

static void inner_piece(const struct mime_piece *outer, struct mime_piece *inner, const struct found *found)
{
    struct mime_part *part = &inner->part;
    memset(inner, 0, sizeof(*inner));
    int n = snprintf(inner->path, sizeof(inner->path), "%.80s.%u", outer->path, found->number);
    if (n < 0)
        inner->path[0] = '\0';
    part->readings = outer->part.readings;
    part->depth = outer->part.depth + 1;
    part->attachment = true;
    part->declared = found->encoding;
    part->encoding = found->encoding;
    part->offset = outer->part.offset;
    part->extent = outer->part.extent;
    part->defects = found->defects;
    inner->type.message = inner->type.encapsulates = found->message;
    snprintf(part->type, sizeof(part->type), found->message ? "message/rfc822" : "application/octet-stream");
    for (unsigned i = 0; i < found->names_count; i++)
        add_name(part, &found->names[i]);
    part->defects |= mime_names_judge(&part->names);
}

/* Hands out what was found inside OUTER, and looks inside that. */
static enum err hand_out_inner(struct mime_job *job, const struct mime_piece *outer, const struct found *found)
{
    struct mime_piece *inner = mem_new(1, sizeof(*inner));
    if (!inner)
        return ERR_NOMEM;
    inner_piece(outer, inner, found);
    enum err e = mime_piece_hand_out(job, inner, found->octets, true);
    if (e == ERR_OK)
        e = mime_piece_look_inside(job, inner, found->octets);
    mem_free(inner);
    return e;
}

/* What was decoded into OUT with the result E; a full buffer is noted, and what is there counts. */
static enum err hand_out_decoded(struct mime_job *job, const struct mime_piece *outer, struct found *found,
                                 const struct buf *out, enum err e)
{
    if (e == ERR_FULL) {
        mime_cut(job->run, MIME_CUT_DECODED);
        e = ERR_OK;
    }
    found->octets = buf_span(out);
    return e == ERR_OK ? hand_out_inner(job, outer, found) : e;
}

static enum err open_tnef(struct mime_job *job, const struct mime_piece *piece, struct span octets)
{
    struct mime_tnef t;
    struct mime_tnef_file file;
    enum err e = ERR_OK;
    struct found found = {.encoding = MIME_TNEF};
    if (!mime_tnef_open(&t, octets))
        return ERR_OK;
    while (e == ERR_OK && mime_run_may(job->run) && mime_tnef_next(&t, &file)) {
        if (file.data.len == 0)
            continue;
        struct buf text;
        buf_init(&text, mime_run_room(job->run));
        found.number++;
        found.octets = file.data;
        found.names = file.names;
        found.names_count = file.names_count;
        if (!file.compressed)
            e = hand_out_inner(job, piece, &found);
        else if (mime_run_spend(job->run, file.data.len))
            e = hand_out_decoded(job, piece, &found, &text, mime_rtf_decode(file.data, &text));
        buf_release(&text);
    }
    if (t.broken)
        job->run->report->defects |= mime_defect_bit(MIME_DEFECT_TNEF_BROKEN);
    return e;
}

/* Signed mail whose content stands inside its signature: every mail program shows it. */
static enum err open_cms(struct mime_job *job, const struct mime_piece *piece, struct span octets)
{
    struct found found = {.number = 1, .encoding = MIME_CMS, .message = true};
    struct buf content;
    if (mime_cms_of(octets) != MIME_CMS_CLEAR || !mime_run_spend(job->run, octets.len))
        return ERR_OK;
    buf_init(&content, mime_run_room(job->run));
    enum err e = hand_out_decoded(job, piece, &found, &content, mime_cms_content(octets, &content));
    buf_release(&content);
    return e;
}

static enum err open_apple(struct mime_job *job, const struct mime_piece *piece, struct span octets)
{
    struct mime_apple a;
    enum err e = ERR_OK;
    struct found found = {.encoding = MIME_APPLE};
    if (!mime_apple_open(&a, octets))
        return ERR_OK;
    struct mime_tnef_name names[2] = {0}; /* readers differ in which one counts */
    mime_apple_names(&a, &names[0].text, &names[1].text);
    found.names = names;
    found.names_count = names[0].text.len > 0 ? ARRAY_SIZE(names) : 0;
    while (e == ERR_OK && mime_run_may(job->run) && mime_apple_next(&a, &found.octets) &&
           mime_run_spend(job->run, found.octets.len)) {
        found.number++;
        e = hand_out_inner(job, piece, &found);
    }
    return e;
}

static enum err open_wide(struct mime_job *job, const struct mime_piece *piece, struct span octets, enum mime_wide wide)
{
    struct found found = {.number = 1, .encoding = MIME_WIDE};
    struct buf text;
    if (!mime_run_spend(job->run, octets.len))
        return ERR_OK;
    if (job->outermost && octets.len == job->message.len)
        job->run->report->defects |= mime_defect_bit(MIME_DEFECT_WIDE_MESSAGE);
    buf_init(&text, mime_run_room(job->run));
    enum err e = hand_out_decoded(job, piece, &found, &text, mime_wide_decode(octets, wide, &text));
    buf_release(&text);
    return e;
}

/* What was made of OCTETS in one charset after the other: a text that engines have is not handed out again. */
enum { TEXTS = 8 };
struct texts {
    struct mime_job *job;
    const struct mime_piece *piece;
    struct span octets;
    unsigned count;
    struct buf made[TEXTS]; /* and handed out, so that all of them together are no more than may be decoded */
};

/* Hands TEXT out where it shows what neither the octets nor the texts before it do. */
static enum err take_text(struct texts *t, struct buf *text)
{
    struct found found = {.number = 1, .encoding = MIME_WIDE};
    bool hides = mime_text_hides(t->octets, buf_span(text));
    for (unsigned i = 0; i < t->count && hides; i++)
        hides = mime_text_hides(buf_span(&t->made[i]), buf_span(text));
    if (!hides || !may_go_deeper(t->job->run))
        return ERR_OK;
    uint64_t before = t->job->run->report->decoded;
    enum err e = hand_out_decoded(t->job, t->piece, &found, text, ERR_OK);
    if (t->count < TEXTS && t->job->run->report->decoded > before) {
        t->made[t->count++] = *text;
        buf_init(text, 0);
    }
    return e;
}

/* TEXT, which somebody with tables made, and then what it is to readers that leave out what they cannot decode. */
static enum err take_converted(struct texts *t, struct buf *text)
{
    struct mime_run *run = t->job->run;
    struct buf left;
    bool any = false;
    size_t room = mime_run_room(run);
    buf_init(&left, room - buf_len(text)); /* one stands beside the other */
    enum err e = mime_run_spend(run, buf_len(text)) ? mime_text_leave_out(buf_span(text), &left, &any) : ERR_OK;
    if (e == ERR_FULL) {
        mime_cut(run, MIME_CUT_DECODED);
        e = ERR_OK;
    }
    if (e == ERR_OK)
        e = take_text(t, text);
    if (e == ERR_OK && any)
        e = take_text(t, &left);
    buf_release(&left);
    return e;
}

/* The octets as one of three makes text of them. */
static enum err open_text(struct texts *t, struct span charset, enum mime_wide wide, mime_text_decoder *decode)
{
    struct mime_run *run = t->job->run;
    struct buf text;
    if (!mime_run_may(run) || !mime_run_spend(run, t->octets.len))
        return ERR_OK;
    buf_init(&text, mime_run_room(run));
    bool converted = wide == MIME_WIDE_NONE && !decode;
    enum err e = wide != MIME_WIDE_NONE ? mime_wide_decode(t->octets, wide, &text)
                 : decode               ? decode(t->octets, &text)
                                        : run->limits->convert(t->octets, charset, &text);
    if (e == ERR_FULL) {
        mime_cut(run, MIME_CUT_DECODED);
        e = ERR_OK;
    }
    if (e == ERR_OK)
        e = converted ? take_converted(t, &text) : take_text(t, &text);
    buf_release(&text);
    return e;
}

/* In a plain charset only those readers see something else that leave out what is no character of it. */
static enum err open_plain(struct texts *t, struct span charset)
{
    mime_text_decoder *decode = mime_lossy_decoder_of(charset, t->octets);
    if (!decode && !(t->job->run->limits->convert && mime_charset_has_holes(charset, t->octets)))
        return ERR_OK;
    return open_text(t, charset, MIME_WIDE_NONE, decode);
}

/* Whoever goes by the charset's name does so whatever the octets look like. DONE: as what they were opened. */
static enum err open_charset(struct texts *t, struct span charset, enum mime_wide done)
{
    enum mime_wide wide = mime_wide_named(charset), swapped = mime_wide_swapped(charset);
    enum err e = ERR_OK;
    if (wide != MIME_WIDE_NONE) {
        if (wide != done)
            e = open_text(t, charset, wide, NULL);
        if (e == ERR_OK && swapped != MIME_WIDE_NONE && swapped != done)
            e = open_text(t, charset, swapped, NULL);
        return e;
    }
    mime_text_decoder *decode = mime_text_decoder_of(charset, t->octets);
    for (; decode && e == ERR_OK; decode = mime_text_decoder_beside(decode))
        e = open_text(t, charset, MIME_WIDE_NONE, decode);
    if (e == ERR_OK && charset.len > 0 && t->job->run->limits->convert)
        e = open_text(t, charset, MIME_WIDE_NONE, NULL);
    return e;
}

static enum err open_charsets(struct mime_job *job, const struct mime_piece *piece, struct span octets,
                              enum mime_wide done)
{
    struct texts t = {.job = job, .piece = piece, .octets = octets};
    enum err e = ERR_OK;
    for (unsigned i = 0; i < piece->charsets_count && e == ERR_OK; i++) {
        struct span charset = span_cstr(piece->charsets[i]);
        e = mime_charset_is_plain(charset) ? open_plain(&t, charset) : open_charset(&t, charset, done);
    }
    /* Nothing is said: some look for the escape sequences of ISO 2022. */
    if (piece->charsets_count == 0 && span_starts(span_cstr(piece->part.type), SPAN("text/")))
        e = open_charset(&t, (struct span){0}, done);
    for (unsigned i = 0; i < t.count; i++)
        buf_release(&t.made[i]);
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

/* Whether LINE is a field or goes on with one. */
static bool is_field(struct span line)
{
    size_t n = 0;
    while (n < line.len && (unsigned char)line.ptr[n] > ' ' && (unsigned char)line.ptr[n] < 0x7f && line.ptr[n] != ':')
        n++;
    return line.len == 0 || char_is_blank(line.ptr[0]) || (n < line.len && line.ptr[n] == ':');
}

/* Of a message/delivery-status each block between empty lines is a header block, and Python makes an entity of each.
 * None that a mail system writes says anything about content, or has any. */
static enum err open_blocks(struct mime_job *job, const struct mime_piece *piece, struct span octets)
{
    enum err e = ERR_OK;
    bool content = false;
    for (size_t at = 0, begin = 0; at < octets.len && e == ERR_OK && mime_run_may(job->run);) {
        struct mime_line line = mime_line_at(octets, MIME_ENDS_LF, at);
        struct span block = span_sub(octets, begin, line.next - begin);
        at = line.next;
        content = content || !is_field(line.text);
        if (mime_trim(line.text).len > 0 && at < octets.len)
            continue;
        if (content || mime_mentions(block, SPAN("content-")))
            e = open_message(job, piece, block, false);
        begin = at;
        content = false;
    }
    return e;
}

/* Files that end where another begins are also read on to their end, as long as that is not more than so many times the
 * text, and as many octets: many small ones, as of a log, are no trouble. */
enum { CUT_TEXTS = 16, CUT_OCTETS = 1 << 19 };

/* Beside mime_inline_look's bits: it may stand anywhere in a line. */
enum { BINHEX_MARKED = 16 };

/* Files of one kind inside a text, each with what is inside it. */
struct inline_kind {
    enum mime_encoding encoding;
    enum mime_defect defect; /* MIME_DEFECT_COUNT: it is the usual way */
    unsigned bit;            /* of mime_inline_look */
    bool (*find)(struct span text, size_t from, struct mime_inline *found);
    size_t (*end)(struct span text, const struct mime_inline *found); /* NULL: there is but one */
};

/* MODE matters to uuencode. */
static enum err decode_data(enum mime_encoding encoding, const struct mime_inline *inner, struct span data,
                            enum mime_uuencode_mode mode, struct buf *out)
{
    if (encoding == MIME_BASE64 || inner->base64)
        return mime_base64_decode(data, MIME_BASE64_ACROSS, out);
    return encoding == MIME_YENC ? mime_yenc_decode(data, out) : mime_uuencode_decode(data, mode, out);
}

static enum err decode_inline(enum mime_encoding encoding, const struct mime_inline *inner, struct span data,
                              enum mime_uuencode_mode mode, struct buf *out, struct span *name, struct span *file)
{
    if (encoding == MIME_BINHEX)
        return mime_binhex_decode(data, out, name, file);
    enum err e;
    if (inner->indent == 0) {
        e = decode_data(encoding, inner, data, mode, out);
    } else {
        struct buf bare;
        buf_init(&bare, data.len);
        e = mime_unindent(data, inner->indent, &bare);
        if (e == ERR_OK)
            e = decode_data(encoding, inner, buf_span(&bare), mode, out);
        buf_release(&bare);
    }
    *file = buf_span(out);
    return e;
}

static enum err open_one_inline(struct mime_job *job, const struct mime_piece *piece, const struct inline_kind *kind,
                                struct span text, const struct mime_inline *inner, enum mime_uuencode_mode mode,
                                unsigned number)
{
    struct buf out;
    struct mime_tnef_name name = {.text = inner->name};
    struct found found = {.number = number,
                          .encoding = kind->encoding,
                          .names = &name,
                          .defects = kind->defect < MIME_DEFECT_COUNT ? mime_defect_bit(kind->defect) : 0};
    buf_init(&out, mime_run_room(job->run));
    enum err e = decode_inline(kind->encoding, inner, span_sub(text, inner->data, inner->end - inner->data), mode, &out,
                               &name.text, &found.octets);
    if (e == ERR_FULL) {
        mime_cut(job->run, MIME_CUT_DECODED);
        e = ERR_OK;
    }
    found.names_count = name.text.len > 0;
    if (e == ERR_OK)
        e = hand_out_inner(job, piece, &found);
    buf_release(&out);
    return e;
}

/* All files of one kind. */
static enum err open_inlines(struct mime_job *job, const struct mime_piece *piece, const struct inline_kind *kind,
                             struct span text, unsigned *number)
{
    struct mime_inline inner = {0};
    enum err e = ERR_OK;
    uint64_t left = CUT_TEXTS * (uint64_t)text.len + CUT_OCTETS;
    for (size_t at = 0; e == ERR_OK && mime_run_may(job->run) && at < text.len && kind->find(text, at, &inner);
         at = inner.end) {
        e = open_one_inline(job, piece, kind, text, &inner, MIME_UUENCODE_LENGTHS, ++*number);
        if (e == ERR_OK && inner.indent > 0) { /* to most readers an indented line is an empty one */
            struct mime_inline flat = inner;
            flat.indent = 0;
            e = open_one_inline(job, piece, kind, text, &flat, MIME_UUENCODE_LENGTHS, ++*number);
        }
        if (e == ERR_OK && inner.words && kind->encoding == MIME_UUENCODE)
            e = open_one_inline(job, piece, kind, text, &inner, MIME_UUENCODE_CLEAN, ++*number);
        if (e == ERR_OK && inner.xx && kind->encoding == MIME_UUENCODE)
            e = open_one_inline(job, piece, kind, text, &inner, MIME_UUENCODE_XX, ++*number);
        if (e != ERR_OK || !(inner.cut || inner.odd) || !mime_run_spend(job->run, text.len))
            continue;
        if (left < text.len) {
            mime_cut(job->run, MIME_CUT_WORK);
            continue;
        }
        left -= text.len;
        struct mime_inline on = inner;
        on.end = inner.cut ? kind->end(text, &inner) : inner.end;
        if (inner.cut)
            e = open_one_inline(job, piece, kind, text, &on, MIME_UUENCODE_LENGTHS, ++*number);
        if (e == ERR_OK && kind->encoding == MIME_UUENCODE && !inner.base64)
            e = open_one_inline(job, piece, kind, text, &on, MIME_UUENCODE_EVERY, ++*number);
    }
    return e;
}

/* Lines of a calendar are folded anywhere, in the names of what they say, too. */
static enum err open_calendar(struct mime_job *job, const struct mime_piece *piece, const struct inline_kind *kind,
                              struct span text, unsigned *number)
{
    struct buf flat;
    buf_init(&flat, mime_run_room(job->run));
    enum err e = mime_unfold(text, &flat);
    if (e == ERR_FULL) {
        mime_cut(job->run, MIME_CUT_DECODED);
        e = ERR_OK;
    }
    if (e == ERR_OK)
        e = open_inlines(job, piece, kind, buf_span(&flat), number);
    buf_release(&flat);
    return e;
}

enum err mime_piece_open_inlines(struct mime_job *job, const struct mime_piece *piece, struct span text)
{
    static const struct inline_kind kinds[] = {
        {MIME_UUENCODE, MIME_DEFECT_UUENCODED, MIME_INLINE_UUENCODE, mime_uuencode_find, mime_uuencode_end},
        {MIME_YENC, MIME_DEFECT_YENCODED, MIME_INLINE_YENC, mime_yenc_find, mime_yenc_end},
        {MIME_BASE64, MIME_DEFECT_COUNT, MIME_INLINE_CALENDAR, mime_calendar_find, NULL},
        {MIME_BINHEX, MIME_DEFECT_UUENCODED, MIME_INLINE_BINHEX, mime_binhex_find, NULL},
        {MIME_BINHEX, MIME_DEFECT_UUENCODED, BINHEX_MARKED, mime_binhex_find_marked, NULL},
    };
    enum err e = ERR_OK;
    unsigned number = 0;
    unsigned marked = span_find_rare(text, SPAN(MIME_BINHEX_MARK), 0) < text.len ? BINHEX_MARKED : 0;
    unsigned there = mime_inline_look(text) | marked;
    for (size_t k = 0; k < ARRAY_SIZE(kinds) && e == ERR_OK; k++) {
        if ((there & kinds[k].bit) == 0 || !mime_run_spend(job->run, text.len) || !may_go_deeper(job->run))
            continue;
        if (kinds[k].bit == MIME_INLINE_CALENDAR)
            e = open_calendar(job, piece, &kinds[k], text, &number);
        else
            e = open_inlines(job, piece, &kinds[k], text, &number);
    }
    return e;
}

/* A message by its name: mail programs open such attachments, whatever they begin with. Dots and blanks of all kinds at
 * its end are not there to some. */
static bool named_as_message(const struct mime_part *part)
{
    static const char *const ends[] = {".eml", ".mht", ".mhtml", ".nws"};
    for (unsigned n = 0; n < part->names.count; n++) {
        struct span name = span_cstr(part->names.text[n]);
        while (name.len > 0 && !char_is_alnum(name.ptr[name.len - 1]))
            name.len--;
        for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
            if (span_ends_nocase(name, span_cstr(ends[i])))
                return true;
    }
    return false;
}

/* Empty lines before the headers mean a message without headers to some, and nothing to others. What only looks like a
 * message (SURELY: it is called one) is what they leave to the first ones, and would be opened for each of its lines.
 */
static enum err open_as_message(struct mime_job *job, const struct mime_piece *piece, struct span octets, bool surely)
{
    size_t blank = mime_blank_lines(octets);
    enum err e = surely || blank == 0 ? open_message(job, piece, octets, false) : ERR_OK;
    if (e == ERR_OK && blank > 0 && blank < octets.len)
        e = open_message(job, piece, span_sub(octets, blank, octets.len), false);
    return e;
}

/* Octets that are a container by their begin, or text of another width: *as. */
static enum err open_container(struct mime_job *job, const struct mime_piece *piece, struct span octets,
                               enum mime_wide *as)
{
    enum mime_content c = piece->part.content;
    enum mime_wide wide = mime_wide_of(octets);
    if (wide == MIME_WIDE_NONE)
        wide = mime_wide_named(span_cstr(piece->part.charset));
    *as = MIME_WIDE_NONE;
    bool opens = c == MIME_CONTENT_TNEF || c == MIME_CONTENT_CMS || c == MIME_CONTENT_APPLE ||
                 (wide != MIME_WIDE_NONE && octets.len >= 2);
    if (!opens || !may_go_deeper(job->run))
        return ERR_OK;
    if (c == MIME_CONTENT_TNEF)
        return open_tnef(job, piece, octets);
    if (c == MIME_CONTENT_APPLE)
        return open_apple(job, piece, octets);
    if (c == MIME_CONTENT_CMS)
        return open_cms(job, piece, octets);
    *as = wide;
    return open_wide(job, piece, octets, wide);
}

/* All that somebody might: first octets are the sender's choice, and most readers go by headers and names. */
static enum err look(struct mime_job *job, struct mime_piece *piece, struct span octets)
{
    enum mime_content c = piece->part.content;
    enum mime_content_class class = mime_content_class(c);
    bool textual = class == MIME_CLASS_TEXT || class == MIME_CLASS_ACTIVE || c == MIME_CONTENT_UNKNOWN ||
                   c == MIME_CONTENT_CMS || c == MIME_CONTENT_TNEF || c == MIME_CONTENT_APPLE ||
                   c == MIME_CONTENT_PGP || span_starts(span_cstr(piece->part.type), SPAN("text/"));
    bool named = named_as_message(&piece->part);
    if (!textual && !named && !piece->type.message && !piece->type.multipart)
        return ERR_OK;
    enum mime_wide wide;
    enum err e = open_container(job, piece, octets, &wide);
    if (e == ERR_OK)
        e = open_charsets(job, piece, octets, wide);
    bool multipart = piece->type.multipart && piece->part.encoding != MIME_IDENTITY;
    /* What is not encoded was opened where it stands. */
    bool surely = named || (piece->type.encapsulates && piece->part.encoding != MIME_IDENTITY);
    bool message = piece->type.encapsulates || named || c == MIME_CONTENT_MAIL;
    if (e != ERR_OK || ((message || multipart) && !may_go_deeper(job->run)))
        return e;
    if (multipart)
        e = open_message(job, piece, octets, true);
    if (message && e == ERR_OK)
        e = open_as_message(job, piece, octets, surely);
    if (e == ERR_OK && strcmp(piece->type.text, "message/delivery-status") == 0 && may_go_deeper(job->run))
        e = open_blocks(job, piece, octets);
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
