/* SPDX-License-Identifier: MIT */
/* Base64 in the ways that decoders have been seen to read it. Ordinary input takes the short way: four letters, three
 * octets. */
#include "mime/decode.h"
#include <stdint.h>

enum { JUNK = 64, BLANK = 65, PAD = 66, SLICE = 3072 };

/* Value of each octet: 0 to 63, or one of the above. */
struct table {
    unsigned char value[256];
};

static struct table table_of(bool url)
{
    struct table t;
    memset(t.value, JUNK, sizeof(t.value));
    for (unsigned i = 0; i < 26; i++) {
        t.value['A' + i] = (unsigned char)i;
        t.value['a' + i] = (unsigned char)(26 + i);
    }
    for (unsigned i = 0; i < 10; i++)
        t.value['0' + i] = (unsigned char)(52 + i);
    t.value['+'] = 62;
    t.value['/'] = 63;
    if (url) {
        t.value['-'] = 62;
        t.value['_'] = 63;
    }
    t.value['='] = PAD;
    t.value[' '] = t.value['\t'] = t.value['\r'] = t.value['\n'] = BLANK;
    return t;
}

struct decoder {
    struct table table;
    enum mime_base64_mode mode;
    unsigned bits, letters, pads; /* of the group of four that is under way */
    char slice[SLICE];            /* decoded, on its way to the buffer */
    size_t used;
};

static void put(struct decoder *d, unsigned value)
{
    d->slice[d->used++] = (char)value;
}

/* What a group that was not completed yields: two letters are one octet, three are two. */
static void end_group(struct decoder *d)
{
    if (d->letters >= 2)
        put(d, d->bits >> (d->letters == 3 ? 10 : 4));
    if (d->letters == 3)
        put(d, d->bits >> 2);
    d->letters = 0;
    d->bits = 0;
    d->pads = 0;
}

static void letter(struct decoder *d, unsigned value)
{
    d->bits = d->bits << 6 | value;
    d->pads = 0;
    if (++d->letters < 4)
        return;
    put(d, d->bits >> 16);
    put(d, d->bits >> 8);
    put(d, d->bits);
    d->letters = 0;
    d->bits = 0;
}

/* False: the decoder stops here. */
static bool padding(struct decoder *d)
{
    if (d->mode == MIME_BASE64_IGNORE)
        return true;
    if (d->mode == MIME_BASE64_ZERO) {
        letter(d, 0);
        return true;
    }
    if (d->mode == MIME_BASE64_RESTART) {
        end_group(d);
        return true;
    }
    if (d->letters < 2 || d->letters + ++d->pads < 4)
        return true;
    end_group(d);
    return d->mode != MIME_BASE64_STOP && d->mode != MIME_BASE64_JUNK;
}

/* False: the decoder stops here. */
static bool step(struct decoder *d, unsigned char c)
{
    unsigned value = d->table.value[c];
    if (value < JUNK) {
        letter(d, value);
        return true;
    }
    if (value == PAD)
        return padding(d);
    if (d->mode == MIME_BASE64_LINES && c == '\n')
        end_group(d);
    return value == BLANK || d->mode != MIME_BASE64_JUNK;
}

static enum err flush(struct decoder *d, struct buf *out)
{
    enum err e = buf_append(out, span_of(d->slice, d->used));
    if (e == ERR_FULL && buf_append(out, span_of(d->slice, buf_room(out))) != ERR_OK)
        e = ERR_NOMEM;
    d->used = 0;
    return e;
}

/* Whole groups at once, as long as there are some; how many octets of IN they were. */
static size_t groups(struct decoder *d, struct span in)
{
    const unsigned char *p = (const unsigned char *)in.ptr, *v = d->table.value;
    size_t at = 0;
    while (at + 4 <= in.len && d->used + 8 < SLICE) {
        unsigned a = v[p[at]], b = v[p[at + 1]], c = v[p[at + 2]], e = v[p[at + 3]];
        if ((a | b | c | e) >= JUNK)
            break;
        unsigned bits = a << 18 | b << 12 | c << 6 | e;
        d->slice[d->used] = (char)(bits >> 16);
        d->slice[d->used + 1] = (char)(bits >> 8);
        d->slice[d->used + 2] = (char)bits;
        d->used += 3;
        at += 4;
    }
    if (at > 0)
        d->pads = 0;
    return at;
}

enum err mime_base64_decode(struct span in, enum mime_base64_mode mode, struct buf *out)
{
    struct decoder d = {.table = table_of(mode == MIME_BASE64_URL), .mode = mode};
    enum err e = ERR_OK;
    bool more = true;
    size_t at = 0;
    while (at < in.len && more && e == ERR_OK) {
        if (d.letters == 0)
            at += groups(&d, span_sub(in, at, in.len));
        if (at < in.len && d.used + 8 < SLICE)
            more = step(&d, (unsigned char)in.ptr[at++]);
        if (d.used + 8 >= SLICE)
            e = flush(&d, out);
    }
    end_group(&d);
    if (e == ERR_OK)
        e = flush(&d, out);
    return e;
}

/* Whether what follows a padding is more base64: a line of it, rather than words. */
static bool looks_like_more(const struct table *t, struct span rest)
{
    size_t letters = 0;
    for (size_t i = 0; i < rest.len && letters < 16; i++) {
        unsigned value = t->value[(unsigned char)rest.ptr[i]];
        if (value == JUNK || (value == BLANK && char_is_blank(rest.ptr[i])))
            return false;
        letters += value < JUNK || value == PAD;
        if (rest.ptr[i] == '\n' && letters > 0)
            return letters % 4 == 0;
    }
    return letters >= 4;
}

void mime_base64_look(struct span in, struct mime_base64 *look)
{
    struct table t = table_of(false);
    size_t line = 0;
    bool uneven = false, padded = false, footer = false;
    *look = (struct mime_base64){0};
    for (size_t i = 0; i < in.len; i++) {
        const unsigned char *p = (const unsigned char *)in.ptr + i;
        if (!padded && !uneven && i + 4 < in.len &&
            (t.value[p[0]] | t.value[p[1]] | t.value[p[2]] | t.value[p[3]]) < JUNK) {
            look->letters += 4; /* the ordinary case, by groups */
            line += 4;
            i += 3;
            continue;
        }
        unsigned char c = p[0];
        unsigned value = t.value[c];
        if (value < JUNK) {
            look->letters++;
            look->uneven = look->uneven || uneven;
            uneven = false;
            line++;
            if (padded && look->after++ == 0)
                look->continues = !footer && looks_like_more(&t, span_sub(in, i, 256));
        } else if (value == PAD) {
            line++;
            look->pads++;
            padded = true;
        } else if (value == JUNK) {
            look->junk++;
            footer = footer || padded;
            look->url += c == '-' || c == '_';
        } else if (char_is_blank((char)c)) {
            look->blanks++;
        } else if (c == '\n') {
            uneven = uneven || line % 4 != 0; /* an empty line takes nothing back */
            line = 0;
        }
    }
}

bool mime_base64_is_plain(const struct mime_base64 *look)
{
    static const size_t pads[4] = {0, SIZE_MAX, 2, 1}; /* for so many letters of the last group */
    return look->junk == 0 && look->blanks == 0 && look->after == 0 && !look->uneven &&
           look->pads == pads[look->letters % 4];
}
