/* SPDX-License-Identifier: MIT */
/* All readings of a message: the ordinary one, then each combination of the ways that were doubted on the way, as long
 * as the limits allow. Fewer deviations come first, so that what a limit cuts off is what the fewest readers would see.
 */
#include "mime/split.h"
#include "base/limits.h"
#include "base/mem.h"
#include "mime/charset.h"
#include "mime/run.h"

/* Ways of reading structure; those behind them in the table are ways of reading octets. */
enum { WAYS = MIME_READING_ANY_DELIMITER + 1 };
_Static_assert(WAYS <= 16, "the set of readings that were tried has 65536 places");
/* What a pass costs at least, in octets looked at: tiny messages that leave everything in doubt end, too. */
enum { PASS = 4096, CHOICE = 64 /* of none */ };

struct mime_limits mime_limits_for(size_t size)
{
    return (struct mime_limits){
        .decoded = 4 * (uint64_t)size + (4u << 20),
        .work = 24 * (uint64_t)size + (16u << 20),
        .parts = LIMIT_MIME_PARTS,
        .depth = LIMIT_MIME_DEPTH,
        .decodings = LIMIT_MIME_DECODINGS,
    };
}

/* What the line ends alone leave in doubt. */
static mime_readings line_doubts(struct mime_job *job)
{
    const char *at = job->message.ptr, *end = at + job->message.len;
    bool cr = false, lf = false, crlf = false;
    /* A message has lines of one kind, or soon one of another: the scan rarely goes far after both are found. */
    while (at < end && !(cr && lf && crlf)) {
        const char *hit = memchr(at, '\n', (size_t)(end - at));
        struct span line = span_of(at, (size_t)((hit ? hit : end) - at));
        size_t first = span_find(line, '\r');
        if (first < line.len && (first + 1 < line.len || !hit))
            cr = true;
        crlf = crlf || (hit && line.len > 0 && line.ptr[line.len - 1] == '\r');
        lf = lf || (hit && (line.len == 0 || line.ptr[line.len - 1] != '\r'));
        at = hit ? hit + 1 : end;
    }
    if (cr)
        job->run->report->defects |= mime_defect_bit(MIME_DEFECT_BARE_CR);
    if (lf && crlf)
        job->run->report->defects |= mime_defect_bit(MIME_DEFECT_MIXED_LINE_ENDS);
    return (cr ? 1u << MIME_READING_ANY_LINE_END : 0) | (lf && crlf ? 1u << MIME_READING_STRICT_LINE_END : 0);
}

/* The passes of one message. Of several that have in common all that one of them asked for, only that one is made: the
 * others would find the same. */
enum { ASKED = 16 };
struct passes {
    unsigned count;
    mime_readings asked[ASKED];              /* what passes depended on; beyond so many different ones: forgotten */
    uint64_t made[ASKED][(1u << WAYS) / 64]; /* what those passes read of it */
};

static void remember(struct passes *done, mime_readings reading, mime_readings asked)
{
    unsigned i = 0;
    while (i < done->count && done->asked[i] != asked)
        i++;
    if (i == ASKED)
        return;
    if (i == done->count) {
        memset(done->made[i], 0, sizeof(done->made[i]));
        done->asked[i] = asked;
        done->count++;
    }
    done->made[i][(reading & asked) / 64] |= (uint64_t)1 << ((reading & asked) % 64);
}

static bool was_made(const struct passes *done, mime_readings reading)
{
    for (unsigned i = 0; i < done->count; i++) {
        mime_readings as = reading & done->asked[i];
        if ((done->made[i][as / 64] & (uint64_t)1 << (as % 64)) != 0)
            return true;
    }
    return false;
}

static enum err take_body(void *arg, const struct mime_body *body)
{
    struct mime_job *job = arg;
    return mime_body_take(job, body);
}

/* A deviating reading takes text for headers now and then; only what it was made to find counts, and what is not in the
 * message at all to whoever reads it so. */
static mime_defects counting(mime_readings reading)
{
    const mime_defects junk = mime_defect_bit(MIME_DEFECT_HEADER_JUNK) | mime_defect_bit(MIME_DEFECT_HIDDEN_HEADER);
    if (reading == 0)
        return ~(mime_defects)0;
    if (reading == 1u << MIME_READING_ANY_DELIMITER)
        return mime_defect_bit(MIME_DEFECT_BOUNDARY_UNSEEN);
    if ((reading & 1u << MIME_READING_ANY_DELIMITER) != 0)
        return 0;
    return mime_type_verdicts() | (reading == 1u << MIME_READING_PAST_JUNK ? junk : 0);
}

