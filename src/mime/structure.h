/* SPDX-License-Identifier: MIT */
/* One linear pass over one message in one reading: headers, multiparts, messages within the message, and the octets of
 * each body as they stand there. What another reader might see differently is noted as a doubt, so that the caller
 * knows which other readings are worth a pass. */
#ifndef MIME_STRUCTURE_H
#define MIME_STRUCTURE_H

#include "base/err.h"
#include "mime/field.h"
#include "mime/split.h"

/* A structure header: first and last occurrence, both empty where there is none, and of those between them the first
 * and the last that are like none before. */
struct mime_field {
    struct span first, last, middle[2];
    unsigned count, middles;
};
struct mime_header {
    struct mime_field type, encoding, disposition;
    mime_defects defects;
};

/* The value that READING takes. */
static inline struct span mime_field_chosen(const struct mime_field *f, mime_readings reading)
{
    bool last = (reading & 1u << MIME_READING_LAST_HEADER) != 0;
    if ((reading & 1u << MIME_READING_MIDDLE_HEADER) != 0 && f->middles > 0)
        return f->middle[last && f->middles > 1];
    return last ? f->last : f->first;
}

enum mime_body_kind {
    MIME_BODY_LEAF,
    MIME_BODY_CONTAINER, /* a multipart or message as a whole: encoded, without the delimiters that were promised, or of
                            a rare kind */
    MIME_BODY_ASIDE,     /* before the first or after the last delimiter */
};
/* Spans live as long as the message; the rest until the call returns. */
struct mime_body {
    enum mime_body_kind kind;
    const struct mime_header *header;
    struct mime_type type; /* in this reading */
    struct span encoding;  /* value of the Content-Transfer-Encoding in this reading */
    const char *path;
    unsigned depth;
    struct span octets;
};
typedef enum err mime_body_sink(void *arg, const struct mime_body *body);

struct mime_structure {
    mime_readings reading;
    unsigned max_depth;
    const char *prefix;       /* of all paths: that of the part which this message is, or "" */
    bool headless;            /* the message has no headers, it is the body of a container … */
    struct span content_type; /* … with this Content-Type */
    bool unseen;              /* a pass before found a multipart whose boundary is missing or never occurs */
    bool any_line;            /* where any line of dashes may be a delimiter, it is one whatever follows */
    bool loose; /* this pass or one before found one whose boundary is missing, or is written so that readers differ */
    uint64_t *work;    /* spent; gains what is looked at … */
    uint64_t max_work; /* … and must not pass this */
    /* Out: */
    mime_readings asked;  /* ways that it depended on: a pass that has the same of these finds the same */
    mime_readings doubts; /* ways in which a pass might find other bodies */
    mime_defects defects;
    unsigned depth;          /* deepest level that was entered */
    bool too_deep, too_long; /* max_depth or max_work was reached: bodies are missing, or are taken whole */
    bool too_many;           /* parameters of one Content-Type, or forms of one boundary: that which counts may be
                                among those that were left out */
};

/* Calls SINK for each body, children before the container that is given as a whole. ERR_OK, ERR_NOMEM, or what SINK
 * said. */
enum err mime_structure_read(struct mime_structure *s, struct span message, mime_body_sink *sink, void *arg) must_use;

#endif
