/* SPDX-License-Identifier: MIT */
/* Dot-stuffing and the end of data. */
#include "smtp/body.h"

/* ---- Decoder ---- */

void smtp_body_decoder_init(struct smtp_body_decoder *d)
{
    *d = (struct smtp_body_decoder){.line_start = true};
}

/* Notes the faults of one stretch without LF. FOLLOWED: an LF comes right after it; else the input ends there. */
static void decoder_look(struct smtp_body_decoder *d, struct span stretch, bool followed)
{
    if (span_find(stretch, '\0') < stretch.len)
        d->faults |= SMTP_FAULT_NUL;
    if (stretch.len > 0 && d->after_cr)
        d->faults |= SMTP_FAULT_BARE_CR;
    size_t cr = span_find(stretch, '\r');
    if (cr + 1 < stretch.len)
        d->faults |= SMTP_FAULT_BARE_CR;
    if (stretch.len > 0)
        d->after_cr = stretch.ptr[stretch.len - 1] == '\r';
    if (followed && !d->after_cr)
        d->faults |= SMTP_FAULT_BARE_LF;
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
        size_t lf = at + span_find(span_sub(in, at, in.len), '\n');
        bool found = lf < in.len;
        decoder_look(d, span_sub(in, at, lf - at), found);
        d->line_start = found && d->after_cr;
        if (found)
            d->after_cr = false;
        at = found ? lf + 1 : in.len;
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

/* Goes over BYTES; with TO it writes them, without it only counts. Returns the number of octets. */
static size_t encoder_run(struct smtp_body_encoder *e, struct span bytes, char *to)
{
    size_t n = 0, at = 0;
    while (at < bytes.len) {
        if (e->line_start && bytes.ptr[at] == '.') {
            if (to)
                to[n] = '.';
            n++;
        }
        size_t lf = at + span_find(span_sub(bytes, at, bytes.len), '\n');
        bool found = lf < bytes.len;
        size_t end = found ? lf + 1 : bytes.len;
        bool cr = lf > at ? bytes.ptr[lf - 1] == '\r' : e->after_cr;
        if (to)
            memcpy(to + n, bytes.ptr + at, end - at);
        n += end - at;
        e->line_start = found && cr;
        e->after_cr = !found && cr;
        at = end;
    }
    return n;
}

enum err smtp_body_encode(struct smtp_body_encoder *e, struct buf *out, struct span bytes)
{
    if (bytes.len == 0)
        return ERR_OK;
    struct smtp_body_encoder trial = *e;
    size_t need = encoder_run(&trial, bytes, NULL), room = 0;
    char *to = NULL;
    if (need > buf_room(out))
        return ERR_FULL;
    enum err err = buf_reserve(out, need, &to, &room);
    if (err != ERR_OK)
        return err;
    buf_commit(out, encoder_run(e, bytes, to));
    return ERR_OK;
}

enum err smtp_body_encode_end(struct smtp_body_encoder *e, struct buf *out)
{
    return buf_append(out, e->line_start ? SPAN(".\r\n") : SPAN("\r\n.\r\n"));
}
