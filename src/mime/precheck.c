/* SPDX-License-Identifier: MIT */
/* The pass in front of a library. A header block may begin at the message's begin, after any line that begins with two
 * dashes, and after the headers of a message within the message; it ends with an empty line. Lines that are no headers
 * do not end it: that would be one reader's opinion. Lines end with LF, as they do for the library that this is in
 * front of: to it a CR is part of a line, however long that gets. */
#include "mime/precheck.h"
#include "mime/field.h"
#include "mime/lines.h"
#include <stdint.h>

struct level {
    uint64_t boundary; /* hash of its boundary; 0: a message, or a boundary that was not understood … */
    bool unknown;      /* … which this is */
    bool digest;       /* its parts are messages where they do not say otherwise */
};

struct check {
    struct mime_precheck result;
    struct span message;
    struct level levels[LIMIT_MIME_DEPTH];
    size_t depth;
    bool in_block;
    size_t fields, field_begin; /* of the block; field_begin SIZE_MAX: no field yet */
    bool untyped;               /* no Content-Type since the last line that may be a delimiter */
    bool certain;               /* the library sees headers here, too, and no end of them in between */
    bool glued;                 /* the field has a fold with dashes: the next may be taken for more of it … */
    size_t before, semicolons;  /* … which then begins with this many octets and semicolons */
    size_t types, groups;       /* Content-Type fields of the block; groups in all its address fields */
    bool multipart, digest, encapsulates; /* what its fields say until now … */
    bool guessed;                         /* … by some readers only … */
    bool opened;                          /* … and a message was opened that they spoke of */
    uint64_t boundary;
};

static void broken(struct check *c, enum mime_cap cap, size_t offset)
{
    if (c->result.broken != MIME_CAP_NONE)
        return;
    c->result.broken = cap;
    c->result.offset = offset;
}

static void note(struct check *c, size_t *most, size_t now, size_t cap, enum mime_cap which, size_t offset)
{
    *most = now > *most ? now : *most;
    if (now > cap)
        broken(c, which, offset);
}

static uint64_t hash_of(struct span s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.ptr[i]) * 0x100000001b3u;
    return h ? h : 1;
}