/* One pass; *doubts gains what it doubts, *asked what it depended on. */
static enum err pass(struct mime_job *job, mime_readings reading, bool any_line, mime_readings *doubts,
                     mime_readings *asked)
{
    struct mime_run *run = job->run;
    struct mime_structure s = {
        .reading = reading,
        .max_depth = run->limits->depth,
        .prefix = job->prefix,
        .headless = job->headless,
        .content_type = job->content_type,
        .unseen = job->unseen,
        .any_line = any_line,
        .loose = job->loose,
        .work = &run->report->work,
        .max_work = run->limits->work,
    };
    job->reading = reading;
    run->report->work += PASS;
    enum err e = mime_structure_read(&s, job->message, take_body, job);
    *doubts |= s.doubts;
    *asked |= s.asked;
    if (reading == 0)
        job->unseen = s.unseen;
    job->loose = s.loose;
    if (!mime_job_is_quiet(job))
        run->report->defects |= s.defects & counting(reading);
    if (s.too_many)
        mime_cut(run, MIME_CUT_PARAMETERS);
    if (s.too_deep)
        mime_cut(run, MIME_CUT_DEPTH);
    if (s.too_long)
        mime_cut(run, MIME_CUT_WORK);
    run->report->readings += job->outermost;
    return e;
}

/* A reading; *asked is what it depended on. Where nobody knows the boundary, lines of dashes that nothing of a part
 * follows are data to one reader and delimiters to another: both are read. */
static enum err read_once(struct mime_job *job, mime_readings reading, mime_readings *doubts, mime_readings *asked)
{
    *asked = 0;
    enum err e = pass(job, reading, false, doubts, asked);
    bool any = (reading & 1u << MIME_READING_ANY_DELIMITER) != 0 && job->loose;
    return e == ERR_OK && any && mime_run_may(job->run) ? pass(job, reading, true, doubts, asked) : e;
}

static bool excludes_itself(mime_readings r)
{
    const mime_readings ends = 1u << MIME_READING_ANY_LINE_END | 1u << MIME_READING_STRICT_LINE_END;
    const mime_readings prefix = 1u << MIME_READING_PREFIX_INNER | 1u << MIME_READING_PREFIX_OUTER;
    const mime_readings any = 1u << MIME_READING_ANY_DELIMITER;
    const mime_readings boundaries = prefix | 1u << MIME_READING_LAST_PARAMETER | 1u << MIME_READING_PAST_CLOSE |
                                     1u << MIME_READING_OTHER_TYPE | 1u << MIME_READING_OTHER_BOUNDARY |
                                     1u << MIME_READING_CUT_BOUNDARY;
    return (r & ends) == ends || (r & prefix) == prefix || ((r & any) != 0 && (r & boundaries) != 0);
}

/* How far a search among the combinations of DOUBTS has come: to sets of WEIGHT ways, the next of them SET (of the
 * doubted ways, counted from the lowest). */
struct search {
    mime_readings doubts;
    unsigned weight, set;
};
/* The combinations that were tried. Those that go by declared boundaries come first: the others may take any line for a
 * delimiter, and must not be what a limit was spent on. */
struct tried {
    uint64_t sets[(1u << WAYS) / 64];
    struct search declared, all;
};

/* SET's bits of those that are set in DOUBTS. */
static mime_readings spread(unsigned set, mime_readings doubts)
{
    mime_readings sub = 0;
    for (; set != 0; set >>= 1, doubts &= doubts - 1)
        if (set & 1)
            sub |= doubts & (0u - doubts);
    return sub;
}

/* The next combination of DOUBTS that was not TRIED, one with as few ways as possible; false: there is none. */
static bool choose(mime_readings doubts, struct tried *tried, struct search *s, mime_readings *chosen)
{
    unsigned count = (unsigned)__builtin_popcount(doubts);
    if (s->doubts != doubts) {
        s->doubts = doubts;
        s->weight = s->set = 0;
    }
    for (; s->weight <= count; s->weight++, s->set = s->weight <= count ? (1u << s->weight) - 1 : 0) {
        while (s->set < 1u << count) {
            unsigned set = s->set, lowest = set & (0u - set), next = set + lowest;
            /* The next set of as many: the lowest run of ones moves up by one, its rest down to the bottom. */
            s->set = set ? ((next ^ set) >> 2) / lowest | next : 1u << count;
            *chosen = spread(set, doubts);
            uint64_t *place = &tried->sets[*chosen / 64], bit = (uint64_t)1 << (*chosen % 64);
            if (excludes_itself(*chosen) || (*place & bit) != 0)
                continue;
            *place |= bit;
            return true;
        }
    }
    return false;
}

