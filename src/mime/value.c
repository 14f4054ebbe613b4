/* SPDX-License-Identifier: MIT */
/* One pass over the lines of the header; each field is decoded when the next one, or the end, is seen. */
#include "mime/value.h"
#include "base/limits.h"
#include "base/mem.h"
#include "mime/field.h"
#include "mime/lines.h"
#include "mime/name.h"

/* One octet behind the limit would be a character cut: so much more is room for it. */
enum { DECODED_SIZE = LIMIT_PART_VALUE + 8 };

struct reader {
    struct span message;
    mime_converter *convert;
    mime_value_sink *sink;
    void *arg;
    size_t count, octets; /* handed out so far */
    bool full;
    bool passed_over; /* a field whose name is too long */
    struct span name; /* of the field under way; empty: none is */
    size_t value;     /* where its value begins */
    /* Not cleared: */
    char flat[LIMIT_PART_FIELD];
    char decoded[DECODED_SIZE];
    char plain[LIMIT_PART_VALUE];
};

/* RAW without its folds, and whether that is all of it. */
static struct span unfold(struct reader *r, struct span raw, bool *cut)
{
    size_t n = 0, i = 0;
    for (; i < raw.len && n < sizeof(r->flat); i++)
        if (raw.ptr[i] != '\r' && raw.ptr[i] != '\n')
            r->flat[n++] = (char)(raw.ptr[i] == '\t' ? ' ' : raw.ptr[i]);
    *cut = i < raw.len;
    return mime_trim(span_of(r->flat, n));
}

static enum err hand_out(struct reader *r, size_t end)
{
    struct mime_value value = {.name = r->name};
    bool words, unfinished, longer;
    if (r->name.len == 0)
        return ERR_OK;
    struct span flat = unfold(r, mime_trim(span_sub(r->message, r->value, end - r->value)), &unfinished);
    size_t n = mime_words_decode_with(flat, r->convert, r->decoded, sizeof(r->decoded), &words);
    struct span decoded = mime_trim(span_of(r->decoded, n));
    value.text = span_of(r->plain, mime_make_plain(decoded, r->plain, sizeof(r->plain), &longer));
    value.cut = unfinished || longer;
    r->name = (struct span){0};
    if (r->count == LIMIT_MIME_HEADERS || value.name.len + value.text.len > LIMIT_PART_VALUES - r->octets) {
        r->full = true;
        return ERR_OK;
    }
    r->count++;
    r->octets += value.name.len + value.text.len;
    return r->sink(r->arg, &value);
}

/* The name of a field that LINE begins, or nothing; *too_long: it begins one, of a name that nobody can be given. */
static struct span name_of(struct span line, bool *too_long)
{
    size_t n = 0;
    while (n < line.len && (unsigned char)line.ptr[n] > ' ' && (unsigned char)line.ptr[n] < 0x7f && line.ptr[n] != ':')
        n++;
    struct span name = span_sub(line, 0, n);
    while (n < line.len && char_is_blank(line.ptr[n]))
        n++;
    bool field = n < line.len && line.ptr[n] == ':' && name.len > 0;
    *too_long = field && name.len > LIMIT_PART_TEXT;
    return field && !*too_long ? name : (struct span){0};
}

static enum err read_lines(struct reader *r)
{
    size_t at = span_starts(r->message, SPAN("\xef\xbb\xbf")) ? 3 : 0, begin = at;
    enum err e = ERR_OK;
    while (at < r->message.len && e == ERR_OK && !r->full) {
        struct mime_line line = mime_line_at(r->message, MIME_ENDS_LF, at);
        if (line.text.len == 0 && at > begin)
            break;
        bool fold = line.text.len > 0 && char_is_blank(line.text.ptr[0]);
        if (line.text.len == 0) { /* lines in front are passed over by many readers */
            begin = line.next;
        } else if (!fold) {
            e = hand_out(r, at);
            bool too_long;
            r->name = name_of(line.text, &too_long);
            r->passed_over = r->passed_over || too_long;
            r->value = at + span_find(line.text, ':') + 1;
        }
        at = line.next;
    }
    return e == ERR_OK && !r->full ? hand_out(r, at) : e;
}

enum err mime_values_read(struct span message, mime_converter *convert, mime_value_sink *sink, void *arg, bool *more)
{
    struct reader *r = mem_resize(NULL, 1, sizeof(*r)); /* too large for a stack that others use */
    if (!r)
        return ERR_NOMEM;
    memset(r, 0, offsetof(struct reader, flat));
    r->message = message;
    r->convert = convert;
    r->sink = sink;
    r->arg = arg;
    enum err e = read_lines(r);
    *more = r->full || r->passed_over;
    mem_free(r);
    return e;
}