static struct span trim_end(struct span s)
{
    while (s.len > 0 && mime_is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static size_t count(struct span s, char c)
{
    size_t n = 0;
    while (s.len > 0) {
        size_t hit = span_find(s, c);
        n += hit < s.len;
        s = span_sub(s, hit + 1, s.len);
    }
    return n;
}

/* Groups of an address field, colons outside quotes, and how deep its comments are. Where quotes do not stand as they
 * should, a reader may see another end of them, and every colon counts. */
static size_t count_groups(struct span s, size_t *deepest)
{
    size_t groups = 0, depth = 0;
    bool quoted = false, odd = false;
    *deepest = 0;
    for (size_t i = 0; i < s.len; i++) {
        char ch = s.ptr[i];
        if (ch == '\\') {
            odd = odd || !quoted;
            i++;
        } else if (ch == '"') {
            odd = odd || (!quoted && i > 0 && !mime_is_space(s.ptr[i - 1]) &&
                          (s.ptr[i - 1] == '\0' || !strchr(",;:<", s.ptr[i - 1])));
            quoted = !quoted;
        } else if (ch == ':' && !quoted) {
            groups++;
        } else if (ch == '(' && !quoted) {
            *deepest = ++depth > *deepest ? depth : *deepest;
            odd = true; /* there may be quotes in it that do not count */
        } else if (ch == ')' && depth > 0) {
            depth--;
        }
    }
    return odd || quoted ? count(s, ':') : groups;
}

static bool is_address_field(struct span name)
{
    static const char *const names[] = {"from",
                                        "sender",
                                        "reply-to",
                                        "to",
                                        "cc",
                                        "bcc",
                                        "errors-to",
                                        "return-path",
                                        "disposition-notification-to",
                                        "mail-followup-to"};
    if (span_starts_nocase(name, SPAN("resent-")))
        name = span_sub(name, 7, name.len);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (span_eq_nocase(name, span_cstr(names[i])))
            return true;
    return false;
}

/* A Content-Type that all read alike is what it says. Any other may be one of a multipart or message by any word in it,
 * and its boundary is 0: its multipart never ends; deeper than it is, not less deep. */
static void content_type(struct check *c, struct span value)
{
    struct span boundary, type = mime_trim(value);
    bool plain = mime_type_is_plain(value, &boundary);
    if (plain)
        type = span_sub(type, 0, span_find(type, ';'));
    bool multipart = plain ? span_starts_nocase(type, SPAN("multipart/")) : mime_mentions(type, SPAN("multipart"));
    bool message = plain ? span_starts_nocase(type, SPAN("message/")) : mime_mentions(type, SPAN("message"));
    c->multipart = c->multipart || multipart;
    c->encapsulates = c->encapsulates || message;
    c->guessed = c->guessed || (message && !plain);
    c->digest = c->digest || mime_mentions(type, SPAN("digest"));
    c->untyped = c->untyped && !plain;
    c->boundary = plain && c->types++ == 0 && boundary.len > 0 ? hash_of(boundary) : 0;
}

/* The field that ends at END. */
static void end_field(struct check *c, size_t end)
{
    if (c->field_begin == SIZE_MAX)
        return;
    size_t begin = c->field_begin;
    c->field_begin = SIZE_MAX;
    struct span field = span_sub(c->message, begin, end - begin);
    size_t semicolons = count(field, ';');
    note(c, &c->result.field, field.len + c->before, LIMIT_MIME_FIELD, MIME_CAP_FIELD, begin);
    size_t n = 0;
    while (n < field.len && field.ptr[n] != ':' && !mime_is_space(field.ptr[n]))
        n++;
    struct span name = span_sub(field, 0, n), value = span_sub(field, n, field.len);
    value = span_sub(value, span_find(value, ':') + 1, value.len);
    if (span_starts_nocase(name, SPAN("content-")))
        note(c, &c->result.parameters, semicolons + c->semicolons, LIMIT_MIME_PARAMETERS, MIME_CAP_PARAMETERS, begin);
    c->before = c->glued ? c->before + field.len : 0;
    c->semicolons = c->glued ? c->semicolons + semicolons : 0;
    c->glued = false;
    if (is_address_field(name)) { /* several fields of one kind make one list */
        size_t deepest;
        c->groups += count_groups(value, &deepest);
        note(c, &c->result.groups, c->groups > deepest ? c->groups : deepest, LIMIT_MIME_GROUPS, MIME_CAP_GROUPS,
             begin);
    }
    if (span_eq_nocase(name, SPAN("content-type")))
        content_type(c, value);
}

static void begin_block(struct check *c)
{
    c->in_block = true;
    c->fields = c->types = c->groups = 0;
    c->field_begin = SIZE_MAX;
    c->untyped = true;
    c->multipart = c->digest = c->encapsulates = c->opened = c->glued = c->guessed = false;
    c->before = c->semicolons = 0;
    c->boundary = 0;
}

static void push(struct check *c, struct level level, size_t offset)
{
    note(c, &c->result.depth, c->depth + 1, LIMIT_MIME_DEPTH, MIME_CAP_DEPTH, offset);
    if (c->depth < LIMIT_MIME_DEPTH)
        c->levels[c->depth++] = level;
}

/* What the block has said until now opens levels. */
static void push_pending(struct check *c, size_t at)
{
    uint64_t boundary = c->certain ? c->boundary : 0;
    /* A part of a digest that says nothing of its type is a message. Which multipart it is in may be in doubt. */
    for (size_t i = 0; i < c->depth && c->untyped; i++)
        if (c->levels[i].digest) {
            c->encapsulates = true;
            c->guessed = c->guessed || i + 1 < c->depth;
        }
    if (c->multipart)
        push(c, (struct level){boundary, boundary == 0, c->digest}, at);
    if (c->encapsulates)
        push(c, (struct level){0}, at);
    c->opened = c->opened || c->encapsulates;
    c->multipart = c->encapsulates = c->digest = false;
}

/* An empty line at AT ended a header block. */
static void end_block(struct check *c, size_t at)
{
    c->in_block = false;
    push_pending(c, at);
    bool certain = c->certain && !c->guessed;
    if (c->opened)
        begin_block(c); /* of the message inside */
    c->certain = certain;
}

/* The innermost level with this boundary, counted from 1; 0: none. */
static size_t level_of(const struct check *c, uint64_t boundary)
{
    size_t level = c->depth;
    while (level > 0 && c->levels[level - 1].boundary != boundary)
        level--;
    return level;
}

/* A line that begins with "--". It may begin a block of headers. */
static void delimiter(struct check *c, struct span line, size_t at)
{
    struct span text = trim_end(span_sub(line, 2, line.len));
    bool closes = text.len >= 2 && text.ptr[text.len - 1] == '-' && text.ptr[text.len - 2] == '-';
    uint64_t whole = hash_of(text), inner = closes ? hash_of(span_sub(text, 0, text.len - 2)) : 0;
    /* Among headers the line is junk to the library unless it knows the boundary, which may be the one of these very
     * headers: the block goes on, and what it has said until now is open. */
    if (c->in_block) {
        c->certain = false;
        push_pending(c, at);
    }
    c->untyped = true;
    size_t opens = level_of(c, whole), ends = closes ? level_of(c, inner) : 0, unknown = c->depth;
    while (unknown > 0 && !c->levels[unknown - 1].unknown)
        unknown--;
    if (opens > 0 || unknown > 0)
        note(c, &c->result.parts, c->result.parts + 1, LIMIT_MIME_PARTS, MIME_CAP_PARTS, at);
    /* An unknown boundary further in may be the same as this one; what opens by one boundary may end by another. */
    bool certain = (opens > unknown) != (ends > unknown) && (opens == 0 || ends == 0);
    if (certain)
        c->depth = opens > 0 ? opens : ends - 1;
    if (c->in_block || (certain && ends > 0))
        return;
    size_t dashes = 0;
    while (dashes < text.len && text.ptr[dashes] == '-')
        dashes++;
    /* Lines of dashes stand in every second text. */
    if (dashes < text.len || opens > 0 || ends > 0 || unknown > 0) {
        begin_block(c);
        c->certain = certain;
    }
}

/* LINE of a header block. */
static void block_line(struct check *c, struct span line, size_t at)
{
    if (trim_end(line).len == 0) {
        if (line.len == 0) {
            end_field(c, at);
            end_block(c, at);
        }
        return;
    }
    if (char_is_blank(line.ptr[0])) {
        if (c->field_begin == SIZE_MAX) { /* nothing to go on with: a field of its own */
            c->field_begin = at;
            note(c, &c->result.headers, ++c->fields, LIMIT_MIME_HEADERS, MIME_CAP_HEADERS, at);
        }
        /* Where its buffer happens to end there, GMime takes these for delimiters. */
        struct span text = mime_trim(line);
        if (span_starts(text, SPAN("--"))) {
            c->glued = true;
            delimiter(c, text, at);
        }
        return;
    }
    end_field(c, at);
    c->field_begin = at;
    size_t n = 0;
    while (n < line.len && (unsigned char)line.ptr[n] > ' ' && line.ptr[n] != ':')
        n++;
    while (n < line.len && (unsigned char)line.ptr[n] <= ' ')
        n++;
    if (n == line.len || line.ptr[n] != ':') /* junk, which is passed over */
        return;
    c->fields++;
    note(c, &c->result.headers, c->fields, LIMIT_MIME_HEADERS, MIME_CAP_HEADERS, at);
}

struct mime_precheck mime_precheck(struct span message)
{
    struct check c = {.message = message};
    size_t at = 0;
    c.certain = true;
    begin_block(&c);
    while (at < message.len && c.result.broken == MIME_CAP_NONE) {
        if (!c.in_block) { /* bodies are passed over from dashes to dashes */
            at = mime_dashes_find(message, at);
            if (at >= message.len)
                break;
            if (!mime_line_begins(message, MIME_ENDS_LF, at)) {
                while (at < message.len && message.ptr[at] == '-')
                    at++;
                continue;
            }
        }
        struct mime_line line = mime_line_at(message, MIME_ENDS_LF, at);
        if (c.in_block)
            block_line(&c, line.text, at);
        if (span_starts(line.text, SPAN("--")))
            delimiter(&c, line.text, at);
        at = line.next;
    }
    if (c.in_block) {
        end_field(&c, message.len);
        end_block(&c, message.len);
    }
    return c.result;
}