/* Whether the work that is left is just enough for the reading that asks for no boundary, which is of another kind than
 * all the others, and was not tried. Then it is what this ends with. Earlier it must not be: where it finds what others
 * do, they accuse nobody. */
static bool ends_with_any(const struct mime_job *job, mime_readings doubts, const struct tried *tried)
{
    enum { PASSES = 4 }; /* reading, decoding and looking inside cost a pass each, or less */
    const mime_readings any = 1u << MIME_READING_ANY_DELIMITER;
    const struct mime_run *run = job->run;
    uint64_t reserve = PASSES * (uint64_t)job->message.len + PASS, spent = run->report->work;
    bool done = (tried->sets[any / 64] & (uint64_t)1 << (any % 64)) != 0;
    return job->outermost && (doubts & any) != 0 && !done && !run->any_full && spent < run->limits->work &&
           run->limits->work - spent < reserve;
}

/* Once *doubts are known of an ordinary pass that ASKED. */
static enum err read_doubted(struct mime_job *job, mime_readings *doubts, mime_readings asked)
{
    const mime_readings any = 1u << MIME_READING_ANY_DELIMITER;
    struct tried *tried = mem_new(1, sizeof(*tried));
    struct passes *done = mem_resize(NULL, 1, sizeof(*done)); /* what is used of it is cleared before */
    enum err e = tried && done ? ERR_OK : ERR_NOMEM;
    mime_readings next;
    if (e == ERR_OK) {
        done->count = 0;
        remember(done, 0, asked);
        tried->sets[0] = 1;
    }
    while (e == ERR_OK && mime_run_may(job->run) &&
           (choose(*doubts & ~any, tried, &tried->declared, &next) ||
            (!job->run->any_full && choose(*doubts, tried, &tried->all, &next)))) {
        if (was_made(done, next)) {
            mime_run_spend(job->run, CHOICE);
            continue;
        }
        if (ends_with_any(job, *doubts, tried)) {
            e = read_once(job, 1u << MIME_READING_ANY_DELIMITER, doubts, &asked);
            mime_cut(job->run, MIME_CUT_WORK);
            break;
        }
        e = read_once(job, next, doubts, &asked);
        remember(done, next, asked);
    }
    mem_free(done);
    mem_free(tried);
    return e;
}

static enum err read_all(struct mime_job *job, mime_readings *doubts)
{
    mime_readings asked;
    *doubts = line_doubts(job);
    if (!mime_run_may(job->run))
        return ERR_OK;
    enum err e = read_once(job, 0, doubts, &asked);
    return e == ERR_OK && *doubts != 0 ? read_doubted(job, doubts, asked) : e;
}

/* The message without its NULs, as readers see it that drop them. */
static enum err read_without_nul(struct mime_job *job)
{
    struct buf copy;
    enum err e = ERR_OK;
    buf_init(&copy, mime_run_room(job->run));
    struct span rest = job->message;
    while (rest.len > 0 && e == ERR_OK) {
        size_t nul = span_find(rest, '\0');
        e = buf_append(&copy, span_sub(rest, 0, nul));
        rest = span_sub(rest, nul + 1, rest.len);
    }
    if (e == ERR_FULL) {
        mime_cut(job->run, MIME_CUT_DECODED);
        e = ERR_OK;
    } else if (e == ERR_OK) {
        struct mime_job inner = *job;
        inner.seen = (struct mime_extents){0};
        inner.message = buf_span(&copy);
        if (job->outermost)
            inner.extent = job->message.len;
        inner.outermost = false;
        inner.inherited |= 1u << MIME_READING_WITHOUT_NUL;
        e = mime_job_run(&inner);
    }
    buf_release(&copy);
    return e;
}

/* A message that is UTF-16 or UTF-32 has no headers that an ordinary reader would see. */
static enum err read_wide(struct mime_job *job)
{
    struct mime_piece *piece = mem_new(1, sizeof(*piece));
    if (!piece)
        return ERR_NOMEM;
    snprintf(piece->path, sizeof(piece->path), "1");
    snprintf(piece->part.type, sizeof(piece->part.type), "text/plain");
    piece->part.content = MIME_CONTENT_WIDE_TEXT;
    piece->part.extent = job->message.len;
    enum err e = mime_piece_look_inside(job, piece, job->message);
    mem_free(piece);
    return e;
}

