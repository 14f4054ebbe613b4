/* SPDX-License-Identifier: MIT */
/* Messages through the splitter, and what comes out as one line of text. */
#ifndef UNIT_MIME_SPLIT_RIG_H
#define UNIT_MIME_SPLIT_RIG_H

#include "base/buf.h"
#include "mime/split.h"

struct rig {
    struct buf text; /* "path=octets;" for each part, control characters as '.' */
    struct mime_report report;
    enum err stop;       /* what the sink says … */
    unsigned stop_after; /* … from this part on */
    unsigned parts;
    struct span wanted;     /* … */
    bool found;             /* a part is these octets exactly */
    mime_readings readings; /* of the first such part */
};

static inline enum err rig_take(void *arg, const struct mime_part *part)
{
    struct rig *r = arg;
    char shown[65];
    size_t n = 0;
    for (; n < part->octets.len && n < 64; n++)
        shown[n] = char_is_print(part->octets.ptr[n]) ? part->octets.ptr[n] : '.';
    shown[n] = '\0';
    if (buf_printf(&r->text, "%s=%s;", part->path, shown) != ERR_OK)
        return ERR_FULL;
    if (!r->found && span_eq(part->octets, r->wanted)) {
        r->found = true;
        r->readings = part->readings;
    }
    r->parts++;
    return r->parts > r->stop_after ? r->stop : ERR_OK;
}

/* The message in memory of exactly its size, so that a checker sees an octet too far. Give back with rig_release. */
static inline enum err rig_split_limited(struct rig *r, struct span message, const struct mime_limits *limits)
{
    char *exact = malloc(message.len ? message.len : 1);
    if (!exact)
        return ERR_NOMEM;
    if (message.len)
        memcpy(exact, message.ptr, message.len);
    buf_init(&r->text, 1 << 20);
    r->parts = 0;
    r->found = false;
    enum err e = mime_split(span_of(exact, message.len), limits, rig_take, r, &r->report);
    free(exact);
    return e;
}

static inline enum err rig_split(struct rig *r, struct span message)
{
    struct mime_limits limits = mime_limits_for(message.len);
    return rig_split_limited(r, message, &limits);
}

static inline bool rig_text_is(const struct rig *r, const char *text)
{
    bool same = span_eq(buf_span(&r->text), span_cstr(text));
    if (!same)
        fprintf(stderr, "found    %.*s\nexpected %s\n", SPAN_ARG(buf_span(&r->text)), text);
    return same;
}

static inline void rig_release(struct rig *r)
{
    buf_release(&r->text);
}

#endif
