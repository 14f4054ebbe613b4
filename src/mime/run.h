/* SPDX-License-Identifier: MIT */
/* What the files of the splitter share: one call of mime_split (run), one message in it (job), the set of extents that
 * were done. Only for src/mime. */
#ifndef MIME_RUN_H
#define MIME_RUN_H

#include "base/buf.h"
#include "mime/structure.h"

/* Extents and what was done with them. */
struct mime_extent {
    size_t offset, length;
    unsigned how; /* 0: a free place */
};
struct mime_extents {
    struct mime_extent *items;
    size_t count, room; /* room is a power of two, or 0 */
};
/* True: it was not there, and is now. At most MAX are kept: beyond that *full is set and the answer is false. */
enum err mime_extents_add(struct mime_extents *set, struct mime_extent one, size_t max, bool *added,
                          bool *full) must_use;
void mime_extents_release(struct mime_extents *set);

struct mime_run {
    const struct mime_limits *limits;
    mime_part_sink *sink;
    void *arg;
    struct mime_report *report;
    unsigned decodings;           /* levels that are being decoded now */
    unsigned any;                 /* parts of readings in which any line may be a delimiter */
    bool any_full;                /* as many as those may have: half of all, so that others have the rest */
    struct mime_extents ordinary; /* contents that matter and that the ordinary reading extracts: {hash, length} */
    struct mime_knowns *knowns;   /* messages inside parts that were read; NULL: none yet */
};

struct mime_job {
    struct mime_run *run;
    struct span message;
    const char *prefix; /* of its paths */
    unsigned depth;     /* of the part that it is */
    bool headless;      /* as in mime_structure */
    struct span content_type;
    bool outermost;
    bool carved;             /* it was carved out of another, and is not carved again */
    size_t offset, extent;   /* in the outermost message, of the part that it was decoded from */
    mime_readings inherited; /* by which that part was found */
    mime_readings reading;   /* of the pass under way */
    bool unseen;             /* as in mime_structure, to the ordinary reader */
    bool loose;              /* as in mime_structure, to any reader so far */
    struct mime_extents seen;
};

/* What was put together by our own suspicion accuses nobody. */
static inline bool mime_job_is_quiet(const struct mime_job *job)
{
    return (job->inherited & 1u << MIME_READING_CARVED) != 0;
}

enum { MIME_CHARSETS = 12, MIME_CHARSET_SIZE = 48 };

/* A part on its way to the sink, with what is needed to look further inside. */
struct mime_piece {
    struct mime_part part;
    struct mime_type type;
    struct span content_type; /* as it stands */
    bool too_many;            /* parameters in its headers: its name may be among those that were not read */
    unsigned charsets_count;
    char charsets[MIME_CHARSETS][MIME_CHARSET_SIZE]; /* all that are named, in whatever form; no two are alike */
    char path[MIME_PATH_SIZE];
};

/* known.c: notes that JOB is going to be read. *known: it was, with the same outcome, and need not be again. ODD:
 * something odd was seen before, so that it is carved in any case. */
enum err mime_known_add(struct mime_job *job, bool odd, bool *known) must_use;
void mime_knowns_release(struct mime_run *run);
/* part.c: quick, and no secret to whoever builds a mail. */
uint64_t mime_hash(struct span s);
/* split.c: all readings of one message; of one inside another only what was not read before. */
enum err mime_job_run(struct mime_job *job) must_use;
/* body.c: decodes a body in all the ways that somebody might, and hands the results out. */
enum err mime_body_take(struct mime_job *job, const struct mime_body *body) must_use;
/* carve.c: encoded runs without regard to structure. */
enum err mime_carve(struct mime_job *job) must_use;
/* part.c: judges and hands out octets; then what is inside them. DECODED: they are not the message's own. */
enum err mime_piece_hand_out(struct mime_job *job, struct mime_piece *piece, struct span octets, bool decoded) must_use;
enum err mime_piece_look_inside(struct mime_job *job, struct mime_piece *piece, struct span octets) must_use;
/* part.c: files in TEXT (uuencode, yEnc, BinHex), as parts inside PIECE. */
enum err mime_piece_open_inlines(struct mime_job *job, const struct mime_piece *piece, struct span text) must_use;
/* part.c: type, charset, names and defects of an entity's headers. */
enum err mime_piece_describe(struct mime_piece *piece, const struct mime_header *header,
                             const struct mime_type *type) must_use;
/* charsets.c: one charset more, if there is a letter or digit; beyond MIME_CHARSETS there are too many parameters. */
void mime_piece_add_charset(struct mime_piece *piece, struct span charset);
/* charsets.c: all that readers might take for the parameter in VALUE, of which PARAMETERS are. */
void mime_piece_collect_charsets(struct mime_piece *piece, struct span value, const struct mime_parameters *parameters);
/* part.c: whether it makes a difference when only some readers extract content of this kind. */
bool mime_content_matters(enum mime_content c);
/* body.c: EXTENT of the job's message in the way HOW; hands it out and looks inside. */
struct mime_how {
    enum mime_encoding encoding;
    unsigned mode;         /* of base64 or quoted-printable */
    mime_readings reading; /* GUESSED, VARIANT, CARVED … beside the job's */
    bool certain;          /* all decoders make the same of it */
};
enum err mime_decode_as(struct mime_job *job, struct mime_piece *piece, struct span extent,
                        struct mime_how how) must_use;

static inline void mime_cut(struct mime_run *run, enum mime_cut cut)
{
    run->report->cut |= (unsigned)cut;
}
/* Whether going on makes sense. */
static inline bool mime_run_may(const struct mime_run *run)
{
    return (run->report->cut & (MIME_CUT_DECODED | MIME_CUT_WORK | MIME_CUT_PARTS)) == 0;
}
/* Counts OCTETS that are looked at; false: that is too much. */
static inline bool mime_run_spend(struct mime_run *run, uint64_t octets)
{
    run->report->work += octets;
    if (run->report->work <= run->limits->work)
        return true;
    mime_cut(run, MIME_CUT_WORK);
    return false;
}
/* How many octets may still be decoded; no buffer of the splitter is allowed more. */
static inline size_t mime_run_room(const struct mime_run *run)
{
    uint64_t spent = run->report->decoded, all = run->limits->decoded;
    return spent < all ? (size_t)(all - spent) : 0;
}

#endif
