/* SPDX-License-Identifier: MIT */
/* Finding command lines. A bare LF or CR stays inside the line, where the command's check refuses it. */
#include "smtp/line.h"

/* Index past the first CRLF, 0: none. */
static size_t line_end(struct smtp_line *l, struct span in)
{
    size_t at = l->scanned;
    while (at < in.len) {
        size_t lf = at + span_find(span_sub(in, at, in.len), '\n');
        if (lf == in.len)
            break;
        if (lf > 0 && in.ptr[lf - 1] == '\r')
            return lf + 1;
        at = lf + 1;
    }
    l->scanned = in.len;
    return 0;
}

enum smtp_line_result smtp_line_next(struct smtp_line *l, struct span in, size_t max, struct span *line, size_t *used)
{
    size_t end = line_end(l, in);
    *used = end;
    if (end == 0 && (l->skipping || in.len >= max)) {
        /* A last CR may be half of the CRLF that ends the line. */
        size_t keep = in.len > 0 && in.ptr[in.len - 1] == '\r';
        l->skipping = true;
        l->scanned = keep;
        *used = in.len - keep;
    }
    if (end == 0)
        return SMTP_LINE_MORE;
    if (l->skipping || end > max) {
        smtp_line_done(l);
        return SMTP_LINE_LONG;
    }
    *line = span_sub(in, 0, end - 2);
    return SMTP_LINE_OK;
}

void smtp_line_done(struct smtp_line *l)
{
    *l = (struct smtp_line){0};
}
