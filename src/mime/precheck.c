/* SPDX-License-Identifier: MIT */
/* The pass in front of a library. A header block may begin at the message's begin, after any line that begins with two
 * dashes, and after the headers of a message within the message; it ends with an empty line. Lines that are no headers
 * do not end it: that would be one reader's opinion. */
#include "mime/precheck.h"
#include "mime/field.h"
#include "mime/lines.h"
#include <stdint.h>

struct level {
    uint64_t boundary; /* hash of its boundary; 0: a message, or a boundary that was not understood */
    bool digest;       /* its parts are messages where they do not say otherwise */
};

struct check {
    struct mime_precheck result;
    struct span message;
    struct level levels[LIMIT_MIME_DEPTH];
    size_t depth;
    bool in_block;
    size_t fields, field_begin; /* of the block; field_begin SIZE_MAX: no field yet */
    bool multipart, digest, encapsulates;
    uint64_t boundary;
    bool dashes; /* lines of nothing but dashes may be delimiters */
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

/* Groups and comments of an address field: colons outside quotes, and how deep comments are. */
static size_t count_groups(struct span s)
{
    size_t groups = 0, depth = 0, deepest = 0;
    bool quoted = false;
    for (size_t i = 0; i < s.len; i++) {
        char ch = s.ptr[i];
        if (ch == '\\')
            i++;
        else if (ch == '"')
            quoted = !quoted;
        else if (ch == ':' && !quoted)
            groups++;
        else if (ch == '(' && !quoted)
            deepest = ++depth > deepest ? depth : deepest;
        else if (ch == ')' && depth > 0)
            depth--;
    }
    return groups > deepest ? groups : deepest;
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

/* The boundary of a Content-Type, as far as it is plain; otherwise 0, and its multipart never ends: deeper than it is,
 * not less deep. */
static uint64_t boundary_of(struct span value)
{
    size_t at = 0;
    while (at < value.len) {
        struct span rest = span_sub(value, at, value.len);
        size_t hit = span_find(rest, ';');
        rest = mime_trim(span_sub(rest, hit + 1, rest.len));
        at = value.len - rest.len;
        if (hit == value.len || rest.len == 0)
            return 0;
        if (!span_starts_nocase(rest, SPAN("boundary")))
            continue;
        rest = mime_trim(span_sub(rest, 8, rest.len));
        if (rest.len == 0 || rest.ptr[0] != '=')
            continue;
        rest = mime_trim(span_sub(rest, 1, rest.len));
        bool quoted = rest.len > 0 && rest.ptr[0] == '"';
        rest = span_sub(rest, quoted, rest.len);
        size_t n = 0;
        while (n < rest.len && rest.ptr[n] != (quoted ? '"' : ';') && (quoted || !mime_is_space(rest.ptr[n])))
            n++;
        struct span boundary = trim_end(span_sub(rest, 0, n));
        return boundary.len > 0 && span_find(boundary, '\\') == boundary.len ? hash_of(boundary) : 0;
    }
    return 0;
}

/* The word WORD in any case somewhere in the first kilobyte of S. */
static bool mentions(struct span s, struct span word)
{
    s = span_sub(s, 0, 1024);
    for (size_t i = 0; i + word.len <= s.len; i++)
        if (span_starts_nocase(span_sub(s, i, s.len), word))
            return true;
    return false;
}

/* The field that ends at END. */
static void end_field(struct check *c, size_t end)
{
    if (c->field_begin == SIZE_MAX)
        return;
    size_t begin = c->field_begin;
    c->field_begin = SIZE_MAX;
    struct span field = span_sub(c->message, begin, end - begin);
    note(c, &c->result.field, field.len, LIMIT_MIME_FIELD, MIME_CAP_FIELD, begin);
    size_t colon = span_find(span_sub(field, 0, 256), ':');
    struct span name = mime_trim(span_sub(field, 0, colon)), value = span_sub(field, colon + 1, field.len);
    if (span_starts_nocase(name, SPAN("content-")))
        note(c, &c->result.parameters, count(value, ';'), LIMIT_MIME_PARAMETERS, MIME_CAP_PARAMETERS, begin);
    if (is_address_field(name))
        note(c, &c->result.groups, count_groups(value), LIMIT_MIME_GROUPS, MIME_CAP_GROUPS, begin);
    if (!span_eq_nocase(name, SPAN("content-type")))
        return;
    c->encapsulates = c->encapsulates || mentions(value, SPAN("message"));
    if (mentions(value, SPAN("multipart"))) {
        c->multipart = true;
        c->digest = c->digest || mentions(value, SPAN("digest"));
        c->boundary = boundary_of(value);
    }
}

static void begin_block(struct check *c)
{
    c->in_block = true;
    c->fields = 0;
    c->field_begin = SIZE_MAX;
    c->multipart = c->digest = c->encapsulates = false;
    c->boundary = 0;
}

static void push(struct check *c, struct level level, size_t offset)
{
    note(c, &c->result.depth, c->depth + 1, LIMIT_MIME_DEPTH, MIME_CAP_DEPTH, offset);
    if (c->depth < LIMIT_MIME_DEPTH)
        c->levels[c->depth++] = level;
}

/* An empty line at AT ended a header block. */
static void end_block(struct check *c, size_t at)
{
    bool digest = c->depth > 0 && c->fields == 0 && c->levels[c->depth - 1].digest;
    c->in_block = false;
    if (c->multipart)
        push(c, (struct level){c->boundary, c->digest}, at);
    if (c->encapsulates)
        push(c, (struct level){0}, at);
    /* Headers may follow: of the message inside, or of a digest's message, whose part has none of its own. */
    if (c->encapsulates || digest)
        begin_block(c);
}

/* A line that begins with "--". It ends the block before it and may begin one. */
static void delimiter(struct check *c, struct span line, size_t at)
{
    struct span text = trim_end(span_sub(line, 2, line.len));
    bool closes = text.len >= 2 && text.ptr[text.len - 1] == '-' && text.ptr[text.len - 2] == '-';
    uint64_t whole = hash_of(text), inner = closes ? hash_of(span_sub(text, 0, text.len - 2)) : 0;
    size_t level = c->depth;
    while (level > 0 && c->levels[level - 1].boundary != whole &&
           !(closes && c->levels[level - 1].boundary == inner && inner != 0))
        level--;
    if (level > 0) {
        bool close = c->levels[level - 1].boundary != whole;
        c->depth = close ? level - 1 : level;
        if (!close)
            note(c, &c->result.parts, c->result.parts + 1, LIMIT_MIME_PARTS, MIME_CAP_PARTS, at);
    }
    if (c->in_block)
        end_field(c, at);
    size_t dashes = 0;
    while (dashes < text.len && text.ptr[dashes] == '-')
        dashes++;
    if (dashes < text.len || c->dashes || level > 0)
        begin_block(c);
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
        if (c->field_begin == SIZE_MAX)
            c->field_begin = at;
        return;
    }
    end_field(c, at);
    c->field_begin = at;
    size_t colon = span_find(span_sub(line, 0, 1024), ':');
    if (colon == line.len || colon == 1024)
        return;
    c->fields++;
    note(c, &c->result.headers, c->fields, LIMIT_MIME_HEADERS, MIME_CAP_HEADERS, at);
}

/* Whether a boundary might be nothing but dashes: then a line of dashes begins a part, which it otherwise does in every
 * second text. */
static bool dashes_may_delimit(struct span message)
{
    size_t at = 0;
    while (at < message.len) {
        struct span rest = span_sub(message, at, message.len);
        size_t hit = span_find(rest, '=');
        if (hit == rest.len)
            return false;
        struct span value = mime_trim(span_sub(rest, hit + 1, 8));
        size_t from = at + hit > 32 ? at + hit - 32 : 0; /* a name and some blanks */
        struct span name = trim_end(span_sub(message, from, at + hit - from));
        /* Quoted-printable text is full of '=': the character before it decides most of them. */
        char last = name.len > 0 ? char_lower(name.ptr[name.len - 1]) : '\0';
        if (last != '*' && last != 'y' && !char_is_digit(last)) {
            at += hit + 1;
            continue;
        }
        bool encoded = mentions(name, SPAN("boundary*")); /* whatever that comes to */
        if (encoded)
            return true;
        while (value.len > 0 && (value.ptr[0] == '"' || value.ptr[0] == '-'))
            value = span_sub(value, 1, value.len);
        if (span_ends_nocase(name, SPAN("boundary")) &&
            (value.len == 0 || !(char_is_alnum(value.ptr[0]) || strchr("=_'+.,/:?()", value.ptr[0]))))
            return true;
        at += hit + 1;
    }
    return false;
}

struct mime_precheck mime_precheck(struct span message)
{
    struct check c = {.message = message};
    size_t at = 0;
    c.dashes = dashes_may_delimit(message);
    begin_block(&c);
    while (at < message.len && c.result.broken == MIME_CAP_NONE) {
        if (!c.in_block) { /* bodies are passed over from dashes to dashes */
            at = mime_dashes_find(message, at);
            if (at >= message.len)
                break;
            if (!mime_line_begins(message, MIME_ENDS_ANY, at)) {
                while (at < message.len && message.ptr[at] == '-')
                    at++;
                continue;
            }
        }
        struct mime_line line = mime_line_at(message, MIME_ENDS_ANY, at);
        if (span_starts(line.text, SPAN("--")))
            delimiter(&c, line.text, at);
        else if (c.in_block)
            block_line(&c, line.text, at);
        at = line.next;
    }
    if (c.in_block)
        end_field(&c, message.len);
    return c.result;
}