/* Whether something was seen in RUN that makes carving worth it, whatever else a message looks like. */
static bool odd_so_far(const struct mime_run *run)
{
    const mime_defects odd = mime_defect_bit(MIME_DEFECT_NO_BLANK_LINE) |
                             mime_defect_bit(MIME_DEFECT_BOUNDARY_MISSING) |
                             mime_defect_bit(MIME_DEFECT_CLOSE_MISSING) | mime_defect_bit(MIME_DEFECT_BASE64_PADDING) |
                             mime_defect_bit(MIME_DEFECT_BASE64_JUNK) | mime_defect_bit(MIME_DEFECT_ENCODING_UNKNOWN) |
                             mime_defect_bit(MIME_DEFECT_DELIMITER_UNKNOWN);
    return (run->report->defects & odd) != 0;
}

enum err mime_job_run(struct mime_job *job)
{
    mime_readings doubts = 0;
    bool known = false;
    enum err e = ERR_OK;
    if (!job->outermost)
        e = mime_known_add(job, odd_so_far(job->run), &known);
    if (e != ERR_OK || known)
        return e;
    bool wide = job->outermost && mime_wide_of(job->message) != MIME_WIDE_NONE;
    if (wide)
        e = read_wide(job);
    if (e == ERR_OK)
        e = read_all(job, &doubts);
    bool odd_message = doubts != 0 || odd_so_far(job->run);
    if (e == ERR_OK && odd_message && !job->carved && mime_run_may(job->run))
        e = mime_carve(job);
    bool dropped = (job->inherited & 1u << MIME_READING_WITHOUT_NUL) != 0;
    bool nul = !dropped && !wide && span_find(job->message, '\0') < job->message.len;
    if (e == ERR_OK && nul && mime_run_may(job->run))
        e = read_without_nul(job);
    mime_extents_release(&job->seen);
    return e;
}

/* What is true of RUN's report once all is done. */
static void complete(struct mime_run *run)
{
    struct mime_report *report = run->report;
    mime_extents_release(&run->ordinary);
    mime_knowns_release(run);
    if (run->any_full)
        mime_cut(run, MIME_CUT_PARTS);
    if (report->cut != 0)
        report->defects |= mime_defect_bit(MIME_DEFECT_LIMIT);
    for (unsigned d = 0; d < MIME_DEFECT_COUNT; d++)
        if (mime_defects_have(report->defects, (enum mime_defect)d) && report->counts[d] == 0)
            report->counts[d] = 1;
}

enum err mime_split_found(const struct mime_part *found, const struct mime_limits *limits, mime_part_sink *sink,
                          void *arg, struct mime_report *report)
{
    struct mime_run run = {.limits = limits, .sink = sink, .arg = arg, .report = report};
    struct mime_job job = {.run = &run, .message = found->octets, .prefix = ""};
    struct mime_piece *piece = mem_new(1, sizeof(*piece));
    if (!piece)
        return ERR_NOMEM;
    piece->part = *found;
    mime_type_parse(span_cstr(found->type), &piece->type);
    piece->part.defects |= piece->type.defects & mime_type_verdicts();
    snprintf(piece->path, sizeof(piece->path), "%s", found->path);
    mime_piece_add_charset(piece, span_cstr(found->charset));
    enum err e = ERR_OK;
    if (mime_run_may(&run) && mime_run_spend(&run, found->octets.len))
        e = mime_piece_hand_out(&job, piece, found->octets, true);
    if (e == ERR_OK && mime_content_matters(piece->part.content))
        report->defects |= mime_defect_bit(MIME_DEFECT_READINGS_DIFFER);
    if (e == ERR_OK)
        e = mime_piece_look_inside(&job, piece, found->octets);
    complete(&run);
    mem_free(piece);
    return e;
}

enum err mime_split(struct span message, const struct mime_limits *limits, mime_part_sink *sink, void *arg,
                    struct mime_report *report)
{
    *report = (struct mime_report){0};
    struct mime_run run = {.limits = limits, .sink = sink, .arg = arg, .report = report};
    struct mime_job job = {.run = &run, .message = message, .prefix = "", .outermost = true, .extent = message.len};
    enum err e = message.len > 0 ? mime_job_run(&job) : ERR_OK;
    complete(&run);
    return e;
}
