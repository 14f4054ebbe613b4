/* SPDX-License-Identifier: MIT */
/* One pass, shared by the files that make it: structure.c (entities and frames), header.c (header blocks), boundary.c
 * (delimiters). Only for src/mime. */
#ifndef MIME_PASS_H
#define MIME_PASS_H

#include "mime/lines.h"
#include "mime/structure.h"

enum { MIME_FORMS = 8, MIME_CUTS = 16, MIME_BOUNDARY_OWN = 1024 };

/* A multipart or message that is open. */
struct mime_frame {
    struct mime_header header;
    struct mime_type type;
    struct span forms[MIME_FORMS]; /* of the boundary: [0] the ordinary reader's */
    unsigned forms_count, cuts_count;
    char *own;       /* where forms are that do not stand in the message … */
    size_t own_used; /* … this many octets of it */
    char *words;     /* the Content-Type with its encoded words decoded, where there are any */
    size_t body;     /* where it begins */
    unsigned children;
    bool nearly;                 /* a line begins with its boundary, and goes on */
    bool closed, whole;          /* its closing delimiter was passed; it is given as a whole at its end */
    size_t path_length;          /* of its own path */
    size_t prefix;               /* of the path, below which its children are counted */
    struct span cuts[MIME_CUTS]; /* the boundary as readers cut it off; only looked for, until a line is one of these */
};

struct mime_pass {
    struct mime_structure *s;
    struct span message;
    mime_body_sink *sink;
    void *arg;
    enum mime_line_ends ends;
    unsigned count;
    bool cuts; /* some frame had any */
    char path[MIME_PATH_SIZE];
    /* From here on nothing is cleared when a pass begins: that would cost more than the pass over a short message. */
    struct mime_parameters parameters;
    struct mime_frame frames[LIMIT_MIME_DEPTH + 1]; /* COUNT of them are in use; one around everything */
};

/* A delimiter line, or the end of the message. */
struct mime_hit {
    bool found, close;
    unsigned frame;
    size_t end;  /* of the content before it */
    size_t next; /* the line after it */
};

/* Whether it reads in the way R. Asked only where that makes a difference: what was never asked for made none. */
static inline bool mime_reads(const struct mime_pass *p, enum mime_reading r)
{
    p->s->asked |= 1u << r;
    return (p->s->reading & (1u << r)) != 0;
}

static inline void mime_doubt(struct mime_pass *p, enum mime_reading r)
{
    p->s->doubts |= 1u << r;
}

static inline void mime_note(struct mime_pass *p, enum mime_defect d)
{
    p->s->defects |= mime_defect_bit(d);
}

/* Counts what is looked at; false: that is too much. */
static inline bool mime_spend(struct mime_pass *p, uint64_t octets)
{
    *p->s->work += octets;
    if (*p->s->work <= p->s->max_work)
        return true;
    p->s->too_long = true;
    return false;
}

/* boundary.c */
/* Whether a delimiter of an open multipart stands at AT, the begin of a line; content before it begins at FROM. */
bool mime_delimiter_at(struct mime_pass *p, size_t at, size_t from, struct mime_hit *hit);
/* The next one at or after FROM, which is the begin of a line. */
struct mime_hit mime_delimiter_find(struct mime_pass *p, size_t from);
/* Notes a line at or after FROM that is a delimiter of no multipart but looks like one, where none is open. */
void mime_delimiter_suspect(struct mime_pass *p, size_t from);
/* The forms of F's boundary out of VALUE, a Content-Type. */
enum err mime_boundary_find(struct mime_pass *p, struct mime_frame *f, struct span value) must_use;

/* header.c */
/* Reads the header block at FROM; where the body begins. A delimiter inside the block ends it: *hit. */
size_t mime_header_read(struct mime_pass *p, size_t from, struct mime_header *h, struct mime_hit *hit);
/* Whether the line at AT is a header field, or the end of a header block without any. */
bool mime_header_begins(struct mime_pass *p, size_t at);
void mime_field_keep(struct mime_field *f, struct span value);

#endif
