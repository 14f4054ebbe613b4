/* SPDX-License-Identifier: MIT */
/* Dot-stuffing and the end of data. */
#include "smtp/body.h"

/* ---- Decoder ---- */

void smtp_body_decoder_init(struct smtp_body_decoder *d)
{
    *d = (struct smtp_body_decoder){.line_start = true};
}

/* An octet with the one before it is odd: a fault, or a dot where a line may begin. */
static inline unsigned char octet_is_odd(unsigned char before, unsigned char c)
{
    return (unsigned char)((c == '\0') | ((c == '\n') != (before == '\r')) | ((c == '.') & (before == '\n')));
}

/* How many octets IN begins with before the first odd one; BEFORE is the octet in front of it. Blocks of fixed length
 * without branches become a few vector instructions, and nearly every body is all blocks: this is what makes a body
 * cheap. */
static size_t plain_length(struct span in, unsigned char before)
{
    enum { BLOCK = 64 };
    const unsigned char *octets = (const unsigned char *)in.ptr;
    if (in.len == 0 || octet_is_odd(before, octets[0]))
        return 0;
    size_t at = 1;
    for (; at + BLOCK <= in.len; at += BLOCK) {
        unsigned char odd = 0;
        for (size_t i = 0; i < BLOCK; i++)
            odd |= octet_is_odd(octets[at + i - 1], octets[at + i]);
        if (odd)
            break;
    }
    while (at < in.len && !octet_is_odd(octets[at - 1], octets[at]))
        at++;
    return at;
}

/* The last octet that was taken, as far as the next one has to know it. */
static unsigned char decoder_before(const struct smtp_body_decoder *d)
{
    return d->line_start ? '\n' : d->after_cr ? '\r' : ' ';
}

/* Notes the faults of one octet, which is no dot that begins a line. */
static void decoder_look(struct smtp_body_decoder *d, char c)
{
    if (c == '\0')
        d->faults |= SMTP_FAULT_NUL;
    if (d->after_cr && c != '\n')
        d->faults |= SMTP_FAULT_BARE_CR;
    if (!d->after_cr && c == '\n')
        d->faults |= SMTP_FAULT_BARE_LF;
    d->line_start = d->after_cr && c == '\n';
    d->after_cr = c == '\r';
}

/* What the dot that begins both IN and a line means. OK to go on with content: SPAN. */
static enum smtp_body_result decoder_dot(struct span in)
{
    if (in.len < 2 || (in.ptr[1] == '\r' && in.len < 3))
        return SMTP_BODY_MORE;
    return in.ptr[1] == '\r' && in.ptr[2] == '\n' ? SMTP_BODY_END : SMTP_BODY_SPAN;
}

enum smtp_body_result smtp_body_decode(struct smtp_body_decoder *d, struct span in, struct span *out, size_t *used)
{
    size_t start = 0, at = 0;
    *used = 0;
    if (in.len == 0)
        return SMTP_BODY_MORE;
    if (d->line_start && in.ptr[0] == '.') {
        enum smtp_body_result dot = decoder_dot(in);
        if (dot == SMTP_BODY_END)
            *used = 3;
        if (dot != SMTP_BODY_SPAN)
            return dot;
        start = at = 1;
        d->line_start = false;
    }
    while (at < in.len && !(d->line_start && in.ptr[at] == '.')) {
        size_t plain = plain_length(span_sub(in, at, in.len), decoder_before(d));
        if (plain > 0) { /* an LF in it has its CR */
            at += plain;
            d->line_start = in.ptr[at - 1] == '\n';
            d->after_cr = in.ptr[at - 1] == '\r';
        } else {
            decoder_look(d, in.ptr[at++]);
        }
    }
    *out = span_sub(in, start, at - start);
    *used = at;
    return SMTP_BODY_SPAN;
}

/* ---- Encoder ---- */

void smtp_body_encoder_init(struct smtp_body_encoder *e)
{
    *e = (struct smtp_body_encoder){.line_start = true};
}

/* Index of the first dot of BYTES, from FROM on, that is behind a CRLF which stands there too; their length: none. */
static size_t dot_behind_crlf(struct span bytes, size_t from)
{
    size_t crlf = from + span_find_rare(span_sub(bytes, from, bytes.len), SPAN("\r\n."), 2);
    return crlf < bytes.len ? crlf + 2 : bytes.len;
}

/* Index of the first dot of BYTES that begins a line; their length: none. */
static size_t encoder_first_dot(const struct smtp_body_encoder *e, struct span bytes)
{
    if (e->line_start && bytes.ptr[0] == '.')
        return 0;
    if (e->after_cr && span_starts(bytes, SPAN("\n.")))
        return 1;
    return dot_behind_crlf(bytes, 0);
}

enum err smtp_body_encode(struct smtp_body_encoder *e, struct buf *out, struct span bytes)
{
    if (bytes.len == 0)
        return ERR_OK;
    size_t first = encoder_first_dot(e, bytes), dots = 0, room = 0, from = 0;
    char *to = NULL;
    for (size_t dot = first; dot < bytes.len; dot = dot_behind_crlf(bytes, dot))
        dots++;
    if (bytes.len + dots > buf_room(out))
        return ERR_FULL;
    enum err err = buf_reserve(out, bytes.len + dots, &to, &room);
    if (err != ERR_OK)
        return err;
    for (size_t dot = first; dot < bytes.len; dot = dot_behind_crlf(bytes, dot)) {
        memcpy(to, bytes.ptr + from, dot - from);
        to += dot - from;
        *to++ = '.';
        from = dot;
    }
    memcpy(to, bytes.ptr + from, bytes.len - from);
    buf_commit(out, bytes.len + dots);
    char last = bytes.ptr[bytes.len - 1];
    bool cr = bytes.len > 1 ? bytes.ptr[bytes.len - 2] == '\r' : e->after_cr;
    e->line_start = last == '\n' && cr;
    e->after_cr = last == '\r';
    return ERR_OK;
}

enum err smtp_body_encode_end(struct smtp_body_encoder *e, struct buf *out)
{
    return buf_append(out, e->line_start ? SPAN(".\r\n") : SPAN("\r\n.\r\n"));
}
